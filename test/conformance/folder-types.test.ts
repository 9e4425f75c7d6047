import { mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { parquetMetadata } from 'hyparquet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readFooter } from '../../src/catalog/folder/footer.ts'
import { unifyTypes } from '../../src/catalog/folder/unify.ts'
import { parseType, printType } from '../../src/common/data-type.ts'
import { isSkepError } from '../../src/errors.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { group, leaf, parquetFile, type Thrift } from '../unit/folder-parquet.ts'

const folder = mkdtempSync(join(tmpdir(), 'skep-types-'))
const store = new DiskStore(folder)
let duckdb: DuckDBConnection
let files = 0

beforeAll(async () => {
  duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
})

afterAll(async () => {
  duckdb.closeSync()
  await rm(folder, { recursive: true })
})

/** DuckDB keeps what it knows of a file by its path, so every file needs its own. */
function newFile(bytes?: Uint8Array): string {
  const name = `${files++}.parquet`
  if (bytes) writeFileSync(join(folder, name), bytes)
  return name
}

async function describeInDuckDb(name: string): Promise<string[]> {
  const reader = await duckdb.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet('${join(folder, name)}')`)
  return reader.getRows().map(([column, type]) => `${column} ${printType(parseType(String(type)))}`)
}

async function describeInSkep(name: string, in_ = store): Promise<string[]> {
  const { columns } = await readFooter(in_, (await in_.stat(name))!)
  return columns.map((column) => `${column.name} ${printType(unifyTypes([column.type])!)}`)
}

async function outcome(work: Promise<string[]>, isRefusal: (error: unknown) => boolean): Promise<string[] | 'refused'> {
  return await work.catch((error: unknown) => {
    if (isRefusal(error)) return 'refused'
    throw error
  })
}

function isOurRefusal(error: unknown): boolean {
  return isSkepError(error, 'FILE_INVALID') || isSkepError(error, 'COLUMN_TYPE_UNSUPPORTED')
}

const EXPRESSIONS = [
  'true',
  '1::TINYINT',
  '1::SMALLINT',
  '1::INTEGER',
  '1::BIGINT',
  '1::HUGEINT',
  '1::UTINYINT',
  '1::USMALLINT',
  '1::UINTEGER',
  '1::UBIGINT',
  '1::UHUGEINT',
  '1::FLOAT',
  '1::DOUBLE',
  '1::DECIMAL(4,1)',
  '1::DECIMAL(9,2)',
  '1::DECIMAL(18,6)',
  '1::DECIMAL(38,10)',
  "'x'",
  "'x'::BLOB",
  "'101'::BIT",
  "'{}'::JSON",
  "'x'::ENUM('x', 'y')",
  'uuid()',
  'NULL',
  "DATE '2026-11-20'",
  "TIME '08:14:00'",
  "'08:14:00'::TIME_NS",
  "'08:14:00+02'::TIMETZ",
  "TIMESTAMP '2026-11-20'",
  "TIMESTAMP_S '2026-11-20'",
  "TIMESTAMP_MS '2026-11-20'",
  "TIMESTAMP_NS '2026-11-20'",
  "TIMESTAMPTZ '2026-11-20'",
  "INTERVAL '1 day'",
  '[1, 2]',
  '[[1], [2]]',
  "[{'a': 1, 'b': [2]}]",
  'array_value(1, 2)',
  "{'a': 1, 'b': {'c': 'x'}}",
  "{'a': 1}",
  "MAP {'a': 1}",
  "MAP {'a': [MAP {1: DATE '2026-11-20'}]}",
]

test('every type that DuckDB writes has the type that DuckDB reads', async () => {
  for (const version of ['V1', 'V2']) {
    const name = newFile()
    const columns = EXPRESSIONS.map((expression, index) => `${expression} AS c${index}`).join(', ')
    await duckdb.run(`COPY (SELECT ${columns}) TO '${join(folder, name)}' (FORMAT parquet, PARQUET_VERSION ${version})`)
    expect(await describeInSkep(name)).toEqual(await describeInDuckDb(name))
  }
})

const PHYSICAL = [0, 1, 2, 3, 4, 5, 6, 7]
const NONE: Thrift = {}
const LOGICAL: Record<string, Thrift> = {
  string: { 1: NONE },
  enum: { 4: NONE },
  decimal: { 5: { 1: 2, 2: 9 } },
  date: { 6: NONE },
  integer: { 10: { 1: { byte: 8 }, 2: false } },
  unknown: { 11: NONE },
  json: { 12: NONE },
  uuid: { 14: NONE },
  float16: { 15: NONE },
  variant: { 16: NONE },
}
for (const unit of [1, 2, 3]) {
  for (const adjusted of [true, false]) {
    LOGICAL[`time ${unit} ${adjusted}`] = { 7: { 1: adjusted, 2: { [unit]: NONE } } }
    LOGICAL[`timestamp ${unit} ${adjusted}`] = { 8: { 1: adjusted, 2: { [unit]: NONE } } }
  }
}

const JSON_TYPE = 19
const INTERVAL_TYPE = 21
/** JSON in anything but bytes and intervals in anything but twelve bytes: DuckDB describes them, but cannot read them. */
function isNonsense(type: number, converted: number): boolean {
  return (converted === JSON_TYPE && type < 6) || (converted === INTERVAL_TYPE && type < 7)
}

describe('types of other writers', () => {
  const root = { 4: 'root', 5: 1 }
  async function compare(label: string, nodes: Thrift[]): Promise<void> {
    const name = newFile(parquetFile(nodes))
    const theirs = await outcome(describeInDuckDb(name), (error) => error instanceof Error)
    expect(await outcome(describeInSkep(name), isOurRefusal), label).toEqual(theirs)
  }

  test('physical with converted types', async () => {
    for (const type of PHYSICAL) {
      const length = type === 7 ? 16 : undefined
      for (let converted = 0; converted < 25; converted++) {
        if (isNonsense(type, converted)) continue
        await compare(`${type} ${converted}`, [root, leaf({ type, length, converted })])
        await compare(`${type} ${converted}`, [root, leaf({ type, length, converted, precision: 9, scale: 2 })])
      }
    }
  })

  test('physical with logical types', async () => {
    for (const type of PHYSICAL) {
      for (const [label, logical] of Object.entries(LOGICAL)) {
        await compare(`${type} ${label}`, [root, leaf({ type, length: type === 7 ? 16 : undefined, logical })])
      }
    }
    await compare('half', [root, leaf({ type: 7, length: 2, logical: { 15: NONE } })])
    await compare('no length', [root, leaf({ type: 7 })])
  })

  test('decimals of all widths', async () => {
    for (const precision of [1, 9, 18, 38, 39, 76]) {
      for (const type of [1, 2, 6, 7]) {
        await compare(`${precision} ${type}`, [root, leaf({ type, length: 16, converted: 5, precision, scale: 1 })])
      }
    }
    await compare('no scale', [root, leaf({ type: 1, converted: 5, precision: 5 })])
  })

  const x = leaf({ name: 'x', type: 1 })
  const y = leaf({ name: 'y', type: 6 })
  const key = leaf({ name: 'key', type: 6, repetition: 0, converted: 0 })
  const [LIST, MAP, PAIR, REPEATED] = [3, 1, 2, 2]
  const NESTED: Record<string, Thrift[]> = {
    'repeated leaf': [leaf({ type: 1, repetition: 2 })],
    'list of three levels': [group('c', 1, 1, LIST), group('list', 1, REPEATED), x],
    'list with a logical type only': [group('c', 1, 1, undefined, { 3: NONE }), group('list', 1, REPEATED), x],
    'list of two levels': [group('c', 1, 1, LIST), leaf({ name: 'array', type: 1, repetition: 2 })],
    'list of single fields': [group('c', 1, 1, LIST), group('array', 1, REPEATED), x],
    'list of pairs': [group('c', 1, 1, LIST), group('array', 2, REPEATED), x, y],
    'list of structs': [group('c', 1, 1, LIST), group('list', 1, REPEATED), group('element', 2), x, y],
    'list of small structs': [group('c', 1, 1, LIST), group('list', 1, REPEATED), group('element', 1), x],
    'list of lists': [
      group('c', 1, 1, LIST),
      group('l', 1, REPEATED),
      group('e', 1, 1, LIST),
      group('l', 1, REPEATED),
      x,
    ],
    'list with two children': [group('c', 2, 1, LIST), x, y],
    'repeated group': [group('c', 2, REPEATED), x, y],
    'repeated group of one': [group('c', 1, REPEATED), x],
    struct: [group('c', 2), x, y],
    'struct of one': [group('c', 1), x],
    'struct with names that differ in case': [group('c', 2), x, leaf({ name: 'X', type: 2 })],
    map: [group('c', 1, 1, MAP), group('key_value', 2, REPEATED), key, x],
    'map of old writers': [group('c', 1, 1, MAP), group('map', 2, REPEATED, PAIR), key, x],
    'map by its pair only': [group('c', 2, REPEATED, PAIR), key, x],
    'map with a logical type only': [group('c', 1, 1, undefined, { 2: NONE }), group('kv', 2, REPEATED), key, x],
    'map without values': [group('c', 1, 1, MAP), group('kv', 1, REPEATED), key],
    'map with three children': [group('c', 1, 1, MAP), group('kv', 3, REPEATED), key, x, y],
    'map that does not repeat': [group('c', 1, 1, MAP), group('kv', 2), key, x],
    'map without pair': [group('c', 2, 1, MAP), key, x],
    variant: [
      group('c', 2, 1, undefined, { 16: NONE }),
      leaf({ name: 'metadata', type: 6 }),
      leaf({ name: 'value', type: 6 }),
    ],
    'no name': [leaf({ name: '', type: 1 })],
  }

  test('nested', async () => {
    for (const [label, nodes] of Object.entries(NESTED)) await compare(label, [root, ...nodes])
  })

  test('names', async () => {
    const names = (...list: string[]): Thrift[] => [
      { 4: 'root', 5: list.length },
      ...list.map((name) => leaf({ name, type: 1 })),
    ]
    for (const list of [
      ['a', 'A', 'a'],
      ['a', 'a_1', 'A', 'a'],
      ['', '', 'a'],
      ['ä', 'Ä'],
    ])
      await compare(list.join(), names(...list))
  })
})

test('a file of another writer: types, rows and row groups', async () => {
  const other = new DiskStore(join(import.meta.dirname, '../../node_modules/vega-datasets/data'))
  const name = 'flights-3m.parquet'
  const reader = await duckdb.runAndReadAll(`DESCRIBE SELECT * FROM read_parquet('${join(other.root, name)}')`)
  expect(await describeInSkep(name, other)).toEqual(reader.getRows().map(([column, type]) => `${column} ${type}`))
  const footer = await readFooter(other, (await other.stat(name))!)
  const reference = parquetMetadata((await other.read(name))!)
  expect(footer.rows).toBe(Number(reference.num_rows))
  expect(footer.rowGroups.map(({ rows }) => rows)).toEqual(reference.row_groups.map((group) => Number(group.num_rows)))
  expect(footer.rowGroups.map(({ startOffset }) => startOffset)).toEqual(
    reference.row_groups.map((group) => {
      const first = group.columns[0]!.meta_data!
      return Number(first.dictionary_page_offset ?? first.data_page_offset)
    }),
  )
})

const WIDENED = [
  'TINYINT',
  'SMALLINT',
  'INTEGER',
  'BIGINT',
  'UTINYINT',
  'USMALLINT',
  'UINTEGER',
  'UBIGINT',
  'FLOAT',
  'DOUBLE',
]

test('types of two files unify as DuckDB unifies them, or not at all', async () => {
  for (const a of WIDENED) {
    for (const b of WIDENED) {
      const ours = unifyTypes([parseType(a), parseType(b)])
      if (!ours) continue
      const reader = await duckdb.runAndReadAll(
        `SELECT typeof(x) FROM (SELECT NULL::${a} AS x UNION ALL SELECT NULL::${b}) LIMIT 1`,
      )
      expect([a, b, printType(ours)]).toEqual([a, b, reader.getRows()[0]![0]])
    }
  }
})
