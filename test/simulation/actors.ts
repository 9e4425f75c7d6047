/** What the processes of a simulated warehouse do, and what each of them has to find true. */
import { Catalog, dataLocation, type ManagedTable, type Writer } from '../../src/catalog/catalog.ts'
import { newSchema } from '../../src/catalog/iceberg/schema.ts'
import { newUuid } from '../../src/catalog/sources.ts'
import type { DataFile } from '../../src/catalog/types.ts'
import { parseType } from '../../src/common/data-type.ts'
import { type ErrorCode, isSkepError, type SkepError } from '../../src/errors.ts'
import { vacuum } from '../../src/maintenance/vacuum.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { type Intent, TableWitness } from './witness.ts'
import { type Actor, type Faults, World } from './world.ts'

const schema = newSchema([{ name: 'n', type: parseType('BIGINT') }])
const SETTINGS = {
  commitRetries: 100,
  leaseRenewMs: 200,
  leaseGraceMs: 1000,
  slowCommitMs: 500,
  versionKeepMs: 2000,
  vacuumsKept: 4,
}
const RETRIES = 6

/** Counts of what happened, over all runs. */
export type Tally = Record<string, number>

/** One run: a warehouse, and those who work on it at once. */
export class Scene {
  readonly world: World
  readonly witness: TableWitness
  readonly #tally: Tally
  /** Hosts on which a vacuum runs: from another one a writer that stalls looks dead. */
  readonly #vacuumHosts = new Set<string>()
  readonly #opened = new Map<Actor, { store: ObjectStore; catalog: Catalog }>()
  /** The longest that an actor rests between two things that it does. */
  pauseMs = 150
  #files = 0

  constructor(seed: number, faults: Faults, tally: Tally) {
    this.world = new World(seed, faults)
    this.witness = new TableWitness(this.world.store)
    this.#tally = tally
  }

