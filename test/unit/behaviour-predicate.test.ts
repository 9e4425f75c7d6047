import { BIGINT, BOOLEAN, DOUBLE, type DuckDBConnection, DuckDBInstance, HUGEINT, VARCHAR } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { columnSql } from '../../src/behaviour/column.ts'
import { type Bind, predicateSql, timeframeSql } from '../../src/behaviour/predicate-sql.ts'
import { parseType, quoteIdentifier } from '../../src/common/data-type.ts'
import { columnsOf, valid, withTime } from './behaviour-table.ts'

const TYPES = { BIGINT, BOOLEAN, DOUBLE, HUGEINT, VARCHAR }

let connection: DuckDBConnection

beforeAll(async () => {
  connection = await (await DuckDBInstance.create()).connect()
})

afterAll(() => connection.closeSync())

async function evaluate(rows: string, expression: (bind: Bind) => string): Promise<unknown[]> {
  const values: Parameters<Bind>[0][] = []
  const types: (typeof TYPES)[keyof typeof TYPES][] = []
  const sql = expression((value, type) => {
    types.push(TYPES[type])
    return `$${values.push(value)}`
  })
  const reader = await connection.runAndReadAll(`SELECT ${sql} FROM (${rows}) t ORDER BY i`, values, types)
  return reader.getRows().map(([value]) => value)
}

/** Which of the SQL texts of values satisfy `column op value`. */
async function holds(type: string, texts: string[], op: string, value: unknown): Promise<unknown[]> {
  const name = 'x "y"'
  const table = { columns: columnsOf({ [name]: type }), keys: { actor: name } }
  const { predicates } = valid({ query: { conditions: [{ filter: [name, op, value] }] } }, table)
  const rows = texts.map((text, i) => `SELECT ${i} AS i, CAST(${text} AS ${type}) AS ${quoteIdentifier(name)}`)
  return evaluate(rows.join(' UNION ALL '), (bind) => predicateSql(predicates[0]!, bind))
}

const T = true
const F = false

