/** The violations of a query: how they are gathered and how they are told. */

import { LIMITS } from '../common/limits.ts'
import { didYouMean, nearest } from '../common/text.ts'
import { SkepError, type Violation } from '../errors.ts'

/** Gathers violations up to a limit; what is beyond it is not listed. */
export interface Report {
  readonly violations: Violation[]
  readonly limit: number
}

/** Notes a violation and gives undefined, so that readers can return it in place of a value. */
export function violate(report: Report, kind: Violation['kind'], path: string, message: string): undefined {
  if (report.violations.length < report.limit) report.violations.push({ kind, path, message })
  return undefined
}

/** `QUERY_INVALID` with all violations; its message tells the first three. `details.kind` is the first one's. */
export function queryError(violations: Violation[]): SkepError<'QUERY_INVALID'> {
  const told = violations.slice(0, 3).map(({ path, message }) => `${path === '' ? 'the query' : path}: ${message}`)
  const more = violations.length > 3 ? `; and ${violations.length - 3} more` : ''
  return new SkepError('QUERY_INVALID', `the query is not valid: ${told.join('; ')}${more}`, {
    kind: violations[0]!.kind,
    violations,
  })
}

/** Throws `QUERY_INVALID` when anything was noted. */
export function throwViolations(report: Report): void {
  if (report.violations.length > 0) throw queryError(report.violations)
}

/** `; did you mean "x"?` for a near name, else nothing. Only the first violations of a report get one, which bounds the cost. */
export function suggestion(report: Report, name: string, candidates: Iterable<string>): string {
  if (report.violations.length >= LIMITS.suggestions.default || name.length > 200) return ''
  return didYouMean(nearest(name, candidates))
}
