/** One contender of the funnel benchmark in a process of its own: `node bench/funnel-contender.ts '{"engine": …}'` prints medians, counts and peak memory as JSON. */
import { readFileSync } from 'node:fs'
import { DuckDBInstance } from '@duckdb/node-api'
import { Warehouse } from '../src/index.ts'
import { median, time } from './measure.ts'

/** What a contender is to do. */
export interface Contest {
  engine: 'scan' | 'skep' | 'clickhouse' | 'mergetree' | 'duckdb'
  warehouse: string
  table: string
  files: string[]
  actor: string
  steps: string[]
  windowDays: number
  runs: number
  threads: number
}

/** What it found: actors at each step, the median of its runs in milliseconds, peak resident bytes. */
export interface Outcome {
  ms: number
  counts: number[]
  peakBytes: number
}

const contest = JSON.parse(process.argv[2]!) as Contest
const { actor, steps, windowDays, files, threads } = contest

async function run(): Promise<() => Promise<number[]>> {
  switch (contest.engine) {
    case 'skep':
      return await skep()
    case 'scan':
    case 'duckdb':
      return await duckdb()
    default:
      return await clickhouse()
  }
}

async function skep(): Promise<() => Promise<number[]>> {
  const warehouse = await Warehouse.open(contest.warehouse, { env: { ...process.env, SKEP_THREADS: String(threads) } })
  const sequence = steps.map((step) => ({ filter: ['event', '==', step] as const }))
  const query = { funnel: { sequence, within: `${windowDays}d`, ties: 'stepOrder', sameRow: true } } as never
  return async () => (await warehouse.query(contest.table, query)).funnel!.sequence.map((step) => step.matchingGroups)
}

async function duckdb(): Promise<() => Promise<number[]>> {
  const connection = await (await DuckDBInstance.create(':memory:', { threads: String(threads) })).connect()
  const list = files.map((file) => `'${file}'`).join(', ')
  const sql = contest.engine === 'scan' ? scanSql(list) : funnelSql(list)
  return async () => (await connection.runAndReadAll(sql)).getRows()[0]!.map(Number)
}

function scanSql(list: string): string {
  return `SELECT max(hash(${actor})) % 7, epoch_us(max(ts)) % 7, max(hash(event)) % 7 FROM read_parquet([${list}])`
}

/** For each row the latest start of a chain that reaches each step: running maxima over the actor's rows, equal times included. */
function funnelSql(list: string): string {
  const names = steps.map((step) => `'${step}'`).join(', ')
  const levels = steps.slice(1).map((step, k) => {
    const reaches = `event = '${step}' AND ts - s${k} <= INTERVAL ${windowDays} DAY`
    return `l${k + 1} AS (SELECT *, max(CASE WHEN ${reaches} THEN s${k} END) OVER w AS s${k + 1} FROM l${k} WINDOW w AS (PARTITION BY a ORDER BY ts))`
  })
  const first = `l0 AS (SELECT *, max(CASE WHEN event = '${steps[0]}' THEN ts END) OVER (PARTITION BY a ORDER BY ts) AS s0
    FROM (SELECT ${actor} AS a, ts, event FROM read_parquet([${list}]) WHERE event IN (${names})))`
  const counts = steps.map((_, k) => `count(s${k})`).join(', ')
  const best = steps.map((_, k) => `max(s${k}) AS s${k}`).join(', ')
  return `WITH ${[first, ...levels].join(', ')} SELECT ${counts} FROM (SELECT ${best} FROM l${steps.length - 1} GROUP BY a)`
}

async function clickhouse(): Promise<() => Promise<number[]>> {
  const module = new URL('./node_modules/chdb/index.mjs', import.meta.url)
  const { Session } = (await import(module.href).catch(() => import('chdb' as string))) as {
    Session: new () => ClickHouse
  }
  const session = new Session()
  const parquet = files.map((file) => `SELECT ${actor}, ts, event FROM file('${file}', Parquet)`).join(' UNION ALL ')
  if (contest.engine === 'mergetree') {
    const type = actor === 'uid' ? 'String' : 'Int64'
    session.query(
      `CREATE TABLE events (${actor} ${type}, ts DateTime64(6, 'UTC'), event LowCardinality(String)) ENGINE = MergeTree ORDER BY (${actor}, ts)`,
    )
    session.query(`INSERT INTO events ${parquet}`)
    session.query('OPTIMIZE TABLE events FINAL')
  }
  const source = contest.engine === 'mergetree' ? 'events' : `(${parquet})`
  const conditions = steps.map((step) => `event = '${step}'`).join(', ')
  const window = windowDays * 86_400_000_000
  const sql = `SELECT ${steps.map((_, k) => `countIf(l > ${k})`).join(', ')} FROM (
    SELECT windowFunnel(${window})(toUInt64(toUnixTimestamp64Micro(ts)), ${conditions}) AS l FROM ${source} GROUP BY ${actor}
  ) SETTINGS max_threads = ${threads}`
  return async () => String(session.query(sql, 'CSV')).trim().split(',').map(Number)
}

interface ClickHouse {
  query(sql: string, format?: string): unknown
}

const work = await run()
const counts = await work()
const times: number[] = []
for (let k = 0; k < contest.runs; k++) times.push(await time(work))
const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))
const outcome: Outcome = { ms: median(times), counts, peakBytes: Number(peak?.[1] ?? 0) * 1024 }
console.log(JSON.stringify(outcome))
process.exit(0)
