/** Sequences: JSON → located steps with their constraints. Combinations that the language excludes are noted. */
import { SkepError } from '../errors.ts'
import { DURATION_FORMS, type Duration, parseDuration } from './duration.ts'
import {
  field,
  type Located,
  optional,
  present,
  readBoolean,
  readCount,
  readList,
  readName,
  readObject,
  readShape,
  readText,
  readWord,
  required,
  schema,
} from './fields.ts'
import { keysOf, ORDERS, SHAPES, TIE_RULES } from './grammar.ts'
import { type Json, type JsonObject, pointer, shown } from './json.ts'
import { type Reading, readRows, type SourceRows } from './source-filter.ts'
import type { SequenceOrder, TieRule, TimeSpan } from './types.ts'

/** A span of time as the query gives it; text has been read. */
export interface SourceSpan extends Located<TimeSpan> {
  /** Absent for a number. */
  duration?: Duration
}

/** A step. */
export interface SourceStep extends SourceRows {
  negative: boolean
  optional: boolean
  name?: string
  within?: SourceSpan
  after?: SourceSpan
}

/** A sequence and where it stands. */
export interface SourceSequence {
  path: string
  steps: SourceStep[]
  within?: SourceSpan
  /** In place of `within`. */
  maxDuration?: Located<number | bigint>
  order: SequenceOrder
  ties: TieRule
  sameRow: boolean
  hold: Located<string>[]
}

/** The sequence of a condition or funnel. @throws QUERY_TOO_DEEP, TOO_MANY_STEPS */
export function readSequence(reading: Reading, object: JsonObject, path: string): SourceSequence | undefined {
  const words = <T extends string>(key: string, what: string, among: readonly T[]) =>
    optional(object, path, key, (value, at) => readWord(reading, value, at, what, among))
  const order = words('order', 'order of a sequence', ORDERS) ?? 'ordered'
  const ties = words('ties', 'rule for ties', TIE_RULES) ?? 'never'
  const steps = required(reading, object, path, 'sequence', (list, at) => readSteps(reading, list, at, order))
  const sameRow = optional(object, path, 'sameRow', (value, at) => readBoolean(reading, value, at)) ?? false
  const within = optional(object, path, 'within', (value, at) => readSpan(reading, value, at))
  const maxDuration = optional(object, path, 'maxDuration', (value, at) => readMaxDuration(reading, value, at))
  const hold = optional(object, path, 'hold', (value, at) => readHold(reading, value, at)) ?? []
  if (field(object, 'within') !== undefined && field(object, 'maxDuration') !== undefined) {
    schema(reading, pointer(path, 'maxDuration'), '"maxDuration" and "within" mean the same; give one of them')
  }
  if (sameRow && order === 'any') {
    schema(reading, pointer(path, 'sameRow'), 'with "order": "any" every step needs a row of its own')
  } else if (sameRow && ties !== 'stepOrder') {
    schema(reading, pointer(path, 'sameRow'), '"sameRow" needs "ties": "stepOrder"')
  }
  return steps && present({ path: pointer(path, 'sequence'), steps, within, maxDuration, order, ties, sameRow, hold })
}

function readMaxDuration(reading: Reading, value: Json, path: string): Located<number | bigint> | undefined {
  const duration = readCount(reading, value, path)
  return duration === undefined ? undefined : { value: duration, path }
}

function readSpan(reading: Reading, value: Json, path: string): SourceSpan | undefined {
  if (typeof value === 'string') {
    const duration = parseDuration(value)
    return duration
      ? { value, path, duration }
      : schema(reading, path, `${shown(value)} is no duration; expected ${DURATION_FORMS}`)
  }
  if (typeof value !== 'number' && typeof value !== 'bigint') {
    return schema(reading, path, `expected a duration or a number, not ${shown(value)}`)
  }
  return value < 0 ? schema(reading, path, `a span of time is not negative, as ${shown(value)} is`) : { value, path }
}

function readHold(reading: Reading, value: Json, path: string): Located<string>[] | undefined {
  if (typeof value === 'string') return [{ value, path }]
  if (!Array.isArray(value)) return schema(reading, path, `expected a column or a list of columns, not ${shown(value)}`)
  return readList(reading, value, path, 1, (item, at) => readText(reading, item, at))
}

