/** The errors for tables that others wrote: damage, and features that are not read. Each names a file. */
import { SkepError } from '../../errors.ts'

/** The error for a feature of the format that is not read: `feature` is its name, `file` what uses it. */
export function unsupportedFeature(file: string, feature: string): SkepError<'TABLE_FEATURE_UNSUPPORTED'> {
  return new SkepError('TABLE_FEATURE_UNSUPPORTED', `${file} uses ${feature}, which is not read`, { file, feature })
}

/** The error for metadata that is not what the format says. `what` is the rest of a sentence. */
export function damagedForeign(file: string, what: string, cause?: unknown): SkepError<'TABLE_INVALID'> {
  const message = `${file} is damaged: ${what}; ask whoever writes the table, or attach an earlier version of its metadata`
  return new SkepError('TABLE_INVALID', message, { file }, cause === undefined ? {} : { cause })
}

/** The error for a file that metadata names and that is not there. */
export function missingForeign(file: string): SkepError<'TABLE_INVALID'> {
  return new SkepError('TABLE_INVALID', `${file} is missing, and the table needs it`, { file })
}

/** What `read` returns; foreign errors become `TABLE_INVALID` naming the file. */
export function guardForeign<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof SkepError) throw error
    throw damagedForeign(file, error instanceof Error ? error.message : String(error), error)
  }
}
