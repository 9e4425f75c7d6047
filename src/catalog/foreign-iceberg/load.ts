/** Tables that others wrote as Iceberg: format versions 1 and 2, and 3 without its new features. Nothing of them is ever written. */
import { type DataType, printType } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import { mapConcurrent } from '../../storage/concurrent.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import { findColumn } from '../find-column.ts'
import { type IcebergSchema, schemaFromJson } from '../iceberg/schema.ts'
import { physicalOf } from '../iceberg/values.ts'
import type { At } from '../pick-snapshot.ts'
import type { DataFile, FileReading, PartitionSpec, Scalar, Schema, SnapshotInfo, Table, TableKeys } from '../types.ts'
import { ForeignCache, printOf } from './cache.ts'
import { deletesOf } from './deletes.ts'
import { damagedForeign, missingForeign, unsupportedFeature } from './errors.ts'
import { checkFields, checkSnapshot } from './features.ts'
import { checkFieldIds } from './field-ids.ts'
import { type FoundMetadata, findMetadata } from './find-metadata.ts'
import { type ForeignEntry, type ManifestContext, readForeignManifest } from './manifest.ts'
import { type ListedManifest, readForeignList } from './manifest-list.ts'
import { type ForeignMetadata, type ForeignSnapshot, foreignHistory } from './metadata.ts'
import { resolvePath } from './place.ts'
import { type ForeignReader, readWhole } from './reader.ts'
import { knownSpec, typesById } from './specs.ts'

const READS_AT_ONCE = SETTINGS.storeCalls.default

/** Which state of an Iceberg table is meant: one of its snapshots, the one that was current at a time, or the one of a branch or tag. */
export type ForeignAt = At | { ref: string }

/** What is known of a table besides its files. */
export interface ForeignIcebergOptions extends CallOptions {
  name: string
  keys?: TableKeys
  at?: ForeignAt
  /** What earlier calls have read. */
  cache?: ForeignCache
  /** Most data files that a table may have. */
  maxFiles?: number
}

/**
 * The table in a folder, or of a metadata file, as it is now or was. Costs a listing and two or three reads, one more for each manifest,
 * and one for the footer of at least one data file of each.
 *
 * @throws FILE_NOT_FOUND when there is no table, SNAPSHOT_NOT_FOUND
 * @throws TABLE_INVALID naming the damaged file, TABLE_FEATURE_UNSUPPORTED naming the feature
 */
export async function loadForeignIceberg(
  reader: ForeignReader,
  root: string,
  options: ForeignIcebergOptions,
): Promise<Table> {
  const { name, keys = {}, at, cache = new ForeignCache(), maxFiles = SETTINGS.importFiles.default, ...calls } = options
  const found = await findMetadata(reader, root, calls)
  const { metadata, place } = found
  const snapshot = pickForeign(name, metadata, at)
  const current = schemaOfId(metadata, metadata.schemaId)
  const json = at === undefined ? current : schemaOfId(metadata, snapshot?.schemaId ?? metadata.schemaId)
  checkFields(metadata.file, name, json.fields)
  const schema = schemaFromJson(json)
  const { files, specs } = snapshot
    ? await readFiles({ reader, cache, maxFiles, found, snapshot, json, schema, calls })
    : { files: [], specs: new Map<number, PartitionSpec>() }
  for (const spec of metadata.specs) specs.set(spec.id, knownSpec(spec).spec)
  return {
    name,
    kind: 'attached',
    format: 'iceberg',
    location: place.folder,
    metadataLocation: metadata.file,
    keys: keysUnder(keys, schemaFromJson(current), schema),
    schema: schemaFromJson(current),
    spec: specs.get(metadata.specId)!,
    snapshot: { ...(snapshot && { id: snapshot.id }), schema, specs, files, reading: readingOf(metadata, schema) },
    actorsTogether: false,
    hiveColumns: [],
  }
}

/** The history of the table in a folder or of a metadata file, newest last. @throws as `loadForeignIceberg` does */
export async function foreignIcebergHistory(
  reader: ForeignReader,
  root: string,
  options: CallOptions = {},
): Promise<SnapshotInfo[]> {
  return foreignHistory((await findMetadata(reader, root, options)).metadata)
}

