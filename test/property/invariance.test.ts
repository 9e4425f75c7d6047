/** One answer for one set of rows: however they are ordered, cut into files, bucketed, sorted, grouped or read. */
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery, SequenceClause, Step } from '../../src/behaviour/types.ts'
import { arbitraryQuery, type QueryColumn, type QuerySource } from '../oracle/arbitrary-query.ts'
import { comparable } from '../oracle/document.ts'
import { type Layout, Stack } from '../oracle/run-stack.ts'
import { queryText } from '../oracle/text.ts'

let stack: Stack
let names: { says: string; name: string; threads: 1 | 2 }[]

/** Actors of few and of many rows, most of them with ties; small row groups cut through both. */
const ROWS = 4000
const MAKE = `CREATE TABLE all_rows AS SELECT
  CASE WHEN i % 3 = 0 THEN 'heavy' || (hash(i) % 4) ELSE 'u' || (hash(i * 3 + 1) % 300) END AS who,
  TIMESTAMP '2026-11-20 08:14:00' + to_microseconds(CAST(hash(i * 7 + 2) % 40 AS BIGINT) * 500000) AS ts,
  ['view', 'cart', 'buy', 'é', '', NULL][CAST(1 + hash(i + 11) % 6 AS INTEGER)] AS event,
  CASE hash(i * 5) % 9 WHEN 0 THEN NULL WHEN 1 THEN 'NaN'::DOUBLE ELSE CAST(hash(i * 13) % 1000 AS DOUBLE) / 7 END AS price,
  CASE WHEN hash(i * 17) % 5 > 0 THEN CAST(hash(i * 19) % 3 AS INTEGER) END AS session,
  CAST(CAST(hash(i * 23) % 100000 AS BIGINT) / 100 AS DECIMAL(18, 2)) AS paid,
  CASE WHEN hash(i * 29) % 4 > 0 THEN ['a', 'b', 'c'][1:CAST(hash(i * 31) % 4 AS INTEGER)] END AS tags,
  {'x': CAST(hash(i * 37) % 5 AS INTEGER), 'y': DATE '2026-11-20' + CAST(hash(i * 41) % 4 AS INTEGER)} AS place
  FROM range(${ROWS}) r(i)`

const PLAIN: Layout = { kind: 'managed', files: 1, by: 'row', buckets: 1, imports: 1, threads: 1 }

interface Storing {
  says: string
  layout: Partial<Layout>
  /** Which file a row goes to, and how rows are ordered inside files. */
  file: string
  files: number
  order: string
}

const ACTORS = 'hash(who) % 4'
const STORINGS: Storing[] = [
  { says: 'one bucket, in the order of time', layout: {}, file: '0', files: 1, order: 'ts' },
  { says: 'one bucket, read by two threads', layout: { threads: 2 }, file: '0', files: 1, order: 'event, who' },
  {
    says: 'seven buckets, shuffled',
    layout: { buckets: 7, threads: 2 },
    file: 'hash(ts, who, price) % 3',
    files: 3,
    order: 'hash(paid, who, ts)',
  },
  {
    says: 'two imports into two buckets',
    layout: { buckets: 2, imports: 2, threads: 2 },
    file: 'hash(price, event) % 4',
    files: 4,
    order: 'hash(paid, who, ts)',
  },
  {
    says: 'two imports into one bucket, read by one thread',
    layout: { imports: 2 },
    file: 'hash(event) % 2',
    files: 2,
    order: 'ts DESC, who',
  },
  { says: 'one registered file', layout: { kind: 'registered' }, file: '0', files: 1, order: 'hash(paid, who, ts)' },
  {
    says: 'one registered file, sorted',
    layout: { kind: 'registered', threads: 2 },
    file: '0',
    files: 1,
    order: 'who, ts',
  },
  {
    says: 'registered files with actors together',
    layout: { kind: 'registered', threads: 2 },
    file: ACTORS,
    files: 4,
    order: 'hash(paid, who, ts)',
  },
  {
    says: 'registered files with actors scattered',
    layout: { kind: 'registered', threads: 2 },
    file: 'hash(price, ts) % 4',
    files: 4,
    order: 'hash(paid, who, ts)',
  },
]

beforeAll(async () => {
  stack = await Stack.open({ SKEP_ROW_GROUP_ROWS: '2048' })
  await stack.writer.run(MAKE)
  names = []
  for (const { says, layout, file, files, order } of STORINGS) {
    const folder = stack.newFolder()
    const paths = Array.from({ length: files }, (_, k) => join(folder, `${k}.parquet`))
    for (const [k, path] of paths.entries()) {
      await stack.writer.copy(path, `SELECT * FROM all_rows WHERE ${file} = ${k} ORDER BY ${order}`)
    }
    const whole = { ...PLAIN, ...layout }
    names.push({
      says,
      name: await stack.load(folder, paths, { actor: 'who', time: 'ts' }, whole),
      threads: whole.threads,
    })
  }
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
})

