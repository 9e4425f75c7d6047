/** The clock of one attempt at a task. */
import type { AttemptStats } from './task.ts'

/** Tells what an attempt took. */
export class TaskClock {
  #beganMs = performance.now()
  #fetchedMs: number | undefined
  #isCold = false

  /** The engine is there: from now on the task is at work. */
  begin(lease: { beginTask(): boolean }): void {
    this.#isCold = lease.beginTask()
    this.#beganMs = performance.now()
  }

  /** What the task reads has been opened, and its rows begin to flow. */
  fetched(): void {
    this.#fetchedMs = performance.now()
  }

  /** What it took until now. */
  stats(): AttemptStats {
    return {
      ms: rounded(performance.now() - this.#beganMs),
      ...(this.#fetchedMs !== undefined && { fetchMs: rounded(this.#fetchedMs - this.#beganMs) }),
      ...(this.#isCold && { cold: true }),
    }
  }
}

/** In microseconds' steps: what is printed and sent needs no more. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