function pickForeign(table: string, metadata: ForeignMetadata, at: ForeignAt | undefined): ForeignSnapshot | undefined {
  const byId = (id: unknown) => metadata.snapshots.find((snapshot) => snapshot.id === id)
  if (at === undefined) return byId(metadata.snapshotId)
  const found =
    'ref' in at
      ? byId(metadata.refs[at.ref])
      : 'snapshotId' in at
        ? byId(at.snapshotId)
        : (byId(metadata.log.findLast(({ timeMs }) => timeMs <= at.timeMs)?.id) ?? lastBefore(metadata, at.timeMs))
  if (found) return found
  const text = 'ref' in at ? at.ref : 'snapshotId' in at ? String(at.snapshotId) : new Date(at.timeMs).toISOString()
  throw new SkepError('SNAPSHOT_NOT_FOUND', `the table "${table}" has no snapshot ${text}`, { table, at: text })
}

/** Of tables whose metadata has no log: the snapshots that led to the current one. */
function lastBefore({ log, snapshots, snapshotId }: ForeignMetadata, timeMs: number): ForeignSnapshot | undefined {
  if (log.length > 0) return undefined
  const byId = new Map(snapshots.map((snapshot) => [snapshot.id, snapshot]))
  let at = snapshotId === undefined ? undefined : byId.get(snapshotId)
  for (let steps = snapshots.length; at && at.timeMs > timeMs && steps > 0; steps--) {
    at = at.parentId === null ? undefined : byId.get(at.parentId)
  }
  return at
}

function schemaOfId({ schemas, file }: ForeignMetadata, id: number): IcebergSchema {
  const found = schemas.find((schema) => schema['schema-id'] === id)
  if (!found) throw damagedForeign(file, `its schema ${id} is not in it`)
  return found
}

/** Keys by the names that their columns had under a schema of the past; without those whose columns the table has no more. */
function keysUnder({ actor, time, timeUnit }: TableKeys, current: Schema, schema: Schema): TableKeys {
  const nameOf = (key: 'actor' | 'time', name: string | undefined) => {
    const column = name === undefined ? undefined : findColumn(current.columns, name)
    const then = schema.columns.find(({ id }) => id === column?.id)
    return then && { [key]: then.name }
  }
  return { ...nameOf('actor', actor), ...nameOf('time', time), ...(timeUnit !== undefined && { timeUnit }) }
}

/** Files are always read by field ids: nobody else promises that theirs have the names of the table. */
function readingOf(metadata: ForeignMetadata, schema: Schema): FileReading {
  const floats = new Set(
    metadata.schemas.flatMap(({ fields }) => fields.filter(({ type }) => type === 'float').map(({ id }) => id)),
  )
  // Ids of schemas count from 0: a gap is one that was forgotten, and files of it may be left.
  const isForgetful = Math.max(...metadata.schemas.map((json) => json['schema-id'])) >= metadata.schemas.length
  const doubles = schema.columns.filter(({ type }) => printType(type) === 'DOUBLE').map(({ id }) => id)
  return { byId: true, narrower: new Set(doubles.filter((id) => isForgetful || floats.has(id))) }
}

interface Reading {
  reader: ForeignReader
  cache: ForeignCache
  maxFiles: number
  found: FoundMetadata
  snapshot: ForeignSnapshot
  json: IcebergSchema
  schema: Schema
  calls: CallOptions
}

