/** What the builder does to a query: each gives a new one, and none that the language refuses. */
import { AGGREGATIONS } from '../../../../src/behaviour/grammar.ts'
import { OPERATORS } from '../../../../src/behaviour/operators.ts'
import {
  type ConditionNames,
  mapConditions,
  parseRelation,
  printRelation,
  usedConditions,
} from '../../../../src/behaviour/relation.ts'
import type { AggregationType, FilterOperator, TargetType } from '../../../../src/behaviour/types.ts'
import { aggregable, type ColumnChoice, firstValue, operatorsFor, targetable } from './columns.ts'
import { isObject, isScalar, type Json, type JsonObject, LIMITS, patched, without } from './document.ts'
import type { Aggregation, Comparison, Target } from './forms.ts'
import { isNegative, writeTarget } from './forms.ts'

/** A comparison of a column before anybody has said with what. */
export function newFilter(column: ColumnChoice | undefined): Json {
  const op = operatorsFor(column)[0]!
  const value = OPERATORS[op].operand === 'none' ? [] : [firstValue(column)]
  return [column?.name ?? '', op, ...value]
}

/** A step before anybody has said which rows. */
export function newStep(column: ColumnChoice | undefined): JsonObject {
  return { filter: newFilter(column) }
}

/** The comparison with another operator; what was compared with stays as far as it can. */
export function withOperator(form: Comparison, op: FilterOperator, column: ColumnChoice | undefined): Comparison {
  const old = (Array.isArray(form.value) ? form.value : [form.value]).filter(isScalar)
  const first = old[0] ?? firstValue(column)
  const value = { none: undefined, value: first, list: old.length > 0 ? old : [first], range: [first, old[1] ?? first] }
  const { operand } = OPERATORS[op]
  const isKept = OPERATORS[form.op].operand === operand && form.value !== undefined
  return { ...form, op, value: isKept ? form.value : value[operand] }
}

/** The comparison of another column; what does not fit to it is chosen anew. */
export function withColumn(form: Comparison, next: ColumnChoice, before: ColumnChoice | undefined): Comparison {
  const moved = { ...form, column: next.name }
  if (before !== undefined && before.class === next.class && before.type.kind === next.type.kind) return moved
  const operators = operatorsFor(next)
  const op = operators.includes(form.op) ? form.op : operators[0]!
  return withOperator({ ...moved, op, value: undefined }, op, next)
}

/** The steps without what their places do not allow: the first that is asked for follows nothing, and what must not happen has no time. */
export function settled(steps: readonly Json[]): Json[] {
  const first = steps.findIndex((step) => !isNegative(step))
  return steps.map((step, k) => {
    if (!isObject(step) || (k !== first && !isNegative(step))) return step
    const change = { within: undefined, after: undefined, optional: undefined }
    return Object.keys(change).some((key) => step[key] !== undefined) ? patched(step, change) : step
  })
}

/** The target of another type, with a column that it takes. */
export function withTargetType(target: Target, type: TargetType, columns: readonly ColumnChoice[]): Target | undefined {
  const { op, notation } = target
  if (type === 'count') return { type, op, value: wholeNumber(target.value), notation }
  const taken = targetable(columns, type)
  const column = taken.find(({ name }) => name === target.column) ?? taken[0]
  if (column === undefined) return undefined
  const value =
    type === 'distinct'
      ? wholeNumber(target.value)
      : type === 'min' || type === 'max'
        ? firstValue(column)
        : numberFrom(target.value)
  return { type, column: column.name, op, value, notation }
}

/** Whether actors without any row can satisfy a target of a type. */
export function takesZero(type: TargetType): boolean {
  return type === 'count' || type === 'distinct'
}

/** The condition with a target, without what does not go with it. */
export function withTarget(condition: JsonObject, target: Target): JsonObject {
  const includeZero = takesZero(target.type) ? condition.includeZero : undefined
  return patched(condition, { target: writeTarget(target), includeZero })
}

function wholeNumber(value: Json): number | bigint {
  const isWhole =
    (typeof value === 'number' && Number.isInteger(value) && value >= 0) || (typeof value === 'bigint' && value >= 0)
  return isWhole ? (value as number | bigint) : 1
}

function numberFrom(value: Json): number | bigint {
  return typeof value === 'number' || typeof value === 'bigint' ? value : 1
}

/** The aggregation of another type, with the fields that go with it and columns that it takes; undefined when no column is of a kind that it takes. */
export function withAggregationType(
  { columns: old, isList, name, top, ...rest }: Aggregation,
  type: AggregationType | undefined,
  choices: readonly ColumnChoice[],
): Aggregation | undefined {
  const taken = aggregable(choices, type)
  const kept = old.filter((column) => taken.some((choice) => choice.name === column))
  const first = taken[0]?.name
  const columns = kept.length > 0 ? kept : first === undefined ? [] : [first]
  if (columns.length === 0) return undefined
  const base = { columns, isList: isList && columns.length > 0 }
  if (type === undefined) return { ...base, ...(top !== undefined && { top }) }
  const rule = AGGREGATIONS[type]
  const numbers = targetable(choices, 'sum')
  const otherColumn = rest.otherColumn ?? numbers[0]?.name
  if (rule.otherColumn && otherColumn === undefined) return undefined
  return {
    ...base,
    type,
    ...(rule.otherColumn && otherColumn !== undefined && { otherColumn }),
    ...(name !== undefined && !isList && { name }),
    ...(rule.map && top !== undefined && { top }),
    ...(rule.q && { q: rest.q ?? [0.5, 0.9] }),
  }
}

/** How many actors have each value of a column: the aggregation that people mostly want first. */
export function newAggregation(column: ColumnChoice | undefined): Json {
  return { column: column?.name ?? '', type: 'groupsPerValue' }
}

/** The clause without one of its conditions, or why that one cannot go. */
export function withoutCondition(clause: JsonObject, place: number): JsonObject | string {
  const conditions = clause.conditions as Json[]
  const rest = without(conditions, place)
  const { relation } = clause
  const base = { conditions: rest.length > 0 ? rest : undefined }
  if (typeof relation !== 'string' || isPlainRelation(relation)) {
    return patched(clause, { ...base, relation: rest.length > 0 ? relation : undefined })
  }
  const names = conditions.map((condition) =>
    isObject(condition) && typeof condition.name === 'string' ? condition.name : undefined,
  )
  try {
    const node = parseRelation(relation, namesOf(names), LIMITS.filterDepth)
    if (usedConditions(node).includes(place))
      return `“${relation}” needs this condition. Change how the conditions are joined first.`
    return patched(clause, {
      ...base,
      relation: printRelation(mapConditions(node, (index) => (index > place ? index - 1 : index))),
    })
  } catch {
    return `“${relation}” cannot be read. Correct how the conditions are joined first.`
  }
}

function namesOf(names: readonly (string | undefined)[]): ConditionNames {
  const places = names.flatMap((name, index) => (name === undefined ? [] : [[name.toLowerCase(), index] as const]))
  return { count: names.length, places: new Map(places) }
}

/** Whether a relation only says that all, or any, of the conditions hold. */
export function isPlainRelation(relation: string | undefined): boolean {
  return relation === undefined || /^\s*(and|or)\s*$/i.test(relation)
}
