import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quoteString } from '../../src/common/data-type.ts'
import { isSkepError } from '../../src/errors.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'

/** Values of each column, as SQL. Files take neighbours from these lists, so that their bounds are narrow and often touch a constant. */
const POOLS: Record<string, { type: string; values: string[] }> = {
  i: { type: 'INTEGER', values: ['-2147483648', '-7', '-1', '0', '1', '2', '5', '7', '100', '16777217', '2147483647'] },
  b: {
    type: 'BIGINT',
    values: [
      '-9223372036854775808',
      '-9007199254740993',
      '0',
      '3',
      '16777216',
      '16777217',
      '9007199254740992',
      '9007199254740993',
      '9223372036854775807',
    ],
  },
  f: { type: 'FLOAT', values: ["'-inf'", '-1.5', '-0.0', '0.0', '0.1', '0.3', '1', '16777216', "'inf'", "'nan'"] },
  d: {
    type: 'DOUBLE',
    values: ["'-inf'", '-1.5', '-0.0', '0.1', '0.30000000000000004', '1', '9007199254740992', "'inf'", "'nan'"],
  },
  m: { type: 'DECIMAL(9,2)', values: ['-9999999.99', '-0.05', '0', '0.1', '1.25', '1.26', '7', '100', '9999999.99'] },
  w: {
    type: 'DECIMAL(38,10)',
    values: ["'-1234567890123456789012345678.5'", '0', '0.1', '1.25', '7', "'99999999999999999999999999.0000000001'"],
  },
  s: {
    type: 'VARCHAR',
    values: [
      "''",
      "' '",
      "'5'",
      "'05'",
      "'A'",
      "'a'",
      "'ab'",
      "'abc'",
      "'abd'",
      "'b'",
      "'a%b'",
      "'z'",
      "'é'",
      "'éa'",
      "'\uFFFD'",
      "'😀'",
      "'😀x'",
      'chr(1114111)',
      `repeat('q', 70) || '1'`,
      `repeat('q', 70) || '2'`,
    ],
  },
  t: {
    type: 'TIMESTAMP',
    values: [
      "'-infinity'",
      "'0044-03-15 (BC) 00:00:00'",
      "'1969-12-31 23:59:59.999999'",
      "'1970-01-01'",
      "'2026-01-01'",
      "'2026-01-01 00:00:00.000001'",
      "'2026-01-01 12:00:00'",
      "'2026-01-02'",
      "'2026-07-01'",
      "'12026-01-01'",
      "'infinity'",
    ],
  },
  z: {
    type: 'TIMESTAMP WITH TIME ZONE',
    values: [
      "'-infinity'",
      "'1970-01-01 00:00:00+00'",
      "'2025-12-31 23:00:00+00'",
      "'2026-01-01 00:00:00+00'",
      "'2026-01-01 12:00:00+00'",
      "'2026-07-01 00:00:00+02'",
      "'infinity'",
    ],
  },
  dt: {
    type: 'DATE',
    values: [
      "'-infinity'",
      "'0044-03-15 (BC)'",
      "'1969-12-31'",
      "'1970-01-01'",
      "'2026-01-01'",
      "'2026-01-02'",
      "'2026-07-01'",
      "'12026-01-01'",
      "'infinity'",
    ],
  },
  u: {
    type: 'UUID',
    values: [
      "'00000000-0000-0000-0000-000000000000'",
      "'0f8fad5b-d9cb-469f-a165-70867728950e'",
      "'7fffffff-ffff-ffff-ffff-ffffffffffff'",
      "'80000000-0000-0000-0000-000000000000'",
      "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    ],
  },
  y: { type: 'BLOB', values: ["''", "'\\x00'", "'5'", "'a'", "'a\\xFF'", "'b'", "'\\xFF'"] },
  o: { type: 'BOOLEAN', values: ['false', 'true'] },
  h: { type: 'TIME', values: ["'00:00:00'", "'12:00:00'", "'12:00:00.000001'", "'23:59:59.999999'"] },
}
const COLUMNS = Object.keys(POOLS)
/** Columns that the fields of a file's path carry, too. */
const HIVE = ['day', 'part']

/** A fixed sequence of numbers: the tables are the same at every run, the queries are what is random. */
function sequence(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** SELECT of rows whose columns each stay within a few neighbours of their pool; some are null in part or throughout. */
function fileSql(next: (below: number) => number, firstKey: number): string {
  const ranges = COLUMNS.map((name) => {
    const { values } = POOLS[name]!
    const span = 1 + next(Math.min(3, values.length))
    return { name, from: next(values.length - span + 1), span, nulls: [0, 0, 0.3, 1][next(4)]! }
  })
  const rows = Array.from({ length: 6 }, (_, k) => {
    const cells = ranges.map(({ name, from, span, nulls }) => {
      const { type, values } = POOLS[name]!
      const value = next(100) < nulls * 100 ? 'NULL' : values[from + next(span)]!
      return `CAST(${value} AS ${type}) AS ${name}`
    })
    return `SELECT ${firstKey + k}::INTEGER AS k, ${cells.join(', ')}`
  })
  return rows.join(' UNION ALL ')
}

let lab: Lab
/** A managed table by an actor of text, one by an actor of integers, and a folder with Hive columns. */
const TABLES = ['texts', 'numbers', 'folder'] as const
type TableName = (typeof TABLES)[number]

beforeAll(async () => {
  lab = await openLab()
  const { warehouse, duck } = lab
  const next = sequence(2026)
  for (const [table, actor, time] of [
    ['texts', 's', 't'],
    ['numbers', 'b', 'f'],
  ] as const) {
    for (let part = 0; part < 6; part++) {
      const path = await lab.write(fileSql(next, part * 6))
      await warehouse.import(table, [path], part === 0 ? { actor, time, buckets: 4 } : {})
      await duck.run(`${part === 0 ? `CREATE TABLE ${table} AS` : `INSERT INTO ${table}`} FROM '${path}'`)
    }
  }
  const days = ['2026-01-01', '2026-01-02', '2026-07-01']
  for (let part = 0; part < 12; part++) {
    const day = part % 4 === 3 ? '__HIVE_DEFAULT_PARTITION__' : days[part % 4]
    // A registered table has no null actors: the key stands in for one.
    // DuckDB 1.5.5 misses binary values that it looks for by its own bloom filters.
    const options = 'FORMAT parquet, WRITE_BLOOM_FILTER false'
    await lab.write(fileSql(next, part * 6), `folder/day=${day}/part=${part - 3}/file.parquet`, options)
  }
  await warehouse.register('folder', `${lab.dir}/folder`, { actor: 'k', time: 'k' })
  await duck.run(
    `CREATE TABLE folder AS SELECT k, ${COLUMNS.join(', ')}, day, part FROM read_parquet('${lab.dir}/folder/**/*.parquet', union_by_name = true, hive_partitioning = true, hive_types = {'day': VARCHAR, 'part': BIGINT})`,
  )
})

afterAll(async () => {
  await lab.close()
})

/** A piece of SQL; values that are bound are written as SQL for DuckDB, which is not asked to bind them. */
interface Piece {
  ours: (bind: (value: unknown) => string) => string
  theirs: string
}

const same = (sql: string): Piece => ({ ours: () => sql, theirs: sql })

function joined(parts: (Piece | string)[]): Piece {
  return {
    ours: (bind) => parts.map((part) => (typeof part === 'string' ? part : part.ours(bind))).join(''),
    theirs: parts.map((part) => (typeof part === 'string' ? part : part.theirs)).join(''),
  }
}

const bound = (value: unknown, theirs: string): Piece => ({ ours: (bind) => bind(value), theirs })

const BOUND: Piece[] = [
  bound(5, '5::BIGINT'),
  bound(0.1, '0.1::DOUBLE'),
  bound(16777216.5, '16777216.5::DOUBLE'),
  bound(9007199254740993n, '9007199254740993::BIGINT'),
  bound(10n ** 25n, '10000000000000000000000000::HUGEINT'),
  bound('5', "'5'::VARCHAR"),
  bound('ab', "'ab'::VARCHAR"),
  bound('2026-01-01', "'2026-01-01'::VARCHAR"),
  bound(new Date('2026-01-01T12:00:00Z'), "'2026-01-01 12:00:00+00'::TIMESTAMPTZ"),
  bound(true, 'true'),
  bound(null, 'NULL'),
  bound(Uint8Array.of(0x61), "'a'::BLOB"),
]

/** Constants that are compared with columns of any type. */
const CONSTANTS = [
  '5',
  '-1',
  '0',
  '1.25',
  '1.255',
  '5.5',
  '0.1',
  '1e0',
  '5e0',
  '9007199254740992e0',
  '30000000000000004e-17',
  '125e-2',
  '16777217',
  '9007199254740993',
  '99999999999999999999',
  '-1e300',
  "'5'",
  "'05'",
  "'a'",
  "'2026-01-01'",
  "'2026-01-01 12:00:00'",
  "'nonsense'",
  'NULL',
  'true',
  "DATE '2026-01-01'",
  "TIMESTAMP '2026-01-01'",
  "TIMESTAMP '2026-01-01 12:00:00'",
  "TIMESTAMPTZ '2026-01-01 12:00:00+02'",
  "DATE 'infinity'",
  '0.1::FLOAT',
  '0.1::DOUBLE',
  '16777216::FLOAT',
  "'nan'::DOUBLE",
  "'inf'::FLOAT",
  '7::HUGEINT',
  '255::UTINYINT',
  '1.25::DECIMAL(38,20)',
  "'5'::VARCHAR",
  "'a'::BLOB",
  "'A' || 'b'",
  "lower('AB')",
  '2 + 3',
  '10 / 4',
  '-(5)',
  "DATE '2026-01-01' + 1",
  "DATE '2026-01-01' + INTERVAL 12 HOUR",
  "TIMESTAMP '2026-01-01' - INTERVAL 1 DAY",
  "strptime('2026-01-01', '%Y-%m-%d')",
  'make_date(2026, 1, 1)',
  "CAST('5' AS INTEGER)",
  "TRY_CAST('x' AS INTEGER)",
  "'5'::INTEGER::VARCHAR",
  'now()',
  "date_trunc('day', TIMESTAMP '2026-01-01 12:00:00')",
]

const qualified = fc.constantFrom('plain', 'qualified')

function columnOf(alias: string | undefined, name: string): fc.Arbitrary<string> {
  return alias === undefined ? fc.constant(name) : qualified.map(() => `${alias}.${name}`)
}

/** A constant for a column: most often one of its own values, else any. */
function constantFor(name: string): fc.Arbitrary<Piece> {
  const own = POOLS[name]
  const any = fc.oneof(fc.constantFrom(...CONSTANTS).map(same), fc.constantFrom(...BOUND))
  if (!own) return fc.oneof(fc.constantFrom("'2026-01-01'", "'2026-01-02'", '3', "'3'", '-2', "'zz'").map(same), any)
  const typed = fc.constantFrom(...own.values).map((value) => same(`CAST(${value} AS ${own.type})`))
  const bare = fc.constantFrom(...own.values).map((value) => same(value))
  return fc.oneof({ weight: 4, arbitrary: typed }, { weight: 2, arbitrary: bare }, { weight: 3, arbitrary: any })
}

const OPERATORS = ['=', '<', '<=', '>', '>=', '<>', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM']

function leaf(alias: string | undefined, names: readonly string[]): fc.Arbitrary<Piece> {
  return fc.constantFrom(...names).chain((name) => {
    const constant = constantFor(name)
    const column = columnOf(alias, name)
    const operator = fc.constantFrom(...OPERATORS)
    const arms: fc.Arbitrary<Piece>[] = [
      fc.tuple(column, operator, constant).map(([c, op, v]) => joined([c, ` ${op} `, v])),
      fc.tuple(column, operator, constant).map(([c, op, v]) => joined([v, ` ${op} `, c])),
      fc.tuple(column, constant, constant).map(([c, v, w]) => joined([c, ' BETWEEN ', v, ' AND ', w])),
      fc.tuple(column, constant, constant).map(([c, v, w]) => joined([c, ' NOT BETWEEN ', v, ' AND ', w])),
      fc
        .tuple(column, fc.array(constant, { minLength: 1, maxLength: 3 }), fc.boolean())
        .map(([c, values, not]) =>
          joined([c, not ? ' NOT IN (' : ' IN (', ...values.flatMap((v, k) => (k === 0 ? [v] : [', ', v])), ')']),
        ),
      fc.tuple(column, fc.boolean()).map(([c, not]) => same(`${c} IS ${not ? 'NOT ' : ''}NULL`)),
      fc.tuple(column, constant).map(([c, v]) => joined(['coalesce(', c, ' = ', v, ', true)'])),
      fc.tuple(column, column).map(([c, other]) => same(`${c} = ${other}`)),
    ]
    if (name === 's' || name === 'day') {
      const pattern = fc.constantFrom(
        "'a%'",
        "'ab_'",
        "'A%'",
        "'%b'",
        "''",
        "'%'",
        "'é%'",
        "'😀%'",
        "'\uFFFD%'",
        "'abc'",
        "'a\\%b'",
        "'2026-01%'",
        "'zz%'",
        `repeat('q', 66) || '%'`,
        'NULL',
      )
      arms.push(
        fc
          .tuple(column, fc.constantFrom('LIKE', 'NOT LIKE', 'ILIKE', 'GLOB'), pattern)
          .map(([c, like, p]) => same(`${c} ${like} ${p}`)),
        fc.tuple(column, pattern).map(([c, p]) => same(`${c} LIKE ${p} ESCAPE '\\'`)),
        fc
          .tuple(column, fc.constantFrom("'a'", "'ab'", "''", "'é'", "'😀'", "'2026'", `repeat('q', 70)`))
          .map(([c, p]) => same(`starts_with(${c}, ${p})`)),
      )
    }
    return fc.oneof(...arms)
  })
}

function condition(alias: string | undefined, names: readonly string[], depth: number): fc.Arbitrary<Piece> {
  if (depth === 0) return leaf(alias, names)
  const inner = condition(alias, names, depth - 1)
  const pair = (word: string) => fc.tuple(inner, inner).map(([a, b]) => joined(['(', a, ` ${word} `, b, ')']))
  return fc.oneof(
    { weight: 3, arbitrary: leaf(alias, names) },
    { weight: 3, arbitrary: pair('AND') },
    { weight: 2, arbitrary: pair('OR') },
    { weight: 1, arbitrary: inner.map((a) => joined(['NOT (', a, ')'])) },
    { weight: 1, arbitrary: inner.map((a) => joined(['(', a, ') IS TRUE'])) },
  )
}

const namesOf = (table: TableName) => (table === 'folder' ? [...COLUMNS, ...HIVE] : COLUMNS)

const ofOne: fc.Arbitrary<Piece> = fc
  .constantFrom(...TABLES)
  .chain((table) =>
    fc
      .tuple(condition(undefined, namesOf(table), 2), fc.nat(4))
      .map(
        ([where, shape]) =>
          [
            joined([`SELECT k FROM ${table} WHERE `, where]),
            joined([`SELECT k FROM (SELECT * FROM ${table}) WHERE `, where]),
            joined([
              `WITH x AS (SELECT * FROM ${table} WHERE `,
              where,
              `) SELECT k FROM x UNION ALL SELECT k FROM ${table} WHERE k < 3`,
            ]),
            joined([
              `SELECT k FROM ${table} AS a WHERE EXISTS (SELECT 1 FROM ${table} AS c WHERE c.k = a.k + 1 AND `,
              where,
              ')',
            ]),
            joined([`SELECT count(*) FROM ${table} WHERE `, where, ` HAVING count(*) > 0`]),
          ][shape]!,
      ),
  )

const JOINS = ['JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', 'CROSS JOIN', 'SEMI JOIN', 'ANTI JOIN']
const LINKS = ['ON l.k = r.k', 'ON l.i = r.i', 'ON l.s = r.s AND l.k < r.k', 'USING (k)', 'USING (s)', 'USING (i, m)']

const ofTwo: fc.Arbitrary<Piece> = fc
  .tuple(fc.constantFrom(...TABLES), fc.constantFrom(...TABLES), fc.constantFrom(...JOINS), fc.constantFrom(...LINKS))
  .chain(([left, right, join, link]) => {
    const isHalf = join === 'SEMI JOIN' || join === 'ANTI JOIN'
    const shared = link.startsWith('USING') && join !== 'CROSS JOIN' ? link.slice(7, -1).split(', ') : []
    const common = shared.filter((name) => COLUMNS.includes(name))
    const sides = [
      condition('l', namesOf(left), 1),
      isHalf ? leaf(undefined, namesOf(left)) : condition('r', namesOf(right), 1),
    ]
    const more = common.length > 0 ? leaf(undefined, common) : fc.constant(same('true'))
    return fc.tuple(...sides, more, fc.constantFrom(' AND ', ' OR ')).map((parts) => {
      const [a, b, c, word] = parts as [Piece, Piece, Piece, string]
      const output = isHalf ? 'l.k' : 'l.k, r.k'
      const from = `${left} l ${join} ${right} r ${join === 'CROSS JOIN' ? '' : link}`
      return joined([`SELECT ${output} FROM ${from} WHERE (`, a, word, b, ') AND ', c])
    })
  })

function comparable(rows: readonly (readonly unknown[])[]): string[] {
  return rows.map((row) => row.map(String).join()).toSorted()
}

/** What came of a query: whether there were rows to compare, and whether files were left out. */
interface Outcome {
  compared: boolean
  pruned: boolean
}

/** Conversions of values fail or not as the engine comes to them: of queries with an error on either side nothing is asked but that it is the user's. */
async function expectSame(query: Piece): Promise<Outcome> {
  const params: unknown[] = []
  const sql = query.ours((value) => `$${params.push(value)}`)
  const wanted = await lab.judge(query.theirs).catch(() => undefined)
  try {
    const { rows, stats } = await lab.warehouse.sql(sql, { params: params as never })
    if (wanted) expect(comparable(rows.map((row) => Object.values(row))), sql).toEqual(comparable(wanted))
    return { compared: wanted !== undefined, pruned: stats.filesPruned > 0 }
  } catch (error) {
    if (isSkepError(error, 'SQL_INVALID')) return { compared: false, pruned: false }
    throw error
  }
}

async function expectAlwaysSame(queries: fc.Arbitrary<Piece>): Promise<void> {
  const outcomes: Outcome[] = []
  const property = fc.asyncProperty(queries, async (query) => {
    outcomes.push(await expectSame(query))
  })
  await fc.assert(property, RUNS)
  expect(outcomes.filter(({ compared }) => compared).length).toBeGreaterThan(RUNS.numRuns / 2)
  expect(outcomes.filter(({ compared, pruned }) => compared && pruned).length).toBeGreaterThan(RUNS.numRuns / 20)
}

const RUNS = { numRuns: 350 }

describe('pruned or not, the rows are the same', () => {
  test('over one table', () => expectAlwaysSame(ofOne))

  test('over joins', () => expectAlwaysSame(ofTwo))

  test('every value of every column is found again, and the files without it are left out', async () => {
    for (const table of TABLES) {
      for (const name of COLUMNS) {
        const { type, values } = POOLS[name]!
        for (const value of values)
          await expectSame(same(`SELECT k FROM ${table} WHERE ${name} = CAST(${value} AS ${type})`))
      }
    }
    const { stats } = await lab.warehouse.sql(`SELECT k FROM texts WHERE s = ${quoteString('no such text')}`)
    expect(stats.files).toBeLessThan(stats.files + stats.filesPruned)
  })
})
