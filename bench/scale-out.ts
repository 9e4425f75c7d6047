/**
 * What a query costs on one machine, whole and in tasks: the same 20 or 10 M rows in few large, many and very many small files, each pool
 * against one DuckDB over all files; what the coordinator adds to a task; and small queries planned anew each time.
 *
 *   node bench/scale-out.ts [runs]
 */
import { existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import { Warehouse } from '../src/index.ts'
import { BENCH_FOLDER, eventsFile } from './events.ts'
import { compareLine, median, race } from './measure.ts'

const runs = Number(process.argv[2] ?? 7)
const LAYOUTS = [
  { name: 'large', files: 16, rows: 1_250_000 },
  { name: 'medium', files: 200, rows: 50_000 },
  { name: 'small', files: 1000, rows: 10_000 },
]
const QUERIES = {
  'count and sum by event': 'SELECT event, count(*) AS n, sum(price) AS s FROM t GROUP BY event ORDER BY event',
  'mean by day, one event': `SELECT date_trunc('day', ts) AS day, avg(price) AS mean FROM t WHERE event = 'buy' GROUP BY 1 ORDER BY 1`,
  'ten greatest of many groups':
    'SELECT user_id, sum(price) AS s FROM t GROUP BY user_id ORDER BY s DESC, user_id LIMIT 10',
  'distinct actors': 'SELECT count(DISTINCT user_id) AS n FROM t',
  'latest rows': 'SELECT * FROM t ORDER BY ts DESC, user_id LIMIT 20',
}

const warehouse = await Warehouse.open(`${BENCH_FOLDER}scale-out`)
const divided = await Warehouse.open(`${BENCH_FOLDER}scale-out`, { env: { ...process.env, SKEP_SPLIT: 'always' } })
const { threads } = warehouse.settings
const duckdb = await (await DuckDBInstance.create(':memory:', { threads: String(threads) })).connect()
console.log(`${threads} threads; ours, one DuckDB; the pool as it is, and with SKEP_SPLIT=always in tasks`)

for (const layout of LAYOUTS) {
  const folder = await filesOf(layout)
  const known = (await warehouse.tables()).some(({ name }) => name === layout.name)
  if (!known) await warehouse.register(layout.name, folder, { actor: 'user_id', time: 'ts', validate: 'single' })
  await duckdb.run(`CREATE OR REPLACE VIEW ${layout.name} AS FROM read_parquet('${folder}/*.parquet')`)
  console.log(`\n${layout.files} files of ${layout.rows} rows`)
  for (const [name, query] of Object.entries(QUERIES)) {
    const sql = query.replace('FROM t', `FROM ${layout.name}`)
    const times = await race(
      {
        inline: () => warehouse.sql(sql, { pool: 'inline' }),
        threads: () => warehouse.sql(sql, { pool: 'threads' }),
        'inline, in tasks': () => divided.sql(sql, { pool: 'inline' }),
        'threads, in tasks': () => divided.sql(sql, { pool: 'threads' }),
        theirs: () => duckdb.runAndReadAll(sql),
      },
      runs,
    )
    for (const [pool, ms] of Object.entries(times)) {
      if (pool === 'theirs') continue
      console.log(compareLine(`${name}, ${pool}`, ms, times.theirs!, pool === 'threads' ? 'at most 1.15' : 'no floor'))
    }
  }
}
await divided.close()
await warehouse.close()

await overhead()
await smallQueries()

/** The folder with the files of a layout: rows of one table of events, one stretch after another. */
async function filesOf({ files, rows }: { files: number; rows: number }): Promise<string> {
  const folder = `${BENCH_FOLDER}scale-out-files/${files}-${rows}`
  if (existsSync(folder)) return folder
  const total = files * rows
  const source = await eventsFile(total, total / 20)
  const making = `${folder}.making`
  await mkdir(making, { recursive: true })
  for (let k = 0; k < files; k++) {
    const place = `${making}/${String(k).padStart(4, '0')}.parquet`
    await duckdb.run(
      `COPY (FROM '${source}' WHERE file_row_number >= ${k * rows} AND file_row_number < ${(k + 1) * rows}) TO '${place}' (FORMAT parquet)`,
    )
  }
  await rename(making, folder)
  return folder
}

/** A thousand tasks of ten thousand rows: all the time that is not spent in tasks, for each of them. */
async function overhead(): Promise<void> {
  const many = await Warehouse.open(`${BENCH_FOLDER}scale-out`, {
    env: { ...process.env, SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '10000' },
  })
  const figures: number[] = []
  for (let run = 0; run <= 3; run++) {
    const { stats } = await many.sql('SELECT event, count(*) AS n FROM small GROUP BY event ORDER BY event', {
      pool: 'inline',
    })
    const { tasks, ms, runMs = 0 } = stats
    if (run > 0) figures.push((ms - runMs / (threads + many.settings.taskLookahead)) / tasks)
    if (run === 3)
      console.log(`\n${tasks} tasks in ${ms} ms: ${median(figures).toFixed(3)} ms of the coordinator a task (below 1)`)
  }
  await many.close()
}

/** One query after another, and several at a time, over a table of a few thousand rows. */
async function smallQueries(): Promise<void> {
  const small = await Warehouse.open(`${BENCH_FOLDER}scale-out`)
  const source = await eventsFile(10_000, 500)
  if (!(await small.tables()).some(({ name }) => name === 'few')) {
    await small.import('few', [source], { actor: 'user_id', time: 'ts' })
  }
  for (const atOnce of [1, 8]) {
    const count = 600
    let next = 0
    const started = performance.now()
    const worker = async () => {
      for (let k = next++; k < count; k = next++) {
        await small.sql(
          `SELECT event, count(*) AS n, sum(price) AS s FROM few WHERE user_id > ${k % 100} GROUP BY event`,
          { pool: 'inline' },
        )
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    const seconds = (performance.now() - started) / 1000
    console.log(
      `${atOnce} at a time: ${(count / seconds).toFixed(0)} small queries a second through inline (at least 200)`,
    )
  }
  await small.close()
}
