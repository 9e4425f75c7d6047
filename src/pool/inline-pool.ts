/** The pool of this process: tasks run side by side in its own engine. */
import { throwIfAborted } from '../errors.ts'
import { runTask, type Worker } from '../worker/run-task.ts'
import {
  closedError,
  type PoolCalls,
  type StaffedPool,
  type TaskMessage,
  type TaskResult,
  type WorkerInfo,
} from './pool.ts'

/** Runs tasks in this process. */
export class InlinePool implements StaffedPool {
  readonly name = 'inline'
  readonly slots: number
  readonly #worker: Worker
  readonly #running = new Map<AbortController, Promise<unknown>>()
  #closed = false

  constructor(worker: Worker) {
    this.#worker = worker
    this.slots = worker.settings.threads
  }

  workers(): WorkerInfo[] {
    const tasks = this.#running.size
    return [{ pool: this.name, id: String(process.pid), state: tasks > 0 ? 'busy' : 'idle', tasks }]
  }

  /** @throws CANCELLED, and what the task throws */
  async run(message: TaskMessage, calls: PoolCalls): Promise<TaskResult> {
    throwIfAborted(calls.signal)
    if (this.#closed) throw closedError()
    const stopping = new AbortController()
    const stop = () => stopping.abort()
    calls.signal.addEventListener('abort', stop)
    try {
      const running = runTask(this.#worker, message, { ...calls, signal: stopping.signal })
      this.#running.set(stopping, running)
      return await running
    } finally {
      calls.signal.removeEventListener('abort', stop)
      this.#running.delete(stopping)
    }
  }

  /** Ends what runs. What it works with is its owner's. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    const running = [...this.#running.values()]
    for (const stopping of this.#running.keys()) stopping.abort()
    await Promise.allSettled(running)
  }
}
