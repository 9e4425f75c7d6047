/**
 * Columns of a Parquet row group, decoded straight into the kernel's rows: one column says where an actor begins, one when, and any
 * number add bits to the masks. A column's chunk is opened, its dictionary read if it has one, then its pages in order.
 */
import { beginActors, forgetHashes, readActors } from './actors'
import {
  entryCount,
  FLOAT,
  filled,
  INT64,
  isCoded,
  openChunk,
  optional,
  page,
  passRows,
  physical,
  present,
  readCodes,
  readIntegers,
  readLevels,
  reserveValues,
  spread,
  takeDictionary,
  values,
} from './chunk'
import { grown, masksEnd, reserve, startsEnd, timesEnd } from './memory'
import { beginNumbers, hasTests, testNumbers } from './numbers'
import { actorWords, firstWords, reserveWords, secondWords } from './regroup'

export { entryLength, entryStart, pageStart, unpackPage } from './chunk'

/** What a column is for. */
const ACTOR: i32 = 0
const TIME: i32 = 1
const MASK: i32 = 2
const NUMBER: i32 = 3

/** Mask bits of each dictionary entry, and behind them those of null. */
let table: usize = 0
let tableRoom: i32 = 0

let groupRows: i32 = 0
/** A column of the group has given masks. */
let hasMasks: bool = false
/** The open column is the first to do so: it need not add to what is there. */
let isFirstMask: bool = false
let anyDropped: bool = false
let dropped: usize = 0
let droppedRoom: i32 = 0

let purpose: i32 = ACTOR
/** The next row that is kept begins an actor, since the row that did was left out. */
let owesStart: bool = false

let hasFrom: bool = false
let hasTo: bool = false
let timesFrom: i64 = 0
let timesTo: i64 = 0
let combined: usize = 0

/** Rows are kept from `from` on and before `to`. */
export function setTimeframe(withFrom: bool, from: i64, withTo: bool, to: i64): void {
  hasFrom = withFrom
  hasTo = withTo
  timesFrom = from
  timesTo = to
}

/** Room for one mask (u64) for each value that the bits of the mask columns together can take; when it is not asked for, those bits are the mask. */
export function combinationsRoom(count: i32): usize {
  combined = heap.alloc((count as usize) << 3)
  return combined
}

/** Begins a task: its first row begins an actor. */
export function beginTask(): void {
  beginActors()
  owesStart = false
}

/** Begins a row group. */
export function beginGroup(rows: i32): void {
  reserve(rows)
  if (actorWords > 0) reserveWords(rows)
  reserveValues(rows)
  if (rows > droppedRoom) {
    dropped = grown(rows, 1)
    beginNumbers(rows)
    droppedRoom = rows
  }
  groupRows = rows
  anyDropped = false
  hasMasks = false
}

/** Begins a column of the row group. `length` is that of texts of fixed length; `unicode` says that they have to be UTF-8. */
export function openColumn(forWhat: i32, physicalType: i32, length: i32, mayBeNull: bool, unicode: bool): void {
  purpose = forWhat
  openChunk(physicalType, length, mayBeNull, unicode)
  forgetHashes()
  if (forWhat !== MASK && forWhat !== NUMBER) return
  isFirstMask = !hasMasks
  hasMasks = true
}

/** Takes the page as the column's dictionary; false when it does not hold so many values. */
export function readDictionary(bytes: i32, count: i32): bool {
  forgetHashes()
  return takeDictionary(bytes, count)
}

/** Room for the mask (u64) of each entry of the dictionary, and behind them that of null. */
export function tableStart(count: i32): usize {
  if (count > tableRoom) {
    tableRoom = max(count, tableRoom * 2)
    table = grown(tableRoom, 8)
  }
  return table
}

/**
 * Decodes a page of `rows` rows. Levels stand in [0, levelsEnd), values behind them; a negative `levelsEnd` says that levels come with
 * their length in front of them. False when the page is damaged or of an encoding that is not known.
 */
