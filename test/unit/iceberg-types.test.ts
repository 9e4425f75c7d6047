import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { expect, test } from 'vitest'
import {
  lastColumnId,
  newSchema,
  printFieldIds,
  schemaFromJson,
  schemaToJson,
} from '../../src/catalog/iceberg/schema.ts'
import { fromIceberg, storableType } from '../../src/catalog/iceberg/types.ts'
import { parseType, printType, quoteString } from '../../src/common/data-type.ts'

test.each([
  ['TINYINT', 'INTEGER'],
  ['USMALLINT', 'INTEGER'],
  ['UINTEGER', 'BIGINT'],
  ['UBIGINT', 'DECIMAL(20,0)'],
  ['HUGEINT', 'DECIMAL(38,0)'],
  ['JSON', 'VARCHAR'],
  ["ENUM('a', 'b')", 'VARCHAR'],
  ['TIMESTAMP_S', 'TIMESTAMP'],
  ['TIMESTAMP_NS', 'TIMESTAMP'],
  ['TIMESTAMP WITH TIME ZONE', 'TIMESTAMP WITH TIME ZONE'],
  ['DECIMAL(12,4)', 'DECIMAL(12,4)'],
  ['UTINYINT[3]', 'INTEGER[]'],
  ['STRUCT(a TINYINT, b MAP(VARCHAR, UINTEGER[]))', 'STRUCT("a" INTEGER, "b" MAP(VARCHAR, BIGINT[]))'],
  ['NULL', 'INTEGER'],
])('%s is stored as %s', (from, to) => {
  expect(printType(storableType(parseType(from))!)).toBe(to)
})

test.each([
  'INTERVAL',
  'TIME WITH TIME ZONE',
  'BIT',
  'UHUGEINT',
  'UNION(a INTEGER)',
  'BIGNUM',
  'STRUCT(a INTERVAL)',
  'BIT[]',
  'MAP(BIT, INTEGER)',
])('%s cannot be stored', (type) => {
  expect(storableType(parseType(type))).toBeUndefined()
  expect(() => newSchema([{ name: 'c', type: parseType(type) }])).toThrow(
    expect.objectContaining({ code: 'COLUMN_TYPE_UNSUPPORTED', details: expect.objectContaining({ column: 'c' }) }),
  )
})

const TYPES = [
  'BOOLEAN',
  'INTEGER',
  'BIGINT',
  'FLOAT',
  'DOUBLE',
  'DECIMAL(18,3)',
  'DATE',
  'TIME',
  'TIMESTAMP',
  'TIMESTAMP WITH TIME ZONE',
  'VARCHAR',
  'UUID',
  'BLOB',
  'INTEGER[]',
  'VARCHAR[][]',
  'STRUCT("a b" INTEGER, "c" VARCHAR[])',
  'MAP(VARCHAR, STRUCT("x" DOUBLE))',
]

test('a schema goes to metadata and back', () => {
  const schema = newSchema(
    TYPES.map((type, i) => ({ name: `c${i}`, type: parseType(type), ...(i === 1 && { comment: 'second' }) })),
  )
  const json = JSON.parse(JSON.stringify(schemaToJson(schema)))
  expect(schemaFromJson(json)).toEqual(schema)
  const ids = JSON.stringify(json)
    .match(/"(?:id|element-id|key-id|value-id)":\d+/g)!
    .map((m) => Number(m.split(':')[1]))
  expect(new Set(ids).size).toBe(ids.length)
  expect(lastColumnId(schema.columns)).toBe(Math.max(...ids))
  expect(schema.columns.map((c) => c.id)).toEqual(TYPES.map((_, i) => i + 1))
})

test('types of other writers are read', () => {
  expect(printType(fromIceberg('fixed[16]'))).toBe('BLOB')
  expect(printType(fromIceberg('decimal(9,2)'))).toBe('DECIMAL(9,2)')
  expect(fromIceberg('variant')).toEqual({ kind: 'other', text: 'variant' })
})

test('two columns of one name are refused', () => {
  const type = parseType('INTEGER')
  expect(() =>
    newSchema([
      { name: 'a', type },
      { name: 'A', type },
    ]),
  ).toThrow(expect.objectContaining({ code: 'SCHEMA_MISMATCH' }))
})

test('DuckDB writes the field ids that are printed for it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-ids-'))
  const names = ['plain', 'with space', 'quote"d', "it's", 'Ünï', 'select', '1st', 'a.b', 'dash-ed', 'element']
  const types = [
    'INTEGER',
    'VARCHAR[]',
    'STRUCT("x y" INTEGER, "z""w" DOUBLE[])',
    'MAP(VARCHAR, INTEGER[])',
    'INTEGER[][]',
    'DATE',
    'INTEGER',
    'INTEGER',
    'INTEGER',
    'INTEGER',
  ]
  const schema = newSchema(names.map((name, i) => ({ name, type: parseType(types[i]!) })))
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const file = join(folder, 'x.parquet')
  const columns = schema.columns.map((c) => `NULL::${printType(c.type)} AS "${c.name.replaceAll('"', '""')}"`)
  await connection.run(
    `COPY (SELECT ${columns.join(', ')}) TO ${quoteString(file)} (FORMAT parquet, FIELD_IDS ${printFieldIds(schema.columns)})`,
  )
  const reader = await connection.runAndReadAll(
    `SELECT name, field_id FROM parquet_schema(${quoteString(file)}) WHERE field_id IS NOT NULL ORDER BY field_id`,
  )
  const written = reader.getRows().map(([name, id]) => [name, Number(id)])
  const wanted: [string, number][] = []
  const walk = (parts: { id: number; name: string; parts?: typeof schema.columns }[]) => {
    for (const part of parts) {
      wanted.push([part.name, part.id])
      walk((part.parts ?? []) as never)
    }
  }
  walk(schema.columns as never)
  expect(written).toEqual(wanted.sort((a, b) => a[1] - b[1]))
  connection.closeSync()
  rmSync(folder, { recursive: true })
})
