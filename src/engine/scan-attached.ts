/** Scans of files that others wrote: one reader finds the columns of all of them, metadata tells some values, and deleted rows are left out. */
import { foldName } from '../catalog/folder/names.ts'
import type { Column, DataFile, Scalar, Schema, Table } from '../catalog/types.ts'
import { type DataType, printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import { ROW_NUMBER } from '../planner/table-spec.ts'
import { constantSql, constantsSql } from './constant-sql.ts'
import { type FileSource, namedFiles, pathsSql, rowsOption, unfilteredSql } from './scan-folder.ts'

/** What a scan needs to know of the table. */
export type AttachedShape = Pick<Table, 'snapshot'>

/** The reader's own column of the places of files in its list. */
const FILE_INDEX = 'file_index'

/** A SELECT of the table's columns, in order, over these files. */
export function attachedScanSql(
  table: AttachedShape,
  schema: Schema,
  files: readonly DataFile[],
  source: FileSource = namedFiles,
): string {
  const whole = files.filter(({ range }) => !range)
  const groups = [
    whole.filter(({ deletes }) => !deletes?.length),
    whole.filter(({ deletes }) => deletes?.length),
    ...files.filter(({ range }) => range).map((file) => [file]),
  ]
  return groups
    .flatMap((group) => (group.length === 0 ? [] : [groupSql(table, schema, group, source)]))
    .join(' UNION ALL ')
}

/** Files that all have deleted rows or none; or one file, of which a range of rows is read. */
function groupSql(table: AttachedShape, schema: Schema, files: readonly DataFile[], source: FileSource): string {
  const columns = schema.columns.map((column) => `${valueSql(table, column, files)} AS ${quoteIdentifier(column.name)}`)
  const from = `read_parquet(${source(files)}, hive_partitioning = false, schema = ${readerSchema(table, schema, files)}${rowsOption(files)})`
  const range = files[0]!.range
  const conditions = [
    ...(range ? [`${ROW_NUMBER} >= ${range[0]} AND ${ROW_NUMBER} < ${range[1]}`] : []),
    ...(files[0]!.deletes?.length ? [`NOT EXISTS (${deletedSql(files)})`] : []),
  ]
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  return `SELECT ${columns.join(', ')} FROM ${from} AS ${DATA}${where}`
}

const DATA = 'data'

/** True for a column whose value metadata tells for every one of the files. */
function isConstant({ id }: Column, files: readonly DataFile[]): boolean {
  return files.every(({ constants }) => constants?.has(id))
}

/** The value of a column: that of metadata for the files that have one there, else the file's own. */
function valueSql({ snapshot }: AttachedShape, column: Column, files: readonly DataFile[]): string {
  const { id, type } = column
  const known = files.some(({ constants }) => constants?.has(id))
  const own = quoteIdentifier(readName(column))
  const misread = printType(type) === 'BLOB' || snapshot.reading?.narrower.has(id) === true
  const stored = misread ? unfilteredSql(own) : own
  if (!known) return stored
  const told = toldSql(
    type,
    files.map(({ constants }) => constants?.get(id) ?? null),
  )
  if (isConstant(column, files)) return told
  const has = files.map(({ constants }) => constants?.has(id) === true)
  return `CASE WHEN ${at(`[${has.join(', ')}]`)} THEN ${told} ELSE ${stored} END`
}

/** One value for all files, or for each its own. */
function toldSql(type: DataType, values: readonly (Scalar | null)[]): string {
  const [first = null] = values
  const alike = values.every((value) => sameScalar(value, first))
  return alike ? constantSql(first, type) : constantsSql(values, type, at)
}

function sameScalar(a: Scalar | null, b: Scalar | null): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return Object.is(a, b)
}

/** The item of a list that has one for each file. */
function at(list: string): string {
  return `(${list})[CAST(${FILE_INDEX} AS BIGINT) + 1]`
}

/** The columns that the reader looks for in the files, by field id or by name; those that a file lacks are null. */
function readerSchema({ snapshot }: AttachedShape, { columns }: Schema, files: readonly DataFile[]): string {
  const stored = columns.filter((column) => !isConstant(column, files))
  // A reader needs a column; any file has rows without it.
  const sought = stored.length > 0 ? stored : columns.slice(0, 1)
  const entries = sought.map((column) => {
    const { id, name, type } = column
    const key = snapshot.reading?.byId ? id : quoteString(name)
    return `${key}: {name: ${quoteString(readName(column))}, type: ${quoteString(printType(type))}, default_value: NULL}`
  })
  return `MAP {${entries.join(', ')}}`
}

/** Names of the reader's own columns, which columns of a table would hide. */
const READER_NAMES = new Set([ROW_NUMBER, FILE_INDEX, 'filename', 'rowid'])

/** What a column is called between the reader and the table. */
function readName({ id, name }: Column): string {
  return READER_NAMES.has(foldName(name)) ? `column ${id} ${name}` : name
}

/** The deleted rows among those of the files. A delete file counts only for the data files that it belongs to. */
function deletedSql(files: readonly DataFile[]): string {
  const paths = [...new Set(files.flatMap(({ deletes = [] }) => deletes.map(({ path }) => path)))]
  const places = new Map(paths.map((path, k) => [path, k]))
  const pairs = files.flatMap(({ deletes = [], path, uri = path }, file) =>
    deletes.map((other) => `{d: ${places.get(other.path)}, u: ${quoteString(uri)}, f: ${file}}`),
  )
  const pair = `SELECT unnest([${pairs.join(', ')}], recursive := true)`
  return (
    `SELECT 1 FROM (SELECT p.f AS f, d.pos AS pos FROM read_parquet(${pathsSql(paths)}, hive_partitioning = false) AS d ` +
    `JOIN (${pair}) AS p ON d.${FILE_INDEX} = p.d AND d.file_path = p.u) AS gone ` +
    `WHERE gone.f = ${DATA}.${FILE_INDEX} AND gone.pos = ${DATA}.${ROW_NUMBER}`
  )
}
