/** Random small tables: few actors, many ties, nulls, NaN, odd names, extreme values. */
import fc from 'fast-check'
import type { FilterValue, TimeSpan } from '../../src/behaviour/types.ts'
import type { TimeUnit } from '../../src/catalog/types.ts'
import type { QueryColumn, QuerySource } from './arbitrary-query.ts'
import {
  type Cell,
  fractionOfLiteral,
  holds,
  keyText,
  kindOf,
  type OracleColumn,
  type OracleTable,
  ticksPerSecond,
} from './table.ts'

/** What cells of a column are drawn from, and what filters compare them with. */
interface Pool {
  type: string
  cells: Cell[]
  /** Literals beside those that stand for cells. */
  others?: FilterValue[]
}

const TEXTS = [
  'view',
  'cart',
  'buy',
  '',
  'a',
  'A',
  'True',
  '__proto__',
  "it's",
  'b\\',
  'x\ny',
  '%',
  'é',
  '\ue000',
  '😀',
  'n\0l',
]
const UUIDS = [0, 1, 2, 3].map((digit) => `${digit}0000000-0000-4000-8000-00000000000${9 - digit}`)
const DAY = 86_400_000_000n
const NOON = 1_600_000_000_000_000n

const VALUES: Pool[] = [
  { type: 'VARCHAR', cells: TEXTS, others: ['no such', 'w', "' OR 1=1 --"] },
  { type: 'VARCHAR', cells: ['view', 'cart', 'buy', null], others: ['e'] },
  { type: 'INTEGER', cells: [0n, 1n, 2n, 3n, -1n, null, 2n ** 31n - 1n], others: [2, 1, 2n ** 64n, -(2n ** 90n)] },
  {
    type: 'BIGINT',
    cells: [0n, 5n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, null],
    others: [2n ** 53n, 2n ** 63n],
  },
  {
    type: 'DOUBLE',
    cells: [0, -0, 0.1, 0.2, 0.3, 1, -1.5, 1e16, -1e16, 5e-324, NaN, null, 1e-7, 2 ** 53],
    others: [2n ** 53n + 1n, 1],
  },
  { type: 'DOUBLE', cells: [10, 5, 7.5, 1e300, -1e300, 1e22, null, NaN], others: [2n ** 1100n, 0] },
  { type: 'FLOAT', cells: [0.25, 0.5, -2, 3, NaN, null], others: [1e300, 0.1] },
  { type: 'UINTEGER', cells: [0n, 7n, 2n ** 32n - 1n, null], others: [-1, 2n ** 32n] },
  { type: 'TINYINT', cells: [-128n, 127n, 0n, null], others: [128, -129] },
  { type: 'BOOLEAN', cells: [true, false, null] },
  { type: 'DECIMAL(10,2)', cells: [100n, 5n, -5n, 0n, 250n, null], others: ['0.05', 0.05, 0.005, 1, 2n ** 70n, '1e2'] },
  { type: 'DECIMAL(20,4)', cells: [1n, 99_999_999_999_999_999_999n, -1n, null], others: ['0.00010', 1e-4, -3] },
  { type: 'DATE', cells: [0n, -1n, 18_000n, 18_001n, null], others: ['2019-04-14T12:00:00', '1969-12-31'] },
  {
    type: 'TIMESTAMP',
    cells: [0n, -1n, NOON, NOON + 500_000n, null],
    others: ['2020-09-13T12:26:40.0000001', '1970-01-01'],
  },
  { type: 'TIMESTAMP WITH TIME ZONE', cells: [NOON, NOON + 1n, null], others: ['2020-09-13T14:26:40+02:00'] },
  {
    type: 'TIME',
    cells: [0n, 29_640_000_000n, 29_640_000_001n, DAY - 1n, null],
    others: ['08:14:00.0000005', '23:59:59', '00:00:00'],
  },
  { type: 'UUID', cells: [...UUIDS, null], others: [UUIDS[0]!.toUpperCase()] },
  { type: 'VARCHAR[]', cells: [['view', 'cart'], [], ['view', null], ['é', ''], null], others: ['vie'] },
  { type: 'BIGINT[]', cells: [[1n, 2n], [2n ** 53n + 1n], [], [null], null], others: [2n ** 70n, 0] },
  { type: 'DOUBLE[]', cells: [[0.1, -0], [NaN, 1.5], null], others: [2n ** 53n + 1n] },
]

