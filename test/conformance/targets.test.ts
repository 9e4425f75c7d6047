/** Targets over values against sums by hand in exact fractions, over random values of every type. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readLiteral } from '../../src/behaviour/literal.ts'
import { classOf } from '../../src/behaviour/operators.ts'
import type { FilterValue, TargetOperator } from '../../src/behaviour/types.ts'
import type { TypedTarget } from '../../src/behaviour/typing.ts'
import type { Condition } from '../../src/behaviour/validate.ts'
import type { DataType } from '../../src/common/data-type.ts'
import { decideTargets } from '../../src/worker/targets.ts'
import {
  addFractions,
  compareFractions,
  type Fraction,
  fractionOfDigits,
  fractionOfDouble,
  nearestDouble,
} from '../oracle/exact.ts'
import { isTrue, ValueTable } from '../oracle/value-table.ts'

const OPERATORS: TargetOperator[] = ['==', '!=', '<', '<=', '>', '>=']

let table: ValueTable
beforeAll(async () => {
  table = await ValueTable.create(1500)
})
afterAll(async () => {
  await table[Symbol.asyncDispose]()
})

interface Given {
  type: TypedTarget['type']
  column: string
  op: TargetOperator
  value: FilterValue
  includeZero?: boolean
}

function typeOf(column: string): DataType {
  return table.typeOf(column)
}

function conditionOf({ type, column, op, value, includeZero = false }: Given, index: number): Condition {
  const columnType = typeOf(column)
  const path = column.split('.')
  const isBound = type === 'min' || type === 'max'
  const literal = isBound ? readLiteral(value, columnType, classOf(columnType)!)! : undefined
  const target = {
    type,
    op,
    value: isBound ? 0 : (value as number),
    column,
    columnType,
    path,
    ...(literal && { literal }),
  }
  return { kind: 'rows', index, predicate: 0, target, includeZero }
}

async function decide(given: Given[]): Promise<boolean[][]> {
  const source = table.source([isTrue('flag')], given.map(conditionOf))
  const task = { files: table.table.snapshot.files, sorted: false, rows: 1500 }
  const words = (await decideTargets(table.session, source, task, {}))!
  return given.map((_, bit) => Array.from(words, (word) => ((word >> BigInt(bit)) & 1n) === 1n))
}

/** Matching values of each actor, in ascending order of actors, as text; undefined for an actor without a matching row. */
async function valuesOf(column: string): Promise<(string[] | undefined)[]> {
  const sql = `"${column.replace('.', '"."')}"`
  const rows = await table.session.rows<{ found: boolean; list: string[] | null }>(
    `SELECT coalesce(bool_or(flag), false) AS found, list(CAST(${sql} AS VARCHAR)) FILTER (flag AND ${sql} IS NOT NULL AND CAST(${sql} AS VARCHAR) <> 'nan') AS list
     FROM ${table.rows} GROUP BY who ORDER BY who`,
  )
  return rows.map(({ found, list }) => (found ? (list ?? []) : undefined))
}

function fractionsOf(list: string[], column: string): Fraction[] {
  const type = typeOf(column)
  if (type.kind === 'primitive' && type.name === 'DOUBLE') return list.map((text) => fractionOfDouble(Number(text)))
  if (type.kind === 'primitive' && type.name === 'FLOAT')
    return list.map((text) => fractionOfDouble(Math.fround(Number(text))))
  return list.map(fractionOfDigits)
}

function holdsFor({ type, column, op, value, includeZero = false }: Given, list: string[] | undefined): boolean {
  if (list === undefined) return includeZero
  const wanted = fractionOfDigits(String(value))
  const isFloat = ['wild', 'price', 'single'].includes(column)
  const exact = (quantity: Fraction) =>
    compare(
      compareFractions(
        isFloat ? fractionOfDouble(nearestDouble(quantity)) : quantity,
        isFloat ? fractionOfDouble(Number(value)) : wanted,
      ),
      op,
    )
  if (type === 'distinct')
    return compare(
      compareFractions({ numerator: BigInt(new Set(list.map(canonical)).size), denominator: 1n }, wanted),
      op,
    )
  const fractions = fractionsOf(list, column)
  const sum = addFractions(fractions)
  if (type === 'sum') return exact(sum)
  if (list.length === 0) return false
  if (type === 'mean') return exact({ numerator: sum.numerator, denominator: sum.denominator * BigInt(list.length) })
  const sorted = fractions.sort(compareFractions)
  const bound = type === 'min' ? sorted[0]! : sorted.at(-1)!
  return compare(
    compareFractions(
      bound,
      isFloat ? fractionOfDouble(column === 'single' ? Math.fround(Number(value)) : Number(value)) : wanted,
    ),
    op,
  )
}

