/**
 * Chains of rows through the steps of a sequence, with every constraint, over the instants of one series.
 *
 * Step by step, each instant gets the latest first instant of all chains that end there (or the earliest, or just
 * any: the caller's scores say). What may come before an instant is always a range of instants whose ends only move
 * forward, so a monotonic queue answers each step in time linear in the instants.
 *
 * At most one optional step is part of a run: optional steps are judged one by one.
 */
import {
  getAt,
  instantFrom,
  instantMasks,
  instantTimes,
  instantTo,
  isAfter,
  isWithin,
  maskAt,
  NONE,
  setAt,
  timeAt,
  work,
} from './memory'
import { Sequence, Step, TIES_DISTINCT, TIES_NEVER, TIES_SAME_ROW } from './program'

/** What a run finds at each instant for the last step of its list. */
export const VALUES: i32 = 0
const PREVIOUS: i32 = 1
/** Values of the step before the optional one. */
const BASE: i32 = 2
const ENTER: i32 = 3
const QUEUE: i32 = 4
const ROW_STEP: i32 = 5
const RING: i32 = 6
const VISITED: i32 = 7
const LOWEST: i32 = 8
/** Values of chains whose last required row shares its instant with the optional row. */
const BOTH: i32 = 9
/** Values of chains that enter an instant with the optional row and go on there. */
const WITH_OPTIONAL: i32 = 10
const SPARE: i32 = 14
/** Free for callers. */
export const LATEST: i32 = 11
export const EARLIEST: i32 = 12
export const NEXT: i32 = 13

let sequence: Sequence = new Sequence()
let upTo: i32 = 0
/** The optional step of the list, and its position: the number of required steps before it. */
let optional: i32 = NONE
let optionalAt: i32 = NONE
let count: i32 = 0
let mirrored: bool = false
let times: usize = 0
let masks: usize = 0
let froms: usize = 0
let tos: usize = 0
let rowMasks: usize = 0
let visit: i32 = 0
const FREE = new Step()

/** Prepares runs over `instants` instants, whose rows' masks stand at `rows`. */
export function overInstants(instants: i32, rows: usize): void {
  count = instants
  rowMasks = rows
}

/** A run over the first `required` steps and, unless it is -1, the optional step. The list has `listLength()` positions. */
export function beginRun(given: Sequence, required: i32, withOptional: i32, inMirror: bool): void {
  sequence = given
  upTo = required
  optional = withOptional
  mirrored = inMirror
  const place = withOptional === NONE ? NONE : given.optional[withOptional].place
  optionalAt = place === NONE ? NONE : inMirror ? required - place : place
  const side = inMirror ? 1 : 0
  times = instantTimes[side]
  masks = instantMasks[side]
  froms = instantFrom[side]
  tos = instantTo[side]
  if (given.ties !== TIES_DISTINCT) return
  const rows = count === 0 ? 0 : max(getAt(tos, 0), getAt(tos, count - 1))
  for (let row = 0; row < rows; row++) {
    setAt(work[ROW_STEP], row, NONE)
    setAt(work[VISITED], row, 0)
  }
  for (let at = 0; at < count; at++) setAt(work[LOWEST], at, 0)
  visit = 0
}

/** The number of positions of the run's list. */
export function listLength(): i32 {
  return upTo + (optional === NONE ? 0 : 1)
}

// The list.

function isOptional(position: i32): bool {
  return position === optionalAt
}

/** The number of the required step at a position. */
function requiredAt(position: i32): i32 {
  const place = optionalAt !== NONE && position > optionalAt ? position - 1 : position
  return mirrored ? upTo - 1 - place : place
}

function bitOf(position: i32): u64 {
  return isOptional(position) ? sequence.optional[optional].bit : sequence.required[requiredAt(position)].bit
}

/** The step whose spans hold between the required step at a position and the required one before it in the list. */
function spansOf(position: i32): Step {
  if (isOptional(position)) return FREE
  const step = requiredAt(position)
  return sequence.required[mirrored ? step + 1 : step]
}

