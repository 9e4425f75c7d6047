/** Rows between stages: small ones travel as JSON inside messages, larger ones as Parquet objects under the prefix of their query. */

/** A column of rows on their way; `type` is DuckDB's name of its type in SQL. */
export interface RowsColumn {
  name: string
  type: string
}

/** An object that holds rows; `part` is the part that all of them belong to, where they were cut. */
export interface RowsObject {
  /** Below the exchange's prefix. */
  name: string
  rows: number
  bytes: number
  part?: number
}

/** Rows that a task gave: plain JSON. Either all of them inline, column after column, or all of them in objects. */
export interface Rows {
  columns: RowsColumn[]
  count: number
  inline?: unknown[][]
  objects?: RowsObject[]
}

/** Where the objects of one query are. */
export interface Exchange {
  /** An absolute path where the engine may write an object of this name; folders on the way exist. */
  place(name: string): Promise<string>
  /** Makes what was written at `place` an object of the exchange. */
  keep(name: string): Promise<void>
  /** Absolute paths at which the engine can read these objects. */
  fetch(names: readonly string[]): Promise<string[]>
}
