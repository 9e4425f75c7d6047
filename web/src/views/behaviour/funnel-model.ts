/** A funnel's answer as it is drawn. */

import { rowsWords } from '../../../../src/behaviour/explain-words.ts'
import type { AggregationResult, FunnelStepResult } from '../../../../src/behaviour/result.ts'
import type { ExpandedQuery } from '../../../../src/behaviour/types.ts'
import { expandQuery } from '../../../../src/behaviour/validate.ts'
import { type Json, LIMITS } from './document.ts'

/** A step of the answer, with what it is called and what was lost on the way to it. */
export interface Stage {
  /** From 1, among those that are counted. */
  place: number
  title: string
  /** What its rows are, in words. */
  about: string
  isOptional: boolean
  actors: number
  rows: number
  /** Of the first step; absent over nobody. */
  rate?: number | undefined
  /** Of the required step before; absent for the first and over nobody. */
  stepRate?: number | undefined
  /** How many of the required step before are not here; absent for the first. */
  lost?: number | undefined
  aggregations: readonly AggregationResult[]
}

/** The stages of an answer to a query. */
export function stagesOf(query: Json, results: readonly FunnelStepResult[]): Stage[] {
  const steps = stepsOf(query)
  let before: number | undefined
  return results.map((result, k) => {
    const step = steps[result.index]
    const about = step ? rowsWords(step) : ''
    const isOptional = step?.optional === true
    const stage: Stage = {
      place: k + 1,
      title: result.name ?? titleOf(step) ?? about,
      about,
      isOptional,
      actors: result.matchingGroups,
      rows: result.matchingGroupRows,
      rate: result.conversionRate,
      stepRate: result.stepRate,
      lost: before === undefined ? undefined : before - result.matchingGroups,
      aggregations: result.aggregations ?? [],
    }
    if (!isOptional) before = result.matchingGroups
    return stage
  })
}

type Step = NonNullable<ExpandedQuery['funnel']>['sequence'][number]

function stepsOf(query: Json): readonly Step[] {
  try {
    return expandQuery(query, LIMITS).funnel?.sequence ?? []
  } catch {
    // An answer to a query that this page cannot read still has its figures.
    return []
  }
}

/** The value of a step that asks for one value alone. */
function titleOf(step: Step | undefined): string | undefined {
  const filter = step && ('filter' in step ? step.filter : step.filters.length === 1 ? step.filters[0] : undefined)
  if (!filter || !('op' in filter) || filter.op !== '==' || Array.isArray(filter.value)) return undefined
  return typeof filter.value === 'string' && filter.value !== '' ? filter.value : undefined
}

/** The step on the way to which most were lost; undefined when nobody was. */
export function greatestLoss(stages: readonly Stage[]): Stage | undefined {
  const required = stages.filter(({ lost, isOptional }) => lost !== undefined && lost > 0 && !isOptional)
  return required.toSorted((a, b) => (a.stepRate ?? 1) - (b.stepRate ?? 1))[0]
}

/** One figure over several groups of actors: its value, or its map, in each. */
export interface Figure {
  title: string
  /** Whether the value is a map of values of a column. */
  isMap: boolean
  parts: readonly { title: string; result: AggregationResult | undefined }[]
}

/** The figures of several groups of actors, side by side. */
export function figuresOf(groups: readonly { title: string; aggregations: readonly AggregationResult[] }[]): Figure[] {
  const first = groups[0]?.aggregations ?? []
  return first.map((model, k) => ({
    title: titleOfAggregation(model),
    isMap: model.ranked !== undefined || model.type === 'quantiles',
    parts: groups.map(({ title, aggregations }) => ({ title, result: aggregations[k] })),
  }))
}

const TITLES: Readonly<Record<AggregationResult['type'], (column: string, other: string) => string>> = {
  count: (column) => `Rows with ${column}`,
  countPerValue: (column) => `Rows per ${column}`,
  groupsPerValue: (column) => `Actors per ${column}`,
  sumPerValue: (column, other) => `Sum of ${other} per ${column}`,
  meanPerValue: (column, other) => `Mean of ${other} per ${column}`,
  min: (column) => `Least ${column}`,
  max: (column) => `Greatest ${column}`,
  mean: (column) => `Mean of ${column}`,
  sum: (column) => `Sum of ${column}`,
  distinct: (column) => `Different ${column}`,
  quantiles: (column) => `Quantiles of ${column}`,
}

function titleOfAggregation({ type, column, name, otherColumn = '' }: AggregationResult): string {
  const title = TITLES[type](column, otherColumn)
  return name === undefined ? title : `${name}: ${title}`
}

/** The entries of a map, in order. */
export function entriesOf(result: AggregationResult | undefined): readonly (readonly [string, number | string])[] {
  if (!result) return []
  if (result.ranked) return result.ranked
  return typeof result.value === 'object' ? Object.entries(result.value) : []
}
