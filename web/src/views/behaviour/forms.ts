/**
 * Which parts of a query the builder has a form for. Each `read…` gives what a form shows, or undefined where there is
 * none for the part as it is written, which is then shown as JSON. Each `write…` is its opposite, in the same notation.
 */
import { AGGREGATIONS, ORDERS, TARGET_OPERATORS, TARGETS, TIE_RULES } from '../../../../src/behaviour/grammar.ts'
import { OPERATORS } from '../../../../src/behaviour/operators.ts'
import type { AggregationType, FilterOperator, TargetOperator, TargetType } from '../../../../src/behaviour/types.ts'
import { isObject, isScalar, type Json, type JsonObject, keepId, patched } from './document.ts'

/** A comparison of a column. */
export interface Comparison {
  kind: 'compare'
  column: string
  op: FilterOperator
  value?: Json | undefined
  notation: 'short' | 'verbose'
}

/** Filters that are joined. */
export interface Group {
  kind: 'and' | 'or'
  parts: Json[]
}

/** A filter that is turned round. */
export interface Negation {
  kind: 'not'
  of: Json
}

/** What a form of filters shows. */
export type FilterForm = Comparison | Group | Negation

/** The form of a filter. */
export function readFilter(filter: Json): FilterForm | undefined {
  if (Array.isArray(filter)) {
    const [column, op, value] = filter
    return filter.length > 3 ? undefined : comparison(column, op, value, 'short')
  }
  if (!isObject(filter)) return undefined
  const keys = Object.keys(filter)
  if (keys.length === 1 && (keys[0] === 'and' || keys[0] === 'or')) {
    const parts = filter[keys[0]]
    return Array.isArray(parts) && parts.length > 0 ? { kind: keys[0], parts } : undefined
  }
  if (keys.length === 1 && keys[0] === 'not') return { kind: 'not', of: filter.not! }
  if (!keys.every((key) => ['column', 'op', 'value'].includes(key))) return undefined
  return comparison(filter.column, filter.op, filter.value, 'verbose')
}

function comparison(
  column: Json | undefined,
  op: Json | undefined,
  value: Json | undefined,
  notation: Comparison['notation'],
): Comparison | undefined {
  if (typeof column !== 'string' || typeof op !== 'string' || !Object.hasOwn(OPERATORS, op)) return undefined
  const form = { kind: 'compare' as const, column, op: op as FilterOperator, value, notation }
  return takesValue(form.op, value) ? form : undefined
}

function takesValue(op: FilterOperator, value: Json | undefined): boolean {
  switch (OPERATORS[op].operand) {
    case 'none':
      return value === undefined
    case 'value':
      return isScalar(value)
    case 'list':
      return Array.isArray(value) && value.length > 0 && value.every(isScalar)
    case 'range':
      return Array.isArray(value) && value.length === 2 && value.every(isScalar)
  }
}

/** The filter of a form. */
export function writeFilter(form: FilterForm): Json {
  if (form.kind === 'not') return { not: form.of }
  if (form.kind !== 'compare') return { [form.kind]: form.parts }
  const { column, op, value, notation } = form
  if (notation === 'verbose') return { column, op, ...(value !== undefined && { value }) }
  return value === undefined ? [column, op] : [column, op, value]
}

/** The filters of a condition or step, all of which hold on its rows. */
export interface Rows {
  key: 'filter' | 'filters'
  parts: Json[]
}

/** The filters of a condition or step. */
export function readRows(object: JsonObject): Rows | undefined {
  const { filter, filters } = object
  if (filter !== undefined && filters === undefined) return { key: 'filter', parts: [filter] }
  if (!Array.isArray(filters) || filters.length === 0 || filter !== undefined) return undefined
  return { key: 'filters', parts: filters }
}

/** The condition or step with these filters, at least one; a single one stays a list where it was one. */
export function writeRows(object: JsonObject, { key, parts }: Rows): JsonObject {
  if (key === 'filter' && parts.length === 1) return patched(object, { filter: parts[0]!, filters: undefined })
  if (key === 'filters') return patched(object, { filter: undefined, filters: parts })
  const entries = Object.entries(object).map(([name, value]) =>
    name === 'filter' ? ['filters', parts] : [name, value],
  )
  return keepId(object, Object.fromEntries(entries))
}

/** The name of a part of a condition or step in JSON Pointers. */
export function pathOfRow({ key }: Rows, place: number): string {
  return key === 'filter' ? '/filter' : `/filters/${place}`
}

