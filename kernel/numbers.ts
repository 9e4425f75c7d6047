/** Leaves of number columns: each row's value is tested, and the leaves that hold add their bits to the row's mask. */
import { grown } from './memory'

const EQUAL: i32 = 0
const LESS: i32 = 1
const AT_MOST: i32 = 2
const GREATER: i32 = 3
const AT_LEAST: i32 = 4
const IS_NULL: i32 = 5

/** One comparison; `value` holds an integer or the bits of a double. */
class Test {
  op: i32 = EQUAL
  value: u64 = 0
}

/** Holds when one of its tests does, or, negated, when none does. */
class Leaf {
  bit: u64 = 0
  negated: bool = false
  tests: Array<Test> = []
}

const columns: Array<Array<Leaf>> = []
let used: i32 = -1
let hits: usize = 0

/** A new column of numbers; gives its number. */
export function addNumbers(): i32 {
  return columns.push([]) - 1
}

/** A leaf of the last column. */
export function addLeaf(bit: i32, negated: bool): void {
  const leaf = new Leaf()
  leaf.bit = (1 as u64) << bit
  leaf.negated = negated
  columns[columns.length - 1].push(leaf)
}

/** A test of the last leaf. */
export function addTest(op: i32, value: u64): void {
  const leaves = columns[columns.length - 1]
  leaves[leaves.length - 1].tests.push({ op, value })
}

/** The leaves of this column are tested from now on. */
export function useNumbers(column: i32): void {
  used = column
}

export function hasTests(): bool {
  return used >= 0
}

export function beginNumbers(rows: i32): void {
  hits = grown(rows, 1)
}

/** Tests `rows` values of 8 bytes; `present` says which rows have one, or is 0 when all do. The masks are added to, or begun. */
export function testNumbers(float: bool, values: usize, present: usize, rows: i32, masks: usize, begin: bool): void {
  if (begin) memory.fill(masks, 0, (rows as usize) << 3)
  const leaves = columns[used]
  for (let k = 0; k < leaves.length; k++) {
    const leaf = leaves[k]
    memory.fill(hits, 0, rows)
    for (let t = 0; t < leaf.tests.length; t++) {
      const test = leaf.tests[t]
      if (float) hit<f64>(test.op, reinterpret<f64>(test.value), values, present, rows)
      else hit<i64>(test.op, test.value as i64, values, present, rows)
    }
    const wanted: u8 = leaf.negated ? 0 : 1
    for (let row: usize = 0; row < (rows as usize); row++) {
      const place = masks + (row << 3)
      store<u64>(place, load<u64>(place) | select(leaf.bit, 0, load<u8>(hits + row) === wanted))
    }
  }
}

function hit<T>(op: i32, value: T, values: usize, present: usize, rows: i32): void {
  for (let row: usize = 0; row < (rows as usize); row++) {
    const own = load<T>(values + (row << 3))
    const isThere = present === 0 || load<u8>(present + row) !== 0
    const holds = op === IS_NULL ? !isThere || (isFloat<T>() && isNaN<T>(own)) : isThere && compares<T>(op, own, value)
    store<u8>(hits + row, load<u8>(hits + row) | (holds ? 1 : 0))
  }
}

function compares<T>(op: i32, own: T, value: T): bool {
  if (op === EQUAL) return own === value
  if (op === LESS) return own < value
  if (op === AT_MOST) return own <= value
  if (op === GREATER) return own > value
  return op === AT_LEAST && own >= value
}
