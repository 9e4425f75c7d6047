/** What connections may do to a server, over raw sockets: who is slow, large, broken or many stops nobody else. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { type Observed, observe } from '../conformance/observed-lab.ts'
import { ENDLESS, leftovers } from '../conformance/pool-lab.ts'

let lab: Lab
let seen: Observed
const sockets: Socket[] = []
beforeAll(async () => {
  lab = await openLab()
  seen = await observe(lab, {
    env: {
      SKEP_HEADERS_MS: '800',
      SKEP_BODY_MS: '900',
      SKEP_UPLOAD_STALL_MS: '700',
      SKEP_READ_STALL_MS: '600',
      SKEP_KEEP_ALIVE_MS: '700',
      SKEP_CONNECTIONS: '400',
    },
  })
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await seen[Symbol.asyncDispose]()
  await lab.close()
})

async function open(): Promise<Socket> {
  const socket = connect(Number(new URL(seen.server.url).port), '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** All that comes until the server closes, and when. */
async function untilClosed(socket: Socket): Promise<{ text: string; ms: number }> {
  const began = performance.now()
  let text = ''
  socket.on('data', (piece) => {
    text += piece
  })
  await once(socket, 'close')
  return { text, ms: performance.now() - began }
}

/** Sends the text byte by byte until the connection ends. */
async function trickle(socket: Socket, text: string, everyMs: number): Promise<void> {
  for (const sign of text) {
    if (socket.destroyed) return
    socket.write(sign)
    await sleep(everyMs)
  }
}

const HEAD = 'Host: localhost\r\nContent-Type: application/json\r\n'
const ok = async () => (await seen.call('/api/v1/sql', { json: { sql: 'SELECT 1 AS n' } })).status === 200

