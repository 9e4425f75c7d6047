/** Distributions and suggestions of columns, against DuckDB over the same files. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quoteIdentifier, quoteString } from '../../src/common/data-type.ts'
import type { ColumnDistribution } from '../../src/coordinator/columns.ts'
import { binSql, edgesBetween } from '../../src/coordinator/scale.ts'
import type { JsonValue } from '../../src/engine/values.ts'
import { DeltaLab } from '../delta-lab.ts'
import { failure, type Lab, openLab, scanOf } from './import-lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

/** Columns of the numbers `i` from 0 to 499, by what is in them. */
const COLUMNS: Record<string, string> = {
  ints: 'CASE WHEN i % 7 = 0 THEN NULL ELSE (i * i) % 1000 - 300 END::INTEGER',
  'few ints': '(i % 6)::TINYINT',
  'one value': '42::INTEGER',
  'all null': 'NULL::INTEGER',
  'int64 extremes':
    'CASE i % 4 WHEN 0 THEN -9223372036854775808 WHEN 1 THEN 9223372036854775807 ELSE i - 250 END::BIGINT',
  'great neighbours': '(9007199254740993 + i % 40)::BIGINT',
  doubles: "CASE i % 9 WHEN 0 THEN 'nan' WHEN 1 THEN 'inf' WHEN 2 THEN '-inf' ELSE sqrt(i)::VARCHAR END::DOUBLE",
  'no number': "CASE i % 2 WHEN 0 THEN 'nan' ELSE 'inf' END::DOUBLE",
  'double extremes':
    "CASE i % 3 WHEN 0 THEN '1.7976931348623157e308' WHEN 1 THEN '-1.7976931348623157e308' ELSE '0' END::DOUBLE",
  'smallest doubles': "CASE i % 2 WHEN 0 THEN '5e-324' ELSE '0' END::DOUBLE",
  zeros: "CASE i % 2 WHEN 0 THEN '-0.0' ELSE '0.0' END::DOUBLE",
  floats: "CASE WHEN i = 3 THEN 'nan' ELSE (i / 10)::VARCHAR END::FLOAT",
  decimals: '(i * 1.37 - 200)::DECIMAL(18,2)',
  'decimal 38':
    "CASE i % 3 WHEN 0 THEN '99999999999999999999999999999999999999' WHEN 1 THEN '-99999999999999999999999999999999999999' ELSE i::VARCHAR END::DECIMAL(38,0)",
  'decimal neighbours': "('9999999999999999999999999999.000000' || lpad((i % 50)::VARCHAR, 4, '0'))::DECIMAL(38,10)",
  dates:
    "CASE i % 11 WHEN 0 THEN 'infinity'::DATE WHEN 1 THEN '-infinity'::DATE ELSE DATE '2024-02-25' + (i % 100)::INTEGER END",
  'two dates': "DATE '2024-02-28' + (i % 2)::INTEGER",
  times: "TIME '00:00:00' + INTERVAL (i * 172) SECOND",
  stamps:
    "CASE i % 13 WHEN 0 THEN NULL WHEN 1 THEN 'infinity'::TIMESTAMP ELSE TIMESTAMP '1969-12-31 23:00:00.000001' + INTERVAL (i * i) SECOND END",
  'one stamp': "TIMESTAMP '2026-11-20 08:14:00.123456'",
  zoned: "TIMESTAMPTZ '2026-03-28 23:30:00+02' + INTERVAL (i * 7) MINUTE",
  'old dates': "DATE '0044-03-15 (BC)' + (i * 50)::INTEGER",
  texts: "CASE WHEN i % 5 = 0 THEN NULL ELSE ['Ünder', 'under', 'other', '', 'O''Hara', 'x_y%', 'Zoë'][i % 7 + 1] END",
  'many texts': "'t' || lpad(i::VARCHAR, 3, '0')",
  flags: 'CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END',
  'id "quoted".dotted Ä': "('0f8fad5b-d9cb-469f-a165-7086772895' || lpad((i % 30)::VARCHAR, 2, '0'))::UUID",
  bytes: "unhex(lpad((i % 25)::VARCHAR, 4, '0'))",
  SELECT: 'i::VARCHAR',
}

