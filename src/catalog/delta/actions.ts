/** The actions of a Delta log, as far as readers need them, and their checked reading from JSON and from rows of checkpoints. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { damagedLog, unsupported } from './errors.ts'

/** Which readers may read the table. */
export interface Protocol {
  minReaderVersion: number
  readerFeatures: string[]
}

/** What the table is. */
export interface MetaData {
  description?: string
  /** Its schema as JSON. */
  schemaString: string
  partitionColumns: string[]
  configuration: Record<string, string>
}

/** Statistics of a file: the text of their JSON, or as columns of a checkpoint have them. */
export type FileStats = string | Record<string, unknown>

/** A data file of the table. */
export interface AddFile {
  /** Absolute. */
  path: string
  sizeBytes: number
  partitionValues: Record<string, string | null>
  stats?: FileStats
  /** Its rows are not all valid. */
  hasVector?: true
  /** The file of the log that says so. */
  source: string
}

/** When and how a version was made. */
export interface CommitInfo {
  timestampMs?: number
  inCommitMs?: number
  operation?: string
  mode?: string
}

/** One action. `key` names the file and its deletion vector, which together a table has once. */
export type Action =
  | { kind: 'protocol'; protocol: Protocol }
  | { kind: 'metaData'; metaData: MetaData }
  | { kind: 'add'; key: string; file: AddFile; dataChange: boolean }
  | { kind: 'remove'; key: string; dataChange: boolean }
  | { kind: 'sidecar'; path: string }
  | { kind: 'commitInfo'; info: CommitInfo }

/** Where actions were read: the table's folder, and the file. */
export interface ActionPlace {
  root: string
  source: string
}

type Json = Partial<Record<string, unknown>>

/** The action of one JSON object or row; undefined for those that readers need not know. @throws TABLE_INVALID */
export function readAction(json: unknown, place: ActionPlace): Action | undefined {
  if (!isObject(json)) throw damagedLog(place.source, 'it has an action that is no object')
  const { add, remove, metaData, protocol, commitInfo, sidecar } = json
  if (isObject(add)) return readAdd(add, place)
  if (isObject(remove)) return { kind: 'remove', key: keyOf(remove, place), dataChange: remove.dataChange !== false }
  if (isObject(metaData)) return { kind: 'metaData', metaData: readMetaData(metaData, place) }
  if (isObject(protocol)) return { kind: 'protocol', protocol: readProtocol(protocol, place) }
  if (isObject(sidecar)) return { kind: 'sidecar', path: textOf(sidecar.path, 'a sidecar without a path', place) }
  if (isObject(commitInfo)) return { kind: 'commitInfo', info: readCommitInfo(commitInfo) }
  return undefined
}

function readAdd(add: Json, place: ActionPlace): Action {
  const { size, partitionValues, stats, deletionVector, dataChange } = add
  const sizeBytes = Number(size)
  if (size === undefined || size === null || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
    throw damagedLog(place.source, 'it adds a file without a size')
  const parsed = isObject(add.stats_parsed) ? add.stats_parsed : undefined
  const known = typeof stats === 'string' && stats !== '' ? stats : parsed
  const file: AddFile = {
    path: filePath(textOf(add.path, 'an added file without a path', place), place),
    sizeBytes,
    partitionValues: readTexts(partitionValues ?? {}, place),
    ...(known !== undefined && { stats: known }),
    ...(isObject(deletionVector) && { hasVector: true as const }),
    source: place.source,
  }
  return { kind: 'add', key: keyOf(add, place), file, dataChange: dataChange !== false }
}

function keyOf({ path, deletionVector }: Json, place: ActionPlace): string {
  const file = filePath(textOf(path, 'a file without a path', place), place)
  if (!isObject(deletionVector)) return file
  const { storageType, pathOrInlineDv, offset } = deletionVector
  return `${file}\0${storageType}${pathOrInlineDv}@${offset ?? ''}`
}

/** An absolute path of what the log has as a URI, relative to the table or absolute. @throws TABLE_INVALID, TABLE_FEATURE_UNSUPPORTED */
function filePath(uri: string, { root, source }: ActionPlace): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase()
  try {
    if (scheme === undefined) return resolve(root, decodeURIComponent(uri))
    if (scheme === 'file') return fileURLToPath(uri.replace(/^file:\/(?!\/)/i, 'file:///'))
  } catch (cause) {
    throw damagedLog(source, `${JSON.stringify(uri)} is no path of a file`, cause)
  }
  // A colon may be part of a relative path: a scheme is followed by a slash.
  if (!uri.slice(scheme.length + 1).startsWith('/')) return resolve(root, decodeURIComponent(uri))
  throw unsupported(source, `files at ${scheme}://`)
}

function readMetaData(json: Json, place: ActionPlace): MetaData {
  const { schemaString, partitionColumns, configuration, description, format } = json
  const provider = isObject(format) ? format.provider : 'parquet'
  if (provider !== 'parquet') throw unsupported(place.source, `files of the format ${JSON.stringify(provider)}`)
  if (!Array.isArray(partitionColumns) || partitionColumns.some((name) => typeof name !== 'string'))
    throw damagedLog(place.source, 'its metadata does not list the partition columns')
  const settings = Object.entries(readTexts(configuration ?? {}, place))
  return {
    schemaString: textOf(schemaString, 'metadata without a schema', place),
    partitionColumns,
    configuration: Object.fromEntries(settings.flatMap(([key, value]) => (value === null ? [] : [[key, value]]))),
    ...(typeof description === 'string' && description !== '' && { description }),
  }
}

function readProtocol({ minReaderVersion, readerFeatures }: Json, { source }: ActionPlace): Protocol {
  const version = Number(minReaderVersion)
  if (!Number.isInteger(version) || version < 1) throw damagedLog(source, 'its protocol has no reader version')
  const features: unknown[] = Array.isArray(readerFeatures) ? readerFeatures : []
  return { minReaderVersion: version, readerFeatures: features.map(String) }
}

function readCommitInfo({ timestamp, inCommitTimestamp, operation, operationParameters }: Json): CommitInfo {
  const mode = isObject(operationParameters) ? operationParameters.mode : undefined
  return {
    ...(isTime(timestamp) && { timestampMs: timestamp }),
    ...(isTime(inCommitTimestamp) && { inCommitMs: inCommitTimestamp }),
    ...(typeof operation === 'string' && { operation }),
    ...(typeof mode === 'string' && { mode }),
  }
}

/** Milliseconds that a date can have. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && Math.abs(value) <= 8.64e15
}

function readTexts(json: unknown, { source }: ActionPlace): Record<string, string | null> {
  if (!isObject(json)) throw damagedLog(source, 'it has something else where names and texts belong')
  const entries = Object.entries(json).map(([key, value]) => {
    if (value === undefined || value === null) return [key, null] as const
    if (typeof value !== 'string') throw damagedLog(source, `the value of ${JSON.stringify(key)} is no text`)
    return [key, value] as const
  })
  return Object.fromEntries(entries)
}

function textOf(value: unknown, what: string, { source }: ActionPlace): string {
  if (typeof value === 'string' && value !== '') return value
  throw damagedLog(source, `it has ${what}`)
}

/** True for an object that is no list. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
