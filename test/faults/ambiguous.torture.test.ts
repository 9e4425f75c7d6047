/** Commits whose replies are lost, or that arrive late, while others write: each is in the history once, or was reported as unknown; no live file is gone. */
import { afterAll, describe, expect, test } from 'vitest'
import { type Catalog, dataLocation } from '../../src/catalog/catalog.ts'
import type { DataFile, SnapshotInfo } from '../../src/catalog/types.ts'
import { isSkepError } from '../../src/errors.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { seeded } from '../chance.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { Interleaving, stormy, type Weather } from './interleaving.ts'
import { report, Tally } from './tally.ts'
import { newCatalog, schema } from './world.ts'

const seed = tortureSeed()
const tally = new Tally()
afterAll(() => report(tally, 'unknown outcomes', seed))

const COMMIT_ID = 'skep.commit-id'
const WEATHER: Weather = { trouble: 0.08, longest: 24 }

/** One run of several writers over one store. */
class Simulation {
  readonly store = new MemoryStore()
  readonly order: Interleaving
  /** What each commit (or creation) was said to have come to; `unknown` once, unknown until a success. */
  readonly said = new Map<string, 'done' | 'failed' | 'unknown'>()
  readonly errors: unknown[] = []
  doubts = 0
  #processes = 0
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed
    this.order = new Interleaving(seeded(seed))
  }

  draw(below: number): number {
    return Math.floor(this.order.random() * below)
  }

  /** Another process: its own catalog and its own view of the store. */
  process(weather = WEATHER): { catalog: Catalog; store: ObjectStore; close(): void } {
    const store = stormy(this.store, this.order, weather)
    const catalog = newCatalog(store, this.#seed * 1000 + ++this.#processes, () => this.order.turn())
    return { catalog, store, close: () => (this.doubts += store.doubts) }
  }

  /** Runs one attempt of a commit, as a process would, and notes what it was said to be; true when it may be repeated. */
  async attempt(id: string, run: (catalog: Catalog, store: ObjectStore) => Promise<void>): Promise<boolean> {
    const { catalog, store, close } = this.process()
    try {
      await run(catalog, store)
      this.said.set(id, 'done')
      return false
    } catch (error) {
      if (!isSkepError(error)) this.errors.push(error)
      const isUnknown = isSkepError(error, 'STORE_UNAVAILABLE') && error.details.outcome === 'unknown'
      if (isUnknown) this.said.set(id, 'unknown')
      else if (!this.said.has(id)) this.said.set(id, 'failed')
      return isSkepError(error, 'STORE_UNAVAILABLE')
    } finally {
      close()
    }
  }

  /** Repeats an attempt for as long as it may be and somebody cares. */
  async persist(id: string, run: (catalog: Catalog, store: ObjectStore, attempt: number) => Promise<void>) {
    for (let k = 0; (await this.attempt(id, (catalog, store) => run(catalog, store, k))) && k < 4; k++) {
      if (this.draw(4) === 0) return
    }
  }
}

async function writeFile(store: ObjectStore, table: { location: string }, name: string): Promise<DataFile> {
  const path = `${dataLocation(table)}/${name}.parquet`
  await store.put(path.slice(store.root.length + 1), new Uint8Array(4))
  return { path, rows: 1, sizeBytes: 4, specId: 0, partition: [], columns: new Map(), sorted: false }
}

/** A commit to a table as an import makes it: its files go when it is known not to have happened, or to have happened before. */
async function commit(
  catalog: Catalog,
  store: ObjectStore,
  how: 'append' | 'replace',
  commitId: string,
  attempt: number,
) {
  const table = await catalog.loadManaged('t')
  const files = [await writeFile(store, table, `${commitId}.${attempt}`)]
  try {
    const { repeated } = await catalog[how](table, files, { commitId })
    if (repeated) await catalog.discard(files)
  } catch (error) {
    if (!isSkepError(error, 'STORE_UNAVAILABLE')) await catalog.discard(files)
    throw error
  }
}

async function makeTable({ store }: Simulation): Promise<void> {
  const catalog = newCatalog(store, 5)
  const draft = catalog.draft('t', { schema })
  await catalog.create(draft, [await writeFile(store, draft, 'first.0')], { commitId: 'first' })
}

/** What is wrong with the history of a table, given what was said of each commit. */
async function checkHistory(simulation: Simulation): Promise<string[]> {
  const { store, said } = simulation
  const catalog = newCatalog(store, 6)
  const history = await catalog.snapshots('t')
  const ids = history.map(({ summary }) => summary[COMMIT_ID]!)
  const problems = [...said].flatMap(([id, outcome]) => {
    const times = ids.filter((other) => other === id).length
    const right = outcome === 'unknown' ? times <= 1 : times === (outcome === 'done' ? 1 : 0)
    return right ? [] : [`${id} was said to be ${outcome} and is there ${times} times`]
  })
  return [...problems, ...(await checkFiles(store, catalog, history))]
}

