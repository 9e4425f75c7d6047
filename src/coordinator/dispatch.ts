/**
 * Runs the stages of a plan on a pool, whichever it is: which task next, tries again, second tries beside slow ones, lost workers, an end in time.
 *
 * Pools may lose attempts, run them twice and answer late or never. Here one attempt of each task counts, and nothing waits for ever.
 */
import type { Sources } from '../catalog/sources.ts'
import type { Settings } from '../config.ts'
import { throwIfEnded } from '../engine/engine.ts'
import { isSkepError, SkepError, toSkepError } from '../errors.ts'
import type { Stage } from '../planner/plan.ts'
import type { Pool, TaskResult } from '../pool/pool.ts'
import { Attempts } from './attempts.ts'
import { RunFigures, type TaskProgress, type TaskStats, type TaskWatch } from './run-figures.ts'
import { type Attempt, layOut, type StageRun, type TaskRun } from './stage-run.ts'
import type { TaskTimes } from './statistics.ts'
import type { StageOutput } from './task-inputs.ts'

/** The settings that dispatch goes by. */
export type DispatchSettings = Pick<
  Settings,
  | 'taskAttempts'
  | 'taskLostMs'
  | 'taskRetryMs'
  | 'taskRetryMaxMs'
  | 'taskLookahead'
  | 'taskWatchMs'
  | 'hedgeFactor'
  | 'hedgeLeastMs'
  | 'hedgePercent'
  | 'progressMs'
  | 'interruptGraceMs'
>

/** How stages are run. */
export interface DispatchOptions extends Pick<TaskWatch, 'onTask'> {
  /** Names the query to workers, and its folder in the exchange. */
  query: string
  settings: DispatchSettings
  /** Ends the run: with `QUERY_TIMEOUT` when it was aborted by a deadline, else with `CANCELLED`. */
  signal?: AbortSignal | undefined
  /** The time that the deadline gave, for the message. */
  timeoutMs?: number
  /** Called when something changed, at most every `progressMs`, and at the end. */
  onProgress?: ((progress: TaskProgress) => void) | undefined
}

/** What stages gave. */
export interface StagesResult {
  /** By the stages' ids; in the order of their tasks, whichever was done first. A stage with little to do may have run its first task only. */
  results: Map<string, TaskResult[]>
  stats: TaskStats
  /** What the attempts took whose results counted, in the order in which these came. */
  times: readonly TaskTimes[]
  /** Resolves when the attempts that lost against others have ended, or have had `interruptGraceMs` to do so: wait for it before objects are removed. */
  settled: Promise<void>
}

/**
 * Runs all tasks of these stages; each stage begins when those that it reads are done, and independent ones run side by side.
 *
 * When it ends with an error, all attempts have been told to stop, and have ended or had `interruptGraceMs` to do so.
 *
 * @throws CANCELLED, QUERY_TIMEOUT; the error of a task; WORKER_LOST, ENGINE_LOST, STORE_UNAVAILABLE and INTERNAL when a task failed `taskAttempts` times
 */
export async function runStages(
  stages: readonly Stage[],
  pool: Pool,
  sources: Sources,
  options: DispatchOptions,
): Promise<StagesResult> {
  throwIfOver(options)
  return await new Dispatch(layOut(stages), pool, sources, options).run()
}

class Dispatch {
  readonly #stages: readonly StageRun[]
  readonly #sources: Sources
  readonly #options: DispatchOptions
  readonly #settings: DispatchSettings
  readonly #figures: RunFigures
  readonly #attempts: Attempts
  readonly #outputs = new Map<string, StageOutput>()
  /** Stages that may have tasks to begin, in the order of the plan. */
  readonly #ready: StageRun[] = []
  readonly #end = Promise.withResolvers<void>()
  readonly #over = new AbortController()
  #begunMs = 0
  /** The first defect that an attempt met. */
  #defect: SkepError | undefined