describe('a predicate in the engine', () => {
  test.each([
    ['==', 2, [F, T, F, F]],
    ['!=', 2, [T, F, T, T]],
    ['<', 2, [T, F, F, F]],
    ['<=', 2, [T, T, F, F]],
    ['>', 2, [F, F, T, F]],
    ['>=', 2, [F, T, T, F]],
    ['==', 10n ** 30n, [F, F, F, F]],
    ['!=', 10n ** 30n, [T, T, T, T]],
    ['<', 10n ** 30n, [T, T, T, F]],
    ['<=', 300, [T, T, T, F]],
    ['>', 300, [F, F, F, F]],
    ['>', -(10n ** 30n), [T, T, T, F]],
    ['<', -129, [F, F, F, F]],
    ['>=', -128, [T, T, T, F]],
  ])('TINYINT %s %s', async (op, value, expected) => {
    expect(await holds('TINYINT', ['-128', '2', '127', 'NULL'], op, value)).toEqual(expected)
  })

  test.each([
    ['UBIGINT', '18446744073709551615', 18446744073709551615n],
    ['BIGINT', '-9223372036854775808', -9223372036854775808n],
    ['HUGEINT', '-170141183460469231731687303715884105728', -(2n ** 127n)],
    ['UHUGEINT', "'340282366920938463463374607431768211455'", 2n ** 128n - 1n],
  ])('%s at the edge of its range', async (type, text, value) => {
    expect(await holds(type, [text, '5', 'NULL'], '==', value)).toEqual([T, F, F])
    expect(await holds(type, [text, '5', 'NULL'], '!=', value)).toEqual([F, T, T])
    const beyond = value < 0n ? value - 1n : value + 1n
    expect(await holds(type, [text, '5', 'NULL'], '==', beyond)).toEqual([F, F, F])
    expect(await holds(type, [text, '5', 'NULL'], value < 0n ? '>' : '<', beyond)).toEqual([T, T, F])
  })

  test.each([
    ['==', 0.5, [F, F, T, F, F, F, F]],
    ['!=', 0.5, [T, T, F, T, T, T, T]],
    ['>', 0.5, [F, F, F, T, T, F, F]],
    ['>=', 0.5, [F, F, T, T, T, F, F]],
    ['<', 0.5, [T, T, F, F, F, F, F]],
    ['<=', 0.5, [T, T, T, F, F, F, F]],
    ['==', 0, [F, T, F, F, F, F, F]],
    ['==', 2n ** 53n + 1n, [F, F, F, F, F, F, F]],
    ['<=', 2n ** 53n + 1n, [T, T, T, T, F, F, F]],
    ['>', 2n ** 53n - 1n, [F, F, F, T, T, F, F]],
    ['>', 10n ** 400n, [F, F, F, F, T, F, F]],
    ['<', 10n ** 400n, [T, T, T, T, F, F, F]],
    ['<', -(10n ** 400n), [T, F, F, F, F, F, F]],
    ['>=', -(10n ** 400n), [F, T, T, T, T, F, F]],
  ])('DOUBLE %s %s', async (op, value, expected) => {
    const texts = ["'-inf'", "'-0.0'", '0.5', '9007199254740992', "'inf'", "'nan'", 'NULL']
    expect(await holds('DOUBLE', texts, op, value)).toEqual(expected)
  })

  test('FLOAT sees a fraction as its own nearest value, and integers exactly', async () => {
    const texts = ['0.1', '16777216', "'nan'", 'NULL']
    expect(await holds('FLOAT', texts, '==', 0.1)).toEqual([T, F, F, F])
    expect(await holds('FLOAT', texts, '>', 0.1)).toEqual([F, T, F, F])
    expect(await holds('FLOAT', texts, '==', 16777217)).toEqual([F, F, F, F])
    expect(await holds('FLOAT', texts, '<', 16777217)).toEqual([T, T, F, F])
  })

  test.each([
    ['==', 1.25, [F, T, F, F]],
    ['==', '1.250', [F, T, F, F]],
    ['==', 1.254, [F, F, F, F]],
    ['!=', 1.254, [T, T, T, T]],
    ['<', 1.254, [T, T, F, F]],
    ['>=', 1.254, [F, F, T, F]],
    ['>', -1.255, [T, T, T, F]],
    ['<=', -1.255, [F, F, F, F]],
    ['<', '1e30', [T, T, T, F]],
    ['>', 10n ** 30n, [F, F, F, F]],
    ['==', '-0', [T, F, F, F]],
  ])('DECIMAL(10,2) %s %s', async (op, value, expected) => {
    expect(await holds('DECIMAL(10,2)', ['0', '1.25', '1.26', 'NULL'], op, value)).toEqual(expected)
  })

  test('BOOLEAN with nulls', async () => {
    const texts = ['true', 'false', 'NULL']
    expect(await holds('BOOLEAN', texts, '==', true)).toEqual([T, F, F])
    expect(await holds('BOOLEAN', texts, '!=', true)).toEqual([F, T, T])
    expect(await holds('BOOLEAN', texts, '==', false)).toEqual([F, T, F])
    expect(await holds('BOOLEAN', texts, '!=', false)).toEqual([T, F, T])
  })

  test.each([
    ['DATE', "DATE '2026-11-20'", '2026-11-20', '2026-11-20T00:00:00.000001'],
    [
      'TIMESTAMP',
      "TIMESTAMP '2026-11-20 08:14:00.123456'",
      '2026-11-20T09:14:00.123456+01:00',
      '2026-11-20T08:14:00.1234561',
    ],
    [
      'TIMESTAMP_NS',
      "TIMESTAMP_NS '2026-11-20 08:14:00.123456789'",
      '2026-11-20T08:14:00.123456789',
      '2026-11-20T08:14:00.12345679',
    ],
    ['TIMESTAMP_MS', "TIMESTAMP_MS '2026-11-20 08:14:00.123'", '2026-11-20 08:14:00.123', '2026-11-20T08:14:00.1231'],
    ['TIMESTAMP_S', "TIMESTAMP_S '1926-11-20 08:14:01'", '1926-11-20T08:14:01', '1926-11-20T08:14:01.5'],
    [
      'TIMESTAMP WITH TIME ZONE',
      "TIMESTAMPTZ '2026-11-20 08:14:00.5+00'",
      '2026-11-20T03:14:00.5-05',
      '2026-11-20T08:14:00.5000001Z',
    ],
    ['TIME', "TIME '08:14:00.5'", '08:14:00.5', '08:14:00.5000001'],
  ])('%s, and values between its values', async (type, text, equal, above) => {
    await connection.run("SET TimeZone = 'America/New_York'")
    const on = (op: string, value: string) => holds(type, [text, 'NULL'], op, value)
    expect(await on('==', equal)).toEqual([T, F])
    expect(await on('!=', equal)).toEqual([F, T])
    expect(await on('<=', equal)).toEqual([T, F])
    expect(await on('<', equal)).toEqual([F, F])
    expect(await on('==', above)).toEqual([F, F])
    expect(await on('!=', above)).toEqual([T, T])
    expect(await on('<', above)).toEqual([T, F])
    expect(await on('<=', above)).toEqual([T, F])
    expect(await on('>', above)).toEqual([F, F])
    expect(await on('>=', above)).toEqual([F, F])
  })

  test('TIMESTAMP_NS against a time that it cannot hold', async () => {
    const texts = ["TIMESTAMP_NS '2026-11-20 08:14:00'", 'NULL']
    expect(await holds('TIMESTAMP_NS', texts, '<', '9999-12-31')).toEqual([T, F])
    expect(await holds('TIMESTAMP_NS', texts, '==', '0001-01-01')).toEqual([F, F])
  })

  test('UUID, in any case', async () => {
    const texts = ["'6f9619ff-8b86-d011-b42d-00c04fc964ff'", 'NULL']
    expect(await holds('UUID', texts, '==', '6F9619FF-8B86-D011-B42D-00C04FC964FF')).toEqual([T, F])
    expect(await holds('UUID', texts, '!=', '6F9619FF-8B86-D011-B42D-00C04FC964FF')).toEqual([F, T])
  })

  const strings = [
    '',
    'a',
    'A',
    "it's",
    '"',
    '\\',
    "\\' OR true --",
    'a\nb',
    'a\0b',
    '\0',
    '💥',
    'é',
    'e\u0301',
    '%',
    '_',
    '$1',
    'a\0',
  ]

  test('strings are compared by their bytes, whatever is in them', async () => {
    const texts = [...strings.map((text) => `decode(from_hex('${Buffer.from(text).toString('hex')}'))`), 'NULL']
    for (const type of ['VARCHAR', "ENUM('a', '')"]) {
      const among = type === 'VARCHAR' ? strings : ['a', '']
      const rows = type === 'VARCHAR' ? texts : ["'a'", "''", 'NULL']
      for (const value of [...among, 'zz']) {
        const equal = among.map((text) => text === value)
        expect(await holds(type, rows, '==', value)).toEqual([...equal, F])
        expect(await holds(type, rows, '!=', value)).toEqual([...equal.map((is) => !is), T])
        const found = among.map((text) => text.includes(value))
        expect(await holds(type, rows, 'contains', value)).toEqual([...found, F])
        expect(await holds(type, rows, 'not contains', value)).toEqual([...found.map((is) => !is), T])
      }
    }
  })

  test('a lone surrogate is in no stored string', async () => {
    const rows = ["'\ufffd'", 'NULL']
    expect(await holds('VARCHAR', rows, '==', '\ud800')).toEqual([F, F])
    expect(await holds('VARCHAR', rows, '!=', '\ud800')).toEqual([T, T])
    expect(await holds('VARCHAR', rows, 'contains', '\udc00')).toEqual([F, F])
    expect(await holds('VARCHAR', rows, 'not contains', '\udc00')).toEqual([T, T])
  })

  test('several filters hold on the same row', async () => {
    const table = { columns: columnsOf({ a: 'INTEGER', b: 'VARCHAR' }), keys: { actor: 'b' } }
    const filters = [
      ['a', '!=', 1],
      ['b', '==', 'x'],
    ]
    const { predicates } = valid({ query: { conditions: [{ filters }] } }, table)
    const rows = "SELECT * FROM (VALUES (0, 1, 'x'), (1, 2, 'x'), (2, NULL, 'x'), (3, NULL, NULL)) v(i, a, b)"
    expect(await evaluate(rows, (bind) => predicateSql(predicates[0]!, bind))).toEqual([F, T, T, F])
    expect(
      await evaluate(rows, (bind) => predicateSql(predicates[0]!, bind, (reference) => columnSql(reference, 't'))),
    ).toEqual([F, T, T, F])
  })
})

