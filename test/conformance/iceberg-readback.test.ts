import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { icebergRead } from 'icebird'
import { icebergManifests, splitManifestEntries } from 'icebird/src/manifest.js'
import { icebergMetadata } from 'icebird/src/metadata.js'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Catalog, dataLocation, type ManagedTable, type TableDraft } from '../../src/catalog/catalog.ts'
import { parseUuid } from '../../src/catalog/iceberg/bytes.ts'
import { newSchema, printFieldIds } from '../../src/catalog/iceberg/schema.ts'
import { bucketOf, newSpec } from '../../src/catalog/iceberg/transforms.ts'
import { decodeValue } from '../../src/catalog/iceberg/values.ts'
import { systemSources } from '../../src/catalog/sources.ts'
import type { ColumnStatistics, DataFile } from '../../src/catalog/types.ts'
import { parseType, primitive, quoteIdentifier, quoteString } from '../../src/common/data-type.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { fetchFromDisk } from '../fetch.ts'

const root = mkdtempSync(join(tmpdir(), 'skep-iceberg-'))
const catalog = new Catalog(new DiskStore(root), { sources: systemSources(), commitRetries: 10 })
let connection: DuckDBConnection

beforeAll(async () => {
  connection = await (await DuckDBInstance.create(':memory:')).connect()
  vi.stubGlobal('fetch', fetchFromDisk)
})

afterAll(() => {
  vi.unstubAllGlobals()
  connection.closeSync()
  rmSync(root, { recursive: true })
})

type Row = Record<string, unknown>
type Place = Pick<TableDraft, 'location' | 'schema'>
const isEvent = { specId: 0, columns: new Map<number, ColumnStatistics>(), sorted: true }

/** Writes the rows of a query to a data file of the table. */
async function write(table: Place, name: string, sql: string, more: Partial<DataFile> = {}): Promise<DataFile> {
  const path = `${dataLocation(table)}/${name}.parquet`
  mkdirSync(dirname(path), { recursive: true })
  const fieldIds = printFieldIds(table.schema.columns)
  const options = `FORMAT parquet, FIELD_IDS ${fieldIds}, PARQUET_VERSION v2, COMPRESSION zstd`
  const result = await connection.run(`COPY (${sql}) TO ${quoteString(path)} (${options})`)
  const rows = Number(result.rowsChanged)
  return { path, rows, sizeBytes: statSync(path).size, partition: [], ...isEvent, ...more }
}

/** The rows that icebird finds, given nothing but the location of the metadata. */
async function readBack({
  location,
  metadataLocation,
}: Pick<ManagedTable, 'location' | 'metadataLocation'>): Promise<Row[]> {
  return await icebergRead({ tableUrl: location, metadataFileName: metadataLocation.split('/').at(-1)! })
}

const reload = (name: string) => catalog.loadManaged(name)

const TYPES: [type: string, sql: string, value: unknown][] = [
  ['BOOLEAN', 'true', true],
  ['INTEGER', '-7', -7],
  ['BIGINT', '9007199254740993', 9007199254740993n],
  ['FLOAT', '1.5', 1.5],
  ['DOUBLE', '-2.25', -2.25],
  ['DECIMAL(9,2)', '14.25', 14.25],
  ['DATE', "'2017-11-16'", new Date('2017-11-16')],
  ['TIME', "'22:31:08'", 81068000000n],
  ['TIMESTAMP', "'2017-11-16 22:31:08'", new Date('2017-11-16T22:31:08Z')],
  ['TIMESTAMP WITH TIME ZONE', "'2017-11-16 22:31:08-08'", new Date('2017-11-17T06:31:08Z')],
  ['VARCHAR', "'ice bérg'", 'ice bérg'],
  ['UUID', "'f79c3e09-677c-4bbd-a479-3f349cb785e7'", parseUuid('f79c3e09-677c-4bbd-a479-3f349cb785e7')],
  // Binary values without a logical type are texts to this reader.
  ['BLOB', "'\\x00\\x01a'", '\0\x01a'],
  ['INTEGER[]', '[1, 2]', [1, 2]],
  ['STRUCT(x INTEGER, y VARCHAR[])', "{'x': 1, 'y': ['a']}", { x: 1, y: ['a'] }],
  ['MAP(VARCHAR, INTEGER)', "MAP {'k': 1}", { k: 1 }],
]

test('icebird reads every type that a table can store', async () => {
  const schema = newSchema(TYPES.map(([type], i) => ({ name: `c${i}`, type: parseType(type) })))
  const draft = catalog.draft('types', { schema })
  const select = (value: (sql: string) => string) =>
    TYPES.map(([type, sql], i) => `(${value(sql)})::${type} AS c${i}`).join(', ')
  const sql = `SELECT ${select((sql) => sql)} UNION ALL SELECT ${select(() => 'NULL')}`
  await catalog.create(draft, [await write(draft, '1', sql)])
  const [row, nulls] = await readBack(await reload('types'))
  const asBytes = (value: unknown) => (value instanceof Uint8Array ? Uint8Array.from(value) : value)
  const found = TYPES.map((_, i) => asBytes(row![`c${i}`]))
  expect(found).toEqual(TYPES.map(([, , value]) => value))
  expect(TYPES.map((_, i) => nulls![`c${i}`] ?? null)).toEqual(TYPES.map(() => null))
})

