/** Scans of files that are not ours: each read by its own columns, which are then made those of the table. */
import { foldName } from '../catalog/folder/names.ts'
import type { Column, DataFile, Schema, Table } from '../catalog/types.ts'
import { type DataType, printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import { SETTINGS } from '../config.ts'
import { ROW_NUMBER } from '../planner/table-spec.ts'

/** What a scan needs to know of the table. */
export type FolderShape = Pick<Table, 'hiveColumns' | 'snapshot'>

/** Files that have the same columns, and how they are read. */
export interface LayoutScan {
  files: readonly DataFile[]
  /** The call of the reader on some of the files, for a FROM clause. */
  from(files: readonly DataFile[]): string
  /** A column of the table from the reader's columns. */
  value(column: Column): string
}

type Layout = readonly { name: string; type: DataType }[]

/** A SELECT of the table's columns, in order, over these files. */
export function folderScanSql(
  table: FolderShape,
  schema: Schema,
  files: readonly DataFile[],
  source: FileSource = namedFiles,
): string {
  const whole = files.filter(({ range }) => !range)
  const scans = [whole, ...files.filter(({ range }) => range).map((file) => [file])].flatMap((some) =>
    layoutScans(table, schema, some, source),
  )
  const selects = scans.map(({ files: own, from, value }) => {
    const columns = schema.columns.map((column) => `${value(column)} AS ${quoteIdentifier(column.name)}`)
    return rangesSql(own, columns, from)
  })
  return selects.join(' UNION ALL ')
}

/** A SELECT over the whole files together, and over each range of rows on its own: row groups outside of it are not read. */
export function rangesSql(
  files: readonly DataFile[],
  columns: readonly string[],
  from: (files: readonly DataFile[]) => string,
): string {
  const select = `SELECT ${columns.join(', ')} FROM`
  const whole = files.filter(({ range }) => !range)
  const ranges = files.flatMap((file) => {
    if (!file.range) return []
    const [first, end] = file.range
    return [`${select} ${from([file])} WHERE ${ROW_NUMBER} >= ${first} AND ${ROW_NUMBER} < ${end}`]
  })
  return [...(whole.length > 0 ? [`${select} ${from(whole)}`] : []), ...ranges].join(' UNION ALL ')
}

/** Between paths of a list that is written as one text. */
const SEPARATOR = '\u001f'

/** Paths as a list in SQL; a long one as a text that is cut, which the engine reads several times faster. */
export function pathsSql(paths: readonly string[]): string {
  if (paths.length <= SETTINGS.plannedFiles.default || paths.some((path) => path.includes(SEPARATOR))) {
    return `[${paths.map(quoteString).join(', ')}]`
  }
  return `string_split(${quoteString(paths.join(SEPARATOR))}, ${quoteString(SEPARATOR)})`
}

/** What the reader is given for files: an expression in SQL. */
export type FileSource = (files: readonly DataFile[]) => string

/** The paths of the files. */
export const namedFiles: FileSource = (files) => pathsSql(files.map(({ path }) => path))

/** An option of the reader: how many rows many files have, which it would guess from the first of them. */
export function rowsOption(files: readonly DataFile[]): string {
  if (files.length <= SETTINGS.plannedFiles.default) return ''
  return `, explicit_cardinality = ${files.reduce((sum, { rows }) => sum + rows, 0)}`
}

/** The files by their layouts, in the order in which these come first. */
export function layoutScans(
  table: FolderShape,
  schema: Schema,
  files: readonly DataFile[],
  source: FileSource = namedFiles,
): LayoutScan[] {
  const groups = [...Map.groupBy(files, (file) => file.foreign?.layout)]
  if (groups.length <= SETTINGS.scanLayouts.default)
    return groups.map(([layout, group]) => layoutScan({ table, schema, source }, layout, group, ''))
  const all = new Map(
    files.flatMap((file) => (file.foreign?.layout ?? []).map((column) => [foldName(column.name), column])),
  )
  return [layoutScan({ table, schema, source }, [...all.values()], files, 'union_by_name = true, ')]
}

function layoutScan(
  { table, schema, source }: { table: FolderShape; schema: Schema; source: FileSource },
  layout: Layout | undefined,
  files: readonly DataFile[],
  option: string,
): LayoutScan {
  const own = layout && new Map(layout.map(({ name }) => [foldName(name), name]))
  const hive = new Set(table.hiveColumns)
  return {
    files,
    from: (some) => `read_parquet(${source(some)}, ${option}${hiveOptions(table, schema)}${rowsOption(some)})`,
    value: ({ id, name, type }) => {
      const found = hive.has(name) || !own ? name : own.get(foldName(name))
      const isMisread =
        printType(type) === 'BLOB' ||
        table.snapshot.reading?.narrower.has(id) === true ||
        (hive.has(name) && files.length === 1)
      const column = quoteIdentifier(found ?? '')
      const value = found === undefined ? 'NULL' : isMisread ? unfilteredSql(column) : column
      return `CAST(${value} AS ${printType(type)})`
    },
  }
}

/**
 * A column that no filter is pushed through into the reader: DuckDB 1.5.5 looks for binary values in bloom filters by their text, and so
 * misses rows that are there; and it compares a file that has a narrower type with a constant that was cast to that type, and so finds 0.1
 * where the FLOAT next to it stands; and of a single file it asks for the statistics of a Hive column, which has none, and fails.
 * Simpler forms than a CASE are optimised away.
 */
export function unfilteredSql(column: string): string {
  return `CASE WHEN ${column} IS NULL THEN NULL ELSE ${column} END`
}

function hiveOptions({ hiveColumns }: FolderShape, schema: Schema): string {
  if (hiveColumns.length === 0) return 'hive_partitioning = false'
  const types = hiveColumns.map((name) => {
    const column = schema.columns.find((candidate) => candidate.name === name)!
    return `${quoteString(name)}: ${printType(column.type)}`
  })
  return `hive_partitioning = true, hive_types = {${types.join(', ')}}`
}
