/** The pool of this process's worker threads, each with an engine of its own. They start when they are first needed, and stay for the next query. */
import { Worker } from 'node:worker_threads'
import type { Settings } from '../config.ts'
import { SkepError } from '../errors.ts'
import type { FromTaskThread, TaskThreadData, ToTaskThread } from '../worker/task-thread.ts'
import type { Pool, PoolCalls, TaskMessage, TaskResult } from './pool.ts'

/** As one source file, or bundled beside the other bundles. */
const THREAD = new URL(
  import.meta.url.endsWith('.ts') ? '../worker/task-thread.ts' : '../task-thread.js',
  import.meta.url,
)

interface Running {
  calls: PoolCalls
  resolve(result: TaskResult): void
  reject(error: unknown): void
}

/** A thread and the tasks that it has. */
class TaskThread {
  readonly #worker: Worker
  readonly #running = new Map<number, Running>()
  #numbers = 0
  ended = false

  constructor(data: TaskThreadData) {
    // Options of the process are for its own program: with `--input-type` no thread would start.
    this.#worker = new Worker(THREAD, { execArgv: [], workerData: data })
    this.#worker.on('message', (message: FromTaskThread) => this.#hear(message))
    this.#worker.on('error', (error) => this.#end(`a worker thread failed: ${error.message}`))
    this.#worker.on('exit', () => this.#end('a worker thread ended'))
    this.#worker.unref()
  }

  /** Tasks that it has and has not answered. */
  get load(): number {
    return this.#running.size
  }

  async run(message: TaskMessage, calls: PoolCalls): Promise<TaskResult> {
    const number = this.#numbers++
    const stop = () => this.#tell({ kind: 'stop', number })
    this.#worker.ref()
    calls.signal.addEventListener('abort', stop)
    try {
      return await new Promise((resolve, reject) => {
        this.#running.set(number, { calls, resolve, reject })
        this.#tell({ kind: 'run', number, message })
        if (calls.signal.aborted) stop()
      })
    } finally {
      calls.signal.removeEventListener('abort', stop)
      this.#running.delete(number)
      if (this.#running.size === 0) this.#worker.unref()
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #tell(message: ToTaskThread): void {
    this.#worker.postMessage(message)
  }

  #hear(message: FromTaskThread): void {
    const running = this.#running.get(message.number)
    if (message.kind === 'beat') running?.calls.onBeat(message.done)
    else if (message.kind === 'done') running?.resolve(message.result)
    else {
      const { code, message: text, details } = message.error
      running?.reject(new SkepError(code, text, details, { cause: new Error(message.text) }))
    }
  }

  #end(reason: string): void {
    this.ended = true
    for (const { reject } of this.#running.values()) reject(new SkepError('WORKER_LOST', reason, {}))
  }
}

/** Runs tasks on threads: as many as there are cores, or as `SKEP_THREADS` says. */
export class ThreadPool implements Pool {
  readonly name = 'threads'
  readonly slots: number
  readonly #settings: Settings
  readonly #root: string
  readonly #spillPath: () => string
  #threads: TaskThread[] = []

  /** @param spillPath a folder of its own for each thread */
  constructor(options: { root: string; settings: Settings; spillPath: () => string }) {
    this.slots = options.settings.threads
    this.#settings = options.settings
    this.#root = options.root
    this.#spillPath = options.spillPath
  }

  /** A thread that died loses its tasks; the next task gets another. @throws WORKER_LOST, and what the task throws */
  async run(message: TaskMessage, calls: PoolCalls): Promise<TaskResult> {
    return await this.#leastLoaded().run(message, calls)
  }

  #leastLoaded(): TaskThread {
    this.#threads = this.#threads.filter(({ ended }) => !ended)
    const free = this.#threads.find(({ load }) => load === 0)
    if (free) return free
    if (this.#threads.length < this.slots) {
      const settings = { ...this.#settings, threads: 1 }
      const thread = new TaskThread({ root: this.#root, settings, spillPath: this.#spillPath(), share: 1 / this.slots })
      this.#threads.push(thread)
      return thread
    }
    return this.#threads.reduce((least, thread) => (thread.load < least.load ? thread : least))
  }

  /** Ends the threads, and what they run. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.splice(0).map((thread) => thread.close()))
  }
}
