/**
 * Rows of unsorted files: each row group is cut by a hash of its actors, and the rows of one part, from whichever files, are brought
 * into the order that the kernel wants: grouped by actor, ascending in time.
 *
 * An actor is one or two words: an integer, or the hash of a text.
 */
import { grown, masksEnd, reserve, startsEnd, timesEnd } from './memory'

/** 0 when actors are not kept as words: the rows come sorted. */
export let actorWords: i32 = 0

/** The words of the actors of a row group; the second only where there are two. */
export let firstWords: usize = 0
export let secondWords: usize = 0
let room: i32 = 0

/** Rows of a part, or of a row group in the order of its parts. */
let partFirst: usize = 0
let partSecond: usize = 0
let partTimes: usize = 0
let partMasks: usize = 0
let partRoom: i32 = 0

/** By row of a row group: the part that it belongs to. */
let partOfRow: usize = 0
let offsets: usize = 0
let partsRoom: i32 = 0

/** Keeps actors as so many words from now on. */
export function keepActors(words: i32): void {
  actorWords = words
}

export function reserveWords(rows: i32): void {
  if (rows <= room) return
  firstWords = grown(rows, 8)
  if (actorWords === 2) secondWords = grown(rows, 8)
  partOfRow = grown(rows, 2)
  room = rows
}

/** Room for the rows of a part; what was in it is lost. */
export function reservePart(rows: i32): void {
  if (rows <= partRoom) return
  partRoom = max(rows, partRoom + (partRoom >> 1))
  partFirst = grown(partRoom, 8)
  if (actorWords === 2) partSecond = grown(partRoom, 8)
  partTimes = grown(partRoom, 8)
  partMasks = grown(partRoom, 8)
}

export function partFirstStart(): usize {
  return partFirst
}
export function partSecondStart(): usize {
  return partSecond
}
export function partTimesStart(): usize {
  return partTimes
}
export function partMasksStart(): usize {
  return partMasks
}
/** Where each part begins among the rows that were cut (i32), and behind the last where it ends. */
export function offsetsStart(): usize {
  return offsets
}

/** Arranges the `count` rows of the row group by the part (of 2^bits) that their actor belongs to; masks take `width` bytes. */
export function cut(count: i32, bits: i32, width: i32): void {
  const parts = 1 << bits
  if (parts > partsRoom) {
    offsets = grown(parts + 2, 4)
    partsRoom = parts
  }
  reservePart(count)
  memory.fill(offsets, 0, ((parts + 2) as usize) << 2)
  const shift = (64 - bits) as u64
  for (let row: usize = 0; row < (count as usize); row++) {
    const part = bits === 0 ? 0 : ((mixed(load<u64>(firstWords + (row << 3))) >> shift) as usize)
    store<u16>(partOfRow + (row << 1), part as u16)
    const place = offsets + (part << 2) + 8
    store<i32>(place, load<i32>(place) + 1)
  }
  for (let part = 2; part <= parts; part++) {
    const place = offsets + ((part as usize) << 2)
    store<i32>(place, load<i32>(place) + load<i32>(place - 4))
  }
  // Offset p + 1 is where the next row of part p goes, and in the end where part p + 1 begins.
  const times = timesEnd()
  const masks = masksEnd()
  for (let row: usize = 0; row < (count as usize); row++) {
    const place = offsets + ((load<u16>(partOfRow + (row << 1)) as usize) << 2) + 4
    const to = load<i32>(place) as usize
    store<i32>(place, (to as i32) + 1)
    store<u64>(partFirst + (to << 3), load<u64>(firstWords + (row << 3)))
    if (actorWords === 2) store<u64>(partSecond + (to << 3), load<u64>(secondWords + (row << 3)))
    store<u64>(partTimes + (to << 3), load<u64>(times + (row << 3)))
    storeMask(partMasks, to, width, load<u64>(masks + (row << 3)))
  }
}

/** All bits of a word in all bits. Source: Appleby, MurmurHash3's finalizer. */
function mixed(word: u64): u64 {
  word = (word ^ (word >> 33)) * 0xff51afd7ed558ccd
  word = (word ^ (word >> 33)) * 0xc4ceb9fe1a85ec53
  return word ^ (word >> 33)
}

