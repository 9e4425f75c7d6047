/** Managed tables by their uuid: reading their newest state, and the commits that make the next one. Names are not known here. */
import { SETTINGS } from '../config.ts'
import { isSkepError, SkepError, throwIfAborted } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import type { Processes } from '../storage/processes.ts'
import {
  type Alteration,
  applyAlteration,
  ColumnGone,
  commentOf,
  type ResolvedAlteration,
  resolveAlteration,
} from './alteration.ts'
import { BoundedCache } from './bounded-cache.ts'
import { fileReading, isSchemaCommit, schemaIdAt, withColumns } from './iceberg/evolution.ts'
import { vacuumsOf } from './iceberg/history.ts'
import type { ManifestFile } from './iceberg/manifest-list.ts'
import {
  asDropped,
  currentSnapshot,
  droppedBy,
  type IcebergSnapshot,
  isDropped,
  keysOf,
  newMetadata,
  nextVersion,
  parseMetadata,
  printMetadata,
  schemaOf,
  snapshotOfCommit,
  specsOf,
  type TableMetadata,
  withSnapshot,
} from './iceberg/metadata.ts'
import { type TablePlace, tableFolder } from './iceberg/place.ts'
import { fitsSchema } from './iceberg/promote.ts'
import { SnapshotReader, type Survey } from './iceberg/snapshot-reader.ts'
import {
  type Addition,
  type WrittenManifest,
  type WrittenMerge,
  writeAddedFiles,
  writeMerges,
  writeSnapshot,
} from './iceberg/snapshot-writer.ts'
import { requireInHistory } from './late-commit.ts'
import { tableNotFound } from './names.ts'
import { type At, conflict, pickSnapshot } from './pick-snapshot.ts'
import { newSnapshotId, newUuid, type Sources } from './sources.ts'
import type { DataFile, PartitionSpec, Schema, Table, TableKeys } from './types.ts'
import { condemnedIn, expiredSnapshotOf, type VacuumRecord, VacuumRecords } from './vacuum-records.ts'
import { explainUnknown, listAll, VersionedLog, versionOf } from './versioned-log.ts'
import type { Writer } from './writers.ts'

/** A managed table as it was loaded. */
export interface ManagedTable extends Table {
  kind: 'managed'
  uuid: string
  metadataLocation: string
  properties: Readonly<Record<string, string>>
  /** The highest field id that the table ever gave. */
  lastColumnId: number
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

/** What a catalog works with; settings that are absent have their defaults. */
export interface CatalogOptions {
  sources: Sources
  commitRetries: number
  manifestMergeCount?: number
  /** Milliseconds after which a commit makes sure that it is part of the history. */
  slowCommitMs?: number
  /** How often a lease is renewed, and whose processes are asked about. */
  leaseRenewMs?: number
  processes?: Processes
}

/** How a commit is made. */
export interface CommitOptions extends CallOptions {
  /** A commit of an id that is in the table's history already succeeds without doing anything; random when absent. */
  commitId?: string
  /** More entries for the snapshot's summary. */
  summary?: Record<string, string>
  /** What `evolveSchema` made of the table's schema, when the files follow that: it becomes the table's in the same commit. */
  schema?: Schema
  /** The writer that wrote the files; the manifest is then under its lease too. */
  writer?: Writer
}

/** What a commit made. `snapshotId` is absent for a table that was created without files. */
export interface Commit {
  snapshotId?: number
  /** True when another call had made this commit before: the files given to this one belong to no table. */
  repeated?: true
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
  merges: WrittenMerge[]
  lists: string[]
}

const NO_COLUMNS: Schema = { id: 0, columns: [] }
const UNPARTITIONED: PartitionSpec = { id: 0, fields: [] }
const CACHED_METADATA = 64
const CACHED_VERSIONS = 10_000
const CALLS_AT_ONCE = 16
const BACKOFF_MS_MAX = 250
const SUFFIX = '.metadata.json'

/** The managed tables of a store. All state is in the store; what is cached is immutable. */
export class ManagedTables {
  readonly #store: ObjectStore
  readonly #sources: Sources
  readonly #commitRetries: number
  readonly #manifestMergeCount: number
  readonly #slowCommitMs: number
  readonly #reader: SnapshotReader
  readonly #vacuums: VacuumRecords
  readonly #metadata = new BoundedCache<TableMetadata>(CACHED_METADATA)
  readonly #versions = new BoundedCache<number>(CACHED_VERSIONS)

  constructor(store: ObjectStore, options: CatalogOptions) {
    this.#store = store
    this.#sources = options.sources
    this.#commitRetries = options.commitRetries
    this.#manifestMergeCount = options.manifestMergeCount ?? SETTINGS.manifestMergeCount.default
    this.#slowCommitMs = options.slowCommitMs ?? SETTINGS.slowCommitMs.default
    this.#reader = new SnapshotReader(store)
    this.#vacuums = new VacuumRecords(store)
  }

