/** Scans of a table's files as SQL of our own: the only way in which files enter the fenced engine. */
import type { Column, DataFile, Schema, Table } from '../catalog/types.ts'
import { printType, quoteIdentifier, quoteString } from '../common/data-type.ts'

/** A SELECT of the table's columns, in order, over these of its files; of no rows when there are none. */
export function scanSql(
  table: Pick<Table, 'kind' | 'hiveColumns'>,
  schema: Schema,
  files: readonly DataFile[],
): string {
  if (files.length === 0) return emptyScan(schema)
  const columns = schema.columns.map((column) => columnSql(table.kind, column, files))
  const list = files.map((file) => quoteString(file.path)).join(', ')
  return `SELECT ${columns.join(', ')} FROM read_parquet([${list}], ${readerOptions(table, schema)})`
}

/** A column that is null throughout these files may be missing from all of them, and must not be asked for by name. */
function columnSql(kind: Table['kind'], { id, name, type }: Column, files: readonly DataFile[]): string {
  const quoted = quoteIdentifier(name)
  if (kind === 'managed') return quoted
  const absent = files.every((file) => file.columns.get(id)?.nulls === file.rows)
  return `CAST(${absent ? 'NULL' : quoted} AS ${printType(type)}) AS ${quoted}`
}

function emptyScan(schema: Schema): string {
  const columns = schema.columns.map(({ name, type }) => `CAST(NULL AS ${printType(type)}) AS ${quoteIdentifier(name)}`)
  return `SELECT ${columns.join(', ')} WHERE false`
}

function readerOptions({ kind, hiveColumns }: Pick<Table, 'kind' | 'hiveColumns'>, schema: Schema): string {
  if (kind === 'managed') return 'hive_partitioning = false'
  if (hiveColumns.length === 0) return 'union_by_name = true, hive_partitioning = false'
  const types = hiveColumns.map((name) => {
    const column = schema.columns.find((candidate) => candidate.name === name)!
    return `${quoteString(name)}: ${printType(column.type)}`
  })
  return `union_by_name = true, hive_partitioning = true, hive_types = {${types.join(', ')}}`
}
