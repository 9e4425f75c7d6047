/** SipHash-1-3 with 128 bits: a keyed hash whose collisions nobody can choose. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF". */

let v0: u64 = 0
let v1: u64 = 0
let v2: u64 = 0
let v3: u64 = 0

let key0: u64 = 0
let key1: u64 = 0

/** The two halves of the last hash. */
export let hashLow: u64 = 0
export let hashHigh: u64 = 0

export function setHashKey(low: u64, high: u64): void {
  key0 = low
  key1 = high
}

/** Sets {@link hashLow} and {@link hashHigh} to the hash of the bytes [from, from + length). */
export function hashBytes(from: usize, length: u32): void {
  v0 = key0 ^ 0x736f6d6570736575
  v1 = key1 ^ 0x646f72616e646f6d ^ 0xee
  v2 = key0 ^ 0x6c7967656e657261
  v3 = key1 ^ 0x7465646279746573
  const whole = from + ((length & ~7) as usize)
  for (; from < whole; from += 8) compress(load<u64>(from))
  let last = (length as u64) << 56
  for (let k: u32 = 0; k < (length & 7); k++) last |= (load<u8>(from + k) as u64) << ((k << 3) as u64)
  compress(last)
  v2 ^= 0xee
  round()
  round()
  round()
  hashLow = v0 ^ v1 ^ v2 ^ v3
  v1 ^= 0xdd
  round()
  round()
  round()
  hashHigh = v0 ^ v1 ^ v2 ^ v3
}

function compress(word: u64): void {
  v3 ^= word
  round()
  v0 ^= word
}

function round(): void {
  v0 += v1
  v1 = rotl<u64>(v1, 13)
  v1 ^= v0
  v0 = rotl<u64>(v0, 32)
  v2 += v3
  v3 = rotl<u64>(v3, 16)
  v3 ^= v2
  v0 += v3
  v3 = rotl<u64>(v3, 21)
  v3 ^= v0
  v2 += v1
  v1 = rotl<u64>(v1, 17)
  v1 ^= v2
  v2 = rotl<u64>(v2, 32)
}
