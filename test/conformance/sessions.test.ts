/** Sessions and engines are kept from query to query: what one query left must never be seen by another, and nothing may pile up. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DataFile } from '../../src/catalog/types.ts'
import { readSettings, SETTINGS } from '../../src/config.ts'
import { batchesUnchanged } from '../../src/coordinator/unchanged.ts'
import { Engine } from '../../src/engine/engine.ts'
import { readTable } from '../../src/planner/table-spec.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { runs, tortureTimeout } from '../torture.ts'
import { bee, comb, documentOf } from './buzz-lab.ts'
import { failure, type Lab, openLab } from './import-lab.ts'

let lab: Lab
let places = 0

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

const keys = { actor: 'k', time: 'k' }
/** A folder with files of these rows, as a table. */
async function folderOf(name: string, select: string, files = 1, warehouse = lab.warehouse): Promise<string> {
  const dir = `${name}-${++places}`
  for (let f = 0; f < files; f++) await lab.write(select, `${dir}/${f}.parquet`)
  await warehouse.register(name, `${lab.dir}/${dir}`, keys)
  return `${lab.dir}/${dir}`
}
const rowsOf = async (sql: string, warehouse = lab.warehouse) => (await warehouse.sql(sql)).rows

describe('what an earlier query left', () => {
  beforeAll(async () => {
    await folderOf('secret', "SELECT 1 AS k, 'secret' AS s")
    await folderOf('many', "SELECT 2 AS k, 'many' AS s", 20)
    await folderOf('open', "SELECT 3 AS k, 'open' AS s")
  })
  const leave = async () => {
    await rowsOf('SELECT * FROM secret JOIN many ON true')
    await failure(() => rowsOf("SELECT CASE WHEN k = 2 THEN error('half way') END FROM many, secret"))
    const { batches, [Symbol.asyncDispose]: end } = await lab.warehouse.stream(
      'SELECT a.k FROM many a, many b, secret, range(1000)',
    )
    await batches[Symbol.asyncIterator]().next()
    await end()
  }

  test.each([
    'SELECT * FROM temp.main.secret',
    'SELECT * FROM temp.secret',
    'SELECT * FROM memory.main.secret',
    'SELECT * FROM "temp"."main"."secret"',
    'SELECT * FROM TEMP.MAIN.SECRET, open',
    'SELECT (SELECT max(s) FROM temp.main.secret) FROM open',
    'SELECT * FROM open WHERE s = (SELECT max(s) FROM temp.main.secret)',
    'DESCRIBE temp.main.secret',
    'SUMMARIZE temp.main.secret',
    'WITH w AS (FROM temp.main.many) FROM w',
    'SELECT * FROM duckdb_views()',
    'SELECT * FROM pg_catalog.pg_views',
    'SELECT * FROM information_schema.tables',
    "SELECT * FROM query_table('secret')",
    "SELECT * FROM query('FROM secret')",
    'SELECT * FROM "skep taken rows"',
    'SELECT * FROM "skep rows of many"',
  ])('%s gives nothing of it', async (sql) => {
    await leave()
    expect((await failure(() => rowsOf(sql))).code).toMatch(
      /^(SQL_FORBIDDEN|SQL_INVALID|TABLE_NOT_FOUND|TABLE_NAME_INVALID)$/,
    )
  })

  test('names that are no table any more, or another one', async () => {
    const other = await lab.open({})
    for (let round = 0; round < 3; round++) {
      const dir = await folderOf('passing', `SELECT ${round} AS k`, 20)
      expect(await rowsOf('SELECT DISTINCT k FROM passing')).toEqual([{ k: round }])
      await other.unregister('passing')
      expect(await failure(() => rowsOf('SELECT * FROM passing'))).toMatchObject({ code: 'TABLE_NOT_FOUND' })
      expect(await failure(() => rowsOf('SELECT * FROM passing, open'))).toMatchObject({ code: 'TABLE_NOT_FOUND' })
      expect(await rowsOf('WITH passing AS (SELECT 9 AS k) SELECT k FROM passing')).toEqual([{ k: 9 }])
      const document = documentOf(lab, [bee('passing', 'SELECT k + 7 AS k FROM open'), comb('z', 'FROM passing')])
      expect((await lab.warehouse.run(document)).rows).toEqual([{ k: 10 }])
      const lost = documentOf(lab, [bee('a', 'FROM passing'), comb('z', 'FROM a')])
      expect(await failure(() => lab.warehouse.run(lost))).toMatchObject({ code: 'TABLE_NOT_FOUND' })
      rmSync(dir, { recursive: true })
    }
    await other.close()
  })

  test('a common table, or a step, in the place of a table', async () => {
    await leave()
    expect(await rowsOf('WITH secret AS (SELECT 7 AS k) SELECT k FROM secret')).toEqual([{ k: 7 }])
    expect(await rowsOf('WITH secret AS (FROM open) SELECT k, s FROM SECRET')).toEqual([{ k: 3, s: 'open' }])
    expect(
      await rowsOf('SELECT s FROM (WITH secret AS (FROM open) FROM secret) UNION FROM (SELECT s FROM secret)'),
    ).toEqual(expect.arrayContaining([{ s: 'open' }, { s: 'secret' }]))
    expect(await failure(() => rowsOf('WITH a AS (SELECT 1 AS k), k AS (FROM nothing) FROM k'))).toMatchObject({
      code: 'TABLE_NOT_FOUND',
    })
    const document = documentOf(lab, [bee('many', 'SELECT k FROM open'), comb('z', 'SELECT * FROM many')])
    expect((await lab.warehouse.run(document)).rows).toEqual([{ k: 3 }])
    expect(await rowsOf('SELECT count(*)::INT AS n FROM many')).toEqual([{ n: 20 }])
  })

  test('a table that was made anew with other columns', async () => {
    for (const [type, value] of [
      ['INTEGER', 1],
      ['VARCHAR', 'x'],
      ['DOUBLE', 0.5],
      ['INTEGER', 2],
    ] as const) {
      const file = await lab.write(
        `SELECT ${typeof value === 'string' ? `'${value}'` : value}::${type} AS v, 1 AS "${type}"`,
      )
      await lab.warehouse.import('anew', [file])
      expect(await rowsOf('FROM anew')).toEqual([{ v: value, [type]: 1 }])
      expect(await rowsOf('DESCRIBE anew')).toMatchObject([{ column_type: type }, { column_name: type }])
      await lab.warehouse.drop('anew')
    }
  })
})

