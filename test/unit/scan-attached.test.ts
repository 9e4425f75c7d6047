/** Scans of attached files: values from metadata, columns by id or by name, deleted rows, ranges, and the same as a task carries them. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { DataFile, Scalar, Table } from '../../src/catalog/types.ts'
import { parseType } from '../../src/common/data-type.ts'
import { constantSql, constantsSql } from '../../src/engine/constant-sql.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { fileSpec, layoutNumbers, readTable, tableSpec } from '../../src/planner/table-spec.ts'

let duck: DuckDBConnection
let dir: string
const FILES = 5
const ROWS = 100

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'skep-scan-'))
  duck = await (await DuckDBInstance.create(':memory:')).connect()
  await duck.run(`SET TimeZone = 'UTC'`)
  for (let k = 0; k < FILES; k++) {
    // Names differ from file to file: ids stay. The row's place is known from its value.
    const rows = `SELECT (${k} * 1000 + i)::INTEGER AS ${k % 2 ? 'value' : 'v'}, 'own' AS p FROM range(${ROWS}) t(i)`
    await duck.run(
      `COPY (${rows}) TO '${dir}/${k}.parquet' (FIELD_IDS {${k % 2 ? 'value' : 'v'}: 1, p: 2}, ROW_GROUP_SIZE 2048)`,
    )
  }
})
afterAll(() => {
  duck.closeSync()
  rmSync(dir, { recursive: true })
})

const run = async (sql: string) => (await duck.runAndReadAll(sql)).getRowsJson()

function tableOf(files: DataFile[]): Table {
  const column = (id: number, name: string, type: string) => ({ id, name, type: parseType(type), required: false })
  const schema = {
    id: 0,
    columns: [column(2, 'p', 'VARCHAR'), column(1, 'file_row_number', 'BIGINT'), column(3, 'q', 'DATE')],
  }
  return {
    name: 't',
    kind: 'attached',
    format: 'iceberg',
    location: dir,
    keys: {},
    schema,
    spec: { id: 0, fields: [] },
    snapshot: { schema, specs: new Map(), files, reading: { byId: true, narrower: new Set() } },
    actorsTogether: false,
    hiveColumns: [],
  }
}

const deletesAt = (path: string) => ({ path, sizeBytes: 0, version: '' })

const fileOf = (k: number, more: Partial<DataFile> = {}): DataFile => ({
  path: `${dir}/${k}.parquet`,
  rows: ROWS,
  sizeBytes: 1,
  specId: 0,
  partition: [],
  columns: new Map(),
  sorted: false,
  ...more,
})

/** The rows of the files, through the table itself and as a task gets it. */
async function rowsOf(files: DataFile[]): Promise<unknown[][]> {
  const table = tableOf(files)
  const sql = (own: Table) => `SELECT * FROM (${scanSql(own, own.snapshot.schema, own.snapshot.files)}) ORDER BY 2, 1`
  const rows = await run(sql(table))
  const layouts = layoutNumbers(files)
  const specs = JSON.parse(JSON.stringify(files.map((file) => fileSpec(file, { root: dir, layouts }))))
  expect(await run(sql(readTable(JSON.parse(JSON.stringify(tableSpec(table))), specs, dir)))).toEqual(rows)
  return rows
}

