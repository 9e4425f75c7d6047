/**
 * Columns of a Parquet row group, decoded straight into the kernel's rows: one column says where an actor begins, one when, and any
 * number add bits to the masks. A column's chunk is opened, its dictionary read if it has one, then its pages in order.
 */
import { isUtf8, PADDING, readDeltas, readEnd, readHybrid } from './encodings'
import { grown, inputStart, masksEnd, reserve, startsEnd, timesEnd } from './memory'
import { beginNumbers, hasTests, testNumbers } from './numbers'
import { actorWords, firstWords, reserveWords, secondWords } from './regroup'
import { hashBytes, hashHigh, hashLow } from './siphash'
import { unpackSnappy } from './snappy'

/** What a column is for. */
const ACTOR: i32 = 0
const TIME: i32 = 1
const MASK: i32 = 2
const NUMBER: i32 = 3

const INT32: i32 = 1
const INT64: i32 = 2
const FLOAT: i32 = 4
const DOUBLE: i32 = 5
const BYTE_ARRAY: i32 = 6

const PLAIN: i32 = 0
const PLAIN_DICTIONARY: i32 = 2
const DELTA_BINARY_PACKED: i32 = 5
const DELTA_LENGTH_BYTE_ARRAY: i32 = 6
const RLE_DICTIONARY: i32 = 8
const BYTE_STREAM_SPLIT: i32 = 9

let page: usize = 0
let pageRoom: i32 = 0
let values: usize = 0
let present: usize = 0
let rowRoom: i32 = 0
/** Dictionary: integers, or where each text begins and how long it is. */
let entries: usize = 0
let entryRoom: i32 = 0
let entryCount: i32 = 0
let texts: usize = 0
let textRoom: i32 = 0
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

let purpose: i32 = ACTOR
let physical: i32 = INT64
let typeLength: i32 = 0
let optional: bool = false
/** Texts that are not UTF-8 are refused. */
let isUnicode: bool = false
/** Rows of the group that the open column has filled. */
let filled: i32 = 0

let hasActor: bool = false
let lastInteger: i64 = 0
let lastText: usize = 0
let lastRoom: i32 = 0
let lastLength: i32 = 0
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
  hasActor = false
  owesStart = false
}

/** Begins a row group. */
export function beginGroup(rows: i32): void {
  reserve(rows)
  if (actorWords > 0) reserveWords(rows)
  if (rows > rowRoom) {
    values = grown(rows, 8)
    present = grown(rows, 1)
    dropped = grown(rows, 1)
    beginNumbers(rows)
    rowRoom = rows
  }
  groupRows = rows
  anyDropped = false
  hasMasks = false
}

/** Begins a column of the row group. `length` is that of texts of fixed length; `unicode` says that they have to be UTF-8. */
export function openColumn(forWhat: i32, physicalType: i32, length: i32, mayBeNull: bool, unicode: bool): void {
  purpose = forWhat
  physical = physicalType
  typeLength = length
  optional = mayBeNull
  isUnicode = unicode
  filled = 0
  entryCount = 0
  hashedEntries = 0
  if (forWhat !== MASK && forWhat !== NUMBER) return
  isFirstMask = !hasMasks
  hasMasks = true
}

/** Room for the bytes of an unpacked page. */
export function pageStart(bytes: i32): usize {
  if (bytes > pageRoom) {
    pageRoom = max(bytes, pageRoom * 2)
    page = grown(pageRoom + PADDING, 1)
  }
  return page
}

/** Unpacks the `packed` bytes at `inputStart` into the page from byte `at` to byte `end`. */
export function unpackPage(packed: i32, at: i32, end: i32): bool {
  const from = inputStart(packed)
  return unpackSnappy(from, from + packed, page + at, end - at)
}

