/**
 * What one machine does: import against one COPY … ORDER BY, SQL against raw DuckDB on the same files, start-up against bare Node.
 *
 *   node bench/one-machine.ts [rows]
 */
import { execFileSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'
import { Warehouse } from '../src/index.ts'
import { BENCH_FOLDER, eventsFile } from './events.ts'
import { compareLine, median, race, time } from './measure.ts'

const rows = Number(process.argv[2] ?? 20_000_000)
const source = await eventsFile(rows, rows / 20)
const folder = `${BENCH_FOLDER}one-machine`
await rm(folder, { recursive: true, force: true })
const warehouse = await Warehouse.open(folder)
const duckdb = await (
  await DuckDBInstance.create(':memory:', { threads: String(warehouse.settings.threads) })
).connect()
console.log(`${rows} rows, ${warehouse.settings.threads} threads; ours, theirs`)

for (const actor of ['user_id', 'uid']) {
  const theirs = await time(() =>
    duckdb.run(`COPY (FROM '${source}' ORDER BY ${actor}, ts) TO '${BENCH_FOLDER}sorted.parquet'
      (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, ROW_GROUP_SIZE 120000)`),
  )
  const ours = await time(() => warehouse.import(`by_${actor}`, [source], { actor, time: 'ts' }))
  console.log(compareLine(`import by ${actor}`, ours, theirs, 'at most 2.00'))
}

const { dataFiles = [] } = await warehouse.describe('by_user_id', { files: true })
await duckdb.run(
  `CREATE VIEW by_user_id AS FROM read_parquet([${dataFiles.map(({ path }) => `'${path}'`).join(', ')}])`,
)
const queries = {
  'count by event': 'SELECT event, count(*), sum(price) FROM by_user_id GROUP BY ALL ORDER BY 1',
  'distinct actors by day': `SELECT date_trunc('day', ts) AS day, count(DISTINCT user_id) FROM by_user_id GROUP BY ALL ORDER BY 1`,
  'top actors': 'SELECT user_id, sum(price) AS s FROM by_user_id GROUP BY ALL ORDER BY s DESC, 1 LIMIT 10',
  'window over a month': `SELECT max(n) FROM (SELECT row_number() OVER (PARTITION BY user_id ORDER BY ts) AS n FROM by_user_id WHERE ts < '2026-02-01')`,
}
for (const [name, sql] of Object.entries(queries)) {
  const times = await race({ ours: () => warehouse.sql(sql), theirs: () => duckdb.runAndReadAll(sql) }, 5)
  console.log(compareLine(name, times.ours!, times.theirs!, 'at most 1.10'))
}
await warehouse.close()

const run = (...args: string[]) =>
  time(async () => execFileSync(process.execPath, args, { stdio: 'ignore', cwd: BENCH_FOLDER }))
const cli = new URL('../dist/cli.js', import.meta.url).pathname
const starts = { ours: [] as number[], bare: [] as number[] }
for (let k = 0; k < 9; k++) {
  starts.ours.push(await run(cli, 'sql', 'select 1'))
  starts.bare.push(await run('-e', '0'))
}
console.log(
  compareLine("skep sql 'select 1' and bare node", median(starts.ours), median(starts.bare), 'at most 250 ms more'),
)