async function readFiles(reading: Reading): Promise<{ files: DataFile[]; specs: Map<number, PartitionSpec> }> {
  const { found, snapshot, json, maxFiles } = reading
  const { metadata, place } = found
  checkSnapshot(metadata.file, snapshot)
  const read = await readManifests(reading)
  const listed = read.filter(({ manifest }) => !manifest.deletes)
  const data = listed.flatMap(({ entries }) => entries)
  if (data.length > maxFiles) throw tooManyFiles(metadata.file, data.length, maxFiles)
  const deletes = deletesOf(
    data,
    read.filter(({ manifest }) => manifest.deletes).flatMap(({ entries }) => entries),
  )
  const files = data.map((entry) => toDataFile(entry, deletes.get(entry) ?? [], reading))
  const footers = listed.flatMap(({ manifest, entries }) =>
    entries.map(({ path, sizeBytes }) => ({ path: resolvePath(place, path), sizeBytes, manifest: manifest.path })),
  )
  const { reader, cache, calls: options } = reading
  await checkFieldIds({ reader, cache, metadata, fields: json.fields, options }, footers)
  return { files, specs: new Map(data.map(({ spec }) => [spec.id, spec])) }
}

async function readManifests(reading: Reading): Promise<{ manifest: ListedManifest; entries: ForeignEntry[] }[]> {
  const { reader, cache, found, schema, calls } = reading
  const { metadata, place } = found
  const manifests = await listManifests(reading)
  const context: ManifestContext = { metadata, types: typesById(metadata), columnTypes: columnTypes(schema) }
  const print = printOf([[...context.types], [...context.columnTypes], metadata.specs])
  return await mapConcurrent(manifests, READS_AT_ONCE, async (manifest) => {
    const file = resolvePath(place, manifest.path)
    const stat = await reader.stat(file, calls)
    if (stat === undefined) throw missingForeign(file)
    const { specId, sequence } = manifest
    const key = { file, version: stat.version, context: `${print} ${specId} ${sequence}` }
    const read = async () => readForeignManifest(await readWhole(reader, file, calls), file, manifest, context)
    const entries = await cache.entries(key, read, calls)
    return { manifest, entries }
  })
}

function tooManyFiles(file: string, count: number, limit: number): SkepError<'FILE_LIMIT'> {
  const message = `${file}: the table has ${count} data files, more than ${limit}; raise SKEP_IMPORT_FILES`
  return new SkepError('FILE_LIMIT', message, { setting: 'importFiles', limit })
}

async function listManifests({ reader, found, snapshot, calls }: Reading): Promise<ListedManifest[]> {
  const { manifestList, manifests } = snapshot
  if (manifestList === undefined) return manifests.map((path) => ({ path, deletes: false, sequence: 0 }))
  const file = resolvePath(found.place, manifestList)
  return readForeignList(await readWhole(reader, file, calls), file)
}

/** The types of the columns of which statistics can be used. */
function columnTypes({ columns }: Schema): Map<number, DataType> {
  return new Map(columns.filter(({ type }) => physicalOf(type) !== undefined).map(({ id, type }) => [id, type]))
}

/** A data file as queries read it. That it is sorted is its writer's promise, which nobody has checked: it does not count. */
function toDataFile(entry: ForeignEntry, deletes: readonly ForeignEntry[], { found, schema }: Reading): DataFile {
  const { path, format, rows, sizeBytes, spec, partition, columns } = entry
  if (format !== 'PARQUET') throw unsupportedFeature(path, `data files in ${format}`)
  const constants = constantsOf(entry, schema)
  return {
    path: resolvePath(found.place, path),
    uri: path,
    rows,
    sizeBytes,
    specId: spec.id,
    partition,
    columns,
    sorted: false,
    ...(constants.size > 0 && { constants }),
    ...(deletes.length > 0 && {
      deletes: deletes.map((file) => ({
        path: resolvePath(found.place, file.path),
        sizeBytes: file.sizeBytes,
        version: '',
      })),
    }),
  }
}

/** Columns whose values stand in the partition: a file that was taken over from Hive has them nowhere else, and no statistics of them. */
function constantsOf({ spec, partition, columns }: ForeignEntry, schema: Schema): Map<number, Scalar | null> {
  const constants = new Map<number, Scalar | null>()
  for (const [k, { columnId, transform }] of spec.fields.entries()) {
    const { values, sizeBytes } = columns.get(columnId) ?? {}
    const isColumn = schema.columns.some(({ id }) => id === columnId)
    if (transform.kind === 'identity' && isColumn && values === undefined && sizeBytes === undefined)
      constants.set(columnId, partition[k] ?? null)
  }
  return constants
}
