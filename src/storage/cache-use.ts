/** How far a call could go by what was in memory already. */

/** Counts what one call needed of metadata: what was remembered, and what had to be read. */
export class CacheUse {
  #hits = 0
  #misses = 0

  /** Takes note of one thing that was needed. */
  note(wasKnown: boolean, times = 1): void {
    if (wasKnown) this.#hits += times
    else this.#misses += times
  }

  /** What was remembered, and what was read. */
  counts(): { hits: number; misses: number } {
    return { hits: this.#hits, misses: this.#misses }
  }
}
