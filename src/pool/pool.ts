/** Where tasks run, as the coordinator sees it: one interface for this process, its threads, and workers elsewhere. */
import { SkepError } from '../errors.ts'
import type { PoolName } from '../planner/plan.ts'
import type { PoolCalls, TaskMessage, TaskResult } from '../worker/task.ts'

export type { PoolCalls, TaskMessage, TaskResult }

/** A worker as it is now. */
export interface WorkerInfo {
  pool: PoolName
  /** Its name within the pool. */
  id: string
  state: 'idle' | 'busy' | 'ending'
  /** Tasks that it runs, or that wait for it alone. */
  tasks: number
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
  /**
   * The result of an attempt. How large messages travel is the pool's matter. It settles once nothing of the attempt is at work any more.
   *
   * @throws WORKER_LOST, CANCELLED when it was aborted or the pool is disposed of, and whatever the task throws
   */
  run(message: TaskMessage, calls: PoolCalls): Promise<TaskResult>
}

/** A pool that knows its workers. */
export interface StaffedPool extends Pool {
  /** Its workers as they are now. */
  workers(): WorkerInfo[]
}

/** The error of an attempt that its pool ended, or never began, because nobody wants it. */
export function closedError(): SkepError<'CANCELLED'> {
  return new SkepError('CANCELLED', 'the call was cancelled', {})
}
