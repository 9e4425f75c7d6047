import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/errors.ts'
import { failure, type Lab, openLab } from './import-lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

const keys = { actor: 'who', time: 'ts' }
const rows = (prefix: string, many = 10) => `SELECT '${prefix}' || i AS who, i AS ts FROM range(${many}) t(i)`
const count = async (table: string, where = 'true') =>
  (await lab.warehouse.sql(`SELECT count(*) AS n FROM ${table} WHERE ${where}`)).rows[0]!.n

describe('a folder that changes after it was registered', () => {
  const file = (name: string) => `live/day=2026-01-0${name}.parquet`

  beforeAll(async () => {
    await lab.write(rows('a'), file('1/a'))
    await lab.write(rows('b'), file('2/a'))
    const result = await lab.warehouse.register('live', `${lab.dir}/live`, keys)
    expect(result).toMatchObject({ files: 2, rows: 20, actorsTogether: true, warnings: [] })
  })

  test('files that come and go', async () => {
    await lab.write(rows('c'), file('3/a'))
    expect(await count('live')).toBe(30)
    expect(await count('live', `day = '2026-01-03'`)).toBe(10)
    rmSync(`${lab.dir}/${file('1/a')}`)
    expect(await count('live')).toBe(20)
    expect((await lab.warehouse.describe('live')).rows).toBe(20)
  })

  test('a file that is written anew, again and again', async () => {
    for (const prefix of ['p', 'q', 'r', 's']) {
      await lab.write(rows(prefix), file('2/a'))
      expect(await count('live', `who LIKE '${prefix}%'`)).toBe(10)
    }
  })

  test('a file that is replaced by one of the same size and time', async () => {
    const path = `${lab.dir}/${file('2/a')}`
    const { atime, mtime } = statSync(path)
    const other = await lab.write(rows('x'))
    renameSync(other, path)
    utimesSync(path, atime, mtime)
    expect(await count('live', `who LIKE 'x%'`)).toBe(10)
  })

  test.for([
    ['a column of another type', 'SCHEMA_MISMATCH', () => lab.write('SELECT 1 AS who, 1 AS ts', file('5/a'))],
    ['other folders', 'SCHEMA_MISMATCH', () => lab.write(rows('z'), 'live/plain.parquet')],
    ['no actor', 'KEY_INVALID', () => lab.write('SELECT NULL::VARCHAR AS who, 1 AS ts', file('5/a'))],
    ['garbage', 'FILE_INVALID', async () => lab.text('garbage', file('5/a'))],
    ['an empty file', 'FILE_INVALID', async () => lab.text('', file('5/a'))],
  ] as const)('%s is an error until it is gone', async ([, code, add]) => {
    const path = await add()
    expect((await failure(() => count('live'))).code).toBe(code)
    rmSync(path)
    expect(await count('live')).toBe(20)
  })

  test('a folder that is gone', async () => {
    renameSync(`${lab.dir}/live`, `${lab.dir}/away`)
    expect((await failure(() => count('live'))).code).toBe('FILE_NOT_FOUND')
    renameSync(`${lab.dir}/away`, `${lab.dir}/live`)
    expect(await count('live')).toBe(20)
    await lab.warehouse.unregister('live')
    expect((await failure(() => count('live'))).code).toBe('TABLE_NOT_FOUND')
    expect(readFileSync(`${lab.dir}/${file('2/a')}`).length).toBeGreaterThan(0)
  })
})

