/** Queries end when nobody wants them any more: the caller leaves, somebody cancels, a place never came. */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeOf, connected, ENDLESS, eventually, faultOf, leftOver, type ServerLab, startLab } from './lab.ts'

/** Longest time in which an end has to be heard; a second, and a margin for a machine that does other work too. */
const SOON_MS = 2500

let lab: ServerLab
beforeAll(async () => {
  lab = await startLab({ env: { SKEP_CONCURRENT_QUERIES: '2', SKEP_QUEUED_QUERIES: '2', SKEP_QUEUE_MS: '60000' } })
})
afterAll(() => lab[Symbol.asyncDispose]())

interface Seen {
  id: string
  kind: string
  text: string
  state: string
  error?: { code: string }
}

const queries = async (): Promise<Seen[]> => JSON.parse((await lab.call('GET', '/api/v1/queries')).text)
const query = async (id: string): Promise<Seen> => JSON.parse((await lab.call('GET', `/api/v1/queries/${id}`)).text)
const cancel = async (id: string) => await lab.call('DELETE', `/api/v1/queries/${id}`)

let marks = 0
/** SQL that never ends, known by its comment. */
const endless = () => `${ENDLESS} -- ${++marks}`

async function seen(text: string, state: string, ms = SOON_MS): Promise<Seen> {
  let found: Seen | undefined
  await eventually(
    `${text} is ${state}`,
    async () => {
      found = (await queries()).find((candidate) => candidate.text.includes(text))
      return found?.state === state
    },
    ms,
  )
  return found!
}

/** Fails unless all places are free and nothing is left on the disk. */
async function requireFree(): Promise<void> {
  const answers = await Promise.all([1, 2, 3, 4].map((k) => lab.sql(`SELECT ${k} AS k, count(*) AS n FROM events`)))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
  await eventually('nothing is left', () => leftOver(lab.lab.root).length === 0)
}

const json = (sql: string) => JSON.stringify({ sql })

