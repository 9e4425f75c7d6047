/** Rows in any number leave in bounded memory, no faster than they are read. */
import { createWriteStream } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { load } from '../../bench/server-load.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { runs, tortureTimeout } from '../torture.ts'
import { CONTRIBUTIONS, eventually, leftOver } from './lab.ts'
import { type ServerProcess, startProcess } from './process.ts'

/** Most megabytes that a server may need, engine and all, while rows leave. */
const MOST_MB = 300
const ROWS = runs(1_000_000, 10_000_000)
const SQL = `SELECT i AS id, 'user-' || (i % 1000) AS who, i * 0.5::DOUBLE AS amount FROM range(${ROWS}) t(i)`

let lab: Lab
let server: ServerProcess
beforeAll(async () => {
  lab = await openLab()
  await lab.warehouse.import('events', [CONTRIBUTIONS], { actor: 'actor', time: 'ts', buckets: 4 })
  server = await startProcess(lab.root, { SKEP_THREADS: '2' })
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await lab.close()
})

const ask = async (sql: string, accept: string, path = '/api/v1/sql') =>
  await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept },
    body: JSON.stringify({ sql }),
  })

/** How often a byte is among others. */
function countOf(bytes: Uint8Array, byte: number): number {
  let count = 0
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) count++
  return count
}

describe(`${ROWS} rows`, () => {
  test.each([
    ['application/x-ndjson', '/api/v1/sql', 0],
    ['text/csv', '/api/v1/sql', 1],
  ])(
    'leave as %s within the limit, each of them once',
    async (type, path, heads) => {
      const answer = await ask(SQL, type, path)
      let lines = 0
      let last = ''
      for await (const piece of answer.body!) {
        lines += countOf(piece as Uint8Array, 10)
        last = Buffer.from(piece as Uint8Array)
          .subarray(-200)
          .toString()
      }
      expect(lines).toBe(ROWS + heads)
      expect(last).toContain(String(ROWS - 1))
      expect(server.memory().peak, 'megabytes').toBeLessThan(MOST_MB)
    },
    tortureTimeout(60_000),
  )

  test(
    'leave in batches with progress within the limit',
    async () => {
      const answer = await ask(SQL, '*/*', '/api/v1/sql?stream=rows')
      let quotes = 0
      let tail = ''
      for await (const piece of answer.body!) {
        quotes += countOf(piece as Uint8Array, 34)
        tail = (tail + Buffer.from(piece as Uint8Array).toString('latin1')).slice(-2000)
      }
      // Each row has one text.
      expect(quotes / 2).toBeGreaterThanOrEqual(ROWS)
      expect(tail.trimEnd().split('\n').at(-1)).toContain('{"stats":')
      expect(server.memory().peak, 'megabytes').toBeLessThan(MOST_MB)
    },
    tortureTimeout(60_000),
  )

  test(
    'leave as Parquet within the limit, and nothing of it stays',
    async () => {
      const answer = await ask(SQL, 'application/vnd.apache.parquet')
      const path = join(lab.dir, 'rows.parquet')
      await pipeline(Readable.fromWeb(answer.body as never), createWriteStream(path))
      const judged = await lab.judge(
        `SELECT count(*), count(DISTINCT id), max(id)::INTEGER FROM read_parquet('${path}')`,
      )
      expect(judged.flat().map(Number)).toEqual([ROWS, ROWS, ROWS - 1])
      expect(server.memory().peak, 'megabytes').toBeLessThan(MOST_MB + 100)
      await eventually('nothing is left', () => leftOver(lab.root).length === 0)
    },
    tortureTimeout(60_000),
  )
})

test(
  'while a reader sleeps, the memory stays as it is and the server goes on',
  async () => {
    const body = JSON.stringify({ sql: "SELECT i AS id, repeat('x', 100) AS pad FROM range(500000000) t(i)" })
    const sleepers = await Promise.all(
      ['application/x-ndjson', 'text/csv', 'text/event-stream'].map(async (accept) => {
        const asked = request(`${server.url}/api/v1/sql${accept.endsWith('stream') ? '?stream=rows' : ''}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', accept },
        })
        asked.on('error', () => {})
        asked.end(body)
        await new Promise((resolve) =>
          asked.once('response', (answer) => resolve(answer.once('error', () => {}).pause())),
        )
        return asked
      }),
    )
    await sleep(1000)
    const before = server.memory().now
    for (let second = 0; second < runs(3, 30); second++) {
      await sleep(1000)
      const answer = await (await ask('SELECT count(*) AS n FROM events', 'application/json')).json()
      expect(answer).toMatchObject({ rows: [{ n: 117_258 }] })
    }
    expect(server.memory().now - before, 'megabytes more').toBeLessThan(30)
    for (const sleeper of sleepers) sleeper.destroy()
    await eventually('they are over', async () => {
      const listed = (await (await fetch(`${server.url}/api/v1/queries`)).json()) as { state: string }[]
      return listed.every(({ state }) => state !== 'running')
    })
  },
  tortureTimeout(60_000),
)

test(
  'under the load of 200 clients nothing but 429 goes wrong, and the memory does not grow on and on',
  async () => {
    const report = await load({
      url: server.url,
      clients: 200,
      seconds: runs(6, 60),
      memory: () => server.memory().now,
    })
    expect([...report.wrong]).toEqual([])
    expect(report.requests - report.busy).toBeGreaterThan(100)
    const half = Math.floor(report.memory.length / 2)
    const grown = Math.max(...report.memory.slice(half)) - Math.max(...report.memory.slice(0, half + 1))
    expect(grown, `megabytes: ${report.memory.join(' ')}`).toBeLessThan(100)
  },
  tortureTimeout(60_000),
)
