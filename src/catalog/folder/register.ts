/** Reads a folder of Parquet files, so that it can be queried as a table where it is. */
import { setTimeout } from 'node:timers/promises'
import { type DataType, isFloat, printType } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import { mapConcurrent } from '../../storage/concurrent.ts'
import { type FileTree, firstChanged, isYoung, surveyTree } from '../../storage/file-tree.ts'
import type { CallOptions, ObjectStore, StampedFile } from '../../storage/object-store.ts'
import type { Column, ColumnStatistics, Scalar, TableKeys } from '../types.ts'
import { checkKeys } from './check-keys.ts'
import { type FileColumn, readFooter } from './footer.ts'
import { type HivePartitions, readHivePartitions } from './hive.ts'
import { mergeSchema } from './merge-schema.ts'
import { foldName, sameName } from './names.ts'
import { compilePattern, DEFAULT_PATTERN } from './pattern.ts'
import type { LayoutColumn, RegisteredFile, Registration, StatisticsList } from './registration.ts'

/** What is asked of a folder. */
export interface InspectOptions extends CallOptions {
  /** The name that the table will have, for errors. */
  table: string
  keys: TableKeys
  /** A glob below the folder; `*.parquet` at any depth when absent. */
  pattern?: string
  maxFiles?: number
  /** What is known of the same folder, pattern and keys: files that are as they were then are not read again. */
  known?: Registration
  /** Called after each footer that was read. */
  onProgress?: (done: number, total: number) => void
}

const ATTEMPTS = SETTINGS.folderAttempts.default

/**
 * The folder as a table at one moment: its files, their schemas made one, their statistics. Each file costs a look at its
 * stamp, and one or two reads unless it is known. When nothing has changed the known registration itself comes back.
 *
 * Not checked here is whether an actor is in one file only: new and changed files are not `apart`. Of several bad files, the
 * first by path is reported.
 *
 * @throws FILE_NOT_FOUND when no file matches
 * @throws FILE_LIMIT when more than `maxFiles` match
 * @throws FILE_INVALID for a file that is not Parquet, or damaged
 * @throws COLUMN_TYPE_UNSUPPORTED for a column that cannot be read
 * @throws SCHEMA_MISMATCH when files or folders contradict each other
 * @throws COLUMN_NOT_FOUND, KEY_INVALID when the keys do not fit
 * @throws FOLDER_CHANGED when files change faster than they can be read
 */
export async function inspectFolder(store: ObjectStore, options: InspectOptions): Promise<Registration> {
  const { table, known, signal, cacheUse } = options
  for (let attempt = 1; ; attempt++) {
    const tree = await settledTree(store.root, known, options)
    if (known && tree === known) {
      cacheUse?.note(true, known.files.length)
      return known
    }
    const fresh = freshFiles(tree, known)
    try {
      const found = await describeTree(store, tree, fresh, options)
      if ((await firstChanged(store.root, fresh, { signal })) === undefined) {
        cacheUse?.note(false, fresh.length)
        cacheUse?.note(true, tree.files.length - fresh.length)
        return found
      }
    } catch (error) {
      if ((await firstChanged(store.root, fresh, { signal })) === undefined) throw error
    }
    if (attempt === ATTEMPTS) throw folderChanged(table, store.root)
  }
}

/** The error for a folder whose files change while they are read. */
export function folderChanged(table: string, file: string): SkepError<'FOLDER_CHANGED'> {
  const message = `${file} of the table "${table}" changed while it was read; try again when its writer is done`
  return new SkepError('FOLDER_CHANGED', message, { table, file })
}

/** A tree that stayed as it is from one look to the next, or the known one. Files that keep coming do not hold it up for ever. */
async function settledTree(
  root: string,
  known: FileTree | undefined,
  { pattern = DEFAULT_PATTERN, maxFiles = SETTINGS.importFiles.default, signal }: InspectOptions,
): Promise<FileTree> {
  const filter = compilePattern(pattern)
  let tree = known
  for (let attempt = 1; ; attempt++) {
    const survey = await surveyTree(root, filter, tree, { maxFiles, signal })
    tree = survey.tree
    if (survey.same || attempt === ATTEMPTS) break
    if (survey.waitMs > 0) await setTimeout(survey.waitMs, undefined, signal ? { signal } : {})
  }
  if (tree.files.length > 0) return tree
  throw new SkepError('FILE_NOT_FOUND', `no file below ${root} matches ${pattern}`, { file: root })
}

/** Files that are not known as they are now. */
function freshFiles(tree: FileTree, known: Registration | undefined): StampedFile[] {
  const before = new Map(known?.files.map((file) => [file.path, file]))
  return tree.files.filter(({ path, sizeBytes, version }) => {
    const file = before.get(path)
    return file?.version !== version || file.sizeBytes !== sizeBytes || isYoung(version)
  })
}

/** A file without what depends on the other files. */
interface OwnFile extends StampedFile {
  rows: number
  layout: readonly LayoutColumn[]
  /** From the footer, when that was read just now. */
  read?: FileColumn[]
  /** What was known of the file, when it is as it was then. */
  known?: RegisteredFile
}

