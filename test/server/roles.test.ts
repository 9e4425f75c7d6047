/** Who may do what: every route for every role, tokens in every form, and files of tokens that are none. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTRACT, type Contract } from '../../src/api/contract.ts'
import { ENDPOINTS, type Endpoint, type EndpointName, pathOf, type Role } from '../../src/api/endpoints.ts'
import { readSettings } from '../../src/config.ts'
import { Access } from '../../src/server/access.ts'
import { buildApp } from '../../src/server/app.ts'
import type { ServerContext } from '../../src/server/context.ts'
import { openLog, SILENT } from '../../src/server/log.ts'
import { codeOf, type ServerLab, startLab, TOKENS } from './lab.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const NAMES = Object.keys(ENDPOINTS) as EndpointName[]
const ROLES: readonly Role[] = ['reader', 'writer', 'admin']
const OWN = 'own-token-3c1'

/** Where the tokens of a server come from. */
const MODES = {
  'no tokens': {},
  'a tokens file': { tokens: true },
  SKEP_TOKEN: { token: OWN },
  both: { tokens: true, token: OWN },
} as const
type Mode = keyof typeof MODES

/** What callers send. */
const CALLERS: Record<string, string | undefined> = { nobody: undefined, 'a stranger': 'wrong', owner: OWN, ...TOKENS }

/** The role of a caller, undefined for one who is not known. */
function roleOf(mode: Mode, caller: string): Role | undefined {
  const { tokens = false, token } = MODES[mode] as { tokens?: boolean; token?: string }
  if (!tokens && token === undefined) return 'admin'
  if (caller === 'owner') return token === undefined ? undefined : 'admin'
  return tokens ? ROLES.find((role) => role === caller) : undefined
}

function refusalOf(endpoint: Endpoint, role: Role | undefined): 401 | 403 | undefined {
  if (endpoint.role === 'open') return undefined
  if (role === undefined) return 401
  return ROLES.indexOf(role) < ROLES.indexOf(endpoint.role) ? 403 : undefined
}

/** A call that a handler refuses by itself, so that walking the table changes nothing. */
function harmless(name: EndpointName): { path: string; body?: string } {
  const contract: Contract = CONTRACT[name]
  const path = pathOf(name, { table: 'nothing', column: 'nothing', id: 'nothing', name: 'nothing', verb: 'nothing' })
  if (contract.body === undefined && !['POST', 'PUT', 'PATCH'].includes(ENDPOINTS[name].method)) return { path }
  return { path, body: '{"no such key":1}' }
}

test('the table gives readers all that reads, and nothing that writes', () => {
  const reading = ['sql', 'query', 'run', 'datasetQuery']
  for (const name of NAMES) {
    const { method, role }: Endpoint = ENDPOINTS[name]
    const isReading = method === 'GET' || reading.includes(name)
    expect(isReading ? ['reader', 'open'] : ['writer', 'admin'], name).toContain(role)
  }
  expect(NAMES.filter((name) => ENDPOINTS[name].role === 'open')).toEqual(['healthz'])
})

describe.each(Object.keys(MODES) as Mode[])('with %s', (mode) => {
  let lab: ServerLab
  beforeAll(async () => {
    lab = await startLab(MODES[mode])
  })
  afterAll(() => lab[Symbol.asyncDispose]())

  test.each(Object.entries(CALLERS))('%s is let in where the table says so', async (caller, token) => {
    for (const name of NAMES) {
      const endpoint: Endpoint = ENDPOINTS[name]
      const { path, ...rest } = harmless(name)
      const expected = refusalOf(endpoint, roleOf(mode, caller))
      const ask = { ...rest, ...(token !== undefined && { token }) }
      const answer = await lab.call(endpoint.method, path, ask)
      const what = `${name} ${endpoint.method} ${path}: ${answer.text}`
      if (expected === undefined) expect([401, 403], what).not.toContain(answer.status)
      else {
        expect(answer.status, what).toBe(expected)
        expect(codeOf(answer), what).toBe(expected === 401 ? 'TOKEN_INVALID' : 'ROLE_FORBIDDEN')
        if (expected === 401) expect(answer.headers.get('www-authenticate')).toBe('Bearer')
      }
      if (endpoint.method === 'GET') {
        const { status } = await lab.call('HEAD', path, ask)
        expect(status, `HEAD ${path}`).toBe(answer.status)
      }
      const options = await lab.call('OPTIONS', path, ask.token === undefined ? {} : { token: ask.token })
      expect(options.status, `OPTIONS ${path}`).toBe(405)
      expect(options.headers.get('allow')).toContain(endpoint.method)
    }
    expect((await lab.warehouse.tables()).map(({ name }) => name)).toEqual(['events'])
  })
})

