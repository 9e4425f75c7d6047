/** What a warehouse remembers of a registered folder. */
import type { DataType } from '../../common/data-type.ts'
import type { FolderStamp } from '../../storage/file-tree.ts'
import type { Column, ColumnStatistics, Scalar, TableKeys, Validation } from '../types.ts'

/** A column as a file itself has it. */
export interface LayoutColumn {
  name: string
  type: DataType
  /** True when the file's schema forbids nulls. */
  required: boolean
}

/** What is known of the columns of a file, by their position in the table; undefined where nothing is. */
export interface StatisticsList {
  at(column: number): ColumnStatistics | undefined
}

/** One file of a registered folder, as it was when its footer was read. */
export interface RegisteredFile {
  /** Below the folder. */
  path: string
  sizeBytes: number
  /** The stamp of the file. */
  version: string
  rows: number
  /** The file's own columns: files that have the same share one list. */
  layout: readonly LayoutColumn[]
  /** True when no actor of this file is in another file that is marked so. */
  apart: boolean
  /** One value for each Hive column. */
  partition: (Scalar | null)[]
  statistics: StatisticsList
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

/** An actor that is in more than one file, and two of its files. */
export interface ScatteredActor {
  actor: string
  files: string[]
}

/** How far the folder was checked for "an actor is in one file only". */
export interface RegistrationValidation {
  /** Absent before the check was made. */
  mode?: Validation
  /** Files whose actors were compared with each other. */
  checkedFiles: number
  /** An actor that was found in two files, as long as these are as they were. */
  scattered?: ScatteredActor
  /** Keys for which a footer does not count the nulls, so that only the rows can tell that there are none. */
  needsNullCheck: ('actor' | 'time')[]
}

/** A registered folder. Ids of columns count from 1. */
export interface Registration {
  version: 2
  /** The folder: an absolute path. */
  root: string
  pattern: string
  keys: TableKeys
  columns: Column[]
  /** Columns whose values come from the names of folders, in the order of every file's `partition`. */
  hiveColumns: string[]
  /** All folders that hold the files, or may come to hold one. */
  folders: readonly FolderStamp[]
  /** In the order of the paths' bytes. */
  files: RegisteredFile[]
  differences: FileDifference[]
  validation: RegistrationValidation
}

/** True when every actor is known to be in one file only: all files were compared, and are as they were then. */
export function areActorsTogether({ validation, files }: Registration): boolean {
  return validation.mode === 'all' && files.every(({ apart, rows }) => apart || rows === 0)
}