function gapBefore(position: i32): u64 {
  if (isOptional(position)) return 0
  const step = requiredAt(position)
  return sequence.gaps[mirrored ? step + 1 : step]
}

/** How many required steps come, in the sequence, before the optional steps that lie between this required step and the one before it in the list. */
function placeBefore(position: i32): i32 {
  const step = requiredAt(position)
  return mirrored ? step + 1 : step
}

function spansHold<T>(spans: Step, from: i32, to: i32): bool {
  const a = timeAt<T>(times, from)
  const b = timeAt<T>(times, to)
  return (!spans.hasWithin || isWithin<T>(a, b, spans.within)) && (!spans.hasAfter || isAfter<T>(a, b, spans.after))
}

function has(at: i32, bit: u64): bool {
  return (maskAt(masks, at) & bit) !== 0
}

// The steps.

/** Chains of one row; `byEarliest` makes earlier first instants count more. */
export function firstStep<T>(byEarliest: bool): void {
  const bit = bitOf(0)
  const forbidden: u64 = mirrored ? 0 : sequence.gaps[0]
  let closed = false
  for (let at = 0; at < count; at++) {
    setAt(work[ENTER], at, !closed && has(at, bit) ? (byEarliest ? count - at : at) : NONE)
    if (has(at, forbidden)) closed = true
  }
  combine<T>(0)
}

/** Extends the chains of the position before to this one. */
export function nextStep<T>(position: i32): void {
  if (isOptional(position)) swap(VALUES, BASE)
  else if (!isOptional(position - 1)) swap(VALUES, PREVIOUS)
  // Else the values before the optional step stand in BASE already.
  if (sequence.strict) enterStrictly<T>(position)
  else if (isOptional(position)) enterRange<T>(position, BASE, ENTER, FREE, 0, 0)
  else if (isOptional(position - 1)) enterThroughOptional<T>(position)
  else enterRange<T>(position, PREVIOUS, ENTER, spansOf(position), gapBefore(position), 0)
  combine<T>(position)
}

function swap(a: i32, b: i32): void {
  const array = work[a]
  work[a] = work[b]
  work[b] = array
}

/** Where the values of the last required step before a position stand. */
function sourceOf(position: i32): i32 {
  return isOptional(position) || isOptional(position - 1) ? BASE : PREVIOUS
}

/**
 * ENTER at each instant that has the position's bit: the best value of `source` at an earlier instant in the range that
 * spans, gap and `through` leave (`through`: bits of an optional row that must lie between).
 */
function enterRange<T>(position: i32, source: i32, target: i32, spans: Step, gap: u64, through: u64): void {
  const values = work[source]
  const queue = work[QUEUE]
  const bit = bitOf(position)
  const shares = sequence.ties === TIES_SAME_ROW
  let head = 0
  let tail = 0
  let next = 0
  let least = 0
  let first = 0
  let ready = 0
  let seen = NONE
  for (let at = 0; at < count; at++) {
    if (at > 0 && has(at - 1, gap)) least = at - 1
    if (spans.hasWithin) {
      while (first < at && !isWithin<T>(timeAt<T>(times, first), timeAt<T>(times, at), spans.within)) first++
    }
    let end = at
    if (spans.hasAfter) {
      while (ready < at && isAfter<T>(timeAt<T>(times, ready), timeAt<T>(times, at), spans.after)) ready++
      end = ready
    }
    if (through !== 0) {
      if (shares && has(at, through)) seen = at
      end = min(end, shares ? seen + 1 : seen)
      if (!shares && has(at, through)) seen = at
    }
    for (; next < end; next++) {
      const value = getAt(values, next)
      if (value === NONE) continue
      while (tail > head && getAt(values, getAt(queue, tail - 1)) <= value) tail--
      setAt(queue, tail++, next)
    }
    const lowest = max(least, first)
    while (head < tail && getAt(queue, head) < lowest) head++
    setAt(work[target], at, head < tail && has(at, bit) ? getAt(values, getAt(queue, head)) : NONE)
  }
}

