/**
 * JSON as queries need it: integers of any size are exact, nesting and size are bounded before anything is built, and
 * what comes in as an object through the TypeScript API ends in the same form as what was parsed from text.
 *
 * In that form every integer is a safe `number` or else a `bigint`; every other number is finite and fractional.
 */
import type { LANGUAGE_LIMITS } from '../common/language-limits.ts'
import { SkepError } from '../errors.ts'
import { queryError } from './violations.ts'

/** A value of parsed JSON. */
export type Json = null | boolean | number | bigint | string | Json[] | JsonObject

/** An object of parsed JSON; every key is its own, `__proto__` included. */
export interface JsonObject {
  [key: string]: Json
}

/** The limits of the language. */
export type QueryLimits = { readonly [K in keyof typeof LANGUAGE_LIMITS | 'queryBytes']: number }

type JsonLimits = Pick<QueryLimits, 'queryBytes' | 'jsonDepth'>

/**
 * The value that the text stands for. A byte order mark in front is skipped.
 *
 * A number without fraction (`1`, `1.0`) is read exactly, whatever its size; one with an exponent is the nearest double.
 *
 * @throws JSON_INVALID with the position (in UTF-16 units) when the text is not JSON, a key stands twice in one object, or a number is beyond the doubles
 * @throws QUERY_TOO_LARGE, QUERY_TOO_DEEP
 */
export function parseQueryText(text: string, limits: JsonLimits): Json {
  if (utf8Exceeds(text, limits.queryBytes)) throw tooLarge(limits.queryBytes)
  const reader: Reader = { text, at: text.charCodeAt(0) === 0xfeff ? 1 : 0, depth: 0, limit: limits.jsonDepth }
  const value = readValue(reader)
  skipBlanks(reader)
  if (reader.at < text.length) throw invalid(reader, 'expected the end of the text')
  return value
}

