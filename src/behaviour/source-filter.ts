/** Filters: JSON → trees of located comparisons. */

import { SkepError } from '../errors.ts'
import { field, type Located, optional, readList, readObject, readText, readWord, schema } from './fields.ts'
import type { QueryLimits } from './json.ts'
import { type Json, type JsonObject, pointer, shown } from './json.ts'
import { FILTER_OPERATORS, OPERATORS } from './operators.ts'
import type { FilterOperator, FilterValue } from './types.ts'
import type { Report } from './violations.ts'

/** A report, with the limits of what is read. */
export interface Reading extends Report {
  readonly limits: Pick<QueryLimits, 'filterDepth' | 'anyOrderSteps'>
}

/** `column op value`, each with its place. `values`: one, those of a list or range, or none; `valuePath` is where they stand. */
export interface SourceComparison {
  kind: 'compare'
  column: Located<string>
  op: Located<FilterOperator>
  values: Located<FilterValue>[]
  valuePath: string
}

/** A filter. */
export type SourceFilter =
  | SourceComparison
  | { kind: 'and' | 'or'; of: SourceFilter[] }
  | { kind: 'not'; of: SourceFilter }

/** The row filter of a condition or step; `single` says that it was written as `filter`. */
export interface SourceRows {
  filters: SourceFilter[]
  single: boolean
}

/** The row filter of an object that has exactly one of `filter` and `filters`. @throws QUERY_TOO_DEEP */
export function readRows(reading: Reading, object: JsonObject, path: string): SourceRows | undefined {
  if (field(object, 'filter') !== undefined) {
    const filter = optional(object, path, 'filter', (value, at) => readFilter(reading, value, at, 0))
    return filter && { filters: [filter], single: true }
  }
  const filters = optional(object, path, 'filters', (value, at) => readFilters(reading, value, at, 0))
  return filters && { filters, single: false }
}

function readFilters(reading: Reading, value: Json, path: string, depth: number): SourceFilter[] | undefined {
  return readList(reading, value, path, 1, (item, at) => readFilter(reading, item, at, depth))
}

/** Filters joined or turned round, by their key. */
export const COMBINATORS = ['and', 'or', 'not'] as const

const COMPARISON_KEYS = ['column', 'op', 'value']

function readFilter(reading: Reading, value: Json, path: string, depth: number): SourceFilter | undefined {
  if (depth > reading.limits.filterDepth) throw tooDeep(reading.limits.filterDepth, path)
  if (Array.isArray(value)) return readShort(reading, value, path)
  if (value === null || typeof value !== 'object') {
    return schema(reading, path, `a filter is [column, op, value] or an object, not ${shown(value)}`)
  }
  const combinator = COMBINATORS.find((key) => field(value, key) !== undefined)
  if (combinator === undefined) return readVerbose(reading, value, path)
  const others = Object.keys(value).filter((key) => key !== combinator)
  for (const key of others) {
    schema(reading, pointer(path, key), `a filter with "${combinator}" takes no other key, such as ${shown(key)}`)
  }
  const at = pointer(path, combinator)
  if (combinator === 'not') {
    const inner = readFilter(reading, field(value, 'not')!, at, depth + 1)
    return inner && { kind: 'not', of: inner }
  }
  const inner = readFilters(reading, field(value, combinator)!, at, depth + 1)
  return inner && { kind: combinator, of: inner }
}

function tooDeep(limit: number, path: string): SkepError {
  return new SkepError('QUERY_TOO_DEEP', `filters are nested deeper than ${limit} levels`, { limit, path })
}

function readShort(reading: Reading, value: Json[], path: string): SourceFilter | undefined {
  if (value.length < 2 || value.length > 3) return notShort(reading, value, path)
  const [column, op, operand] = value
  if (operand === undefined && takesValue(op!)) return notShort(reading, value, path)
  const parts = { column: column!, op: op!, ...(operand === undefined ? {} : { value: operand }) }
  return readParts(reading, parts, (key) => pointer(path, COMPARISON_KEYS.indexOf(key)))
}

function notShort(reading: Reading, value: Json[], path: string): undefined {
  return schema(reading, path, `a filter is [column, op, value], or [column, "is null"], not ${shown(value)}`)
}

/** False for the operators without a value, and for what is no operator. */
function takesValue(op: Json): op is FilterOperator {
  return isOperator(op) && OPERATORS[op].operand !== 'none'
}

function isOperator(op: Json | undefined): op is FilterOperator {
  return typeof op === 'string' && Object.hasOwn(OPERATORS, op)
}

function readVerbose(reading: Reading, value: JsonObject, path: string): SourceFilter | undefined {
  const object = readObject(reading, value, path, [...COMPARISON_KEYS, ...COMBINATORS])
  const op = field(value, 'op')
  const needed = isOperator(op) && !takesValue(op) ? ['column', 'op'] : COMPARISON_KEYS
  const missing = needed.filter((key) => field(value, key) === undefined)
  for (const key of missing) schema(reading, path, `the filter has no "${key}"`)
  return object && readParts(reading, object, (key) => pointer(path, key))
}

function readParts(reading: Reading, parts: JsonObject, at: (key: string) => string): SourceFilter | undefined {
  const [columnValue, opValue, operand] = [field(parts, 'column'), field(parts, 'op'), field(parts, 'value')]
  const column = columnValue === undefined ? undefined : readText(reading, columnValue, at('column'))
  const op = opValue === undefined ? undefined : readWord(reading, opValue, at('op'), 'operator', FILTER_OPERATORS)
  const values = readOperand(reading, op, operand, at('value'))
  if (column === undefined || op === undefined || values === undefined) return undefined
  return { kind: 'compare', column, op: { value: op, path: at('op') }, values, valuePath: at('value') }
}

function readOperand(
  reading: Reading,
  op: FilterOperator | undefined,
  value: Json | undefined,
  path: string,
): Located<FilterValue>[] | undefined {
  const operand = op && OPERATORS[op].operand
  if (operand === 'none') {
    return value === undefined ? [] : schema(reading, path, `"${op}" takes no value, not even ${shown(value)}`)
  }
  if (value === undefined) return undefined
  if (operand === 'list' || operand === 'range') return readOperandList(reading, value, path, op!)
  // Beside an unknown operator a list may be right.
  if (operand === undefined && Array.isArray(value)) return undefined
  const single = readFilterValue(reading, value, path)
  return single && [single]
}

function readOperandList(
  reading: Reading,
  value: Json,
  path: string,
  op: FilterOperator,
): Located<FilterValue>[] | undefined {
  const isRange = OPERATORS[op].operand === 'range'
  if (!Array.isArray(value) || (isRange && value.length !== 2)) {
    return schema(reading, path, `"${op}" takes ${isRange ? '[low, high]' : 'a list of values'}, not ${shown(value)}`)
  }
  const items = readList(reading, value, path, 1, (item, at) => readFilterValue(reading, item, at))
  return items?.length === value.length ? items : undefined
}

function readFilterValue(reading: Reading, value: Json, path: string): Located<FilterValue> | undefined {
  if (value !== null && typeof value !== 'object') return { value, path }
  return schema(reading, path, `expected a string, a number, true or false, not ${shown(value)}`)
}
