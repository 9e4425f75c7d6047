/** Values that are bound to SQL, as JSON. What JSON lacks goes as an object: `{"type":"bigint","value":"9007199254740993"}`. */
import type { BoundValue, BoundValues } from '../engine/parameters.ts'
import { SkepError } from '../errors.ts'

type Sent = null | boolean | number | string | { type: string; value: string } | Sent[]

/** The values of a call as they are sent. @throws ARGUMENT_INVALID for one that cannot be bound */
export function sentValues(params: BoundValues): Sent[] | Record<string, Sent> {
  if (Array.isArray(params)) return Array.from(params, (value, k) => sentValue(value, String(k + 1)))
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, sentValue(value, name)]))
}

function sentValue(value: BoundValue | undefined, name: string): Sent {
  if (value === null || value === undefined) return null
  if (typeof value === 'boolean' || typeof value === 'string') return value
  if (typeof value === 'number') return sentNumber(value)
  if (typeof value === 'bigint') return { type: 'bigint', value: integerText(value, name) }
  if (value instanceof Uint8Array) return { type: 'blob', value: base64(value) }
  if (value instanceof Date && !Number.isNaN(value.getTime())) return { type: 'timestamp', value: value.toISOString() }
  if (Array.isArray(value)) return Array.from(value, (item) => sentValue(item, name))
  throw invalid(name, 'expected null, a boolean, number, bigint, string, Date, Uint8Array or an array of these')
}

function sentNumber(value: number): Sent {
  const isJson = Number.isFinite(value) && !Object.is(value, -0)
  return isJson ? value : { type: 'double', value: Object.is(value, -0) ? '-0' : String(value) }
}

function integerText(value: bigint, name: string): string {
  if (BigInt.asIntN(128, value) === value) return String(value)
  throw invalid(name, 'the integer has more than 128 bits')
}

function base64(bytes: Uint8Array): string {
  const parts: string[] = []
  // A call takes only so many arguments.
  for (let k = 0; k < bytes.length; k += 8192) parts.push(String.fromCharCode(...bytes.subarray(k, k + 8192)))
  return btoa(parts.join(''))
}

function invalid(name: string, reason: string): SkepError<'ARGUMENT_INVALID'> {
  return new SkepError('ARGUMENT_INVALID', `parameter ${name}: ${reason}`, { argument: name })
}
