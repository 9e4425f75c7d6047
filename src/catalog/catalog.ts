/** The tables of a warehouse by their names: finding and loading them, and the commits that change managed ones. */
import { SETTINGS } from '../config.ts'
import { isSkepError, SkepError, throwIfAborted } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import { systemProcesses } from '../storage/processes.ts'
import type { Alteration } from './alteration.ts'
import {
  type CatalogEntry,
  type DamagedName,
  type ForeignEntry,
  type TableOrigin,
  toEntry,
  wrongKind,
} from './entries.ts'
import { isDropped, snapshotInfos } from './iceberg/metadata.ts'
import { tableFolder } from './iceberg/place.ts'
import type { Survey } from './iceberg/snapshot-reader.ts'
import {
  type At,
  type CatalogOptions,
  type Commit,
  type CommitOptions,
  type Head,
  type ManagedTable,
  ManagedTables,
  type TableDraft,
} from './managed-tables.ts'
import { type Attachment, checkTableName, type FoundName, type NameEntry, Names, tableNotFound } from './names.ts'
import { conflict } from './pick-snapshot.ts'
import { rollBack } from './rollback.ts'
import { newUuid, type Sources } from './sources.ts'
import type { DataFile, PartitionSpec, Schema, SnapshotInfo, TableKeys } from './types.ts'
import { explainUnknown } from './versioned-log.ts'
import { type LeaseOptions, openWriter, type Writer } from './writers.ts'

export type { AttachedEntry, CatalogEntry, DamagedName, ForeignEntry, TableOrigin } from './entries.ts'
export type { At, Commit, CommitOptions, ManagedTable, TableDraft } from './managed-tables.ts'
export type { Writer } from './writers.ts'

const UNPARTITIONED: PartitionSpec = { id: 0, fields: [] }

/** A name that stands for a table. */
interface Opened {
  found: FoundName
  entry: CatalogEntry
  head?: Head
  damage?: undefined
}

