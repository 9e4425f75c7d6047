/** Table metadata that others wrote, of format versions 1 to 3, in one form. Source: Iceberg specification, "Table Metadata". */

import {
  type Check,
  hasFields,
  isField,
  isListOf,
  isMapOf,
  isObject,
  isOptional,
  isText,
  isTime,
  isWhole,
} from '../iceberg/metadata-check.ts'
import type { IcebergSchema } from '../iceberg/schema.ts'
import type { SnapshotId, SnapshotInfo } from '../types.ts'
import { damagedForeign, unsupportedFeature } from './errors.ts'
import { parseExactJson } from './json.ts'

/** One snapshot. Its manifests are in a list, or (format version 1) named by the snapshot itself. */
export interface ForeignSnapshot {
  id: SnapshotId
  parentId: SnapshotId | null
  timeMs: number
  manifestList?: string
  manifests: string[]
  summary: Record<string, string>
  schemaId?: number
  /** True when its manifests are encrypted. */
  encrypted: boolean
}

/** One field of a partition spec; the transform is not looked at yet. */
export interface ForeignPartitionField {
  /** Absent for a transform of several columns. */
  columnId?: number
  fieldId: number
  name: string
  transform: string
}

/** A partition spec as its table has it. */
export interface ForeignSpec {
  id: number
  fields: ForeignPartitionField[]
}

/** Table metadata, as far as readers need it. */
export interface ForeignMetadata {
  file: string
  location: string
  updatedMs: number
  schemas: IcebergSchema[]
  schemaId: number
  specs: ForeignSpec[]
  specId: number
  properties: Record<string, string>
  snapshots: ForeignSnapshot[]
  /** Absent for a table without any data yet. */
  snapshotId?: SnapshotId
  /** Which snapshot was current from when on. */
  log: { id: SnapshotId; timeMs: number }[]
  refs: Record<string, SnapshotId>
}

type Json = Record<string, unknown>

const isId: Check = (value) => isWhole(value) || (typeof value === 'string' && /^-?\d+$/.test(value))

const isSchema = hasFields({ 'schema-id': isOptional(isWhole), fields: isListOf(isField) })

const isPartitionField = hasFields({
  'source-id': isOptional(isWhole),
  'source-ids': isOptional(isListOf(isWhole)),
  'field-id': isOptional(isWhole),
  name: isText,
  transform: isText,
})

const isSnapshot = hasFields({
  'snapshot-id': isId,
  'parent-snapshot-id': isOptional(isId),
  'timestamp-ms': isTime,
  'manifest-list': isOptional(isText),
  manifests: isOptional(isListOf(isText)),
  summary: isOptional(isMapOf(isText)),
  'schema-id': isOptional(isWhole),
})

const ENTRIES: Record<string, Check> = {
  location: isText,
  'last-updated-ms': isTime,
  schema: isOptional(isSchema),
  schemas: isOptional(isListOf(isSchema)),
  'current-schema-id': isOptional(isWhole),
  'partition-spec': isOptional(isListOf(isPartitionField)),
  'partition-specs': isOptional(isListOf(hasFields({ 'spec-id': isWhole, fields: isListOf(isPartitionField) }))),
  'default-spec-id': isOptional(isWhole),
  properties: isOptional(isMapOf(isText)),
  'current-snapshot-id': isOptional(isId),
  snapshots: isOptional(isListOf(isSnapshot)),
  'snapshot-log': isOptional(isListOf(hasFields({ 'snapshot-id': isId, 'timestamp-ms': isTime }))),
  refs: isOptional(isMapOf(hasFields({ 'snapshot-id': isId, type: isText }))),
}

const VERSIONS: readonly unknown[] = [1, 2, 3]

/**
 * The metadata in a file.
 *
 * @throws TABLE_INVALID naming the file when it is damaged or contradicts itself
 * @throws TABLE_FEATURE_UNSUPPORTED for a format version after 3
 */
export function parseForeignMetadata(bytes: Uint8Array, file: string): ForeignMetadata {
  const json = readJson(bytes, file)
  if (!isObject(json)) throw damagedForeign(file, 'it is not an object')
  const version = json['format-version']
  if (isWhole(version) && Number(version) > 3) throw unsupportedFeature(file, `format version ${version}`)
  if (!VERSIONS.includes(version)) throw damagedForeign(file, '"format-version" is missing or malformed')
  const broken = Object.entries(ENTRIES).find(([name, check]) => !check(json[name]))
  if (broken) throw damagedForeign(file, `"${broken[0]}" is missing or malformed`)
  const metadata = fromJson(json, file)
  const problem = contradiction(metadata)
  if (problem !== undefined) throw damagedForeign(file, problem)
  return metadata
}

function readJson(bytes: Uint8Array, file: string): unknown {
  try {
    return parseExactJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw damagedForeign(file, 'it is not JSON, or nested too deeply', cause)
  }
}

