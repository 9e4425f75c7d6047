/** Where in a text an error is. */
import type { ApiError } from '../../api/errors.ts'
import type { Fault } from '../../components/editor.tsx'

/** The place that an error tells, or that the name in its message has; none where neither is to be found. `from` is where the query begins in the text. */
export function faultsOf(error: ApiError, sql: string, from: number): Fault[] {
  const start = placeOf(error, sql)
  if (start === undefined) return []
  const word = /^(?:"[^"]*"|[\p{L}\p{N}_]+|\S)/u.exec(sql.slice(start))?.[0] ?? ''
  // At the end of the text the last character is marked.
  const at = word === '' ? Math.max(0, sql.trimEnd().length - 1) : start
  return [{ from: from + at, to: from + at + Math.max(1, word.length), message: error.message }]
}

/** Line and column of a place, from 1. */
export function lineOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: before.at(-1)!.length + 1 }
}

function placeOf({ details, message, status }: ApiError, sql: string): number | undefined {
  const { position } = details
  if (typeof position === 'number') return unitsOf(sql, position)
  if (status < 400 || status >= 500) return undefined
  for (const [, name = ''] of message.matchAll(/"([^"]+)"/g)) {
    const found = wordIn(sql, name)
    if (found !== undefined) return found
  }
  return undefined
}

/** Positions count characters; the editor counts as JavaScript does. */
function unitsOf(sql: string, characters: number): number {
  let units = 0
  let left = characters
  for (const character of sql) {
    if (left-- <= 0) break
    units += character.length
  }
  return units
}

function wordIn(sql: string, name: string): number | undefined {
  const pattern = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`(?<![\\p{L}\\p{N}_])${pattern}(?![\\p{L}\\p{N}_])`, 'iu').exec(sql)?.index
}
