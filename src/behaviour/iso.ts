/** Dates, times and timestamps as ISO 8601 text, read and printed exactly. Whole days and nanoseconds are `bigint`. */

const DAY_NS = 86_400_000_000_000n
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const TIME = /^(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?$/
const ZONE = /(Z|z|[+-]\d{2}(?::?\d{2})?)$/

/** Nanoseconds since 1970 of a date (its midnight) or a timestamp; without a zone it is UTC. Undefined when the text is neither. */
export function parseInstant(text: string): bigint | undefined {
  if (text.length > 40) return undefined
  const days = parseDays(text.slice(0, 10))
  if (days === undefined) return undefined
  if (text.length === 10) return days * DAY_NS
  if (!/^[Tt ]$/.test(text[10]!)) return undefined
  const zone = ZONE.exec(text)?.[0] ?? ''
  const time = parseTime(text.slice(11, text.length - zone.length))
  const offset = parseOffset(zone)
  return time === undefined || offset === undefined ? undefined : days * DAY_NS + time - offset
}

/** Nanoseconds since midnight of `08:14`, `08:14:00` or `08:14:00.123`. Undefined when the text is no time of a day. */
export function parseTime(text: string): bigint | undefined {
  const match = TIME.exec(text)
  if (!match) return undefined
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)]
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined
  return BigInt(hours * 3600 + minutes * 60 + seconds) * 1_000_000_000n + BigInt((match[4] ?? '').padEnd(9, '0'))
}

function parseDays(text: string): bigint | undefined {
  const match = DATE.exec(text)
  if (!match) return undefined
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined
  return BigInt(date.getTime() / 86_400_000)
}

function parseOffset(zone: string): bigint | undefined {
  if (zone === '' || zone.toUpperCase() === 'Z') return 0n
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0')
  const [hours, minutes] = [Number(digits.slice(0, 2)), Number(digits.slice(2))]
  if (hours > 23 || minutes > 59) return undefined
  return BigInt((zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes)) * 60_000_000_000n
}

/** The date of a number of days since 1970: `2026-11-20`. */
export function printDate(days: bigint): string {
  // Years outside 0 to 9999 get ISO's sign and six digits, as JavaScript prints them.
  const date = new Date(Number(days) * 86_400_000)
  return Number.isNaN(date.getTime()) ? `${days}` : date.toISOString().replace(/T.*/, '')
}

/** The time of a number of ticks since midnight: `08:14:00`, with a fraction where there is one. */
export function printTime(ticks: bigint, perSecond: bigint): string {
  const digits = perSecond.toString().length - 1
  const seconds = Number(ticks / perSecond)
  const fraction = (ticks % perSecond).toString().padStart(digits, '0').replace(/0+$/, '')
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const clock = parts.map((part) => part.toString().padStart(2, '0')).join(':')
  return digits === 0 || fraction === '' ? clock : `${clock}.${fraction}`
}

/** The timestamp of a number of ticks since 1970: `2026-11-20T08:14:00.123456`, without a zone. */
export function printTimestamp(ticks: bigint, perSecond: bigint): string {
  const day = perSecond * 86_400n
  const days = floorDivide(ticks, day)
  return `${printDate(days)}T${printTime(ticks - days * day, perSecond)}`
}

/** The greatest integer that is not above the quotient; the divisor is positive. */
export function floorDivide(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  return quotient * divisor > dividend ? quotient - 1n : quotient
}
