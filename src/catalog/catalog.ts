/** The tables of a warehouse by their names: finding and loading them, and the commits that change managed ones. */
import { isSkepError, SkepError, throwIfAborted } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import { isDropped, snapshotInfos } from './iceberg/metadata.ts'
import { tableFolder } from './iceberg/place.ts'
import {
  type At,
  type Commit,
  type CommitOptions,
  type Head,
  type ManagedTable,
  ManagedTables,
  type TableDraft,
} from './managed-tables.ts'
import { checkTableName, type FoundName, Names, tableNotFound } from './names.ts'
import { newUuid, type Sources } from './sources.ts'
import type { DataFile, PartitionSpec, Schema, SnapshotInfo, TableKeys } from './types.ts'

export type { At, Commit, CommitOptions, ManagedTable, TableDraft } from './managed-tables.ts'

/** What a name stands for. `registration` is a JSON object that only its maker understands. */
export type CatalogEntry =
  | { kind: 'managed'; name: string; uuid: string }
  | { kind: 'registered'; name: string; registration: object }

const UNPARTITIONED: PartitionSpec = { id: 0, fields: [] }
const CALLS_AT_ONCE = 16

/** Below which new data files of a table are to be written: an absolute path or URL. */
export function dataLocation(table: { location: string }): string {
  return `${table.location}/data`
}

/**
 * The catalog of a warehouse. All state is in the store; any number of catalogs, processes and machines may work on it at once.
 * What is cached is immutable.
 */
export class Catalog {
  readonly #root: string
  readonly #sources: Sources
  readonly #names: Names
  readonly #tables: ManagedTables

  constructor(store: ObjectStore, options: { sources: Sources; commitRetries: number }) {
    this.#root = store.root
    this.#sources = options.sources
    this.#names = new Names(store, options.sources)
    this.#tables = new ManagedTables(store, options)
  }

