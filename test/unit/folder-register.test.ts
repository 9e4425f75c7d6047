import { mkdtempSync } from 'node:fs'
import { copyFile, cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { tableOfRegistration } from '../../src/catalog/folder/folder-table.ts'
import { currentRegistration } from '../../src/catalog/folder/folders.ts'
import { type InspectOptions, inspectFolder } from '../../src/catalog/folder/register.ts'
import type { Registration } from '../../src/catalog/folder/registration.ts'
import { decodeRegistration, encodeRegistration } from '../../src/catalog/folder/registration-json.ts'
import type { TableKeys, Validation } from '../../src/catalog/types.ts'
import { printType } from '../../src/common/data-type.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { leaf, parquetFile } from './folder-parquet.ts'

const base = mkdtempSync(join(tmpdir(), 'skep-register-'))
let folders = 0
let folder: string
let store: DiskStore
let duckdb: DuckDBConnection

beforeAll(async () => {
  duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
})

beforeEach(() => {
  folder = join(base, String(folders++))
  store = new DiskStore(folder)
})

afterAll(async () => {
  duckdb.closeSync()
  await rm(base, { recursive: true })
})

async function write(path: string, select: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await duckdb.run(`COPY (${select}) TO '${join(folder, path)}' (FORMAT parquet)`)
}

function inspect(keys: TableKeys = {}, options: Partial<InspectOptions> = {}) {
  return inspectFolder(store, { table: 't', keys, ...options })
}

async function schemaOf(options: Partial<InspectOptions> = {}): Promise<string[]> {
  return (await inspect({}, options)).columns.map(({ name, type }) => `${name} ${printType(type)}`)
}

describe('files', () => {
  test('are found at any depth, in the order of their paths, with rows and statistics', async () => {
    await write('b/c/2.parquet', 'SELECT 5 AS id, NULL::VARCHAR AS s FROM range(3)')
    await write('a.parquet', "SELECT 7 AS id, 'x' AS s")
    await write('_spark/a.parquet', 'SELECT 1 AS other')
    await writeFile(join(folder, 'readme.md'), 'not Parquet')
    const { files, columns, root, pattern } = await inspect()
    expect({ root, pattern }).toEqual({ root: folder, pattern: '*.parquet' })
    expect(columns.map(({ id, name, required }) => ({ id, name, required }))).toEqual([
      { id: 1, name: 'id', required: false },
      { id: 2, name: 's', required: false },
    ])
    expect(files.map(({ path, rows }) => ({ path, rows }))).toEqual([
      { path: 'a.parquet', rows: 1 },
      { path: 'b/c/2.parquet', rows: 3 },
    ])
    expect(files[0]!.statistics).toMatchObject([
      { values: 1, nulls: 0, lower: 7n, upper: 7n },
      { values: 1, nulls: 0, lower: 'x', upper: 'x' },
    ])
    expect(files[1]!.statistics).toMatchObject([{ lower: 5n }, { values: 3, nulls: 3 }])
  })

  test('are those of the pattern', async () => {
    await write('x/a.pq', 'SELECT 1 AS a')
    await write('y/b.pq', 'SELECT 2 AS b')
    expect(await schemaOf({ pattern: '*.pq' })).toEqual(['a INTEGER', 'b INTEGER'])
    expect(await schemaOf({ pattern: 'y/*.pq' })).toEqual(['b INTEGER'])
  })

  test('none', async () => {
    await expect(inspect()).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', details: { file: folder } })
    await write('a.parquet', 'SELECT 1 AS a')
    await expect(inspect({}, { pattern: '*.csv' })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  })

  test('too many', async () => {
    for (const name of ['a', 'b', 'c']) await write(`${name}.parquet`, 'SELECT 1 AS a')
    await expect(inspect({}, { maxFiles: 2 })).rejects.toMatchObject({ code: 'FILE_LIMIT', details: { limit: 2 } })
    expect((await inspect({}, { maxFiles: 3 })).files).toHaveLength(3)
  })

  test('of several bad ones the first is named', async () => {
    await write('a.parquet', 'SELECT 1 AS a')
    for (const name of ['b', 'c', 'd', 'e'])
      await writeFile(join(folder, `${name}.parquet`), name === 'b' ? '' : 'garbage that is long enough')
    await expect(inspect()).rejects.toMatchObject({ code: 'FILE_INVALID', details: { file: 'b.parquet' } })
  })

  test('progress is told, and a cancelled call ends', async () => {
    await write('a.parquet', 'SELECT 1 AS a')
    await write('b.parquet', 'SELECT 1 AS a')
    const steps: number[][] = []
    await inspect({}, { onProgress: (done, total) => steps.push([done, total]) })
    expect(steps).toEqual([
      [1, 2],
      [2, 2],
    ])
    await expect(inspect({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'CANCELLED' })
  })
})

describe('schemas that differ', () => {
  test('columns are united by name, missing ones are null there', async () => {
    await write('1.parquet', "SELECT 1 AS id, 'x' AS s")
    await write('2.parquet', 'SELECT true AS flag, 2 AS ID')
    await write('3.parquet', 'SELECT 3 AS id')
    const { columns, files, differences } = await inspect()
    expect(columns.map(({ name, type }) => `${name} ${printType(type)}`)).toEqual([
      'id INTEGER',
      's VARCHAR',
      'flag BOOLEAN',
    ])
    expect(files[1]!.statistics).toMatchObject([{ lower: 2n }, { values: 1, nulls: 1 }, { lower: true }])
    expect(differences).toEqual([
      { column: 's', expected: 'VARCHAR', files: ['2.parquet', '3.parquet'], count: 2 },
      { column: 'flag', expected: 'BOOLEAN', files: ['1.parquet', '3.parquet'], count: 2 },
    ])
  })

  test('numbers widen where nothing is lost, and their bounds follow', async () => {
    await write('1.parquet', 'SELECT 1::UINTEGER AS a, 1.5::FLOAT AS b, 1::TINYINT AS c, NULL AS d')
    await write('2.parquet', 'SELECT -1::INTEGER AS a, 3::INTEGER AS b, 1::INTEGER AS c, NULL AS d')
    await write('3.parquet', 'SELECT 1::INTEGER AS a, 2.5::DOUBLE AS b, 1::INTEGER AS c, NULL AS d')
    const { columns, files, differences } = await inspect()
    expect(columns.map(({ type }) => printType(type))).toEqual(['BIGINT', 'DOUBLE', 'INTEGER', 'INTEGER'])
    expect(files.map(({ statistics }) => statistics.at(1)!.lower)).toEqual([1.5, 3, 2.5])
    expect(differences).toContainEqual({
      column: 'c',
      found: 'TINYINT',
      expected: 'INTEGER',
      files: ['1.parquet'],
      count: 1,
    })
    const reader = await duckdb.runAndReadAll(`DESCRIBE FROM read_parquet('${folder}/*.parquet', union_by_name = true)`)
    expect(reader.getRows().map(([, type]) => type)).toEqual(columns.map(({ type }) => printType(type)))
  })

  test.each([
    ['1::BIGINT', '1::DOUBLE', 'BIGINT', 'DOUBLE'],
    ['1::INTEGER', '1::FLOAT', 'INTEGER', 'FLOAT'],
    ["'x'", '1', 'VARCHAR', 'INTEGER'],
    ["DATE '2026-11-20'", "TIMESTAMP '2026-11-20'", 'DATE', 'TIMESTAMP'],
    ['1::DECIMAL(9,2)', '1::DECIMAL(9,3)', 'DECIMAL(9,2)', 'DECIMAL(9,3)'],
    ['[1]', "['x']", 'INTEGER[]', 'VARCHAR[]'],
    ["{'a': 1}", "{'b': 1}", 'STRUCT("a" INTEGER)', 'STRUCT("b" INTEGER)'],
  ])('%s and %s are a contradiction', async (one, other, expected, found) => {
    await write('1.parquet', `SELECT ${one} AS a`)
    await write('2.parquet', `SELECT ${one} AS a`)
    await write('3.parquet', `SELECT ${other} AS a`)
    const details = { table: 't', column: 'a', expected, found, files: ['1.parquet', '3.parquet'] }
    await expect(inspect()).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH', details })
  })

  test('a column that a writer knows only as null takes any type', async () => {
    await write('2.parquet', "SELECT 'x' AS a")
    await writeFile(
      join(folder, '1.parquet'),
      parquetFile([{ 4: 'root', 5: 1 }, leaf({ name: 'a', type: 1, logical: { 11: {} } })]),
    )
    expect(await schemaOf()).toEqual(['a VARCHAR'])
    expect(await schemaOf({ pattern: '1.*' })).toEqual(['a INTEGER'])
    const reader = await duckdb.runAndReadAll(`DESCRIBE FROM read_parquet('${folder}/*.parquet', union_by_name = true)`)
    expect(reader.getRows().map(([, type]) => type)).toEqual(['VARCHAR'])
  })

  test('a column is required when every file requires it', async () => {
    await mkdir(folder, { recursive: true })
    const required = leaf({ name: 'a', type: 1, repetition: 0 })
    const file = parquetFile([{ 4: 'root', 5: 2 }, required, leaf({ name: 'b', type: 1, repetition: 0 })])
    await writeFile(join(folder, '1.parquet'), file)
    await writeFile(join(folder, '2.parquet'), parquetFile([{ 4: 'root', 5: 1 }, required]))
    expect((await inspect()).columns.map(({ name, required }) => [name, required])).toEqual([
      ['a', true],
      ['b', false],
    ])
  })
})

describe('Hive folders', () => {
  test('become columns after those of the files', async () => {
    await write('day=2026-11-20/n=1/a.parquet', 'SELECT 1 AS id')
    await write('day=__HIVE_DEFAULT_PARTITION__/n=2/a.parquet', 'SELECT 2 AS id')
    const { columns, hiveColumns, files } = await inspect()
    expect(columns.map(({ name, type }) => `${name} ${printType(type)}`)).toEqual([
      'id INTEGER',
      'day VARCHAR',
      'n BIGINT',
    ])
    expect(hiveColumns).toEqual(['day', 'n'])
    expect(files.map(({ partition }) => partition)).toEqual([
      ['2026-11-20', 1n],
      [null, 2n],
    ])
    expect([1, 2].map((k) => files[0]!.statistics.at(k))).toEqual([undefined, undefined])
  })

  test('replace a column of the files, as in DuckDB', async () => {
    await write('N=7/a.parquet', "SELECT 1 AS id, 'from the file' AS n, true AS x")
    const { hiveColumns, files } = await inspect()
    expect(await schemaOf()).toEqual(['id INTEGER', 'n BIGINT', 'x BOOLEAN'])
    expect({ hiveColumns, partition: files[0]!.partition }).toEqual({ hiveColumns: ['n'], partition: [7n] })
    expect(files[0]!.statistics.at(1)).toBeUndefined()
    const reader = await duckdb.runAndReadAll(`FROM read_parquet('${folder}/**/*.parquet', hive_partitioning = true)`)
    expect(reader.getRows()).toEqual([[1, 7n, true]])
  })

  test('that differ are refused', async () => {
    await write('a.parquet', 'SELECT 1 AS id')
    await write('n=7/a.parquet', 'SELECT 1 AS id')
    const details = { files: ['a.parquet', 'n=7/a.parquet'] }
    await expect(inspect()).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH', details })
  })

  test('give the values that DuckDB gives', async () => {
    for (const text of ['Ab', '%41b', 'a b', 'a+b%', 'NULL', '%4EULL', '__HIVE_DEFAULT_PARTITION__', '', '%C3%A9']) {
      await write(`k=${text}/a.parquet`, `SELECT '${text}' AS text`)
    }
    const { files } = await inspect()
    const list = files.map(({ path }) => `'${folder}/${path}'`)
    const reader = await duckdb.runAndReadAll(
      `SELECT k FROM read_parquet([${list}], hive_partitioning = true, hive_types_autocast = false, filename = true) ORDER BY list_position([${list}], filename)`,
    )
    expect(files.map(({ partition }) => partition[0])).toEqual(reader.getRows().map(([value]) => value))
  })
})

describe('keys', () => {
  const event = (actor: string, time = "TIMESTAMP '2026-11-20'") => `SELECT ${actor} AS user_id, ${time} AS ts`

  test('are kept with the spelling of the columns', async () => {
    await write('a.parquet', event('1', '1::BIGINT'))
    const { keys, validation } = await inspect({ actor: 'USER_ID', time: 'ts', timeUnit: 'ms' })
    expect(keys).toEqual({ actor: 'user_id', time: 'ts', timeUnit: 'ms' })
    expect(validation).toEqual({ checkedFiles: 0, needsNullCheck: [] })
  })

  test('that are missing are named, with the nearest', async () => {
    await write('a.parquet', event('1'))
    const details = { table: 't', column: 'userid', nearest: 'user_id' }
    await expect(inspect({ actor: 'userid', time: 'ts' })).rejects.toMatchObject({ code: 'COLUMN_NOT_FOUND', details })
  })

  test.each(['1', '1::UBIGINT', "'x'", 'uuid()', "DATE '2026-11-20'", '1::DECIMAL(20,2)', "'x'::BLOB"])(
    'an actor may be %s',
    async (actor) => {
      await write('a.parquet', event(actor))
      expect((await inspect({ actor: 'user_id', time: 'ts' })).keys.actor).toBe('user_id')
    },
  )

  test.each(['1::FLOAT', '1::DOUBLE', 'true', '[1]', "{'a': 1}", "TIME '08:14:00'", "INTERVAL '1 day'"])(
    'an actor may not be %s',
    async (actor) => {
      await write('a.parquet', event(actor))
      const details = { table: 't', key: 'actor', file: 'a.parquet' }
      await expect(inspect({ actor: 'user_id' })).rejects.toMatchObject({ code: 'KEY_INVALID', details })
    },
  )

  test.each(['1', '1.5::DOUBLE', "DATE '2026-11-20'", "TIMESTAMPTZ '2026-11-20'", "TIMESTAMP_NS '2026-11-20'"])(
    'a time may be %s',
    async (time) => {
      await write('a.parquet', event('1', time))
      expect((await inspect({ actor: 'user_id', time: 'ts' })).keys.time).toBe('ts')
    },
  )

  test.each(["'2026-11-20'", 'true', '1::DECIMAL(9,2)', "TIME '08:14:00'"])('a time may not be %s', async (time) => {
    await write('a.parquet', event('1', time))
    const details = { table: 't', key: 'time', file: 'a.parquet' }
    await expect(inspect({ time: 'ts' })).rejects.toMatchObject({ code: 'KEY_INVALID', details })
  })

  test('a unit is for integer times', async () => {
    await write('a.parquet', event('1'))
    const details = { table: 't', key: 'timeUnit' }
    await expect(inspect({ actor: 'user_id', time: 'ts', timeUnit: 's' })).rejects.toMatchObject({
      code: 'KEY_INVALID',
      details,
    })
    await expect(inspect({ actor: 'user_id', timeUnit: 's' })).rejects.toMatchObject({ code: 'KEY_INVALID', details })
  })

  test('nulls are refused, also those of a file without the column or of a folder', async () => {
    await write('a.parquet', event('1'))
    await write('b.parquet', event('unnest([1, NULL])'))
    await expect(inspect({ actor: 'user_id' })).rejects.toMatchObject({
      code: 'KEY_INVALID',
      details: { key: 'actor', file: 'b.parquet' },
    })
    await write('b.parquet', 'SELECT 1 AS user_id')
    await expect(inspect({ time: 'ts' })).rejects.toMatchObject({
      code: 'KEY_INVALID',
      details: { key: 'time', file: 'b.parquet' },
    })
    await write('b.parquet', 'SELECT 1 AS user_id WHERE false')
    expect((await inspect({ time: 'ts' })).keys).toEqual({ time: 'ts' })
  })

  test('of Hive folders', async () => {
    await write('user=ada/a.parquet', 'SELECT 1 AS ts')
    expect((await inspect({ actor: 'user', time: 'ts', timeUnit: 's' })).validation.needsNullCheck).toEqual([])
    await write('user=__HIVE_DEFAULT_PARTITION__/a.parquet', 'SELECT 1 AS ts')
    await expect(inspect({ actor: 'user' })).rejects.toMatchObject({ code: 'KEY_INVALID' })
  })

  test('nulls that no footer counts are left to the caller', async () => {
    await mkdir(folder, { recursive: true })
    const chunk = { 3: { 1: 1, 5: 2n, 7: 0n, 9: 4n } }
    const file = parquetFile([{ 4: 'root', 5: 1 }, leaf({ name: 'user_id', type: 1 })], [{ 1: [chunk], 3: 2n }], 2n)
    await writeFile(join(folder, 'a.parquet'), file)
    expect((await inspect({ actor: 'user_id' })).validation.needsNullCheck).toEqual(['actor'])
  })
})

describe('the document', () => {
  const rows = `SELECT 1::BIGINT AS i, 'i:x' AS s, 'x'::BLOB AS b, unnest([-'0'::DOUBLE, 'inf'::DOUBLE]) AS f, true AS t,
    DATE '2026-11-20' AS d, 1.5::DECIMAL(38,4) AS n, [1] AS l, {'a "b"': 1} AS o, uuid() AS u, TIMESTAMP_NS '2026-11-20' AS ns`

  test('is plain JSON and is read back as it was', async () => {
    await write('k=1/p=x/a.parquet', rows)
    await write('k=2/p=__HIVE_DEFAULT_PARTITION__/a.parquet', 'SELECT 1 AS i, 2 AS other')
    const registration = await inspect({ actor: 'i' })
    const scattered = { actor: 'x', files: ['k=1/p=x/a.parquet', 'b.parquet'] }
    const validated = {
      ...registration,
      files: registration.files.map((file, k) => ({ ...file, apart: k === 1 })),
      validation: { ...registration.validation, mode: 'all' as const, checkedFiles: 2, scattered },
    }
    const document = encodeRegistration(validated)
    const copy = JSON.parse(JSON.stringify(document))
    expect(copy).toEqual(document)
    const decoded = decodeRegistration(copy, 't.json')
    const plain = ({ files, columns, ...rest }: Registration) => ({
      ...rest,
      columns,
      files: files.map((file) => ({ ...file, statistics: columns.map((_, k) => file.statistics.at(k)) })),
    })
    expect(plain(decoded)).toEqual(plain(validated))
    expect(
      plain(decoded)
        .files.flatMap(({ statistics }) => statistics)
        .filter(Boolean).length,
    ).toBeGreaterThan(10)
    expect(decoded.files[0]!.statistics.at(-1)).toBeUndefined()
  })

  test('is refused when any part of it is damaged', async () => {
    await write('k=1/a.parquet', rows)
    const document = JSON.parse(JSON.stringify(encodeRegistration(await inspect({ actor: 'i' }))))
    type Copy = typeof document
    const signed = ({ checksum: _, ...rest }: Copy): Copy => ({ ...rest, checksum: crc32(JSON.stringify(rest)) })
    expect(signed(document)).toEqual(document)
    const damage: ((copy: Copy) => void)[] = [
      (copy) => {
        copy.version = 1
      },
      (copy) => {
        copy.root = 1
      },
      (copy) => {
        copy.keys.timeUnit = 'h'
      },
      (copy) => {
        copy.columns[0].required = 1
      },
      (copy) => {
        copy.hiveColumns = ['x']
      },
      (copy) => {
        copy.folders.versions.pop()
      },
      (copy) => {
        copy.files.rows[0] = -1
      },
      (copy) => {
        copy.files.layouts[0] = 1
      },
      (copy) => {
        copy.layouts[0][0].type = 1
      },
      (copy) => {
        copy.files.partitions = []
      },
      (copy) => {
        copy.files.partitions[0] = ['i:1.5']
      },
      (copy) => {
        copy.statistics.pop()
      },
      (copy) => {
        copy.validation = null
      },
    ]
    const refused = (copy: Copy, why: string) =>
      expect(() => decodeRegistration(copy, 't.json'), why).toThrow(
        expect.objectContaining({ code: 'TABLE_INVALID', details: { file: 't.json' } }),
      )
    for (const hurt of damage) {
      const copy = structuredClone(document)
      hurt(copy)
      refused(copy, hurt.toString())
      refused(signed(copy), hurt.toString())
    }
    for (const text of ['', '[]', '[1,2,3,4,5]', '[-1,2,0,0,null,null]', '[1,2,0,0,["integers",["x"]],null]']) {
      const copy = structuredClone(document)
      copy.statistics[0] = text
      refused(copy, text)
      const { files } = decodeRegistration(signed(copy), 't.json')
      expect(() => files[0]!.statistics.at(0), text).toThrow(expect.objectContaining({ code: 'TABLE_INVALID' }))
    }
    for (const garbage of [null, undefined, 1, 'x', [], {}]) {
      expect(() => decodeRegistration(garbage, 't.json')).toThrow(expect.objectContaining({ code: 'TABLE_INVALID' }))
    }
  })
})

test('the table: absolute paths, Hive columns as identity partitions, statistics by column id', async () => {
  await write('k=1/a.parquet', "SELECT 5 AS id, [1] AS l, 'x' AS s")
  await write('k=2/a.parquet', 'SELECT 6 AS id')
  const registration = await inspect({ actor: 'id' })
  const table = tableOfRegistration('t', registration)
  expect(table).toMatchObject({
    name: 't',
    kind: 'registered',
    location: folder,
    keys: { actor: 'id' },
    hiveColumns: ['k'],
    actorsTogether: false,
  })
  expect(table.spec.fields).toEqual([{ fieldId: 1000, name: 'k', columnId: 4, transform: { kind: 'identity' } }])
  expect(table.snapshot.files.map(({ path, partition }) => ({ path, partition }))).toEqual([
    { path: join(folder, 'k=1/a.parquet'), partition: [1n] },
    { path: join(folder, 'k=2/a.parquet'), partition: [2n] },
  ])
  expect([...table.snapshot.files[0]!.columns.keys()]).toEqual([1, 3])
  expect(table.snapshot.files[1]!.columns.get(1)).toMatchObject({ lower: 6n })
  const apart = { ...registration, files: registration.files.map((file) => ({ ...file, apart: true })) }
  const table2 = (mode: Validation, root?: string) =>
    tableOfRegistration('t', { ...apart, validation: { ...apart.validation, mode } }, root)
  expect(table2('sample').actorsTogether).toBe(false)
  expect(table2('all').actorsTogether).toBe(true)
  expect(table2('all', '/else/').snapshot.files[0]!.path).toBe('/else/k=1/a.parquet')
})

test('changes of the folder are seen: files added, removed, replaced', async () => {
  for (const name of ['a', 'b', 'c']) await write(`${name}.parquet`, 'SELECT 1 AS id')
  const registration = await inspect()
  const current = () => currentRegistration('t', registration, { maxFiles: 100 })
  expect(await current()).toBe(registration)
  await write('d.parquet', 'SELECT 4 AS id')
  await rm(join(folder, 'a.parquet'))
  await write('b.parquet', 'SELECT 22 AS id')
  await writeFile(join(folder, 'notes.txt'), 'not of the table')
  const { files } = await current()
  expect(files.map(({ path, statistics }) => [path, statistics.at(0)!.lower])).toEqual([
    ['b.parquet', 22n],
    ['c.parquet', 1n],
    ['d.parquet', 4n],
  ])
  expect(files[1]!.statistics).toBe(registration.files[2]!.statistics)
})

test('2,000 files register in seconds', async () => {
  await write(
    '0/0.parquet',
    'SELECT i AS user_id, i AS ts, i::VARCHAR AS s, i * 2 AS a, i * 3 AS b FROM range(100) t(i)',
  )
  for (let i = 1; i < 100; i++) await copyFile(join(folder, '0/0.parquet'), join(folder, `0/${i}.parquet`))
  for (let i = 1; i < 20; i++) await cp(join(folder, '0'), join(folder, String(i)), { recursive: true })
  const started = performance.now()
  const { files } = await inspect({ actor: 'user_id', time: 'ts', timeUnit: 's' })
  expect(files).toHaveLength(2000)
  expect(performance.now() - started).toBeLessThan(10_000)
})
