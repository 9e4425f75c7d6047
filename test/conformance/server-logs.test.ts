/** What a server logs, and what it never logs. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SETTINGS } from '../../src/config.ts'
import { openLog, terminalLine } from '../../src/server/log.ts'
import { type Lab, openLab } from './import-lab.ts'
import { type Line, type Observed, observe } from './observed-lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
  await lab.warehouse.import('stored', [await lab.write('SELECT i AS id FROM range(500) t(i)')])
})
afterAll(() => lab.close())

const SQL = '/api/v1/sql'
const UUID = /^[0-9a-f-]{36}$/

function linesOf({ lines }: Observed, msg: string): Line[] {
  return lines.filter((line) => line.msg === msg)
}

describe('the log', () => {
  test('has a line for each query and request, joined by their ids', async () => {
    await using seen = await observe(lab, { level: 'info' })
    const good = await seen.call(SQL, { json: { sql: 'SELECT count(*) AS n FROM stored' } })
    const bad = await seen.call(SQL, { json: { sql: 'SELECT * FROM nowhere' } })
    await seen.call('/healthz')
    await seen.call('/metrics')
    const [done, failed] = linesOf(seen, 'query')
    const requests = linesOf(seen, 'request')
    expect(linesOf(seen, 'query')).toHaveLength(2)
    expect(requests).toHaveLength(2)
    expect(done).toMatchObject({ level: 'info', who: 'local', kind: 'sql', state: 'done', rows: 500 })
    expect(done!.queryId).toMatch(UUID)
    expect(done!.ms).toEqual(expect.any(Number))
    expect(done!.bytes).toEqual(expect.any(Number))
    expect(failed).toMatchObject({ level: 'info', state: 'failed', code: 'TABLE_NOT_FOUND' })
    for (const [k, answer] of [good, bad].entries()) {
      const request = requests[k]!
      const query = [done, failed][k]!
      expect(request).toMatchObject({ method: 'POST', route: SQL, status: answer.status, who: 'local' })
      expect(request.requestId).toBe(answer.headers.get('x-request-id'))
      expect([request.requestId, request.queryId]).toEqual([query.requestId, query.queryId])
    }
    expect(seen.lines.filter(({ level }) => level !== 'info')).toEqual([])
  })

  test('never has a token, a header, a value that was bound, or below "debug" a text', async () => {
    const tokens = join(lab.dir, 'log-tokens.json')
    writeFileSync(tokens, JSON.stringify([{ name: 'ann', token: 'SECRET-token', role: 'reader' }]))
    const headers = { authorization: 'Bearer SECRET-token', cookie: 'SECRET-cookie', 'x-request-id': 'SECRET-id' }
    for (const level of ['info', 'debug'] as const) {
      await using seen = await observe(lab, { level, env: { SKEP_TOKENS_FILE: tokens } })
      await seen.call(SQL, { headers, json: { sql: 'SELECT id FROM stored WHERE id = ?', params: ['SECRET-1'] } })
      await seen.call(SQL, { headers, json: { sql: 'SELECT $v AS v /* TEXT */', params: { v: 'SECRET-2' } } })
      await seen.call('/api/v1/tables?SECRET=SECRET-3', { headers })
      await seen.call('/api/v1/tables', { headers: { authorization: 'Bearer SECRET-wrong' } })
      await seen.call('/healthz?SECRET-4', { headers })
      expect(seen.written()).not.toContain('SECRET')
      expect(seen.written().includes('TEXT')).toBe(level === 'debug')
      expect(linesOf(seen, 'query').map(({ who }) => who)).toEqual(['ann', 'ann'])
      expect(linesOf(seen, 'request').find(({ status }) => status === 401)).not.toHaveProperty('who')
    }
  })

  test('cuts texts, and keeps to one line whatever is in them', async () => {
    await using seen = await observe(lab)
    const sql = `SELECT 1 AS n --\n${'long '.repeat(1000)}`
    await seen.call(SQL, { json: { sql } })
    expect(linesOf(seen, 'text of the query')[0]!.text).toBe(sql.slice(0, SETTINGS.logCharacters.default))
    expect(seen.written().trimEnd().split('\n')).toHaveLength(seen.lines.length)
  })

  test('tells a defect once, with stack and cause; the caller is told nothing of it', async () => {
    await using seen = await observe(lab)
    // A part of the warehouse that fails as nothing should.
    const cause = new Error('the reason behind')
    seen.warehouse.describe = async () => {
      throw new TypeError('what went wrong', { cause })
    }
    const answer = await seen.call('/api/v1/tables/stored')
    expect(answer.status).toBe(500)
    expect(await answer.text()).not.toMatch(/what went wrong|reason/)
    const errors = seen.lines.filter(({ level }) => level === 'error')
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatchObject({
      requestId: answer.headers.get('x-request-id'),
      err: { name: 'TypeError', message: 'what went wrong', cause: { message: 'the reason behind' } },
    })
    expect((errors[0]!.err as { stack: string }).stack).toContain('server-logs.test.ts')
  })

  test('tells the defect of a query once, whether it has a status or was streamed', async () => {
    for (const path of ['/api/v1/tables/stored/query', '/api/v1/tables/stored/query?stream=true']) {
      await using seen = await observe(lab)
      seen.warehouse.query = async () => {
        throw new TypeError('what went wrong')
      }
      const answer = await seen.call(path, { json: {} })
      expect(await answer.text()).toContain('INTERNAL')
      const errors = seen.lines.filter(({ level }) => level === 'error')
      expect(errors).toMatchObject([
        { queryId: linesOf(seen, 'query')[0]!.queryId, err: { message: 'what went wrong' } },
      ])
    }
  })

  test('says nothing at level "silent"', async () => {
    await using seen = await observe(lab, { level: 'silent' })
    await seen.call(SQL, { json: { sql: 'SELECT 1' } })
    expect(seen.written()).toBe('')
  })
})

describe('on a terminal', () => {
  test('a line is for people, and what others wrote does nothing to the terminal', () => {
    const written: string[] = []
    const log = openLog('debug', { isTTY: true, write: (text: string) => written.push(text) })
    log.info({ route: '/api/v1/sql', status: 200, who: 'a b', text: '\u001b[2J\u009b1m\u202e"x"\n' }, 'request')
    const [line] = written
    expect(line).toMatch(/^\d\d:\d\d:\d\d info {2}request route=\/api\/v1\/sql status=200 who=a b text="/)
    expect(line!.trimEnd()).not.toMatch(/\p{C}/u)
  })

  test('a stack follows its line, with its causes', () => {
    const written: string[] = []
    const log = openLog('info', { isTTY: true, write: (text: string) => written.push(text) })
    log.error({ err: new Error('first \u001b[31m', { cause: new Error('second') }) }, 'a defect')
    const lines = written.join('').split('\n')
    expect(lines[0]).toMatch(/error a defect$/)
    expect(lines[1]).toBe('  Error: first \\u{1b}[31m')
    expect(lines).toContain('  Error: second')
    expect(terminalLine('{"time":"2026-11-20T08:14:00.000Z","level":"warn","msg":"m"}')).toBe('08:14:00 warn  m\n')
  })
})
