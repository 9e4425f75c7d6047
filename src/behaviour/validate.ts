/**
 * Validation of behavioural queries: JSON → the query that the executor runs.
 *
 * First the structure, which needs no table; only when it holds, the columns and types of the table. Each stage notes
 * all of its violations.
 */
import type { Column, TableKeys } from '../catalog/types.ts'
import type { DataType } from '../common/data-type.ts'
import { SkepError } from '../errors.ts'
import { expand } from './expand.ts'
import { present } from './fields.ts'
import { parseInstant } from './iso.ts'
import { checkQueryValue, printQuery, type QueryLimits, shown } from './json.ts'
import { ceiling, expectedValue, type Literal, readLiteral } from './literal.ts'
import { classOf } from './operators.ts'
import type { Predicate, Timeframe } from './predicate-sql.ts'
import { mapConditions, type RelationNode, usedConditions } from './relation.ts'
import type { Warning } from './result.ts'
import { readQuery, type SourceBound, type SourceCondition, type SourceQuery, type SourceSequence } from './source.ts'
import type { ExpandedQuery } from './types.ts'
import { type Aggregation, type Columns, type TypedTarget, typeAggregations, typeRows, typeTarget } from './typing.ts'
import { type Report, throwViolations, violate } from './violations.ts'

/** What validation needs to know of a table. */
export interface QueryTable {
  columns: readonly Column[]
  keys: TableKeys
}

/** A step; `predicate` is a place in the query's predicates, `index` the step's place in the given sequence. */
export interface Step {
  predicate: number
  negative: boolean
  index: number
  name?: string
}

/** Steps in time order. `within`: the longest time from first to last matched row, in the time column's unit; `bigint` on integer columns. */
export interface Sequence {
  steps: Step[]
  within?: bigint | number
}

/** A condition that the relation uses; `index` is its place in the given query. */
export type Condition =
  | { kind: 'rows'; index: number; name?: string; predicate: number; target: TypedTarget; includeZero: boolean }
  | { kind: 'sequence'; index: number; name?: string; sequence: Sequence }

/** A query that can run. */
export interface ValidQuery {
  expanded: ExpandedQuery
  timeframe?: Timeframe
  /** Distinct row filters, in the order of their first use. */
  predicates: Predicate[]
  /** In the order of the query, without those that the relation does not use. */
  conditions: Condition[]
  /** Over places in `conditions`; absent when there are none: every actor matches. */
  relation?: RelationNode
  funnel?: { sequence: Sequence }
  aggregations: { query: Aggregation[]; step: Aggregation[]; end: Aggregation[] }
  /** Every column that the query reads beside the table's keys, each once. */
  columns: string[]
  warnings: Warning[]
}

/**
 * The query with every shorthand and default written out, without regard to any table.
 *
 * @throws QUERY_INVALID with all violations; QUERY_TOO_DEEP, QUERY_TOO_LARGE
 */
export function expandQuery(source: unknown, limits: QueryLimits): ExpandedQuery {
  return expand(readSource(source, limits))
}

function readSource(source: unknown, limits: QueryLimits): SourceQuery {
  const report: Report = { violations: [], limit: limits.violations }
  const query = readQuery(report, checkQueryValue(source, limits), limits.filterDepth)
  throwViolations(report)
  return query
}

/**
 * The query as the executor runs it on a table. `source` is parsed JSON or an object; it is not changed.
 *
 * @throws QUERY_INVALID with all violations of the first stage that has any; QUERY_TOO_DEEP, QUERY_TOO_LARGE, TOO_MANY_PREDICATES
 */
export function validateQuery(source: unknown, table: QueryTable, limits: QueryLimits): ValidQuery {
  const query = readSource(source, limits)
  const report: Report = { violations: [], limit: limits.violations }
  const typed = typeQuery(report, query, table)
  throwViolations(report)
  return assemble(query, typed, limits)
}

interface TypedSequence {
  predicates: (Predicate | undefined)[]
  within?: bigint | number
}

type TypedCondition =
  | { kind: 'rows'; predicate: Predicate | undefined; target: TypedTarget | undefined }
  | { kind: 'sequence'; sequence: TypedSequence }

