/**
 * The behavioural kernel: reads rows grouped by actor and ordered by time, decides every condition, sequence and
 * funnel of a query in one pass, and adds up the totals. AssemblyScript, compiled to `src/behaviour/generated/kernel-wasm.ts`.
 *
 * A row is a time (i64 or f64) and a mask whose bit p says that predicate p holds. Rows of one instant are
 * interchangeable: no answer depends on their order. One instance serves one query and one worker; it never frees.
 */

const NONE: i32 = -1

/** A sequence: positive steps in order, and what may not happen before, between and after them. */
class Sequence {
  /** One mask with one bit for each positive step. */
  steps: Array<u64> = []
  /** Bits that must not occur before step k (k = 0: before the first; k = number of steps: after the last). */
  gaps: Array<u64> = [0]
  hasWithin: bool = false
  within: u64 = 0
}

const COUNT: i32 = 0
const SEQUENCE: i32 = 1
const EXTERNAL: i32 = 2

/** One condition of the relation; which fields count is said by `kind`. */
class Condition {
  kind: i32 = COUNT
  index: i32 = 0
  op: i32 = 0
  value: i64 = 0
  includeZero: bool = false
}

let floatTimes: bool = false
const sequences: Array<Sequence> = []
const conditions: Array<Condition> = []
/** The relation in postfix order: a condition's number, or one of the three operators below. */
const relation: Array<i32> = []
const AND: i32 = -1
const OR: i32 = -2
const stack: Array<bool> = []
let funnel: i32 = NONE

let capacity: i32 = 0
let starts: usize = 0
let times: usize = 0
let masks: usize = 0
/** Two working arrays of row numbers for each direction, and flags. */
let latest: usize = 0
let latestNext: usize = 0
let earliest: usize = 0
let earliestNext: usize = 0
let reach: usize = 0
/** Rows of the actor whose end has not been seen. */
let pending: i32 = 0

let actors: i32 = 0
let levels: usize = 0
let external: usize = 0
let externalWidth: i32 = 0
let groups: i64 = 0
let rows: i64 = 0
let stepGroups: Array<i64> = []
let stepRows: Array<i64> = []

// The program.

export function useFloatTimes(): void {
  floatTimes = true
}

export function addSequence(): i32 {
  return sequences.push(new Sequence()) - 1
}

/** `bits` is the time span's own representation: an unsigned integer, or the bits of a double. */
export function setWithin(sequence: i32, bits: u64): void {
  sequences[sequence].hasWithin = true
  sequences[sequence].within = bits
}

export function addStep(sequence: i32, predicate: i32): void {
  sequences[sequence].steps.push((1 as u64) << predicate)
  sequences[sequence].gaps.push(0)
}

export function addNegativeStep(sequence: i32, predicate: i32): void {
  const gaps = sequences[sequence].gaps
  gaps[gaps.length - 1] |= (1 as u64) << predicate
}

export function addCount(predicate: i32, op: i32, value: i64, includeZero: bool): void {
  conditions.push({ kind: COUNT, index: predicate, op, value, includeZero })
}

export function addSequenceCondition(sequence: i32): void {
  conditions.push({ kind: SEQUENCE, index: sequence, op: 0, value: 0, includeZero: false })
}

/** A condition that was decided elsewhere: bit `bit` of the actor's words (see `reserveExternal`). */
export function addExternal(bit: i32): void {
  conditions.push({ kind: EXTERNAL, index: bit, op: 0, value: 0, includeZero: false })
}

export function pushCondition(condition: i32): void {
  relation.push(condition)
}

/** -1 and, -2 or, -3 not. */
export function pushOperator(operator: i32): void {
  relation.push(operator)
}

export function setFunnel(sequence: i32): void {
  funnel = sequence
  stepGroups = new Array<i64>(sequences[sequence].steps.length).fill(0)
  stepRows = new Array<i64>(sequences[sequence].steps.length).fill(0)
}

// The rows.

