/** Aggregations against counts and sums by hand in exact fractions, over random values of every type. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AggregationResult } from '../../src/behaviour/result.ts'
import type { AggregationType } from '../../src/behaviour/types.ts'
import type { Aggregation } from '../../src/behaviour/typing.ts'
import { valueText } from '../../src/behaviour/value-text.ts'
import { type DataType, isFloat, primitive } from '../../src/common/data-type.ts'
import { aggregate, readScopes } from '../../src/coordinator/aggregate.ts'
import { keyTextSql } from '../../src/coordinator/key-text.ts'
import { type AggregationScope, makeScopeTables } from '../../src/worker/aggregation-scopes.ts'
import { namesOf, nameTables, PASSING } from '../../src/worker/aggregation-tables.ts'
import {
  addFractions,
  compareFractions,
  type Fraction,
  fractionOfDigits,
  fractionOfDouble,
  nearestDouble,
} from '../oracle/exact.ts'
import { ValueTable } from '../oracle/value-table.ts'

let table: ValueTable
beforeAll(async () => {
  table = await ValueTable.create(1500, 3)
})
afterAll(async () => {
  await table[Symbol.asyncDispose]()
})

const LEVEL = `CAST(hash(who) % 4 AS INTEGER)`
const MATCHED = `CAST(hash(who || '!') % 3 AS UBIGINT)`
const SCOPES: { condition: string; where: string }[] = [
  { condition: 'level >= 1', where: `${LEVEL} >= 1` },
  { condition: 'level >= 2', where: `${LEVEL} >= 2` },
  { condition: '((matched >> 1) & 1) = 1', where: `${LEVEL} >= 1 AND ${MATCHED} = 2` },
  { condition: 'level >= 9', where: 'false' },
]

function typeOf(column: string): DataType {
  return table.typeOf(column)
}

type Asked = Pick<Aggregation, 'type' | 'column'> & Partial<Pick<Aggregation, 'otherColumn' | 'top' | 'q' | 'name'>>

function typed({ otherColumn, ...asked }: Asked): Aggregation {
  const other = otherColumn !== undefined && {
    otherColumn,
    otherType: typeOf(otherColumn),
    otherPath: otherColumn.split('.'),
  }
  return { top: 10, ...asked, path: asked.column.split('.'), columnType: typeOf(asked.column), ...other }
}

async function answers(asked: Asked[]): Promise<AggregationResult[][]> {
  const scopes = SCOPES.map(({ condition }): AggregationScope => ({ condition, aggregations: asked.map(typed) }))
  await passing('true')
  const together = await aggregate(aggregating(), scopes)
  const names = namesOf(nameTables(scopes.flatMap(({ aggregations }) => aggregations)))
  await makeApart(scopes, names)
  expect(await readScopes(aggregating(), scopes)).toEqual(together)
  return together
}

function aggregating() {
  return { session: table.session, source: table.source([]), files: table.table.snapshot.files, options: {} }
}

async function passing(where: string): Promise<void> {
  await table.session.run(
    `CREATE OR REPLACE TEMP TABLE ${PASSING} AS
     SELECT DISTINCT who AS actor, ${LEVEL} AS level, ${MATCHED} AS matched FROM ${table.rows} WHERE ${LEVEL} >= 1 AND ${where}`,
  )
}

/** The tables as several tasks make them, one of which covers nobody, put one behind the other. */
async function makeApart(scopes: AggregationScope[], names: string[]): Promise<void> {
  const { session } = table
  for (let part = 0; part < 4; part++) {
    await passing(`hash(who || '?') % 3 = ${part}`)
    await makeScopeTables(aggregating(), scopes)
    for (const name of names) {
      const sql = part === 0 ? `CREATE OR REPLACE TEMP TABLE all_${name} AS` : `INSERT INTO all_${name}`
      await session.run(`${sql} FROM ${name}`)
    }
  }
  for (const name of names) {
    await session.run(`CREATE OR REPLACE TEMP TABLE ${name} AS FROM all_${name} ORDER BY random()`)
  }
}

type Row = { who: string; v: string | null; o: string | null }

async function rowsOf(where: string, column: string, other = column): Promise<Row[]> {
  const sql = (name: string) => {
    const quoted = `"${name.replace('.', '"."')}"`
    return isFloat(typeOf(name))
      ? `CASE WHEN NOT isnan(${quoted}) THEN CAST(${quoted} AS VARCHAR) END`
      : `CAST(${quoted} AS VARCHAR)`
  }
  return await table.session.rows<Row>(
    `SELECT who, ${sql(column)} AS v, ${sql(other)} AS o FROM ${table.rows} WHERE ${where}`,
  )
}

