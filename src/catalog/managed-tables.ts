/** Managed tables by their uuid: reading their newest state, and the commits that make the next one. Names are not known here. */
import { SETTINGS } from '../config.ts'
import { isSkepError, SkepError, throwIfAborted } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import { BoundedCache } from './bounded-cache.ts'
import { vacuumsOf } from './iceberg/history.ts'
import {
  asDropped,
  currentSnapshot,
  droppedBy,
  type IcebergSnapshot,
  isDropped,
  keysOf,
  newMetadata,
  parseMetadata,
  printMetadata,
  schemaOf,
  snapshotOfCommit,
  specsOf,
  type TableMetadata,
  withSnapshot,
} from './iceberg/metadata.ts'
import { type TablePlace, tableFolder } from './iceberg/place.ts'
import { SnapshotReader } from './iceberg/snapshot-reader.ts'
import { type Addition, type WrittenManifest, writeAddedFiles, writeSnapshot } from './iceberg/snapshot-writer.ts'
import { requireInHistory } from './late-commit.ts'
import { tableNotFound } from './names.ts'
import { type At, conflict, pickSnapshot } from './pick-snapshot.ts'
import { newSnapshotId, newUuid, type Sources } from './sources.ts'
import type { DataFile, PartitionSpec, Schema, Table, TableKeys } from './types.ts'
import { condemnedIn, expiredSnapshotOf, type VacuumRecord, VacuumRecords } from './vacuum-records.ts'
import { listAll, VersionedLog, versionOf } from './versioned-log.ts'
import type { Writer } from './writers.ts'

/** A managed table as it was loaded. */
export interface ManagedTable extends Table {
  kind: 'managed'
  uuid: string
  metadataLocation: string
  properties: Readonly<Record<string, string>>
}

/** A table that does not exist yet: its data files can be written below `dataLocation(draft)` before it is created. */
export interface TableDraft {
  name: string
  uuid: string
  /** Folder of the table: an absolute path or URL. */
  location: string
  schema: Schema
  spec: PartitionSpec
  keys: TableKeys
  properties: Record<string, string>
}

export type { At } from './pick-snapshot.ts'

/** How a commit is made. */
export interface CommitOptions extends CallOptions {
  /**
   * A commit of an id that is in the table's history already succeeds without doing anything; random when absent. A commit is repeated
   * with the table as it was loaded before the files were written, for vacuums since then may have removed them.
   */
  commitId?: string
  /** More entries for the snapshot's summary. */
  summary?: Record<string, string>
  /** The writer that wrote the files; the manifest is then under its lease too. */
  writer?: Writer
}

/** What a commit made. `snapshotId` is absent for a table that was created without files. */
export interface Commit {
  snapshotId?: number
  metadataLocation: string
}

/** The newest version of a table. */
export interface Head {
  version: number
  metadata: TableMetadata
}

/** What a commit has written so far, to be removed when it does not come about. Paths are below the store's root. */
interface Work {
  added?: WrittenManifest | undefined
  lists: string[]
}

const CACHED_METADATA = 64
const CALLS_AT_ONCE = 16
const BACKOFF_MS_MAX = 250
const SUFFIX = '.metadata.json'

/** The managed tables of a store. All state is in the store; what is cached is immutable. */
export class ManagedTables {
  readonly #store: ObjectStore
  readonly #sources: Sources
  readonly #commitRetries: number
  readonly #slowCommitMs: number
  readonly #reader: SnapshotReader
  readonly #vacuums: VacuumRecords
  readonly #metadata = new BoundedCache<TableMetadata>(CACHED_METADATA)

  constructor(store: ObjectStore, options: { sources: Sources; commitRetries: number; slowCommitMs?: number }) {
    this.#store = store
    this.#sources = options.sources
    this.#commitRetries = options.commitRetries
    this.#slowCommitMs = options.slowCommitMs ?? SETTINGS.slowCommitMs.default
    this.#reader = new SnapshotReader(store)
    this.#vacuums = new VacuumRecords(store)
  }

