/** The text form of "as of when": what the flag `--at` and the URL parameter `at` take. */
import type { AtOption } from '../coordinator/at.ts'
import { SkepError } from '../errors.ts'

/** The option that these texts stand for; undefined for none. @throws ARGUMENT_INVALID */
export function readAt(texts: readonly string[]): AtOption | undefined {
  if (texts.length === 0) return undefined
  if (texts.length === 1 && !texts[0]!.includes('=')) return texts[0]
  const pairs = texts.map((text) => {
    const match = /^(.+)=(\d+)$/.exec(text)
    if (!match) throw invalid(`--at ${text}: expected table=snapshot where there are several`)
    const id = Number(match[2])
    return [match[1]!, Number.isSafeInteger(id) ? id : match[2]!] as const
  })
  const tables = pairs.map(([table]) => table.toLowerCase())
  const twice = tables.find((table, k) => tables.indexOf(table) !== k)
  if (twice !== undefined) throw invalid(`--at names the table "${twice}" twice`)
  return Object.fromEntries(pairs)
}

function invalid(message: string): SkepError<'ARGUMENT_INVALID'> {
  return new SkepError('ARGUMENT_INVALID', message, { argument: 'at' })
}
