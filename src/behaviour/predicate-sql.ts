/**
 * Predicates as SQL of DuckDB, in two-valued logic: true or false for every row, never null. NaN counts as null.
 *
 * Values are bound, never spliced. Strings are compared by functions of the column and constants, which the engine
 * runs once for each entry of a dictionary; `IS NOT DISTINCT FROM` costs it less than `coalesce`.
 */
import { type DataType, printType } from '../common/data-type.ts'
import { compareUtf8 } from '../common/text.ts'
import { type ColumnReference, columnSql } from './column.ts'
import { printDate, printTime, printTimestamp } from './iso.ts'
import { type Literal, ticksPerSecond } from './literal.ts'
import { classOf } from './operators.ts'
import type { ListOperator, NullOperator, ValueOperator } from './types.ts'

/** What is asked of one row. */
export type Predicate =
  | (ColumnReference & { kind: 'compare'; type: DataType; operator: ValueOperator; literal: Literal })
  | (ColumnReference & { kind: 'among'; type: DataType; operator: ListOperator; literals: Literal[] })
  | (ColumnReference & { kind: 'null'; type: DataType; operator: NullOperator })
  | { kind: 'and'; of: Predicate[] }
  | { kind: 'or'; of: Predicate[] }
  | { kind: 'not'; of: Predicate }

/** The types that values are bound with: strings, numbers, `bigint` (both integer types) and booleans. */
export type BindType = 'VARCHAR' | 'DOUBLE' | 'BIGINT' | 'HUGEINT' | 'BOOLEAN'

/** Takes a value and gives the placeholder that stands for it, such as `$3`. */
export type Bind = (value: string | number | bigint | boolean, type: BindType) => string

/** A boolean expression that is true for the rows that satisfy the predicate and false for all others. `column` says how a column is named. */
export function predicateSql(
  predicate: Predicate,
  bind: Bind,
  column: (reference: ColumnReference) => string = columnSql,
): string {
  return treeSql(predicate, bind, column).sql
}

/** Levels of `and` and `or` that the engine's optimizer sees: its time grows with their fifth power or so. */
const PLAIN_LEVELS = 4

function treeSql(
  predicate: Predicate,
  bind: Bind,
  column: (reference: ColumnReference) => string,
): { sql: string; height: number } {
  if (predicate.kind === 'not') {
    const { sql, height } = treeSql(predicate.of, bind, column)
    return { sql: `(NOT ${sql})`, height }
  }
  if (predicate.kind !== 'and' && predicate.kind !== 'or') {
    return { sql: leafSql(predicate, column(predicate), bind), height: 0 }
  }
  const parts = predicate.of.map((part) => treeSql(part, bind, column))
  const height = 1 + Math.max(...parts.map((part) => part.height))
  const operands = parts.map(({ sql }) => sql)
  if (height <= PLAIN_LEVELS) return { sql: `(${operands.join(predicate.kind === 'and' ? ' AND ' : ' OR ')})`, height }
  // No operand is null, so these functions, which the optimizer leaves alone, are the same.
  return { sql: `${predicate.kind === 'and' ? 'least' : 'greatest'}(${operands.join(', ')})`, height }
}

type Leaf = Exclude<Predicate, { kind: 'and' | 'or' | 'not' }>

function leafSql(leaf: Leaf, name: string, bind: Bind): string {
  if (leaf.kind === 'null') return nullSql(name, leaf.type, leaf.operator)
  if (leaf.kind === 'among') return amongSql(name, leaf.type, leaf.operator, leaf.literals, bind)
  const { type, operator, literal } = leaf
  if (type.kind === 'list') return listSql(name, type.element, operator, literal, bind)
  switch (literal.kind) {
    case 'text':
      return textSql(textColumn(name, type), operator, literal.text, bind)
    case 'boolean':
      return equalitySql(name, operator, bind(literal.value, 'BOOLEAN'))
    case 'float':
      return floatSql(name, operator, literal, bind)
    case 'ticks':
      return ticksSql(name, type, operator, literal, bind)
  }
}

/** An expression that may be null, taken as false where it is; or the other way round. */
function twoValued(expression: string, negative = false): string {
  return `(${expression} IS ${negative ? '' : 'NOT '}DISTINCT FROM true)`
}

function nullSql(name: string, type: DataType, operator: NullOperator): string {
  const isNull = classOf(type) === 'float' ? `(${name} IS NULL OR isnan(${name}))` : `(${name} IS NULL)`
  return operator === 'is null' ? isNull : `(NOT ${isNull})`
}

/** Strings, and other types that are compared as text. */
function textColumn(name: string, type: DataType): string {
  return printType(type) === 'VARCHAR' ? name : `CAST(${name} AS VARCHAR)`
}

function amongSql(name: string, type: DataType, operator: ListOperator, literals: Literal[], bind: Bind): string {
  const negative = operator === 'not in'
  const values = new Set(literals.map(exactValue).filter((value) => value !== undefined))
  const constants = [...values].sort(compareValues).map((value) => constantSql(value, type, bind))
  const list = constants.filter((sql) => sql !== undefined)
  return list.length === 0 ? constant(negative) : twoValued(searchSql(comparable(name, type), list), negative)
}

/** The longest list that is searched from its beginning. */
const SEARCHED_VALUES = 32

/**
 * Whether a column is in an ascending list: a search by halves, as every row would else be compared with all of a long
 * list. (`IN` over a long list becomes a join, after which rows no longer come in the order of their files.)
 */
