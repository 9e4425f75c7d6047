import { basename } from 'node:path'
import { icebergRead } from 'icebird'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { parseUuid } from '../../src/catalog/iceberg/bytes.ts'
import { bucketOf } from '../../src/catalog/iceberg/transforms.ts'
import { parseType, printType } from '../../src/common/data-type.ts'
import { compareUtf8 } from '../../src/common/text.ts'
import { fetchFromDisk } from '../fetch.ts'
import { dataFiles, failure, filesBelow, type Lab, openLab, scanOf } from './import-lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

/** Actors by type; NULL and ties are among them. `hash` gives what the bucket function takes, from the text of the value. */
const ACTORS: [type: string, sql: string, hash: (text: string) => bigint | string | Uint8Array][] = [
  ['INTEGER', '(hash(i) % 50)::INTEGER - 25', BigInt],
  ['BIGINT', '(hash(i) % 50)::BIGINT * 3000000000 - 7', BigInt],
  ['VARCHAR', `(hash(i) % 50)::VARCHAR || '😀é'`, (text) => text],
  ['UUID', 'md5((hash(i) % 50)::VARCHAR)::UUID', parseUuid],
  ['DATE', `DATE '1969-12-01' + (hash(i) % 50)::INTEGER`, (text) => BigInt(Date.parse(text) / 86_400_000)],
  ['DECIMAL(9,2)', '((hash(i) % 50)::DECIMAL(9,2) - 25) / 7', (text) => BigInt(text.replace('.', ''))],
  ['DECIMAL(38,10)', '((hash(i) % 50)::DECIMAL(38,10) - 25) * 12345678901', (text) => BigInt(text.replace('.', ''))],
  ['BLOB', `encode((hash(i) % 50)::VARCHAR || 'x')`, (text) => Buffer.from(text)],
  [
    'TIMESTAMP',
    `TIMESTAMP '1969-12-31 23:59:30' + INTERVAL (hash(i) % 50) SECOND`,
    (text) => BigInt(Date.parse(`${text.replace(' ', 'T')}Z`)) * 1000n,
  ],
  [
    'TIME',
    `TIME '00:00:00' + INTERVAL (hash(i) % 50) SECOND`,
    (text) => BigInt(Date.parse(`1970-01-01T${text}Z`)) * 1000n,
  ],
]

const ROWS = 2000
const source = (type: string, actor: string) =>
  `SELECT CASE WHEN i % 100 = 7 THEN NULL ELSE CAST(${actor} AS ${type}) END AS who, (hash(i * 31) % 300)::BIGINT AS ts, i AS n FROM range(${ROWS}) t(i)`

describe.each([1, 5])('a table of %i buckets', (buckets) => {
  test.for(ACTORS)('by %s: one bucket a file, sorted, and the bucket is the format’s', async ([type, actor, hash]) => {
    const path = await lab.write(source(type, actor))
    const table = `b${buckets}_${type.replaceAll(/\W/g, '')}`
    await lab.warehouse.import(table, [path], { actor: 'who', time: 'ts', buckets })
    const { partitioning, dataFiles: files, keys } = await lab.warehouse.describe(table, { files: true })
    expect(partitioning).toEqual([`bucket[${buckets}](who)`])
    expect(keys).toEqual({ actor: 'who', time: 'ts' })
    for (const file of files!) {
      expect(file.sorted).toBe(true)
      const scan = scanOf([file.path])
      const text = type === 'BLOB' ? 'decode(who)' : 'who::VARCHAR'
      const actors = await lab.judge(`SELECT DISTINCT ${text} FROM ${scan}`)
      const found = actors.map(([value]) =>
        value === null ? null : bucketOf(hash(value as string), parseType(type), buckets),
      )
      expect([...new Set(found)]).toEqual([file.partition.who_bucket])
      const disorder = await lab.judge(
        `SELECT count(*)::INTEGER FROM (SELECT who, ts, lag(who) OVER r AS w, lag(ts) OVER r AS a, row_number() OVER r AS k FROM (SELECT *, file_row_number AS position FROM ${scan.replace('hive', 'file_row_number = true, hive')}) WINDOW r AS (ORDER BY position)) WHERE k > 1 AND (w > who OR (w IS NOT DISTINCT FROM who AND a > ts))`,
      )
      expect(disorder).toEqual([[0]])
    }
    const all = scanOf(files!.map((file) => file.path))
    const lost = await lab.judge(
      `SELECT (SELECT count(*)::INTEGER FROM ${all}), (SELECT count(*)::INTEGER FROM (FROM '${path}' EXCEPT ALL FROM ${all}))`,
    )
    expect(lost).toEqual([[ROWS, 0]])
  })
})