  constructor(stages: readonly StageRun[], pool: Pool, sources: Sources, options: DispatchOptions) {
    const { settings, onProgress } = options
    const tasks = stages.reduce((sum, { stage }) => sum + stage.tasks.length, 0)
    this.#stages = stages
    this.#sources = sources
    this.#options = options
    this.#settings = settings
    this.#figures = new RunFigures(tasks, settings.progressMs, onProgress)
    this.#attempts = new Attempts(options.query, pool, sources, this.#figures, {
      succeeded: (attempt, result) => this.#guard(() => this.#succeeded(attempt, result)),
      failed: (attempt, error) => this.#guard(() => this.#failed(attempt, error)),
    })
  }

  async run(): Promise<StagesResult> {
    const { signal, settings } = this.#options
    const onAbort = () => this.#guard(() => throwIfOver(this.#options))
    signal?.addEventListener('abort', onAbort)
    try {
      this.#guard(() => this.#begin())
      void this.#watch()
      await this.#end.promise
    } catch (error) {
      await this.#attempts.settle(settings.interruptGraceMs)
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
    const results = new Map(this.#stages.map(({ stage, results }) => [stage.id, results]))
    const { stats, times } = this.#figures
    return { results, stats, times, settled: this.#attempts.settle(settings.interruptGraceMs) }
  }

  /** Whatever goes wrong in a step ends the run. */
  #guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#end.reject(toSkepError(error))
      this.#stop()
    }
  }

  /** Nothing begins from now on, and all that runs is told to stop. */
  #stop(): void {
    this.#over.abort()
    this.#attempts.dropAll()
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted
  }

  #begin(): void {
    const nowMs = this.#sources.now()
    this.#begunMs = nowMs
    const first = this.#stages.filter(({ missing }) => missing === 0)
    this.#open(first, nowMs)
    this.#endIfDone(nowMs)
    this.#proceed(nowMs)
  }

  /** Opens stages whose inputs are there, and those that can follow because these have no task. */
  #open(stages: readonly StageRun[], nowMs: number): void {
    const todo = [...stages]
    for (let run = todo.pop(); run; run = todo.pop()) {
      const tasks = run.open(this.#outputs, nowMs)
      this.#figures.leaveOut(run.stage.tasks.length - tasks.length)
      this.#spare(run)
      if (run.isDone) todo.push(...this.#close(run))
      else this.#enqueue(run)
    }
  }

  /** What turned out not to be needed of a stage is not begun, and told to stop where it was. */
  #spare(run: StageRun): void {
    const tasks = run.spare()
    for (const { live } of tasks) {
      if (live.size > 0) this.#figures.stopped()
      for (const attempt of live) this.#attempts.drop(attempt, 'abort')
    }
    this.#figures.spared(tasks.length, tasks.filter(({ attempts }) => attempts > 0).length)
    if (run.error) throw run.error
  }

  /** The stages that can be opened now that this one is done. */
  #close(run: StageRun): StageRun[] {
    this.#outputs.set(run.stage.id, { work: run.stage.work, results: run.results })
    return run.readers.filter((reader) => --reader.missing === 0)
  }

  #endIfDone(nowMs: number): void {
    if (this.#outputs.size < this.#stages.length) return
    this.#figures.tell(nowMs, true)
    this.#end.resolve()
    this.#stop()
  }

  #enqueue(run: StageRun): void {
    const at = this.#ready.findIndex(({ index }) => index >= run.index)
    if (at < 0) this.#ready.push(run)
    else if (this.#ready[at] !== run) this.#ready.splice(at, 0, run)
  }

  /** Begins what the pool takes, and tells how far all is. */
  #proceed(nowMs: number): void {
    while (!this.#isOver && this.#attempts.free > -this.#settings.taskLookahead) {
      const run = this.#ready[0]
      if (!run) break
      const task = run.next()
      if (task) this.#attempts.start(task, task.failures > 0 ? 'retry' : 'first')
      else this.#ready.shift()
    }
    if (!this.#isOver) this.#figures.tell(nowMs)
  }

  #succeeded(attempt: Attempt, result: TaskResult): void {
    const nowMs = this.#sources.now()
    const { task, startedMs, atWorkMs } = attempt
    const { stage } = task
    for (const other of task.live) this.#attempts.drop(other, 'abort')
    stage.finish(task, result, nowMs - (atWorkMs ?? startedMs))
    const times = timesOf(attempt, result, { nowMs, begunMs: this.#begunMs })
    this.#figures.finished(task.spec, times)
    const { worker } = result.stats
    this.#options.onTask?.({
      ...times,
      stage: stage.stage.id,
      rows: task.spec.rows,
      ...(worker !== undefined && { worker }),
    })
    this.#spare(stage)
    if (stage.isDone) {
      this.#open(this.#close(stage), nowMs)
      this.#endIfDone(nowMs)
    }
    this.#proceed(nowMs)
  }

  #failed({ task }: Attempt, error: SkepError): void {
    const mayPass = error.kind === 'unavailable' || error.kind === 'internal'
    task.failures++
    this.#figures.stats.failed++
    if (error.kind === 'internal') this.#defect ??= error
    if (!mayPass) for (const other of task.live) this.#attempts.drop(other, 'abort')
    // Another attempt at it may still succeed.
    if (task.live.size === 0) {
      this.#figures.stopped()
      if (!mayPass) this.#giveUp(task, error)
      else if (task.failures >= this.#settings.taskAttempts) this.#giveUp(task, usedUp(task, this.#reasonOf(error)))
      else void this.#tryAgain(task)
    }
    this.#proceed(this.#sources.now())
  }

  /** Where engines were lost under a task, tasks of the same query may have broken them. */
  #reasonOf(error: SkepError): SkepError {
    return (isSkepError(error, 'ENGINE_LOST') && this.#defect) || error
  }

  #giveUp(task: TaskRun, error: SkepError): void {
    task.stage.fail(task, error)
    this.#spare(task.stage)
  }

  async #tryAgain(task: TaskRun): Promise<void> {
    const { taskRetryMs, taskRetryMaxMs } = this.#settings
    const waitMs = Math.min(taskRetryMaxMs, taskRetryMs * 2 ** (task.failures - 1))
    await this.#whenSlept(waitMs * (0.5 + this.#sources.random()), () => {
      const nowMs = this.#sources.now()
      task.stage.again(task, nowMs)
      this.#enqueue(task.stage)
      this.#proceed(nowMs)
    })
  }

  /** Looks for lost and slow attempts until the end. */
  async #watch(): Promise<void> {
    const { taskWatchMs, taskLostMs } = this.#settings
    for (let beforeMs = this.#sources.now(); !this.#isOver; ) {
      await this.#whenSlept(taskWatchMs, () => {
        const nowMs = this.#sources.now()
        // Time in which the coordinator itself stood still is no silence of the workers.
        const passedMs = Math.min(nowMs - beforeMs, taskWatchMs * 2)
        beforeMs = nowMs
        this.#attempts.dropSilent(passedMs, taskLostMs)
        this.#hedge(nowMs)
        this.#proceed(nowMs)
      })
    }
  }

  async #whenSlept(ms: number, step: () => void): Promise<void> {
    try {
      await this.#sources.sleep(ms, this.#over.signal)
    } catch (error) {
      if (this.#isOver) return
      this.#guard(() => {
        throw error
      })
    }
    if (!this.#isOver) this.#guard(step)
  }

  /** Begins second attempts beside those that are slow, where workers have nothing else to do. */
  #hedge(nowMs: number): void {
    for (const attempt of [...this.#attempts.live]) {
      if (this.#isOver || this.#ready.length > 0 || this.#attempts.free <= 0) return
      if (!attempt.isLive || !this.#isSlow(attempt, nowMs)) continue
      attempt.task.hedged = true
      attempt.task.stage.hedges++
      this.#attempts.start(attempt.task, 'hedge')
    }
  }

  #isSlow({ task, atWorkMs }: Attempt, nowMs: number): boolean {
    const { hedgeFactor, hedgeLeastMs, hedgePercent } = this.#settings
    const { medianMs, size, hedges } = task.stage
    if (task.hedged || atWorkMs === undefined || medianMs === undefined) return false
    if (hedges >= Math.max(1, (size * hedgePercent) / 100)) return false
    return nowMs - atWorkMs > Math.max(hedgeLeastMs, hedgeFactor * medianMs)
  }
}

/** What an attempt took. What its worker does not tell of, the attempt spent on its way and on waiting. */
function timesOf(
  { startedMs, queuedMs }: Attempt,
  { stats: { ms, fetchMs = 0, cold = false } }: TaskResult,
  { nowMs, begunMs }: { nowMs: number; begunMs: number },
): TaskTimes {
  const queueMs = Math.max(0, queuedMs + nowMs - startedMs - ms)
  return { queueMs, fetchMs, scanMs: ms - fetchMs, doneMs: nowMs - begunMs, cold }
}

function throwIfOver({ signal, timeoutMs }: DispatchOptions): void {
  throwIfEnded({ signal, ...(timeoutMs !== undefined && { timeoutMs }) })
}

/** The error of a task that was tried often enough. */
function usedUp(task: TaskRun, error: SkepError): SkepError {
  const times = task.failures === 1 ? 'once' : `${task.failures} times`
  const message = `task "${task.spec.id}" was tried ${times}: ${error.message}`
  return new SkepError(error.code, message, error.details, { cause: error })
}
