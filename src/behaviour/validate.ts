/**
 * Validation of behavioural queries: JSON → the query that the executor runs.
 *
 * First the structure, which needs no table; only when it holds, the columns and types of the table. Each stage notes
 * all of its violations.
 */
import type { Column, TableKeys } from '../catalog/types.ts'
import { SkepError } from '../errors.ts'
import { PredicatePool } from './canonical.ts'
import { expand } from './expand.ts'
import { present } from './fields.ts'
import { checkQueryValue, type QueryLimits } from './json.ts'
import type { Predicate, Timeframe } from './predicate-sql.ts'
import { mapConditions, type RelationNode, usedConditions } from './relation.ts'
import type { Warning } from './result.ts'
import { readQuery, type SourceCondition, type SourceQuery } from './source.ts'
import type { Reading } from './source-filter.ts'
import type { SourceSequence } from './source-sequence.ts'
import type { ExpandedQuery, SequenceOrder, TieRule } from './types.ts'
import { type Aggregation, columnsOf, type TypedTarget, typeAggregations, typeTarget } from './typing.ts'
import { type Pattern, patternsOf, typeRows } from './typing-filter.ts'
import { type Span, type TypedSequence, typeSequence, typeTimeframe } from './typing-time.ts'
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
  optional: boolean
  index: number
  name?: string
  /** Longest time since the previous required row, rounded down to whole ticks. */
  within?: Span
  /** Shortest time since the previous required row, rounded up to whole ticks. */
  after?: Span
}

/** Steps with the constraints among them. */
export interface Sequence {
  steps: Step[]
  /** Longest time from the first matched row to the last, rounded down to whole ticks. */
  within?: Span
  order: SequenceOrder
  ties: TieRule
  sameRow: boolean
  /** Columns that split an actor's rows into series, as the query writes them, each once; `findReference` finds them. */
  hold: string[]
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
  /** Every column of the table that the query reads beside the table's keys, each once; of a struct's field, the struct. */
  columns: string[]
  /** The regular expressions of its filters, for the engine to check before anything runs; absent when there are none. */
  patterns?: Pattern[]
  warnings: Warning[]
}

/**
 * The query with every shorthand and default written out, without regard to any table.
 *
 * @throws QUERY_INVALID with all violations; QUERY_TOO_DEEP, QUERY_TOO_LARGE, TOO_MANY_STEPS
 */
export function expandQuery(source: unknown, limits: QueryLimits): ExpandedQuery {
  return expand(readSource(source, limits))
}

function readSource(source: unknown, limits: QueryLimits): SourceQuery {
  const reading: Reading = { violations: [], limit: limits.violations, limits }
  const query = readQuery(reading, checkQueryValue(source, limits))
  throwViolations(reading)
  return query
}

/**
 * The query as the executor runs it on a table. `source` is parsed JSON or an object; it is not changed.
 *
 * @throws QUERY_INVALID with all violations of the first stage that has any; QUERY_TOO_DEEP, QUERY_TOO_LARGE, TOO_MANY_PREDICATES, TOO_MANY_STEPS
 */
