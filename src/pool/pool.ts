/** Where tasks run, as the coordinator sees it: one interface for this process, its threads, and workers elsewhere. */
import type { PoolName } from '../planner/plan.ts'
import type { PoolCalls, TaskMessage, TaskResult } from '../worker/task.ts'

export type { PoolCalls, TaskMessage, TaskResult }

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
