/** A stage on its way: its tasks, the attempts at them, and what they gave. */
import type { SkepError } from '../errors.ts'
import type { Rows } from '../exchange/exchange.ts'
import type { Stage, TaskSpec } from '../planner/plan.ts'
import type { TaskResult } from '../pool/pool.ts'
import { type StageOutput, stagesRead, taskInputs, tasksToRun } from './task-inputs.ts'

/** A task on its way. */
export interface TaskRun {
  readonly stage: StageRun
  readonly index: number
  readonly spec: TaskSpec
  /** Since when it could run. */
  readyMs: number
  attempts: number
  failures: number
  hedged: boolean
  done: boolean
  /** Attempts whose result would count. */
  readonly live: Set<Attempt>
}

/** One try at a task. Once it is dropped, nothing that comes of it counts. */
export class Attempt {
  readonly task: TaskRun
  readonly id: string
  readonly startedMs: number
  /** How long its task had waited for it; nothing for one beside another. */
  readonly queuedMs: number
  /** How long it has given no sign of life, while the coordinator was there to hear it. */
  silentMs = 0
  /** Since when a worker is at it, as far as is known; undefined while it waits for one. */
  atWorkMs: number | undefined
  readonly #controller = new AbortController()

  constructor(task: TaskRun, nowMs: number, queuedMs: number) {
    this.task = task
    this.id = `${task.spec.id}.${++task.attempts}`
    this.startedMs = nowMs
    this.queuedMs = queuedMs
    this.atWorkMs = nowMs
    task.live.add(this)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get isLive(): boolean {
    return this.task.live.has(this)
  }

  /** Takes note of a sign of life. */
  hear(nowMs: number, isWaiting: boolean): void {
    this.silentMs = 0
    this.atWorkMs = isWaiting ? undefined : (this.atWorkMs ?? nowMs)
  }

  /** Its worker is told to stop, unless it has answered. */
  drop(how: 'abort' | 'answered'): void {
    this.task.live.delete(this)
    if (how === 'abort') this.#controller.abort()
  }
}

/** The state of one stage. */
export class StageRun {
  readonly stage: Stage
  readonly index: number
  /** Stages that read what it gives. */
  readonly readers: StageRun[] = []
  /** Stages that it reads and that are not done. */
  missing = 0
  readonly results: TaskResult[] = []
  hedges = 0
  /** Those that are needed, as far as is known. */
  #tasks: TaskRun[] = []
  /** How many of them are not done, and the rows that the others gave. */
  #undone = 0
  #givenRows = 0
  /** The last of them, where it cannot be done. */
  #failure: { task: TaskRun; error: SkepError } | undefined
  #next = 0
  readonly #again: TaskRun[] = []
  readonly #durations: number[] = []
  #median: { of: number; ms: number } | undefined
  #inputs: ((task: TaskSpec) => Record<string, Rows[]>) | undefined

  constructor(stage: Stage, index: number) {
    this.stage = stage
    this.index = index
  }

  /** The tasks that are to run, now that what they read is known. */
  open(earlier: ReadonlyMap<string, StageOutput>, nowMs: number): readonly TaskRun[] {
    const fresh = { readyMs: nowMs, attempts: 0, failures: 0, hedged: false, done: false }
    this.#inputs = taskInputs(this.stage, earlier)
    this.#tasks = tasksToRun(this.stage, earlier).map((spec, index) => {
      return { stage: this, index, spec, ...fresh, live: new Set<Attempt>() }
    })
    this.#undone = this.#tasks.length
    return this.#tasks
  }

  get isDone(): boolean {
    return this.#undone === 0
  }

  /** The number of its tasks that are needed, as far as is known. */
  get size(): number {
    return this.#tasks.length
  }

  /** What a task reads of earlier stages. */
  inputsOf(task: TaskSpec): Record<string, Rows[]> {
    return this.#inputs!(task)
  }

  /** The next task to begin, or undefined while there is none: those that failed go first. */
  next(): TaskRun | undefined {
    for (let task = this.#again.shift(); task; task = this.#again.shift()) if (this.#needs(task)) return task
    return this.#tasks[this.#next++]
  }

  #needs({ index }: TaskRun): boolean {
    return index < this.#tasks.length
  }

  /** Lets a task be tried again. */
  again(task: TaskRun, nowMs: number): void {
    task.readyMs = nowMs
    this.#again.push(task)
  }

  /** The result of a task; only the first one counts. */
  finish(task: TaskRun, result: TaskResult, durationMs: number): void {
    task.done = true
    this.results[task.index] = result
    this.#durations.push(durationMs)
    this.#undone--
    this.#givenRows += result.rows.count
  }

  /** Takes note that a task cannot be done. */
  fail(task: TaskRun, error: SkepError): void {
    this.#failure = { task, error }
  }

  /** The error that the stage ends with: that of a task which cannot be done, unless the tasks before it may give enough rows. */
  get error(): SkepError | undefined {
    return this.stage.enoughRows === undefined || this.#undone === 1 ? this.#failure?.error : undefined
  }

  /**
   * The tasks, not done yet, that turn out not to be needed: those behind others that gave enough rows together, or behind one that cannot
   * be done. From now on they are none of the stage's, nor are results behind them, so that what it gives does not depend on what came first.
   */
  spare(): TaskRun[] {
    const { enoughRows } = this.stage
    const spared: TaskRun[] = []
    for (let last = this.#tasks.at(-1); enoughRows !== undefined && last; last = this.#tasks.at(-1)) {
      const rows = last.done ? this.results[last.index]!.rows.count : 0
      const isBehind = this.#failure !== undefined && last.index > this.#failure.task.index
      if (!isBehind && this.#givenRows - rows < enoughRows) break
      this.#tasks.pop()
      this.#givenRows -= rows
      if (!last.done) spared.push(last)
    }
    this.#undone -= spared.length
    this.results.length = Math.min(this.results.length, this.#tasks.length)
    if (this.#failure && !this.#needs(this.#failure.task)) this.#failure = undefined
    return spared
  }

  /** The median time of the tasks that are done, once they are half of all. */
  get medianMs(): number | undefined {
    const of = this.#durations.length
    if (of === 0 || of * 2 < this.size) return undefined
    if (this.#median?.of !== of) this.#median = { of, ms: this.#durations.toSorted((a, b) => a - b)[of >> 1]! }
    return this.#median.ms
  }
}

/** The runs of these stages, in their order, each knowing who reads it. A plan that names what is not there, or twice, is a bug. */
export function layOut(stages: readonly Stage[]): StageRun[] {
  const runs = new Map<string, StageRun>()
  const tasks = new Set<string>()
  for (const [index, stage] of stages.entries()) {
    const run = new StageRun(stage, index)
    for (const { id } of stagesRead(stage.work)) {
      const read = runs.get(id)
      if (!read) throw new Error(`stage ${stage.id} reads ${id}, which is not before it`)
      read.readers.push(run)
      run.missing++
    }
    for (const { id } of stage.tasks) {
      if (tasks.has(id)) throw new Error(`two tasks are named ${id}`)
      tasks.add(id)
    }
    if (stage.enoughRows !== undefined && (stage.work.kind !== 'sql' || stage.work.cut)) {
      throw new Error(`stage ${stage.id} gives no rows of which some are enough`)
    }
    if (runs.has(stage.id)) throw new Error(`two stages are named ${stage.id}`)
    runs.set(stage.id, run)
  }
  return [...runs.values()]
}
