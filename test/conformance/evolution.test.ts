/** Tables whose columns change: what imports add and widen, what `alter` does, and what old files then say. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quoteIdentifier, quoteString } from '../../src/common/data-type.ts'
import type { SkepError } from '../../src/errors.ts'
import { dataFiles, failure, filesBelow, type Lab, openLab } from './import-lab.ts'

let lab: Lab
let tables = 0
const newName = () => `t${++tables}`

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

/** A new table of the rows of each query, imported in turn; its name. */
async function make(...queries: string[]): Promise<string> {
  const table = newName()
  for (const sql of queries) await add(table, sql)
  return table
}

async function add(table: string, sql: string) {
  return await lab.warehouse.import(table, [await lab.write(sql)])
}

const rows = async (sql: string) => (await lab.warehouse.sql(sql)).rows
const typesOf = async (table: string) => {
  const { columns } = await lab.warehouse.describe(table)
  return Object.fromEntries(columns.map(({ name, type }) => [name, type]))
}
const metadataOf = async (table: string) => {
  const { metadataLocation } = await lab.warehouse.describe(table)
  return JSON.parse(readFileSync(metadataLocation!, 'utf8'))
}
const fails = async (call: () => Promise<unknown>): Promise<SkepError> => await failure(call)

/** Types before, in the source, after; and a condition that holds for the rows of both files alike. */
const PROMOTIONS: [before: string, source: string, after: string, old: string, next: string][] = [
  ['INTEGER', 'BIGINT', 'BIGINT', '-7', '3000000000'],
  ['INTEGER', 'UINTEGER', 'BIGINT', '2147483647', '4294967295'],
  ['FLOAT', 'DOUBLE', 'DOUBLE', '0.1', '0.1'],
  ['DECIMAL(9,2)', 'DECIMAL(12,2)', 'DECIMAL(12,2)', '-1234567.89', '1234567890.12'],
  ['DECIMAL(4,2)', 'DECIMAL(38,2)', 'DECIMAL(38,2)', '12.34', '123456789012345678901234567890.12'],
  ['DECIMAL(9,2)', 'DECIMAL(12,1)', 'DECIMAL(13,2)', '1.25', '12345678901.5'],
  ['DECIMAL(20,0)', 'DECIMAL(38,0)', 'DECIMAL(38,0)', '18446744073709551615', '-99999999999999999999999999999'],
  // What the source has narrower is cast up.
  ['BIGINT', 'SMALLINT', 'BIGINT', '3000000000', '-7'],
  ['DOUBLE', 'INTEGER', 'DOUBLE', '0.1', '7'],
  ['DOUBLE', 'FLOAT', 'DOUBLE', '0.1', '0.1'],
  ['DECIMAL(12,2)', 'DECIMAL(4,1)', 'DECIMAL(12,2)', '1234567890.12', '123.5'],
  ['TIMESTAMP', 'DATE', 'TIMESTAMP', "'2020-01-01 01:00:00'", "'2020-01-02'"],
  ['BIGINT', '"NULL"', 'BIGINT', '7', 'NULL'],
]

test.for(PROMOTIONS)('a column of %s takes in %s as %s', async ([before, source, after, old, next]) => {
  const table = await make(`SELECT 1 AS n, ${old}::${before} AS v`)
  const files = await dataFiles(lab.warehouse, table)
  const bytes = files.map((file) => readFileSync(file))
  const second = source === '"NULL"' ? 'NULL' : `${next}::${source}`
  const done = await add(table, `SELECT 2 AS n, ${second} AS v`)
  expect(await typesOf(table)).toEqual({ n: 'INTEGER', v: after })
  expect(done.widenedColumns).toEqual(before === after ? undefined : [{ name: 'v', from: before, to: after }])
  const [a, b] = [`CAST(${old}::${before} AS ${after})`, `CAST(${second} AS ${after})`]
  expect(await rows(`SELECT n FROM ${table} WHERE v IS NOT DISTINCT FROM ${a} AND n = 1`)).toEqual([{ n: 1 }])
  expect(await rows(`SELECT n FROM ${table} WHERE v IS NOT DISTINCT FROM ${b} AND n = 2`)).toEqual([{ n: 2 }])
  expect(files.map((file) => readFileSync(file))).toEqual(bytes)
})

