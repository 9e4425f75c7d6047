/** Values of columns as the text that stands for them in a result's maps. */
import type { Scalar } from '../catalog/types.ts'
import type { DataType } from '../common/data-type.ts'
import { printDate, printTime, printTimestamp } from './iso.ts'
import { ticksPerSecond } from './literal.ts'
import { classOf } from './operators.ts'
import { printDecimal } from './predicate-sql.ts'

/**
 * The key of a value in a map: `True`, `False`; integers in digits; floats in the shortest form that reads back, with
 * `.0` where integral and below 1e16; decimals, dates and times as in other JSON.
 *
 * Dates, times and decimals come as `bigint`: days, the type's own fraction of a second, unscaled digits.
 */
export function valueText(value: Scalar, type: DataType): string {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (value instanceof Uint8Array) return base64(value)
  if (typeof value === 'number') return numberText(value, type)
  switch (classOf(type)) {
    case 'decimal':
      return printDecimal(value, type.kind === 'decimal' ? type.scale : 0)
    case 'date':
      return printDate(value)
    case 'time':
      return printTime(value, ticksPerSecond(type))
    case 'timestamp':
      return printTimestamp(value, ticksPerSecond(type))
    case 'timestamptz':
      return `${printTimestamp(value, ticksPerSecond(type))}Z`
    default:
      return value.toString()
  }
}

function numberText(value: number, type: DataType): string {
  if (classOf(type) !== 'float') return (value + 0).toString()
  if (Number.isInteger(value) && Math.abs(value) < 1e16) return `${value + 0}.0`
  return (type.kind === 'primitive' && type.name === 'FLOAT' ? shortestSingle(value) : value).toString()
}

/** The number of fewest digits that rounds to the same single-precision float. */
function shortestSingle(value: number): number {
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}

function base64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}
