/** Sees every change of a simulated warehouse as it takes effect, and says when one must not be. */
import {
  currentSnapshot,
  isDropped,
  parseMetadata,
  schemaOf,
  type TableMetadata,
} from '../../src/catalog/iceberg/metadata.ts'
import type { TablePlace } from '../../src/catalog/iceberg/place.ts'
import { SnapshotReader } from '../../src/catalog/iceberg/snapshot-reader.ts'
import { isSkepError } from '../../src/errors.ts'
import type { MemoryStore } from '../../src/storage/memory-store.ts'
import type { Witness } from './world.ts'

/** What an actor is about to commit. */
export interface Intent {
  operation: 'append' | 'overwrite'
  files: string[]
  /** The snapshot that a replacement is to follow. */
  seen?: number | undefined
}

interface State {
  version: number
  metadata: TableMetadata
  /** All paths that the snapshots of the newest version consist of. */
  live: Set<string>
  /** False when some of them could not be read. */
  isWhole: boolean
}

export class TableWitness implements Witness {
  /** What was seen to be wrong, the first fault first. */
  readonly faults: string[] = []
  /** By the first of their files. */
  readonly intents = new Map<string, Intent>()
  /** How often a commit came to be, by the first of its files. */
  readonly commits = new Map<string, number>()
  /** Data files of every snapshot that ever was, by table and id. */
  readonly snapshots = new Map<string, string[]>()
  /** Tables that a name has led to. */
  readonly named = new Set<string>()
  readonly #states = new Map<string, State>()
  readonly #names = new Map<string, { version: number; uuid: string | undefined }>()
  readonly #store: MemoryStore
  readonly #reader: SnapshotReader

  constructor(store: MemoryStore) {
    this.#store = store
    this.#reader = new SnapshotReader(store)
  }

  async created(path: string): Promise<void> {
    const version = /^tables\/([^/]+)\/metadata\/v(\d+)\.metadata\.json$/.exec(path)
    if (version) await this.#versionCreated(version[1]!, Number(version[2]), path)
    const name = /^names\/([^/]+)\/v(\d+)\.json$/.exec(path)
    if (name) await this.#nameCreated(name[1]!, Number(name[2]), path)
  }

  deleting(path: string): void {
    const uuid = path.split('/')[1]!
    const state = this.#states.get(uuid)
    if (state === undefined || !this.isTable(uuid)) return
    if (state.live.has(path)) this.#fault(`${path} is deleted, which v${state.version} needs`)
    if (path.endsWith(`/v${state.version}.metadata.json`))
      this.#fault(`${path} is deleted, which is the newest version`)
  }

  /** True for a table that a name leads to and that is not dropped. */
  isTable(uuid: string): boolean {
    const state = this.#states.get(uuid)
    return [...this.#names.values()].some((name) => name.uuid === uuid) && !!state && !isDropped(state.metadata)
  }

  /** True while the newest version of a table has that snapshot. */
  hasSnapshot(uuid: string, id: number | undefined): boolean {
    const found = this.#states.get(uuid)?.metadata.snapshots ?? []
    return this.isTable(uuid) && found.some((snapshot) => snapshot['snapshot-id'] === id)
  }

  /** All that a folder may still have when nobody is at work: what its newest version needs. */
  needs(uuid: string, path: string): boolean {
    const state = this.#states.get(uuid)!
    return state.live.has(path) || JSON.stringify(state.metadata).includes(path.split('/').at(-1)!)
  }

  #fault(text: string): void {
    this.faults.push(text)
  }

  async #nameCreated(name: string, version: number, path: string): Promise<void> {
    const bytes = (await this.#store.read(path))!
    const { uuid } = JSON.parse(new TextDecoder().decode(bytes)) as { uuid?: string }
    const before = this.#names.get(name)
    if (version !== (before?.version ?? 0) + 1) this.#fault(`${path} follows version ${before?.version}`)
    this.#names.set(name, { version, uuid })
    if (uuid === undefined || uuid === before?.uuid) return
    if (this.named.has(uuid)) this.#fault(`${uuid} is named again`)
    this.named.add(uuid)
    await this.#requireFiles(uuid, `${path} names it`)
  }