const REFUSALS: [table: string, source: string][] = [
  ['INTEGER', 'DOUBLE'],
  ['INTEGER', 'VARCHAR'],
  ['INTEGER', 'BOOLEAN'],
  ['INTEGER', 'UBIGINT'],
  ['BIGINT', 'DOUBLE'],
  ['BIGINT', 'DECIMAL(18,0)'],
  ['FLOAT', 'INTEGER'],
  ['DOUBLE', 'BIGINT'],
  ['DECIMAL(9,2)', 'DECIMAL(12,3)'],
  ['DECIMAL(38,10)', 'DECIMAL(38,0)'],
  ['DATE', 'TIMESTAMP'],
  ['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'],
  ['VARCHAR', 'INTEGER'],
  ['VARCHAR', 'BLOB'],
  ['INTEGER[]', 'BIGINT[]'],
  ['STRUCT(a INTEGER)', 'STRUCT(a INTEGER, b INTEGER)'],
  ['MAP(VARCHAR, INTEGER)', 'MAP(VARCHAR, BIGINT)'],
]

test.for(REFUSALS)('a column of %s refuses %s', async ([own, source]) => {
  const table = await make(`SELECT NULL::${own} AS "the column"`)
  const before = filesBelow(lab.root)
  const error = await fails(() => add(table, `SELECT NULL::${source} AS "the column", 1 AS added`))
  expect(error).toMatchObject({ code: 'SCHEMA_MISMATCH', details: { table, column: 'the column' } })
  const { expected, found } = error.details as { expected: string; found: string }
  expect((await typesOf(table))['the column']).toBe(expected)
  for (const part of ['"the column"', `"${table}"`, expected, found, '--types']) expect(error.message).toContain(part)
  expect(filesBelow(lab.root)).toEqual(before)
})

