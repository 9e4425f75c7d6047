/** Columns of an import: what the sources hold, what the table stores, and the expressions between them. */

import { columnNotFound, findColumn } from '../catalog/find-column.ts'
import { unifyTypes } from '../catalog/folder/unify.ts'
import { storableType } from '../catalog/iceberg/types.ts'
import type { Table } from '../catalog/types.ts'
import { type DataType, parseType, primitive, printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import type { Session } from '../engine/engine.ts'
import { SkepError } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import { fitTable, type StoredColumn, storedColumn, unsupported } from './fit.ts'
import { delimiterOf, type ReaderOptions, readerSql, type SourceColumn } from './readers.ts'
import { isSniffError, sourceError } from './source-errors.ts'
import { firstLine, type SourceFile } from './sources.ts'

/** The columns of an import. */
export interface ImportColumns {
  reader: ReaderOptions
  /** As they are stored: the table's in its order, as wide as the sources need them, then new ones. */
  stored: StoredColumn[]
  /** SELECT list that makes stored columns of source columns. */
  select: string
}

/** What a user may say about types, by column, in DuckDB's names. */
export type TypeOverrides = Readonly<Record<string, string>>

interface FileColumns {
  file: SourceFile
  columns: SourceColumn[]
}

/**
 * The columns of the sources, as they will be stored in `table`, or in a new one when there is none. Of numbered copies, `number` is
 * the column of the numbers; their values are checked one by one later, so no type of a column is refused here.
 */
export async function planColumns(
  session: Session,
  files: readonly SourceFile[],
  overrides: TypeOverrides,
  table: Table | undefined,
  number?: string,
): Promise<ImportColumns> {
  const delimiter = files[0]!.format === 'csv' ? delimiterOf(await firstLine(files[0]!)) : ','
  const how: ReaderOptions = { delimiter, ...(number !== undefined && { numbered: true }) }
  const described = await describeSources(session, files, how)
  const found = number === undefined ? described : withoutNumbers(described, number)
  const isSettled = (name: string) =>
    number !== undefined &&
    findColumn([...keysAsColumns(overrides), ...(table?.schema.columns ?? [])], name) !== undefined
  const sources = uniteColumns(found, isSettled)
  const types = parseOverrides(overrides, sources)
  const format = number === undefined ? files[0]!.format : 'checked text'
  const stored = table ? fitTable(table, sources, types, format) : storeNew(sources, types)
  const reader: ReaderOptions = { ...how, columns: sources, types: readerTypes(files, sources, stored, types) }
  const cast = files[0]!.format === 'parquet' ? checkedSql(types) : ({ name }: SourceColumn) => quoteIdentifier(name)
  return { reader, stored, select: selectList(sources, stored, cast) }
}

/** The sources' own columns of numbered copies. */
function withoutNumbers(found: readonly FileColumns[], number: string): FileColumns[] {
  return found.map(({ file, columns }) => ({ file, columns: columns.filter(({ name }) => name !== number) }))
}

function keysAsColumns(overrides: TypeOverrides): { name: string }[] {
  return Object.keys(overrides).map((name) => ({ name }))
}

/** The columns of every file; of text formats each file is looked at on its own. */
async function describeSources(
  session: Session,
  files: readonly SourceFile[],
  reader: ReaderOptions,
): Promise<FileColumns[]> {
  const groups = files[0]!.format === 'parquet' ? await parquetGroups(session, files) : files.map((file) => file)
  return await mapConcurrent(groups, 1, async (file) => ({ file, columns: await describe(session, file, reader) }))
}

/** One file for each distinct schema among the footers. */
async function parquetGroups(session: Session, files: readonly SourceFile[]): Promise<SourceFile[]> {
  if (files.length === 1) return [...files]
  const paths = files.map(({ path }) => quoteString(path)).join(', ')
  const rows = await guarded(files, () =>
    session.rows<{ file: string }>(
      `SELECT min(file) AS file FROM (
         SELECT file_name AS file, list((name, type, type_length, repetition_type, num_children, converted_type, scale, precision, logical_type)) AS shape
         FROM parquet_schema([${paths}]) GROUP BY file_name
       ) GROUP BY shape ORDER BY 1`,
    ),
  )
  const kept = new Set(rows.map(({ file }) => file))
  return files.filter(({ path }) => kept.has(path))
}

/** More bytes than this can hold more rows than types are guessed from at first. */
const SAMPLED_BYTES = 40_960

/**
 * The columns of a file. Of text, types are guessed from its first rows, and then all rows are looked at: a column that turns
 * out to need a wider type gets it, so that no value is rounded; where later rows are no longer of any such type, the
 * first guess stands, and reading stops at the row.
 */
async function describe(session: Session, file: SourceFile, reader: ReaderOptions): Promise<SourceColumn[]> {
  const first = await guessColumns(session, file, reader)
  const isShort = file.compression === 'none' && file.sizeBytes <= SAMPLED_BYTES
  if (file.format === 'parquet' || isShort) return first
  const all = await guessColumns(session, file, { ...reader, full: true })
  return all.map(({ name, type }) => {
    const early = first.find((column) => column.name === name)
    const settled = early ? settleType(early.type, type) : type
    const mixed = settled === early?.type && printType(settled) !== printType(type)
    return { name, type: settled, late: !early || printType(early.type) !== printType(settled), mixed }
  })
}

function settleType(early: DataType, late: DataType): DataType {
  if (printType(early) === printType(late)) return early
  return uniteInferred([early, late]) ?? (['VARCHAR', 'JSON'].includes(printType(late)) ? early : late)
}

async function guessColumns(session: Session, file: SourceFile, reader: ReaderOptions): Promise<SourceColumn[]> {
  try {
    const rows = await guarded([file], () =>
      session.rows<{ column_name: string; column_type: string }>(`DESCRIBE SELECT * FROM ${readerSql([file], reader)}`),
    )
    return rows.map(({ column_name, column_type }) => ({ name: column_name, type: parseType(column_type) }))
  } catch (error) {
    if (isSniffError(error)) await findBadLine(session, file, reader)
    throw error
  }
}

/** Reads a CSV file whose shape makes no sense as plain text: the error of that names the line. */
async function findBadLine(session: Session, file: SourceFile, reader: ReaderOptions): Promise<void> {
  const line = await firstLine(file)
  const names = line.split(reader.delimiter ?? ',').map((_, k) => `column${k}`)
  const columns = names.map((name) => `${quoteIdentifier(name)}: 'VARCHAR'`).join(', ')
  const plain = readerSql([file], { ...reader, plain: true }).replace(
    ', all_varchar = true',
    `, auto_detect = false, columns = {${columns}}`,
  )
  await guarded([file], () => session.run(`SELECT count(*) FROM (SELECT * FROM ${plain})`))
}

/** Runs a statement of ours over source files; errors come in terms of these files. */
export async function guarded<T>(files: readonly SourceFile[], run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof SkepError && error.kind !== 'internal' && error.code !== 'FILE_INVALID') throw error
    throw sourceError(error, files) ?? error
  }
}

