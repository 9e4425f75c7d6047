/** Rows of random types through the exchange, whatever carries them, are the rows that they were. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { quoteIdentifier, quoteString } from '../../src/common/data-type.ts'
import type { Rows } from '../../src/exchange/exchange.ts'
import { partSql } from '../../src/exchange/parts.ts'
import type { TakeOptions } from '../../src/exchange/take-rows.ts'
import { viewRows } from '../../src/exchange/view-rows.ts'
import {
  ALL_AS_OBJECTS,
  columnsOf,
  differenceOf,
  type ExchangeLab,
  openExchangeLab,
} from '../conformance/exchange-lab.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'

let lab: ExchangeLab

beforeAll(async () => {
  lab = await openExchangeLab()
})

afterAll(() => lab[Symbol.asyncDispose]())

/** A type, and expressions for values of it. */
interface Drawn {
  /** Undefined for structs without names, which no CAST can name. */
  type: string | undefined
  values: string[]
}

const LEAVES: Record<string, string[]> = {
  BOOLEAN: ['true', 'false'],
  TINYINT: ['-128', '0', '127'],
  UINTEGER: ['0', '4294967295'],
  BIGINT: ['-9223372036854775808', '9007199254740993', '0', '9223372036854775807'],
  UBIGINT: ['18446744073709551615', '0'],
  HUGEINT: ['-170141183460469231731687303715884105728', '1', '170141183460469231731687303715884105727'],
  UHUGEINT: ['340282366920938463463374607431768211455', '0'],
  BIGNUM: ['-123456789012345678901234567890123456789012345678901234567890', '0'],
  FLOAT: ['0.1', '-0.0', '0.0', 'nan', 'inf', '-inf', '3.4028235e38', '1e-45'],
  DOUBLE: ['0.1', '-0.0', '0.0', 'nan', 'inf', '-inf', '1.7976931348623157e308', '5e-324', '3'],
  'DECIMAL(4,1)': ['-999.9', '0', '12.3'],
  'DECIMAL(38,10)': ['9999999999999999999999999999.9999999999', '-0.0000000001'],
  DATE: ['5877642-06-25 (BC)', '5881580-07-10', 'infinity', '-infinity', '2024-02-29'],
  TIME: ['00:00:00', '23:59:59.999999', '24:00:00'],
  TIME_NS: ['00:00:00.000000001', '23:59:59.999999999'],
  'TIME WITH TIME ZONE': ['00:00:00+15:59:59', '24:00:00-15:59:59', '12:00:00+01', '11:00:00+00'],
  TIMESTAMP: [
    '290309-12-22 (BC) 00:00:00',
    '294247-01-10 04:00:54.775806',
    'infinity',
    '-infinity',
    '1969-12-31 23:59:59.999999',
  ],
  TIMESTAMP_S: ['290309-12-22 (BC) 00:00:00', '294247-01-10 04:00:54', '2024-01-01'],
  TIMESTAMP_MS: ['290309-12-22 (BC) 00:00:00', '2024-01-01 00:00:00.001'],
  TIMESTAMP_NS: ['1677-09-22 00:00:00', '2262-04-11 23:47:16.854775806', '2024-01-01 00:00:00.000000001'],
  'TIMESTAMP WITH TIME ZONE': ['290309-12-22 (BC) 00:00:00+00', 'infinity', '2024-03-31 01:30:00+01'],
  INTERVAL: [
    '1 month',
    '30 days',
    '720 hours',
    '-1 month 3 days -00:00:00.000001',
    '-83 years -3 months',
    '999 years 3.5 seconds',
  ],
  VARCHAR: ['', ' ', 'NULL', 'null', "it's", '"', '\\', '[1, 2]', '{a: 1}', 'a,b', 'é😀', 'n\nl', '\\x00'],
  BLOB: ['', '\\x00\\xFF\\xFE', '\\xC3\\x28', 'abc', '\\x5C'],
  BIT: ['0', '1', '01', '0000000000000000000000001'],
  UUID: ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'],
  JSON: ['null', '"x"', '{"a": [1,  2.50, null]}', '[]'],
  "ENUM('it''s', 'b', '')": ["it's", 'b', ''],
  GEOMETRY: [
    'POINT (1 2)',
    'POINT (0.1 -0.0)',
    'GEOMETRYCOLLECTION EMPTY',
    'LINESTRING (0 0, 1e300 0.30000000000000004)',
  ],
  "GEOMETRY('OGC:CRS84')": ['POINT (1 2)'],
}
const NAMES = ['a', 'A b', 'q"q', '__proto__', '1', '0', 'select', 'é', '.', 'tag', 'm0', 'e0', 'key', "it's", 'f1']

