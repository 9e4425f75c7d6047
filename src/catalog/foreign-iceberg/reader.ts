/** How this reader gets at files: by absolute paths or URLs, nothing but reading. */
import type { ByteRange, CallOptions } from '../../storage/object-store.ts'
import { missingForeign } from './errors.ts'

/** Files by their absolute paths or URLs. */
export interface ForeignReader {
  /** The bytes of a file, or of a range of it; undefined when there is none. */
  read(path: string, options?: CallOptions & { range?: ByteRange }): Promise<Uint8Array | undefined>
  /** The names of what is right in a folder; none when there is no such folder. */
  list(folder: string, options?: CallOptions): Promise<string[]>
}

/** A whole file. @throws TABLE_INVALID when it is not there */
export async function readWhole(reader: ForeignReader, file: string, options: CallOptions): Promise<Uint8Array> {
  const bytes = await reader.read(file, options)
  if (bytes === undefined) throw missingForeign(file)
  return bytes
}