describe('a token', () => {
  let lab: ServerLab
  const logged: string[] = []
  beforeAll(async () => {
    const log = openLog('debug', { write: (line) => logged.push(line) })
    lab = await startLab({ tokens: true, token: OWN, log })
  })
  afterAll(() => lab[Symbol.asyncDispose]())

  const status = async (authorization: string, path = '/api/v1/tables') =>
    (await lab.call('GET', path, { headers: { authorization } })).status

  test('counts as a bearer only', async () => {
    expect(await status(`Bearer ${TOKENS.reader}`)).toBe(200)
    expect(await status(`bearer   ${TOKENS.reader}`)).toBe(200)
    const others = [
      TOKENS.reader,
      `Basic ${Buffer.from(`reader:${TOKENS.reader}`).toString('base64')}`,
      `Token ${TOKENS.reader}`,
      `Bearer${TOKENS.reader}`,
      `Bearer`,
      `Bearer  `,
      `Bearer ${TOKENS.reader}x`,
      `Bearer ${TOKENS.reader.slice(0, -1)}`,
      `Bearer ${TOKENS.reader.toUpperCase()}`,
      `Bearer ${TOKENS.reader}, Bearer ${TOKENS.admin}`,
      `Bearer "${TOKENS.reader}"`,
      `Bearer undefined`,
      `Bearer null`,
      `Bearer [object Object]`,
    ]
    for (const other of others) expect(await status(other), other).toBe(401)
  })

  test('does not count in the URL, in a cookie or in the body', async () => {
    const { reader } = TOKENS
    // Another token than those that are looked for in the log, which has the URLs.
    for (const key of ['token', 'access_token', 'authorization']) {
      expect((await lab.call('GET', `/api/v1/tables?${key}=${OWN}`)).status, key).toBe(401)
    }
    expect((await lab.call('GET', '/api/v1/tables', { headers: { cookie: `token=${reader}` } })).status).toBe(401)
    expect(
      (await lab.call('POST', '/api/v1/sql', { body: JSON.stringify({ sql: 'SELECT 1', token: reader }) })).status,
    ).toBe(401)
  })

  test('that is sent twice does not raise a role', async () => {
    const head = (first: string, second: string) =>
      `POST /api/v1/vacuum HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${first}\r\nAuthorization: Bearer ${second}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`
    expect(await lab.raw(head(TOKENS.reader, TOKENS.admin))).toMatch(/^HTTP\/1.1 40[013] /)
    expect(await lab.raw(head('wrong', TOKENS.admin))).toMatch(/^HTTP\/1.1 40[01] /)
  })

  test('is needed before anything else is looked at', async () => {
    const body = Buffer.alloc(1 << 20, 'x')
    const answers = [
      await lab.call('POST', '/api/v1/sql', { body: '{' }),
      await lab.call('POST', '/api/v1/sql', { body, headers: { 'content-type': 'image/png' } }),
      await lab.call('POST', '/api/v1/sql?stream=maybe', { body: '{}' }),
      await lab.call('POST', '/api/v1/tables/x/import', { body, headers: { 'content-type': 'text/csv' } }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401])
  })

  test('is in no log and in no answer', async () => {
    const { text } = await lab.call('GET', '/api/v1/session', { token: TOKENS.writer })
    expect(JSON.parse(text)).toMatchObject({ who: 'writer', role: 'writer' })
    const answers = [text, (await lab.call('GET', '/api/v1/tables', { token: 'guessed-token' })).text]
    expect(logged.length).toBeGreaterThan(0)
    for (const secret of [...Object.values(TOKENS), 'guessed-token']) {
      expect(logged.join('').includes(secret), secret).toBe(false)
      expect(answers.join('').includes(secret), secret).toBe(false)
    }
  })
})

describe('a route', () => {
  test('without a role makes the server fail', async () => {
    const access = new Access({ host: '127.0.0.1', token: undefined, tokensFile: '', hosts: '', cors: '' })
    const context = { access, settings: readSettings({}), log: SILENT, version: '0.0.0' } as ServerContext
    const build = async (config: { role?: Endpoint['role'] } | undefined) => {
      const app = await buildApp(context)
      app.get('/naked', { ...(config && { config }) }, async () => 'served')
      await app.ready()
      return app
    }
    await expect(build(undefined)).rejects.toThrow('GET /naked has no role')
    await expect(build({})).rejects.toThrow('GET /naked has no role')
    await using app = await build({ role: 'admin' })
    expect(app.hasRoute({ method: 'GET', url: '/naked' })).toBe(true)
  })
})

