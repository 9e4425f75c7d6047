/** Durations: `90s`, `1.5h`, `PT1H` and numbers in the unit of a time column, as whole ticks of that column. */
import type { TimeUnit } from '../catalog/types.ts'
import type { DataType } from '../common/data-type.ts'
import { LIMITS } from '../common/limits.ts'
import { ticksPerSecond } from './literal.ts'
import { classOf } from './operators.ts'

const NS_PER_SECOND = 1_000_000_000n

/** An exact number of nanoseconds: `digits` over ten to the power of `scale`. */
export interface Duration {
  digits: bigint
  scale: number
}

const UNITS: Readonly<Record<string, bigint>> = {
  ms: 1_000_000n,
  s: NS_PER_SECOND,
  m: 60n * NS_PER_SECOND,
  h: 3600n * NS_PER_SECOND,
  d: 86_400n * NS_PER_SECOND,
  w: 604_800n * NS_PER_SECOND,
}

/** What the user is told to write. */
export const DURATION_FORMS =
  'a number and one of ms, s, m, h, d, w ("90s", "1.5h"), or ISO 8601 without years and months ("PT1H")'

const SHORT = /^(\d+)(?:\.(\d+))?(ms|s|m|h|d|w)$/
const LONG = /^P(?:([\d.,]+)W)?(?:([\d.,]+)D)?(?:T(?:([\d.,]+)H)?(?:([\d.,]+)M)?(?:([\d.,]+)S)?)?$/
const LONG_UNITS = ['w', 'd', 'h', 'm', 's']

/** The same forms as one regular expression, for the JSON Schema. */
export const DURATION_PATTERN =
  '^(?:\\d+(?:\\.\\d+)?(?:ms|s|m|h|d|w)|P(?=.*\\d[WDHMS]$)(?:\\d+(?:[.,]\\d+)?W)?(?:\\d+(?:[.,]\\d+)?D)?(?:T(?:\\d+(?:[.,]\\d+)?H)?(?:\\d+(?:[.,]\\d+)?M)?(?:\\d+(?:[.,]\\d+)?S)?)?)$'

/** The duration that a text stands for, exactly; undefined when it is none. It is never negative. */
export function parseDuration(text: string): Duration | undefined {
  if (text.length > LIMITS.durationCharacters.default) return undefined
  const short = SHORT.exec(text)
  if (short) return scaled(short[1]!, short[2] ?? '', UNITS[short[3]!]!)
  const long = LONG.exec(text)
  if (!long || text.endsWith('T')) return undefined
  const parts = LONG_UNITS.flatMap((unit, k) => (long[k + 1] === undefined ? [] : [{ unit, amount: long[k + 1]! }]))
  return parts.length === 0 ? undefined : sum(parts)
}

/** Of ISO 8601, only the last part may have a fraction. */
function sum(parts: readonly { unit: string; amount: string }[]): Duration | undefined {
  let whole = 0n
  for (const [k, { unit, amount }] of parts.entries()) {
    const match = /^(\d+)(?:[.,](\d+))?$/.exec(amount)
    if (!match) return undefined
    const last = scaled(match[1]!, match[2] ?? '', UNITS[unit]!)
    if (k === parts.length - 1) return { digits: last.digits + whole * 10n ** BigInt(last.scale), scale: last.scale }
    if (last.scale > 0) return undefined
    whole += last.digits
  }
  return undefined
}

function scaled(whole: string, fraction: string, unit: bigint): Duration {
  return { digits: BigInt(whole + fraction) * unit, scale: fraction.length }
}

const TICKS: Readonly<Record<TimeUnit, bigint>> = { s: 1n, ms: 1000n, us: 1_000_000n, ns: NS_PER_SECOND }

/** Nanoseconds in a tick of a time column: of an integer its unit, of DATE a day, of TIMESTAMP_NS one, of any other timestamp a thousand. Undefined for integers without a unit, and for what is no time. */
export function tickNanoseconds(type: DataType, unit: TimeUnit | undefined): bigint | undefined {
  switch (classOf(type)) {
    case 'integer':
      return unit && NS_PER_SECOND / TICKS[unit]
    case 'date':
      return UNITS.d
    case 'timestamp':
    case 'timestamptz':
      return ticksPerSecond(type) === NS_PER_SECOND ? 1n : 1000n
    default:
      return undefined
  }
}

/** The duration in whole ticks. */
export function durationTicks({ digits, scale }: Duration, tick: bigint, rounding: 'down' | 'up'): bigint {
  const divisor = tick * 10n ** BigInt(scale)
  return (rounding === 'down' ? digits : digits + divisor - 1n) / divisor
}

/** The double nearest to the duration in seconds. */
export function durationSeconds({ digits, scale }: Duration): number {
  return Number(`${digits}e-${scale + 9}`)
}