// Iceberg's specification, appendix B: hashes of 34, 34, 14.20, 2017-11-16, 22:31:08, 2017-11-16T22:31:08, "iceberg", a UUID, and bytes.
test('the buckets are those of the specification’s test vectors', async () => {
  const vectors: [string, string, number][] = [
    ['INTEGER', '34', 2017239379],
    ['BIGINT', '34', 2017239379],
    ['DECIMAL(9,2)', '14.20', -500754589],
    ['DATE', "'2017-11-16'", -653330422],
    ['TIME', "'22:31:08'", -662762989],
    ['TIMESTAMP', "'2017-11-16 22:31:08'", -2047944441],
    ['TIMESTAMP WITH TIME ZONE', "'2017-11-16 14:31:08-08'", -2047944441],
    ['VARCHAR', "'iceberg'", 1210000089],
    ['UUID', "'f79c3e09-677c-4bbd-a479-3f349cb785e7'", 1488055340],
    ['BLOB', "'\\x00\\x01\\x02\\x03'", -188683207],
  ]
  for (const [k, [type, value, hash]] of vectors.entries()) {
    const path = await lab.write(`SELECT CAST(${value} AS ${type}) AS who, 1 AS ts`)
    await lab.warehouse.import(`vector_${k}`, [path], { actor: 'who', time: 'ts', buckets: 4096 })
    const { dataFiles: files } = await lab.warehouse.describe(`vector_${k}`, { files: true })
    expect(
      files!.map((file) => file.partition.who_bucket),
      type,
    ).toEqual([(hash & 0x7fffffff) % 4096])
  }
})

test('statistics in the catalog are those of the data', async () => {
  const path = await lab.write(
    `SELECT 'u' || (i % 20) AS who, i::BIGINT AS ts, CASE WHEN i % 3 = 0 THEN NULL ELSE (i * 7) % 100 - 50 END AS n,
       CASE WHEN i % 5 = 0 THEN NULL ELSE (i % 11) / 4 END::DOUBLE AS d, 's' || (i % 9) AS s, NULL::INTEGER AS never,
       DATE '2020-01-01' + (i % 40)::INTEGER AS day, ((i % 30) - 15)::DECIMAL(8,3) AS price FROM range(500) t(i)`,
  )
  await lab.warehouse.import('stats', [path], { actor: 'who', time: 'ts', buckets: 3 })
  const { columns } = await lab.warehouse.describe('stats')
  for (const column of columns) {
    const [[nulls, min, max]] = (await lab.judge(
      `SELECT count(*) FILTER ("${column.name}" IS NULL)::INTEGER, min("${column.name}")::VARCHAR, max("${column.name}")::VARCHAR FROM '${path}'`,
    )) as [[number, string | null, string | null]]
    expect(column.nulls, column.name).toBe(nulls)
    const text = (value: unknown) =>
      value === undefined ? null : column.type === 'DOUBLE' ? Number(value) + 0 : String(value)
    const judged = (value: string | null) => (value !== null && column.type === 'DOUBLE' ? Number(value) : value)
    expect([text(column.min), text(column.max)], column.name).toEqual([judged(min), judged(max)])
  }
  for (const file of await dataFiles(lab.warehouse, 'stats')) {
    const ids = await lab.judge(
      `SELECT name, field_id::INTEGER FROM parquet_schema('${file}') WHERE field_id IS NOT NULL`,
    )
    expect(ids).toEqual(columns.map(({ name }, k) => [name, k + 1]))
  }
})

test('large buckets are cut between actors', async () => {
  const path = await lab.write(
    `SELECT 'user' || (hash(i) % 3000) AS who, (hash(i * 7) % 100000)::BIGINT AS ts, hash(i)::VARCHAR || hash(i + 1)::VARCHAR AS pad FROM range(120000) t(i)`,
  )
  const warehouse = await lab.open({ SKEP_FILE_BYTES: '1MB' })
  const result = await warehouse.import('cut', [path], { actor: 'who', time: 'ts', buckets: 2 })
  expect(result.files).toBeGreaterThanOrEqual(4)
  const files = await dataFiles(warehouse, 'cut')
  const lost = await lab.judge(
    `SELECT (SELECT count(*)::INTEGER FROM ${scanOf(files)}), (SELECT count(*)::INTEGER FROM (FROM '${path}' EXCEPT ALL FROM ${scanOf(files)}))`,
  )
  expect(lost).toEqual([[120000, 0]])
  const split = await lab.judge(
    `SELECT count(*)::INTEGER FROM (SELECT who FROM read_parquet([${files.map((f) => `'${f}'`).join(', ')}], filename = true) GROUP BY who HAVING count(DISTINCT filename) > 1)`,
  )
  expect(split).toEqual([[0]])
  const { rows, stats } = await warehouse.sql(`SELECT count(*) AS n FROM cut WHERE who = 'user42'`)
  expect(rows).toEqual([
    { n: (await lab.judge(`SELECT count(*)::INTEGER FROM '${path}' WHERE who = 'user42'`))[0]![0] },
  ])
  expect(stats.files).toBe(1)
  await warehouse.close()
})

