/** Filters, targets and aggregations: JSON → located parts in full form. */
import {
  field,
  isInteger,
  type Located,
  optional,
  present,
  readCount,
  readList,
  readName,
  readNumber,
  readObject,
  readText,
  readWord,
  required,
  schema,
} from './fields.ts'
import { type Json, type JsonObject, pointer, shown } from './json.ts'
import { FILTER_OPERATORS, TARGET_OPERATORS } from './operators.ts'
import type { AggregationType, FilterOperator, FilterValue, TargetOperator } from './types.ts'
import { type Report, violate } from './violations.ts'

/** `column op value`, each with its place. */
export interface SourceFilter {
  column: Located<string>
  op: Located<FilterOperator>
  value: Located<FilterValue>
}

/** The row filter of a condition or step; `single` says that it was written as `filter`. */
export interface SourceRows {
  filters: SourceFilter[]
  single: boolean
}

/** A target. */
export type SourceTarget =
  | { type: 'count'; op: TargetOperator; value: number | bigint }
  | { type: 'sum'; column: Located<string>; op: TargetOperator; value: number | bigint }

/** An aggregation that has a type. */
export interface SourceAggregation {
  column: Located<string>
  type: AggregationType
  name?: string
  otherColumn?: Located<string>
}

/** The row filter of an object that has exactly one of `filter` and `filters`. */
export function readRows(report: Report, object: JsonObject, path: string): SourceRows | undefined {
  if (field(object, 'filter') !== undefined) {
    const filter = optional(object, path, 'filter', (value, at) => readFilter(report, value, at))
    return filter && { filters: [filter], single: true }
  }
  const filters = optional(object, path, 'filters', (value, at) =>
    readList(report, value, at, 1, (item, itemPath) => readFilter(report, item, itemPath)),
  )
  return filters && { filters, single: false }
}

function readFilter(report: Report, value: Json, path: string): SourceFilter | undefined {
  if (Array.isArray(value)) {
    if (value.length !== 3) return schema(report, path, `a filter is [column, op, value], not ${shown(value)}`)
    return readFilterParts(report, { column: value[0]!, op: value[1]!, value: value[2]! }, (key) =>
      pointer(path, ['column', 'op', 'value'].indexOf(key)),
    )
  }
  if (value === null || typeof value !== 'object') {
    return schema(report, path, `a filter is [column, op, value] or an object, not ${shown(value)}`)
  }
  const keys = ['column', 'op', 'value']
  const object = readObject(report, value, path, keys)
  const missing = keys.filter((key) => field(value, key) === undefined)
  for (const key of missing) schema(report, path, `the filter has no "${key}"`)
  return object && readFilterParts(report, object, (key) => pointer(path, key))
}

function readFilterParts(report: Report, parts: JsonObject, at: (key: string) => string): SourceFilter | undefined {
  const [columnValue, opValue, valueValue] = [field(parts, 'column'), field(parts, 'op'), field(parts, 'value')]
  const column = columnValue === undefined ? undefined : readText(report, columnValue, at('column'))
  const op = opValue === undefined ? undefined : readWord(report, opValue, at('op'), 'operator', FILTER_OPERATORS)
  const value = valueValue === undefined ? undefined : readFilterValue(report, valueValue, at('value'))
  if (column === undefined || op === undefined || value === undefined) return undefined
  return { column, op: { value: op, path: at('op') }, value }
}

function readFilterValue(report: Report, value: Json, path: string): Located<FilterValue> | undefined {
  if (value !== null && typeof value !== 'object') return { value, path }
  return schema(report, path, `expected a string, a number, true or false, not ${shown(value)}`)
}

const TARGET_KEYS = { count: ['type', 'op', 'value'], sum: ['type', 'column', 'op', 'value'] } as const
const TARGET_TYPES = ['count', 'sum'] as const

/** A target. */
export function readTarget(report: Report, value: Json, path: string): SourceTarget | undefined {
  if (Array.isArray(value)) return readShortTarget(report, value, path)
  const object = readObject(report, value, path, TARGET_KEYS.sum)
  if (object === undefined) return undefined
  const type = required(report, object, path, 'type', (item, at) =>
    readWord(report, item, at, 'type of a target', TARGET_TYPES),
  )
  if (type === undefined) return undefined
  for (const key of Object.keys(object)) {
    if (key === 'column' && type === 'count') schema(report, pointer(path, key), 'a count takes no column')
  }
  const missing = TARGET_KEYS[type].filter((key) => field(object, key) === undefined)
  for (const key of missing) schema(report, path, `the target has no "${key}"`)
  return readTargetParts(report, type, object, (key) => pointer(path, key))
}

