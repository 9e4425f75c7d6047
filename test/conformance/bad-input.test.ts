import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ErrorCode, SkepError } from '../../src/errors.ts'
import type { ImportOptions } from '../../src/inputs/import.ts'
import { Warehouse } from '../../src/warehouse.ts'
import { failure, filesBelow, type Lab, openLab } from './import-lab.ts'

let lab: Lab
/** A sound file of two columns, `who` and `ts`, and a table `good` of its rows. */
let sound: string
let before: string[]

beforeAll(async () => {
  lab = await openLab()
  sound = await lab.write(`SELECT 'u' || i AS who, i AS ts FROM range(1000) t(i)`)
  await lab.warehouse.import('good', [sound], { actor: 'who', time: 'ts', buckets: 2 })
})

beforeEach(() => {
  before = filesBelow(lab.root)
})

afterEach(() => {
  expect(filesBelow(lab.root)).toEqual(before)
  expect(existsSync(`${lab.root}/.tmp`) ? readdirSync(`${lab.root}/.tmp`) : []).toEqual([])
})

afterAll(async () => {
  await lab.close()
})

const LIMIT_MS = 2000

/** The error of an import, which has to come in time. */
async function refused(files: string[], options: ImportOptions = {}, table = 'good'): Promise<SkepError> {
  const started = performance.now()
  const error = await failure(() => lab.warehouse.import(table, files, options))
  expect(performance.now() - started).toBeLessThan(LIMIT_MS)
  return error
}

describe('files', () => {
  const FILES: [name: string, code: ErrorCode, file: () => string | string[]][] = [
    ['one that is missing', 'FILE_NOT_FOUND', () => `${lab.dir}/missing.parquet`],
    ['a glob that matches nothing', 'FILE_NOT_FOUND', () => `${lab.dir}/missing-*.csv`],
    ['a folder', 'FILE_INVALID', () => lab.dir],
    ['none', 'ARGUMENT_INVALID', () => []],
    ['an empty Parquet file', 'FILE_INVALID', () => lab.text('', 'empty.parquet')],
    ['an empty CSV file', 'FILE_INVALID', () => lab.text('', 'empty.csv')],
    ['an empty NDJSON file', 'FILE_INVALID', () => lab.text('', 'empty.ndjson')],
    ['a name without a format', 'ARGUMENT_INVALID', () => lab.text('x', 'what.foo')],
    ['CSV named Parquet', 'FILE_INVALID', () => lab.text('who,ts\na,1\n', 'csv.parquet')],
    ['CSV named NDJSON', 'ROW_INVALID', () => lab.text('who,ts\na,1\n', 'csv.ndjson')],
    [
      'a picture named CSV',
      'FILE_INVALID',
      () => lab.text(Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), 'p.csv'),
    ],
    ['gzip that is none', 'FILE_INVALID', () => lab.text(Buffer.from([0x1f, 0x8b, 1, 2, 3, 4]), 'bad.csv.gz')],
    ['zstd that is none', 'FILE_INVALID', () => lab.text(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 3, 4]), 'bad.csv.zst')],
    ['two formats at once', 'ARGUMENT_INVALID', () => [sound, lab.text('who,ts\na,1\n', 'fine.csv')]],
    ['one good and one missing', 'FILE_NOT_FOUND', () => [sound, `${lab.dir}/missing.parquet`]],
    [
      'one good and one truncated',
      'FILE_INVALID',
      () => [sound, lab.text(readFileSync(sound).subarray(0, 900), 'cut.parquet')],
    ],
  ]

  test.for(FILES)('%s', async ([, code, file]) => {
    const files = [file()].flat()
    const error = await refused(files)
    expect(error.code, error.message).toBe(code)
    if (files.length === 1 && code.startsWith('FILE')) {
      expect(error.details).toMatchObject({ file: files[0] })
      expect(error.message).toContain(files[0]!.split('/').at(-1))
    }
  })

  test('one that may not be read', async ({ skip }) => {
    if (process.getuid?.() === 0) skip('root may read everything')
    const path = lab.text('who,ts\na,1\n', 'secret.csv')
    execFileSync('chmod', ['000', path])
    expect((await refused([path])).code).toBe('FILE_UNREADABLE')
  })

  test('Parquet cut off anywhere', async () => {
    const bytes = readFileSync(sound)
    for (let k = 0; k < 60; k++) {
      const length = 1 + Math.floor(((bytes.length - 2) * k) / 59)
      const error = await refused(
        [lab.text(bytes.subarray(0, length), 'truncated.parquet')],
        {},
        k % 2 ? 'good' : 'new',
      )
      expect(error.code, `${length} bytes: ${error.message}`).toBe('FILE_INVALID')
    }
  })

  test('Parquet with changed bytes is refused or read, and never a defect of ours', async () => {
    const bytes = readFileSync(sound)
    let state = 20_26
    const random = () => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
      return state
    }
    for (let k = 0; k < 120; k++) {
      const changed = Buffer.from(bytes)
      for (let j = 0; j <= k % 4; j++) {
        const at = k % 2 ? bytes.length - 1 - (random() % 500) : random() % bytes.length
        changed[at] = random() & 255
      }
      const path = lab.text(changed, 'changed.parquet')
      const outcome = await lab.warehouse.import('changed', [path]).then(
        () => lab.warehouse.drop('changed').then(() => 'read'),
        (error: SkepError) => error.code,
      )
      expect(['read', 'FILE_INVALID', 'SCHEMA_MISMATCH', 'ROW_INVALID', 'COLUMN_TYPE_UNSUPPORTED']).toContain(outcome)
    }
    // A dropped table leaves the versions of its name, which are never rewritten.
    before = filesBelow(lab.root)
  })
})