const NESTED = { list: '[i, 1]', struct: "{'a': i}", map: "MAP {'a': i}" }

const select = (columns: Record<string, string>, rows: number) =>
  `SELECT ${Object.entries(columns)
    .map(([name, sql]) => `${sql} AS ${quoteIdentifier(name)}`)
    .join(', ')} FROM range(${rows}) t(i)`

let source: string
const v = (column: string) => quoteIdentifier(column)

beforeAll(async () => {
  source = await lab.write(select({ ...COLUMNS, ...NESTED }, 500))
  await lab.warehouse.import('all', [source])
  const none = await lab.write(select({ ...COLUMNS, ...NESTED }, 0))
  await lab.warehouse.import('none', [none])
})

/** What DuckDB counts. */
async function judged(column: string, condition: string): Promise<number> {
  const [row] = await lab.judge(
    `SELECT count(*) FROM ${scanOf([source])} WHERE ${condition.replaceAll('$v', v(column))}`,
  )
  return Number(row![0])
}

/** The rows of each bin, by edges that are read back from their JSON. */
async function judgedCounts(column: string, { type, histogram }: ColumnDistribution): Promise<number[]> {
  const { edges } = histogram!
  const wide = /INT$|^INTEGER/.test(type) ? 'HUGEINT' : type === 'FLOAT' ? 'DOUBLE' : type
  const at = (k: number) => `${quoteString(String(edges[k]))}::${wide}`
  return await Promise.all(
    edges.slice(1).map((_, k) => {
      const [low, high] = [type === 'FLOAT' && k === 0 ? '-1e300' : at(k), at(k + 1)]
      const upper =
        k < edges.length - 2 ? `$v::${wide} < ${high}` : `$v::${wide} <= ${type === 'FLOAT' ? '1e300' : high}`
      return judged(column, `$v::${wide} >= ${low} AND ${upper}`)
    }),
  )
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)

