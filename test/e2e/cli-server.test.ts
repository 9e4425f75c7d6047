/** The command line over HTTP: every command says what it says for the folder itself. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../../src/cli/run.ts'
import { connect } from '../../src/client/index.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')
const EVENTS = join(import.meta.dirname, '../../examples/data/contributions.parquet')
const FUNNEL = JSON.stringify({
  funnel: { sequence: ['docs', 'tests'].map((event) => ({ filter: ['event', '==', event] })) },
})
const DOCUMENT = JSON.stringify({
  steps: [{ name: 'm', step_type: 'HBee', sql: 'SELECT event, count(*) AS n FROM events GROUP BY ALL ORDER BY ALL' }],
  capacity: { zones: 1 },
})

let folder = ''
let served: Served

interface Served {
  process: ChildProcess
  url: string
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skep-cli-server-'))
  await mkdir(join(folder, 'clicks'))
  await writeFile(join(folder, 'a.csv'), 'u,t,x\n1,2026-01-01,5\n')
  await writeFile(join(folder, 'b.csv'), 'u,t,x\n2,2026-01-02,6\n3,2026-01-02,7\n')
  await writeFile(join(folder, 'bad.csv'), 'u,t,x\n2,2026-01-02,6,7\n')
  await writeFile(join(folder, 'funnel.json'), FUNNEL)
  await writeFile(join(folder, 'doc.json'), DOCUMENT)
  served = await serve('far')
})
afterAll(async () => {
  served.process.kill('SIGKILL')
  await rm(folder, { recursive: true })
})

async function serve(warehouse: string, env: Record<string, string> = {}): Promise<Served> {
  const child = start(['serve', '--port', '0', '--json', '--warehouse', warehouse], env)
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
  return { process: child, url: (JSON.parse(line) as { url: string }).url }
}

function start(argv: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [MAIN, ...argv], { cwd: folder, env: { ...process.env, NO_COLOR: '1', ...env } })
}

/** One command line in this process: starting as many would take a minute. */
async function skep(argv: readonly string[], env: Record<string, string> = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const texts = Promise.all([text(stdout), text(stderr)])
  const terminal = { stdin: new PassThrough(), stdout, stderr, env: { ...process.env, NO_COLOR: '1', ...env } }
  const code = await runCli(argv, terminal, new AbortController().signal)
  stdout.end()
  stderr.end()
  const [out, err] = await texts
  return { code, out, err }
}

const at = (name: string) => join(folder, name)