function storeMask(masks: usize, row: usize, width: i32, mask: u64): void {
  if (width === 1) store<u8>(masks + row, mask as u8)
  else if (width === 2) store<u16>(masks + (row << 1), mask as u16)
  else if (width === 4) store<u32>(masks + (row << 2), mask as u32)
  else store<u64>(masks + (row << 3), mask)
}

function loadMask(masks: usize, row: usize, width: i32): u64 {
  if (width === 1) return load<u8>(masks + row) as u64
  if (width === 2) return load<u16>(masks + (row << 1)) as u64
  if (width === 4) return load<u32>(masks + (row << 2)) as u64
  return load<u64>(masks + (row << 3))
}

/** Open addressing: a place is the number of an actor and one more, 0 when it is free. */
let slots: usize = 0
let slotBits: i32 = 0
const FEWEST_SLOT_BITS: i32 = 12
/** By number of an actor: its words, and how many rows it has, later where its next row goes. */
let actorFirst: usize = 0
let actorSecond: usize = 0
let actorRows: usize = 0
let actorRoom: i32 = 0
/** By row: the number of its actor. */
let actorOf: usize = 0
let actorOfRoom: i32 = 0

/** Brings the `count` rows of a part into the kernel's order, behind its pending rows. */
export function regroup(count: i32, width: i32): void {
  reserve(count)
  if (count > actorOfRoom) {
    actorOfRoom = partRoom
    actorOf = grown(partRoom, 4)
    coarseActors = grown(partRoom, 4)
    coarseTimes = grown(partRoom, 8)
    coarseMasks = grown(partRoom, 8)
  }
  const actors = numberActors(count)
  sortCoarsely(count, width)
  const starts = startsEnd()
  const times = timesEnd()
  const masks = masksEnd()
  memory.fill(starts, 0, count)
  let at = 0
  for (let actor = 0; actor < actors; actor++) {
    const place = actorRows + ((actor as usize) << 2)
    const size = load<i32>(place)
    store<i32>(place, at)
    store<u8>(starts + at, 1)
    at += size
  }
  for (let row: usize = 0; row < (count as usize); row++) {
    const place = actorRows + ((load<u32>(coarseActors + (row << 2)) as usize) << 2)
    const to = load<i32>(place) as usize
    store<i32>(place, (to as i32) + 1)
    store<u64>(times + (to << 3), load<u64>(coarseTimes + (row << 3)))
    store<u64>(masks + (to << 3), load<u64>(coarseMasks + (row << 3)))
  }
  let from = 0
  for (let actor = 0; actor < actors; actor++) {
    const to = load<i32>(actorRows + ((actor as usize) << 2))
    sortByTime(times, masks, from, to)
    from = to
  }
}

const COARSE_BITS: i32 = 11
const coarseCounts: usize = heap.alloc((1 << COARSE_BITS) << 2)
let coarseActors: usize = 0
let coarseTimes: usize = 0
let coarseMasks: usize = 0

/** Orders the rows of a part by the upper bits of their times, so that little is left to do for each actor. */
function sortCoarsely(count: i32, width: i32): void {
  let least = i64.MAX_VALUE
  let greatest = i64.MIN_VALUE
  for (let row: usize = 0; row < (count as usize); row++) {
    const time = load<i64>(partTimes + (row << 3))
    least = min(least, time)
    greatest = max(greatest, time)
  }
  const spanBits = 64 - clz<u64>((greatest as u64) - (least as u64))
  const shift = max<u64>(spanBits, COARSE_BITS) - COARSE_BITS
  memory.fill(coarseCounts, 0, (1 << COARSE_BITS) << 2)
  for (let row: usize = 0; row < (count as usize); row++) {
    const place = coarseCounts + coarseOf(load<i64>(partTimes + (row << 3)), least, shift)
    store<i32>(place, load<i32>(place) + 1)
  }
  let at = 0
  for (let digit: usize = 0; digit < 1 << COARSE_BITS; digit++) {
    const place = coarseCounts + (digit << 2)
    const size = load<i32>(place)
    store<i32>(place, at)
    at += size
  }
  for (let row: usize = 0; row < (count as usize); row++) {
    const time = load<i64>(partTimes + (row << 3))
    const place = coarseCounts + coarseOf(time, least, shift)
    const to = load<i32>(place) as usize
    store<i32>(place, (to as i32) + 1)
    store<i64>(coarseTimes + (to << 3), time)
    store<u64>(coarseMasks + (to << 3), loadMask(partMasks, row, width))
    store<u32>(coarseActors + (to << 2), load<u32>(actorOf + (row << 2)))
  }
}