async function describeTree(
  store: ObjectStore,
  tree: FileTree,
  fresh: readonly StampedFile[],
  options: InspectOptions,
  toRead = fresh,
): Promise<Registration> {
  const { table, known, pattern = DEFAULT_PATTERN } = options
  const hive = readHivePartitions(tree.files.map(({ path }) => path))
  const own = await ownFiles(store, tree, { fresh, toRead }, options)
  const sources = own.map(({ path, layout }) => ({ path, columns: layout }))
  const { columns, differences } = mergeSchema(table, sources, hive.columns)
  const hiveColumns = hive.columns.map(({ name }) => columns.find((column) => sameName(column.name, name))!.name)
  if (known && toRead.length < tree.files.length && hasRetyped(known, columns, hiveColumns)) {
    return await describeTree(store, tree, fresh, options, tree.files)
  }
  const toStatistics = statisticsMaker(columns, hive, known)
  const files = own.map((file, k) => registeredFile(file, hive.values[k]!, toStatistics(file)))
  const { keys, needsNullCheck } = checkKeys(table, options.keys, { columns, files, hiveColumns })
  const checked = files.filter(({ apart }) => apart)
  const scattered = known?.validation.scattered
  const holds = scattered?.files.every((path) => own.some((file) => file.path === path && file.known))
  return {
    version: 2,
    root: store.root,
    pattern,
    keys,
    columns,
    hiveColumns,
    folders: tree.folders,
    files,
    differences,
    validation: {
      ...(known?.validation.mode === undefined ? {} : { mode: known.validation.mode }),
      checkedFiles: checked.length,
      ...(scattered && holds ? { scattered } : {}),
      needsNullCheck,
    },
  }
}

/** True when a column that the known statistics are about has another type now, which their bounds would not fit. */
function hasRetyped(known: Registration, columns: readonly Column[], hiveColumns: readonly string[]): boolean {
  const types = new Map(columns.map(({ name, type }) => [foldName(name), printType(type)]))
  const fromFolders = [...known.hiveColumns, ...hiveColumns]
  return known.columns.some(({ name, type }) => {
    const now = types.get(foldName(name))
    return now !== undefined && now !== printType(type) && !fromFolders.some((other) => sameName(other, name))
  })
}

/** What is known of each file by itself, and what the footers of the fresh ones say. */
async function ownFiles(
  store: ObjectStore,
  tree: FileTree,
  { fresh, toRead }: { fresh: readonly StampedFile[]; toRead: readonly StampedFile[] },
  options: InspectOptions,
): Promise<OwnFile[]> {
  const footers = await readFooters(store, toRead, options)
  const shared = new Map<string, readonly LayoutColumn[]>()
  const known = new Map(options.known?.files.map((file) => [file.path, file]))
  for (const { path } of fresh) known.delete(path)
  for (const { layout } of known.values()) if (!shared.has(layoutKey(layout))) shared.set(layoutKey(layout), layout)
  return tree.files.map((info): OwnFile => {
    const footer = footers.get(info.path)
    const before = known.get(info.path)
    if (!footer) return { ...info, rows: before!.rows, layout: before!.layout, known: before! }
    const { rows, columns } = footer
    const layout = columns.map(({ name, type, required }) => ({ name, type, required }))
    const key = layoutKey(layout)
    if (!shared.has(key)) shared.set(key, layout)
    return { ...info, rows, layout: shared.get(key)!, read: columns, ...(before ? { known: before } : {}) }
  })
}

const layoutKeys = new WeakMap<readonly LayoutColumn[], string>()

function layoutKey(layout: readonly LayoutColumn[]): string {
  const found = layoutKeys.get(layout)
  if (found !== undefined) return found
  const key = JSON.stringify(layout.map(({ name, type, required }) => [name, printType(type), required]))
  layoutKeys.set(layout, key)
  return key
}

interface OwnFooter {
  rows: number
  columns: FileColumn[]
}

/** All footers by path, or the error of the first bad file by path: once a file is bad, those after it are not begun. */
async function readFooters(
  store: ObjectStore,
  objects: readonly StampedFile[],
  { signal, onProgress }: InspectOptions,
): Promise<Map<string, OwnFooter>> {
  const errors = new Map<number, unknown>()
  const footers = new Map<string, OwnFooter>()
  await mapConcurrent(objects, SETTINGS.footerReads.default, async (object, index) => {
    if (errors.size > 0) return
    try {
      const { rows, columns } = await readFooter(store, object, { signal })
      footers.set(object.path, { rows, columns })
      onProgress?.(footers.size, objects.length)
    } catch (error) {
      errors.set(index, error)
    }
  })
  if (errors.size > 0) throw errors.get(Math.min(...errors.keys()))
  return footers
}

function registeredFile(file: OwnFile, partition: (Scalar | null)[], statistics: StatisticsList): RegisteredFile {
  const { path, sizeBytes, version, rows, layout, known } = file
  return { path, sizeBytes, version, rows, layout, apart: known?.apart ?? false, partition, statistics }
}

/** A file's statistics by the columns of the table. Those of known files were by the columns that the table had then. */
function statisticsMaker(
  columns: readonly Column[],
  hive: HivePartitions,
  known: Registration | undefined,
): (file: OwnFile) => StatisticsList {
  const fromFolders = new Set(hive.columns.map(({ name }) => foldName(name)))
  const before = new Map(known?.columns.map(({ name }, index) => [foldName(name), index]))
  const keys = columns.map(({ name }) => foldName(name))
  const isSame = known?.columns.length === columns.length && keys.every((key, index) => before.get(key) === index)
  return (file) => {
    const old = file.read ? undefined : file.known
    if (old && isSame) return old.statistics
    const own = new Map(file.read?.map((column) => [foldName(column.name), column.statistics]))
    const has = new Set(file.layout.map(({ name }) => foldName(name)))
    return keys.map((key, index) => {
      if (fromFolders.has(key)) return undefined
      if (!has.has(key)) return allNull(file.rows)
      const position = before.get(key)
      const statistics = old ? position !== undefined && old.statistics.at(position) : own.get(key)
      return statistics ? convertBounds(statistics, columns[index]!.type) : undefined
    })
  }
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
