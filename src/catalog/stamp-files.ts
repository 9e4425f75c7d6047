/** Data files that others wrote, as they are right now: a query holds them against that when it is done. */
import type { CallOptions, StampedFile } from '../storage/object-store.ts'
import type { FileReader } from './file-reader.ts'
import type { DataFile } from './types.ts'

/** Every file is read by the columns that the table has: none has a layout of its own. */
const LAYOUT: NonNullable<DataFile['foreign']>['layout'] = []

/** The files, and their files of deleted rows, with their stamps. One that is not there, or not as its table's metadata says, is no error before it has to be read. */
export async function stampedFiles(
  reader: FileReader,
  files: readonly DataFile[],
  options: CallOptions,
): Promise<DataFile[]> {
  const paths = [...new Set(files.flatMap(({ path, deletes = [] }) => [path, ...deletes.map((file) => file.path)]))]
  const stamps = await reader.stamp(paths, options)
  const found = new Map(paths.map((path, k) => [path, stamps[k]]))
  return files.map((file) => withStamp(file, found))
}

type Stamps = ReadonlyMap<string, StampedFile | undefined>

function withStamp(file: DataFile, stamps: Stamps): DataFile {
  const stamp = stamps.get(file.path)
  const deletes = file.deletes?.map((own) => ({ ...own, version: stamps.get(own.path)?.version ?? '' }))
  const problem = problemOf(file, stamp) ?? deletesProblem(file, stamps)
  const version = stamp?.version ?? ''
  const foreign = { version, layout: LAYOUT, ...(problem !== undefined && { problem }) }
  return { ...file, ...(deletes && { deletes }), foreign }
}

function deletesProblem({ deletes = [] }: DataFile, stamps: Stamps): string | undefined {
  for (const file of deletes) {
    const problem = problemOf(file, stamps.get(file.path))
    if (problem !== undefined) return `of its file of deleted rows, ${file.path}: ${problem}`
  }
  return undefined
}

/** All that others may change of these files: those that others wrote, and their files of deleted rows. */
export function foreignFiles(files: readonly DataFile[]): StampedFile[] {
  const stamped = new Map<string, StampedFile>()
  for (const { path, sizeBytes, foreign, deletes = [] } of files) {
    if (!foreign) continue
    stamped.set(path, { path, sizeBytes, version: foreign.version })
    for (const file of deletes) stamped.set(file.path, file)
  }
  return [...stamped.values()]
}

function problemOf({ sizeBytes }: Pick<DataFile, 'sizeBytes'>, stamp: StampedFile | undefined): string | undefined {
  if (!stamp) return 'it is not there, although the metadata of its table lists it'
  if (stamp.sizeBytes === sizeBytes) return undefined
  return `it has ${stamp.sizeBytes} bytes where the metadata of its table says ${sizeBytes}`
}
