import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonValue } from '../../src/engine/values.ts'
import { failure, type Lab, openLab } from './import-lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

/** An expression, DuckDB's name of its type, and its JSON. */
const VALUES: [sql: string, type: string, json: JsonValue][] = [
  ['true', 'BOOLEAN', true],
  ['NULL::INTEGER', 'INTEGER', null],
  ['1::TINYINT', 'TINYINT', 1],
  ['255::UTINYINT', 'UTINYINT', 255],
  ['-5::SMALLINT', 'SMALLINT', -5],
  ['4294967295::UINTEGER', 'UINTEGER', 4294967295],
  ['9007199254740991::BIGINT', 'BIGINT', 9007199254740991],
  ['9007199254740992::BIGINT', 'BIGINT', '9007199254740992'],
  ['-9007199254740991::BIGINT', 'BIGINT', -9007199254740991],
  ['-9007199254740993::BIGINT', 'BIGINT', '-9007199254740993'],
  ['18446744073709551615::UBIGINT', 'UBIGINT', '18446744073709551615'],
  ['5::HUGEINT', 'HUGEINT', 5],
  ['170141183460469231731687303715884105727', 'HUGEINT', '170141183460469231731687303715884105727'],
  ['5::UHUGEINT', 'UHUGEINT', 5],
  ['1.50::DECIMAL(5,2)', 'DECIMAL(5,2)', '1.50'],
  ['-0.05::DECIMAL(5,2)', 'DECIMAL(5,2)', '-0.05'],
  ['7::DECIMAL(20,0)', 'DECIMAL(20,0)', '7'],
  ['0.1::FLOAT', 'FLOAT', 0.1],
  ['16777217::FLOAT', 'FLOAT', 16777216],
  ['0.1::DOUBLE + 0.2::DOUBLE', 'DOUBLE', 0.30000000000000004],
  ['1e300::DOUBLE', 'DOUBLE', 1e300],
  ["'nan'::DOUBLE", 'DOUBLE', null],
  ["'inf'::DOUBLE", 'DOUBLE', null],
  ["'-inf'::FLOAT", 'FLOAT', null],
  ["DATE '2026-11-20'", 'DATE', '2026-11-20'],
  ["DATE '0007-01-02'", 'DATE', '0007-01-02'],
  ["TIME '08:14:00.5'", 'TIME', '08:14:00.5'],
  ["TIMESTAMP '2026-11-20 08:14:00.123456'", 'TIMESTAMP', '2026-11-20T08:14:00.123456'],
  ["TIMESTAMP '2026-11-20 08:14:00'", 'TIMESTAMP', '2026-11-20T08:14:00'],
  ["TIMESTAMP_S '2026-11-20 08:14:00'", 'TIMESTAMP_S', '2026-11-20T08:14:00'],
  ["TIMESTAMP_MS '2026-11-20 08:14:00.123'", 'TIMESTAMP_MS', '2026-11-20T08:14:00.123'],
  ["TIMESTAMP_NS '2026-11-20 08:14:00.123456789'", 'TIMESTAMP_NS', '2026-11-20T08:14:00.123456789'],
  ["TIMESTAMPTZ '2026-11-20 08:14:00.123456+02'", 'TIMESTAMP WITH TIME ZONE', '2026-11-20T06:14:00.123456Z'],
  ["INTERVAL '1 year 2 months 3 days 04:05:06.5'", 'INTERVAL', 'P1Y2M3DT4H5M6.5S'],
  ["INTERVAL '90 minutes'", 'INTERVAL', 'PT1H30M'],
  ["INTERVAL '-1 month 3 days -0.25 seconds'", 'INTERVAL', 'P-1M3DT-0.25S'],
  ["INTERVAL '0 days'", 'INTERVAL', 'PT0S'],
  ["'é😀\"''' || chr(0) || chr(10)", 'VARCHAR', 'é😀"\'\0\n'],
  ["'\\x00\\xAB'::BLOB", 'BLOB', 'AKs='],
  ["''::BLOB", 'BLOB', ''],
  ["'0f8fad5b-d9cb-469f-a165-70867728950e'::UUID", 'UUID', '0f8fad5b-d9cb-469f-a165-70867728950e'],
  ['[1, NULL, 9007199254740993]', 'BIGINT[]', [1, null, '9007199254740993']],
  ['[[1.5::DECIMAL(3,1)], []]', 'DECIMAL(3,1)[][]', [['1.5'], []]],
  ['[1, 2]::INTEGER[2]', 'INTEGER[2]', [1, 2]],
  [
    "MAP {'a': DATE '2020-01-01', 'b': NULL}",
    'MAP(VARCHAR, DATE)',
    [
      { key: 'a', value: '2020-01-01' },
      { key: 'b', value: null },
    ],
  ],
  ['MAP {}::MAP(INTEGER, INTEGER)', 'MAP(INTEGER, INTEGER)', []],
]

