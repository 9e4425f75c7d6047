/** Managed tables by their uuid: reading their newest state, and the commits that make the next one. Names are not known here. */
import { SETTINGS } from '../config.ts'
import { isSkepError, SkepError, throwIfAborted } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
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
  snapshotAtTime,
  snapshotById,
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
import { tableNotFound } from './names.ts'
import { newSnapshotId, newUuid, type Sources } from './sources.ts'
import type { DataFile, PartitionSpec, Schema, Table, TableKeys } from './types.ts'
import { explainUnknown, listAll, VersionedLog } from './versioned-log.ts'

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

/** Which state of a table is meant: a snapshot, or the one that was current at a time (milliseconds since 1970). */
export type At = { snapshotId: number } | { timeMs: number }

/** What a catalog works with; settings that are absent have their defaults. */
export interface CatalogOptions {
  sources: Sources
  commitRetries: number
  manifestMergeCount?: number
}

/** How a commit is made. */
export interface CommitOptions extends CallOptions {
  /** A commit of an id that is in the table's history already succeeds without doing anything; random when absent. */
  commitId?: string
  /** More entries for the snapshot's summary. */
  summary?: Record<string, string>
  /** What `evolveSchema` made of the table's schema, when the files follow that: it becomes the table's in the same commit. */
  schema?: Schema
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

/** The managed tables of a store. All state is in the store; what is cached is immutable. */
export class ManagedTables {
  readonly #store: ObjectStore
  readonly #sources: Sources
  readonly #commitRetries: number
  readonly #manifestMergeCount: number
  readonly #reader: SnapshotReader
  readonly #metadata = new BoundedCache<TableMetadata>(CACHED_METADATA)
  readonly #versions = new BoundedCache<number>(CACHED_VERSIONS)

  constructor(store: ObjectStore, options: CatalogOptions) {
    this.#store = store
    this.#sources = options.sources
    this.#commitRetries = options.commitRetries
    this.#manifestMergeCount = options.manifestMergeCount ?? SETTINGS.manifestMergeCount.default
    this.#reader = new SnapshotReader(store)
  }

  #log(uuid: string): VersionedLog {
    return new VersionedLog(this.#store, this.#sources, `${tableFolder(uuid)}/metadata`, '.metadata.json')
  }

  /** The newest version of a table, dropped ones included. One listing or two look-ups, and a read unless it is known. @throws TABLE_INVALID */
  async head(uuid: string, options: CallOptions): Promise<Head> {
    const log = this.#log(uuid)
    const version = await log.head(options, this.#versions.get(uuid))
    this.#versions.set(uuid, version, 1)
    const file = log.path(Math.max(version, 1))
    const known = this.#metadata.get(file)
    if (known) return { version, metadata: known }
    const metadata = parseMetadata(await log.read(Math.max(version, 1), options), file)
    this.#metadata.set(file, metadata, 1)
    return { version, metadata }
  }

  #place(uuid: string, location: string): TablePlace {
    return { root: this.#store.root, folder: tableFolder(uuid), location }
  }

  #metadataLocation(uuid: string, version: number): string {
    return `${this.#store.root}/${this.#log(uuid).path(version)}`
  }