  #log(uuid: string): VersionedLog {
    return new VersionedLog(this.#store, this.#sources, `${tableFolder(uuid)}/metadata`, SUFFIX)
  }

  /** The newest version of a table, dropped ones included. One listing, and a read unless it is known. @throws TABLE_INVALID */
  async head(uuid: string, options: CallOptions): Promise<Head> {
    const log = this.#log(uuid)
    const version = await log.head(options)
    const file = log.path(Math.max(version, 1))
    const known = version > 0 ? this.#metadata.get(file) : undefined
    if (known) return { version, metadata: known }
    const bytes = await log.read(Math.max(version, 1), options).catch(async (error: unknown) => {
      // Vacuum removes no version that is newest: there is another one by now.
      if (!isSkepError(error, 'TABLE_INVALID') || (await log.head(options)) <= version) throw error
    })
    if (bytes === undefined) return await this.head(uuid, options)
    const metadata = parseMetadata(bytes, file)
    this.#metadata.set(file, metadata, 1)
    return { version, metadata }
  }

  /** The newest version of a table that was there. @throws TABLE_NOT_FOUND when its folder is empty: it was dropped long ago */
  async #headOf(name: string, uuid: string, options: CallOptions): Promise<Head> {
    try {
      return await this.head(uuid, options)
    } catch (error) {
      if (!isSkepError(error, 'TABLE_INVALID') || (await this.#log(uuid).head(options)) > 0) throw error
      throw tableNotFound(name, [])
    }
  }

  /** Paths below the store's root of all that the snapshots of a state consist of: manifest lists, manifests, data files. @throws TABLE_INVALID */
  async pathsOf(
    metadata: TableMetadata,
    snapshots: readonly IcebergSnapshot[],
    options: CallOptions,
  ): Promise<Set<string>> {
    return await this.#reader.paths(snapshots, this.#place(metadata['table-uuid'], metadata.location), options)
  }

  /** What the vacuums that a state remembers condemned. @throws TABLE_INVALID */
  async vacuumRecords(metadata: TableMetadata, options: CallOptions): Promise<VacuumRecord[]> {
    return await this.#vacuums.since(tableFolder(metadata['table-uuid']), metadata, 0, options)
  }

  #place(uuid: string, location: string): TablePlace {
    return { root: this.#store.root, folder: tableFolder(uuid), location }
  }

  /** Where a version of a table's metadata is: an absolute path or URL. */
  metadataLocation(uuid: string, version: number): string {
    return `${this.#store.root}/${this.#log(uuid).path(version)}`
  }

  /** The table with the files of one snapshot. @throws TABLE_INVALID, SNAPSHOT_NOT_FOUND */
  async load(name: string, head: Head, options: CallOptions & { at?: At }): Promise<ManagedTable> {
    const uuid = head.metadata['table-uuid']
    const table = await this.#unlessMoved(uuid, head, options, () => this.#load(name, head, options))
    if (table !== 'moved') return table
    const next = await this.#headOf(name, uuid, options)
    if (isDropped(next.metadata)) throw tableNotFound(name, [])
    return await this.load(name, next, options)
  }

  async #load(name: string, { version, metadata }: Head, options: CallOptions & { at?: At }): Promise<ManagedTable> {
    const uuid = metadata['table-uuid']
    const place = this.#place(uuid, metadata.location)
    const snapshot = pickSnapshot(name, metadata, options.at)
    const specs = specsOf(metadata)
    const spec = specs.get(metadata['default-spec-id'])
    const metadataLocation = this.metadataLocation(uuid, version)
    if (spec === undefined) {
      throw new SkepError('TABLE_INVALID', 'a partition transform is not known', {
        table: name,
        file: metadataLocation,
      })
    }
    const files = await this.#reader.files(metadata, snapshot, place, options)
    return {
      name,
      kind: 'managed',
      uuid,
      location: `${place.root}/${place.folder}`,
      metadataLocation,
      keys: keysOf(metadata),
      properties: metadata.properties ?? {},
      schema: schemaOf(metadata),
      spec,
      snapshot: {
        ...(snapshot && { id: snapshot['snapshot-id'] }),
        schema: schemaOf(metadata, snapshot?.['schema-id']),
        specs,
        files,
      },
      actorsTogether: false,
      hiveColumns: [],
    }
  }

