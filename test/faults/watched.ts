/** A child process under a watch on time and memory: a crash, a hang and a hunger for memory are outcomes, not the end of the suite. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** How a job ended. */
export type JobEnd<R> = { kind: 'done'; result: R } | { kind: 'crash' | 'hang' | 'memory'; detail: string }

const PAGE_BYTES = 4096
const TICK_MS = 10

/** What a job may use. On a machine with much else to do, time passes without any work: the processor's time is what tells a hang. */
export interface JobLimits {
  processorMs: number
  timeMs: number
  memoryBytes: number
}

/** Runs jobs in a child one after the other; after a bad end the next job gets a new child. */
export class Watched<J, R> implements AsyncDisposable {
  readonly #module: URL
  readonly #limits: JobLimits
  #child: ChildProcess | undefined
  #jobs = 0

  constructor(module: URL, limits: JobLimits) {
    this.#module = module
    this.#limits = limits
  }

  async run(job: J): Promise<JobEnd<R>> {
    this.#child ??= fork(this.#module, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: [] })
    const child = this.#child
    const id = ++this.#jobs
    let stderr = ''
    child.stderr!.on('data', (data: Buffer) => {
      stderr = (stderr + data.toString()).slice(-2000)
    })
    const end = await new Promise<JobEnd<R>>((resolve) => {
      const late = setTimeout(() => resolve({ kind: 'hang', detail: `${this.#limits.timeMs} ms` }), this.#limits.timeMs)
      const before = processorMs(child.pid!)
      const watch = setInterval(() => {
        const usedMs = processorMs(child.pid!) - before
        if (usedMs > this.#limits.processorMs) resolve({ kind: 'hang', detail: `${usedMs} ms of the processor` })
        const bytes = memoryOf(child.pid!)
        if (bytes > this.#limits.memoryBytes) resolve({ kind: 'memory', detail: `${Math.round(bytes / 1e6)} MB` })
      }, 50)
      const onExit = (code: number | null, signal: string | null) =>
        resolve({ kind: 'crash', detail: `${signal ?? code} ${stderr}` })
      const onMessage = (message: { id: number; ends: R }) => {
        if (message.id === id) resolve({ kind: 'done', result: message.ends })
      }
      child.once('exit', onExit)
      child.on('message', onMessage)
      child.send({ id, job })
      this.#after = () => {
        clearTimeout(late)
        clearInterval(watch)
        child.off('exit', onExit)
        child.off('message', onMessage)
        child.stderr!.removeAllListeners('data')
      }
    })
    this.#after()
    if (end.kind !== 'done') await this.#end()
    return end
  }

  #after: () => void = () => {}

  async #end(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
  }
}

/** Milliseconds that a process has used the processor, where the system tells. */
function processorMs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS
  } catch {
    return 0
  }
}

/** Resident memory of a process; 0 where the system does not tell. */
function memoryOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES
  } catch {
    return 0
  }
}
