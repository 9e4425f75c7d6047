import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery, Filter, Step } from '../../src/behaviour/types.ts'
import { comparable } from '../oracle/document.ts'
import { answer } from '../oracle/oracle.ts'
import { checkStackCase, type Layout, Stack, stackCases } from '../oracle/run-stack.ts'
import type { Cell, OracleTable } from '../oracle/table.ts'

let stack: Stack
beforeAll(async () => {
  stack = await Stack.open({ SKEP_ROW_GROUP_ROWS: '2048' })
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
})

/** A failure is reported with the smallest case that was found by then, before the test itself runs out of time. */
const ENDING = { interruptAfterTimeLimit: 50_000 }

test('whatever the table, its layout and the query: the result is what trying every combination of rows gives', async () => {
  const property = fc.asyncProperty(stackCases(8), (example) => checkStackCase(stack, example))
  await fc.assert(property, { ...ENDING, numRuns: 50 })
})

const PLAIN: Layout = { kind: 'managed', files: 1, by: 'row', buckets: 1, imports: 1, threads: 1 }
const LAYOUTS: Layout[] = [
  PLAIN,
  { ...PLAIN, kind: 'registered' },
  { ...PLAIN, kind: 'registered', files: 3, threads: 2 },
  { ...PLAIN, kind: 'registered', files: 3, by: 'actor', threads: 2 },
  { ...PLAIN, files: 3, imports: 3, threads: 2 },
  { ...PLAIN, files: 2, buckets: 2, threads: 2 },
  { ...PLAIN, files: 4, buckets: 7, imports: 2 },
]

test('one table in many layouts', async () => {
  const cases = stackCases(2).filter(
    ({ layout, table }) => layout.kind === 'managed' && table.rows.every(([a, t]) => a !== null && t !== null),
  )
  const property = fc.asyncProperty(cases, async (example) => {
    for (const layout of LAYOUTS) await checkStackCase(stack, { ...example, layout })
  })
  await fc.assert(property, { ...ENDING, numRuns: 5 })
})

const VIEW: Filter = ['event', '==', 'view']
const CART: Filter = ['event', '==', 'cart']
const BUY: Filter = ['event', '==', 'buy']
const step = (filter: Filter): Step => ({ filter })
const no = (filter: Filter): Step => ({ filter, rowFound: false })

const QUERIES: BehaviouralQuery[] = [
  {},
  { query: { aggregations: [{ column: 'event' }, { column: 'price', type: 'countPerValue' }] } },
  { query: { aggregations: [{ column: 'user', type: 'sumPerValue', otherColumn: 'price' }] } },
  { query: { aggregations: [{ column: 'user', type: 'meanPerValue', otherColumn: 'i' }] } },
  {
    query: {
      conditions: [
        { filter: BUY, target: ['sum', 'price', '>', 200] },
        { filter: VIEW, target: ['count', '<', 3] },
      ],
    },
  },
  { query: { conditions: [{ sequence: [step(VIEW), step(CART), step(BUY)] }], relation: 'not $0' } },
  {
    timeframe: { from: 1010, to: 1040 },
    funnel: {
      sequence: [no(BUY), step(VIEW), no(CART), step(BUY), step(BUY), no(VIEW)],
      maxDuration: 20,
      stepAggregations: [{ column: 'event', type: 'meanPerValue', otherColumn: 'price' }],
      endAggregations: [{ column: 'user', type: 'countPerValue' }],
    },
  },
  {
    query: { conditions: [{ filter: ['event', '!=', 'view'], target: ['count', '>=', 8] }] },
    funnel: { sequence: [step(VIEW), step(CART), step(BUY)], maxDuration: 10 },
  },
  {
    query: {
      conditions: [
        { filter: { or: [CART, { not: ['price', '<', 50] }] }, target: ['mean', 'price', '>', 45] },
        { filter: VIEW, target: ['max', 'i', '>=', 15_000] },
        { filter: ['event', 'is null'], target: ['distinct', 'ts', '<=', 2], includeZero: true },
      ],
      relation: '$0 and not $1 or $2',
      aggregations: [
        { columns: ['price', 'i'], type: 'quantiles', q: [0.01, 0.5, 1] },
        { columns: ['price', 'i'], type: 'mean' },
        { columns: ['event', 'ts', 'price'], type: 'max' },
        { column: 'user', type: 'distinct' },
        { column: 'event', type: 'sumPerValue', otherColumn: 'i', top: 2 },
      ],
    },
  },
  {
    funnel: {
      sequence: [step(VIEW), { ...step(CART), optional: true }, { ...step(BUY), within: '15s', after: 3 }],
      within: 25,
      ties: 'stepOrder',
      stepAggregations: [{ column: 'price', type: 'sum' }],
    },
  },
  { funnel: { sequence: [step(VIEW), step(CART), step(BUY)], within: '20s', ties: 'stepOrder', sameRow: true } },
  { funnel: { sequence: [step(VIEW), { ...step(CART), optional: true }, step(BUY)], order: 'strict', hold: 'event' } },
  { funnel: { sequence: [step(BUY), step(CART), step(VIEW), step(BUY)], order: 'any', within: 30 } },
  { funnel: { sequence: [no(CART), step(VIEW), step(BUY), no(VIEW)], within: 12, order: 'strict', ties: 'stepOrder' } },
]

