/** Registration of a folder of Parquet files as a read-only table. */
import type { TimeUnit, Validation } from '../catalog/types.ts'
import { SkepError } from '../errors.ts'
import type { InputContext } from './types.ts'

/** How a folder is registered. */
export interface RegisterOptions {
  actor: string
  time: string
  timeUnit?: TimeUnit
  /** Glob below the folder; `*.parquet` at any depth when absent. */
  pattern?: string
  /** How many files are checked for "an actor is in one file only"; `all` when absent. */
  validate?: Validation
  signal?: AbortSignal
  onProgress?: (fraction: number) => void
}

/** What a registration found. */
export interface RegisterResult {
  table: string
  files: number
  rows: number
  bytes: number
  /** Whether queries may rely on every actor being in one file. */
  actorsTogether: boolean
  /** Things that the user should know: scattered actors, differing schemas. */
  warnings: string[]
}

/** Registers a folder. */
export async function registerFolder(
  _context: InputContext,
  _table: string,
  _path: string,
  _options: RegisterOptions,
): Promise<RegisterResult> {
  throw new SkepError('INTERNAL', 'under way', {})
}
