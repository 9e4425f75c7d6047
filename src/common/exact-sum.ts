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

/** A column is cut faster while its values are whole multiples of a bin's unit, and few digits long in it. */
const COMMON_BINS = [0, 1]
const COMMON_DIGITS = 92

/** Minus the power of two that is the bin's unit. */
export function binPower(bin: number): number {
  return SHIFT - BIN * bin
}

/** The least bin whose integers have {@link COMMON_DIGITS} binary digits at most while no value is greater than `size`, be it positive or negative. */
export function binOfSize(size: number): number {
  return Math.floor((Math.log2(size) + 1 + SHIFT - COMMON_DIGITS + BIN) / BIN)
}

/** SQL of a DOUBLE as an integer of the bin, and of whether its value is one, of {@link COMMON_DIGITS} binary digits at most. False or null for null, NaN and infinities. */
export function binSql(x: string, bin: number): { scaled: string; fits: string } {
  const power = binPower(bin)
  const scaled = `(${x} * pow(2.0::DOUBLE, ${power}))`
  // Scaled down, the smallest doubles would vanish: zero stands for zero only.
  const vanishes = power < 0 ? ` AND (${scaled} <> 0 OR ${x} = 0)` : ''
  const isWhole = `${scaled} = trunc(${scaled})${vanishes}`
  return { scaled, fits: `(abs(${x}) < pow(2.0::DOUBLE, ${COMMON_DIGITS - power}) AND ${isWhole})` }
}

/** SQL of the bin of a DOUBLE expression (SMALLINT) and of its integer in that bin (HUGEINT); both null for null and NaN. Group by the first, `sum` the second. */
export function exactTermSql(x: string): { bin: string; term: string } {
  const exponent = `floor((log2(abs(${x})) + ${BIN / 2}) / ${BIN})`
  const infinity = `CASE WHEN ${x} > 0 THEN ${POSITIVE_INFINITY_BIN} ELSE ${NEGATIVE_INFINITY_BIN} END`
  const common = COMMON_BINS.map((bin) => ({ bin, ...binSql(x, bin) }))
  const commonBins = common.map(({ bin, fits }) => `WHEN ${fits} THEN ${bin}`).join(' ')
  const bin = `CASE WHEN ${x} IS NULL OR isnan(${x}) THEN NULL ${commonBins} WHEN isinf(${x}) THEN ${infinity} ELSE CAST(${exponent} AS SMALLINT) END`
  const power = `(${SHIFT} - ${BIN} * ${exponent}::SMALLINT)`
  // Two factors: 2^1141, which the smallest doubles need, is itself beyond the range of doubles.
  const scaled = `${x} * pow(2.0::DOUBLE, ${power} // 2) * pow(2.0::DOUBLE, ${power} - ${power} // 2)`
  const commonTerms = common.map(({ scaled, fits }) => `WHEN ${fits} THEN CAST(${scaled} AS HUGEINT)`).join(' ')
  const term = `CASE WHEN ${x} IS NULL OR isnan(${x}) THEN NULL ${commonTerms} WHEN isinf(${x}) THEN 1::HUGEINT ELSE CAST(${scaled} AS HUGEINT) END`
  return { bin, term }
}

/** SQL of the value of a bin's integer times 2^`power` as a DOUBLE, but for the rounding of its last digits. */
export function binValueSql(bin: string, total: string, power: number): string {
  return `(CAST(${total} AS DOUBLE) * pow(2.0::DOUBLE, ${BIN} * ${bin} - ${SHIFT - power}))`
}

/** Integers in bins, each with its bin: what {@link exactTermSql} cut and the engine added up. */
export type Bins = Iterable<readonly [bin: number, total: bigint]>

/** The sum of integers in bins, correctly rounded; NaN where both infinities are among them. */
export function exactSum(bins: Bins): number {
  const { infinity, total, power } = gather(bins)
  return infinity === 0 ? scaleByPowerOfTwo(total, power) : infinity
}

/** The mean of `count` values whose sum lies in bins: the double nearest to the exact quotient. */
export function exactMean(bins: Bins, count: bigint): number {
  const { infinity, total, power } = gather(bins)
  if (infinity !== 0) return infinity
  return power < 0 ? divide(total, count << BigInt(-power)) : divide(total << BigInt(power), count)
}

/** The sum as an integer times a power of two, or else as an infinity or NaN. */
function gather(bins: Bins): { infinity: number; total: bigint; power: number } {
  let infinity = 0
  let total = 0n
  let power = 0
  for (const [bin, sum] of bins) {
    if (bin >= POSITIVE_INFINITY_BIN) {
      infinity += bin === POSITIVE_INFINITY_BIN ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
    } else if (sum !== 0n) {
      const own = BIN * bin - SHIFT
      const least = total === 0n ? own : Math.min(own, power)
      total = (total << BigInt(total === 0n ? 0 : power - least)) + (sum << BigInt(own - least))
      power = least
    }
  }
  return { infinity, total, power }
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
