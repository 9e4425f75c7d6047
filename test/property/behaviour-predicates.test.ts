import { BIGINT, BOOLEAN, DOUBLE, type DuckDBConnection, DuckDBInstance, HUGEINT, VARCHAR } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Bind, predicateSql } from '../../src/behaviour/predicate-sql.ts'
import { validateQuery } from '../../src/behaviour/validate.ts'
import { parseType } from '../../src/common/data-type.ts'
import { readSettings } from '../../src/config.ts'

const limits = readSettings({})

describe('predicates in the engine', () => {
  let connection: DuckDBConnection

  beforeAll(async () => {
    connection = await (await DuckDBInstance.create()).connect()
  })

  afterAll(() => connection.closeSync())

  const bigints = [
    0n,
    1n,
    -1n,
    127n,
    2n ** 31n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    2n ** 64n,
    10n ** 25n,
  ]
  const floats = [0, 0.5, -0.25, 1e300, 2 ** 53, 2 ** 53 + 2, -(2 ** 63), 1e25, Number.MAX_VALUE, Number.MIN_VALUE]
  const texts = ['', 'a', 'ab', 'B', "'", 'a\0', 'é', '💥', '\ufffd', '"']
  const integer = fc.oneof(fc.constantFrom(...bigints), fc.bigInt({ min: -300n, max: 300n }))
  const number = fc.oneof(
    integer,
    fc.constantFrom(...floats),
    fc.double({ min: -2, max: 2, noNaN: true }),
    fc.constantFrom(10n ** 400n, -(10n ** 400n)),
  )
  const range = (bits: bigint) => integer.filter((value) => value >= -(2n ** (bits - 1n)) && value < 2n ** (bits - 1n))
  const text = fc.oneof(fc.constantFrom(...texts), fc.string({ maxLength: 3 }))
  const comparisons = ['==', '!=', '<', '<=', '>', '>=']

  /** How a stored value and a value of a query compare; JavaScript compares numbers and bigints exactly. */
  function model(stored: unknown, op: string, value: unknown): boolean {
    if (stored === null || Number.isNaN(stored)) return op === '!=' || op === 'not contains'
    if (op === 'contains') return (stored as string).includes(value as string)
    if (op === 'not contains') return !(stored as string).includes(value as string)
    if (op === 'starts with') return (stored as string).startsWith(value as string)
    if (op === 'ends with') return (stored as string).endsWith(value as string)
    if (typeof stored === 'string') return model(Buffer.compare(Buffer.from(stored), Buffer.from(String(value))), op, 0)
    const [less, greater] = [(stored as bigint) < (value as bigint), (stored as bigint) > (value as bigint)]
    if (op === '==') return !less && !greater
    if (op === '!=') return less || greater
    return op.startsWith('<') ? less || (op === '<=' && !greater) : greater || (op === '>=' && !less)
  }

  async function check(type: string, stored: unknown[], op: string, value: unknown): Promise<void> {
    const table = { columns: [{ id: 1, name: 'c', type: parseType(type), required: false }], keys: { actor: 'c' } }
    const { predicates } = validateQuery({ query: { conditions: [{ filter: ['c', op, value] }] } }, table, limits)
    const values: Parameters<Bind>[0][] = []
    const types: (typeof BIGINT | typeof BOOLEAN | typeof DOUBLE | typeof HUGEINT | typeof VARCHAR)[] = []
    const bind: Bind = (bound, bindType) => {
      types.push({ BIGINT, BOOLEAN, DOUBLE, HUGEINT, VARCHAR }[bindType])
      return `$${values.push(bound)}`
    }
    const rows = stored.map((each, index) => {
      const cell =
        each === null
          ? 'NULL'
          : bind(each as string, type === 'VARCHAR' ? 'VARCHAR' : type === 'DOUBLE' ? 'DOUBLE' : 'HUGEINT')
      return `SELECT ${index} AS i, CAST(${cell} AS ${type}) AS c`
    })
    const sql = `SELECT ${predicateSql(predicates[0]!, bind)} FROM (${rows.join(' UNION ALL ')}) t ORDER BY i`
    const reader = await connection.runAndReadAll(sql, values, types)
    expect(reader.getRows().map(([holds]) => holds)).toEqual(stored.map((each) => model(each, op, value)))
  }

  const nullable = <T>(arbitrary: fc.Arbitrary<T>) =>
    fc.array(fc.option(arbitrary, { freq: 4 }), { minLength: 1, maxLength: 6 })

  test.each([
    ['TINYINT', 8n],
    ['INTEGER', 32n],
    ['BIGINT', 64n],
    ['HUGEINT', 128n],
  ])('are two-valued and exact on %s', async (type, bits) => {
    await fc.assert(
      fc.asyncProperty(nullable(range(bits)), fc.constantFrom(...comparisons), integer, (stored, op, value) =>
        check(type, stored, op, value),
      ),
    )
  })

  test('are two-valued and exact on DOUBLE, with NaN and infinities', async () => {
    const cell = fc.oneof(fc.constantFrom(...floats, Number.NaN, Infinity, -Infinity), fc.double({ min: -2, max: 2 }))
    await fc.assert(
      fc.asyncProperty(nullable(cell), fc.constantFrom(...comparisons), number, (stored, op, value) =>
        check('DOUBLE', stored, op, value),
      ),
    )
  })

  test('are two-valued and exact on VARCHAR', async () => {
    const operators = fc.constantFrom(...comparisons, 'contains', 'not contains', 'starts with', 'ends with')
    await fc.assert(
      fc.asyncProperty(nullable(text), operators, text, (stored, op, value) =>
        check('VARCHAR', [value, ...stored], op, value),
      ),
    )
  })

  const TYPES = {
    i: 'BIGINT',
    d: 'DOUBLE',
    s: 'VARCHAR',
    b: 'BOOLEAN',
    l: 'VARCHAR[]',
    t: 'STRUCT(i BIGINT, s VARCHAR)',
  }
  const words = fc.constantFrom('', 'a', 'ab', 'B', 'é', '💥', "'")
  const whole = fc.bigInt({ min: -2n, max: 4n })
  const real = fc.constantFrom(-1.5, 0, 0.5, 1, 2, 1e300)
  const row = fc.record({
    i: fc.option(whole, { freq: 4 }),
    d: fc.option(fc.oneof(real, fc.constant(Number.NaN)), { freq: 4 }),
    s: fc.option(words, { freq: 4 }),
    b: fc.option(fc.boolean(), { freq: 4 }),
    l: fc.option(fc.array(fc.option(words, { freq: 4 }), { maxLength: 3 }), { freq: 4 }),
    t: fc.option(fc.record({ i: fc.option(whole, { freq: 4 }), s: fc.option(words, { freq: 4 }) }), { freq: 4 }),
  })
  type Row = Record<string, unknown>

  const values: Record<string, fc.Arbitrary<unknown>> = {
    i: whole,
    't.i': whole,
    d: real,
    s: words,
    't.s': words,
    b: fc.boolean(),
  }
  const ordered = ['i', 't.i', 'd', 's', 't.s']
  const leaf = fc.oneof(
    fc
      .constantFrom(...ordered)
      .chain((column) => fc.tuple(fc.constant(column), fc.constantFrom(...comparisons), values[column]!)),
    fc
      .constantFrom(...ordered)
      .chain((column) =>
        fc.tuple(fc.constant(column), fc.constant('between'), fc.tuple(values[column]!, values[column]!)),
      ),
    fc
      .constantFrom(...Object.keys(values))
      .chain((column) =>
        fc.tuple(
          fc.constant(column),
          fc.constantFrom('in', 'not in'),
          fc.array(values[column]!, { minLength: 1, maxLength: 3 }),
        ),
      ),
    fc.tuple(fc.constant('b'), fc.constantFrom('==', '!='), fc.boolean()),
    fc.tuple(
      fc.constantFrom('s', 't.s'),
      fc.constantFrom('contains', 'not contains', 'starts with', 'ends with'),
      words,
    ),
    fc.tuple(fc.constant('l'), fc.constantFrom('contains', 'not contains'), words),
    fc.tuple(fc.constantFrom(...Object.keys(values), 'l'), fc.constantFrom('is null', 'is not null')),
  ) as fc.Arbitrary<[string, string, unknown]>

  interface Tree {
    filter: unknown
    holds: (row: Row) => boolean
  }

  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'medium', withCrossShrink: true },
      leaf.map((filter): Tree => ({ filter, holds: (each) => leafHolds(each, filter) })),
      tie('tree').map((of): Tree => ({ filter: { not: of.filter }, holds: (each) => !of.holds(each) })),
      fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map(
        (of): Tree => ({
          filter: { and: of.map(({ filter }) => filter) },
          holds: (each) => of.every(({ holds }) => holds(each)),
        }),
      ),
      fc.array(tie('tree'), { minLength: 1, maxLength: 3 }).map(
        (of): Tree => ({
          filter: { or: of.map(({ filter }) => filter) },
          holds: (each) => of.some(({ holds }) => holds(each)),
        }),
      ),
    ),
  }))

  function leafHolds(each: Row, [column, op, value]: [string, string, unknown]): boolean {
    const stored = column.split('.').reduce<unknown>((inner, key) => (inner as Row | null)?.[key] ?? null, each)
    const isNull = stored === null || Number.isNaN(stored)
    if (op === 'is null' || op === 'is not null') return isNull === (op === 'is null')
    if (op === 'in' || op === 'not in') {
      return (value as unknown[]).some((item) => model(stored, '==', item)) === (op === 'in')
    }
    if (op === 'between') {
      const [low, high] = value as unknown[]
      return model(stored, '>=', low) && model(stored, '<=', high)
    }
    if (column === 'l')
      return (stored as unknown[] | null)?.includes(value) === true ? op === 'contains' : op !== 'contains'
    return model(stored, op, value)
  }

  function literal(value: unknown): string {
    if (value === null) return 'NULL'
    if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`
    if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
    if (typeof value === 'object')
      return `{${Object.entries(value!).map(([key, item]) => `'${key}': ${literal(item)}`)}}`
    return typeof value === 'number' ? `'${value}'::DOUBLE` : String(value)
  }

  test('of trees over columns of every kind are what JavaScript says', async () => {
    const columns = Object.entries(TYPES).map(([name, type], id) => ({
      id,
      name,
      type: parseType(type),
      required: false,
    }))
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 5 }), tree, async (stored, { filter, holds }) => {
        const table = { columns, keys: { actor: 'i' } }
        const { predicates } = validateQuery({ query: { conditions: [{ filter }] } }, table, limits)
        const bound: Parameters<Bind>[0][] = []
        const types: (typeof BIGINT | typeof BOOLEAN | typeof DOUBLE | typeof HUGEINT | typeof VARCHAR)[] = []
        const sql = predicateSql(predicates[0]!, (value, type) => {
          types.push({ BIGINT, BOOLEAN, DOUBLE, HUGEINT, VARCHAR }[type])
          return `$${bound.push(value)}`
        })
        const selects = stored.map((each, n) => {
          const cells = Object.entries(TYPES).map(
            ([name, type]) => `CAST(${literal(each[name as keyof typeof each])} AS ${type}) AS ${name}`,
          )
          return `SELECT ${n} AS n, ${cells.join(', ')}`
        })
        const text = `SELECT ${sql} FROM (${selects.join(' UNION ALL ')}) r ORDER BY n`
        const reader = await connection.runAndReadAll(text, bound, types)
        expect(reader.getRows().map(([value]) => value)).toEqual(stored.map(holds))
      }),
      { numRuns: 200 },
    )
  })
})