interface TypedQuery {
  timeframe?: Timeframe
  conditions: TypedCondition[]
  funnel?: TypedSequence
  aggregations: ValidQuery['aggregations']
}

function typeQuery(report: Report, { timeframe, query, funnel }: SourceQuery, table: QueryTable): TypedQuery {
  const columns: Columns = new Map(table.columns.map((column) => [column.name, column]))
  const time = table.keys.time === undefined ? undefined : columns.get(table.keys.time)?.type
  if (table.keys.actor === undefined) violate(report, 'INVALID_ARGUMENTS', '', 'the table has no actor column')
  const typeSequence = (sequence: SourceSequence) => typeSteps(report, columns, time, sequence)
  return present({
    timeframe: timeframe && typeTimeframe(report, time, timeframe),
    conditions: (query?.conditions ?? []).map((condition): TypedCondition => {
      if (condition.kind === 'sequence') return { kind: 'sequence', sequence: typeSequence(condition.sequence) }
      const predicate = typeRows(report, columns, condition.rows)
      return { kind: 'rows', predicate, target: typeTarget(report, columns, condition.target) }
    }),
    aggregations: {
      query: typeAggregations(report, columns, query?.aggregations),
      step: typeAggregations(report, columns, funnel?.stepAggregations),
      end: typeAggregations(report, columns, funnel?.endAggregations),
    },
    funnel: funnel && typeSequence(funnel.sequence),
  })
}

function typeSteps(
  report: Report,
  columns: Columns,
  time: DataType | undefined,
  { path, steps, maxDuration }: SourceSequence,
): TypedSequence {
  if (time === undefined) violate(report, 'INVALID_ARGUMENTS', path, 'the table has no time column to order steps by')
  const predicates = steps.map((step) => typeRows(report, columns, step))
  if (maxDuration === undefined || time === undefined) return { predicates }
  const typeClass = classOf(time)
  if (typeClass === 'integer') return { predicates, within: BigInt(maxDuration.value) }
  if (typeClass === 'float') return { predicates, within: Number(maxDuration.value) }
  violate(report, 'TYPE_MISMATCH', maxDuration.path, '"maxDuration" applies to integer and float time columns only')
  return { predicates }
}

function typeTimeframe(
  report: Report,
  time: DataType | undefined,
  timeframe: NonNullable<SourceQuery['timeframe']>,
): Timeframe | undefined {
  if (timeframe.from === undefined && timeframe.to === undefined) return undefined
  if (time === undefined) return violate(report, 'INVALID_ARGUMENTS', '/timeframe', 'the table has no time column')
  const from = timeframe.from && typeBound(report, time, timeframe.from)
  const to = timeframe.to && typeBound(report, time, timeframe.to)
  if (from && to) checkOrder(report, timeframe.from!, timeframe.to!)
  return present({ from: from && ceiling(from), to: to && ceiling(to) })
}

function typeBound(report: Report, time: DataType, { value, path }: SourceBound): Literal | undefined {
  const typeClass = classOf(time)
  const literal = typeClass && readLiteral(value, time, typeClass)
  if (typeClass === undefined || literal !== undefined) return literal
  return violate(
    report,
    'TYPE_MISMATCH',
    path,
    `the time column takes ${expectedValue(typeClass)}, not ${shown(value)}`,
  )
}

/** Bounds in numbers were compared with the structure; text can be compared only once it is known to be times. */
function checkOrder(report: Report, from: SourceBound, to: SourceBound): void {
  if (typeof from.value !== 'string' || typeof to.value !== 'string') return
  if (parseInstant(to.value)! > parseInstant(from.value)!) return
  violate(report, 'SCHEMA', to.path, `"to" (exclusive) must be later than "from", ${shown(from.value)}`)
}

