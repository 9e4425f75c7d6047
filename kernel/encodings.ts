/**
 * Parquet's encodings of numbers and of dictionary codes. Every reader takes a range of bytes and a number of values, and gives false
 * when the bytes do not hold them. Reads may pass the end of a range by up to 16 bytes, so ranges have that much room behind them.
 * Source: apache/parquet-format, Encodings.md.
 */

/** Bytes that may be read behind a range. */
export const PADDING: i32 = 16

let cursor: usize = 0
let limit: usize = 0
let failed: bool = false

function begin(from: usize, end: usize): void {
  cursor = from
  limit = end
  failed = false
}

function readVarint(): u64 {
  let value: u64 = 0
  for (let shift: u64 = 0; shift < 64; shift += 7) {
    if (cursor >= limit) break
    const byte = load<u8>(cursor++) as u64
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return value
  }
  failed = true
  return 0
}

function readZigzag(): i64 {
  const value = readVarint()
  return ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/** Where the last reader stopped. */
export function readEnd(): usize {
  return cursor
}

/** `count` unsigned integers of up to 32 bits from runs and bit-packed groups, as u32 at `to`; each is below `bound`. */
export function readHybrid(from: usize, end: usize, width: i32, count: i32, to: usize, bound: u32): bool {
  begin(from, end)
  if (width > 32) return false
  const bytes = (width + 7) >> 3
  let done = 0
  while (done < count) {
    const header = readVarint()
    if (failed || header < 2 || header > 0xffffffff) return false
    if ((header & 1) === 0) {
      const run = min((header >> 1) as i64, (count - done) as i64) as i32
      if (cursor + bytes > limit) return false
      const value = lowBytes(cursor, bytes)
      cursor += bytes
      if (value >= bound) return false
      for (let k = 0; k < run; k++) store<u32>(to + (((done + k) as usize) << 2), value)
      done += run
    } else {
      const groups = (header >> 1) as i64
      if (groups * width > ((limit - cursor) as i64)) return false
      const packed = min(groups << 3, (count - done) as i64) as i32
      if (!unpackCodes(cursor, width, packed, to + ((done as usize) << 2), bound)) return false
      cursor += (groups * width) as usize
      done += packed
    }
  }
  return true
}

function lowBytes(at: usize, bytes: i32): u32 {
  let value: u32 = 0
  for (let k = 0; k < bytes; k++) value |= (load<u8>(at + k) as u32) << (k << 3)
  return value
}

/** Eight at a time: they take as many bytes as one has bits. */
function unpackCodes(from: usize, width: i32, count: i32, to: usize, bound: u32): bool {
  const mask = ((1 as u64) << width) - 1
  let all: u32 = 0
  let k = 0
  if (width <= 8) {
    for (; k + 8 <= count; k += 8) {
      let packed = load<u64>(from)
      from += width
      for (let j: usize = 0; j < 32; j += 4) {
        const value = (packed & mask) as u32
        packed >>= width
        all |= value
        store<u32>(to + j, value)
      }
      to += 32
    }
  }
  let bit: usize = 0
  for (; k < count; k++) {
    const value = ((load<u64>(from + (bit >> 3)) >> ((bit & 7) as u64)) & mask) as u32
    all |= value
    store<u32>(to, value)
    to += 4
    bit += width
  }
  return all < bound || greatestOf(to, count) < bound
}

/** The greatest of the `count` numbers in front of `end`. */
function greatestOf(end: usize, count: i32): u32 {
  let greatest: u32 = 0
  for (let at = end - ((count as usize) << 2); at < end; at += 4) greatest = max(greatest, load<u32>(at))
  return greatest
}

/** `count` integers, packed as differences, as i64 at `to`. */
export function readDeltas(from: usize, end: usize, count: i32, to: usize): bool {
  begin(from, end)
  const blockSize = readVarint()
  const miniblocks = readVarint()
  const total = readVarint()
  let value = readZigzag()
  if (failed || total !== (count as u64) || miniblocks === 0 || miniblocks > 1024 || blockSize > 1 << 20) return false
  const perMiniblock = (blockSize / miniblocks) as i32
  if (perMiniblock === 0 || (perMiniblock & 7) !== 0) return false
  if (count === 0) return true
  store<i64>(to, value)
  let out = to + 8
  let left = count - 1
  while (left > 0) {
    const least = readZigzag()
    const widths = cursor
    cursor += miniblocks as usize
    if (failed || cursor > limit) return false
    for (let k = 0; k < (miniblocks as i32) && left > 0; k++) {
      const width = load<u8>(widths + k) as i32
      const bytes = (perMiniblock >> 3) * width
      if (width > 64 || cursor + bytes > limit) return false
      const here = min(left, perMiniblock)
      value = unpackDeltas(cursor, width, here, least, value, out)
      out += (here as usize) << 3
      left -= here
      cursor += bytes
    }
  }
  return true
}

function unpackDeltas(from: usize, width: i32, count: i32, least: i64, start: i64, to: usize): i64 {
  let value = start
  if (width === 0) {
    for (let k = 0; k < count; k++) {
      value += least
      store<i64>(to + ((k as usize) << 3), value)
    }
    return value
  }
  const mask = width === 64 ? (-1 as u64) : ((1 as u64) << width) - 1
  let bit: usize = 0
  for (let k = 0; k < count; k++) {
    const at = from + (bit >> 3)
    const shift = (bit & 7) as u64
    let packed = load<u64>(at) >> shift
    // A shift of 64 is a shift of 0, hence in two steps.
    if (width > 56) packed |= ((load<u8>(at + 8) as u64) << 1) << (63 - shift)
    value += ((packed & mask) as i64) + least
    store<i64>(to + ((k as usize) << 3), value)
    bit += width
  }
  return value
}

const HIGH_BITS: u64 = 0x8080808080808080

/** True when the bytes [from, end) are UTF-8: no longer forms than needed, no surrogates, nothing beyond U+10FFFF. */
export function isUtf8(from: usize, end: usize): bool {
  let at = from
  while (at < end) {
    while (end - at >= 8 && (load<u64>(at) & HIGH_BITS) === 0) at += 8
    if (at === end) return true
    const first = load<u8>(at)
    if (first < 0x80) {
      at++
      continue
    }
    if (first < 0xc2 || first > 0xf4) return false
    const more: usize = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3
    if (end - at <= more) return false
    const second = load<u8>(at + 1)
    if (second < (first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80)) return false
    if (second > (first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf)) return false
    for (let k: usize = 2; k <= more; k++) if ((load<u8>(at + k) & 0xc0) !== 0x80) return false
    at += more + 1
  }
  return true
}
