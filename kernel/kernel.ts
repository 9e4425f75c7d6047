/**
 * The behavioural kernel: reads rows grouped by actor and ordered by time, decides every condition, sequence and
 * funnel of a query in one pass, and adds up the totals. AssemblyScript, compiled to `src/behaviour/generated/kernel-wasm.ts`.
 *
 * A row is a time (i64 or f64) and a mask whose bit p says that predicate p holds. Rows of one instant are
 * interchangeable: no answer depends on their order. One instance serves one query and one worker; it never frees.
 */
import { keepRows, levels, maskAt, masks, NONE, optionalWords, pendingRows, starts, useHolds } from './memory'
import { OptionalStep, Sequence, Step, TIES_DISTINCT } from './program'
import { judge } from './sequence'

export {
  beginGroup,
  beginTask,
  combinationsRoom,
  endGroup,
  entryLength,
  entryStart,
  isFilled,
  openColumn,
  pageStart,
  readDictionary,
  readPage,
  setTimeframe,
  tableStart,
  unpackPage,
} from './columns'
export { inputStart, masksEnd, reserve, seriesEnd, startsEnd, takeKeys, takeMasks, timesEnd } from './memory'
export { addLeaf, addNumbers, addTest, useNumbers } from './numbers'
export {
  cut,
  keepActors,
  offsetsStart,
  partFirstStart,
  partMasksStart,
  partSecondStart,
  partTimesStart,
  regroup,
  reservePart,
} from './regroup'
export { setHashKey } from './siphash'

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

let actors: i32 = 0
/** What the rows of the actor whose end has not been seen have in their masks. */
let pendingBits: u64 = 0
let external: usize = 0
let externalWidth: i32 = 0
let groups: i64 = 0
let rows: i64 = 0
let stepGroups: Array<i64> = []
let stepRows: Array<i64> = []
let optionalGroups: Array<i64> = []
let optionalRows: Array<i64> = []

// The program.

export function useFloatTimes(): void {
  floatTimes = true
}

/** How many columns of series numbers come with the rows. */
export function setHolds(count: i32): void {
  useHolds(count)
}

export function addSequence(strict: bool, anyOrder: bool, ties: i32, hold: i32): i32 {
  const sequence = new Sequence()
  sequence.strict = strict
  sequence.anyOrder = anyOrder
  sequence.ties = ties
  sequence.hold = hold
  sequence.plain = !strict && !anyOrder && ties !== TIES_DISTINCT
  return sequences.push(sequence) - 1
}

/** `bits` is the time span's own representation: an unsigned integer, or the bits of a double. */
export function setWithin(sequence: i32, bits: u64): void {
  sequences[sequence].hasWithin = true
  sequences[sequence].within = bits
}

export function addStep(sequence: i32, predicate: i32): void {
  const step = new Step()
  step.bit = (1 as u64) << predicate
  sequences[sequence].required.push(step)
  sequences[sequence].anyBit |= step.bit
  sequences[sequence].gaps.push(0)
}

/** Spans between the step that was added last and the required one before it. */
export function setStepWithin(sequence: i32, bits: u64): void {
  const step = lastStep(sequence)
  step.hasWithin = true
  step.within = bits
}
export function setStepAfter(sequence: i32, bits: u64): void {
  const step = lastStep(sequence)
  step.hasAfter = true
  step.after = bits
}

function lastStep(sequence: i32): Step {
  sequences[sequence].plain = false
  return sequences[sequence].required[sequences[sequence].required.length - 1]
}

export function addOptionalStep(sequence: i32, predicate: i32): void {
  const step = new OptionalStep()
  step.bit = (1 as u64) << predicate
  step.place = sequences[sequence].required.length
  sequences[sequence].optional.push(step)
  sequences[sequence].plain = false
}

export function addNegativeStep(sequence: i32, predicate: i32): void {
  const gaps = sequences[sequence].gaps
  gaps[gaps.length - 1] |= (1 as u64) << predicate
  sequences[sequence].plain = false
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
  stepGroups = new Array<i64>(sequences[sequence].required.length).fill(0)
  stepRows = new Array<i64>(sequences[sequence].required.length).fill(0)
  optionalGroups = new Array<i64>(sequences[sequence].optional.length).fill(0)
  optionalRows = new Array<i64>(sequences[sequence].optional.length).fill(0)
}

// The rows.

/** Room for the words (u64, `width` for each actor, in the order of the rows) that external conditions read. */
export function reserveExternal(count: i32, width: i32): usize {
  external = heap.alloc((count as usize) << 3)
  externalWidth = width
  return external
}

/** Takes `count` rows that were written; returns how many actors were completed. Their levels stand at `levelsStart`. */
export function feed(count: i32): i32 {
  const begin = pendingRows()
  const end = begin + count
  let completed = 0
  let from = 0
  for (let row = begin; row < end; row++) {
    if (load<u8>(starts + row) !== 0 && row !== from) {
      decide(from, row, completed++)
      from = row
      pendingBits = 0
    }
    pendingBits |= maskAt(masks, row)
  }
  keepRows(from, end)
  return completed
}

/** Completes the last actor; returns 1, or 0 when there was no row. */
export function finish(): i32 {
  const end = pendingRows()
  if (end === 0) return 0
  decide(0, end, 0)
  pendingBits = 0
  keepRows(end, end)
  return 1
}

/** One i32 for each completed actor: 0 when the relation does not hold, else 1 + the number of required funnel steps passed. */
export function levelsStart(): usize {
  return levels
}

/** One u64 for each completed actor: bit k for the k-th optional step of the funnel. */
export function optionalWordsStart(): usize {
  return optionalWords
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
export function totalOptionalGroups(step: i32): i64 {
  return optionalGroups[step]
}
export function totalOptionalRows(step: i32): i64 {
  return optionalRows[step]
}

// One actor.

function decide(from: i32, to: i32, place: i32): void {
  const any = pendingBits
  const words = external + (((actors as usize) * externalWidth) << 3)
  actors++
  let level = 0
  let matched: u64 = 0
  if (holds(from, to, any, words)) {
    groups++
    rows += to - from
    level = 1
    if (funnel !== NONE) {
      const sequence = sequences[funnel]
      judgeSequence(sequence, from, to, any)
      level += sequence.level
      matched = sequence.matched
      count(sequence, to - from)
    }
  }
  store<i32>(levels + ((place as usize) << 2), level)
  store<u64>(optionalWords + ((place as usize) << 3), matched)
}

function count(sequence: Sequence, size: i32): void {
  for (let step = 0; step < sequence.level; step++) {
    stepGroups[step] += 1
    stepRows[step] += size
  }
  for (let step = 0; step < sequence.optional.length; step++) {
    if (((sequence.matched >> step) & 1) === 0) continue
    optionalGroups[step] += 1
    optionalRows[step] += size
  }
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
    judgeSequence(sequence, from, to, any)
    return sequence.level === sequence.required.length
  }
  const bit = (1 as u64) << condition.index
  if ((any & bit) === 0) return condition.includeZero
  let total: i64 = 0
  for (let row = from; row < to; row++) total += ((maskAt(masks, row) >> condition.index) & 1) as i64
  return compare(total, condition.op, condition.value)
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

function judgeSequence(sequence: Sequence, from: i32, to: i32, any: u64): void {
  if (floatTimes) judge<f64>(sequence, from, to, any)
  else judge<i64>(sequence, from, to, any)
}
