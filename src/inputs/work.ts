/** One import under way, and how its statements speak of its sources. */
import type { TimeUnit } from '../catalog/types.ts'
import type { Engine, RunOptions, Session } from '../engine/engine.ts'
import { SkepError } from '../errors.ts'
import { guarded, NANOSECONDS, type TypeOverrides } from './columns.ts'
import type { RejectFile } from './rejects/file.ts'
import type { FileFormat, SourceFile } from './sources.ts'
import type { InputContext } from './types.ts'

/** Progress of an import. */
export interface ImportProgress {
  phase: 'read' | 'partition' | 'write' | 'commit'
  /** Part of the whole work done, from 0 to 1. */
  fraction: number
  /** Rows of the sources, once they are known. */
  rows?: number
  /** Size of the sources. */
  bytes: number
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
  /** Leaves out source files that the table has already, by the SHA-256 of their bytes. */
  once?: boolean
  /** A file to which rows of text files go that do not parse; without it the first one ends the import. */
  rejects?: string
  /** Types of columns by name, in DuckDB's names, instead of the inferred ones. */
  types?: TypeOverrides
  /** Format of all files, instead of the one that their names say. */
  format?: FileFormat
  /** A name for this import, as long as its snapshot is in the table's history: importing again under it changes nothing. */
  commitId?: string
  signal?: AbortSignal
  onProgress?: (progress: ImportProgress) => void
}

/** An import under way. */
export interface Import {
  context: InputContext
  session: Session
  engine: Engine
  table: string
  options: ImportOptions
  run: RunOptions
  files: SourceFile[]
  /** Hashes of the sources by their paths. */
  hashes: Promise<ReadonlyMap<string, string>>
  /** Where rows go that do not parse. */
  rejects?: RejectFile | undefined
  /** Reports progress inside a phase that spans [from, to) of the whole. */
  phase(name: ImportProgress['phase'], from: number, to: number): RunOptions
}

/** Runs a statement over the sources; what is wrong with them is said in their terms. */
export async function reading<T>(work: Import, run: () => Promise<T>): Promise<T> {
  return await guarded(work.files, async () => {
    try {
      return await run()
    } catch (error) {
      throw nanosecondsError(error) ?? error
    }
  })
}

function nanosecondsError(error: unknown): SkepError | undefined {
  const text = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  const at = text.indexOf(NANOSECONDS)
  if (at < 0) return undefined
  const column = text.slice(at + NANOSECONDS.length).split('\n')[0]!
  const message = `column "${column}" has nanosecond timestamps that microseconds cannot hold; choose a type with --types ${column}=TYPE (TIMESTAMP rounds, VARCHAR keeps the text)`
  return new SkepError('COLUMN_TYPE_UNSUPPORTED', message, { column, type: 'TIMESTAMP_NS' })
}
