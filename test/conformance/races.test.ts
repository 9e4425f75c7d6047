import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ImportOptions } from '../../src/inputs/import.ts'
import { dataFiles, failure, type Lab, openLab, strays } from './import-lab.ts'
import { OtherWriter, runProcesses } from './other-writer.ts'
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

/** What another writer does to the warehouse while an import of ours stands right before its commit. */
function meanwhile(table: string, verb: Job['verb'], path: string, options: object = {}): ImportOptions {
  return other.meanwhile({ table, verb, path, options })
}

const contents = async (table: string) => (await lab.warehouse.sql(`FROM ${table} ORDER BY ALL`)).rows

const expectNoStrays = async () => expect(await strays(lab)).toEqual([])

/** Ours is the first import of a table, and so is theirs, which is faster. */
const FIRST_IMPORTS: { name: string; ours: string; theirs: string; rows?: object[]; code?: string }[] = [
  {
    name: 'of the same columns',
    ours: `SELECT 1 AS a, 'x' AS b`,
    theirs: `SELECT 2 AS a, 'y' AS b`,
    rows: [
      { a: 1, b: 'x' },
      { a: 2, b: 'y' },
    ],
  },
  {
    name: 'in another order',
    ours: `SELECT 1 AS a, 'x' AS b`,
    theirs: `SELECT 'y' AS b, 2 AS a`,
    rows: [
      { b: 'x', a: 1 },
      { b: 'y', a: 2 },
    ],
  },
  {
    name: 'theirs with a column more',
    ours: 'SELECT 5 AS a',
    theirs: `SELECT 1 AS a, 'x' AS b`,
    rows: [
      { a: 1, b: 'x' },
      { a: 5, b: null },
    ],
  },
  {
    name: 'theirs with a wider type',
    ours: 'SELECT 1 AS a',
    theirs: 'SELECT 5000000000 AS a',
    rows: [{ a: 1 }, { a: 5000000000 }],
  },
  {
    name: 'ours with a column more',
    ours: `SELECT 1 AS a, 'x' AS b`,
    theirs: 'SELECT 5 AS a',
    rows: [
      { a: 1, b: 'x' },
      { a: 5, b: null },
    ],
  },
  { name: 'number against text', ours: 'SELECT 1 AS a', theirs: `SELECT 'x' AS a`, code: 'SCHEMA_MISMATCH' },
  { name: 'text against number', ours: `SELECT 'x' AS a`, theirs: 'SELECT 1 AS a', code: 'SCHEMA_MISMATCH' },
  {
    name: 'fraction against number',
    ours: 'SELECT 1.5::DOUBLE AS a',
    theirs: 'SELECT 1 AS a',
    code: 'SCHEMA_MISMATCH',
  },
]

describe('two first imports of one table', () => {
  test.for(FIRST_IMPORTS)('$name', async ({ name, ours, theirs, rows, code }) => {
    const table = name.replaceAll(' ', '_')
    const path = await lab.write(ours)
    const other = await lab.write(theirs)
    const racing = lab.warehouse.import(table, [path], meanwhile(table, 'import', other))
    if (code) {
      expect((await failure(() => racing)).code).toBe(code)
      expect(await contents(table)).toEqual((await lab.judge(`FROM '${other}'`)).map(([a]) => ({ a })))
    } else {
      expect(await racing).toMatchObject({ created: false, rows: 1 })
      expect(await contents(table)).toEqual(rows)
    }
    await expectNoStrays()
  })

  const keyed = { actor: 'who', time: 'ts' }
  const people = `SELECT 'u' || i AS who, i AS ts FROM range(20) t(i)`

  test.for([
    ['the same keys and buckets', { ...keyed, buckets: 4 }, { ...keyed, buckets: 4 }, undefined],
    ['our number of buckets left open', keyed, { ...keyed, buckets: 8 }, undefined],
    ['our keys left open', {}, { ...keyed, buckets: 3 }, undefined],
    ['other buckets', { ...keyed, buckets: 4 }, { ...keyed, buckets: 8 }, 'KEY_INVALID'],
    ['their keys left open', keyed, {}, 'KEY_INVALID'],
    ['another actor', keyed, { actor: 'ts', time: 'ts' }, 'KEY_INVALID'],
  ] as const)('with keys: %s', async ([name, ours, theirs, code]) => {
    const table = `keys_${name.replaceAll(' ', '_')}`
    const path = await lab.write(people)
    const options = { ...ours, ...meanwhile(table, 'import', path, theirs) }
    if (code) expect((await failure(() => lab.warehouse.import(table, [path], options))).code).toBe(code)
    else await lab.warehouse.import(table, [path], options)
    const { rows } = await lab.warehouse.sql(`SELECT count(*) AS n, count(DISTINCT who) AS d FROM ${table}`)
    expect(rows).toEqual([{ n: code ? 20 : 40, d: 20 }])
    await expectNoStrays()
  })

  test('of text, which was parsed before the other one made the table', async () => {
    const path = lab.text('who,ts\na,1\nb,2\n', 'race.csv')
    const options = meanwhile('of_text', 'import', path, { types: { ts: 'VARCHAR' } })
    await lab.warehouse.import('of_text', [path], options)
    expect(await contents('of_text')).toEqual([1, 1, 2, 2].map((ts) => ({ who: ts === 1 ? 'a' : 'b', ts: String(ts) })))
  })

  test('ours is to replace: what it would replace is not what it saw', async () => {
    const path = await lab.write('SELECT 1 AS a')
    const options = { replace: true, ...meanwhile('to_replace', 'import', path) }
    expect((await failure(() => lab.warehouse.import('to_replace', [path], options))).code).toBe('COMMIT_CONFLICT')
    expect(await contents('to_replace')).toEqual([{ a: 1 }])
    await expectNoStrays()
  })
})

