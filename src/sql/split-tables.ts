/** Tables as splitting knows them. */

/** A column of a table or stage; `type` as DuckDB prints it. */
export interface SplitColumn {
  name: string
  type: string
}

/** A table as splitting knows it, after pruning. */
export interface SplitTable {
  columns: readonly SplitColumn[]
  rows: number
  bytes: number
}

/** Which tables are worth splitting. */
export interface SplitLimits {
  /** Tables of at most so many rows are read by whoever needs them. */
  wholeRows: number
  /** Tables of at most so many bytes may be read by every task. */
  broadcastBytes: number
  /** Greatest LIMIT that is asked of every task. */
  limitRows: number
}
