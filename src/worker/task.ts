/** One attempt at a task, as coordinator and worker speak of it: plain JSON. */
import type { Rows } from '../exchange/exchange.ts'
import type { TaskSpec, Work } from '../planner/plan.ts'

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

/** What an attempt took, as its worker saw it. */
export interface AttemptStats {
  /** Milliseconds at work, from when its engine was there to the result. */
  ms: number
  /** How many of these went by before its rows could flow; absent where they are not told apart. */
  fetchMs?: number
  /** True for the first task of an engine. */
  cold?: boolean
  /** The name of the worker within its pool, where the pool knows it. */
  worker?: string
  /** Dollars, where workers are paid for by their use. */
  cost?: number
}

/** What came of an attempt: plain JSON. */
export interface TaskResult {
  /** The attempt that this came of, as its message named it: a result that reaches another one is refused. */
  attempt: string
  rows: Rows
  stats: AttemptStats
  /** What kinds of work that give more than rows add. */
  outcome?: unknown
}

/** What a pool listens to, and calls, while it has an attempt. */
export interface PoolCalls {
  /** Aborted when nobody wants the result any more: the attempt should end soon, and whatever it still gives is dropped. */
  signal: AbortSignal
  /**
   * A sign of life, at least every `taskBeatMs`: with the part of the task done, from 0 to 1, or without while the attempt waits for a worker.
   * A pool that lets attempts wait says so at once, and says 0 when a worker begins: only time at work makes an attempt slow.
   */
  onBeat(done?: number): void
}