describe('20,000 rows of 2,000 actors, in row groups and chunks that cut through actors', () => {
  const columns = [
    { name: 'user', type: 'VARCHAR' },
    { name: 'ts', type: 'BIGINT' },
    { name: 'event', type: 'VARCHAR' },
    { name: 'price', type: 'DOUBLE' },
    { name: 'i', type: 'BIGINT' },
  ]
  let expected: unknown[]
  let paths: Record<string, string[]>

  beforeAll(async () => {
    await stack.writer.run(`CREATE TABLE large AS SELECT 'u' || (hash(i * 3 + 1) % 2000) AS user,
      CAST(1000 + hash(i * 7 + 2) % 50 AS BIGINT) AS ts, ['view', 'cart', 'buy', NULL][CAST(1 + hash(i + 11) % 4 AS INTEGER)] AS event,
      CASE WHEN hash(i * 5) % 10 > 0 THEN CAST(hash(i * 13) % 1000 AS DOUBLE) / 10 END AS price, i FROM range(20000) r(i)`)
    const rows = await stack.writer.run('FROM large')
    const table: OracleTable = { columns, actor: 'user', time: 'ts', timeUnit: 's', rows }
    expected = QUERIES.map((query) => comparable(answer(table, query)))
    paths = {
      one: await writeFiles('true', 'i', 1),
      rows: await writeFiles('i % 5 =', 'i DESC', 5),
      actors: await writeFiles('hash(user) % 5 =', 'user, ts', 5),
      shuffled: await writeFiles('hash(i) % 3 =', 'hash(i + 1)', 3),
    }
  })

  async function writeFiles(part: string, order: string, files: number): Promise<string[]> {
    const folder = stack.newFolder()
    const written = Array.from({ length: files }, (_, k) => join(folder, `${k}.parquet`))
    for (const [k, path] of written.entries()) {
      await stack.writer.copy(path, `FROM large WHERE ${files === 1 ? part : `${part} ${k}`} ORDER BY ${order}`)
    }
    return written
  }

  test.each<[string, Partial<Layout>]>([
    ['one', {}],
    ['rows', { buckets: 2, threads: 2 }],
    ['actors', { buckets: 7, threads: 2 }],
    ['shuffled', { buckets: 1, imports: 3 }],
    ['shuffled', { buckets: 7, imports: 3, threads: 2 }],
    ['one', { kind: 'registered' }],
    ['rows', { kind: 'registered', threads: 2 }],
    ['actors', { kind: 'registered', threads: 2 }],
    ['shuffled', { kind: 'registered' }],
  ])('%s %j', async (files, part) => {
    const layout = { ...PLAIN, ...part }
    const given = paths[files]!
    const name = await stack.load(join(given[0]!, '..'), given, { actor: 'user', time: 'ts', timeUnit: 's' }, layout)
    for (const [k, query] of QUERIES.entries()) {
      expect(comparable(await stack.query(name, query, layout.threads))).toEqual(expected[k])
    }
  })
})

const EVENTS: OracleTable = {
  columns: [
    { name: 'user', type: 'INTEGER' },
    { name: 'ts', type: 'BIGINT' },
    { name: 'n', type: 'BIGINT' },
    { name: 'x', type: 'DOUBLE' },
  ],
  actor: 'user',
  time: 'ts',
  rows: [],
}