describe('the distribution of a column', () => {
  test.for(Object.keys(COLUMNS))('%s: counts, bounds, histogram or values', async (column) => {
    const found = await lab.warehouse.column('all', column)
    expect(found).toMatchObject({ table: 'all', column, rows: 500, distinctExact: true })
    expect(found.nulls).toBe(await judged(column, '$v IS NULL'))
    const [distinct] = await lab.judge(`SELECT count(DISTINCT ${v(column)}) FROM ${scanOf([source])}`)
    expect(found.distinct).toBe(Number(distinct![0]))
    const beyond = (found.nans ?? 0) + (found.infinities ?? 0)
    if (/FLOAT|DOUBLE/.test(found.type)) expect(found.nans).toBe(await judged(column, 'isnan($v)'))
    if (/FLOAT|DOUBLE|DATE|STAMP/.test(found.type)) {
      expect(beyond).toBe(await judged(column, 'NOT isfinite($v)'))
    } else expect(found).not.toHaveProperty('infinities')
    expect(JSON.parse(JSON.stringify(found))).toEqual(found)
    const { histogram, values } = found
    if (values) {
      expect(sum(values.map(({ count }) => count)) + found.otherRows!).toBe(500 - found.nulls)
      expect(values.length).toBe(Math.min(20, found.distinct!))
    } else if (histogram) {
      expect(sum(histogram.counts)).toBe(500 - found.nulls - beyond)
      expect(histogram.edges).toHaveLength(histogram.counts.length + 1)
      expect(histogram.counts.length).toBeLessThanOrEqual(32)
      expect(histogram.counts).toEqual(await judgedCounts(column, found))
      expect(histogram.edges[0]).toEqual(found.min)
    } else expect(500 - found.nulls - beyond).toBe(0)
  })

  test.for<[string, Partial<ColumnDistribution>]>([
    ['few ints', { min: 0, max: 5, histogram: { edges: [0, 1, 2, 3, 4, 5, 6], counts: [84, 84, 83, 83, 83, 83] } }],
    ['one value', { min: 42, max: 42, distinct: 1, histogram: { edges: [42, 43], counts: [500] } }],
    ['two dates', { histogram: { edges: ['2024-02-28', '2024-02-29', '2024-03-01'], counts: [250, 250] } }],
    [
      'one stamp',
      { histogram: { edges: ['2026-11-20T08:14:00.123456', '2026-11-20T08:14:00.123456'], counts: [500] } },
    ],
    ['zeros', { min: 0, max: 0, distinct: 1, histogram: { edges: [0, 0], counts: [500] } }],
    ['floats', { min: 0, max: 49.9, nans: 1, infinities: 0 }],
    ['dates', { min: '2024-02-25', max: '2024-06-03', infinities: 92 }],
    ['int64 extremes', { min: '-9223372036854775808', max: '9223372036854775807' }],
    [
      'flags',
      {
        type: 'BOOLEAN',
        min: false,
        max: true,
        values: [
          { value: true, count: 167 },
          { value: false, count: 167 },
        ].reverse(),
      },
    ],
    ['many texts', { distinct: 500, otherRows: 480, min: 't000', max: 't499' }],
  ])('%s, to the letter', async ([column, expected]) => {
    expect(await lab.warehouse.column('all', column)).toMatchObject(expected)
  })

  test('what does not apply is absent', async () => {
    expect(await lab.warehouse.column('all', 'all null')).toEqual({
      table: 'all',
      column: 'all null',
      type: 'INTEGER',
      rows: 500,
      nulls: 500,
      distinct: 0,
      distinctExact: true,
    })
    expect(await lab.warehouse.column('all', 'no number')).toMatchObject({ nans: 250, infinities: 250, distinct: 2 })
    expect(await lab.warehouse.column('all', 'no number')).not.toHaveProperty('min')
  })

  test.for(Object.keys(NESTED))('%s: counts only', async (column) => {
    const found = await lab.warehouse.column('all', column)
    expect(Object.keys(found)).toEqual(['table', 'column', 'type', 'rows', 'nulls'])
    expect(found).toMatchObject({ rows: 500, nulls: 0 })
    const error = await failure(() => lab.warehouse.values('all', column))
    expect(error).toMatchObject({ code: 'COLUMN_TYPE_UNSUPPORTED', details: { column } })
  })

  test.for([...Object.keys(COLUMNS), ...Object.keys(NESTED)])('%s of an empty table', async (column) => {
    const found = await lab.warehouse.column('none', column)
    expect(found).toMatchObject({ rows: 0, nulls: 0 })
    expect(Object.keys(found)).not.toEqual(expect.arrayContaining(['min']))
    if (column in COLUMNS) expect(await lab.warehouse.values('none', column)).toEqual([])
  })

  test('names are found without regard to case, and near ones are told', async () => {
    expect(await lab.warehouse.column('ALL', 'Few Ints')).toMatchObject({ table: 'all', column: 'few ints' })
    const error = await failure(() => lab.warehouse.column('all', 'doubels'))
    expect(error).toMatchObject({ code: 'COLUMN_NOT_FOUND', details: { column: 'doubels', nearest: 'doubles' } })
    expect((await failure(() => lab.warehouse.column('al', 'ints'))).code).toBe('TABLE_NOT_FOUND')
  })

  test('distinct numbers of large tables are estimated, and that is said; texts are counted', async () => {
    await using estimating = await lab.open({ SKEP_DISTINCT_ROWS: '499' })
    const found = await estimating.column('all', 'ints')
    const exact = await lab.warehouse.column('all', 'ints')
    expect(found.distinctExact).toBe(false)
    expect(found.distinct! / exact.distinct!).toBeGreaterThan(0.8)
    expect(found.distinct! / exact.distinct!).toBeLessThan(1.2)
    expect({ ...found, distinct: exact.distinct, distinctExact: true }).toEqual(exact)
    expect(await estimating.column('all', 'texts')).toMatchObject({ distinct: 7, distinctExact: true })
  })

  test('a time limit is told as one, and the limit of rows of results is no matter', async () => {
    await using hasty = await lab.open({ SKEP_QUERY_TIMEOUT_MS: '1', SKEP_RESULT_ROWS: '1' })
    expect((await failure(() => hasty.column('all', 'ints'))).code).toBe('QUERY_TIMEOUT')
    await using narrow = await lab.open({ SKEP_RESULT_ROWS: '1' })
    expect((await narrow.column('all', 'ints')).histogram!.counts).toHaveLength(32)
    expect(await narrow.values('all', 'ints')).toHaveLength(20)
  })

  test('a table of the past, a cancelled call, a limit of bytes', async () => {
    await lab.warehouse.import('grown', [source])
    await lab.warehouse.import('grown', [source])
    const [id] = (await lab.warehouse.snapshots('grown')).map(({ id }) => id)
    expect((await lab.warehouse.column('grown', 'ints')).rows).toBe(1000)
    expect((await lab.warehouse.column('grown', 'ints', { at: id! })).rows).toBe(500)
    expect(await lab.warehouse.values('grown', 'one value', { at: id! })).toEqual([{ value: 42, count: 500 }])
    const signal = AbortSignal.abort()
    expect((await failure(() => lab.warehouse.column('all', 'ints', { signal }))).code).toBe('CANCELLED')
    expect((await failure(() => lab.warehouse.values('all', 'ints', { signal }))).code).toBe('CANCELLED')
    expect((await failure(() => lab.warehouse.column('all', 'ints', { maxBytes: 10 }))).code).toBe('BYTES_LIMIT')
  })
})

