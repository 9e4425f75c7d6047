/** The statistics of queries under the names of Funnel Rocket, in seconds. What is not known is absent. */
import type { BehaviouralStats } from '../../coordinator/behaviour-result.ts'
import type { PhaseTimes } from '../../coordinator/statistics.ts'

/** The files of a table. */
export interface DatasetStats {
  parts: number
  totalSize?: number
}

/** Tasks that were tried. A query that is not divided is one. */
export function tasksOf({ attempts, coldTasks, warmTasks }: BehaviouralStats): number {
  return attempts ?? coldTasks + warmTasks
}

/** Their fields beside ours. */
export function jobStats(stats: BehaviouralStats, dataset: DatasetStats): object {
  const { ms, phases, taskTimes, doneTasks, coldTasks, warmTasks, failedAttempts = 0 } = stats
  const { plan, merge, queue, fetch } = phases
  return {
    ...stats,
    totalTime: seconds(ms),
    invoker: {
      enqueueTime: seconds(plan.totalMs),
      pollTime: seconds(Math.max(0, ms - plan.totalMs - merge.totalMs)),
      totalTasks: tasksOf(stats),
      failedTasks: failedAttempts,
      taskSuccessOverTime: Object.fromEntries(
        Object.entries(doneTasks).map(([endMs, tasks]) => [slotText(Number(endMs)), tasks]),
      ),
    },
    worker: {
      coldTasks,
      warmTasks,
      ...timing('invokeLatency', queue),
      ...timing('loadTime', fetch),
      ...timing('totalTime', taskTimes),
      scannedRows: stats.scannedRows,
      scannedGroups: stats.scannedGroups,
      // Files of a folder on disk are read where they are.
      cache: { source: coldTasks + warmTasks, diskCache: 0 },
    },
    dataset,
  }
}

/** Seconds in steps of a microsecond. */
export function seconds(ms: number): number {
  return Math.round(ms * 1000) / 1_000_000
}

/** The end of a quarter of a second: `0.25`, `1.0`. */
function slotText(endMs: number): string {
  const text = String(endMs / 1000)
  return text.includes('.') ? text : `${text}.0`
}

function timing(name: string, times: PhaseTimes): Record<string, Record<string, number>> {
  if (times.count === 0) return {}
  const { minMs, meanMs, maxMs, p50Ms, p90Ms, p99Ms } = times
  return {
    [name]: {
      min: seconds(minMs),
      mean: seconds(meanMs),
      max: seconds(maxMs),
      '50%': seconds(p50Ms),
      ...(p90Ms !== undefined && { '90%': seconds(p90Ms) }),
      ...(p99Ms !== undefined && { '99%': seconds(p99Ms) }),
    },
  }
}
