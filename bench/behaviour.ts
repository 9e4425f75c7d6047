/**
 * Funnels against peers: the bare scan, ClickHouse on the same Parquet and on its own sorted MergeTree, the best DuckDB SQL.
 * Each contender runs in a process of its own with two threads; medians of five. ClickHouse needs `npm install` in bench/ first.
 *
 *   node bench/behaviour.ts [rows] [actors]
 */
import { execFileSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Warehouse } from '../src/index.ts'
import { BENCH_FOLDER, eventsFile } from './events.ts'
import type { Contest, Outcome } from './funnel-contender.ts'

const rows = Number(process.argv[2] ?? 20_000_000)
const actors = Number(process.argv[3] ?? rows / 20)
const source = await eventsFile(rows, actors)
const folder = `${BENCH_FOLDER}behaviour`
const steps = ['view', 'cart', 'buy', 'rate']

await rm(folder, { recursive: true, force: true })
const warehouse = await Warehouse.open(folder)
for (const actor of ['user_id', 'uid']) await warehouse.import(`by_${actor}`, [source], { actor, time: 'ts' })
const unsorted = `${BENCH_FOLDER}unsorted-${rows}-${actors}`
await prepareUnsorted()
for (const actor of ['user_id', 'uid']) {
  await warehouse.register(`unsorted_${actor}`, unsorted, { actor, time: 'ts', validate: 'single' })
}

for (const actor of ['user_id', 'uid']) {
  for (const layout of ['sorted', 'unsorted']) {
    const table = layout === 'sorted' ? `by_${actor}` : `unsorted_${actor}`
    const files = (await warehouse.describe(table, { files: true })).dataFiles!.map(({ path }) => path)
    const contest = { warehouse: folder, table, files, actor, steps, windowDays: 7, runs: 5, threads: 2 }
    console.log(`\n${rows} rows, ${layout}, by ${actor}, ${steps.length} steps, 7 days`)
    const ours = contend({ ...contest, engine: 'skep' })
    report('Skep', ours, ours)
    for (const engine of [
      'scan',
      'duckdb',
      'clickhouse',
      ...(layout === 'sorted' ? ['mergetree'] : []),
    ] as Contest['engine'][]) {
      report(engine, contend({ ...contest, engine }), ours)
    }
  }
}
await warehouse.close()

async function prepareUnsorted(): Promise<void> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const connection = await (await DuckDBInstance.create()).connect()
  await connection.run(
    `COPY (FROM '${source}') TO '${unsorted}' (FORMAT parquet, PER_THREAD_OUTPUT, OVERWRITE_OR_IGNORE)`,
  )
}

function contend(contest: Contest): Outcome | undefined {
  const script = fileURLToPath(new URL('./funnel-contender.ts', import.meta.url))
  try {
    const output = execFileSync(process.execPath, [script, JSON.stringify(contest)], {
      maxBuffer: 1 << 26,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return JSON.parse(String(output).trim().split('\n').at(-1)!) as Outcome
  } catch (error) {
    const said = String((error as { stderr?: unknown }).stderr ?? error)
    const reason = said.split('\n').find((line) => line.includes('Error')) ?? said
    console.log(`${contest.engine}: ${reason.slice(0, 200)}`)
    return undefined
  }
}

function report(name: string, theirs: Outcome | undefined, ours: Outcome | undefined): void {
  if (!theirs || !ours) return
  const agree =
    name === 'scan' || theirs.counts.join() === ours.counts.join()
      ? ''
      : `  COUNTS DIFFER: ${theirs.counts.join()} and ${ours.counts.join()}`
  const memory = `${(theirs.peakBytes / 2 ** 20).toFixed(0)} MB`
  console.log(
    `${name.padEnd(12)} ${theirs.ms.toFixed(0).padStart(7)} ms  ${(theirs.ms / ours.ms).toFixed(2).padStart(6)} x ours  ${memory.padStart(8)}${agree}`,
  )
}