function canonical(text: string): string {
  return text === '-0.0' ? '0.0' : text
}

function compare(order: number, op: TargetOperator): boolean {
  return { '==': order === 0, '!=': order !== 0, '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[
    op
  ]
}

/** Values to compare with: some that actors reach exactly, and some near to them. */
async function interesting(type: Given['type'], column: string): Promise<FilterValue[]> {
  const lists = (await valuesOf(column)).filter((list) => list !== undefined && list.length > 0) as string[][]
  const isWhole = !['wild', 'price', 'single'].includes(column)
  const reached = lists.slice(0, 6).flatMap((list) => {
    const fractions = fractionsOf(list, column)
    const sum = addFractions(fractions)
    const mean = { numerator: sum.numerator, denominator: sum.denominator * BigInt(list.length) }
    if (type === 'distinct') return [new Set(list).size]
    if (type === 'min' || type === 'max') {
      const bound = fractions.sort(compareFractions).at(type === 'min' ? 0 : -1)!
      return [isWhole && bound.denominator === 1n ? bound.numerator : nearestDouble(bound)]
    }
    if (isWhole && type === 'sum' && sum.denominator === 1n) return [sum.numerator, sum.numerator + 1n]
    const near = nearestDouble(type === 'mean' ? mean : sum)
    return [near, near * (1 + Number.EPSILON)]
  })
  return [...new Set(reached), 0, -0.1, 1e-300, 1e300, 10n ** 30n]
}

describe.each(['small', 'big', 'money', 'wide', 'price', 'wild', 'single', 'nested.n'])('%s', (column) => {
  test.each(['sum', 'mean', 'min', 'max', 'distinct'] as const)('%s holds exactly where it should', async (type) => {
    const lists = await valuesOf(column)
    const literalOf = (value: FilterValue) => readLiteral(value, typeOf(column), classOf(typeOf(column))!)
    const values = (await interesting(type, column)).filter((value) => {
      if (type === 'min' || type === 'max') return literalOf(value) !== undefined
      return type !== 'distinct' || (Number.isInteger(value) && Number(value) >= 0)
    })
    const given = values.flatMap((value) => OPERATORS.map((op) => ({ type, column, op, value })))
    let differing = 0
    for (let k = 0; k < given.length; k += 60) {
      const part = given.slice(k, k + 60)
      const decided = await decide(part)
      for (const [place, each] of part.entries()) {
        const expected = lists.map((list) => holdsFor(each, list))
        expect(
          decided[place],
          JSON.stringify(each, (_, v) => (typeof v === 'bigint' ? `${v}n` : v)),
        ).toEqual(expected)
        if (new Set(expected).size > 1) differing++
      }
    }
    expect(differing).toBeGreaterThan(0)
  })
})

