/** A reader of the server reaches nothing outside of the warehouse: by SQL, by documents, by paths. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/errors.ts'
import { ERROR_CODES } from '../../src/errors.ts'
import { Server } from '../../src/server/server.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { ESCAPES } from '../fence/escapes.ts'
import { hasCanary, openPlayground, type Playground } from '../fence/playground.ts'
import { codeOf, faultOf, TOKENS } from './lab.ts'

let ground: Playground
let warehouse: Warehouse
let server: Server

beforeAll(async () => {
  ground = await openPlayground()
  const tokens = join(ground.dir, 'tokens.json')
  writeFileSync(tokens, JSON.stringify(Object.entries(TOKENS).map(([role, token]) => ({ name: role, role, token }))))
  warehouse = await ground.open({ SKEP_TOKENS_FILE: tokens })
  server = await Server.start(warehouse, { port: 0, version: '0.0.0' })
})

afterAll(async () => {
  await server.close()
  await warehouse.close()
  await ground.close()
})

/** All there is, but for what the server writes of its queries. */
function tree(): [string, string][] {
  return [...ground.tree()].filter(([path]) => !/\/\.tmp\/\d+-[^/]*$|\/warehouse\/queries(\/|$)/.test(path))
}

async function ask(path: string, body: unknown, headers: Record<string, string> = {}, token = TOKENS.reader) {
  const response = await fetch(`${server.url}/api/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}
type Answer = Awaited<ReturnType<typeof ask>>

/** Why an answer is more than a refusal of the user's or of a limit; undefined when it is one. */
function escapeOf(answer: Answer): string | undefined {
  if (hasCanary(answer.text)) return `the canary: ${answer.text}`
  const last = answer.text.trimEnd().split('\n').at(-1) ?? ''
  const event = /^data: (.*)$/.exec(last)?.[1]
  const code = codeOf({ text: answer.status > 200 ? answer.text : event === undefined ? last : `{"error":${event}}` })
  if (code === undefined) return `${answer.status} ${answer.text.slice(0, 300)}`
  const { kind } = ERROR_CODES[code as ErrorCode]
  return kind === 'user' || kind === 'limit' ? faultOf(answer) : `${code}: ${answer.text}`
}

const step = (sql: string) => ({ name: 's', step_type: 'HBee', sql })
const document = (sql: string) => ({ steps: [step(sql)], capacity: { zones: 1 } })

/** Every way in which a reader's SQL enters. */
const ENTRANCES: Readonly<Record<string, (sql: string) => Promise<Answer>>> = {
  sql: async (sql) => await ask('/sql', { sql }),
  'sql with progress': async (sql) => await ask('/sql?stream=true', { sql }),
  'sql with rows as they come': async (sql) => await ask('/sql?stream=rows', { sql }),
  'sql as events': async (sql) => await ask('/sql', { sql }, { accept: 'text/event-stream' }),
  'sql as NDJSON': async (sql) => await ask('/sql', { sql }, { accept: 'application/x-ndjson' }),
  'sql as CSV': async (sql) => await ask('/sql', { sql }, { accept: 'text/csv' }),
  'sql as Parquet': async (sql) => await ask('/sql', { sql }, { accept: 'application/vnd.apache.parquet' }),
  'an explanation': async (sql) => await ask('/sql', { sql, explain: true }),
  'a step of a document': async (sql) => await ask('/run', document(sql)),
  'the explanation of a document': async (sql) => await ask('/run?explain=true', document(sql)),
}

/** Every `step`th attempt, beginning with the `first`. */
const attempts = (step = 1, first = 0): string[] =>
  ESCAPES.flatMap((group) => group.attempts)
    .filter((_, k) => k % step === first % step)
    .map(ground.fill)

describe.each(Object.entries(ENTRANCES))('through %s', (name, entrance) => {
  test('no attempt gets out', async () => {
    const before = tree()
    // They share what decides; the first and the ninth take every attempt, the others every third.
    const at = Object.keys(ENTRANCES).indexOf(name)
    for (const sql of attempts(at % 8 === 0 ? 1 : 3, at)) {
      expect(escapeOf(await entrance(sql)), sql).toBe(undefined)
    }
    expect(tree()).toEqual(before)
    expect(ground.connections()).toBe(0)
  })
})

test('conditions on partitions get out no more than SQL does', async () => {
  for (const sql of attempts(8)) {
    const filtered = { steps: [{ ...step('SELECT * FROM t'), partition_filter: sql }], capacity: { zones: 1 } }
    expect(escapeOf(await ask('/run', filtered)), sql).toBe(undefined)
    const nested = { ...filtered, steps: [{ ...step('SELECT * FROM t'), partition_filter: `id IN (${sql})` }] }
    expect(escapeOf(await ask('/run', nested)), sql).toBe(undefined)
  }
  expect(ground.connections()).toBe(0)
})

describe('catalogs of documents', () => {
  const run = async (uri: unknown, type: string, token = TOKENS.reader) =>
    await ask('/run', { ...document('SELECT * FROM c'), catalogs: [{ name: 'c', type, uri }] }, {}, token)
  const encoded = (path: string) => [...Buffer.from(path)].map((byte) => `%${byte.toString(16)}`).join('')

  /** Spellings of a folder outside of the warehouse. */
  const spellings = (): string[] => {
    const { OUT, ROOT, LINKDIR, UP, FOLDER } = ground.places as Record<string, string>
    return [
      OUT!,
      `${OUT}/`,
      `${OUT}//`,
      `${OUT}/.`,
      `//${OUT}`,
      FOLDER!,
      UP!,
      LINKDIR!,
      `${LINKDIR}/`,
      `${LINKDIR}/.`,
      `${ROOT}/./../outside`,
      `${ROOT}/tables/../../outside`,
      `${ROOT}/missing/../../outside`,
      `${ROOT}x/../outside`,
      relative(process.cwd(), OUT!),
      `file://${OUT}`,
      `FILE://${OUT}`,
      `File:${OUT}`,
      `file:${OUT}`,
      `file:/${OUT}`,
      `file:///${OUT}`,
      `file://localhost${OUT}`,
      `file://${OUT}?x`,
      `file://${OUT}#x`,
      `file://${ROOT}/../outside`,
      `file://${ROOT}/%2e%2e/outside`,
      `file://${ROOT}/%2E%2E/outside`,
      `file://${ROOT}/.%2e/outside`,
      `file://${ROOT}\\..\\outside`,
      `file://${ROOT}/tables/%2e%2e/%2e%2e/outside`,
      `file://${ROOT}/link%65d`,
      `file://${ROOT}/%6cinked`,
      `file://${ROOT}/lin\tked`,
      `file://${ROOT}/.\n./outside`,
      ` file://${OUT}`,
      `file://${encoded(OUT!).replaceAll('%2f', '/')}`,
      `file://${ROOT}/..%2foutside`,
      `file://evil.com${OUT}`,
      `${OUT}\0`,
      `${ROOT}\0/../outside`,
      'http://127.0.0.1:{PORT}/x',
      's3://bucket/x',
      '/',
      '/proc/self',
      '.',
      '..',
      '~',
      '',
    ].map(ground.fill)
  }

  test.each(['Static', 'DeltaLake', 'Iceberg'])('of type %s are read inside of the warehouse only', async (type) => {
    for (const uri of spellings()) {
      const answer = await run(uri, type)
      expect(escapeOf(answer), JSON.stringify(uri)).toBe(undefined)
      expect(
        ['PATH_FORBIDDEN', 'ARGUMENT_INVALID', 'DOCUMENT_INVALID'],
        `${JSON.stringify(uri)}: ${answer.text}`,
      ).toContain(codeOf(answer))
    }
    expect(ground.connections()).toBe(0)
  })

  test('say the same of files that are there and of files that are not', async () => {
    const { OUT } = ground.places as { OUT: string }
    const [there, missing] = [await run(OUT, 'Static'), await run(`${OUT}-missing`, 'Static')]
    expect(missing.text.replaceAll('-missing', '')).toBe(there.text)
  })

  test('of the warehouse itself lead to none of the links in it', async () => {
    const { ROOT } = ground.places as { ROOT: string }
    for (const uri of [ROOT, `file://${ROOT}`, `${ROOT}/tables`, `file://${ROOT}/t%61bles`]) {
      const answer = await run(uri, 'Static')
      expect(hasCanary(answer.text), answer.text).toBe(false)
      expect(faultOf(answer)).toBe(undefined)
    }
  })

  test.each([[null], [1], [true], [{}], [[]], [[null]], [{ toString: 'x' }]])(
    'with the uri %j are no defect',
    async (uri) => {
      expect(codeOf(await run(uri, 'Static'))).toBe('DOCUMENT_INVALID')
      expect(codeOf(await run(uri, 'Static', TOKENS.admin))).toBe('DOCUMENT_INVALID')
    },
  )

  test.each([[null], [1], ['x'], [{}], [[null]], [[1]], [['x']], [[[]]]])('%j are no defect', async (catalogs) => {
    for (const token of Object.values(TOKENS)) {
      const answer = await ask('/run', { ...document('SELECT 1'), catalogs }, {}, token)
      expect([undefined, 'DOCUMENT_INVALID'], answer.text).toContain(codeOf(answer))
    }
  })

  test('outside are read for those who may name any folder', async () => {
    const answer = await run(ground.places.OUT, 'Static', TOKENS.writer)
    expect(answer.status, answer.text).toBe(200)
    expect(hasCanary(answer.text)).toBe(true)
  })
})