function assemble(query: SourceQuery, typed: TypedQuery, limits: QueryLimits): ValidQuery {
  const pool: Pool = new Map()
  const relation = query.query?.relation
  const used = relation === undefined ? [] : usedConditions(relation)
  const sources = query.query?.conditions ?? []
  const conditions = used.map((index) => assembleCondition(pool, index, sources[index]!, typed.conditions[index]!))
  const funnel = query.funnel &&
    typed.funnel && { sequence: assembleSequence(pool, query.funnel.sequence, typed.funnel) }
  if (pool.size > limits.predicates) {
    const message = `the query has ${pool.size} distinct row filters; at most ${limits.predicates} are possible`
    throw new SkepError('TOO_MANY_PREDICATES', message, { limit: limits.predicates })
  }
  const predicates = [...pool.values()].map(({ predicate }) => predicate)
  const { timeframe, aggregations } = typed
  const places = new Map(used.map((index, place) => [index, place]))
  return present({
    expanded: expand(query),
    timeframe,
    predicates,
    conditions,
    relation: relation && mapConditions(relation, (index) => places.get(index)!),
    funnel,
    aggregations,
    columns: columnsOf(predicates, conditions, aggregations),
    warnings: unusedWarnings(sources, used),
  })
}

type Pool = Map<string, { place: number; predicate: Predicate }>

function assembleCondition(pool: Pool, index: number, source: SourceCondition, typed: TypedCondition): Condition {
  if (source.kind === 'sequence' && typed.kind === 'sequence') {
    const sequence = assembleSequence(pool, source.sequence, typed.sequence)
    return present({ kind: 'sequence' as const, index, name: source.name, sequence })
  }
  if (source.kind !== 'rows' || typed.kind !== 'rows') throw new Error('a condition changed its kind')
  const predicate = share(pool, typed.predicate!)
  const { name, includeZero } = source
  return present({ kind: 'rows' as const, index, name, predicate, target: typed.target!, includeZero })
}

function assembleSequence(pool: Pool, source: SourceSequence, typed: TypedSequence): Sequence {
  const steps = source.steps.map(({ negative, name }, index) =>
    present({ predicate: share(pool, typed.predicates[index]!), negative, index, name }),
  )
  return present({ steps, within: typed.within })
}

/** The place of a predicate among the distinct ones. */
function share(pool: Pool, given: Predicate): number {
  const { key, predicate } = canonical(given)
  const known = pool.get(key)
  if (known !== undefined) return known.place
  const place = pool.size
  pool.set(key, { place, predicate })
  return place
}

/** The predicate without repeated parts, and a text that is the same for the same predicate in any order. */
function canonical(predicate: Predicate): { key: string; predicate: Predicate } {
  if (predicate.kind === 'compare') {
    const { column, operator, literal } = predicate
    const value = 'exact' in literal ? [literal.floor, literal.exact] : Object.values(literal)
    return { key: printQuery([column, operator, ...value]), predicate }
  }
  const parts = new Map(predicate.of.map(canonical).map((part) => [part.key, part.predicate]))
  if (parts.size === 1) {
    const [[key, only]] = [...parts] as [[string, Predicate]]
    return { key, predicate: only }
  }
  return { key: `and ${[...parts.keys()].sort().join(' ')}`, predicate: { kind: 'and', of: [...parts.values()] } }
}

function columnsOf(
  predicates: Predicate[],
  conditions: Condition[],
  { query, step, end }: ValidQuery['aggregations'],
): string[] {
  const names = new Set<string | undefined>(predicates.flatMap(predicateColumns))
  for (const condition of conditions) if (condition.kind === 'rows') names.add(condition.target.column)
  for (const { column, otherColumn } of [...query, ...step, ...end]) names.add(column).add(otherColumn)
  return [...names].filter((name) => name !== undefined)
}

function predicateColumns(predicate: Predicate): string[] {
  return predicate.kind === 'and' ? predicate.of.flatMap(predicateColumns) : [predicate.column]
}

function unusedWarnings(sources: SourceCondition[], used: number[]): Warning[] {
  const uses = new Set(used)
  return sources.flatMap(({ name }, index) => {
    if (uses.has(index)) return []
    const label = name === undefined ? `$${index}` : `$${index} ("${name}")`
    const message = `the relation does not use condition ${label}; it was not evaluated`
    return { code: 'UNUSED_CONDITION' as const, message, path: `/query/conditions/${index}` }
  })
}