const ACTORS: Pool[] = [
  { type: 'VARCHAR', cells: ['u1', 'U1', '', "o'x", '😀', '\ue000'] },
  { type: 'INTEGER', cells: [1n, 2n, 3n, -1n, -(2n ** 31n)] },
  { type: 'BIGINT', cells: [0n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 2n ** 53n] },
  { type: 'UUID', cells: ['f0000000-0000-4000-8000-000000000000', ...UUIDS] },
  { type: 'DATE', cells: [0n, -1n, 18_000n, 18_001n] },
  { type: 'DECIMAL(10,2)', cells: [1n, -1n, 100n, 0n] },
]

interface TimePool extends Pool {
  /** Columns of managed tables cannot be of this type. */
  registeredOnly?: boolean
}

const range = (from: bigint, step = 1n) => [0n, 1n, 2n, 3n, 4n, 5n, 6n].map((k) => from + k * step)

const TIMES: TimePool[] = [
  { type: 'BIGINT', cells: range(100n), others: [0, -5, 10_000] },
  { type: 'BIGINT', cells: range(-3n), others: [-4] },
  {
    type: 'BIGINT',
    cells: [-(2n ** 63n), 1n - 2n ** 63n, 0n, 1n, 2n ** 63n - 2n, 2n ** 63n - 1n],
    others: [2n ** 63n, -(2n ** 64n)],
  },
  { type: 'BIGINT', cells: range(2n ** 53n - 2n), others: [2n ** 53n] },
  { type: 'INTEGER', cells: range(2n ** 31n - 7n), others: [2n ** 31n] },
  { type: 'DOUBLE', cells: [0, -0, 0.1, 0.2, 0.30000000000000004, 1.5, 2, 3, -1], others: [0.3, -100, 2n ** 1100n] },
  { type: 'DOUBLE', cells: [1e300, -1e300, 1e16, 2 ** 53, 0, Infinity], others: [2n ** 53n + 1n] },
  { type: 'FLOAT', cells: [0.5, 1, 1.5, 2, 3.25, -1], others: [0.75, 100] },
  { type: 'DATE', cells: range(18_000n), others: ['2019-04-16T12:00:00', '2030-01-01'] },
  { type: 'TIMESTAMP', cells: [...range(NOON), NOON + DAY], others: ['2020-09-14', '2020-09-13T12:26:40.0000005'] },
  { type: 'TIMESTAMP WITH TIME ZONE', cells: range(-2n), others: ['1970-01-01T01:00:00+01:00', '2020-01-01'] },
  { type: 'TIMESTAMP_S', cells: range(1_600_000_000n), others: ['2020-09-13T12:26:40.5'], registeredOnly: true },
  {
    type: 'TIMESTAMP_MS',
    cells: range(1_600_000_000_000n),
    others: ['2020-09-13T12:26:40.0015'],
    registeredOnly: true,
  },
  { type: 'TIMESTAMP_NS', cells: range(NOON * 1000n), others: ['2020-09-13T12:26:40.000000003'], registeredOnly: true },
  {
    type: 'UBIGINT',
    cells: [0n, 1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n],
    others: [2n ** 64n, -1],
    registeredOnly: true,
  },
]

/** Names that quoting, casing, paths of fields, or names in our own statements could trip over. */
const NAMES = [
  'user',
  'ts',
  'event',
  'a',
  'b',
  's',
  't',
  'm',
  'v',
  'o',
  'n',
  'level',
  'actor',
  'place',
  'total',
  'found',
  'bin',
  'bucket',
  'skep_bucket',
  'rowid',
  'filename',
  'select',
  'with space',
  'q"uote',
  "apo's",
  'semi;colon',
  'a.b',
  '#',
  'ünï',
  '😀',
  'new\nline',
  'back`tick',
  'back\\slash',
  '$1',
  '1st',
  '__proto__',
  'constructor',
  '{x}',
  'COUNT(*)',
]

/** A table, what queries on it draw from, and whether only a registered folder can hold it. */
export interface TableCase {
  table: OracleTable
  source: QuerySource
  registeredOnly: boolean
}

