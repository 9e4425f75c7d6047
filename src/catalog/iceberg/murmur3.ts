/** The hash behind Iceberg's bucket transform: 32-bit Murmur3 (x86 variant, seed 0). Source: Iceberg specification, appendix B. */
import type { DataType } from '../../common/data-type.ts'
import type { Scalar } from '../types.ts'
import { parseUuid, toTwosComplement } from './bytes.ts'

const C1 = 0xcc9e2d51
const C2 = 0x1b873593

/** The hash of the first `length` bytes, as a signed 32-bit integer. */
function hashBytes(bytes: Uint8Array, length: number = bytes.length): number {
  let hash = 0
  const whole = length & ~3
  for (let i = 0; i < whole; i += 4) {
    hash = mix(hash, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
  }
  let tail = 0
  for (let i = length - 1; i >= whole; i--) tail = (tail << 8) | bytes[i]!
  if (length > whole) hash ^= scramble(tail)
  return finish(hash, length)
}

function scramble(word: number): number {
  const product = Math.imul(word, C1)
  return Math.imul((product << 15) | (product >>> 17), C2)
}

function mix(hash: number, word: number): number {
  const mixed = hash ^ scramble(word)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function finish(hash: number, length: number): number {
  let h = hash ^ length
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** The hash of an integer of any width, as the eight little-endian bytes of a long. Numbers have to be safe integers. */
function hashInteger(value: number | bigint): number {
  if (typeof value === 'bigint') {
    return finish(mix(mix(0, Number(BigInt.asIntN(32, value))), Number(BigInt.asIntN(32, value >> 32n))), 8)
  }
  const high = Math.floor(value / 0x1_0000_0000)
  return finish(mix(mix(0, (value - high * 0x1_0000_0000) | 0), high | 0), 8)
}

const encoder = new TextEncoder()
const scratch = new Uint8Array(16 * 1024)

/** The hash of a text's UTF-8 bytes. Texts of a few thousand characters cost no allocation. */
export function hashString(text: string): number {
  const length = text.length
  if (length * 3 > scratch.length) return hashBytes(encoder.encode(text))
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return hashBytes(scratch, encoder.encodeInto(text, scratch).written)
    scratch[i] = unit
  }
  return hashBytes(scratch, length)
}

/**
 * The hash that buckets of this type are made from, or undefined for a type without buckets (floats, booleans, nested types).
 * It takes what `Scalar` says of the type; integers as safe numbers and UUIDs as text too.
 */
export function hashFunction(type: DataType): ((value: Scalar) => number) | undefined {
  if (type.kind === 'decimal') return (value) => hashBytes(toTwosComplement(value as bigint))
  if (type.kind !== 'primitive') return undefined
  switch (type.name) {
    case 'INTEGER':
    case 'BIGINT':
    case 'DATE':
    case 'TIME':
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return (value) => hashInteger(value as bigint | number)
    case 'VARCHAR':
      return (value) => hashString(value as string)
    case 'UUID':
      return (value) => hashBytes(typeof value === 'string' ? parseUuid(value) : (value as Uint8Array))
    case 'BLOB':
      return (value) => hashBytes(value as Uint8Array)
    default:
      return undefined
  }
}