function readShortTarget(report: Report, value: Json[], path: string): SourceTarget | undefined {
  const shapes = '["count", op, value] or ["sum", column, op, value]'
  if (value.length === 0) return schema(report, path, `a target is ${shapes}, not []`)
  const type = readWord(report, value[0]!, pointer(path, 0), 'type of a target', TARGET_TYPES)
  if (type === undefined) return undefined
  const keys: readonly string[] = TARGET_KEYS[type]
  if (value.length !== keys.length) return schema(report, path, `a target is ${shapes}, not ${shown(value)}`)
  const parts = Object.fromEntries(keys.map((key, index) => [key, value[index]!]))
  return readTargetParts(report, type, parts, (key) => pointer(path, keys.indexOf(key)))
}

function readTargetParts(
  report: Report,
  type: 'count' | 'sum',
  parts: JsonObject,
  at: (key: string) => string,
): SourceTarget | undefined {
  const part = <T>(key: string, read: (report: Report, value: Json, path: string) => T | undefined) => {
    const value = field(parts, key)
    return value === undefined ? undefined : read(report, value, at(key))
  }
  const column = type === 'sum' ? part('column', readText) : undefined
  const op = part('op', (_, value, path) => readWord(report, value, path, 'operator of targets', TARGET_OPERATORS))
  const value = part('value', type === 'count' ? readCount : readNumber)
  if (op === undefined || value === undefined) return undefined
  if (type === 'count') return { type, op, value }
  return column && { type, column, op, value }
}

/** Whether `includeZero` holds for a target, by what was given; combinations that make no sense are noted. */
export function readIncludeZero(
  report: Report,
  target: SourceTarget,
  given: boolean | undefined,
  path: string,
): boolean {
  const problem = includeZeroProblem(target, given)
  if (problem !== undefined) violate(report, 'TYPE_MISMATCH', path, problem)
  return given ?? isCountOfZero(target)
}

function includeZeroProblem(target: SourceTarget, given: boolean | undefined): string | undefined {
  if (given === false && isCountOfZero(target)) return 'a target of count == 0 cannot leave out actors without rows'
  if (given !== true) return undefined
  if (target.type === 'sum') return '"includeZero" applies to targets of type count only'
  if (target.op === '>') return 'a target of count > n is never true of actors without rows'
  const zero = isZero(target.value)
  if (target.op === '<' && zero) return 'a target of count < 0 is never true'
  if (target.op === '!=' ? zero : (target.op === '==' || target.op === '>=') && !zero) {
    return `a target of count ${target.op} ${shown(target.value)} is never true of actors without rows`
  }
  return undefined
}

function isCountOfZero(target: SourceTarget): boolean {
  return target.type === 'count' && target.op === '==' && isZero(target.value)
}

function isZero(value: number | bigint): boolean {
  return isInteger(value) && BigInt(value) === 0n
}

const AGGREGATION_TYPES: readonly AggregationType[] = [
  'count',
  'countPerValue',
  'groupsPerValue',
  'sumPerValue',
  'meanPerValue',
]
const DEFAULT_TYPES: readonly AggregationType[] = ['count', 'countPerValue', 'groupsPerValue']
const TYPES_OF_TWO_COLUMNS: readonly AggregationType[] = ['sumPerValue', 'meanPerValue']

/** The aggregations that one item stands for: one when it has a type, else the default ones. */
export function readAggregation(
  report: Report,
  value: Json,
  path: string,
  names: Located<string>[],
): SourceAggregation[] | undefined {
  const object = readObject(report, value, path, ['column', 'type', 'name', 'otherColumn'])
  if (object === undefined) return undefined
  const column = required(report, object, path, 'column', (item, at) => readText(report, item, at))
  const type = optional(object, path, 'type', (item, at) =>
    readWord(report, item, at, 'type of an aggregation', AGGREGATION_TYPES),
  )
  const name = optional(object, path, 'name', (item, at) => readName(report, item, at))
  const otherColumn = optional(object, path, 'otherColumn', (item, at) => readText(report, item, at))
  if (name !== undefined) names.push(name)
  if (field(object, 'type') === undefined && field(object, 'name') !== undefined) {
    schema(report, pointer(path, 'name'), 'an aggregation without a type stands for several, so it takes no name')
  }
  if (field(object, 'type') === undefined || type !== undefined) checkOtherColumn(report, object, path, type)
  if (column === undefined) return undefined
  const types = type === undefined ? DEFAULT_TYPES : [type]
  return types.map((each) => present({ column, type: each, name: name?.value, otherColumn }))
}

function checkOtherColumn(report: Report, object: JsonObject, path: string, type: AggregationType | undefined): void {
  const needed = type !== undefined && TYPES_OF_TWO_COLUMNS.includes(type)
  const given = field(object, 'otherColumn') !== undefined
  if (needed && !given) schema(report, path, `an aggregation of type ${type} needs an "otherColumn"`)
  if (given && !needed) {
    schema(report, pointer(path, 'otherColumn'), `"otherColumn" applies to ${TYPES_OF_TWO_COLUMNS.join(' and ')} only`)
  }
}
