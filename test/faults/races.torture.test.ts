/** Writers that contradict each other: never both. In one process under a seeded order of calls, and as real processes; appends of many at once lose nothing. */
import { icebergRead } from 'icebird'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Catalog, ManagedTable } from '../../src/catalog/catalog.ts'
import { isSkepError } from '../../src/errors.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { seeded } from '../chance.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { atOnce, Member, type Task } from './crew.ts'
import { Interleaving, stormy } from './interleaving.ts'
import { report, Tally } from './tally.ts'
import { fetchFromStores, makeTemplates, newCatalog, schema, showStore, writeRow } from './world.ts'

const seed = tortureSeed()
const tally = new Tally()

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
  vi.stubGlobal('fetch', fetchFromStores)
  showStore(new DiskStore(lab.root))
  await makeTemplates(3)
})
afterAll(async () => {
  vi.unstubAllGlobals()
  await lab.close()
  report(tally, 'races', seed)
})

/** What two writers do at once: `1` and `2` are the rows that they write, `0` is what was there. */
interface Pair {
  name: string
  /** Whether there is a table at first. */
  isThere: boolean
  verbs: [Verb, Verb]
  /** How both may end (`done` or the code of the error), and the rows of the table then; none for no table. */
  ends: Record<string, Rows[]>
}
type Rows = number[] | 'registered' | undefined
type Verb = 'append' | 'replace' | 'drop' | 'create' | 'register'

const PAIRS: readonly Pair[] = [
  {
    name: 'replace and append',
    isThere: true,
    verbs: ['replace', 'append'],
    // An append may follow a replacement; a replacement of what is not current any more is refused.
    ends: { 'done done': [[1, 2]], 'COMMIT_CONFLICT done': [[0, 2]] },
  },
  {
    name: 'append and append',
    isThere: true,
    verbs: ['append', 'append'],
    ends: { 'done done': [[0, 1, 2]] },
  },
  {
    name: 'replace and replace',
    isThere: true,
    verbs: ['replace', 'replace'],
    ends: { 'done COMMIT_CONFLICT': [[1]], 'COMMIT_CONFLICT done': [[2]] },
  },
  {
    name: 'drop and append',
    isThere: true,
    verbs: ['drop', 'append'],
    ends: { 'done done': [undefined], 'done TABLE_NOT_FOUND': [undefined] },
  },
  {
    name: 'drop and replace',
    isThere: true,
    verbs: ['drop', 'replace'],
    ends: { 'done done': [undefined], 'done TABLE_NOT_FOUND': [undefined] },
  },
  {
    name: 'drop and drop',
    isThere: true,
    verbs: ['drop', 'drop'],
    ends: { 'done TABLE_NOT_FOUND': [undefined], 'TABLE_NOT_FOUND done': [undefined] },
  },
  {
    name: 'create and create',
    isThere: false,
    verbs: ['create', 'create'],
    ends: { 'done TABLE_EXISTS': [[1]], 'TABLE_EXISTS done': [[2]] },
  },
  {
    name: 'register and create',
    isThere: false,
    verbs: ['register', 'create'],
    ends: { 'done TABLE_EXISTS': ['registered'], 'TABLE_EXISTS done': [[2]] },
  },
  {
    name: 'drop and create',
    isThere: true,
    verbs: ['drop', 'create'],
    ends: { 'done done': [[2]], 'done TABLE_EXISTS': [undefined] },
  },
]

async function outcome(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'done',
    (error: unknown) => (isSkepError(error) ? error.code : String(error)),
  )
}

/** What a writer does, upon the table as it was before the race. */
const VERBS: Record<
  Verb,
  (catalog: Catalog, store: ObjectStore, row: number, table?: ManagedTable) => Promise<unknown>
> = {
  append: async (catalog, store, row, table) => catalog.append(table!, [await writeRow(store, table!, row)]),
  replace: async (catalog, store, row, table) => catalog.replace(table!, [await writeRow(store, table!, row)]),
  create: async (catalog, store, row) => {
    const draft = catalog.draft('t', { schema })
    await catalog.create(draft, [await writeRow(store, draft, row)])
  },
  drop: (catalog) => catalog.drop('t'),
  register: (catalog, _store, row) => catalog.register('t', { path: `/data/${row}` }),
}

const CALM = { trouble: 0, longest: 0 }
const HEAD_START = 24