type Check = (value: Json) => boolean
const isText: Check = (value) => typeof value === 'string'
const isTruth: Check = (value) => typeof value === 'boolean'
const isNumber: Check = (value) => typeof value === 'number' || typeof value === 'bigint'
const isSpan: Check = (value) => isText(value) || isNumber(value)
const isList: Check = (value) => Array.isArray(value)
const isTexts: Check = (value) => Array.isArray(value) && value.length > 0 && value.every(isText)
const oneOf =
  (words: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && words.includes(value)

function fits(value: Json | undefined, checks: Readonly<Record<string, Check>>): value is JsonObject {
  return isObject(value) && Object.entries(value).every(([key, item]) => checks[key]?.(item) ?? false)
}

const ROWS = { name: isText, filter: () => true, filters: isList }
const STEP = { ...ROWS, rowFound: isTruth, optional: isTruth, within: isSpan, after: isSpan }
const RULES = {
  within: isSpan,
  maxDuration: isNumber,
  order: oneOf(ORDERS),
  ties: oneOf(TIE_RULES),
  sameRow: isTruth,
  hold: (value: Json) => isText(value) || isTexts(value),
}
const SEQUENCE = { ...RULES, sequence: isList }

/** The filters of a step, when there is a form for the step. */
export function readStep(step: Json): Rows | undefined {
  return fits(step, STEP) ? readRows(step) : undefined
}

/** Whether a step stands for rows that may not be there. */
export function isNegative(step: Json): boolean {
  return isObject(step) && step.rowFound === false
}

/** Whether there is a form for a condition, and which. */
export function kindOfCondition(condition: Json): 'rows' | 'sequence' | undefined {
  if (fits(condition, { ...SEQUENCE, name: isText })) return hasSteps(condition) ? 'sequence' : undefined
  if (!fits(condition, { ...ROWS, target: () => true, includeZero: isTruth })) return undefined
  const { target } = condition
  return readRows(condition) && (target === undefined || readTarget(target)) ? 'rows' : undefined
}

function hasSteps({ sequence }: JsonObject): boolean {
  return Array.isArray(sequence) && sequence.length > 0
}

/** Whether there is a form for a funnel. */
export function isFunnelForm(funnel: Json): funnel is JsonObject {
  return fits(funnel, { ...SEQUENCE, stepAggregations: isList, endAggregations: isList }) && hasSteps(funnel)
}

/** Whether there is a form for what conditions and aggregations stand in. */
export function isClauseForm(clause: Json): clause is JsonObject {
  return fits(clause, { conditions: isList, relation: isText, aggregations: isList })
}

/** Whether there is a form for a timeframe. */
export function isTimeframeForm(timeframe: Json): timeframe is JsonObject {
  return fits(timeframe, { from: isSpan, to: isSpan })
}

/** Whether the parts of a query can be told apart. */
export function isQueryForm(query: Json): query is JsonObject {
  return fits(query, { timeframe: () => true, query: () => true, funnel: () => true })
}

/** What the rows of a condition must add up to. */
export interface Target {
  type: TargetType
  column?: string
  op: TargetOperator
  value: Json
  notation: 'short' | 'verbose'
}

/** The form of a target. */
export function readTarget(target: Json): Target | undefined {
  const notation = Array.isArray(target) ? 'short' : 'verbose'
  const fields = Array.isArray(target) ? fieldsOfShort(target) : target
  if (!isObject(fields) || typeof fields.type !== 'string' || !Object.hasOwn(TARGETS, fields.type)) return undefined
  const { keys } = TARGETS[fields.type as TargetType]
  const { column, op, value } = fields
  if (Object.keys(fields).length !== keys.length || !keys.every((key) => fields[key] !== undefined)) return undefined
  if (!oneOf(TARGET_OPERATORS)(op!) || !isScalar(value) || typeof value === 'boolean') return undefined
  if (column !== undefined && typeof column !== 'string') return undefined
  const type = fields.type as TargetType
  return { type, ...(column !== undefined && { column }), op: op as TargetOperator, value, notation }
}

function fieldsOfShort(target: Json[]): JsonObject | undefined {
  const [type] = target
  if (typeof type !== 'string' || !Object.hasOwn(TARGETS, type)) return undefined
  const { keys } = TARGETS[type as TargetType]
  return keys.length === target.length ? Object.fromEntries(keys.map((key, k) => [key, target[k]!])) : undefined
}

/** The target of a form. */
export function writeTarget({ notation, ...fields }: Target): Json {
  if (notation === 'verbose') return { ...fields }
  return TARGETS[fields.type].keys.map((key) => fields[key]!)
}

/** Where the value of a target stands, below the target. */
export function pathOfTargetField({ type, notation }: Target, key: 'column' | 'op' | 'value'): string {
  return notation === 'verbose' ? `/${key}` : `/${TARGETS[type].keys.indexOf(key)}`
}

/** An aggregation; without a type it stands for the usual three. */
export interface Aggregation {
  columns: string[]
  isList: boolean
  type?: AggregationType
  otherColumn?: string
  name?: string
  top?: number | bigint
  q?: (number | bigint)[]
}

/** The form of an aggregation. */
export function readAggregation(aggregation: Json): Aggregation | undefined {
  const isForm = fits(aggregation, {
    column: isText,
    columns: isTexts,
    type: oneOf(Object.keys(AGGREGATIONS)),
    otherColumn: isText,
    name: isText,
    top: isNumber,
    q: (value) => Array.isArray(value) && value.length > 0 && value.every(isNumber),
  })
  if (!isForm) return undefined
  const { column, columns, ...rest } = aggregation
  if ((column === undefined) === (columns === undefined)) return undefined
  const list = column === undefined ? (columns as string[]) : [column as string]
  return { columns: list, isList: column === undefined, ...rest } as Aggregation
}

/** The aggregation of a form. */
export function writeAggregation({ columns, isList, ...rest }: Aggregation): JsonObject {
  return { ...(isList ? { columns } : { column: columns[0]! }), ...rest } as JsonObject
}
