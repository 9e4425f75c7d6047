/** Order and text of the values that stand in partitions and bounds. */
import { compareUtf8 } from '../common/text.ts'
import type { Scalar } from './types.ts'

/** Order of two values of one column, as DuckDB orders them (text by UTF-8 bytes): negative, zero or positive; NaN when they cannot be compared. */
export function compareScalars(a: Scalar, b: Scalar): number {
  if (typeof a === 'string' && typeof b === 'string') return compareUtf8(a, b)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b)
  if (typeof a !== typeof b || a instanceof Uint8Array || b instanceof Uint8Array) return Number.NaN
  return a < b ? -1 : a > b ? 1 : a === b ? 0 : Number.NaN
}