  /** All tables, by name. */
  async tables(options: CallOptions = {}): Promise<CatalogEntry[]> {
    const found = await this.#names.list(options)
    const entries = await mapConcurrent(found, CALLS_AT_ONCE, async (entry): Promise<CatalogEntry[]> => {
      if (entry.state === 'registered') return [toEntry(entry)]
      return (await this.#isDropped(entry.uuid, options)) ? [] : [toEntry(entry)]
    })
    return entries.flat()
  }

  /** What a name stands for. @throws TABLE_NOT_FOUND, TABLE_NAME_INVALID */
  async entry(name: string, options: CallOptions = {}): Promise<CatalogEntry> {
    return (await this.#open(name, options)).entry
  }

  /**
   * A managed table with the files of one snapshot, the current one unless `at` says otherwise; or the registration of a registered one.
   * Costs two listings and three reads, and one more for each manifest that is not in the cache.
   *
   * @throws TABLE_NOT_FOUND, TABLE_NAME_INVALID, TABLE_INVALID
   * @throws SNAPSHOT_NOT_FOUND for an unknown snapshot, or a time before the first
   */
  async load(
    name: string,
    options: CallOptions & { at?: At } = {},
  ): Promise<ManagedTable | Extract<CatalogEntry, { kind: 'registered' }>> {
    const { entry, head } = await this.#open(name, options)
    if (entry.kind === 'registered') return entry
    return await this.#tables.load(entry.name, head!, options)
  }

  /** The same as `load` for a table that has to be managed. @throws TABLE_KIND for a registered one */
  async loadManaged(name: string, options: CallOptions & { at?: At } = {}): Promise<ManagedTable> {
    const table = await this.load(name, options)
    if (table.kind === 'registered') throw wrongKind(table.name, 'registered', 'it is registered, and so read-only')
    return table
  }

  /** The history of a table, newest last; nothing for a registered one. @throws TABLE_NOT_FOUND */
  async snapshots(name: string, options: CallOptions = {}): Promise<SnapshotInfo[]> {
    const { head } = await this.#open(name, options)
    return head ? snapshotInfos(head.metadata) : []
  }

  /** A table to be created: its place is fixed, nothing is written. @throws TABLE_NAME_INVALID */
  draft(
    name: string,
    table: { schema: Schema; spec?: PartitionSpec; keys?: TableKeys; properties?: Record<string, string> },
  ): TableDraft {
    checkTableName(name)
    const uuid = newUuid(this.#sources)
    const { schema, spec = UNPARTITIONED, keys = {}, properties = {} } = table
    return { name, uuid, location: `${this.#root}/${tableFolder(uuid)}`, schema, spec, keys, properties }
  }

  /**
   * Creates a table, with a first snapshot of these files unless there are none. When it fails, everything below the draft's folder is removed.
   *
   * @throws TABLE_EXISTS when the name is taken, also by a racing writer
   * @throws STORE_UNAVAILABLE when the outcome is unknown; nothing is removed then
   */
  async create(draft: TableDraft, files: readonly DataFile[], options: CommitOptions = {}): Promise<Commit> {
    try {
      let found = await this.#findFree(draft.name, options)
      const commit = await this.#tables.writeFirstVersion(draft, files, options)
      const entry = { state: 'managed', name: draft.name, uuid: draft.uuid } as const
      throwIfAborted(options.signal)
      while (!(await this.#names.append(draft.name, found.version + 1, entry))) {
        found = await this.#findFree(draft.name, options)
      }
      await this.#tables.hint(draft.uuid, 1)
      return commit
    } catch (error) {
      if (isSkepError(error) && error.code !== 'STORE_UNAVAILABLE') await this.#tables.removeFolder(draft.uuid, true)
      throw error
    }
  }

  /**
   * Adds files, which follow the schema and spec of `table`, to whatever is the newest state of it by then.
   *
   * @throws COMMIT_CONFLICT when schema or spec have changed, or too many races were lost
   * @throws TABLE_NOT_FOUND when the table was dropped
   * @throws STORE_UNAVAILABLE when the outcome is unknown: the files may be part of the table and must stay; any other error means that they are not
   * @throws AlreadyImported when the table has a source file by then that it should have once
   */
  async append(table: ManagedTable, files: readonly DataFile[], options: CommitOptions = {}): Promise<Commit> {
    const { snapshot, metadataLocation } = table
    if (files.length === 0) return { metadataLocation, ...(snapshot.id !== undefined && { snapshotId: snapshot.id }) }
    return await this.#tables.commit(table, 'append', files, options)
  }

  /** Makes these files all there is in the table, as the next snapshot of its history. Errors as `append`; @throws COMMIT_CONFLICT when `table` is not current any more */
  async replace(table: ManagedTable, files: readonly DataFile[], options: CommitOptions = {}): Promise<Commit> {
    return await this.#tables.commit(table, 'overwrite', files, options)
  }

  /** Drops a managed table: late writers are fenced out first, then the name is free, then files are removed. @throws TABLE_NOT_FOUND, TABLE_KIND */
  async drop(name: string, options: CallOptions = {}): Promise<void> {
    const commitId = newUuid(this.#sources)
    const { entry, found } = await this.#open(name, options)
    if (entry.kind === 'registered') throw wrongKind(entry.name, 'registered', 'unregister it instead')
    await this.#tables.fence(entry.name, entry.uuid, commitId, options)
    // A lost race means that somebody has put a new table under the name of the fenced one.
    await this.#names.append(name, found.version + 1, { state: 'absent' })
    await this.#tables.removeFolder(entry.uuid, false)
  }

  /** Succeeds when no table has the name: for callers that have long work to do before they take it. @throws TABLE_EXISTS, TABLE_NAME_INVALID */
  async requireFree(name: string, options: CallOptions = {}): Promise<void> {
    await this.#findFree(name, options)
  }

  /** Makes a name stand for a registration. @throws TABLE_EXISTS, TABLE_NAME_INVALID */
  async register(name: string, registration: object, options: CallOptions = {}): Promise<void> {
    const entry = { state: 'registered', name, registration } as const
    for (;;) {
      const found = await this.#findFree(name, options)
      throwIfAborted(options.signal)
      if (await this.#names.append(name, found.version + 1, entry)) return
    }
  }

  /** Forgets a registered table. @throws TABLE_NOT_FOUND, TABLE_KIND */
  async unregister(name: string, options: CallOptions = {}): Promise<void> {
    for (;;) {
      const { entry, found } = await this.#open(name, options)
      if (entry.kind === 'managed') throw wrongKind(entry.name, 'managed', 'drop it instead')
      throwIfAborted(options.signal)
      if (await this.#names.append(name, found.version + 1, { state: 'absent' })) return
    }
  }

  /** Those of these source files, by the SHA-256 of their bytes, that were imported into a table. @throws TABLE_INVALID for a damaged ledger */
  async imported(table: ManagedTable, hashes: readonly string[], options: CallOptions = {}): Promise<string[]> {
    return await this.#tables.imported(table.uuid, hashes, options)
  }

  /** Removes data files that no commit made part of a table; files that cannot be removed stay. */
  async discard(files: readonly { path: string }[]): Promise<void> {
    const prefix = `${this.#root}/`
    const paths = files.map(({ path }) => (path.startsWith(prefix) ? path.slice(prefix.length) : path))
    await this.#tables.removeAll(paths)
  }

  async #open(name: string, options: CallOptions): Promise<{ found: FoundName; entry: CatalogEntry; head?: Head }> {
    const found = await this.#names.find(name, options)
    const { entry } = found
    if (entry.state === 'registered') return { found, entry: toEntry(entry) }
    if (entry.state === 'managed') {
      const head = await this.#tables.head(entry.uuid, options)
      if (!isDropped(head.metadata)) return { found, entry: toEntry(entry), head }
    }
    const known = await this.#names.list(options)
    throw tableNotFound(
      name,
      known.map((other) => other.name).filter((other) => other.toLowerCase() !== name.toLowerCase()),
    )
  }

  /** A table whose metadata cannot be read is not known to be dropped: it stays in sight. */
  async #isDropped(uuid: string, options: CallOptions): Promise<boolean> {
    try {
      return isDropped((await this.#tables.head(uuid, options)).metadata)
    } catch (error) {
      if (isSkepError(error, 'TABLE_INVALID')) return false
      throw error
    }
  }

  /** The entry of a name that no table has. @throws TABLE_EXISTS */
  async #findFree(name: string, options: CallOptions): Promise<FoundName> {
    const found = await this.#names.find(name, options)
    const { entry } = found
    if (entry.state === 'absent') return found
    if (entry.state === 'managed' && (await this.#isDropped(entry.uuid, options))) return found
    throw new SkepError('TABLE_EXISTS', `there is a table "${entry.name}" already`, { table: entry.name })
  }
}

function toEntry(entry: Exclude<FoundName['entry'], { state: 'absent' }>): CatalogEntry {
  const { state, ...rest } = entry
  return { kind: state, ...rest } as CatalogEntry
}

function wrongKind(table: string, kind: 'managed' | 'registered', hint: string): SkepError {
  return new SkepError('TABLE_KIND', `"${table}" is a ${kind} table: ${hint}`, { table, kind })
}
