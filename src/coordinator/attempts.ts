/** Attempts at tasks: given to the pool, listened to, dropped; and what came of them, unless it came too late. */
import type { Sources } from '../catalog/sources.ts'
import { SkepError, toSkepError } from '../errors.ts'
import type { Pool, PoolCalls, TaskMessage, TaskResult } from '../pool/pool.ts'
import type { RunFigures } from './run-figures.ts'
import { Attempt, type TaskRun } from './stage-run.ts'

/** Whoever is told what came of the attempts that were not dropped. */
export interface Listener {
  succeeded(attempt: Attempt, result: TaskResult): void
  failed(attempt: Attempt, error: SkepError): void
}

/** The attempts of one query. */
export class Attempts {
  readonly #query: string
  readonly #pool: Pool
  readonly #sources: Sources
  readonly #figures: RunFigures
  readonly #listener: Listener
  /** Those whose results would count, and all that have not ended yet. */
  readonly #live = new Set<Attempt>()
  readonly #unsettled = new Set<Attempt>()
  #onSettled: (() => void) | undefined

  constructor(query: string, pool: Pool, sources: Sources, figures: RunFigures, listener: Listener) {
    this.#query = query
    this.#pool = pool
    this.#sources = sources
    this.#figures = figures
    this.#listener = listener
  }

  /** Those whose results would count. */
  get live(): ReadonlySet<Attempt> {
    return this.#live
  }

  /** The number of further attempts that the pool can run now; negative while some wait in it. */
  get free(): number {
    return Math.max(1, this.#pool.slots) - this.#live.size
  }

  /** Begins an attempt. Nothing comes of it before the caller has returned. */
  start(task: TaskRun, kind: 'first' | 'retry' | 'hedge'): void {
    const nowMs = this.#sources.now()
    const queuedMs = kind === 'hedge' ? 0 : nowMs - task.readyMs
    const attempt = new Attempt(task, nowMs, queuedMs)
    this.#figures.began(kind, queuedMs)
    this.#live.add(attempt)
    this.#unsettled.add(attempt)
    void this.#follow(attempt)
  }

  /** From now on nothing counts that comes of an attempt. Its worker is told to stop, unless it has answered. */
  drop(attempt: Attempt, how: 'abort' | 'answered'): void {
    if (!this.#live.delete(attempt)) return
    this.#figures.stats.runMs += this.#sources.now() - attempt.startedMs
    attempt.drop(how)
  }

  /** Drops all. */
  dropAll(): void {
    for (const attempt of this.#live) this.drop(attempt, 'abort')
  }

  /** Drops those that have given no sign of life for `lostMs`, now that so much more time has passed. */
  dropSilent(passedMs: number, lostMs: number): void {
    for (const attempt of [...this.#live]) {
      attempt.silentMs += passedMs
      if (attempt.silentMs < lostMs || !attempt.isLive) continue
      this.#figures.stats.lost++
      this.drop(attempt, 'abort')
      const message = `its worker gave no sign of life for ${lostMs} ms`
      this.#listener.failed(attempt, new SkepError('WORKER_LOST', message, { task: attempt.task.spec.id }))
    }
  }

  /** Resolves when all have ended, dropped ones too, or had so long to do so. */
  async settle(graceMs: number): Promise<void> {
    if (this.#unsettled.size === 0) return
    const waiting = new AbortController()
    const settled = new Promise<void>((resolve) => {
      this.#onSettled = resolve
    })
    // The wait is ended early when all have settled, which is no failure.
    const grace = this.#sources.sleep(graceMs, waiting.signal).catch(() => {})
    await Promise.race([settled, grace])
    waiting.abort()
  }

  async #follow(attempt: Attempt): Promise<void> {
    let heard: () => void
    try {
      const result = await this.#run(attempt)
      if (result.stats.cost !== undefined) this.#figures.paid(result.stats.cost)
      heard = () => this.#listener.succeeded(attempt, result)
    } catch (error) {
      heard = () => this.#listener.failed(attempt, toSkepError(error))
    }
    this.#unsettled.delete(attempt)
    if (this.#unsettled.size === 0) this.#onSettled?.()
    // What was dropped may still answer: late, or as the second one.
    if (!attempt.isLive) return
    this.drop(attempt, 'answered')
    heard()
  }

  async #run(attempt: Attempt): Promise<TaskResult> {
    const { spec, stage } = attempt.task
    const calls: PoolCalls = {
      signal: attempt.signal,
      onBeat: (done) => attempt.hear(this.#sources.now(), done === undefined),
    }
    const message: TaskMessage = {
      query: this.#query,
      attempt: attempt.id,
      work: stage.stage.work,
      task: spec,
      inputs: stage.inputsOf(spec),
    }
    const result = await this.#pool.run(message, calls)
    requireOwn(attempt, result)
    return result
  }
}

/** Refuses what came of another attempt, or names what another one wrote, which may be incomplete or be removed. @throws INTERNAL */
function requireOwn({ id }: Attempt, { attempt, rows }: TaskResult): void {
  const foreign = attempt === id ? rows.objects?.find(({ name }) => !name.startsWith(`${id}/`))?.name : attempt
  if (foreign === undefined) return
  throw new SkepError('INTERNAL', `a worker answered attempt ${id} with what is of another one: ${foreign}`, {})
}
