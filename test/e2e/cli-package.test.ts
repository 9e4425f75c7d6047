/** The package as it is built: its command on plain Node, its API and types as a consumer sees them. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Server } from '../../src/server/server.ts'
import { Warehouse } from '../../src/warehouse.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CLI = join(ROOT, 'dist/cli.js')
const TSC = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
const run = promisify(execFile)

const TWO_STEPS = JSON.stringify({
  funnel: { sequence: ['a', 'b'].map((event) => ({ filter: ['event', '==', event] })) },
})

let folder = ''
let warehouse: Warehouse
let served: Server

beforeAll(async () => {
  await run(process.execPath, [join(ROOT, 'scripts/build.ts')], { cwd: tmpdir() })
  folder = await mkdtemp(join(tmpdir(), 'skep-package-'))
  await mkdir(join(folder, 'node_modules'))
  await symlink(ROOT, join(folder, 'node_modules/skep'))
  await symlink(join(ROOT, 'node_modules/@types'), join(folder, 'node_modules/@types'))
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  warehouse = await Warehouse.open(join(folder, 'served'))
  served = await Server.start(warehouse, { port: 0, version: 'test' })
})
afterAll(async () => {
  await served.close()
  await warehouse.close()
  await rm(folder, { recursive: true })
})

async function node(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await run(process.execPath, argv, { cwd: folder })) }
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string }
  }
}

describe('the built command', () => {
  test('runs from any folder', async () => {
    const { code, stdout } = await node(CLI, 'sql', 'select 1 as one', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ rows: [{ one: 1 }] })
    expect((await node(CLI, '--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test('tells a Node that is too old what it needs, before it loads anything', async () => {
    const old = 'data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"22.17.1"}})'
    expect(await node('--import', old, CLI, 'sql', 'select 1')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(/^skep: needs Node 22\.18 or newer, this is v.*node_modules\/\.bin\/node.*\n$/),
    })
    const enough = old.replace('22.17.1', '22.18.0')
    expect(await node('--import', enough, CLI, '--version')).toMatchObject({ code: 0 })
  })

  test('decodes files on threads of its own', async () => {
    const lines = Array.from({ length: 500 }, (_, k) => `${k % 100},${k},${k % 100 < 60 && k >= 300 ? 'b' : 'a'}\n`)
    await writeFile(join(folder, 'events.csv'), `who,ts,event\n${lines.join('')}`)
    const keys = ['--actor', 'who', '--time', 'ts']
    expect(
      await node(CLI, 'import', 'events.csv', '--table', 'events', ...keys, '--warehouse', 'direct'),
    ).toMatchObject({
      code: 0,
    })
    const program = `import { Warehouse } from 'skep'
const warehouse = await Warehouse.open('direct')
console.log(JSON.stringify(await warehouse.query('events', ${TWO_STEPS})))`
    await writeFile(join(folder, 'query.js'), program)
    for (const argv of [
      [CLI, 'query', 'events', '--query', TWO_STEPS, '--warehouse', 'direct', '--json'],
      ['query.js'],
    ]) {
      const env = { ...process.env, SKEP_DIRECT_ROWS: '0' }
      const { stdout, stderr } = await run(process.execPath, argv, { cwd: folder, env })
      expect(stderr).toBe('')
      const funnel = { sequence: [{ matchingGroups: 100 }, { matchingGroups: 60 }] }
      expect(JSON.parse(stdout)).toMatchObject({ funnel, stats: { reader: 'direct' } })
    }
  })

  test('runs tasks on threads with engines of their own, as it is packed', async () => {
    const packed = join(folder, 'packed')
    const modules = join(packed, 'node_modules')
    await mkdir(join(modules, 'skep'), { recursive: true })
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', packed], { cwd: ROOT })
    const tarball = (await readdir(packed)).find((name) => name.endsWith('.tgz'))!
    await run('tar', ['-xzf', tarball, '-C', join(modules, 'skep'), '--strip-components=1'], { cwd: packed })
    for (const name of ['@duckdb', 'avsc', 'hyparquet'])
      await symlink(join(ROOT, 'node_modules', name), join(modules, name))
    const cli = join(modules, 'skep/dist/cli.js')
    const lines = Array.from({ length: 2000 }, (_, k) => `${k % 300},${k},${k % 3 === 0 ? 'b' : 'a'}\n`)
    await writeFile(join(packed, 'events.csv'), `who,ts,event\n${lines.join('')}`)
    const skep = async (env: Record<string, string>, ...argv: string[]) => {
      const place = { cwd: packed, env: { ...process.env, ...env } }
      const { stdout, stderr } = await run(process.execPath, [cli, ...argv, '--warehouse', 'wh', '--json'], place)
      expect(stderr).toBe('')
      return JSON.parse(stdout)
    }
    await skep({}, 'import', 'events.csv', '--table', 'events', '--actor', 'who', '--time', 'ts', '--buckets', '8')
    const asks = [
      ['sql', 'SELECT event, count(*) AS n, sum(ts) AS s FROM events GROUP BY event ORDER BY event'],
      ['query', 'events', '--query', TWO_STEPS],
    ]
    for (const ask of asks) {
      const { stats: _, ...whole } = await skep({}, ...ask)
      const tasks = { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '200' }
      const { stats, ...divided } = await skep(tasks, ...ask, '--pool', 'threads')
      expect(divided).toEqual(whole)
      expect(stats).toMatchObject({ pool: 'threads', tasks: expect.any(Number) })
      expect(stats.tasks).toBeGreaterThan(1)
    }
  })

  test('serves the web page that it brings', async () => {
    const server = spawn(process.execPath, [CLI, 'serve', '--port', '0', '--json'], { cwd: folder, stdio: 'pipe' })
    try {
      const [line] = (await once(server.stdout, 'data')) as [Buffer]
      const { url } = JSON.parse(String(line)) as { url: string }
      const page = await (await fetch(url)).text()
      const [script] = /assets\/[\w-]+\.js/.exec(page) ?? []
      expect((await fetch(`${url}/${script}`)).headers.get('content-type')).toMatch(/^text\/javascript/)
    } finally {
      server.kill('SIGINT')
      await once(server, 'exit')
    }
  })

  test('names what it contains of others', async () => {
    expect(await readdir(join(ROOT, 'dist'))).toContain('THIRD-PARTY-LICENCES.txt')
    expect(await readdir(join(ROOT, 'dist/web'))).toContain('THIRD-PARTY-LICENCES.md')
  })
})

describe('the built client', () => {
  test('is one file that needs nothing of Node, nor of others', async () => {
    const text = await readFile(join(ROOT, 'dist/client.js'), 'utf8')
    expect(text).not.toMatch(
      /^(import|export .* from)\b|\b(await|return) import\(|\brequire\(|["']node:|\bBuffer\b|\bprocess\./m,
    )
    expect(text.length).toBeLessThan(60_000)
    // A place that has what browsers have, and nothing else.
    const browser = createContext({
      URL,
      URLSearchParams,
      TextDecoder,
      TextEncoder,
      ReadableStream,
      AbortSignal,
      fetch,
      btoa,
    })
    const bundle = text.replace(/^export \{([^}]*)\};?\s*$/m, (_, names: string) => `globalThis.client = {${names}}`)
    runInContext(bundle.replaceAll(/(\w+) as (\w+)/g, '$2: $1'), browser)
    const rows = await runInContext(`client.connect('${served.url}').sql\`SELECT \${41} + 1 AS n\``, browser)
    expect(rows).toMatchObject({ rows: [{ n: 42 }] })
  })

  const program = `import { connect, isSkepError, type RemoteStream } from 'skep/client'
const warehouse = connect(process.argv[2] ?? '')
const { rows } = await warehouse.sql\`SELECT \${2n ** 65n} AS n\`
await using stream: RemoteStream = await warehouse.stream('SELECT range AS r FROM range(3)')
const streamed = await Array.fromAsync(stream.rows)
const code = await warehouse.sql('SELEC').catch((error) => (isSkepError(error) ? error.code : undefined))
console.log(JSON.stringify({ rows, streamed, code }))
`

  test('answers in Node, and has types', async () => {
    await writeFile(join(folder, 'client.ts'), program)
    const { stdout, stderr } = await node('client.ts', served.url)
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({
      rows: [{ n: '36893488147419103232' }],
      streamed: [{ r: 0 }, { r: 1 }, { r: 2 }],
      code: 'SQL_INVALID',
    })
    await writeFile(join(folder, 'wrong-client.ts'), `${program}const wrong: number = rows\nexport { wrong }\n`)
    const options = ['--module', 'nodenext', '--target', 'es2024', '--lib', 'esnext', '--types', 'node']
    const check = (file: string) => node(TSC, '--ignoreConfig', '--noEmit', '--strict', ...options, file)
    expect((await check('client.ts')).stdout).toBe('')
    expect((await check('wrong-client.ts')).stdout).toMatch(/^wrong-client\.ts\(8,7\): error TS2322/)
  })
})

describe('the built library', () => {
  const program = `import { isSkepError, type SqlResult, Warehouse } from 'skep'
await using warehouse = await Warehouse.open('./nix')
const result: SqlResult = await warehouse.sql\`SELECT \${41} + 1 AS n\`
const code = await warehouse.sql('SELEC').catch((error) => (isSkepError(error) ? error.code : undefined))
console.log(JSON.stringify({ rows: result.rows, code }))
`

  test('answers', async () => {
    await writeFile(join(folder, 'answer.ts'), program)
    const { stdout } = await node('answer.ts')
    expect(JSON.parse(stdout)).toEqual({ rows: [{ n: 42 }], code: 'SQL_INVALID' })
  })

  test.each([
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('has types under module %s, resolution %s', async (module, resolution) => {
    await writeFile(join(folder, 'right.ts'), program)
    await writeFile(join(folder, 'wrong.ts'), `${program}const wrong: number = result.columns\nexport { wrong }\n`)
    const options = ['--module', module, '--moduleResolution', resolution, '--target', 'es2024', '--lib', 'esnext']
    const check = (file: string) =>
      node(TSC, '--ignoreConfig', '--noEmit', '--strict', ...options, '--types', 'node', file)
    expect((await check('right.ts')).stdout).toBe('')
    expect((await check('wrong.ts')).stdout).toMatch(/^wrong\.ts\(6,7\): error TS2322.*ResultColumn/)
  })
})
