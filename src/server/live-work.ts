/** The work on a query as a server follows it: how far it is, what its tasks took, and what is remembered of that. */
import { SETTINGS } from '../config.ts'
import type { DoneTask, TaskProgress } from '../coordinator/run-figures.ts'
import type { QueryStats } from '../coordinator/sql.ts'
import {
  type PhaseSum,
  RECORD_PHASES,
  type RecordPhase,
  type RecordTask,
  type RecordWork,
} from '../records/record-work.ts'

/** How far a query is that runs. */
export interface QueryProgress {
  /** From 0 to 1. */
  fraction: number
  tasks?: TaskProgress
}

/** Gathers what is told of one query while it runs. */
export class LiveWork {
  #progress: QueryProgress | undefined
  #tasks: RecordTask[] = []
  #done = 0
  /** Of how many tasks one is kept. */
  #step = 1

  /** How far it is; undefined before anything was told. */
  get progress(): QueryProgress | undefined {
    return this.#progress
  }

  /** Takes in how far it is. What is told without tasks leaves these as they were. */
  told(fraction: number, tasks: TaskProgress | undefined = this.#progress?.tasks): void {
    this.#progress = { fraction, ...(tasks && { tasks }) }
  }

  /** Tasks begin, maybe anew. */
  begun(): void {
    this.#tasks = []
    this.#done = 0
    this.#step = 1
  }

  /** Takes in a task that is done. */
  did(task: DoneTask): void {
    if (this.#done++ % this.#step === 0) this.#tasks.push(entryOf(task))
    if (this.#tasks.length <= SETTINGS.queryLogTasks.default) return
    this.#step *= 2
    this.#tasks = this.#tasks.filter((_, index) => index % 2 === 0)
  }

  /** What is known by now; with the statistics of the query, all. A query without tasks of its own is one task. */
  record(stats?: QueryStats): RecordWork | undefined {
    if (stats) return { ...workOf(stats), taskTimes: this.#done > 0 ? this.#tasks : [onlyTask(stats)] }
    return this.#done > 0 ? { tasks: this.#done, taskTimes: this.#tasks } : undefined
  }
}

function entryOf({ queueMs, fetchMs, scanMs, doneMs, stage, worker, rows, cold }: DoneTask): RecordTask {
  return {
    startMs: tenths(Math.max(0, doneMs - queueMs - fetchMs - scanMs)),
    queueMs: tenths(queueMs),
    fetchMs: tenths(fetchMs),
    scanMs: tenths(scanMs),
    stage,
    ...(worker !== undefined && { worker }),
    rows,
    ...(cold && { cold }),
  }
}

function onlyTask({ phases, coldTasks, rows }: QueryStats): RecordTask {
  const { queue, fetch, scan } = phases
  const times = { queueMs: tenths(queue.totalMs), fetchMs: tenths(fetch.totalMs), scanMs: tenths(scan.totalMs) }
  return { startMs: 0, ...times, rows, ...(coldTasks > 0 && { cold: true }) }
}

function workOf(stats: QueryStats): RecordWork {
  const { phases, coldTasks, warmTasks, failedAttempts, sparedTasks, stoppedTasks, files, filesPruned, cache } = stats
  return {
    phases: Object.fromEntries(RECORD_PHASES.map((phase) => [phase, sumOf(phases[phase])])) as Record<
      RecordPhase,
      PhaseSum
    >,
    tasks: coldTasks + warmTasks,
    coldTasks,
    warmTasks,
    ...(failedAttempts !== undefined && { failedAttempts }),
    ...(sparedTasks !== undefined && { sparedTasks }),
    ...(stoppedTasks !== undefined && { stoppedTasks }),
    files,
    filesPruned,
    cacheHits: cache.hits,
    cacheMisses: cache.misses,
  }
}

function sumOf({ totalMs, maxMs }: PhaseSum): PhaseSum {
  return { totalMs: tenths(Math.max(0, totalMs)), maxMs: tenths(Math.max(0, maxMs)) }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}
