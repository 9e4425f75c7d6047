/** Writing data files: sorted Parquet with field ids, synced, sealed, described by the statistics that the writer reports. */
import { open, unlink } from 'node:fs/promises'
import { parseUuid } from '../catalog/iceberg/bytes.ts'
import { printFieldIds, printSchema } from '../catalog/iceberg/schema.ts'
import type { Column, ColumnStatistics, DataFile, Scalar } from '../catalog/types.ts'
import { isFloat, isInteger, printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import { SETTINGS, type Settings } from '../config.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import { sealFile } from '../storage/sealed-file.ts'

/** One COPY of rows into one data file, or several of bounded size. */
export interface FileWrite {
  /** SELECT of exactly the stored columns, in order. */
  rows: string
  /** Path without its ending. */
  path: string
  /** When given, a new file is begun near this size; the path then names a folder. */
  fileBytes?: number
  specId: number
  partition: (Scalar | null)[]
  /** True when the rows come sorted by (actor, time). */
  sorted: boolean
}

/** Writes rows and describes the files that came of it; files without rows are not kept. */
export async function writeFiles(
  session: Session,
  columns: readonly Column[],
  write: FileWrite,
  settings: Settings,
  options: RunOptions,
): Promise<DataFile[]> {
  const target = write.fileBytes === undefined ? `${write.path}.parquet` : write.path
  const size = write.fileBytes === undefined ? '' : `, FILE_SIZE_BYTES ${write.fileBytes}, FILENAME_PATTERN 'part-{i}'`
  // DuckDB 1.5.5 looks for binary values in bloom filters by their text, and so misses rows that are there.
  const bloom = columns.some(({ type }) => printType(type) === 'BLOB') ? ', WRITE_BLOOM_FILTER false' : ''
  const result = await session.rows<ReturnedStatistics>(
    `COPY (${write.rows}) TO ${quoteString(target)} (FORMAT parquet, FIELD_IDS ${printFieldIds([...columns])}, PARQUET_VERSION v2,
     COMPRESSION zstd, ROW_GROUP_SIZE ${settings.rowGroupRows}, RETURN_STATS${bloom}${size},
     KV_METADATA {"iceberg.schema": ${quoteString(printSchema(columns))}})`,
    options,
  )
  const paths = await mapConcurrent(result, SETTINGS.finishedFiles.default, async ({ filename, count }) =>
    count > 0n ? await sealFile(filename) : await unlink(filename),
  )
  if (write.fileBytes !== undefined) await sync(write.path)
  return result.flatMap((row, k) => (paths[k] ? [{ ...describeFile(row, columns, write), path: paths[k] }] : []))
}

/** Makes a file or folder durable. */
export async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r')
  await file.sync()
}

interface ReturnedStatistics {
  filename: string
  count: bigint
  file_size_bytes: bigint
  column_statistics: { key: string; value: { key: string; value: string }[] }[]
}

function describeFile(row: ReturnedStatistics, columns: readonly Column[], write: FileWrite): DataFile {
  const reported = new Map(
    row.column_statistics.map(({ key, value }) => [key, new Map(value.map((v) => [v.key, v.value]))]),
  )
  const statistics = new Map<number, ColumnStatistics>()
  for (const column of columns) {
    const known = reported.get(quoteIdentifier(column.name))
    if (known && column.parts === undefined) statistics.set(column.id, readStatistics(column, known))
  }
  return {
    path: row.filename,
    rows: Number(row.count),
    sizeBytes: Number(row.file_size_bytes),
    specId: write.specId,
    partition: write.partition,
    columns: statistics,
    sorted: write.sorted,
  }
}

function readStatistics(column: Column, known: ReadonlyMap<string, string>): ColumnStatistics {
  const count = (name: string) => {
    const text = known.get(name)
    return text === undefined ? undefined : Number(text)
  }
  const bound = (name: string) => {
    const text = known.get(name)
    return text === undefined ? undefined : parseBound(text, column)
  }
  const statistics = {
    sizeBytes: count('column_size_bytes'),
    values: count('num_values'),
    nulls: count('null_count'),
    nans: isFloat(column.type) && known.get('has_nan') === 'false' ? 0 : undefined,
    lower: bound('min'),
    upper: bound('max'),
  }
  return Object.fromEntries(Object.entries(statistics).filter(([, value]) => value !== undefined))
}

/** A bound from DuckDB's text; undefined where the text stands for no single value of the type (infinite dates, years before 1). */
export function parseBound(text: string, { type }: Pick<Column, 'type'>): Scalar | undefined {
  if (isInteger(type)) return BigInt(text)
  if (type.kind === 'decimal') return BigInt(text.replace('.', ''))
  if (type.kind !== 'primitive') return undefined
  switch (type.name) {
    case 'FLOAT':
      return Math.fround(Number(text))
    case 'DOUBLE':
      return Number(text)
    case 'BOOLEAN':
      return text === '1' || text === 'true'
    case 'VARCHAR':
      return text
    case 'BLOB':
      return /^(?:[0-9A-Fa-f]{2})*$/.test(text) ? Buffer.from(text, 'hex') : undefined
    case 'UUID':
      return parseUuid(text)
    case 'DATE':
      return /^\d{4,}-\d\d-\d\d$/.test(text) ? daysOf(text) : undefined
    case 'TIME':
      return microsOfTime(text)
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return microsOf(text)
    default:
      return undefined
  }
}

const MS_PER_DAY = 86_400_000
const MICROS_PER_DAY = 86_400_000_000n

function daysOf(date: string): bigint | undefined {
  const [year, month, day] = date.split('-').map(Number)
  const ms = new Date(0).setUTCFullYear(year!, month! - 1, day!)
  return Number.isNaN(ms) ? undefined : BigInt(ms / MS_PER_DAY)
}

function microsOfTime(text: string): bigint | undefined {
  const match = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/.exec(text)
  if (!match) return undefined
  const seconds = Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3])
  return BigInt(seconds) * 1_000_000n + BigInt((match[4] ?? '').padEnd(6, '0'))
}

function microsOf(text: string): bigint | undefined {
  const match = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?)(?:\+00(?::00)?)?$/.exec(text)
  const days = match ? daysOf(match[1]!) : undefined
  const time = match ? microsOfTime(match[2]!) : undefined
  return days === undefined || time === undefined ? undefined : days * MICROS_PER_DAY + time
}