describe('values to suggest', () => {
  test.for(Object.keys(COLUMNS))('%s: the most frequent, ties by value', async (column) => {
    const found = await lab.warehouse.values('all', column, { limit: 7 })
    const float = /double|float|number|zeros/.test(column)
    const [counts] = await lab.judge(`SELECT list(n) FROM (SELECT count(*) AS n FROM ${scanOf([source])}
      WHERE ${float ? `isfinite(${v(column)})` : `${v(column)} IS NOT NULL`} GROUP BY ${v(column)} ORDER BY n DESC LIMIT 7)`)
    expect(found.map(({ count }) => count)).toEqual(((counts![0] as string[] | null) ?? []).map(Number))
    expect(found.some(({ value }) => value === null)).toBe(false)
  })

  test.for<[string, string, JsonValue[]]>([
    ['texts', 'U', ['under']],
    ['texts', 'ü', ['Ünder']],
    ['texts', "o'h", ["O'Hara"]],
    ['texts', 'x_', ['x_y%']],
    ['texts', '%', []],
    ['texts', "') OR true --", []],
    ['many texts', 'T49', ['t490', 't491', 't492', 't493', 't494', 't495', 't496', 't497', 't498', 't499']],
    ['ints', '-30', [-300]],
    ['flags', 'FA', [false]],
    ['dates', '2024-06-0', ['2024-06-01', '2024-06-02', '2024-06-03']],
    ['dates', 'INF', ['infinity']],
    ['zoned', '2026-03-28T21:3', ['2026-03-28T21:30:00Z', '2026-03-28T21:37:00Z']],
    ['one stamp', '2026-11-20t08', ['2026-11-20T08:14:00.123456']],
    ['bytes', 'AA', ['AAA=', 'AAE=', 'AAI=', 'AAM=', 'AAQ=', 'AAU=', 'AAY=', 'AAc=', 'AAg=', 'AAk=']],
    ['id "quoted".dotted Ä', '0F8FAD5B-d9cb-469f-a165-708677289529', ['0f8fad5b-d9cb-469f-a165-708677289529']],
  ])('%s that begin with %s', async ([column, prefix, expected]) => {
    const found = await lab.warehouse.values('all', column, { prefix })
    const values = found.map(({ value }) => value)
    if (found.every(({ count }) => count === found[0]!.count)) expect(values).toEqual(expected)
    else expect(values.toSorted()).toEqual(expected.toSorted())
  })

  test.for([{ limit: 0 }, { limit: 1001 }, { limit: 1.5 }, { limit: Number.NaN }, { prefix: 'x'.repeat(1001) }])(
    'refused: %j',
    async (options) => {
      const [argument] = Object.keys(options)
      const error = await failure(() => lab.warehouse.values('all', 'texts', options))
      expect(error).toMatchObject({ code: 'ARGUMENT_INVALID', details: { argument } })
    },
  )
})