/** From the required step before the optional one to the one after it: the optional row lies between, or shares an instant with one of them. */
function enterThroughOptional<T>(position: i32): void {
  const spans = spansOf(position)
  const through = bitOf(position - 1)
  enterRange<T>(position, BASE, ENTER, spans, 0, through)
  if (sequence.ties !== TIES_DISTINCT) return
  enterRange<T>(position, BASE, WITH_OPTIONAL, spans, 0, 0)
  const enter = work[ENTER]
  enterRange<T>(position, BOTH, SPARE, spans, 0, 0)
  for (let at = 0; at < count; at++) setAt(enter, at, max(getAt(enter, at), getAt(work[SPARE], at)))
}

/** True when chains may go on from the position before at the same instant. */
function sharesInstant<T>(position: i32): bool {
  const spans = spansOf(position)
  if (!spans.hasAfter) return true
  const zero = 0 as T
  return isAfter<T>(zero, zero, spans.after)
}

/** VALUES from ENTER and, where ties allow it, from chains that go on at one instant. */
function combine<T>(position: i32): void {
  if (sequence.ties === TIES_NEVER) swap(ENTER, VALUES)
  else if (sequence.ties === TIES_SAME_ROW) combineSameRow<T>(position)
  else combineDistinct<T>(position)
}

function combineSameRow<T>(position: i32): void {
  const through: u64 = position > 0 && isOptional(position - 1) ? bitOf(position - 1) : ~(0 as u64)
  const shares = position > 0 && sharesInstant<T>(position)
  const bit = bitOf(position)
  const before = position > 0 ? work[sourceOf(position)] : 0
  for (let at = 0; at < count; at++) {
    let value = getAt(work[ENTER], at)
    if (shares && has(at, bit) && has(at, through)) value = max(value, getAt(before, at))
    setAt(work[VALUES], at, value)
  }
}

/**
 * Steps that a chain takes at one instant are neighbours in the list and need different rows. For each instant the lowest
 * position from which the list up to here can be matched to its rows only rises; RING holds the values with which
 * chains entered the instant at the last positions, as many as it has rows.
 */
function combineDistinct<T>(position: i32): void {
  const bit = bitOf(position)
  const afterOptional = position > 0 && isOptional(position - 1)
  const shares = position > 0 && sharesInstant<T>(position)
  for (let at = 0; at < count; at++) {
    if (!has(at, bit)) {
      setAt(work[LOWEST], at, position + 1)
      setAt(work[VALUES], at, NONE)
      setAt(work[BOTH], at, NONE)
      continue
    }
    let lowest = getAt(work[LOWEST], at)
    if (!shares) lowest = max(lowest, afterOptional ? position - 1 : position)
    for (;;) {
      visit++
      if (match(at, position, lowest)) break
      lowest++
    }
    setAt(work[LOWEST], at, lowest)
    const from = getAt(froms, at)
    const rows = getAt(tos, at) - from
    setAt(work[RING], from + (position % rows), getAt(work[ENTER], at))
    if (afterOptional && lowest < position) {
      setAt(work[RING], from + ((position - 1) % rows), getAt(work[WITH_OPTIONAL], at))
    }
    let earlier = NONE
    for (let p = lowest; p < position; p++) earlier = max(earlier, getAt(work[RING], from + (p % rows)))
    setAt(work[BOTH], at, earlier)
    setAt(work[VALUES], at, max(earlier, getAt(work[ENTER], at)))
  }
}

/** Finds a row of the instant for a position, moving the rows of others; rows of positions below `lowest` are free. */
function match(at: i32, position: i32, lowest: i32): bool {
  const bit = bitOf(position)
  const end = getAt(tos, at)
  for (let row = getAt(froms, at); row < end; row++) {
    if ((maskAt(rowMasks, row) & bit) === 0 || getAt(work[VISITED], row) === visit) continue
    setAt(work[VISITED], row, visit)
    const holder = getAt(work[ROW_STEP], row)
    if (holder < lowest || match(at, holder, lowest)) {
      setAt(work[ROW_STEP], row, position)
      return true
    }
  }
  return false
}

// Strict order: no other row between neighbours, so every instant between two required rows holds an optional row of the chain.