test('a table without keys is cut by size, one with a time alone is sorted by it', async () => {
  const path = await lab.write(
    `SELECT (hash(i * 7) % 1000000)::BIGINT AS ts, hash(i)::VARCHAR AS pad FROM range(300000) t(i)`,
  )
  const warehouse = await lab.open({ SKEP_FILE_BYTES: '1MB' })
  await warehouse.import('sized', [path])
  await warehouse.import('timed', [path], { time: 'ts' })
  for (const table of ['sized', 'timed']) {
    const files = await dataFiles(warehouse, table)
    expect(files.length).toBeGreaterThan(1)
    const lost = await lab.judge(`SELECT count(*)::INTEGER FROM (FROM '${path}' EXCEPT ALL FROM ${scanOf(files)})`)
    expect(lost).toEqual([[0]])
  }
  const { stats, rows } = await warehouse.sql('SELECT count(*) AS n FROM timed WHERE ts < 1000')
  expect(stats.filesPruned).toBeGreaterThan(0)
  expect(rows).toEqual([{ n: (await lab.judge(`SELECT count(*)::INTEGER FROM '${path}' WHERE ts < 1000`))[0]![0] }])
  await warehouse.close()
})

describe('history', () => {
  const part = (from: number, to: number) =>
    lab.write(`SELECT 'u' || (i % 5) AS who, i AS ts FROM range(${from}, ${to}) t(i)`)
  const count = async (at?: string | number | Date) => {
    const { rows } = await lab.warehouse.sql(
      'SELECT count(*) AS n, min(ts) AS low FROM story',
      at === undefined ? {} : { at },
    )
    return rows[0]
  }

  test('appends add, replace keeps what was, and both are found again by id and by time', async () => {
    const keys = { actor: 'who', time: 'ts', buckets: 2 }
    const first = await lab.warehouse.import('story', [await part(0, 10)], keys)
    expect(first).toMatchObject({ created: true, rows: 10, sources: 1 })
    const second = await lab.warehouse.import('story', [await part(10, 30)], keys)
    expect(second).toMatchObject({ created: false, rows: 20 })
    expect(await count()).toEqual({ n: 30, low: 0 })
    const between = new Date()
    await new Promise((resolve) => setTimeout(resolve, 5))
    const third = await lab.warehouse.import('story', [await part(100, 105)], { replace: true })
    expect(await count()).toEqual({ n: 5, low: 100 })
    expect(await count(first.snapshotId!)).toEqual({ n: 10, low: 0 })
    expect(await count(String(second.snapshotId!))).toEqual({ n: 30, low: 0 })
    expect(await count(between)).toEqual({ n: 30, low: 0 })
    expect(await count(between.toISOString())).toEqual({ n: 30, low: 0 })
    const snapshots = await lab.warehouse.snapshots('story')
    expect(snapshots.map(({ id, operation }) => [id, operation])).toEqual([
      [first.snapshotId, 'append'],
      [second.snapshotId, 'append'],
      [third.snapshotId, 'overwrite'],
    ])
    expect(snapshots.map(({ parentId }) => parentId)).toEqual([null, first.snapshotId, second.snapshotId])
    expect(snapshots.every(({ id }) => Number.isSafeInteger(id))).toBe(true)
  })

  test('what is not in the history is said so', async () => {
    expect((await failure(() => count(12345))).code).toBe('SNAPSHOT_NOT_FOUND')
    expect((await failure(() => count('2001-01-01T00:00:00Z'))).code).toBe('SNAPSHOT_NOT_FOUND')
    expect((await failure(() => count('yesterday'))).code).toBe('ARGUMENT_INVALID')
  })

  test('an import of no rows appends nothing, and makes an empty table', async () => {
    const before = await lab.warehouse.snapshots('story')
    await lab.warehouse.import('story', [await part(0, 0)])
    expect(await lab.warehouse.snapshots('story')).toEqual(before)
    await lab.warehouse.import('nothing', [await part(0, 0)], { actor: 'who', time: 'ts', buckets: 4 })
    expect(await lab.warehouse.describe('nothing')).toMatchObject({ rows: 0, files: 0 })
    const { columns, rows } = await lab.warehouse.sql('FROM nothing WHERE ts > 3')
    expect([columns.map(({ name, type }) => `${name} ${type}`), rows]).toEqual([['who VARCHAR', 'ts BIGINT'], []])
    await lab.warehouse.import('nothing', [await part(0, 3)])
    expect((await lab.warehouse.describe('nothing', { files: true })).partitioning).toEqual(['bucket[4](who)'])
  })

  test('replacing by nothing empties the table and keeps its history', async () => {
    const was = await lab.warehouse.describe('nothing')
    expect(was.rows).toBe(3)
    await lab.warehouse.import('nothing', [await part(0, 0)], { replace: true })
    expect((await lab.warehouse.describe('nothing')).rows).toBe(0)
    const { rows } = await lab.warehouse.sql('SELECT count(*) AS n FROM nothing', { at: was.snapshotId! })
    expect(rows).toEqual([{ n: 3 }])
  })
})

