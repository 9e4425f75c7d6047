/** The command line as a process: what scripts and people see of it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/commands.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const EVENTS = fileURLToPath(new URL('../../examples/data/contributions.parquet', import.meta.url))

let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skep-cli-'))
})
afterAll(() => rm(folder, { recursive: true }))

function start(argv: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [MAIN, ...argv], { cwd: folder, env: { ...process.env, NO_COLOR: '1', ...env } })
}

interface Outcome {
  code: number | null
  out: string
  err: string
}

async function outcomeOf(child: ChildProcess, input = ''): Promise<Outcome> {
  child.stdin!.end(input)
  const [out, err, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')])
  return { code, out, err }
}

const skep = (...argv: string[]) => outcomeOf(start(argv))
const skepWith = (input: string, ...argv: string[]) => outcomeOf(start(argv), input)

async function json(...argv: string[]): Promise<unknown> {
  const { code, out, err } = await skep(...argv, '--json')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  return JSON.parse(out)
}

async function failure(...argv: string[]) {
  const [people, machines] = await Promise.all([skep(...argv), skep(...argv, '--json')])
  expect(people.out).toBe('')
  expect(machines.err).toBe('')
  expect(machines.code).toBe(people.code)
  const { error } = JSON.parse(machines.out) as { error: { code: string; message: string; details: object } }
  expect(people.err.startsWith(`skep: ${error.code}: `)).toBe(true)
  expect(people.err).not.toMatch(/\n\s+at /)
  return { ...error, exitCode: people.code, line: people.err }
}

describe('skep', () => {
  test('lists its commands, and explains each', async () => {
    const { code, out } = await skep('--help')
    expect(code).toBe(0)
    const pages = await Promise.all(Object.keys(COMMANDS).map((name) => skep(name, '-h')))
    for (const [k, name] of Object.keys(COMMANDS).entries()) {
      expect(out).toContain(`\n  ${name} `)
      expect(pages[k]).toMatchObject({ code: 0, err: '' })
      expect(pages[k]!.out).toContain(`Usage: skep ${name}`)
      expect(pages[k]!.out).toContain('Examples:')
    }
    expect((await skep()).out).toBe(out)
    const { commands } = JSON.parse((await skep('--help', '--json')).out) as { commands: { command: string }[] }
    expect(commands.map(({ command }) => command)).toEqual(Object.keys(COMMANDS))
  })

  test('tells its version', async () => {
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(await skep('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' })
    expect(await json('sql', '--version')).toEqual({ version })
  })

  test('says what is wrong with a line', async () => {
    expect(await failure('slq', 'select 1')).toMatchObject({
      code: 'ARGUMENT_INVALID',
      exitCode: 2,
      details: { argument: 'slq', nearest: 'sql' },
      line: 'skep: ARGUMENT_INVALID: unknown command "slq"; did you mean "sql"?\n',
    })
    expect(await failure('sql', 'select 1', '--fromat', 'csv')).toMatchObject({ details: { nearest: 'format' } })
    expect(await failure('sql')).toMatchObject({ code: 'ARGUMENT_INVALID', exitCode: 2 })
    expect(await failure('sql', 'select', '1')).toMatchObject({ message: expect.stringContaining('in quotes') })
    expect(await failure('tables', '--warehouse', '')).toMatchObject({ code: 'ARGUMENT_INVALID' })
    expect(await failure('sql', 'select 1', '--warehouse', 's3://b/p')).toMatchObject({ code: 'ARGUMENT_INVALID' })
  })

  test('says so in JSON even when a value of a flag is at fault', async () => {
    const { code, out, err } = await outcomeOf(start(['tables', '--json'], { SKEP_THREADS: 'many' }))
    expect({ code, err }).toEqual({ code: 2, err: '' })
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'SETTING_INVALID' } })
  })
})

describe('skep sql', () => {
  test('needs no warehouse, and makes none', async () => {
    const times = {
      ...Object.fromEntries(['total', 'min', 'mean', 'max', 'p50'].map((name) => [`${name}Ms`, expect.any(Number)])),
      count: 1,
    }
    const phases = Object.fromEntries(['queue', 'plan', 'fetch', 'scan', 'merge'].map((phase) => [phase, times]))
    const cache = { hits: 0, misses: 0 }
    const work = { phases, taskTimes: times, coldTasks: 1, warmTasks: 0, doneTasks: expect.any(Object), cache }
    expect(
      await json('sql', 'SELECT 1 AS a, 1.50::DECIMAL(4,2) AS d, NULL AS n, [1, 2] AS l', '--warehouse', 'nix'),
    ).toEqual({
      columns: [
        { name: 'a', type: 'INTEGER' },
        { name: 'd', type: 'DECIMAL(4,2)' },
        { name: 'n', type: 'INTEGER' },
        { name: 'l', type: 'INTEGER[]' },
      ],
      rows: [{ a: 1, d: '1.50', n: null, l: [1, 2] }],
      stats: {
        tasks: 1,
        files: 0,
        filesPruned: 0,
        bytes: 0,
        rows: 0,
        ms: expect.any(Number),
        pool: 'threads',
        ...work,
        estimate: { files: 0, bytes: 0, rows: 0, tasks: 0, lambda: { gbSeconds: 0, requests: 0, dollars: 0 } },
      },
    })
    expect(await readdir(folder)).not.toContain('nix')
    expect((await outcomeOf(start(['tables'], { SKEP_WAREHOUSE: 'nix' }))).err).toContain(join(folder, 'nix'))
  })

  test('draws a table of the first rows and says how many there are', async () => {
    const { code, out } = await skep('sql', "SELECT range AS n, 'x' AS t FROM range(100)")
    const lines = out.trimEnd().split('\n')
    expect(code).toBe(0)
    expect(lines.slice(0, 3)).toEqual([' n │ t', '───┼──', ' 0 │ x'])
    expect(lines).toHaveLength(43)
    expect(lines.at(-1)).toMatch(/^\(first 40 of 100 rows, .*--format csv\|ndjson\|json\)$/)
  })

  test('reads its query from the standard input', async () => {
    expect(await skepWith('SELECT 7 AS n; -- done\n', 'sql', '-', '--format', 'csv')).toEqual({
      code: 0,
      out: 'n\n7\n',
      err: '',
    })
  })

  test('writes CSV, NDJSON and JSON', async () => {
    const query = `SELECT 1 AS "2", NULL AS "1", 'a"b' AS q, '' AS e, {'k': [DATE '2026-11-20']} AS s`
    expect((await skep('sql', query, '--format', 'csv')).out).toBe(
      '2,1,q,e,s\n1,,"a""b","","{""k"":[""2026-11-20""]}"\n',
    )
    expect((await skep('sql', query, '--format', 'ndjson')).out).toBe(
      '{"2":1,"1":null,"q":"a\\"b","e":"","s":{"k":["2026-11-20"]}}\n',
    )
    const [a, b] = await Promise.all([skep('sql', query, '--format', 'json'), skep('sql', query, '--json')])
    expect(JSON.parse(a.out).rows).toEqual(JSON.parse(b.out).rows)
  })

  test('writes rows of any number in the same order, and large documents whole', async () => {
    const query = 'SELECT range AS n FROM range(12345)'
    const numbers = Array.from({ length: 12345 }, (_, n) => n)
    const [csv, document] = await Promise.all([skep('sql', query, '--format', 'csv'), json('sql', query)])
    expect(csv.out).toBe(`n\n${numbers.join('\n')}\n`)
    expect((document as { rows: { n: number }[] }).rows.map(({ n }) => n)).toEqual(numbers)
  })

  test.each(['csv', 'ndjson', 'json', 'table', 'parquet'])('writes a file of %s', async (format) => {
    const out = `rows-${format}`
    const { code, out: printed, err } = await skep('sql', 'FROM range(50)', '--format', format, '--out', out)
    expect({ code, printed }).toEqual({ code: 0, printed: '' })
    expect(err).toMatch(new RegExp(`^50 rows written to ${out} \\(${format}, `))
    const bytes = await readFile(join(folder, out))
    if (format === 'parquet') expect(bytes.subarray(0, 4).toString()).toBe('PAR1')
    else expect(bytes.toString()).toContain('49')
  })

  test('takes the format from the name of the file, and tells of it in JSON', async () => {
    expect(await json('sql', 'FROM range(3)', '--out', 'r.ndjson')).toMatchObject({
      out: 'r.ndjson',
      format: 'ndjson',
      rows: 3,
    })
    expect(await readFile(join(folder, 'r.ndjson'), 'utf8')).toBe('{"range":0}\n{"range":1}\n{"range":2}\n')
    const { err } = await skep('sql', 'FROM range(3)', '--out', 'r.csv', '--quiet')
    expect(err).toBe('')
  })

  test.each(['csv', 'parquet', 'json'])('leaves no file of %s behind when it fails', async (format) => {
    const before = await readdir(folder)
    const query = "SELECT if(range = 99999, error('late'), range) FROM range(100000)"
    expect(await skep('sql', query, '--format', format, '--out', 'failed')).toMatchObject({ code: 2, out: '' })
    expect(await readdir(folder)).toEqual(before)
  })

  test('refuses what cannot be', async () => {
    expect(await failure('sql', 'select 1', '--format', 'parquet')).toMatchObject({ code: 'ARGUMENT_INVALID' })
    expect(await failure('sql', 'select 1', '--out', 'nix/a.csv')).toMatchObject({ code: 'ARGUMENT_INVALID' })
    expect(await failure('sql', 'select 1', '--explain', '--format', 'csv')).toMatchObject({ code: 'ARGUMENT_INVALID' })
    const { code, out } = await skep('sql', 'select 1', '--json', '--format', 'csv')
    expect(code).toBe(2)
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'ARGUMENT_INVALID' } })
  })

  test('reports errors of SQL by their kind', async () => {
    expect(await failure('sql', 'SELEC 1')).toMatchObject({ code: 'SQL_INVALID', exitCode: 2 })
    expect(await failure('sql', "COPY (SELECT 1) TO 'x.csv'")).toMatchObject({ code: 'SQL_FORBIDDEN', exitCode: 2 })
    expect(await failure('sql', 'FROM nothing')).toMatchObject({ code: 'TABLE_NOT_FOUND', exitCode: 2 })
    const limited = start(['sql', 'FROM range(2000)', '--json'], { SKEP_RESULT_ROWS: '1000' })
    const { code, out } = await outcomeOf(limited)
    expect(code).toBe(3)
    expect(JSON.parse(out)).toMatchObject({ error: { code: 'ROW_LIMIT' } })
  })

  test('ends quietly when nobody reads on', async () => {
    const child = start(['sql', 'FROM range(1000000000)', '--format', 'csv'])
    const err = text(child.stderr!)
    let read = ''
    while (read.length < 20) read += String((await once(child.stdout!, 'data'))[0])
    child.stdout!.destroy()
    const [code] = await once(child, 'close')
    expect(read).toMatch(/^range\n0\n1\n/)
    expect({ code, err: await err }).toEqual({ code: 0, err: '' })
  })

  test('is cancelled by Ctrl-C', async () => {
    const child = start(['sql', 'SELECT count(*) FROM range(1000000000) a, range(1000) b'])
    const outcome = outcomeOf(child)
    await new Promise((resolve) => setTimeout(resolve, 1500))
    const interrupted = performance.now()
    child.kill('SIGINT')
    expect(await outcome).toEqual({ code: 130, out: '', err: 'skep: CANCELLED: the call was cancelled\n' })
    expect(performance.now() - interrupted).toBeLessThan(3000)
  })

  test('is cancelled by Ctrl-C while it waits for its query', async () => {
    const child = start(['sql', '-', '--json'])
    const out = text(child.stdout!)
    await new Promise((resolve) => setTimeout(resolve, 700))
    child.kill('SIGINT')
    const [code] = await once(child, 'close')
    expect(code).toBe(130)
    expect(JSON.parse(await out)).toMatchObject({ error: { code: 'CANCELLED' } })
  })

  test('starts at once', async () => {
    const timed = async (argv: string[]) => {
      const started = performance.now()
      await once(spawn(process.execPath, argv, { stdio: 'ignore', cwd: folder }), 'close')
      return performance.now() - started
    }
    const best = async (argv: string[]) => {
      const times: number[] = []
      for (let k = 0; k < 4; k++) times.push(await timed(argv))
      return Math.min(...times)
    }
    const bare = await best(['-e', '0'])
    expect((await best([MAIN, '--help'])) - bare).toBeLessThan(400)
    expect((await best([MAIN, 'sql', 'select 1'])) - bare).toBeLessThan(800)
  })
})

describe('a table', () => {
  const funnel = JSON.stringify({
    query: {
      conditions: [{ filter: ['event', '==', 'docs'] }],
      aggregations: [{ column: 'event', type: 'countPerValue' }],
    },
    funnel: { sequence: [{ filter: ['event', '==', 'docs'] }, { name: 'code', filter: ['event', '==', 'source'] }] },
  })

  interface Imported {
    snapshotId: number
  }
  let first: Imported

  beforeAll(async () => {
    first = (await json('import', EVENTS, '--table', 'events', '--actor', 'actor', '--time', 'ts')) as Imported
  })

  test('is imported, listed, described, and has a history', async () => {
    expect(first).toMatchObject({ table: 'events', created: true, rows: 117_258, sources: 1 })
    expect(await json('tables')).toMatchObject([{ name: 'events', kind: 'managed', actor: 'actor', rows: 117_258 }])
    expect(await json('describe', 'events', '--files')).toMatchObject({
      name: 'events',
      metadataLocation: expect.stringContaining('/metadata/'),
      dataFiles: expect.any(Array),
    })
    expect(await json('snapshots', 'events')).toMatchObject([
      { id: first.snapshotId, parentId: null, operation: 'append' },
    ])
    expect((await skep('tables')).out).toContain('117,258')
    expect((await skep('describe', 'events', '--files')).out).toMatch(/ts +│ TIMESTAMP/)
    expect((await skep('snapshots', 'events')).out).toContain(String(first.snapshotId))
  })

  test('is read by SQL', async () => {
    const query = 'SELECT event, count(*) AS n FROM events GROUP BY ALL ORDER BY n DESC LIMIT 2'
    expect(await json('sql', query)).toMatchObject({
      rows: [
        { event: 'source', n: expect.any(Number) },
        { event: 'tests', n: expect.any(Number) },
      ],
      stats: { rows: 117_258 },
    })
    const explained = (await json('sql', query, '--explain')) as { tables: object[]; plan: string }
    expect(explained).toMatchObject({ tables: [{ table: 'events', rows: 117_258 }], plan: expect.any(String) })
    expect((await skep('sql', query, '--explain')).out).toContain('events │')
  })

  test('answers behavioural queries from any source', async () => {
    await writeFile(join(folder, 'funnel.json'), funnel)
    const sources = await Promise.all([
      json('query', 'events', '--query', funnel),
      json('query', 'events', '--file', 'funnel.json'),
      skepWith(funnel, 'query', 'events', '-', '--json').then(({ out }) => JSON.parse(out)),
    ])
    const [one, ...others] = sources as { query: object; funnel: object; success: boolean }[]
    expect(one).toMatchObject({
      success: true,
      funnel: {
        sequence: [
          { index: 0, conversionRate: 1 },
          { index: 1, name: 'code' },
        ],
      },
    })
    for (const other of others) expect({ ...other, stats: 0 }).toEqual({ ...one, stats: 0 })
    const { code, out } = await skep('query', 'events', '--file', 'funnel.json')
    expect(code).toBe(0)
    expect(out).toMatch(/^events: [\d,]+ of [\d,]+ actors match/)
    expect(out).toMatch(/1 │ event == docs +│ +[\d,]+ │ +100\.0% │ +│ █{30}\n/)
    expect(out).toMatch(/2 │ code +│/)
  })

  test('tells what is wrong with a behavioural query', async () => {
    const bad = '{"query":{"conditions":[{"filter":["evnt","==",1]}]},"funnle":{}}'
    const error = await failure('query', 'events', '--query', bad)
    expect(error).toMatchObject({ code: 'QUERY_INVALID', exitCode: 2 })
    expect(await failure('query', 'events', '--query', '{')).toMatchObject({ code: 'JSON_INVALID' })
    expect(await failure('query', 'events')).toMatchObject({ code: 'ARGUMENT_INVALID' })
    expect(await failure('query', 'events', '--query', '{}', '--file', 'x')).toMatchObject({ code: 'ARGUMENT_INVALID' })
    expect(await failure('query', 'events', '--file', 'nix.json')).toMatchObject({ code: 'FILE_NOT_FOUND' })
    expect(await failure('query', 'evnts', '--query', funnel)).toMatchObject({
      code: 'TABLE_NOT_FOUND',
      details: { nearest: 'events' },
    })
  })

  test('shows warnings beside the result, not in it', async () => {
    const query = JSON.stringify({
      timeframe: { from: '1990-01-01', to: '1990-01-02' },
      query: { conditions: [{ filter: ['event', '==', 'docs'] }] },
    })
    const { code, out, err } = await skep('query', 'events', '--query', query)
    expect({ code, out: out.split('\n')[0] }).toEqual({ code: 0, out: 'events: 0 of 0 actors match, with 0 of 0 rows' })
    expect(err).toMatch(/^skep: warning: /)
    expect((await skep('query', 'events', '--query', query, '--quiet')).err).toBe('')
  })

  test('is imported from the standard input with types, read as it was, and dropped', async () => {
    const argv = ['import', '-', '--table', 'prices', '--format', 'csv', '--types', 'p=DECIMAL(10,2)']
    const made = await skepWith('id,p\n1,2.5\n', ...argv)
    expect(made).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^prices: 1 row from 1 file imported/) })
    const [{ id }] = (await json('snapshots', 'prices')) as [{ id: number }]
    expect(await skepWith('id,p\n2,3.5\n', ...argv, '--quiet')).toEqual({ code: 0, out: '', err: '' })
    const rows = async (...at: string[]) =>
      ((await json('sql', 'FROM prices ORDER BY id', ...at)) as { rows: object[] }).rows
    expect(await rows()).toEqual([
      { id: 1, p: '2.50' },
      { id: 2, p: '3.50' },
    ])
    expect(await rows('--at', String(id))).toEqual([{ id: 1, p: '2.50' }])
    expect(await rows('--at', `prices=${id}`)).toEqual([{ id: 1, p: '2.50' }])
    expect(await json('drop', 'prices')).toEqual({ table: 'prices', dropped: true })
    expect(await failure('drop', 'prices')).toMatchObject({ code: 'TABLE_NOT_FOUND', exitCode: 2 })
    expect(await failure('import', 'nix-*.csv', '--table', 'prices')).toMatchObject({ code: 'FILE_NOT_FOUND' })
  })

  test('is registered and forgotten in place', async () => {
    const registered = await json('register', 'raw', dirname(EVENTS), '--actor', 'actor', '--time', 'ts')
    expect(registered).toMatchObject({ table: 'raw', files: 1, rows: 117_258, actorsTogether: true })
    const { out } = await skep('query', 'raw', '--query', funnel)
    expect(out).toMatch(/^raw: [\d,]+ of 6,337 actors match/)
    expect(await json('unregister', 'raw')).toEqual({ table: 'raw', unregistered: true })
    expect(await failure('unregister', 'raw')).toMatchObject({ code: 'TABLE_NOT_FOUND' })
  })

  test('is attached where others write it, and read as it was', async () => {
    const log = join(folder, 'lake', '_delta_log')
    await mkdir(log, { recursive: true })
    await copyFile(EVENTS, join(folder, 'lake', 'a.parquet'))
    const types = { project: 'string', actor: 'string', ts: 'timestamp_ntz', event: 'string', files: 'integer' }
    const fields = Object.entries(types).map(([name, type]) => ({ name, type, nullable: true, metadata: {} }))
    const add = { path: 'a.parquet', size: (await stat(EVENTS)).size, partitionValues: {}, dataChange: true }
    const metaData = {
      format: { provider: 'parquet' },
      schemaString: JSON.stringify({ type: 'struct', fields }),
      partitionColumns: [],
    }
    const commit = (version: number, ...actions: object[]) =>
      writeFile(
        join(log, `${String(version).padStart(20, '0')}.json`),
        actions.map((a) => JSON.stringify(a)).join('\n'),
      )
    await commit(0, { commitInfo: { timestamp: 0 } }, { protocol: { minReaderVersion: 1 } }, { metaData }, { add })
    await commit(1, { commitInfo: { timestamp: 1000 } }, { remove: { path: 'a.parquet' } })
    const argv = ['attach', 'lake', 'lake', '--type', 'delta', '--actor', 'actor', '--time', 'ts'] as const
    expect(await skep(...argv)).toEqual({ code: 0, out: 'lake: attached (0 files, 0 rows, 0 B)\n', err: '' })
    expect(await failure(...argv)).toMatchObject({ code: 'TABLE_EXISTS' })
    expect(await json('tables')).toContainEqual(
      expect.objectContaining({ name: 'lake', kind: 'attached', format: 'delta' }),
    )
    expect((await skep('tables')).out).toMatch(/lake +│ attached \(delta\) │ actor │ ts/)
    expect((await skep('describe', 'lake')).out).toMatch(/^lake \(attached, delta\): 0 rows/)
    expect(await json('snapshots', 'lake')).toMatchObject([
      { id: 0, operation: 'append' },
      { id: 1, operation: 'delete' },
    ])
    const count = async (at: string) =>
      ((await json('sql', 'SELECT count(*)::INT AS n FROM lake', '--at', at)) as { rows: object[] }).rows
    expect([await count('0'), await count('1970-01-01T00:00:01Z')]).toEqual([[{ n: 117_258 }], [{ n: 0 }]])
    const { out } = await skep('query', 'lake', '--query', funnel, '--at', 'lake=0')
    expect(out).toMatch(/^lake: [\d,]+ of 6,337 actors match/)
    expect(await failure('drop', 'lake')).toMatchObject({ code: 'TABLE_KIND' })
    expect(await failure('attach', 'other', 'lake')).toMatchObject({ code: 'ARGUMENT_INVALID' })
    expect(await json('unregister', 'lake')).toEqual({ table: 'lake', unregistered: true })
  })
})

describe('skep run', () => {
  const steps = [
    { name: 'mapper', step_type: 'HBee', sql: 'SELECT project, count(*) AS n FROM c GROUP BY project' },
    { name: 'reducer', step_type: 'HComb', sql: 'SELECT count(*) AS projects, sum(n) AS n FROM mapper' },
  ]
  const catalogs = [{ name: 'c', type: 'Static', uri: 'run' }]
  const file = async (name: string, document: object) => {
    await writeFile(join(folder, name), JSON.stringify(document))
    return name
  }

  test('gives the rows of a document, from a file or the standard input', async () => {
    await mkdir(join(folder, 'run'))
    await copyFile(EVENTS, join(folder, 'run/events.parquet'))
    const document = { steps, capacity: { zones: 1 }, catalogs }
    const path = await file('run.json', document)
    const result = await json('run', path, '--pool', 'inline')
    expect(result).toMatchObject({
      columns: [
        { name: 'projects', type: 'BIGINT' },
        { name: 'n', type: 'HUGEINT' },
      ],
      rows: [{ projects: expect.any(Number), n: 117_258 }],
      stats: { files: 1, filesPruned: 0, pool: 'inline' },
    })
    const shown = await skepWith(JSON.stringify(document), 'run', '-')
    expect(shown).toMatchObject({ code: 0, out: expect.stringMatching(/projects │ +n\n/) })
    expect((await skep('run', path, '--format', 'csv', '--out', 'run.csv')).code).toBe(0)
    expect(await readFile(join(folder, 'run.csv'), 'utf8')).toMatch(/^projects,n\n\d+,117258\n$/)
    expect(await json('run', path, '--explain')).toMatchObject({ tables: [{ table: 'c', files: 1 }], divided: false })
  })

  test('says what is wrong with a document', async () => {
    const none = await failure('run', await file('bad.json', { steps: [{ ...steps[1] }], capacity: { zones: 0 } }))
    expect(none).toMatchObject({ code: 'DOCUMENT_INVALID', exitCode: 2 })
    expect((none.details as { violations: { path: string }[] }).violations.map(({ path }) => path)).toEqual([
      '/capacity/zones',
      '/steps/0/step_type',
    ])
    const missing = await failure(
      'run',
      await file('nope.json', { steps, capacity: { zones: 1 }, catalogs: [{ ...catalogs[0], uri: 'nope' }] }),
    )
    expect(missing).toMatchObject({ code: 'CATALOG_NOT_FOUND', exitCode: 2 })
    expect(missing.line).toContain('Static catalog not found')
    expect((await failure('run', 'not-there.json')).code).toBe('FILE_NOT_FOUND')
  })
})
