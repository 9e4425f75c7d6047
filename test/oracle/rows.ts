/** Which rows a filter means, and what an actor's matching rows must add up to. */
import type { Filter, RowFilter, RowsCondition, VerboseFilter, VerboseTarget } from '../../src/behaviour/types.ts'
import { addFractions, type Fraction, fractionOfDouble, nearestDouble } from './exact.ts'
import { type Cell, fractionOf, fractionOfLiteral, holds, isMissing, kindOf, type OracleTable } from './table.ts'

/** The place of a column. */
export function placeOf(table: OracleTable, name: string): number {
  return table.columns.findIndex((column) => column.name === name)
}

/** Whether a row satisfies all filters of a condition or step. */
export function rowMatches(table: OracleTable, { filter, filters }: RowFilter, row: Cell[]): boolean {
  return (filters ?? [filter]).every((each) => {
    const { column, op, value } = verbose(each)
    const place = placeOf(table, column)
    return cellMatches(row[place]!, table.columns[place]!.type, op, value)
  })
}

function verbose(filter: Filter): VerboseFilter {
  if (!Array.isArray(filter)) return filter as VerboseFilter
  const [column, op, value] = filter as Extract<Filter, readonly unknown[]>
  return { column, op, value }
}

function cellMatches(cell: Cell, type: string, op: string, value: VerboseFilter['value']): boolean {
  if (isMissing(cell)) return op === '!=' || op === 'not contains'
  switch (kindOf(type)) {
    case 'text':
      return textMatches(String(cell), op, String(value))
    case 'boolean':
      return (cell === value) === (op === '==')
    case 'uuid':
      return (cell === String(value).toLowerCase()) === (op === '==')
    default:
      return holds(
        fractionOf(cell as number | bigint, type),
        op,
        fractionOfLiteral(value as string | number | bigint, type),
      )
  }
}

function textMatches(text: string, op: string, value: string): boolean {
  if (op === 'contains') return text.includes(value)
  if (op === 'not contains') return !text.includes(value)
  return (text === value) === (op === '==')
}

/** Whether an actor satisfies a condition on rows. */
export function conditionHolds(table: OracleTable, condition: RowsCondition, rows: Cell[][]): boolean {
  const matching = rows.filter((row) => rowMatches(table, condition, row))
  const target = verboseTarget(condition.target)
  const literal: Fraction =
    typeof target.value === 'bigint' ? { numerator: target.value, denominator: 1n } : fractionOfDouble(target.value)
  if (target.type === 'sum') {
    const place = placeOf(table, target.column)
    const { type } = table.columns[place]!
    const sum = roundedSum(
      matching.map((row) => row[place]!),
      type,
    )
    return matching.length > 0 && holds(sum, target.op, fractionOfLiteral(target.value, type))
  }
  const isZero = target.op === '==' && literal.numerator === 0n
  if (matching.length === 0) return condition.includeZero ?? isZero
  return holds({ numerator: BigInt(matching.length), denominator: 1n }, target.op, literal)
}

function verboseTarget(target: RowsCondition['target']): VerboseTarget {
  if (target === undefined) return { type: 'count', op: '>=', value: 1 }
  if (!Array.isArray(target)) return target as VerboseTarget
  const parts = target as Extract<RowsCondition['target'], readonly unknown[]>
  if (parts[0] === 'count') return { type: 'count', op: parts[1], value: parts[2] }
  return { type: 'sum', column: parts[1], op: parts[2], value: parts[3] }
}

/** The sum of the values that are there: exact, for floats then rounded once. */
export function roundedSum(cells: Cell[], type: string): Fraction {
  const terms = cells.filter((cell) => !isMissing(cell)).map((cell) => fractionOf(cell as number | bigint, type))
  const sum = addFractions(terms)
  return kindOf(type) === 'float' ? fractionOfDouble(nearestDouble(sum)) : sum
}
