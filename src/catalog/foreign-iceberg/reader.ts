/** How this reader gets at files: by absolute paths or URLs, nothing but reading. */
import type { CallOptions } from '../../storage/object-store.ts'
import type { FileReader } from '../file-reader.ts'
import { missingForeign } from './errors.ts'

/** Files by their absolute paths or URLs: what of it this reader uses. */
export type ForeignReader = Pick<FileReader, 'read' | 'list'>

/** A whole file. @throws TABLE_INVALID when it is not there */
export async function readWhole(reader: ForeignReader, file: string, options: CallOptions): Promise<Uint8Array> {
  const bytes = await reader.read(file, options)
  if (bytes === undefined) throw missingForeign(file)
  return bytes
}