function coarseOf(time: i64, least: i64, shift: u64): usize {
  return ((((time as u64) - (least as u64)) >> shift) << 2) as usize
}

/** Numbers the actors of a part in the order of their first rows, and counts the rows of each. Returns how many there are. */
function numberActors(count: i32): i32 {
  if (slotBits === 0) makeSlots(FEWEST_SLOT_BITS)
  memory.fill(slots, 0, (1 as usize) << (slotBits + 2))
  let actors = 0
  for (let row: usize = 0; row < (count as usize); row++) {
    const first = load<u64>(partFirst + (row << 3))
    const second = actorWords === 2 ? load<u64>(partSecond + (row << 3)) : 0
    let slot = findSlot(first, second)
    let number = load<i32>(slot) - 1
    if (number < 0) {
      if (actors >= 1 << (slotBits - 1)) {
        growSlots(actors)
        slot = findSlot(first, second)
      }
      number = actors++
      addActor(number, first, second)
      store<i32>(slot, actors)
    }
    const place = actorRows + ((number as usize) << 2)
    store<i32>(place, load<i32>(place) + 1)
    store<i32>(actorOf + (row << 2), number)
  }
  return actors
}

function findSlot(first: u64, second: u64): usize {
  const last = ((1 as usize) << slotBits) - 1
  // Parts are made of the upper bits.
  let k = (mixed(first) as usize) & last
  let number = load<i32>(slots + (k << 2)) - 1
  while (number >= 0 && !isActor(number, first, second)) {
    k = (k + 1) & last
    number = load<i32>(slots + (k << 2)) - 1
  }
  return slots + (k << 2)
}

function isActor(number: i32, first: u64, second: u64): bool {
  const place = (number as usize) << 3
  return load<u64>(actorFirst + place) === first && (actorWords < 2 || load<u64>(actorSecond + place) === second)
}

function makeSlots(bits: i32): void {
  slotBits = bits
  slots = grown(1 << bits, 4)
}

function growSlots(actors: i32): void {
  makeSlots(slotBits + 1)
  memory.fill(slots, 0, (1 as usize) << (slotBits + 2))
  for (let number = 0; number < actors; number++) {
    const place = (number as usize) << 3
    const second = actorWords === 2 ? load<u64>(actorSecond + place) : 0
    store<i32>(findSlot(load<u64>(actorFirst + place), second), number + 1)
  }
}

function addActor(number: i32, first: u64, second: u64): void {
  if (number >= actorRoom) {
    const size = max(1 << FEWEST_SLOT_BITS, actorRoom * 2)
    actorFirst = moved(actorFirst, size, 8)
    if (actorWords === 2) actorSecond = moved(actorSecond, size, 8)
    actorRows = moved(actorRows, size, 4)
    actorRoom = size
  }
  store<u64>(actorFirst + ((number as usize) << 3), first)
  if (actorWords === 2) store<u64>(actorSecond + ((number as usize) << 3), second)
  store<i32>(actorRows + ((number as usize) << 2), 0)
}

function moved(from: usize, size: i32, width: i32): usize {
  const to = grown(size, width)
  memory.copy(to, from, (actorRoom as usize) * width)
  return to
}

/** Runs that are sorted by insertion; they come nearly in order. */
const SHORT: i32 = 4096
/** Moves for each row after which a run is not nearly in order: one time far off the others makes the coarse order too coarse. */
const MOVES: i32 = 32

