/** The pool of this process: tasks run side by side in its own engine. */
import { runTask, type Worker } from '../worker/run-task.ts'
import type { Pool, PoolCalls, TaskMessage, TaskResult } from './pool.ts'

/** Runs tasks in this process. */
export class InlinePool implements Pool {
  readonly name = 'inline'
  readonly slots: number
  readonly #worker: Worker

  constructor(worker: Worker) {
    this.#worker = worker
    this.slots = worker.settings.threads
  }

  async run(message: TaskMessage, calls: PoolCalls): Promise<TaskResult> {
    return await runTask(this.#worker, message, calls)
  }

  /** Nothing: what it works with is its owner's. */
  async [Symbol.asyncDispose](): Promise<void> {}
}
