/** Targets and aggregations: JSON → located parts in full form. */
import { LIMITS } from '../common/limits.ts'
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
import { AGGREGATIONS, DEFAULT_AGGREGATIONS, keysOf, TARGET_OPERATORS, TARGETS } from './grammar.ts'
import { type Json, type JsonObject, pointer, shown } from './json.ts'
import type { AggregationType, TargetOperator, TargetType } from './types.ts'
import { type Report, violate } from './violations.ts'

/** A target. */
export interface SourceTarget {
  type: TargetType
  /** Of every target but a count. */
  column?: Located<string>
  op: TargetOperator
  value: Located<number | bigint | string>
}

/** An aggregation that has a type. */
export interface SourceAggregation {
  column: Located<string>
  type: AggregationType
  name?: string
  otherColumn?: Located<string>
  top?: number
  q?: (number | bigint)[]
}

const TARGET_TYPES = Object.keys(TARGETS) as TargetType[]

/** The target of a condition that gives none: at least one row. */
export function defaultTarget(path: string): SourceTarget {
  return { type: 'count', op: '>=', value: { value: 1, path } }
}

/** A target. */
export function readTarget(report: Report, value: Json, path: string): SourceTarget | undefined {
  if (Array.isArray(value)) return readShortTarget(report, value, path)
  const object = readObject(report, value, path, TARGETS.sum.keys)
  if (object === undefined) return undefined
  const type = required(report, object, path, 'type', (item, at) =>
    readWord(report, item, at, 'type of a target', TARGET_TYPES),
  )
  if (type === undefined) return undefined
  for (const key of Object.keys(object)) {
    if (key === 'column' && type === 'count') schema(report, pointer(path, key), 'a count takes no column')
  }
  const missing = TARGETS[type].keys.filter((key) => field(object, key) === undefined)
  for (const key of missing) schema(report, path, `the target has no "${key}"`)
  return readTargetParts(report, type, object, (key) => pointer(path, key))
}

function readShortTarget(report: Report, value: Json[], path: string): SourceTarget | undefined {
  const shapes = '["count", op, value] or [type, column, op, value]'
  if (value.length === 0) return schema(report, path, `a target is ${shapes}, not []`)
  const type = readWord(report, value[0]!, pointer(path, 0), 'type of a target', TARGET_TYPES)
  if (type === undefined) return undefined
  const keys: readonly string[] = TARGETS[type].keys
  if (value.length !== keys.length) return schema(report, path, `a target is ${shapes}, not ${shown(value)}`)
  const parts = Object.fromEntries(keys.map((key, index) => [key, value[index]!]))
  return readTargetParts(report, type, parts, (key) => pointer(path, keys.indexOf(key)))
}

function readTargetParts(
  report: Report,
  type: TargetType,
  parts: JsonObject,
  at: (key: string) => string,
): SourceTarget | undefined {
  const part = <T>(key: string, read: (report: Report, value: Json, path: string) => T | undefined) => {
    const value = field(parts, key)
    return value === undefined ? undefined : read(report, value, at(key))
  }
  const hasColumn = TARGETS[type].keys.includes('column')
  const column = hasColumn ? part('column', readText) : undefined
  const op = part('op', (_, value, path) => readWord(report, value, path, 'operator of targets', TARGET_OPERATORS))
  const value = part('value', TARGET_VALUES[TARGETS[type].value])
  if (op === undefined || value === undefined || (hasColumn && column === undefined)) return undefined
  return present({ type, column, op, value: { value, path: at('value') } })
}

const TARGET_VALUES = { count: readCount, number: readNumber, scalar: readScalar } as const

function readScalar(report: Report, value: Json, path: string): number | bigint | string | undefined {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'string') return value
  return schema(report, path, `expected a number or a string, not ${shown(value)}`)
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
  return given ?? isZeroAsked(target)
}

function includeZeroProblem(target: SourceTarget, given: boolean | undefined): string | undefined {
  const { type, op, value } = target
  if (given === false && isZeroAsked(target)) return `a target of ${type} == 0 cannot leave out actors without rows`
  if (given !== true) return undefined
  if (TARGETS[type].value !== 'count') return '"includeZero" applies to targets of type count and distinct only'
  if (op === '>') return `a target of ${type} > n is never true of actors without rows`
  const zero = isZero(value.value)
  if (op === '<' && zero) return `a target of ${type} < 0 is never true`
  if (op === '!=' ? zero : (op === '==' || op === '>=') && !zero) {
    return `a target of ${type} ${op} ${shown(value.value)} is never true of actors without rows`
  }
  return undefined
}

