/** Data files that others wrote, as they are right now: a query holds them against that when it is done. */
import type { StampedFile } from '../storage/file-tree.ts'
import type { CallOptions } from '../storage/object-store.ts'
import type { FileReader } from './file-reader.ts'
import type { DataFile } from './types.ts'

/** Every file is read by the columns that the table has: none has a layout of its own. */
const LAYOUT: NonNullable<DataFile['foreign']>['layout'] = []

/** The files with their stamps. One that is not there, or not as its table's metadata says, is no error before it has to be read. */
export async function stampedFiles(
  reader: FileReader,
  files: readonly DataFile[],
  options: CallOptions,
): Promise<DataFile[]> {
  const paths = files.map(({ path }) => path)
  const stamps = await reader.stamp(paths, options)
  return files.map((file, k) => withStamp(file, stamps[k]))
}

function withStamp(file: DataFile, stamp: StampedFile | undefined): DataFile {
  const problem = problemOf(file, stamp)
  const version = stamp?.version ?? ''
  return { ...file, foreign: { version, layout: LAYOUT, ...(problem !== undefined && { problem }) } }
}

function problemOf({ sizeBytes }: DataFile, stamp: StampedFile | undefined): string | undefined {
  if (!stamp) return 'it is not there, although the metadata of its table lists it'
  if (stamp.sizeBytes === sizeBytes) return undefined
  return `it has ${stamp.sizeBytes} bytes where the metadata of its table says ${sizeBytes}`
}