/** The key of a value that the engine wrote as text. */
function keyOf(text: string, type: DataType): string {
  if (isFloat(type)) return valueText(Number(text) + 0, type)
  if (type.kind === 'primitive' && type.name === 'BOOLEAN') return text === 'true' ? 'True' : 'False'
  if (type.kind === 'primitive' && type.name.startsWith('TIMESTAMP')) return text.replace(' ', 'T').replace('+00', 'Z')
  return text
}

/** Infinities stand for themselves as 2^5000. */
function fractionOf(text: string, type: DataType): Fraction {
  if (!isFloat(type)) return fractionOfDigits(text)
  return fractionOfDouble(type.kind === 'primitive' && type.name === 'FLOAT' ? Math.fround(Number(text)) : Number(text))
}

function over(fraction: Fraction, count: number): Fraction {
  return { numerator: fraction.numerator, denominator: fraction.denominator * BigInt(count) }
}

function plain(fraction: Fraction, type: DataType): number | string {
  if (isFloat(type)) return nearestDouble(fraction)
  const scale = type.kind === 'decimal' ? type.scale : 0
  const unscaled = (fraction.numerator * 10n ** BigInt(scale)) / fraction.denominator
  if (type.kind !== 'decimal') return Number.isSafeInteger(Number(unscaled)) ? Number(unscaled) : String(unscaled)
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

type Ranked = { key: string; order: Fraction; value: number | string }

function cut(entries: Ranked[], top: number): [string, number | string][] {
  return entries
    .sort((a, b) => compareFractions(b.order, a.order) || Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
    .slice(0, top)
    .map(({ key, value }) => [key, value])
}

function whole(count: number): Fraction {
  return { numerator: BigInt(count), denominator: 1n }
}

function measure(type: AggregationType, rows: Row[], otherType: DataType): Omit<Ranked, 'key'> | undefined {
  if (type === 'countPerValue') return { order: whole(rows.length), value: rows.length }
  if (type === 'groupsPerValue') {
    const actors = new Set(rows.map(({ who }) => who)).size
    return { order: whole(actors), value: actors }
  }
  const terms = rows.flatMap(({ o }) => (o === null ? [] : [fractionOf(o, otherType)]))
  const sum = addFractions(terms)
  if (type === 'sumPerValue') {
    const value = plain(sum, otherType)
    return Number.isFinite(Number(value))
      ? { order: isFloat(otherType) ? fractionOfDouble(Number(value)) : sum, value }
      : undefined
  }
  if (terms.length === 0) return undefined
  const mean = nearestDouble(over(sum, terms.length))
  return Number.isFinite(mean) ? { order: fractionOfDouble(mean), value: mean } : undefined
}

async function expectedMap(
  { type, column, otherColumn, top = 10 }: Asked,
  where: string,
): Promise<[string, number | string][]> {
  const rows = (await rowsOf(where, column, otherColumn)).filter(({ v }) => v !== null)
  const groups = Map.groupBy(rows, ({ v }) => keyOf(v!, typeOf(column)))
  const entries = [...groups].flatMap(([key, group]) => {
    const found = measure(type, group, typeOf(otherColumn ?? column))
    return found ? [{ key, ...found }] : []
  })
  return cut(entries, top)
}

const ALL = [
  'flag',
  'small',
  'big',
  'money',
  'wide',
  'price',
  'wild',
  'single',
  'word',
  'day',
  'seen',
  'zoned',
  'nested.n',
]
const NUMBERS = ['small', 'big', 'money', 'wide', 'price', 'wild', 'single', 'nested.n']

describe('maps', () => {
  test.each(ALL)('values of %s are counted', async (column) => {
    const asked = (['countPerValue', 'groupsPerValue'] as const).flatMap((type) =>
      [1, 4, 10, 10_000].map((top): Asked => ({ type, column, top })),
    )
    const results = await answers(asked)
    for (const [k, { where }] of SCOPES.entries()) {
      for (const [place, each] of asked.entries()) {
        expect(results[k]![place]!.ranked, `${where} ${JSON.stringify(each)}`).toEqual(await expectedMap(each, where))
      }
    }
  })

  test.each(NUMBERS)('sums and means of %s by values of others', async (otherColumn) => {
    const asked = ['word', 'wild', 'day', 'flag'].flatMap((column) =>
      (['sumPerValue', 'meanPerValue'] as const).flatMap((type) =>
        [3, 10_000].map((top): Asked => ({ type, column, otherColumn, top })),
      ),
    )
    const results = await answers(asked)
    for (const [k, { where }] of SCOPES.entries()) {
      for (const [place, each] of asked.entries()) {
        expect(results[k]![place]!.ranked, `${where} ${JSON.stringify(each)}`).toEqual(await expectedMap(each, where))
      }
    }
  })

  test('infinite sums and means are left out', async () => {
    const asked: Asked[] = (['sumPerValue', 'meanPerValue'] as const).map((type) => ({
      type,
      column: 'word',
      otherColumn: 'infinite',
    }))
    const [[sums, means]] = (await answers(asked)) as [[AggregationResult, AggregationResult]]
    const present = (await rowsOf(SCOPES[0]!.where, 'word', 'infinite')).filter(({ v }) => v !== null)
    const infinite = new Set(present.filter(({ o }) => o?.endsWith('inf')).map(({ v }) => v!))
    expect(infinite.size).toBeGreaterThan(0)
    for (const { ranked } of [sums, means]) expect(ranked!.some(([key]) => infinite.has(key))).toBe(false)
  })
})

test('sums beyond the range of doubles are left out, means of their terms are not', async () => {
  await using extreme = await ValueTable.create(12, 1, {
    who: { type: 'INTEGER', sql: 'r' },
    at: { type: 'BIGINT', sql: 'r' },
    key: { type: 'VARCHAR', sql: `['a', 'b', 'c'][r % 3 + 1]` },
    x: { type: 'DOUBLE', sql: `CASE r % 3 WHEN 0 THEN 1.7e308 WHEN 1 THEN 1e308 * (r - 6) WHEN 2 THEN 5e-324 END` },
  })
  await extreme.session.run(`CREATE TEMP TABLE ${PASSING} AS SELECT who AS actor, 1 AS level FROM ${extreme.rows}`)
  const column = { column: 'key', path: ['key'], columnType: extreme.typeOf('key'), top: 1 }
  const other = { otherColumn: 'x', otherPath: ['x'], otherType: extreme.typeOf('x') }
  const aggregations = (['sumPerValue', 'meanPerValue'] as const).map((type) => ({ ...column, ...other, type }))
  const scopes = [{ condition: 'level >= 1', aggregations }]
  const files = extreme.table.snapshot.files
  const [[sums, means]] = (await aggregate(
    { session: extreme.session, source: extreme.source([]), files, options: {} },
    scopes,
  )) as [AggregationResult[]]
  expect(sums!.ranked).toEqual([['c', 2e-323]])
  expect(means!.ranked).toEqual([['a', 1.7e308]])
})

describe('single values', () => {
  test.each(NUMBERS)('of %s', async (column) => {
    const type = typeOf(column)
    const q = [0, 0.1, 0.25, 0.5, 0.9, 0.333, 1]
    const types = ['count', 'min', 'max', 'mean', 'sum', 'distinct'] as const
    for (const asked of [
      types.map((each): Asked => ({ type: each, column })),
      [...types, 'quantiles' as const].map((each): Asked => ({ type: each, column, q })),
    ]) {
      const results = await answers(asked)
      for (const [k, { where }] of SCOPES.entries()) {
        const texts = (await rowsOf(where, column)).flatMap(({ v }) => (v === null ? [] : [v]))
        const sorted = texts.map((text) => fractionOf(text, type)).sort(compareFractions)
        const values = results[k]!.map(({ value }) => value)
        expect(values, where).toEqual(expectedValues(asked, texts, sorted, type, q))
      }
    }
  })

  function expectedValues(asked: Asked[], texts: string[], sorted: Fraction[], type: DataType, q: number[]) {
    const sum = addFractions(sorted)
    const bound = (fraction: Fraction | undefined) => {
      if (fraction === undefined) return undefined
      const value = plain(fraction, type)
      return type.kind === 'primitive' && type.name === 'FLOAT' ? Number(Number(value).toPrecision(6)) : value
    }
    return asked.map((each) => {
      switch (each.type) {
        case 'count':
          return texts.length
        case 'min':
          return bound(sorted[0])
        case 'max':
          return bound(sorted.at(-1))
        case 'mean':
          return sorted.length === 0 ? undefined : nearestDouble(over(sum, sorted.length))
        case 'sum':
          return plain(sum, type)
        case 'distinct':
          return new Set(texts.map((text) => keyOf(text, type))).size
        default:
          return sorted.length === 0
            ? undefined
            : Object.fromEntries(q.map((part) => [String(part), quantile(sorted, part)]))
      }
    })
  }

  function quantile(sorted: Fraction[], part: number): number {
    const { numerator, denominator } = fractionOfDigits(String(part))
    const place = numerator * BigInt(sorted.length - 1)
    const low = sorted[Number(place / denominator)]!
    const high = sorted[Number(place / denominator) + 1] ?? low
    const weight = (fraction: Fraction, by: bigint) => ({
      numerator: fraction.numerator * by,
      denominator: fraction.denominator * denominator,
    })
    const rest = place % denominator
    return nearestDouble(addFractions([weight(low, denominator - rest), weight(high, rest)]))
  }

  test.each(['word', 'day', 'seen', 'zoned'])('least, greatest and distinct of %s', async (column) => {
    const results = await answers([
      { type: 'min', column },
      { type: 'max', column },
      { type: 'distinct', column },
      { type: 'count', column },
    ])
    for (const [k, { where }] of SCOPES.entries()) {
      const texts = (await rowsOf(where, column)).flatMap(({ v }) => (v === null ? [] : [keyOf(v, typeOf(column))]))
      const sorted = texts.sort((a, b) =>
        Buffer.compare(Buffer.from(a.replace('Z', '')), Buffer.from(b.replace('Z', ''))),
      )
      const ends = [sorted[0], sorted.at(-1)]
      expect(results[k]!.map(({ value }) => value)).toEqual([...ends, new Set(texts).size, texts.length])
    }
  })

  test('quantiles agree with those of the engine', async () => {
    const q = [0.05, 0.5, 0.77]
    const [[result]] = (await answers([{ type: 'quantiles', column: 'price', q }])) as [[AggregationResult]]
    const [row] = await table.session.rows<{ found: number[] }>(
      `SELECT quantile_cont(price, [${q.join(', ')}]) AS found FROM ${table.rows} WHERE ${SCOPES[0]!.where}`,
    )
    for (const [k, part] of q.entries())
      expect((result!.value as Record<string, number>)[part]).toBeCloseTo(row!.found[k]!, 12)
  })

  test('infinities have no value', async () => {
    const [[least, greatest, mean, quantiles]] = (await answers([
      { type: 'min', column: 'infinite' },
      { type: 'max', column: 'infinite' },
      { type: 'mean', column: 'infinite' },
      { type: 'quantiles', column: 'infinite', q: [0, 0.5, 1] },
    ])) as [AggregationResult[]]
    for (const result of [least, greatest, mean]) expect(result).not.toHaveProperty('value')
    expect(quantiles!.value).toEqual({ 0.5: 1 })
  })
})

test('names and columns are handed on, and what has no value has none', async () => {
  const [first, , , none] = await answers([
    { type: 'sumPerValue', column: 'word', otherColumn: 'small', name: 'totals', top: 2 },
    { type: 'mean', column: 'price' },
  ])
  expect(first![0]).toMatchObject({ column: 'word', type: 'sumPerValue', name: 'totals', otherColumn: 'small', top: 2 })
  expect(none).toEqual([
    { column: 'word', type: 'sumPerValue', name: 'totals', otherColumn: 'small', value: {}, ranked: [], top: 2 },
    { column: 'price', type: 'mean' },
  ])
})

test('texts of keys are the same in SQL as in results', async () => {
  const edges = [1e16, 1e15, 123456789012345680, 1e-4, 1e-5, -1.5e-5, 1.5e-6, 1e-7, 1e21, 1e22, 1e100, Number.MAX_VALUE]
  const doubles = [...edges, 5e-324, 1e-100, 0, -0.5, -3e17, 100, 12345.678, 0.1, 9007199254740994]
  for (let k = -400; k < 400; k++) doubles.push((hash(k) - 0.5) * 10 ** (k / 16))
  const singles = doubles.filter((number) => Math.abs(number) < 1e37).map((number) => Number(number.toPrecision(6)))
  for (const { name, numbers } of [
    { name: 'DOUBLE' as const, numbers: doubles },
    { name: 'FLOAT' as const, numbers: singles },
  ]) {
    const type = primitive(name)
    const rows = await table.session.rows<{ v: number; text: string }>(
      `SELECT v, ${keyTextSql('v', type)} AS text FROM (SELECT CAST(unnest($1) AS ${name}) AS v)`,
      { params: [numbers.map(String)] },
    )
    for (const { v, text } of rows) expect(text, `${name} ${v}`).toBe(valueText(v, type))
  }
})

function hash(k: number): number {
  return Math.abs(Math.sin(k * 12.9898) * 43758.5453) % 1
}

test('more places than an integer has bits', async () => {
  const aggregations = [typed({ type: 'countPerValue', column: 'word' }), typed({ type: 'sum', column: 'price' })]
  const conditions = Array.from({ length: 40 }, (_, k) => `(hash(actor) + ${k}) % 3 = 0 AND level >= ${1 + (k % 4)}`)
  await passing('true')
  await table.session.run(
    `CREATE OR REPLACE TEMP TABLE ${PASSING} AS SELECT actor, level, hash(actor) % 3 AS third FROM ${PASSING}`,
  )
  const scopes = conditions.map((condition) => ({
    condition: condition.replace('hash(actor)', 'third'),
    aggregations,
  }))
  const together = await aggregate(aggregating(), scopes)
  expect(new Set(together.map((results) => JSON.stringify(results))).size).toBe(10)
  for (const [k, scope] of scopes.entries()) {
    if (k % 5 === 0) expect((await aggregate(aggregating(), [scope]))[0]).toEqual(together[k])
  }
})
