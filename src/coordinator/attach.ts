/** What users say of a table that others write. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Attachment } from '../catalog/names.ts'
import type { TableFormat, TimeUnit } from '../catalog/types.ts'
import { SkepError } from '../errors.ts'
import type { CallOptions } from './calls.ts'

/** How a table is attached. */
export interface AttachOptions extends Pick<CallOptions, 'signal'> {
  /** Its format. */
  type: TableFormat
  /** Columns that say who acts, and when: for behavioural queries. */
  actor?: string
  time?: string
  /** Of an integer time column. */
  timeUnit?: TimeUnit
}

const FORMATS: readonly string[] = ['delta', 'iceberg'] satisfies TableFormat[]

/** The entry that a name is to have. @throws ARGUMENT_INVALID */
export function readAttachOptions(uri: string, { type, actor, time, timeUnit }: AttachOptions): Attachment {
  if (!FORMATS.includes(type))
    throw invalid('type', `type: ${JSON.stringify(type)} is not one of ${FORMATS.join(', ')}`)
  return {
    uri: readLocation(uri),
    format: type,
    keys: {
      ...(actor !== undefined && { actor }),
      ...(time !== undefined && { time }),
      ...(timeUnit !== undefined && { timeUnit }),
    },
  }
}

/** The absolute path of a folder, given as a path or as a `file:` URL. @throws ARGUMENT_INVALID */
export function readLocation(uri: string): string {
  if (/^file:/i.test(uri)) {
    try {
      return resolve(fileURLToPath(uri))
    } catch {
      throw invalid('uri', `${uri} is no path of a folder on this machine`)
    }
  }
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(uri))
    throw invalid('uri', `${uri}: tables are read from disks only, not yet from there`)
  if (uri === '') throw invalid('uri', 'the folder of the table is missing')
  return resolve(uri)
}

function invalid(argument: string, message: string): SkepError<'ARGUMENT_INVALID'> {
  return new SkepError('ARGUMENT_INVALID', message, { argument })
}
