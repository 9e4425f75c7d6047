/** What came of faults: counted, and printed as a table in the long form. */

/** Counts for one kind of trial. */
interface Count {
  injected: number
  right: number
  wrong: number
  hung: number
}

/** Counts by kind of trial; the texts of the first faults found are kept. */
export class Tally {
  readonly #counts = new Map<string, Count>()
  readonly #started = performance.now()
  #failures: string[] = []

  /** Counts a trial, or several that are one: `problem` is what went wrong, if anything. */
  add(kind: string, outcome: 'right' | 'wrong' | 'hung', problem = '', times = 1): void {
    const count = this.#counts.get(kind) ?? { injected: 0, right: 0, wrong: 0, hung: 0 }
    this.#counts.set(kind, count)
    count.injected += times
    count[outcome] += times
    if (outcome !== 'right' && this.#failures.length < 20) this.#failures.push(`${kind}: ${outcome}: ${problem}`)
  }

  /** The first of the trials that went wrong since this was asked last. */
  takeFailures(): string[] {
    const taken = this.#failures
    this.#failures = []
    return taken
  }

  /** The table as text. */
  print(title: string, seed: number): string {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1)
    const rows = [...this.#counts].map(([kind, c]) => [kind, c.injected, c.right, c.wrong, c.hung].join(' | '))
    return [`${title} (${seconds} s, seed ${seed})`, 'kind | injected | right | wrong | hung', ...rows].join('\n')
  }
}

/** Prints the table in the long form only. */
export function report(tally: Tally, title: string, seed: number): void {
  if (process.env.SKEP_TORTURE === '1') console.log(`\n${tally.print(title, seed)}\n`)
}

const HUNG_MS = 30_000

/** What a promise comes to, or that it hangs. */
export async function settle<T>(
  promise: Promise<T>,
  timeoutMs = HUNG_MS,
): Promise<{ value?: T; error?: unknown; hung: boolean }> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<{ hung: boolean }>((resolve) => {
    timer = setTimeout(() => resolve({ hung: true }), timeoutMs)
  })
  const ended = promise.then(
    (value) => ({ value, hung: false }),
    (error: unknown) => ({ error, hung: false }),
  )
  return await Promise.race([ended, late]).finally(() => clearTimeout(timer))
}