function searchSql(column: string, values: readonly string[]): string {
  if (values.length <= SEARCHED_VALUES) return `list_contains([${values.join(', ')}], ${column})`
  const middle = values.length >> 1
  const [below, above] = [values.slice(0, middle), values.slice(middle)]
  return `CASE WHEN ${column} < ${above[0]} THEN ${searchSql(column, below)} ELSE ${searchSql(column, above)} END`
}

type Exact = string | number | bigint | boolean

function compareValues(a: Exact, b: Exact): number {
  if (typeof a === 'string' && typeof b === 'string') return compareUtf8(a, b)
  return a < b ? -1 : a > b ? 1 : 0
}

/** The value itself; undefined where no stored value can equal it. */
function exactValue(literal: Literal): Exact | undefined {
  if (literal.kind === 'boolean') return literal.value
  // UTF-8 has no lone surrogates.
  if (literal.kind === 'text') return literal.text.isWellFormed() ? literal.text : undefined
  return literal.exact ? literal.floor : undefined
}

/** The column in the type that {@link constantSql} gives. */
function comparable(name: string, type: DataType): string {
  const typeClass = classOf(type)
  if (typeClass === 'string' || typeClass === 'uuid') return textColumn(name, type)
  return printType(type) === 'FLOAT' ? `CAST(${name} AS DOUBLE)` : name
}

/** A constant to compare columns of the type with; undefined where the type lacks it. */
function constantSql(value: Exact, type: DataType, bind: Bind): string | undefined {
  if (typeof value === 'string') return bind(value, 'VARCHAR')
  if (typeof value === 'boolean') return bind(value, 'BOOLEAN')
  if (typeof value === 'number') return bind(value, 'DOUBLE')
  const [least, greatest] = rangeOf(type)
  return value >= least && value <= greatest ? ticksValue(type, value, bind) : undefined
}

function listSql(name: string, element: DataType, operator: ValueOperator, literal: Literal, bind: Bind): string {
  const negative = operator === 'not contains'
  const value = exactValue(literal)
  const sql = value === undefined ? undefined : constantSql(value, element, bind)
  if (sql === undefined) return constant(negative)
  const asText = literal.kind === 'text' && printType(element) !== 'VARCHAR'
  const cast = asText ? 'VARCHAR[]' : printType(element) === 'FLOAT' ? 'DOUBLE[]' : undefined
  return twoValued(`list_contains(${cast ? `CAST(${name} AS ${cast})` : name}, ${sql})`, negative)
}

const TEXT_FUNCTIONS: Partial<Record<ValueOperator, string>> = {
  contains: 'contains',
  'not contains': 'contains',
  'starts with': 'starts_with',
  'ends with': 'ends_with',
  matches: 'regexp_matches',
}

function textSql(column: string, operator: ValueOperator, text: string, bind: Bind): string {
  const negative = operator === '!=' || operator === 'not contains'
  const name = TEXT_FUNCTIONS[operator]
  if (name === undefined && operator !== '==' && operator !== '!=') return textOrderSql(column, operator, text, bind)
  if (!text.isWellFormed()) return constant(negative)
  const value = bind(text, 'VARCHAR')
  return twoValued(
    name === undefined ? `list_contains([${value}], ${column})` : `${name}(${column}, ${value})`,
    negative,
  )
}

/** Strings in the order of their UTF-8 bytes: the greater of two is the constant, or is not. */
function textOrderSql(column: string, operator: ValueOperator, text: string, bind: Bind): string {
  // A lone surrogate would come after all before U+D800, and before all else: as U+E000 does, which no string then equals.
  const surrogate = text.isWellFormed() ? -1 : text.search(LONE_SURROGATE)
  const value = bind(surrogate < 0 ? text : `${text.slice(0, surrogate)}\u{e000}`, 'VARCHAR')
  const below = operator === '<' || operator === '<='
  const strict = surrogate < 0 ? operator === '<' || operator === '>' : below
  const reached = `list_contains([${value}], ${below === strict ? 'least' : 'greatest'}(${column}, ${value}))`
  return `(${column} IS NOT NULL AND ${strict ? `NOT ${reached}` : reached})`
}

const LONE_SURROGATE = /\p{Surrogate}/u

function constant(value: boolean): string {
  return value ? 'true' : 'false'
}

function equalitySql(name: string, operator: ValueOperator, value: string): string {
  return operator === '!=' ? `(${name} IS DISTINCT FROM ${value})` : `(${name} IS NOT DISTINCT FROM ${value})`
}

function comparisonSql(name: string, operator: ValueOperator, value: string): string {
  if (operator === '==' || operator === '!=') return equalitySql(name, operator, value)
  return twoValued(`(${name} ${operator} ${value})`)
}

type Rounded = Extract<Literal, { exact: boolean }>

/** The operator that compares with the literal's floor in place of the literal; a boolean when the answer is the same for every row. */
function floorOperator(operator: ValueOperator, { exact }: Rounded): ValueOperator | boolean {
  if (exact) return operator
  if (operator === '==') return false
  if (operator === '!=') return true
  if (operator === '<') return '<='
  return operator === '>=' ? '>' : operator
}

function floatSql(
  name: string,
  given: ValueOperator,
  literal: Extract<Literal, { kind: 'float' }>,
  bind: Bind,
): string {
  const operator = floorOperator(given, literal)
  if (typeof operator === 'boolean') return constant(operator)
  const value = bind(literal.floor, 'DOUBLE')
  // The engine takes NaN for the greatest of all numbers.
  if (operator === '>' || operator === '>=') {
    return twoValued(`(${name} ${operator} ${value} AND NOT isnan(${name}))`)
  }
  return comparisonSql(name, operator, value)
}

function ticksSql(
  name: string,
  type: DataType,
  given: ValueOperator,
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
