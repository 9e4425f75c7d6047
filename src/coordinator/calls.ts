/** What users give with a call and get back from it, and what follows from that. */
import type { Table } from '../catalog/types.ts'
import { sqlOfTemplate } from '../common/text.ts'
import { SETTINGS, type Settings } from '../config.ts'
import type { BoundValue, BoundValues } from '../engine/parameters.ts'
import type { JsonValue } from '../engine/values.ts'
import { SkepError } from '../errors.ts'
import type { Estimate, SpendingLimits } from '../planner/estimate.ts'
import type { PoolName, Stage } from '../planner/plan.ts'
import type { AtOption } from './at.ts'
import type { TaskProgress } from './run-figures.ts'
import type { QueryStats, ResultColumn, TableScan } from './sql.ts'

/** What every long call takes. */
export interface CallOptions {
  /** Ends the call with `CANCELLED`. */
  signal?: AbortSignal
  /** Called a few times a second with the part of the work done, from 0 to 1, and how far its tasks are where it runs in tasks. */
  onProgress?: (fraction: number, tasks?: TaskProgress) => void
}

/** How a query in SQL is run. */
export interface SqlOptions extends CallOptions, SpendingLimits {
  /** Values for `?` and `$1` in order, or for `$name` by name. They are bound, never spliced. */
  params?: BoundValues
  /** A time (ISO 8601 or Date: all tables that have a history as of then), a snapshot id (for the one such table of the query), or ids by table. */
  at?: AtOption
  /** Where its tasks run; `SKEP_POOL` when absent. */
  pool?: PoolName
}

/** Rows of a query. Values are JSON: see the guide on values for how types map. */
export interface SqlResult {
  columns: ResultColumn[]
  rows: Record<string, JsonValue>[]
  stats: QueryStats
}

/** A query whose rows are taken in batches, in bounded memory. It must be closed; reading it to its end closes it too. */
export interface SqlStream extends AsyncDisposable {
  columns: ResultColumn[]
  /** Rows as lists of values in the order of the columns. */
  batches: AsyncIterable<JsonValue[][]>
  /** What the query cost so far. */
  stats(): QueryStats
}

/** What a query would read, and the engine's plan for it. */
export interface SqlExplanation {
  tables: TableScan[]
  /** Where it would run; whether it would be divided into tasks, and why, or why not. */
  pool: PoolName
  divided: boolean
  why: string
  estimate: Estimate
  /** The stages and tasks that it can be divided into, and the SQL that is then run over what they give; absent where it cannot. */
  stages?: Stage[]
  final?: string
  /** The engine's own plan: of the query, or of what is run last. */
  plan: string
}

/** What a rollback did. */
export interface RollbackResult {
  table: string
  /** The snapshot that is current now. */
  snapshotId: number
  metadataLocation: string
}

/** How a behavioural query is run. */
export interface QueryOptions extends CallOptions, SpendingLimits {
  at?: AtOption
  /** Where its tasks run; `SKEP_POOL` when absent. */
  pool?: PoolName
}

/** How a Buzz document is run. */
export type DocumentOptions = Omit<QueryOptions, 'at'>

/** The text and options of a query that came as a tagged template or as a call. */
export function readCall(
  first: string | TemplateStringsArray,
  rest: readonly unknown[],
): { text: string; options: SqlOptions } {
  if (typeof first === 'string') return { text: first, options: (rest[0] as SqlOptions | undefined) ?? {} }
  return { text: sqlOfTemplate(first), options: { params: rest as BoundValue[] } }
}

/** Where the tasks of a call run. @throws ARGUMENT_INVALID */
export function poolOf(settings: Settings, { pool = settings.pool as PoolName }: { pool?: PoolName }): PoolName {
  const { choices } = SETTINGS.pool
  if (choices.includes(pool)) return pool
  throw new SkepError('ARGUMENT_INVALID', `pool "${pool}": expected one of ${choices.join(', ')}`, { argument: 'pool' })
}

/** Passes for a table that has an actor and a time. @throws KEY_INVALID */
export function requireKeys({ name, keys }: Table): void {
  for (const key of ['actor', 'time'] as const) {
    if (keys[key] !== undefined) continue
    const message = `table "${name}" has no ${key} column; import, register or attach it with --${key} COLUMN`
    throw new SkepError('KEY_INVALID', message, { table: name, key })
  }
}
