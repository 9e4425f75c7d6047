/** Values of aggregations as JSON has them. */
import { printDecimal } from '../behaviour/predicate-sql.ts'
import { valueText } from '../behaviour/value-text.ts'
import type { Scalar } from '../catalog/types.ts'
import { type DataType, isFloat, isInteger } from '../common/data-type.ts'
import { divide, exactMean, exactSum } from '../common/exact-sum.ts'
import { shortestFloat } from '../engine/values.ts'
import { scaleOf } from '../worker/whole-sums.ts'

/** A value as JSON has it. */
export type PlainValue = number | string

/** Values of a column: how many, and their exact sum: of floats in bins, of others in units of the last place. */
export interface Sum {
  rows: bigint
  bins: [bin: number, total: bigint][]
}

function wholeTotal({ bins }: Sum): bigint {
  return bins.reduce((total, [, part]) => total + part, 0n)
}

/** A sum as a result shows it. */
export function sumValue(sum: Sum, type: DataType): PlainValue | undefined {
  return isFloat(type) ? finite(exactSum(sum.bins)) : wholeValue(wholeTotal(sum), type)
}

/** An integer, or a decimal in units of its last place, of any size: integers as numbers where these are exact. */
export function wholeValue(value: bigint, type: DataType): PlainValue {
  if (type.kind === 'decimal') return printDecimal(value, type.scale)
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value.toString()
}

/** Infinities and NaN have no place in JSON. */
function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value + 0 : undefined
}

/** A mean as a result shows it: the double nearest to the exact one. */
export function meanValue(sum: Sum, type: DataType): number | undefined {
  if (sum.rows === 0n) return undefined
  if (isFloat(type)) return finite(exactMean(sum.bins, sum.rows))
  return divide(wholeTotal(sum), sum.rows * 10n ** BigInt(scaleOf(type)))
}

/** A value of a column as JSON has it: decimals, dates and times as text. */
export function plainValue(value: Scalar | undefined, type: DataType): PlainValue | undefined {
  if (value === undefined) return undefined
  if (isInteger(type) || type.kind === 'decimal') return wholeValue(BigInt(value as bigint | number), type)
  if (!isFloat(type)) return valueText(value, type)
  const number = finite(value as number)
  return number !== undefined && type.kind === 'primitive' && type.name === 'FLOAT' ? shortestFloat(number) : number
}
