/** Values of DuckDB as the JSON that users see (spec: integers as numbers where safe, decimals as strings, times as ISO 8601). */
import {
  type DuckDBArrayType,
  DuckDBArrayValue,
  DuckDBBitValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  type DuckDBListType,
  DuckDBListValue,
  type DuckDBMapType,
  DuckDBMapValue,
  type DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeTZValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBUnionType,
  DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api'
import type { Scalar } from '../catalog/types.ts'

/** A value as JSON holds it. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue }

/** The JSON of a value of DuckDB. NaN and infinities become null, safe integers numbers, other integers strings. */
export function toJson(value: DuckDBValue, type: DuckDBType): JsonValue {
  switch (typeof value) {
    case 'boolean':
    case 'string':
      return value
    case 'number':
      return numberJson(value, type)
    case 'bigint':
      return integerJson(value)
    default:
      return value === null ? null : objectJson(value, type)
  }
}

function numberJson(value: number, type: DuckDBType): number | null {
  if (!Number.isFinite(value)) return null
  return type.typeId === DuckDBTypeId.FLOAT ? shortestFloat(value) : value
}

/** The double whose text is the shortest that names this 32-bit float: 0.1 rather than 0.10000000149011612. */
export function shortestFloat(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === value) return candidate
  }
  return Number(value.toPrecision(9))
}

function integerJson(value: bigint): number | string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value.toString()
}

type ObjectValue = Exclude<DuckDBValue, null | boolean | number | string | bigint>

function objectJson(value: ObjectValue, type: DuckDBType): JsonValue {
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    const elementType = (type as DuckDBListType | DuckDBArrayType).valueType
    return value.items.map((item) => toJson(item, elementType))
  }
  if (value instanceof DuckDBStructValue) return structJson(value, type as DuckDBStructType)
  if (value instanceof DuckDBMapValue) {
    const { keyType, valueType } = type as DuckDBMapType
    return value.entries.map((entry) => ({ key: toJson(entry.key, keyType), value: toJson(entry.value, valueType) }))
  }
  if (value instanceof DuckDBUnionValue)
    return toJson(value.value, (type as DuckDBUnionType).memberTypeForTag(value.tag))
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64')
  if (value instanceof DuckDBIntervalValue) return intervalText(value.months, value.days, value.micros)
  return timeJson(value)
}

function structJson(value: DuckDBStructValue, type: DuckDBStructType): JsonValue {
  return Object.fromEntries(
    type.entryNames.map((name, k) => [name, toJson(value.entries[name] ?? null, type.entryTypes[k]!)]),
  )
}

function timeJson(value: object): JsonValue {
  if (value instanceof DuckDBTimestampTZValue) {
    return isoTimestamp(new DuckDBTimestampValue(value.micros).toString(), 'Z')
  }
  if (
    value instanceof DuckDBTimestampValue ||
    value instanceof DuckDBTimestampSecondsValue ||
    value instanceof DuckDBTimestampMillisecondsValue ||
    value instanceof DuckDBTimestampNanosecondsValue
  ) {
    return isoTimestamp(value.toString(), '')
  }
  if (value instanceof DuckDBDateValue)
    return value.isFinite ? value.toString() : value.days > 0 ? 'infinity' : '-infinity'
  if (value instanceof DuckDBDecimalValue) return value.toString()
  if (value instanceof DuckDBBitValue || value instanceof DuckDBTimeTZValue) return value.toString()
  return String(value)
}

function isoTimestamp(text: string, zone: string): string {
  return /^-?infinity$/.test(text) ? text : text.replace(/^(\S+) (\d\d:\d\d:\d\d(?:\.\d+)?)/, `$1T$2${zone}`)
}

/** The value as it stands in bounds and keys: days, ticks of the type and unscaled digits as bigint; UUIDs and other values as text. */
export function toScalar(value: Exclude<DuckDBValue, null>): Scalar {
  if (typeof value !== 'object') return value
  if (value instanceof DuckDBDecimalValue) return value.value
  if (value instanceof DuckDBDateValue) return BigInt(value.days)
  if (value instanceof DuckDBBlobValue) return value.bytes
  if (
    value instanceof DuckDBTimeValue ||
    value instanceof DuckDBTimestampValue ||
    value instanceof DuckDBTimestampTZValue
  ) {
    return value.micros
  }
  if (value instanceof DuckDBTimestampSecondsValue) return value.seconds
  if (value instanceof DuckDBTimestampMillisecondsValue) return value.millis
  if (value instanceof DuckDBTimestampNanosecondsValue) return value.nanos
  return String(value)
}

const MICROS_PER_SECOND = 1_000_000n

/** An interval as an ISO 8601 duration: `P1Y2M3DT4H5M6.5S`, `PT0S` for none. Every part keeps its own sign. */
export function intervalText(months: number, days: number, micros: bigint): string {
  const years = Math.trunc(months / 12)
  const date = part(BigInt(years), 'Y') + part(BigInt(months - years * 12), 'M') + part(BigInt(days), 'D')
  const seconds = micros / MICROS_PER_SECOND
  const fraction = micros % MICROS_PER_SECOND
  const time = part(seconds / 3600n, 'H') + part((seconds / 60n) % 60n, 'M') + secondsPart(seconds % 60n, fraction)
  return date + time === '' ? 'PT0S' : `P${date}${time === '' ? '' : `T${time}`}`
}

function part(value: bigint, unit: string): string {
  return value === 0n ? '' : `${value}${unit}`
}

function secondsPart(seconds: bigint, micros: bigint): string {
  if (seconds === 0n && micros === 0n) return ''
  const sign = seconds < 0n || micros < 0n ? '-' : ''
  const absolute = (value: bigint) => (value < 0n ? -value : value)
  const digits = absolute(micros).toString().padStart(6, '0').replace(/0+$/, '')
  return `${sign}${absolute(seconds)}${digits === '' ? '' : `.${digits}`}S`
}
