/** `--at`: which state of the tables a query reads. */
import type { AtOption } from '../coordinator/at.ts'
import { invalid } from './arguments.ts'

/** The flag of the commands that take it. */
export const AT_FLAG = {
  value: 'X',
  repeated: true,
  help: 'Reads the past: an ISO 8601 time (every table that has a history as of then), a snapshot id (the one such table of the query), or `t=id` for each of several.',
} as const

/** The option that the texts of the flag stand for; undefined for none. @throws ARGUMENT_INVALID */
export function readAt(texts: readonly string[]): AtOption | undefined {
  if (texts.length === 0) return undefined
  if (texts.length === 1 && !texts[0]!.includes('=')) return texts[0]
  const pairs = texts.map((text) => {
    const match = /^(.+)=(\d+)$/.exec(text)
    if (!match) throw invalid('at', `--at ${text}: expected table=snapshot where there are several`)
    const id = Number(match[2])
    return [match[1]!, Number.isSafeInteger(id) ? id : match[2]!] as const
  })
  const tables = pairs.map(([table]) => table.toLowerCase())
  const twice = tables.find((table, k) => tables.indexOf(table) !== k)
  if (twice !== undefined) throw invalid('at', `--at names the table "${twice}" twice`)
  return Object.fromEntries(pairs)
}
