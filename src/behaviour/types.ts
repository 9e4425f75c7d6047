/** Behavioural queries: as users write them, and as they are after expansion. */

/** How a column is compared with a value. */
export type FilterOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'contains' | 'not contains'

/** How a target compares what it counted or summed. */
export type TargetOperator = '==' | '!=' | '<' | '<=' | '>' | '>='

/** What a column can be compared with. Dates, times, timestamps and UUIDs are strings; decimals numbers or strings. */
export type FilterValue = string | number | bigint | boolean

/** `column op value` in full. */
export interface VerboseFilter {
  column: string
  op: FilterOperator
  value: FilterValue
}

/** A filter on one row. */
export type Filter = readonly [column: string, op: FilterOperator, value: FilterValue] | VerboseFilter

/** Which rows: those of one filter, or those on which all of several hold. */
export type RowFilter =
  | { filter: Filter; filters?: undefined }
  | { filters: readonly [Filter, ...Filter[]]; filter?: undefined }

/** A target in full. `value` of a count is a whole number from 0. */
export type VerboseTarget =
  | { type: 'count'; op: TargetOperator; value: number | bigint }
  | { type: 'sum'; column: string; op: TargetOperator; value: number | bigint }

/** What an actor's matching rows must add up to. */
export type Target =
  | readonly ['count', TargetOperator, number | bigint]
  | readonly ['sum', string, TargetOperator, number | bigint]
  | VerboseTarget

/** A condition on an actor's rows of some kind. Without a target at least one such row is asked for. */
export type RowsCondition = RowFilter & {
  name?: string
  target?: Target
  /** Whether actors without any matching row satisfy the condition too. */
  includeZero?: boolean
}

/** A step of a sequence. `rowFound: false` makes it negative: no such row may lie in its place. */
export type Step = RowFilter & { name?: string; rowFound?: boolean }

/** Steps in time order. `maxDuration`: last matched row's time − first one's ≤ this, in the unit of the time column. */
export interface SequenceClause {
  sequence: readonly [Step, ...Step[]]
  maxDuration?: number | bigint
}

/** A condition that an actor's rows contain a sequence. */
export type SequenceCondition = SequenceClause & { name?: string }

/** The types of aggregations. */
export type AggregationType = 'count' | 'countPerValue' | 'groupsPerValue' | 'sumPerValue' | 'meanPerValue'

/** An aggregation over a column. Without a type it stands for `count`, `countPerValue` and `groupsPerValue`. */
export interface AggregationClause {
  column: string
  type?: AggregationType
  name?: string
  /** The numeric column that is summed or averaged; required for, and only for, `sumPerValue` and `meanPerValue`. */
  otherColumn?: string
}

/** A behavioural query as users write it. */
export interface BehaviouralQuery {
  /** `from` inclusive, `to` exclusive: numbers on number columns, ISO 8601 on date and timestamp columns. */
  timeframe?: { from?: number | bigint | string; to?: number | bigint | string }
  query?: {
    conditions?: readonly (RowsCondition | SequenceCondition)[]
    /** `and`, `or`, or an expression such as `$0 and not ($1 or $name)`; all conditions when absent. */
    relation?: string
    aggregations?: readonly AggregationClause[]
  }
  funnel?: SequenceClause & {
    stepAggregations?: readonly AggregationClause[]
    endAggregations?: readonly AggregationClause[]
  }
}

/** The row filter of a condition or step after expansion. */
export type ExpandedRowFilter = { filter: VerboseFilter } | { filters: VerboseFilter[] }

/** A step after expansion; `rowFound` only where it is false. */
export type ExpandedStep = ExpandedRowFilter & { name?: string; rowFound?: false }

/** A condition after expansion; `includeZero` only where it is true. */
export type ExpandedCondition =
  | (ExpandedRowFilter & { name?: string; target: VerboseTarget; includeZero?: true })
  | { name?: string; sequence: ExpandedStep[]; maxDuration?: number | bigint }

/** An aggregation after expansion. */
export type ExpandedAggregation = AggregationClause & { type: AggregationType }

/** A query with every shorthand and default written out. Expanding it again gives the same. */
export interface ExpandedQuery {
  timeframe?: { from?: number | bigint | string; to?: number | bigint | string }
  query?: { conditions?: ExpandedCondition[]; relation?: string; aggregations?: ExpandedAggregation[] }
  funnel?: {
    sequence: ExpandedStep[]
    maxDuration?: number | bigint
    stepAggregations?: ExpandedAggregation[]
    endAggregations?: ExpandedAggregation[]
  }
}
