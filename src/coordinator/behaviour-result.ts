/** The result document of a behavioural query, from what its tasks add up to. */
import { type KernelTotals, positiveSteps } from '../behaviour/kernel.ts'
import type { AggregationResult, BehaviouralResult, FunnelStepResult, Warning } from '../behaviour/result.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import type { Place } from '../worker/aggregation-scopes.ts'
import type { Reader } from '../worker/run-tasks.ts'
import type { QueryStats } from './sql.ts'

/** What a behavioural query cost. */
export interface BehaviouralStats extends QueryStats {
  /** Rows and actors inside the timeframe. */
  scannedRows: number
  scannedGroups: number
  /** What read the rows: `direct` decoded the files on worker threads, `engine` is DuckDB. The answer is the same. */
  reader: Reader
}

/** What all tasks of a query found together. */
export interface Findings {
  reader: Reader
  totals: KernelTotals
  /** Rows and actors inside the timeframe. */
  rows: number
  actors: number
  /** For each place that has aggregations. */
  aggregations: AggregationResult[][]
}

/** The document, in which each place has its own aggregations. */
export function resultDocument(
  query: ValidQuery,
  places: readonly Place[],
  findings: Findings,
  warnings: readonly Warning[],
  stats: QueryStats,
): BehaviouralResult<BehaviouralStats> {
  const { totals, aggregations, rows, actors, reader } = findings
  return {
    success: true,
    ...matches(query, totals, places, aggregations),
    ...(warnings.length > 0 ? { warnings: [...warnings] } : {}),
    stats: { ...stats, scannedRows: rows, scannedGroups: actors, reader },
  }
}

function matches(
  query: ValidQuery,
  totals: KernelTotals,
  places: readonly Place[],
  results: readonly AggregationResult[][],
): Pick<BehaviouralResult, 'query' | 'funnel'> {
  const found = (place: Place['place'], position = 0) =>
    results[places.findIndex((own) => own.place === place && own.position === position)]
  const queryAggregations = found('query')
  const whole = {
    matchingGroups: totals.groups,
    matchingGroupRows: totals.rows,
    ...(queryAggregations ? { aggregations: queryAggregations } : {}),
  }
  if (!query.funnel) return { query: whole }
  const first = totals.steps[0]!.groups
  let before: number | undefined
  const sequence = positiveSteps(query).map(({ index, name, optional }, position): FunnelStepResult => {
    const { groups, rows } = totals.steps[position]!
    const aggregations = found('step', position)
    const result = {
      index,
      ...(name === undefined ? {} : { name }),
      matchingGroups: groups,
      matchingGroupRows: rows,
      ...(first > 0 ? { conversionRate: groups / first } : {}),
      ...(before !== undefined && before > 0 ? { stepRate: groups / before } : {}),
      ...(aggregations ? { aggregations } : {}),
    }
    if (!optional) before = groups
    return result
  })
  const end = found('end')
  return { query: whole, funnel: { sequence, ...(end ? { endAggregations: end } : {}) } }
}
