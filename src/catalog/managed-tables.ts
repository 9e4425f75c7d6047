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
import { type CommitContext, type CommitOptions, type CommitOutcome, DataCommit } from './data-commit.ts'
import { fileReading, isSchemaCommit } from './iceberg/evolution.ts'
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
  specsOf,
  type TableMetadata,
  withSnapshot,
} from './iceberg/metadata.ts'
import { type TablePlace, tableFolder } from './iceberg/place.ts'
import { SnapshotReader, type Survey } from './iceberg/snapshot-reader.ts'
import { type Addition, writeAddedFiles, writeSnapshot } from './iceberg/snapshot-writer.ts'
import { extendLedger, knownHashes, ledgerPath, readLedger, writeLedger } from './ledger.ts'
import { tableNotFound } from './names.ts'
import { type At, conflict, pickSchemaId, pickSnapshot } from './pick-snapshot.ts'
import { newSnapshotId, newUuid, type Sources } from './sources.ts'
import { type Head, TableLog, type TableLogOptions } from './table-log.ts'
import type { DataFile, PartitionSpec, Schema, Table, TableKeys } from './types.ts'
import type { VacuumRecord } from './vacuum-records.ts'
import { explainUnknown, listAll } from './versioned-log.ts'

export type { CommitOptions } from './data-commit.ts'
export type { At } from './pick-snapshot.ts'
export type { Head } from './table-log.ts'

/** A managed table as it was loaded. */
export interface ManagedTable extends Table {
  kind: 'managed'
  uuid: string
  metadataLocation: string
  snapshot: Table['snapshot'] & { id?: number }
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

/** What a catalog works with; settings that are absent have their defaults. */
export interface CatalogOptions extends TableLogOptions {
  manifestMergeCount?: number
  /** How often a lease is renewed, and whose processes are asked about. */
  leaseRenewMs?: number
  processes?: Processes
}

/** What a commit made. `snapshotId` is absent for a table that was created without files. */
export interface Commit extends Partial<CommitOutcome> {
  metadataLocation: string
}

const NO_COLUMNS: Schema = { id: 0, columns: [] }
const UNPARTITIONED: PartitionSpec = { id: 0, fields: [] }

/** The managed tables of a store. All state is in the store; what is cached is immutable. */
export class ManagedTables {
  readonly #store: ObjectStore
  readonly #sources: Sources
  readonly #commitRetries: number
  readonly #manifestMergeCount: number
  readonly #reader: SnapshotReader
  readonly #log: TableLog

  constructor(store: ObjectStore, options: CatalogOptions) {
    this.#store = store
    this.#sources = options.sources
    this.#commitRetries = options.commitRetries
    this.#manifestMergeCount = options.manifestMergeCount ?? SETTINGS.manifestMergeCount.default
    this.#reader = new SnapshotReader(store)
    this.#log = new TableLog(store, options)
  }

  /** The newest version of a table, dropped ones included. @throws TABLE_INVALID */
  async head(uuid: string, options: CallOptions): Promise<Head> {
    return await this.#log.head(uuid, options)
  }

  /** See `TableLog.update`. @throws COMMIT_CONFLICT, STORE_UNAVAILABLE when the outcome is unknown */
  async update(...call: Parameters<TableLog['update']>): Promise<Head> {
    return await this.#log.update(...call)
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
    return await this.#log.vacuums.since(tableFolder(metadata['table-uuid']), metadata, 0, options)
  }

  #place(uuid: string, location: string): TablePlace {
    return { root: this.#store.root, folder: tableFolder(uuid), location }
  }

  /** Where a version of a table's metadata is: an absolute path or URL. */
  metadataLocation(uuid: string, version: number): string {
    return this.#log.location(uuid, version)
  }