/** Every snapshot has the files of its parent and its own, or only its own, and all of them exist. */
async function checkFiles(store: ObjectStore, catalog: Catalog, history: readonly SnapshotInfo[]): Promise<string[]> {
  const problems: string[] = []
  let parent: string[] = []
  for (const { id, operation, summary } of history) {
    const { files } = (await catalog.loadManaged('t', { at: { snapshotId: id } })).snapshot
    const names = files.map(({ path }) => path.replace(/.*\/(.*)\.\d+\.parquet/, '$1')).sort()
    const wanted = [...(operation === 'append' ? parent : []), summary[COMMIT_ID]!].sort()
    if (names.join() !== wanted.join()) problems.push(`${summary[COMMIT_ID]} has ${names}, not ${wanted}`)
    for (const { path } of files) {
      if (!(await store.stat(path.slice(store.root.length + 1)))) problems.push(`${path} is gone`)
    }
    parent = names
  }
  return problems
}

/** Commits of several writers to one table, with a reader among them. */
async function commits(simulation: Simulation): Promise<string[]> {
  await makeTable(simulation)
  const writers = Array.from({ length: 2 + simulation.draw(3) }, async (_, writer) => {
    for (let k = 0; k < 1 + simulation.draw(3); k++) {
      const how = simulation.draw(4) === 0 ? 'replace' : 'append'
      const id = `w${writer}-${k}`
      await simulation.persist(id, (catalog, store, attempt) => commit(catalog, store, how, id, attempt))
    }
  })
  const reader = simulation.process({ trouble: 0, longest: 0 })
  const reading = async () => {
    for (let k = 0; k < 5; k++) {
      const { snapshot } = await reader.catalog.loadManaged('t')
      const info = (await reader.catalog.snapshots('t')).find(({ id }) => id === snapshot.id)!
      if (String(snapshot.files.length) !== info.summary['total-data-files']) throw new Error('a mixed read')
    }
  }
  const ended = await simulation.order.run([...writers, reading().catch((error) => simulation.errors.push(error))])
  return ended ? await checkHistory(simulation) : ['hung']
}

/** Several tables and a folder want one name; a draft is tried again as long as its outcome is unknown. */
async function creations(simulation: Simulation): Promise<string[]> {
  const creators = ['a', 'b'].map(async (id, k) => {
    const draft = newCatalog(simulation.store, 50 + k).draft('t', { schema })
    const make = async (catalog: Catalog, store: ObjectStore) => {
      const files = [await writeFile(store, draft, `${id}.0`)]
      await catalog.create(draft, files, { commitId: id })
    }
    await simulation.persist(id, make)
  })
  const register = simulation.attempt('r', (catalog) => catalog.register('t', { path: '/r' }))
  if (!(await simulation.order.run([...creators, register]))) return ['hung']
  const { said, store } = simulation
  const catalog = newCatalog(store, 6)
  const [entry] = await catalog.tables()
  const done = [...said].filter(([, outcome]) => outcome === 'done').map(([id]) => id)
  const open = [...said].filter(([, outcome]) => outcome === 'unknown').map(([id]) => id)
  if (!entry) return done.length > 0 ? [`${done} is gone`] : []
  const owner = entry.kind === 'registered' ? 'r' : (await catalog.snapshots('t'))[0]!.summary[COMMIT_ID]!
  const problems = [...done, ...open].includes(owner) ? [] : [`${owner} has the name, and was said to have failed`]
  if (done.some((id) => id !== owner)) problems.push(`${done} were said to be done, and ${owner} has the name`)
  if (owner !== 'r') problems.push(...(await checkFiles(store, catalog, await catalog.snapshots('t'))))
  return problems
}

/** Writers and droppers of one table. */
async function drops(simulation: Simulation): Promise<string[]> {
  await makeTable(simulation)
  const writers = [0, 1].map((writer) =>
    simulation.persist(`w${writer}`, (catalog, store, attempt) =>
      commit(catalog, store, 'append', `w${writer}`, attempt),
    ),
  )
  const droppers = [0, 1].map((k) => simulation.attempt(`d${k}`, (catalog) => catalog.drop('t')))
  if (!(await simulation.order.run([...writers, ...droppers]))) return ['hung']
  const dropped = ['d0', 'd1'].map((id) => simulation.said.get(id))
  const isThere = (await newCatalog(simulation.store, 6).tables()).length > 0
  if (dropped.includes('done')) return isThere ? ['a dropped table is there'] : []
  if (!isThere) return dropped.includes('unknown') ? [] : ['a table is gone that nobody dropped']
  simulation.said.delete('d0')
  simulation.said.delete('d1')
  return await checkHistory(simulation)
}

const KINDS = [
  { name: 'commits', run: commits, count: runs(100, 2000) },
  { name: 'creations', run: creations, count: runs(60, 1000) },
  { name: 'drops', run: drops, count: runs(40, 600) },
]

describe.each(KINDS)('$name in doubt', ({ name, run, count }) => {
  test(`${count} of them`, { timeout: tortureTimeout(120_000) }, async () => {
    let doubts = 0
    for (let k = 0; doubts < count; k++) {
      const own = seed + k
      const simulation = new Simulation(own)
      const problems = await run(simulation).catch((error: unknown) => [String(error)])
      problems.push(...simulation.errors.map(String))
      doubts += simulation.doubts
      const outcome = problems.length === 0 ? 'right' : problems[0] === 'hung' ? 'hung' : 'wrong'
      tally.add(`${name}, replies lost`, outcome, `seed ${own}: ${problems}`, simulation.doubts)
      for (const said of simulation.said.values()) tally.add(`${name}, said to be ${said}`, outcome)
    }
    expect(tally.takeFailures()).toEqual([])
  })
})
