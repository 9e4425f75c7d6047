/** Rows between tasks: every type of the engine, limits, order, parts, failures; and the exchange on disk. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quoteIdentifier } from '../../src/common/data-type.ts'
import type { Session } from '../../src/engine/engine.ts'
import { DiskExchange, EXCHANGE_FOLDER, newQueryName } from '../../src/exchange/disk-exchange.ts'
import type { Rows, RowsColumn } from '../../src/exchange/exchange.ts'
import { partSql } from '../../src/exchange/parts.ts'
import { canTravel } from '../../src/exchange/stored-types.ts'
import type { TakeOptions } from '../../src/exchange/take-rows.ts'
import { viewRows } from '../../src/exchange/view-rows.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { livenessOfName, nameOfProcess, systemProcesses } from '../../src/storage/processes.ts'
import { Warehouse } from '../../src/warehouse.ts'
import { ALL_AS_OBJECTS, columnsOf, differenceOf, type ExchangeLab, openExchangeLab } from './exchange-lab.ts'
import { failure } from './import-lab.ts'

let lab: ExchangeLab

beforeAll(async () => {
  lab = await openExchangeLab()
})

afterAll(() => lab[Symbol.asyncDispose]())

const objects: Partial<TakeOptions> = { settings: ALL_AS_OBJECTS }
const CARRIERS: Record<string, Partial<TakeOptions>> = { inline: {}, 'inline, few': { few: true }, objects }

async function pass(sql: string, options: Partial<TakeOptions> = {}): Promise<{ rows: Rows; columns: RowsColumn[] }> {
  const columns = await columnsOf(lab.from, sql)
  const rows = await lab.take(sql, columns, options)
  await viewRows(lab.to, 'v', [rows], { exchange: lab.exchange, columns })
  return { rows, columns }
}

/** What is wrong with rows after their way; undefined when nothing is. */
async function wrong(sql: string, options?: Partial<TakeOptions>, ordered = true): Promise<string | undefined> {
  await pass(sql, options)
  return await differenceOf(lab.to, 'v', sql, { ordered })
}

/** The names of the parts of a relation of integers `a`, as both sides see them. */
async function partsOf(session: Session, from: string): Promise<string> {
  return JSON.stringify(
    await session.rows(`SELECT a::VARCHAR AS a, ${partSql(['a'], 16)} AS p FROM ${from} ORDER BY a`),
  )
}

/** A text of 300,000 bytes: the guards of the fence keep single functions from making one. */
const LONG = `(SELECT string_agg(repeat('é', 500), '') FROM range(300))`

