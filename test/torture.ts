/** How much of a long suite is run: a short form in `npm test`, the long one in `npm run torture`. */

/** The number of cases to run: `short` in `npm test`, `long` in `npm run torture`. */
export function runs(short: number, long: number): number {
  return process.env.SKEP_TORTURE === '1' ? long : short
}

/** Milliseconds that a suite may take: more in the long form. */
export function tortureTimeout(shortMs: number): number {
  return process.env.SKEP_TORTURE === '1' ? 3_600_000 : shortMs
}

/** The seed of simulations: `SKEP_TEST_SEED`, else a fixed one, so that every run of `npm test` draws the same cases. */
export function tortureSeed(): number {
  return Number(process.env.SKEP_TEST_SEED ?? 20_261_120)
}
