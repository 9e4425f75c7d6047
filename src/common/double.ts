/** Doubles as exact integers, and their neighbours. */

/** Every double is a multiple of 2^-DOUBLE_POWER. */
export const DOUBLE_POWER = 1074

/** The double in units of 2^-{@link DOUBLE_POWER}; infinities stand one step beyond the greatest number. */
export function ticksOfDouble(double: number): bigint {
  const bits = bitsOf(Math.abs(double))
  const exponent = bits >> 52n
  const fraction = bits & 0xfffffffffffffn
  const magnitude = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n)
  return double < 0 ? -magnitude : magnitude
}

/** The last binary digit of the double's fraction: ties are rounded to the neighbour where it is 0. */
export function lastBitOfDouble(double: number): 0n | 1n {
  return (bitsOf(double) & 1n) === 0n ? 0n : 1n
}

/** The next double above (1) or below (-1); an infinity is its own neighbour on the far side. */
export function neighbourOfDouble(double: number, direction: 1n | -1n): number {
  if (double === 0) return Number(direction) * Number.MIN_VALUE
  if (!Number.isFinite(double) && double > 0 === direction > 0n) return double
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, bitsOf(double) + (double > 0 === direction > 0n ? 1n : -1n))
  return view.getFloat64(0)
}

function bitsOf(double: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, double)
  return view.getBigUint64(0)
}