describe('types', () => {
  test.each(Object.entries(CARRIERS))('all of the engine, %s', async (_, options) => {
    const columns = await columnsOf(lab.from, 'FROM test_all_types()')
    expect(columns.length).toBeGreaterThan(50)
    for (const { name } of columns) {
      expect(await wrong(`SELECT ${quoteIdentifier(name)} FROM test_all_types()`, options), name).toBeUndefined()
    }
    expect(await wrong('FROM test_all_types()', options)).toBeUndefined()
  })

  test('are all either carried or refused', async () => {
    const found = await lab.from.rows<{ t: string }>(
      'SELECT DISTINCT logical_type AS t FROM duckdb_types() WHERE internal',
    )
    const parameters: Record<string, string> = {
      ARRAY: 'INTEGER[2]',
      LIST: 'INTEGER[]',
      MAP: 'MAP(INTEGER, VARCHAR)',
      STRUCT: 'STRUCT(a INTEGER)',
      UNION: 'UNION(a INTEGER)',
      ENUM: "ENUM('a')",
      NULL: '"NULL"',
    }
    const refused = found.map(({ t }) => t).filter((type) => !canTravel(parameters[type] ?? type))
    expect(refused.sort()).toEqual(['TYPE', 'VARIANT'])
  })

  test.each(['{a: 1}::VARIANT', '[{a: 1}::VARIANT]', '{b: 1::VARIANT}'])('refused: %s', async (value) => {
    const { code, details } = await failure(() => pass(`SELECT ${value} AS v`))
    expect({ code, details }).toMatchObject({ code: 'COLUMN_TYPE_UNSUPPORTED', details: { column: 'v' } })
  })

  test.each(Object.entries(CARRIERS))('another one than planned, %s', async (_, options) => {
    const columns = [{ name: 'a', type: 'DOUBLE' }]
    for (const run of [{}, { userSql: true }]) {
      const { code, message } = await failure(() => lab.take('SELECT 1 AS a', columns, { ...options, run }))
      expect({ code, message }).toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('planned') })
    }
  })

  test('may be written with all names in quotes', async () => {
    const columns = [{ name: 'a', type: 'STRUCT("b" BIGINT, "c" VARCHAR)[]' }]
    for (const options of Object.values(CARRIERS)) {
      const rows = await lab.take(`SELECT [{'b': 1::BIGINT, 'c': 'x'}] AS a`, columns, options)
      expect(rows.count).toBe(1)
    }
  })

  test('another one than the view has', async () => {
    const rows = await lab.take('SELECT 1 AS a', [{ name: 'a', type: 'INTEGER' }])
    const columns = [{ name: 'a', type: 'DOUBLE' }]
    await expect(viewRows(lab.to, 'v', [rows], { exchange: lab.exchange, columns })).rejects.toThrow('other columns')
  })

  test.each(Object.entries(CARRIERS))('NULL alone has the type that it was planned with, %s', async (_, options) => {
    expect(await wrong(`SELECT NULL AS a, [] AS b, {'x': NULL} AS c, map() AS d`, options)).toBeUndefined()
  })

  test.each(Object.entries(CARRIERS))('names may be anything, %s', async (_, options) => {
    const names = ['c1', 'c0', 'size', 'part', 'stretch', ' ', 'q"q', "it's", '__proto__', 'SELECT', '😀', '0', 'a.b']
    const columns = names.map((name, k) => `'v${k}' AS ${quoteIdentifier(name)}`)
    expect(await wrong(`SELECT ${columns.join(', ')}`, options)).toBeUndefined()
  })

  test('zeros of either sign beside each other', async () => {
    const sql = `SELECT CASE WHEN range % 2 = 0 THEN 0.0 ELSE -0.0::DOUBLE END AS a, [a::FLOAT] AS b FROM range(100)`
    for (const options of Object.values(CARRIERS)) expect(await wrong(sql, options)).toBeUndefined()
  })

  test('texts with NUL, and long ones', async () => {
    const sql = `SELECT 'a' || chr(0) AS a, ${LONG} AS b`
    for (const options of Object.values(CARRIERS)) expect(await wrong(sql, options)).toBeUndefined()
  })
})