/** Makes room for `count` rows after the pending ones; the row pointers are valid until the next call. */
export function reserve(count: i32): void {
  const wanted = pending + count
  if (wanted <= capacity) return
  const size = max(wanted, capacity * 2)
  starts = moved(starts, size, 1)
  times = moved(times, size, 8)
  masks = moved(masks, size, 8)
  latest = heap.alloc(size * 4)
  latestNext = heap.alloc(size * 4)
  earliest = heap.alloc(size * 4)
  earliestNext = heap.alloc(size * 4)
  reach = heap.alloc(size)
  levels = heap.alloc(size * 4)
  capacity = size
}

function moved(from: usize, size: i32, width: i32): usize {
  const to = heap.alloc((size as usize) * width)
  memory.copy(to, from, (pending as usize) * width)
  return to
}

/** Where the next row's start flag (u8), time and mask (8 bytes each) are to be written. */
export function startsEnd(): usize {
  return starts + pending
}
export function timesEnd(): usize {
  return times + ((pending as usize) << 3)
}
export function masksEnd(): usize {
  return masks + ((pending as usize) << 3)
}

/** Room for the words (u64, `width` for each actor, in the order of the rows) that external conditions read. */
export function reserveExternal(count: i32, width: i32): usize {
  external = heap.alloc((count as usize) << 3)
  externalWidth = width
  return external
}

/** Takes `count` rows that were written; returns how many actors were completed. Their levels stand at `levelsStart`. */
export function feed(count: i32): i32 {
  const end = pending + count
  let completed = 0
  let from = 0
  for (let row = pending; row < end; row++) {
    if (load<u8>(starts + row) === 0 || row === from) continue
    store<i32>(levels + (completed << 2), decide(from, row))
    completed++
    from = row
  }
  pending = end - from
  memory.copy(starts, starts + from, pending)
  memory.copy(times, times + ((from as usize) << 3), (pending as usize) << 3)
  memory.copy(masks, masks + ((from as usize) << 3), (pending as usize) << 3)
  return completed
}

/** Completes the last actor; returns 1, or 0 when there was no row. */
export function finish(): i32 {
  if (pending === 0) return 0
  store<i32>(levels, decide(0, pending))
  pending = 0
  return 1
}

/** One i32 for each completed actor: 0 when the relation does not hold, else 1 + the number of funnel steps passed. */
export function levelsStart(): usize {
  return levels
}

export function totalGroups(): i64 {
  return groups
}
export function totalRows(): i64 {
  return rows
}
export function totalStepGroups(step: i32): i64 {
  return stepGroups[step]
}
export function totalStepRows(step: i32): i64 {
  return stepRows[step]
}

// One actor.

function decide(from: i32, to: i32): i32 {
  let any: u64 = 0
  for (let row = from; row < to; row++) any |= mask(row)
  const words = external + (((actors as usize) * externalWidth) << 3)
  actors++
  if (!holds(from, to, any, words)) return 0
  groups++
  rows += to - from
  if (funnel === NONE) return 1
  const level = levelOf(sequences[funnel], from, to, any)
  for (let step = 0; step < level; step++) {
    stepGroups[step] += 1
    stepRows[step] += to - from
  }
  return 1 + level
}

function holds(from: i32, to: i32, any: u64, words: usize): bool {
  if (relation.length === 0) return true
  stack.length = 0
  for (let k = 0; k < relation.length; k++) {
    const item = relation[k]
    if (item >= 0) {
      stack.push(decideCondition(conditions[item], from, to, any, words))
    } else if (item === AND || item === OR) {
      const right = stack.pop()
      const left = stack.pop()
      stack.push(item === AND ? left && right : left || right)
    } else {
      stack.push(!stack.pop())
    }
  }
  return stack.pop()
}