describe('a folder that goes and comes back', () => {
  const ends: [how: string, end: (stream: AsyncIterator<unknown[]>, stop: AbortController) => Promise<unknown>][] = [
    ['read to its end', async (rows) => await readAll(rows)],
    ['abandoned', async () => {}],
    [
      'cancelled',
      async (rows, stop) => {
        stop.abort()
        await readAll(rows)
      },
    ],
  ]
  async function readAll(rows: AsyncIterator<unknown[]>): Promise<void> {
    while (!(await rows.next()).done);
  }

  test.each(ends)('under a query that is then %s', async (_how, end) => {
    const name = `swapped${++places}`
    const dir = `${lab.dir}/${name}`
    // The same size, so that only the bounds in the footers tell one from the other.
    const options = 'FORMAT parquet, COMPRESSION uncompressed'
    for (let f = 0; f < 3; f++) {
      await lab.write('SELECT i AS k FROM range(300000) t(i)', `${name}/now/${f}.parquet`, options)
      await lab.write('SELECT i + 500000 AS k FROM range(300000) t(i)', `${name}-other/${f}.parquet`, options)
    }
    const warehouse = await lab.open({})
    await warehouse.register(name, dir, keys)
    // Stamps that are young would make any change a new version.
    await sleep(50)
    const stop = new AbortController()
    const stream = await warehouse.stream(`SELECT k FROM ${name}`, { signal: stop.signal })
    renameSync(`${dir}/now`, `${dir}-old`)
    renameSync(`${dir}-other`, `${dir}/now`)
    const rows = stream.batches[Symbol.asyncIterator]()
    let read = 0
    while (read < 800_000) {
      const { value } = await rows.next()
      read += value!.length
    }
    await end(rows, stop).catch(() => undefined)
    await stream[Symbol.asyncDispose]()
    renameSync(`${dir}/now`, `${dir}-other`)
    renameSync(`${dir}-old`, `${dir}/now`)
    expect(await rowsOf(`SELECT count(*)::INT AS n FROM ${name} WHERE k < 1000`, warehouse)).toEqual([{ n: 3000 }])
    await warehouse.close()
  })

  test('an answer without rows is held against its files as well', async () => {
    const path = await lab.write('SELECT 1 AS k')
    const file: DataFile = {
      path,
      rows: 1,
      sizeBytes: 1,
      specId: 0,
      partition: [],
      columns: new Map(),
      sorted: false,
      foreign: { version: 'another', layout: [] },
    }
    async function* nothing(): AsyncGenerator<never> {}
    expect(await failure(() => batchesUnchanged([file], {}, nothing()))).toMatchObject({ code: 'FOLDER_CHANGED' })
  })
})

