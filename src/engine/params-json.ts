/** Bound values as JSON carries them. */
import { scalarFromJson, scalarToJson } from '../catalog/folder/scalar-json.ts'
import type { ParamJson } from '../planner/plan.ts'
import type { BoundValue } from './parameters.ts'

/** A bound value as JSON; a date has the tag `d:`, NaN is `n:`, everything else is as {@link scalarToJson} writes it. */
export function paramToJson(value: BoundValue): ParamJson {
  if (value === null) return null
  if (Array.isArray(value)) return value.map(paramToJson)
  if (value instanceof Date) return `d:${value.toISOString()}`
  if (Number.isNaN(value)) return 'n:'
  return scalarToJson(value as Exclude<BoundValue, null | Date | readonly BoundValue[]>)
}

/** The value that {@link paramToJson} wrote. */
export function paramFromJson(json: ParamJson): BoundValue {
  if (json === null) return null
  if (Array.isArray(json)) return json.map(paramFromJson)
  if (typeof json === 'string' && json.startsWith('d:')) return new Date(json.slice(2))
  return json === 'n:' ? Number.NaN : scalarFromJson(json)!
}
