/** The query as a document: read from text, printed for people, changed without changing what was there before. */
import { type Json, type JsonObject, parseQueryText, printQuery } from '../../../../src/behaviour/json.ts'
import { LANGUAGE_LIMITS } from '../../../../src/common/language-limits.ts'

export type { Json, JsonObject } from '../../../../src/behaviour/json.ts'

/** The limits of the language; the size of a text is the server's to judge. */
export const LIMITS = {
  ...Object.fromEntries(Object.entries(LANGUAGE_LIMITS).map(([name, entry]) => [name, entry.default])),
  queryBytes: Number.MAX_SAFE_INTEGER,
} as { readonly [K in keyof typeof LANGUAGE_LIMITS]: number } & { queryBytes: number }

/** The document of a text, integers of any size exact; a blank text is the query that asks nothing. @throws JSON_INVALID, QUERY_TOO_DEEP */
export function readText(text: string): Json {
  return text.trim() === '' ? {} : parseQueryText(text, LIMITS)
}

/** The document in one line, for addresses and requests. */
export const printShort = printQuery

const WIDTH = 76

/** The document as people write it: what fits into a line stands in one. `leaf` prints what is neither list nor object. */
export function printPretty(value: Json, leaf: (value: Json) => string = printQuery, indent = ''): string {
  const line = oneLine(value, leaf)
  if (line.length + indent.length <= WIDTH || value === null || typeof value !== 'object') return line
  const inner = `${indent}  `
  const print = (item: Json) => printPretty(item, leaf, inner)
  const [open, close, parts] = Array.isArray(value)
    ? ['[', ']', value.map(print)]
    : ['{', '}', Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${print(item)}`)]
  return `${open}\n${parts.map((part) => inner + part).join(',\n')}\n${indent}${close}`
}

function oneLine(value: Json, leaf: (value: Json) => string): string {
  if (value === null || typeof value !== 'object') return leaf(value)
  if (Array.isArray(value)) return `[${value.map((item) => oneLine(item, leaf)).join(', ')}]`
  const parts = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${oneLine(item, leaf)}`)
  return parts.length === 0 ? '{}' : `{ ${parts.join(', ')} }`
}

/** Whether two documents are the same, whatever the order of their keys. */
export function isSame(a: Json | undefined, b: Json | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return printQuery(ordered(a)) === printQuery(ordered(b))
}

function ordered(value: Json): Json {
  if (Array.isArray(value)) return value.map(ordered)
  if (!isObject(value)) return value
  const keys = Object.keys(value).sort()
  return Object.fromEntries(keys.map((key) => [key, ordered(value[key]!)]))
}

/** Whether a value is an object with keys. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value that stands for itself. */
export type Scalar = string | number | bigint | boolean

/** Whether a value is one that a column may be compared with. */
export function isScalar(value: Json | undefined): value is Scalar {
  return value !== undefined && value !== null && typeof value !== 'object'
}

const ids = new WeakMap<object, string>()
let count = 0

/** The name by which a part is known on the page, also after it was changed or moved. */
export function idOf(part: Json): string {
  if (part === null || typeof part !== 'object') return String(part)
  let id = ids.get(part)
  if (id === undefined) {
    id = `p${++count}`
    ids.set(part, id)
  }
  return id
}

/** `next`, known as what `before` was. */
export function keepId<T extends Json>(before: Json, next: T): T {
  if (before !== null && typeof before === 'object' && next !== null && typeof next === 'object' && before !== next) {
    ids.set(next, idOf(before))
  }
  return next
}

/** The object with fields changed; those that become `undefined` go. Known fields keep their places. */
export function patched(object: JsonObject, change: Readonly<Record<string, Json | undefined>>): JsonObject {
  const entries = Object.entries({ ...object, ...change }).filter(
    (entry): entry is [string, Json] => entry[1] !== undefined,
  )
  return keepId(object, Object.fromEntries(entries))
}

/** The list with another item at a place. */
export function replaced(list: readonly Json[], place: number, item: Json): Json[] {
  return list.map((old, k) => (k === place ? keepId(old, item) : old))
}

/** The list without the item at a place. */
export function without(list: readonly Json[], place: number): Json[] {
  return list.filter((_, k) => k !== place)
}

/** The list with a further item in front of that at a place. */
export function inserted(list: readonly Json[], place: number, item: Json): Json[] {
  return list.toSpliced(place, 0, item)
}

/** The list with one item moved to another place. */
export function moved(list: readonly Json[], from: number, to: number): Json[] {
  return list.toSpliced(from, 1).toSpliced(to, 0, list[from]!)
}

/** A copy of a part with names of its own on the page. */
export function copied<T extends Json>(part: T): T {
  return structuredClone(part)
}