describe('an import', () => {
  test('adds columns at the end, nullable, with ids of their own, in the commit of its rows', async () => {
    const table = await make('SELECT 1 AS a, [1] AS l')
    const done = await add(
      table,
      `SELECT 'x' AS "Wé ""ird", {'p': 1, 'q': [2]} AS s, 2 AS a, MAP {'k': 1.5::DECIMAL(4,2)} AS m`,
    )
    expect(done.addedColumns).toEqual(['Wé "ird', 's', 'm'])
    expect(await rows(`FROM ${table} ORDER BY a`)).toEqual([
      { a: 1, l: [1], 'Wé "ird': null, s: null, m: null },
      { a: 2, l: null, 'Wé "ird': 'x', s: { p: 1, q: [2] }, m: [{ key: 'k', value: '1.50' }] },
    ])
    const metadata = await metadataOf(table)
    expect(metadata.schemas.map((s: { 'schema-id': number }) => s['schema-id'])).toEqual([0, 1])
    expect(metadata).toMatchObject({ 'current-schema-id': 1, 'last-column-id': 11 })
    expect(metadata.schemas[1].fields.map((f: { id: number; required: boolean }) => [f.id, f.required])).toEqual([
      [1, false],
      [2, false],
      [4, false],
      [5, false],
      [6, false],
    ])
    expect(metadata.snapshots.map((s: { 'schema-id': number }) => s['schema-id'])).toEqual([0, 1])
    expect(metadata['metadata-log']).toHaveLength(1)
  })

  test('reads missing columns as null', async () => {
    const table = await make('SELECT 1 AS a, 2 AS b, [3] AS c', 'SELECT 5 AS B')
    expect(await rows(`FROM ${table} ORDER BY a`)).toEqual([
      { a: 1, b: 2, c: [3] },
      { a: null, b: 5, c: null },
    ])
  })

  test('of nothing changes nothing', async () => {
    const table = await make('SELECT 1 AS a')
    const done = await add(table, 'SELECT 1::BIGINT AS a, 2 AS b LIMIT 0')
    expect(done).not.toHaveProperty('addedColumns')
    expect(await typesOf(table)).toEqual({ a: 'INTEGER' })
  })

  test('with --replace widens and adds too, and the past stays as it was', async () => {
    const table = await make('SELECT 1 AS a, 2 AS b')
    await lab.warehouse.import(table, [await lab.write('SELECT 3000000000 AS a, 4 AS c')], { replace: true })
    expect(await rows(`FROM ${table}`)).toEqual([{ a: 3_000_000_000, b: null, c: 4 }])
    const [first] = await lab.warehouse.snapshots(table)
    expect((await lab.warehouse.sql(`FROM ${table}`, { at: first!.id })).rows).toEqual([{ a: 1, b: 2 }])
  })

  test('of text widens an INTEGER column only when a value needs it', async () => {
    const table = await make('SELECT 1 AS n, 1::INTEGER AS key')
    await lab.warehouse.import(table, [lab.text('n,key\n2147483647,-2147483648\n,5\n', 'small.csv')])
    expect(await typesOf(table)).toEqual({ n: 'INTEGER', key: 'INTEGER' })
    const done = await lab.warehouse.import(table, [lab.text('{"n": 2147483648, "key": 7}\n', 'large.ndjson')])
    expect(done.widenedColumns).toEqual([{ name: 'n', from: 'INTEGER', to: 'BIGINT' }])
    expect(await rows(`SELECT * FROM ${table} ORDER BY n`)).toEqual([
      { n: 1, key: 1 },
      { n: 2_147_483_647, key: -2_147_483_648 },
      { n: 2_147_483_648, key: 7 },
      { n: null, key: 5 },
    ])
    await lab.warehouse.import(table, [lab.text('n,key,more\n1,1,x\n', 'more.csv')], { types: { key: 'BIGINT' } })
    expect(await typesOf(table)).toEqual({ n: 'BIGINT', key: 'BIGINT', more: 'VARCHAR' })
  })

  test('refuses a new column with the name of a partition field', async () => {
    const table = newName()
    const keys = { actor: 'who', time: 'ts' }
    await lab.warehouse.import(table, [await lab.write('SELECT 1 AS who, 1 AS ts, 1 AS who_bucket')], keys)
    expect((await metadataOf(table))['partition-specs'][0].fields[0].name).toBe('who_bucket_')
    const error = await fails(() => add(table, 'SELECT 1 AS who, 1 AS ts, 1 AS who_bucket_'))
    expect(error).toMatchObject({ code: 'COLUMN_EXISTS', details: { column: 'who_bucket_' } })
  })
})