/** Two writers in one process, whose calls a seed puts in an order; what came of it. */
async function interleave({ isThere, verbs }: Pair, own: number): Promise<{ end: string; rows: Rows }> {
  const store = new MemoryStore(`memory:race-${own}`)
  if (isThere) await VERBS.create(newCatalog(store, own), store, 0)
  const table = isThere ? await newCatalog(store, own).loadManaged('t') : undefined
  const order = new Interleaving(seeded(own))
  const ends = verbs.map(async (verb, k) => {
    const view = stormy(store, order, CALM)
    const catalog = newCatalog(view, own + k + 1, () => order.turn())
    for (let wait = Math.floor(order.random() * HEAD_START); wait > 0; wait--) await order.turn()
    return await outcome(VERBS[verb](catalog, view, k + 1, table))
  })
  if (!(await order.run(ends))) return { end: 'hung', rows: undefined }
  return { end: (await Promise.all(ends)).join(' '), rows: await rowsOf(newCatalog(store, own), 't') }
}

/** The rows of a table, as the names of its files tell. */
async function rowsOf(catalog: Catalog, name: string): Promise<Rows> {
  const [entry] = (await catalog.tables()).filter((table) => table.name === name)
  if (entry?.kind === 'damaged') throw entry.error
  if (entry?.kind !== 'managed') return entry && 'registered'
  const { snapshot } = await catalog.loadManaged(name)
  return snapshot.files.map(({ path }) => Number(/row-(\d+)\.parquet/.exec(path)![1])).sort((a, b) => a - b)
}

/** Why an end is not one that may be; undefined when it may. */
function problemOf({ ends }: Pair, end: string, rows: Rows): string | undefined {
  const isAllowed = ends[end]?.some((allowed) => JSON.stringify(allowed) === JSON.stringify(rows))
  return isAllowed ? undefined : `${end} with ${JSON.stringify(rows)}`
}

describe('pairs under a seeded order', () => {
  test.each(PAIRS)('$name', { timeout: tortureTimeout(120_000) }, async (pair) => {
    const ends = new Set<string>()
    for (let k = 0; k < runs(20, 500); k++) {
      const own = seed + PAIRS.indexOf(pair) * 100_000 + k * 10
      const { end, rows } = await interleave(pair, own)
      ends.add(end)
      const problem = problemOf(pair, end, rows)
      const result = end === 'hung' ? 'hung' : problem === undefined ? 'right' : 'wrong'
      tally.add(`${pair.name}, seeded: ${end}`, result, `seed ${own}: ${problem}`)
    }
    expect(tally.takeFailures()).toEqual([])
    expect([...ends].sort()).toEqual(Object.keys(pair.ends).sort())
  })
})