const long = (row: (i: number) => string, bad: string) =>
  `who,ts\n${Array.from({ length: 30_000 }, (_, i) => row(i)).join('\n')}\n${bad}\nz,1\n`

describe('rows', () => {
  const CSV: [name: string, content: string | Uint8Array, line: number][] = [
    ['a quote that is never closed', 'who,ts\na,1\n"b,2\nc,3\n', 3],
    ['text after a closing quote', 'who,ts\n"a"x,1\nb,2\n', 2],
    ['too few values', 'who,ts\na,1\nb\nc,3\n', 3],
    ['too many values', 'who,ts\na,1\nb,2,9\nc,3\n', 3],
    ['no number, late in the file', long((i) => `u,${i}`, 'x,oops'), 30_002],
    ['too few values, late in the file', long((i) => `u,${i}`, 'x'), 30_002],
    ['too many values, late in the file', long((i) => `u,${i}`, 'x,1,2'), 30_002],
    ['no UTF-8', Buffer.from('who,ts\na,1\n\xff\xfe,2\n', 'latin1'), 3],
    [
      'no UTF-8, late in the file',
      Buffer.from(
        long((i) => `u,${i}`, '\xff,1'),
        'latin1',
      ),
      30_002,
    ],
  ]

  test.for(CSV)('CSV with %s', async ([, content, line]) => {
    const path = lab.text(content, 'rows.csv')
    for (const table of ['good', 'new']) {
      const error = await refused([path], {}, table)
      expect(error, error.message).toMatchObject({ code: 'ROW_INVALID', details: { file: path, line } })
      expect(error.message).toContain(`line ${line}`)
      expect((error.details as { reason: string }).reason).not.toBe('')
    }
  })

  const NDJSON: [name: string, content: string | Uint8Array, line: number][] = [
    ['a line that is cut off', '{"who":"a","ts":1}\n{"who":"b","ts":\n{"who":"c","ts":3}\n', 2],
    ['a first line that is no JSON', 'oops\n{"who":"c","ts":3}\n', 1],
    ['a last line that is cut off', '{"who":"a","ts":1}\n{"who":"b"', 2],
    ['no UTF-8', Buffer.from('{"who":"a","ts":1}\n{"who":"\xff","ts":2}\n', 'latin1'), 2],
    ['a key twice', '{"who":"a","ts":1}\n{"who":"a","who":"b","ts":1}\n', 2],
    ['no number, late in the file', `${'{"who":"a","ts":1}\n'.repeat(30_000)}{"who":"a","ts":"x"}\n`, 30_001],
    [
      'a broken line, late in the file',
      `${'{"who":"a","ts":1}\n'.repeat(30_000)}{"who":\n{"who":"a","ts":1}\n`,
      30_001,
    ],
  ]

  test.for(NDJSON)('NDJSON with %s', async ([, content, line]) => {
    const path = lab.text(content, 'rows.ndjson')
    const error = await refused([path])
    expect(error, error.message).toMatchObject({ code: 'ROW_INVALID', details: { file: path, line } })
  })

  test('a type that was chosen and does not fit', async () => {
    const path = lab.text('who,ts\na,1\nb,two\n', 'chosen.csv')
    const error = await refused([path], { types: { ts: 'INTEGER' } }, 'new')
    expect(error).toMatchObject({ code: 'ROW_INVALID', details: { file: path, line: 3 } })
    expect(error.message).toContain('--types ts=VARCHAR')
  })
})