describe('alter', () => {
  test('renames, drops, widens and comments in one commit without a snapshot', async () => {
    const table = await make('SELECT 1 AS a, 2 AS b, 3::FLOAT AS c, [4] AS d')
    const before = await metadataOf(table)
    const files = filesBelow(lab.root).filter((file) => !file.includes('/metadata/'))
    expect(
      await lab.warehouse.alter(table, {
        rename: { A: 'Ärger "x"', d: 'b' },
        drop: ['b'],
        widen: { c: 'double', a: 'int8' },
        comment: 'of all',
        comments: { c: 'of c' },
      }),
    ).toBe(true)
    expect(await rows(`FROM ${table}`)).toEqual([{ 'Ärger "x"': 1, c: 3, b: [4] }])
    const after = await metadataOf(table)
    expect(after.snapshots).toEqual(before.snapshots)
    expect(after['metadata-log']).toHaveLength(before['metadata-log'].length + 1)
    expect(after['last-column-id']).toBe(before['last-column-id'])
    expect(filesBelow(lab.root).filter((file) => !file.includes('/metadata/'))).toEqual(files)
    const description = await lab.warehouse.describe(table)
    expect(description.comment).toBe('of all')
    expect(description.columns.map(({ name, type, comment }) => [name, type, comment])).toEqual([
      ['Ärger "x"', 'BIGINT', undefined],
      ['c', 'DOUBLE', 'of c'],
      ['b', 'INTEGER[]', undefined],
    ])
    await lab.warehouse.alter(table, { comment: '', comments: { C: '' } })
    const bare = await lab.warehouse.describe(table)
    expect([bare.comment, bare.columns[1]!.comment]).toEqual([undefined, undefined])
  })

  test('swaps names, and gives an old schema its old id back', async () => {
    const table = await make('SELECT 1 AS a, 2 AS b')
    await lab.warehouse.alter(table, { rename: { a: 'b', b: 'A' } })
    expect(await rows(`FROM ${table}`)).toEqual([{ b: 1, A: 2 }])
    expect(await rows(`SELECT count(*) AS n FROM ${table} WHERE b = 2`)).toEqual([{ n: 0 }])
    await lab.warehouse.alter(table, { rename: { b: 'a', A: 'b' } })
    expect(await rows(`FROM ${table}`)).toEqual([{ a: 1, b: 2 }])
    const { schemas, 'current-schema-id': current } = await metadataOf(table)
    expect([schemas.length, current]).toEqual([2, 0])
  })

  test('of what is so already makes no commit', async () => {
    const table = await make('SELECT 1 AS a')
    const before = (await lab.warehouse.describe(table)).metadataLocation
    const same = { rename: { a: 'a' }, widen: { A: 'INT' }, comment: '', comments: { a: '' } }
    expect(await lab.warehouse.alter(table, same)).toBe(false)
    expect((await lab.warehouse.describe(table)).metadataLocation).toBe(before)
  })

  test('a name that was dropped and came back has none of the old values', async () => {
    const table = await make('SELECT 1 AS k, 100 AS v')
    await lab.warehouse.alter(table, { drop: ['v'] })
    await add(table, `SELECT 2 AS k, 'x' AS v`)
    expect(await rows(`FROM ${table} ORDER BY k`)).toEqual([
      { k: 1, v: null },
      { k: 2, v: 'x' },
    ])
    const { columns } = await lab.warehouse.describe(table)
    expect(columns[1]).toEqual({ name: 'v', type: 'VARCHAR', nulls: 1, min: 'x', max: 'x' })
    const { stats } = await lab.warehouse.sql(`FROM ${table} WHERE v >= 'a'`)
    expect(stats).toMatchObject({ files: 1, filesPruned: 1 })
    expect(await rows(`SELECT k FROM ${table} WHERE v IS NULL`)).toEqual([{ k: 1 }])
  })

  const EVENTS = `SELECT i % 5 AS who, i AS ts, i AS n, {'x': i} AS s, 'e' || i % 3 AS e FROM range(20) t(i)`

  const REFUSED: [what: string, alteration: object, error: object][] = [
    [
      'an unknown column',
      { drop: ['whoo'] },
      { code: 'COLUMN_NOT_FOUND', details: { column: 'whoo', nearest: 'who' } },
    ],
    ['the actor', { drop: ['n', 'WHO'] }, { code: 'COLUMN_NEEDED', details: { column: 'who', use: 'actor' } }],
    ['the time', { drop: ['ts'] }, { code: 'COLUMN_NEEDED', details: { column: 'ts', use: 'time' } }],
    ['a name that is taken', { rename: { n: 'E' } }, { code: 'COLUMN_EXISTS', details: { column: 'E' } }],
    ['one name for two', { rename: { n: 'y', e: 'Y' } }, { code: 'COLUMN_EXISTS' }],
    ['the name of a partition', { rename: { n: 'who_bucket' } }, { code: 'COLUMN_EXISTS' }],
    ['no name', { rename: { n: '' } }, { code: 'ARGUMENT_INVALID' }],
    ['half a character', { rename: { n: '\ud800' } }, { code: 'ARGUMENT_INVALID' }],
    ['two names for one', { rename: { n: 'x', N: 'y' } }, { code: 'ARGUMENT_INVALID' }],
    ['renaming and dropping', { rename: { n: 'x' }, drop: ['n'] }, { code: 'ARGUMENT_INVALID' }],
    ['a narrower type', { widen: { n: 'INTEGER' } }, { code: 'SCHEMA_MISMATCH', details: { expected: 'BIGINT' } }],
    ['another type', { widen: { e: 'BLOB' } }, { code: 'SCHEMA_MISMATCH', details: { found: 'BLOB' } }],
    ['a nested type', { widen: { s: 'STRUCT(x HUGEINT)' } }, { code: 'SCHEMA_MISMATCH' }],
    ['no type', { widen: { n: 'BIGGER' } }, { code: 'COLUMN_TYPE_UNSUPPORTED' }],
    ['a new name of the same call', { rename: { n: 'x' }, widen: { x: 'BIGINT' } }, { code: 'COLUMN_NOT_FOUND' }],
    ['nothing', {}, { code: 'ARGUMENT_INVALID' }],
  ]

  test.for(REFUSED)('refuses %s', async ([, alteration, error]) => {
    const table = newName()
    await lab.warehouse.import(table, [await lab.write(EVENTS)], { actor: 'who', time: 'ts', buckets: 2 })
    const before = await metadataOf(table)
    await expect(lab.warehouse.alter(table, alteration)).rejects.toMatchObject(error)
    expect(await metadataOf(table)).toEqual(before)
  })

  test('refuses to drop the last column, and to change a registered table', async () => {
    const table = await make('SELECT 1 AS a, 2 AS b')
    const error = await fails(() => lab.warehouse.alter(table, { drop: ['a', 'b'] }))
    expect(error).toMatchObject({ code: 'COLUMN_NEEDED', details: { use: 'last' } })
    await lab.write('SELECT 1 AS a, 2 AS b', 'folder/a.parquet')
    await lab.warehouse.register('folder', `${lab.dir}/folder`, { actor: 'a', time: 'b' })
    await expect(lab.warehouse.alter('folder', { drop: ['a'] })).rejects.toMatchObject({ code: 'TABLE_KIND' })
    await expect(lab.warehouse.alter('folders', { drop: ['a'] })).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
  })
})

