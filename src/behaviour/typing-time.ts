/** Times of a query against the time column of a table: timeframes, spans, and the sequences that they bound. */
import type { TimeUnit } from '../catalog/types.ts'
import type { DataType } from '../common/data-type.ts'
import type { FoundColumn } from './column.ts'
import { durationSeconds, durationTicks, tickNanoseconds } from './duration.ts'
import { isInteger, present } from './fields.ts'
import { parseInstant } from './iso.ts'
import { shown } from './json.ts'
import { ceiling, expectedValue, type Literal, readLiteral } from './literal.ts'
import { classOf } from './operators.ts'
import type { Predicate, Timeframe } from './predicate-sql.ts'
import type { SourceBound, SourceQuery } from './source.ts'
import type { SourceSequence, SourceSpan } from './source-sequence.ts'
import { type Columns, findPrimitive } from './typing.ts'
import { typeRows } from './typing-filter.ts'
import { type Report, violate } from './violations.ts'

/**
 * A time between two rows, in ticks of the time column: integer columns in their own unit; DATE in days; TIMESTAMP_NS
 * in nanoseconds, every other timestamp in microseconds; float columns in seconds, as `number`.
 */
export type Span = bigint | number

/** The time column. `unit` of an integer one, where it is known. */
export interface TimeColumn {
  type: DataType
  unit?: TimeUnit
}

/** A sequence whose parts have types. */
export interface TypedSequence {
  steps: { predicate: Predicate | undefined; within?: Span; after?: Span }[]
  within?: Span
  /** Each column once. */
  hold: FoundColumn[]
}

/** The typed parts of a sequence. */
export function typeSequence(
  report: Report,
  columns: Columns,
  time: TimeColumn | undefined,
  source: SourceSequence,
): TypedSequence {
  const lacks = 'the table has no time column to order steps by'
  if (time === undefined) violate(report, 'INVALID_ARGUMENTS', source.path, lacks)
  const span = (given: SourceSpan | undefined, key: string, rounding: 'down' | 'up') =>
    given && time && typeSpan(report, time, given, key, rounding)
  const steps = source.steps.map((step) => {
    const predicate = typeRows(report, columns, step)
    const [within, after] = [span(step.within, 'within', 'down'), span(step.after, 'after', 'up')]
    return { predicate, ...present({ within, after }) }
  })
  const hold = new Map<string, FoundColumn>()
  for (const name of source.hold) {
    const column = findPrimitive(report, columns, name, '"hold" does')
    if (column) hold.set(column.column, column)
  }
  const within = span(source.within, 'within', 'down') ?? span(source.maxDuration, 'maxDuration', 'down')
  return present({ steps, within, hold: [...hold.values()] })
}

function typeSpan(
  report: Report,
  { type, unit }: TimeColumn,
  { value, path, duration }: SourceSpan,
  key: string,
  rounding: 'down' | 'up',
): Span | undefined {
  const isFloat = classOf(type) === 'float'
  const mismatch = (message: string) => violate(report, 'TYPE_MISMATCH', path, message)
  if (duration !== undefined) {
    if (isFloat) return durationSeconds(duration)
    const tick = tickNanoseconds(type, unit)
    if (tick !== undefined) return durationTicks(duration, tick, rounding)
    return mismatch(
      'the unit of the integer time column is not known; give a number in that unit, or name it with --time-unit',
    )
  }
  if (isFloat) return Number(value)
  if (classOf(type) !== 'integer') {
    const instead = key === 'maxDuration' ? '; "within" takes durations' : ', such as "90s" or "P7D"'
    return mismatch(`a date or timestamp column takes a duration${instead}, not the number ${shown(value)}`)
  }
  if (isInteger(value)) return BigInt(value)
  return mismatch(`the time column is of integers, so a number for "${key}" is one too, unlike ${shown(value)}`)
}

/** The timeframe in ticks of the time column. */
export function typeTimeframe(
  report: Report,
  time: DataType | undefined,
  timeframe: NonNullable<SourceQuery['timeframe']>,
): Timeframe | undefined {
  if (timeframe.from === undefined && timeframe.to === undefined) return undefined
  if (time === undefined) return violate(report, 'INVALID_ARGUMENTS', '/timeframe', 'the table has no time column')
  const from = timeframe.from && typeBound(report, time, timeframe.from)
  const to = timeframe.to && typeBound(report, time, timeframe.to)
  if (from && to) checkOrder(report, timeframe.from!, timeframe.to!)
  return present({ from: from && ceiling(from), to: to && ceiling(to) })
}

function typeBound(report: Report, time: DataType, { value, path }: SourceBound): Literal | undefined {
  const typeClass = classOf(time)
  const literal = typeClass && readLiteral(value, time, typeClass)
  if (typeClass === undefined || literal !== undefined) return literal
  return violate(
    report,
    'TYPE_MISMATCH',
    path,
    `the time column takes ${expectedValue(typeClass)}, not ${shown(value)}`,
  )
}

/** Bounds in numbers were compared with the structure; text can be compared only once it is known to be times. */
function checkOrder(report: Report, from: SourceBound, to: SourceBound): void {
  if (typeof from.value !== 'string' || typeof to.value !== 'string') return
  if (parseInstant(to.value)! > parseInstant(from.value)!) return
  violate(report, 'SCHEMA', to.path, `"to" (exclusive) must be later than "from", ${shown(from.value)}`)
}
