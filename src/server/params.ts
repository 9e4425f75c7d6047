/** Values that are bound to SQL, from JSON. What JSON lacks comes as an object: `{"type":"bigint","value":"9007199254740993"}`. */
import type { BodyOf } from '../api/contract.ts'
import { SETTINGS } from '../config.ts'
import type { BoundValue, BoundValues } from '../engine/parameters.ts'
import { SkepError } from '../errors.ts'

/** The values of a request. @throws ARGUMENT_INVALID for one that cannot be bound, QUERY_TOO_DEEP */
export function readParams(params: NonNullable<BodyOf<'sql'>['params']>): BoundValues {
  if (Array.isArray(params)) return params.map((value, k) => readValue(value, String(k + 1), 1))
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, readValue(value, name, 1)]))
}

function readValue(value: unknown, name: string, depth: number): BoundValue {
  const limit = SETTINGS.jsonDepth.default
  if (depth > limit) throw new SkepError('QUERY_TOO_DEEP', `params: ${name} has more than ${limit} levels`, { limit })
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value
  if (Array.isArray(value)) return value.map((item) => readValue(item, name, depth + 1))
  const { type, value: text } = value as { type?: unknown; value?: unknown }
  if (typeof text === 'string') {
    if (type === 'bigint' && /^-?\d{1,40}$/.test(text)) return BigInt(text)
    if (type === 'double' && /^(NaN|-?Infinity|-?\d+(\.\d+)?(e[-+]?\d+)?)$/i.test(text)) return Number(text)
    if (type === 'timestamp' && !Number.isNaN(Date.parse(text))) return new Date(text)
    if (type === 'blob' && /^[A-Za-z0-9+/]*={0,2}$/.test(text)) return Buffer.from(text, 'base64')
  }
  const message = `params: ${name} is neither a plain value nor {"type": "bigint" | "double" | "timestamp" | "blob", "value": "…"}`
  throw new SkepError('ARGUMENT_INVALID', message, { argument: 'params' })
}
