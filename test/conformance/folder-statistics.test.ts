import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type FileFooter, readFooter } from '../../src/catalog/folder/footer.ts'
import { compareScalars } from '../../src/catalog/scalar.ts'
import type { ColumnStatistics, Scalar } from '../../src/catalog/types.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'skep-statistics-'))
const store = new DiskStore(folder)
let duckdb: DuckDBConnection
let files = 0

beforeAll(async () => {
  duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
  await duckdb.run("SET TimeZone = 'UTC'")
})

afterAll(async () => {
  duckdb.closeSync()
  await rm(folder, { recursive: true })
})

async function write(select: string, options = ''): Promise<string> {
  const name = `${files++}.parquet`
  await duckdb.run(`COPY (${select}) TO '${join(folder, name)}' (FORMAT parquet${options})`)
  return name
}

async function footerOf(name: string): Promise<FileFooter> {
  return await readFooter(store, (await store.stat(name))!)
}

async function statisticsOf(select: string): Promise<ColumnStatistics> {
  return (await footerOf(await write(select))).columns[0]!.statistics!
}

/** A kind of column: how values of it are drawn, written in SQL, and kept as bounds. */
interface Kind {
  type: string
  values: fc.Arbitrary<Scalar>
  sql: (value: Scalar) => string
}

const text = (value: Scalar) => `'${String(value).replaceAll("'", "''")}'`
const hex = (value: Scalar) => `from_hex('${Buffer.from(value as Uint8Array).toString('hex')}')`
const integers = (type: string, bits: number, unsigned: boolean): Kind => ({
  type,
  values: fc.bigInt(
    unsigned
      ? { min: 0n, max: (1n << BigInt(bits)) - 1n }
      : { min: -(1n << BigInt(bits - 1)), max: (1n << BigInt(bits - 1)) - 1n },
  ),
  sql: String,
})
const decimals = (precision: number, scale: number): Kind => ({
  type: `DECIMAL(${precision},${scale})`,
  values: fc.bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n }),
  sql: (value) => {
    const digits = String((value as bigint) < 0n ? -(value as bigint) : value).padStart(scale + 1, '0')
    const point = digits.length - scale
    return `${(value as bigint) < 0n ? '-' : ''}${digits.slice(0, point)}.${digits.slice(point)}`
  },
})
/** Within the years 1678 to 2261, which nanoseconds reach too. */
const micros = fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n })

const KINDS: Kind[] = [
  integers('TINYINT', 8, false),
  integers('SMALLINT', 16, false),
  integers('INTEGER', 32, false),
  integers('BIGINT', 64, false),
  integers('UTINYINT', 8, true),
  integers('USMALLINT', 16, true),
  integers('UINTEGER', 32, true),
  integers('UBIGINT', 64, true),
  decimals(4, 1),
  decimals(9, 2),
  decimals(18, 6),
  decimals(38, 10),
  { type: 'BOOLEAN', values: fc.boolean(), sql: String },
  { type: 'DOUBLE', values: fc.double({ noNaN: true }), sql: (value) => text(value) },
  { type: 'FLOAT', values: fc.float({ noNaN: true }), sql: (value) => text(value) },
  {
    type: 'VARCHAR',
    values: fc.string({ unit: 'binary', maxLength: 8 }).filter((value) => !value.includes('\0')),
    sql: text,
  },
  { type: 'BLOB', values: fc.uint8Array({ minLength: 1, maxLength: 8 }), sql: hex },
  {
    type: 'DATE',
    values: fc.bigInt({ min: -100_000n, max: 100_000n }),
    sql: (value) => `DATE '1970-01-01' + (${value})::INTEGER`,
  },
  {
    type: 'TIME',
    values: fc.bigInt({ min: 0n, max: 86_399_999_999n }),
    sql: (value) => `make_timestamp(${value})::TIME`,
  },
  { type: 'TIMESTAMP', values: micros, sql: (value) => `make_timestamp(${value})` },
  { type: 'TIMESTAMPTZ', values: micros, sql: (value) => `make_timestamp(${value})::TIMESTAMPTZ` },
  {
    type: 'TIMESTAMP_MS',
    values: micros.map((value) => value - (value % 1000n)),
    sql: (value) => `make_timestamp(${value})`,
  },
  { type: 'TIMESTAMP_NS', values: micros, sql: (value) => `make_timestamp_ns(${value} * 1000)` },
]