/** One list of columns for all files. @throws SCHEMA_MISMATCH naming files */
function uniteColumns(found: readonly FileColumns[], isSettled: (name: string) => boolean): SourceColumn[] {
  const [first, ...others] = found
  for (const other of others) {
    const missing = first!.columns.find((column) => !findColumn(other.columns, column.name))
    const added = other.columns.find((column) => !findColumn(first!.columns, column.name))
    const column = missing ?? added
    if (column) throw differing(column.name, missing ? first! : other, missing ? other : first!)
  }
  return first!.columns.map(({ name }) => ({
    name,
    type: unite(name, found, isSettled(name)),
    late: found.some(({ columns }) => findColumn(columns, name)!.late === true),
    mixed: found.some(({ columns }) => findColumn(columns, name)!.mixed === true),
  }))
}

function differing(column: string, has: FileColumns, lacks: FileColumns): SkepError {
  const message = `${lacks.file.label} has no column "${column}", which ${has.file.label} has; import files of one schema at a time`
  return new SkepError('SCHEMA_MISMATCH', message, { column, files: [has.file.label, lacks.file.label] })
}

function unite(name: string, found: readonly FileColumns[], isSettled: boolean): DataType {
  const types = found.map(({ columns }) => findColumn(columns, name)!.type)
  const type = unifyTypes(types) ?? (found[0]!.file.format === 'parquet' ? undefined : uniteInferred(types))
  if (type) return type
  if (isSettled) return primitive('VARCHAR')
  const other = found.findIndex(({ columns }) => printType(findColumn(columns, name)!.type) !== printType(types[0]!))
  const [expected, actual] = [printType(types[0]!), printType(types[other]!)]
  const files = [found[0]!.file.label, found[other]!.file.label]
  const message = `column "${name}" is ${expected} in ${files[0]} and ${actual} in ${files[1]}; choose a type with --types ${name}=TYPE, or import them apart`
  throw new SkepError('SCHEMA_MISMATCH', message, { column: name, files, expected, found: actual })
}