  #log(uuid: string): VersionedLog {
    return new VersionedLog(this.#store, this.#sources, `${tableFolder(uuid)}/metadata`, SUFFIX)
  }

  /** The newest version of a table, dropped ones included. One listing or two look-ups, and a read unless it is known. @throws TABLE_INVALID */
  async head(uuid: string, options: CallOptions): Promise<Head> {
    const log = this.#log(uuid)
    const version = await log.head(options, this.#versions.get(uuid))
    this.#versions.set(uuid, version, 1)
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
    const schema = schemaOf(metadata, pickSchemaId(metadata, snapshot, options.at))
    const specs = specsOf(metadata)
    const spec = specs.get(metadata['default-spec-id'])
    const metadataLocation = this.metadataLocation(uuid, version)
    if (spec === undefined) {
      throw new SkepError('TABLE_INVALID', 'a partition transform is not known', {
        table: name,
        file: metadataLocation,
      })
    }
    const read = () => this.#reader.files(metadata, snapshot, schema, place, options)
    const files = await this.#unlessDropped(name, uuid, read)
    const reading = fileReading(metadata, schema)
    return {
      name,
      kind: 'managed',
      ...commentOf(metadata.properties),
      uuid,
      location: `${place.root}/${place.folder}`,
      metadataLocation,
      keys: keysOf(metadata, schema),
      properties: metadata.properties ?? {},
      lastColumnId: metadata['last-column-id'],
      schema: schemaOf(metadata),
      spec,
      snapshot: {
        ...(snapshot && { id: snapshot['snapshot-id'] }),
        schema,
        specs,
        files,
        ...(reading && { reading }),
      },
      actorsTogether: false,
      hiveColumns: [],
    }
  }

  /** What the first version of a draft made, if it was written before; undefined when it was not. */
  async firstCommit(uuid: string): Promise<Commit | undefined> {
    const file = this.#log(uuid).path(1)
    const bytes = await this.#store.read(file)
    if (bytes === undefined) return undefined
    const snapshot = currentSnapshot(parseMetadata(bytes, file))
    const metadataLocation = this.metadataLocation(uuid, 1)
    return snapshot ? { snapshotId: snapshot['snapshot-id'], metadataLocation } : { metadataLocation }
  }

  /** All that the snapshots of a table consist of, read from the store and not from what is remembered. */
  async survey({ metadata }: Head, options: CallOptions): Promise<Survey> {
    const place = this.#place(metadata['table-uuid'], metadata.location)
    return await new SnapshotReader(this.#store).survey(metadata, place, options)
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
    if (!(await this.#appendFirst(draft.uuid, printMetadata(metadata)))) {
      const earlier = await this.firstCommit(draft.uuid)
      if (earlier) return earlier
      throw new Error(`the first version of "${draft.name}" is gone`)
    }
    return files.length > 0 ? { snapshotId: addition.snapshotId, metadataLocation } : { metadataLocation }
  }

  async #appendFirst(uuid: string, bytes: Uint8Array): Promise<boolean> {
    return await this.#log(uuid)
      .append(1, bytes)
      .catch((cause: unknown) => {
        if (!isSkepError(cause, 'STORE_UNAVAILABLE')) throw cause
        // Whether it was written or not: without a name it is no table.
        const { path } = cause.details
        throw new SkepError(
          'STORE_UNAVAILABLE',
          `the storage failed on ${path}; the table was not made`,
          path === undefined ? {} : { path },
          { cause },
        )
      })
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
    const work: Work = { merges: [], lists: [] }
    try {
      for (let attempt = 0; ; attempt++) {
        const step = () => this.#tryCommit(table, addition, work, options)
        const commit = await this.#unlessDropped(table.name, table.uuid, step)
        if (commit) return commit
        if (attempt >= this.#commitRetries) throw conflict(table.name, 'too many other writers were faster')
        await this.#sources.sleep(this.#sources.random() * Math.min(BACKOFF_MS_MAX, 2 ** attempt), options.signal)
      }
    } catch (error) {
      if (!isSkepError(error, 'STORE_UNAVAILABLE')) await this.removeAll(writtenBy(work))
      const { commitId } = addition
      const look = `look for the commit id ${commitId} in \`skep snapshots ${table.name} --json\``
      throw explainUnknown(error, table.name, { what: `the commit to "${table.name}" took effect`, look, commitId })
    }
  }

  /** What a step returns; when it misses files because the table was dropped meanwhile, the error says that. */
  async #unlessDropped<T>(name: string, uuid: string, step: () => Promise<T>): Promise<T> {
    return await step().catch(async (error: unknown) => {
      if (!isSkepError(error, 'TABLE_INVALID')) throw error
      const newest = await this.head(uuid, {}).catch(() => undefined)
      throw newest && isDropped(newest.metadata) ? tableNotFound(name, []) : error
    })
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
      const metadataLocation = this.metadataLocation(uuid, head.version)
      const snapshotId = done['snapshot-id']
      if (snapshotId === addition.snapshotId) return { snapshotId, metadataLocation }
      await this.removeAll(writtenBy(work))
      return { snapshotId, metadataLocation, repeated: true }
    }
    if (isDropped(metadata)) throw tableNotFound(table.name, [])
    // An id that was given may be of a commit whose reply was lost long ago.
    const seen = options.commitId === undefined ? versionOf(table.metadataLocation.split('/').at(-1)!, SUFFIX) : 0
    const readRecords = () => this.#vacuums.since(tableFolder(uuid), metadata, seen, options)
    const vacuumed = await this.#unlessMoved(uuid, head, options, readRecords)
    if (vacuumed === 'moved') return undefined
    const earlier = expiredSnapshotOf(vacuumed, addition.commitId)
    if (earlier) {
      return { snapshotId: earlier, metadataLocation: this.metadataLocation(uuid, head.version), repeated: true }
    }
    refuseConflict(table, metadata, addition, options.schema)
    // The files of live writers are spared. When some are condemned all the same, the order of the log decides who was first.
    const isCondemned = condemnedIn(vacuumed, { root: this.#store.root, folder: tableFolder(uuid) })
    if (addition.files.some(({ path }) => isCondemned(path))) {
      throw conflict(table.name, 'a vacuum took the files of this writer for abandoned ones; run it again')
    }
    if (work.added && isCondemned(work.added.storePath)) work.added = undefined
    work.merges = work.merges.filter(({ written }) => !isCondemned(written.storePath))
    const made = { commitId: addition.commitId, nowMs: this.#sources.now() }
    const evolved = options.schema ? withColumns(metadata, options.schema, made) : metadata
    const place = this.#place(uuid, metadata.location)
    work.added ??= await writeAddedFiles(this.#store, this.#sources, place, evolved, addition)
    const manifests = await this.#unlessMoved(uuid, head, options, async () => {
      const found = await this.#reader.manifests(currentSnapshot(metadata), place, options)
      if (addition.operation === 'append') await this.#merge(found, addition, work, place, options)
      return found
    })
    if (manifests === 'moved') return undefined
    const base = { metadata: evolved, manifests, merges: work.merges }
    const { snapshot, listPath } = await writeSnapshot(this.#store, this.#sources, place, base, addition, work.added)
    const previousFile = `${metadata.location}/metadata/v${head.version}.metadata.json`
    const next = withSnapshot(evolved, snapshot, previousFile)
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

  /** Puts an alteration upon the newest state of a table; false when the table was so already. Errors as `commit`, and those of the alteration. */
  async alter(name: string, uuid: string, alteration: Alteration, options: CommitOptions): Promise<boolean> {
    const commitId = options.commitId ?? newUuid(this.#sources)
    let resolved: ResolvedAlteration | undefined
    let isChanged = true
    const make = async ({ metadata }: Head, previousFile: string) => {
      if (isDropped(metadata)) throw tableNotFound(name, [])
      if (isSchemaCommit(metadata, commitId)) return undefined
      const isFirst = resolved === undefined
      resolved ??= resolveAlteration(name, metadata, alteration)
      const made = { commitId, nowMs: this.#sources.now() }
      const altered = rebasing(name, isFirst, () => applyAlteration(name, metadata, resolved!, made))
      isChanged = altered !== metadata
      return isChanged ? nextVersion(altered, made.nowMs, previousFile) : undefined
    }
    await this.update(name, uuid, make, options)
    return isChanged
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

  /** Merges small manifests when there are many; what an earlier attempt has merged stays of use while the table has all of it. */
  async #merge(
    manifests: readonly ManifestFile[],
    addition: Addition,
    work: Work,
    place: TablePlace,
    options: CommitOptions,
  ): Promise<void> {
    const paths = new Set(manifests.map(({ path }) => path))
    const [useful, useless] = partition(work.merges, ({ sources }) => sources.every((path) => paths.has(path)))
    work.merges = useful
    await this.removeAll(useless.map(({ written }) => written.storePath))
    const small = manifests.filter(({ sizeBytes }) => sizeBytes < SETTINGS.manifestBytes.default)
    if (useful.length > 0 || small.length + 1 < this.#manifestMergeCount) return
    const sources = await this.#reader.manifestBytes(small, place, options)
    work.merges = await writeMerges(this.#store, this.#sources, place, sources, addition)
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
      const isOurs = await this.#append(name, head, last, sinceMs).catch((error: unknown) => {
        throw explainUnknown(error, name, { what: `"${name}" was dropped`, look: 'look at `skep tables`', commitId })
      })
      if (isOurs) return
      if (attempt >= this.#commitRetries) throw conflict(name, 'too many other writers were faster')
      await this.#sources.sleep(this.#sources.random() * Math.min(BACKOFF_MS_MAX, 2 ** attempt), options.signal)
    }
  }

  /** Appends the version that says the table is dropped after whatever is there, readable or not. */
  async fenceDamaged(name: string, uuid: string, commitId: string, options: CallOptions): Promise<void> {
    const log = this.#log(uuid)
    const location = `${this.#store.root}/${tableFolder(uuid)}`
    const draft = { name, uuid, location, schema: NO_COLUMNS, spec: UNPARTITIONED, keys: {}, properties: {} }
    const nowMs = this.#sources.now()
    const tombstone = printMetadata(asDropped(newMetadata({ ...draft, nowMs }), commitId, nowMs, ''))
    for (let attempt = 0; attempt <= this.#commitRetries; attempt++) {
      throwIfAborted(options.signal)
      if (await log.append((await log.last(options)) + 1, tombstone)) return
    }
    throw conflict(name, 'too many other writers were faster')
  }

  /** Removes what is below a table's folder; its metadata versions first if they were never named, else never. */
  async removeFolder(uuid: string, withVersions: boolean): Promise<void> {
    try {
      const paths: string[] = []
      for await (const path of listAll(this.#store, `${tableFolder(uuid)}/`)) paths.push(path)
      const isVersion = (path: string) => path.endsWith('.metadata.json')
      // A draft that has a version is taken for whole: none may outlive its files.
      if (withVersions) for (const path of paths.filter(isVersion)) await this.#store.delete(path)
      await this.removeAll(paths.filter((path) => !isVersion(path)))
    } catch {
      // What stays is found by vacuum.
    }
  }

  /** Removes objects; those that cannot be removed stay. */
  async removeAll(paths: readonly string[]): Promise<void> {
    await mapConcurrent(paths, CALLS_AT_ONCE, (path) => this.#store.delete(path).catch(() => undefined))
  }
}

function writtenBy({ lists, merges, added }: Work): string[] {
  return [...lists, ...merges.map(({ written }) => written.storePath), ...(added ? [added.storePath] : [])]
}

function partition<T>(items: readonly T[], holds: (item: T) => boolean): [T[], T[]] {
  return [items.filter(holds), items.filter((item) => !holds(item))]
}

/** Now the schema that counts now; in the past the one that counted then; of a snapshot its own. */
function pickSchemaId(metadata: TableMetadata, snapshot: IcebergSnapshot | undefined, at: At | undefined) {
  if (at === undefined) return undefined
  return ('timeMs' in at ? schemaIdAt(metadata, at.timeMs) : undefined) ?? snapshot?.['schema-id']
}

/** What an alteration comes to after other writers changed the table: what cannot be done any more is a conflict, not a mistake. */
function rebasing<T>(table: string, isFirst: boolean, apply: () => T): T {
  try {
    return apply()
  } catch (error) {
    if (error instanceof ColumnGone || (!isFirst && isSkepError(error) && error.kind === 'user')) {
      throw conflict(table, error.message)
    }
    throw error
  }
}

function refuseConflict(table: ManagedTable, metadata: TableMetadata, addition: Addition, evolved?: Schema): void {
  if (!acceptsSchema(table, metadata, evolved)) {
    const message = `the table "${table.name}" was changed meanwhile: its schema is another`
    throw new SkepError('COMMIT_CONFLICT', message, { table: table.name, changed: 'schema' })
  }
  if (versionOf(table.metadataLocation.split('/').at(-1)!, SUFFIX) < vacuumsOf(metadata).forgotten) {
    throw conflict(table.name, 'since it was read, more vacuums cleaned it than are remembered')
  }
  if (metadata['default-spec-id'] !== table.spec.id) throw conflict(table.name, 'its partition spec is another')
  const seen = table.snapshot.id
  if (addition.operation === 'overwrite' && currentSnapshot(metadata)?.['snapshot-id'] !== seen) {
    throw conflict(table.name, 'what was to be replaced is not its current state')
  }
}

/** Files of the schema that was seen fit as long as their columns are still there; new columns have ids that nobody else may have taken since. */
function acceptsSchema({ schema, lastColumnId }: ManagedTable, metadata: TableMetadata, evolved?: Schema): boolean {
  const isSeen = metadata['current-schema-id'] === schema.id && metadata['last-column-id'] === lastColumnId
  return isSeen || (evolved === undefined && fitsSchema(schema, schemaOf(metadata)))
}
