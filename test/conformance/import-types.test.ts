import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dataFiles, failure, type Lab, openLab, scanOf } from './import-lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

/** Values by type, as SQL; every column is given a null, too. */
const STORED: Record<string, string[]> = {
  BOOLEAN: ['true', 'false'],
  INTEGER: ['-2147483648', '2147483647', '0'],
  BIGINT: ['-9223372036854775808', '9223372036854775807'],
  FLOAT: ["'nan'", "'inf'", "'-inf'", '-0.0', '0.1', "'1e-45'", "'3.4028235e38'"],
  DOUBLE: ["'nan'", "'inf'", "'-inf'", '-0.0', '0.1', "'5e-324'"],
  'DECIMAL(4,1)': ['-999.9', '999.9', '0.0'],
  'DECIMAL(9,4)': ['-99999.9999', '0.0001'],
  'DECIMAL(18,3)': ['123456789012345.678', '-0.001'],
  'DECIMAL(38,10)': ["'-1234567890123456789012345678.0123456789'", '0.0000000001'],
  'DECIMAL(38,0)': ["'99999999999999999999999999999999999999'", "'-99999999999999999999999999999999999999'"],
  DATE: [
    "'infinity'",
    "'-infinity'",
    "'0044-03-15 (BC)'",
    "'0001-01-01'",
    "'12020-01-01'",
    "'5881580-07-10'",
    "'2020-02-29'",
  ],
  TIME: ["'00:00:00'", "'23:59:59.999999'"],
  TIMESTAMP: [
    "'infinity'",
    "'-infinity'",
    "'0044-03-15 (BC) 12:00:00'",
    "'294247-01-10 04:00:54.775806'",
    "'12020-01-01 00:00:00.000001'",
    "'1969-12-31 23:59:59.999999'",
  ],
  'TIMESTAMP WITH TIME ZONE': [
    "'infinity'",
    "'-infinity'",
    "'0044-03-15 (BC) 12:00:00+00'",
    "'2020-06-01 10:00:00+02'",
  ],
  UUID: [
    "'00000000-0000-0000-0000-000000000000'",
    "'ffffffff-ffff-ffff-ffff-ffffffffffff'",
    "'80000000-0000-0000-0000-000000000001'",
    "'7fffffff-ffff-ffff-ffff-ffffffffffff'",
  ],
  BLOB: ["''", "'\\x00\\xFF'", "repeat('a', 100)::BLOB", "'\\xFF\\xFF'", "repeat('\\xFF', 100)::BLOB"],
  VARCHAR: [
    "''",
    "'it''s'",
    `'a"b'`,
    "'é😀'",
    "chr(0) || 'x'",
    "'a' || chr(10) || 'b'",
    "repeat('z', 200)",
    "repeat('😀', 100)",
    'chr(1114111)',
    "'\\x00'",
  ],
  'INTEGER[]': ['[]', '[1, null]'],
  'VARCHAR[][]': ["[['a'], [], null]"],
  'STRUCT(a INTEGER, "B c" VARCHAR)': ["{'a': 1, 'B c': null}"],
  'MAP(VARCHAR, INTEGER)': ["MAP {'k': 1, '': null}", 'MAP {}'],
  'STRUCT(a INTEGER)[]': ["[{'a': 1}, null]"],
  'MAP(INTEGER, STRUCT(x DOUBLE[]))': ["MAP {1: {'x': [1.5, null]}}"],
  'STRUCT(m MAP(VARCHAR, DATE), d DECIMAL(20,5)[])': ["{'m': MAP {'x': DATE '2020-01-01'}, 'd': [1.5]}"],
}

describe('types that the format has', () => {
  test.for(Object.entries(STORED).map(([type, values], k) => [type, values, k] as const))(
    '%s',
    async ([type, values, k]) => {
      const rows = ['NULL', ...values].map((value, i) => `SELECT ${i} AS k, CAST(${value} AS ${type}) AS c`)
      const source = await lab.write(rows.join(' UNION ALL '))
      const table = `type_${k}`
      await lab.warehouse.import(table, [source])
      const stored = scanOf(await dataFiles(lab.warehouse, table))
      const differ = await lab.judge(
        `SELECT (SELECT count(*)::INTEGER FROM (FROM '${source}' EXCEPT ALL FROM ${stored})),
                (SELECT count(*)::INTEGER FROM (FROM ${stored} EXCEPT ALL FROM '${source}'))`,
      )
      expect(differ).toEqual([[0, 0]])
      const types = (from: string) => lab.judge(`SELECT column_name, column_type FROM (DESCRIBE FROM ${from})`)
      expect(await types(stored)).toEqual(await types(`'${source}'`))
      for (const [i, value] of values.entries()) {
        const { rows: found } = await lab.warehouse.sql(
          `SELECT k FROM ${table} WHERE c = CAST(${value} AS ${type}) ORDER BY k`,
        )
        expect(
          found.map((row) => row.k),
          `${value} is found`,
        ).toContain(i + 1)
      }
      const [column] = (await lab.warehouse.describe(table)).columns.slice(1)
      if (column!.nulls !== undefined) expect(column!.nulls).toBe(1)
    },
  )
})

