/** One commit of data files: what it writes, and the state of the table that it makes of whichever is newest. */
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import { withColumns } from './iceberg/evolution.ts'
import { vacuumsOf } from './iceberg/history.ts'
import type { ManifestFile } from './iceberg/manifest-list.ts'
import {
  currentSnapshot,
  isDropped,
  schemaOf,
  snapshotOfCommit,
  type TableMetadata,
  withSnapshot,
} from './iceberg/metadata.ts'
import { type TablePlace, tableFolder } from './iceberg/place.ts'
import { fitsSchema } from './iceberg/promote.ts'
import type { SnapshotReader } from './iceberg/snapshot-reader.ts'
import {
  type Addition,
  type WrittenManifest,
  type WrittenMerge,
  writeAddedFiles,
  writeMerges,
  writeSnapshot,
} from './iceberg/snapshot-writer.ts'
import { type LedgerEntries, nextLedger } from './ledger.ts'
import type { ManagedTable } from './managed-tables.ts'
import { tableNotFound } from './names.ts'
import { conflict } from './pick-snapshot.ts'
import type { Sources } from './sources.ts'
import type { Schema } from './types.ts'
import { condemnedIn, expiredSnapshotOf, type VacuumRecords } from './vacuum-records.ts'
import { versionOf } from './versioned-log.ts'
import type { Writer } from './writers.ts'

/** How a commit is made. */
export interface CommitOptions extends CallOptions {
  /**
   * A commit of an id that is in the table's history already succeeds without doing anything; random when absent. A commit is repeated
   * with the table as it was loaded before the files were written, for vacuums since then may have removed them.
   */
  commitId?: string
  /** More entries for the snapshot's summary. */
  summary?: Record<string, string>
  /** What `evolveSchema` made of the table's schema, when the files follow that: it becomes the table's in the same commit. */
  schema?: Schema
  /** The source files that the data comes from. */
  ledger?: LedgerEntries
  /** The writer that wrote the files; the manifest is then under its lease too. */
  writer?: Writer
}

/** What a commit works with. */
export interface CommitContext {
  store: ObjectStore
  sources: Sources
  reader: SnapshotReader
  /** What vacuums condemned. */
  vacuums: VacuumRecords
  /** From how many small manifests on they are merged. */
  manifestMergeCount: number
  removeAll(paths: readonly string[]): Promise<void>
}

/** What a commit came to: its snapshot, made by this call or by an earlier one. */
export interface CommitOutcome {
  snapshotId: number
  repeated?: true
}

/** A commit of data files on its way. Paths are below the store's root. */
export class DataCommit {
  readonly #context: CommitContext
  readonly #table: ManagedTable
  readonly #addition: Addition
  readonly #options: CommitOptions
  #added: WrittenManifest | undefined
  #merges: WrittenMerge[] = []
  /** The manifest list and the ledger of the last attempt. */
  #own: string[] = []
  #earlier: CommitOutcome | undefined

  constructor(context: CommitContext, table: ManagedTable, addition: Addition, options: CommitOptions) {
    this.#context = context
    this.#table = table
    this.#addition = addition
    this.#options = options
  }

  /** What came of it, once it is done. */
  get outcome(): CommitOutcome {
    return this.#earlier ?? { snapshotId: this.#addition.snapshotId }
  }