function fromJson(json: Json, file: string): ForeignMetadata {
  const { schemas, schemaId } = readSchemas(json)
  const { specs, specId } = readSpecs(json)
  const current = currentId(json)
  return {
    file,
    location: json.location as string,
    updatedMs: json['last-updated-ms'] as number,
    schemas,
    schemaId,
    specs,
    specId,
    properties: (json.properties ?? {}) as Record<string, string>,
    snapshots: ((json.snapshots ?? []) as Json[]).map(readSnapshot),
    ...(current !== undefined && { snapshotId: current }),
    log: ((json['snapshot-log'] ?? []) as Json[]).map((entry) => ({
      id: entry['snapshot-id'] as SnapshotId,
      timeMs: entry['timestamp-ms'] as number,
    })),
    refs: Object.fromEntries(
      Object.entries((json.refs ?? {}) as Record<string, Json>).map(([name, ref]) => [
        name,
        ref['snapshot-id'] as SnapshotId,
      ]),
    ),
  }
}

/** Format version 1 has one schema, in a place of its own, and may have no more. */
function readSchemas(json: Json): { schemas: IcebergSchema[]; schemaId: number } {
  const single = json.schema as IcebergSchema | null | undefined
  const schemas = (json.schemas ?? (single ? [single] : [])) as IcebergSchema[]
  const numbered = schemas.map((schema) => ({ ...schema, 'schema-id': schema['schema-id'] ?? 0 }))
  return { schemas: numbered, schemaId: (json['current-schema-id'] ?? numbered[0]?.['schema-id'] ?? 0) as number }
}

function readSpecs(json: Json): { specs: ForeignSpec[]; specId: number } {
  const single = { 'spec-id': 0, fields: json['partition-spec'] ?? [] }
  const specs = (json['partition-specs'] ?? [single]) as { 'spec-id': number; fields: Json[] }[]
  return {
    specs: specs.map((spec) => ({ id: spec['spec-id'], fields: readPartitionFields(spec.fields) })),
    specId: (json['default-spec-id'] ?? specs[0]?.['spec-id'] ?? 0) as number,
  }
}

const FIRST_PARTITION_ID = 1000

/** The fields of a spec, in metadata or the header of a manifest; old writers leave out ids, which then count from 1000. */
export function readPartitionFields(fields: readonly Json[]): ForeignPartitionField[] {
  return fields.map((field, k) => {
    const several = field['source-ids'] as number[] | null | undefined
    const columnId = (field['source-id'] ?? (several?.length === 1 ? several[0] : undefined)) as number | undefined
    return {
      fieldId: (field['field-id'] ?? FIRST_PARTITION_ID + k) as number,
      name: field.name as string,
      transform: field.transform as string,
      ...(columnId !== undefined && { columnId }),
    }
  })
}

/** True for what the header of a manifest may say of its partition spec. */
export const isPartitionFields: Check = isListOf(isPartitionField)

function currentId(json: Json): SnapshotId | undefined {
  const refs = (json.refs ?? {}) as Record<string, Json>
  const id = (json['current-snapshot-id'] ?? refs.main?.['snapshot-id'] ?? -1) as SnapshotId
  return id === -1 ? undefined : id
}

function readSnapshot(json: Json): ForeignSnapshot {
  const list = json['manifest-list']
  const schemaId = json['schema-id']
  return {
    id: json['snapshot-id'] as SnapshotId,
    parentId: (json['parent-snapshot-id'] ?? null) as SnapshotId | null,
    timeMs: json['timestamp-ms'] as number,
    ...(typeof list === 'string' && { manifestList: list }),
    manifests: (json.manifests ?? []) as string[],
    summary: (json.summary ?? {}) as Record<string, string>,
    ...(typeof schemaId === 'number' && { schemaId }),
    encrypted: typeof json['key-id'] === 'string',
  }
}

function contradiction({ schemas, schemaId, specs, specId, snapshots, snapshotId }: ForeignMetadata) {
  if (!schemas.some((schema) => schema['schema-id'] === schemaId)) return 'its current schema is not in it'
  if (!specs.some(({ id }) => id === specId)) return 'its partition spec is not in it'
  if (snapshotId !== undefined && !snapshots.some(({ id }) => id === snapshotId))
    return 'its current snapshot is not in it'
  return undefined
}

const OPERATIONS: readonly string[] = ['append', 'overwrite', 'replace', 'delete']

/** The history of a table, newest last. */
export function foreignHistory({ snapshots }: ForeignMetadata): SnapshotInfo[] {
  return snapshots
    .toSorted((a, b) => a.timeMs - b.timeMs)
    .map(({ id, parentId, timeMs, summary }) => ({
      id,
      parentId,
      time: new Date(timeMs).toISOString(),
      operation: (OPERATIONS.includes(summary.operation ?? '')
        ? summary.operation
        : 'unknown') as SnapshotInfo['operation'],
      summary,
    }))
}
