/** What an actor (or one of its series) passes of a sequence. */
import { anyLevel } from './any'
import { beginRun, EARLIEST, firstStep, LATEST, listLength, NEXT, nextStep, overInstants, VALUES } from './chains'
import { plainLevel } from './fast'
import {
  counts,
  gatheredMasks,
  gatheredTimes,
  getAt,
  instantFrom,
  instantMasks,
  instantTimes,
  instantTo,
  isWithin,
  maskAt,
  masks,
  NONE,
  reserveWork,
  seriesOf,
  setAt,
  timeAt,
  times,
  work,
} from './memory'
import { Sequence, TIES_NEVER } from './program'

/** Sets `level` and `matched` of a sequence from the rows [from, to) of one actor, whose masks together are `any`. */
export function judge<T>(sequence: Sequence, from: i32, to: i32, any: u64): void {
  sequence.level = 0
  sequence.matched = 0
  if ((any & sequence.required[0].bit) === 0) return
  if (sequence.hold === NONE) judgeRows<T>(sequence, times, masks, from, to, any)
  else judgeSeries<T>(sequence, from, to)
}

function judgeRows<T>(sequence: Sequence, rowTimes: usize, rowMasks: usize, from: i32, to: i32, any: u64): void {
  if (sequence.plain) {
    sequence.level = max(sequence.level, plainLevel<T>(sequence, rowTimes, rowMasks, from, to))
    return
  }
  reserveWork(to - from)
  const rows = rowMasks + ((from as usize) << 3)
  if (sequence.anyOrder && sequence.ties !== TIES_NEVER) {
    const level = anyLevel<T>(sequence, rowTimes + ((from as usize) << 3), rows, to - from)
    sequence.level = max(sequence.level, level)
    return
  }
  const instants = buildInstants<T>(rowTimes, rowMasks, from, to)
  if (sequence.anyOrder) {
    sequence.level = max(sequence.level, anyLevel<T>(sequence, instantTimes[0], instantMasks[0], instants))
    return
  }
  overInstants(instants, rows)
  judgeChains<T>(sequence, instants, any)
}

/** Groups rows of one time; row numbers count from `from`. */
function buildInstants<T>(rowTimes: usize, rowMasks: usize, from: i32, to: i32): i32 {
  let count = 0
  for (let row = from; row < to; count++) {
    const at = timeAt<T>(rowTimes, row)
    let mask: u64 = 0
    setAt(instantFrom[0], count, row - from)
    for (; row < to && timeAt<T>(rowTimes, row) === at; row++) mask |= maskAt(rowMasks, row)
    setAt(instantTo[0], count, row - from)
    store<T>(instantTimes[0] + ((count as usize) << 3), at)
    store<u64>(instantMasks[0] + ((count as usize) << 3), mask)
  }
  return count
}

/** Each series of the actor on its own: rows of one combination of held values. */
function judgeSeries<T>(sequence: Sequence, from: i32, to: i32): void {
  reserveWork(to - from)
  let greatest = 0
  for (let row = from; row < to; row++) greatest = max(greatest, seriesOf(sequence.hold, row))
  // Counting sort: `counts[s]` becomes the place after the last row of series s.
  for (let s = 0; s <= greatest; s++) setAt(counts, s, 0)
  for (let row = from; row < to; row++) {
    const s = seriesOf(sequence.hold, row)
    setAt(counts, s, getAt(counts, s) + 1)
  }
  let begin = 0
  for (let s = 0; s <= greatest; s++) {
    const size = getAt(counts, s)
    setAt(counts, s, begin)
    begin += size
  }
  for (let row = from; row < to; row++) {
    const s = seriesOf(sequence.hold, row)
    const place = getAt(counts, s)
    setAt(counts, s, place + 1)
    store<T>(gatheredTimes + ((place as usize) << 3), timeAt<T>(times, row))
    store<u64>(gatheredMasks + ((place as usize) << 3), maskAt(masks, row))
  }
  for (let s = 1; s <= greatest; s++) {
    const start = getAt(counts, s - 1)
    const end = getAt(counts, s)
    if (start < end) judgeRows<T>(sequence, gatheredTimes, gatheredMasks, start, end, anyOf(gatheredMasks, start, end))
  }
}

function anyOf(rowMasks: usize, from: i32, to: i32): u64 {
  let any: u64 = 0
  for (let row = from; row < to; row++) any |= maskAt(rowMasks, row)
  return any
}

function judgeChains<T>(sequence: Sequence, instants: i32, any: u64): void {
  const level = requiredLevel<T>(sequence, instants, any)
  sequence.level = max(sequence.level, level)
  for (let k = 0; k < sequence.optional.length; k++) {
    const step = sequence.optional[k]
    if (step.place > level || (any & step.bit) === 0 || (sequence.matched & ((1 as u64) << k)) !== 0) continue
    if (completes<T>(sequence, level, k, instants, any)) sequence.matched |= (1 as u64) << k
  }
}

