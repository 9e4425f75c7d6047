/** The open column of a row group, as Parquet stores it: its page, its dictionary, which rows have a value, and the values decoded. */
import { isUtf8, PADDING, readDeltas, readEnd, readHybrid } from './encodings'
import { grown, inputStart } from './memory'
import { unpackSnappy } from './snappy'

const INT32: i32 = 1
export const INT64: i32 = 2
export const FLOAT: i32 = 4
const DOUBLE: i32 = 5
const BYTE_ARRAY: i32 = 6

export const PLAIN: i32 = 0
const PLAIN_DICTIONARY: i32 = 2
const DELTA_BINARY_PACKED: i32 = 5
export const DELTA_LENGTH_BYTE_ARRAY: i32 = 6
const RLE_DICTIONARY: i32 = 8
const BYTE_STREAM_SPLIT: i32 = 9

export let physical: i32 = INT64
export let optional: bool = false
let typeLength: i32 = 0
/** Texts that are not UTF-8 are refused. */
let isUnicode: bool = false
/** Rows of the group that the column has filled. */
export let filled: i32 = 0

export let page: usize = 0
let pageRoom: i32 = 0
/** What a page holds: 8 bytes for each of its values. */
export let values: usize = 0
/** By row of a page: 1 where it has a value. */
export let present: usize = 0
let rowRoom: i32 = 0
/** Dictionary: integers, or where each text begins and how long it is. */
export let entries: usize = 0
let entryRoom: i32 = 0
export let entryCount: i32 = 0
let texts: usize = 0
let textRoom: i32 = 0

/** Makes room for the values of a row group. */
export function reserveValues(rows: i32): void {
  if (rows <= rowRoom) return
  values = grown(rows, 8)
  present = grown(rows, 1)
  rowRoom = rows
}

/** Begins a column of the row group. */
export function openChunk(physicalType: i32, length: i32, mayBeNull: bool, unicode: bool): void {
  physical = physicalType
  typeLength = length
  optional = mayBeNull
  isUnicode = unicode
  filled = 0
  entryCount = 0
}

/** Goes on to the rows behind a page. */
export function passRows(rows: i32): void {
  filled += rows
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

/** Takes the page as the column's dictionary; false when it does not hold so many values. */
export function takeDictionary(bytes: i32, count: i32): bool {
  if (count < 0) return false
  if (count > entryRoom) {
    entryRoom = max(count, entryRoom * 2)
    entries = grown(entryRoom, 8)
  }
  entryCount = count
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

export function isText(): bool {
  return physical >= BYTE_ARRAY
}

export function isCoded(encoding: i32): bool {
  return encoding === RLE_DICTIONARY || encoding === PLAIN_DICTIONARY
}

/** Fills `present`; returns how many rows have a value, or -1. */
export function readLevels(from: usize, end: usize, rows: i32): i32 {
  if (!readHybrid(from, end, 1, rows, values, 2)) return -1
  let count = 0
  for (let row = 0; row < rows; row++) {
    const level = load<u32>(values + ((row as usize) << 2))
    store<u8>(present + row, level as u8)
    count += level as i32
  }
  return count
}

export function readCodes(at: usize, end: usize, count: i32, to: usize): bool {
  if (count === 0) return true
  if (at >= end) return false
  return readHybrid(at + 1, end, load<u8>(at), count, to, entryCount)
}

/** Integers and doubles, of 8 bytes each at `to`. */
export function readIntegers(encoding: i32, at: usize, end: usize, count: i32, to: usize): bool {
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

/** Moves `count` values of 8 bytes to the rows that have one; the others keep what they hold. */
export function spread(to: usize, rows: i32, count: i32): void {
  let from = count
  for (let row = rows - 1; row >= 0 && from < row + 1; row--) {
    if (load<u8>(present + row) === 0) continue
    from--
    store<u64>(to + ((row as usize) << 3), load<u64>(to + ((from as usize) << 3)))
  }
}

/** Finds `count` texts: for each an u32 of its beginning and an i32 of its length at `to`. */
export function findTexts(at: usize, end: usize, count: i32, to: usize): bool {
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
export function findMeasuredTexts(from: usize, end: usize, count: i32, to: usize): bool {
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