function readSteps(reading: Reading, list: Json, path: string, order: SequenceOrder): SourceStep[] | undefined {
  const { anyOrderSteps } = reading.limits
  if (order === 'any' && Array.isArray(list) && list.length > anyOrderSteps) {
    const message = `a sequence with "order": "any" has at most ${anyOrderSteps} steps; this one has ${list.length}`
    throw new SkepError('TOO_MANY_STEPS', message, { limit: anyOrderSteps, path })
  }
  const steps = readList(reading, list, path, 1, (item, at) => readStep(reading, item, at))
  if (steps === undefined) return undefined
  if (steps.length === (list as Json[]).length) checkSteps(reading, steps, path, order)
  return steps.flatMap(({ rows, ...step }) => (rows ? [{ ...step, ...rows }] : []))
}

/** A step as far as it could be read: without rows when its filter is not valid. */
type ReadStep = Omit<SourceStep, keyof SourceRows> & { rows?: SourceRows }

function readStep(reading: Reading, value: Json, path: string): ReadStep | undefined {
  const object = readObject(reading, value, path, keysOf('step'))
  if (object === undefined) return undefined
  const rowFound = optional(object, path, 'rowFound', (item, at) => readBoolean(reading, item, at))
  const isOptional = optional(object, path, 'optional', (item, at) => readBoolean(reading, item, at))
  const within = optional(object, path, 'within', (item, at) => readSpan(reading, item, at))
  const after = optional(object, path, 'after', (item, at) => readSpan(reading, item, at))
  const name = optional(object, path, 'name', (item, at) => readName(reading, item, at))
  const shape = readShape(reading, object, path, 'step', SHAPES.step.oneOf!)
  const rows = shape === undefined ? undefined : readRows(reading, object, path)
  const [negative, ownName] = [rowFound === false, name?.value]
  return present({ rows, negative, optional: isOptional === true, name: ownName, within, after })
}

function checkSteps(reading: Reading, steps: readonly ReadStep[], path: string, order: SequenceOrder): void {
  if (steps.every((step) => step.negative)) {
    schema(reading, path, 'at least one step must be positive (without "rowFound": false)')
  }
  if (order === 'any') checkAnyOrder(reading, steps, path)
  else checkPlaces(reading, steps, path)
}

function checkAnyOrder(reading: Reading, steps: readonly ReadStep[], path: string): void {
  for (const [index, step] of steps.entries()) {
    const given = { rowFound: step.negative, optional: step.optional, within: step.within, after: step.after }
    for (const [key, value] of Object.entries(given)) {
      if (value) schema(reading, pointer(pointer(path, index), key), `"${key}" does not go with "order": "any"`)
    }
  }
}

/** Which keys a step takes depends on its place among the others. */
function checkPlaces(reading: Reading, steps: readonly ReadStep[], path: string): void {
  const first = steps.findIndex((step) => !step.negative)
  const crowded = besideOptional(steps)
  for (const [index, step] of steps.entries()) {
    const at = (key: string) => pointer(pointer(path, index), key)
    const place = step.negative ? 'a negative step' : index === first ? 'the first positive step' : undefined
    if (step.optional && place) schema(reading, at('optional'), `${place} cannot be optional`)
    const unconstrained = place ?? (step.optional ? 'an optional step' : undefined)
    for (const key of ['within', 'after'] as const) {
      if (step[key] && unconstrained) schema(reading, at(key), `"${key}" does not apply to ${unconstrained}`)
    }
    if (index > first && crowded.has(index))
      schema(reading, at('rowFound'), 'a negative step cannot stand beside an optional one')
  }
}

/** The places of the negative steps whose nearest positive step, before or after them, is optional. */
function besideOptional(steps: readonly ReadStep[]): Set<number> {
  const places = new Set<number>()
  for (const order of [[...steps.entries()], [...steps.entries()].reverse()]) {
    let afterOptional = false
    for (const [index, step] of order) {
      if (!step.negative) afterOptional = step.optional
      else if (afterOptional) places.add(index)
    }
  }
  return places
}
