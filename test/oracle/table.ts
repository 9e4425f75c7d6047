/** Tables as the oracle sees them: rows of exact values, and how each type is compared and shown. */
import type { TimeUnit } from '../../src/catalog/types.ts'
import { compareFractions, type Fraction, fractionOfDigits, fractionOfDouble } from './exact.ts'

/** Integers are `bigint`; decimals, dates and timestamps too: unscaled digits, days and ticks since 1970. */
export type Cell = null | boolean | string | number | bigint | Cell[]

/** A column; `type` is a name of DuckDB. */
export interface OracleColumn {
  name: string
  type: string
  /** Of a field of a struct, whose reference is the name: the column, and the field. */
  path?: [struct: string, field: string]
}

/** A table with the names of its key columns. */
export interface OracleTable {
  columns: OracleColumn[]
  actor: string
  time: string
  /** Of integer times, where it is known. */
  timeUnit?: TimeUnit
  rows: Cell[][]
}

/** Types that are treated alike. */
export type Kind =
  | 'list'
  | 'text'
  | 'boolean'
  | 'integer'
  | 'float'
  | 'decimal'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'uuid'

/** How a type is treated. */
export function kindOf(type: string): Kind {
  if (type.endsWith('[]')) return 'list'
  if (/^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/.test(type)) return 'integer'
  if (type === 'FLOAT' || type === 'DOUBLE') return 'float'
  if (type.startsWith('DECIMAL')) return 'decimal'
  if (type.startsWith('TIMESTAMP')) return 'timestamp'
  const kinds: Record<string, Kind> = { VARCHAR: 'text', BOOLEAN: 'boolean', DATE: 'date', TIME: 'time', UUID: 'uuid' }
  return kinds[type]!
}

/** Digits after the point of a decimal type. */
export function scaleOf(type: string): number {
  return Number(/,\s*(\d+)/.exec(type)?.[1] ?? 0)
}

/** Ticks per second of a timestamp type. */
export function ticksPerSecond(type: string): bigint {
  return TICKS[type] ?? 1_000_000n
}

const TICKS: Record<string, bigint> = { TIMESTAMP_S: 1n, TIMESTAMP_MS: 1000n, TIMESTAMP_NS: 1_000_000_000n }

/** Null, or NaN, which counts as null. */
export function isMissing(cell: Cell): cell is null {
  return cell === null || Number.isNaN(cell)
}

/** The number that a numeric cell, a date, a time or a timestamp (all in seconds) stands for. */
export function fractionOf(cell: number | bigint, type: string): Fraction {
  if (typeof cell === 'number') return fractionOfDouble(cell)
  switch (kindOf(type)) {
    case 'decimal':
      return { numerator: cell, denominator: 10n ** BigInt(scaleOf(type)) }
    case 'date':
      return { numerator: cell * 86_400n, denominator: 1n }
    case 'time':
    case 'timestamp':
      return { numerator: cell, denominator: ticksPerSecond(type) }
    default:
      return { numerator: cell, denominator: 1n }
  }
}

/** The number that a value of a query stands for when it is compared with a column of the type. */
export function fractionOfLiteral(value: string | number | bigint, type: string): Fraction {
  if (typeof value === 'bigint') return { numerator: value, denominator: 1n }
  const kind = kindOf(type)
  if (kind === 'date' || kind === 'timestamp') return secondsOf(String(value))
  if (kind === 'time') return secondsOf(`1970-01-01T${value}`)
  return kind === 'float' ? fractionOfDouble(Number(value)) : fractionOfDigits(String(value))
}

/** Seconds since 1970 of an ISO 8601 date or timestamp; UTC when it names no zone. */
function secondsOf(text: string): Fraction {
  const [, head, fraction = '', zone = ''] = /^(.{10}(?:T\d\d:\d\d:\d\d)?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?$/.exec(text)!
  const whole = BigInt(Date.parse(head!.length === 10 ? head! : `${head}${zone || 'Z'}`)) / 1000n
  const ticks = fractionOfDigits(`0.${fraction || '0'}`)
  return { numerator: whole * ticks.denominator + ticks.numerator, denominator: ticks.denominator }
}

const COMPARISONS: Record<string, (order: number) => boolean> = {
  '==': (order) => order === 0,
  '!=': (order) => order !== 0,
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

/** Whether a comparison holds between two numbers. */
export function holds(a: Fraction, op: string, b: Fraction): boolean {
  return orderHolds(compareFractions(a, b), op)
}

/** Whether a comparison holds between two values, of which the first is less (negative), equal (0) or greater. */
export function orderHolds(order: number, op: string): boolean {
  return COMPARISONS[op]!(order)
}

/** The text that stands for a value in the maps of a result. */
export function keyText(cell: Exclude<Cell, null>, type: string): string {
  switch (kindOf(type)) {
    case 'boolean':
      return cell ? 'True' : 'False'
    case 'float': {
      const value = Number(cell) + 0
      return Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : `${value}`
    }
    case 'decimal':
      return decimalText(cell as bigint, scaleOf(type))
    case 'date':
      return new Date(Number(cell) * 86_400_000).toISOString().slice(0, 10)
    case 'time':
      return timestampText(cell as bigint, type).slice(11)
    case 'timestamp':
      return timestampText(cell as bigint, type)
    default:
      return String(cell)
  }
}

/** Unscaled digits with their point. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const point = digits.length - scale
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? '.' : ''}${digits.slice(point)}`
}

function timestampText(ticks: bigint, type: string): string {
  const perSecond = ticksPerSecond(type)
  const rest = ((ticks % perSecond) + perSecond) % perSecond
  const seconds = new Date(Number((ticks - rest) / perSecond) * 1000).toISOString().slice(0, 19)
  const fraction = String(rest)
    .padStart(String(perSecond).length - 1, '0')
    .replace(/0+$/, '')
  return `${seconds}${fraction === '' ? '' : `.${fraction}`}${type === 'TIMESTAMP WITH TIME ZONE' ? 'Z' : ''}`
}
