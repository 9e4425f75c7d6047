/** The warehouse as commands see it, in a folder or behind a server. */
import type { WarehouseSurface } from '../api/surface.ts'
import type { ImportOptions, ImportResult } from '../inputs/import.ts'
import type { Warehouse } from '../warehouse.ts'

/** A warehouse, and files of this machine that go in and come out. */
export interface CommandWarehouse extends WarehouseSurface {
  /** Absolute path of its folder, or the address of its server. */
  readonly root: string
  /** Brings files, globs and the standard input (`-`) of this machine into a table. All or nothing. */
  import(table: string, files: readonly string[], options?: ImportOptions): Promise<ImportResult>
  /** The number of rows that were written into a Parquet file of this machine. */
  exportParquet(...call: Parameters<Warehouse['exportParquet']>): Promise<{ rows: number }>
}
