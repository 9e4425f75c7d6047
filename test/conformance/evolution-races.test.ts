/** Imports and alterations that race: no value ever comes under a wrong column, and what can be combined is. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Catalog, dataLocation } from '../../src/catalog/catalog.ts'
import { evolveSchema } from '../../src/catalog/iceberg/evolution.ts'
import { newSchema } from '../../src/catalog/iceberg/schema.ts'
import type { Sources } from '../../src/catalog/sources.ts'
import type { DataFile } from '../../src/catalog/types.ts'
import { primitive } from '../../src/common/data-type.ts'
import { SkepError } from '../../src/errors.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { runs } from '../torture.ts'
import { failure, type Lab, openLab, strays } from './import-lab.ts'
import { type OtherJob, OtherWriter, runProcesses } from './other-writer.ts'
import type { Job } from './races-child.ts'

let lab: Lab
let other: OtherWriter

beforeAll(async () => {
  lab = await openLab()
  other = new OtherWriter(lab.root)
})

afterAll(async () => {
  await other.close()
  await lab.close()
})

type Theirs = Omit<OtherJob, 'table'>

const alters = (options: object): Theirs => ({ verb: 'alter', path: '', options })
const imports = async (sql: string, options: object = {}): Promise<Theirs> => ({
  verb: 'import',
  path: await lab.write(sql),
  options,
})

const FIRST = `SELECT 1 AS a, 'x' AS b, 10 AS c`
const OURS = `SELECT 2 AS a, 'y' AS b, 20 AS c`

interface Race {
  name: string
  ours?: string
  replace?: boolean
  theirs: () => Promise<Theirs[]>
  rows?: object[]
  code?: string
}

const RACES: Race[] = [
  {
    name: 'a column of ours is renamed',
    theirs: async () => [alters({ rename: { c: 'd' } })],
    rows: [
      { a: 1, b: 'x', d: 10 },
      { a: 2, b: 'y', d: 20 },
    ],
  },
  {
    name: 'columns of one type swap their names',
    theirs: async () => [alters({ rename: { a: 'c', c: 'a' } })],
    rows: [
      { c: 1, b: 'x', a: 10 },
      { c: 2, b: 'y', a: 20 },
    ],
  },
  {
    name: 'a column of ours is widened',
    theirs: async () => [alters({ widen: { a: 'BIGINT' } })],
    rows: [
      { a: 1, b: 'x', c: 10 },
      { a: 2, b: 'y', c: 20 },
    ],
  },
  {
    name: 'a column of ours is dropped: ours brings a new one',
    theirs: async () => [alters({ drop: ['c'] })],
    rows: [
      { a: 1, b: 'x', c: null },
      { a: 2, b: 'y', c: 20 },
    ],
  },
  {
    name: 'a column of ours is dropped, and another takes its name',
    theirs: async () => [alters({ drop: ['c'], rename: { a: 'c' } })],
    rows: [
      { c: 1, b: 'x', a: null },
      { c: 20, b: 'y', a: 2 },
    ],
  },
  {
    name: 'a column comes back under its name with another type',
    theirs: async () => [alters({ drop: ['b'] }), await imports('SELECT 3 AS a, 30 AS c, 5 AS b')],
    code: 'SCHEMA_MISMATCH',
  },
  {
    name: 'both add the same column',
    ours: 'SELECT 2 AS a, 7 AS d',
    theirs: async () => [await imports('SELECT 3 AS a, 8 AS d')],
    rows: [
      { a: 1, b: 'x', c: 10, d: null },
      { a: 2, b: null, c: null, d: 7 },
      { a: 3, b: null, c: null, d: 8 },
    ],
  },
  {
    name: 'both add columns, of one name and of others',
    ours: `SELECT 2 AS a, 7::INTEGER AS d, 'o' AS e`,
    theirs: async () => [await imports(`SELECT 3 AS a, 't' AS f, 8::BIGINT AS d`)],
    rows: [
      { a: 1, b: 'x', c: 10, f: null, d: null, e: null },
      { a: 2, b: null, c: null, f: null, d: 7, e: 'o' },
      { a: 3, b: null, c: null, f: 't', d: 8, e: null },
    ],
  },
  {
    name: 'both widen',
    ours: 'SELECT 3000000000 AS a',
    theirs: async () => [await imports('SELECT 4000000000 AS a, 4000000000 AS c')],
    rows: [
      { a: 1, b: 'x', c: 10 },
      { a: 3_000_000_000, b: null, c: null },
      { a: 4_000_000_000, b: null, c: 4_000_000_000 },
    ],
  },
  {
    name: 'theirs adds a column and drops it: its id is not given again',
    ours: 'SELECT 2 AS a, 7 AS d',
    theirs: async () => [await imports('SELECT 3 AS a, 99 AS z'), alters({ drop: ['z'] })],
    rows: [
      { a: 1, b: 'x', c: 10, d: null },
      { a: 2, b: null, c: null, d: 7 },
      { a: 3, b: null, c: null, d: null },
    ],
  },
  {
    name: 'both add a column, of types that do not go together',
    ours: `SELECT 2 AS a, 'text' AS d`,
    theirs: async () => [await imports('SELECT 3 AS a, 8 AS d')],
    code: 'SCHEMA_MISMATCH',
  },
  {
    name: 'ours replaces, with a new column, what theirs only renamed',
    ours: 'SELECT 2 AS a, 7 AS d',
    replace: true,
    theirs: async () => [alters({ rename: { c: 'd' } })],
    rows: [{ a: 2, b: null, d: 7 }],
  },
  {
    name: 'ours replaces what theirs added columns to',
    ours: 'SELECT 2 AS a, 7 AS d',
    replace: true,
    theirs: async () => [await imports('SELECT 3 AS a, 8 AS d')],
    code: 'COMMIT_CONFLICT',
  },
  {
    name: 'theirs drops the table',
    ours: 'SELECT 2 AS a, 7 AS d',
    theirs: async () => [alters({ rename: { a: 'q' } }), { verb: 'drop', path: '', options: {} }],
    code: 'TABLE_NOT_FOUND',
  },
]

describe('an import stands before its commit, and', () => {
  test.for(RACES)('$name', async ({ name, ours = OURS, replace = false, theirs, rows, code }) => {
    const table = `race_${RACES.findIndex((race) => race.name === name)}`
    await lab.warehouse.import(table, [await lab.write(FIRST)])
    const path = await lab.write(ours)
    const jobs = (await theirs()).map((job) => ({ table, ...job }))
    const racing = lab.warehouse.import(table, [path], { replace, ...other.meanwhile(...jobs) })
    if (code) expect((await failure(() => racing)).code).toBe(code)
    else {
      await racing
      const found = (await lab.warehouse.sql(`FROM ${table}`)).rows
      const printed = (list: readonly object[]) => list.map((row) => JSON.stringify(row)).toSorted()
      expect(printed(found)).toEqual(printed(rows!))
    }
    await expectNoStrays()
  })
})

const expectNoStrays = async () => expect(await strays(lab)).toEqual([])

test('processes that all add columns at once all get theirs', async () => {
  await lab.warehouse.import('crowd', [await lab.write('SELECT -1 AS k')])
  const jobs = await Promise.all(
    [0, 1, 2, 3].map(async (k) => {
      const path = await lab.write(
        `SELECT ${k} AS k, ${k}0 AS own${k}, ${k}00::${k % 2 ? 'INTEGER' : 'BIGINT'} AS shared`,
      )
      return { root: lab.root, table: 'crowd', verb: 'import', path, options: {} } satisfies Job
    }),
  )
  expect(await runProcesses(jobs)).toEqual(jobs.map(() => 'done'))
  const { rows } = await lab.warehouse.sql('SELECT k, own0, own1, own2, own3, shared FROM crowd ORDER BY k')
  const own = (k: number) => Object.fromEntries([0, 1, 2, 3].map((j) => [`own${j}`, j === k ? k * 10 : null]))
  expect(rows).toEqual([-1, 0, 1, 2, 3].map((k) => ({ k, ...own(k), shared: k < 0 ? null : k * 100 })))
  await expectNoStrays()
})

/** Reproducible chance; time does not pass by itself. */
function seeded(seed: number): Sources {
  let state = seed * 2_654_435_761
  let now = 1_000
  return {
    now: () => ++now,
    sleep: async () => {
      await new Promise((done) => setImmediate(done))
    },
    random: () => {
      state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0
      return (state >>> 0) / 2 ** 32
    },
  }
}