describe('real processes', () => {
  const crew: Member[] = []
  const CREW = 8

  beforeAll(() => {
    crew.push(...Array.from({ length: CREW + 1 }, () => new Member(lab.root)))
  })
  afterAll(async () => {
    await Promise.all(crew.map((member) => member.close()))
  })

  const source = (row: number, rows = 1) => lab.write(`SELECT ${row}::BIGINT + i AS k FROM range(${rows}) t(i)`)

  /** A writer's part of a pair as a warehouse does it; an import creates a table that is not there. */
  function taskOf(verb: Verb, table: string, path: string): Task {
    if (verb === 'drop') return { verb, table }
    if (verb === 'register') return { verb, table, path: path.replace(/[^/]*$/, '') }
    return { verb: 'import', table, path, options: { replace: verb === 'replace' } }
  }

  /** Rows of a table by DuckDB, over the files that the catalog lists. */
  async function judgedRows(table: string): Promise<Rows> {
    const catalog = newCatalog(new DiskStore(lab.root), 1)
    const [entry] = (await catalog.tables()).filter(({ name }) => name === table)
    if (entry?.kind === 'damaged') throw entry.error
    if (entry?.kind !== 'managed') return entry && 'registered'
    const files = (await catalog.loadManaged(table)).snapshot.files.map(({ path }) => `'${path}'`)
    return (await lab.judge(`SELECT k FROM read_parquet([${files}]) ORDER BY k`)).map(([k]) => Number(k))
  }

  /** One of a pair may begin when the other has ended; an import of a table that is not there makes it. */
  const WAREHOUSE_PAIRS: readonly Pair[] = [
    {
      name: 'replace and append',
      isThere: true,
      verbs: ['replace', 'append'],
      ends: { 'done done': [[1, 2], [1]], 'COMMIT_CONFLICT done': [[0, 2]] },
    },
    {
      name: 'replace and replace',
      isThere: true,
      verbs: ['replace', 'replace'],
      ends: { 'done COMMIT_CONFLICT': [[1]], 'COMMIT_CONFLICT done': [[2]], 'done done': [[1], [2]] },
    },
    {
      name: 'drop and append',
      isThere: true,
      verbs: ['drop', 'append'],
      ends: { 'done done': [undefined, [2]], 'done TABLE_NOT_FOUND': [undefined] },
    },
    {
      name: 'drop and replace',
      isThere: true,
      verbs: ['drop', 'replace'],
      ends: { 'done done': [undefined, [2]], 'done TABLE_NOT_FOUND': [undefined] },
    },
    PAIRS.find(({ name }) => name === 'drop and drop')!,
    {
      name: 'first import and first import',
      isThere: false,
      verbs: ['append', 'append'],
      ends: { 'done done': [[1, 2]] },
    },
    {
      name: 'first import that replaces, twice',
      isThere: false,
      verbs: ['replace', 'replace'],
      ends: { 'done COMMIT_CONFLICT': [[1]], 'COMMIT_CONFLICT done': [[2]], 'done done': [[1], [2]] },
    },
    {
      name: 'register and first import',
      isThere: false,
      verbs: ['register', 'append'],
      ends: { 'done TABLE_KIND': ['registered'], 'TABLE_EXISTS done': [[2]] },
    },
  ]

  test('pairs', { timeout: tortureTimeout(120_000) }, async () => {
    const sources = [await source(0), await lab.write('SELECT 1::BIGINT AS k', 'one/1.parquet'), await source(2)]
    for (let round = 0; round < runs(1, 20); round++) {
      for (const [p, pair] of WAREHOUSE_PAIRS.entries()) {
        const table = `pair_${p}_${round}`
        if (pair.isThere) await lab.warehouse.import(table, [sources[0]!])
        const tasks = pair.verbs.map((verb, k) => taskOf(verb, table, sources[k + 1]!))
        const end = (await atOnce(crew, tasks)).map((answer) => answer.outcome).join(' ')
        const problem = problemOf(pair, end, await judgedRows(table))
        tally.add(`${pair.name}, processes: ${end}`, problem === undefined ? 'right' : 'wrong', problem)
      }
    }
    expect(tally.takeFailures()).toEqual([])
  })

  const EACH = runs(6, 100)
  const ROWS = 3
  test(`${CREW} processes with ${EACH} appends each, and a reader`, { timeout: tortureTimeout(120_000) }, async () => {
    await lab.warehouse.import('crowd', [await source(-ROWS, ROWS)])
    const paths: string[][] = []
    for (let w = 0; w < CREW; w++) {
      const own = Array.from({ length: EACH }, (_, i) => source((w * EACH + i) * ROWS, ROWS))
      paths.push(await Promise.all(own))
    }
    const reader = crew[CREW]!
    const reading = reader.do({ verb: 'read', table: 'crowd' })
    const started = performance.now()
    const answers = await atOnce(
      crew,
      paths.map((own) => ({ verb: 'imports', table: 'crowd', paths: own })),
    )
    const seconds = (performance.now() - started) / 1000
    await reader.do({ verb: 'stop reading', table: 'crowd' })
    const read = await reading
    expect(answers.map((answer) => answer.outcome)).toEqual(answers.map(() => 'done'))
    expect(read).toMatchObject({ outcome: 'done' })
    expect((read.details as { reads: number }).reads).toBeGreaterThan(2)
    const wanted = Array.from({ length: (CREW * EACH + 1) * ROWS }, (_, k) => k - ROWS)
    expect(await judgedRows('crowd')).toEqual(wanted)
    expect(await lab.warehouse.snapshots('crowd')).toHaveLength(CREW * EACH + 1)
    tally.add(`appends of ${CREW} processes (${seconds.toFixed(0)} s)`, 'right', '', CREW * EACH)
    tally.add('reads beside them', 'right', '', (read.details as { reads: number }).reads)
    await expectSeenByOthers(wanted)
  })

  /** The independent reader finds the same rows. */
  async function expectSeenByOthers(wanted: number[]): Promise<void> {
    const store = new DiskStore(lab.root)
    const { location, metadataLocation } = await newCatalog(store, 1).loadManaged('crowd')
    const rows = await icebergRead({ tableUrl: location, metadataFileName: metadataLocation.split('/').at(-1)! })
    expect(rows.map(({ k }) => Number(k)).sort((a, b) => a - b)).toEqual(wanted)
  }
})
