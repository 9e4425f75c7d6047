/** Sequences as the kernel runs them. */

/** Which rows may follow one another in a chain at one instant. */
export const TIES_NEVER: i32 = 0
/** Distinct rows of one instant, in the order of the steps. */
export const TIES_DISTINCT: i32 = 1
/** As above, and one row may match several steps. */
export const TIES_SAME_ROW: i32 = 2

/** A positive step. `bit` is its mask with one bit set; spans are integers, or the bits of doubles, and count from the required row before. */
export class Step {
  bit: u64 = 0
  hasWithin: bool = false
  within: u64 = 0
  hasAfter: bool = false
  after: u64 = 0
}

/** An optional step; `place` required steps come before it. */
export class OptionalStep {
  bit: u64 = 0
  place: i32 = 0
}

/** Steps in order, and what may not happen before, between and after them. */
export class Sequence {
  required: Array<Step> = []
  /** The bits of all required steps. */
  anyBit: u64 = 0
  optional: Array<OptionalStep> = []
  /** Bits that must not occur before required step k (k = 0: before the first; k = their number: after the last). */
  gaps: Array<u64> = [0]
  hasWithin: bool = false
  within: u64 = 0
  strict: bool = false
  anyOrder: bool = false
  ties: i32 = TIES_NEVER
  /** Number of the column of series numbers, or -1. */
  hold: i32 = -1
  /** True when nothing but order, ties and the window matters: the fast path. */
  plain: bool = true
  /** What the last run found: required steps passed, and optional ones by their number. */
  level: i32 = 0
  matched: u64 = 0
}