test('sums and means of floats are exact, whatever the order of rows', async () => {
  const doubles = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 12 })
  const cancelling = doubles.map((values) => [...values, ...values.slice(1).map((value) => -value)])
  const keys = fc.array(fc.oneof(doubles, cancelling), { minLength: 1, maxLength: 10 })
  const property = fc.asyncProperty(keys, async (values) => {
    const rows = values.flatMap((list, key) => list.map((x, k): Cell[] => [BigInt(key), BigInt(k), null, x]))
    const types = ['sumPerValue', 'meanPerValue'] as const
    const queries: BehaviouralQuery[] = [
      { query: { aggregations: types.map((type) => ({ column: 'user', type, otherColumn: 'x' })) } },
      { query: { conditions: [{ filter: ['ts', '>=', 0], target: ['sum', 'x', '<=', values[0]![0]!] }] } },
    ]
    const layout: Layout = { ...PLAIN, kind: 'registered', files: 3, threads: 2 }
    await checkStackCase(stack, { table: { ...EVENTS, rows }, layout, queries })
  })
  await fc.assert(property, { ...ENDING, numRuns: 25 })
})

describe('edges', () => {
  const rows = Array.from({ length: 200 }, (_, k): Cell[] => [BigInt(k % 9), BigInt(k % 7), BigInt(k % 64), k / 8])
  const table = { ...EVENTS, rows }
  const any: Filter = ['ts', '>=', 0]

  test('more conditions on sums than a word has bits', async () => {
    const conditions = Array.from({ length: 130 }, (_, k) => ({
      filter: any,
      target: ['sum', k % 2 ? 'x' : 'n', '>', 240 + 3 * k] as const,
    }))
    const relations = ['or', 'and', '$64 and not $65', '$127 or $128 or $129', '$0 and not ($63 or $64)']
    const queries = relations.map((relation): BehaviouralQuery => ({ query: { conditions, relation } }))
    await checkStackCase(stack, { table, layout: PLAIN, queries })
  })

  test('as many predicates as a mask has bits, in a funnel of as many steps', async () => {
    const steps = Array.from({ length: 63 }, (_, k): Step => ({ filter: ['n', '!=', k] }))
    const filters = steps.map(({ filter }) => filter!) as [Filter, ...Filter[]]
    const conditions = filters.map((filter) => ({ filter, target: ['count', '>', 22] as const }))
    const last: Step = { filter: ['n', '==', 62], rowFound: false }
    const queries: BehaviouralQuery[] = [
      { query: { conditions, relation: '$62 or $31 and $32 or $0' } },
      { query: { conditions: [{ filters }] } },
      { funnel: { sequence: [steps[0]!, steps[61]!, steps[62]!] } },
      { funnel: { sequence: [step(any), last, step(['n', '==', 61])] } },
    ]
    await checkStackCase(stack, { table, layout: { ...PLAIN, threads: 2 }, queries })
  })

  test('integers that no double is are compared exactly', async () => {
    const near = 2n ** 53n
    const rows = [0, 2, 4, 6].map((more, k): Cell[] => [BigInt(k), 0n, null, 2 ** 53 + more])
    // The first two lie between doubles: one is rounded down to the nearest, the other up.
    const queries = [near + 1n, near + 3n, near + 4n].flatMap((value) =>
      (['==', '!=', '<', '<=', '>', '>='] as const).map(
        (op): BehaviouralQuery => ({
          query: { conditions: [{ filter: ['x', op, value] }, { filter: any, target: ['sum', 'x', op, value] }] },
        }),
      ),
    )
    const sole = queries.flatMap(({ query }) => [0, 1].map((k) => ({ query: { ...query, relation: `$${k}` } })))
    await checkStackCase(stack, { table: { ...EVENTS, rows }, layout: PLAIN, queries: sole })
  })

  test('equal values of a map go by the bytes of their keys', async () => {
    const column = { name: 'n', type: 'VARCHAR' }
    const columns = EVENTS.columns.map((each) => (each.name === 'n' ? column : each))
    const keys = ['\ue000', '😀', 'é', 'z', 'Z', '', '\u{10ffff}', '\uffff', 'a', 'aa', '0', '\u0080']
    const keyed = keys.map((key, k): Cell[] => [BigInt(k % 2), BigInt(k), key, null])
    const types = ['countPerValue', 'groupsPerValue'] as const
    const aggregations = types.map((type) => ({ column: 'n', type }))
    await checkStackCase(stack, {
      table: { ...EVENTS, columns, rows: keyed },
      layout: PLAIN,
      queries: [{ query: { aggregations } }],
    })
  })

  test('a sum of nothing but nulls is zero, whatever the type', async () => {
    const types = ['BIGINT', 'DOUBLE', 'DECIMAL(10,2)', 'TINYINT']
    const columns = [...EVENTS.columns.slice(0, 2), ...types.map((type, k) => ({ name: `c${k}`, type }))]
    const nulls = [
      [1n, 0n, null, null, null, null],
      [2n, 0n, 1n, 1, 1n, 1n],
    ]
    const queries = types.map(
      (_, k): BehaviouralQuery => ({
        query: {
          conditions: [{ filter: any, target: ['sum', `c${k}`, '==', 0] }],
          aggregations: [{ column: 'user', type: 'sumPerValue', otherColumn: `c${k}` }],
        },
      }),
    )
    await checkStackCase(stack, { table: { ...EVENTS, columns, rows: nulls }, layout: PLAIN, queries })
  })

  test('queries at the same time do not disturb each other', async () => {
    const name = await stack.store(table, { ...PLAIN, buckets: 4 })
    const queries = Array.from(
      { length: 24 },
      (_, k): BehaviouralQuery => ({
        query: { conditions: [{ filter: ['n', '<', k * 2] }], aggregations: [{ column: 'n' }] },
        funnel: { sequence: [step(['n', '==', k]), step(['n', '>', k])], endAggregations: [{ column: 'x' }] },
      }),
    )
    const results = await Promise.all(queries.map((query, k) => stack.query(name, query, k % 2 ? 1 : 2)))
    expect(results.map(comparable)).toEqual(queries.map((query) => comparable(answer(table, query))))
  })

  test('tables without a row', async () => {
    const queries: BehaviouralQuery[] = [
      {},
      { query: { conditions: [{ filter: any, target: ['count', '==', 0] }], relation: 'not $0' } },
      {
        query: { aggregations: [{ column: 'n' }] },
        funnel: { sequence: [step(any)], endAggregations: [{ column: 'x' }] },
      },
    ]
    for (const layout of [PLAIN, { ...PLAIN, kind: 'registered' } as const]) {
      await checkStackCase(stack, { table: EVENTS, layout, queries })
    }
  })
})

