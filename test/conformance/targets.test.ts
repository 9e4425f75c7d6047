/** Targets over values against sums by hand in exact fractions, over random values of every type. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readLiteral } from '../../src/behaviour/literal.ts'
import { classOf } from '../../src/behaviour/operators.ts'
import type { FilterValue, TargetOperator } from '../../src/behaviour/types.ts'
import type { TypedTarget } from '../../src/behaviour/typing.ts'
import type { Condition } from '../../src/behaviour/validate.ts'
import type { DataType } from '../../src/common/data-type.ts'
import { decideTargets } from '../../src/coordinator/targets.ts'
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
  return column === 'nested.n' ? { kind: 'primitive', name: 'INTEGER' } : table.typeOf(column)
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
