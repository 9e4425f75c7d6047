/** What every source of tables (managed Iceberg, registered folders, foreign formats) gives to planner and engine. */
import type { DataType } from '../common/data-type.ts'
import type { StampedFile } from '../storage/object-store.ts'

/** The field id of one part of a nested type: `element` of a list, `key` and `value` of a map, the fields of a struct by their names. */
export interface FieldPart {
  id: number
  name: string
  /** The parts of this part, in their order; absent for types that are not nested. */
  parts?: FieldPart[]
}

/** One column. `id` is the field id in Iceberg metadata and Parquet footers; columns of registered tables count from 1. */
export interface Column {
  id: number
  name: string
  type: DataType
  /** True when the format itself forbids nulls. */
  required: boolean
  comment?: string
  /** Field ids inside a nested type (managed tables only). */
  parts?: FieldPart[]
}

/** Columns in order; names are unique without regard to case. */
export interface Schema {
  /** Iceberg's schema id; 0 for registered tables. */
  id: number
  columns: Column[]
}

/** Unit of an integer time column. */
export type TimeUnit = 's' | 'ms' | 'us' | 'ns'

/** The columns that behavioural queries need: who acts, and when. */
export interface TableKeys {
  actor?: string
  time?: string
  timeUnit?: TimeUnit
}

/** How a partition value comes from a column. */
export type Transform =
  | { kind: 'identity' }
  | { kind: 'bucket'; count: number }
  | { kind: 'day' }
  | { kind: 'hour' }
  /** Transforms of foreign tables that are read but not made. */
  | { kind: 'truncate'; width: number }
  | { kind: 'month' }
  | { kind: 'year' }
  | { kind: 'void' }

/** One field of a partition spec. `columnId` names the source column. */
export interface PartitionField {
  fieldId: number
  name: string
  columnId: number
  transform: Transform
}

/** How the values of a partition are derived; no fields: unpartitioned. */
export interface PartitionSpec {
  id: number
  fields: PartitionField[]
}

/**
 * A value in partitions and bounds: integers of any width, dates (days), times and timestamps (microseconds since
 * midnight or 1970) and decimals (unscaled) as bigint; floats as number; text as string; binary and UUID as bytes.
 */
export type Scalar = bigint | number | string | boolean | Uint8Array

/** What is known of one column in one file; absent is unknown. Bounds leave nulls and NaN out and may be wider than the data, never narrower. */
export interface ColumnStatistics {
  sizeBytes?: number
  values?: number
  nulls?: number
  nans?: number
  lower?: Scalar
  upper?: Scalar
}

/** A folder, an absolute path that ends in `/`, of which a table has all Parquet files, as long as the folder has this version. */
export interface WholeFolder {
  path: string
  version: string
  files: number
}

/** One immutable Parquet file of a snapshot. */
export interface DataFile {
  /** As the engine opens it: an absolute path on disk, or a URL. */
  path: string
  rows: number
  sizeBytes: number
  /** The spec that `partition` follows. */
  specId: number
  /** One value for each field of the spec; null for a null source value. */
  partition: (Scalar | null)[]
  /** By column id; only top-level columns of primitive type. */
  columns: ReadonlyMap<number, ColumnStatistics>
  /** True when the file's rows are sorted by (actor, time), ascending. */
  sorted: boolean
  /**
   * Of a file that others may change: its stamp, and its own columns (files that have the same share one list). `problem`: why it
   * cannot be read, as the rest of a sentence; whoever has to read it tells. `folder`: the folder that it is in, one object for all files
   * there, where the table has every file that a reader of `*.parquet` would find in it.
   */
  foreign?: {
    version: string
    layout: readonly { name: string; type: DataType }[]
    problem?: string
    folder?: WholeFolder
  }
  /**
   * Values of columns, by id, that metadata tells and the file need not have (attached tables only): they count whatever the file says.
   * Null is a null.
   */
  constants?: ReadonlyMap<number, Scalar | null>
  /** Iceberg files of position deletes that concern this file (attached tables only); the stamp is empty until one was looked at. */
  deletes?: readonly StampedFile[]
  /** The file as its table's own metadata writes it, by which position deletes name it; `path` when absent. */
  uri?: string
  /** Of a task: half-open range of row numbers; `rows` counts these. All rows when absent. */
  range?: readonly [from: number, to: number]
}

/** How the columns of a snapshot are found in its files. */
export interface FileReading {
  /** True when some files may have been written under other names or types: columns are then found by their field ids. */
  byId: boolean
  /** Ids of DOUBLE columns that some files may hold as a narrower type. */
  narrower: ReadonlySet<number>
}

/** The id of a snapshot; a text of digits where a number cannot hold it, as in tables that others wrote. */
export type SnapshotId = number | string

/** The state of a table at one time. */
export interface Snapshot {
  /** Absent for a table without any data yet and for registered tables. */
  id?: SnapshotId
  schema: Schema
  /** By spec id. */
  specs: ReadonlyMap<number, PartitionSpec>
  files: DataFile[]
  /** Absent when all files have the columns as the schema says. */
  reading?: FileReading
}

/** The format of an attached table. */
export type TableFormat = 'delta' | 'iceberg'

/** A row of `skep snapshots`. */
export interface SnapshotInfo<Id extends SnapshotId = SnapshotId> {
  id: Id
  parentId: Id | null
  /** ISO 8601, UTC. */
  time: string
  operation: 'append' | 'overwrite' | 'replace' | 'delete' | 'unknown'
  summary: Record<string, string>
}

/** How far a registered folder was checked for "an actor is in one file only". */
export type Validation = 'single' | 'first_last' | 'sample' | 'all'

/** Ours; a folder of Parquet files; a table of a format that others write. */
export type TableKind = 'managed' | 'registered' | 'attached'

/** A table as it was loaded: its keys, where it is, and one snapshot of it. */
export interface Table {
  name: string
  kind: TableKind
  /** Of an attached table: who wrote it. */
  format?: TableFormat
  /** What it is about, as its owner said. */
  comment?: string
  /** Folder of the table: an absolute path or URL. */
  location: string
  /** The Iceberg metadata file that this state was read from (managed tables only). */
  metadataLocation?: string
  keys: TableKeys
  /** Schema for new data; a snapshot in the past may have another. */
  schema: Schema
  /** The spec that new data is written with. */
  spec: PartitionSpec
  snapshot: Snapshot
  /** True only when all rows of an actor are known to be in one file (registered tables, validated `all`). */
  actorsTogether: boolean
  /** Hive partition columns of a registered folder: their values come from the path of the file. */
  hiveColumns: string[]
}