/** Sorts the rows [from, to) by time; rows of one time may come in any order. */
function sortByTime(times: usize, masks: usize, from: i32, to: i32): void {
  if (to - from > SHORT) {
    sortByDigits(times, masks, from, to)
    return
  }
  let movesLeft = (to - from) * MOVES
  for (let row = from + 1; row < to; row++) {
    if (movesLeft < 0) {
      sortByDigits(times, masks, from, to)
      return
    }
    const time = load<i64>(times + ((row as usize) << 3))
    const mask = load<u64>(masks + ((row as usize) << 3))
    let at = row
    for (; at > from; at--) {
      const before = load<i64>(times + ((at as usize) << 3) - 8)
      if (before <= time) break
      store<i64>(times + ((at as usize) << 3), before)
      store<u64>(masks + ((at as usize) << 3), load<u64>(masks + ((at as usize) << 3) - 8))
    }
    store<i64>(times + ((at as usize) << 3), time)
    store<u64>(masks + ((at as usize) << 3), mask)
    movesLeft -= row - at
  }
}

const DIGIT_BITS: i32 = 8
const digitCounts: usize = heap.alloc((1 << DIGIT_BITS) << 2)
let otherTimes: usize = 0
let otherMasks: usize = 0
let otherRoom: i32 = 0

/** By the digits of the distance from the least time, the lowest first. */
function sortByDigits(times: usize, masks: usize, from: i32, to: i32): void {
  const count = to - from
  if (count > otherRoom) {
    otherRoom = max(count, otherRoom * 2)
    otherTimes = grown(otherRoom, 8)
    otherMasks = grown(otherRoom, 8)
  }
  let fromTimes = times + ((from as usize) << 3)
  let fromMasks = masks + ((from as usize) << 3)
  let least = i64.MAX_VALUE
  let greatest = i64.MIN_VALUE
  for (let row: usize = 0; row < (count as usize); row++) {
    const time = load<i64>(fromTimes + (row << 3))
    least = min(least, time)
    greatest = max(greatest, time)
  }
  const span = (greatest as u64) - (least as u64)
  let toTimes = otherTimes
  let toMasks = otherMasks
  for (let shift: u64 = 0; shift < 64 && span >> shift !== 0; shift += DIGIT_BITS) {
    moveByDigit(fromTimes, fromMasks, toTimes, toMasks, count, least, shift)
    let swap = fromTimes
    fromTimes = toTimes
    toTimes = swap
    swap = fromMasks
    fromMasks = toMasks
    toMasks = swap
  }
  if (fromTimes !== otherTimes) return
  memory.copy(toTimes, otherTimes, (count as usize) << 3)
  memory.copy(toMasks, otherMasks, (count as usize) << 3)
}

function moveByDigit(
  fromTimes: usize,
  fromMasks: usize,
  toTimes: usize,
  toMasks: usize,
  count: i32,
  least: i64,
  shift: u64,
): void {
  memory.fill(digitCounts, 0, (1 << DIGIT_BITS) << 2)
  for (let row: usize = 0; row < (count as usize); row++) {
    const place = digitCounts + digitOf(load<i64>(fromTimes + (row << 3)), least, shift)
    store<i32>(place, load<i32>(place) + 1)
  }
  let at = 0
  for (let digit: usize = 0; digit < 1 << DIGIT_BITS; digit++) {
    const place = digitCounts + (digit << 2)
    const size = load<i32>(place)
    store<i32>(place, at)
    at += size
  }
  for (let row: usize = 0; row < (count as usize); row++) {
    const time = load<i64>(fromTimes + (row << 3))
    const place = digitCounts + digitOf(time, least, shift)
    const to = load<i32>(place) as usize
    store<i32>(place, (to as i32) + 1)
    store<i64>(toTimes + (to << 3), time)
    store<u64>(toMasks + (to << 3), load<u64>(fromMasks + (row << 3)))
  }
}

function digitOf(time: i64, least: i64, shift: u64): usize {
  return (((((time as u64) - (least as u64)) >> shift) & ((1 << DIGIT_BITS) - 1)) as usize) << 2
}
