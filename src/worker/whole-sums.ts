/** Sums of integers and decimals in SQL, exact whatever they add up to. */
import { type DataType, isInteger } from '../common/data-type.ts'

/** Decimals of so many digits may be added up 10^13 times before 128 bits are full. */
const NARROW_DIGITS = 25

/** True for types of which few values can exceed 128 bits in sum: they are added up in integers of any width. */
export function isWide(type: DataType): boolean {
  if (type.kind === 'decimal') return type.precision > NARROW_DIGITS
  return type.kind === 'primitive' && (type.name === 'HUGEINT' || type.name === 'UHUGEINT')
}

/** Digits behind the point; 0 for integers. */
export function scaleOf(type: DataType): number {
  return type.kind === 'decimal' ? type.scale : 0
}

/** A number of the type as an integer in units of its last place. */
export function unscaledSql(value: string, type: DataType): string {
  if (isInteger(type)) return value
  if (scaleOf(type) === 0) return `CAST(${value} AS HUGEINT)`
  return `CAST(replace(CAST(${value} AS VARCHAR), '.', '') AS HUGEINT)`
}

/** The sum of an integer or decimal column (null over nothing): HUGEINT, DECIMAL of the column's scale, or BIGNUM in units of the last place for wide types. */
export function wholeSumSql(value: string, type: DataType): string {
  return isWide(type) ? `sum(CAST(${unscaledSql(value, type)} AS BIGNUM))` : `sum(${value})`
}
