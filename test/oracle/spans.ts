/** Durations, and what they are in the unit of a time column. */
import type { TimeSpan } from '../../src/behaviour/types.ts'
import { addFractions, type Fraction, fractionOfDigits, fractionOfDouble, nearestDouble } from './exact.ts'
import { kindOf, type OracleTable, ticksPerSecond } from './table.ts'

const SECONDS: Record<string, Fraction> = {
  ms: { numerator: 1n, denominator: 1000n },
  s: { numerator: 1n, denominator: 1n },
  m: { numerator: 60n, denominator: 1n },
  h: { numerator: 3600n, denominator: 1n },
  d: { numerator: 86_400n, denominator: 1n },
  w: { numerator: 604_800n, denominator: 1n },
}

const PER_SECOND = { s: 1n, ms: 1000n, us: 1_000_000n, ns: 1_000_000_000n }

function times(a: Fraction, b: Fraction): Fraction {
  return { numerator: a.numerator * b.numerator, denominator: a.denominator * b.denominator }
}

/** Seconds of `90s`, `1.5h`, `PT0.5S`, `P1DT2H`. */
export function secondsOf(duration: string): Fraction {
  const short = /^([\d.]+)(ms|[smhdw])$/.exec(duration)
  if (short) return times(fractionOfDigits(short[1]!), SECONDS[short[2]!]!)
  const [date, time = ''] = duration.slice(1).split('T') as [string, string?]
  const parts = [...date.matchAll(/([\d.,]+)([WD])/g), ...time.matchAll(/([\d.,]+)([HMS])/g)]
  const terms = parts.map(([, amount, unit]) =>
    times(fractionOfDigits(amount!.replace(',', '.')), SECONDS[unit!.toLowerCase()]!),
  )
  return addFractions(terms)
}

/** A span in the unit in which the times of the table's cells count. */
export function spanOf(table: OracleTable, span: TimeSpan | undefined): Fraction | undefined {
  if (span === undefined) return undefined
  if (typeof span === 'bigint') return { numerator: span, denominator: 1n }
  if (typeof span === 'number') return fractionOfDouble(span)
  const { type } = table.columns.find(({ name }) => name === table.time)!
  const seconds = secondsOf(span)
  switch (kindOf(type)) {
    case 'float':
      return fractionOfDouble(nearestDouble(seconds))
    case 'date':
      return { numerator: seconds.numerator, denominator: seconds.denominator * 86_400n }
    case 'timestamp':
      return times(seconds, { numerator: ticksPerSecond(type), denominator: 1n })
    default:
      return times(seconds, { numerator: PER_SECOND[table.timeUnit!], denominator: 1n })
  }
}
