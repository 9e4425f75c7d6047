/** Timing: pairs in one run, medians, ratios. Absolute times drift on shared machines; ratios hold. */

/** Milliseconds of one call. */
export async function time(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

/** Medians of several contenders, timed in turn so that drift meets all of them alike. */
export async function race(
  contenders: Record<string, () => Promise<unknown>>,
  runs: number,
): Promise<Record<string, number>> {
  const times: Record<string, number[]> = {}
  for (let run = 0; run <= runs; run++) {
    for (const [name, work] of Object.entries(contenders)) {
      const ms = await time(work)
      // The first round warms caches.
      if (run > 0) times[name] = [...(times[name] ?? []), ms]
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, values]) => [name, median(values)]))
}

/** One line of a report: both times and how the first relates to the second. */
export function compareLine(what: string, ours: number, theirs: number, floor: string): string {
  return `${what.padEnd(44)} ${ours.toFixed(0).padStart(7)} ms ${theirs.toFixed(0).padStart(7)} ms   ratio ${(ours / theirs).toFixed(2)}   (${floor})`
}