function enterStrictly<T>(position: i32): void {
  const bit = bitOf(position)
  for (let at = 0; at < count; at++) {
    setAt(work[WITH_OPTIONAL], at, NONE)
    const value = has(at, bit) ? strictValue<T>(position, at) : NONE
    setAt(work[ENTER], at, value)
  }
}

function strictValue<T>(position: i32, at: i32): i32 {
  if (isOptional(position)) return strictToOptional(at)
  const through = position > 0 && isOptional(position - 1)
  const spans = spansOf(position)
  const values = work[sourceOf(position)]
  let best = NONE
  for (let from = at - 1; from >= 0 && at - from <= optionalsAt(placeBefore(position)) + 1; from--) {
    if (!spansHold<T>(spans, from, at)) continue
    if (!through) {
      if (getAt(values, from) > best && covered(placeBefore(position), from, at)) best = getAt(values, from)
    } else {
      best = max(best, strictThrough(position, from, at))
    }
  }
  return best
}

/** Chains that end with the optional row itself: the instants between hold optional rows of steps before it in the list. */
function strictToOptional(at: i32): i32 {
  const place = sequence.optional[optional].place
  let best = NONE
  for (let from = at - 1; from >= 0 && at - from <= optionalsAt(place) + 1; from--) {
    const value = getAt(work[BASE], from)
    if (value > best && coveredPrefix(place, from, at) === at - from - 1) best = value
  }
  return best
}

/** The best value at `from` for chains that go from there to `at` with the judged optional row between, or at one of the two where ties allow it. */
function strictThrough(position: i32, from: i32, at: i32): i32 {
  const place = placeBefore(position)
  const bit = bitOf(position - 1)
  const between = at - from - 1
  const prefix = coveredPrefix(place, from, at)
  const suffix = coveredSuffix(place, from, at)
  const value = getAt(work[BASE], from)
  let best = NONE
  for (let k = 0; k < between; k++) {
    if (has(from + 1 + k, bit) && prefix >= k && suffix >= between - 1 - k) best = value
  }
  if (sequence.ties === TIES_SAME_ROW) {
    if ((has(from, bit) && suffix === between) || (has(at, bit) && prefix === between)) best = max(best, value)
  } else if (sequence.ties === TIES_DISTINCT) {
    if (suffix === between) best = max(best, getAt(work[BOTH], from))
    if (has(at, bit) && prefix === between) {
      setAt(work[WITH_OPTIONAL], at, max(getAt(work[WITH_OPTIONAL], at), value))
    }
  }
  return best
}

/** How many optional steps stand in a gap. */
function optionalsAt(place: i32): i32 {
  let found = 0
  for (let k = 0; k < sequence.optional.length; k++) if (sequence.optional[k].place === place) found++
  return found
}

/** True when every instant strictly between holds a row of an optional step of the gap, in the order of the list. */
function covered(place: i32, from: i32, at: i32): bool {
  return cover(place, from + 1, at, 1, NONE) === at - from - 1
}

/** How many instants right after `from` can be held by optional steps before the judged one. */
function coveredPrefix(place: i32, from: i32, at: i32): i32 {
  return cover(place, from + 1, at, 1, optional)
}

/** How many instants right before `at` can be held by optional steps after the judged one. */
function coveredSuffix(place: i32, from: i32, at: i32): i32 {
  return cover(place, at - 1, from, -1, optional)
}

/** Instants from `first` up to but not `end` that different optional steps can hold in order, greedily; stops at the judged step. */
function cover(place: i32, first: i32, end: i32, direction: i32, judged: i32): i32 {
  const steps = sequence.optional.length
  const upwards = direction > 0 !== mirrored
  let step = upwards ? 0 : steps - 1
  let held = 0
  for (let at = first; at !== end; at += direction) {
    let found = false
    for (; step >= 0 && step < steps && step !== judged && !found; step += upwards ? 1 : -1) {
      const candidate = sequence.optional[step]
      if (candidate.place === place && has(at, candidate.bit)) found = true
    }
    if (!found) return held
    held++
  }
  return held
}