/** Random tables; `nulls` allows nulls in the key columns. */
export function arbitraryTable(): fc.Arbitrary<TableCase> {
  return fc
    .record({
      actor: fc.constantFrom(...ACTORS),
      time: fc.constantFrom(...TIMES),
      values: fc.uniqueArray(fc.constantFrom(...VALUES), { minLength: 2, maxLength: 4 }).chain(fewerCells),
      unit: fc.constantFrom<TimeUnit | undefined>(undefined, 's', 'ms', 'us', 'ns'),
      struct: fc.nat(5),
      names: fc.shuffledSubarray(NAMES, { minLength: 7, maxLength: 7 }),
      hasNullKeys: fc.oneof({ arbitrary: fc.constant(false), weight: 3 }, { arbitrary: fc.constant(true), weight: 1 }),
    })
    .chain(({ actor, time, unit, struct, values, names, hasNullKeys }) => {
      const keyless = hasNullKeys && !time.registeredOnly
      const pools = [actor, time, ...values]
      const isField = (k: number) => struct === 0 && k >= pools.length - 2 && k >= 2
      const columns = pools.map(({ type }, k) => (isField(k) ? fieldOf(names[6]!, k, type) : { name: names[k]!, type }))
      const timeUnit = kindOf(time.type) === 'integer' && unit ? { timeUnit: unit } : {}
      return rowsArbitrary(pools, keyless).map((rows): TableCase => {
        const table = { columns, actor: names[0]!, time: names[1]!, ...timeUnit, rows }
        return { table, source: sourceOf(table, pools), registeredOnly: time.registeredOnly ?? false }
      })
    })
}

const FIELDS = ['f', 'g h', "i'j", 'K']

function fieldOf(struct: string, place: number, type: string): OracleColumn {
  const field = FIELDS[place % FIELDS.length]!
  return { name: `${struct}.${field}`, type, path: [struct, field] }
}

/** The same pools, most of them with only a few of their cells, so that filters and keys often meet. */
function fewerCells(pools: Pool[]): fc.Arbitrary<Pool[]> {
  const choices = pools.map((pool) => {
    const some = fc
      .shuffledSubarray(pool.cells, { minLength: 1, maxLength: Math.min(4, pool.cells.length) })
      .map((cells) => ({ ...pool, cells }))
    return fc.oneof({ arbitrary: some, weight: 3 }, { arbitrary: fc.constant(pool), weight: 1 })
  })
  return fc.tuple(...choices)
}

/** Rows in random order; with `keyless` some have no actor or no time. */
function rowsArbitrary([actor, time, ...values]: Pool[], keyless: boolean): fc.Arbitrary<Cell[][]> {
  const cells = values.map((pool) => fc.constantFrom(...pool.cells))
  const times: Cell[] = [...time!.cells, ...(keyless ? [null, ...(kindOf(time!.type) === 'float' ? [NaN] : [])] : [])]
  const row = fc.tuple(fc.constantFrom(...times), ...cells)
  const actors = [...actor!.cells, ...(keyless ? [null] : [])]
  const few = fc.array(row, { minLength: 1, maxLength: 8 })
  const many = fc.array(row, { minLength: 6, maxLength: 12 })
  const series = fc.tuple(fc.constantFrom(...actors), fc.oneof(few, many))
  return fc
    .uniqueArray(series, { minLength: 1, maxLength: 6, selector: ([cell]) => cell })
    .map((all) => all.flatMap(([cell, rows]) => rows.map((each): Cell[] => [cell, ...each])))
    .chain((rows) => fc.shuffledSubarray(rows, { minLength: rows.length, maxLength: rows.length }))
}

function sourceOf(table: OracleTable, pools: Pool[]): QuerySource {
  const time = pools[1]!
  const kind = kindOf(time.type)
  const literals = pools.map(literalsArbitrary)
  const filters = table.columns.map((column, k): QueryColumn => ({ ...column, literals: literals[k]! }))
  const durations = fc.oneof(
    { arbitrary: fc.integer({ min: 0, max: 6 }), weight: 5 },
    { arbitrary: fc.constantFrom<number | bigint>(2n ** 64n - 1n, 2n ** 63n, 2n ** 70n, 2 ** 53, 1e300), weight: 1 },
  )
  const isBefore = (a: number | bigint | string, b: number | bigint | string) =>
    holds(fractionOfLiteral(a, time.type), '<', fractionOfLiteral(b, time.type))
  const bound = fc.oneof(literals[1]!, fc.constantFrom(...time.others!)) as fc.Arbitrary<number | bigint | string>
  return {
    // Columns of values stand in filters more often than keys.
    filters: [...filters, ...filters.slice(2), ...filters.slice(2)],
    aggregations: filters,
    holds: table.columns.filter(({ type }) => kindOf(type) !== 'list').map(({ name }) => name),
    spans: spansArbitrary(table, time.type, durations),
    bounds: fc
      .tuple(bound, bound)
      .map(([a, b]): [typeof a, typeof b] => (isBefore(a, b) ? [a, b] : [b, a]))
      .filter(([from, to]) => isBefore(from, to)),
    ...(kind === 'integer' || kind === 'float' ? { durations } : {}),
  }
}

