/** Whom the server answers: the names that it is called by, and the pages that ask. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Access } from '../../src/server/access.ts'
import { type ServerLab, startLab } from './lab.ts'

const PATH = '/api/v1/tables'

/** The status line and the rest of what a socket gave. */
const statusOf = (raw: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(raw)?.[1] ?? 0)

describe('a server of this machine', () => {
  let lab: ServerLab
  beforeAll(async () => {
    lab = await startLab({
      env: { SKEP_HOSTS: 'skep.example.com, other.example.com:8443', SKEP_CORS: 'https://app.example.com/' },
    })
  })
  afterAll(() => lab[Symbol.asyncDispose]())

  /** The answer to a GET with these lines in its head. */
  const ask = async (lines: string[], target = PATH, version = '1.1') =>
    await lab.raw(
      `GET ${target} HTTP/${version}\r\n${lines.map((line) => `${line}\r\n`).join('')}Connection: close\r\n\r\n`,
    )

  const KNOWN = [
    'localhost',
    'LOCALHOST',
    'LocalHost:1',
    'localhost:',
    '127.0.0.1',
    '127.0.0.1:4213',
    '127.255.255.254',
    '[::1]',
    '[::1]:4213',
    'skep.example.com',
    'SKEP.Example.Com:80',
    'other.example.com',
    'other.example.com:8443',
  ]
  test.each(KNOWN)('answers to Host: %s', async (host) => {
    const answer = await ask([`Host: ${host}`])
    expect(statusOf(answer), answer).toBe(200)
  })

  const UNKNOWN = [
    '',
    'evil.com',
    'evil.com:4213',
    'localhost.',
    'localhost.evil.com',
    'evil.localhost',
    'xlocalhost',
    '127.0.0.1.',
    '127.0.0.1.evil.com',
    '127.0.0.1.nip.io',
    'evil.com#127.0.0.1',
    'evil.com?127.0.0.1',
    'evil.com/127.0.0.1',
    'evil.com\\127.0.0.1',
    'evil.com@127.0.0.1',
    '127.0.0.1@evil.com',
    'localhost@evil.com',
    'localhost:80@evil.com',
    'localhost:x',
    'localhost:80:80',
    'localhost, evil.com',
    'evil.com, localhost',
    'localhost evil.com',
    '[::1]evil.com',
    '[::1].evil.com',
    '[evil.com]',
    '[localhost',
    '::1',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:0:0:1]',
    '0',
    '0.0.0.0',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '128.0.0.1',
    '10.0.0.1',
    '192.168.0.1',
    'example.com',
    'xskep.example.com',
    'skep.example.com.evil.com',
    'skep.example.com.',
    '%6cocalhost',
    'localhost%00',
    'localhost%00.evil.com',
    'ʟocalhost',
    'localhost\u00a0',
    '.localhost',
    '..',
    '*',
    'null',
    'undefined',
  ]
  test.each(UNKNOWN)('refuses Host: %s', async (host) => {
    const answer = await ask([`Host: ${host}`])
    expect([400, 403], answer).toContain(statusOf(answer))
    expect(answer).not.toContain('117258')
  })

  test('refuses a request without a host, or with several', async () => {
    for (const lines of [
      [],
      ['Host: localhost', 'Host: evil.com'],
      ['Host: evil.com', 'Host: localhost'],
      ['X-Forwarded-Host: localhost', 'Host: evil.com'],
    ]) {
      const answer = await ask(lines)
      expect([400, 403], `${lines.join()}: ${answer}`).toContain(statusOf(answer))
    }
    expect(statusOf(await ask([], PATH, '1.0'))).toBe(403)
    expect(statusOf(await ask(['Host: localhost'], PATH, '1.0'))).toBe(200)
  })

  test('takes the name of an absolute target for that of the request', async () => {
    for (const target of [
      `http://evil.com${PATH}`,
      `HTTP://evil.com:4213${PATH}`,
      `https://evil.com${PATH}`,
      `http://localhost@evil.com${PATH}`,
      `//evil.com${PATH}`,
    ]) {
      const answer = await ask(['Host: localhost'], target)
      expect([400, 403, 404], `${target}: ${answer}`).toContain(statusOf(answer))
      expect(answer).not.toContain('117258')
    }
    expect(statusOf(await ask(['Host: evil.com'], `http://localhost${PATH}`))).toBe(403)
    expect(statusOf(await ask([`Host: localhost:${lab.port}`], `http://localhost:${lab.port}${PATH}`))).toBe(200)
  })

  const origin = async (value: string, host = `127.0.0.1:${lab.port}`) =>
    statusOf(await ask([`Host: ${host}`, `Origin: ${value}`]))

  test('answers pages of its own, and of origins that were named', async () => {
    expect(await origin(`http://127.0.0.1:${lab.port}`)).toBe(200)
    expect(await origin(`http://localhost:${lab.port}`, `localhost:${lab.port}`)).toBe(200)
    expect(await origin(`http://[::1]:${lab.port}`, `[::1]:${lab.port}`)).toBe(200)
    expect(await origin('https://skep.example.com', 'skep.example.com')).toBe(200)
    expect(await origin('https://app.example.com')).toBe(200)
    expect(await origin('HTTPS://APP.example.com')).toBe(200)
  })

  const FOREIGN = [
    'null',
    '',
    'http://evil.com',
    'http://localhost:1',
    'http://127.0.0.1',
    'http://127.0.0.1:42130',
    'file://',
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://app.example.com.evil.com',
    'https://xapp.example.com',
    'https://app.example.com/',
    'https://app.example.com, http://evil.com',
    'https://app.example.com http://evil.com',
    'https://app.example.com#',
    'chrome-extension://abc',
    '*',
    'http://',
    'localhost',
    '127.0.0.1',
  ]
  test.each(FOREIGN)('refuses Origin: %s', async (value) => {
    expect(await origin(value)).toBe(403)
  })

  test('refuses an origin of the name it was called by that has another port', async () => {
    expect(await origin(`http://127.0.0.1:${lab.port + 1}`)).toBe(403)
    expect(await origin(`http://localhost:${lab.port}`)).toBe(403)
  })

  test('refuses pages before anything is done, whatever the method', async () => {
    const body = '{"sql":"SELECT 1"}'
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE', 'PROPFIND']) {
      const head = `${method} /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.com\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`
      const answer = await lab.raw(head + body)
      expect(statusOf(answer), answer).toBe(403)
      expect(answer.toLowerCase()).not.toContain('access-control-')
    }
    expect(JSON.parse((await lab.call('GET', '/api/v1/queries')).text)).toEqual([])
  })

  test('lets no form of a foreign page through, which browsers send without asking', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const { status } = await lab.call('POST', '/api/v1/sql', {
        body: '{"sql":"SELECT 1"}',
        headers: { 'content-type': type },
      })
      expect(status, type).toBe(415)
    }
  })

  describe('asked by a browser on behalf of a page', () => {
    const preflight = async (from: string) =>
      await ask([`Host: localhost`, `Origin: ${from}`, 'Access-Control-Request-Method: POST'], PATH).then(
        async () =>
          await lab.raw(
            `OPTIONS /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nOrigin: ${from}\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n`,
          ),
      )
    test('names what one that was named may send', async () => {
      const answer = await preflight('https://app.example.com')
      expect(statusOf(answer)).toBe(204)
      expect(answer).toMatch(/access-control-allow-origin: https:\/\/app\.example\.com\r\n/i)
      expect(answer).toMatch(/access-control-allow-headers: authorization, content-type/i)
      expect(answer).not.toMatch(/access-control-allow-credentials/i)
      expect(answer).toMatch(/vary: origin/i)
    })
    test('tells others nothing', async () => {
      const answer = await preflight('https://evil.com')
      expect(statusOf(answer)).toBe(403)
      expect(answer).not.toMatch(/access-control/i)
    })
  })

  test('allows no page to be framed, to load from elsewhere, or to guess types', async () => {
    const { headers } = await lab.call('GET', PATH)
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('access-control-allow-origin')).toBe(null)
  })
})

test('a server for other machines answers to its own address, and to no other name', () => {
  const access = new Access({ host: '192.168.1.7', token: 'x', tokensFile: '', hosts: '', cors: '' })
  expect(() => access.requireKnown('192.168.1.7:4213', undefined)).not.toThrow()
  expect(() => access.requireKnown('192.168.1.8:4213', undefined)).toThrow('no name of this server')
})