function requiredLevel<T>(sequence: Sequence, instants: i32, any: u64): i32 {
  const steps = sequence.required.length
  const closing = closingGap(sequence, steps, any)
  beginRun(sequence, steps, NONE, false)
  for (let k = 0; k < steps; k++) {
    if ((any & sequence.required[k].bit) === 0) return k
    if (k === 0) firstStep<T>(false)
    else nextStep<T>(k)
    if (!passes<T>(sequence, k + 1 === steps ? closing : 0, k + 1, NONE, instants)) return k
  }
  return steps
}

/** Forbidden bits after the last step that occur at all; they bind only whole sequences. */
function closingGap(sequence: Sequence, level: i32, any: u64): u64 {
  return level === sequence.required.length ? sequence.gaps[level] & any : 0
}

/** True when a chain reaches the first `level` required steps and matches an optional one in its place. */
function completes<T>(sequence: Sequence, level: i32, optional: i32, instants: i32, any: u64): bool {
  runAll<T>(sequence, level, optional, false, false)
  return passes<T>(sequence, closingGap(sequence, level, any), level, optional, instants)
}

function runAll<T>(sequence: Sequence, level: i32, optional: i32, mirrored: bool, byEarliest: bool): void {
  beginRun(sequence, level, optional, mirrored)
  const length = listLength()
  firstStep<T>(byEarliest)
  for (let position = 1; position < length; position++) nextStep<T>(position)
}

/** Whether one of the chains that the last run found keeps to the window, and to what may not follow it. */
function passes<T>(sequence: Sequence, forbidden: u64, level: i32, optional: i32, instants: i32): bool {
  if (forbidden !== 0 && sequence.hasWithin) return endsInWindow<T>(sequence, forbidden, level, optional, instants)
  let first = 0
  // Without a window nothing forbidden may follow, however late.
  if (forbidden !== 0)
    for (let at = 0; at < instants; at++) if ((maskAt(instantMasks[0], at) & forbidden) !== 0) first = at
  for (let at = instants - 1; at >= first; at--) {
    const start = getAt(work[VALUES], at)
    if (start !== NONE && keepsWindow<T>(sequence, start, at)) return true
  }
  return false
}

function keepsWindow<T>(sequence: Sequence, from: i32, to: i32): bool {
  if (!sequence.hasWithin) return true
  return isWithin<T>(timeAt<T>(instantTimes[0], from), timeAt<T>(instantTimes[0], to), sequence.within)
}

/**
 * A chain from first instant f to last instant t passes when t is in f's window and nothing forbidden lies in (t, f + within].
 * The first instants of the chains that end at t are exactly those, of all that can be completed, between the earliest and
 * the latest (two chains that cross can be exchanged where they cross), so one look at the first completable one
 * in the window decides: any later one would leave more of its window to be free of forbidden rows.
 */
function endsInWindow<T>(sequence: Sequence, forbidden: u64, level: i32, optional: i32, instants: i32): bool {
  for (let at = 0; at < instants; at++) setAt(work[LATEST], at, getAt(work[VALUES], at))
  runAll<T>(sequence, level, optional, false, true)
  for (let at = 0; at < instants; at++) {
    const value = getAt(work[VALUES], at)
    setAt(work[EARLIEST], at, value === NONE ? NONE : instants - value)
  }
  mirrorInstants<T>(instants)
  runAll<T>(sequence, level, optional, true, false)
  for (let at = instants - 1, next = instants; at >= 0; at--) {
    if (getAt(work[VALUES], instants - 1 - at) !== NONE) next = at
    setAt(work[NEXT], at, next)
  }
  let first = 0
  let bad = 0
  for (let at = 0; at < instants; at++) {
    while (bad < instants && (bad <= at || (maskAt(instantMasks[0], bad) & forbidden) === 0)) bad++
    while (first < at && !keepsWindow<T>(sequence, first, at)) first++
    if (getAt(work[LATEST], at) === NONE) continue
    const f = getAt(work[NEXT], max(first, getAt(work[EARLIEST], at)))
    if (f <= getAt(work[LATEST], at) && (bad === instants || !keepsWindow<T>(sequence, f, bad))) return true
  }
  return false
}

function mirrorInstants<T>(instants: i32): void {
  for (let at = 0; at < instants; at++) {
    const image = instants - 1 - at
    const time = timeAt<T>(instantTimes[0], at)
    store<T>(instantTimes[1] + ((image as usize) << 3), negated<T>(time))
    store<u64>(instantMasks[1] + ((image as usize) << 3), maskAt(instantMasks[0], at))
    setAt(instantFrom[1], image, getAt(instantFrom[0], at))
    setAt(instantTo[1], image, getAt(instantTo[0], at))
  }
}

function negated<T>(time: T): T {
  return (0 as T) - time
}
