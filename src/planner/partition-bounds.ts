/** What the partition values of a file tell of its columns. Source: Iceberg specification, "Partition Transforms". */
import { nextBytes, nextText } from '../catalog/iceberg/values.ts'
import { compareScalars } from '../catalog/scalar.ts'
import type { ColumnStatistics, Scalar, Transform } from '../catalog/types.ts'
import { type DataType, isInteger, isTimestamp } from '../common/data-type.ts'

const HOUR_MICROS = 3_600_000_000n
const DAY_HOURS = 24n
const YEAR_MONTHS = 12n
/** The least integers come out at the other end of their type where they are rounded down below it. */
const INTEGER_ENDS = [2n ** 31n - 1n, 2n ** 63n - 1n]

/**
 * What a partition value of a file of so many rows tells of its column; nothing for transforms that tell nothing of order (`bucket`, `void`).
 * Bounds may be wider than the data, never narrower: writers of old rounded times before 1970 up instead of down.
 */
export function partitionStatistics(
  transform: Transform,
  value: Scalar | null | undefined,
  type: DataType,
  rows: number,
): ColumnStatistics {
  if (value === undefined || transform.kind === 'void') return {}
  if (value === null) return { nulls: rows }
  if (transform.kind === 'identity')
    return { nulls: 0, nans: Number.isNaN(value) ? rows : 0, lower: value, upper: value }
  return { nulls: 0, ...boundsOf(transform, value, type) }
}

function boundsOf(transform: Transform, value: Scalar, type: DataType): ColumnStatistics {
  switch (transform.kind) {
    case 'truncate':
      return truncateBounds(transform.width, value, type)
    case 'year':
    case 'month':
    case 'day':
    case 'hour':
      return typeof value === 'bigint' ? timeBounds(transform.kind, value, type) : {}
    default:
      return {}
  }
}

function truncateBounds(width: number, value: Scalar, type: DataType): ColumnStatistics {
  if (typeof value === 'bigint') {
    const upper = value + BigInt(width) - 1n
    const isNumber =
      type.kind === 'decimal' || (isInteger(type) && !INTEGER_ENDS.some((end) => value <= end && end < upper))
    return isNumber ? { lower: value, upper } : {}
  }
  if (typeof value === 'string') return textBounds(width, value)
  if (!(value instanceof Uint8Array)) return {}
  if (value.length < width) return { lower: value, upper: value }
  return withUpper(value, nextBytes(value))
}

function textBounds(width: number, value: string): ColumnStatistics {
  // A text that is shorter than its partition value could be was not cut.
  if (value.length < width) return { lower: value, upper: value }
  return withUpper(value, nextText(value))
}

function withUpper(lower: Scalar, upper: Scalar | undefined): ColumnStatistics {
  return upper === undefined ? { lower } : { lower, upper }
}

function timeBounds(unit: 'year' | 'month' | 'day' | 'hour', value: bigint, type: DataType): ColumnStatistics {
  const isDate = type.kind === 'primitive' && type.name === 'DATE'
  if (isDate ? unit === 'hour' : !isTimestamp(type)) return {}
  const first = value <= 0n && !(isDate && unit === 'day') ? value - 1n : value
  const from = startOf(unit, first)
  const to = startOf(unit, value + 1n)
  if (from === undefined || to === undefined) return {}
  return isDate
    ? { lower: from / DAY_HOURS, upper: to / DAY_HOURS - 1n }
    : { lower: from * HOUR_MICROS, upper: to * HOUR_MICROS - 1n }
}

/** Hours from 1970 to the start of a year, month, day or hour, counted from 1970; undefined beyond what dates reach. */
function startOf(unit: 'year' | 'month' | 'day' | 'hour', value: bigint): bigint | undefined {
  switch (unit) {
    case 'hour':
      return value
    case 'day':
      return value * DAY_HOURS
    default: {
      const ms = new Date(0).setUTCFullYear(1970, Number(unit === 'year' ? value * YEAR_MONTHS : value))
      return Number.isNaN(ms) ? undefined : BigInt(ms) / 3_600_000n
    }
  }
}

/** What two sources say of one column of a file of so many rows, together: the narrower bounds, and the counts of the first. */
export function narrowed(first: ColumnStatistics, second: ColumnStatistics): ColumnStatistics {
  const lower = tighter(first.lower, second.lower, 1)
  const upper = tighter(first.upper, second.upper, -1)
  return {
    ...second,
    ...first,
    ...(lower !== undefined && { lower }),
    ...(upper !== undefined && { upper }),
  }
}

function tighter(a: Scalar | undefined, b: Scalar | undefined, sign: 1 | -1): Scalar | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return compareScalars(a, b) * sign >= 0 ? a : b
}