export function readPage(encoding: i32, rows: i32, levelsEnd: i32, bytes: i32): bool {
  if (rows < 0 || rows > groupRows - filled) return false
  const end = page + bytes
  let at = page + max(levelsEnd, 0)
  if (at > end) return false
  let count = rows
  if (optional) {
    let levels = page
    if (levelsEnd < 0) {
      if (bytes < 4) return false
      const length = load<u32>(page)
      if (length > ((bytes - 4) as u32)) return false
      levels = page + 4
      at = levels + length
    }
    count = readLevels(levels, at, rows)
    if (count < 0) return false
  }
  if (count < rows && (purpose === TIME || purpose === ACTOR)) dropAbsent(rows)
  const read =
    purpose === TIME
      ? readTimes(encoding, at, end, rows, count)
      : purpose === MASK
        ? readMasks(encoding, at, end, rows, count)
        : purpose === NUMBER
          ? readNumbers(encoding, at, end, rows, count)
          : readActors(encoding, at, end, rows, count)
  passRows(rows)
  return read
}

/** True when the open column has a value or null for every row of the group. */
export function isFilled(): bool {
  return filled === groupRows
}

/** Ends a row group: rows without actor or time and those outside of the timeframe are left out. Returns how many stay. */
export function endGroup(): i32 {
  const starts = startsEnd()
  const times = timesEnd()
  const masks = masksEnd()
  if (!hasMasks) memory.fill(masks, 0, (groupRows as usize) << 3)
  if (combined !== 0) {
    for (let row = 0; row < groupRows; row++) {
      const place = masks + ((row as usize) << 3)
      store<u64>(place, load<u64>(combined + ((load<u64>(place) as usize) << 3)))
    }
  }
  if (!anyDropped && !hasFrom && !hasTo && !owesStart) return groupRows
  let kept = 0
  for (let row = 0; row < groupRows; row++) {
    const time = load<i64>(times + ((row as usize) << 3))
    if (load<u8>(starts + row) !== 0) owesStart = true
    if (anyDropped && load<u8>(dropped + row) !== 0) continue
    if ((hasFrom && time < timesFrom) || (hasTo && time >= timesTo)) continue
    if (actorWords > 0) moveWords(row, kept)
    store<u8>(starts + kept, owesStart ? 1 : 0)
    store<i64>(times + ((kept as usize) << 3), time)
    store<u64>(masks + ((kept as usize) << 3), load<u64>(masks + ((row as usize) << 3)))
    owesStart = false
    kept++
  }
  return kept
}

function moveWords(from: i32, to: i32): void {
  store<u64>(firstWords + ((to as usize) << 3), load<u64>(firstWords + ((from as usize) << 3)))
  if (actorWords === 2) store<u64>(secondWords + ((to as usize) << 3), load<u64>(secondWords + ((from as usize) << 3)))
}

/** Marks the rows of the page that have no value. */
function dropAbsent(rows: i32): void {
  if (!anyDropped) memory.fill(dropped, 0, groupRows)
  anyDropped = true
  for (let row = 0; row < rows; row++) if (load<u8>(present + row) === 0) store<u8>(dropped + filled + row, 1)
}

function readNumbers(encoding: i32, at: usize, end: usize, rows: i32, count: i32): bool {
  if (!hasTests() || !readIntegers(encoding, at, end, count, values)) return false
  if (count < rows) spread(values, rows, count)
  testNumbers(
    physical >= FLOAT,
    values,
    count < rows ? present : 0,
    rows,
    masksEnd() + ((filled as usize) << 3),
    isFirstMask,
  )
  return true
}

function readTimes(encoding: i32, at: usize, end: usize, rows: i32, count: i32): bool {
  const to = timesEnd() + ((filled as usize) << 3)
  if (physical > INT64) return false
  if (!readIntegers(encoding, at, end, count, to)) return false
  if (count < rows) spread(to, rows, count)
  return true
}

function readMasks(encoding: i32, at: usize, end: usize, rows: i32, count: i32): bool {
  if (count > 0 && !isCoded(encoding)) return false
  if (!readCodes(at, end, count, values)) return false
  const to = masksEnd() + ((filled as usize) << 3)
  if (count < rows) {
    let next = count
    for (let row = rows - 1; row >= 0; row--) {
      const code = load<u8>(present + row) === 0 ? (entryCount as u32) : load<u32>(values + ((--next as usize) << 2))
      store<u32>(values + ((row as usize) << 2), code)
    }
  }
  for (let row: usize = 0; row < (rows as usize); row++) {
    const bits = load<u64>(table + ((load<u32>(values + (row << 2)) as usize) << 3))
    const place = to + (row << 3)
    store<u64>(place, isFirstMask ? bits : load<u64>(place) | bits)
  }
  return true
}
