/** Which columns of a Parquet file pandas knew as categories: it says so in the footer, and stores their texts. */
import { basename, dirname } from 'node:path'
import { DiskStore } from '../../storage/disk-store.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import { readFooterBytes } from './footer.ts'
import { list, readStruct, struct, text, thriftInput } from './thrift.ts'

const keyValues = struct({ pairs: [5, list(struct({ key: [1, text], value: [2, text] }))] })

/** The names of these columns; none for a file that pandas did not write. @throws FILE_INVALID, FILE_NOT_FOUND */
export async function pandasCategories(
  { path, sizeBytes }: { path: string; sizeBytes: number },
  options: CallOptions = {},
): Promise<string[]> {
  const bytes = await readFooterBytes(new DiskStore(dirname(path)), { path: basename(path), sizeBytes }, options)
  const { pairs = [] } = readStruct(thriftInput(path, bytes), keyValues)
  const document = parseObject(pairs.find(({ key }) => key === 'pandas')?.value ?? '{}')
  const columns = Array.isArray(document.columns) ? (document.columns as unknown[]) : []
  return columns.flatMap((column) => {
    const { name, pandas_type: type } = (column ?? {}) as { name?: unknown; pandas_type?: unknown }
    return type === 'categorical' && typeof name === 'string' ? [name] : []
  })
}

/** What another program wrote there may be anything. */
function parseObject(json: string): { columns?: unknown } {
  try {
    return (JSON.parse(json) as object | null) ?? {}
  } catch {
    return {}
  }
}
