/** Rows as they arrive, the instants that they make, and working arrays: all in linear memory, never freed. */

/** No value in an array of places. */
export const NONE: i32 = -1

let capacity: i32 = 0
let workCapacity: i32 = 0
/** Rows of the actor whose end has not been seen. */
let pending: i32 = 0
/** Columns of series numbers (`hold`) beside each row. */
let holds: i32 = 0

export let starts: usize = 0
export let times: usize = 0
export let masks: usize = 0
let series: StaticArray<usize> = new StaticArray<usize>(0)

/** Rows of one series, gathered. */
export let gatheredTimes: usize = 0
export let gatheredMasks: usize = 0
export let counts: usize = 0

/** Instants: groups of rows of one time, ascending. Two sets, the second one mirrored in time. */
export const instantTimes: StaticArray<usize> = new StaticArray<usize>(2)
export const instantMasks: StaticArray<usize> = new StaticArray<usize>(2)
export const instantFrom: StaticArray<usize> = new StaticArray<usize>(2)
export const instantTo: StaticArray<usize> = new StaticArray<usize>(2)

const WORK_ARRAYS: i32 = 16

/** Working arrays of i32, one place for each row or instant. */
export const work: StaticArray<usize> = new StaticArray<usize>(WORK_ARRAYS)

export let levels: usize = 0
export let optionalWords: usize = 0

export function useHolds(count: i32): void {
  holds = count
  series = new StaticArray<usize>(count)
}

/** Makes room for `count` rows after the pending ones. Pointers are valid until the next call. */
export function reserve(count: i32): void {
  const wanted = pending + count
  if (wanted <= capacity) return
  const size = max(wanted + 16, capacity * 2)
  starts = moved(starts, size, 1)
  times = moved(times, size, 8)
  masks = moved(masks, size, 8)
  for (let hold = 0; hold < holds; hold++) series[hold] = moved(series[hold], size, 4)
  levels = grown(size, 4)
  optionalWords = grown(size, 8)
  capacity = size
}

/** Makes room for the work on one actor of so many rows. */
export function reserveWork(rows: i32): void {
  if (rows <= workCapacity) return
  const size = max(rows + 16, workCapacity * 2)
  gatheredTimes = grown(size, 8)
  gatheredMasks = grown(size, 8)
  counts = grown(size + 2, 4)
  for (let side = 0; side < 2; side++) {
    instantTimes[side] = grown(size, 8)
    instantMasks[side] = grown(size, 8)
    instantFrom[side] = grown(size, 4)
    instantTo[side] = grown(size, 4)
  }
  for (let array = 0; array < WORK_ARRAYS; array++) work[array] = grown(size + 2, 4)
  workCapacity = size
}

/** A new place for `count` items of `width` bytes. */
export function grown(count: i32, width: i32): usize {
  return heap.alloc((count as usize) * width)
}

function moved(from: usize, size: i32, width: i32): usize {
  const to = grown(size, width)
  memory.copy(to, from, (pending as usize) * width)
  return to
}

export function pendingRows(): i32 {
  return pending
}

/** Where the next row's start flag (u8), time and mask (8 bytes each), and series number of a hold (i32) are to be written. */
export function startsEnd(): usize {
  return starts + pending
}
export function timesEnd(): usize {
  return times + ((pending as usize) << 3)
}
export function masksEnd(): usize {
  return masks + ((pending as usize) << 3)
}
export function seriesEnd(hold: i32): usize {
  return series[hold] + ((pending as usize) << 2)
}

let input: usize = 0
let inputBytes: i32 = 0
let lastKey: u64 = 0
let hasKey: bool = false

/** Room for columns that are not of the width that the kernel works with; `takeKeys` and `takeMasks` read from it. */
export function inputStart(bytes: i32): usize {
  if (bytes > inputBytes) {
    inputBytes = max(bytes, inputBytes * 2)
    input = heap.alloc(inputBytes)
  }
  return input
}

/** Start flags of `count` rows from the keys of their actors (u64): a row begins an actor when its key differs from the one before. */
export function takeKeys(count: i32): void {
  for (let row = 0; row < count; row++) {
    const key = load<u64>(input + ((row as usize) << 3))
    store<u8>(starts + pending + row, !hasKey || key !== lastKey ? 1 : 0)
    lastKey = key
    hasKey = true
  }
}

/** Masks of `count` rows from unsigned integers of 1, 2 or 4 bytes. */
export function takeMasks(count: i32, width: i32): void {
  const to = masksEnd()
  for (let row = 0; row < count; row++) {
    const from = input + (row as usize) * width
    const mask =
      width === 1 ? (load<u8>(from) as u64) : width === 2 ? (load<u16>(from) as u64) : (load<u32>(from) as u64)
    store<u64>(to + ((row as usize) << 3), mask)
  }
}

/** The number of a row's series; 0 for a row that is in none. */
export function seriesOf(hold: i32, row: i32): i32 {
  return getAt(series[hold], row)
}

/** Keeps the rows from `from` to `end` as the pending ones. */
export function keepRows(from: i32, end: i32): void {
  pending = end - from
  if (from === 0) return
  memory.copy(starts, starts + from, pending)
  memory.copy(times, times + ((from as usize) << 3), (pending as usize) << 3)
  memory.copy(masks, masks + ((from as usize) << 3), (pending as usize) << 3)
  for (let hold = 0; hold < holds; hold++) {
    memory.copy(series[hold], series[hold] + ((from as usize) << 2), (pending as usize) << 2)
  }
}

export function getAt(array: usize, place: i32): i32 {
  return load<i32>(array + ((place as usize) << 2))
}

export function setAt(array: usize, place: i32, value: i32): void {
  store<i32>(array + ((place as usize) << 2), value)
}

export function maskAt(array: usize, place: i32): u64 {
  return load<u64>(array + ((place as usize) << 3))
}

export function timeAt<T>(array: usize, place: i32): T {
  return load<T>(array + ((place as usize) << 3))
}

/** True when to - from <= span; exact for all of i64, since the difference is taken unsigned. `span` holds the bits of a double for float times. */
export function isWithin<T>(from: T, to: T, span: u64): bool {
  if (isFloat<T>()) return distance<T>(from, to) <= reinterpret<f64>(span)
  return (to as u64) - (from as u64) <= span
}

/** True when to - from >= span. */
export function isAfter<T>(from: T, to: T, span: u64): bool {
  if (isFloat<T>()) return distance<T>(from, to) >= reinterpret<f64>(span)
  return (to as u64) - (from as u64) >= span
}

/** Of float times; infinities that are equal have no difference that is a number. */
function distance<T>(from: T, to: T): f64 {
  return from === to ? 0 : ((to - from) as f64)
}
