/** The error for metadata that is damaged or missing: it names the file, and says what to do. */
import { SkepError } from '../errors.ts'

/** What whoever meets a damaged file of a table can do. */
const ADVICE = 'restore it from a copy, ask for an earlier state, or drop the table and import it again'

/** The error for a file of metadata that is not what its writer wrote. `what` is the rest of a sentence. */
export function damagedMetadata(
  file: string,
  what: string,
  context: { table?: string; cause?: unknown } = {},
): SkepError<'TABLE_INVALID'> {
  const { table, cause } = context
  const details = table === undefined ? { file } : { table, file }
  return new SkepError('TABLE_INVALID', `${file} is damaged: ${what}; ${ADVICE}`, details, cause ? { cause } : {})
}

/** The error for a file of metadata that is not there. */
export function missingMetadata(file: string, why = ''): SkepError<'TABLE_INVALID'> {
  return new SkepError('TABLE_INVALID', `${file} is missing${why}; ${ADVICE}`, { file })
}