describe('names', () => {
  const NAMES = ['../x', 'a/b', '/etc/passwd', '..', '.', '', 'a b', '1a', 'a.b', '-a', 'é', 'a\0b', 'a'.repeat(129)]

  test.for(NAMES)('a table called %j', async (name) => {
    const error = await refused([sound], {}, name)
    expect(error).toMatchObject({ code: 'TABLE_NAME_INVALID', details: { table: name } })
    const others = [
      () => lab.warehouse.drop(name),
      () => lab.warehouse.describe(name),
      () => lab.warehouse.snapshots(name),
      () => lab.warehouse.register(name, lab.dir, { actor: 'who', time: 'ts' }),
    ]
    for (const other of others) expect((await failure(other)).code).toBe('TABLE_NAME_INVALID')
  })

  test('unknown tables and columns come with the nearest known name', async () => {
    const { warehouse } = lab
    const nearest = { code: 'TABLE_NOT_FOUND', details: { table: 'godo', nearest: 'good' } }
    expect(await failure(() => warehouse.sql('FROM godo'))).toMatchObject(nearest)
    expect(await failure(() => warehouse.describe('godo'))).toMatchObject(nearest)
    expect(await failure(() => warehouse.drop('godo'))).toMatchObject(nearest)
    expect(await failure(() => warehouse.snapshots('godo'))).toMatchObject(nearest)
    expect(await failure(() => warehouse.query('godo', { query: {} }))).toMatchObject(nearest)
    const column = await failure(() => warehouse.sql('SELECT woh FROM good'))
    expect([column.code, column.message.includes('"who"')]).toEqual(['SQL_INVALID', true])
    const key = { code: 'COLUMN_NOT_FOUND', details: { column: 'woh', nearest: 'who' } }
    expect(await refused([sound], { actor: 'woh', time: 'ts' }, 'new')).toMatchObject(key)
    expect(await refused([sound], { types: { woh: 'VARCHAR' } }, 'new')).toMatchObject(key)
  })

  test('commands of the other kind of table', async () => {
    const { warehouse } = lab
    expect(await failure(() => warehouse.unregister('good'))).toMatchObject({ code: 'TABLE_KIND' })
    const folder = `${lab.dir}/folder`
    mkdirSync(folder, { recursive: true })
    copyFileSync(sound, `${folder}/a.parquet`)
    expect(await failure(() => warehouse.register('good', folder, { actor: 'who', time: 'ts' }))).toMatchObject({
      code: 'TABLE_EXISTS',
    })
    await warehouse.register('folder', folder, { actor: 'who', time: 'ts' })
    before = filesBelow(lab.root)
    expect(await failure(() => warehouse.drop('folder'))).toMatchObject({ code: 'TABLE_KIND' })
    expect(await refused([sound], {}, 'folder')).toMatchObject({ code: 'TABLE_KIND' })
  })
})

describe('options that no type checker saw', () => {
  const OPTIONS: [options: object, code: ErrorCode][] = [
    [{ timeUnit: 'h', actor: 'who', time: 'ts' }, 'KEY_INVALID'],
    [{ timeUnit: 's' }, 'KEY_INVALID'],
    [{ buckets: 4 }, 'KEY_INVALID'],
    [{ buckets: 0, actor: 'who', time: 'ts' }, 'KEY_INVALID'],
    [{ buckets: 1.5, actor: 'who', time: 'ts' }, 'KEY_INVALID'],
    [{ buckets: 1e9, actor: 'who', time: 'ts' }, 'KEY_INVALID'],
    [{ actor: 'who', time: 'who' }, 'KEY_INVALID'],
    [{ format: 'xls' }, 'ARGUMENT_INVALID'],
  ]

  test.for(OPTIONS)('%j', async ([options, code]) => {
    expect((await refused([sound], options, 'new')).code).toBe(code)
  })

  test('of a registration', async () => {
    const folder = `${lab.dir}/options`
    mkdirSync(folder, { recursive: true })
    copyFileSync(sound, `${folder}/a.parquet`)
    const register = (options: object) =>
      failure(() => lab.warehouse.register('new', folder, { actor: 'who', time: 'ts', ...options }))
    expect((await register({ validate: 'some' })).code).toBe('ARGUMENT_INVALID')
    expect((await register({ timeUnit: 'h' })).code).toBe('KEY_INVALID')
    expect((await register({ pattern: '' })).code).toBe('ARGUMENT_INVALID')
    expect((await register({ actor: 'ow' })).code).toBe('COLUMN_NOT_FOUND')
  })
})