test('files of several schemas read as one, differences are reported with file names', async () => {
  await lab.write(`SELECT 'u1' AS who, 1::INTEGER AS ts, 5::INTEGER AS x, 'only a' AS a`, 'mixed/1.parquet')
  await lab.write(`SELECT 'u2' AS who, 2::BIGINT AS ts, 7.5::DOUBLE AS x, 'only b' AS b`, 'mixed/2.parquet')
  await lab.write(`SELECT 'u3' AS WHO, 3::BIGINT AS ts, NULL AS x`, 'mixed/sub/3.parquet')
  const { warnings } = await lab.warehouse.register('mixed', `${lab.dir}/mixed`, keys)
  for (const part of ['"ts"', '"x"', '"a"', '"b"', '1.parquet', '2.parquet', 'sub/3.parquet']) {
    expect(warnings.join('\n')).toContain(part)
  }
  const { rows: found } = await lab.warehouse.sql('SELECT who, ts, x, a, b FROM mixed ORDER BY ts')
  expect(found).toEqual([
    { who: 'u1', ts: 1, x: 5, a: 'only a', b: null },
    { who: 'u2', ts: 2, x: 7.5, a: null, b: 'only b' },
    { who: 'u3', ts: 3, x: null, a: null, b: null },
  ])
  const nulls = await lab.warehouse.sql('SELECT who FROM mixed WHERE a IS NULL ORDER BY 1')
  expect(nulls.rows.map((row) => row.who)).toEqual(['u2', 'u3'])
  expect(nulls.stats.filesPruned).toBe(1)
  expect((await lab.warehouse.sql('SELECT who FROM mixed WHERE x > 6')).rows).toEqual([{ who: 'u2' }])
  expect((await lab.warehouse.sql('SELECT a FROM mixed WHERE ts = 3')).rows).toEqual([{ a: null }])
})

test('patterns and odd names of folders', async () => {
  await lab.write(rows('a', 1), 'odd [x]{y}*/one.parquet')
  await lab.write(rows('b', 1), "odd [x]{y}*/it's/two.pq")
  await lab.write(rows('c', 1), 'odd [x]{y}*/_hidden/three.parquet')
  await lab.write(rows('d', 1), 'odd [x]{y}*/.hidden.parquet')
  const folder = `${lab.dir}/odd [x]{y}*`
  await lab.warehouse.register('odd', folder, keys)
  expect((await lab.warehouse.sql('FROM odd')).rows).toEqual([{ who: 'a0', ts: 0 }])
  await lab.warehouse.register('odd2', folder, { ...keys, pattern: '**/*.p*' })
  expect((await lab.warehouse.sql('SELECT who FROM odd2 ORDER BY 1')).rows).toEqual([{ who: 'a0' }, { who: 'b0' }])
  const none = await failure(() => lab.warehouse.register('odd3', folder, { ...keys, pattern: '*.nope' }))
  expect(none.code).toBe('FILE_NOT_FOUND')
})

test('folders of partitions: encoded, null, of numbers, and instead of a column', async () => {
  await lab.write(rows('a', 1), 'hive/name=x%20y%2Fz/n=7/f.parquet')
  await lab.write(rows('b', 1), "hive/name=it's/n=-3/f.parquet")
  await lab.write(rows('c', 1), 'hive/name=__HIVE_DEFAULT_PARTITION__/n=12/f.parquet')
  await lab.write(`SELECT 'd0' AS who, 0 AS ts, 99 AS n`, 'hive/name=é/n=1/f.parquet')
  await lab.warehouse.register('hive', `${lab.dir}/hive`, keys)
  const { columns, rows: all } = await lab.warehouse.sql('SELECT who, name, n FROM hive ORDER BY who')
  expect(columns.map(({ type }) => type)).toEqual(['VARCHAR', 'VARCHAR', 'BIGINT'])
  expect(all).toEqual([
    { who: 'a0', name: 'x y/z', n: 7 },
    { who: 'b0', name: "it's", n: -3 },
    { who: 'c0', name: null, n: 12 },
    { who: 'd0', name: 'é', n: 1 },
  ])
  for (const [where, who] of [
    [`name = 'x y/z'`, 'a0'],
    [`name = 'it''s'`, 'b0'],
    ['name IS NULL', 'c0'],
    ['n > 10', 'c0'],
    ['n = -3', 'b0'],
    [`n = '1'`, 'd0'],
  ]) {
    const { rows: found, stats } = await lab.warehouse.sql(`SELECT who FROM hive WHERE ${where}`)
    expect([found, stats.filesPruned], where).toEqual([[{ who }], 3])
  }
})