/** A store that loses replies, before or after the write. */
class LossyStore extends MemoryStore {
  readonly #chance: () => number
  constructor(chance: () => number) {
    super()
    this.#chance = chance
  }
  override async putIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const drawn = this.#chance()
    if (drawn < 0.2) throw new SkepError('STORE_UNAVAILABLE', 'lost before', { path })
    const done = await super.putIfAbsent(path, bytes)
    if (drawn < 0.4) throw new SkepError('STORE_UNAVAILABLE', 'lost after', { path })
    return done
  }
}

/** A store in which something else happens right before the next write of a version. */
class InterruptedStore extends MemoryStore {
  interrupt: (() => Promise<void>) | undefined
  override async putIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const { interrupt } = this
    this.interrupt = undefined
    await interrupt?.()
    return await super.putIfAbsent(path, bytes)
  }
}

const COLUMNS = ['a', 'b', 'c'].map((name) => ({ name, type: primitive('INTEGER') }))

describe('alterations', () => {
  test('that race all come about, each once, whatever replies are lost', async () => {
    for (let seed = 1; seed <= runs(20, 1000); seed++) {
      const sources = seeded(seed)
      const store = new LossyStore(sources.random)
      const catalog = new Catalog(store, { sources, commitRetries: 100 })
      const draft = catalog.draft('t', { schema: newSchema(COLUMNS) })
      for (;;) if (await retried(() => catalog.create(draft, [])).catch(() => undefined)) break
      const work = [
        { rename: { a: 'x' } },
        { widen: { b: 'BIGINT' } },
        { drop: ['c'] },
        { comment: 'of all' },
        { comments: { b: 'of b' } },
      ]
      const writers = work.map((alteration, k) =>
        retried(() => new Catalog(store, { sources, commitRetries: 100 }).alter('t', alteration, { commitId: `${k}` })),
      )
      await Promise.all(writers)
      const table = await catalog.loadManaged('t')
      expect([seed, table.schema.columns]).toEqual([
        seed,
        [
          { id: 1, name: 'x', type: primitive('INTEGER'), required: false },
          { id: 2, name: 'b', type: primitive('BIGINT'), required: false, comment: 'of b' },
        ],
      ])
      expect([seed, table.comment]).toEqual([seed, 'of all'])
      const log = JSON.parse(table.properties['skep.schema-log']!) as { 'commit-id': string }[]
      expect([seed, log.map((entry) => entry['commit-id']).toSorted()]).toEqual([seed, ['0', '1', '2', '3', '4']])
    }
  })

  /** As a caller does whose call ended as unknown: again, with the same id. */
  async function retried<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if ((error as SkepError).code !== 'STORE_UNAVAILABLE') throw error
      }
    }
  }

  const open = () => new Catalog(new MemoryStore(), { sources: seeded(1), commitRetries: 100 })

  test.for([
    ['the same column was renamed', { rename: { a: 'y' } }],
    ['the same column was dropped', { drop: ['a'] }],
    ['another column took the name', { rename: { b: 'x' } }],
    ['another column took the old name', { rename: { a: 'z', b: 'a' } }],
  ] as const)('end as a conflict when %s meanwhile', async ([, theirs]) => {
    const store = new InterruptedStore()
    const catalog = new Catalog(store, { sources: seeded(1), commitRetries: 100 })
    await catalog.create(catalog.draft('t', { schema: newSchema(COLUMNS) }), [])
    // Ours has read the table when theirs is written: the first append of ours loses.
    store.interrupt = async () => void (await catalog.alter('t', theirs))
    const error = await failure(() => catalog.alter('t', { rename: { a: 'x' } }))
    expect(error).toMatchObject({ code: 'COMMIT_CONFLICT', details: { table: 't' } })
  })

  test('properties and entries that Skep does not know are kept', async () => {
    const catalog = open()
    const draft = catalog.draft('t', { schema: newSchema(COLUMNS), properties: { theirs: 'kept' } })
    await catalog.create(draft, [])
    await catalog.alter('t', { drop: ['b'] })
    const table = await catalog.loadManaged('t')
    expect(table.properties).toMatchObject({ theirs: 'kept' })
    const evolved = evolveSchema(table, [...table.schema.columns, { name: 'd', type: primitive('VARCHAR') }])
    expect(evolved.columns.map(({ id }) => id)).toEqual([1, 3, 4])
    const file: DataFile = {
      path: `${dataLocation(table)}/1.parquet`,
      rows: 1,
      sizeBytes: 1,
      specId: 0,
      partition: [],
      columns: new Map([[4, { nulls: 0, lower: 'a', upper: 'b' }]]),
      sorted: false,
    }
    await catalog.append(table, [file], { schema: evolved })
    const after = await catalog.loadManaged('t')
    expect(after.properties).toMatchObject({ theirs: 'kept' })
    expect(after.schema).toEqual({ ...evolved, id: 2 })
    expect(after.snapshot.files[0]!.columns).toEqual(file.columns)
    const stale = catalog.append(table, [{ ...file, path: `${dataLocation(table)}/2.parquet` }], { schema: evolved })
    await expect(stale).rejects.toMatchObject({ code: 'COMMIT_CONFLICT', details: { changed: 'schema' } })
  })
})