describe('values as JSON', () => {
  test.for(VALUES)('%s', async ([sql, type, json]) => {
    const { columns, rows } = await lab.warehouse.sql(`SELECT ${sql} AS v`)
    expect(columns).toEqual([{ name: 'v', type }])
    expect(rows).toEqual([{ v: json }])
    expect(JSON.parse(JSON.stringify(rows))).toEqual([{ v: json }])
  })

  test('structs are objects, whatever their fields are called', async () => {
    const { rows } = await lab.warehouse.sql(`SELECT {'a': 1, 'B c': [{'x': 'y'}], 'constructor': NULL} AS v`)
    const [[name, value]] = Object.entries(rows[0]!) as [[string, object]]
    expect(name).toBe('v')
    expect(Object.entries(value)).toEqual([
      ['a', 1],
      ['B c', [{ x: 'y' }]],
      ['constructor', null],
    ])
  })

  test('infinite dates and times are not mistaken for values', async () => {
    const { rows } = await lab.warehouse.sql(
      `SELECT DATE 'infinity' AS d, TIMESTAMP '-infinity' AS t, TIMESTAMPTZ 'infinity' AS z`,
    )
    expect(rows).toEqual([{ d: 'infinity', t: '-infinity', z: 'infinity' }])
  })

  test('the zone of the machine does not matter', async () => {
    const zone = process.env.TZ
    process.env.TZ = 'Pacific/Auckland'
    try {
      const { rows } = await lab.warehouse.sql(
        `SELECT TIMESTAMPTZ '2026-07-01 00:00:00+00' AS z, CAST('2026-07-01 00:00:00' AS TIMESTAMPTZ) AS c, DATE '2026-07-01' AS d, $1 AS p`,
        { params: [new Date('2026-07-01T00:00:00Z')] },
      )
      const midnight = '2026-07-01T00:00:00Z'
      expect(rows).toEqual([{ z: midnight, c: midnight, d: '2026-07-01', p: midnight }])
    } finally {
      if (zone === undefined) delete process.env.TZ
      else process.env.TZ = zone
    }
  })

  test('names that occur twice are made unique', async () => {
    const { columns, rows } = await lab.warehouse.sql('SELECT 1 AS a, 2 AS a, 3 AS b, 4 AS a')
    expect(columns.map(({ name }) => name)).toEqual(['a', 'a_1', 'b', 'a_2'])
    expect(rows).toEqual([{ a: 1, a_1: 2, b: 3, a_2: 4 }])
    const { columns: taken } = await lab.warehouse.sql('SELECT 1 AS a, 2 AS a, 3 AS a_1')
    expect(new Set(taken.map(({ name }) => name)).size).toBe(3)
  })
})