function isZeroAsked({ type, op, value }: SourceTarget): boolean {
  return TARGETS[type].value === 'count' && op === '==' && isZero(value.value)
}

function isZero(value: number | bigint | string): boolean {
  return isInteger(value) && BigInt(value) === 0n
}

const AGGREGATION_TYPES = Object.keys(AGGREGATIONS) as AggregationType[]

/** The aggregations that one item stands for: for each of its columns one when it has a type, else the default ones. */
export function readAggregation(
  report: Report,
  value: Json,
  path: string,
  names: Located<string>[],
): SourceAggregation[] | undefined {
  const object = readObject(report, value, path, keysOf('aggregation'))
  if (object === undefined) return undefined
  const columns = readColumns(report, object, path)
  const typed = field(object, 'type') !== undefined
  const type = optional(object, path, 'type', (item, at) =>
    readWord(report, item, at, 'type of an aggregation', AGGREGATION_TYPES),
  )
  const name = optional(object, path, 'name', (item, at) => readName(report, item, at))
  const otherColumn = optional(object, path, 'otherColumn', (item, at) => readText(report, item, at))
  const top = optional(object, path, 'top', (item, at) => readTop(report, item, at))
  const q = optional(object, path, 'q', (item, at) => readList(report, item, at, 1, readFraction(report)))
  if (name !== undefined) names.push(name)
  checkName(report, object, path)
  const types = type === undefined ? DEFAULT_AGGREGATIONS : [type]
  if (!typed || type !== undefined) checkOptions(report, object, path, types)
  return columns?.flatMap((column) =>
    types.map((each) => {
      const ownTop = AGGREGATIONS[each].map ? top : undefined
      return present({ column, type: each, name: name?.value, otherColumn, top: ownTop, q })
    }),
  )
}

function readColumns(report: Report, object: JsonObject, path: string): Located<string>[] | undefined {
  const [one, several] = [field(object, 'column'), field(object, 'columns')]
  if (several === undefined) {
    const column = required(report, object, path, 'column', (item, at) => readText(report, item, at))
    return column && [column]
  }
  if (one !== undefined) {
    return schema(report, pointer(path, 'columns'), 'an aggregation has either "column" or "columns"')
  }
  return readList(report, several, pointer(path, 'columns'), 1, (item, at) => readText(report, item, at))
}

function readTop(report: Report, value: Json, path: string): number | undefined {
  if (isInteger(value) && value >= 1 && value <= LIMITS.topMax.default) return Number(value)
  return schema(report, path, `expected a whole number from 1 to ${LIMITS.topMax.default}, not ${shown(value)}`)
}

function readFraction(report: Report) {
  return (value: Json, path: string): number | bigint | undefined => {
    if (typeof value === 'number' && value >= 0 && value <= 1) return value
    return schema(report, path, `expected a number from 0 to 1, not ${shown(value)}`)
  }
}

function checkName(report: Report, object: JsonObject, path: string): void {
  if (field(object, 'name') === undefined) return
  const several = field(object, 'columns') !== undefined ? 'with "columns"' : 'without a type'
  if (field(object, 'columns') === undefined && field(object, 'type') !== undefined) return
  schema(report, pointer(path, 'name'), `an aggregation ${several} stands for several, so it takes no name`)
}

/** Keys that go with some types only: missing where they are needed, given where they do not apply. */
function checkOptions(report: Report, object: JsonObject, path: string, types: readonly AggregationType[]): void {
  const given = (key: string) => field(object, key) !== undefined
  for (const key of ['otherColumn', 'q', 'top'] as const) {
    const rule = key === 'top' ? 'map' : key
    const applies = types.some((type) => AGGREGATIONS[type][rule])
    if (applies && key !== 'top' && !given(key))
      schema(report, path, `an aggregation of type ${types[0]} needs "${key}"`)
    if (applies || !given(key)) continue
    const takers = AGGREGATION_TYPES.filter((type) => AGGREGATIONS[type][rule])
    schema(report, pointer(path, key), `"${key}" applies to ${takers.join(', ')} only`)
  }
}