describe('keys', () => {
  const QUERY = {
    query: {
      conditions: [
        { filter: ['e', '==', 'e1'] as [string, '==', string], target: ['count', '>=', 2] as ['count', '>=', number] },
      ],
    },
  }
  const events = (types: string, from: number) =>
    `SELECT (i % 50 - 25)::${types} AS who, i::${types} AS ts, 'e' || i % 3 AS e FROM range(${from}, ${from + 500}) t(i)`

  test('keep working when they are renamed and widened: same buckets, same answers, also in the past', async () => {
    const table = newName()
    const keys = { actor: 'who', time: 'ts', timeUnit: 's' as const, buckets: 4 }
    await lab.warehouse.import(table, [await lab.write(events('INTEGER', 0))], keys)
    const before = await lab.warehouse.query(table, QUERY)
    await lab.warehouse.alter(table, { rename: { who: 'user', ts: 'who' } })
    expect((await lab.warehouse.describe(table)).keys).toEqual({ actor: 'user', time: 'who', timeUnit: 's' })
    expect((await lab.warehouse.query(table, QUERY)).query).toEqual(before.query)
    await lab.warehouse.alter(table, { widen: { user: 'BIGINT', who: 'BIGINT' }, rename: { user: 'who', who: 'ts' } })
    expect((await lab.warehouse.query(table, QUERY)).query).toEqual(before.query)
    await add(table, events('BIGINT', 500))
    const { dataFiles: files, keys: now } = await lab.warehouse.describe(table, { files: true })
    expect(now).toEqual({ actor: 'who', time: 'ts', timeUnit: 's' })
    expect(files!.every(({ sorted }) => sorted)).toBe(true)
    const plain = await make(events('BIGINT', 0), events('BIGINT', 500))
    const count = `SELECT who, count(*) AS n, sum(ts)::BIGINT AS t FROM`
    expect(await rows(`${count} ${table} GROUP BY who ORDER BY who`)).toEqual(
      await rows(`${count} ${plain} GROUP BY who ORDER BY who`),
    )
    const { rows: one, stats } = await lab.warehouse.sql(`SELECT count(*) AS n FROM ${table} WHERE who = 7`)
    expect(one).toEqual([{ n: 20 }])
    expect(stats).toMatchObject({ files: 2, filesPruned: 6 })
    const actors = { query: { conditions: [{ filter: ['e', '!=', ''] as [string, '!=', string] }] } }
    expect((await lab.warehouse.query(table, actors)).query).toMatchObject({
      matchingGroups: 50,
      matchingGroupRows: 1000,
    })
    const [first] = await lab.warehouse.snapshots(table)
    expect((await lab.warehouse.query(table, QUERY, { at: first!.id })).query).toEqual(before.query)
    expect((await lab.warehouse.describe(table, { at: first!.id })).keys).toEqual({
      actor: 'who',
      time: 'ts',
      timeUnit: 's',
    })
  })
})

