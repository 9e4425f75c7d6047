/** Which name stands for which table: one log of versions for each name, shared by managed and registered tables. */
import { compareUtf8, didYouMean, nearest } from '../common/text.ts'
import { SETTINGS } from '../config.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import { BoundedCache } from './bounded-cache.ts'
import { damagedMetadata } from './damage.ts'
import { newUuid, type Sources } from './sources.ts'
import type { TableFormat, TableKeys, TimeUnit } from './types.ts'
import { type LogListing, listAll, VersionedLog, withFile } from './versioned-log.ts'

/** What a name stands for. `registration` is a JSON object that only its maker understands. */
export type NameEntry =
  | { state: 'managed'; name: string; uuid: string }
  | { state: 'registered'; name: string; registration: object }
  | ({ state: 'attached'; name: string } & Attachment)
  | { state: 'absent' }

/** Where a table is that others write, and what its maker said of it. */
export interface Attachment {
  /** The table's folder: an absolute path, or a URL. */
  uri: string
  format: TableFormat
  keys: TableKeys
}

/** An entry that cannot be read. Its name is spelled as its folder is. */
export interface DamagedEntry {
  state: 'damaged'
  name: string
  error: SkepError
}

/** An entry and the version of it that was read; 0 when the name was never used. */
export interface FoundName {
  version: number
  entry: NameEntry
  /** When the name came to stand for it: ISO 8601, UTC. Absent for a name that was never used. */
  since?: string
}

const FOLDER = 'names'
const SUFFIX = '.json'
const READS_AT_ONCE = SETTINGS.storeCalls.default
const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/

/** The folder below the store's root that says what a name stands for. */
export function entryFolder(name: string): string {
  return `${FOLDER}/${name.toLowerCase()}`
}

/** What a name has to be, as the end of a sentence. */
export const NAME_RULE =
  'it starts with a letter or "_", continues with letters, digits, "_" or "-", and has at most 128 characters'

/** True for a name that a table may have. */
export function isTableName(name: string): boolean {
  return NAME.test(name)
}

/** Passes for a name that a table may have. @throws TABLE_NAME_INVALID */
export function checkTableName(name: string): void {
  if (isTableName(name)) return
  throw new SkepError('TABLE_NAME_INVALID', `${JSON.stringify(name)} is not a table name: ${NAME_RULE}`, {
    table: name,
  })
}

/** The error for a name that no table has. */
export function tableNotFound(name: string, known: Iterable<string>): SkepError<'TABLE_NOT_FOUND'> {
  const near = nearest(name, known)
  const message = `there is no table "${name}"${didYouMean(near)}`
  return new SkepError(
    'TABLE_NOT_FOUND',
    message,
    near === undefined ? { table: name } : { table: name, nearest: near },
  )
}

