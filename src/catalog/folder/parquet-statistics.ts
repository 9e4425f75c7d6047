/** Exact statistics of columns from the bytes in a footer: nothing is rounded, and what the format cannot promise is left out. */
import { type DataType, isInteger } from '../../common/data-type.ts'
import { compareScalars } from '../scalar.ts'
import type { ColumnStatistics, Scalar } from '../types.ts'
import {
  type ChunkStatistics,
  CONVERTED,
  type ColumnMetaData,
  type FormatTimeUnit,
  PHYSICAL,
  type SchemaElement,
} from './parquet-format.ts'

/** The lowest and the highest value of some rows, or something below and above them. */
interface Bounds {
  lower: Scalar
  upper: Scalar
}

/** Reads one bound; undefined when the bytes are no value of the column. */
type BoundReader = (bytes: Uint8Array, side: keyof Bounds) => Scalar | undefined

/** How the bounds of a column are read. */
export interface BoundFormat {
  read: BoundReader
  /** True when the deprecated bounds, which are in signed order, are in the order of the type too. */
  signed: boolean
}

/** The format of a column's bounds; undefined for types whose order the format leaves open. */
export function boundFormat(element: SchemaElement, type: DataType): BoundFormat | undefined {
  if (type.kind === 'decimal') return decimalFormat(element)
  if (type.kind !== 'primitive') return undefined
  switch (type.name) {
    case 'BOOLEAN':
      return { read: (bytes) => (bytes.length === 1 ? bytes[0] !== 0 : undefined), signed: true }
    case 'FLOAT':
    case 'DOUBLE':
      return floatFormat(element)
    case 'VARCHAR':
    case 'JSON':
      return { read: readText, signed: false }
    case 'BLOB':
    case 'UUID':
      return { read: (bytes) => bytes.slice(), signed: false }
    case 'DATE':
      return integerFormat(element, false)
    case 'TIME':
    case 'TIMESTAMP':
    case 'TIMESTAMP_NS':
    case 'TIMESTAMP WITH TIME ZONE':
      return timeFormat(element)
    default:
      return isInteger(type) ? integerFormat(element, type.name.startsWith('U')) : undefined
  }
}

/**
 * What is known of one column in one row group.
 *
 * Bounds are left out when one of them is missing, malformed or NaN, when they contradict each other, or when they are
 * of the deprecated kind and the type is not in signed order.
 */
export function chunkStatistics(
  chunk: ColumnMetaData,
  required: boolean,
  format: BoundFormat | undefined,
): ColumnStatistics {
  const nulls = required ? 0 : count(chunk.statistics?.nulls)
  const bounds = format && chunk.statistics && readBounds(chunk.statistics, format)
  return {
    ...(chunk.compressedSize === undefined ? {} : { sizeBytes: chunk.compressedSize }),
    ...(chunk.values === undefined ? {} : { values: chunk.values }),
    ...(nulls === undefined || nulls > (chunk.values ?? 0) ? {} : { nulls }),
    ...bounds,
  }
}

/** The statistics of all the rows together; row groups that are all null, or empty, leave the bounds as they are. */
export function mergeStatistics(parts: ColumnStatistics[]): ColumnStatistics {
  const merged: ColumnStatistics = { sizeBytes: 0, values: 0, nulls: 0 }
  let bounds: Bounds | 'none' | 'unknown' = 'none'
  for (const part of parts) {
    addTo(merged, 'sizeBytes', part.sizeBytes)
    addTo(merged, 'values', part.values)
    addTo(merged, 'nulls', part.nulls)
    if (part.values === 0 || (part.values !== undefined && part.values === part.nulls)) continue
    bounds = bounds === 'unknown' ? bounds : widen(bounds, part)
  }
  return typeof bounds === 'string' ? merged : { ...merged, ...bounds }
}

function addTo(merged: ColumnStatistics, key: 'sizeBytes' | 'values' | 'nulls', part: number | undefined): void {
  const sum = merged[key]
  if (sum === undefined) return
  if (part === undefined) delete merged[key]
  else merged[key] = sum + part
}

function widen(bounds: Bounds | 'none', { lower, upper }: ColumnStatistics): Bounds | 'unknown' {
  if (lower === undefined || upper === undefined) return 'unknown'
  if (bounds === 'none') return { lower, upper }
  return {
    lower: compareScalars(lower, bounds.lower) < 0 ? lower : bounds.lower,
    upper: compareScalars(upper, bounds.upper) > 0 ? upper : bounds.upper,
  }
}

