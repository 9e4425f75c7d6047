/** Which rows a filter means, and what an actor's matching rows must add up to. */
import type {
  Filter,
  FilterOperator,
  FilterValue,
  RowFilter,
  RowsCondition,
  ShortFilter,
  TargetType,
  VerboseFilter,
} from '../../src/behaviour/types.ts'
import { addFractions, compareFractions, type Fraction, fractionOfDouble, nearestDouble } from './exact.ts'
import {
  type Cell,
  fractionOf,
  fractionOfLiteral,
  holds,
  isMissing,
  keyText,
  kindOf,
  type OracleTable,
  orderHolds,
} from './table.ts'

/** The place of a column. */
export function placeOf(table: OracleTable, name: string): number {
  return table.columns.findIndex((column) => column.name === name)
}

/** Whether a row satisfies all filters of a condition or step. */
export function rowMatches(table: OracleTable, { filter, filters }: RowFilter, row: Cell[]): boolean {
  return (filters ?? [filter]).every((each) => filterHolds(table, each, row))
}

/** Two-valued: a comparison with null is false, or true where it is negative; `not` turns it round. */
function filterHolds(table: OracleTable, filter: Filter, row: Cell[]): boolean {
  if ('and' in filter) return filter.and.every((each) => filterHolds(table, each, row))
  if ('or' in filter) return filter.or.some((each) => filterHolds(table, each, row))
  if ('not' in filter) return !filterHolds(table, filter.not, row)
  const { column, op, value } = verbose(filter)
  const place = placeOf(table, column)
  return cellMatches(row[place]!, table.columns[place]!.type, op, value)
}

function verbose(filter: ShortFilter | VerboseFilter): Comparison {
  if (!Array.isArray(filter)) return filter as Comparison
  const [column, op, value] = filter as [string, FilterOperator, Comparison['value']]
  return { column, op, value }
}

interface Comparison {
  column: string
  op: FilterOperator
  value: FilterValue | FilterValue[] | undefined
}

function cellMatches(cell: Cell, type: string, op: FilterOperator, value: Comparison['value']): boolean {
  if (op === 'is null') return isMissing(cell)
  if (op === 'is not null') return !isMissing(cell)
  if (isMissing(cell)) return op === '!=' || op === 'not in' || op === 'not contains'
  const compares = (operator: string, each: FilterValue) => valueMatches(cell, type, operator, each)
  if (Array.isArray(value)) {
    if (op === 'between') return compares('>=', value[0]!) && compares('<=', value[1]!)
    return value.some((each) => compares('==', each)) === (op === 'in')
  }
  return compares(op, value!)
}

function valueMatches(cell: Exclude<Cell, null>, type: string, op: string, value: FilterValue): boolean {
  switch (kindOf(type)) {
    case 'list': {
      const element = type.replace(/\[\]$/, '')
      const found = (cell as Cell[]).some((each) => !isMissing(each) && valueMatches(each, element, '==', value))
      return found === (op === 'contains')
    }
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
  switch (op) {
    case 'contains':
      return text.includes(value)
    case 'not contains':
      return !text.includes(value)
    case 'starts with':
      return text.startsWith(value)
    case 'ends with':
      return text.endsWith(value)
    case 'matches':
      return new RegExp(value, 'u').test(text)
    default:
      return orderHolds(Buffer.compare(Buffer.from(text), Buffer.from(value)), op)
  }
}

/** Whether an actor satisfies a condition on rows. */
export function conditionHolds(table: OracleTable, condition: RowsCondition, rows: Cell[][]): boolean {
  const matching = rows.filter((row) => rowMatches(table, condition, row))
  const { type, column, op, value } = verboseTarget(condition.target)
  if (type === 'count' || type === 'distinct') {
    const isZero = op === '==' && BigInt(value) === 0n
    if (matching.length === 0) return condition.includeZero ?? isZero
    const count = column === undefined ? matching.length : distinctValues(table, column, matching)
    return holds({ numerator: BigInt(count), denominator: 1n }, op, { numerator: BigInt(value), denominator: 1n })
  }
  if (matching.length === 0) return false
  const place = placeOf(table, column!)
  const columnType = table.columns[place]!.type
  const measured = measure(type, presentCells(matching, place), columnType)
  return measured !== undefined && holds(measured, op, fractionOfLiteral(value, columnType))
}

/** Different values of a column that are there. */
export function distinctValues(table: OracleTable, column: string, rows: Cell[][]): number {
  const place = placeOf(table, column)
  const { type } = table.columns[place]!
  return new Set(presentCells(rows, place).map((cell) => keyText(cell, type))).size
}

/** The values of a column that are there. */
export function presentCells(rows: Cell[][], place: number): Exclude<Cell, null>[] {
  return rows.map((row) => row[place]!).filter((cell) => !isMissing(cell)) as Exclude<Cell, null>[]
}

function measure(type: string, cells: Exclude<Cell, null>[], columnType: string): Fraction | undefined {
  if (type === 'sum') return roundedSum(cells, columnType)
  if (cells.length === 0) return undefined
  if (type === 'mean') return roundedMean(cells, columnType)
  return fractionOf(extreme(cells, columnType, type) as number | bigint, columnType)
}

/** The least (`min`) or greatest of the values. */
export function extreme(cells: Exclude<Cell, null>[], type: string, which: string): Exclude<Cell, null> {
  const sorted = cells.toSorted((a, b) => compareCells(a, b, type))
  return which === 'min' ? sorted[0]! : sorted.at(-1)!
}

/** The order of the values of a type: text by its bytes in UTF-8. */
export function compareCells(a: Exclude<Cell, null>, b: Exclude<Cell, null>, type: string): number {
  if (kindOf(type) === 'text') return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)))
  return compareFractions(fractionOf(a as number | bigint, type), fractionOf(b as number | bigint, type))
}

interface WrittenTarget {
  type: TargetType
  column?: string | undefined
  op: string
  value: number | bigint | string
}

function verboseTarget(target: RowsCondition['target']): WrittenTarget {
  if (target === undefined) return { type: 'count', op: '>=', value: 1 }
  if (!Array.isArray(target)) return target as WrittenTarget
  const parts = target as unknown as [TargetType, ...string[]]
  if (parts[0] === 'count') return { type: 'count', op: parts[1]!, value: parts[2]! }
  return { type: parts[0], column: parts[1]!, op: parts[2]!, value: parts[3]! }
}

/** The mean: exact, for floats then rounded once. */
export function roundedMean(cells: Cell[], type: string): Fraction {
  const { numerator, denominator } = addFractions(cells.map((cell) => fractionOf(cell as number | bigint, type)))
  const mean = { numerator, denominator: denominator * BigInt(cells.length) }
  return kindOf(type) === 'float' ? fractionOfDouble(nearestDouble(mean)) : mean
}

/** The sum of the values that are there: exact, for floats then rounded once. */
export function roundedSum(cells: Cell[], type: string): Fraction {
  const terms = cells.filter((cell) => !isMissing(cell)).map((cell) => fractionOf(cell as number | bigint, type))
  const sum = addFractions(terms)
  return kindOf(type) === 'float' ? fractionOfDouble(nearestDouble(sum)) : sum
}