describe('nothing piles up', () => {
  const descriptors = () => readdirSync('/proc/self/fd').length
  const residentMb = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) / 1024

  test('over many queries of many tables', { timeout: tortureTimeout(60_000) }, async () => {
    const warehouse = await lab.open({})
    const tables = 50
    for (let t = 0; t < tables; t++)
      await folderOf(`pile${t}`, `SELECT ${t} AS k, 'x' AS s`, t % 7 === 0 ? 18 : 2, warehouse)
    const one = async (k: number) => {
      const t = k % tables
      const files = t % 7 === 0 ? 18 : 2
      if (k % 11 === 3) return void (await failure(() => rowsOf(`SELECT error('no ${k}') FROM pile${t}`, warehouse)))
      if (k % 13 === 5) {
        const stream = await warehouse.stream(`SELECT k FROM pile${t}, range(100000)`)
        await stream.batches[Symbol.asyncIterator]().next()
        return await stream[Symbol.asyncDispose]()
      }
      const join = k % 5 === 0 ? `, pile${(t + 1) % tables} o` : ''
      const found = await rowsOf(
        `SELECT count(DISTINCT p.k)::INT AS n, sum(p.k + ${k})::INT - ${k} * count(*)::INT AS s, count(*)::INT AS c FROM pile${t} p${join}`,
        warehouse,
      )
      const times = join === '' ? 1 : ((t + 1) % tables) % 7 === 0 ? 18 : 2
      expect(found).toEqual([{ n: 1, s: t * files * times, c: files * times }])
    }
    const some = async (from: number, many: number) => {
      for (let k = from; k < from + many; k += 4) await Promise.all([0, 1, 2, 3].map((j) => one(k + j)))
    }
    const many = runs(240, 6000)
    await some(0, many)
    const before = { descriptors: descriptors(), mb: residentMb() }
    await some(many, many)
    const after = { descriptors: descriptors(), mb: residentMb() }
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 8)
    expect(after.mb, `from ${before.mb} MB`).toBeLessThan(before.mb + 250)
    await warehouse.close()
  })

  test('a session has no more views than its last query', async () => {
    const settings = readSettings({ SKEP_THREADS: '1' })
    const engine = await Engine.open({ settings, spillPath: `${lab.dir}/spill`, roots: [lab.dir] })
    const session = await engine.session()
    const path = await lab.write('SELECT 1 AS k')
    const spec = { name: 't', kind: 'registered' as const, keys: {}, columns: [{ id: 1, name: 'k', type: 'INTEGER' }] }
    const table = readTable(
      { ...spec, layouts: [[{ name: 'k', type: 'INTEGER' }]] },
      [{ path, rows: 1, bytes: 1, layout: 0 }],
      lab.root,
    )
    const views = async () =>
      (
        await session.rows<{ view_name: string }>('SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1')
      ).map(({ view_name }) => view_name)
    for (let k = 0; k < 100; k++) {
      const names = [`v${k}`, `v${k + 1}`, `w "${k % 3}`]
      await session.show(names.map((name) => ({ name, table, files: table.snapshot.files })))
      expect(await views()).toEqual(names.toSorted())
    }
    const long = Array.from({ length: SETTINGS.plannedFiles.default + 1 }, () => table.snapshot.files[0]!)
    for (const files of [long, table.snapshot.files, long]) {
      await session.show([{ name: 'v', table, files }])
      session.begin()
      expect(await session.rows('SELECT count(*)::INT AS n FROM v')).toEqual([{ n: files.length }])
      expect(await session.reset()).toBe(true)
      expect(await views()).toEqual(['v'])
    }
    await session.show([])
    expect(await views()).toEqual([])
    session.close()
    await engine[Symbol.asyncDispose]()
  })

  test.each([
    ['answers', `SELECT 1 AS a`],
    ['a failure while it ran', `SELECT CASE WHEN i = 99999 THEN error('no') END AS a FROM range(100000) t(i)`],
  ])('when a warehouse is closed its engines have ended, after %s', async (_, sql) => {
    const threads = () => readdirSync('/proc/self/task').length
    const counts: [open: number, closed: number][] = []
    for (let round = 0; round < 3; round++) {
      const warehouse = await lab.open({})
      await Promise.allSettled([0, 1, 2].map((k) => rowsOf(`FROM (${sql}) WHERE a > ${k} OR a IS NULL`, warehouse)))
      const open = threads()
      await warehouse.close()
      counts.push([open, threads()])
    }
    const [, [open, closed]] = counts as [unknown, [number, number]]
    expect(closed).toBeLessThan(open)
  })
})