  /** Writes metadata v1 of a draft; nobody sees it before a name says so. */
  async writeFirstVersion(draft: TableDraft, files: readonly DataFile[], options: CommitOptions): Promise<Commit> {
    const place = this.#place(draft.uuid, draft.location)
    let metadata = newMetadata({ ...draft, nowMs: this.#sources.now() })
    const addition = this.#addition('append', files, options)
    if (files.length > 0) {
      const added = await writeAddedFiles(this.#store, this.#sources, place, metadata, addition)
      const base = { metadata, manifests: [] }
      const { snapshot } = await writeSnapshot(this.#store, this.#sources, place, base, addition, added)
      metadata = withSnapshot(metadata, snapshot, undefined)
    }
    const metadataLocation = this.metadataLocation(draft.uuid, 1)
    if (!(await this.#log(draft.uuid).append(1, printMetadata(metadata)))) {
      throw new Error(`the draft of "${draft.name}" was used twice`)
    }
    return files.length > 0 ? { snapshotId: addition.snapshotId, metadataLocation } : { metadataLocation }
  }

  #addition(operation: Addition['operation'], files: readonly DataFile[], options: CommitOptions): Addition {
    const commitId = options.commitId ?? newUuid(this.#sources)
    const { summary = {}, writer } = options
    const snapshotId = newSnapshotId(this.#sources)
    return { snapshotId, commitId, operation, files, summary, ...(writer && { writerId: writer.id }) }
  }

  /** Puts a snapshot upon the newest state of a table. @throws COMMIT_CONFLICT, TABLE_NOT_FOUND, STORE_UNAVAILABLE when the outcome is unknown */
  async commit(
    table: ManagedTable,
    operation: Addition['operation'],
    files: readonly DataFile[],
    options: CommitOptions,
  ): Promise<Commit> {
    const addition = this.#addition(operation, files, options)
    const work: Work = { lists: [] }
    try {
      for (let attempt = 0; ; attempt++) {
        const commit = await this.#tryCommit(table, addition, work, options)
        if (commit) return commit
        if (attempt >= this.#commitRetries) throw conflict(table.name, 'too many other writers were faster')
        await this.#sources.sleep(this.#sources.random() * Math.min(BACKOFF_MS_MAX, 2 ** attempt), options.signal)
      }
    } catch (error) {
      if (!isSkepError(error, 'STORE_UNAVAILABLE')) await this.removeAll(writtenBy(work))
      throw error
    }
  }

  /** One attempt upon the newest state; undefined when another writer was faster. */
  async #tryCommit(
    table: ManagedTable,
    addition: Addition,
    work: Work,
    options: CommitOptions,
  ): Promise<Commit | undefined> {
    const { uuid } = table
    const sinceMs = this.#sources.now()
    const head = await this.#headOf(table.name, uuid, options)
    const { metadata } = head
    const done = snapshotOfCommit(metadata, addition.commitId)
    if (done) {
      if (done['snapshot-id'] !== addition.snapshotId) await this.removeAll(writtenBy(work))
      return { snapshotId: done['snapshot-id'], metadataLocation: this.metadataLocation(uuid, head.version) }
    }
    if (isDropped(metadata)) throw tableNotFound(table.name, [])
    // An id that was given may be of a commit whose reply was lost long ago.
    const since = options.commitId === undefined ? seenVersion(table) : 0
    const readRecords = () => this.#vacuums.since(tableFolder(uuid), metadata, since, options)
    const vacuumed = await this.#unlessMoved(uuid, head, options, readRecords)
    if (vacuumed === 'moved') return undefined
    const earlier = expiredSnapshotOf(vacuumed, addition.commitId)
    if (earlier) return { snapshotId: earlier, metadataLocation: this.metadataLocation(uuid, head.version) }
    if (seenVersion(table) < vacuumsOf(metadata).forgotten) throw unremembered(table.name, options)
    refuseConflict(table, metadata, addition)
    // The files of live writers are spared. When some are condemned all the same, the order of the log decides who was first.
    const isCondemned = condemnedIn(vacuumed, { root: this.#store.root, folder: tableFolder(uuid) })
    if (addition.files.some(({ path }) => isCondemned(path))) {
      throw conflict(table.name, 'a vacuum took the files of this writer for abandoned ones; run it again')
    }
    if (work.added && isCondemned(work.added.storePath)) work.added = undefined
    const place = this.#place(uuid, metadata.location)
    work.added ??= await writeAddedFiles(this.#store, this.#sources, place, metadata, addition)
    const current = currentSnapshot(metadata)
    const manifests = await this.#unlessMoved(uuid, head, options, () =>
      this.#reader.manifests(current, place, options),
    )
    if (manifests === 'moved') return undefined
    const base = { metadata, manifests }
    const { snapshot, listPath } = await writeSnapshot(this.#store, this.#sources, place, base, addition, work.added)
    const previousFile = `${metadata.location}/metadata/v${head.version}.metadata.json`
    const next = withSnapshot(metadata, snapshot, previousFile)
    work.lists.push(listPath)
    // From here on the outcome may not be left open by a cancellation.
    throwIfAborted(options.signal)
    if (await this.#append(table.name, head, next, sinceMs)) {
      const metadataLocation = this.metadataLocation(uuid, head.version + 1)
      return { snapshotId: addition.snapshotId, metadataLocation }
    }
    await this.removeAll(work.lists.splice(0))
    return undefined
  }

  /** What `read` makes of the newest state; `moved` when it fails because another version has followed since, and a vacuum removed what was to be read. */
  async #unlessMoved<T>(uuid: string, head: Head, options: CallOptions, read: () => Promise<T>): Promise<T | 'moved'> {
    try {
      return await read()
    } catch (error) {
      if (!isSkepError(error, 'TABLE_INVALID') || (await this.#log(uuid).head(options)) === head.version) throw error
      return 'moved'
    }
  }

  /**
   * True when `next` became the version after `head`, false when another writer was faster. Vacuum removes old versions, but none
   * younger than minutes: only who took longer might "win" a number again that another had won before, and then makes sure.
   */
  async #append(name: string, head: Head, next: TableMetadata, sinceMs: number): Promise<boolean> {
    const uuid = head.metadata['table-uuid']
    if (!(await this.#log(uuid).append(head.version + 1, printMetadata(next)))) return false
    const tookMs = this.#sources.now() - sinceMs
    if (tookMs < 0 || tookMs >= this.#slowCommitMs) await this.#requireInHistory(name, head, next)
    await this.hint(uuid, head.version + 1)
    return true
  }

  async #requireInHistory(name: string, head: Head, next: TableMetadata): Promise<void> {
    const uuid = next['table-uuid']
    const newest = await this.#headOf(name, uuid, {})
    const records = () => this.#vacuums.since(tableFolder(uuid), newest.metadata, head.version)
    const stray = this.#log(uuid).path(head.version + 1)
    const check = () => requireInHistory({ name, head, next, newest, records, stray }, (path) => this.removeAll([path]))
    if ((await this.#unlessMoved(uuid, newest, {}, check)) === 'moved') await this.#requireInHistory(name, head, next)
  }

  /**
   * Appends the version that `make` puts upon the newest one, once more when another writer was faster; gives what is newest then.
   * Where `make` gives undefined there is nothing to do.
   *
   * @throws COMMIT_CONFLICT, STORE_UNAVAILABLE when the outcome is unknown
   */
  async update(
    name: string,
    uuid: string,
    make: (head: Head, previousFile: string) => Promise<TableMetadata | undefined>,
    options: CallOptions,
  ): Promise<Head> {
    for (let attempt = 0; ; attempt++) {
      const sinceMs = this.#sources.now()
      const head = await this.#headOf(name, uuid, options)
      const previousFile = `${head.metadata.location}/metadata/v${head.version}${SUFFIX}`
      const next = await this.#unlessMoved(uuid, head, options, () => make(head, previousFile))
      if (next === undefined) return head
      throwIfAborted(options.signal)
      if (next !== 'moved' && (await this.#append(name, head, next, sinceMs))) {
        return { version: head.version + 1, metadata: next }
      }
      if (attempt >= this.#commitRetries) throw conflict(name, 'too many other writers were faster')
      await this.#sources.sleep(this.#sources.random() * Math.min(BACKOFF_MS_MAX, 2 ** attempt), options.signal)
    }
  }

  /** Appends the version that says the table is dropped. */
  async fence(name: string, uuid: string, commitId: string, options: CallOptions): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(options.signal)
      const sinceMs = this.#sources.now()
      const head = await this.#headOf(name, uuid, options)
      const { version, metadata } = head
      if (droppedBy(metadata) === commitId) return
      if (isDropped(metadata)) throw tableNotFound(name, [])
      const previousFile = `${metadata.location}/metadata/v${version}.metadata.json`
      const last = asDropped(metadata, commitId, this.#sources.now(), previousFile)
      if (await this.#append(name, head, last, sinceMs)) return
      if (attempt >= this.#commitRetries) throw conflict(name, 'too many other writers were faster')
      await this.#sources.sleep(this.#sources.random() * Math.min(BACKOFF_MS_MAX, 2 ** attempt), options.signal)
    }
  }

  /** Tells programs that look for it which version is newest. */
  async hint(uuid: string, version: number): Promise<void> {
    const path = `${tableFolder(uuid)}/metadata/version-hint.text`
    await this.#store.put(path, new TextEncoder().encode(String(version))).catch(() => undefined)
  }

  /** Removes what is below a table's folder, without its metadata versions unless they were never named. */
  async removeFolder(uuid: string, withVersions: boolean): Promise<void> {
    try {
      const paths: string[] = []
      for await (const path of listAll(this.#store, `${tableFolder(uuid)}/`)) {
        if (withVersions || !path.endsWith('.metadata.json')) paths.push(path)
      }
      await this.removeAll(paths)
    } catch {
      // What stays is found by vacuum.
    }
  }

  /** Removes objects; those that cannot be removed stay. */
  async removeAll(paths: readonly string[]): Promise<void> {
    await mapConcurrent(paths, CALLS_AT_ONCE, (path) => this.#store.delete(path).catch(() => undefined))
  }
}

function writtenBy(work: Work): string[] {
  return work.added ? [...work.lists, work.added.storePath] : work.lists
}

/** The version that a table was loaded from: files that are to be added to it are younger. */
function seenVersion({ metadataLocation }: ManagedTable): number {
  return versionOf(metadataLocation.split('/').at(-1)!, SUFFIX)
}

/** The error of a commit that vacuums may have condemned, or have made forget that it was made, which are not remembered. */
function unremembered(table: string, { commitId }: CommitOptions): SkepError {
  const why = 'since it was read, more vacuums cleaned it than are remembered'
  if (commitId === undefined) return conflict(table, why)
  const message = `whether the commit ${commitId} to "${table}" took effect is not known: ${why}`
  return new SkepError('STORE_UNAVAILABLE', message, {})
}

function refuseConflict(table: ManagedTable, metadata: TableMetadata, addition: Addition): void {
  if (metadata['current-schema-id'] !== table.schema.id) throw conflict(table.name, 'its schema is another')
  if (metadata['default-spec-id'] !== table.spec.id) throw conflict(table.name, 'its partition spec is another')
  const seen = table.snapshot.id
  if (addition.operation === 'overwrite' && currentSnapshot(metadata)?.['snapshot-id'] !== seen) {
    throw conflict(table.name, 'what was to be replaced is not its current state')
  }
}
