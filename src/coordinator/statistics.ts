/** What queries took, phase by phase: pure figures over the times of tasks. */
import { SETTINGS } from '../config.ts'

/** How long one part of the work took, in milliseconds, over all tasks that had it. */
export interface PhaseTimes {
  /** How many times there are; where there is none, all figures are 0. */
  count: number
  totalMs: number
  minMs: number
  meanMs: number
  maxMs: number
  /** The least time that at least half, nine tenths or 99 of 100 did not exceed; p90 from 20 times on, p99 from 100 on. */
  p50Ms: number
  p90Ms?: number
  p99Ms?: number
}

/**
 * Parts of the work on a query: tasks wait for a worker, what they read is opened, they run; before and after that its process
 * plans and merges.
 */
export type Phase = 'queue' | 'plan' | 'fetch' | 'scan' | 'merge'

/** What the attempt took whose result counted, in milliseconds. */
export interface TaskTimes {
  /** From when the task could run to its begin, and the way of the result back. */
  queueMs: number
  fetchMs: number
  scanMs: number
  /** When its result was there, since tasks could first begin. */
  doneMs: number
  /** True for the first task of an engine. */
  cold: boolean
}

/** Where the time of a query went. */
export interface WorkStats {
  phases: Record<Phase, PhaseTimes>
  /** Fetch and scan of each task together. */
  taskTimes: PhaseTimes
  /** Tasks that were the first one of their engine or worker thread, and others. A query that was not divided is one task here. */
  coldTasks: number
  warmTasks: number
  /** Tasks by when they were done, sparse: keys are milliseconds since tasks could first begin, rounded up to a quarter of a second. */
  doneTasks: Record<string, number>
  /** What was needed of the tables' metadata: pieces that this process remembered, and pieces that it read. */
  cache: { hits: number; misses: number }
  /** Dollars that the workers cost; absent where they cost nothing by use. */
  cost?: number
}

const P90_LEAST = 20
const P99_LEAST = 100

/** The figures over these times, in milliseconds. */
export function phaseTimes(times: readonly number[]): PhaseTimes {
  const sorted = Float64Array.from(times).sort()
  const count = sorted.length
  const totalMs = sorted.reduce((sum, ms) => sum + ms, 0)
  // Of ranks in whole percent: a fraction such as 0.9 would not be exact.
  const percentile = (percent: number) => rounded(sorted[Math.max(0, Math.ceil((count * percent) / 100) - 1)] ?? 0)
  return {
    count,
    totalMs: rounded(totalMs),
    minMs: rounded(sorted[0] ?? 0),
    meanMs: rounded(count === 0 ? 0 : totalMs / count),
    maxMs: rounded(sorted[count - 1] ?? 0),
    p50Ms: percentile(50),
    ...(count >= P90_LEAST && { p90Ms: percentile(90) }),
    ...(count >= P99_LEAST && { p99Ms: percentile(99) }),
  }
}

/** Milliseconds in steps of a microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}

const DONE_STEP_MS = SETTINGS.doneStepMs.default

/** How many of these times end in each quarter of a second; keys are the ends, and none stands for nothing. */
export function countByTime(doneMs: readonly number[]): Record<string, number> {
  const counts = new Map<number, number>()
  for (const ms of doneMs) {
    const end = Math.max(1, Math.ceil(ms / DONE_STEP_MS)) * DONE_STEP_MS
    counts.set(end, (counts.get(end) ?? 0) + 1)
  }
  return Object.fromEntries([...counts].sort(([a], [b]) => a - b))
}

/** What is told of tasks, and of the work around them. */
export function workStats(
  tasks: readonly TaskTimes[],
  { planMs, mergeMs }: { planMs: number; mergeMs: number },
): Omit<WorkStats, 'cache' | 'cost'> {
  const coldTasks = tasks.filter(({ cold }) => cold).length
  return {
    phases: {
      queue: phaseTimes(tasks.map(({ queueMs }) => queueMs)),
      plan: phaseTimes([planMs]),
      fetch: phaseTimes(tasks.map(({ fetchMs }) => fetchMs)),
      scan: phaseTimes(tasks.map(({ scanMs }) => scanMs)),
      merge: phaseTimes([mergeMs]),
    },
    taskTimes: phaseTimes(tasks.map(({ fetchMs, scanMs }) => fetchMs + scanMs)),
    coldTasks,
    warmTasks: tasks.length - coldTasks,
    doneTasks: countByTime(tasks.map(({ doneMs }) => doneMs)),
  }
}
