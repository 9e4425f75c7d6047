/** Sequences by definition: an actor passes step k when some choice of rows satisfies every constraint. */
import { compareFractions, type Fraction, fractionOfDouble } from './exact.ts'

/** A row of one actor: when, and which steps of the sequence its values match. */
export interface TimedRow {
  time: bigint | number
  matches: boolean[]
}

/** A sequence: which of its steps are negative, and the longest time from first to last matched row. */
export interface OracleSequence {
  negative: boolean[]
  within?: number | bigint
}

/** The number of positive steps that the actor passes. */
export function stepsPassed(sequence: OracleSequence, rows: TimedRow[]): number {
  const positive = sequence.negative.flatMap((negative, step) => (negative ? [] : [step]))
  let passed = 0
  for (let k = 1; k <= positive.length; k++) if (someChain(sequence, positive.slice(0, k), rows, [])) passed = k
  return passed
}

/** Whether rows can be chosen for all of the steps, those chosen already included. Every combination is tried. */
function someChain(sequence: OracleSequence, steps: number[], rows: TimedRow[], chosen: TimedRow[]): boolean {
  if (chosen.length === steps.length) return satisfies(sequence, steps, rows, chosen)
  return rows.some((row) => row.matches[steps[chosen.length]!] && someChain(sequence, steps, rows, [...chosen, row]))
}

function satisfies(sequence: OracleSequence, steps: number[], rows: TimedRow[], chain: TimedRow[]): boolean {
  const first = chain[0]!.time
  const last = chain.at(-1)!.time
  const increasing = chain.every(({ time }, k) => k === 0 || chain[k - 1]!.time < time)
  if (!increasing || !inWindow(sequence, first, last)) return false
  const isWhole = steps.length === sequence.negative.filter((negative) => !negative).length
  return sequence.negative.every((negative, step) => {
    if (!negative) return true
    const before = steps.findLastIndex((other) => other < step)
    const after = steps.findIndex((other) => other > step)
    // A negative step between two positive ones says nothing as long as the second is not among those asked for.
    if (after < 0 && !isWhole) return true
    return !rows.some(({ time, matches }) => {
      if (!matches[step]) return false
      if (before >= 0 && !(time > chain[before]!.time)) return false
      if (after >= 0) return time < chain[after]!.time
      return inWindow(sequence, first, time)
    })
  })
}

function inWindow({ within }: OracleSequence, first: bigint | number, time: bigint | number): boolean {
  if (within === undefined || first === time) return true
  if (typeof first === 'bigint' && typeof time === 'bigint') return time - first <= BigInt(within)
  const span = Number(time) - Number(first)
  const longest: Fraction =
    typeof within === 'bigint' ? { numerator: within, denominator: 1n } : fractionOfDouble(within)
  return Number.isFinite(span) && compareFractions(fractionOfDouble(span), longest) <= 0
}
