/** The data files of a snapshot, read through its manifest list and manifests. */
import { SETTINGS } from '../../config.ts'
import { isSkepError, SkepError } from '../../errors.ts'
import { mapConcurrent } from '../../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../../storage/object-store.ts'
import { BoundedCache } from '../bounded-cache.ts'
import { damagedMetadata, missingMetadata } from '../damage.ts'
import { checkSealedName } from '../seal.ts'
import type { Column, DataFile, Schema } from '../types.ts'
import { type ReadEntry, readManifest } from './manifest.ts'
import { type ManifestFile, readManifestList } from './manifest-list.ts'
import type { ManifestSource } from './manifest-merge.ts'
import { actorSortOrders, type IcebergSnapshot, type TableMetadata } from './metadata.ts'
import { type TablePlace, toEnginePath, toStorePath } from './place.ts'

const READS_AT_ONCE = SETTINGS.storeCalls.default

/** What the snapshots of a table consist of, and what of their metadata is damaged. */
export interface Survey {
  snapshots: number
  manifests: number
  /** Of all snapshots, each once. */
  dataFiles: { path: string; sizeBytes: number }[]
  damaged: SkepError[]
}

/** Reads snapshots, and remembers what it decoded: manifests and their lists never change. */
export class SnapshotReader {
  readonly #store: ObjectStore
  readonly #lists = new BoundedCache<ManifestFile[]>(SETTINGS.cachedManifests.default)
  readonly #manifests = new BoundedCache<ReadEntry[]>(SETTINGS.cachedFiles.default)

  constructor(store: ObjectStore) {
    this.#store = store
  }

