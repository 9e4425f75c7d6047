/** Import of files into a managed table. */
import type { TimeUnit } from '../catalog/types.ts'
import { SkepError } from '../errors.ts'
import type { InputContext } from './types.ts'

/** Formats of files. */
export type FileFormat = 'parquet' | 'csv' | 'ndjson'

/** Progress of an import. */
export interface ImportProgress {
  phase: 'read' | 'partition' | 'write' | 'commit'
  /** Part of the whole work done, from 0 to 1. */
  fraction: number
  rows?: number
  bytes?: number
}

/** How files are imported. */
export interface ImportOptions {
  /** The column that says who acts. With `time`, the table is bucketed by it and sorted by both. */
  actor?: string
  /** The column that says when. */
  time?: string
  /** Unit of an integer time column. */
  timeUnit?: TimeUnit
  /** Number of buckets of a new table; chosen from the number of rows when absent. */
  buckets?: number
  /** Replaces the rows of the table; its history is kept. */
  replace?: boolean
  /** Types of columns by name, in DuckDB's names, instead of the inferred ones. */
  types?: Readonly<Record<string, string>>
  /** Format of all files, instead of the one that their names say. */
  format?: FileFormat
  signal?: AbortSignal
  onProgress?: (progress: ImportProgress) => void
}

/** What an import did. */
export interface ImportResult {
  table: string
  snapshotId: number
  created: boolean
  rows: number
  /** Source files, and data files written. */
  sources: number
  files: number
  bytes: number
  ms: number
}

/** Imports files, globs, or standard input (`-`) into a table. All or nothing. */
export async function importFiles(
  _context: InputContext,
  _table: string,
  _files: readonly string[],
  _options: ImportOptions,
): Promise<ImportResult> {
  throw new SkepError('INTERNAL', 'under way', {})
}
