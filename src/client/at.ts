/** "As of when" on its way to a server. */
import type { AtOption } from '../coordinator/at.ts'
import { SkepError } from '../errors.ts'

/** The option as a URL parameter: a time, an id, or `table=id` for several, with commas between them. */
export function atText(at: AtOption | undefined): string | undefined {
  const plain = atDocument(at)
  if (plain === undefined || typeof plain !== 'object') return plain?.toString()
  return Object.entries(plain)
    .map(([table, id]) => `${table}=${id}`)
    .join(',')
}

/** The option as JSON. @throws ARGUMENT_INVALID for a Date that is none */
export function atDocument(at: AtOption | undefined): Exclude<AtOption, Date> | undefined {
  if (!(at instanceof Date)) return at as Exclude<AtOption, Date> | undefined
  if (!Number.isNaN(at.getTime())) return at.toISOString()
  const message = `at: "${at}" is neither an ISO 8601 time nor a snapshot id`
  throw new SkepError('ARGUMENT_INVALID', message, { argument: 'at' })
}
