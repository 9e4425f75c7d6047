/**
 * Steps in any order: is there, for the first k steps, a choice of different items (instants, or rows where ties are allowed) inside one
 * window? The most recent basis of a transversal matroid is kept as items come: of all choices it has the latest oldest item.
 */
import { isWithin, maskAt, NONE, timeAt } from './memory'
import { Sequence } from './program'

const STEPS: i32 = 16
/** For each step the item that is matched to it, what steps that item could serve, and from which step the search came. */
const matched = new StaticArray<i32>(STEPS)
const serves = new StaticArray<u32>(STEPS)
const parent = new StaticArray<i32>(STEPS)

/** The greatest k such that the first k steps are passed by the items [0, count). */
export function anyLevel<T>(sequence: Sequence, times: usize, masks: usize, count: i32): i32 {
  let low = 0
  let high = sequence.required.length
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (fits<T>(sequence, middle, times, masks, count)) low = middle
    else high = middle - 1
  }
  return low
}

function fits<T>(sequence: Sequence, steps: i32, times: usize, masks: usize, count: i32): bool {
  for (let step = 0; step < steps; step++) matched[step] = NONE
  let size = 0
  for (let item = 0; item < count; item++) {
    const able = stepsOf(sequence, steps, maskAt(masks, item))
    if (able === 0) continue
    if (add(steps, item, able)) size++
    if (size < steps) continue
    if (!sequence.hasWithin) return true
    let oldest = item
    for (let step = 0; step < steps; step++) oldest = min(oldest, matched[step])
    if (isWithin<T>(timeAt<T>(times, oldest), timeAt<T>(times, item), sequence.within)) return true
  }
  return false
}

function stepsOf(sequence: Sequence, steps: i32, mask: u64): u32 {
  let able: u32 = 0
  for (let step = 0; step < steps; step++) {
    if ((mask & sequence.required[step].bit) !== 0) able |= (1 as u32) << step
  }
  return able
}

/** Adds an item: to a free step if one can be reached by moving others, else in the place of the oldest item that it can displace. True when it found a free one. */
function add(steps: i32, item: i32, able: u32): bool {
  let seen: u32 = able
  let open: u32 = able
  for (let step = 0; step < steps; step++) parent[step] = NONE
  let target = NONE
  while (open !== 0) {
    const step = ctz(open) as i32
    open &= open - 1
    if (matched[step] === NONE) {
      move(step, item, able)
      return true
    }
    if (target === NONE || matched[step] < matched[target]) target = step
    const further = serves[step] & ~seen
    for (let rest = further; rest !== 0; rest &= rest - 1) parent[ctz(rest) as i32] = step
    seen |= further
    open |= further
  }
  move(target, item, able)
  return false
}

/** Gives `target` the item of the step that the search came from, that one the item of the step before, and the first one the new item. */
function move(target: i32, item: i32, able: u32): void {
  let step = target
  while (parent[step] !== NONE) {
    const from = parent[step]
    matched[step] = matched[from]
    serves[step] = serves[from]
    step = from
  }
  matched[step] = item
  serves[step] = able
}
