/** Values in a Delta log: of partitions, as text; bounds of statistics, as JSON or as a checkpoint's columns have them. */
import type { DataType } from '../../common/data-type.ts'
import { isFloat, isInteger, printType } from '../../common/data-type.ts'
import type { Scalar } from '../types.ts'

/**
 * The value that a partition's text stands for; null for no text. Times without a zone are UTC.
 * Undefined for a text that is no value of the type.
 */
export function partitionValue(text: string | null, type: DataType): Scalar | null | undefined {
  if (text === null || text === '') return null
  if (type.kind === 'decimal') return decimalOf(text, type)
  if (type.kind !== 'primitive') return undefined
  if (isInteger(type)) return integerOf(text, type)
  if (isFloat(type)) return floatOf(text, type)
  switch (type.name) {
    case 'VARCHAR':
      return text
    case 'BOOLEAN':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'BLOB':
      return new TextEncoder().encode(text)
    case 'DATE':
      return daysOf(text)
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return timeOf(text)?.micros
    default:
      return undefined
  }
}

/** A bound that is not wrong, whatever was cut off from what it was made of; undefined where there is none that can be relied upon. */
export function statisticsBound(value: unknown, type: DataType, side: 'lower' | 'upper'): Scalar | undefined {
  if (value === null || value === undefined) return undefined
  if (type.kind === 'decimal') return isNumberLike(value) ? decimalOf(String(value), type) : undefined
  if (type.kind !== 'primitive') return undefined
  if (isInteger(type)) return isNumberLike(value) ? integerOf(String(value), type) : undefined
  if (isFloat(type)) return isNumberLike(value) ? floatBound(Number(String(value)), type) : undefined
  switch (type.name) {
    case 'VARCHAR':
      return typeof value === 'string' ? textBound(value, side) : undefined
    case 'BOOLEAN':
      return typeof value === 'boolean' ? value : undefined
    case 'DATE':
      return typeof value === 'bigint' ? value : typeof value === 'string' ? daysOf(value) : undefined
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return timeBound(value, type, side)
    default:
      return undefined
  }
}

/** A number of JSON, as its text where that has more digits than a number holds. */
function isNumberLike(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof NumberText
}

/** A number in JSON that has more digits than a number in JavaScript. */
export class NumberText {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

const BITS: Record<string, number | undefined> = { TINYINT: 8, SMALLINT: 16, INTEGER: 32, BIGINT: 64 }

function integerOf(text: string, type: DataType): bigint | undefined {
  const bits = BITS[printType(type)]
  if (bits === undefined || !/^[+-]?\d{1,20}$/.test(text)) return undefined
  const value = BigInt(text.replace(/^\+/, ''))
  return BigInt.asIntN(bits, value) === value ? value : undefined
}

function floatOf(text: string, type: DataType): number | undefined {
  if (!/^(?:NaN|[+-]?Infinity|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/.test(text)) return undefined
  return printType(type) === 'FLOAT' ? Math.fround(Number(text)) : Number(text)
}

/** Of FLOAT columns the text of a bound is that of the nearest number with few digits. */
function floatBound(value: number, type: DataType): number | undefined {
  const own = printType(type) === 'FLOAT' ? Math.fround(value) : value
  return Number.isFinite(own) ? own : undefined
}

/** The unscaled value of a decimal's text; undefined when it does not fit the type. */
function decimalOf(text: string, { precision, scale }: { precision: number; scale: number }): bigint | undefined {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text) ?? []
  if (whole + fraction === '') return undefined
  const shift = scale - fraction.length + Number(exponent)
  const digits = BigInt(whole + fraction)
  const factor = 10n ** BigInt(Math.abs(shift))
  if (shift < 0 && digits % factor !== 0n) return undefined
  const unscaled = shift < 0 ? digits / factor : digits * factor
  if (unscaled >= 10n ** BigInt(precision)) return undefined
  return sign === '-' ? -unscaled : unscaled
}

const MILLISECONDS_OF_DAY = 86_400_000

/** Days since 1970 of a date's text. */
function daysOf(text: string): bigint | undefined {
  const ms = midnightOf(text)
  return ms === undefined ? undefined : BigInt(ms / MILLISECONDS_OF_DAY)
}

function midnightOf(text: string): number | undefined {
  const [, year, month, day] = /^([+-]?\d{4,6})-(\d{2})-(\d{2})$/.exec(text) ?? []
  if (year === undefined) return undefined
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  const isDate = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
  return isDate ? date.getTime() : undefined
}

interface Time {
  micros: bigint
  /** Digits after the second. */
  digits: number
  zoned: boolean
}

const TIME = /^([+-]?\d{4,6}-\d{2}-\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?$/

/** Microseconds since 1970; what has no zone is taken as UTC. */
function timeOf(text: string): Time | undefined {
  const [, date = '', hour, minute, second = '0', fraction = '', zone] = TIME.exec(text) ?? []
  const midnight = midnightOf(date)
  if (midnight === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offsetSeconds(zone)
  const micros = BigInt(midnight) * 1000n + BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0').slice(0, 6))
  return { micros, digits: fraction.length, zoned: zone !== undefined }
}

function offsetSeconds(zone = 'Z'): number {
  if (zone === 'Z') return 0
  const [, sign, hours, minutes] = /^([+-])(\d{2}):?(\d{2})$/.exec(zone)!
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60)
}

/** Some writers cut times to milliseconds: the bound is then moved outwards by one. */
function timeBound(value: unknown, type: DataType, side: 'lower' | 'upper'): bigint | undefined {
  if (typeof value === 'bigint') return widened(value, side)
  const time = typeof value === 'string' ? timeOf(value) : undefined
  if (!time || (printType(type) !== 'TIMESTAMP' && !time.zoned)) return undefined
  return time.digits >= 6 ? time.micros : widened(time.micros, side)
}

const MILLISECOND = 1000n

function widened(micros: bigint, side: 'lower' | 'upper'): bigint {
  return side === 'lower' ? micros - MILLISECOND : micros + MILLISECOND
}

/** Writers cut texts to this many characters at the least. */
const CUT_CHARACTERS = 32

/** A text that may have been cut is a lower bound as it is, less half a character; an upper bound is the next text that does not begin with it. */
function textBound(text: string, side: 'lower' | 'upper'): string | undefined {
  const whole = text.replace(/[\uD800-\uDBFF]$/, '')
  const characters = [...whole]
  if (!whole.isWellFormed()) return undefined
  if (side === 'lower') return whole
  if (text === whole && characters.length < CUT_CHARACTERS) return text
  while (characters.length > 0) {
    const next = following(characters.pop()!)
    if (next !== undefined) return characters.join('') + next
  }
  return undefined
}

const LAST_CHARACTER = 0x10ffff

function following(character: string): string | undefined {
  const code = character.codePointAt(0)!
  if (code === LAST_CHARACTER) return undefined
  // Surrogates are no characters.
  return String.fromCodePoint(code === 0xd7ff ? 0xe000 : code + 1)
}