describe('other columns', () => {
  const bounds: [string, FilterValue][] = [
    ['day', '2026-11-22'],
    ['seen', '2026-11-20T08:14:01.75'],
    ['zoned', '2026-11-20T09:14:01+01:00'],
  ]
  test.each(bounds)('least and greatest of %s', async (column, value) => {
    const given = (['min', 'max'] as const).flatMap((type) => OPERATORS.map((op) => ({ type, column, op, value })))
    const decided = await decide(given)
    for (const [place, { type, op }] of given.entries()) {
      const sql = `coalesce(${type}(${column}) FILTER (flag) ${op.replace('==', '=')} CAST('${value}' AS ${column === 'day' ? 'DATE' : column === 'seen' ? 'TIMESTAMP' : 'TIMESTAMPTZ'}), false)`
      expect(decided[place], `${type} ${op}`).toEqual(await perActor(sql))
    }
  })

  test.each(['word', 'day', 'flag', 'zoned', 'nested.t'])('distinct values of %s', async (column) => {
    const given = OPERATORS.flatMap((op) => [1, 2, 3].map((value): Given => ({ type: 'distinct', column, op, value })))
    const decided = await decide(given)
    for (const [place, { op, value }] of given.entries()) {
      const sql = `bool_or(flag) AND count(DISTINCT ${column}) FILTER (flag) ${op.replace('==', '=')} ${value}`
      expect(decided[place], `${op} ${value}`).toEqual(await perActor(`coalesce(${sql}, false)`))
    }
  })

  test('actors without matching rows count as zero where that is asked for', async () => {
    const given: Given[] = [{ type: 'distinct', column: 'word', op: '<', value: 2, includeZero: true }]
    const sql = 'coalesce(count(DISTINCT word) FILTER (flag), 0) < 2'
    expect(await decide(given)).toEqual([await perActor(sql)])
    expect(await perActor('NOT coalesce(bool_or(flag), false)')).toContain(true)
  })

  test('infinities are added as they are, and both together satisfy nothing', async () => {
    const given = OPERATORS.map((op): Given => ({ type: 'sum', column: 'infinite', op, value: 3 }))
    const decided = await decide([...given, ...given.map((each): Given => ({ ...each, type: 'mean' }))])
    const values = 'FILTER (flag AND NOT isnan(infinite))'
    for (const [place, { op }] of given.entries()) {
      const operator = op.replace('==', '=')
      const sum = `CASE WHEN isnan(sum(infinite) ${values}) THEN false ELSE coalesce(sum(infinite) ${values}, 0) ${operator} 3 END`
      const mean = `CASE WHEN isnan(avg(infinite) ${values}) THEN false ELSE avg(infinite) ${values} ${operator} 3 END`
      expect(decided[place], op).toEqual(await perActor(`coalesce(bool_or(flag) AND ${sum}, false)`))
      expect(decided[place + OPERATORS.length], op).toEqual(
        await perActor(`coalesce(bool_or(flag) AND ${mean}, false)`),
      )
    }
    expect(await perActor(`coalesce(isinf(sum(infinite) ${values}), false)`)).toContain(true)
  })
})

async function perActor(sql: string): Promise<boolean[]> {
  const rows = await table.session.rows<{ holds: boolean }>(
    `SELECT ${sql} AS holds FROM ${table.rows} GROUP BY who ORDER BY who`,
  )
  return rows.map(({ holds }) => holds)
}

test('statistics of a column choose the unit of its sums, whatever its size', async () => {
  for (const size of [1e-30, 1e-9, 1, 1e9, 1e15, 1e25, 1e200]) {
    const bounds = { lower: -size, upper: size * 9 }
    const columns = new Map([[1, bounds]])
    await using scaled = await ValueTable.create(200, 1, {
      big: { type: 'DOUBLE', sql: `${size} * ((hash(r) % 10)::DOUBLE - 1)` },
      who: { type: 'INTEGER', sql: 'r % 20' },
      at: { type: 'BIGINT', sql: 'r' },
    })
    const source = scaled.source([
      {
        kind: 'not',
        of: { kind: 'null', column: 'big', path: ['big'], type: scaled.typeOf('big'), operator: 'is null' },
      },
    ])
    const lists = await scaled.session.rows<{ list: number[] }>(
      `SELECT list(big) AS list FROM ${scaled.rows} GROUP BY who ORDER BY who`,
    )
    const sums = lists.map(({ list }) => nearestDouble(addFractions(list.map(fractionOfDouble))))
    const target = {
      type: 'sum' as const,
      op: '>=' as const,
      value: sums[7]!,
      column: 'big',
      path: ['big'],
      columnType: scaled.typeOf('big'),
    }
    const condition: Condition = { kind: 'rows', index: 0, predicate: 0, target, includeZero: false }
    const files = scaled.table.snapshot.files.map((file) => ({ ...file, columns }))
    const task = { files, sorted: false, rows: 200 }
    const snapshot = { ...scaled.table.snapshot, files }
    const query = { ...source.query, conditions: [condition] }
    const words = await decideTargets(
      scaled.session,
      { ...source, query, table: { ...scaled.table, snapshot } },
      task,
      {},
    )
    expect(Array.from(words!, Boolean), String(size)).toEqual(sums.map((sum) => sum >= sums[7]!))
  }
})