test.each(KINDS)('bounds and nulls of $type are exact, over any row groups', async ({ type, values, sql }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(values), { minLength: 1, maxLength: 12 }), async (rows) => {
      const list = rows.map((value, index) => `(${index}, ${value === null ? 'NULL' : sql(value)})`).join(', ')
      const name = await write(`SELECT v::${type} AS v FROM (VALUES ${list}) t(i, v) ORDER BY i`)
      const { columns, rows: count } = await footerOf(name)
      const known = rows.filter((value) => value !== null).sort(compareScalars)
      expect(count).toBe(rows.length)
      expect(columns[0]!.statistics).toMatchObject({ values: rows.length, nulls: rows.length - known.length })
      const { lower, upper } = columns[0]!.statistics!
      expect([lower, upper].map(unsign)).toEqual([known[0], known.at(-1)].map(unsign))
    }),
    { numRuns: 25 },
  )
})

/** Zero bounds stand for both zeros. */
function unsign(value: Scalar | undefined): Scalar | undefined {
  return value === 0 ? 0 : value instanceof Uint8Array ? Uint8Array.from(value) : value
}

test('bounds of nanoseconds are widened to whole microseconds', async () => {
  const nanos = (value: bigint) => `make_timestamp_ns(${value})`
  for (const [low, high, lower, upper] of [
    [1001n, 2001n, 1n, 3n],
    [-1001n, -999n, -2n, 0n],
    [-2000n, 2000n, -2n, 2n],
  ] as const) {
    const statistics = await statisticsOf(`SELECT ${nanos(low)} AS v UNION ALL SELECT ${nanos(high)}`)
    expect(statistics).toMatchObject({ lower, upper })
  }
})

test('bounds of UUIDs are in the order of the engine', async () => {
  const ids = [
    '00000000-0000-0000-0000-000000000001',
    '7fffffff-0000-0000-0000-000000000000',
    'f0000000-0000-0000-0000-000000000000',
  ]
  const { lower, upper } = await statisticsOf(`SELECT unnest([${ids.map((id) => `'${id}'::UUID`)}]) AS v`)
  expect([lower, upper].map((bound) => Buffer.from(bound as Uint8Array).toString('hex'))).toEqual(
    [ids[0], ids[2]].map((id) => id!.replaceAll('-', '')),
  )
})

test('NaN leaves the bounds of a column out, or outside of them', async () => {
  for (const type of ['DOUBLE', 'FLOAT']) {
    const { lower, upper } = await statisticsOf(`SELECT unnest(['1', 'NaN', '5'])::${type} AS v`)
    expect([undefined, 1]).toContain(lower)
    expect([undefined, 5]).toContain(upper)
  }
})

test('zero is a bound of both signs', async () => {
  expect(await statisticsOf(`SELECT unnest(['-0.0'::DOUBLE, '0.0'::DOUBLE]) AS v`)).toMatchObject({
    lower: -0,
    upper: 0,
  })
  const { lower, upper } = await statisticsOf(`SELECT '0.0'::DOUBLE AS v`)
  expect([Object.is(lower, -0), Object.is(upper, 0)]).toEqual([true, true])
})

test('all nulls: no bounds, all counted', async () => {
  const statistics = await statisticsOf('SELECT NULL::INTEGER AS v FROM range(10)')
  expect(statistics).toMatchObject({ values: 10, nulls: 10 })
  expect(statistics).not.toHaveProperty('lower')
})

test('many row groups: each has its own statistics, the file has those of all', async () => {
  const name = await write('SELECT i AS v, [i] AS l FROM range(10000) t(i)', ', ROW_GROUP_SIZE 2048')
  const { rowGroups, columns, rows } = await footerOf(name)
  const reader = await duckdb.runAndReadAll(
    `SELECT row_group_num_rows, stats_min_value::BIGINT, stats_max_value::BIGINT
       FROM parquet_metadata('${join(folder, name)}') WHERE path_in_schema = 'v' ORDER BY row_group_id`,
  )
  expect(rows).toBe(10_000)
  expect(rowGroups.length).toBeGreaterThan(1)
  expect(
    rowGroups.map((group) => [BigInt(group.rows), group.statistics[0]!.lower, group.statistics[0]!.upper]),
  ).toEqual(reader.getRows())
  expect(rowGroups.map((group) => group.statistics[1])).toEqual(rowGroups.map(() => undefined))
  expect(columns[0]!.statistics).toMatchObject({ values: 10_000, nulls: 0, lower: 0n, upper: 9999n })
  expect(columns[1]!.statistics).toBeUndefined()
})

test('long text has bounds that hold it, or none', async () => {
  for (const length of [10, 300, 20_000]) {
    const [low, high] = [`${'é'.repeat(length)}a`, `${'é'.repeat(length)}z`]
    const { lower, upper } = await statisticsOf(`SELECT unnest(['${low}', '${high}']) AS v`)
    if (lower !== undefined) expect(compareScalars(lower, low)).toBeLessThanOrEqual(0)
    if (upper !== undefined) expect(compareScalars(upper, high)).toBeGreaterThanOrEqual(0)
  }
})