describe('a tokens file', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'skep-tokens-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const refusal = (tokensFile: string, token?: string): string => {
    try {
      new Access({ host: '127.0.0.1', token, tokensFile, hosts: '', cors: '' })
    } catch (error) {
      return (error as Error).message
    }
    return 'accepted'
  }
  const written = (content: string | Uint8Array) => {
    const path = join(folder, 'tokens.json')
    writeFileSync(path, content)
    return path
  }
  const one = (entry: unknown) => JSON.stringify([entry])
  const sound = { name: 'a', token: 'secret-1', role: 'reader' }

  test.each<[string, string | Uint8Array, string]>([
    ['nothing', '', 'not JSON'],
    ['no JSON', '[{secret-1', 'not JSON'],
    ['two documents', '[] []', 'not JSON'],
    ['UTF-16', Buffer.from('[]', 'utf16le'), 'not JSON'],
    ['null', 'null', 'expected a JSON list'],
    ['an object', JSON.stringify({ admin: 'secret-1' }), 'expected a JSON list'],
    ['a text', '"secret-1"', 'expected a JSON list'],
    ['an empty list', '[]', 'names nobody'],
    ['a list of texts', '["secret-1"]', 'entry 0 has no name'],
    ['a list of null', '[null]', 'entry 0 has no name'],
    ['no name', one({ token: 'secret-1', role: 'reader' }), 'entry 0 has no name'],
    ['an empty name', one({ ...sound, name: '' }), 'entry 0 has no name'],
    ['no token', one({ name: 'a', role: 'reader' }), 'entry 0 has no token'],
    ['an empty token', one({ ...sound, token: '' }), 'entry 0 has no token'],
    ['a blank token', one({ ...sound, token: ' \n' }), 'entry 0 has no token'],
    ['a number as a token', one({ ...sound, token: 1 }), 'entry 0 has no token'],
    ['no role', one({ name: 'a', token: 'secret-1' }), 'entry 0 has no role'],
    ['another role', one({ ...sound, role: 'owner' }), 'entry 0 has no role'],
    ['a role in capitals', one({ ...sound, role: 'Admin' }), 'entry 0 has no role'],
    ['the open role', one({ ...sound, role: 'open' }), 'entry 0 has no role'],
    ['a list of roles', one({ ...sound, role: ['reader'] }), 'entry 0 has no role'],
    ['one that is unsound behind a sound one', JSON.stringify([sound, {}]), 'entry 1 has no name'],
    ['a token twice', JSON.stringify([sound, { ...sound, name: 'b', role: 'admin' }]), 'the same token'],
    ['a token twice but for blanks', JSON.stringify([sound, { ...sound, token: ' secret-1 ' }]), 'the same token'],
  ])('with %s is refused, and tells nothing of what is in it', (_, content, reason) => {
    const message = refusal(written(content))
    expect(message).toContain(reason)
    expect(message).not.toContain('secret-1')
  })

  test('that is not there, or is a folder, is refused', () => {
    expect(refusal(join(folder, 'missing.json'))).toContain('cannot be read')
    mkdirSync(join(folder, 'folder'), { recursive: true })
    expect(refusal(join(folder, 'folder'))).toContain('cannot be read')
  })

  test('may not have the token of SKEP_TOKEN, whose role would win', () => {
    expect(refusal(written(one(sound)), 'secret-1')).toContain('the same token')
    expect(refusal(written(one(sound)), 'secret-2')).toBe('accepted')
  })
})

describe('skep serve', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'skep-serve-'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const serve = (argv: string[], env: Record<string, string>) =>
    spawn(process.execPath, [MAIN, 'serve', '--json', '--port', '0', ...argv], {
      cwd: folder,
      env: { ...process.env, NO_COLOR: '1', ...env },
    })

  test.each([
    ['0.0.0.0', {}],
    ['::', {}],
    ['0.0.0.0', { SKEP_TOKEN: '  ' }],
    ['127.0.0.1', { SKEP_TOKENS_FILE: '/nowhere/tokens.json' }],
  ])('refuses --host %s with %o', async (host, env) => {
    const child = serve(['--host', host], env)
    const [out, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
    expect(code).toBe(2)
    expect(codeOf({ text: out })).toBe('ARGUMENT_INVALID')
  })

  test('starts for other machines with a token, and ends when it is told to', async () => {
    const child = serve(['--host', '0.0.0.0'], { SKEP_TOKEN: OWN })
    const ended = once(child, 'close')
    const [first] = await once(child.stdout, 'data')
    const { url } = JSON.parse(String(first)) as { url: string }
    const path = `http://127.0.0.1:${new URL(url).port}/api/v1/session`
    expect((await fetch(path)).status).toBe(401)
    const answer = await fetch(path, { headers: { authorization: `Bearer ${OWN}` } })
    expect(await answer.json()).toMatchObject({ role: 'admin' })
    child.kill('SIGINT')
    expect((await ended)[0]).toBe(0)
  })
})