export function validateQuery(source: unknown, table: QueryTable, limits: QueryLimits): ValidQuery {
  const query = readSource(source, limits)
  const report: Report = { violations: [], limit: limits.violations }
  const typed = typeQuery(report, query, table, limits.topDefault)
  throwViolations(report)
  return assemble(query, typed, limits)
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

function typeQuery(
  report: Report,
  { timeframe, query, funnel }: SourceQuery,
  table: QueryTable,
  topDefault: number,
): TypedQuery {
  const columns = columnsOf(table.columns)
  const type = table.keys.time === undefined ? undefined : columns.byName.get(table.keys.time)?.type
  const time = type && present({ type, unit: table.keys.timeUnit })
  if (table.keys.actor === undefined) violate(report, 'INVALID_ARGUMENTS', '', 'the table has no actor column')
  return present({
    timeframe: timeframe && typeTimeframe(report, type, timeframe),
    conditions: (query?.conditions ?? []).map((condition): TypedCondition => {
      if (condition.kind === 'sequence') {
        return { kind: 'sequence', sequence: typeSequence(report, columns, time, condition.sequence) }
      }
      const predicate = typeRows(report, columns, condition.rows)
      return { kind: 'rows', predicate, target: typeTarget(report, columns, condition.target) }
    }),
    aggregations: {
      query: typeAggregations(report, columns, query?.aggregations, topDefault),
      step: typeAggregations(report, columns, funnel?.stepAggregations, topDefault),
      end: typeAggregations(report, columns, funnel?.endAggregations, topDefault),
    },
    funnel: funnel && typeSequence(report, columns, time, funnel.sequence),
  })
}

function assemble(query: SourceQuery, typed: TypedQuery, limits: QueryLimits): ValidQuery {
  const pool = new PredicatePool()
  const relation = query.query?.relation
  const used = relation === undefined ? [] : usedConditions(relation)
  const sources = query.query?.conditions ?? []
  const conditions = used.map((index) => assembleCondition(pool, index, sources[index]!, typed.conditions[index]!))
  const funnel = query.funnel &&
    typed.funnel && { sequence: assembleSequence(pool, query.funnel.sequence, typed.funnel) }
  const { predicates } = pool
  if (predicates.length > limits.predicates) {
    const message = `the query has ${predicates.length} distinct row filters; at most ${limits.predicates} are possible`
    throw new SkepError('TOO_MANY_PREDICATES', message, { limit: limits.predicates })
  }
  const { timeframe, aggregations } = typed
  const places = new Map(used.map((index, place) => [index, place]))
  const holds = [...used.map((index) => typed.conditions[index]!), { sequence: typed.funnel }].flatMap((part) =>
    'sequence' in part ? (part.sequence?.hold ?? []) : [],
  )
  const patterns = patternsIn(query)
  return present({
    expanded: expand(query),
    timeframe,
    predicates,
    conditions,
    relation: relation && mapConditions(relation, (index) => places.get(index)!),
    funnel,
    aggregations,
    columns: columnsRead(predicates, conditions, aggregations, holds),
    patterns: patterns.length > 0 ? patterns : undefined,
    warnings: unusedWarnings(sources, used),
  })
}

function assembleCondition(
  pool: PredicatePool,
  index: number,
  source: SourceCondition,
  typed: TypedCondition,
): Condition {
  if (source.kind === 'sequence' && typed.kind === 'sequence') {
    const sequence = assembleSequence(pool, source.sequence, typed.sequence)
    return present({ kind: 'sequence' as const, index, name: source.name, sequence })
  }
  if (source.kind !== 'rows' || typed.kind !== 'rows') throw new Error('a condition changed its kind')
  const predicate = pool.add(typed.predicate!)
  const { name, includeZero } = source
  return present({ kind: 'rows' as const, index, name, predicate, target: typed.target!, includeZero })
}

function assembleSequence(pool: PredicatePool, source: SourceSequence, typed: TypedSequence): Sequence {
  const { order, ties, sameRow } = source
  const steps = source.steps.map(({ negative, optional, name }, index) => {
    const { predicate, within, after } = typed.steps[index]!
    return present({ predicate: pool.add(predicate!), negative, optional, index, name, within, after })
  })
  const hold = typed.hold.map(({ column }) => column)
  return present({ steps, within: typed.within, order, ties, sameRow, hold })
}

function columnsRead(
  predicates: readonly Predicate[],
  conditions: readonly Condition[],
  { query, step, end }: ValidQuery['aggregations'],
  holds: readonly { path: string[] }[],
): string[] {
  const names = new Set<string | undefined>(predicates.flatMap(predicateColumns))
  for (const condition of conditions) if (condition.kind === 'rows') names.add(condition.target.path?.[0])
  for (const { path } of holds) names.add(path[0])
  for (const { path, otherPath } of [...query, ...step, ...end]) names.add(path[0]).add(otherPath?.[0])
  return [...names].filter((name) => name !== undefined)
}

function predicateColumns(predicate: Predicate): string[] {
  if (predicate.kind === 'not') return predicateColumns(predicate.of)
  if (predicate.kind === 'and' || predicate.kind === 'or') return predicate.of.flatMap(predicateColumns)
  return [predicate.path[0]!]
}

function patternsIn({ query, funnel }: SourceQuery): Pattern[] {
  const conditions = query?.conditions ?? []
  const inConditions = conditions.flatMap((condition) =>
    condition.kind === 'rows' ? [condition.rows] : condition.sequence.steps,
  )
  return [...inConditions, ...(funnel?.sequence.steps ?? [])].flatMap(patternsOf)
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
