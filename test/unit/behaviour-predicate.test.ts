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
async function holds(type: string, texts: readonly string[], op: string, value: unknown): Promise<unknown[]> {
  const name = 'x "y"'
  const table = { columns: columnsOf({ [name]: type }), keys: { actor: name } }
  const filter = value === undefined ? [name, op] : [name, op, value]
  const { predicates } = valid({ query: { conditions: [{ filter }] } }, table)
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

  test.each([
    ['in', ['a', ''], [T, T, F, F, F]],
    ['not in', ['a', ''], [F, F, T, T, T]],
    ['in', ['\ud800'], [F, F, F, F, F]],
    ['not in', ['\ud800'], [T, T, T, T, T]],
    ['between', ['a', 'b'], [F, T, T, F, F]],
    ['between', ['b', 'a'], [F, F, F, F, F]],
    ['<', 'ab', [T, T, F, F, F]],
    ['<=', 'ab', [T, T, T, F, F]],
    ['>', 'ab', [F, F, F, T, F]],
    ['>=', 'ab', [F, F, T, T, F]],
    ['<', '', [F, F, F, F, F]],
    ['>=', '', [T, T, T, T, F]],
    ['<', 'é\ud800', [T, T, T, T, F]],
    ['>=', '\udc00', [F, F, F, F, F]],
    ['starts with', 'a', [F, T, T, F, F]],
    ['starts with', '', [T, T, T, T, F]],
    ['ends with', 'b', [F, F, T, F, F]],
    ['ends with', 'ab\ud800', [F, F, F, F, F]],
    ['matches', '^a', [F, T, T, F, F]],
    ['matches', '', [T, T, T, T, F]],
    ['matches', '^.$', [F, T, F, T, F]],
    ['is null', undefined, [F, F, F, F, T]],
    ['is not null', undefined, [T, T, T, T, F]],
  ])('VARCHAR %s %j', async (op, value, expected) => {
    expect(await holds('VARCHAR', ["''", "'a'", "'ab'", "'é'", 'NULL'], op, value)).toEqual(expected)
  })

  test('ENUM in the order of its texts, not of its declaration', async () => {
    const type = "ENUM('b', 'a')"
    expect(await holds(type, ["'a'", "'b'", 'NULL'], '<', 'b')).toEqual([T, F, F])
    expect(await holds(type, ["'a'", "'b'", 'NULL'], 'in', ['b', 'zz'])).toEqual([F, T, F])
    expect(await holds(type, ["'a'", "'b'", 'NULL'], 'starts with', 'a')).toEqual([T, F, F])
  })

  test.each([
    ['TINYINT', ['1', '2', 'NULL'], [1, 300, -(10n ** 30n)], [T, F, F]],
    ['HUGEINT', ['1', '-170141183460469231731687303715884105728', 'NULL'], [2, -(2n ** 127n)], [F, T, F]],
    ['DOUBLE', ['0.5', "'nan'", "'-0.0'", "'inf'", 'NULL'], [0.5, 0, 10n ** 400n], [T, F, T, F, F]],
    ['FLOAT', ['0.1', '16777216', "'nan'", 'NULL'], [0.1, 16777217], [T, F, F, F]],
    ['DECIMAL(10,2)', ['1.25', '1.26', 'NULL'], ['1.25', 1.254, '1e30'], [T, F, F]],
    ['BOOLEAN', ['true', 'false', 'NULL'], [false], [F, T, F]],
    ['DATE', ["'2026-11-20'", "'2026-11-21'", 'NULL'], ['2026-11-20', '2026-11-21T00:00:01'], [T, F, F]],
    ['TIMESTAMP WITH TIME ZONE', ["'2026-11-20 08:00:00+00'", 'NULL'], ['2026-11-20T09:00:00+01:00'], [T, F]],
    ['UUID', ["'6f9619ff-8b86-d011-b42d-00c04fc964ff'", 'NULL'], ['6F9619FF-8B86-D011-B42D-00C04FC964FF'], [T, F]],
  ])('%s in a list', async (type, texts, values, expected) => {
    expect(await holds(type, texts, 'in', values)).toEqual(expected)
    expect(await holds(type, texts, 'not in', values)).toEqual(expected.map((is) => !is))
  })

  test('a list of thousands of values', async () => {
    const numbers = Array.from({ length: 5000 }, (_, k) => k * 3 - 600)
    const start = performance.now()
    expect(await holds('INTEGER', ['-600', '-599', '14397', '14400', 'NULL'], 'in', numbers)).toEqual([T, F, T, F, F])
    expect(await holds('DOUBLE', ['3', '-0.0', "'nan'", "'inf'", 'NULL'], 'not in', numbers)).toEqual([F, F, T, T, T])
    const texts = numbers.map((k) => `v${k}`)
    expect(await holds('VARCHAR', ["'v-600'", "'v3'", "'v4'", "'z'", "''", 'NULL'], 'in', texts)).toEqual([
      T,
      T,
      F,
      F,
      F,
      F,
    ])
    const points = Array.from({ length: 200 }, (_, k) => String.fromCodePoint(0xd700 + k * 300 + (k > 0 ? 0x800 : 0)))
    for (const [k, text] of points.entries()) {
      if (k % 40 === 0) expect(await holds('VARCHAR', [`'${text}'`, "'x'"], 'not in', points)).toEqual([F, T])
    }
    expect(performance.now() - start).toBeLessThan(20_000)
  })

  test.each([
    ['BIGINT', ['1', '2', '3', '4', 'NULL'], [2, 3], [F, T, T, F, F]],
    ['DOUBLE', ['1', '2', "'nan'", "'inf'", 'NULL'], [2, 10n ** 400n], [F, T, F, F, F]],
    ['DECIMAL(10,2)', ['1.25', '1.26', 'NULL'], [1.254, 1.26], [F, T, F]],
    ['DATE', ["'2026-11-20'", "'2026-11-21'", 'NULL'], ['2026-11-20T00:00:01', '2026-11-21'], [F, T, F]],
    ['TIME', ["'08:00:00'", "'09:00:00'", 'NULL'], ['08:00', '08:59:59.9999999'], [T, F, F]],
    ['BIGINT', ['1', '2', 'NULL'], [2, 1], [F, F, F]],
  ])('%s between', async (type, texts, range, expected) => {
    expect(await holds(type, texts, 'between', range)).toEqual(expected)
  })

  test('NaN is null', async () => {
    for (const type of ['DOUBLE', 'FLOAT']) {
      expect(await holds(type, ['1', "'nan'", "'inf'", 'NULL'], 'is null', undefined)).toEqual([F, T, F, T])
      expect(await holds(type, ['1', "'nan'", "'inf'", 'NULL'], 'is not null', undefined)).toEqual([T, F, T, F])
    }
  })

  test.each([
    ['VARCHAR[]', ["['a', NULL]", "['b']", '[]', '[NULL]', 'NULL'], 'a', [T, F, F, F, F]],
    ['VARCHAR[]', ["['a', '�']", 'NULL'], '\ud800', [F, F]],
    ['TINYINT[]', ['[1, 127]', '[NULL]', 'NULL'], 127, [T, F, F]],
    ['TINYINT[]', ['[1, 127]', 'NULL'], 300, [F, F]],
    ['DOUBLE[]', ["['0.5', 'nan']", "['-0.0']", 'NULL'], 0, [F, T, F]],
    ['FLOAT[]', ['[0.1]', '[0.5]', 'NULL'], 0.1, [T, F, F]],
    ['DECIMAL(10,2)[]', ['[1.25]', 'NULL'], '1.250', [T, F]],
    ['DECIMAL(10,2)[]', ['[1.25]', 'NULL'], 1.251, [F, F]],
    ['DATE[]', ["['2026-11-20']", 'NULL'], '2026-11-20', [T, F]],
    ['TIMESTAMP WITH TIME ZONE[]', ["['2026-11-20 08:00:00+00']", 'NULL'], '2026-11-20T09:00+01:00', [T, F]],
    ['BOOLEAN[]', ['[true]', '[false, NULL]', 'NULL'], true, [T, F, F]],
    ['UUID[]', ["['6f9619ff-8b86-d011-b42d-00c04fc964ff']"], '6F9619FF-8B86-D011-B42D-00C04FC964FF', [T]],
  ])('%s contains', async (type, texts, value, expected) => {
    expect(await holds(type, texts, 'contains', value)).toEqual(expected)
    expect(await holds(type, texts, 'not contains', value)).toEqual(expected.map((is) => !is))
    const nulls = texts.map((text) => text === 'NULL')
    expect(await holds(type, texts, 'is null', undefined)).toEqual(nulls)
    expect(await holds(type, texts, 'is not null', undefined)).toEqual(nulls.map((is) => !is))
  })

  test('fields of structs, however they are called', async () => {
    const type = `STRUCT("it's" STRUCT("x""y" INTEGER, z VARCHAR[]), n DOUBLE)`
    const table = { columns: columnsOf({ 's s': type }), keys: { actor: 's s' } }
    const rows = `SELECT * FROM (VALUES (0, CAST({'it''s': {'x"y': 5, 'z': ['a']}, 'n': 'nan'} AS ${type})), (1, {'it''s': NULL, 'n': 1}), (2, NULL)) v(i, "s s")`
    const on = (filter: unknown) => {
      const { predicates } = valid({ query: { conditions: [{ filter }] } }, table)
      return evaluate(rows, (bind) => predicateSql(predicates[0]!, bind, (reference) => columnSql(reference, 't')))
    }
    expect(await on([`s s.it's.x"y`, '==', 5])).toEqual([T, F, F])
    expect(await on([`s s.it's.x"y`, '!=', 5])).toEqual([F, T, T])
    expect(await on([`s s.it's.z`, 'contains', 'a'])).toEqual([T, F, F])
    expect(await on(['s s.n', 'is null'])).toEqual([T, F, T])
  })

  test('a regular expression that is none fails in the engine, whatever the row', async () => {
    for (const pattern of ['a[', '(?<=a)b', '\\pL{1000}', '(a']) {
      await expect(holds('VARCHAR', ["'a'", 'NULL'], 'matches', pattern)).rejects.toThrow('Invalid Input Error')
    }
    expect(await holds('VARCHAR', ["'a\nb'"], 'matches', 'a.b')).toEqual([F])
  })

  test('trees as deep and as wide as they may be, fast', async () => {
    const start = performance.now()
    const table = { columns: columnsOf({ a: 'INTEGER' }), keys: { actor: 'a' } }
    let deep: unknown = ['a', '>', 1]
    for (let k = 0; k < 48; k++) deep = { or: [{ and: [deep, ['a', '>', k - 100]] }, ['a', '==', -k]] }
    const wide = { or: Array.from({ length: 2000 }, (_, k) => ({ not: ['a', '!=', 3 * k] })) }
    for (const [filter, expected] of [
      [deep, [F, T, T, F]],
      [wide, [F, F, T, F]],
    ] as const) {
      const { predicates } = valid({ query: { conditions: [{ filter }] } }, table)
      const rows = 'SELECT * FROM (VALUES (0, 1), (1, 2), (2, 3), (3, NULL)) v(i, a)'
      expect(await evaluate(rows, (bind) => predicateSql(predicates[0]!, bind))).toEqual(expected)
    }
    expect(performance.now() - start).toBeLessThan(4000)
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
