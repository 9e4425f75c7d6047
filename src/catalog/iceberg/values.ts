/** Single values as bytes: the bounds in manifests. Source: Iceberg specification, appendix D, "Binary single-value serialization". */
import type { DataType } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import type { Scalar } from '../types.ts'
import { fromTwosComplement, toTwosComplement } from './bytes.ts'

const BOUND_LENGTH = SETTINGS.boundLength.default

/** How values of a type are kept in bounds, partitions and comparisons. */
type Physical = 'boolean' | 'int' | 'long' | 'float' | 'double' | 'decimal' | 'string' | 'uuid' | 'binary'

/** How values of this type are kept; undefined for nested types and those that Iceberg lacks. */
export function physicalOf(type: DataType): Physical | undefined {
  if (type.kind === 'decimal') return 'decimal'
  if (type.kind !== 'primitive') return undefined
  switch (type.name) {
    case 'BOOLEAN':
      return 'boolean'
    case 'INTEGER':
    case 'DATE':
      return 'int'
    case 'BIGINT':
    case 'TIME':
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return 'long'
    case 'FLOAT':
      return 'float'
    case 'DOUBLE':
      return 'double'
    case 'VARCHAR':
      return 'string'
    case 'UUID':
      return 'uuid'
    case 'BLOB':
      return 'binary'
    default:
      return undefined
  }
}

/** The value's bytes, exact and of any length; undefined for NaN and types without a serialisation. */
export function encodeValue(value: Scalar, type: DataType): Uint8Array | undefined {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  switch (physicalOf(type)) {
    case 'boolean':
      return Uint8Array.of(value ? 1 : 0)
    case 'int':
      view.setInt32(0, Number(value), true)
      return bytes.subarray(0, 4)
    case 'long':
      view.setBigInt64(0, value as bigint, true)
      return bytes
    case 'float':
      if (Math.fround(value as number) !== value) return undefined
      view.setFloat32(0, value, true)
      return bytes.subarray(0, 4)
    case 'double':
      if (Number.isNaN(value)) return undefined
      view.setFloat64(0, value as number, true)
      return bytes
    case 'decimal':
      return toTwosComplement(value as bigint)
    case 'string':
      return (value as string).isWellFormed() ? new TextEncoder().encode(value as string) : undefined
    case 'uuid':
    case 'binary':
      return Uint8Array.from(value as Uint8Array)
    default:
      return undefined
  }
}

/** The value that the bytes stand for; undefined when their length fits no value of the type. A type may have been widened since. */
export function decodeValue(bytes: Uint8Array, type: DataType): Scalar | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (physicalOf(type)) {
    case 'boolean':
      return bytes.length === 1 ? bytes[0] !== 0 : undefined
    case 'int':
    case 'long':
      if (bytes.length === 4) return BigInt(view.getInt32(0, true))
      return bytes.length === 8 ? view.getBigInt64(0, true) : undefined
    case 'float':
    case 'double':
      if (bytes.length === 4) return view.getFloat32(0, true)
      return bytes.length === 8 ? view.getFloat64(0, true) : undefined
    case 'decimal':
      return bytes.length > 0 ? fromTwosComplement(bytes) : undefined
    case 'string':
      return decodeText(bytes)
    case 'uuid':
      return bytes.length === 16 ? Uint8Array.from(bytes) : undefined
    case 'binary':
      return Uint8Array.from(bytes)
    default:
      return undefined
  }
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** The bytes of a lower bound: at most the value. Undefined where there is none (NaN, nested types). */
export function lowerBound(value: Scalar, type: DataType): Uint8Array | undefined {
  // Zeros of either sign are one value to queries, and two to readers that order by bits.
  if (value === 0) return encodeValue(-0, type)
  if (typeof value === 'string') return encodeValue(cutText(value), type)
  if (value instanceof Uint8Array) return encodeValue(value.subarray(0, BOUND_LENGTH), type)
  return encodeValue(value, type)
}

/** The bytes of an upper bound: at least the value. Undefined where there is none, or none that is short enough. */
export function upperBound(value: Scalar, type: DataType): Uint8Array | undefined {
  const bound = upperValue(value)
  return bound === undefined ? undefined : encodeValue(bound, type)
}

function upperValue(value: Scalar): Scalar | undefined {
  if (value === 0) return 0
  if (typeof value === 'string') {
    const cut = cutText(value)
    return cut.length === value.length ? value : nextText(cut)
  }
  if (value instanceof Uint8Array) {
    return value.length <= BOUND_LENGTH ? value : nextBytes(value.subarray(0, BOUND_LENGTH))
  }
  return value
}

/** The first code points of a text. Half a surrogate pair is left to the encoder to refuse. */
function cutText(text: string): string {
  if (text.length <= BOUND_LENGTH || !text.isWellFormed()) return text
  let end = 0
  for (let points = 0; points < BOUND_LENGTH && end < text.length; points++)
    end += text.codePointAt(end)! > 0xffff ? 2 : 1
  return text.slice(0, end)
}

/** The shortest text above every text that begins with this one; undefined when there is none. */
export function nextText(text: string): string | undefined {
  const points = Array.from(text, (c) => c.codePointAt(0)!)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return undefined
}

/** The shortest bytes above all that begin with these; undefined when there are none. */
export function nextBytes(bytes: Uint8Array): Uint8Array | undefined {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0xff) end--
  if (end === 0) return undefined
  const next = bytes.slice(0, end)
  next[end - 1]!++
  return next
}