test('behavioural queries take texts for texts', async () => {
  for (const sql of attempts(5)) {
    for (const filter of [['who', '==', sql], [sql, '==', 1], ['who', sql, 1], { [sql]: 1 }]) {
      const answer = await ask('/tables/f/query', { query: { conditions: [{ filter }] } })
      expect(hasCanary(answer.text), sql).toBe(false)
      expect(faultOf(answer), sql).toBe(undefined)
    }
    const named = await ask(`/tables/${encodeURIComponent(sql).slice(0, 300)}/query`, { query: { conditions: [] } })
    expect(named.status, sql).toBeGreaterThanOrEqual(400)
    expect(faultOf(named), sql).toBe(undefined)
  }
})

test('a reader makes no table', async () => {
  const { OUT } = ground.places
  const before = tree()
  const answers = [
    await ask('/tables/x', { path: OUT, actor: 'a', time: 'b' }),
    await ask('/tables/x/attach', { uri: OUT, type: 'delta' }),
    await ask('/tables/x/import?format=csv', {}, { 'content-type': 'text/csv' }),
  ]
  expect(answers.map(codeOf)).toEqual(['ROLE_FORBIDDEN', 'ROLE_FORBIDDEN', 'ROLE_FORBIDDEN'])
  expect(tree()).toEqual(before)
})