const COUNT = 4
const columns = [
  { name: 'user_id', type: primitive('VARCHAR') },
  { name: 'ts', type: primitive('TIMESTAMP') },
  { name: 'n', type: primitive('BIGINT') },
]
const events = newSchema(columns)
const spec = newSpec(events, [{ column: 'user_id', transform: { kind: 'bucket', count: COUNT } }])

/** Files by bucket, with statistics, as an import makes them. */
async function writeEvents(table: Place, name: string, from: number, to: number): Promise<DataFile[]> {
  const files: DataFile[] = []
  const users = Array.from({ length: 10 }, (_, i) => `user ${i}`)
  for (let bucket = 0; bucket < COUNT; bucket++) {
    const mine = users.filter((user) => bucketOf(user, primitive('VARCHAR'), COUNT) === bucket)
    if (mine.length === 0) continue
    const rows = `SELECT 'user ' || (i % 10) AS "user_id", make_timestamp(i * 1000000) AS ts, i AS n FROM range(${from}, ${to}) r(i)`
    const sql = `SELECT * FROM (${rows}) WHERE ${quoteIdentifier('user_id')} IN (${mine.map(quoteString).join(', ')}) ORDER BY 1, 2`
    const size = { sizeBytes: 100, values: to - from, nulls: 0 }
    const statistics = new Map<number, ColumnStatistics>([
      [1, { ...size, lower: mine.at(0)!, upper: mine.at(-1)! }],
      [2, { ...size, lower: BigInt(from) * 1_000_000n, upper: BigInt(to) * 1_000_000n }],
      [3, { ...size, lower: BigInt(from), upper: BigInt(to) }],
    ])
    const partition = [BigInt(bucket)]
    files.push(await write(table, `bucket=${bucket}/${name}`, sql, { partition, columns: statistics }))
  }
  return files
}

const sorted = (rows: Row[]) => rows.map((row) => Number(row.n)).sort((a, b) => a - b)
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

test('icebird reads what create, append and replace make of a partitioned table', async () => {
  const keys = { actor: 'user_id', time: 'ts' }
  const draft = catalog.draft('events', { schema: events, spec, keys })
  await catalog.create(draft, await writeEvents(draft, '1', 0, 40))
  const first = await reload('events')
  expect(sorted(await readBack(first))).toEqual(range(0, 40))

  await catalog.append(first, await writeEvents(first, '2', 40, 60))
  const second = await reload('events')
  const rows = await readBack(second)
  expect(sorted(rows)).toEqual(range(0, 60))
  expect(rows.find((row) => row.n === 47n)).toEqual({ user_id: 'user 7', ts: new Date(47_000), n: 47n })

  await catalog.replace(second, await writeEvents(second, '3', 100, 120))
  expect(sorted(await readBack(await reload('events')))).toEqual(range(100, 120))
  expect(sorted(await readBack(second))).toEqual(range(0, 60))
})

test('icebird sees the same manifests as we do', async () => {
  const table = await reload('events')
  const metadata = await icebergMetadata({
    tableUrl: table.location,
    metadataFileName: table.metadataLocation.split('/').at(-1)!,
  })
  expect(metadata['current-snapshot-id']).toBe(table.snapshot.id)
  const { dataEntries } = splitManifestEntries(await icebergManifests(metadata))
  const found = dataEntries.map(({ status, snapshot_id, sequence_number, data_file: file }) => {
    const bounds = (list: unknown) =>
      (list as { key: number; value: Uint8Array }[]).map(({ key, value }) => [
        key,
        decodeValue(value, events.columns.find((column) => column.id === key)!.type),
      ])
    return {
      status,
      snapshotId: Number(snapshot_id),
      sequence: Number(sequence_number),
      path: file.file_path,
      rows: Number(file.record_count),
      sizeBytes: Number(file.file_size_in_bytes),
      partition: Object.values(file.partition as object),
      lower: bounds(file.lower_bounds),
      upper: bounds(file.upper_bounds),
      sortOrder: file.sort_order_id,
    }
  })
  const wanted = table.snapshot.files.map((file) => ({
    status: 1,
    snapshotId: table.snapshot.id,
    sequence: 3,
    path: file.path,
    rows: file.rows,
    sizeBytes: file.sizeBytes,
    partition: file.partition.map(Number),
    lower: [...file.columns].map(([id, column]) => [id, column.lower]),
    upper: [...file.columns].map(([id, column]) => [id, column.upper]),
    sortOrder: 1,
  }))
  expect(found).toEqual(wanted)
  expect(table.snapshot.files.every((file) => file.sorted)).toBe(true)
})