test('--at shows the schema of then: of a snapshot its own, of a time the one that counted', async () => {
  const table = await make('SELECT 1 AS a')
  const at = async () => {
    await new Promise((done) => setTimeout(done, 5))
    const now = new Date()
    await new Promise((done) => setTimeout(done, 5))
    return now
  }
  const first = await at()
  await lab.warehouse.alter(table, { rename: { a: 'b' } })
  const second = await at()
  await add(table, 'SELECT 2 AS b, 3 AS c')
  const third = await at()
  await lab.warehouse.alter(table, { drop: ['b'] })
  const then = async (time: Date | number | string) =>
    (await lab.warehouse.sql(`FROM ${table} ORDER BY 1`, { at: time })).rows
  expect(await then(first)).toEqual([{ a: 1 }])
  expect(await then(second)).toEqual([{ b: 1 }])
  expect(await then(third)).toEqual([
    { b: 1, c: null },
    { b: 2, c: 3 },
  ])
  expect(await rows(`FROM ${table} ORDER BY 1`)).toEqual([{ c: 3 }, { c: null }])
  const [one, two] = await lab.warehouse.snapshots(table)
  expect(await then(one!.id)).toEqual([{ a: 1 }])
  expect(await then(two!.id)).toHaveLength(2)
})

describe('filters after a change', () => {
  const VALUES = ['0.1', '99.8', '-0.0', '16777216', '3.5', "'nan'", "'inf'", 'NULL']
  const CONDITIONS = [
    'v = 0.1::DOUBLE',
    'v = 0.1::FLOAT',
    'v > 99.8::DOUBLE',
    'v >= 99.8::DOUBLE',
    'v < 0.1::DOUBLE',
    'v <= 0.1::DOUBLE',
    'v <> 0.1::DOUBLE',
    'v IN (0.1::DOUBLE, 3.5)',
    'v = 16777217',
    'v BETWEEN 99.8::DOUBLE AND 100',
    'v IS NULL',
    'v IS NOT NULL',
    'v = (SELECT 0.1::DOUBLE)',
    'v IN (SELECT unnest([0.1::DOUBLE, 99.8::DOUBLE]))',
    "v = 'nan'::DOUBLE",
    'v = 0',
  ]

  test.each(['managed', 'registered'])(
    'find in a %s table what the values are, not what a narrower type makes of the constant',
    async (kind) => {
      const values = (type: string) => `SELECT unnest([${VALUES.map((v) => `${v}::${type}`).join(', ')}]) AS v`
      const sources = [`SELECT 1 AS f, v FROM (${values('FLOAT')})`, `SELECT 2 AS f, v FROM (${values('DOUBLE')})`]
      const integers = 'SELECT 3 AS f, unnest([0, 1, 3, 4, 99, 100, NULL])::INTEGER AS v'
      if (kind === 'registered') sources.push(integers)
      let table = ''
      if (kind === 'managed') table = await make(...sources)
      else {
        const folder = `narrow${++tables}`
        for (const [k, sql] of sources.entries())
          await lab.write(`SELECT *, ${k} AS who, 1 AS ts FROM (${sql})`, `${folder}/${k}.parquet`)
        table = folder
        await lab.warehouse.register(table, `${lab.dir}/${folder}`, { actor: 'who', time: 'ts' })
      }
      await lab.duck.run(
        `CREATE OR REPLACE TEMP TABLE judge AS ${sources.map((sql) => `SELECT f, v::DOUBLE AS v FROM (${sql})`).join(' UNION ALL ')}`,
      )
      for (const condition of CONDITIONS) {
        const sql = (from: string) => `SELECT f, v::VARCHAR AS v FROM ${from} WHERE ${condition} ORDER BY ALL`
        const found = (await rows(sql(table))).map(({ f, v }) => [f, v])
        expect([condition, found]).toEqual([condition, await lab.judge(sql('judge'))])
      }
      const top = `SELECT v FROM ${table} WHERE v < 99.81 ORDER BY v DESC LIMIT 2`
      expect((await rows(top)).map(({ v }) => v)).toEqual([99.80000305175781, 99.8])
    },
  )

  test('prune files by bounds of the type that they were written with', async () => {
    const table = await make(
      `SELECT i::INTEGER AS i, (i / 10)::FLOAT AS f, (i / 10)::DECIMAL(5,2) AS d FROM range(-5, 100) t(i)`,
      `SELECT 3000000000 + i AS i, (1e300 + i)::DOUBLE AS f, (i + 1000000)::DECIMAL(12,2) AS d, 'new' AS s FROM range(10) t(i)`,
    )
    const pruned = async (where: string) => {
      const { rows: found, stats } = await lab.warehouse.sql(`SELECT count(*) AS n FROM ${table} WHERE ${where}`)
      return [found[0]!.n, stats.files, stats.filesPruned]
    }
    expect(await pruned('i = -5')).toEqual([1, 1, 1])
    expect(await pruned('i > 99')).toEqual([10, 1, 1])
    expect(await pruned('i = 2000000000')).toEqual([0, 0, 2])
    expect(await pruned('f < 5')).toEqual([55, 1, 1])
    expect(await pruned('f >= 1e10')).toEqual([10, 1, 1])
    expect(await pruned('d <= 9.90')).toEqual([105, 1, 1])
    expect(await pruned('d > 9.90')).toEqual([10, 1, 1])
    expect(await pruned(`s = 'new'`)).toEqual([10, 1, 1])
    expect(await pruned('s IS NULL')).toEqual([105, 1, 1])
    const { columns } = await lab.warehouse.describe(table)
    expect(columns.map(({ nulls, min, max }) => [nulls, min, max])).toEqual([
      [0, -5, 3_000_000_009],
      [0, -0.5, 1e300],
      [0, '-0.50', '1000009.00'],
      [105, 'new', 'new'],
    ])
  })

  test('reach nested columns of files from before', async () => {
    const nested = `{'x': i, 'y': [{'z': 'v' || i}]} AS s, MAP {'k': {'a': i}} AS m, [[i]] AS l`
    const table = await make(
      `SELECT i::INTEGER AS i, ${nested} FROM range(5) t(i)`,
      `SELECT i::BIGINT AS i, ${nested}, 1 AS added FROM range(5, 10) t(i)`,
    )
    await lab.warehouse.alter(table, { rename: { s: 'm', m: 's' } })
    const sql = `SELECT i, m.x AS x, m.y[1].z AS z, s['k'].a AS a, l[1][1] AS l FROM ${table} WHERE m.x IN (3, 7) ORDER BY i`
    expect(await rows(sql)).toEqual([
      { i: 3, x: 3, z: 'v3', a: 3, l: 3 },
      { i: 7, x: 7, z: 'v7', a: 7, l: 7 },
    ])
  })
})