test.each<Partial<Layout>>([{}, { kind: 'registered', threads: 2 }])('an actor with 100,000 rows %j', async (part) => {
  const layout = { ...PLAIN, ...part }
  const folder = stack.newFolder()
  const path = join(folder, 'one.parquet')
  const select = `SELECT 7 AS user, i AS ts, CASE i % 3 WHEN 0 THEN 'a' WHEN 1 THEN 'b' ELSE 'c' END AS event,
    i = 99998 AS late, CAST(0.1 AS DOUBLE) AS tenth FROM range(100000) r(i) ORDER BY hash(i)`
  await stack.writer.copy(path, select)
  const name = await stack.load(folder, [path], { actor: 'user', time: 'ts' }, layout)
  const [a, b, late] = (['a', 'b'] as const)
    .map((event): Filter => ['event', '==', event])
    .concat([['late', '==', true]])
  const stepsOf = async (maxDuration: number, ...sequence: Step[]) => {
    const funnel = { sequence: sequence as [Step, ...Step[]], maxDuration }
    const result = await stack.query(name, { funnel }, layout.threads)
    return result.funnel!.sequence.filter(({ matchingGroupRows }) => matchingGroupRows === 100_000).length
  }
  expect(await stepsOf(4, step(a!), step(b!), step(a!), step(b!))).toBe(4)
  expect(await stepsOf(3, step(a!), step(b!), step(a!), step(b!))).toBe(3)
  expect(await stepsOf(99_999, step(a!), step(b!), no(late!))).toBe(1)
  expect(await stepsOf(99_997, step(a!), step(b!), no(late!))).toBe(2)
  expect(await stepsOf(2, step(a!), step(b!), no(a!))).toBe(2)
  expect(await stepsOf(3, step(a!), step(b!), no(a!))).toBe(1)
  // One product is rounded once, as the sum is.
  const sumOf = (rows: number) => rows * 0.1
  const conditions = [{ filter: a!, target: ['sum', 'tenth', '==', sumOf(33_334)] as const }]
  const aggregations = [{ column: 'event', type: 'sumPerValue' as const, otherColumn: 'tenth' }]
  const { query } = await stack.query(name, { query: { conditions, aggregations } }, layout.threads)
  expect(query).toMatchObject({
    matchingGroups: 1,
    aggregations: [{ value: { a: sumOf(33_334), b: sumOf(33_333), c: sumOf(33_333) } }],
  })
})
