/** Whatever is sent, the server answers in time, in its own form, and goes on: requests made of every route's schema and spoilt, and bytes that are none. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ENDPOINTS, type EndpointName } from '../../src/api/endpoints.ts'
import { chanceOf } from '../chance.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { anyCase, BAIT, CONTENT_TYPES, type FuzzCase } from './fuzz-cases.ts'
import { type Answer, CONTRIBUTIONS_ROWS, connected, faultOf, leftOver, type ServerLab, startLab } from './lab.ts'
import { SOCKET_SHAPES } from './socket-shapes.ts'
import { cutAnswers, Wire } from './wire.ts'

/** Longest time that an answer may take here, where queries end after a second. */
const ANSWER_MS = 20_000
const CONNECTIONS = 12
const REQUESTS = runs(20_000, 100_000)
const BATCH = 1000

const NAMES = Object.keys(ENDPOINTS) as EndpointName[]

let lab: ServerLab
let before: unknown
const unheard: unknown[] = []
const hear = (reason: unknown) => void unheard.push(reason)

beforeAll(async () => {
  process.on('unhandledRejection', hear)
  lab = await startLab({ env: { SKEP_QUERY_TIMEOUT_MS: '1000', SKEP_RESULT_ROWS: '100000', SKEP_MEMORY: '512MB' } })
  before = await lab.warehouse.describe('events', { files: true })
})
afterAll(async () => {
  process.off('unhandledRejection', hear)
  await lab[Symbol.asyncDispose]()
})

/** What is wrong with an answer; undefined when nothing is. */
function wrong({ method, target }: FuzzCase, answer: Answer): string | undefined {
  const { status, text } = answer
  if (status === 0) return method === 'CONNECT' ? undefined : 'closed without an answer'
  if (status >= 500 && status !== 503) return text
  if (status === 503 && target.startsWith('/readyz')) return undefined
  if (/"code":"INTERNAL"/.test(text)) return text
  return method === 'HEAD' ? undefined : faultOf(answer)
}

const shown = ({ method, target, headers, body }: FuzzCase) =>
  `${method} ${target.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)} ${body?.subarray(0, 400).toString() ?? ''}`

async function requireAlive(): Promise<void> {
  const { status, text } = await lab.sql('SELECT count(*) AS n FROM events')
  expect(status, text).toBe(200)
  expect(JSON.parse(text)).toMatchObject({ rows: [{ n: CONTRIBUTIONS_ROWS }] })
  expect(unheard).toEqual([])
}

async function requireUnchanged(): Promise<void> {
  expect(await lab.warehouse.describe('events', { files: true })).toEqual(before)
}