/** Types that are widened, what they become, and a value on both sides. */
const WIDENED: [type: string, value: string, stored: string, json: unknown][] = [
  ['TINYINT', '-128', 'INTEGER', -128],
  ['SMALLINT', '-32768', 'INTEGER', -32768],
  ['UTINYINT', '255', 'INTEGER', 255],
  ['USMALLINT', '65535', 'INTEGER', 65535],
  ['UINTEGER', '4294967295', 'BIGINT', 4294967295],
  ['UBIGINT', '18446744073709551615', 'DECIMAL(20,0)', '18446744073709551615'],
  ['JSON', `'{"a":[1,"x"]}'`, 'VARCHAR', '{"a":[1,"x"]}'],
  [`ENUM('x', 'y')`, "'y'", 'VARCHAR', 'y'],
  ['TIMESTAMP_S', "'2020-01-01 10:00:00'", 'TIMESTAMP', '2020-01-01T10:00:00'],
  ['TIMESTAMP_MS', "'2020-01-01 10:00:00.123'", 'TIMESTAMP', '2020-01-01T10:00:00.123'],
  ['TIMESTAMP_NS', "'2020-01-01 10:00:00.123456'", 'TIMESTAMP', '2020-01-01T10:00:00.123456'],
  ['INTEGER[2]', '[1, 2]', 'INTEGER[]', [1, 2]],
  ['TINYINT[]', '[1]', 'INTEGER[]', [1]],
]

test('binary values that occur often are found', async () => {
  const value = `'a\\xFF\\x00'::BLOB`
  const source = await lab.write(`SELECT CASE WHEN i % 3 = 0 THEN NULL ELSE ${value} END AS y FROM range(60) t(i)`)
  await lab.warehouse.import('blobs', [source])
  const { rows } = await lab.warehouse.sql(`SELECT count(*) AS n FROM blobs WHERE y = ${value}`)
  expect(rows).toEqual([{ n: 40 }])
})

describe('types that are widened', () => {
  test.for(WIDENED.map(([type, value, stored, json], k) => ({ type, value, stored, json, k })))(
    '$type becomes $stored',
    async ({ type, value, stored, json, k }) => {
      const source = await lab.write(`SELECT CAST(${value} AS ${type}) AS c UNION ALL SELECT NULL`)
      await lab.warehouse.import(`wide_${k}`, [source])
      const { columns, rows } = await lab.warehouse.sql(`SELECT c FROM wide_${k} ORDER BY c IS NULL`)
      expect(columns).toEqual([{ name: 'c', type: stored }])
      expect(rows.map((row) => row.c)).toEqual([json, null])
    },
  )

  test('HUGEINT, when asked for, becomes DECIMAL(38,0)', async () => {
    const source = lab.text('c\n12345678901234567890123456789012345678\n', 'huge.csv')
    await lab.warehouse.import('huge', [source], { types: { c: 'HUGEINT' } })
    const { columns, rows } = await lab.warehouse.sql('SELECT c FROM huge')
    expect(columns[0]!.type).toBe('DECIMAL(38,0)')
    expect(rows).toEqual([{ c: '12345678901234567890123456789012345678' }])
  })
})