describe('keys are fixed by the first import', () => {
  test.for([
    [{ actor: 'n' }, 'actor'],
    [{ time: 'who' }, 'time'],
    [{ timeUnit: 'ms' }, 'timeUnit'],
    [{ buckets: 3 }, 'buckets'],
  ] as const)('%j disagrees', async ([options, key]) => {
    const path = await lab.write(source('VARCHAR', `'u' || i`))
    if (!(await lab.warehouse.tables()).some(({ name }) => name === 'fixed')) {
      await lab.warehouse.import('fixed', [path], { actor: 'who', time: 'ts', buckets: 2 })
    }
    const before = filesBelow(lab.root)
    const error = await failure(() => lab.warehouse.import('fixed', [path], options))
    expect(error).toMatchObject({ code: 'KEY_INVALID', details: { table: 'fixed', key } })
    expect(filesBelow(lab.root)).toEqual(before)
  })

  test('the same keys again agree, in any case of their letters', async () => {
    const path = await lab.write(source('VARCHAR', `'u' || i`))
    await lab.warehouse.import('fixed', [path], { actor: 'WHO', time: 'Ts', buckets: 2 })
    expect((await lab.warehouse.describe('fixed')).rows).toBe(2 * ROWS)
  })
})

test.for(['DOUBLE', 'FLOAT', 'BOOLEAN', 'INTEGER[]', 'STRUCT(a INTEGER)', 'MAP(INTEGER, INTEGER)'])(
  'an actor of type %s is refused',
  async (type) => {
    const path = await lab.write(`SELECT CAST(NULL AS ${type}) AS who, 1 AS ts`)
    const error = await failure(() => lab.warehouse.import('no_actor', [path], { actor: 'who', time: 'ts' }))
    expect(error).toMatchObject({ code: 'KEY_INVALID', details: { key: 'actor' } })
    expect(error.message).toContain(printType(parseType(type)))
  },
)

test('icebird reads what was imported, given nothing but the place of the metadata', async () => {
  vi.stubGlobal('fetch', fetchFromDisk)
  try {
    for (const [table, rows] of [
      ['story', 5],
      ['stats', 500],
      ['cut', 120_000],
      ['b5_VARCHAR', ROWS],
    ] as const) {
      const { location, metadataLocation } = await lab.warehouse.describe(table)
      const found = (await icebergRead({
        tableUrl: location,
        metadataFileName: basename(metadataLocation!),
      })) as Record<string, unknown>[]
      expect(found).toHaveLength(rows)
      const actors = (await lab.warehouse.sql(`SELECT who FROM ${table} ORDER BY who NULLS FIRST`)).rows.map(
        (row) => row.who,
      )
      expect(
        found.map((row) => row.who ?? null).toSorted((a, b) => compareUtf8(String(a ?? ''), String(b ?? ''))),
      ).toEqual(actors)
    }
  } finally {
    vi.unstubAllGlobals()
  }
})

test('no file lies about that no table has', async () => {
  const known = new Set<string>()
  for (const { name } of await lab.warehouse.tables()) {
    for (const { id } of await lab.warehouse.snapshots(name)) {
      const { dataFiles: files } = await lab.warehouse.describe(name, { files: true, at: id })
      for (const { path } of files!) known.add(path)
    }
  }
  const stray = filesBelow(lab.root).filter((path) => path.endsWith('.parquet') && !known.has(path))
  expect(stray).toEqual([])
})