describe('a caller who leaves ends', () => {
  const document = (sql: string) =>
    JSON.stringify({ steps: [{ name: 's', step_type: 'HBee', sql }], capacity: { zones: 1 } })
  test.each<[string, string, (sql: string) => string, Record<string, string>]>([
    ['a query', '/api/v1/sql', json, {}],
    ['one with progress', '/api/v1/sql?stream=true', json, {}],
    ['one with rows as they come', '/api/v1/sql?stream=rows', json, {}],
    ['one as events', '/api/v1/sql', json, { accept: 'text/event-stream' }],
    ['one as NDJSON', '/api/v1/sql', json, { accept: 'application/x-ndjson' }],
    ['one as CSV', '/api/v1/sql', json, { accept: 'text/csv' }],
    ['one as Parquet', '/api/v1/sql', json, { accept: 'application/vnd.apache.parquet' }],
    ['a document', '/api/v1/run', document, {}],
    ['a document with progress', '/api/v1/run?stream=true', document, {}],
  ])('%s', async (_, path, body, headers) => {
    const leaving = new AbortController()
    const sql = endless()
    const asked = lab
      .open('POST', path, { body: body(sql), headers, signal: leaving.signal })
      .then(async (response) => await response.text())
    const left = expect(asked).rejects.toThrow(/abort/)
    await seen(sql, 'running')
    leaving.abort()
    await left
    expect((await seen(sql, 'cancelled')).error?.code).toBe('CANCELLED')
    await requireFree()
  })

  test('a stream whose rows were on their way', async () => {
    for (const accept of ['application/x-ndjson', 'text/csv']) {
      const sql = `SELECT i, 'x' || i AS s FROM range(100000000) t(i) -- ${++marks}`
      const leaving = new AbortController()
      const response = await lab.open('POST', '/api/v1/sql', {
        body: json(sql),
        headers: { accept },
        signal: leaving.signal,
      })
      const reader = response.body!.getReader()
      await reader.read()
      leaving.abort()
      await seen(sql, 'cancelled')
    }
    await requireFree()
  })

  test('a query that waits for its place', async () => {
    const holding = [endless(), endless()]
    const held = holding.map((sql) => lab.sql(sql))
    await Promise.all(holding.map((sql) => seen(sql, 'running')))
    const leaving = new AbortController()
    const waiting = endless()
    const asked = lab.sql(waiting, { signal: leaving.signal })
    const left = expect(asked).rejects.toThrow(/abort/)
    await seen(waiting, 'queued')
    leaving.abort()
    await left
    await seen(waiting, 'cancelled')
    for (const sql of holding) await cancel((await seen(sql, 'running')).id)
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([499, 499])
    await requireFree()
  })

  test('a connection that is reset, or half closed', async () => {
    for (const leave of ['resetAndDestroy', 'destroy', 'end'] as const) {
      const sql = endless()
      const socket = await connected(lab.port)
      socket.on('error', () => {})
      const body = json(sql)
      socket.write(
        `POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
      await seen(sql, 'running')
      socket[leave]()
      await seen(sql, 'cancelled')
    }
    await requireFree()
  })

  test('an upload half way: nothing stays, and nothing was imported', async () => {
    const head = (table: string, length: string) =>
      `POST /api/v1/tables/${table}/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n${length}\r\n\r\n`
    for (const length of ['Content-Length: 100000000', 'Transfer-Encoding: chunked']) {
      const socket = await connected(lab.port)
      socket.on('error', () => {})
      socket.write(head('halves', length))
      const rows = 'a,b\n1,2\n'.repeat(50_000)
      socket.write(length.startsWith('T') ? `${rows.length.toString(16)}\r\n${rows}\r\n` : rows)
      await seen('halves', 'running')
      await eventually('the file is being written', () =>
        leftOver(lab.lab.root).some((path) => path.includes('upload.csv')),
      )
      socket.destroy()
      await eventually('the upload is over', async () => (await queries()).every(({ state }) => state !== 'running'))
      const found = (await queries()).find(({ kind }) => kind === 'import')!
      expect([found.state, found.error?.code]).toEqual(['cancelled', 'CANCELLED'])
      await requireFree()
    }
    expect((await lab.warehouse.tables()).map(({ name }) => name)).toEqual(['events'])
  })
})

describe('cancelling', () => {
  test('gives the caller 499 within a second, and frees the place', async () => {
    const sql = endless()
    const asked = lab.sql(sql)
    const { id } = await seen(sql, 'running')
    const started = performance.now()
    const cancelled = await cancel(id)
    expect(cancelled.status).toBe(202)
    const answer = await asked
    expect(performance.now() - started).toBeLessThan(SOON_MS)
    expect([answer.status, codeOf(answer), faultOf(answer)]).toEqual([499, 'CANCELLED', undefined])
    expect((await query(id)).state).toBe('cancelled')
    await requireFree()
  })

  test('ends a stream with the error as its last line', async () => {
    const sql = endless()
    const asked = lab.call('POST', '/api/v1/sql?stream=true', { body: json(sql) })
    const { id } = await seen(sql, 'running')
    // Long enough for the stream to have begun.
    await sleep(500)
    await cancel(id)
    const answer = await asked
    const last = answer.text.trimEnd().split('\n').at(-1)!
    expect(codeOf({ text: last }), answer.text).toBe('CANCELLED')
    await requireFree()
  })

  test('breaks rows off, so that they do not look complete', async () => {
    const sql = `SELECT i FROM range(1000000000) t(i) -- ${++marks}`
    const response = await lab.open('POST', '/api/v1/sql', { body: json(sql), headers: { accept: 'text/csv' } })
    const read = expect(response.text()).rejects.toThrow()
    const { id } = await seen(sql, 'running')
    await cancel(id)
    await read
    expect((await query(id)).state).toBe('cancelled')
    await requireFree()
  })

  test('twice is as good as once', async () => {
    const sql = endless()
    const asked = lab.sql(sql)
    const { id } = await seen(sql, 'running')
    const answers = await Promise.all([cancel(id), cancel(id), cancel(id)])
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202])
    expect((await asked).status).toBe(499)
    expect((await cancel(id)).status).toBe(202)
    expect((await query(id)).state).toBe('cancelled')
    await requireFree()
  })

  test('a query that is done, or that failed, leaves it as it was', async () => {
    const done = `SELECT 1 AS a -- ${++marks}`
    const failed = `SELECT nothing -- ${++marks}`
    await lab.sql(done)
    await lab.sql(failed)
    for (const [sql, state] of [
      [done, 'done'],
      [failed, 'failed'],
    ] as const) {
      const { id } = await seen(sql, state)
      expect(JSON.parse((await cancel(id)).text)).toMatchObject({ id, state })
      expect((await query(id)).state).toBe(state)
    }
  })

  test('a query that waits gives it 499 at once', async () => {
    const holding = [endless(), endless()]
    const held = holding.map((sql) => lab.sql(sql))
    await Promise.all(holding.map((sql) => seen(sql, 'running')))
    const waiting = endless()
    const asked = lab.sql(waiting)
    await cancel((await seen(waiting, 'queued')).id)
    expect((await asked).status).toBe(499)
    for (const sql of holding) await cancel((await seen(sql, 'running')).id)
    await Promise.all(held)
    await requireFree()
  })

  test('what is not known is 404', async () => {
    for (const id of ['nothing', crypto.randomUUID(), '..', '%00']) {
      const answer = await cancel(id)
      expect([404, 405], answer.text).toContain(answer.status)
    }
  })

  test('ends the tasks of a query on threads', async () => {
    await using other = await startLab({
      env: { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '20000', SKEP_POOL: 'threads', SKEP_THREADS: '2' },
    })
    const sql = `SELECT count(*) AS n FROM events a, events b, range(100000) c WHERE hash(a.ts, b.ts, c.range) = 1`
    const asked = other.sql(sql)
    const listed = async (): Promise<Seen[]> => JSON.parse((await other.call('GET', '/api/v1/queries')).text)
    await eventually('it runs', async () => (await listed())[0]?.state === 'running')
    await sleep(500)
    const started = performance.now()
    await other.call('DELETE', `/api/v1/queries/${(await listed())[0]!.id}`)
    expect((await asked).status).toBe(499)
    expect(performance.now() - started).toBeLessThan(SOON_MS)
    // Tasks that went on would keep the threads from the next query.
    const again = performance.now()
    expect(
      JSON.parse((await other.sql('SELECT event, count(*) AS n FROM events GROUP BY event')).text).rows.length,
    ).toBeGreaterThan(1)
    expect(performance.now() - again).toBeLessThan(5000)
    await eventually(
      'nothing is left',
      () => leftOver(other.lab.root).filter((path) => path.includes('.exchange')).length === 0,
    )
  })
})

test('more than may wait are sent away at once, with the time to come back, and the others are answered', async () => {
  const running = [endless(), endless(), endless(), endless()]
  const held = running.map((sql) => lab.sql(sql))
  for (const sql of running)
    await eventually('it is known', async () => (await queries()).some(({ text }) => text === sql))
  await eventually(
    'the places are taken',
    async () => (await queries()).filter(({ state }) => state === 'running').length === 2,
  )
  const started = performance.now()
  const refused = await lab.sql('SELECT 1')
  expect(performance.now() - started).toBeLessThan(1000)
  expect([refused.status, codeOf(refused), faultOf(refused)]).toEqual([429, 'SERVER_BUSY', undefined])
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
  for (const path of ['/healthz', '/api/v1/tables', '/api/v1/queries', '/api/v1/session']) {
    expect((await lab.call('GET', path)).status, path).toBe(200)
  }
  for (const { id, state } of await queries()) if (state === 'running' || state === 'queued') await cancel(id)
  // Those that waited have come to their places, and are cancelled there.
  await eventually('all are over', async () => {
    for (const { id, state } of await queries()) if (state === 'running' || state === 'queued') await cancel(id)
    return (await queries()).every(({ state }) => state !== 'running' && state !== 'queued')
  })
  expect((await Promise.all(held)).map(({ status }) => status)).toEqual([499, 499, 499, 499])
  await requireFree()
})

test('connections that come and go leave nothing', async () => {
  await Promise.all(
    Array.from({ length: 200 }, async (_, k) => {
      const socket = connect(lab.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.write(
        k % 3 === 0
          ? 'POST /api/v1/sql HTTP/1.1\r\nHost: loc'
          : `GET /api/v1/tables HTTP/1.1\r\nHost: localhost\r\n\r\n`,
      )
      await sleep(k % 20)
      if (k % 2) socket.destroy()
      else socket.resetAndDestroy()
    }),
  )
  await requireFree()
})