const column = (name: string, type: string, ...literals: (string | number)[]): QueryColumn => ({
  name,
  type,
  literals: fc.constantFrom(...literals),
})
const COLUMNS = [
  column('who', 'VARCHAR', 'heavy1', 'u7', 'u'),
  column('ts', 'TIMESTAMP', '2026-11-20T08:14:03.5', '2026-11-20T08:14:12Z'),
  column('event', 'VARCHAR', 'view', 'cart', 'buy', 'é', ''),
  column('price', 'DOUBLE', 0.5, 70, 100.14285714285714),
  column('session', 'INTEGER', 0, 1, 2),
  column('paid', 'DECIMAL(18,2)', '5.00', 500, 900.25),
  column('place.x', 'INTEGER', 0, 3),
  column('place.y', 'DATE', '2026-11-20', '2026-11-22'),
]
const SOURCE: QuerySource = {
  filters: [...COLUMNS, COLUMNS[2]!, COLUMNS[2]!, COLUMNS[2]!, column('tags', 'VARCHAR[]', 'a', 'c', 'z')],
  aggregations: COLUMNS,
  holds: ['session', 'event', 'place.y', 'paid'],
  spans: fc.constantFrom('0s', '0.5s', '1s', 'PT1.5S', '3s', '12s', '1h'),
  bounds: fc.constantFrom(['2026-11-20T08:14:02', '2026-11-20T08:14:11.5'], ['2026-11-20T08:14:05', '2030-01-01']),
}

async function answers(query: BehaviouralQuery): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const { says, name, threads } of names) {
    found[`${says}, ${threads} thread(s)`] = JSON.stringify(comparable(await stack.query(name, query, threads)))
  }
  return found
}

test('any query has one answer, whatever the storage', async () => {
  const property = fc.asyncProperty(arbitraryQuery(SOURCE), async (query) => {
    const [[first, expected], ...others] = Object.entries(await answers(query)) as [
      [string, string],
      ...[string, string][],
    ]
    for (const [says, answer] of others)
      expect(`${answer} ${queryText(query)}`, `${says}, unlike ${first}`).toBe(`${expected} ${queryText(query)}`)
  })
  await fc.assert(property, { numRuns: 15, interruptAfterTimeLimit: 40_000 })
})

describe('queries that touch everything', () => {
  const steps = ['view', 'cart', 'buy'].map((event) => ({ filter: ['event', '==', event] as const }))
  const [view, cart, buy] = steps as [(typeof steps)[0], (typeof steps)[0], (typeof steps)[0]]
  const aggregations = [
    { columns: ['price', 'paid'] as [string, string], type: 'mean' as const },
    { column: 'price', type: 'sum' as const },
    { column: 'event', type: 'meanPerValue' as const, otherColumn: 'price' },
    { column: 'who', type: 'countPerValue' as const, top: 3 },
    { column: 'place.x', type: 'quantiles' as const, q: [0.1, 0.5] as [number, number] },
  ]
  const queries: Record<string, BehaviouralQuery> = {
    ties: { funnel: { sequence: [view, cart, buy], ties: 'stepOrder', within: '2s', stepAggregations: aggregations } },
    strict: {
      funnel: { sequence: [view, { ...cart, optional: true }, buy], order: 'strict', endAggregations: aggregations },
    },
    any: { funnel: { sequence: [view, cart, buy, cart], order: 'any', within: '1s', hold: ['session', 'place.x'] } },
    negative: {
      funnel: {
        sequence: [
          view,
          { ...cart, rowFound: false },
          { ...buy, within: '2s', after: '1s' },
          { ...view, rowFound: false },
        ],
      },
    },
    targets: {
      query: {
        conditions: [
          { ...view, target: ['mean', 'price', '>', 70] },
          { ...buy, target: ['distinct', 'paid', '>=', 3] },
          { ...cart, target: ['max', 'ts', '<', '2026-11-20T08:14:18'] },
        ],
        relation: '$0 and $1 or not $2',
        aggregations,
      },
    },
  }

  test.each(Object.entries(queries))('%s', async (_, query) => {
    const found = Object.values(await answers(query))
    expect(found.length).toBe(STORINGS.length)
    expect(new Set(found).size).toBe(1)
    expect(found[0]).toMatch(/"matchingGroups":[1-9]/)
  })
})

test.each(['DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'])(
  'infinite times of %s come first and last',
  async (type) => {
    const events = ['-infinity', '2026-11-18', '2026-11-20', 'infinity'].map(
      (time, k) => `(1, '${time}'::${type}, ${k})`,
    )
    const folder = stack.newFolder()
    const path = join(folder, 'one.parquet')
    const values = [...events.toReversed(), `(2, 'infinity'::${type}, 0)`, `(2, 'infinity'::${type}, 1)`]
    await stack.writer.copy(path, `SELECT * FROM (VALUES ${values.join(', ')}) t(who, ts, k)`)
    const steps = [0, 1, 2, 3].map((k) => ({ filter: ['k', '==', k] as const })) as [Step, ...Step[]]
    for (const kind of ['managed', 'registered'] as const) {
      const name = await stack.load(folder, [path], { actor: 'who', time: 'ts' }, { ...PLAIN, kind })
      const groups = async (funnel: SequenceClause) => {
        const result = await stack.query(name, { funnel }, 1)
        return result.funnel!.sequence.map(({ matchingGroups }) => matchingGroups)
      }
      expect(await groups({ sequence: steps })).toEqual([2, 1, 1, 1])
      expect(await groups({ sequence: [steps[1]!, steps[2]!, steps[3]!], within: '2d' })).toEqual([2, 1, 0])
      expect(await groups({ sequence: [steps[0]!, steps[1]!], within: '0s', ties: 'stepOrder' })).toEqual([2, 1])
    }
  },
)
