import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { icebergRead } from 'icebird'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import { DiskReader } from '../../src/catalog/file-reader.ts'
import { ForeignCache } from '../../src/catalog/foreign-iceberg/cache.ts'
import { type ForeignAt, foreignIcebergHistory, loadForeignIceberg } from '../../src/catalog/foreign-iceberg/load.ts'
import type { IcebergField } from '../../src/catalog/iceberg/types.ts'
import type { Table } from '../../src/catalog/types.ts'
import { primitive } from '../../src/common/data-type.ts'
import { rangeOf } from '../fetch.ts'
import { comparable } from '../oracle/document.ts'
import { bigId, ForeignTable, field, type LabFile, recompressed } from './foreign-lab.ts'
import { failure, type Lab, openLab } from './import-lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
  vi.stubGlobal('fetch', async (path: string, init?: RequestInit) =>
    rangeOf(readFileSync(path.replace(/^file:\/*/, '/')), init),
  )
})

afterAll(async () => {
  vi.unstubAllGlobals()
  await lab.close()
})

/** Of snapshots that icebird is to tell apart: it rounds ids. */
const idOf = (k: number) => k + 1

let tables = 0
const nextName = () => `t${++tables}`

const EVENTS: IcebergField[] = [
  field(1, 'k', 'int'),
  field(2, 'user', 'string'),
  field(3, 'ts', 'timestamptz'),
  field(4, 'n', 'long'),
]
const eventsSql = (from: number, to: number) =>
  `SELECT i AS k, 'user ' || (i % 7) AS user, to_timestamp(i * 40000.0) AS ts, i * 10 AS n FROM range(${from}, ${to}) r(i)`

/** A table of three files over two snapshots. */
async function eventsTable(
  options: Partial<ConstructorParameters<typeof ForeignTable>[2]> = {},
): Promise<ForeignTable> {
  const table = new ForeignTable(lab, nextName(), { fields: EVENTS, ...options })
  const first = await table.write(eventsSql(0, 10))
  table.commit([{ entries: [{ file: first }] }])
  const more = [await table.write(eventsSql(10, 15)), await table.write(eventsSql(15, 30))]
  const sequence = table.version === 1 ? null : 1
  table.commit([
    { entries: [{ file: first, status: 0, sequence }], sequence: 1 },
    { entries: more.map((file) => ({ file })) },
  ])
  return table
}

const load = (root: string, at?: ForeignAt): Promise<Table> =>
  loadForeignIceberg(new DiskReader(), root, { name: 't', ...(at && { at }) })

/** Attaches a table; the rows of a query over it, `t` its name. */
async function rowsOf(root: string, sql = 'SELECT k FROM t ORDER BY k', at?: string | number): Promise<unknown[][]> {
  const name = nextName()
  await lab.warehouse.attach(name, root, { type: 'iceberg' })
  const { rows } = await lab.warehouse.sql(sql.replaceAll(/\bt\b/g, name), at === undefined ? {} : { at })
  return rows.map((row) => Object.values(row))
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => [from + i])

describe('metadata is found', () => {
  test.each(['hadoop', 'catalog', 'gzip'] as const)('as %s tables keep it', async (style) => {
    const table = await eventsTable()
    table.finish(style)
    expect(await rowsOf(table.dir)).toEqual(range(0, 30))
  })

  test('by its own path', async () => {
    const table = await eventsTable()
    const path = table.finish('catalog')
    expect((await load(path)).location).toBe(table.dir)
    expect(await rowsOf(path)).toEqual(range(0, 30))
  })

  test('where it is newest, whatever an old hint says', async () => {
    const table = await eventsTable()
    table.finish('hadoop')
    const last = table.snapshots.pop()
    table.finish('hadoop')
    table.snapshots.push(last!)
    for (let k = 0; k < 9; k++) table.finish('hadoop')
    writeFileSync(join(table.dir, 'metadata/version-hint.text'), '2\n')
    expect((await load(table.dir)).metadataLocation).toBe(join(table.dir, 'metadata/v11.metadata.json'))
    rmSync(join(table.dir, 'metadata/version-hint.text'))
    expect((await load(table.dir)).metadataLocation).toBe(join(table.dir, 'metadata/v11.metadata.json'))
  })

  test('by the name that a hint gives, though others are there', async () => {
    const table = await eventsTable()
    const path = table.finish('catalog')
    table.finish('catalog')
    const name = path.slice(path.lastIndexOf('/') + 1)
    for (const hint of [name, name.replace('.metadata.json', '')]) {
      writeFileSync(join(table.dir, 'metadata/version-hint.text'), hint)
      expect((await load(table.dir)).metadataLocation).toBe(path)
    }
    writeFileSync(join(table.dir, 'metadata/version-hint.text'), '00009-gone')
    expect((await load(table.dir)).metadataLocation).not.toBe(path)
  })

  test('as the later of two with one number', async () => {
    const table = await eventsTable()
    const path = table.finish('catalog')
    const other = path.replace('00001-6b', '00001-aa')
    const json = readFileSync(path, 'utf8')
    writeFileSync(other, json.replace('"last-updated-ms": 1700000000001', '"last-updated-ms": 1700000000009'))
    expect((await load(table.dir)).metadataLocation).toBe(other)
    writeFileSync(other, json.replace('"last-updated-ms": 1700000000001', '"last-updated-ms": 1600000000009'))
    expect((await load(table.dir)).metadataLocation).toBe(path)
  })

  test('nowhere, which is said', async () => {
    mkdirSync(join(lab.dir, 'nothing/metadata'), { recursive: true })
    const error = await failure(() => load(join(lab.dir, 'nothing')))
    expect(error).toMatchObject({ code: 'FILE_NOT_FOUND', details: { file: join(lab.dir, 'nothing/metadata') } })
  })
})

describe('a table that was moved', () => {
  test.each([
    ['s3://bucket/warehouse/db/t', 's3a://bucket/warehouse/db/t'],
    ['file:///old/place/', 'file:/old/place'],
    ['hdfs://node:8020/t', 'hdfs://node:8020/t'],
    ['/old/place', 'file:///old/place'],
  ])('from %s reads where it is found', async (location, spelled) => {
    const table = await eventsTable({ location: spelled })
    table.more.location = location
    table.finish()
    expect(await rowsOf(table.dir)).toEqual(range(0, 30))
    expect((await load(table.dir)).snapshot.files[0]).toMatchObject({ uri: `${spelled}/data/file-1.parquet` })
  })

  test('reads files elsewhere by their absolute paths', async () => {
    const table = await eventsTable()
    table.finish()
    const copy = join(lab.dir, nextName())
    cpSync(join(table.dir, 'metadata'), join(copy, 'metadata'), { recursive: true })
    const path = join(copy, 'metadata/v1.metadata.json')
    const elsewhere = readFileSync(path, 'utf8').replace(`"location": "${table.dir}"`, '"location": "/somewhere/else"')
    writeFileSync(path, elsewhere)
    expect(await rowsOf(copy)).toEqual(range(0, 30))
  })

  test('says what lies in a store that is not there', async () => {
    const table = await eventsTable({ location: 's3://bucket/t' })
    table.more.location = 's3://other/t'
    table.finish()
    expect(await failure(() => load(table.dir))).toMatchObject({ code: 'TABLE_INVALID' })
  })

  test('does not climb out of its folder', async () => {
    const table = await eventsTable({ location: '/old/place' })
    const file = await table.write(eventsSql(0, 3))
    table.commit([{ entries: [{ file: { ...file, path: `${table.dir}/../../etc/passwd` } }] }])
    table.finish()
    const details = { file: '/old/place/../../etc/passwd' }
    expect(await failure(() => load(table.dir))).toMatchObject({ code: 'TABLE_INVALID', details })
  })
})

describe('the past', () => {
  test('is found by ids of 63 bits, by times and by names', async () => {
    const table = await eventsTable()
    table.more.refs = {
      main: { 'snapshot-id': `@${bigId(1)}`, type: 'branch' },
      audit: { 'snapshot-id': `@${bigId(0)}`, type: 'tag' },
    }
    table.finish()
    const history = await foreignIcebergHistory(new DiskReader(), table.dir)
    expect(history.map(({ id, parentId, operation }) => [id, parentId, operation])).toEqual([
      [bigId(0), null, 'append'],
      [bigId(1), bigId(0), 'append'],
    ])
    expect(await rowsOf(table.dir, undefined, bigId(0))).toEqual(range(0, 10))
    expect(await rowsOf(table.dir, undefined, history[0]!.time)).toEqual(range(0, 10))
    expect(await rowsOf(table.dir, undefined, history[1]!.time)).toEqual(range(0, 30))
    expect((await load(table.dir, { ref: 'audit' })).snapshot.id).toBe(bigId(0))
    for (const at of [{ ref: 'nobody' }, { snapshotId: 1 }, { snapshotId: bigId(2) }, { timeMs: 1000 }])
      expect(await failure(() => load(table.dir, at))).toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' })
  })

  test('of a table without a log is the way to its current snapshot', async () => {
    const table = await eventsTable({ version: 1 })
    table.finish()
    const [first] = await foreignIcebergHistory(new DiskReader(), table.dir)
    expect(await rowsOf(table.dir, undefined, first!.time)).toEqual(range(0, 10))
  })

  test('has the columns that it had', async () => {
    const table = new ForeignTable(lab, nextName(), { fields: EVENTS })
    const first = await table.write(eventsSql(0, 3))
    table.commit([{ entries: [{ file: first }] }])
    table.schemas.push({ id: 1, fields: [field(4, 'amount', 'long'), field(1, 'k', 'long'), field(9, 'more', 'date')] })
    table.commit([{ entries: [{ file: first, status: 0, sequence: 1 }] }])
    table.finish()
    const name = nextName()
    await lab.warehouse.attach(name, table.dir, { type: 'iceberg', actor: 'k' })
    const then = await lab.warehouse.sql(`SELECT * FROM ${name} ORDER BY k`, { at: bigId(0) })
    expect(then.columns.map((column) => column.name)).toEqual(['k', 'user', 'ts', 'n'])
    const now = await lab.warehouse.sql(`SELECT * FROM ${name} ORDER BY k`)
    expect(now.rows[2]).toEqual({ amount: 20, k: 2, more: null })
    expect((await lab.warehouse.snapshots(name)).map(({ id }) => id)).toEqual([bigId(0), bigId(1)])
  })
})

test('an empty table has no rows', async () => {
  const table = new ForeignTable(lab, nextName(), { fields: EVENTS })
  table.finish()
  expect(await rowsOf(table.dir)).toEqual([])
})

describe('format version 1', () => {
  test.each([false, true])('reads; manifests named by the snapshot: %s', async (embedded) => {
    const spec = [{ columnId: 2, transform: 'identity', name: 'user', fieldId: 1000 }]
    const table = new ForeignTable(lab, nextName(), { version: 1, fields: EVENTS, spec })
    table.more.embedded = embedded
    table.isOldest = embedded
    const files = await table.writeParts(eventsSql(0, 30))
    table.commit([{ entries: files.map((file) => ({ file })) }])
    table.finish()
    const loaded = await load(table.dir)
    expect(loaded.snapshot.files.map(({ partition }) => partition[0]).toSorted()).toEqual(
      Array.from({ length: 7 }, (_, i) => `user ${i}`),
    )
    expect(await rowsOf(table.dir)).toEqual(range(0, 30))
    expect(await rowsOf(table.dir, "SELECT k FROM t WHERE user = 'user 3' ORDER BY k")).toEqual([[3], [10], [17], [24]])
  })

  test('reads as icebird does', async () => {
    const table = new ForeignTable(lab, nextName(), { version: 1, fields: EVENTS, idOf })
    const files = [await table.write(eventsSql(0, 10)), await table.write(eventsSql(10, 15))]
    table.commit([{ entries: files.map((file) => ({ file })) }])
    const path = table.finish()
    const theirs = await icebergRead({ tableUrl: table.dir, metadataFileName: path.split('/').at(-1)! })
    expect(theirs.map(({ k }) => [k])).toEqual(range(0, 15))
    expect(await rowsOf(table.dir)).toEqual(range(0, 15))
  })
})

describe('columns', () => {
  const TYPES: [string, string][] = [
    ['boolean', 'k % 2 = 0'],
    ['int', '-k'],
    ['long', '9007199254740993 + k'],
    ['float', '0.1 * k'],
    ['double', '0.1 * k'],
    ['decimal(9,2)', '14.25 - k'],
    ['decimal(38, 10)', '-12345678901234567890.5 * k'],
    ['date', "DATE '1969-12-30' + k::INTEGER"],
    ['time', "TIME '22:31:08.000001'"],
    ['timestamp', "TIMESTAMP '1969-12-31 23:59:59' + to_seconds(k)"],
    ['timestamptz', "TIMESTAMPTZ '2017-11-16 22:31:08-08'"],
    ['string', "'ice bérg ' || k"],
    ['uuid', "'f79c3e09-677c-4bbd-a479-3f349cb785e7'"],
    ['fixed[3]', "'\\x00\\x01a'::BLOB"],
    ['binary', "'\\xFFa'::BLOB"],
  ]

  test('of every type are read', async () => {
    const nested: IcebergField[] = [
      field(100, 'l', { type: 'list', 'element-id': 101, element: 'int', 'element-required': false }),
      field(110, 's', {
        type: 'struct',
        fields: [
          field(111, 'x', 'int'),
          field(112, 'y', { type: 'list', 'element-id': 113, element: 'string', 'element-required': true }),
        ],
      }),
      field(120, 'm', {
        type: 'map',
        'key-id': 121,
        key: 'string',
        'value-id': 122,
        value: 'long',
        'value-required': false,
      }),
    ]
    const flat = TYPES.map(([type], i) => field(i + 2, `c ${i}`, type))
    const table = new ForeignTable(lab, nextName(), { fields: [field(1, 'k', 'int'), ...flat, ...nested] })
    const values = TYPES.map(([, sql], i) => `${sql} AS "c ${i}"`)
    const sql = `SELECT k, ${values.join(', ')}, [1, k] AS l, {x: k, y: ['a']} AS s, MAP {'k': k} AS m FROM range(0, 4) r(k)`
    const nulls = `SELECT 9 AS k, ${table.fields
      .slice(1)
      .map(({ name }) => `NULL AS "${name}"`)
      .join(', ')}`
    const files = [await table.write(sql), await table.write(nulls)]
    table.commit([{ entries: files.map((file) => ({ file })) }])
    table.finish()
    const loaded = await load(table.dir)
    const list = loaded.snapshot.files.map(({ path }) => `'${path}'`).join(', ')
    const name = nextName()
    await lab.warehouse.attach(name, table.dir, { type: 'iceberg' })
    const wanted = await lab.judge(`SELECT md5(t::VARCHAR) FROM read_parquet([${list}]) AS t ORDER BY k`)
    const found = await lab.warehouse.sql(`SELECT md5(t::VARCHAR) AS m FROM ${name} AS t ORDER BY k`)
    expect(found.rows.map(({ m }) => [m])).toEqual(wanted)
    for (const { name: column } of flat) {
      const sought = `SELECT k FROM ${name} WHERE "${column}" = (SELECT "${column}" FROM ${name} WHERE k = 2) ORDER BY k`
      expect((await lab.warehouse.sql(sought)).rows.map(({ k }) => k)).toContain(2)
      const { stats } = await lab.warehouse.sql(`SELECT k FROM ${name} WHERE "${column}" IS NOT NULL`)
      expect(stats.filesPruned).toBe(1)
    }
  })

  test('that were renamed, reordered, added, dropped and widened are found by their ids', async () => {
    const before = [
      field(1, 'k', 'int'),
      field(2, 'a', 'int'),
      field(3, 'b', 'float'),
      field(4, 'c', 'decimal(4,2)'),
      field(5, 'gone', 'string'),
    ]
    const table = new ForeignTable(lab, nextName(), { fields: before })
    const first = await table.write(
      "SELECT i AS k, i AS a, 0.1 * i AS b, i / 4 AS c, 'x' AS gone FROM range(0, 5) r(i)",
    )
    const nested = (fields: IcebergField[]) => field(7, 's', { type: 'struct', fields })
    table.schemas.push({
      id: 1,
      fields: [
        field(3, 'a', 'double'),
        field(1, 'k', 'int'),
        field(2, 'b', 'long'),
        field(4, 'd', 'decimal(12,2)'),
        field(6, 'gone', 'int'),
        nested([field(8, 'x', 'int')]),
      ],
    })
    const second = await table.write(
      'SELECT i AS k, 0.5 * i AS a, i * 10000000000 AS b, i / 8 AS d, 7 AS gone, {x: i} AS s FROM range(5, 9) r(i)',
    )
    table.schemas.push({
      id: 2,
      fields: [...table.fields.slice(0, -1), nested([field(9, 'y', 'string'), field(8, 'x', 'long')])],
    })
    const third = await table.write(
      "SELECT i AS k, 0.5 * i AS a, i AS b, i / 8 AS d, 8 AS gone, {y: 'y', x: i} AS s FROM range(9, 11) r(i)",
    )
    table.commit([{ entries: [first, second, third].map((file) => ({ file })) }])
    table.finish()
    const rows = await rowsOf(table.dir, 'SELECT k, a, b, d, gone, s::VARCHAR FROM t WHERE k IN (2, 6, 10) ORDER BY k')
    expect(rows).toEqual([
      [2, 0.20000000298023224, 2, '0.50', null, null],
      [6, 3, 60000000000, '0.75', 7, "{'y': NULL, 'x': 6}"],
      [10, 5, 10, '1.25', 8, "{'y': y, 'x': 10}"],
    ])
    expect(await rowsOf(table.dir, 'SELECT k FROM t WHERE a = 0.2::FLOAT')).toEqual([[2]])
    expect(await rowsOf(table.dir, 'SELECT k FROM t WHERE a = 0.2')).toEqual([])
    expect(await rowsOf(table.dir, 'SELECT k FROM t WHERE b > 50000000000 ORDER BY k')).toEqual([[6], [7], [8]])
    expect(await rowsOf(table.dir, 'SELECT k FROM t WHERE d = 0.25 ORDER BY k')).toEqual([[1]])
    expect(await rowsOf(table.dir, 'SELECT k FROM t WHERE gone IS NULL ORDER BY k')).toEqual(range(0, 5))
  })

  test('of files that Hive wrote stand in the partition', async () => {
    const spec = [{ columnId: 2, transform: 'identity', name: 'user', fieldId: 1000 }]
    const table = new ForeignTable(lab, nextName(), { fields: EVENTS, spec })
    const own = EVENTS.filter(({ name }) => name !== 'user')
    const files = [
      await table.write(eventsSql(0, 3), { fields: own, partition: ['from hive'] }),
      await table.write(eventsSql(3, 5), { fields: own, partition: [null] }),
      await table.write(eventsSql(7, 8), { partition: ['user 0'] }),
    ]
    table.commit([{ entries: files.map((file) => ({ file })) }])
    table.finish()
    expect(await rowsOf(table.dir, 'SELECT k, user FROM t ORDER BY k')).toEqual([
      [0, 'from hive'],
      [1, 'from hive'],
      [2, 'from hive'],
      [3, null],
      [4, null],
      [7, 'user 0'],
    ])
    expect(await rowsOf(table.dir, "SELECT k FROM t WHERE user = 'from hive' ORDER BY k")).toEqual(range(0, 3))
    expect(await rowsOf(table.dir, 'SELECT k FROM t WHERE user IS NULL ORDER BY k')).toEqual(range(3, 5))
  })
})

describe('position deletes', () => {
  const spec = [{ columnId: 2, transform: 'bucket[3]', name: 'user_bucket', fieldId: 1000 }]

  test('leave out the rows that they name, by file, partition and age', async () => {
    const table = new ForeignTable(lab, nextName(), { fields: EVENTS, location: 'file:/old/place' })
    const files: LabFile[] = []
    for (let k = 0; k < 3; k++) files.push(await table.write(eventsSql(k * 10, k * 10 + 10)))
    const [a, b, c] = files as [LabFile, LabFile, LabFile]
    table.commit([{ entries: [{ file: a }, { file: b }] }])
    const old = [
      {
        entries: [
          { file: a, status: 0, sequence: 1 },
          { file: b, status: 0, sequence: 1 },
        ],
      },
    ]
    const deletes = [
      await table.writeDeletes([
        [a, 0],
        [a, 3],
        [b, 9],
        [c, 5],
      ]),
      await table.writeDeletes(
        [
          [a, 3],
          [a, 4],
        ],
        { referenced: table.spell(a.path) },
      ),
    ]
    table.commit([...old, { deletes: true, entries: deletes.map((file) => ({ file })) }])
    // A file that came after the deletes keeps the row that they name.
    const kept = { deletes: true, entries: deletes.map((file) => ({ file, status: 0, sequence: 2 })) }
    table.commit([...old, { entries: [{ file: c }] }, kept])
    table.finish()
    const gone = new Set([0, 3, 4, 19])
    expect(await rowsOf(table.dir)).toEqual(range(0, 30).filter(([k]) => !gone.has(k!)))
    expect(await rowsOf(table.dir, undefined, bigId(0))).toEqual(range(0, 20))
    const { files: found } = (await load(table.dir)).snapshot
    expect(found.map((file) => file.deletes?.length ?? 0)).toEqual([2, 1, 0])
    expect(await rowsOf(table.dir, 'SELECT count(*), sum(n) FROM t')).toEqual([[26, 4350 - 260]])
  })

  test('reads as icebird does', async () => {
    const table = new ForeignTable(lab, nextName(), { fields: EVENTS, idOf })
    const file = await table.write(eventsSql(0, 10))
    table.commit([{ entries: [{ file }] }])
    const deletes = await table.writeDeletes([
      [file, 2],
      [file, 7],
    ])
    table.commit([{ entries: [{ file, status: 0, sequence: 1 }] }, { deletes: true, entries: [{ file: deletes }] }])
    const path = table.finish()
    const theirs = await icebergRead({ tableUrl: table.dir, metadataFileName: path.split('/').at(-1)! })
    const ours = await rowsOf(table.dir)
    expect(ours).toHaveLength(8)
    expect(theirs.map(({ k }) => [k])).toEqual(ours)
  })

  test('are left out where their bounds tell that they name other files', async () => {
    const table = new ForeignTable(lab, nextName(), { fields: EVENTS })
    const files: LabFile[] = []
    for (let k = 0; k < 4; k++) files.push(await table.write(eventsSql(k * 3, k * 3 + 3)))
    const types = new Map([[2147483546, primitive('VARCHAR')]])
    const bounded = (lower: LabFile, upper: LabFile, cut: number) => ({
      types,
      columns: new Map([[2147483546, { lower: lower.path.slice(0, -cut), upper: `${upper.path.slice(0, -cut)}~` }]]),
      wholeBounds: true,
    })
    const [a, b, c, d] = files as [LabFile, LabFile, LabFile, LabFile]
    const deletes = [
      await table.writeDeletes(
        [
          [b, 0],
          [c, 0],
        ],
        bounded(b, c, 4),
      ),
      await table.writeDeletes([[a, 1]], {
        types,
        wholeBounds: true,
        columns: new Map([[2147483546, { lower: a.path, upper: a.path }]]),
      }),
      await table.writeDeletes(
        [
          [a, 2],
          [d, 2],
        ],
        bounded(a, d, 30),
      ),
    ]
    table.commit([
      { entries: files.map((file) => ({ file })) },
      { deletes: true, entries: deletes.map((file) => ({ file })) },
    ])
    table.finish()
    const found = (await load(table.dir)).snapshot.files.map((file) =>
      file.deletes?.map(({ path }) => deletes.findIndex((own) => own.path === path)),
    )
    expect(found).toEqual([[1, 2], [0, 2], [0, 2], [2]])
    expect(await rowsOf(table.dir)).toEqual([[0], [4], [5], [7], [8], [9], [10]])
  })

  test('count as they are when a query reads them; one that is gone is named', async () => {
    const table = new ForeignTable(lab, nextName(), { fields: EVENTS, spec })
    const [file] = await table.writeParts(eventsSql(0, 20))
    const others = await Promise.all(
      [0, 1].map((row) => table.writeDeletes([[file!, row]], { partition: file!.partition })),
    )
    const [first, second] = others.map(({ path }) => path)
    expect(statSync(first!).size).toBe(statSync(second!).size)
    table.commit([{ entries: [{ file: file! }] }, { deletes: true, entries: [{ file: others[0]! }] }])
    table.finish()
    const name = nextName()
    await lab.warehouse.attach(name, table.dir, { type: 'iceberg', actor: 'user', time: 'ts' })
    const rows = async () =>
      (await lab.warehouse.sql(`SELECT min(n)::INTEGER AS low, count(*)::INTEGER AS c FROM ${name}`)).rows
    const all = await lab.judge(`SELECT n FROM read_parquet('${file!.path}')`)
    const left = (gone: number) => all.flatMap(([n], row) => (row === gone ? [] : [Number(n)]))
    expect(await rows()).toEqual([{ low: Math.min(...left(0)), c: all.length - 1 }])
    const { atime, mtime } = statSync(first!)
    copyFileSync(second!, `${first}.new`)
    utimesSync(`${first}.new`, atime, mtime)
    renameSync(`${first}.new`, first!)
    expect(await rows()).toEqual([{ low: Math.min(...left(1)), c: all.length - 1 }])
    rmSync(first!)
    await expect(rows()).rejects.toMatchObject({ code: 'FILE_INVALID', message: expect.stringContaining(first!) })
  })

  test('count in every pool, divided or not', async () => {
    const table = new ForeignTable(lab, nextName(), { fields: EVENTS, spec })
    const files = await table.writeParts(eventsSql(0, 300))
    table.commit([{ entries: files.map((file) => ({ file })) }])
    const deletes = await Promise.all(
      files.map((file) =>
        table.writeDeletes(
          [
            [file, 0],
            [file, file.rows - 1],
          ],
          { partition: file.partition },
        ),
      ),
    )
    table.commit([
      { entries: files.map((file) => ({ file, status: 0, sequence: 1 })) },
      { deletes: true, entries: deletes.map((file) => ({ file })) },
    ])
    table.finish()
    const loaded = await load(table.dir)
    expect(loaded.snapshot.files.map((file) => file.deletes?.length)).toEqual(files.map(() => 1))
    const gone = files.flatMap(({ path }) => [`'${path}'`])
    const alive = `SELECT * FROM read_parquet([${gone.join(', ')}], file_row_number = true, filename = true) AS f
      WHERE file_row_number > 0 AND file_row_number < (SELECT max(file_row_number) FROM read_parquet([${gone.join(', ')}], file_row_number = true, filename = true) g WHERE g.filename = f.filename)`
    const wanted = await lab.judge(
      `SELECT user, count(*)::INTEGER, sum(n)::INTEGER FROM (${alive}) GROUP BY user ORDER BY user`,
    )
    const name = nextName()
    await lab.warehouse.attach(name, table.dir, { type: 'iceberg', actor: 'user', time: 'ts' })
    const query: BehaviouralQuery = {
      query: { aggregations: [{ column: 'n', type: 'sum' }] },
      funnel: { sequence: [{ filter: ['n', '<', 500] }, { filter: ['n', '>', 900] }] },
    }
    const copy = `m${name}`
    await lab.warehouse.import(copy, [await lab.write(alive)], { actor: 'user', time: 'ts' })
    const answer = comparable(await lab.warehouse.query(copy, query))
    for (const pool of ['inline', 'threads'] as const) {
      for (const split of ['auto', 'always']) {
        const other = await lab.open({ SKEP_SPLIT: split, SKEP_POOL: pool })
        const { rows } = await other.sql(
          `SELECT user, count(*) AS c, sum(n)::BIGINT AS s FROM ${name} GROUP BY user ORDER BY user`,
        )
        expect(
          rows.map((row) => Object.values(row)),
          `${pool} ${split}`,
        ).toEqual(wanted)
        expect(comparable(await other.query(name, query)), `${pool} ${split}`).toEqual(answer)
        await other.close()
      }
    }
  })
})

test('a document that brings the table along has its rows, now and in the past', async () => {
  const table = await eventsTable({ idOf })
  table.finish()
  const rows = async (version?: number) => {
    const steps = [
      {
        name: 'mapper',
        step_type: 'HBee',
        sql: 'SELECT user, count(*) AS c FROM events GROUP BY user',
      },
      { name: 'reducer', step_type: 'HComb', sql: 'SELECT sum(c)::BIGINT AS c FROM mapper' },
    ]
    const catalogs = [{ name: 'events', type: 'Iceberg', uri: table.dir, ...(version !== undefined && { version }) }]
    return (await lab.warehouse.run({ steps, capacity: { zones: 2 }, catalogs } as never)).rows
  }
  expect(await rows()).toEqual([{ c: 30 }])
  expect(await rows(1)).toEqual([{ c: 10 }])
})

describe('partition evolution', () => {
  test('takes each file by the spec that it was written under', async () => {
    const table = new ForeignTable(lab, nextName(), {
      fields: EVENTS,
      spec: [{ columnId: 3, transform: 'month', name: 'ts_month', fieldId: 1000 }],
    })
    const first = await table.writeParts(eventsSql(0, 100))
    const old = { specId: 0, entries: first.map((file) => ({ file })) }
    table.specs.push({
      id: 1,
      fields: [
        { columnId: 3, transform: 'void', name: 'ts_month', fieldId: 1000 },
        { columnId: 3, transform: 'day', name: 'ts_day', fieldId: 1001 },
        { columnId: 2, transform: 'bucket[4]', name: 'user bucket-4', fieldId: 1002 },
      ],
    })
    const second = await table.writeParts(eventsSql(100, 200))
    table.commit([old, { specId: 1, entries: second.map((file) => ({ file })) }])
    table.finish()
    const loaded = await load(table.dir)
    expect(new Set(loaded.snapshot.files.map(({ specId }) => specId))).toEqual(new Set([0, 1]))
    expect(loaded.spec.id).toBe(1)
    expect(await rowsOf(table.dir)).toEqual(range(0, 200))
    const where = "ts >= TIMESTAMPTZ '1970-02-20 00:00:00+00' AND ts < TIMESTAMPTZ '1970-02-22 00:00:00+00'"
    expect(await rowsOf(table.dir, `SELECT k FROM t WHERE ${where} ORDER BY k`)).toEqual(range(108, 113))
    const name = nextName()
    await lab.warehouse.attach(name, table.dir, { type: 'iceberg' })
    const { stats } = await lab.warehouse.sql(`SELECT k FROM ${name} WHERE ${where} AND user = 'user 4'`)
    expect(stats.files).toBeLessThan(3)
  })

  test('with a transform of another time still reads', async () => {
    const table = new ForeignTable(lab, nextName(), {
      fields: EVENTS,
      spec: [
        { columnId: 2, transform: 'identity', name: 'user', fieldId: 1000 },
        { columnId: 4, transform: 'zorder[3]', name: 'z', fieldId: 1001 },
      ],
    })
    const files = [
      await table.write(`FROM (${eventsSql(0, 14)}) WHERE user = 'user 1'`, { partition: ['user 1', 3n] }),
      await table.write(`FROM (${eventsSql(0, 14)}) WHERE user = 'user 2'`, { partition: ['user 2', 4n] }),
    ]
    table.commit([{ entries: files.map((file) => ({ file })) }])
    table.finish()
    expect(await rowsOf(table.dir, "SELECT k FROM t WHERE user = 'user 2' AND n > 20")).toEqual([[9]])
    expect((await load(table.dir)).spec.fields.map(({ name }) => name)).toEqual(['user'])
  })
})

test('a table bucketed by its actor elsewhere is read in tasks of whole actors', async () => {
  const sql = (from: number, to: number) => eventsSql(from, to).replace('i % 7', 'i % 50')
  const table = new ForeignTable(lab, nextName(), {
    fields: EVENTS,
    spec: [{ columnId: 2, transform: 'bucket[8]', name: 'b', fieldId: 1000 }],
  })
  const old = (await table.writeParts(sql(0, 400))).map((file) => ({ file }))
  const day = { columnId: 3, transform: 'day', name: 'd', fieldId: 1001 }
  table.specs.push({ id: 1, fields: [day, ...table.specs[0]!.fields] })
  const files = (await table.writeParts(sql(400, 500))).map((file) => ({ file }))
  table.commit([{ specId: 0, entries: old }, { entries: files }])
  table.finish()
  const name = nextName()
  const keys = { actor: 'user', time: 'ts' }
  await lab.warehouse.attach(name, table.dir, { type: 'iceberg', ...keys })
  await lab.warehouse.import(`m${name}`, [await lab.write(sql(0, 500))], { ...keys, buckets: 8 })
  expect((await lab.warehouse.describe(name)).partitioning).toEqual(['day(ts)', 'bucket[8](user)'])
  const query: BehaviouralQuery = {
    query: { aggregations: [{ column: 'n', type: 'sum' }] },
    funnel: { sequence: [{ filter: ['n', '<', 2000] }, { filter: ['n', '>', 3000] }, { filter: ['n', '>', 4900] }] },
  }
  const wanted = comparable(await lab.warehouse.query(`m${name}`, query))
  for (const pool of ['inline', 'threads'] as const) {
    const other = await lab.open({ SKEP_TASK_ROWS: '60', SKEP_POOL: pool, SKEP_SPLIT: 'always' })
    const { stages } = await other.explainQuery(name, query)
    expect(stages).toHaveLength(1)
    expect(stages[0]!.tasks.length).toBeGreaterThan(3)
    expect(comparable(await other.query(name, query)), pool).toEqual(wanted)
    await other.close()
  }
})

describe('what is not read is named', () => {
  async function refusal(change: (table: ForeignTable) => void | Promise<void>, options = {}): Promise<unknown> {
    const table = await eventsTable(options)
    await change(table)
    table.finish()
    const error = await failure(() => load(table.dir))
    expect(error.code).toBe('TABLE_FEATURE_UNSUPPORTED')
    return (error.details as { feature: string }).feature
  }

  const addFile = async (table: ForeignTable, more: Partial<LabFile>, deletes = false) => {
    const file = { ...(await table.write(eventsSql(0, 3))), ...more }
    const data = await table.write(eventsSql(0, 3))
    const entries = [{ file }]
    table.commit([{ entries: [{ file: data, sequence: 1, status: 0 }] }, deletes ? { deletes, entries } : { entries }])
  }

  test('format version 4', async () => {
    expect(await refusal((table) => void Object.assign(table.more, { 'format-version': 4 }))).toBe('format version 4')
  })
  test.each(['timestamp_ns', 'timestamptz_ns', 'variant', 'geometry(srid:4326)', 'unknown'])(
    'the type %s',
    async (type) => {
      const add = (table: ForeignTable) => void table.schemas.push({ id: 1, fields: [...EVENTS, field(9, 'x', type)] })
      expect(await refusal(add, { version: 3 })).toBe(`the type ${type}`)
      const nested = (table: ForeignTable) =>
        void table.schemas.push({
          id: 1,
          fields: [...EVENTS, field(9, 's', { type: 'struct', fields: [field(10, 'x', type)] })],
        })
      expect(await refusal(nested, { version: 3 })).toBe(`the type ${type}`)
    },
  )
  test('default values', async () => {
    const add = { ...field(9, 'x', 'int'), 'initial-default': 7 }
    expect(await refusal((t) => void t.schemas.push({ id: 1, fields: [...EVENTS, add] }), { version: 3 })).toMatch(
      /default/,
    )
  })
  test('deletion vectors', async () => {
    expect(await refusal((t) => addFile(t, { content: 1, format: 'PUFFIN' }, true))).toBe('deletion vectors')
  })
  test('equality deletes that concern a file', async () => {
    expect(await refusal((t) => addFile(t, { content: 2 }, true))).toBe('equality deletes')
  })
  test('ORC and Avro', async () => {
    expect(await refusal((t) => addFile(t, { format: 'ORC' }))).toBe('data files in ORC')
    expect(await refusal((t) => addFile(t, { format: 'avro' }))).toBe('data files in AVRO')
    expect(await refusal((t) => addFile(t, { content: 1, format: 'AVRO' }, true))).toBe(
      'position deletes in AVRO files',
    )
  })
  test('files without field ids', async () => {
    const add = async (table: ForeignTable) => {
      const first = await table.write(eventsSql(0, 3))
      const file = await table.write(eventsSql(0, 3), { ids: false })
      table.properties['schema.name-mapping.default'] = '[]'
      table.commit([{ entries: [{ file: first }, { file }] }])
    }
    expect(await refusal(add)).toBe('files without field ids')
    expect(
      await refusal(async (table) => {
        await add(table)
        table.properties = {}
        table.commit([{ entries: [{ file: await table.write(eventsSql(0, 3), { ids: false }) }] }])
      }),
    ).toBe('files without field ids')
  })
  test('renamed and replaced fields inside nested columns', async () => {
    const nested = (...fields: IcebergField[]) => field(9, 's', { type: 'struct', fields })
    for (const later of [field(10, 'b', 'int'), field(11, 'a', 'int')]) {
      const table = new ForeignTable(lab, nextName(), { fields: [field(1, 'k', 'int'), nested(field(10, 'a', 'int'))] })
      const file = await table.write('SELECT 1 AS k, {a: 1} AS s')
      table.schemas.push({ id: 1, fields: [field(1, 'k', 'int'), nested(later)] })
      table.commit([{ entries: [{ file }] }])
      table.finish()
      const error = await failure(() => load(table.dir))
      expect(error).toMatchObject({ code: 'TABLE_FEATURE_UNSUPPORTED', details: { file: file.path } })
    }
  })

  test('compression', async () => {
    const table = await eventsTable()
    table.finish()
    const path = join(table.dir, 'metadata/2-1-m.avro')
    const bytes = readFileSync(path)
    const recode = (codec: string, pack: (data: Buffer) => Uint8Array) =>
      writeFileSync(path, recompressed(bytes, codec, pack))
    recode('zstandard', (data) => zstdCompressSync(data))
    expect(await rowsOf(table.dir)).toEqual(range(0, 30))
    recode('null', (data) => data)
    expect(await rowsOf(table.dir)).toEqual(range(0, 30))
    recode('snappy', (data) => data)
    const details = { feature: 'the compression snappy', file: path }
    expect(await failure(() => load(table.dir))).toMatchObject({ code: 'TABLE_FEATURE_UNSUPPORTED', details })
  })

  test('but not where it concerns nothing that is read', async () => {
    const table = await eventsTable({ version: 3 })
    const data = await table.write(eventsSql(0, 3))
    const deletes = { ...(await table.write(eventsSql(0, 3))), content: 2 as const }
    // Row lineage, equality deletes that are older than the data, and a dead entry of another format.
    table.more['next-row-id'] = 99
    table.commit([
      { entries: [{ file: data }, { file: { ...data, format: 'ORC' }, status: 2 }] },
      { deletes: true, entries: [{ file: deletes, sequence: 3 }] },
    ])
    table.finish()
    expect(await rowsOf(table.dir)).toEqual(range(0, 3))
  })
})

test('what was read once is not read again, and a table of too many files is refused', async () => {
  const table = await eventsTable()
  table.finish()
  const read: string[] = []
  const disk = new DiskReader()
  const reader = {
    list: disk.list.bind(disk),
    stat: disk.stat.bind(disk),
    read: (path: string, options?: Parameters<DiskReader['read']>[1]) => {
      read.push(path.slice(path.lastIndexOf('/') + 1))
      return disk.read(path, options)
    },
  }
  const cache = new ForeignCache()
  const first = await loadForeignIceberg(reader, table.dir, { name: 't', cache })
  const head = ['v1.metadata.json', 'version-hint.text', 'snap-2.avro']
  expect(read.toSorted()).toEqual([...head, '2-0-m.avro', '2-1-m.avro', 'file-1.parquet', 'file-2.parquet'].toSorted())
  read.length = 0
  expect(await loadForeignIceberg(reader, table.dir, { name: 't', cache })).toEqual(first)
  expect(read.toSorted()).toEqual(head.toSorted())
  const error = await failure(() => loadForeignIceberg(reader, table.dir, { name: 't', maxFiles: 2 }))
  expect(error).toMatchObject({ code: 'FILE_LIMIT', details: { setting: 'importFiles', limit: 2 } })
})

describe('damage', () => {
  test('of data files counts only where they are read', async () => {
    const table = new ForeignTable(lab, nextName(), { fields: EVENTS })
    const [a, b, c] = [
      await table.write(eventsSql(0, 3)),
      await table.write(eventsSql(3, 6)),
      await table.write(eventsSql(6, 9)),
    ]
    table.commit([{ entries: [{ file: a }, { file: b }, { file: c }] }])
    const deletes = await table.writeDeletes([[c, 1]], { referenced: table.spell(c.path) })
    table.commit([
      { entries: [a, b, c].map((file) => ({ file, status: 0, sequence: 1 })) },
      { deletes: true, entries: [{ file: deletes }] },
    ])
    table.finish()
    rmSync(a.path)
    rmSync(deletes.path)
    expect(await rowsOf(table.dir, 'SELECT k FROM t WHERE k BETWEEN 3 AND 5 ORDER BY k')).toEqual([[3], [4], [5]])
    expect(await failure(() => rowsOf(table.dir, 'SELECT k FROM t WHERE k < 3'))).toMatchObject({
      code: 'FILE_INVALID',
    })
    expect(await failure(() => rowsOf(table.dir, 'SELECT k FROM t WHERE k > 5'))).toMatchObject({
      code: 'FILE_INVALID',
    })
  })

  test.each([
    ['v1.metadata.json', (path: string) => truncateSync(path, 100)],
    ['v1.metadata.json', (path: string) => writeFileSync(path, '{"format-version": 2}')],
    ['snap-2.avro', (path: string) => truncateSync(path, 300)],
    ['snap-2.avro', (path: string) => rmSync(path)],
    ['2-1-m.avro', (path: string) => truncateSync(path, statSync(path).size - 1)],
    ['2-1-m.avro', (path: string) => rmSync(path)],
    ['2-0-m.avro', (path: string) => writeFileSync(path, 'Obj')],
  ])('of %s is told by its name', async (name, damage) => {
    const table = await eventsTable()
    table.finish()
    const path = join(table.dir, 'metadata', name)
    damage(path)
    expect(await failure(() => load(table.dir))).toMatchObject({ code: 'TABLE_INVALID', details: { file: path } })
  })

  test('anywhere in a manifest or its list is read or told, never anything else', async () => {
    const table = await eventsTable()
    table.finish()
    for (const name of ['2-1-m.avro', 'snap-2.avro', 'v1.metadata.json']) {
      const path = join(table.dir, 'metadata', name)
      copyFileSync(path, `${path}.kept`)
      const bytes = readFileSync(path)
      for (let at = 0; at < bytes.length; at += Math.ceil(bytes.length / 60)) {
        const changed = Buffer.from(bytes)
        changed[at]! ^= 0x15
        writeFileSync(path, changed)
        await load(table.dir).catch((error: unknown) => {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(TABLE_|FILE_|SCHEMA_|SNAPSHOT_)/) })
        })
      }
      renameSync(`${path}.kept`, path)
    }
    expect(await rowsOf(table.dir)).toEqual(range(0, 30))
  })
})
