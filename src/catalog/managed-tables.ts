/** Managed tables by their uuid: reading their newest state, and the commits that make the next one. Names are not known here. */
import { isSkepError, SkepError, throwIfAborted } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import { BoundedCache } from './bounded-cache.ts'
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
  snapshotAtTime,
  snapshotById,
  snapshotOfCommit,
  specsOf,
  type TableMetadata,
  withSnapshot,
} from './iceberg/metadata.ts'
import { type TablePlace, tableFolder } from './iceberg/place.ts'
import { SnapshotReader } from './iceberg/snapshot-reader.ts'
import { type Addition, type WrittenManifest, writeAddedFiles, writeSnapshot } from './iceberg/snapshot-writer.ts'
import {
  extendLedger,
  knownHashes,
  type LedgerEntries,
  ledgerPath,
  nextLedger,
  readLedger,
  writeLedger,
} from './ledger.ts'
import { tableNotFound } from './names.ts'
import { newSnapshotId, newUuid, type Sources } from './sources.ts'
import type { DataFile, PartitionSpec, Schema, Table, TableKeys } from './types.ts'
import { listAll, VersionedLog } from './versioned-log.ts'

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

/** Which state of a table is meant: a snapshot, or the one that was current at a time (milliseconds since 1970). */
export type At = { snapshotId: number } | { timeMs: number }

/** How a commit is made. */
export interface CommitOptions extends CallOptions {
  /** A commit of an id that is in the table's history already succeeds without doing anything; random when absent. */
  commitId?: string
  /** More entries for the snapshot's summary. */
  summary?: Record<string, string>
  /** The source files that the data comes from. */
  ledger?: LedgerEntries
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
  /** Manifest lists and ledgers of the attempt under way. */
  lists: string[]
}

const CACHED_METADATA = 64
const CALLS_AT_ONCE = 16
const BACKOFF_MS_MAX = 250

/** The managed tables of a store. All state is in the store; what is cached is immutable. */
export class ManagedTables {
  readonly #store: ObjectStore
  readonly #sources: Sources
  readonly #commitRetries: number
  readonly #reader: SnapshotReader
  readonly #metadata = new BoundedCache<TableMetadata>(CACHED_METADATA)

  constructor(store: ObjectStore, options: { sources: Sources; commitRetries: number }) {
    this.#store = store
    this.#sources = options.sources
    this.#commitRetries = options.commitRetries
    this.#reader = new SnapshotReader(store)
  }

  #log(uuid: string): VersionedLog {
    return new VersionedLog(this.#store, this.#sources, `${tableFolder(uuid)}/metadata`, '.metadata.json')
  }

  /** The newest version of a table, dropped ones included. One listing, and a read unless it is known. @throws TABLE_INVALID */
  async head(uuid: string, options: CallOptions): Promise<Head> {
    const log = this.#log(uuid)
    const version = await log.head(options)
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
    const specs = specsOf(metadata)
    const spec = specs.get(metadata['default-spec-id'])
    const metadataLocation = this.#metadataLocation(uuid, version)
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
      if (options.ledger) {
        const hashes = extendLedger([], options.ledger)
        const { properties } = await writeLedger(this.#store, this.#sources, place.folder, hashes)
        metadata = { ...metadata, properties: { ...metadata.properties, ...properties } }
      }
    }
    const metadataLocation = this.#metadataLocation(draft.uuid, 1)
    if (!(await this.#log(draft.uuid).append(1, printMetadata(metadata)))) {
      throw new Error(`the draft of "${draft.name}" was used twice`)
    }
    return files.length > 0 ? { snapshotId: addition.snapshotId, metadataLocation } : { metadataLocation }
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
    const head = await this.head(uuid, options)
    const { metadata } = head
    const done = snapshotOfCommit(metadata, addition.commitId)
    if (done) {
      if (done['snapshot-id'] !== addition.snapshotId) await this.removeAll(writtenBy(work))
      return { snapshotId: done['snapshot-id'], metadataLocation: this.#metadataLocation(uuid, head.version) }
    }
    refuseConflict(table, metadata, addition)
    const place = this.#place(uuid, metadata.location)
    const replaces = addition.operation === 'overwrite'
    const ledger = await this.#unlessMoved(head, () =>
      nextLedger(this.#store, this.#sources, { metadata, folder: place.folder, replaces }, options.ledger, options),
    )
    if (!ledger) return undefined
    if (ledger.path !== undefined) work.lists.push(ledger.path)
    work.added ??= await writeAddedFiles(this.#store, this.#sources, place, metadata, addition)
    const manifests = await this.#reader.manifests(currentSnapshot(metadata), place, options)
    const base = { metadata, manifests }
    const { snapshot, listPath } = await writeSnapshot(this.#store, this.#sources, place, base, addition, work.added)
    const previousFile = `${metadata.location}/metadata/v${head.version}.metadata.json`
    work.lists.push(listPath)
    const next = { ...withSnapshot(metadata, snapshot, previousFile), properties: ledger.properties }
    // From here on the outcome may not be left open by a cancellation.
    throwIfAborted(options.signal)
    if (await this.#log(uuid).append(head.version + 1, printMetadata(next))) {
      await this.hint(uuid, head.version + 1)
      const metadataLocation = this.#metadataLocation(uuid, head.version + 1)
      return { snapshotId: addition.snapshotId, metadataLocation }
    }
    await this.removeAll(work.lists.splice(0))
    return undefined
  }

  /** Those of these hashes of source files that are in the ledger of a table's newest state. @throws TABLE_INVALID */
  async imported(uuid: string, hashes: readonly string[], options: CallOptions): Promise<string[]> {
    for (;;) {
      const head = await this.head(uuid, options)
      const path = ledgerPath(head.metadata, tableFolder(uuid))
      const ledger = await this.#unlessMoved(head, () => readLedger(this.#store, path, options))
      if (ledger) return knownHashes(ledger, hashes)
    }
  }

  /** What `read` gives; undefined when it missed a ledger that only an older state of the table has, for that may be removed. */
  async #unlessMoved<T>(head: Head, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read()
    } catch (error) {
      if (!isSkepError(error, 'TABLE_INVALID')) throw error
      const newest = await this.#log(head.metadata['table-uuid']).head()
      if (newest !== head.version) return undefined
      throw error
    }
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
      if (await this.#log(uuid).append(version + 1, printMetadata(last))) return
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

function refuseConflict(table: ManagedTable, metadata: TableMetadata, addition: Addition): void {
  if (isDropped(metadata)) throw tableNotFound(table.name, [])
  if (metadata['current-schema-id'] !== table.schema.id) throw conflict(table.name, 'its schema is another')
  if (metadata['default-spec-id'] !== table.spec.id) throw conflict(table.name, 'its partition spec is another')
  const seen = table.snapshot.id
  if (addition.operation === 'overwrite' && currentSnapshot(metadata)?.['snapshot-id'] !== seen) {
    throw conflict(table.name, 'what was to be replaced is not its current state')
  }
}