  /**
   * The state that follows `metadata` with the files in it; undefined when it has this commit already.
   *
   * @throws COMMIT_CONFLICT, TABLE_NOT_FOUND, TABLE_INVALID, AlreadyImported
   */
  async next(metadata: TableMetadata, previousFile: string): Promise<TableMetadata | undefined> {
    const { store, sources, reader, removeAll } = this.#context
    const addition = this.#addition
    const options = this.#options
    if (await this.#isDone(metadata)) return undefined
    // Only now it is certain that the last attempt lost.
    await removeAll(this.#own.splice(0))
    if (isDropped(metadata)) throw tableNotFound(this.#table.name, [])
    if (await this.#isVacuumed(metadata)) return undefined
    refuseConflict(this.#table, metadata, addition, options.schema)
    const folder = tableFolder(this.#table.uuid)
    const place = { root: store.root, folder, location: metadata.location }
    const evolved = await this.#remember(this.#evolve(metadata), folder)
    this.#added ??= await writeAddedFiles(store, sources, place, evolved, addition)
    const manifests = await reader.manifests(currentSnapshot(metadata), place, options)
    if (addition.operation === 'append') await this.#merge(manifests, place)
    const base = { metadata: evolved, manifests, merges: this.#merges }
    const { snapshot, listPath } = await writeSnapshot(store, sources, place, base, addition, this.#added)
    this.#own.push(listPath)
    return withSnapshot(evolved, snapshot, previousFile)
  }

  /** Removes what was written for a commit that did not come about. */
  async undo(): Promise<void> {
    const merged = this.#merges.map(({ written }) => written.storePath)
    await this.#context.removeAll([...this.#own, ...merged, ...(this.#added ? [this.#added.storePath] : [])])
  }

  async #isDone(metadata: TableMetadata): Promise<boolean> {
    const { snapshotId, commitId } = this.#addition
    const done = snapshotOfCommit(metadata, commitId)
    if (!done) return false
    if (done['snapshot-id'] === snapshotId) return true
    this.#earlier = { snapshotId: done['snapshot-id'], repeated: true }
    await this.undo()
    return true
  }

  /**
   * Whether the snapshot of this commit has expired already. What vacuums condemned is written again.
   *
   * @throws COMMIT_CONFLICT when a vacuum condemned a data file: those of live writers are spared, and else the order of the log decides who was first
   */
  async #isVacuumed(metadata: TableMetadata): Promise<boolean> {
    const { store, vacuums } = this.#context
    const folder = tableFolder(this.#table.uuid)
    // An id that was given may be of a commit whose reply was lost long ago.
    const seen = this.#options.commitId === undefined ? seenVersion(this.#table) : 0
    const records = await vacuums.since(folder, metadata, seen, this.#options)
    const expired = expiredSnapshotOf(records, this.#addition.commitId)
    if (expired !== undefined) {
      this.#earlier = { snapshotId: expired, repeated: true }
      await this.undo()
      return true
    }
    if (seenVersion(this.#table) < vacuumsOf(metadata).forgotten) throw unremembered(this.#table.name, this.#options)
    const isCondemned = condemnedIn(records, { root: store.root, folder })
    if (this.#addition.files.some(({ path }) => isCondemned(path))) {
      throw conflict(this.#table.name, 'a vacuum took the files of this writer for abandoned ones; run it again')
    }
    if (this.#added && isCondemned(this.#added.storePath)) this.#added = undefined
    this.#merges = this.#merges.filter(({ written }) => !isCondemned(written.storePath))
    return false
  }

  #evolve(metadata: TableMetadata): TableMetadata {
    const { schema } = this.#options
    const made = { commitId: this.#addition.commitId, nowMs: this.#context.sources.now() }
    return schema ? withColumns(metadata, schema, made) : metadata
  }

  /** Metadata with the ledger that follows. */
  async #remember(metadata: TableMetadata, folder: string): Promise<TableMetadata> {
    const { store, sources } = this.#context
    const replaces = this.#addition.operation === 'overwrite'
    const options = this.#options
    const { path, properties } = await nextLedger(
      store,
      sources,
      { metadata, folder, replaces },
      options.ledger,
      options,
    )
    if (path !== undefined) this.#own.push(path)
    return { ...metadata, properties }
  }

  /** Merges small manifests when there are many; what an earlier attempt has merged stays of use while the table has all of it. */
  async #merge(manifests: readonly ManifestFile[], place: TablePlace): Promise<void> {
    const { store, sources, reader, manifestMergeCount, removeAll } = this.#context
    const paths = new Set(manifests.map(({ path }) => path))
    const [useful, useless] = partition(this.#merges, (merge) => merge.sources.every((path) => paths.has(path)))
    this.#merges = useful
    await removeAll(useless.map(({ written }) => written.storePath))
    const small = manifests.filter(({ sizeBytes }) => sizeBytes < SETTINGS.manifestBytes.default)
    if (useful.length > 0 || small.length + 1 < manifestMergeCount) return
    const merging = await reader.manifestBytes(small, place, this.#options)
    this.#merges = await writeMerges(store, sources, place, merging, this.#addition)
  }
}

function partition<T>(items: readonly T[], holds: (item: T) => boolean): [T[], T[]] {
  return [items.filter(holds), items.filter((item) => !holds(item))]
}

/** The version of the metadata that a table was loaded from. */
function seenVersion({ metadataLocation }: ManagedTable): number {
  return versionOf(metadataLocation.split('/').at(-1)!, '.metadata.json')
}

/** The error of a commit that vacuums may have condemned, or have made forget that it was made, which are not remembered. */
function unremembered(table: string, { commitId }: CommitOptions): SkepError {
  const why = 'since it was read, more vacuums cleaned it than are remembered'
  if (commitId === undefined) return conflict(table, why)
  const message = `whether the commit ${commitId} to "${table}" took effect is not known: ${why}`
  return new SkepError('STORE_UNAVAILABLE', message, { outcome: 'unknown' })
}

function refuseConflict(table: ManagedTable, metadata: TableMetadata, addition: Addition, evolved?: Schema): void {
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
