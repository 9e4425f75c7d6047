/** Where a sum or a mean begins to satisfy a comparison, as an integer bound that the engine can compare with. */
import { floorDivide } from '../behaviour/iso.ts'
import type { TargetOperator } from '../behaviour/types.ts'
import { DOUBLE_POWER, lastBitOfDouble, neighbourOfDouble, ticksOfDouble } from '../common/double.ts'

/**
 * A comparison of an integer S, which stands for `rows` times what is compared: it holds from `numerator / denominator`
 * times the rows on, that value itself included or not. The denominator is positive.
 */
export interface Threshold {
  numerator: bigint
  denominator: bigint
  inclusive: boolean
}

/** From where `>=` holds, and from where `>` does. */
export interface Thresholds {
  atLeast: Threshold
  above: Threshold
}

/** Thresholds of an exact quantity in units of 10^-`scale`, compared with a number as its digits say it. */
export function wholeThresholds(value: number | bigint, scale: number): Thresholds {
  const bound = fractionOf(value, scale)
  return { atLeast: { ...bound, inclusive: true }, above: { ...bound, inclusive: false } }
}

/** A number as its digits say it, times 10^`scale`. The denominator is a power of ten. */
export function fractionOf(value: number | bigint, scale: number): { numerator: bigint; denominator: bigint } {
  const [, sign, whole, fraction = '', exponent = '0'] = DIGITS.exec(String(value))!
  const digits = BigInt(`${sign}${whole}${fraction}`)
  const shift = Number(exponent) - fraction.length + scale
  if (shift >= 0) return { numerator: digits * 10n ** BigInt(shift), denominator: 1n }
  return { numerator: digits, denominator: 10n ** BigInt(-shift) }
}

const DIGITS = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i

/** Thresholds of a quantity that is rounded to a double before it is compared; its units are 2^-`power`. */
export function roundedThresholds(value: number | bigint, power: number): Thresholds {
  const near = Number(value)
  const atLeast = near >= value ? near : neighbourOfDouble(near, 1n)
  const above = near > value ? near : neighbourOfDouble(near, 1n)
  return { atLeast: roundsTo(atLeast, power), above: roundsTo(above, power) }
}

/** The least exact value that is rounded to the double or to a greater one: half-way from the double below, itself included where ties go up. */
function roundsTo(double: number, power: number): Threshold {
  const upper = ticksOfDouble(double)
  const lower = ticksOfDouble(neighbourOfDouble(double, -1n))
  const shift = DOUBLE_POWER + 1 - power
  const bound = { numerator: upper + lower, denominator: 1n << BigInt(shift) }
  // Of two neighbours, the one whose last binary digit is 0 takes what lies half-way.
  return { ...bound, inclusive: lastBitOfDouble(double) === 0n }
}

/** Beyond this no sum of rows that the engine adds up in 128 bits can be. */
const FAR = 1n << 94n
/** No actor has so many rows. */
const ROWS_BITS = 32n

/** SQL of whether `sum` lies on the far side of the threshold. `rows`: SQL of the count that a mean is divided by; absent for a sum. */
export function reachesSql(sum: string, threshold: Threshold, rows?: string): string {
  const { numerator, denominator } = threshold
  if (rows === undefined) {
    const bound = leastWhole(threshold)
    return bound > GREATEST ? 'false' : bound < -GREATEST ? 'true' : `(${sum} >= ${integerSql(bound)})`
  }
  const whole = floorDivide(numerator, denominator)
  if (whole > FAR || whole < -FAR) return whole < 0n ? 'true' : 'false'
  return `(${sum} >= ${meanBoundSql({ ...threshold, numerator: numerator - whole * denominator }, whole, rows)})`
}

/** The least integer on the far side of a threshold. */
export function leastWhole({ numerator, denominator, inclusive }: Threshold): bigint {
  return inclusive ? -floorDivide(-numerator, denominator) : floorDivide(numerator, denominator) + 1n
}

/** The least integer that reaches `rows` times (`whole` + a fraction in [0, 1)). */
function meanBoundSql({ numerator, denominator, inclusive }: Threshold, whole: bigint, rows: string): string {
  const count = `CAST(${rows} AS HUGEINT)`
  const base = `${count} * ${integerSql(whole)}`
  if (numerator === 0n) return inclusive ? `(${base})` : `(${base} + 1)`
  // A fraction so near to 0 or 1 that no number of rows makes it cross an integer.
  if (numerator << ROWS_BITS < denominator) return `(${base} + 1)`
  if ((denominator - numerator) << ROWS_BITS < denominator) return `(${base} + ${count})`
  const { over, under } = reduce(numerator, denominator)
  const product = `${count} * ${integerSql(over)}`
  return inclusive
    ? `(${base} + (${product} + ${integerSql(under - 1n)}) // ${integerSql(under)})`
    : `(${base} + ${product} // ${integerSql(under)} + 1)`
}

function reduce(numerator: bigint, denominator: bigint): { over: bigint; under: bigint } {
  let [a, b] = [denominator, numerator]
  while (b !== 0n) [a, b] = [b, a % b]
  return { over: numerator / a, under: denominator / a }
}

const GREATEST = (1n << 127n) - 1n

function integerSql(value: bigint): string {
  return `CAST('${value}' AS HUGEINT)`
}

/** SQL of a comparison, from that of its two thresholds. */
export function comparisonSql(op: TargetOperator, atLeast: string, above: string): string {
  switch (op) {
    case '>=':
      return atLeast
    case '>':
      return above
    case '<':
      return `(NOT ${atLeast})`
    case '<=':
      return `(NOT ${above})`
    case '==':
      return `(${atLeast} AND NOT ${above})`
    case '!=':
      return `(NOT ${atLeast} OR ${above})`
  }
}