  async #versionCreated(uuid: string, version: number, path: string): Promise<void> {
    const before = this.#states.get(uuid)
    // An old number that vacuum had removed: nobody may be told that this was a commit.
    if (before && version <= before.version) return
    if (version !== (before?.version ?? 0) + 1) this.#fault(`${path} follows version ${before?.version}`)
    const metadata = parseMetadata((await this.#store.read(path))!, path)
    const place = { root: this.#store.root, folder: `tables/${uuid}`, location: metadata.location }
    // Before it has a name, a table may well be torn down while its maker goes on.
    const read = isDropped(metadata) ? new Set<string>() : await this.#paths(metadata, place)
    this.#states.set(uuid, { version, metadata, live: read ?? new Set(), isWhole: read !== undefined })
    if (isDropped(metadata)) return
    if (this.named.has(uuid)) await this.#requireFiles(uuid, path)
    if (read === undefined) return
    for (const snapshot of metadata.snapshots ?? []) {
      const key = `${uuid} ${snapshot['snapshot-id']}`
      if (this.snapshots.has(key)) continue
      const files = await this.#reader.files(metadata, snapshot, schemaOf(metadata, snapshot['schema-id']), place)
      this.snapshots.set(
        key,
        files.map((file) => file.path),
      )
      this.#snapshotAdded(uuid, path, before?.metadata, metadata)
    }
    this.#requireHistory(uuid, path, before?.metadata, metadata)
  }

  async #paths(metadata: TableMetadata, place: TablePlace): Promise<Set<string> | undefined> {
    return await this.#reader.paths(metadata.snapshots ?? [], place).catch((error: unknown) => {
      if (isSkepError(error, 'TABLE_INVALID')) return undefined
      throw error
    })
  }

  async #requireFiles(uuid: string, what: string): Promise<void> {
    if (this.#states.get(uuid)?.isWhole !== true) this.#fault(`${what}: it cannot be read`)
    for (const path of this.#states.get(uuid)?.live ?? []) {
      if (!(await this.#store.stat(path))) this.#fault(`${what}: ${path} is needed and was deleted`)
    }
  }

  #filesOf(uuid: string, metadata: TableMetadata | undefined): string[] {
    const id = metadata && currentSnapshot(metadata)?.['snapshot-id']
    return this.snapshots.get(`${uuid} ${id}`) ?? []
  }

  #snapshotAdded(uuid: string, path: string, before: TableMetadata | undefined, after: TableMetadata): void {
    const old = this.#filesOf(uuid, before)
    const files = this.#filesOf(uuid, after)
    const first = files.find((file) => this.intents.has(file) && !old.includes(file))
    if (first === undefined) {
      this.#fault(`${path}: nobody made this commit, or it is there twice`)
      return
    }
    this.commits.set(first, (this.commits.get(first) ?? 0) + 1)
    if (this.commits.get(first)! > 1) this.#fault(`${path}: the commit of ${first} is there twice`)
    const { operation, files: own, seen } = this.intents.get(first)!
    const wanted = [...(operation === 'append' ? old : []), ...own].sort()
    if (String(wanted) !== String(files.toSorted())) this.#fault(`${path}: the files are others`)
    const current = before && currentSnapshot(before)?.['snapshot-id']
    if (operation === 'overwrite' && current !== seen) this.#fault(`${path} replaces what it had not seen`)
  }

  /** The current snapshot is a new one, the one it was, or an earlier one. */
  #requireHistory(uuid: string, path: string, before: TableMetadata | undefined, after: TableMetadata): void {
    if (before === undefined) return
    const ids = new Set((before.snapshots ?? []).map((snapshot) => snapshot['snapshot-id']))
    const added = (after.snapshots ?? []).filter((snapshot) => !ids.has(snapshot['snapshot-id']))
    if (added.length > 1) this.#fault(`${path} adds two snapshots`)
    if (added.length === 1 && after['current-snapshot-id'] !== added[0]!['snapshot-id']) {
      this.#fault(`${path}: the new snapshot is not current`)
    }
    if (added.length === 0 && !ids.has(after['current-snapshot-id'] ?? -1) && this.#filesOf(uuid, before).length > 0) {
      this.#fault(`${path}: the current snapshot came from nowhere`)
    }
  }
}
