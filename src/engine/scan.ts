/** Scans of a table's files as SQL of our own: the only way in which files enter the fenced engine. */
import type { DataFile, Schema, Table } from '../catalog/types.ts'
import { printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import { attachedScanSql } from './scan-attached.ts'
import { type FileSource, folderScanSql, namedFiles, rangesSql, rowsOption, unfilteredSql } from './scan-folder.ts'

/** What a scan has to know of a table. */
type Scanned = Pick<Table, 'kind' | 'hiveColumns' | 'snapshot'>

/** A SELECT of the table's columns, in order, over these of its files; of no rows when there are none. */
export function scanSql(
  table: Scanned,
  schema: Schema,
  files: readonly DataFile[],
  source: FileSource = namedFiles,
): string {
  if (files.length === 0) return emptyScan(schema)
  if (table.kind === 'registered') return folderScanSql(table, schema, files, source)
  if (table.kind === 'attached') return attachedScanSql(table, schema, files, source)
  const { reading } = table.snapshot
  const columns = schema.columns.map(({ id, name }) => {
    const quoted = quoteIdentifier(name)
    return reading?.narrower.has(id) ? `${unfilteredSql(quoted)} AS ${quoted}` : quoted
  })
  const option = reading?.byId ? `, schema = ${byId(schema)}` : ''
  return rangesSql(
    files,
    columns,
    (some) => `read_parquet(${source(some)}, hive_partitioning = false${option}${rowsOption(some)})`,
  )
}

function emptyScan(schema: Schema): string {
  const columns = schema.columns.map(({ name, type }) => `CAST(NULL AS ${printType(type)}) AS ${quoteIdentifier(name)}`)
  return `SELECT ${columns.join(', ')} WHERE false`
}
/** Columns by their field ids: what a file calls them and how wide it has them does not matter, and those that it lacks are null. */
function byId({ columns }: Schema): string {
  const entries = columns.map(
    ({ id, name, type }) =>
      `${id}: {name: ${quoteString(name)}, type: ${quoteString(printType(type))}, default_value: NULL}`,
  )
  return `MAP {${entries.join(', ')}}`
}
