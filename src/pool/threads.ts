/** Worker threads of one process: started when they are first needed, kept for the next query. */
import { Worker } from 'node:worker_threads'
import { SETTINGS } from '../config.ts'
import { toSkepError } from '../errors.ts'
import {
  CONTROL,
  type DirectJob,
  type JobOutcome,
  type Lookup,
  type ShareOutcome,
  type ShareRunner,
} from '../worker/direct-job.ts'
import type { FromThread, ToThread } from '../worker/thread.ts'

/** As one source file, or bundled beside the other bundles. */
const THREAD = new URL(import.meta.url.endsWith('.ts') ? '../worker/thread.ts' : '../thread.js', import.meta.url)

interface Running {
  lookup: Lookup
  resolve(outcome: ShareOutcome | string): void
  reject(error: unknown): void
}

/** A thread and the shares that run in it. */
class Thread {
  // Options of the process are for its own program: with `--input-type` no thread would start.
  readonly #worker = new Worker(THREAD, { execArgv: [] })
  readonly #running = new Map<number, Running>()
  #shares = 0
  #ended = false

  constructor() {
    this.#worker.on('message', (message: FromThread) => void this.#hear(message))
    this.#worker.on('error', (error) => this.#end(`a worker thread failed: ${error}`))
    this.#worker.on('exit', () => this.#end('a worker thread ended'))
    this.#worker.unref()
  }

  get ended(): boolean {
    return this.#ended
  }

  async run(job: DirectJob, lookup: Lookup): Promise<ShareOutcome | string> {
    const share = this.#shares++
    this.#worker.ref()
    try {
      return await new Promise((resolve, reject) => {
        this.#running.set(share, { lookup, resolve, reject })
        this.#tell({ kind: 'run', share, job })
      })
    } finally {
      this.#running.delete(share)
      if (this.#running.size === 0) this.#worker.unref()
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #tell(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  async #hear(message: FromThread): Promise<void> {
    const running = this.#running.get(message.share)
    if (message.kind === 'ask') {
      const masks = await running?.lookup(message.column, message.texts).catch((error: unknown) => {
        running.reject(error)
        return undefined
      })
      this.#tell({ kind: 'masks', question: message.question, masks })
    } else if (message.kind === 'done') running?.resolve(message.outcome)
    else if (message.kind === 'undecodable') running?.resolve(message.reason)
    else running?.reject(toSkepError(message.error))
  }

  #end(reason: string): void {
    this.#ended = true
    for (const { resolve } of this.#running.values()) resolve(reason)
  }
}

/** The threads of a warehouse. */
export class Threads implements ShareRunner, AsyncDisposable {
  readonly #count: number
  #threads: Thread[] = []
  #spareArena: SharedArrayBuffer | undefined
  #forgetting: NodeJS.Timeout | undefined

  constructor(count: number) {
    this.#count = count
  }

  /** True while no thread would have to be started for a job. */
  get isReady(): boolean {
    return this.#threads.filter(({ ended }) => !ended).length >= this.#count
  }

  /** Runs a job on all threads. A thread that dies leaves its jobs to the engine; the next query gets a new one. @throws INTERNAL */
  async run(job: DirectJob, lookup: Lookup): Promise<JobOutcome> {
    this.#threads = this.#threads.filter((thread) => !thread.ended)
    while (this.#threads.length < this.#count) this.#threads.push(new Thread())
    const stop = () => void Atomics.store(job.control, CONTROL.stop, 1)
    const running = this.#threads.map(async (thread) => {
      try {
        const outcome = await thread.run(job, lookup)
        if (typeof outcome === 'string') stop()
        return outcome
      } catch (error) {
        stop()
        throw error
      }
    })
    const ends = await Promise.allSettled(running)
    const failed = ends.find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
    const outcomes = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
    const undecodable = outcomes.find((outcome) => typeof outcome === 'string')
    return undecodable === undefined
      ? { shares: outcomes.filter((outcome) => typeof outcome !== 'string') }
      : { undecodable }
  }

  /** Runs `use` with shared memory of at least so many bytes, whose content is arbitrary. */
  async withArena<T>(bytes: number, use: (arena: SharedArrayBuffer) => Promise<T>): Promise<T> {
    const spare = this.#spareArena
    this.#spareArena = undefined
    const arena = spare && spare.byteLength >= bytes ? spare : new SharedArrayBuffer(bytes)
    try {
      return await use(arena)
    } finally {
      this.#spareArena = arena
      clearTimeout(this.#forgetting)
      this.#forgetting = setTimeout(() => this.#forgetArena(), SETTINGS.directKeptMs.default).unref()
    }
  }

  #forgetArena(): void {
    this.#spareArena = undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#forgetting)
    this.#forgetArena()
    await Promise.all(this.#threads.splice(0).map((thread) => thread.close()))
  }
}