describe('actors in several files', () => {
  beforeAll(async () => {
    for (let k = 0; k < 30; k++) await lab.write(rows(`u${k}-`, 3), `apart/${String(k).padStart(2, '0')}.parquet`)
    mkdirSync(`${lab.dir}/scattered`)
    for (let k = 0; k < 30; k++) {
      const name = `${String(k).padStart(2, '0')}.parquet`
      copyFileSync(`${lab.dir}/apart/${k === 29 ? '00.parquet' : name}`, `${lab.dir}/scattered/${name}`)
    }
  })

  test.for([
    ['single', false, true],
    ['first_last', false, true],
    ['sample', false, true],
    ['all', true, false],
  ] as const)('validate %s', async ([validate, together, warns]) => {
    const apart = await lab.warehouse.register(`apart_${validate}`, `${lab.dir}/apart`, { ...keys, validate })
    expect([apart.actorsTogether, apart.warnings.length > 0]).toEqual([together, warns])
    const scattered = await lab.warehouse.register(`scattered_${validate}`, `${lab.dir}/scattered`, {
      ...keys,
      validate,
    })
    expect([scattered.actorsTogether, scattered.warnings.length]).toEqual([false, 1])
    if (validate !== 'single') expect(scattered.warnings[0]).toContain('u0-')
    const { rows: found } = await lab.warehouse.sql(
      `SELECT count(*) AS n FROM scattered_${validate} WHERE who = 'u0-0'`,
    )
    expect(found).toEqual([{ n: 2 }])
  })
})

describe('what cannot be registered', () => {
  const PLACES: [name: string, code: ErrorCode, path: () => Promise<string>][] = [
    ['a file', 'FILE_INVALID', () => lab.write(rows('a'), 'refused/file.parquet')],
    ['nothing', 'FILE_NOT_FOUND', async () => `${lab.dir}/refused/nothing`],
    ['a URL', 'ARGUMENT_INVALID', async () => 's3://bucket/prefix'],
  ]

  test.for(PLACES)('%s', async ([, code, path]) => {
    expect((await failure(async () => lab.warehouse.register('refused', await path(), keys))).code).toBe(code)
  })

  test.for([
    ['null actors', 'KEY_INVALID', `SELECT CASE WHEN i = 5 THEN NULL ELSE 'u' END AS who, i AS ts FROM range(9) t(i)`],
    ['null times', 'KEY_INVALID', `SELECT 'u' AS who, CASE WHEN i = 5 THEN NULL ELSE i END AS ts FROM range(9) t(i)`],
    ['a float as actor', 'KEY_INVALID', `SELECT 1.5::DOUBLE AS who, 1 AS ts`],
    ['text as time', 'KEY_INVALID', `SELECT 'u' AS who, 'x' AS ts`],
    ['no such column', 'COLUMN_NOT_FOUND', `SELECT 'u' AS whom, 1 AS ts`],
  ] as const)('%s', async ([name, code, sql]) => {
    const folder = `refused/${name.replaceAll(' ', '-')}`
    await lab.write(sql, `${folder}/a.parquet`)
    const error = await failure(() => lab.warehouse.register('refused', `${lab.dir}/${folder}`, keys))
    expect(error.code, error.message).toBe(code)
    expect((await failure(() => lab.warehouse.describe('refused'))).code).toBe('TABLE_NOT_FOUND')
  })

  test('damaged files, wherever the damage is', async () => {
    const good = readFileSync(await lab.write(rows('a', 1000), 'damaged/a.parquet'))
    for (const length of [0, 3, 8, 100, good.length - 9, good.length - 1]) {
      writeFileSync(`${lab.dir}/damaged/b.parquet`, good.subarray(0, length))
      const error = await failure(() => lab.warehouse.register('damaged', `${lab.dir}/damaged`, keys))
      expect(error).toMatchObject({ code: 'FILE_INVALID', details: { file: 'b.parquet' } })
    }
  })
})

test('a table in place and a managed one in one query, whichever came first', async () => {
  await lab.write(rows('a'), 'beside/a.parquet')
  await lab.write(rows('a'), 'further/a.parquet')
  await lab.warehouse.register('beside', `${lab.dir}/beside`, keys)
  await lab.warehouse.register('further', `${lab.dir}/further`, keys)
  await lab.warehouse.import('inside', [`${lab.dir}/beside/a.parquet`])
  const sql = 'SELECT count(*) AS n FROM inside JOIN beside USING (who) JOIN further USING (who)'
  const warehouse = await lab.open({})
  expect((await warehouse.sql('SELECT count(*) AS n FROM inside')).rows).toEqual([{ n: 10 }])
  const answers = await Promise.all([
    warehouse.sql(sql),
    warehouse.sql('SELECT count(*) AS n FROM beside'),
    warehouse.sql(sql),
  ])
  expect(answers.map(({ rows: found }) => found)).toEqual([[{ n: 10 }], [{ n: 10 }], [{ n: 10 }]])
  await warehouse.close()
})
