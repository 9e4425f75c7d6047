/**
 * Skep's funnels against ClickHouse's windowFunnel on random, tie-heavy events, level for level: they must be equal for
 * `ties: "stepOrder"` with `sameRow: true`; `ties: "never"` is compared with `strict_increase`, and differences are printed.
 * Needs `npm install` in bench/ first.
 *
 *   node bench/window-funnel.ts [rounds] [seed]
 */
import { mkdir, rm } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import { Warehouse } from '../src/index.ts'
import { BENCH_FOLDER } from './events.ts'

const rounds = Number(process.argv[2] ?? 20)
let state = Number(process.argv[3] ?? 1)
console.log(`seed ${state}`)

function random(below: number): number {
  state = (state * 1664525 + 1013904223) % 4294967296
  return Math.floor((state / 4294967296) * below)
}

interface ClickHouse {
  query(sql: string, format?: string): unknown
}
const { Session } = (await import('chdb' as string)) as { Session: new () => ClickHouse }
const clickhouse = new Session()
const duckdb = await (await DuckDBInstance.create()).connect()
const folder = `${BENCH_FOLDER}window-funnel`
await rm(folder, { recursive: true, force: true })
await mkdir(folder, { recursive: true })
const warehouse = await Warehouse.open(`${folder}/warehouse`)
let different = 0
for (let round = 0; round < rounds; round++) {
  const [actors, times, window, steps] = [200, 3 + random(30), random(15), 1 + random(5)]
  const file = `${folder}/${round}.parquet`
  const rows = Array.from({ length: actors * 8 }, () => `(${random(actors)}, ${random(times)}, ${random(steps)})`)
  await duckdb.run(`COPY (FROM (VALUES ${rows.join(', ')}) t(u, ts, e)) TO '${file}' (FORMAT parquet)`)
  const table = `round_${round}`
  await warehouse.import(table, [file], { actor: 'u', time: 'ts', buckets: 3 })
  const sequence = Array.from({ length: steps }, (_, k) => ({ filter: ['e', '==', k] as const }))
  const levels = (mode: string) => {
    const conditions = sequence.map((_, k) => `e = ${k}`).join(', ')
    const counts = sequence.map((_, k) => `countIf(l > ${k})`).join(', ')
    const sql = `SELECT ${counts} FROM (SELECT windowFunnel(${window}${mode})(toUInt64(ts), ${conditions}) AS l FROM file('${file}', Parquet) GROUP BY u)`
    return String(clickhouse.query(sql, 'CSV')).trim()
  }
  const ours = async (ties: object) => {
    const funnel = { sequence, within: window, ...ties } as never
    return (await warehouse.query(table, { funnel })).funnel!.sequence.map((step) => step.matchingGroups).join()
  }
  const [same, theirs] = [await ours({ ties: 'stepOrder', sameRow: true }), levels('')]
  if (same !== theirs) different++
  const [never, strict] = [await ours({}), levels(`, 'strict_increase'`)]
  const note = never === strict ? '' : `   strict_increase says ${strict} where ties "never" are ${never}`
  console.log(
    `${same === theirs ? 'equal' : 'DIFFERENT'}  within ${window}, ${steps} steps: ${same} and ${theirs}${note}`,
  )
}
await warehouse.close()
console.log(different === 0 ? 'every round is equal' : `${different} rounds differ`)
process.exit(different === 0 ? 0 : 1)
