/**
 * The two-step query of Buzz's README, over taxis there, over flights here: ten copies of three million flights in thirty files, each pool
 * against one DuckDB over all files. Whole, and divided into tasks; without and with a filter that leaves three files of ten copies.
 *
 *   node bench/buzz.ts [runs] [copies]
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import { type BuzzDocument, Warehouse } from '../src/index.ts'
import { BENCH_FOLDER } from './events.ts'
import { compareLine, race } from './measure.ts'

const runs = Number(process.argv[2] ?? 7)
const copies = Number(process.argv[3] ?? 10)
const FLIGHTS = new URL('../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url).pathname
const FILES = 3

const MAP = 'SELECT origin, count(*) AS flights, sum(delay) AS delay FROM flights GROUP BY origin'
const REDUCE =
  'SELECT origin, sum(flights) AS flights, sum(delay) AS delay FROM mapper GROUP BY origin ORDER BY flights DESC, origin'

const folder = await filesOf()
const duckdb = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect()
console.log(
  `${copies * FILES} files of a million flights, two threads; a pool, one DuckDB; floor of threads: at most 1.15`,
)
for (const [split, how] of [
  ['auto', 'whole'],
  ['always', 'divided'],
] as const) {
  await using warehouse = await Warehouse.open(`${BENCH_FOLDER}buzz`, { env: { SKEP_THREADS: '2', SKEP_SPLIT: split } })
  for (const filter of [undefined, 'copy = 0']) {
    const contenders = {
      inline: () => warehouse.run(documentOf(filter), { pool: 'inline' }),
      threads: () => warehouse.run(documentOf(filter), { pool: 'threads' }),
      theirs: () => duckdb.runAndReadAll(sqlOf(filter)),
    }
    await requireSame(contenders, filter)
    const times = await race(contenders, runs)
    for (const pool of ['inline', 'threads'] as const) {
      const what = `${filter === undefined ? 'all files' : `${FILES} files`}, ${how}, ${pool}`
      console.log(compareLine(what, times[pool]!, times.theirs!, pool === 'threads' ? 'at most 1.15' : ''))
    }
  }
}
duckdb.closeSync()

function documentOf(filter: string | undefined): BuzzDocument {
  return {
    steps: [
      { name: 'mapper', step_type: 'HBee', sql: MAP, ...(filter !== undefined && { partition_filter: filter }) },
      { name: 'reducer', step_type: 'HComb', sql: REDUCE },
    ],
    capacity: { zones: 1 },
    catalogs: [{ name: 'flights', type: 'Static', uri: folder }],
  }
}

/** The same two steps for an engine that reads all files itself. */
function sqlOf(filter = 'true'): string {
  const flights = `SELECT * FROM read_parquet('${folder}/**/*.parquet', hive_partitioning = true) WHERE ${filter}`
  return `WITH flights AS (${flights}), mapper AS (${MAP}) ${REDUCE}`
}

async function requireSame(
  { inline, threads, theirs }: { inline: Run; threads: Run; theirs: () => ReturnType<typeof duckdb.runAndReadAll> },
  filter: string | undefined,
): Promise<void> {
  const expected = JSON.stringify((await theirs()).getRowsJson().map((row) => row.map(String)))
  for (const run of [inline, threads]) {
    const { rows } = await run()
    const found = JSON.stringify(rows.map((row) => Object.values(row).map(String)))
    if (found !== expected) throw new Error(`other rows than one DuckDB has, under the filter ${filter}`)
  }
}

type Run = () => ReturnType<Warehouse['run']>

/** A folder of the flights, each copy in a folder of its own and cut into files of a million. */
async function filesOf(): Promise<string> {
  const root = `${BENCH_FOLDER}flights-${copies}`
  const connection = await (await DuckDBInstance.create(':memory:', { memory_limit: '4GB' })).connect()
  for (let copy = 0; copy < copies; copy++) {
    const place = `${root}/copy=${copy}`
    await mkdir(place, { recursive: true })
    for (let k = 0; k < FILES; k++) {
      const file = `${place}/flights-${k}.parquet`
      if (existsSync(file)) continue
      const rows = `FROM read_parquet('${FLIGHTS}') LIMIT 1000000 OFFSET ${k * 1_000_000}`
      await connection.run(`COPY (${rows}) TO '${file}' (FORMAT parquet)`)
    }
  }
  connection.closeSync()
  return root
}
