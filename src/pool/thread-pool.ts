/** The pool of this process's worker threads, each with an engine of its own. They start when they are first needed, and stay for the next query. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Settings } from '../config.ts'
import { SkepError, throwIfAborted } from '../errors.ts'
import { removeFoldersOf } from '../storage/temporary.ts'
import type { FromTaskThread, TaskThreadData, ToTaskThread } from '../worker/task-thread.ts'
import {
  closedError,
  type PoolCalls,
  type StaffedPool,
  type TaskMessage,
  type TaskResult,
  type WorkerInfo,
} from './pool.ts'

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

/**
 * A thread and the tasks that it has. It is never stopped from outside: code of the engine that is on its way then, be it only being loaded,
 * would take the whole process along.
 */
class TaskThread {
  readonly #worker: Worker
  readonly #graceMs: number
  readonly #running = new Map<number, Running>()
  readonly #loaded = Promise.withResolvers<void>()
  readonly #gone = Promise.withResolvers<void>()
  /** What it is to be told once it has loaded. */
  #unheard: ToTaskThread[] | undefined = []
  #numbers = 0
  #state: 'open' | 'closing' | 'ended' | 'gone' = 'open'

  constructor(data: TaskThreadData) {
    this.#graceMs = data.settings.threadGraceMs
    // Options of the process are for its own program: with `--input-type` no thread would start.
    this.#worker = new Worker(THREAD, { execArgv: [], workerData: data })
    this.id = String(this.#worker.threadId)
    this.#worker.on('message', (message: FromTaskThread) => this.#hear(message))
    this.#worker.on('error', (error) => this.#lose(`a worker thread failed: ${error}`))
    this.#worker.on('exit', () => void this.#leave(data.spillPath))
    this.#worker.unref()
  }

  /** The number of the thread within the process. */
  readonly id: string

  /** True while it takes tasks. */
  get isOpen(): boolean {
    return this.#state === 'open'
  }

  get isGone(): boolean {
    return this.#state === 'gone'
  }

  /** Tasks that it has and has not answered. */
  get load(): number {
    return this.#running.size
  }

  async run(message: TaskMessage, calls: PoolCalls): Promise<TaskResult> {
    const number = this.#numbers++
    let overdue: NodeJS.Timeout | undefined
    const stop = () => {
      if (this.#unheard) return this.#withdraw(number)
      this.#tell({ kind: 'stop', number })
      overdue = setTimeout(() => this.#giveUp(), this.#graceMs)
    }
    this.#worker.ref()
    calls.signal.addEventListener('abort', stop)
    try {
      return await new Promise((resolve, reject) => {
        this.#running.set(number, { calls, resolve, reject })
        this.#tell({ kind: 'run', number, message })
      })
    } finally {
      clearTimeout(overdue)
      calls.signal.removeEventListener('abort', stop)
      this.#running.delete(number)
      if (this.#running.size === 0 && this.isOpen) this.#worker.unref()
    }
  }

  /** Ends the thread and what it runs; one that does not end in time is left to itself. */
  async close(): Promise<void> {
    this.#worker.ref()
    if (this.#state === 'open') {
      this.#state = 'closing'
      if (this.#unheard) for (const number of this.#running.keys()) this.#withdraw(number)
      this.#tell({ kind: 'end' })
    }
    await this.#loaded.promise
    const waiting = new AbortController()
    const grace = sleep(this.#graceMs, undefined, waiting).catch(() => undefined)
    await Promise.race([this.#gone.promise, grace])
    waiting.abort()
    this.#worker.unref()
    for (const { reject } of this.#running.values()) reject(closedError())
  }

  /** Takes a task back that it has not been told of. */
  #withdraw(number: number): void {
    this.#unheard = this.#unheard?.filter((told) => told.kind !== 'run' || told.number !== number)
    this.#running.get(number)?.reject(closedError())
  }

  #tell(message: ToTaskThread): void {
    if (this.#unheard) this.#unheard.push(message)
    else this.#worker.postMessage(message)
  }

  #hear(message: FromTaskThread): void {
    if (message.kind === 'ready') {
      const unheard = this.#unheard ?? []
      this.#unheard = undefined
      for (const told of unheard) this.#tell(told)
      this.#loaded.resolve()
      return
    }
    const running = this.#running.get(message.number)
    if (message.kind === 'beat') running?.calls.onBeat(message.done)
    else if (message.kind === 'done') running?.resolve(message.result)
    else running?.reject(errorOf(message))
  }

  /** Lets it end when it can, and gives its other tasks back. What is aborted settles when it is over. */
  #giveUp(): void {
    if (!this.isOpen) return
    this.#state = 'ended'
    for (const { calls, reject } of this.#running.values()) {
      if (!calls.signal.aborted) reject(new SkepError('WORKER_LOST', 'a worker thread did not end another task', {}))
    }
    this.#tell({ kind: 'end' })
    this.#worker.unref()
  }

  /** It has died, or has ended as it was told. */
  #lose(reason: string): void {
    const isClosing = this.#state === 'closing'
    this.#state = 'ended'
    this.#loaded.resolve()
    for (const { calls, reject } of this.#running.values()) {
      reject(isClosing || calls.signal.aborted ? closedError() : new SkepError('WORKER_LOST', reason, {}))
    }
  }

  async #leave(spillPath: string): Promise<void> {
    this.#lose('a worker thread ended')
    await removeFoldersOf(spillPath)
    this.#state = 'gone'
    this.#gone.resolve()
  }
}

/** What a task failed with, with what caused it. */
function errorOf({ error, cause }: Extract<FromTaskThread, { kind: 'failed' }>): SkepError {
  const { code, message, details } = error
  if (!cause) return new SkepError(code, message, details)
  return new SkepError(code, message, details, {
    cause: Object.assign(new Error(cause.message), { stack: cause.stack }),
  })
}

/** Runs tasks on threads: as many as there are cores, or as `SKEP_THREADS` says. */
export class ThreadPool implements StaffedPool {
  readonly name = 'threads'
  readonly slots: number
  readonly #settings: Settings
  readonly #root: string
  readonly #spillPath: () => string
  #threads: TaskThread[] = []
  #closed = false

  /** @param spillPath a folder of its own for each thread */
  constructor(options: { root: string; settings: Settings; spillPath: () => string }) {
    this.slots = options.settings.threads
    this.#settings = options.settings
    this.#root = options.root
    this.#spillPath = options.spillPath
  }

  /**
   * A thread that died loses its tasks, and so does one that has not ended a task `threadGraceMs` after its abort; the next task gets
   * another thread. @throws WORKER_LOST, CANCELLED, and what the task throws
   */
  async run(message: TaskMessage, calls: PoolCalls): Promise<TaskResult> {
    throwIfAborted(calls.signal)
    if (this.#closed) throw closedError()
    const thread = this.#leastLoaded()
    const { stats, ...result } = await thread.run(message, calls)
    return { ...result, stats: { ...stats, worker: thread.id } }
  }

  workers(): WorkerInfo[] {
    return this.#threads
      .filter(({ isGone }) => !isGone)
      .map(({ id, isOpen, load }) => {
        const state = !isOpen ? 'ending' : load > 0 ? 'busy' : 'idle'
        return { pool: this.name, id, state, tasks: load }
      })
  }

  #leastLoaded(): TaskThread {
    this.#threads = this.#threads.filter(({ isGone }) => !isGone)
    const open = this.#threads.filter(({ isOpen }) => isOpen)
    const free = open.find(({ load }) => load === 0)
    if (free) return free
    if (open.length < this.slots) {
      const settings = { ...this.#settings, threads: 1 }
      const thread = new TaskThread({ root: this.#root, settings, spillPath: this.#spillPath(), share: 1 / this.slots })
      this.#threads.push(thread)
      return thread
    }
    return open.reduce((least, thread) => (thread.load < least.load ? thread : least))
  }

  /** Ends the threads, and what they run. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await Promise.all(this.#threads.splice(0).map((thread) => thread.close()))
  }
}
