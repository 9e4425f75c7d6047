/** What is said when a Delta table cannot be read. */
import { SkepError } from '../../errors.ts'

/** The error for a file of a table's log that is missing or not what its writer meant. `what` is the rest of a sentence. */
export function damagedLog(file: string, what: string, cause?: unknown): SkepError<'TABLE_INVALID'> {
  const message = `${file} is damaged: ${what}; its writer has to repair the table, or ask for an earlier version`
  return new SkepError('TABLE_INVALID', message, { file }, cause === undefined ? {} : { cause })
}

/** The error for a log that lacks what a version is made of. */
export function incompleteLog(file: string, what: string): SkepError<'TABLE_INVALID'> {
  return new SkepError('TABLE_INVALID', `${file} is missing: ${what}`, { file })
}

/** The error for a part of the format that is not read. */
export function unsupported(file: string, feature: string, why = ''): SkepError<'TABLE_FEATURE_UNSUPPORTED'> {
  const message = `the table uses ${feature}${why}, which Skep does not read; rewrite it without that`
  return new SkepError('TABLE_FEATURE_UNSUPPORTED', message, { file, feature })
}
