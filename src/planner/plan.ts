/**
 * A query as stages of tasks: plain JSON, so that any pool can run it and `--explain` can print it.
 *
 * A stage is one piece of work done many times, on other files or other parts of what earlier stages gave; a task is one of these times.
 * What a task gives does not depend on where, when or how often it is run.
 */
import type { TableKeys, TableKind } from '../catalog/types.ts'

/** Where tasks run. */
export type PoolName = 'inline' | 'threads'

/** What a scan has to know of a table. Types are written as DuckDB prints them. */
export interface TableSpec {
  name: string
  kind: TableKind
  keys: TableKeys
  columns: { id: number; name: string; type: string }[]
  hiveColumns?: string[]
  /** Of a registered or attached table: its folder. */
  location?: string
  /** Some files may have been written under other names or types: columns are found by their field ids. */
  byId?: true
  /** Ids of DOUBLE columns that some files hold as a narrower type. */
  narrower?: number[]
  /** True when all rows of an actor are known to be in one file. */
  actorsTogether?: true
  /** Columns of foreign files, by the number that a file has in `layout`. */
  layouts?: { name: string; type: string }[][]
}

/** A file of a table, or some of its rows. */
export interface FileSpec {
  /** Below the warehouse, or absolute. */
  path: string
  rows: number
  bytes: number
  /** Half-open range of row numbers; all rows when absent. */
  range?: [from: number, to: number]
  /** Sorted by (actor, time). */
  sorted?: true
  /** Of a foreign file: the number of its columns in the table's `layouts`, and the stamp that it was planned with. */
  layout?: number
  version?: string
  /** Of a file of an attached table: values that metadata tells, by id, as `scalarToJson` writes them, and files of deleted rows. */
  constants?: Record<string, string | number | boolean | null>
  deletes?: { path: string; bytes: number; version: string }[]
  /** What position deletes call it, where that is not its path. */
  uri?: string
  /** Of work on whole actors: files of different groups share no actor; absent is 0. */
  group?: number
  /** What is known of the columns that the work asks about, by id: nulls, least and greatest value as `scalarToJson` writes them. */
  columns?: Record<string, { nulls?: number; lower?: string | number | boolean; upper?: string | number | boolean }>
}

/** What the SQL of a stage reads under a name: files of a table, or what another stage gave. */
export type StageInput =
  | { view: string; table: TableSpec }
  /** `own`: each task reads the part of its number; else every task reads all. */
  | { view: string; stage: string; columns: StageColumn[]; own: boolean; cut?: { by: string[]; parts: number } }

/** A column between stages; `type` as DuckDB prints it. */
export interface StageColumn {
  name: string
  type: string
}

/** Rows of one SELECT. */
export interface SqlWork {
  kind: 'sql'
  sql: string
  /** Values that the SQL binds, by name, as `paramToJson` writes them. */
  params?: Record<string, ParamJson>
  inputs: StageInput[]
  columns: StageColumn[]
  /** Each task gives few rows. */
  few?: true
  /** Rows with equal values of `by` come into the same of `parts` parts. With `when: 'large'` few rows may stay uncut. */
  cut?: { by: string[]; parts: number; when: 'always' | 'large' }
}

/**
 * A behavioural query over whole actors: those of the files that stand under {@link ROWS}, or of a part of what another stage gave.
 * What comes of it is merged by the coordinator; it gives no rows.
 */
export interface BehaviourWork {
  kind: 'behaviour'
  /** As `warehouse.query` takes it: JSON, or its text where it has integers that JSON's numbers do not hold. */
  query: object | string
  /** With all columns, although rows of another stage have only those that the query needs. */
  table: TableSpec
  /** Nothing, or one stage under {@link ROWS}, cut by the actor. */
  inputs: Extract<StageInput, { stage: string }>[]
  cut?: undefined
}

/** The name under which behavioural work reads its rows. */
export const ROWS = 'rows'

/** What a stage does. */
export type Work = SqlWork | BehaviourWork

/** A bound value as JSON. */
export type ParamJson = null | string | number | boolean | ParamJson[]

/** One task of a stage. */
export interface TaskSpec {
  /** Unique in the plan: the stage's id and a number. */
  id: string
  /** The files to read, by the view that stands for them. */
  files: Record<string, FileSpec[]>
  /** The number of the part that it reads of inputs marked `own`. */
  part?: number
  /** Of its files. */
  rows: number
  bytes: number
}

/** One stage; it begins when the stages that its inputs name are done. */
export interface Stage {
  id: string
  /** In words, for people. */
  does: string
  work: Work
  /** So many rows are enough, whichever they are: of its tasks, those behind the first ones that give so many together are not needed. */
  enoughRows?: number
  tasks: TaskSpec[]
}

/** Stages, in an order in which they can be run, and the statement that is run once over what they gave. */
export interface Plan {
  stages: Stage[]
  /** Run by the coordinator; absent for behavioural queries, whose states are merged by it. */
  final?: { sql: string; reads: string[]; tables: string[] }
}