describe('a table that is there', () => {
  const one = () => lab.write('SELECT 1 AS a')
  const two = () => lab.write('SELECT 2 AS a')

  async function race(table: string, ours: ImportOptions, verb: Job['verb'], theirs: object) {
    const path = await one()
    await lab.warehouse.import(table, [path])
    return lab.warehouse.import(table, [path], { ...ours, ...meanwhile(table, verb, await two(), theirs) })
  }

  test('append and append: both are there', async () => {
    await race('both_append', {}, 'import', {})
    expect(await contents('both_append')).toEqual([{ a: 1 }, { a: 1 }, { a: 2 }])
    expect(await lab.warehouse.snapshots('both_append')).toHaveLength(3)
  })

  test('append after a replace: what was replaced stays gone', async () => {
    await race('append_replace', {}, 'import', { replace: true })
    expect(await contents('append_replace')).toEqual([{ a: 1 }, { a: 2 }])
  })

  test.for([{}, { replace: true }])('a replace that lost is a conflict, and leaves no file', async (theirs) => {
    const table = `lost_${Object.keys(theirs).length}`
    expect((await failure(() => race(table, { replace: true }, 'import', theirs))).code).toBe('COMMIT_CONFLICT')
    expect(await contents(table)).toEqual('replace' in theirs ? [{ a: 2 }] : [{ a: 1 }, { a: 2 }])
    await expectNoStrays()
  })

  test('append to a table that is dropped meanwhile does not bring it back', async () => {
    expect((await failure(() => race('dropped', {}, 'drop', {}))).code).toBe('TABLE_NOT_FOUND')
    expect((await failure(() => contents('dropped'))).code).toBe('TABLE_NOT_FOUND')
    await expectNoStrays()
  })

  test('the name is taken by a registered folder meanwhile', async () => {
    const folder = (await lab.write(`SELECT 'u' AS who, 1 AS ts`, 'taken/a.parquet')).replace('/a.parquet', '')
    const options = meanwhile('taken', 'register', folder, { actor: 'who', time: 'ts' })
    const path = await one()
    expect((await failure(() => lab.warehouse.import('taken', [path], options))).code).toBe('TABLE_KIND')
    expect(await contents('taken')).toEqual([{ who: 'u', ts: 1 }])
    await expectNoStrays()
  })
})

test('many processes make and fill one table at once', async () => {
  const writers = await Promise.all(
    [0, 1, 2, 3].map(async (k) => {
      const path = await lab.write(`SELECT 'u' || i AS who, ${k} AS ts FROM range(100) t(i)`)
      const options = { actor: 'who', time: 'ts', buckets: 2 }
      return { root: lab.root, table: 'crowd', verb: 'import', path, options } satisfies Job
    }),
  )
  expect(await runProcesses(writers)).toEqual(['done', 'done', 'done', 'done'])
  const { rows } = await lab.warehouse.sql('SELECT ts, count(DISTINCT who) AS n FROM crowd GROUP BY ts ORDER BY ts')
  expect(rows).toEqual([0, 1, 2, 3].map((ts) => ({ ts, n: 100 })))
  expect(await lab.warehouse.snapshots('crowd')).toHaveLength(4)
  expect(await dataFiles(lab.warehouse, 'crowd')).toHaveLength(8)
})

test('a query sees one state of a table that is replaced again and again', async () => {
  const paths = await Promise.all([1, 2].map((k) => lab.write(`SELECT ${k} AS a FROM range(1000)`)))
  await lab.warehouse.import('steady', [paths[0]!])
  let writing = true
  const writer = (async () => {
    for (let k = 0; k < 12; k++) await lab.warehouse.import('steady', [paths[k % 2]!], { replace: true })
    writing = false
  })()
  while (writing) {
    const { rows } = await lab.warehouse.sql(
      'SELECT count(*) AS n, count(DISTINCT a) AS d FROM steady s JOIN steady t USING (a)',
    )
    expect(rows).toEqual([{ n: 1_000_000, d: 1 }])
  }
  await writer
})
