/** Scans of a table's files as SQL of our own: the only way in which files enter the fenced engine. */
import type { DataFile, Schema, Table } from '../catalog/types.ts'
import { printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import { folderScanSql } from './scan-folder.ts'

/** A SELECT of the table's columns, in order, over these of its files; of no rows when there are none. */
export function scanSql(
  table: Pick<Table, 'kind' | 'hiveColumns'>,
  schema: Schema,
  files: readonly DataFile[],
): string {
  if (files.length === 0) return emptyScan(schema)
  if (table.kind === 'registered') return folderScanSql(table, schema, files)
  const columns = schema.columns.map(({ name }) => quoteIdentifier(name))
  const list = files.map((file) => quoteString(file.path)).join(', ')
  return `SELECT ${columns.join(', ')} FROM read_parquet([${list}], hive_partitioning = false)`
}

function emptyScan(schema: Schema): string {
  const columns = schema.columns.map(({ name, type }) => `CAST(NULL AS ${printType(type)}) AS ${quoteIdentifier(name)}`)
  return `SELECT ${columns.join(', ')} WHERE false`
}