  /** The table with the files of one snapshot. @throws TABLE_INVALID, SNAPSHOT_NOT_FOUND */
  async load(name: string, { version, metadata }: Head, options: CallOptions & { at?: At }): Promise<ManagedTable> {
    const uuid = metadata['table-uuid']
    const place = this.#place(uuid, metadata.location)
    const snapshot = pickSnapshot(name, metadata, options.at)
    const schema = schemaOf(metadata, pickSchemaId(metadata, snapshot, options.at))
    const specs = specsOf(metadata)
    const spec = specs.get(metadata['default-spec-id'])
    const metadataLocation = this.#metadataLocation(uuid, version)
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
    const metadataLocation = this.#metadataLocation(uuid, 1)
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
    const metadataLocation = this.#metadataLocation(draft.uuid, 1)
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
    return { snapshotId: newSnapshotId(this.#sources), commitId, operation, files, summary: options.summary ?? {} }
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
    const head = await this.head(uuid, options)
    const { metadata } = head
    const done = snapshotOfCommit(metadata, addition.commitId)
    if (done) {
      const metadataLocation = this.#metadataLocation(uuid, head.version)
      const snapshotId = done['snapshot-id']
      if (snapshotId === addition.snapshotId) return { snapshotId, metadataLocation }
      await this.removeAll(writtenBy(work))
      return { snapshotId, metadataLocation, repeated: true }
    }
    refuseConflict(table, metadata, addition, options.schema)
    const made = { commitId: addition.commitId, nowMs: this.#sources.now() }
    const evolved = options.schema ? withColumns(metadata, options.schema, made) : metadata
    const place = this.#place(uuid, metadata.location)
    work.added ??= await writeAddedFiles(this.#store, this.#sources, place, evolved, addition)
    const manifests = await this.#reader.manifests(currentSnapshot(metadata), place, options)
    if (addition.operation === 'append') await this.#merge(manifests, addition, work, place, options)
    const base = { metadata: evolved, manifests, merges: work.merges }
    const { snapshot, listPath } = await writeSnapshot(this.#store, this.#sources, place, base, addition, work.added)
    const previousFile = `${metadata.location}/metadata/v${head.version}.metadata.json`
    const next = withSnapshot(evolved, snapshot, previousFile)
    work.lists.push(listPath)
    // From here on the outcome may not be left open by a cancellation.
    throwIfAborted(options.signal)
    if (await this.#log(uuid).append(head.version + 1, printMetadata(next))) {
      const metadataLocation = this.#metadataLocation(uuid, head.version + 1)
      return { snapshotId: addition.snapshotId, metadataLocation }
    }
    await this.removeAll(work.lists.splice(0))
    return undefined
  }

  /** Puts an alteration upon the newest state of a table; false when the table was so already. Errors as `commit`, and those of the alteration. */
  async alter(name: string, uuid: string, alteration: Alteration, options: CommitOptions): Promise<boolean> {
    const commitId = options.commitId ?? newUuid(this.#sources)
    let resolved: ResolvedAlteration | undefined
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(options.signal)
      const { version, metadata } = await this.head(uuid, options)
      if (isDropped(metadata)) throw tableNotFound(name, [])
      if (isSchemaCommit(metadata, commitId)) return true
      resolved ??= resolveAlteration(name, metadata, alteration)
      const made = { commitId, nowMs: this.#sources.now() }
      const altered = rebasing(name, attempt, () => applyAlteration(name, metadata, resolved!, made))
      if (altered === metadata) return false
      const previousFile = `${metadata.location}/metadata/v${version}.metadata.json`
      if (await this.#log(uuid).append(version + 1, printMetadata(nextVersion(altered, made.nowMs, previousFile)))) {
        return true
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
    work.merges = await writeMerges(this.#store, this.#sources, place, sources, addition.snapshotId)
  }

  /** Appends the version that says the table is dropped. */
  async fence(name: string, uuid: string, commitId: string, options: CallOptions): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(options.signal)
      const { version, metadata } = await this.head(uuid, options)
      if (droppedBy(metadata) === commitId) return
      if (isDropped(metadata)) throw tableNotFound(name, [])
      const previousFile = `${metadata.location}/metadata/v${version}.metadata.json`
      const last = asDropped(metadata, commitId, this.#sources.now(), previousFile)
      const isOurs = await this.#log(uuid)
        .append(version + 1, printMetadata(last))
        .catch((error: unknown) => {
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

function conflict(table: string, why: string): SkepError {
  return new SkepError('COMMIT_CONFLICT', `the table "${table}" was changed meanwhile: ${why}`, { table })
}

function pickSnapshot(table: string, metadata: TableMetadata, at: At | undefined): IcebergSnapshot | undefined {
  if (at === undefined) return currentSnapshot(metadata)
  const isId = 'snapshotId' in at
  const found = isId ? snapshotById(metadata, at.snapshotId) : snapshotAtTime(metadata, at.timeMs)
  if (found) return found
  const text = isId ? String(at.snapshotId) : printTime(at.timeMs)
  const message = isId ? `has no snapshot ${text}` : `had no snapshot yet at ${text}`
  throw new SkepError('SNAPSHOT_NOT_FOUND', `the table "${table}" ${message}`, { table, at: text })
}

function printTime(timeMs: number): string {
  const time = new Date(timeMs)
  return Number.isNaN(time.getTime()) ? String(timeMs) : time.toISOString()
}

/** Now the schema that counts now; in the past the one that counted then; of a snapshot its own. */
function pickSchemaId(metadata: TableMetadata, snapshot: IcebergSnapshot | undefined, at: At | undefined) {
  if (at === undefined) return undefined
  return ('timeMs' in at ? schemaIdAt(metadata, at.timeMs) : undefined) ?? snapshot?.['schema-id']
}

/** What an alteration comes to after other writers changed the table: what cannot be done any more is a conflict, not a mistake. */
function rebasing<T>(table: string, attempt: number, apply: () => T): T {
  try {
    return apply()
  } catch (error) {
    if (error instanceof ColumnGone || (attempt > 0 && isSkepError(error) && error.kind === 'user')) {
      throw conflict(table, error.message)
    }
    throw error
  }
}

function refuseConflict(table: ManagedTable, metadata: TableMetadata, addition: Addition, evolved?: Schema): void {
  if (isDropped(metadata)) throw tableNotFound(table.name, [])
  if (!acceptsSchema(table, metadata, evolved)) {
    const message = `the table "${table.name}" was changed meanwhile: its schema is another`
    throw new SkepError('COMMIT_CONFLICT', message, { table: table.name, changed: 'schema' })
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