/** Takes the page as the column's dictionary. */
export function readDictionary(bytes: i32, count: i32): bool {
  if (count < 0) return false
  if (count > entryRoom) {
    entryRoom = max(count, entryRoom * 2)
    entries = grown(entryRoom, 8)
  }
  entryCount = count
  hashedEntries = 0
  if (isText()) {
    if (bytes > textRoom) {
      textRoom = max(bytes, textRoom * 2)
      texts = grown(textRoom + PADDING, 1)
    }
    memory.copy(texts, page, bytes)
    return findTexts(texts, texts + bytes, count, entries)
  }
  return readPlainIntegers(page, page + bytes, count, entries)
}

/** How long the `entry`-th text of the dictionary is. */
export function entryLength(entry: i32): i32 {
  return load<i32>(entries + ((entry as usize) << 3) + 4)
}

/** Where the `entry`-th text of the dictionary begins. */
export function entryStart(entry: i32): usize {
  return load<u32>(entries + ((entry as usize) << 3)) as usize
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
  const read =
    purpose === TIME
      ? readTimes(encoding, at, end, rows, count)
      : purpose === MASK
        ? readMasks(encoding, at, end, rows, count)
        : purpose === NUMBER
          ? readNumbers(encoding, at, end, rows, count)
          : readActors(encoding, at, end, rows, count)
  filled += rows
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

function isText(): bool {
  return physical >= BYTE_ARRAY
}

function isCoded(encoding: i32): bool {
  return encoding === RLE_DICTIONARY || encoding === PLAIN_DICTIONARY
}

/** Fills `present`; returns how many rows have a value, or -1. */
function readLevels(from: usize, end: usize, rows: i32): i32 {
  if (!readHybrid(from, end, 1, rows, values, 2)) return -1
  let count = 0
  for (let row = 0; row < rows; row++) {
    const level = load<u32>(values + ((row as usize) << 2))
    store<u8>(present + row, level as u8)
    count += level as i32
  }
  return count
}

/** Marks the rows of the page that have no value. */
function dropAbsent(rows: i32): void {
  if (!anyDropped) memory.fill(dropped, 0, groupRows)
  anyDropped = true
  for (let row = 0; row < rows; row++) if (load<u8>(present + row) === 0) store<u8>(dropped + filled + row, 1)
}

function readCodes(at: usize, end: usize, count: i32, to: usize): bool {
  if (count === 0) return true
  if (at >= end) return false
  return readHybrid(at + 1, end, load<u8>(at), count, to, entryCount)
}

/** Integers and doubles, of 8 bytes each at `to`. */
function readIntegers(encoding: i32, at: usize, end: usize, count: i32, to: usize): bool {
  if (count === 0) return true
  if (encoding === DELTA_BINARY_PACKED) return readDeltas(at, end, count, to) && narrowed(count, to)
  if (encoding === PLAIN) return readPlainIntegers(at, end, count, to)
  if (encoding === BYTE_STREAM_SPLIT) return readSplit(at, end, count, to)
  if (!isCoded(encoding)) return false
  // Codes go to the upper half of where their values will be, so that none is overwritten before it is read.
  const codes = to + ((count as usize) << 2)
  if (!readCodes(at, end, count, codes)) return false
  for (let k = 0; k < count; k++) {
    const code = load<u32>(codes + ((k as usize) << 2)) as usize
    store<i64>(to + ((k as usize) << 3), load<i64>(entries + (code << 3)))
  }
  return true
}

/** Differences of 32-bit integers wrap round in 32 bits. */
function narrowed(count: i32, to: usize): bool {
  if (physical === INT32) {
    for (let k = 0; k < count; k++) {
      const place = to + ((k as usize) << 3)
      store<i64>(place, load<i32>(place) as i64)
    }
  }
  return physical <= INT64
}

function readPlainIntegers(at: usize, end: usize, count: i32, to: usize): bool {
  const width = valueWidth()
  if (width === 0 || (count as usize) * width > end - at) return false
  if (width === 8) {
    memory.copy(to, at, (count as usize) << 3)
    return true
  }
  for (let k: usize = 0; k < (count as usize); k++) storeWide(to + (k << 3), load<u32>(at + (k << 2)))
  return true
}

/** Bytes of a value as it is stored; 0 for types that are no numbers. */
function valueWidth(): usize {
  return physical === INT64 || physical === DOUBLE ? 8 : physical === INT32 || physical === FLOAT ? 4 : 0
}

/** A value of 4 bytes as the kernel takes it: an integer of 8 bytes, or a double. */
function storeWide(to: usize, value: u32): void {
  if (physical === FLOAT) store<f64>(to, reinterpret<f32>(value) as f64)
  else store<i64>(to, value as i32 as i64)
}

/** Values whose first bytes stand together, then their second ones, and so on. */
function readSplit(at: usize, end: usize, count: i32, to: usize): bool {
  // The engine knows this encoding of floats only.
  if (physical !== FLOAT && physical !== DOUBLE) return false
  const width = valueWidth()
  if ((count as usize) * width > end - at) return false
  for (let k: usize = 0; k < (count as usize); k++) {
    let value: u64 = 0
    for (let byte: usize = 0; byte < width; byte++) {
      value |= (load<u8>(at + byte * (count as usize) + k) as u64) << ((byte << 3) as u64)
    }
    if (width === 8) store<u64>(to + (k << 3), value)
    else storeWide(to + (k << 3), value as u32)
  }
  return true
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

/** Moves `count` values of 8 bytes to the rows that have one; the others keep what they hold. */
function spread(to: usize, rows: i32, count: i32): void {
  let from = count
  for (let row = rows - 1; row >= 0 && from < row + 1; row--) {
    if (load<u8>(present + row) === 0) continue
    from--
    store<u64>(to + ((row as usize) << 3), load<u64>(to + ((from as usize) << 3)))
  }
}

function readTimes(encoding: i32, at: usize, end: usize, rows: i32, count: i32): bool {
  const to = timesEnd() + ((filled as usize) << 3)
  if (physical > INT64) return false
  if (!readIntegers(encoding, at, end, count, to)) return false
  if (count < rows) {
    spread(to, rows, count)
    dropAbsent(rows)
  }
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

/** Marks the rows of the page that begin an actor: those whose actor is another than the one before. Or keeps the words of each. */
function readActors(encoding: i32, at: usize, end: usize, rows: i32, count: i32): bool {
  if (physical > INT64 && !isText()) return false
  if (count < rows) dropAbsent(rows)
  if (actorWords > 0) return keepWords(encoding, at, end, rows, count)
  if (isCoded(encoding)) return readCodes(at, end, count, values) && markCodes(rows, count)
  if (!isText()) return readIntegers(encoding, at, end, count, values) && markPlaces(rows, count)
  if (encoding === PLAIN) return findTexts(at, end, count, values) && markPlaces(rows, count)
  if (encoding === DELTA_LENGTH_BYTE_ARRAY) return findMeasuredTexts(at, end, count, values) && markPlaces(rows, count)
  return false
}

/** Integers are their own words; a text's are its hash, which for a dictionary is taken once for each entry. */
function keepWords(encoding: i32, at: usize, end: usize, rows: i32, count: i32): bool {
  if ((actorWords === 2) !== isText()) return false
  const words = firstWords + ((filled as usize) << 3)
  if (!isText()) {
    if (!readIntegers(encoding, at, end, count, words)) return false
    if (count < rows) spread(words, rows, count)
    return true
  }
  const coded = isCoded(encoding)
  if (coded) {
    if (!readCodes(at, end, count, values)) return false
    hashEntries()
  } else if (
    encoding === PLAIN
      ? !findTexts(at, end, count, values)
      : encoding !== DELTA_LENGTH_BYTE_ARRAY || !findMeasuredTexts(at, end, count, values)
  ) {
    return false
  }
  const seconds = secondWords + ((filled as usize) << 3)
  let next: usize = 0
  for (let row = 0; row < rows; row++) {
    if (count < rows && load<u8>(present + row) === 0) continue
    const to = (row as usize) << 3
    if (coded) {
      const entry = entryHashes + ((load<u32>(values + (next << 2)) as usize) << 4)
      store<u64>(words + to, load<u64>(entry))
      store<u64>(seconds + to, load<u64>(entry + 8))
    } else {
      hashBytes(load<u32>(values + (next << 3)), load<u32>(values + (next << 3) + 4))
      store<u64>(words + to, hashLow)
      store<u64>(seconds + to, hashHigh)
    }
    next++
  }
  return true
}

let entryHashes: usize = 0
let entryHashRoom: i32 = 0
/** Entries of the open column's dictionary that are hashed. */
let hashedEntries: i32 = 0

function hashEntries(): void {
  if (entryCount > entryHashRoom) {
    entryHashRoom = max(entryCount, entryHashRoom * 2)
    entryHashes = grown(entryHashRoom, 16)
    hashedEntries = 0
  }
  for (; hashedEntries < entryCount; hashedEntries++) {
    hashBytes(entryStart(hashedEntries), entryLength(hashedEntries))
    const place = entryHashes + ((hashedEntries as usize) << 4)
    store<u64>(place, hashLow)
    store<u64>(place + 8, hashHigh)
  }
}

function markCodes(rows: i32, count: i32): bool {
  const starts = startsEnd() + filled
  let next = values
  let last: u32 = 0xffffffff
  for (let row = 0; row < rows; row++) {
    store<u8>(starts + row, 0)
    if (count < rows && load<u8>(present + row) === 0) continue
    const code = load<u32>(next)
    next += 4
    if (code === last) continue
    last = code
    if (isOther(entries + ((code as usize) << 3))) store<u8>(starts + row, 1)
  }
  return true
}

function markPlaces(rows: i32, count: i32): bool {
  const starts = startsEnd() + filled
  let next = values
  for (let row = 0; row < rows; row++) {
    store<u8>(starts + row, 0)
    if (count < rows && load<u8>(present + row) === 0) continue
    if (isOther(next)) store<u8>(starts + row, 1)
    next += 8
  }
  return true
}

/** Whether the integer or text at `place` differs from the actor before, which it then replaces. */
function isOther(place: usize): bool {
  if (isText()) return isOtherText(place)
  const actor = load<i64>(place)
  if (hasActor && actor === lastInteger) return false
  lastInteger = actor
  hasActor = true
  return true
}

function isOtherText(place: usize): bool {
  const length = load<i32>(place + 4)
  if (hasActor && length === lastLength && memory.compare(load<u32>(place), lastText, length) === 0) return false
  if (length > lastRoom) {
    lastRoom = max(length, lastRoom * 2)
    lastText = grown(lastRoom, 1)
  }
  memory.copy(lastText, load<u32>(place), length)
  lastLength = length
  hasActor = true
  return true
}

/** Finds `count` texts: for each an u32 of its beginning and an i32 of its length at `to`. */
function findTexts(at: usize, end: usize, count: i32, to: usize): bool {
  for (let k = 0; k < count; k++) {
    let length: u32 = typeLength
    if (physical === BYTE_ARRAY) {
      if (at + 4 > end) return false
      length = load<u32>(at)
      at += 4
    }
    if ((length as usize) > end - at) return false
    if (isUnicode && !isUtf8(at, at + length)) return false
    store<u32>(to + ((k as usize) << 3), at as u32)
    store<u32>(to + ((k as usize) << 3) + 4, length)
    at += length
  }
  return true
}

/** The same for texts whose lengths stand before them all. */
function findMeasuredTexts(from: usize, end: usize, count: i32, to: usize): bool {
  if (count === 0) return true
  if (!readDeltas(from, end, count, to)) return false
  let at = readEnd()
  for (let k = 0; k < count; k++) {
    const place = to + ((k as usize) << 3)
    const length = load<u32>(place)
    if ((length as usize) > end - at) return false
    if (isUnicode && !isUtf8(at, at + length)) return false
    store<u32>(place, at as u32)
    store<u32>(place + 4, length)
    at += length
  }
  return true
}
