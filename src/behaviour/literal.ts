/** Values of a query as a column's type sees them: exact, however large or fine. */
import type { DataType } from '../common/data-type.ts'
import { isInteger } from './fields.ts'
import { floorDivide, parseInstant, parseTime } from './iso.ts'
import type { TypeClass } from './operators.ts'
import type { FilterValue } from './types.ts'

/**
 * A value to compare a column with. Where the column's type may lack the value, `floor` is the greatest value of the
 * type (of unbounded width) that is not above it, and `exact` says whether it is the value itself.
 */
export type Literal =
  | { kind: 'text'; text: string }
  | { kind: 'boolean'; value: boolean }
  /** Integers; decimals, dates and times in units of the last place of the column's type, the latter since midnight or 1970. */
  | { kind: 'ticks'; floor: bigint; exact: boolean }
  | { kind: 'float'; floor: number; exact: boolean }

interface LiteralReader {
  /** What the user is told to write. */
  expected: string
  read: (value: FilterValue, type: DataType) => Literal | undefined
}

const READERS: Record<TypeClass, LiteralReader | undefined> = {
  boolean: { expected: 'true or false', read: readBoolean },
  integer: { expected: 'an integer', read: readInteger },
  float: { expected: 'a number', read: readFloat },
  decimal: { expected: 'a number, or a decimal in a string', read: readDecimal },
  string: { expected: 'a string', read: readText },
  uuid: { expected: 'a UUID in a string', read: readUuid },
  date: { expected: 'an ISO 8601 date or timestamp in a string', read: readInstant },
  time: { expected: 'an ISO 8601 time of day in a string', read: readTimeOfDay },
  timestamp: { expected: 'an ISO 8601 date or timestamp in a string', read: readInstant },
  timestamptz: { expected: 'an ISO 8601 date or timestamp in a string', read: readInstant },
  binary: undefined,
}

/** The value as the type sees it; undefined when it is not of the kind that the type takes. */
export function readLiteral(value: FilterValue, type: DataType, typeClass: TypeClass): Literal | undefined {
  return READERS[typeClass]?.read(value, type)
}

/** What a column of the class is compared with, for messages. */
export function expectedValue(typeClass: TypeClass): string {
  return READERS[typeClass]?.expected ?? 'no value'
}

function readBoolean(value: FilterValue): Literal | undefined {
  return typeof value === 'boolean' ? { kind: 'boolean', value } : undefined
}

function readText(value: FilterValue): Literal | undefined {
  return typeof value === 'string' ? { kind: 'text', text: value } : undefined
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

function readUuid(value: FilterValue): Literal | undefined {
  const text = typeof value === 'string' ? value.toLowerCase() : ''
  return UUID.test(text) ? { kind: 'text', text } : undefined
}

function readInteger(value: FilterValue): Literal | undefined {
  return isInteger(value) ? { kind: 'ticks', floor: BigInt(value), exact: true } : undefined
}

function readFloat(value: FilterValue, type: DataType): Literal | undefined {
  if (typeof value === 'bigint') return floatFloor(value)
  if (typeof value !== 'number') return undefined
  // A fraction is written with the digits that the column shows; integers are meant exactly.
  const single = type.kind === 'primitive' && type.name === 'FLOAT' && !Number.isInteger(value)
  return { kind: 'float', floor: single ? Math.fround(value) : value, exact: true }
}

function floatFloor(value: bigint): Literal {
  const near = Number(value)
  if (near === Number.POSITIVE_INFINITY) return { kind: 'float', floor: Number.MAX_VALUE, exact: false }
  if (near === Number.NEGATIVE_INFINITY) return { kind: 'float', floor: near, exact: false }
  const difference = BigInt(near) - value
  return { kind: 'float', floor: difference > 0n ? neighbour(near, -1n) : near, exact: difference === 0n }
}

/** The next double above (1) or below (-1) one that is not zero. */
function neighbour(value: number, direction: 1n | -1n): number {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  view.setBigInt64(0, view.getBigInt64(0) + (value > 0 ? direction : -direction))
  return view.getFloat64(0)
}

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/

function readDecimal(value: FilterValue, type: DataType): Literal | undefined {
  const match = typeof value === 'boolean' || type.kind !== 'decimal' ? null : DECIMAL.exec(String(value))
  if (!match || type.kind !== 'decimal') return undefined
  const fraction = match[3] ?? ''
  const digits = BigInt(`${match[2]}${fraction}`) * (match[1] === '-' ? -1n : 1n)
  const shift = type.scale - fraction.length + Number(match[4] ?? 0)
  if (shift >= 0) return { kind: 'ticks', floor: digits * 10n ** BigInt(shift), exact: true }
  return ticks(digits, 10n ** BigInt(-shift))
}

function ticks(value: bigint, perTick: bigint): Literal {
  const floor = floorDivide(value, perTick)
  return { kind: 'ticks', floor, exact: floor * perTick === value }
}

function readInstant(value: FilterValue, type: DataType): Literal | undefined {
  const instant = typeof value === 'string' ? parseInstant(value) : undefined
  if (instant === undefined) return undefined
  const isDate = type.kind === 'primitive' && type.name === 'DATE'
  return ticks(instant, isDate ? NS_PER_DAY : NS_PER_SECOND / ticksPerSecond(type))
}

function readTimeOfDay(value: FilterValue, type: DataType): Literal | undefined {
  const time = typeof value === 'string' ? parseTime(value) : undefined
  return time === undefined ? undefined : ticks(time, NS_PER_SECOND / ticksPerSecond(type))
}

const NS_PER_SECOND = 1_000_000_000n
const NS_PER_DAY = 86_400n * NS_PER_SECOND
const TICKS = new Map<string, bigint>([
  ['TIMESTAMP_S', 1n],
  ['TIMESTAMP_MS', 1000n],
  ['TIMESTAMP_NS', NS_PER_SECOND],
  ['TIME_NS', NS_PER_SECOND],
])

/** How finely a time or timestamp type counts: units per second. */
export function ticksPerSecond(type: DataType): bigint {
  return (type.kind === 'primitive' ? TICKS.get(type.name) : undefined) ?? 1_000_000n
}

/** The least value of the column's type, of unbounded width, that is not below the literal: a bound of a half-open range. */
export function ceiling(literal: Literal): bigint | number | undefined {
  if (literal.kind === 'ticks') return literal.exact ? literal.floor : literal.floor + 1n
  if (literal.kind !== 'float') return undefined
  if (literal.exact) return literal.floor
  return literal.floor === Number.NEGATIVE_INFINITY ? -Number.MAX_VALUE : neighbour(literal.floor, 1n)
}
