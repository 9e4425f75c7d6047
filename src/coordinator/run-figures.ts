/** How far the tasks of a query are, and what running them took. */
import type { TaskTimes } from './statistics.ts'

/** How far they are. Tasks that turn out to have nothing to do, or not to be needed, are not counted any more. */
export interface TaskProgress {
  tasks: number
  queued: number
  running: number
  done: number
  /** Of the files of the tasks that are done. */
  rows: number
  bytes: number
}

/** A task that is done, and what its attempt took whose result counted. */
export interface DoneTask extends TaskTimes {
  /** The stage that it is of. */
  stage: string
  /** Rows of its files. */
  rows: number
  /** The worker that ran it, where its pool knows it. */
  worker?: string
}

/** Whoever follows the tasks of a query. */
export interface TaskWatch {
  /** Called when tasks begin; once more where a query begins anew, so that what was told before counts no more. */
  onTasks?: (() => void) | undefined
  /** Called with every task that is done. */
  onTask?: ((task: DoneTask) => void) | undefined
}

/** What running them took. */
export interface TaskStats {
  /** Tasks that were done. */
  tasks: number
  /** Tasks that were not needed, since others gave enough rows: those that never began, and those that were stopped. */
  spared: number
  stopped: number
  /** Tries at them: the first ones, those after a failure (retries), and second ones beside a slow one (hedges). */
  attempts: number
  retries: number
  hedges: number
  /** Attempts that ended with an error or whose worker fell silent; and the latter alone. */
  failed: number
  lost: number
  /** Time that tasks waited to be given to the pool, and time from then until they were answered or given up, summed up over all attempts. */
  queuedMs: number
  runMs: number
  /** Dollars for all attempts that were answered, where workers are paid for. */
  cost?: number
}

/** The figures of one query. */
export class RunFigures {
  readonly stats: TaskStats = {
    tasks: 0,
    spared: 0,
    stopped: 0,
    attempts: 0,
    retries: 0,
    hedges: 0,
    failed: 0,
    lost: 0,
    queuedMs: 0,
    runMs: 0,
  }
  /** Of the attempts whose results counted, in the order in which these came. */
  readonly times: TaskTimes[] = []
  readonly #tell: ((progress: TaskProgress) => void) | undefined
  readonly #intervalMs: number
  #tasks: number
  #running = 0
  #rows = 0
  #bytes = 0
  #toldMs = Number.NEGATIVE_INFINITY
  #isNew = true

  constructor(tasks: number, intervalMs: number, tell: ((progress: TaskProgress) => void) | undefined) {
    this.#tasks = tasks
    this.#intervalMs = intervalMs
    this.#tell = tell
  }

  /** Tasks turned out to have nothing to do, or not to be needed. */
  leaveOut(tasks: number): void {
    this.#tasks -= tasks
    this.#isNew ||= tasks > 0
  }

  /** Tasks turned out not to be needed, so many of which had begun. */
  spared(tasks: number, begun: number): void {
    this.stats.spared += tasks - begun
    this.stats.stopped += begun
    this.leaveOut(tasks)
  }

  /** An attempt began; `alone` when its task has no other. */
  began(kind: 'first' | 'retry' | 'hedge', queuedMs: number): void {
    this.stats.attempts++
    if (kind === 'retry') this.stats.retries++
    if (kind === 'hedge') {
      this.stats.hedges++
      return
    }
    this.stats.queuedMs += queuedMs
    this.#running++
    this.#isNew = true
  }

  /** An attempt was answered, whether anybody still wanted it or not. */
  paid(cost: number): void {
    this.stats.cost = (this.stats.cost ?? 0) + cost
  }

  /** A task is done. */
  finished({ rows, bytes }: { rows: number; bytes: number }, times: TaskTimes): void {
    this.stats.tasks++
    this.times.push(times)
    this.#rows += rows
    this.#bytes += bytes
    this.stopped()
  }

  /** No attempt at a task is left. */
  stopped(): void {
    this.#running--
    this.#isNew = true
  }

  /** Tells the progress when it has changed and was not told just now, or when it is the last one. */
  tell(nowMs: number, last = false): void {
    if (!this.#tell || !this.#isNew) return
    if (!last && Math.abs(nowMs - this.#toldMs) < this.#intervalMs) return
    this.#isNew = false
    this.#toldMs = nowMs
    const done = this.stats.tasks
    const queued = this.#tasks - done - this.#running
    this.#tell({ tasks: this.#tasks, queued, running: this.#running, done, rows: this.#rows, bytes: this.#bytes })
  }
}