  /** The table with the files of one snapshot. @throws TABLE_INVALID, SNAPSHOT_NOT_FOUND */
  async load(name: string, head: Head, options: CallOptions & { at?: At }): Promise<ManagedTable> {
    const uuid = head.metadata['table-uuid']
    const table = await this.#log.unlessMoved(uuid, head, options, () => this.#load(name, head, options))
    if (table !== 'moved') return table
    const next = await this.#log.headOf(name, uuid, options)
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
    const files = await this.#reader.files(metadata, snapshot, schema, place, options)
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
    const file = this.#log.of(uuid).path(1)
    const bytes = await this.#store.read(file)
    if (bytes === undefined) return undefined
    const snapshot = currentSnapshot(parseMetadata(bytes, file))
    const metadataLocation = this.metadataLocation(uuid, 1)
    return snapshot ? { snapshotId: snapshot['snapshot-id'], metadataLocation } : { metadataLocation }
  }

  /** All that the snapshots of a table consist of, read from the store and not from what is remembered. */
  async survey({ metadata }: Head, options: CallOptions): Promise<Survey> {
    const place = this.#place(metadata['table-uuid'], metadata.location)
    const survey = await new SnapshotReader(this.#store).survey(metadata, place, options)
    return { ...survey, damaged: [...survey.damaged, ...(await this.#ledgerDamage(metadata, place, options))] }
  }

  async #ledgerDamage(metadata: TableMetadata, { folder }: TablePlace, options: CallOptions): Promise<SkepError[]> {
    try {
      await readLedger(this.#store, ledgerPath(metadata, folder), options)
      return []
    } catch (error) {
      if (isSkepError(error, 'TABLE_INVALID')) return [error]
      throw error
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
    const metadataLocation = this.metadataLocation(draft.uuid, 1)
    if (!(await this.#log.appendFirst(draft.uuid, printMetadata(metadata)))) {
      const earlier = await this.firstCommit(draft.uuid)
      if (earlier) return earlier
      throw new Error(`the first version of "${draft.name}" is gone`)
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
    const { name, uuid } = table
    const addition = this.#addition(operation, files, options)
    const commit = new DataCommit(this.#commitContext(), table, addition, options)
    const make = ({ metadata }: Head, previousFile: string) =>
      this.#unlessDropped(name, uuid, () => commit.next(metadata, previousFile))
    try {
      const { version } = await this.update(name, uuid, make, options)
      return { ...commit.outcome, metadataLocation: this.metadataLocation(uuid, version) }
    } catch (error) {
      if (!isSkepError(error, 'STORE_UNAVAILABLE')) await commit.undo()
      const { commitId } = addition
      const look = `look for the commit id ${commitId} in \`skep snapshots ${name} --json\``
      throw explainUnknown(error, name, { what: `the commit to "${name}" took effect`, look, commitId })
    }
  }

  #commitContext(): CommitContext {
    return {
      store: this.#store,
      sources: this.#sources,
      reader: this.#reader,
      vacuums: this.#log.vacuums,
      manifestMergeCount: this.#manifestMergeCount,
      removeAll: (paths) => this.removeAll(paths),
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

  /** Those of these hashes of source files that are in the ledger of a table's newest state. @throws TABLE_INVALID */
  async imported(uuid: string, hashes: readonly string[], options: CallOptions): Promise<string[]> {
    for (;;) {
      const head = await this.head(uuid, options)
      const read = () => readLedger(this.#store, ledgerPath(head.metadata, tableFolder(uuid)), options)
      const ledger = await this.#log.unlessMoved(uuid, head, options, read)
      if (ledger !== 'moved') return knownHashes(ledger, hashes)
    }
  }

  /** Appends the version that says the table is dropped. */
  async fence(name: string, uuid: string, commitId: string, options: CallOptions): Promise<void> {
    const make = async ({ metadata }: Head, previousFile: string) => {
      if (droppedBy(metadata) === commitId) return undefined
      if (isDropped(metadata)) throw tableNotFound(name, [])
      return asDropped(metadata, commitId, this.#sources.now(), previousFile)
    }
    await this.update(name, uuid, make, options).catch((error: unknown) => {
      throw explainUnknown(error, name, { what: `"${name}" was dropped`, look: 'look at `skep tables`', commitId })
    })
  }

  /** Appends the version that says the table is dropped after whatever is there, readable or not. */
  async fenceDamaged(name: string, uuid: string, commitId: string, options: CallOptions): Promise<void> {
    const log = this.#log.of(uuid)
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
    await mapConcurrent(paths, SETTINGS.storeCalls.default, (path) => this.#store.delete(path).catch(() => undefined))
  }
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
