/** The query with every shorthand and default written out, as JSON. */
import { present } from './fields.ts'
import { printRelation } from './relation.ts'
import type { SourceCondition, SourceQuery, SourceSequence } from './source.ts'
import type { SourceAggregation, SourceFilter, SourceRows, SourceTarget } from './source-parts.ts'
import type {
  ExpandedAggregation,
  ExpandedCondition,
  ExpandedQuery,
  ExpandedRowFilter,
  ExpandedStep,
  VerboseFilter,
  VerboseTarget,
} from './types.ts'

/** The canonical query of what was read. */
export function expand({ timeframe, query, funnel }: SourceQuery): ExpandedQuery {
  return present({
    timeframe: timeframe && present({ from: timeframe.from?.value, to: timeframe.to?.value }),
    query: query && expandClause(query),
    funnel: funnel && expandFunnel(funnel),
  })
}

function expandClause(query: NonNullable<SourceQuery['query']>): NonNullable<ExpandedQuery['query']> {
  return present({
    conditions: query.conditions?.map(expandCondition),
    relation: query.relation && printRelation(query.relation),
    aggregations: query.aggregations?.map(expandAggregation),
  })
}

function expandFunnel(funnel: NonNullable<SourceQuery['funnel']>): NonNullable<ExpandedQuery['funnel']> {
  return present({
    ...expandSequence(funnel.sequence),
    stepAggregations: funnel.stepAggregations?.map(expandAggregation),
    endAggregations: funnel.endAggregations?.map(expandAggregation),
  })
}

function expandCondition(condition: SourceCondition): ExpandedCondition {
  if (condition.kind === 'sequence') return present({ name: condition.name, ...expandSequence(condition.sequence) })
  const { name, rows, target, includeZero } = condition
  const rest = { target: expandTarget(target), includeZero: includeZero ? (true as const) : undefined }
  return present({ name, ...expandRows(rows), ...rest })
}

function expandSequence(sequence: SourceSequence): { sequence: ExpandedStep[]; maxDuration?: number | bigint } {
  const steps = sequence.steps.map(({ name, negative, ...rows }) =>
    present({ name, ...expandRows(rows), rowFound: negative ? (false as const) : undefined }),
  )
  return present({ sequence: steps, maxDuration: sequence.maxDuration?.value })
}

function expandRows({ filters, single }: SourceRows): ExpandedRowFilter {
  const verbose = filters.map(expandFilter)
  return single ? { filter: verbose[0]! } : { filters: verbose }
}

function expandFilter({ column, op, value }: SourceFilter): VerboseFilter {
  return { column: column.value, op: op.value, value: value.value }
}

function expandTarget(target: SourceTarget): VerboseTarget {
  return target.type === 'sum' ? { ...target, column: target.column.value } : target
}

function expandAggregation({ column, otherColumn, ...rest }: SourceAggregation): ExpandedAggregation {
  return present({ ...rest, column: column.value, otherColumn: otherColumn?.value })
}