  /** The manifests of a snapshot, in the list's order; none for no snapshot. @throws TABLE_INVALID naming the damaged file */
  async manifests(
    snapshot: IcebergSnapshot | undefined,
    place: TablePlace,
    options: CallOptions = {},
  ): Promise<ManifestFile[]> {
    if (snapshot === undefined) return []
    const file = storePathOf(place, snapshot['manifest-list'])
    const known = this.#lists.get(file)
    options.cacheUse?.note(known !== undefined)
    if (known) return known
    const manifests = readManifestList(await this.#read(file, options), file)
    const counted = manifests.reduce((sum, manifest) => sum + manifest.addedFiles + manifest.existingFiles, 0)
    const expected = snapshot.summary['total-data-files']
    if (expected !== undefined && Number(expected) !== counted)
      throw damagedMetadata(file, `${counted} files, not ${expected}`)
    this.#lists.set(file, manifests, manifests.length + 1)
    return manifests
  }

  /** The data files of a snapshot with paths as the engine opens them, described for a schema; none for no snapshot. @throws TABLE_INVALID naming the damaged file */
  async files(
    metadata: TableMetadata,
    snapshot: IcebergSnapshot | undefined,
    schema: Schema,
    place: TablePlace,
    options: CallOptions = {},
  ): Promise<DataFile[]> {
    const manifests = await this.manifests(snapshot, place, options)
    const lists = await mapConcurrent(manifests, READS_AT_ONCE, (m) => this.#entries(m, place, options))
    const sortedBy = actorSortOrders(metadata)
    return lists.flat().map(({ sortOrderId, columnIds, ...entry }) => ({
      ...entry,
      columns: withMissing(entry, columnIds, schema.columns),
      path: toEnginePath(place, entry.path),
      sorted: sortedBy.has(sortOrderId),
    }))
  }

  /**
   * All that the snapshots of a table consist of. What is damaged is told and left out instead of thrown, so that all of it
   * comes to light; the reader must be a new one, for what is cached is not read again.
   */
  async survey(metadata: TableMetadata, place: TablePlace, options: CallOptions = {}): Promise<Survey> {
    const damaged = new Map<string, SkepError>()
    const attempt = async <T>(read: () => Promise<T[]>): Promise<T[]> => {
      try {
        return await read()
      } catch (error) {
        if (!isSkepError(error, 'TABLE_INVALID')) throw error
        damaged.set(error.details.file, error)
        return []
      }
    }
    const snapshots = metadata.snapshots ?? []
    const lists = await mapConcurrent(snapshots, READS_AT_ONCE, (snapshot) =>
      attempt(() => this.manifests(snapshot, place, options)),
    )
    const manifests = [...new Map(lists.flat().map((manifest) => [manifest.path, manifest])).values()]
    const entries = await mapConcurrent(manifests, READS_AT_ONCE, (manifest) =>
      attempt(() => this.#entries(manifest, place, options)),
    )
    const files = entries.flat().map(({ path, sizeBytes }) => ({ path: toEnginePath(place, path), sizeBytes }))
    const dataFiles = [...new Map(files.map((file) => [file.path, file])).values()]
    return { snapshots: snapshots.length, manifests: manifests.length, dataFiles, damaged: [...damaged.values()] }
  }

  /** Paths below the store's root of the manifest lists, manifests and data files of these snapshots. @throws TABLE_INVALID naming the damaged file */
  async paths(
    snapshots: readonly IcebergSnapshot[],
    place: TablePlace,
    options: CallOptions = {},
  ): Promise<Set<string>> {
    const lists = await mapConcurrent(snapshots, READS_AT_ONCE, (snapshot) => this.manifests(snapshot, place, options))
    const manifests = new Map(lists.flat().map((manifest) => [manifest.path, manifest]))
    const paths = new Set(snapshots.map((snapshot) => storePathOf(place, snapshot['manifest-list'])))
    await mapConcurrent([...manifests.values()], READS_AT_ONCE, async (manifest) => {
      paths.add(storePathOf(place, manifest.path))
      for (const entry of await this.#entries(manifest, place, options)) {
        const path = toStorePath(place, entry.path)
        if (path !== undefined) paths.add(path)
      }
    })
    return paths
  }

  async #entries(manifest: ManifestFile, place: TablePlace, options: CallOptions): Promise<ReadEntry[]> {
    const file = storePathOf(place, manifest.path)
    const known = this.#manifests.get(file)
    options.cacheUse?.note(known !== undefined)
    if (known) return known
    const bytes = await this.#read(file, options)
    if (bytes.length !== manifest.sizeBytes)
      throw damagedMetadata(file, `${bytes.length} bytes, not ${manifest.sizeBytes}`)
    const entries = readManifest(bytes, file)
    const expected = manifest.addedFiles + manifest.existingFiles
    if (entries.length !== expected) throw damagedMetadata(file, `${entries.length} files, not ${expected}`)
    this.#manifests.set(file, entries, entries.length + 1)
    return entries
  }

  /** Manifests with their bytes. @throws TABLE_INVALID naming a damaged file */
  async manifestBytes(
    manifests: readonly ManifestFile[],
    place: TablePlace,
    options: CallOptions,
  ): Promise<ManifestSource[]> {
    return await mapConcurrent(manifests, READS_AT_ONCE, async (manifest) => {
      const file = storePathOf(place, manifest.path)
      const bytes = await this.#read(file, options)
      if (bytes.length !== manifest.sizeBytes)
        throw damagedMetadata(file, `${bytes.length} bytes, not ${manifest.sizeBytes}`)
      return { manifest, bytes, file }
    })
  }

  async #read(file: string, options: CallOptions): Promise<Uint8Array> {
    const bytes = await this.#store.read(file, options)
    if (bytes === undefined) throw missingMetadata(file)
    checkSealedName(file, bytes)
    return bytes
  }
}

/** The statistics of a file, with those of columns that came to the table after it: they are null in all of its rows. */
function withMissing(
  { columns, rows }: Pick<ReadEntry, 'columns' | 'rows'>,
  known: ReadonlySet<number>,
  wanted: readonly Column[],
): DataFile['columns'] {
  const missing = wanted.filter(({ id, parts }) => !known.has(id) && parts === undefined)
  if (missing.length === 0) return columns
  const filled = new Map(columns)
  for (const { id } of missing) filled.set(id, { values: rows, nulls: rows })
  return filled
}

function storePathOf(place: TablePlace, path: string): string {
  const file = toStorePath(place, path)
  if (file !== undefined) return file
  throw new SkepError('TABLE_INVALID', `the table keeps metadata outside of its folder: ${path}`, { file: path })
}
