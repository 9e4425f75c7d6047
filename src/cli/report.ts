/** Errors and warnings as lines for people. */
import type { SkepError } from '../errors.ts'
import { isSkepError } from '../errors.ts'
import type { Style } from './output/style.ts'
import { visible } from './output/width.ts'

/** `skep: CODE: message` in one line; several violations of a behavioural query follow one a line, each with its path. */
export function errorLines(error: SkepError, style: Style): string {
  const line = (message: string) => `${style('red', `skep: ${error.code}:`)} ${oneLine(message)}\n`
  if (!isSkepError(error, 'QUERY_INVALID') || error.details.violations.length < 2) return line(error.message)
  const { violations } = error.details
  const listed = violations.map(
    ({ path, message, kind }) => `  ${oneLine(path === '' ? 'the query' : path)}: ${oneLine(message)} (${kind})\n`,
  )
  return line(`the query is not valid, ${violations.length} violations:`) + listed.join('')
}

/** `skep: warning: …` in one line. */
export function warningLine(message: string, style: Style): string {
  return `${style('yellow', 'skep: warning:')} ${oneLine(message)}`
}

function oneLine(text: string): string {
  return visible(text.replaceAll(/\s*\n\s*/g, ' ').trim())
}
