/** Readers of source files as SQL, with every choice made that DuckDB would otherwise guess at the expense of rows. */
import { type DataType, printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import type { SourceFile } from './sources.ts'

/** A column as it stands in the sources. */
export interface SourceColumn {
  name: string
  type: DataType
  /** True when only later rows of a text file told the type: the reader has to be told, too. */
  late?: boolean
  /** True when later rows of a text file do not have the type. */
  mixed?: boolean
}

/** What is known before a file is read. */
export interface ReaderOptions {
  /** Types of columns, by the names in the file; text formats parse with them. */
  types?: ReadonlyMap<string, string>
  /** All columns: JSON takes types for all or none. */
  columns?: readonly SourceColumn[]
  /** Between the values of a line of CSV. */
  delimiter?: string
  /** Guesses columns and types from every row instead of the first 20,480. */
  full?: boolean
  /** Every column as text, the first line as names: to find the line that does not fit. */
  plain?: boolean
  /** The files are numbered copies of sound records (see `rejects/sift.ts`): CSV with header, or lines of JSON. */
  numbered?: boolean
}

/** A table function over files of one format. */
export function readerSql(files: readonly SourceFile[], options: ReaderOptions = {}): string {
  const paths = `[${files.map(({ path }) => quoteString(path)).join(', ')}]`
  const { format, compression } = files[0]!
  if (format === 'parquet') return `read_parquet(${paths}, hive_partitioning = false, union_by_name = true)`
  const packed = `compression = '${compression === 'none' ? 'uncompressed' : compression}'`
  return format === 'csv' ? csvSql(paths, packed, options) : jsonSql(paths, packed, files, options)
}

/** A number in front makes the longest record longer. */
const NUMBERED_LINE_BYTES = 2_000_100

/** The dialect, fixed but for header and types: a guess that fits a damaged file would drop rows without a word. */
export function dialectSql(delimiter: string): string {
  return `delim = ${quoteString(delimiter)}, quote = '"', escape = '"', comment = '', skip = 0, strict_mode = true, null_padding = false`
}

function csvSql(paths: string, packed: string, options: ReaderOptions): string {
  const { types, delimiter = ',', plain, full, numbered } = options
  const typed = types && types.size > 0 ? `, types = ${structOf(types)}` : ''
  const known = numbered ? `, header = true, max_line_size = ${NUMBERED_LINE_BYTES}` : ''
  const guess = plain ? ', all_varchar = true, header = true' : `${typed}${known}${full ? ', sample_size = -1' : ''}`
  return `read_csv(${paths}, ${packed}, ${dialectSql(delimiter)}, hive_partitioning = false${guess})`
}

function jsonSql(
  paths: string,
  packed: string,
  files: readonly SourceFile[],
  { types, columns, full, numbered }: ReaderOptions,
): string {
  const lines = numbered || files.every(({ label }) => !/\.json(\.\w+)?$/i.test(label))
  const format = `format = ${lines ? `'newline_delimited'` : `'auto'`}`
  const typed =
    types && types.size > 0 && columns
      ? `, columns = ${structOf(new Map(columns.map(({ name, type }) => [name, types.get(name) ?? printType(type)])))}`
      : ''
  return `read_json(${paths}, ${packed}, ${format}, hive_partitioning = false${typed}${full ? ', sample_size = -1' : ''})`
}

function structOf(values: ReadonlyMap<string, string>): string {
  return `{${[...values].map(([name, type]) => `${quoteIdentifier(name)}: ${quoteString(type)}`).join(', ')}}`
}

const DELIMITERS = [',', '\t', ';', '|']

/** The delimiter of a header line: the one that occurs most outside of quotes, the comma when none does. */
export function delimiterOf(line: string): string {
  const bare = line.replaceAll(/"(?:[^"]|"")*"/g, '')
  const counts = DELIMITERS.map((delimiter) => bare.split(delimiter).length - 1)
  return DELIMITERS[counts.indexOf(Math.max(...counts))]!
}
