/** `node bench/server.ts [clients] [seconds] [rows]`: a server under the load of many clients, and rows that stream out of it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Warehouse } from '../src/warehouse.ts'
import { load } from './server-load.ts'

const [clients = 200, seconds = 60, rows = 10_000_000] = process.argv.slice(2).map(Number)
const path = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'skep-bench-'))
await using warehouse = await Warehouse.open(root)
await warehouse.import('events', [path('examples/data/contributions.parquet')], {
  actor: 'actor',
  time: 'ts',
  buckets: 4,
})

const server = spawn(
  process.execPath,
  [path('src/cli/main.ts'), 'serve', '--json', '--port', '0', '--warehouse', root],
  {
    env: { ...process.env, SKEP_LOG_LEVEL: 'silent' },
    stdio: ['ignore', 'pipe', 'inherit'],
  },
)
const [first] = await once(server.stdout, 'data')
const { url } = JSON.parse(String(first)) as { url: string }

/** Megabytes of the server: now, or the most so far. */
function memory(name: 'VmRSS' | 'VmHWM' = 'VmRSS'): number {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8')
  return Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024)
}

const idle = memory()
const began = performance.now()
const answer = await fetch(`${url}/api/v1/sql`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/x-ndjson' },
  body: JSON.stringify({
    sql: `SELECT i AS id, 'user-' || (i % 1000) AS who, i * 0.5::DOUBLE AS amount FROM range(${rows}) t(i)`,
  }),
})
let bytes = 0
for await (const piece of answer.body!) bytes += piece.length
const took = ((performance.now() - began) / 1000).toFixed(1)
console.log(
  `${rows} rows as NDJSON: ${Math.round(bytes / 1e6)} MB in ${took} s; memory ${idle} MB before, ${memory('VmHWM')} MB at most`,
)

const report = await load({ url, clients, seconds, memory })
console.log(`${clients} clients for ${seconds} s: ${report.requests} requests, ${report.perSecond.toFixed(0)} a second`)
console.log(
  `  p50 ${report.p50.toFixed(0)} ms, p99 ${report.p99.toFixed(0)} ms; 429: ${((100 * report.busy) / report.requests).toFixed(1)} %`,
)
console.log(`  other errors: ${JSON.stringify([...report.wrong])}`)
console.log(`  memory in MB, by the second: ${report.memory.join(' ')}`)

server.kill('SIGTERM')
await once(server, 'exit')
rmSync(root, { recursive: true, force: true })
process.exitCode = report.wrong.size === 0 ? 0 : 1