/** The names of a warehouse. They are compared without regard to case and keep the spelling of their maker. */
export class Names {
  readonly #store: ObjectStore
  readonly #sources: Sources
  /** Entries by path, with the version of the object: they never change, but whole warehouses may be replaced. */
  readonly #known = new BoundedCache<{ version: string; entry: NameEntry; since: string }>(
    SETTINGS.cachedFolderBytes.default,
  )
  /** The newest versions that were seen, by lower-case name. */
  readonly #versions = new BoundedCache<number>(SETTINGS.cachedVersions.default)

  constructor(store: ObjectStore, sources: Sources) {
    this.#store = store
    this.#sources = sources
  }

  /** The current entry of a name. One listing and one read, or a few look-ups for one that is known. @throws TABLE_NAME_INVALID */
  async find(name: string, options: CallOptions = {}): Promise<FoundName> {
    checkTableName(name)
    const key = name.toLowerCase()
    const version = await this.#log(name).head(options, this.#versions.get(key))
    this.#versions.set(key, version, 1)
    return await this.#read(name, version, options)
  }

  /** All entries that are not absent, by name; of damaged ones their error. */
  async list(options: CallOptions = {}): Promise<(Exclude<NameEntry, { state: 'absent' }> | DamagedEntry)[]> {
    const logs = new Map<string, LogListing>()
    for await (const path of listAll(this.#store, `${FOLDER}/`, options)) {
      const [, name = '', file = ''] = path.split('/')
      if (NAME.test(name)) logs.set(name, withFile(logs.get(name), file, SUFFIX))
    }
    const found = await mapConcurrent([...logs], READS_AT_ONCE, ([name, seen]) => this.#look(name, seen, options))
    const present = found.flatMap((entry) => (entry.state === 'absent' ? [] : [entry]))
    return present.sort((a, b) => compareUtf8(a.name.toLowerCase(), b.name.toLowerCase()))
  }

  async #look(name: string, seen: LogListing, options: CallOptions): Promise<NameEntry | DamagedEntry> {
    try {
      return (await this.#read(name, await this.#log(name).head(options, 0, seen), options)).entry
    } catch (error) {
      if (!isSkepError(error, 'TABLE_INVALID')) throw error
      return { state: 'damaged', name, error }
    }
  }

  /** Frees a name whose entry cannot be read; false when another writer was faster. @throws STORE_UNAVAILABLE */
  async free(name: string, options: CallOptions = {}): Promise<boolean> {
    return await this.append(name, (await this.#log(name).last(options)) + 1, { state: 'absent' })
  }

  /** True when the entry follows the version that was found, false when another writer's does. @throws STORE_UNAVAILABLE when that is unknown */
  async append(name: string, version: number, entry: NameEntry): Promise<boolean> {
    const since = new Date(this.#sources.now()).toISOString()
    const document = { ...entry, since, commitId: newUuid(this.#sources) }
    return await this.#log(name).append(version, printEntry(document))
  }

  /**
   * Shuts a table that no name leads to out of its name: its maker, should it be at work still, finds that entry before it takes the name.
   * False when the name leads to the table, which then stays as it is.
   */
  async fence(name: string, uuid: string, options: CallOptions = {}): Promise<boolean> {
    for (;;) {
      const { version, entry, since } = await this.find(name, options)
      if (entry.state === 'managed' && entry.uuid === uuid) return false
      const document = { ...entry, ...(since && { since }), fenced: uuid, commitId: newUuid(this.#sources) }
      if (await this.#log(name).append(version + 1, printEntry(document))) return true
    }
  }

  /** True when an entry after one version and up to another shuts the table out. */
  async isFenced(
    name: string,
    uuid: string,
    { after, upTo }: { after: number; upTo: number },
    options: CallOptions = {},
  ): Promise<boolean> {
    const versions = Array.from({ length: Math.max(0, upTo - after) }, (_, k) => after + 1 + k)
    const fenced = await mapConcurrent(versions, READS_AT_ONCE, async (version) => {
      const log = this.#log(name)
      return parseJson(await log.read(version, options), log.path(version), name)?.fenced
    })
    return fenced.includes(uuid)
  }

  #log(name: string): VersionedLog {
    return new VersionedLog(this.#store, this.#sources, entryFolder(name), SUFFIX)
  }

  async #read(name: string, version: number, options: CallOptions): Promise<FoundName> {
    if (version === 0) return { version, entry: { state: 'absent' } }
    const log = this.#log(name)
    const path = log.path(version)
    const known = this.#known.get(path)
    const info = known && (await this.#store.stat(path, options))
    const isSame = known !== undefined && info?.version === known.version
    options.cacheUse?.note(isSame)
    if (isSame) return { version, entry: known.entry, since: known.since }
    const document = parseJson(await log.read(version, options), path, name) ?? {}
    const entry = parseEntry(document, path, name)
    const written = await this.#store.stat(path, options)
    // Entries of earlier releases do not say it themselves.
    const since = typeof document.since === 'string' ? document.since : new Date(written?.modifiedMs ?? 0).toISOString()
    if (written) this.#known.set(path, { version: written.version, entry, since }, written.sizeBytes)
    return { version, entry, since }
  }
}

function printEntry(document: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document))
}

function parseJson(bytes: Uint8Array, file: string, table: string): Partial<Record<string, unknown>> | null {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Partial<Record<string, unknown>> | null
  } catch (cause) {
    throw damagedMetadata(file, 'it is not JSON', { table, cause })
  }
}

function parseEntry(document: Partial<Record<string, unknown>>, file: string, table: string): NameEntry {
  const { state, name, uuid, registration } = document
  if (state === 'absent') return { state }
  if (typeof name === 'string' && name.toLowerCase() === table.toLowerCase()) {
    if (state === 'managed' && typeof uuid === 'string' && /^[0-9a-f-]{36}$/.test(uuid)) return { state, name, uuid }
    if (state === 'registered' && typeof registration === 'object' && registration) return { state, name, registration }
    const attachment = state === 'attached' && readAttachment(document)
    if (attachment) return { state: 'attached', name, ...attachment }
  }
  throw damagedMetadata(file, `it is no entry of the name "${table}"`, { table })
}

function readAttachment({ uri, format, keys }: Partial<Record<string, unknown>>): Attachment | undefined {
  if (typeof uri !== 'string' || (format !== 'delta' && format !== 'iceberg')) return undefined
  if (typeof keys !== 'object' || keys === null) return undefined
  const { actor, time, timeUnit } = keys as Partial<Record<string, unknown>>
  const isUnit = (unit: unknown): unit is TimeUnit => TIME_UNITS.includes(unit as TimeUnit)
  return {
    uri,
    format,
    keys: {
      ...(typeof actor === 'string' && { actor }),
      ...(typeof time === 'string' && { time }),
      ...(isUnit(timeUnit) && { timeUnit }),
    },
  }
}

const TIME_UNITS: readonly TimeUnit[] = ['s', 'ms', 'us', 'ns']