test('where folders are listed, they bound every role', async () => {
  const { OUT, FOLDER, ROOT } = ground.places as { OUT: string; FOLDER: string; ROOT: string }
  const listed = join(ground.dir, 'listed')
  mkdirSync(join(listed, 'in'), { recursive: true })
  symlinkSync(OUT, join(listed, 'out'))
  await ground.write(`SELECT i AS who, i AS at FROM range(3) r(i)`, 'listed/in/a.parquet')
  await using narrow = await ground.open({ SKEP_ROOTS: `${listed}, ${FOLDER}` })
  await using other = await Server.start(narrow, { port: 0, version: '0.0.0' })
  const post = async (path: string, body: unknown) => {
    const response = await fetch(`${other.url}/api/v1${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: response.status, text: await response.text() }
  }
  const outside = [
    OUT,
    ROOT,
    `${listed}/out`,
    `${listed}x`,
    `${listed}/../outside`,
    `file://${listed}/in`,
    `${listed}/%2e%2e/outside`,
  ]
  for (const path of outside) {
    const { text } = await post('/tables/x', { path, actor: 'secret', time: 'secret' })
    expect(['PATH_FORBIDDEN', 'ARGUMENT_INVALID', 'FILE_NOT_FOUND'], `${path}: ${text}`).toContain(codeOf({ text }))
    expect(hasCanary(text)).toBe(false)
  }
  for (const uri of [OUT, ROOT, `${listed}/out`, `file://${listed}/o%75t`, `file://${listed}/%2e%2e/outside`]) {
    expect(codeOf(await post('/tables/x/attach', { uri, type: 'delta' })), uri).toBe('PATH_FORBIDDEN')
    const catalogs = [{ name: 'c', type: 'Static', uri }]
    expect(codeOf(await post('/run', { ...document('SELECT * FROM c'), catalogs })), uri).toBe('PATH_FORBIDDEN')
  }
  const inside = {
    ...document('SELECT count(*) AS n FROM c'),
    catalogs: [{ name: 'c', type: 'Static', uri: `file://${listed}/%69n` }],
  }
  expect(JSON.parse((await post('/run', inside)).text)).toMatchObject({ rows: [{ n: 3 }] })
  expect((await post('/tables/x', { path: `${listed}/in`, actor: 'who', time: 'at', timeUnit: 's' })).status).toBe(201)
})
