/** Plain sequences (order, window, and ties but distinct rows) over rows as they stand: one pass with a few numbers of state. */
import { isWithin, maskAt, timeAt } from './memory'
import { Sequence, TIES_SAME_ROW } from './program'

const BITS: i32 = 64

/**
 * One number of 8 bytes for each step: the time at which the latest chain that reaches it began, valid below `reached`. In front of the
 * first stands the time of the row at hand, so that the first step extends a chain like any other.
 */
let began: usize = 0
let stepBits: usize = 0
/** For the place of a mask's lowest bit the step that it means; for no bit a step that is never reached. */
const stepOfBit: usize = heap.alloc((BITS + 1) << 2)
let room: i32 = 0

/** The number of steps passed by the rows [from, to). */
export function plainLevel<T>(sequence: Sequence, times: usize, masks: usize, from: i32, to: i32): i32 {
  const count = sequence.required.length
  const areDistinct = layOut(sequence, count)
  const anyBit = sequence.anyBit
  const within = sequence.hasWithin ? sequence.within : farthest<T>()
  let reached = 0
  for (let row = from; row < to; ) {
    const at = timeAt<T>(times, row)
    let bits = maskAt(masks, row)
    row++
    while (row < to && timeAt<T>(times, row) === at) {
      bits |= maskAt(masks, row)
      row++
    }
    bits &= anyBit
    store<T>(began, at)
    if (areDistinct && (bits & (bits - 1)) === 0) {
      // Without a branch: which step an event is of, if of any, cannot be foreseen.
      const k = load<i32>(stepOfBit + ((ctz(bits) as usize) << 2))
      const place = began + ((k as usize) << 3)
      const start = load<T>(place)
      const extends_ = (k <= reached ? 1 : 0) & (isWithin<T>(start, at, within) ? 1 : 0)
      store<T>(place + 8, select(start, load<T>(place + 8), extends_))
      reached = max(reached, select(k + 1, 0, extends_))
    } else if (bits !== 0) {
      reached =
        sequence.ties === TIES_SAME_ROW
          ? extendUp<T>(bits, at, reached, count, within)
          : extendDown<T>(bits, at, reached, count, within)
    }
    // The chain that got furthest has nothing to gain.
    if (reached === count) return count
  }
  return reached
}

function farthest<T>(): u64 {
  return isFloat<T>() ? reinterpret<u64>(Infinity) : u64.MAX_VALUE
}

/** Writes down the steps; tells whether each has a bit of its own. */
function layOut(sequence: Sequence, count: i32): bool {
  if (count > room) {
    began = heap.alloc((count + 2) << 3)
    stepBits = heap.alloc(count << 3)
    room = count
  }
  // No row is at this step: it lies behind all that can be reached.
  for (let bit = 0; bit <= BITS; bit++) store<i32>(stepOfBit + ((bit as usize) << 2), count)
  let seen: u64 = 0
  let areDistinct = true
  for (let k = 0; k < count; k++) {
    const bit = unchecked(sequence.required[k]).bit
    store<u64>(stepBits + ((k as usize) << 3), bit)
    store<i32>(stepOfBit + ((ctz(bit) as usize) << 2), k)
    if ((seen & bit) !== 0) areDistinct = false
    seen |= bit
  }
  return areDistinct
}

/** From the last step to the first, so that one instant serves one step of a chain only. */
function extendDown<T>(bits: u64, at: T, reached: i32, count: i32, within: u64): i32 {
  let now = reached
  for (let k = min(reached, count - 1); k >= 0; k--) {
    if (extend<T>(bits, k, at, within)) now = max(now, k + 1)
  }
  return now
}

/** From the first step to the last: what one step reaches, the next may use at once. */
function extendUp<T>(bits: u64, at: T, reached: i32, count: i32, within: u64): i32 {
  let now = reached
  for (let k = 0; k < count && k <= now; k++) {
    if (extend<T>(bits, k, at, within)) now = max(now, k + 1)
  }
  return now
}

function extend<T>(bits: u64, k: i32, at: T, within: u64): bool {
  if ((bits & load<u64>(stepBits + ((k as usize) << 3))) === 0) return false
  const place = began + ((k as usize) << 3)
  const start = load<T>(place)
  if (!isWithin<T>(start, at, within)) return false
  store<T>(place + 8, start)
  return true
}