describe('rows', () => {
  const numbers = (count: number) => `SELECT range AS a, 'x' || range AS b FROM range(${count})`

  test('are inline up to a number, then objects', async () => {
    for (const few of [false, true]) {
      expect((await pass(numbers(2000), { few })).rows).toMatchObject({ count: 2000, inline: [{ length: 2000 }, {}] })
      const { rows } = await pass(numbers(2001), { few })
      expect(rows).toMatchObject({ count: 2001, objects: [{ rows: 2001 }] })
      expect(rows.objects![0]!.bytes).toBe(statSync(join(lab.exchange.folder, rows.objects![0]!.name)).size)
      expect(await differenceOf(lab.to, 'v', numbers(2001))).toBeUndefined()
    }
  })

  test.each([
    ['one text', `SELECT ${LONG} AS a`],
    ['texts', `SELECT repeat('x', 300) AS a FROM range(1000)`],
    ['texts in lists', `SELECT list_transform(range(1000), lambda x: repeat('x', 300)) AS a`],
    ['a long list', 'SELECT list(range) AS a FROM range(100000)'],
    ['texts in structs', `SELECT {'a': {'b': ${LONG}}} AS a`],
    ['maps', `SELECT map([1], [${LONG}]) AS a`],
    ['keys of maps', `SELECT map([${LONG}], [1]) AS a`],
    ['unions', `SELECT union_value(a := ${LONG}) AS a`],
    ['many columns', `SELECT ${Array.from({ length: 20 }, (_, k) => `range AS a${k}`).join(', ')} FROM range(2000)`],
  ])('are inline up to a size: %s', async (_, sql) => {
    for (const few of [false, true]) {
      expect((await pass(sql, { few })).rows.objects).toHaveLength(1)
      expect(await differenceOf(lab.to, 'v', sql)).toBeUndefined()
    }
  })

  test('are as large as a message may be', async () => {
    const sql = `SELECT range / 7.0::DOUBLE AS a, 'x' || range AS b, [range, NULL] AS c FROM range(2000)`
    const { rows } = await pass(sql)
    expect(rows.inline).toBeDefined()
    expect(JSON.stringify(rows).length).toBeLessThan(2 * 256 * 1024)
  })

  test('of none keep their types', async () => {
    const sql = `SELECT * FROM (FROM test_all_types()) WHERE false`
    for (const options of Object.values(CARRIERS)) {
      const { rows } = await pass(sql, options)
      expect({ count: rows.count, few: rows.inline?.[0] }).toEqual({ count: 0, few: [] })
      expect(await differenceOf(lab.to, 'v', sql)).toBeUndefined()
    }
    const columns = await columnsOf(lab.from, sql)
    await viewRows(lab.to, 'v', [], { exchange: lab.exchange, columns })
    expect(await differenceOf(lab.to, 'v', sql)).toBeUndefined()
  })

  test('keep their order, also where the ways alternate', async () => {
    const sorted = 'SELECT range AS a FROM range(400000) ORDER BY hash(range)'
    expect(await wrong(sorted)).toBeUndefined()
    for (const options of Object.values(CARRIERS)) {
      expect(await wrong('SELECT range AS a FROM range(1500) ORDER BY hash(range)', options)).toBeUndefined()
    }
    const columns = await columnsOf(lab.from, sorted)
    const all: Rows[] = []
    for (let k = 0; k < 40; k++) {
      const some = `SELECT range AS a FROM range(${k * 10}, ${k * 10 + 10}) ORDER BY a DESC`
      all.push(await lab.take(some, columns, k % 3 === 0 ? objects : {}))
    }
    await viewRows(lab.to, 'v', all, { exchange: lab.exchange, columns })
    const wanted = 'SELECT range AS a FROM range(400) ORDER BY range // 10, range DESC'
    expect(await differenceOf(lab.to, 'v', wanted)).toBeUndefined()
  })

  test('may be taken in a transaction', async () => {
    for (const options of [...Object.values(CARRIERS), { cut: { by: ['a'], parts: 100, when: 'always' as const } }]) {
      await lab.from.run('BEGIN TRANSACTION')
      expect(await wrong(numbers(30), options, false)).toBeUndefined()
      expect(await wrong(numbers(3000), options, false)).toBeUndefined()
      await lab.from.run('COMMIT')
    }
  })

  test('may be of a query with parameters', async () => {
    const columns = [{ name: 'a', type: 'BIGINT' }]
    const params = { n: 3n, m: 1n }
    for (const options of Object.values(CARRIERS)) {
      const rows = await lab.take('SELECT range + $m AS a FROM range($n)', columns, { ...options, run: { params } })
      await viewRows(lab.to, 'v', [rows], { exchange: lab.exchange, columns })
      expect(await differenceOf(lab.to, 'v', 'SELECT range AS a FROM range(1, 4)')).toBeUndefined()
    }
  })

  test('cost as many calls as they must', async () => {
    let calls = 0
    const counting = (session: Session) =>
      new Proxy(session, {
        get(target, property) {
          const value = Reflect.get(target, property, target)
          if (typeof value !== 'function') return value
          if (property === 'run' || property === 'stream') calls++
          return value.bind(target)
        },
      })
    const count = async (work: () => Promise<unknown>) => {
      calls = 0
      await work()
      return calls
    }
    const columns = await columnsOf(lab.from, numbers(3))
    const { from, to, exchange } = lab
    const { takeRows } = await import('../../src/exchange/take-rows.ts')
    const options = {
      exchange,
      settings: { inlineRows: 2000, inlineBytes: 10000, exchangeParts: 64 },
      name: 'x',
      columns,
    }
    const take = (attempt: string, more: Partial<TakeOptions>) =>
      count(() => takeRows(counting(from), numbers(3), { ...options, attempt, ...more }))
    expect(await take('c1', {})).toBe(2)
    expect(await take('c2', { few: true })).toBe(1)
    expect(await take('c3', { cut: { by: ['a'], parts: 4, when: 'always' } })).toBe(1)
    expect(await take('c4', objects)).toBe(3)
    const rows = await lab.take(numbers(3), columns)
    const files = await lab.take(numbers(3), columns, objects)
    expect(await count(() => viewRows(counting(to), 'v', Array(500).fill(rows), { exchange, columns }))).toBe(1)
    expect(await count(() => viewRows(counting(to), 'v', [files, files], { exchange, columns }))).toBe(1)
  })
})