interface Reader {
  readonly text: string
  readonly limit: number
  at: number
  depth: number
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y
const WORD = /true|false|null/y
const WORDS = new Map<string, boolean | null>([
  ['true', true],
  ['false', false],
  ['null', null],
])

function readValue(reader: Reader): Json {
  skipBlanks(reader)
  const first = reader.text[reader.at]
  if (first === '{') return nested(reader, readObject)
  if (first === '[') return nested(reader, readArray)
  if (first === '"') return readString(reader)
  const word = match(reader, WORD)
  return word ? WORDS.get(word[0])! : readNumber(reader)
}

function nested<T>(reader: Reader, read: (reader: Reader) => T): T {
  reader.depth += 1
  if (reader.depth > reader.limit) throw tooDeep(reader.limit)
  reader.at += 1
  const value = read(reader)
  reader.depth -= 1
  return value
}

function readArray(reader: Reader): Json[] {
  const items: Json[] = []
  if (takes(reader, ']')) return items
  do items.push(readValue(reader))
  while (takes(reader, ','))
  if (!takes(reader, ']')) throw invalid(reader, 'expected "," or "]"')
  return items
}

function readObject(reader: Reader): JsonObject {
  const entries = new Map<string, Json>()
  if (takes(reader, '}')) return {}
  do {
    skipBlanks(reader)
    const start = reader.at
    if (reader.text[start] !== '"') throw invalid(reader, 'expected a key in double quotes')
    const key = readString(reader)
    if (entries.has(key)) throw invalid({ ...reader, at: start }, `the key ${shown(key)} stands twice in one object`)
    if (!takes(reader, ':')) throw invalid(reader, 'expected ":"')
    entries.set(key, readValue(reader))
  } while (takes(reader, ','))
  if (!takes(reader, '}')) throw invalid(reader, 'expected "," or "}"')
  return Object.fromEntries(entries)
}

function readString(reader: Reader): string {
  const { text, at: start } = reader
  let escaped = false
  let end = start + 1
  for (; ; end++) {
    const unit = text.charCodeAt(end)
    if (unit === 0x22) break
    if (!(unit >= 0x20)) throw invalid({ ...reader, at: Math.min(end, text.length) }, 'the string does not end')
    if (unit === 0x5c) {
      escaped = true
      end += 1
    }
  }
  reader.at = end + 1
  return escaped ? unescaped(reader, start, end) : text.slice(start + 1, end)
}

function unescaped(reader: Reader, start: number, end: number): string {
  try {
    return JSON.parse(reader.text.slice(start, end + 1))
  } catch {
    throw invalid({ ...reader, at: start }, 'the string has an escape that JSON does not know')
  }
}

function readNumber(reader: Reader): number | bigint {
  const start = reader.at
  const found = match(reader, NUMBER)
  if (!found) throw invalid(reader, start < reader.text.length ? 'expected a value' : 'the text ends too early')
  const [token, fraction, exponent] = found
  if (exponent === undefined && (fraction === undefined || /^\.0+$/.test(fraction))) {
    return exactInteger(fraction === undefined ? token : token.slice(0, -fraction.length))
  }
  const value = Number(token)
  if (!Number.isFinite(value)) throw invalid({ ...reader, at: start }, 'the number is too large')
  return canonicalNumber(value)
}

function exactInteger(digits: string): number | bigint {
  return digits.length <= 15 ? Number(digits) + 0 : canonicalInteger(BigInt(digits))
}

function canonicalInteger(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function canonicalNumber(value: number): number | bigint {
  // Adding zero turns -0 into 0.
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? BigInt(value) : value + 0
}

function skipBlanks(reader: Reader): void {
  for (; ; reader.at++) {
    const unit = reader.text.charCodeAt(reader.at)
    if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return
  }
}

function takes(reader: Reader, character: string): boolean {
  skipBlanks(reader)
  if (reader.text[reader.at] !== character) return false
  reader.at += 1
  return true
}

function match(reader: Reader, pattern: RegExp): RegExpExecArray | null {
  pattern.lastIndex = reader.at
  const found = pattern.exec(reader.text)
  if (found) reader.at += found[0].length
  return found
}

function invalid(reader: Pick<Reader, 'at'>, problem: string): SkepError {
  return new SkepError('JSON_INVALID', `the query is not JSON: ${problem} at position ${reader.at}`, {
    position: reader.at,
  })
}

function tooDeep(limit: number, path?: string): SkepError {
  return new SkepError('QUERY_TOO_DEEP', `the query is nested deeper than ${limit} levels`, {
    limit,
    ...(path === undefined ? {} : { path }),
  })
}

function tooLarge(limitBytes: number): SkepError {
  return new SkepError('QUERY_TOO_LARGE', `the query is larger than ${limitBytes} bytes`, { limitBytes })
}

function utf8Exceeds(text: string, limitBytes: number): boolean {
  if (text.length > limitBytes) return true
  return text.length * 3 > limitBytes && new TextEncoder().encode(text).length > limitBytes
}

/**
 * A plain copy of a value that came as an object, in the form that `parseQueryText` gives. Keys whose value is undefined are absent.
 *
 * @throws QUERY_INVALID (SCHEMA) for what JSON does not know: NaN, infinities, functions, dates and other class instances, holes, cycles
 * @throws QUERY_TOO_LARGE, QUERY_TOO_DEEP
 */
export function checkQueryValue(value: unknown, limits: JsonLimits): Json {
  return copyValue(value, '', { limits, parents: [], bytes: 0 })
}

interface Copier {
  readonly limits: JsonLimits
  readonly parents: object[]
  /** A lower bound of the size as text, so that shared objects cannot unfold without end. */
  bytes: number
}

function copyValue(value: unknown, path: string, copier: Copier): Json {
  copier.bytes += typeof value === 'string' ? value.length + 2 : 1
  if (copier.bytes > copier.limits.queryBytes) throw tooLarge(copier.limits.queryBytes)
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'bigint') return canonicalInteger(value)
  if (typeof value === 'number' && Number.isFinite(value)) return canonicalNumber(value)
  if (typeof value !== 'object') throw notJson(path, `${typeof value === 'number' ? value : typeof value}`)
  if (copier.parents.includes(value)) throw notJson(path, 'an object inside itself')
  if (copier.parents.length >= copier.limits.jsonDepth) throw tooDeep(copier.limits.jsonDepth)
  copier.parents.push(value)
  const copy = Array.isArray(value) ? copyArray(value, path, copier) : copyObject(value, path, copier)
  copier.parents.pop()
  return copy
}

function copyArray(value: unknown[], path: string, copier: Copier): Json[] {
  return Array.from(value, (item, index) => copyValue(item, `${path}/${index}`, copier))
}

function copyObject(value: object, path: string, copier: Copier): JsonObject {
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    throw notJson(path, `an instance of ${shown(String(prototype.constructor?.name ?? 'a class'))}`)
  }
  const entries: [string, Json][] = []
  for (const [key, item] of Object.entries(value)) {
    copier.bytes += key.length + 3
    if (item !== undefined) entries.push([key, copyValue(item, pointer(path, key), copier)])
  }
  return Object.fromEntries(entries)
}

function notJson(path: string, what: string): SkepError {
  return queryError([{ kind: 'SCHEMA', path, message: `${what} is not a value of JSON` }])
}

/** The JSON Pointer (RFC 6901) to a key or place inside the value at `path`. */
export function pointer(path: string, key: string | number): string {
  return typeof key === 'number' ? `${path}/${key}` : `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/** The value as a user recognises it in a message: JSON, cut after 60 characters. */
export function shown(value: Json): string {
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : printQuery(value)
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

/** The value as JSON text, integers of any size in digits. */
export function printQuery(value: Json): string {
  if (typeof value === 'bigint') return value.toString()
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(printQuery).join(',')}]`
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}:${printQuery(item)}`)
    .join(',')}}`
}