describe('a timeframe in the engine', () => {
  const inside = async (type: string, texts: string[], timeframe: object) => {
    const query = valid({ timeframe }, withTime(type))
    const rows = texts.map((text, i) => `SELECT ${i} AS i, CAST(${text} AS ${type}) AS "at"`).join(' UNION ALL ')
    const sql = (bind: Bind) => timeframeSql(query.timeframe!, '"at"', parseType(type), bind) ?? 'true'
    return evaluate(rows, (bind) => `coalesce(${sql(bind)}, false)`)
  }

  test.each([
    ['INTEGER', ['9', '10', '49', '50', 'NULL'], { from: 10, to: 50 }, [F, T, T, F, F]],
    ['INTEGER', ['9', '10'], { from: 2n ** 40n }, [F, F]],
    ['INTEGER', ['9', '10'], { from: -(2n ** 40n), to: 2n ** 40n }, [T, T]],
    ['INTEGER', ['9', '10'], { to: -(2n ** 40n) }, [F, F]],
    ['DOUBLE', ['0.5', '1', "'nan'", "'inf'"], { from: 1 }, [F, T, F, T]],
    ['DOUBLE', ['0.5', '1', "'nan'", "'-inf'"], { to: 1 }, [T, F, F, T]],
    ['DOUBLE', ['9007199254740992', '9007199254740994'], { from: 2n ** 53n + 1n }, [F, T]],
    ['DATE', ["'2026-01-01'", "'2026-01-02'"], { from: '2026-01-01T00:00:01' }, [F, T]],
    ['DATE', ["'2026-01-01'", "'2026-01-02'"], { to: '2026-01-01T00:00:01' }, [T, F]],
    ['TIMESTAMP', ["'2026-01-01 00:00:01'"], { from: '2026-01-01T00:00:01', to: '2026-01-01T00:00:01.0000001' }, [T]],
    ['TIMESTAMP WITH TIME ZONE', ["'2026-01-01 00:00:01+00'"], { from: '2026-01-01T01:00:01+01:00' }, [T]],
    ['TIMESTAMP_NS', ["'2026-01-01 00:00:01'"], { from: '0001-01-01', to: '9999-01-01' }, [T]],
  ])('%s %o %o', async (type, texts, timeframe, expected) => {
    expect(await inside(type, texts, timeframe)).toEqual(expected)
  })
})