const TYPED: [type: string, one: string, other: string][] = [
  ['BOOLEAN', 'true', 'false'],
  ['INTEGER', '-7', '8'],
  ['BIGINT', '9007199254740993', '-1'],
  ['FLOAT', '0.1', '2.5'],
  ['DOUBLE', '0.1', '2.5'],
  ['DECIMAL(4,2)', '12.34', '-0.01'],
  ['DECIMAL(38,10)', '1234567890123456789.0123456789', '0.0000000001'],
  ['DATE', "'2017-11-16'", "'1969-12-31'"],
  ['TIME', "'22:31:08.000001'", "'00:00:00'"],
  ['TIMESTAMP', "'2017-11-16 22:31:08.000001'", "'infinity'"],
  ['TIMESTAMP WITH TIME ZONE', "'2017-11-16 22:31:08-08'", "'1969-12-31 00:00:00+00'"],
  ['VARCHAR', "'ice bérg'", "''"],
  ['UUID', "'f79c3e09-677c-4bbd-a479-3f349cb785e7'", "'00000000-0000-0000-0000-000000000000'"],
  ['BLOB', "'\\x00\\x01a'", "'\\xFF'"],
  ['INTEGER[]', '[1, NULL]', '[]'],
  ['STRUCT(x INTEGER, y VARCHAR[])', "{'x': 1, 'y': ['a']}", "{'x': NULL, 'y': NULL}"],
  ['MAP(VARCHAR, INTEGER)', "MAP {'k': 1}", 'MAP {}'],
]