const leaf: fc.Arbitrary<Drawn> = fc.constantFrom(...Object.entries(LEAVES)).map(([type, texts]) => ({
  type,
  values: texts.map((text) => `CAST(${quoteString(text)} AS ${type})`),
}))

/** NUL stands in no statement, only in values. */
const withNul: fc.Arbitrary<Drawn> = fc.constant({ type: 'VARCHAR', values: [`'a' || chr(0) || 'b'`, 'chr(0)', `'a'`] })

const few = (values: readonly string[]) => fc.array(fc.constantFrom('NULL', ...values), { maxLength: 3 })

function listOf({ type, values }: Drawn): fc.Arbitrary<Drawn> {
  if (type === undefined) {
    return fc
      .array(fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 })
      .map((lists) => ({ type: undefined, values: lists.map((items) => `[${items.join(', ')}]`) }))
  }
  return fc.array(few(values), { minLength: 1, maxLength: 3 }).map((lists) => ({
    type: `${type}[]`,
    values: lists.map((items) => `CAST([${items.join(', ')}] AS ${type}[])`),
  }))
}

function arrayOf({ type, values }: Drawn): fc.Arbitrary<Drawn> {
  return fc
    .array(fc.array(fc.constantFrom('NULL', ...values), { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 3 })
    .map((lists) => ({
      type: `${type}[2]`,
      values: lists.map((items) => `CAST([${items.join(', ')}] AS ${type}[2])`),
    }))
}

const names = (count: number) =>
  fc.uniqueArray(fc.constantFrom(...NAMES), {
    minLength: count,
    maxLength: count,
    selector: (name) => name.toLowerCase(),
  })

function structOf(parts: Drawn[]): fc.Arbitrary<Drawn> {
  return fc
    .tuple(names(parts.length), fc.array(fc.tuple(...parts.map(oneOf)), { minLength: 1, maxLength: 3 }))
    .map(([fields, rows]) => ({
      type: parts.some(({ type }) => type === undefined)
        ? undefined
        : `STRUCT(${parts.map(({ type }, k) => `${quoteIdentifier(fields[k]!)} ${type}`).join(', ')})`,
      values: rows.map(
        (row) => `struct_pack(${row.map((v, k) => `${quoteIdentifier(fields[k]!)} := ${v}`).join(', ')})`,
      ),
    }))
}

function rowOf(parts: Drawn[]): fc.Arbitrary<Drawn> {
  return fc
    .array(fc.tuple(...parts.map(oneOf)), { minLength: 1, maxLength: 3 })
    .map((rows) => ({ type: undefined, values: rows.map((row) => `row(${row.join(', ')})`) }))
}

/** A null has the type of its place. */
function oneOf({ type, values }: Drawn): fc.Arbitrary<string> {
  return fc.constantFrom(...(type === undefined ? [] : [`CAST(NULL AS ${type})`]), ...values)
}

function mapOf(key: Drawn, value: Drawn): fc.Arbitrary<Drawn> {
  const type = `MAP(${key.type}, ${value.type})`
  // Each key once: some of them equal others.
  return fc.array(oneOf(value), { minLength: 2, maxLength: 2 }).map(([a, b]) => ({
    type,
    values: [
      `CAST(map([${key.values[0]}], [${a}]) AS ${type})`,
      `CAST(map([${key.values.at(-1)}], [${b}]) AS ${type})`,
      `CAST(map([], []) AS ${type})`,
    ],
  }))
}

function unionOf(parts: Drawn[]): fc.Arbitrary<Drawn> {
  return names(parts.length).map((members) => {
    const type = `UNION(${parts.map((part, k) => `${quoteIdentifier(members[k]!)} ${part.type}`).join(', ')})`
    const values = parts.flatMap((part, k) =>
      [`CAST(NULL AS ${part.type})`, ...part.values.slice(0, 3)].map(
        (value) => `CAST(union_value(${quoteIdentifier(members[k]!)} := ${value}) AS ${type})`,
      ),
    )
    return { type, values }
  })
}

function nested(depth: number): fc.Arbitrary<Drawn> {
  if (depth === 0) return fc.oneof({ weight: 8, arbitrary: leaf }, { weight: 1, arbitrary: withNul })
  const inner = nested(depth - 1)
  const typed = inner.filter(({ type }) => type !== undefined)
  return fc.oneof(
    { weight: 3, arbitrary: inner },
    { weight: 2, arbitrary: inner.chain(listOf) },
    { weight: 1, arbitrary: typed.chain(arrayOf) },
    { weight: 2, arbitrary: fc.array(inner, { minLength: 1, maxLength: 3 }).chain(structOf) },
    { weight: 1, arbitrary: fc.array(inner, { minLength: 1, maxLength: 3 }).chain(rowOf) },
    { weight: 1, arbitrary: fc.tuple(nested(0), typed).chain(([key, value]) => mapOf(key, value)) },
    { weight: 1, arbitrary: fc.array(typed, { minLength: 1, maxLength: 3 }).chain(unionOf) },
  )
}

/** A query of random columns and rows. */
const query = fc
  .array(nested(2), { minLength: 1, maxLength: 4 })
  .chain((columns) =>
    fc.tuple(names(columns.length), fc.array(fc.tuple(...columns.map(oneOf)), { minLength: 1, maxLength: 8 })),
  )
  .map(([columns, rows]) => {
    const one = (row: string[]) => `SELECT ${row.map((v, k) => `${v} AS ${quoteIdentifier(columns[k]!)}`).join(', ')}`
    return { columns, rows: rows.map(one), sql: rows.map(one).join('\nUNION ALL ') }
  })

type Way = 'inline' | 'few' | 'object' | 'cut'
const WAYS: readonly Way[] = ['inline', 'few', 'object', 'cut']

function optionsOf(way: Way, cut: TakeOptions['cut']): Partial<TakeOptions> {
  switch (way) {
    case 'inline':
      return {}
    case 'few':
      return { few: true }
    case 'object':
      return { settings: ALL_AS_OBJECTS }
    case 'cut':
      return { cut: { ...cut!, when: 'always' } }
  }
}

const PARTS = 3

test('whatever carries them', { timeout: tortureTimeout(60_000) }, async () => {
  const property = fc.asyncProperty(
    query,
    fc.array(fc.constantFrom(...WAYS), { minLength: 1, maxLength: 4 }),
    fc.nat(),
    async ({ columns: names, sql }, ways, pick) => {
      const columns = await columnsOf(lab.from, sql)
      const by = [names[pick % names.length]!, ...(pick % 2 === 0 ? [names[0]!] : [])]
      const cut = { by, parts: PARTS, when: 'large' as const }
      const rows: Rows[] = []
      for (const way of ways) rows.push(await lab.take(sql, columns, optionsOf(way, cut)))
      const all = ways.map(() => `(${sql})`).join('\nUNION ALL ')
      await viewRows(lab.to, 'whole', rows, { exchange: lab.exchange, columns })
      expect(await differenceOf(lab.to, 'whole', all, { ordered: !ways.includes('cut') })).toBeUndefined()
      for (let number = 0; number < PARTS; number++) {
        await viewRows(lab.to, `part${number}`, rows, { exchange: lab.exchange, columns, part: { ...cut, number } })
        const wanted = `SELECT * FROM (${all}) WHERE ${partSql(by, PARTS)} = ${number}`
        expect(await differenceOf(lab.to, `part${number}`, wanted, { ordered: false })).toBeUndefined()
      }
      const keys = by.map(quoteIdentifier).join(', ')
      const parts = Array.from({ length: PARTS }, (_, k) => `SELECT ${keys}, ${k} AS "the part" FROM part${k}`)
      const torn = `SELECT 1 FROM (${parts.join(' UNION ALL ')}) GROUP BY ${keys} HAVING count(DISTINCT "the part") > 1`
      expect(await lab.to.rows(torn)).toEqual([])
    },
  )
  await fc.assert(property, { numRuns: runs(40, 600), seed: tortureSeed() })
})