function decideCondition(condition: Condition, from: i32, to: i32, any: u64, words: usize): bool {
  if (condition.kind === EXTERNAL) {
    const word = load<u64>(words + (((condition.index >> 6) as usize) << 3))
    return ((word >> (condition.index & 63)) & 1) === 1
  }
  if (condition.kind === SEQUENCE) {
    const sequence = sequences[condition.index]
    return levelOf(sequence, from, to, any) === sequence.steps.length
  }
  const bit = (1 as u64) << condition.index
  if ((any & bit) === 0) return condition.includeZero
  let count: i64 = 0
  for (let row = from; row < to; row++) count += ((mask(row) >> condition.index) & 1) as i64
  return compare(count, condition.op, condition.value)
}

function compare(left: i64, op: i32, right: i64): bool {
  switch (op) {
    case 0:
      return left === right
    case 1:
      return left !== right
    case 2:
      return left > right
    case 3:
      return left >= right
    case 4:
      return left < right
    default:
      return left <= right
  }
}

function levelOf(sequence: Sequence, from: i32, to: i32, any: u64): i32 {
  return floatTimes ? level<f64>(sequence, from, to, any) : level<i64>(sequence, from, to, any)
}

/** The number of steps that the actor passes: step k when rows r1 < … < rk exist that satisfy every constraint among them. */
function level<T>(sequence: Sequence, from: i32, to: i32, any: u64): i32 {
  const last = sequence.steps.length - 1
  const windowedEnd = sequence.hasWithin && (sequence.gaps[last + 1] & any) !== 0
  for (let k = 0; k <= last; k++) {
    if ((any & sequence.steps[k]) === 0) return k
    if (k === 0) beginChains<T>(sequence, from, to)
    else extendChains<T>(sequence.steps[k], sequence.gaps[k] & any, from, to, windowedEnd)
    if (!passes<T>(sequence, k, from, to, any)) return k
  }
  return last + 1
}

/** Chains of one row. `latest[row]` and `earliest[row]` are the latest and earliest first rows of the chains that end at the row. */
function beginChains<T>(sequence: Sequence, from: i32, to: i32): void {
  const bit = sequence.steps[0]
  const forbidden = sequence.gaps[0]
  let closed = false
  for (let row = from; row < to; ) {
    const end = instantEnd<T>(row, to)
    let bad = false
    for (; row < end; row++) {
      const start = !closed && (mask(row) & bit) !== 0 ? row : NONE
      setRow(latest, row, start)
      setRow(earliest, row, start)
      if ((mask(row) & forbidden) !== 0) bad = true
    }
    if (bad) closed = true
  }
}

/** Extends the chains of the step before by rows of this step, strictly later, with no forbidden row strictly between. */
function extendChains<T>(bit: u64, forbidden: u64, from: i32, to: i32, both: bool): void {
  let newest = NONE
  let oldest = NONE
  for (let row = from; row < to; ) {
    const end = instantEnd<T>(row, to)
    const begin = row
    let bad = false
    for (; row < end; row++) {
      const matches = (mask(row) & bit) !== 0
      setRow(latestNext, row, matches ? newest : NONE)
      if (both) setRow(earliestNext, row, matches ? oldest : NONE)
      if ((mask(row) & forbidden) !== 0) bad = true
    }
    if (bad) newest = oldest = NONE
    for (let r = begin; r < end; r++) {
      newest = max(newest, getRow(latest, r))
      if (both) oldest = earlier(oldest, getRow(earliest, r))
    }
  }
  const free = latest
  latest = latestNext
  latestNext = free
  if (!both) return
  const freeEarliest = earliest
  earliest = earliestNext
  earliestNext = freeEarliest
}

function earlier(a: i32, b: i32): i32 {
  return a === NONE ? b : b === NONE ? a : min(a, b)
}

function passes<T>(sequence: Sequence, k: i32, from: i32, to: i32, any: u64): bool {
  const forbidden = k + 1 === sequence.steps.length ? sequence.gaps[k + 1] & any : 0
  if (forbidden !== 0 && sequence.hasWithin) return endsInWindow<T>(sequence, forbidden, from, to)
  // Without a window the row must not be followed by a forbidden one, however late.
  let firstAllowed = from
  if (forbidden !== 0) {
    let bad = to - 1
    while ((mask(bad) & forbidden) === 0) bad--
    firstAllowed = instantStart<T>(bad, from)
  }
  for (let row = to - 1; row >= firstAllowed; row--) {
    const start = getRow(latest, row)
    if (start !== NONE && (!sequence.hasWithin || inWindow<T>(start, row, sequence.within))) return true
  }
  return false
}