test.for(['', '/deeper/down'])('a warehouse that cannot be: below a regular file%s', async (below) => {
  writeFileSync(`${lab.dir}/plain`, 'x')
  const warehouse = await Warehouse.open(`${lab.dir}/plain${below}`, { env: {} })
  const csv = lab.text('who,ts\na,1\n', 'unwritable.csv')
  const folder = `${lab.dir}/elsewhere`
  mkdirSync(folder, { recursive: true })
  copyFileSync(sound, `${folder}/a.parquet`)
  const writes = [
    () => warehouse.import('t', [sound]),
    () => warehouse.import('t', [sound], { actor: 'who', time: 'ts', buckets: 4 }),
    () => warehouse.import('t', [csv]),
    () => warehouse.register('t', folder, { actor: 'who', time: 'ts' }),
  ]
  for (const write of writes) {
    const started = performance.now()
    expect((await failure(write)).code).toBe('WAREHOUSE_UNWRITABLE')
    expect(performance.now() - started).toBeLessThan(LIMIT_MS)
  }
  expect(await warehouse.tables()).toEqual([])
  expect((await warehouse.sql('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  await warehouse.close()
  expect(readFileSync(`${lab.dir}/plain`, 'utf8')).toBe('x')
})

test('a full disk: nothing of a failed import stays, and all goes well once there is room', async ({ skip }) => {
  const disk = `${lab.dir}/disk`
  mkdirSync(disk)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', disk], { stdio: 'ignore' })
  } catch {
    skip('a small disk can be mounted by root only')
  }
  try {
    const warehouse = await Warehouse.open(`${disk}/warehouse`, { env: {} })
    const rows = `SELECT 'u' || hash(i) AS who, i AS ts, hash(i * 3)::VARCHAR AS pad FROM range(200000) t(i)`
    const large = await lab.write(rows)
    const largeText = await lab.write(rows, 'large.csv', 'FORMAT csv')
    const keys = { actor: 'who', time: 'ts' }
    const imports: [string[], ImportOptions][] = [
      [[large], {}],
      [[large], { ...keys, buckets: 1 }],
      [[large], { ...keys, buckets: 4 }],
      [[largeText], {}],
    ]
    for (const [files, options] of imports) {
      const error = await failure(() => warehouse.import('t', files, options))
      expect(error.code, error.message).toBe('DISK_FULL')
      expect(filesBelow(`${disk}/warehouse`)).toEqual([])
    }
    const small = await lab.write(`SELECT * FROM '${large}' LIMIT 100`)
    await warehouse.import('t', [small])
    const state = filesBelow(`${disk}/warehouse`)
    expect((await failure(() => warehouse.import('t', [large]))).code).toBe('DISK_FULL')
    expect((await failure(() => warehouse.import('t', [large], { replace: true }))).code).toBe('DISK_FULL')
    expect(filesBelow(`${disk}/warehouse`)).toEqual(state)
    try {
      writeFileSync(`${disk}/filler`, Buffer.alloc(4 << 20))
    } catch {
      // Full to the last byte.
    }
    for (const table of ['t', 'other']) {
      expect((await failure(() => warehouse.import(table, [small]))).code).toBe('DISK_FULL')
    }
    expect(filesBelow(`${disk}/warehouse`)).toEqual(state)
    expect((await warehouse.sql('SELECT count(*) AS n FROM t')).rows).toEqual([{ n: 100 }])
    rmSync(`${disk}/filler`)
    await warehouse.import('t', [small])
    expect((await warehouse.sql('SELECT count(*) AS n FROM t')).rows).toEqual([{ n: 200 }])
    await warehouse.close()
  } finally {
    execFileSync('umount', [disk])
  }
})