function count(value: number | undefined): number | undefined {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

function readBounds(statistics: ChunkStatistics, format: BoundFormat): Bounds | undefined {
  const min = statistics.minValue ?? (format.signed ? statistics.min : undefined)
  const max = statistics.maxValue ?? (format.signed ? statistics.max : undefined)
  if (!min || !max) return undefined
  const lower = format.read(min, 'lower')
  const upper = format.read(max, 'upper')
  if (lower === undefined || upper === undefined || compareScalars(lower, upper) > 0) return undefined
  return { lower, upper }
}

function integerFormat(element: SchemaElement, unsigned: boolean): BoundFormat | undefined {
  if (element.type !== PHYSICAL.INT32 && element.type !== PHYSICAL.INT64) return undefined
  const width = element.type === PHYSICAL.INT32 ? 4 : 8
  return { read: (bytes) => (bytes.length === width ? readInteger(bytes, unsigned) : undefined), signed: !unsigned }
}

function readInteger(bytes: Uint8Array, unsigned: boolean): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length === 4) return BigInt(unsigned ? view.getUint32(0, true) : view.getInt32(0, true))
  return unsigned ? view.getBigUint64(0, true) : view.getBigInt64(0, true)
}

/** INT96 has no order of its own: its bounds are of no use. */
function timeFormat(element: SchemaElement): BoundFormat | undefined {
  const integers = integerFormat(element, false)
  const unit = timeUnit(element)
  if (!integers || !unit) return undefined
  const read: BoundReader = (bytes, side) => {
    const value = integers.read(bytes, side) as bigint | undefined
    return value === undefined ? undefined : toMicros(value, unit, side)
  }
  return { read, signed: true }
}

function timeUnit(element: SchemaElement): keyof FormatTimeUnit | undefined {
  const unit = element.logical?.timestamp?.unit ?? element.logical?.time?.unit
  if (unit) return unit.millis ? 'millis' : unit.micros ? 'micros' : unit.nanos ? 'nanos' : undefined
  const { converted } = element
  if (converted === CONVERTED.TIME_MILLIS || converted === CONVERTED.TIMESTAMP_MILLIS) return 'millis'
  return converted === CONVERTED.TIME_MICROS || converted === CONVERTED.TIMESTAMP_MICROS ? 'micros' : undefined
}

/** Nanoseconds are rounded away from the data: bounds may be wider than it, never narrower. */
function toMicros(value: bigint, unit: keyof FormatTimeUnit, side: keyof Bounds): bigint {
  if (unit === 'micros') return value
  if (unit === 'millis') return value * 1000n
  const remainder = ((value % 1000n) + 1000n) % 1000n
  const floor = (value - remainder) / 1000n
  return side === 'upper' && remainder > 0n ? floor + 1n : floor
}

function decimalFormat(element: SchemaElement): BoundFormat | undefined {
  const integers = integerFormat(element, false)
  if (integers) return integers
  return { read: (bytes) => readBigEndian(bytes), signed: false }
}

const DECIMAL_BYTES_MAX = 32

function readBigEndian(bytes: Uint8Array): bigint | undefined {
  if (bytes.length === 0 || bytes.length > DECIMAL_BYTES_MAX) return undefined
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`))
}

/** A zero bound stands for both zeros, whichever sign the writer chose. */
function floatFormat(element: SchemaElement): BoundFormat | undefined {
  const parse = FLOAT_READERS[element.type ?? -1]
  if (!parse || element.converted === CONVERTED.DECIMAL) return undefined
  const read: BoundReader = (bytes, side) => {
    const value = bytes.length === parse.width ? parse.read(new DataView(bytes.buffer, bytes.byteOffset)) : Number.NaN
    if (Number.isNaN(value)) return undefined
    return value === 0 ? (side === 'lower' ? -0 : 0) : value
  }
  return { read, signed: element.type !== PHYSICAL.FIXED_LEN_BYTE_ARRAY }
}

const FLOAT_READERS: Record<number, { width: number; read: (view: DataView) => number }> = {
  [PHYSICAL.FLOAT]: { width: 4, read: (view) => view.getFloat32(0, true) },
  [PHYSICAL.DOUBLE]: { width: 8, read: (view) => view.getFloat64(0, true) },
  [PHYSICAL.FIXED_LEN_BYTE_ARRAY]: { width: 2, read: (view) => halfToNumber(view.getUint16(0, true)) },
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * 2 ** -24 * fraction
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024)
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const UTF8_BYTES_MAX = 4

/** A lower bound that was cut inside a character loses the rest of it; an upper one cannot be mended. */
function readText(bytes: Uint8Array, side: keyof Bounds): string | undefined {
  const cuts = side === 'lower' ? UTF8_BYTES_MAX : 1
  for (let cut = 0; cut < cuts && cut <= bytes.length; cut++) {
    const text = decodeText(bytes.subarray(0, bytes.length - cut))
    if (text !== undefined) return text
  }
  return undefined
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return undefined
  }
}