/** Types that were guessed from text: a wider guess reads the texts of a narrower one. */
function uniteInferred(types: readonly DataType[]): DataType | undefined {
  const names = new Set(types.map(printType))
  const only = (...allowed: string[]) => [...names].every((name) => allowed.includes(name))
  if (only('BIGINT', 'DOUBLE')) return primitive('DOUBLE')
  return only('DATE', 'TIMESTAMP') ? primitive('TIMESTAMP') : undefined
}

/** The user's types by source column. @throws COLUMN_NOT_FOUND, COLUMN_TYPE_UNSUPPORTED */
function parseOverrides(overrides: TypeOverrides, sources: readonly SourceColumn[]): Map<string, DataType> {
  return new Map(
    Object.entries(overrides).map(([name, text]) => {
      const column = findColumn(sources, name)
      if (!column) throw columnNotFound('', name, sources, '--types: the files have')
      const type = parseType(text)
      const stored = type.kind === 'other' ? undefined : storableType(type)
      if (!stored) throw unsupported(name, text)
      return [column.name, stored]
    }),
  )
}

function storeNew(sources: readonly SourceColumn[], types: ReadonlyMap<string, DataType>): StoredColumn[] {
  return sources.map((source) => storedColumn(source, types))
}

/** The types with which text is parsed: those that the user chose and, for an existing table, the table's. */
function readerTypes(
  files: readonly SourceFile[],
  sources: readonly SourceColumn[],
  stored: readonly SourceColumn[],
  types: ReadonlyMap<string, DataType>,
): Map<string, string> {
  if (files[0]!.format === 'parquet') return new Map()
  const united = files.length > 1 && files[0]!.format === 'csv'
  return new Map(
    sources.flatMap((source) => {
      const target = findColumn(stored, source.name)!.type
      const chosen = types.has(source.name) || printType(target) !== printType(storableType(source.type) ?? source.type)
      if (chosen) return [[source.name, printType(target)]]
      return united || source.late ? [[source.name, printType(source.type)]] : []
    }),
  )
}

/** Marks the message of a timestamp that microseconds cannot hold. */
export const NANOSECONDS = 'skep: nanoseconds in column '

function selectList(
  sources: readonly SourceColumn[],
  stored: readonly SourceColumn[],
  cast: (source: SourceColumn, target: string) => string,
): string {
  return stored
    .map(({ name, type }) => {
      const source = findColumn(sources, name)
      const target = printType(type)
      return `CAST(${source ? cast(source, target) : 'NULL'} AS ${target}) AS ${quoteIdentifier(name)}`
    })
    .join(', ')
}

/** A source column; one with nanoseconds is checked to lose none of them, unless the user chose its type. */
function checkedSql(types: ReadonlyMap<string, DataType>): (source: SourceColumn, target: string) => string {
  return ({ name, type }, target) => {
    const column = quoteIdentifier(name)
    const source = printType(type)
    if (!source.includes('TIMESTAMP_NS') || types.has(name)) return column
    const loses =
      source === 'TIMESTAMP_NS'
        ? `epoch_ns(${column}) % 1000 <> 0`
        : `CAST(CAST(${column} AS ${target}) AS ${source}) IS DISTINCT FROM ${column}`
    return `CASE WHEN ${loses} THEN error(${quoteString(NANOSECONDS + name)}) ELSE ${column} END`
  }
}