/** Without what differs from one run, and from one warehouse, to another. */
function masked(output: string): string {
  return output
    .replaceAll(/"stats":\{.*\}/g, '"stats":{}')
    .replaceAll(/\d+(\.\d+)? (ms|s)\b/g, '<duration>')
    .replaceAll(/"(ms|\w+Ms)":[\d.]+/g, '"ms":0')
    .replaceAll(served.url, '<root>')
    .replaceAll(join(folder, 'far'), '<root>')
    .replaceAll(join(folder, 'near'), '<root>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/\b\d{13,16}\b/g, '<id>')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}[\w-]*/g, '<file>')
    .replaceAll(/─+|│ +| {2,}/g, ' ')
}

async function expectSame(argv: readonly string[]) {
  const near = await skep([...argv, '--warehouse', join(folder, 'near')])
  const far = await skep(argv, { SKEP_WAREHOUSE: served.url })
  expect({ ...far, out: masked(far.out), err: masked(far.err) }, argv.join(' ')).toEqual({
    ...near,
    out: masked(near.out),
    err: masked(near.err),
  })
  return near
}

describe('a warehouse behind a server', () => {
  test('is worked with as one in a folder', async () => {
    const json = (...argv: string[]) => expectSame([...argv, '--json'])
    expect((await expectSame(['tables'])).code).toBe(0)
    await expectSame(['import', EVENTS, '--table', 'events', '--actor', 'actor', '--time', 'ts'])
    expect((await expectSame(['import', `${folder}/*.csv`, '--table', 't'])).code).toBe(2)
    expect((await json('import', `${folder}/[ab].csv`, '--table', 't')).code).toBe(0)
    await expectSame(['import', at('a.csv'), at('b.csv'), '--table', 't', '--once'])
    await expectSame(['import', at('nothing.csv'), '--table', 't'])
    await expectSame(['tables'])
    await json('tables')
    await json('describe', 't', '--files')
    await expectSame(['describe', 'events'])
    await expectSame(['snapshots', 't'])
    await json('snapshots', 'nope')
    for (const format of ['table', 'json', 'ndjson', 'csv']) {
      const argv = ['sql', 'SELECT * FROM events ORDER BY ALL LIMIT 3000', '--format', format]
      expect((await expectSame(argv)).code).toBe(0)
    }
    await json('sql', 'SELECT nope FROM events')
    await expectSame(['sql', 'SELECT * FROM events WHERE event = 1 -- no number'])
    await expectSame(['sql', 'SELECT count(*) FROM t', '--explain'])
    await expectSame(['query', 'events', '--file', at('funnel.json')])
    await json('query', 'events', '--query', FUNNEL)
    await json('query', 'events', '--query', '{"funnel": 1')
    await expectSame(['query', 'events', '--query', FUNNEL, '--explain'])
    await expectSame(['run', at('doc.json')])
    await expectSame(['run', at('doc.json'), '--format', 'csv'])
    await expectSame(['alter', 't', '--rename', 'x=y', '--comment', 'why'])
    await expectSame(['verify', 't'])
    await expectSame(['vacuum', '--dry-run'])
    await expectSame(['rollback', 't', '--to', '12'])
    await expectSame(['unregister', 't'])
    await json('drop', 't')
    await expectSame(['drop', 't'])
  })

  test('gives its rows as files of this machine', async () => {
    const query = 'SELECT actor, count(*) AS n FROM events GROUP BY ALL ORDER BY ALL'
    for (const format of ['csv', 'json', 'parquet']) {
      await expectSame(['sql', query, '--out', at(`rows.${format}`)])
    }
    await skep(['import', at('rows.parquet'), '--table', 'p', '--warehouse', at('check')])
    await skep(['import', at('rows.csv'), '--table', 'c', '--types', 'actor=TEXT', '--warehouse', at('check')])
    const { out } = await skep([
      'sql',
      'SELECT * FROM p EXCEPT SELECT * FROM c',
      '--format',
      'csv',
      '--warehouse',
      at('check'),
    ])
    expect(out).toBe('actor,n\n')
    expect((await readFile(join(folder, 'rows.csv'), 'utf8')).split('\n').length).toBeGreaterThan(1000)
  })

  test('refuses what only a folder can do', async () => {
    for (const argv of [
      ['serve'],
      ['demo', '--keep'],
      ['import', at('a.csv'), '--table', 'r', '--rejects', at('no.csv')],
    ]) {
      const { code, out } = await skep([...argv, '--json', '--warehouse', served.url])
      expect(code).toBe(2)
      expect(JSON.parse(out)).toMatchObject({ error: { code: 'ARGUMENT_INVALID' } })
    }
  })

  test('wants its token, and says where nobody is', async () => {
    const guarded = await serve('far', { SKEP_TOKEN: 'secret' })
    const tables = ['tables', '--warehouse', guarded.url]
    expect(await skep(tables)).toMatchObject({ code: 2, err: expect.stringContaining('TOKEN_INVALID') })
    expect(await skep(tables, { SKEP_TOKEN: 'secret' })).toMatchObject({ code: 0 })
    guarded.process.kill('SIGKILL')
    await once(guarded.process, 'close')
    expect(await skep(tables)).toMatchObject({
      code: 5,
      err: expect.stringMatching(/SERVER_UNREACHABLE: .*is the server running/),
    })
  })

  test('takes the standard input', async () => {
    const child = start(['import', '-', '--table', 'piped', '--warehouse', served.url])
    child.stdin!.end('u,t\n9,2026-01-01\n')
    const [out] = await Promise.all([text(child.stdout!), once(child, 'close')])
    expect(out).toMatch(/^piped: 1 row from 1 file imported into a new table/)
  })

  test('cancels what it asked for when it is interrupted', async () => {
    const slow = 'SELECT sum(a.range * b.range) FROM range(3000000) a, range(3000000) b'
    const child = start(['sql', slow, '--warehouse', served.url])
    const client = connect(served.url)
    const state = async () => (await client.queries()).find((query) => query.text === slow)?.state
    await expect.poll(state, { timeout: 10_000 }).toBe('running')
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    expect(code).toBe(130)
    await expect.poll(state, { timeout: 1000 }).toBe('cancelled')
  })

  test('never looks complete when its server is killed', async () => {
    const dying = await serve('near')
    await using stream = await connect(dying.url).stream('SELECT range AS r FROM range(50000000)')
    const read = async () => {
      for await (const { r } of stream.rows) if (r === 10_000) dying.process.kill('SIGKILL')
    }
    await expect(read()).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE', kind: 'unavailable' })
    const again = await serve('near')
    const child = start(['sql', 'SELECT range AS r FROM range(50000000)', '--out', 'cut.csv', '--warehouse', again.url])
    const queries = connect(again.url)
    await expect.poll(async () => (await queries.queries())[0]?.state, { timeout: 10_000 }).toBe('running')
    again.process.kill('SIGKILL')
    const [err, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')])
    expect({ code, err }).toEqual({ code: 5, err: expect.stringContaining('SERVER_UNREACHABLE') })
    await expect(readFile(join(folder, 'cut.csv'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
