/**
 * Sums of floats that do not depend on the order of their terms: every term is cut into an integer multiple of a power
 * of two, the integers are added exactly, and the total is rounded once.
 */

/** Binary digits that terms of one bin may differ by in size. */
const BIN = 32
/** Terms of bin b are whole multiples of 2^(BIN * b - SHIFT). */
const SHIFT = 69
const POSITIVE_INFINITY_BIN = 1000
const NEGATIVE_INFINITY_BIN = 1001

/** SQL of the bin of a DOUBLE expression (SMALLINT) and of its integer in that bin (HUGEINT); both null for null and NaN. Group by the first, `sum` the second. */
export function exactTermSql(x: string): { bin: string; term: string } {
  const exponent = `floor((log2(abs(${x})) + ${BIN / 2}) / ${BIN})`
  const infinity = `CASE WHEN ${x} > 0 THEN ${POSITIVE_INFINITY_BIN} ELSE ${NEGATIVE_INFINITY_BIN} END`
  const bin = `CASE WHEN ${x} IS NULL OR isnan(${x}) THEN NULL WHEN isinf(${x}) THEN ${infinity} WHEN ${x} = 0 THEN 0 ELSE CAST(${exponent} AS SMALLINT) END`
  const power = `(${SHIFT} - ${BIN} * (${bin}))`
  // Two factors: 2^1141, which the smallest doubles need, is itself beyond the range of doubles.
  const scaled = `${x} * pow(2.0::DOUBLE, ${power} // 2) * pow(2.0::DOUBLE, ${power} - ${power} // 2)`
  const term = `CASE WHEN ${x} IS NULL OR isnan(${x}) THEN NULL WHEN isinf(${x}) THEN 1::HUGEINT ELSE CAST(${scaled} AS HUGEINT) END`
  return { bin, term }
}

/** The sum of integers in bins, correctly rounded: what {@link exactTermSql} cut, put together. */
export function exactSum(bins: Iterable<readonly [bin: number, total: bigint]>): number {
  let infinity = 0
  let total = 0n
  let power = Number.POSITIVE_INFINITY
  for (const [bin, sum] of bins) {
    if (bin >= POSITIVE_INFINITY_BIN) {
      infinity += bin === POSITIVE_INFINITY_BIN ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
    } else if (sum !== 0n) {
      const own = BIN * bin - SHIFT
      if (own >= power) total += sum << BigInt(own - power)
      else {
        total = (power === Number.POSITIVE_INFINITY ? 0n : total << BigInt(power - own)) + sum
        power = own
      }
    }
  }
  return infinity !== 0 || Number.isNaN(infinity) ? infinity : scaleByPowerOfTwo(total, power)
}

/** The double nearest to `integer` * 2^`power`, ties to even. */
export function scaleByPowerOfTwo(integer: bigint, power: number): number {
  if (integer === 0n) return 0
  const negative = integer < 0n
  let magnitude = negative ? -integer : integer
  const bits = magnitude.toString(2).length
  // Below the normal range a double has fewer digits: its last one stands for 2^-1074.
  const digits = Math.min(53, bits + power + 1074)
  if (digits < 0) return negative ? -0 : 0
  const drop = bits - digits
  let exponent = power
  if (drop > 0) {
    magnitude = roundedShift(magnitude, BigInt(drop))
    exponent += drop
  }
  const value = Number(magnitude) * 2 ** Math.trunc(exponent / 2) * 2 ** (exponent - Math.trunc(exponent / 2))
  return negative ? -value : value
}

function roundedShift(value: bigint, drop: bigint): bigint {
  const kept = value >> drop
  const rest = value - (kept << drop)
  const half = 1n << (drop - 1n)
  return rest > half || (rest === half && (kept & 1n) === 1n) ? kept + 1n : kept
}

/** The double nearest to `numerator / denominator`; `denominator` is positive. */
export function divide(numerator: bigint, denominator: bigint): number {
  const size = (value: bigint) => (value < 0n ? -value : value).toString(2).length
  // A quotient of at least 64 digits, the last one marking a remainder, rounds as the exact ratio does.
  const shift = Math.max(0, 64 + size(denominator) - size(numerator))
  const scaled = numerator << BigInt(shift)
  const quotient = scaled / denominator
  const sticky = scaled % denominator === 0n ? 0n : numerator < 0n ? -1n : 1n
  return scaleByPowerOfTwo(quotient * 2n + sticky, -shift - 1)
}
