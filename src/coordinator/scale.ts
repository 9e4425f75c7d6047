/** Where the values of a column stand on a line, so that they can be counted between edges: exactly, for every type that has an order and distances. */
import {
  DATE,
  DuckDBDateValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  TIME,
  TIMESTAMP,
  TIMESTAMP_NS,
  TIMESTAMPTZ,
} from '@duckdb/node-api'
import { printDecimal } from '../behaviour/predicate-sql.ts'
import { type DataType, isFloat, isInteger, type PrimitiveName, printType, quoteString } from '../common/data-type.ts'
import { type JsonValue, toJson } from '../engine/values.ts'

/** A place: ticks or unscaled digits as bigint, floats as number. */
export type Place = bigint | number

/** How places of a type are read, written and shown. */
export interface Scale {
  /** SQL of the place of the value that this SQL names; null for NaN, infinities and nulls. */
  place(value: string): string
  /** The place that a result has as JSON. */
  read(json: JsonValue): Place
  /** SQL of a place. */
  literal(place: Place): string
  /** The value at a place, as JSON. */
  show(place: Place): JsonValue
  /** True where between two neighbouring places there is no other: integers and dates. */
  discrete: boolean
  /** What a value may be that has no place. */
  beyond: readonly ('nans' | 'infinities')[]
}

/** The scale of a type; undefined for texts, booleans and all that has no distances. */
export function scaleOf(type: DataType): Scale | undefined {
  if (isInteger(type)) return { ...wholeScale(printType(type)), show: showInteger, discrete: true }
  if (isFloat(type)) return FLOATS
  if (type.kind === 'decimal') return decimalScale(type.scale, printType(type))
  return type.kind === 'primitive' ? TIMES[type.name] : undefined
}

const FLOATS: Scale = {
  place: (value) => `CASE WHEN isfinite(${value}) THEN ${value}::DOUBLE END`,
  read: Number,
  literal: (place) => `${quoteString(String(place))}::DOUBLE`,
  show: Number,
  discrete: false,
  beyond: ['nans', 'infinities'],
}

function wholeScale(type: string): Omit<Scale, 'show' | 'discrete'> {
  return {
    place: (value) => value,
    read: (json) => BigInt(json as number | string),
    literal: (place) => `${quoteString(String(place))}::${type}`,
    beyond: [],
  }
}

function showInteger(place: Place): JsonValue {
  return Number.isSafeInteger(Number(place)) ? Number(place) : String(place)
}

function decimalScale(scale: number, type: string): Scale {
  const show = (place: Place) => printDecimal(BigInt(place), scale)
  return {
    place: (value) => value,
    read: (json) => BigInt(String(json).replace('.', '')),
    literal: (place) => `${quoteString(show(place))}::${type}`,
    show,
    discrete: false,
    beyond: [],
  }
}

function timeScale(ticks: (value: string) => string, show: (ticks: bigint) => JsonValue, bounded: boolean): Scale {
  return {
    ...wholeScale('BIGINT'),
    place: (value) => (bounded ? ticks(value) : `CASE WHEN isfinite(${value}) THEN ${ticks(value)} END`),
    show: (place) => show(BigInt(place)),
    discrete: false,
    beyond: bounded ? [] : ['infinities'],
  }
}

const micros = (value: string) => `epoch_us(${value})`
const showTimestamp = (ticks: bigint) => toJson(new DuckDBTimestampValue(ticks), TIMESTAMP)
const showTime = (ticks: bigint) => toJson(new DuckDBTimeValue(ticks), TIME)
const TIMESTAMPS = timeScale((value) => micros(`${value}::TIMESTAMP`), showTimestamp, false)
// Files store times with zone in UTC.
const DAYTIMES = timeScale((value) => micros(`${value}::TIME`), showTime, true)

const TIMES: { readonly [K in PrimitiveName]?: Scale } = {
  DATE: {
    ...timeScale(
      (value) => `date_diff('day', DATE '1970-01-01', ${value})`,
      (days) => toJson(new DuckDBDateValue(Number(days)), DATE),
      false,
    ),
    discrete: true,
  },
  TIME: DAYTIMES,
  TIME_NS: DAYTIMES,
  'TIME WITH TIME ZONE': DAYTIMES,
  TIMESTAMP: TIMESTAMPS,
  TIMESTAMP_S: TIMESTAMPS,
  TIMESTAMP_MS: TIMESTAMPS,
  TIMESTAMP_NS: timeScale(
    (value) => `epoch_ns(${value})`,
    (ticks) => toJson(new DuckDBTimestampNanosecondsValue(ticks), TIMESTAMP_NS),
    false,
  ),
  'TIMESTAMP WITH TIME ZONE': timeScale(
    micros,
    (ticks) => toJson(new DuckDBTimestampTZValue(ticks), TIMESTAMPTZ),
    false,
  ),
}

/**
 * Edges of at most so many bins of nearly equal width between two places, ascending. Bin `k` holds what is at or above edge `k` and below
 * edge `k + 1`, the last one also what is at its upper edge. Of a discrete scale the last edge is one beyond the highest place.
 */
export function edgesBetween(low: Place, high: Place, bins: number, discrete: boolean): Place[] {
  if (typeof low === 'number' || typeof high === 'number') return floatEdges(Number(low), Number(high), bins)
  const span = high - low + (discrete ? 1n : 0n)
  const count = span < 1n ? 1n : span < BigInt(bins) ? span : BigInt(bins)
  return Array.from({ length: Number(count) + 1 }, (_, k) => low + (span * BigInt(k)) / count)
}

function floatEdges(low: number, high: number, bins: number): number[] {
  // Each end is multiplied by itself: their difference may be more than a float can be.
  const inner = Array.from({ length: bins - 1 }, (_, k) => low * (1 - (k + 1) / bins) + high * ((k + 1) / bins))
  const edges = [low]
  for (const edge of inner) if (edge > edges.at(-1)! && edge < high) edges.push(edge)
  return [...edges, high]
}

/** SQL of the number of the bin, from 0, in which the place lies that this SQL names. It is compared with the logarithm of the number of edges. */
export function binSql(place: string, edges: readonly Place[], literal: Scale['literal']): string {
  const choose = (first: number, last: number): string => {
    if (first === last) return String(first)
    const middle = (first + last + 1) >> 1
    return `CASE WHEN ${place} < ${literal(edges[middle]!)} THEN ${choose(first, middle - 1)} ELSE ${choose(middle, last)} END`
  }
  return choose(0, edges.length - 2)
}