test('every type is read and filtered by id as by name', async () => {
  const select = (k: 1 | 2) => TYPED.map((type, c) => `${type[k]}::${type[0]} AS c${c}`).join(', ')
  const many = (k: 1 | 2, n: number) => `SELECT i, ${select(k)} FROM range(${n}) t(i)`
  const sql = `${many(1, 3000)} UNION ALL ${many(2, 3)} UNION ALL SELECT -1, ${TYPED.map(() => 'NULL').join(', ')}`
  const [table, other] = [await make(sql), await make(sql)]
  await lab.warehouse.alter(table, { rename: { i: 'j' } })
  const all = async (name: string, key: string) => rows(`SELECT * EXCLUDE (${key}) FROM ${name} ORDER BY ${key}, c0`)
  expect(await all(table, 'j')).toEqual(await all(other, 'i'))
  for (const [c, [type, one, two]] of TYPED.entries()) {
    const count = async (where: string) => (await rows(`SELECT count(*) AS n FROM ${table} WHERE ${where}`))[0]!.n
    expect([type, await count(`c${c} = ${one}::${type}`)]).toEqual([type, 3000])
    expect([type, await count(`c${c} = ${two}::${type}`)]).toEqual([type, 3])
    expect([type, await count(`c${c} IN (${one}::${type}, ${two}::${type})`)]).toEqual([type, 3003])
    expect([type, await count(`c${c} IS NULL`)]).toEqual([type, 1])
  }
})

test('every name that a column can have is found in old files', async () => {
  const names = [
    'filename',
    'file_row_number',
    'file_index',
    'schema',
    "it's",
    'a"b',
    'ÀÉ',
    '日本',
    '😀',
    'a=b',
    ' ',
    '\n',
    'x'.repeat(300),
    '__proto__',
    'rowid',
  ]
  const table = await make(`SELECT ${names.map((_, k) => `${k} AS c${k}`).join(', ')}`)
  await lab.warehouse.alter(table, { rename: Object.fromEntries(names.map((name, k) => [`c${k}`, name])) })
  for (const [k, name] of names.entries()) {
    expect([name, (await lab.warehouse.sql(`SELECT ${quoteIdentifier(name)} AS v FROM ${table}`)).rows]).toEqual([
      name,
      [{ v: k }],
    ])
  }
  const path = `${lab.dir}/export-${table}.parquet`
  await lab.warehouse.exportParquet(`SELECT * FROM ${table}`, path)
  expect(await lab.judge(`SELECT "日本", "a=b" FROM ${quoteString(path)}`)).toEqual([[7, 9]])
})