/**
 * A chain from first row f to last row t passes when t is in f's window and no forbidden row lies in (t, f + within].
 * The first rows of the chains that end at t are exactly those among all completable ones between the earliest and the
 * latest (two chains that cross can be exchanged where they cross), so one look at the first completable row in
 * f's window decides: any later one would leave more of the window to be free of forbidden rows.
 */
function endsInWindow<T>(sequence: Sequence, forbidden: u64, from: i32, to: i32): bool {
  markCompletable<T>(sequence, from, to)
  // From each row, the next completable one; `to` when there is none.
  for (let row = to - 1, next = to; row >= from; row--) {
    if (load<u8>(reach + row) === 1) next = row
    setRow(earliestNext, row, next)
  }
  let first = from
  let bad = from
  for (let row = from; row < to; row++) {
    while (bad < to && ((mask(bad) & forbidden) === 0 || !later<T>(bad, row))) bad++
    while (first < row && !inWindow<T>(first, row, sequence.within)) first++
    if (getRow(latest, row) === NONE) continue
    const f = getRow(earliestNext, max(first, getRow(earliest, row)))
    if (f <= getRow(latest, row) && (bad === to || !inWindow<T>(f, bad, sequence.within))) return true
  }
  return false
}

/** Sets `reach[row]` for the rows from which the whole sequence can be completed: the first rows of whole chains. */
function markCompletable<T>(sequence: Sequence, from: i32, to: i32): void {
  const last = sequence.steps.length - 1
  for (let row = from; row < to; row++) store<u8>(reach + row, (mask(row) & sequence.steps[last]) !== 0 ? 1 : 0)
  for (let k = last - 1; k >= 0; k--) markStep<T>(sequence.steps[k], sequence.gaps[k + 1], from, to)
}

function markStep<T>(bit: u64, forbidden: u64, from: i32, to: i32): void {
  let possible = false
  for (let end = to; end > from; ) {
    const begin = instantStart<T>(end - 1, from)
    let bad = false
    let reached = false
    for (let row = begin; row < end; row++) {
      if (load<u8>(reach + row) === 1) reached = true
      if ((mask(row) & forbidden) !== 0) bad = true
      store<u8>(reach + row, possible && (mask(row) & bit) !== 0 ? 1 : 0)
    }
    possible = (possible && !bad) || reached
    end = begin
  }
}

// Rows.

function mask(row: i32): u64 {
  return load<u64>(masks + ((row as usize) << 3))
}

function time<T>(row: i32): T {
  return load<T>(times + ((row as usize) << 3))
}

function later<T>(a: i32, b: i32): bool {
  return time<T>(a) > time<T>(b)
}

function getRow(array: usize, row: i32): i32 {
  return load<i32>(array + ((row as usize) << 2))
}

function setRow(array: usize, row: i32, value: i32): void {
  store<i32>(array + ((row as usize) << 2), value)
}

/** True when time(to) - time(from) <= within; exact for the whole range of i64, since the difference is taken unsigned. */
function inWindow<T>(from: i32, to: i32, within: u64): bool {
  if (isFloat<T>()) {
    // The difference of equal infinities is not a number.
    const isSame = time<T>(to) === time<T>(from)
    return isSame || ((time<T>(to) - time<T>(from)) as f64) <= reinterpret<f64>(within)
  }
  return (time<T>(to) as u64) - (time<T>(from) as u64) <= within
}

function instantEnd<T>(row: i32, to: i32): i32 {
  const at = time<T>(row)
  do row++
  while (row < to && time<T>(row) === at)
  return row
}

function instantStart<T>(row: i32, from: i32): i32 {
  const at = time<T>(row)
  while (row > from && time<T>(row - 1) === at) row--
  return row
}