describe('values that are bound', () => {
  const BOUND: [value: unknown, type: string, json: JsonValue][] = [
    [null, '"NULL"', null],
    [true, 'BOOLEAN', true],
    [7, 'BIGINT', 7],
    [1.5, 'DOUBLE', 1.5],
    [2 ** 60, 'DOUBLE', 2 ** 60],
    [9007199254740993n, 'BIGINT', '9007199254740993'],
    [10n ** 30n, 'HUGEINT', '1000000000000000000000000000000'],
    [`'; DROP TABLE t; --`, 'VARCHAR', `'; DROP TABLE t; --`],
    ['é😀\0', 'VARCHAR', 'é😀\0'],
    [new Date('2026-11-20T08:14:00.123Z'), 'TIMESTAMP WITH TIME ZONE', '2026-11-20T08:14:00.123Z'],
    [Uint8Array.of(0, 255), 'BLOB', 'AP8='],
    [[1, 2, null], 'BIGINT[]', [1, 2, null]],
    [[1, 2.5], 'DOUBLE[]', [1, 2.5]],
    [['a', "b'"], 'VARCHAR[]', ['a', "b'"]],
  ]

  test.for(BOUND)('%o', async ([value, type, json]) => {
    const params = [value] as never
    const wanted = [{ v: json, t: type }]
    expect((await lab.warehouse.sql('SELECT $1 AS v, typeof($1) AS t', { params })).rows).toEqual(wanted)
    expect(
      (await lab.warehouse.sql('SELECT $x AS v, typeof($x) AS t', { params: { x: value } as never })).rows,
    ).toEqual(wanted)
    expect((await lab.warehouse.sql`SELECT ${value as never} AS v`).rows).toEqual([{ v: json }])
  })

  test('by position, in any order and more than once', async () => {
    const { rows } = await lab.warehouse.sql('SELECT $2 AS b, $1 AS a, $1 + 1 AS c', { params: [1, 'y'] })
    expect(rows).toEqual([{ b: 'y', a: 1, c: 2 }])
    expect((await lab.warehouse.sql('SELECT ? AS a, ? AS b', { params: [1, 2] })).rows).toEqual([{ a: 1, b: 2 }])
  })

  test.for([
    ['too few', 'SELECT ?, ?', [1], 'SQL_INVALID'],
    ['none', 'SELECT $a', undefined, 'SQL_INVALID'],
    ['too many', 'SELECT ?', [1, 2], 'ARGUMENT_INVALID'],
    ['of another name', 'SELECT $a', { b: 1 }, 'ARGUMENT_INVALID'],
    ['a name more', 'SELECT $a', { a: 1, b: 1 }, 'ARGUMENT_INVALID'],
    ['a symbol', 'SELECT $a', { a: Symbol('x') }, 'ARGUMENT_INVALID'],
    ['an object', 'SELECT $a', { a: { b: 1 } }, 'ARGUMENT_INVALID'],
    ['no date', 'SELECT $a', { a: new Date('x') }, 'ARGUMENT_INVALID'],
    ['a list of several types', 'SELECT $a', { a: [1, 'x'] }, 'ARGUMENT_INVALID'],
    ['more than 128 bits', 'SELECT $a', { a: 10n ** 40n }, 'ARGUMENT_INVALID'],
  ] as const)('%s: refused', async ([, sql, params, code]) => {
    expect((await failure(() => lab.warehouse.sql(sql, { params } as never))).code).toBe(code)
  })

  test('missing ones are said so over tables, too, where they could prune files', async () => {
    await lab.warehouse.import('t', [await lab.write(`SELECT 1 AS id, 'x' AS s`)])
    const refused = (sql: string, params?: object) => failure(() => lab.warehouse.sql(sql, { params } as never))
    expect((await refused('FROM t WHERE id = ?')).code).toBe('SQL_INVALID')
    expect((await refused('FROM t WHERE id = $a AND s = $b', { a: 1 })).code).toBe('SQL_INVALID')
    expect((await refused('FROM t WHERE id = $a', { b: 1 })).code).toBe('ARGUMENT_INVALID')
    const { rows } = await lab.warehouse.sql(`FROM t WHERE s <> '$b' AND s = '$a' || '' OR id + $b = 2`, {
      params: { b: 1 },
    })
    expect(rows).toEqual([{ id: 1, s: 'x' }])
  })
})