/** A name whose table cannot be read, or not even its own entry. */
type Damaged = { damage: SkepError } & (
  | { found: FoundName; entry: CatalogEntry }
  | { found?: undefined; entry?: undefined }
)

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
  readonly #store: ObjectStore
  readonly #leases: LeaseOptions

  constructor(store: ObjectStore, options: CatalogOptions) {
    const { sources, processes = systemProcesses(), leaseRenewMs = SETTINGS.leaseRenewMs.default } = options
    this.#root = store.root
    this.#store = store
    this.#leases = { sources, processes, renewMs: leaseRenewMs }
    this.#sources = options.sources
    this.#names = new Names(store, options.sources)
    this.#tables = new ManagedTables(store, options)
  }

  /** All tables, by name; of names whose entry is damaged, the error. Damage inside a table does not show here. */
  async tables(options: CallOptions = {}): Promise<(CatalogEntry | DamagedName)[]> {
    const found = await this.#names.list(options)
    const entries = await mapConcurrent(
      found,
      SETTINGS.storeCalls.default,
      async (entry): Promise<(CatalogEntry | DamagedName)[]> => {
        if (entry.state === 'damaged') return [{ kind: 'damaged', name: entry.name, error: entry.error }]
        if (entry.state !== 'managed') return [toEntry(entry)]
        return (await this.#isDropped(entry.uuid, options)) ? [] : [toEntry(entry)]
      },
    )
    return entries.flat()
  }

  /** What a name stands for. @throws TABLE_NOT_FOUND, TABLE_NAME_INVALID */
  async entry(name: string, options: CallOptions = {}): Promise<CatalogEntry> {
    return (await this.#open(name, options)).entry
  }

  /** What a name stands for, and since when: ISO 8601, UTC. @throws TABLE_NOT_FOUND, TABLE_NAME_INVALID */
  async origin(name: string, options: CallOptions = {}): Promise<TableOrigin> {
    const { entry, found } = await this.#open(name, options)
    return { name: entry.name, kind: entry.kind, since: found.since! }
  }

  /** An entry, and its table in the state that it had just then. @throws TABLE_NOT_FOUND, TABLE_NAME_INVALID; `load` as the method of that name */
  async open(
    name: string,
    options: CallOptions = {},
  ): Promise<{ entry: CatalogEntry; load(at?: At): ReturnType<Catalog['load']> }> {
    const { entry, head } = await this.#open(name, options)
    const load = async (at?: At) =>
      entry.kind !== 'managed' ? entry : await this.#tables.load(entry.name, head!, { ...options, ...(at && { at }) })
    return { entry, load }
  }

  /**
   * A managed table with the files of one snapshot, the current one unless `at` says otherwise; or the entry of one that is not ours.
   * Costs two listings and three reads, and one more for each manifest that is not in the cache; two look-ups replace the second listing of a table that was loaded before.
   *
   * @throws TABLE_NOT_FOUND, TABLE_NAME_INVALID, TABLE_INVALID
   * @throws SNAPSHOT_NOT_FOUND for an unknown snapshot, or a time before the first
   */
  async load(name: string, options: CallOptions & { at?: At } = {}): Promise<ManagedTable | ForeignEntry> {
    const { entry, head } = await this.#open(name, options)
    if (entry.kind !== 'managed') return entry
    return await this.#tables.load(entry.name, head!, options)
  }

  /** The same as `load` for a table that has to be managed. @throws TABLE_KIND for another */
  async loadManaged(name: string, options: CallOptions & { at?: At } = {}): Promise<ManagedTable> {
    const table = await this.load(name, options)
    if (table.kind !== 'managed') throw wrongKind(table, `it is ${table.kind}, and so read-only`)
    return table
  }

  /** The history of a managed table, newest last; nothing for another. @throws TABLE_NOT_FOUND */
  async snapshots(name: string, options: CallOptions = {}): Promise<SnapshotInfo<number>[]> {
    const { head } = await this.#open(name, options)
    return head ? snapshotInfos(head.metadata) : []
  }

  /** All that the snapshots of a managed table consist of, and what of their metadata is damaged. @throws TABLE_NOT_FOUND, TABLE_KIND, TABLE_INVALID */
  async survey(name: string, options: CallOptions = {}): Promise<Survey> {
    const { entry, head } = await this.#open(name, options)
    if (!head) throw wrongKind(entry, 'its files have no checksums to be held against')
    return await this.#tables.survey(head, options)
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
   * Creates a table, with a first snapshot of these files unless there are none. A draft makes one table, however often it comes.
   * When its first creation fails, everything below the draft's folder is removed.
   *
   * @throws TABLE_EXISTS when the name is taken, also by a racing writer
   * @throws STORE_UNAVAILABLE with `outcome: 'unknown'` when the table may have been made; nothing is removed then
   */
  async create(draft: TableDraft, files: readonly DataFile[], options: CommitOptions = {}): Promise<Commit> {
    if (options.writer) return await this.#create(draft, files, options.writer, options)
    // A draft that nobody has begun cannot have been taken for abandoned.
    const isBegun = (await this.#tables.firstCommit(draft.uuid)) !== undefined
    const nameVersion = isBegun ? 0 : (await this.#names.find(draft.name, options)).version
    const lease = { table: draft.name, nameVersion }
    const writer = await openWriter(this.#store, tableFolder(draft.uuid), lease, { ...this.#leases, renewMs: 0 })
    let keep = false
    try {
      return await this.#create(draft, files, writer, options)
    } catch (error) {
      keep = isSkepError(error, 'STORE_UNAVAILABLE')
      throw error
    } finally {
      await writer.end({ keep })
    }
  }

  /**
   * Announces a writer before it writes its first file: vacuum spares files whose path contains the writer's `id`, as long as its process
   * lives or the lease is renewed.
   */
  async openWriter({ name, uuid }: { name: string; uuid: string }, options: CallOptions = {}): Promise<Writer> {
    const { version } = await this.#names.find(name, options)
    return await openWriter(this.#store, tableFolder(uuid), { table: name, nameVersion: version }, this.#leases)
  }

  async #create(
    draft: TableDraft,
    files: readonly DataFile[],
    writer: Writer,
    options: CommitOptions,
  ): Promise<Commit> {
    const earlier = await this.#tables.firstCommit(draft.uuid)
    try {
      const entry = { state: 'managed', name: draft.name, uuid: draft.uuid } as const
      let found = await this.#findFree(draft.name, options, draft.uuid)
      const commit = earlier ?? (await this.#tables.writeFirstVersion(draft, files, { ...options, writer }))
      throwIfAborted(options.signal)
      while (!isTable(found, draft.uuid)) {
        await this.#refuseFenced(draft, writer, found.version)
        if (await this.#append(draft.name, found.version + 1, entry, `the table "${draft.name}" was made`)) break
        found = await this.#findFree(draft.name, options, draft.uuid)
      }
      return commit
    } catch (error) {
      // What an earlier call has begun with this draft may yet become a table.
      const isKnown = isSkepError(error) && error.code !== 'STORE_UNAVAILABLE'
      if (isKnown && earlier === undefined) await this.#tables.removeFolder(draft.uuid, true)
      throw error
    }
  }

  /**
   * Adds files, which follow the schema and spec of `table`, to whatever is the newest state of it by then.
   *
   * @throws COMMIT_CONFLICT when schema or spec have changed, or too many races were lost
   * @throws TABLE_NOT_FOUND when the table was dropped
   * @throws STORE_UNAVAILABLE with `outcome: 'unknown'` when the files may be part of the table and must stay; the same commit id again is safe
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

  /** A vacuum that took this maker for dead has shut it out of the name before it removed anything: see `Names.fence`. */
  async #refuseFenced({ name, uuid }: TableDraft, { nameVersion }: Writer, version: number): Promise<void> {
    if (!(await this.#names.isFenced(name, uuid, { after: nameVersion, upTo: version }))) return
    throw conflict(name, 'a vacuum took the files of this writer for abandoned ones; run it again')
  }

  /**
   * Makes an earlier snapshot the current one; the history stays, and goes on from there.
   *
   * @throws SNAPSHOT_NOT_FOUND for one that is unknown or has expired
   * @throws COMMIT_CONFLICT when the table got another current snapshot meanwhile; TABLE_NOT_FOUND, TABLE_KIND
   */
  async rollback(name: string, snapshotId: number, options: CommitOptions = {}): Promise<Commit> {
    const { entry, head } = await this.#open(name, options)
    if (entry.kind === 'registered') throw wrongKind(entry, 'it has no history')
    if (entry.kind === 'attached') throw wrongKind(entry, 'it is attached, and so read-only')
    return await rollBack({ tables: this.#tables, sources: this.#sources }, entry.name, head!, snapshotId, options)
  }

  /**
   * Changes columns of a managed table, all changes or none; its files and snapshots stay as they are. False when the table was so already.
   *
   * @throws TABLE_NOT_FOUND, TABLE_KIND, COLUMN_NOT_FOUND, COLUMN_NEEDED, COLUMN_EXISTS, COLUMN_TYPE_UNSUPPORTED, SCHEMA_MISMATCH, ARGUMENT_INVALID
   * @throws COMMIT_CONFLICT when another writer changed the same columns
   * @throws STORE_UNAVAILABLE when the outcome is unknown
   */
  async alter(name: string, alteration: Alteration, options: CommitOptions = {}): Promise<boolean> {
    const { entry } = await this.#open(name, options)
    if (entry.kind !== 'managed') throw wrongKind(entry, `it is ${entry.kind}, and so read-only`)
    return await this.#tables.alter(entry.name, entry.uuid, alteration, options)
  }

  /**
   * Drops a managed table: late writers are fenced out first, then the name is free, then files are removed. One whose
   * metadata is damaged is dropped all the same; where the name's own entry is, the name is freed and files stay.
   *
   * @throws TABLE_NOT_FOUND, TABLE_KIND
   */
  async drop(name: string, options: CallOptions = {}): Promise<void> {
    const commitId = newUuid(this.#sources)
    const { damage, entry, found } = await this.#openOrDamage(name, options).catch(async (error: unknown) => {
      if (isSkepError(error, 'TABLE_NOT_FOUND')) await this.#finishDrop(name, options)
      throw error
    })
    if (entry === undefined) return await this.#free(name, options)
    if (entry.kind !== 'managed') throw wrongKind(entry, 'unregister it instead')
    if (damage) await this.#tables.fenceDamaged(entry.name, entry.uuid, commitId, options)
    else await this.#tables.fence(entry.name, entry.uuid, commitId, options)
    await this.#clearDropped(name, found.version, entry.uuid)
  }

  /** Does what is left of a drop that died half way. */
  async #finishDrop(name: string, options: CallOptions): Promise<void> {
    const { entry, version } = await this.#names.find(name, options)
    if (entry.state === 'managed' && (await this.#isDropped(entry.uuid, options))) {
      await this.#clearDropped(name, version, entry.uuid)
    }
  }

  /** Frees the name of a dropped table, which stands for none already, and removes its files. */
  async #clearDropped(name: string, version: number, uuid: string): Promise<void> {
    try {
      // A lost race means that somebody has put a new table under the name.
      await this.#names.append(name, version + 1, { state: 'absent' })
    } catch (error) {
      // The table is dropped all the same, whatever its name's newest entry.
      if (!isSkepError(error)) throw error
    }
    await this.#tables.removeFolder(uuid, false)
  }

  /** What a name stands for, as far as that can be read at a second look: its entry, and whether its table is damaged. */
  async #openOrDamage(name: string, options: CallOptions): Promise<Opened | Damaged> {
    try {
      return await this.#open(name, options)
    } catch (error) {
      if (!isSkepError(error, 'TABLE_INVALID')) throw error
    }
    await this.#sources.sleep(SETTINGS.secondLookMs.default, options.signal)
    try {
      return await this.#open(name, options)
    } catch (damage) {
      if (!isSkepError(damage, 'TABLE_INVALID')) throw damage
      const found = await this.#names.find(name, options).catch((error: unknown) => {
        if (!isSkepError(error, 'TABLE_INVALID')) throw error
      })
      if (found === undefined || found.entry.state === 'absent') return { damage }
      return { damage, found, entry: toEntry(found.entry) }
    }
  }

  /** Frees a name whose entry is damaged. */
  async #free(name: string, options: CallOptions): Promise<void> {
    throwIfAborted(options.signal)
    await this.#names.free(name, options)
  }

  /** Succeeds when no table has the name: for callers that have long work to do before they take it. @throws TABLE_EXISTS, TABLE_NAME_INVALID */
  async requireFree(name: string, options: CallOptions = {}): Promise<void> {
    await this.#findFree(name, options)
  }

  /** Makes a name stand for a registration, in place of one that `mayReplace` agrees to. @throws TABLE_EXISTS, TABLE_NAME_INVALID */
  async register(
    name: string,
    registration: object,
    options: CallOptions & { mayReplace?: (registration: object) => boolean } = {},
  ): Promise<void> {
    const entry = { state: 'registered', name, registration } as const
    for (;;) {
      const known = options.mayReplace && (await this.#names.find(name, options))
      const isReplaced = known?.entry.state === 'registered' && options.mayReplace?.(known.entry.registration)
      const found = isReplaced ? known : await this.#findFree(name, options)
      throwIfAborted(options.signal)
      if (await this.#append(name, found.version + 1, entry, `"${name}" was registered`)) return
    }
  }

  /** Makes a name stand for a table that others write. @throws TABLE_EXISTS, TABLE_NAME_INVALID */
  async attach(name: string, attachment: Attachment, options: CallOptions = {}): Promise<void> {
    const entry = { state: 'attached', name, ...attachment } as const
    for (;;) {
      const found = await this.#findFree(name, options)
      throwIfAborted(options.signal)
      if (await this.#append(name, found.version + 1, entry, `"${name}" was attached`)) return
    }
  }

  /** Forgets a registered or attached table, or a name whose entry is damaged. @throws TABLE_NOT_FOUND, TABLE_KIND */
  async unregister(name: string, options: CallOptions = {}): Promise<void> {
    for (;;) {
      const { entry, found } = await this.#openOrDamage(name, options)
      if (entry === undefined) return await this.#free(name, options)
      if (entry.kind === 'managed') throw wrongKind(entry, 'drop it instead')
      throwIfAborted(options.signal)
      if (await this.#append(name, found.version + 1, { state: 'absent' }, `"${name}" was unregistered`)) return
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

  async #append(name: string, version: number, entry: NameEntry, what: string): Promise<boolean> {
    return await this.#names.append(name, version, entry).catch((error: unknown) => {
      throw explainUnknown(error, name, { what, look: 'look at `skep tables`' })
    })
  }

  async #open(name: string, options: CallOptions): Promise<Opened> {
    const found = await this.#names.find(name, options)
    const { entry } = found
    if (entry.state === 'registered' || entry.state === 'attached') return { found, entry: toEntry(entry) }
    if (entry.state === 'managed') {
      const head = await this.#tables.head(entry.uuid, options).catch(async (error: unknown) => {
        // The folder of a table that was dropped long ago goes as a whole: its name says something else by now.
        if (!isSkepError(error, 'TABLE_INVALID')) throw error
        if ((await this.#names.find(name, options)).version === found.version) throw error
      })
      if (head === undefined) return await this.#open(name, options)
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

  /** The entry of a name that no table has, or only the one of that uuid. @throws TABLE_EXISTS */
  async #findFree(name: string, options: CallOptions, uuid?: string): Promise<FoundName> {
    const found = await this.#names.find(name, options)
    const { entry } = found
    if (entry.state === 'absent' || isTable(found, uuid)) return found
    if (entry.state === 'managed' && (await this.#isDropped(entry.uuid, options))) return found
    throw new SkepError('TABLE_EXISTS', `there is a table "${entry.name}" already`, { table: entry.name })
  }
}

function isTable({ entry }: FoundName, uuid: string | undefined): boolean {
  return entry.state === 'managed' && entry.uuid === uuid
}
