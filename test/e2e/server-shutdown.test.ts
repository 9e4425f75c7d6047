/** How a server ends: what runs comes to its end within its time, what is new is refused, and nothing is left behind. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { ENDLESS, leftovers } from '../conformance/pool-lab.ts'
import { type Serving, serve } from './server-lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
  const source = await lab.write('SELECT i AS id, i % 90 AS who, i AS ts FROM range(20000) t(i)')
  await lab.warehouse.import('stored', [source], { actor: 'who', time: 'ts', buckets: 4 })
})
afterAll(() => lab.close())

const DIVIDED = { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '3000' }
const ENDLESS_TASKS = 'SELECT who, sum(hash(id, r.range) % 7) AS n FROM stored, range(100000000) r GROUP BY who'

/** A query that takes a while, and what it gives. */
function longQuery(): { sql: string; answer: number } {
  const [rows, columns] = [24_000, 10_000]
  const residues = (count: number) => Array.from({ length: 7 }, (_, k) => Math.floor((count - 1 - k) / 7) + 1)
  const [a, b] = [residues(rows), residues(columns)]
  const answer = a.reduce((sum, n, i) => sum + b.reduce((inner, m, j) => inner + n * m * ((i * j) % 7), 0), 0)
  const sql = `SELECT sum((a.range * b.range) % 7)::BIGINT AS s FROM range(${rows}) a, range(${columns}) b`
  return { sql, answer }
}

async function errorOf(answer: Response): Promise<{ status: number; code: string; retry: string | null }> {
  const { error } = (await answer.json()) as { error: { code: string } }
  return { status: answer.status, code: error.code, retry: answer.headers.get('retry-after') }
}

const CLOSING = { status: 503, code: 'SERVER_CLOSING', retry: '5' }

/** Waits until so many queries run, and so many wait. */
async function untilLoad({ url }: Serving, running: number, waiting = 0): Promise<void> {
  for (;;) {
    const list = (await (await fetch(`${url}/api/v1/queries`)).json()) as { state: string }[]
    const count = (state: string) => list.filter((record) => record.state === state).length
    if (count('running') === running && count('queued') === waiting) return
    await sleep(20)
  }
}

