/** Scans of a table's files as SQL of our own: the only way in which files enter the fenced engine. */
import type { Column, DataFile, Schema, Table } from '../catalog/types.ts'
import { printType, quoteIdentifier, quoteString } from '../common/data-type.ts'

/** What a scan has to know of a table. */
type Scanned = Pick<Table, 'kind' | 'hiveColumns' | 'snapshot'>

/** A SELECT of the table's columns, in order, over these of its files; of no rows when there are none. */
export function scanSql(table: Scanned, schema: Schema, files: readonly DataFile[]): string {
  if (files.length === 0) return emptyScan(schema)
  const columns = schema.columns.map((column) => columnSql(table, column, files))
  const list = files.map((file) => quoteString(file.path)).join(', ')
  return `SELECT ${columns.join(', ')} FROM read_parquet([${list}], ${readerOptions(table, schema)})`
}

function columnSql({ kind, snapshot }: Scanned, column: Column, files: readonly DataFile[]): string {
  const quoted = quoteIdentifier(column.name)
  const narrower = snapshot.reading?.narrower.has(column.id) === true
  if (kind === 'managed') return narrower ? `${wholeSql(quoted)} AS ${quoted}` : quoted
  // A column that is null throughout these files may be missing from all of them, and must not be asked for by name.
  const absent = files.every((file) => file.columns.get(column.id)?.nulls === file.rows)
  const value = absent ? 'NULL' : narrower ? wholeSql(quoted) : quoted
  return `CAST(${value} AS ${printType(column.type)}) AS ${quoted}`
}

/**
 * A column that some files hold as a type that lacks some of its values: to DuckDB 1.5.5 a filter compares those files with a constant
 * that was cast to their type, and so finds 0.1 where the FLOAT next to it stands. Filters are not taken apart below a CASE.
 */
function wholeSql(column: string): string {
  return `CASE WHEN ${column} IS NULL THEN NULL ELSE ${column} END`
}

function emptyScan(schema: Schema): string {
  const columns = schema.columns.map(({ name, type }) => `CAST(NULL AS ${printType(type)}) AS ${quoteIdentifier(name)}`)
  return `SELECT ${columns.join(', ')} WHERE false`
}

function readerOptions({ kind, hiveColumns, snapshot }: Scanned, schema: Schema): string {
  if (kind === 'managed')
    return `hive_partitioning = false${snapshot.reading?.byId ? `, schema = ${byId(schema)}` : ''}`
  if (hiveColumns.length === 0) return 'union_by_name = true, hive_partitioning = false'
  const types = hiveColumns.map((name) => {
    const column = schema.columns.find((candidate) => candidate.name === name)!
    return `${quoteString(name)}: ${printType(column.type)}`
  })
  return `union_by_name = true, hive_partitioning = true, hive_types = {${types.join(', ')}}`
}

/** Columns by their field ids: what a file calls them and how wide it has them does not matter, and those that it lacks are null. */
function byId({ columns }: Schema): string {
  const entries = columns.map(
    ({ id, name, type }) =>
      `${id}: {name: ${quoteString(name)}, type: ${quoteString(printType(type))}, default_value: NULL}`,
  )
  return `MAP {${entries.join(', ')}}`
}
