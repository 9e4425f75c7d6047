/** Reading the parts of a query out of JSON: each reader gives the part, or notes what is wrong with it and gives undefined. */
import type { Violation } from '../errors.ts'
import { type Json, type JsonObject, pointer, shown } from './json.ts'
import { type Report, suggestion, violate } from './violations.ts'

/** A value together with the JSON Pointer to where the user wrote it. */
export interface Located<T> {
  value: T
  path: string
}

/** The value when it is an object, with every key among `known`; unknown keys are noted with the nearest known one. */
export function readObject(
  report: Report,
  value: Json,
  path: string,
  known: readonly string[],
): JsonObject | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return schema(report, path, `expected an object, not ${shown(value)}`)
  }
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue
    const hint = suggestion(report, key, known) || `; known here: ${known.join(', ')}`
    schema(report, pointer(path, key), `unknown key ${shown(key)}${hint}`)
  }
  return value
}

/** The field's value, or undefined when the object has no such key of its own. */
export function field(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** What `read` makes of the field, or undefined when there is none. */
export function optional<T>(
  object: JsonObject,
  path: string,
  key: string,
  read: (value: Json, path: string) => T | undefined,
): T | undefined {
  const value = field(object, key)
  return value === undefined ? undefined : read(value, pointer(path, key))
}

/** What `read` makes of the field; a missing one is noted at the object. */
export function required<T>(
  report: Report,
  object: JsonObject,
  path: string,
  key: string,
  read: (value: Json, path: string) => T | undefined,
): T | undefined {
  if (field(object, key) === undefined) return schema(report, path, `the key "${key}" is missing`)
  return optional(object, path, key, read)
}

/** What `read` makes of each item; undefined when the value is no list. Items that do not read are left out. */
export function readList<T>(
  report: Report,
  value: Json,
  path: string,
  minimum: 0 | 1,
  read: (value: Json, path: string, index: number) => T | undefined,
): T[] | undefined {
  if (!Array.isArray(value)) return schema(report, path, `expected a list, not ${shown(value)}`)
  if (value.length < minimum) return schema(report, path, 'the list must not be empty')
  return value
    .map((item, index) => read(item, pointer(path, index), index))
    .filter((item): item is Exclude<typeof item, undefined> => item !== undefined)
}

/** The one key among `shapes` that the object has; none and several are noted. */
export function readShape(
  report: Report,
  object: JsonObject,
  path: string,
  what: string,
  shapes: readonly string[],
): string | undefined {
  const given = shapes.filter((key) => field(object, key) !== undefined)
  if (given.length === 1) return given[0]
  const listed = shapes.map((key) => `"${key}"`).join(', ')
  return schema(
    report,
    path,
    `a ${what} has exactly one of ${listed}; this one has ${given.length === 0 ? 'none' : given.length}`,
  )
}

/** A string. */
export function readText(report: Report, value: Json, path: string): Located<string> | undefined {
  return typeof value === 'string' ? { value, path } : schema(report, path, `expected a string, not ${shown(value)}`)
}

/** True or false. */
export function readBoolean(report: Report, value: Json, path: string): boolean | undefined {
  return typeof value === 'boolean' ? value : schema(report, path, `expected true or false, not ${shown(value)}`)
}

/** A number. */
export function readNumber(report: Report, value: Json, path: string): number | bigint | undefined {
  const isNumber = typeof value === 'number' || typeof value === 'bigint'
  return isNumber ? value : schema(report, path, `expected a number, not ${shown(value)}`)
}

/** A whole number from 0. */
export function readCount(report: Report, value: Json, path: string): number | bigint | undefined {
  if (isInteger(value) && value >= 0) return value
  return schema(report, path, `expected a whole number from 0, not ${shown(value)}`)
}

/** True for an integer of any size. */
export function isInteger(value: Json): value is number | bigint {
  return typeof value === 'bigint' || Number.isInteger(value)
}

/** One of a few words. */
export function readWord<T extends string>(
  report: Report,
  value: Json,
  path: string,
  what: string,
  words: readonly T[],
): T | undefined {
  if ((words as readonly Json[]).includes(value)) return value as T
  const near = typeof value === 'string' ? suggestion(report, value, words) : ''
  const listed = words.map((word) => `"${word}"`).join(', ')
  return schema(report, path, `${shown(value)} is no ${what}${near || `; expected one of ${listed}`}`)
}

const NAME = /^[A-Za-z][A-Za-z_0-9]*$/

/** A name: a letter, then letters, digits and `_`. An empty one counts as none and gives undefined. */
export function readName(report: Report, value: Json, path: string): Located<string> | undefined {
  const name = readText(report, value, path)
  if (name === undefined || name.value === '') return undefined
  if (NAME.test(name.value)) return name
  return schema(report, path, `${shown(name.value)} is no name: a name is a letter, then letters, digits or "_"`)
}

/** Notes names that stand twice among `names`; `fold` says which count as the same. */
export function checkUnique(report: Report, names: Located<string>[], fold: (name: string) => string): void {
  const seen = new Set<string>()
  for (const { value, path } of names) {
    if (seen.has(fold(value))) schema(report, path, `the name ${shown(value)} stands twice`)
    seen.add(fold(value))
  }
}

/** Notes a SCHEMA violation. */
export function schema(report: Report, path: string, message: string): undefined {
  return violate(report, 'SCHEMA' satisfies Violation['kind'], path, message)
}

type Optional<T> = { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> }
type Required<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] }

/** The object without its undefined fields. */
export function present<T extends object>(object: T): Required<T> & Optional<T> {
  const result: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(object)) if (value !== undefined) result[key] = value
  return result as Required<T> & Optional<T>
}
