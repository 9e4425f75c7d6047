/** Sequences by definition: an actor passes step k when some choice of rows satisfies every constraint. */
import type { SequenceOrder, TieRule } from '../../src/behaviour/types.ts'
import { compareFractions, type Fraction, fractionOfDouble } from './exact.ts'

/** A row of one series: when, and which steps of the sequence its values match. */
export interface TimedRow {
  time: bigint | number
  matches: boolean[]
}

/** A step; spans are in the unit of the rows' times. */
export interface OracleStep {
  kind: 'required' | 'optional' | 'negative'
  within?: Fraction | undefined
  after?: Fraction | undefined
}

/** A sequence with its constraints. */
export interface OracleSequence {
  steps: OracleStep[]
  within?: Fraction | undefined
  order: SequenceOrder
  ties: TieRule
  sameRow: boolean
}

/** What a series passes: how many required steps, and which optional steps (by their places). */
export interface Passed {
  required: number
  optional: Set<number>
}

/** A matched row, and the place of the step that it is matched to. */
interface Link {
  step: number
  row: TimedRow
}

/** What the rows of one series pass. */
export function passedBy(sequence: OracleSequence, rows: TimedRow[]): Passed {
  const required = placesOf(sequence, 'required')
  const passes = required.map((_, k) => chainExists(sequence, rows, k + 1))
  const furthest = passes.lastIndexOf(true) + 1
  const optional = placesOf(sequence, 'optional').filter(
    (step) => required.filter((other) => other < step).length <= furthest,
  )
  if (furthest === 0) return { required: 0, optional: new Set() }
  return {
    required: furthest,
    optional: new Set(optional.filter((step) => chainExists(sequence, rows, furthest, step))),
  }
}

/** The places of the steps of a kind. */
export function placesOf({ steps }: OracleSequence, kind: OracleStep['kind']): number[] {
  return steps.flatMap((step, place) => (step.kind === kind ? [place] : []))
}

/** Whether there is a chain over the first `count` required steps and, where it is given, the optional step `judged`. Rows of other optional steps may belong to it. */
function chainExists(sequence: OracleSequence, rows: TimedRow[], count: number, judged?: number): boolean {
  const required = placesOf(sequence, 'required')
  const end = required[count] ?? sequence.steps.length
  const others = placesOf(sequence, 'optional').filter((step) => step < end && step !== judged)
  const fixed = [...required.slice(0, count), ...(judged === undefined ? [] : [judged])]
  // Only where no row may lie between do rows of other optional steps make a chain possible.
  const choices = sequence.order === 'strict' ? subsets(others) : [[]]
  return choices.some((chosen) => {
    const steps = [...fixed, ...chosen].sort((a, b) => a - b)
    return someChain(sequence, steps, rows, count, [])
  })
}

function subsets(list: number[]): number[][] {
  if (list.length === 0) return [[]]
  const others = subsets(list.slice(1))
  return [...others, ...others.map((subset) => [list[0]!, ...subset])]
}

/** Every combination of rows for the steps is tried. */
function someChain(sequence: OracleSequence, steps: number[], rows: TimedRow[], count: number, chain: Link[]): boolean {
  if (chain.length === steps.length) return satisfies(sequence, rows, count, chain)
  const step = steps[chain.length]!
  return rows.some(
    (row) =>
      row.matches[step] &&
      mayFollow(sequence, chain, row) &&
      someChain(sequence, steps, rows, count, [...chain, { step, row }]),
  )
}

/** Distinct rows, and times as order and ties say. */
function mayFollow({ order, ties, sameRow }: OracleSequence, chain: Link[], row: TimedRow): boolean {
  if (!sameRow && chain.some((link) => link.row === row)) return false
  if (order === 'any') return ties === 'stepOrder' || chain.every((link) => link.row.time !== row.time)
  const last = chain.at(-1)?.row.time
  return last === undefined || last < row.time || (ties === 'stepOrder' && last === row.time)
}

function satisfies(sequence: OracleSequence, rows: TimedRow[], count: number, chain: Link[]): boolean {
  return (
    inWindow(sequence, chain) &&
    (sequence.order !== 'strict' || nothingBetween(rows, chain)) &&
    spansHold(sequence, requiredOf(sequence, chain)) &&
    placesOf(sequence, 'negative').every((step) => isAbsent(sequence, rows, count, chain, step))
  )
}

function requiredOf({ steps }: OracleSequence, chain: Link[]): Link[] {
  return chain.filter(({ step }) => steps[step]!.kind === 'required')
}

/** The window covers optional rows too. */
function inWindow({ within }: OracleSequence, chain: Link[]): boolean {
  return chain.every((a) =>
    chain.every((b) => a.row.time > b.row.time || spanHolds(a.row.time, '<=', within, b.row.time)),
  )
}

function nothingBetween(rows: TimedRow[], chain: Link[]): boolean {
  const isBetween = ({ time }: TimedRow, k: number) => time > chain[k]!.row.time && time < chain[k + 1]!.row.time
  return !rows.some((row) => chain.slice(1).some((_, k) => isBetween(row, k)))
}

/** Steps' own spans count from the required row before. */
function spansHold({ steps }: OracleSequence, required: Link[]): boolean {
  return required.slice(1).every(({ step, row }, k) => {
    const before = required[k]!.row.time
    const { within, after } = steps[step]!
    return spanHolds(before, '<=', within, row.time) && spanHolds(before, '>=', after, row.time)
  })
}

function isAbsent(sequence: OracleSequence, rows: TimedRow[], count: number, chain: Link[], negative: number): boolean {
  const required = requiredOf(sequence, chain)
  const before = required.findLast(({ step }) => step < negative)?.row.time
  const after = required.find(({ step }) => step > negative)?.row.time
  // A negative step between two required ones says nothing as long as the second is not among those asked for.
  if (after === undefined && count < placesOf(sequence, 'required').length) return true
  return !rows.some(({ time, matches }) => {
    if (!matches[negative] || (before !== undefined && time <= before)) return false
    if (after !== undefined) return time < after
    return spanHolds(chain[0]!.row.time, '<=', sequence.within, time)
  })
}

/** Whether the time from one instant to a later one is at most (or at least) the span; true without one. */
function spanHolds(from: bigint | number, op: '<=' | '>=', span: Fraction | undefined, to: bigint | number): boolean {
  if (span === undefined) return true
  const order = compareFractions(distance(from, to), span)
  return op === '<=' ? order <= 0 : order >= 0
}

/** Floats are subtracted as floats are. */
function distance(from: bigint | number, to: bigint | number): Fraction {
  if (from === to) return { numerator: 0n, denominator: 1n }
  if (typeof from === 'bigint' && typeof to === 'bigint') return { numerator: to - from, denominator: 1n }
  return fractionOfDouble(Number(to) - Number(from))
}
