/** A real server over tables of events, asked as clients of Funnel Rocket ask. */
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { Server } from '../../src/server/server.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { type Lab, openLab } from './import-lab.ts'

/** Any JSON: what is in it is what the tests are about. */
export type Json = ReturnType<typeof JSON.parse>

/** An answer of a server. */
export interface Answer {
  status: number
  type: string
  text: string
  /** The lines of a stream. */
  lines: Json[]
  json: Json
}

interface AskOptions {
  on?: Server
  token?: string
}

/** What the tests of a file share. */
export interface Datasets {
  readonly lab: Lab
  readonly server: Server
  /** Three files of {@link EVENTS}; each group is in one of them. */
  readonly folder: string
  /** Another server over the same warehouse, until the end of the test. */
  serve(env: Record<string, string>): Promise<Server>
  ask(method: string, path: string, body?: unknown, options?: AskOptions): Promise<Answer>
  /** Registers the folder. */
  register(name: string, more?: Json, on?: Server): Promise<Answer>
}

/** 900 rows of 90 groups, in the file of the number PART. */
export const EVENTS = `SELECT 'user' || (i % 90 * 3 + PART) AS user_id, (1000 + i * 7)::BIGINT AS ts, ['view', 'cart', 'buy'][1 + i * i % 3] AS event,
  CASE WHEN i % 5 = 0 THEN NULL ELSE (i % 40) / 4 END::DOUBLE AS price, i % 2 = 0 AS vip, ['a', 'b', NULL][1 + i % 3] AS page, 'text' || i || 'PART' AS note,
  (i % 100)::INTEGER AS n, DATE '2026-01-01' + (i % 30)::INTEGER AS day, [i] AS tags FROM range(900) t(i)`

/** The keys of that table. */
export const KEYS = { groupIdColumn: 'user_id', timestampColumn: 'ts' }

/** As JSON; undefined for text that is none. */
export function parse(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The document of an answer that has to be a failure of this code. */
export function failure(answer: Answer, status: number, code: string): Json {
  expect({ status: answer.status, code: answer.json?.error?.code }).toEqual({ status, code })
  const { message } = answer.json.error
  const error = { code, details: expect.any(Object) }
  expect(answer.json).toMatchObject({ success: false, errorMessage: message, error })
  expect(answer.type).toContain('application/json')
  return answer.json
}

/** Opens all that the tests of a file share, and closes it after them. */
export function useDatasets(): Datasets {
  let lab: Lab
  let server: Server
  const opened: { server: Server; warehouse: Warehouse }[] = []
  beforeAll(async () => {
    lab = await openLab({ SKEP_UNREGISTER_IDLE_MS: '60000' })
    await writeEvents(lab)
    server = await Server.start(lab.warehouse, { port: 0, version: 'test' })
  })
  afterEach(async () => {
    for (const one of opened.splice(0)) {
      await one.server.close()
      await one.warehouse.close()
    }
  })
  afterAll(async () => {
    await server.close()
    await lab.close()
  })
  const ask: Datasets['ask'] = async (method, path, body, { on = server, token } = {}) =>
    await fetchAnswer(on.url + path, method, body, token)
  return {
    get lab() {
      return lab
    },
    get server() {
      return server
    },
    get folder() {
      return join(lab.dir, 'events')
    },
    serve: async (env) => {
      const warehouse = await lab.open(env)
      const one = { server: await Server.start(warehouse, { port: 0, version: 'test' }), warehouse }
      opened.push(one)
      return one.server
    },
    ask,
    register: async (name, more = {}, on = server) =>
      await ask('POST', '/datasets/register', { name, basepath: join(lab.dir, 'events'), ...KEYS, ...more }, { on }),
  }
}

/** Files that say of one column that pandas stored it as categories. */
async function writeEvents(lab: Lab): Promise<void> {
  const types = { page: 'categorical', event: 'unicode' }
  const columns = Object.entries(types).map(([name, type]) => ({ name, pandas_type: type }))
  const options = `FORMAT parquet, KV_METADATA {pandas: '${JSON.stringify({ columns })}'}`
  for (const part of ['0', '1', '2']) {
    await lab.write(EVENTS.replaceAll('PART', part), `events/part-${part}.parquet`, options)
  }
}

async function fetchAnswer(url: string, method: string, body: unknown, token: string | undefined): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  const lines = text.split('\n').flatMap((line) => parse(line) ?? [])
  return { status: response.status, type: response.headers.get('content-type') ?? '', text, lines, json: parse(text) }
}
