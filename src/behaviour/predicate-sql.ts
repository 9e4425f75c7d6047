/**
 * Predicates as SQL of DuckDB, in two-valued logic: true or false for every row, never null. NaN counts as null.
 *
 * Values are bound, never spliced. Strings are compared by functions of the column and constants, which the engine
 * runs once for each entry of a dictionary; `IS NOT DISTINCT FROM` costs it less than `coalesce`.
 */
import { type DataType, printType, quoteIdentifier } from '../common/data-type.ts'
import { printDate, printTime, printTimestamp } from './iso.ts'
import { type Literal, ticksPerSecond } from './literal.ts'
import { classOf } from './operators.ts'
import type { FilterOperator } from './types.ts'

/** What is asked of one row. */
export type Predicate =
  | { kind: 'compare'; column: string; type: DataType; operator: FilterOperator; literal: Literal }
  | { kind: 'and'; of: Predicate[] }

/** The types that values are bound with: strings, numbers, `bigint` (both integer types) and booleans. */
export type BindType = 'VARCHAR' | 'DOUBLE' | 'BIGINT' | 'HUGEINT' | 'BOOLEAN'

/** Takes a value and gives the placeholder that stands for it, such as `$3`. */
export type Bind = (value: string | number | bigint | boolean, type: BindType) => string

/** A boolean expression that is true for the rows that satisfy the predicate and false for all others. `column` says how a column is named; in double quotes when absent. */
export function predicateSql(
  predicate: Predicate,
  bind: Bind,
  column: (name: string) => string = quoteIdentifier,
): string {
  if (predicate.kind === 'and') return `(${predicate.of.map((part) => predicateSql(part, bind, column)).join(' AND ')})`
  const { type, operator, literal } = predicate
  const name = column(predicate.column)
  switch (literal.kind) {
    case 'text':
      return textSql(name, type, operator, literal.text, bind)
    case 'boolean':
      return equalitySql(name, operator, bind(literal.value, 'BOOLEAN'))
    case 'float':
      return floatSql(name, operator, literal, bind)
    case 'ticks':
      return ticksSql(name, type, operator, literal, bind)
  }
}

function textSql(name: string, type: DataType, operator: FilterOperator, text: string, bind: Bind): string {
  const negative = operator === '!=' || operator === 'not contains'
  // UTF-8 has no lone surrogates: no stored string equals or contains such a text.
  if (!text.isWellFormed()) return constant(negative)
  const column = printType(type) === 'VARCHAR' ? name : `CAST(${name} AS VARCHAR)`
  const value = bind(text, 'VARCHAR')
  const isEquality = operator === '==' || operator === '!='
  const found = isEquality ? `list_contains([${value}], ${column})` : `contains(${column}, ${value})`
  return negative ? `(${found} IS DISTINCT FROM true)` : `(${found} IS NOT DISTINCT FROM true)`
}

function constant(value: boolean): string {
  return value ? 'true' : 'false'
}

function equalitySql(name: string, operator: FilterOperator, value: string): string {
  return operator === '!=' ? `(${name} IS DISTINCT FROM ${value})` : `(${name} IS NOT DISTINCT FROM ${value})`
}

function comparisonSql(name: string, operator: FilterOperator, value: string): string {
  if (operator === '==' || operator === '!=') return equalitySql(name, operator, value)
  return `((${name} ${operator} ${value}) IS NOT DISTINCT FROM true)`
}

type Rounded = Extract<Literal, { exact: boolean }>

/** The operator that compares with the literal's floor in place of the literal; a boolean when the answer is the same for every row. */
function floorOperator(operator: FilterOperator, { exact }: Rounded): FilterOperator | boolean {
  if (exact) return operator
  if (operator === '==') return false
  if (operator === '!=') return true
  if (operator === '<') return '<='
  return operator === '>=' ? '>' : operator
}

function floatSql(
  name: string,
  given: FilterOperator,
  literal: Extract<Literal, { kind: 'float' }>,
  bind: Bind,
): string {
  const operator = floorOperator(given, literal)
  if (typeof operator === 'boolean') return constant(operator)
  const value = bind(literal.floor, 'DOUBLE')
  // The engine takes NaN for the greatest of all numbers.
  if (operator === '>' || operator === '>=') {
    return `((${name} ${operator} ${value} AND NOT isnan(${name})) IS NOT DISTINCT FROM true)`
  }
  return comparisonSql(name, operator, value)
}

