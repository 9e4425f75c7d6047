/** Behavioural queries: as users write them, and as they are after expansion. */

/** How a column is compared with one value. */
export type ValueOperator =
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | 'contains'
  | 'not contains'
  | 'starts with'
  | 'ends with'
  | 'matches'

/** How a column is compared with a list of values. */
export type ListOperator = 'in' | 'not in'

/** What is asked of a column without a value. */
export type NullOperator = 'is null' | 'is not null'

/** How a column is compared. */
export type FilterOperator = ValueOperator | ListOperator | 'between' | NullOperator

/** How a target compares what it added up. */
export type TargetOperator = '==' | '!=' | '<' | '<=' | '>' | '>='

/** What a target adds up. */
export type TargetType = 'count' | 'sum' | 'distinct' | 'min' | 'max' | 'mean'

/** What a column can be compared with. Dates, times, timestamps and UUIDs are strings; decimals numbers or strings. */
export type FilterValue = string | number | bigint | boolean

/** One comparison in full. `between`: `[low, high]`, both included. `is null` and `is not null` have no value. */
export type VerboseFilter =
  | { column: string; op: ValueOperator; value: FilterValue }
  | { column: string; op: ListOperator; value: readonly [FilterValue, ...FilterValue[]] }
  | { column: string; op: 'between'; value: readonly [low: FilterValue, high: FilterValue] }
  | { column: string; op: NullOperator; value?: undefined }

/** One comparison in short. */
export type ShortFilter =
  | readonly [column: string, op: ValueOperator, value: FilterValue]
  | readonly [column: string, op: ListOperator, value: readonly [FilterValue, ...FilterValue[]]]
  | readonly [column: string, op: 'between', value: readonly [low: FilterValue, high: FilterValue]]
  | readonly [column: string, op: NullOperator]

/** A filter on one row: a comparison, or filters joined and turned round, nested freely. */
export type Filter =
  | ShortFilter
  | VerboseFilter
  | { and: readonly [Filter, ...Filter[]] }
  | { or: readonly [Filter, ...Filter[]] }
  | { not: Filter }

/** Which rows: those of one filter, or those on which all of several hold. */
export type RowFilter =
  | { filter: Filter; filters?: undefined }
  | { filters: readonly [Filter, ...Filter[]]; filter?: undefined }

/** A target in full. `value` of `count` and `distinct` is a whole number from 0; of `min` and `max` it is as in filters on the column. */
export type VerboseTarget =
  | { type: 'count'; op: TargetOperator; value: number | bigint }
  | { type: 'sum' | 'distinct' | 'mean'; column: string; op: TargetOperator; value: number | bigint }
  | { type: 'min' | 'max'; column: string; op: TargetOperator; value: number | bigint | string }

/** What an actor's matching rows must add up to. */
export type Target =
  | readonly ['count', TargetOperator, number | bigint]
  | readonly ['sum' | 'distinct' | 'mean', string, TargetOperator, number | bigint]
  | readonly ['min' | 'max', string, TargetOperator, number | bigint | string]
  | VerboseTarget

/** A condition on an actor's rows of some kind. Without a target at least one such row is asked for. */
export type RowsCondition = RowFilter & {
  name?: string
  target?: Target
  /** Whether actors without any matching row satisfy the condition too. */
  includeZero?: boolean
}

/** A span of time: a duration such as `"90s"` or `"PT1H"`, or a number in the unit of an integer or float time column. */
export type TimeSpan = number | bigint | string

/** How the steps of a sequence follow one another: other rows may lie between; none may; or in any order. */
export type SequenceOrder = 'ordered' | 'strict' | 'any'

/** Whether matched rows may have equal times: not at all, or in the order of the steps. */
export type TieRule = 'never' | 'stepOrder'

/** A step of a sequence. */
export type Step = RowFilter & {
  name?: string
  /** `false` makes the step negative: no such row may lie in its place. */
  rowFound?: boolean
  /** `true`: chains need not match this step. */
  optional?: boolean
  /** Longest time since the previous required step. */
  within?: TimeSpan
  /** Shortest time since the previous required step. */
  after?: TimeSpan
}

