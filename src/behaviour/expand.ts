/** The query with every shorthand and default written out, as JSON. */
import { present } from './fields.ts'
import { OPERATORS } from './operators.ts'
import { printRelation } from './relation.ts'
import type { SourceCondition, SourceQuery } from './source.ts'
import type { SourceComparison, SourceFilter, SourceRows } from './source-filter.ts'
import type { SourceAggregation, SourceTarget } from './source-parts.ts'
import type { SourceSequence, SourceStep } from './source-sequence.ts'
import type {
  ExpandedAggregation,
  ExpandedCondition,
  ExpandedFilter,
  ExpandedQuery,
  ExpandedRowFilter,
  ExpandedSequence,
  ExpandedStep,
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

function expandSequence(sequence: SourceSequence): ExpandedSequence {
  const { steps, within, maxDuration, order, ties, sameRow, hold } = sequence
  return present({
    sequence: steps.map(expandStep),
    within: within?.value,
    maxDuration: maxDuration?.value,
    order: order === 'ordered' ? undefined : order,
    ties: ties === 'never' ? undefined : ties,
    sameRow: sameRow ? (true as const) : undefined,
    hold: hold.length === 0 ? undefined : [...new Set(hold.map(({ value }) => value))],
  })
}

function expandStep({ name, negative, optional, within, after, ...rows }: SourceStep): ExpandedStep {
  return present({
    name,
    ...expandRows(rows),
    rowFound: negative ? (false as const) : undefined,
    optional: optional ? (true as const) : undefined,
    within: within?.value,
    after: after?.value,
  })
}

function expandRows({ filters, single }: SourceRows): ExpandedRowFilter {
  const verbose = filters.map(expandFilter)
  return single ? { filter: verbose[0]! } : { filters: verbose }
}

function expandFilter(filter: SourceFilter): ExpandedFilter {
  switch (filter.kind) {
    case 'compare':
      return expandComparison(filter)
    case 'and':
      return { and: filter.of.map(expandFilter) }
    case 'or':
      return { or: filter.of.map(expandFilter) }
    case 'not':
      return { not: expandFilter(filter.of) }
  }
}

function expandComparison({ column, op, values }: SourceComparison): ExpandedFilter {
  const { operand } = OPERATORS[op.value]
  const given = values.map(({ value }) => value)
  const value = operand === 'none' ? undefined : operand === 'value' ? given[0] : given
  return present({ column: column.value, op: op.value, value })
}

function expandTarget({ type, column, op, value }: SourceTarget): VerboseTarget {
  return present({ type, column: column?.value, op, value: value.value }) as VerboseTarget
}

function expandAggregation({ column, otherColumn, ...rest }: SourceAggregation): ExpandedAggregation {
  return present({ ...rest, column: column.value, otherColumn: otherColumn?.value })
}
