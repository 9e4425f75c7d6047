/** SipHash-1-3 with 128 bits: a keyed hash whose collisions nobody can choose. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF". */

let key0: u64 = 0
let key1: u64 = 0

/** The two halves of the last hash. */
export let hashLow: u64 = 0
export let hashHigh: u64 = 0

export function setHashKey(low: u64, high: u64): void {
  key0 = low
  key1 = high
}

/** Rounds after the last word until each half of the hash is taken. */
const FINAL: i32 = 3

/** Sets {@link hashLow} and {@link hashHigh} to the hash of the bytes [from, from + length). The state is in locals, which are registers. */
export function hashBytes(from: usize, length: u32): void {
  let a = key0 ^ 0x736f6d6570736575
  let b = key1 ^ 0x646f72616e646f6d ^ 0xee
  let c = key0 ^ 0x6c7967656e657261
  let d = key1 ^ 0x7465646279746573
  let low: u64 = 0
  const words = (length >> 3) as i32
  for (let k = 0; k <= words + 2 * FINAL; k++) {
    // A word of zeros leaves a round as it is: those after the last word are rounds alone.
    let word: u64 = 0
    if (k < words) word = load<u64>(from + ((k as usize) << 3))
    else if (k === words) word = lastWord(from, length)
    else if (k === words + 1) c ^= 0xee
    else if (k === words + 1 + FINAL) {
      low = a ^ b ^ c ^ d
      b ^= 0xdd
    }
    d ^= word
    a += b
    b = rotl<u64>(b, 13) ^ a
    a = rotl<u64>(a, 32)
    c += d
    d = rotl<u64>(d, 16) ^ c
    a += d
    d = rotl<u64>(d, 21) ^ a
    c += b
    b = rotl<u64>(b, 17) ^ c
    c = rotl<u64>(c, 32)
    a ^= word
  }
  hashLow = low
  hashHigh = a ^ b ^ c ^ d
}

/** The bytes behind the last whole word, and the length. */
function lastWord(from: usize, length: u32): u64 {
  let word = (length as u64) << 56
  const rest = from + ((length & ~7) as usize)
  for (let k: u32 = 0; k < (length & 7); k++) word |= (load<u8>(rest + k) as u64) << ((k << 3) as u64)
  return word
}
