/** The work on one query: what its process did for it, and what its tasks took. */
import { CacheUse } from '../storage/cache-use.ts'
import type { TaskStats } from './run-figures.ts'
import { type TaskTimes, type WorkStats, workStats } from './statistics.ts'

/** What running tasks took. */
export interface TasksRun {
  stats: TaskStats
  times: readonly TaskTimes[]
}

/** What tasks add to the statistics of a query that was divided into them. */
export interface DividedStats {
  /** Tasks that were run. */
  tasks: number
  /** Tries at them, and those that failed or were lost. */
  attempts: number
  failedAttempts: number
  /** Tasks that were not needed, since others gave enough rows: those that never began, and those that were stopped. */
  sparedTasks?: number
  stoppedTasks?: number
  /** How long all tries together waited and ran, in milliseconds. */
  queuedMs: number
  runMs: number
}

/** Measures the work on one query, from its making on. */
export class QueryWork {
  /** What loading its tables tells. */
  readonly cacheUse = new CacheUse()
  readonly #startedMs: number
  #plannedMs: number | undefined
  #ranMs: number | undefined
  #fetchMs = 0
  /** Time in which whoever reads the rows let the query wait. */
  #idleMs = 0
  #isCold = false
  #tasks: TasksRun | undefined

  /** @param startedMs when the call came, by `performance.now()` */
  constructor(startedMs = performance.now()) {
    this.#startedMs = startedMs
  }

  /** Milliseconds since the call came. */
  get ms(): number {
    return Math.round(performance.now() - this.#startedMs)
  }

  /** The outcome of a step that opens what is to be read. Until planning is over its time counts as fetching, and later for what goes on then. */
  async fetching<T>(step: () => Promise<T>): Promise<T> {
    const since = performance.now()
    const isPlanning = this.#plannedMs === undefined
    try {
      return await step()
    } finally {
      if (isPlanning) this.#fetchMs += performance.now() - since
    }
  }

  /** Planning is over; what follows is one task of this process, or many that {@link ran} tells of. */
  planned(): void {
    this.#plannedMs = performance.now()
  }

  /** An engine or threads were started for the task of this process. */
  wasCold(): void {
    this.#isCold = true
  }

  /** The task of this process is over, or these are. */
  ran(tasks?: TasksRun): void {
    this.#ranMs = performance.now()
    this.#tasks = tasks
  }

  /** The same batches. The time until the next one is asked for is nobody's work. */
  async *timed<T>(batches: AsyncIterable<T>): AsyncGenerator<T> {
    for await (const batch of batches) {
      const since = performance.now()
      yield batch
      this.#idleMs += performance.now() - since
    }
  }

  /** All that is known until now. */
  stats(): WorkStats & Partial<DividedStats> {
    const nowMs = performance.now()
    const plannedMs = this.#plannedMs ?? nowMs
    const ranMs = this.#ranMs ?? nowMs - this.#idleMs
    const mergeMs = this.#ranMs === undefined ? 0 : nowMs - ranMs - this.#idleMs
    const planMs = plannedMs - this.#startedMs
    const cache = this.cacheUse.counts()
    if (this.#tasks) {
      const { stats, times } = this.#tasks
      // Files that were opened here were opened to plan.
      return { ...dividedStats(stats), ...workStats(times, { planMs, mergeMs }), cache, ...costOf(stats) }
    }
    const scanMs = ranMs - plannedMs
    const task = { queueMs: 0, fetchMs: this.#fetchMs, scanMs, doneMs: this.#fetchMs + scanMs, cold: this.#isCold }
    return { ...workStats([task], { planMs: planMs - this.#fetchMs, mergeMs }), cache }
  }
}

function dividedStats({ tasks, spared, stopped, attempts, failed, queuedMs, runMs }: TaskStats): DividedStats {
  return {
    tasks,
    ...(spared + stopped > 0 && { sparedTasks: spared, stoppedTasks: stopped }),
    attempts,
    failedAttempts: failed,
    queuedMs: Math.round(queuedMs),
    runMs: Math.round(runMs),
  }
}

function costOf({ cost }: TaskStats): { cost?: number } {
  return cost === undefined ? {} : { cost }
}
