/** Ends the statement that drives the memory of the process beyond its bound: what the engine allocates inside of functions is not in its own accounts. */
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'

/** A query that may run statements under the guard. */
export interface GuardedQuery {
  /** Watches one statement: `stop` is called when it has to end. The returned function ends the watch. */
  statement(stop: () => void): () => void
}

interface Running {
  startBytes: number
  stop?: (() => void) | undefined
}

/** Watches the process while users' statements run. */
export class MemoryGuard {
  readonly #limitBytes: number
  readonly #memoryBytes: number
  readonly #running = new Set<Running>()
  #looking: NodeJS.Timeout | undefined
  #patientUntil = 0

  /** @param overrunBytes how far the process may grow beyond `memoryBytes`, counted from now on */
  constructor({ memoryBytes, memoryOverrunBytes }: { memoryBytes: number; memoryOverrunBytes: number }) {
    this.#memoryBytes = memoryBytes
    this.#limitBytes = nativeBytes() + memoryBytes + memoryOverrunBytes
  }

  /** A query that begins now. */
  begin(): GuardedQuery {
    const query: Running = { startBytes: nativeBytes() }
    return {
      statement: (stop) => {
        query.stop = stop
        this.#running.add(query)
        this.#looking ??= setInterval(() => this.#look(), SETTINGS.memoryLookMs.default)
        return () => this.#leave(query)
      },
    }
  }

  #leave(query: Running): void {
    this.#running.delete(query)
    if (this.#running.size > 0) return
    clearInterval(this.#looking)
    this.#looking = undefined
  }

  /** Beyond the bound, the youngest of the queries under which the process has grown is stopped. */
  #look(): void {
    const bytes = nativeBytes()
    const now = performance.now()
    if (bytes <= this.#limitBytes || now < this.#patientUntil) return
    const grown = [...this.#running].filter(
      ({ startBytes }) => bytes - startBytes > this.#memoryBytes * SETTINGS.memoryCulpritShare.default,
    )
    const culprit = grown.at(-1)
    if (!culprit) return
    this.#patientUntil = now + SETTINGS.memoryPatienceMs.default
    this.#running.delete(culprit)
    culprit.stop?.()
  }
}

/** The error of a statement that needs more memory than there is; `reason` begins its sentence. */
export function memoryError(reason: string, cause?: unknown): SkepError<'MEMORY_LIMIT'> {
  const message = `${reason} (SKEP_MEMORY); raise it or ask for less`
  return new SkepError('MEMORY_LIMIT', message, { setting: 'SKEP_MEMORY' }, { cause })
}

/** Resident memory of the process beside what JavaScript holds. */
function nativeBytes(): number {
  const { rss, heapTotal, external } = process.memoryUsage()
  return rss - heapTotal - external
}
