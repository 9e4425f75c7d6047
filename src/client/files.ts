/** Files on their way to a server: one as it is, several as a tar archive, which is read as a whole or not at all. */
import { FORMAT_OF_ENDING } from '../common/file-formats.ts'
import type { ImportOptions } from '../inputs/import.ts'
import type { RequestBody } from './connection.ts'
import { type NamedFile, tarOf } from './tar.ts'

/** A file, the text of one, or several files with their names. */
export type ImportBody = RequestBody | readonly NamedFile[]

/** What is sent for a file. */
export interface SentFile {
  body: RequestBody
  type: string
  format?: NonNullable<ImportOptions['format']>
}

/** The body of a request that brings these files. */
export function sentFile(body: ImportBody, { format, signal }: Pick<ImportOptions, 'format' | 'signal'>): SentFile {
  const told = format === undefined ? {} : { format }
  if (isList(body)) return { body: tarOf(body, signal), type: 'application/x-tar', ...told }
  const type = typeof body === 'object' && 'type' in body && body.type !== '' ? body.type : 'application/octet-stream'
  const found = format ?? formatOfName(body)
  return { body, type, ...(found !== undefined && { format: found }) }
}

function isList(body: ImportBody): body is readonly NamedFile[] {
  return Array.isArray(body)
}

/** The format that the name of a file says. */
function formatOfName(body: RequestBody): ImportOptions['format'] {
  const name = typeof body === 'object' && 'name' in body ? String(body.name) : ''
  const extension = /\.(\w+)(?:\.(?:gz|gzip|zst|zstd))?$/i.exec(name)?.[1]?.toLowerCase() ?? ''
  return FORMAT_OF_ENDING[extension]
}
