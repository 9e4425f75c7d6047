/** Exact numbers for the oracle: fractions of big integers, rounded to a double once, at the end. */

/** `numerator / denominator`; the denominator is positive. */
export interface Fraction {
  numerator: bigint
  denominator: bigint
}

/** Stands for infinity: beyond every number of the tests. */
const INFINITY = 1n << 5000n

/** The value of a double, nothing lost. */
export function fractionOfDouble(value: number): Fraction {
  if (Number.isNaN(value)) throw new Error('the oracle has no fraction for NaN')
  if (!Number.isFinite(value)) return { numerator: value < 0 ? -INFINITY : INFINITY, denominator: 1n }
  let scaled = value
  let power = 0
  while (!Number.isInteger(scaled)) {
    scaled *= 2
    power += 1
  }
  return { numerator: BigInt(scaled), denominator: 1n << BigInt(power) }
}

/** The value of decimal digits such as `-12.50` or `1e-7`. */
export function fractionOfDigits(text: string): Fraction {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text)!
  const digits = BigInt(`${sign}${whole}${fraction}`)
  const shift = Number(exponent) - fraction.length
  if (shift >= 0) return { numerator: digits * 10n ** BigInt(shift), denominator: 1n }
  return { numerator: digits, denominator: 10n ** BigInt(-shift) }
}

/** Negative, zero or positive, as `a` is less than, equal to or greater than `b`. */
export function compareFractions(a: Fraction, b: Fraction): number {
  const left = a.numerator * b.denominator
  const right = b.numerator * a.denominator
  return left < right ? -1 : left > right ? 1 : 0
}

/** The sum of fractions. */
export function addFractions(terms: Fraction[]): Fraction {
  let { numerator, denominator } = { numerator: 0n, denominator: 1n }
  for (const term of terms) {
    if (denominator % term.denominator === 0n) {
      numerator += term.numerator * (denominator / term.denominator)
    } else {
      numerator = numerator * term.denominator + term.numerator * denominator
      denominator *= term.denominator
    }
  }
  return { numerator, denominator }
}

/** The double nearest to a fraction, ties to even; infinite when it is beyond the range. */
export function nearestDouble({ numerator, denominator }: Fraction): number {
  if (numerator === 0n) return 0
  if (numerator < 0n) return -nearestDouble({ numerator: -numerator, denominator })
  // Doubles of the size of the fraction are multiples of 2^power; none lie closer together than 2^-1074.
  const size = numerator.toString(2).length - denominator.toString(2).length
  const power = BigInt(Math.max(size - 53, -1074))
  const unit =
    power < 0n ? { over: numerator << -power, under: denominator } : { over: numerator, under: denominator << power }
  return (
    Number(roundedQuotient(unit.over, unit.under)) *
    2 ** Math.floor(Number(power) / 2) *
    2 ** Math.ceil(Number(power) / 2)
  )
}

/** Half to even. Up to 54 binary digits stay, and a double takes the last of 54 without another rounding only when it is even. */
function roundedQuotient(over: bigint, under: bigint): bigint {
  let quotient = over / under
  let divisor = under
  if (quotient >= 1n << 53n) {
    divisor = under * 2n
    quotient = over / divisor
  }
  const rest = over - quotient * divisor
  const up = rest * 2n > divisor || (rest * 2n === divisor && quotient % 2n === 1n)
  const rounded = quotient + (up ? 1n : 0n)
  return divisor === under ? rounded : rounded * 2n
}
