/** Plain sequences (order, window, and ties but distinct rows) over rows as they stand: one pass with a few numbers of state. */
import { isWithin, maskAt, timeAt } from './memory'
import { Sequence, TIES_SAME_ROW } from './program'

/** For each step the time at which the latest chain that reaches it began; valid below `reached`. */
let began: usize = 0
let room: i32 = 0

/** The number of steps passed by the rows [from, to). */
export function plainLevel<T>(sequence: Sequence, times: usize, masks: usize, from: i32, to: i32): i32 {
  const steps = sequence.required
  const count = steps.length
  if (count > room) {
    began = heap.alloc(count << 3)
    room = count
  }
  const sameRow = sequence.ties === TIES_SAME_ROW
  let reached = 0
  for (let row = from; row < to; ) {
    const at = timeAt<T>(times, row)
    let mask = maskAt(masks, row)
    row++
    while (row < to && timeAt<T>(times, row) === at) {
      mask |= maskAt(masks, row)
      row++
    }
    if (mask === 0) continue
    reached = sameRow ? extendUp<T>(sequence, mask, at, reached) : extendDown<T>(sequence, mask, at, reached)
    // Without a window the chain that got furthest has nothing to gain.
    if (reached === count) return count
  }
  return reached
}

/** From the last step to the first, so that one instant serves one step of a chain only. */
function extendDown<T>(sequence: Sequence, mask: u64, at: T, reached: i32): i32 {
  const steps = sequence.required
  let now = reached
  for (let k = min(reached, steps.length - 1); k >= 0; k--) {
    if ((mask & unchecked(steps[k]).bit) !== 0 && extend<T>(sequence, k, at)) now = max(now, k + 1)
  }
  return now
}

/** From the first step to the last: what one step reaches, the next may use at once. */
function extendUp<T>(sequence: Sequence, mask: u64, at: T, reached: i32): i32 {
  const steps = sequence.required
  let now = reached
  for (let k = 0; k < steps.length && k <= now; k++) {
    if ((mask & unchecked(steps[k]).bit) !== 0 && extend<T>(sequence, k, at)) now = max(now, k + 1)
  }
  return now
}

function extend<T>(sequence: Sequence, k: i32, at: T): bool {
  const place = began + ((k as usize) << 3)
  if (k === 0) {
    store<T>(place, at)
    return true
  }
  const start = load<T>(place - 8)
  if (sequence.hasWithin && !isWithin<T>(start, at, sequence.within)) return false
  store<T>(place, start)
  return true
}