describe('parts', () => {
  const sql = `SELECT range % 1000 AS a, range AS b FROM range(5000)`
  const cutTo = (parts: number, when: 'always' | 'large' = 'always') => ({ by: ['a'], parts, when })

  test('few rows stay whole unless they must not', async () => {
    expect((await pass('SELECT 1 AS a', { cut: cutTo(4, 'large') })).rows.inline).toEqual([[1]])
    expect((await pass('SELECT 1 AS a', { cut: cutTo(4) })).rows.objects).toHaveLength(1)
    expect((await pass('SELECT 1 AS a WHERE false', { cut: cutTo(4) })).rows).toMatchObject({ count: 0, objects: [] })
    expect((await pass(sql, { cut: cutTo(4, 'large') })).rows.objects!.map(({ part }) => part)).toEqual([0, 1, 2, 3])
  })

  test('each is one object, however many there are', async () => {
    for (const parts of [1, 7, 64, 65, 200]) {
      const { rows } = await pass(sql, { cut: cutTo(parts) })
      const numbers = rows.objects!.map(({ part }) => part!)
      expect(new Set(numbers).size).toBe(numbers.length)
      const [{ n }] = (await lab.from.rows<{ n: bigint }>(
        `SELECT count(DISTINCT ${partSql(['a'], parts)}) AS n FROM (${sql})`,
      )) as [{ n: bigint }]
      expect(numbers.length).toBe(Number(n))
      expect(rows.count).toBe(5000)
      expect(await differenceOf(lab.to, 'v', sql, { ordered: false })).toBeUndefined()
      expect(await partsOf(lab.to, 'v')).toBe(await partsOf(lab.from, `(${sql})`))
    }
  })

  test('of keys that are equal are the same', async () => {
    const keys: Record<string, string[]> = {
      DOUBLE: ['0.0', '-0.0', 'nan', '-nan'],
      FLOAT: ['0.0', '-0.0', 'nan', '-nan'],
      INTERVAL: ['1 month', '30 days', '720 hours'],
      'DOUBLE[]': ['[0.0, nan]', '[-0.0, -nan]'],
      'STRUCT(a INTERVAL)': ['{a: 1 month}', '{a: 30 days}'],
      'MAP(INTEGER, DOUBLE)': ['{1=0.0}', '{1=-0.0}'],
      VARCHAR: ['NULL'],
    }
    for (const [type, texts] of Object.entries(keys)) {
      const rows = texts.map((text) => `SELECT CAST('${text}' AS ${type}) AS a, NULL::${type} AS n`)
      const source = `(${[...rows, ...rows].join(' UNION ALL ')})`
      const parts = (key: string) => `count(DISTINCT ${partSql([key], 1_000_003)})::INTEGER`
      const [found] = await lab.from.rows(
        `SELECT count(DISTINCT a)::INTEGER AS keys, ${parts('a')} AS parts, ${parts('n')} AS nulls FROM ${source}`,
      )
      const distinct = Number((found as { keys: number }).keys)
      expect(found, type).toEqual({ keys: distinct, parts: distinct, nulls: 1 })
    }
  })

  test('leave the bits alone by which the engine tells keys apart', async () => {
    const [{ n }] = (await lab.from.rows<{ n: number }>(
      `SELECT count(DISTINCT hash(a) & 15)::INTEGER AS n FROM range(10000) t(a) WHERE ${partSql(['a'], 16)} = 3`,
    )) as [{ n: number }]
    expect(n).toBe(16)
  })

  test('of what was not cut are found by the view', async () => {
    const columns = await columnsOf(lab.from, sql)
    const rows = await lab.take(sql, columns, objects)
    const part = { ...cutTo(4), number: 2 }
    await viewRows(lab.to, 'v', [rows], { exchange: lab.exchange, columns, part })
    const wanted = `SELECT * FROM (${sql}) WHERE ${partSql(['a'], 4)} = 2`
    expect(await differenceOf(lab.to, 'v', wanted, { ordered: false })).toBeUndefined()
  })
})

