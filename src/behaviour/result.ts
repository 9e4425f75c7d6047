/** The document that a behavioural query answers with. Absent is absent: no nulls for fields that do not apply. */
import type { AggregationType } from './types.ts'

/** Something that the user should know and that did not stop the query. */
export interface Warning {
  code: 'UNUSED_CONDITION' | 'TIMEFRAME_OUTSIDE_DATA' | 'ROWS_WITHOUT_ACTOR_OR_TIME'
  message: string
  /** JSON Pointer into the query. */
  path?: string
}

/** One aggregation of a result. */
export interface AggregationResult {
  column: string
  type: AggregationType
  name?: string
  /** The column that was summed or averaged. */
  otherColumn?: string
  /**
   * One value, or a map from the text of a value of the column (`quantiles`: from the text of each `q`). Absent for
   * `min`, `max`, `mean` and `quantiles` over nothing; values over nothing are absent from a map.
   */
  value?: number | string | Record<string, number | string>
  /** The map's entries in order: descending by value, then by the key's UTF-8 bytes. Maps of values only. */
  ranked?: [key: string, value: number | string][]
  /** The most entries that the map may have. Maps of values only. */
  top?: number
}

/** How many actors, how many rows they have inside the timeframe, and what these rows aggregate to. */
export interface MatchResult {
  matchingGroups: number
  matchingGroupRows: number
  aggregations?: AggregationResult[]
}

/** One positive step of a funnel. */
export interface FunnelStepResult extends MatchResult {
  /** Place of the step in the given sequence, from 0. */
  index: number
  name?: string
  /** Fraction of the actors of step 1; absent when there were none. */
  conversionRate?: number
  /** Fraction of the actors of the step before; absent for step 1 and when there were none. */
  stepRate?: number
}

/** The result of a behavioural query. `Stats` is what the executor measured. */
export interface BehaviouralResult<Stats = Record<string, unknown>> {
  success: true
  requestId?: string
  query: MatchResult
  funnel?: { sequence: FunnelStepResult[]; endAggregations?: AggregationResult[] }
  warnings?: Warning[]
  stats: Stats
}