/** Sends the cases of a range over some connections at the same time. */
async function sendAll(from: number, to: number, count: Map<number, number>): Promise<void> {
  let next = from
  const connection = async () => {
    const wire = new Wire(lab.port)
    while (next < to) {
      const k = next++
      const asked = anyCase(chanceOf(tortureSeed(), k), NAMES)
      const what = `seed ${tortureSeed()}, case ${k}: ${shown(asked)}`
      const answer = await wire.ask(asked, ANSWER_MS).catch((error: Error) => {
        throw new Error(`${what}\n${error.message}`)
      })
      const fault = wrong(asked, answer)
      if (fault !== undefined) throw new Error(`${what}\n${answer.status}: ${fault}`)
      count.set(answer.status, (count.get(answer.status) ?? 0) + 1)
    }
    wire.close()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
}

test(
  `${REQUESTS} requests: each is answered in its form, and none leaves a trace`,
  async () => {
    const count = new Map<number, number>()
    for (let from = 0; from < REQUESTS; from += BATCH) {
      await sendAll(from, Math.min(REQUESTS, from + BATCH), count)
      await requireAlive()
    }
    await requireUnchanged()
    // Every sort of end was met, or the cases say little.
    for (const status of [200, 400, 404, 405, 406, 413, 415])
      expect(count.get(status) ?? 0, `status ${status}`).toBeGreaterThan(0)
    const tables = (await lab.warehouse.tables()).map(({ name }) => name)
    expect(tables).toContain('events')
    expect(leftOver(lab.lab.root).filter((path) => path.includes('upload.'))).toEqual([])
  },
  tortureTimeout(120_000),
)

describe('content types', () => {
  test('there are enough of them', () => expect(new Set(CONTENT_TYPES).size).toBeGreaterThanOrEqual(50))

  test.each(NAMES.filter((name) => ENDPOINTS[name].method !== 'GET'))('on %s', async (name) => {
    const { method, path } = ENDPOINTS[name]
    const target = path.replaceAll(/:[A-Za-z]+/g, BAIT[0]!)
    const wire = new Wire(lab.port)
    for (const type of CONTENT_TYPES) {
      const asked = { method, target, headers: { 'content-type': type }, body: Buffer.from('{"x":') }
      const answer = await wire.ask(asked, ANSWER_MS)
      expect(wrong(asked, answer), `${type}: ${answer.text}`).toBe(undefined)
    }
    wire.close()
  })
})

test('a body that nobody read neither ends the server nor holds up the next request', async () => {
  await using other = await startLab({ env: { SKEP_BODY_MS: '300' } })
  const after = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'
  const head = (length: number) =>
    `POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: ${length}\r\n\r\n`
  for (const length of [2, 300_000]) {
    const raw = await other.raw(`${head(length)}${'x'.repeat(length)}${after}`, { quietMs: 600 })
    const statuses = cutAnswers(Buffer.from(raw, 'latin1')).answers.map(({ status }) => status)
    expect(statuses, `${length} bytes`).toEqual([415, 200])
  }
  const stalled = await other.socket()
  const closed = new Promise((resolve) => stalled.once('close', resolve))
  stalled.on('error', () => {}).resume()
  stalled.write(`${head(300_000)}x`)
  await closed
  expect(unheard).toEqual([])
})

/** Longest wait for answers to bytes that may be no whole request: then the sender ends its half. */
const WHOLE_MS = 2000

/** All that comes back for bytes: until there are so many answers, or no more came in a while and the sender has ended its half. */
async function everything(bytes: Buffer, { pieces = 1, answers = 1, waitMs = WHOLE_MS } = {}): Promise<Buffer> {
  const socket = await connected(lab.port)
  let got: Buffer = Buffer.alloc(0)
  socket.on('data', (piece) => {
    got = Buffer.concat([got, piece])
    if (cutAnswers(got).answers.length >= answers) setTimeout(() => socket.end(), 100)
  })
  // A reset after the answer is an end as well.
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const size = Math.max(1, Math.ceil(bytes.length / pieces))
  for (let at = 0; at < bytes.length; at += size) {
    if (socket.writable) socket.write(bytes.subarray(at, at + size))
    if (pieces > 1) await sleep(1)
  }
  const ending = setTimeout(() => socket.end(), waitMs)
  const hanging = setTimeout(() => socket.destroy(new Error('hangs')), ANSWER_MS)
  await closed
  clearTimeout(ending)
  clearTimeout(hanging)
  if (socket.errored?.message === 'hangs') throw new Error(`the connection hangs: ${bytes.subarray(0, 300)}`)
  return got
}

describe('bytes on a socket', () => {
  test.each([1, 7])('in the shape of requests, in %i pieces', async (pieces) => {
    const faults = Object.entries(SOCKET_SHAPES).map(async ([name, { bytes, statuses }]) => {
      const counts = statuses.map((text) => text.split(',').length)
      const got = await everything(Buffer.from(bytes, 'latin1'), { pieces, answers: Math.max(...counts) })
      const { answers, rest } = cutAnswers(got)
      const told = answers.map(({ status }) => status).join()
      const wrongs = answers.map((answer) => wrong({ method: 'GET', target: '/', headers: {} }, answer)).filter(Boolean)
      const isExpected = rest === '' && wrongs.length === 0 && statuses.includes(told)
      return isExpected ? [] : [{ name, told, expected: statuses, wrongs, rest, text: answers.map(({ text }) => text) }]
    })
    expect((await Promise.all(faults)).flat()).toEqual([])
    await requireAlive()
  })

  test(
    'at random',
    async () => {
      const most = runs(300, 3000)
      for (let from = 0; from < most; from += 30) {
        await Promise.all(
          Array.from({ length: 30 }, async (_, k) => {
            const chance = chanceOf(tortureSeed() + 1, from + k)
            const sound = Buffer.from(chance.pick(Object.values(SOCKET_SHAPES)).bytes, 'latin1').subarray(0, 4000)
            const at = chance.below(sound.length + 1)
            const bytes = chance.pick([
              () => chance.bytes(1 + chance.below(300)),
              () => Buffer.concat([sound.subarray(0, at), chance.bytes(1 + chance.below(4)), sound.subarray(at)]),
              () => sound.subarray(0, at),
              () => Buffer.concat([sound, sound.subarray(0, at)]),
            ])()
            const { answers } = cutAnswers(await everything(bytes, { waitMs: 100 }))
            for (const answer of answers) {
              // Answers to HEAD have no body, which cannot be told here.
              const fault = answer.text === '' ? undefined : wrong({ method: 'GET', target: '/', headers: {} }, answer)
              expect(fault, `seed ${tortureSeed() + 1}, case ${from + k}: ${bytes.toString('latin1')}`).toBe(undefined)
            }
          }),
        )
      }
      await requireAlive()
      await requireUnchanged()
    },
    tortureTimeout(60_000),
  )
})
