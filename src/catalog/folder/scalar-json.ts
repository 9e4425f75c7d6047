/** Values of partitions and bounds as JSON carries them. */
import type { Scalar } from '../types.ts'

/** A scalar as JSON carries it: text and what JSON has no value for as a string with a tag (`t:`, `i:`, `f:`, `b:`). */
export function scalarToJson(value: Scalar): string | number | boolean {
  if (typeof value === 'bigint') return `i:${value}`
  if (typeof value === 'string') return `t:${value}`
  if (value instanceof Uint8Array) return `b:${Buffer.from(value).toString('base64')}`
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) return `f:${printFloat(value)}`
  return value
}

/** The scalar that `scalarToJson` wrote; undefined for anything else. */
export function scalarFromJson(json: unknown): Scalar | undefined {
  if (typeof json === 'number' || typeof json === 'boolean') return json
  if (typeof json !== 'string') return undefined
  const body = json.slice(2)
  switch (json.slice(0, 2)) {
    case 'i:':
      return /^-?\d+$/.test(body) ? BigInt(body) : undefined
    case 't:':
      return body
    case 'b:':
      return /^[\w+/]*={0,2}$/.test(body) ? new Uint8Array(Buffer.from(body, 'base64')) : undefined
    case 'f:':
      return FLOATS.find((value) => printFloat(value) === body)
    default:
      return undefined
  }
}

const FLOATS = [-0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]

function printFloat(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}