describe('a server that is told to end', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'by %s refuses what is new, and what runs gives its full answer',
    async (signal) => {
      await using server = await serve(lab)
      const { sql, answer } = longQuery()
      let isDone = false
      const running = server.sql(sql).finally(() => (isDone = true))
      await untilLoad(server, 1)
      server.child.kill(signal)
      while ((await fetch(`${server.url}/readyz`)).status !== 503) await sleep(5)
      expect(await errorOf(await server.sql('SELECT 1'))).toEqual(CLOSING)
      const body = { method: 'POST', body: 'a\n1\n', headers: { 'content-type': 'text/csv' } }
      expect(await errorOf(await fetch(`${server.url}/api/v1/tables/new/import`, body))).toEqual(CLOSING)
      for (const path of ['/healthz', '/metrics', '/api/v1/tables', '/api/v1/queries']) {
        const cheap = await fetch(server.url + path)
        expect([path, cheap.status, cheap.headers.get('connection')]).toEqual([path, 200, 'close'])
      }
      // All of this was while it ran.
      expect(isDone).toBe(false)
      const done = await running
      expect(done.status).toBe(200)
      expect(await done.json()).toMatchObject({ rows: [{ s: answer }] })
      expect(await server.ended).toEqual({ code: 0, signal: null })
      expect(leftovers(lab.root).filter((path) => path !== '.tmp')).toEqual([])
      expect(server.log.every((line) => line.startsWith('{'))).toBe(true)
    },
  )

  test('cancels what runs longer than its time, on threads too, and leaves nothing', async () => {
    const env = { ...DIVIDED, SKEP_SHUTDOWN_MS: '700', SKEP_CONCURRENT_QUERIES: '3' }
    await using server = await serve(lab, env)
    const whole = server.sql(ENDLESS)
    const divided = server.sql(ENDLESS_TASKS)
    const streamed = fetch(`${server.url}/api/v1/sql?stream=true`, {
      method: 'POST',
      body: JSON.stringify({ sql: ENDLESS }),
      headers: { 'content-type': 'application/json' },
    }).then((stream) => stream.text())
    await untilLoad(server, 3)
    const queued = server.sql('SELECT 1')
    await untilLoad(server, 3, 1)
    const began = performance.now()
    server.child.kill('SIGTERM')
    expect(await errorOf(await queued)).toEqual(CLOSING)
    expect(performance.now() - began).toBeLessThan(500)
    expect(await errorOf(await whole)).toEqual(CLOSING)
    expect(await errorOf(await divided)).toEqual(CLOSING)
    expect(JSON.parse((await streamed).trimEnd().split('\n').at(-1)!)).toMatchObject({
      error: { code: 'SERVER_CLOSING' },
    })
    expect(performance.now() - began).toBeGreaterThan(600)
    expect(await server.ended).toEqual({ code: 0, signal: null })
    expect(performance.now() - began).toBeLessThan(6000)
    expect(leftovers(lab.root).filter((path) => path !== '.tmp')).toEqual([])
  })

  test('cancels an upload that does not come to its end, and leaves nothing of it', async () => {
    await using server = await serve(lab, { SKEP_SHUTDOWN_MS: '300' })
    const socket = connect(server.port, '127.0.0.1')
    socket.write(
      'POST /api/v1/tables/half/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 1000\r\n\r\na,b\n1,2\n',
    )
    await untilLoad(server, 1)
    server.child.kill('SIGTERM')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(String(answer)).toMatch(/^HTTP\/1\.1 503 .*SERVER_CLOSING/s)
    const answered = performance.now()
    expect(await server.ended).toEqual({ code: 0, signal: null })
    expect(performance.now() - answered).toBeLessThan(2000)
    socket.destroy()
    expect(leftovers(lab.root).filter((path) => path !== '.tmp')).toEqual([])
  })

  test('ends at once by a second signal', async () => {
    await using server = await serve(lab)
    const call = server.sql(ENDLESS).catch(() => 'cut')
    await untilLoad(server, 1)
    server.child.kill('SIGTERM')
    while ((await fetch(`${server.url}/readyz`)).status !== 503) await sleep(5)
    const second = performance.now()
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: null, signal: 'SIGTERM' })
    expect(performance.now() - second).toBeLessThan(1000)
    expect(await call).toBe('cut')
  })

  test('closes connections that do nothing, and after a while those that do not read', async () => {
    await using server = await serve(lab, { SKEP_SHUTDOWN_MS: '200' })
    const fresh = connect(server.port, '127.0.0.1')
    const kept = connect(server.port, '127.0.0.1')
    kept.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await Promise.all([once(fresh, 'connect'), once(kept, 'data')])
    const deaf = connect(server.port, '127.0.0.1').pause()
    const body = JSON.stringify({ sql: "SELECT range AS n, repeat('x', 1000) AS t FROM range(1000000)" })
    deaf.write(
      `POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await untilLoad(server, 1)
    const began = performance.now()
    server.child.kill('SIGTERM')
    for (const socket of [fresh, kept, deaf]) socket.on('error', () => {})
    expect(await server.ended).toEqual({ code: 0, signal: null })
    expect(performance.now() - began).toBeLessThan(5000)
    for (const socket of [fresh, kept, deaf]) socket.destroy()
  })

  test('with nothing to do ends soon', async () => {
    await using server = await serve(lab)
    const began = performance.now()
    server.child.kill('SIGTERM')
    expect(await server.ended).toEqual({ code: 0, signal: null })
    expect(performance.now() - began).toBeLessThan(1500)
  })
})