describe('failures', () => {
  const WAYS: Record<string, Partial<TakeOptions>> = {
    ...CARRIERS,
    cut: { cut: { by: ['a'], parts: 3, when: 'always' } },
    'cut late': { cut: { by: ['a'], parts: 100, when: 'always' } },
  }
  const columns = [{ name: 'a', type: 'BIGINT' }]

  test.each(Object.entries(WAYS))('in the middle of a query are its error, %s', async (_, options) => {
    const sql = `SELECT CASE WHEN range = 150000 THEN error('at last') ELSE range END AS a FROM range(200000)`
    const run = { userSql: true }
    const { message, code } = await failure(() => lab.take(sql, columns, { ...options, run }))
    expect(message).toContain('at last')
    expect(code).toBe('SQL_INVALID')
    expect(await wrong('SELECT 1 AS a', options, false)).toBeUndefined()
  })

  test.each(Object.entries(WAYS))('a call that is cancelled ends, %s', async (_, options) => {
    const sql =
      'SELECT sum(a.range * b.range % 7)::BIGINT AS a FROM range(10000000) a, range(100000) b GROUP BY a.range'
    const started = performance.now()
    const run = { signal: AbortSignal.any([AbortSignal.timeout(200)]), timeoutMs: 200 }
    const { code } = await failure(() => lab.take(sql, columns, { ...options, run }))
    expect(code).toBe('QUERY_TIMEOUT')
    expect(performance.now() - started).toBeLessThan(5000)
    expect(await wrong('SELECT 1 AS a', options, false)).toBeUndefined()
  })
})

const newExchange = () => new DiskExchange(lab.root, newQueryName())

describe('the exchange on disk', () => {
  test('has a folder from its first object to its end', async () => {
    const exchange = newExchange()
    expect(exchange.folder.startsWith(`${lab.root}/${EXCHANGE_FOLDER}/`)).toBe(true)
    expect(existsSync(exchange.folder)).toBe(false)
    await exchange.remove()
    const path = await exchange.place('a1/x.parquet')
    writeFileSync(path, 'x')
    await exchange.keep('a1/x.parquet')
    expect(await exchange.fetch(['a1/x.parquet'])).toEqual([path])
    expect(livenessOfName(basename(exchange.folder), systemProcesses())).toBe('alive')
    await exchange.remove()
    expect(existsSync(exchange.folder)).toBe(false)
  })

  test('lets no name leave it', async () => {
    const exchange = newExchange()
    for (const name of ['', '..', '../x', 'a/../../x', '/etc/passwd', 'a//b', './a', 'a\0b', 'a\\b']) {
      for (const call of [() => exchange.place(name), () => exchange.keep(name), () => exchange.fetch([name])]) {
        expect((await failure(call)).code, JSON.stringify(name)).toBe('ARGUMENT_INVALID')
      }
    }
    expect(existsSync(exchange.folder)).toBe(false)
  })

  test('is no object of the warehouse', async () => {
    const exchange = newExchange()
    writeFileSync(await exchange.place('a1/x.parquet'), 'x')
    const store = new DiskStore(lab.root)
    expect((await store.list('')).objects.filter(({ path }) => path.includes(EXCHANGE_FOLDER))).toEqual([])
    await using warehouse = await Warehouse.open(lab.root)
    expect(await warehouse.tables()).toEqual([])
    await exchange.remove()
  })
})

describe('vacuum', () => {
  test('removes what a killed process left, and nothing of the living', async () => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('../faults/exchange-child.ts', import.meta.url)), lab.root],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const folder = line.toString().trim()
    await using warehouse = await Warehouse.open(lab.root)
    const own = newExchange()
    writeFileSync(await own.place('a1/x.parquet'), 'x')

    expect((await warehouse.vacuum(undefined, { olderThan: 0 })).temporary).toEqual({ files: 0, bytes: 0 })
    expect(existsSync(folder)).toBe(true)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    const bytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
    expect(files).toHaveLength(3)
    const planned = await warehouse.vacuum(undefined, { dryRun: true })
    expect(planned.temporary).toEqual({ files: 3, bytes })
    expect(existsSync(folder)).toBe(true)
    const done = await warehouse.vacuum()
    expect({ temporary: done.temporary, total: done.total }).toEqual({
      temporary: planned.temporary,
      total: planned.total,
    })
    expect(existsSync(folder)).toBe(false)
    expect(existsSync(own.folder)).toBe(true)
    await own.remove()
  })

  test('goes by age where it knows nothing of the process', async () => {
    const elsewhere = nameOfProcess({ ...systemProcesses().self, host: 'elsewhere' })
    const folders = ['young', 'old'].map((name) => join(lab.root, EXCHANGE_FOLDER, `${elsewhere}-${name}`))
    for (const folder of folders) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'x'), 'x')
    }
    const then = new Date(Date.now() - 8 * 86_400_000)
    for (const path of [join(folders[1]!, 'x'), folders[1]!]) utimesSync(path, then, then)
    await using warehouse = await Warehouse.open(lab.root)
    expect((await warehouse.vacuum()).temporary).toEqual({ files: 1, bytes: 1 })
    expect(folders.map((folder) => existsSync(folder))).toEqual([true, false])
  })
})
