/** Reads a folder of Parquet files, so that it can be queried as a table where it is. */
import { type DataType, isFloat } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import { mapConcurrent } from '../../storage/concurrent.ts'
import type { CallOptions, ObjectInfo, ObjectStore } from '../../storage/object-store.ts'
import type { Column, ColumnStatistics, Scalar, TableKeys } from '../types.ts'
import { checkKeys } from './check-keys.ts'
import { type FileFooter, readFooter } from './footer.ts'
import { type HivePartitions, readHivePartitions } from './hive.ts'
import { listFiles } from './list-files.ts'
import { mergeSchema } from './merge-schema.ts'
import { foldName, sameName } from './names.ts'
import { DEFAULT_PATTERN } from './pattern.ts'
import type { RegisteredFile, Registration } from './registration.ts'

/** What is asked of a folder. */
export interface InspectOptions extends CallOptions {
  /** The name that the table will have, for errors. */
  table: string
  keys: TableKeys
  /** A glob below the folder; `*.parquet` at any depth when absent. */
  pattern?: string
  maxFiles?: number
  /** Called after each footer that was read. */
  onProgress?: (done: number, total: number) => void
}

/**
 * The folder as a table: its files, their schemas made one, their statistics. One listing, and one or two reads for each file.
 *
 * Not checked here is whether an actor is in one file only: `validation` has no `mode` yet. Of several bad files, the
 * first by path is reported.
 *
 * @throws FILE_NOT_FOUND when no file matches
 * @throws FILE_LIMIT when more than `maxFiles` match
 * @throws FILE_INVALID for a file that is not Parquet, or damaged
 * @throws COLUMN_TYPE_UNSUPPORTED for a column that cannot be read
 * @throws SCHEMA_MISMATCH when files or folders contradict each other
 * @throws COLUMN_NOT_FOUND, KEY_INVALID when the keys do not fit
 */
export async function inspectFolder(store: ObjectStore, options: InspectOptions): Promise<Registration> {
  const { table, pattern = DEFAULT_PATTERN, maxFiles = SETTINGS.importFiles.default, signal } = options
  const objects = await listFiles(store, pattern, { maxFiles, signal })
  if (objects.length === 0) {
    throw new SkepError('FILE_NOT_FOUND', `no file below ${store.root} matches ${pattern}`, { file: store.root })
  }
  const hive = readHivePartitions(objects.map((object) => object.path))
  const footers = await readFooters(store, objects, options)
  const sources = objects.map(({ path }, index) => ({ path, columns: footers[index]!.columns }))
  const { columns, differences } = mergeSchema(table, sources, hive.columns)
  const hiveColumns = hive.columns.map(({ name }) => columns.find((column) => sameName(column.name, name))!.name)
  const files = objects.map((object, index) => registeredFile(object, footers[index]!, columns, hive, index))
  const { keys, needsNullCheck } = checkKeys(table, options.keys, { columns, files, hiveColumns })
  const validation = { checkedFiles: 0, actorsTogether: false, needsNullCheck }
  return { version: 1, root: store.root, pattern, keys, columns, hiveColumns, files, differences, validation }
}

/** All footers, or the error of the first bad file by path: once a file is bad, those after it are not begun. */
async function readFooters(store: ObjectStore, objects: ObjectInfo[], options: InspectOptions): Promise<FileFooter[]> {
  const { signal, onProgress } = options
  const errors = new Map<number, unknown>()
  let done = 0
  const footers = await mapConcurrent(objects, SETTINGS.footerReads.default, async (object, index) => {
    if (errors.size > 0) return undefined
    try {
      const { rows, columns } = await readFooter(store, object, { signal })
      onProgress?.(++done, objects.length)
      return { rows, columns, rowGroups: [] }
    } catch (error) {
      errors.set(index, error)
      return undefined
    }
  })
  if (errors.size > 0) throw errors.get(Math.min(...errors.keys()))
  return footers as FileFooter[]
}

function registeredFile(
  { path, sizeBytes, version }: ObjectInfo,
  footer: FileFooter,
  columns: Column[],
  hive: HivePartitions,
  index: number,
): RegisteredFile {
  const byName = new Map(footer.columns.map((column) => [foldName(column.name), column]))
  const fromFolders = new Set(hive.columns.map(({ name }) => foldName(name)))
  const statistics = columns.map(({ name, type }) => {
    const key = foldName(name)
    if (fromFolders.has(key)) return undefined
    const column = byName.get(key)
    return column ? column.statistics && convertBounds(column.statistics, type) : allNull(footer.rows)
  })
  return { path, sizeBytes, version, rows: footer.rows, partition: hive.values[index]!, statistics }
}

function allNull(rows: number): ColumnStatistics {
  return { sizeBytes: 0, values: rows, nulls: rows }
}

/** Integers of a file whose column is a DOUBLE in the table have bounds as numbers; `unifyTypes` lets only exact ones through. */
function convertBounds(statistics: ColumnStatistics, type: DataType): ColumnStatistics {
  const { lower, upper } = statistics
  if (!isFloat(type) || typeof lower !== 'bigint' || typeof upper !== 'bigint') return statistics
  const [low, high]: Scalar[] = [Number(lower), Number(upper)]
  return { ...statistics, lower: low!, upper: high! }
}