describe('what is no file', () => {
  const SOON_MS = 5000
  const soon = async <T>(work: Promise<T>): Promise<T | 'late'> => {
    const late = new AbortController()
    const result = await Promise.race([work, sleep(SOON_MS, 'late' as const, { signal: late.signal })])
    late.abort()
    return result
  }
  const outcomeOf = async (work: Promise<unknown>) =>
    await work.then(
      (value) => JSON.stringify(value),
      (error: { code?: string }) => error.code ?? String(error),
    )
  const NO_FILE = /^(FILE_INVALID|STORE_UNAVAILABLE)$/
  const disguises: [what: string, make: (path: string) => void][] = [
    ['a FIFO', (path) => void execFileSync('mkfifo', [path])],
    ['a folder', (path) => mkdirSync(path)],
    ['a link to a device', (path) => symlinkSync('/dev/zero', path)],
    ['a link to nothing', (path) => symlinkSync('/nowhere/at/all', path)],
    ['a link to itself', (path) => symlinkSync(path, path)],
  ]

  test.each(disguises)('%s in the place of a file of a folder', async (_what, make) => {
    const name = `odd${++places}`
    const dir = await folderOf(name, 'SELECT 1 AS k', 3)
    expect(await rowsOf(`SELECT count(*)::INT AS n FROM ${name}`)).toEqual([{ n: 3 }])
    rmSync(`${dir}/1.parquet`)
    make(`${dir}/1.parquet`)
    expect(await soon(outcomeOf(rowsOf(`SELECT count(*)::INT AS n FROM ${name}`)))).toBe('[{"n":2}]')
    expect(
      await soon(outcomeOf(lab.warehouse.query(name, { query: { conditions: [{ filter: ['k', '==', 1] }] } }))),
    ).toMatch(/"matchingGroupRows":2/)
    expect(await soon(outcomeOf(lab.warehouse.column(name, 'k')))).toMatch(/"rows":2/)
  })

  test.each(disguises)('%s in the place of a file of a managed table', async (_what, make) => {
    const warehouse: Warehouse = await lab.open({})
    const name = `held${++places}`
    await warehouse.import(name, [await lab.write('SELECT i AS k FROM range(100) t(i)')], keys)
    const { dataFiles } = await warehouse.describe(name, { files: true })
    const { path } = dataFiles![0]!
    rmSync(path)
    make(path)
    expect(await soon(outcomeOf(rowsOf(`FROM ${name}`, warehouse)))).toMatch(NO_FILE)
    const asked = warehouse.query(name, { query: { conditions: [{ filter: ['k', '==', 1] }] } })
    expect(await soon(outcomeOf(asked))).toMatch(NO_FILE)
    expect(await soon(outcomeOf(warehouse.verify(name)))).toMatch(/it is missing|^STORE_UNAVAILABLE$/)
    await warehouse.close()
  })

  test.each(disguises)('%s in the place of any file of the catalog', { timeout: 120_000 }, async (_what, make) => {
    const name = `listed${++places}`
    await lab.warehouse.import(name, [await lab.write('SELECT i AS k FROM range(10) t(i)')], keys)
    const before = readdirSync(lab.root, { recursive: true, withFileTypes: true })
    const own = before
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('/.tmp') && !entry.name.endsWith('.parquet'))
      .map((entry) => `${entry.parentPath}/${entry.name}`)
      .filter((path) => path.includes(name) || readFileSync(path, 'latin1').includes(name))
    expect(own.length).toBeGreaterThan(1)
    for (const path of own) {
      renameSync(path, `${lab.dir}/aside`)
      make(path)
      const warehouse = await lab.open({})
      const outcome = await soon(outcomeOf(rowsOf(`SELECT count(*)::INT AS n FROM ${name}`, warehouse)))
      expect(outcome, path).toMatch(/^([A-Z]+(_[A-Z]+)+|\[\{"n":10\}\])$/)
      expect(outcome, path).not.toBe('INTERNAL')
      expect(await soon(outcomeOf(warehouse.tables())), path).not.toBe('late')
      await warehouse.close()
      rmSync(path, { recursive: true, force: true })
      renameSync(`${lab.dir}/aside`, path)
    }
    expect(existsSync(`${lab.dir}/aside`)).toBe(false)
    expect(await rowsOf(`SELECT count(*)::INT AS n FROM ${name}`)).toEqual([{ n: 10 }])
  })
})
