/** Snappy's raw format. Source: google/snappy, format_description.txt. Nothing is read outside of the given range; up to 15 bytes may be written behind it. */

/** Unpacks the bytes [from, end) to `to`; false when they are damaged or do not make exactly `size` bytes. */
export function unpackSnappy(from: usize, end: usize, to: usize, size: u32): bool {
  let length: u32 = 0
  for (let shift: u32 = 0; ; shift += 7) {
    if (from >= end || shift > 28) return false
    const byte = load<u8>(from++) as u32
    length |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  if (length !== size) return false
  const start = to
  const limit = to + size
  while (from < end) {
    const tag = load<u8>(from++) as u32
    if ((tag & 3) === 0) {
      let count = tag >> 2
      if (count >= 60) {
        const extra = count - 59
        if (from + extra > end) return false
        count = 0
        for (let k: u32 = 0; k < extra; k++) count |= (load<u8>(from + k) as u32) << (k << 3)
        from += extra
      }
      const bytes = (count as usize) + 1
      if (bytes > end - from || bytes > limit - to) return false
      if (bytes <= 16 && end - from >= 16) {
        store<u64>(to, load<u64>(from))
        store<u64>(to + 8, load<u64>(from + 8))
      } else {
        memory.copy(to, from, bytes)
      }
      from += bytes
      to += bytes
      continue
    }
    let count: u32 = 0
    let offset: u32 = 0
    if ((tag & 3) === 1) {
      if (from >= end) return false
      count = ((tag >> 2) & 7) + 4
      offset = ((tag >> 5) << 8) | (load<u8>(from++) as u32)
    } else {
      const wide = (tag & 3) === 3
      if (from + (wide ? 4 : 2) > end) return false
      count = (tag >> 2) + 1
      offset = wide ? load<u32>(from) : (load<u16>(from) as u32)
      from += wide ? 4 : 2
    }
    if (offset === 0 || (offset as usize) > to - start || (count as usize) > limit - to) return false
    copyBack(to, offset, count)
    to += count
  }
  return to === limit
}

/** Repeats what stands `offset` bytes back; the two ranges may overlap. */
function copyBack(to: usize, offset: u32, count: u32): void {
  const from = to - offset
  if (offset >= 8) {
    for (let k: u32 = 0; k < count; k += 8) store<u64>(to + k, load<u64>(from + k))
    return
  }
  for (let k: u32 = 0; k < count; k++) store<u8>(to + k, load<u8>(from + k))
}