  #count(what: string): void {
    this.#tally[what] = (this.#tally[what] ?? 0) + 1
  }

  /** True when every vacuum can see that the actor lives. */
  #isSeen({ mark }: Actor): boolean {
    return [...this.#vacuumHosts].every((host) => host === mark.host)
  }

  #blame(text: string): void {
    this.witness.faults.push(text)
  }

  /** The warehouse as an actor has it open, all its life, with what it remembers. */
  open(actor: Actor): { store: ObjectStore; catalog: Catalog } {
    const known = this.#opened.get(actor)
    if (known) return known
    const store = this.world.reach(actor, this.witness)
    const options = { ...SETTINGS, sources: this.world.sources(actor), processes: this.world.processes(actor) }
    const opened = { store, catalog: new Catalog(store, options) }
    this.#opened.set(actor, opened)
    return opened
  }

  /** The life of an actor: so many times what it does, with pauses. It ends when the actor dies. */
  async live(actor: Actor, times: number, act: () => Promise<void>): Promise<void> {
    const { sleep } = this.world.sources(actor)
    const life = async () => {
      for (let k = 0; k < times; k++) {
        await sleep(this.world.random() * this.pauseMs)
        await act()
      }
    }
    await Promise.race([life(), actor.death])
  }

  async write(actor: Actor, name: string, how: { operation: Intent['operation']; lease: boolean }): Promise<void> {
    const { store, catalog } = this.open(actor)
    const kind = how.lease ? how.operation : `${how.operation} without lease`
    const table = await this.#tried(kind, async () => await catalog.loadManaged(name), [
      'TABLE_NOT_FOUND',
      'STORE_UNAVAILABLE',
    ])
    if (!table) return
    let keep = false
    let writer: Writer | undefined
    try {
      if (how.lease) writer = await catalog.openWriter(table)
      const files = await this.#writeFiles(store, table, writer?.id ?? newUuid(this.world.sources(actor)))
      const paths = files.map(({ path }) => path)
      this.witness.intents.set(paths[0]!, { operation: how.operation, files: paths, seen: table.snapshot.id })
      const outcome = await this.#commit(actor, catalog, table, files, { writer, ...how })
      this.#count(`${kind}: ${outcome}`)
      keep = outcome === 'unknown'
    } catch (error) {
      if (!isSkepError(error, 'STORE_UNAVAILABLE')) throw error
      this.#count(`${kind}: failed before its commit`)
    } finally {
      await writer?.end({ keep })
    }
  }

  async #writeFiles(store: ObjectStore, table: { location: string }, prefix: string): Promise<DataFile[]> {
    const files: DataFile[] = []
    for (let k = 0; k <= this.world.random() * 2; k++) {
      const path = `${dataLocation(table)}/${prefix}-${++this.#files}.parquet`
      await store.put(path.slice(store.root.length + 1), new TextEncoder().encode(path))
      const shape = { rows: 1, sizeBytes: 10, specId: 0, partition: [], columns: new Map(), sorted: false }
      files.push({ path, ...shape })
    }
    return files
  }

  /** Commits until it is known what came of it; the files of a commit that did not come about are removed. */
  async #commit(
    actor: Actor,
    catalog: Catalog,
    table: ManagedTable,
    files: DataFile[],
    how: { operation: Intent['operation']; writer: Writer | undefined },
  ): Promise<string> {
    const { writer } = how
    const first = files[0]!.path
    // Without an id of its own a commit cannot be repeated.
    const commitId = this.world.random() < 0.7 ? newUuid(this.world.sources(actor)) : undefined
    const options = { ...(writer && { writer }), ...(commitId !== undefined && { commitId }) }
    for (let attempt = 0; attempt < (commitId === undefined ? 1 : RETRIES); attempt++) {
      try {
        const call =
          how.operation === 'append' ? catalog.append(table, files, options) : catalog.replace(table, files, options)
        const { metadataLocation } = await call
        if (this.witness.commits.get(first) !== 1)
          this.#blame(`${actor.name}: ${first} was acknowledged at ${metadataLocation}`)
        return attempt === 0 ? 'done' : 'looked up or repeated'
      } catch (error) {
        if (!isSkepError(error)) throw error
        if (error.code !== 'STORE_UNAVAILABLE')
          return await this.#refused(actor, catalog, table.uuid, files, how, error)
      }
    }
    return 'unknown'
  }

  async #refused(
    actor: Actor,
    catalog: Catalog,
    uuid: string,
    files: DataFile[],
    { writer }: { writer: Writer | undefined },
    error: SkepError,
  ): Promise<string> {
    if (!['COMMIT_CONFLICT', 'TABLE_NOT_FOUND'].includes(error.code)) throw error
    const isDropped = error.code === 'TABLE_NOT_FOUND' && !this.witness.isTable(uuid)
    const first = files[0]!.path
    if (this.witness.commits.has(first) && !isDropped)
      this.#blame(`${actor.name}: ${first} was refused and is there: ${error.message}`)
    const isHurt = /a vacuum took/.test(error.message)
    if (isHurt && writer && this.#isSeen(actor)) this.#blame(`${actor.name} lives, has a lease and lost its files`)
    await catalog.discard(files)
    return isHurt ? 'files condemned' : `refused: ${error.message.replace(/"\w+"|\d+/g, '…')}`
  }

  /** A first import: files, then the table, then its name. */
  async create(actor: Actor, name: string): Promise<void> {
    const { store, catalog } = this.open(actor)
    const draft = catalog.draft(name, { schema })
    const writer = await this.#tried('create', async () => await catalog.openWriter(draft), ['STORE_UNAVAILABLE'])
    if (!writer) return
    let keep = false
    try {
      const files = await this.#writeFiles(store, draft, writer.id)
      this.witness.intents.set(files[0]!.path, { operation: 'append', files: files.map(({ path }) => path) })
      await catalog.create(draft, files, { writer })
      if (!this.witness.named.has(draft.uuid))
        this.#blame(`${actor.name}: ${draft.uuid} was acknowledged without a name`)
      this.#count('create: done')
    } catch (error) {
      if (!isSkepError(error)) throw error
      keep = error.code === 'STORE_UNAVAILABLE'
      if (!keep && this.witness.named.has(draft.uuid))
        this.#blame(`${actor.name}: ${draft.uuid} was refused and is there`)
      const isHurt = /a vacuum took/.test(error.message)
      if (isHurt && this.#isSeen(actor)) this.#blame(`${actor.name} lives, has a lease and was shut out`)
      if (!['TABLE_EXISTS', 'COMMIT_CONFLICT', 'STORE_UNAVAILABLE'].includes(error.code)) throw error
      this.#count(isHurt ? 'create: shut out' : `create: ${error.code}`)
    } finally {
      await writer.end({ keep })
    }
  }

  async vacuum(actor: Actor, name: string | undefined, olderThanMs: number): Promise<void> {
    const { store } = this.open(actor)
    this.#vacuumHosts.add(actor.mark.host)
    const place = {
      store,
      sources: this.world.sources(actor),
      processes: this.world.processes(actor),
      settings: SETTINGS,
    }
    const expected = ['TABLE_NOT_FOUND', 'STORE_UNAVAILABLE', 'COMMIT_CONFLICT'] as const
    const result = await this.#tried('vacuum', async () => await vacuum(place, name, { olderThanMs }), expected)
    if (result) this.#tally['vacuum: files removed'] = (this.#tally['vacuum: files removed'] ?? 0) + result.total.files
    if (result)
      this.#tally['vacuum: snapshots expired'] =
        (this.#tally['vacuum: snapshots expired'] ?? 0) + result.total.snapshots
  }

  async rollback(actor: Actor, name: string): Promise<void> {
    const { catalog } = this.open(actor)
    const expected = ['TABLE_NOT_FOUND', 'STORE_UNAVAILABLE', 'COMMIT_CONFLICT', 'SNAPSHOT_NOT_FOUND'] as const
    await this.#tried(
      'rollback',
      async () => {
        const history = await catalog.snapshots(name)
        if (history.length > 0) await catalog.rollback(name, this.world.pick(history).id)
      },
      expected,
    )
  }

  async drop(actor: Actor, name: string): Promise<void> {
    const { catalog } = this.open(actor)
    const expected = ['TABLE_NOT_FOUND', 'STORE_UNAVAILABLE', 'COMMIT_CONFLICT'] as const
    await this.#tried('drop', async () => await catalog.drop(name), expected)
  }

  /** Loads a state, then reads its files one after the other: all of one snapshot, or an error. */
  async read(actor: Actor, name: string): Promise<void> {
    const { store, catalog } = this.open(actor)
    const expected = ['TABLE_NOT_FOUND', 'STORE_UNAVAILABLE', 'SNAPSHOT_NOT_FOUND'] as const
    const table = await this.#tried(
      'load',
      async () => {
        const history = this.world.random() < 0.3 ? await catalog.snapshots(name) : []
        const at = history.length > 0 ? { at: { snapshotId: this.world.pick(history).id } } : {}
        return await catalog.loadManaged(name, at)
      },
      expected,
    )
    if (!table) return
    const { id, files } = table.snapshot
    const wanted = this.witness.snapshots.get(`${table.uuid} ${id}`) ?? []
    if (String(files.map(({ path }) => path)) !== String(wanted))
      this.#blame(`${actor.name}: a mixed read of snapshot ${id}`)
    for (const { path } of files) {
      const bytes = await this.#tried('read', async () => await store.read(path.slice(store.root.length + 1)), expected)
      if (bytes === undefined && this.witness.hasSnapshot(table.uuid, id)) {
        this.#blame(`${actor.name}: ${path} of the living snapshot ${id} is gone`)
      }
      if (bytes && new TextDecoder().decode(bytes) !== path) this.#blame(`${actor.name}: ${path} has other bytes`)
    }
    this.#count('read: a whole snapshot, or one that had expired')
  }

  /** The result of a call, or undefined when it ends with one of these errors. */
  async #tried<T>(what: string, call: () => Promise<T>, expected: readonly ErrorCode[]): Promise<T | undefined> {
    try {
      const result = await call()
      this.#count(`${what}: done`)
      return result
    } catch (error) {
      if (!isSkepError(error) || !expected.includes(error.code)) throw error
      this.#count(`${what}: ${error.code}`)
      return undefined
    }
  }
}