describe('values from metadata', () => {
  test('alike, different, null, and only for some files', async () => {
    const constants = (p: Scalar | null, q: Scalar | null) =>
      new Map([
        [2, p],
        [3, q],
      ])
    const rows = await rowsOf([
      fileOf(0, { constants: constants(`it's`, 20_000n) }),
      fileOf(1, { constants: constants(null, 20_000n) }),
      fileOf(2),
      fileOf(3, { constants: new Map([[3, null]]) }),
    ])
    const found = (value: number) => rows.find(([, own]) => own === String(value))
    expect(rows).toHaveLength(4 * ROWS)
    expect([found(7), found(1007), found(2007), found(3007)]).toEqual([
      [`it's`, '7', '2024-10-04'],
      [null, '1007', '2024-10-04'],
      ['own', '2007', null],
      ['own', '3007', null],
    ])
  })

  test('alone, when no column is left to be read', async () => {
    const constants = new Map<number, Scalar | null>([
      [1, 5n],
      [2, 'x'],
      [3, null],
    ])
    const rows = await rowsOf([fileOf(0, { constants }), fileOf(1, { constants })])
    expect(rows).toEqual(Array.from({ length: 2 * ROWS }, () => ['x', '5', null]))
  })

  test.for([
    ['BOOLEAN', true],
    ['TINYINT', -128n],
    ['BIGINT', 9_223_372_036_854_775_807n],
    ['HUGEINT', -(2n ** 100n)],
    ['FLOAT', Math.fround(0.1)],
    ['DOUBLE', 5e-324],
    ['DOUBLE', -0],
    ['DOUBLE', Number.NaN],
    ['DOUBLE', Number.NEGATIVE_INFINITY],
    ['DECIMAL(38,10)', -123_456_789_012_345_678_901_234_567n],
    ['DECIMAL(3,3)', 5n],
    ['VARCHAR', `a'b"c\0ü😀`],
    ['VARCHAR', ''],
    ['BLOB', Buffer.from([0, 255, 39])],
    ['UUID', Buffer.from('00112233445566778899aabbccddeeff', 'hex')],
    ['DATE', -719_162n],
    ['TIME', 86_399_999_999n],
    ['TIMESTAMP', -62_135_596_800_000_001n],
    ['TIMESTAMP WITH TIME ZONE', 1_700_000_000_123_456n],
  ] as [string, Scalar][])('%s %s comes out as it went in', async ([name, value], { expect }) => {
    const type = parseType(name)
    const back = ({ a }: { a: string }) =>
      ({
        DATE: `date_diff('day', DATE '1970-01-01', ${a})::VARCHAR`,
        TIME: `date_part('epoch', ${a}) * 1000000`,
        BLOB: `hex(${a})`,
      })[name] ??
      (name.startsWith('TIMESTAMP')
        ? `epoch_us(${a})`
        : type.kind === 'decimal'
          ? `replace(CAST(${a} AS VARCHAR), '.', '')`
          : `CAST(${a} AS VARCHAR)`)
    const list = constantsSql([null, value], type, (items) => `(${items})[2]`)
    const [row = []] = await run(
      `SELECT typeof(a), ${back({ a: 'a' })}, a IS NOT DISTINCT FROM b, CAST(a AS VARCHAR) = CAST(b AS VARCHAR)
       FROM (SELECT ${constantSql(value, type)} AS a, ${list} AS b)`,
    )
    expect(row[0]).toBe(name)
    expect(row.slice(2)).toEqual([true, true])
    const wanted =
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(Object.is(value, -0) ? '-0.0' : value)
    const given = String(row[1]).toLowerCase().replaceAll('-', '')
    if (typeof value === 'number')
      expect(Number(row[1])).toSatisfy(
        (own: number) => Math.fround(own) === Math.fround(value) || Number.isNaN(own) || !Number.isFinite(own),
      )
    else if (type.kind === 'decimal') expect(BigInt(String(row[1]))).toBe(value)
    else expect(given).toBe(wanted.toLowerCase().replaceAll('-', ''))
  })
})

describe('deleted rows', () => {
  const uri = (k: number) => `s3://bucket/table/${k}.parquet`
  const wanted = (keep: (file: number, row: number) => boolean, files: number[]) =>
    files.flatMap((k) =>
      Array.from({ length: ROWS }, (_, i) => i).flatMap((i) => (keep(k, i) ? [String(1000 * k + i)] : [])),
    )

  beforeAll(async () => {
    const write = (name: string, rows: string) =>
      duck.run(`COPY (${rows}) TO '${dir}/${name}.parquet' (FIELD_IDS {file_path: 2147483546, pos: 2147483545})`)
    await write(
      'd1',
      `SELECT '${uri(0)}' AS file_path, i::BIGINT AS pos FROM range(0, 100, 3) t(i) UNION ALL SELECT '${uri(1)}', 5`,
    )
    await write(
      'd2',
      `SELECT '${uri(0)}' AS file_path, 1::BIGINT AS pos UNION ALL SELECT '${uri(2)}', i FROM range(100) t(i) UNION ALL SELECT '${uri(9)}', 0`,
    )
  })

  test('are left out of the files whose delete files name them, and only by those that belong to the file', async () => {
    const [d1, d2] = [deletesAt(`${dir}/d1.parquet`), deletesAt(`${dir}/d2.parquet`)]
    const files = [
      fileOf(0, { uri: uri(0), deletes: [d1, d2] }),
      // Its rows are named in the first too, which does not belong to it.
      fileOf(1, { uri: uri(1), deletes: [d2] }),
      fileOf(2, { uri: uri(2), deletes: [d2] }),
      fileOf(3, { uri: uri(3) }),
    ]
    const rows = await rowsOf(files)
    const keep = (k: number, i: number) => (k === 0 ? i % 3 !== 0 && i !== 1 : k !== 2)
    expect(rows.map(([, value]) => value)).toEqual(wanted(keep, [0, 1, 2, 3]))
  })

  test('are those at a place in the file, whatever range of it is read', async () => {
    const d1 = deletesAt(`${dir}/d1.parquet`)
    const part = (from: number, to: number) =>
      fileOf(0, { uri: uri(0), deletes: [d1], rows: to - from, range: [from, to] })
    const rows = await rowsOf([part(40, 70), part(0, 10), fileOf(4, { range: [98, 100], rows: 2 })])
    const keep = (k: number, i: number) => (k === 4 ? i >= 98 : i % 3 !== 0 && (i < 10 || (i >= 40 && i < 70)))
    expect(rows.map(([, value]) => value)).toEqual(wanted(keep, [0, 4]))
  })
})