describe('slow requests', () => {
  test('a head that comes byte by byte is cut off with 408', async () => {
    const socket = await open()
    const closed = untilClosed(socket)
    await trickle(socket, `GET /healthz HTTP/1.1\r\nX-Long: ${'x'.repeat(100)}`, 100)
    const { text, ms } = await closed
    expect(text).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n.*"code":"REQUEST_TIMEOUT"/s)
    expect(ms).toBeLessThan(4000)
  })

  test('a JSON body that comes byte by byte is cut off with 408', async () => {
    const socket = await open()
    const closed = untilClosed(socket)
    socket.write(`POST /api/v1/sql HTTP/1.1\r\n${HEAD}Content-Length: 1000\r\n\r\n`)
    await trickle(socket, `{"sql":"${'x'.repeat(100)}`, 100)
    const { text, ms } = await closed
    expect(text).toMatch(/^HTTP\/1\.1 408 .*"code":"REQUEST_TIMEOUT"/s)
    expect(ms).toBeLessThan(4000)
    // One without a length too.
    const chunked = await open()
    const end = untilClosed(chunked)
    chunked.write(`POST /api/v1/sql HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{"sql\r\n`)
    expect((await end).text).toMatch(/^HTTP\/1\.1 408 /)
  })

  test('a file that comes byte by byte is given up, and nothing of it is left', async () => {
    const socket = await open()
    const closed = untilClosed(socket)
    socket.write(
      'POST /api/v1/tables/slow/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 9999\r\n\r\n',
    )
    await trickle(socket, `a\n${'1\n'.repeat(50)}`, 50)
    const { text, ms } = await closed
    expect(text).toMatch(/^HTTP\/1\.1 408 .*"code":"REQUEST_TIMEOUT"/s)
    expect(ms).toBeLessThan(6000)
    expect((await seen.call('/api/v1/tables/slow')).status).toBe(404)
    expect(leftovers(lab.root).filter((path) => path.includes('upload'))).toEqual([])
    expect((await seen.metrics()).get('skep_queries_running')).toBe(0)
  })

  test('a file that comes slowly, but steadily, is taken', async () => {
    const rows = '1234567890\n'.repeat(40_000)
    const socket = await open()
    socket.write(
      `POST /api/v1/tables/steady/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nConnection: close\r\nContent-Length: ${rows.length + 2}\r\n\r\na\n`,
    )
    const closed = untilClosed(socket)
    for (let at = 0; at < rows.length; at += 44_000) {
      socket.write(rows.slice(at, at + 44_000))
      await sleep(200)
    }
    const { text, ms } = await closed
    expect(text).toMatch(/^HTTP\/1\.1 200 .*"rows":40000/s)
    expect(ms).toBeGreaterThan(1500)
  })

  test('a query whose caller reads nothing is cancelled, and its place is free again', async () => {
    const socket = (await open()).pause()
    const body = JSON.stringify({ sql: `SELECT range AS n, repeat('x', 1000) AS t FROM range(2000000)` })
    socket.write(
      `POST /api/v1/sql HTTP/1.1\r\n${HEAD}Accept: text/csv\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    const before = (await seen.metrics()).get('skep_queries_total', { kind: 'sql', outcome: 'cancelled' })
    while ((await seen.metrics()).get('skep_queries_total', { kind: 'sql', outcome: 'cancelled' }) === before)
      await sleep(50)
    expect((await seen.metrics()).get('skep_queries_running')).toBe(0)
  })

  test('a query that takes longer than any of these times is not touched', async () => {
    const caller = new AbortController()
    const call = seen.call('/api/v1/sql', { json: { sql: ENDLESS }, signal: caller.signal }).then(
      () => 'answered',
      () => 'left',
    )
    expect(await Promise.race([call, sleep(2500, 'runs')])).toBe('runs')
    caller.abort()
    expect(await call).toBe('left')
  })
})

describe('idle connections', () => {
  test('are closed after a request, and when none comes', async () => {
    const kept = await open()
    const fresh = await open()
    const ends = [untilClosed(kept), untilClosed(fresh)]
    kept.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [first, second] = await Promise.all(ends)
    expect(first!.text).toMatch(/^HTTP\/1\.1 200 OK.*ok\n$/s)
    expect(second!.text).toMatch(/^HTTP\/1\.1 408 |^$/)
    for (const { ms } of [first!, second!]) expect(ms).toBeLessThan(5000)
  })

  test('by the hundred do not stop others; more than the limit are closed at once', async () => {
    const many = await Promise.all(Array.from({ length: 350 }, open))
    expect(await ok()).toBe(true)
    const tooMany = await Promise.all(Array.from({ length: 150 }, open))
    const closed = tooMany.map((socket) => Promise.race([once(socket, 'close').then(() => true), sleep(300, false)]))
    const dropped = (await Promise.all(closed)).filter(Boolean).length
    expect(dropped).toBeGreaterThanOrEqual(90)
    for (const socket of [...many, ...tooMany]) socket.destroy()
    await sleep(50)
    expect(await ok()).toBe(true)
  })
})

describe('broken requests', () => {
  test.each([
    ['no HTTP', 'hello\r\n\r\n', 400, 'ARGUMENT_INVALID'],
    ['a method that there is not', 'BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n', 400, 'ARGUMENT_INVALID'],
    [
      'two lengths',
      `POST /api/v1/sql HTTP/1.1\r\n${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
      400,
      'ARGUMENT_INVALID',
    ],
    [
      'a length beside chunks',
      `POST /api/v1/sql HTTP/1.1\r\n${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      'ARGUMENT_INVALID',
    ],
    [
      'a head that is too large',
      `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'HEADER_LIMIT',
    ],
    [
      'an address that is too long',
      `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      431,
      'HEADER_LIMIT',
    ],
  ])('%s: an error in JSON, and the end of the connection', async (_what, request, status, code) => {
    const socket = await open()
    const closed = untilClosed(socket)
    socket.write(request)
    const { text } = await closed
    const [head = '', body = ''] = text.split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(head).toMatch(new RegExp(`Content-Length: ${Buffer.byteLength(body)}`))
    expect(JSON.parse(body)).toMatchObject({ error: { code } })
    expect(await ok()).toBe(true)
  })

  test('what follows a request does not get into its answer', async () => {
    const socket = await open()
    const closed = untilClosed(socket)
    const body = JSON.stringify({ sql: 'SELECT range AS n FROM range(300000)' })
    socket.write(
      `POST /api/v1/sql HTTP/1.1\r\n${HEAD}Accept: text/csv\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    await once(socket, 'data')
    socket.write('no HTTP at all\r\n\r\n')
    const { text } = await closed
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1)
  })
})
