/** Where tasks run, as the coordinator sees it: one interface for this process, its threads, and workers elsewhere. */
import type { Rows } from '../exchange/exchange.ts'
import type { PoolName, TaskSpec, Work } from '../planner/plan.ts'

/** What a worker is told: everything that it needs for one attempt at a task, as plain JSON. */
export interface TaskMessage {
  /** The query that the task belongs to: the folder of its exchange. */
  query: string
  /** Unique in the query. All objects of the attempt begin with `${attempt}/`. */
  attempt: string
  work: Work
  task: TaskSpec
  /** What the stages gave that the work reads, by their ids, in the order of their tasks. Of objects that were cut only the task's own are there, where it reads no others. */
  inputs: Record<string, Rows[]>
}

/** What came of an attempt: plain JSON. */
export interface TaskResult {
  rows: Rows
  /** Time at work, as the worker saw it; `cold` when the worker was started for it. */
  stats: { ms: number; cold?: boolean }
  /** What kinds of work that give more than rows add. */
  outcome?: unknown
}

/** What a pool listens to, and calls, while it has an attempt. */
export interface PoolCalls {
  /** Aborted when nobody wants the result any more: the attempt should end soon, and whatever it still gives is dropped. */
  signal: AbortSignal
  /** A sign of life, with the part of the task done, from 0 to 1: at least every `taskBeatMs`, also while the attempt waits for a worker. */
  onBeat(done: number): void
}

/**
 * A pool of workers. It may lose an attempt, run it twice, or answer never or late: the coordinator sees to that.
 *
 * A result is the work of this very attempt: its objects are written before it is given.
 */
export interface Pool extends AsyncDisposable {
  readonly name: PoolName
  /** Attempts that can run at a time; read anew whenever one could be begun. */
  readonly slots: number
  /** The result of an attempt. How large messages travel is the pool's matter. @throws WORKER_LOST, and whatever the task throws */
  run(message: TaskMessage, calls: PoolCalls): Promise<TaskResult>
}
