/** Watches one running statement: ends it at its deadline, at the caller's word or for its memory, and reports progress. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import { isTimeout, timeoutError } from './duckdb-errors.ts'
import type { GuardedQuery } from './memory-guard.ts'
import { memoryError } from './memory-guard.ts'

/** What a statement is watched for. */
export interface WatchOptions {
  signal?: AbortSignal | undefined
  timeoutMs?: number | undefined
  onProgress?: ((fraction: number) => void) | undefined
  memory?: GuardedQuery | undefined
  /** How long an interrupted statement is waited for. */
  graceMs: number
}

/** A watch over a statement, from its construction to {@link end}. */
export class StatementWatch {
  readonly #connection: DuckDBConnection
  readonly #options: WatchOptions
  readonly #endings: (() => void)[] = []
  #memory = false
  #interrupting = false
  #abandon: (error: SkepError) => void = () => {}
  #overdue = false
  /** Rejects when the statement has not ended within the time that it has after an interrupt. */
  readonly overdue: Promise<never>

  constructor(connection: DuckDBConnection, options: WatchOptions) {
    this.#connection = connection
    this.#options = options
    this.overdue = new Promise((_, reject) => {
      this.#abandon = reject
    })
    this.overdue.catch(() => {})
    const { signal, memory, onProgress } = options
    if (signal) this.#listen(signal)
    if (memory) this.#endings.push(memory.statement(() => this.#stopForMemory()))
    if (onProgress) this.#every(SETTINGS.statementProgressMs.default, () => this.#report(onProgress))
  }

  /** Why the statement was ended, if it was. */
  reason(): SkepError | undefined {
    if (this.#memory) return memoryError('the process needs more memory than it may')
    const { signal, timeoutMs } = this.#options
    if (isTimeout(signal)) return timeoutError(timeoutMs ?? 0)
    return signal?.aborted ? new SkepError('CANCELLED', 'the call was cancelled', {}) : undefined
  }

  /** True once {@link overdue} has rejected. */
  get isOverdue(): boolean {
    return this.#overdue
  }

  /** Ends the watch. */
  end(): void {
    for (const end of this.#endings) end()
  }

  #listen(signal: AbortSignal): void {
    const interrupt = () => this.#interrupt()
    signal.addEventListener('abort', interrupt)
    this.#endings.push(() => signal.removeEventListener('abort', interrupt))
  }

  #stopForMemory(): void {
    this.#memory = true
    this.#interrupt()
  }

  #interrupt(): void {
    if (this.#interrupting) return
    this.#interrupting = true
    this.#connection.interrupt()
    this.#every(SETTINGS.interruptMs.default, () => this.#connection.interrupt())
    const overdue = setTimeout(() => this.#giveUp(), this.#options.graceMs)
    this.#endings.push(() => clearTimeout(overdue))
  }

  #giveUp(): void {
    this.#overdue = true
    this.#abandon(this.reason()!)
  }

  #every(ms: number, action: () => void): void {
    const timer = setInterval(action, ms)
    this.#endings.push(() => clearInterval(timer))
  }

  #report(onProgress: (fraction: number) => void): void {
    const { percentage } = this.#connection.progress
    if (percentage >= 0) onProgress(Math.min(1, percentage / 100))
  }
}
