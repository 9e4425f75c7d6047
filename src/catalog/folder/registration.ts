/** What a warehouse remembers of a registered folder: a document that is written once, when the folder is registered. */
import type { Column, ColumnStatistics, Scalar, TableKeys, Validation } from '../types.ts'

/** One file of a registered folder, as it was when it was registered. */
export interface RegisteredFile {
  /** Below the folder. */
  path: string
  sizeBytes: number
  /** The store's version of the file. */
  version: string
  rows: number
  /** One value for each Hive column. */
  partition: (Scalar | null)[]
  /** One for each column; undefined where nothing is known. */
  statistics: (ColumnStatistics | undefined)[]
}

/** A way in which some files differ from the schema of the table. */
export interface FileDifference {
  column: string
  /** The type in the files; absent when they lack the column, which then reads as null. */
  found?: string
  /** The type in the table. */
  expected: string
  /** Some of the files, at most ten. */
  files: string[]
  /** The number of all such files. */
  count: number
}

/** How far the folder was checked for "an actor is in one file only". */
export interface RegistrationValidation {
  /** Absent before the check was made. */
  mode?: Validation
  checkedFiles: number
  /** True only when all files were checked and no actor is in two. */
  actorsTogether: boolean
  /** Keys for which a footer does not count the nulls, so that only the rows can tell that there are none. */
  needsNullCheck: ('actor' | 'time')[]
}

/** A registered folder. Ids of columns count from 1. */
export interface Registration {
  version: 1
  /** The folder: an absolute path or URL. */
  root: string
  pattern: string
  keys: TableKeys
  columns: Column[]
  /** Columns whose values come from the names of folders, in the order of every file's `partition`. */
  hiveColumns: string[]
  /** In the order of the paths' bytes. */
  files: RegisteredFile[]
  differences: FileDifference[]
  validation: RegistrationValidation
}