/** Numbers where the time column takes them, and durations around its ticks. */
function spansArbitrary(
  { timeUnit }: OracleTable,
  type: string,
  numbers: fc.Arbitrary<number | bigint>,
): fc.Arbitrary<TimeSpan> {
  const kind = kindOf(type)
  const tick =
    kind === 'integer'
      ? NANOSECONDS[timeUnit ?? 'none']
      : kind === 'timestamp'
        ? 1_000_000_000n / ticksPerSecond(type)
        : undefined
  const near = fc.tuple(fc.integer({ min: 0, max: 24 }), fc.constantFrom('s', 'ms', 'm', 'ISO'))
  const texts = near.map(([quarters, form]) => durationText((BigInt(quarters) * (tick ?? 0n) * 10n) / 4n, form))
  const others = fc.constantFrom('0s', '1d', 'P1D', 'PT24H', '1w', 'PT0,5S', 'P0DT1.5H', '300000w')
  if (kind === 'date')
    return fc.constantFrom('0s', '1d', 'P1D', 'PT36H', '1.5d', '2d', 'P3D', '1w', '0.5w', '119h', 'P1DT24H', '5000w')
  const durations = fc.oneof({ arbitrary: texts, weight: 4 }, { arbitrary: others, weight: 1 })
  if (kind === 'timestamp') return durations
  if (kind === 'integer') return tick === undefined ? numbers : fc.oneof(numbers, durations)
  return fc.oneof(
    numbers,
    fc.constantFrom<TimeSpan>(
      0.1,
      0.2,
      0.25,
      0.1 + 0.2,
      1.5,
      1e300,
      '100ms',
      '0.2s',
      'PT0.5S',
      '0.025m',
      '3s',
      '1.25s',
    ),
  )
}

const NANOSECONDS: Record<string, bigint> = { s: 1_000_000_000n, ms: 1_000_000n, us: 1000n, ns: 1n }
const PER_UNIT: Record<string, bigint> = { s: 1_000_000_000n, ms: 1_000_000n, m: 60_000_000_000n, ISO: 1_000_000_000n }

/** Tenths of nanoseconds as a duration; in minutes rounded to their last of twelve digits. */
function durationText(tenths: bigint, form: string): string {
  const digits = 12
  const scaled = (tenths * 10n ** BigInt(digits - 1)) / PER_UNIT[form]!
  const amount = `${scaled / 10n ** BigInt(digits)}.${String(scaled % 10n ** BigInt(digits)).padStart(digits, '0')}`
  return form === 'ISO' ? `PT${amount}S` : `${amount}${form}`
}

/** Literals that stand for the column's own cells, and a few others. */
function literalsArbitrary({ type, cells, others = [] }: Pool): fc.Arbitrary<FilterValue> {
  if (kindOf(type) === 'list') return literalsArbitrary({ type: type.slice(0, -2), cells: cells.flat(), others })
  const own = cells.filter((cell) => cell !== null && !Number.isNaN(cell) && Math.abs(Number(cell)) !== Infinity)
  const all = own.map((cell) => literalOf(cell!, type))
  if (all.length === 0) return fc.constantFrom(...(kindOf(type) === 'boolean' ? [true] : others))
  if (others.length === 0) return fc.constantFrom(...all)
  return fc.oneof(
    { arbitrary: fc.constantFrom(...all), weight: 8 },
    { arbitrary: fc.constantFrom(...others), weight: 1 },
  )
}

function literalOf(cell: Exclude<Cell, null>, type: string): FilterValue {
  const isText = ['decimal', 'date', 'time', 'timestamp'].includes(kindOf(type))
  return isText ? keyText(cell, type) : (cell as FilterValue)
}
