/** What actors reached, of one task or several parts of it. */

/** What the actors of a task reached, in ascending order. */
export interface Reached {
  /** 0 where the relation does not hold, else 1 + required funnel steps passed. */
  levels: Int32Array<ArrayBuffer>
  /** Bit k: the k-th optional step of the funnel was matched. */
  matched: BigUint64Array<ArrayBuffer>
}

/** The parts one behind the other; they have `length` actors together. */
export function concatenate(parts: readonly Reached[], length: number): Reached {
  const whole = { levels: new Int32Array(length), matched: new BigUint64Array(length) }
  let at = 0
  for (const { levels, matched } of parts) {
    whole.levels.set(levels, at)
    whole.matched.set(matched, at)
    at += levels.length
  }
  return whole
}
