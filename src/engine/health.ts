/**
 * Whether an engine can still be used. After a defect of its own that it meets while a statement runs, DuckDB closes the whole database
 * for good: statements that run go on to their end, and every later one is refused. A defect that it meets while it plans one does not.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import { isLostEngine } from './duckdb-errors.ts'

/** How an engine does, as far as its statements have told. */
export class EngineHealth {
  readonly #connect: () => Promise<DuckDBConnection>
  readonly #onBroken: () => void
  #isBroken = false

  /** @param onBroken called once, when it is known that the engine is of no use any more */
  constructor(connect: () => Promise<DuckDBConnection>, onBroken: () => void = () => {}) {
    this.#connect = connect
    this.#onBroken = onBroken
  }

  /** Takes note of what a statement failed with. */
  note(error: unknown): void {
    if (this.#isBroken || !isLostEngine(error)) return
    this.#isBroken = true
    this.#onBroken()
  }

  /** As {@link note}; what looks like a defect of the engine is followed by the question whether it still answers. */
  async look(error: unknown): Promise<void> {
    this.note(error)
    if (this.#isBroken || !(error instanceof Error) || !/^(INTERNAL|FATAL) Error/.test(error.message)) return
    const connection = await this.#connect()
    try {
      const statement = await connection.prepare('SELECT 1')
      // Refused at once or not at all: nobody waits for the answer, as threads may be busy. What is not fetched would keep the engine alive.
      const answer = statement.start().getResult()
      void answer.catch((refusal: unknown) => this.note(refusal)).finally(() => connection.closeSync())
    } catch (refusal) {
      this.note(refusal)
      connection.closeSync()
    }
  }
}