function ticksSql(
  name: string,
  type: DataType,
  given: FilterOperator,
  literal: Extract<Literal, { kind: 'ticks' }>,
  bind: Bind,
): string {
  const operator = floorOperator(given, literal)
  if (typeof operator === 'boolean') return constant(operator)
  const [least, greatest] = rangeOf(type)
  if (literal.floor >= least && literal.floor <= greatest) {
    return comparisonSql(name, operator, ticksValue(type, literal.floor, bind))
  }
  if (operator === '==' || operator === '!=') return constant(operator === '!=')
  const holds = literal.floor > greatest === operator.startsWith('<')
  return holds ? `(${name} IS NOT NULL)` : constant(false)
}

const BITS = new Map<string, bigint>([
  ['TINYINT', 8n],
  ['SMALLINT', 16n],
  ['INTEGER', 32n],
  ['BIGINT', 64n],
  ['HUGEINT', 128n],
])

/** Least and greatest value of a type, in its ticks. Dates and timestamps of a query are always in the range of their column, but for nanoseconds. */
function rangeOf(type: DataType): [least: bigint, greatest: bigint] {
  if (type.kind === 'decimal') return [1n - 10n ** BigInt(type.precision), 10n ** BigInt(type.precision) - 1n]
  const name = type.kind === 'primitive' ? type.name : ''
  const unsigned = BITS.get(name.replace(/^U/, ''))
  if (name.startsWith('U') && unsigned !== undefined) return [0n, 2n ** unsigned - 1n]
  const bits = BITS.get(name) ?? 64n
  return [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n]
}

const [BIGINT_LEAST, BIGINT_GREATEST] = [-(2n ** 63n), 2n ** 63n - 1n]
const HUGEINT_GREATEST = 2n ** 127n - 1n

/** A constant of the column's type, inside its range. */
function ticksValue(type: DataType, ticks: bigint, bind: Bind): string {
  const text = ticksText(type, ticks)
  if (text !== undefined) return `CAST(${bind(text, 'VARCHAR')} AS ${printType(type)})`
  if (ticks > HUGEINT_GREATEST) return `CAST(${bind(ticks.toString(), 'VARCHAR')} AS ${printType(type)})`
  const bindType = ticks >= BIGINT_LEAST && ticks <= BIGINT_GREATEST ? 'BIGINT' : 'HUGEINT'
  const value = bind(ticks, bindType)
  return printType(type) === bindType ? value : `CAST(${value} AS ${printType(type)})`
}

function ticksText(type: DataType, ticks: bigint): string | undefined {
  switch (classOf(type)) {
    case 'decimal':
      return printDecimal(ticks, type.kind === 'decimal' ? type.scale : 0)
    case 'date':
      return printDate(ticks)
    case 'time':
      return printTime(ticks, ticksPerSecond(type))
    case 'timestamp':
      return printTimestamp(ticks, ticksPerSecond(type))
    case 'timestamptz':
      return `${printTimestamp(ticks, ticksPerSecond(type))}Z`
    default:
      return undefined
  }
}

/** A decimal from its unscaled digits: `-0.05`. */
export function printDecimal(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  return `${unscaled < 0n ? '-' : ''}${whole}${scale === 0 ? '' : `.${digits.slice(-scale)}`}`
}

/** A half-open range of times `[from, to)`, in ticks of the time column's type: days, its own fraction of a second, or its numbers. */
export interface Timeframe {
  from?: bigint | number
  to?: bigint | number
}

/** An expression that is true for the rows inside the timeframe (and for no NaN); null or false for others. Undefined when it leaves nothing out. */
export function timeframeSql(timeframe: Timeframe, name: string, type: DataType, bind: Bind): string | undefined {
  const bounds = [boundSql('>=', timeframe.from, name, type, bind), boundSql('<', timeframe.to, name, type, bind)]
  const parts = bounds.filter((bound) => bound !== undefined)
  if (parts.length > 0 && classOf(type) === 'float') parts.push(`NOT isnan(${name})`)
  return parts.length === 0 ? undefined : `(${parts.join(' AND ')})`
}

function boundSql(
  operator: '>=' | '<',
  bound: bigint | number | undefined,
  name: string,
  type: DataType,
  bind: Bind,
): string | undefined {
  if (bound === undefined) return undefined
  if (typeof bound === 'number') return `${name} ${operator} ${bind(bound, 'DOUBLE')}`
  const [least, greatest] = rangeOf(type)
  if (bound < least) return operator === '<' ? 'false' : undefined
  if (bound > greatest) return operator === '<' ? undefined : 'false'
  return `${name} ${operator} ${ticksValue(type, bound, bind)}`
}