describe('types that the format lacks', () => {
  test.for([
    ['INTERVAL', "INTERVAL '1 day'"],
    ['TIME WITH TIME ZONE', "CAST('12:00:00+02' AS TIMETZ)"],
    ['STRUCT', 'CAST(5::INTEGER AS UNION(a INTEGER, b VARCHAR))'],
  ])('%s is refused, the column named and --types offered', async ([type, value]) => {
    const source = await lab.write(`SELECT 1 AS fine, ${value} AS "odd one"`)
    const error = await failure(() => lab.warehouse.import('never', [source]))
    expect(error.code).toBe('COLUMN_TYPE_UNSUPPORTED')
    expect(error.details).toMatchObject({ column: 'odd one' })
    expect((error.details as { type: string }).type).toContain(type)
    expect(error.message).toContain('--types odd one=')
    await expect(lab.warehouse.describe('never')).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
  })

  test('nanoseconds that microseconds cannot hold are refused, unless a type is chosen', async () => {
    const source = await lab.write(`SELECT TIMESTAMP_NS '2020-01-01 10:00:00.123456789' AS ts`)
    const error = await failure(() => lab.warehouse.import('nanos', [source]))
    expect(error.code).toBe('COLUMN_TYPE_UNSUPPORTED')
    expect(error.message).toContain('--types ts=')
    await lab.warehouse.import('nanos', [source], { types: { ts: 'VARCHAR' } })
    const { rows } = await lab.warehouse.sql('SELECT ts FROM nanos')
    expect(rows).toEqual([{ ts: '2020-01-01 10:00:00.123456789' }])
  })

  test('nanoseconds inside of nested values are looked at, too', async () => {
    const list = (digits: string) => `SELECT {'at': [TIMESTAMP_NS '2020-01-01 10:00:00.${digits}', NULL]} AS s`
    const error = await failure(async () => lab.warehouse.import('nested', [await lab.write(list('123456789'))]))
    expect(error).toMatchObject({ code: 'COLUMN_TYPE_UNSUPPORTED', details: { column: 's' } })
    await lab.warehouse.import('nested', [await lab.write(list('123456'))])
    const { rows } = await lab.warehouse.sql('FROM nested')
    expect(rows).toEqual([{ s: { at: ['2020-01-01T10:00:00.123456', null] } }])
  })

  test('a type of no name is refused', async () => {
    const source = lab.text('a\n1\n', 'type.csv')
    const error = await failure(() => lab.warehouse.import('never', [source], { types: { a: 'FOO' } }))
    expect(error).toMatchObject({ code: 'COLUMN_TYPE_UNSUPPORTED', details: { column: 'a', type: 'FOO' } })
  })
})

const ODD_NAMES = [
  'a"b',
  "it's",
  'x y',
  'd.e',
  'é😀',
  'Select',
  'skep_bucket',
  'skep_bucket_',
  'skep_actor_buckets',
  'level',
  'a',
  'b',
  'r',
  'h',
  'bucket',
  'actor',
  'filename',
  'file_row_number',
  'file_index',
  'rowid',
  '__proto__',
  '$1',
  '%',
  'a=b',
  'a/b',
]

describe('odd column names', () => {
  const select = ODD_NAMES.map((name, k) => `i * 100 + ${k} AS "${name.replaceAll('"', '""')}"`).join(', ')

  test.for([
    ['plain', {}],
    ['bucketed by text', { actor: 'who', time: 'x y', buckets: 4 }],
    ['bucketed by a number', { actor: 'skep_bucket', time: 'level', buckets: 4 }],
    ['in one bucket', { actor: 'a"b', time: 'bucket', buckets: 1 }],
  ] as const)('%s', async ([name, keys]) => {
    const source = await lab.write(`SELECT 'u' || (i % 7) AS who, ${select} FROM range(50) t(i)`)
    const table = `odd_${name.replaceAll(' ', '_')}`
    await lab.warehouse.import(table, [source], keys)
    const stored = scanOf(await dataFiles(lab.warehouse, table))
    const differ = await lab.judge(
      `SELECT (SELECT count(*)::INTEGER FROM ${stored}), (SELECT count(*)::INTEGER FROM (FROM '${source}' EXCEPT ALL FROM ${stored}))`,
    )
    expect(differ).toEqual([[50, 0]])
    const { columns, rows } = await lab.warehouse.sql(`FROM ${table} WHERE "it's" = 101`)
    expect(columns.map((column) => column.name)).toEqual(['who', ...ODD_NAMES])
    expect(Object.entries(rows[0]!).map(([key, value]) => [key, value])).toEqual([
      ['who', 'u1'],
      ...ODD_NAMES.map((key, k) => [key, 100 + k]),
    ])
    const described = await lab.warehouse.describe(table)
    for (const [k, key] of ODD_NAMES.entries()) {
      expect(described.columns.find((column) => column.name === key)).toMatchObject({ nulls: 0, min: k, max: 4900 + k })
    }
  })

  test('names that differ only in case are told apart as DuckDB does', async () => {
    const source = lab.text('{"a": 1, "A": 2}\n', 'case.ndjson')
    await lab.warehouse.import('letter_case', [source])
    const { rows } = await lab.warehouse.sql('FROM letter_case')
    const judged = await lab.duck.run(`FROM read_json('${source}')`)
    expect(Object.entries(rows[0]!)).toEqual(judged.columnNames().map((name, k) => [name, k + 1]))
  })
})