/** Steps, with the constraints among them. */
export interface SequenceClause {
  sequence: readonly [Step, ...Step[]]
  /** Longest time from the first matched row to the last. */
  within?: TimeSpan
  /** `within` as a whole number in the unit of the time column; not beside `within`. */
  maxDuration?: number | bigint
  /** `ordered` when absent. */
  order?: SequenceOrder
  /** `never` when absent. */
  ties?: TieRule
  /** Whether one row may match several steps; needs `ties: "stepOrder"`. */
  sameRow?: boolean
  /** Columns in whose values all matched rows agree. */
  hold?: string | readonly [string, ...string[]]
}

/** A condition that an actor's rows contain a sequence. */
export type SequenceCondition = SequenceClause & { name?: string }

/** The types of aggregations. */
export type AggregationType =
  | 'count'
  | 'countPerValue'
  | 'groupsPerValue'
  | 'sumPerValue'
  | 'meanPerValue'
  | 'min'
  | 'max'
  | 'mean'
  | 'sum'
  | 'distinct'
  | 'quantiles'

interface AggregationOptions {
  type?: AggregationType
  /** The numeric column that is summed or averaged; required for, and only for, `sumPerValue` and `meanPerValue`. */
  otherColumn?: string
  /** Most entries of a map, 1 to 10,000; 10 when absent. */
  top?: number | bigint
  /** The quantiles, from 0 to 1; required for, and only for, `quantiles`. */
  q?: readonly [number | bigint, ...(number | bigint)[]]
}

/** An aggregation over a column, or one over each of several. Without a type it stands for `count`, `countPerValue` and `groupsPerValue`. */
export type AggregationClause = AggregationOptions &
  (
    | { column: string; columns?: undefined; name?: string }
    | { columns: readonly [string, ...string[]]; column?: undefined; name?: undefined }
  )

/** Which rows a query sees. `from` inclusive, `to` exclusive: numbers on number columns, ISO 8601 on date and timestamp columns. */
export interface TimeframeClause {
  from?: number | bigint | string
  to?: number | bigint | string
}

/** A behavioural query as users write it. */
export interface BehaviouralQuery {
  timeframe?: TimeframeClause
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

/** A filter after expansion. */
export type ExpandedFilter =
  | { column: string; op: FilterOperator; value?: FilterValue | FilterValue[] }
  | { and: ExpandedFilter[] }
  | { or: ExpandedFilter[] }
  | { not: ExpandedFilter }

/** The row filter of a condition or step after expansion. */
export type ExpandedRowFilter = { filter: ExpandedFilter } | { filters: ExpandedFilter[] }

/** A step after expansion; `rowFound` only where it is false, `optional` only where it is true. */
export type ExpandedStep = ExpandedRowFilter & {
  name?: string
  rowFound?: false
  optional?: true
  within?: TimeSpan
  after?: TimeSpan
}

/** A sequence after expansion; `order`, `ties` and `sameRow` only where they are not the default. */
export interface ExpandedSequence {
  sequence: ExpandedStep[]
  within?: TimeSpan
  maxDuration?: number | bigint
  order?: SequenceOrder
  ties?: TieRule
  sameRow?: true
  hold?: string[]
}

/** A condition after expansion; `includeZero` only where it is true. */
export type ExpandedCondition =
  | (ExpandedRowFilter & { name?: string; target: VerboseTarget; includeZero?: true })
  | (ExpandedSequence & { name?: string })

/** An aggregation after expansion. */
export interface ExpandedAggregation {
  column: string
  type: AggregationType
  name?: string
  otherColumn?: string
  top?: number
  q?: (number | bigint)[]
}

/** A query with every shorthand and default written out. Expanding it again gives the same. */
export interface ExpandedQuery {
  timeframe?: TimeframeClause
  query?: { conditions?: ExpandedCondition[]; relation?: string; aggregations?: ExpandedAggregation[] }
  funnel?: ExpandedSequence & { stepAggregations?: ExpandedAggregation[]; endAggregations?: ExpandedAggregation[] }
}
