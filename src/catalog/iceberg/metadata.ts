/** Table metadata: the JSON file whose newest version is the table. Source: Iceberg specification, "Table Metadata", format version 2. */
import { SETTINGS } from '../../config.ts'
import { damagedMetadata } from '../damage.ts'
import type { PartitionSpec, Schema, SnapshotInfo, TableKeys, TimeUnit } from '../types.ts'
import { type IcebergPartitionField, specFieldsToJson, specFromJson } from './manifest.ts'
import { checkMetadata } from './metadata-check.ts'
import { type IcebergSchema, lastColumnId, schemaFromJson, schemaToJson } from './schema.ts'

/** One snapshot as table metadata holds it. */
export interface IcebergSnapshot {
  'snapshot-id': number
  'parent-snapshot-id'?: number | null
  'sequence-number': number
  'timestamp-ms': number
  'manifest-list': string
  summary: { operation: string; [key: string]: string }
  'schema-id'?: number
}

/** One way in which the rows of a file may be sorted. */
interface IcebergSortOrder {
  'order-id': number
  fields: { transform: string; 'source-id': number; direction: string; 'null-order': string }[]
}

/** Table metadata of format version 2. Entries that Skep does not know are kept when a new version is made from an old one. */
export interface TableMetadata {
  'format-version': 2
  'table-uuid': string
  location: string
  'last-sequence-number': number
  'last-updated-ms': number
  'last-column-id': number
  'current-schema-id': number
  schemas: IcebergSchema[]
  'default-spec-id': number
  'partition-specs': { 'spec-id': number; fields: IcebergPartitionField[] }[]
  'last-partition-id': number
  'default-sort-order-id': number
  'sort-orders': IcebergSortOrder[]
  properties?: Record<string, string>
  'current-snapshot-id'?: number | null
  snapshots?: IcebergSnapshot[]
  'snapshot-log'?: { 'snapshot-id': number; 'timestamp-ms': number }[]
  'metadata-log'?: { 'metadata-file': string; 'timestamp-ms': number }[]
  refs?: Record<string, { 'snapshot-id': number; type: string }>
}

/** The snapshot summary's key for the id of a commit: who lost the reply to a commit finds it there. */
export const COMMIT_ID = 'skep.commit-id'
const DROPPED = 'skep.dropped'

/** What a new table is made of. */
interface NewTable {
  uuid: string
  /** Absolute path or URL of the table's folder. */
  location: string
  schema: Schema
  spec: PartitionSpec
  keys: TableKeys
  properties: Record<string, string>
  nowMs: number
}

/** Metadata of a new table without any snapshot. */
export function newMetadata(table: NewTable): TableMetadata {
  const { schema, spec } = table
  const sorted = sortOrder(schema, table.keys)
  return {
    'format-version': 2,
    'table-uuid': table.uuid,
    location: table.location,
    'last-sequence-number': 0,
    'last-updated-ms': table.nowMs,
    'last-column-id': lastColumnId(schema.columns),
    'current-schema-id': schema.id,
    schemas: [schemaToJson(schema)],
    'default-spec-id': spec.id,
    'partition-specs': [{ 'spec-id': spec.id, fields: specFieldsToJson(spec) }],
    'last-partition-id': Math.max(999, ...spec.fields.map((field) => field.fieldId)),
    'default-sort-order-id': sorted['order-id'],
    'sort-orders': sorted['order-id'] === 0 ? [sorted] : [{ 'order-id': 0, fields: [] }, sorted],
    properties: { ...table.properties, ...keyProperties(table.keys) },
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    refs: {},
  }
}

function sortOrder(schema: Schema, keys: TableKeys): IcebergSortOrder {
  const ids = keys.actor === undefined ? [] : [keys.actor, keys.time].flatMap((name) => columnId(schema, name) ?? [])
  const fields = ids.map((id) => ({
    transform: 'identity',
    'source-id': id,
    direction: 'asc',
    'null-order': 'nulls-first',
  }))
  return { 'order-id': fields.length === 0 ? 0 : 1, fields }
}

function columnId(schema: Schema, name: string | undefined): number | undefined {
  return schema.columns.find((column) => column.name === name)?.id
}

const KEY_PROPERTIES = { actor: 'skep.actor', time: 'skep.time', timeUnit: 'skep.time-unit' } as const

function keyProperties(keys: TableKeys): Record<string, string> {
  const entries = Object.entries(KEY_PROPERTIES).map(([key, property]) => [property, keys[key as keyof TableKeys]])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Record<string, string>
}

/** The keys of a table, from its properties, by the names that their columns have under `schema`. */
export function keysOf(metadata: TableMetadata, schema: Schema): TableKeys {
  const properties = metadata.properties ?? {}
  const current = schemaOf(metadata)
  const nameOf = (key: 'actor' | 'time') => {
    const name = properties[KEY_PROPERTIES[key]]
    const id = columnId(current, name)
    const column = schema.columns.find((candidate) => candidate.id === id)
    return name === undefined ? {} : { [key]: column?.name ?? name }
  }
  const unit = properties[KEY_PROPERTIES.timeUnit]
  return { ...nameOf('actor'), ...nameOf('time'), ...(unit !== undefined && { timeUnit: unit as TimeUnit }) }
}

/** The properties of a table after its columns got new names: keys stay the columns that they were. */
export function renamedKeys(metadata: TableMetadata, names: ReadonlyMap<string, string>): Record<string, string> {
  const properties = { ...metadata.properties }
  for (const key of [KEY_PROPERTIES.actor, KEY_PROPERTIES.time]) {
    const name = names.get(properties[key] ?? '')
    if (name !== undefined) properties[key] = name
  }
  return properties
}