describe('tables of other kinds', () => {
  beforeAll(async () => {
    await lab.write(
      `SELECT 'a' || i AS who, i AS ts, i % 3 AS k FROM range(10) t(i)`,
      'folder/day=2026-01-01/a.parquet',
    )
    await lab.write(`SELECT 'b' || i AS who, i AS ts, NULL AS k FROM range(5) t(i)`, 'folder/day=2026-01-02/b.parquet')
    await lab.warehouse.register('folder', `${lab.dir}/folder`, { actor: 'who', time: 'ts' })
    const delta = new DeltaLab(lab, 'delta')
    const fields: [string, unknown][] = [
      ['n', 'integer'],
      ['s', 'string'],
    ]
    delta.commit([
      ...delta.begin(fields),
      await delta.add('a.parquet', 'SELECT i::INTEGER AS n, (i % 2)::VARCHAR AS s FROM range(10) t(i)'),
    ])
    await lab.warehouse.attach('delta', delta.root, { type: 'delta' })
  })

  test('a registered folder, and what its paths say', async () => {
    expect(await lab.warehouse.column('folder', 'k')).toMatchObject({ rows: 15, nulls: 5, distinct: 3 })
    const values = await lab.warehouse.values('folder', 'day')
    expect(values.map(({ count }) => count)).toEqual([10, 5])
    await lab.write(`SELECT 'c' || i AS who, i AS ts, 9 AS k FROM range(7) t(i)`, 'folder/day=2026-01-03/c.parquet')
    expect(await lab.warehouse.column('folder', 'k')).toMatchObject({ rows: 22, max: 9 })
  })

  test('an attached table', async () => {
    expect(await lab.warehouse.column('delta', 'n')).toMatchObject({ rows: 10, min: 0, max: 9, distinct: 10 })
    expect(await lab.warehouse.values('delta', 's')).toEqual([
      { value: '0', count: 5 },
      { value: '1', count: 5 },
    ])
  })

  test('the same when all that can be is divided', async () => {
    await using divided = await lab.open({ SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '100' })
    for (const column of ['ints', 'doubles', 'stamps', 'texts', 'decimal 38', 'list']) {
      expect(await divided.column('all', column)).toEqual(await lab.warehouse.column('all', column))
      if (column === 'list') continue
      expect(await divided.values('all', column, { prefix: '1' })).toEqual(
        await lab.warehouse.values('all', column, { prefix: '1' }),
      )
    }
  })
})

describe('edges', () => {
  test('ascend from the least to the greatest, and every place lies in the bin that SQL says', async () => {
    const place = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -50n, max: 50n }))
    await fc.assert(
      fc.asyncProperty(place, place, fc.integer({ min: 1, max: 40 }), fc.boolean(), async (a, b, bins, discrete) => {
        const [low, high] = a < b ? [a, b] : [b, a]
        const edges = edgesBetween(low, high, bins, discrete) as bigint[]
        expect(edges[0]).toBe(low)
        expect(edges.at(-1)).toBe(discrete ? high + 1n : high)
        expect(edges.length - 1).toBeLessThanOrEqual(bins)
        const between = low + (high - low) / 3n
        const sql = binSql('p', edges, (edge) => `(${edge})::HUGEINT`)
        const rows = await lab.judge(
          `SELECT ${sql} FROM (VALUES (1, (${low})::HUGEINT), (2, ${between}), (3, ${high})) t(k, p) ORDER BY k`,
        )
        const found = rows.map(([bin]) => Number(bin))
        const expected = [low, between, high].map((p) =>
          Math.max(
            0,
            edges.slice(0, -1).findLastIndex((e) => e <= p),
          ),
        )
        expect(found).toEqual(expected)
        if (discrete) for (const [k, edge] of edges.slice(1).entries()) expect(edge > edges[k]!).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  test('of floats ascend strictly unless there is one value', () => {
    const double = fc.double({ noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(double, double, fc.integer({ min: 1, max: 40 }), (a, b, bins) => {
        const edges = edgesBetween(Math.min(a, b), Math.max(a, b), bins, false) as number[]
        expect(edges.every(Number.isFinite)).toBe(true)
        if (a !== b) for (const [k, edge] of edges.slice(1).entries()) expect(edge).toBeGreaterThan(edges[k]!)
        else expect(edges).toHaveLength(2)
      }),
    )
  })
})
