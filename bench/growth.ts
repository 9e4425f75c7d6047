/**
 * How behavioural queries grow: with rows, steps, conditions, aggregations, and with the rows of one actor.
 *
 *   node bench/growth.ts [rows ...]        by default 1, 5, 20 and 50 million
 */
import { rm } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import type { BehaviouralQuery } from '../src/behaviour/types.ts'
import { Warehouse } from '../src/index.ts'
import { BENCH_FOLDER, eventsFile } from './events.ts'
import { race } from './measure.ts'

const RUNS = 5
const sizes = process.argv.slice(2).map(Number)
if (sizes.length === 0) sizes.push(1e6, 5e6, 2e7, 5e7)
const EVENTS = ['view', 'search', 'cart', 'buy', 'login', 'logout', 'rate', 'share']
const folder = `${BENCH_FOLDER}growth`
await rm(folder, { recursive: true, force: true })
const warehouse = await Warehouse.open(folder, { env: { ...process.env, SKEP_THREADS: '2' } })

function funnel(steps: number, rest: Partial<BehaviouralQuery['funnel']> = {}): BehaviouralQuery {
  const sequence = Array.from({ length: steps }, (_, k) => ({ filter: ['event', '==', EVENTS[k % 8]] as const }))
  return { funnel: { sequence, within: '30d', ...rest } } as BehaviouralQuery
}

/** Medians of several queries on one table, timed in turn. */
async function measure(table: string, queries: Record<string, BehaviouralQuery>): Promise<Record<string, number>> {
  const contenders = Object.entries(queries).map(
    ([name, asked]) => [name, () => warehouse.query(table, asked)] as const,
  )
  return await race(Object.fromEntries(contenders), RUNS)
}

function report(what: string, ms: number, against: number, floor = ''): void {
  console.log(`${what.padEnd(52)} ${ms.toFixed(0).padStart(7)} ms  ${(ms / against).toFixed(2).padStart(6)} x ${floor}`)
}

console.log('rows of the table: time per row, against the first')
let perRow: number | undefined
for (const rows of sizes) {
  await warehouse.import(`t${rows}`, [await eventsFile(rows, rows / 20)], { actor: 'user_id', time: 'ts' })
  const { four } = await measure(`t${rows}`, { four: funnel(4) })
  perRow ??= four! / rows
  console.log(
    `${rows.toLocaleString('en').padStart(12)} rows ${four!.toFixed(0).padStart(7)} ms ${((four! / rows) * 1e6).toFixed(1).padStart(7)} ns a row  ${(four! / rows / perRow).toFixed(2)} x`,
  )
}

const table = `t${sizes.includes(2e7) ? 2e7 : sizes.at(-1)}`
console.log(`\nwork of one query on ${table}, against four steps`)
const conditions = EVENTS.map((event, k) => ({
  filter: ['event', '==', event] as const,
  target: ['count', '>=', k % 3] as const,
}))
const sequences = [0, 2, 4].map((k) => ({
  sequence: [k, k + 1].map((j) => ({ filter: ['event', '==', EVENTS[j]!] as const })),
  within: '7d',
}))
const many = {
  query: {
    conditions: [
      ...conditions,
      ...conditions.slice(0, 2).map((c) => ({ ...c, target: ['count', '<', 900] as const })),
      ...sequences,
    ],
  },
  ...funnel(4),
} as unknown as BehaviouralQuery
const work = {
  four: funnel(4),
  twelve: funnel(12),
  many,
  aggregated: {
    ...funnel(4),
    ...({ query: { aggregations: [{ type: 'mean', column: 'price' }] } } as object),
  } as BehaviouralQuery,
}
const times = await measure(table, work)
report('four steps', times.four!, times.four!)
report('twelve steps', times.twelve!, times.four!, '(at most 2)')
report('ten conditions, three sequences and the funnel', times.many!, times.four!)
report('four steps and the mean of a column', times.aggregated!, times.four!)

console.log('\none actor with a million rows, ten steps, against the plain sequence')
const heavy = `${BENCH_FOLDER}heavy.parquet`
const connection = await (await DuckDBInstance.create()).connect()
await connection.run(`COPY (SELECT 1 AS user_id, (['view', 'search', 'cart', 'buy', 'login', 'logout', 'rate', 'share'])[1 + CAST(hash(i * 7) % 8 AS INTEGER)] AS event,
  'page' || hash(i) % 50 AS page, TIMESTAMP '2026-01-01' + to_seconds(CAST(hash(i * 3) % 700000 AS BIGINT)) AS ts FROM range(1000000) t(i)) TO '${heavy}' (FORMAT parquet)`)
await warehouse.import('heavy', [heavy], { actor: 'user_id', time: 'ts' })
const ten = (rest: object, steps: object = {}) => {
  const sequence = Array.from({ length: 10 }, (_, k) => ({
    filter: ['event', '==', EVENTS[(k * 3) % 8]!],
    ...(k > 0 ? steps : {}),
  }))
  return { funnel: { sequence, ...rest } } as unknown as BehaviouralQuery
}
const between = (rest: object) => {
  const sequence = ten({}).funnel!.sequence.flatMap((one, k) =>
    k === 0 ? [one] : [{ filter: ['event', '==', 'share'], rowFound: false }, one],
  )
  return {
    funnel: { sequence: [...sequence, { filter: ['event', '==', 'share'], rowFound: false }], ...rest },
  } as unknown as BehaviouralQuery
}
function optional(): BehaviouralQuery {
  const sequence = ten({}).funnel!.sequence.map((one, k) => (k % 3 === 2 ? { ...one, optional: true } : one))
  return { funnel: { sequence } } as unknown as BehaviouralQuery
}
const shapes: Record<string, BehaviouralQuery> = {
  plain: ten({}),
  within: ten({ within: '1h' }),
  'within of each step': ten({}, { within: '1h' }),
  'after of each step': ten({}, { after: '5m' }),
  'order strict': ten({ order: 'strict' }),
  'order any': ten({ order: 'any', within: '1h' }),
  'ties stepOrder': ten({ ties: 'stepOrder' }),
  'ties stepOrder, sameRow': ten({ ties: 'stepOrder', sameRow: true }),
  'hold of a column': ten({ hold: 'page' }),
  'negative steps between all': between({}),
  'optional steps': optional(),
  'all together': between({ within: '6h', ties: 'stepOrder', hold: 'page' }),
}
const single = await measure('heavy', shapes)
for (const [name, ms] of Object.entries(single)) report(name, ms, single.plain!)
await warehouse.close()
await rm(folder, { recursive: true, force: true })