/** The bytes of a metadata file. */
export function printMetadata(metadata: TableMetadata): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(metadata))
}

/** The metadata in a file. @throws TABLE_INVALID naming `file` when it is damaged, contradicts itself or is of another version */
export function parseMetadata(bytes: Uint8Array, file: string): TableMetadata {
  let problem: string | undefined
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    problem = checkMetadata(json)
  } catch (cause) {
    throw damagedMetadata(file, 'it is not JSON, or nested too deeply', { cause })
  }
  if (problem !== undefined) throw damagedMetadata(file, problem)
  return json as TableMetadata
}

/** Metadata with one more snapshot, which becomes the current one. `previousFile` is where `metadata` stands, if it was written. */
export function withSnapshot(
  metadata: TableMetadata,
  snapshot: IcebergSnapshot,
  previousFile: string | undefined,
): TableMetadata {
  const id = snapshot['snapshot-id']
  const timestamp = snapshot['timestamp-ms']
  return {
    ...nextVersion(metadata, timestamp, previousFile),
    'last-sequence-number': snapshot['sequence-number'],
    'current-snapshot-id': id,
    snapshots: [...(metadata.snapshots ?? []), snapshot],
    'snapshot-log': [...(metadata['snapshot-log'] ?? []), { 'snapshot-id': id, 'timestamp-ms': timestamp }],
    refs: { ...metadata.refs, main: { 'snapshot-id': id, type: 'branch' } },
  }
}

/** Metadata that says the table was dropped by this commit: no later version of it is a table. */
export function asDropped(
  metadata: TableMetadata,
  commitId: string,
  nowMs: number,
  previousFile: string,
): TableMetadata {
  const properties = { ...metadata.properties, [DROPPED]: 'true', [COMMIT_ID]: commitId }
  return { ...nextVersion(metadata, nowMs, previousFile), properties }
}

/** The same table as its next version. `previousFile` is where `metadata` stands, if it was written. */
export function nextVersion(metadata: TableMetadata, nowMs: number, previousFile: string | undefined): TableMetadata {
  const log = metadata['metadata-log'] ?? []
  const previous = previousFile && { 'metadata-file': previousFile, 'timestamp-ms': metadata['last-updated-ms'] }
  return {
    ...metadata,
    'last-updated-ms': Math.max(nowMs, metadata['last-updated-ms']),
    'metadata-log': previous ? [...log, previous].slice(-SETTINGS.metadataLog.default) : log,
  }
}

/** True for the last version of a dropped table. */
export function isDropped(metadata: TableMetadata): boolean {
  return metadata.properties?.[DROPPED] === 'true'
}

/** The id of the commit that dropped the table. */
export function droppedBy(metadata: TableMetadata): string | undefined {
  return isDropped(metadata) ? metadata.properties?.[COMMIT_ID] : undefined
}

/** The snapshot that a commit made, or undefined when it is not in the table's history. */
export function snapshotOfCommit(metadata: TableMetadata, commitId: string): IcebergSnapshot | undefined {
  return metadata.snapshots?.find((snapshot) => snapshot.summary[COMMIT_ID] === commitId)
}

/** The snapshot of that id, or undefined. */
export function snapshotById(metadata: TableMetadata, id: number | null | undefined): IcebergSnapshot | undefined {
  return metadata.snapshots?.find((snapshot) => snapshot['snapshot-id'] === id)
}

/** The current snapshot; undefined for a table without any. */
export function currentSnapshot(metadata: TableMetadata): IcebergSnapshot | undefined {
  return snapshotById(metadata, metadata['current-snapshot-id'])
}

/** The snapshot that was current at a time (milliseconds since 1970), or undefined before the first. */
export function snapshotAtTime(metadata: TableMetadata, timeMs: number): IcebergSnapshot | undefined {
  const entry = metadata['snapshot-log']?.findLast((logged) => logged['timestamp-ms'] <= timeMs)
  return entry && snapshotById(metadata, entry['snapshot-id'])
}

/** The schema of that id; the current one when there is none or no id is given. */
export function schemaOf(metadata: TableMetadata, id?: number): Schema {
  const found =
    metadata.schemas.find((schema) => schema['schema-id'] === id) ??
    metadata.schemas.find((schema) => schema['schema-id'] === metadata['current-schema-id'])
  return schemaFromJson(found!)
}

/** The partition specs by their ids; those with transforms of later versions of the format are left out. */
export function specsOf(metadata: TableMetadata): Map<number, PartitionSpec> {
  const specs = metadata['partition-specs'].map((spec) => specFromJson(spec['spec-id'], spec.fields))
  return new Map(specs.flatMap((spec) => (spec ? [[spec.id, spec]] : [])))
}

/** The ids of the sort orders that mean: sorted by (actor, time), ascending. */
export function actorSortOrders(metadata: TableMetadata): Set<number> {
  const schema = schemaOf(metadata)
  const wanted = sortOrder(schema, keysOf(metadata, schema))
  const print = (order: IcebergSortOrder) =>
    JSON.stringify(order.fields.map((f) => [f.transform, f['source-id'], f.direction, f['null-order']]))
  const same = metadata['sort-orders'].filter((order) => order.fields.length > 0 && print(order) === print(wanted))
  return new Set(same.map((order) => order['order-id']))
}

/** The history of a table, newest last. */
export function snapshotInfos(metadata: TableMetadata): SnapshotInfo<number>[] {
  return (metadata.snapshots ?? []).map((snapshot) => ({
    id: snapshot['snapshot-id'],
    parentId: snapshot['parent-snapshot-id'] ?? null,
    time: new Date(snapshot['timestamp-ms']).toISOString(),
    operation: snapshot.summary.operation as SnapshotInfo['operation'],
    summary: snapshot.summary,
  }))
}
