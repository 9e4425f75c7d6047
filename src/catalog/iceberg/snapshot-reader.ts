/** The data files of a snapshot, read through its manifest list and manifests. */
import { SkepError } from '../../errors.ts'
import { mapConcurrent } from '../../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../../storage/object-store.ts'
import { BoundedCache } from '../bounded-cache.ts'
import type { DataFile } from '../types.ts'
import { type ManifestEntry, readManifest } from './manifest.ts'
import { type ManifestFile, readManifestList } from './manifest-list.ts'
import { actorSortOrders, type IcebergSnapshot, type TableMetadata } from './metadata.ts'
import { type TablePlace, toEnginePath, toStorePath } from './place.ts'

const CACHED_FILES = 200_000
const CACHED_MANIFESTS = 50_000
const READS_AT_ONCE = 16

/** Reads snapshots, and remembers what it decoded: manifests and their lists never change. */
export class SnapshotReader {
  readonly #store: ObjectStore
  readonly #lists = new BoundedCache<ManifestFile[]>(CACHED_MANIFESTS)
  readonly #manifests = new BoundedCache<ManifestEntry[]>(CACHED_FILES)

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
    if (known) return known
    const manifests = readManifestList(await this.#read(file, options), file)
    const counted = manifests.reduce((sum, manifest) => sum + manifest.addedFiles + manifest.existingFiles, 0)
    const expected = snapshot.summary['total-data-files']
    if (expected !== undefined && Number(expected) !== counted) throw damaged(file, `${counted} files, not ${expected}`)
    this.#lists.set(file, manifests, manifests.length + 1)
    return manifests
  }

  /** The data files of a snapshot with paths as the engine opens them; none for no snapshot. @throws TABLE_INVALID naming the damaged file */
  async files(
    metadata: TableMetadata,
    snapshot: IcebergSnapshot | undefined,
    place: TablePlace,
    options: CallOptions = {},
  ): Promise<DataFile[]> {
    const manifests = await this.manifests(snapshot, place, options)
    const lists = await mapConcurrent(manifests, READS_AT_ONCE, (m) => this.#entries(m, place, options))
    const sortedBy = actorSortOrders(metadata)
    return lists.flat().map(({ sortOrderId, ...entry }) => ({
      ...entry,
      path: toEnginePath(place, entry.path),
      sorted: sortedBy.has(sortOrderId),
    }))
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

  async #entries(manifest: ManifestFile, place: TablePlace, options: CallOptions): Promise<ManifestEntry[]> {
    const file = storePathOf(place, manifest.path)
    const known = this.#manifests.get(file)
    if (known) return known
    const bytes = await this.#read(file, options)
    if (bytes.length !== manifest.sizeBytes) throw damaged(file, `${bytes.length} bytes, not ${manifest.sizeBytes}`)
    const entries = readManifest(bytes, file)
    const expected = manifest.addedFiles + manifest.existingFiles
    if (entries.length !== expected) throw damaged(file, `${entries.length} files, not ${expected}`)
    this.#manifests.set(file, entries, entries.length + 1)
    return entries
  }

  async #read(file: string, options: CallOptions): Promise<Uint8Array> {
    const bytes = await this.#store.read(file, options)
    if (bytes === undefined) throw new SkepError('TABLE_INVALID', `${file} is missing`, { file })
    return bytes
  }
}

function storePathOf(place: TablePlace, path: string): string {
  const file = toStorePath(place, path)
  if (file !== undefined) return file
  throw new SkepError('TABLE_INVALID', `the table keeps metadata outside of its folder: ${path}`, { file: path })
}

function damaged(file: string, what: string): SkepError {
  return new SkepError('TABLE_INVALID', `${file} is damaged: ${what}`, { file })
}
