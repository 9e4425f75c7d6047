/** Takes the rows of a query along: few and small ones as JSON, others as Parquet objects of an exchange. */
import assert from 'node:assert'
import { rename } from 'node:fs/promises'
import type { DuckDBMaterializedResult } from '@duckdb/node-api'
import { quoteString } from '../common/data-type.ts'
import type { Settings } from '../config.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import type { SqlWork } from '../planner/plan.ts'
import { removeEmptyFolder } from '../storage/temporary.ts'
import type { Exchange, Rows, RowsColumn, RowsObject } from './exchange.ts'
import { packInline } from './inline-values.ts'
import { partOf } from './parts.ts'
import {
  columnAt,
  keptError,
  keptSql,
  keptValue,
  packedValue,
  SHORT_BYTES,
  type Shape,
  shapeOf,
  sizeSql,
  sumSql,
} from './shape.ts'

/** How rows are taken. */
export interface TakeOptions {
  exchange: Exchange
  settings: Pick<Settings, 'inlineRows' | 'inlineBytes' | 'exchangeParts'>
  /** With which the names of its objects begin: no other attempt has it. */
  attempt: string
  /** What its objects are called after that. */
  name: string
  /** The columns of the query: their names, and types as DuckDB prints them. */
  columns: readonly RowsColumn[]
  cut?: SqlWork['cut']
  /** True when few rows are expected, or the query costs little: saves a table, but the query is run once more when there are too many. */
  few?: boolean
  run?: RunOptions
}

/** A temporary table for rows of which it is not known yet how many there are. */
const TAKEN = '"skep taken rows"'

/**
 * The rows of a query, without holding many of them in JavaScript. Names of columns must differ by more than their case.
 *
 * @throws what the query fails with; COLUMN_TYPE_UNSUPPORTED for a type whose values cannot travel exactly
 */
export async function takeRows(session: Session, sql: string, options: TakeOptions): Promise<Rows> {
  const shape = shapeOf(options.columns)
  try {
    return await takeShape(session, shape, keptSql(shape, sql), options)
  } catch (error) {
    throw keptError(error)
  }
}

async function takeShape(session: Session, shape: Shape, kept: string, options: TakeOptions): Promise<Rows> {
  const { cut, few, run, settings } = options
  const whole = `(${kept})`
  const isCut = cut?.when === 'always'
  if (isCut && cut.parts <= settings.exchangeParts) return await writeRows(session, shape, whole, options)
  if (few && !isCut) {
    const look = `${fewSql(shape, whole, options)} LIMIT ${settings.inlineRows + 1}`
    const rows = inlineRows(shape, await session.run(look, run), options)
    if (rows) return rows
  }
  return await takeKept(session, shape, kept, options)
}

/** The rows by way of a table, which tells how many there are. */
async function takeKept(session: Session, shape: Shape, kept: string, options: TakeOptions): Promise<Rows> {
  const made = await session.run(`CREATE OR REPLACE TEMP TABLE ${TAKEN} AS ${kept}`, options.run)
  const count = Number(made.getChunk(0).getColumnValues(0)[0])
  const run = withoutParameters(options.run)
  // What is left of few rows stays until the next ones come. A LIMIT here would cost as much as all the rest together.
  if (count <= options.settings.inlineRows && options.cut?.when !== 'always') {
    const rows = inlineRows(shape, await session.run(fewSql(shape, TAKEN, options), run), options)
    if (rows) return rows
  }
  const drop = `DROP TABLE IF EXISTS ${TAKEN}`
  try {
    const rows = await writeRows(session, shape, TAKEN, { ...options, run })
    await session.run(drop)
    return rows
  } catch (error) {
    // Where this fails too, its transaction or its session ends and takes the table along.
    if (!session.stuck) await session.run(drop).catch(() => undefined)
    throw error
  }
}

function withoutParameters(run: RunOptions = {}): RunOptions {
  const { params: _, ...rest } = run
  return rest
}

/** A SELECT of rows as JSON carries them, and the size of each; a value that is too large by itself comes as null. */
function fewSql(shape: Shape, source: string, { settings }: TakeOptions): string {
  const values = shape.columns.map((_, k) => packedValue(shape, 'json', k))
  const sizes = shape.json.map((stored, k) => sizeSql(stored, values[k]!))
  const columns = values.map((value, k) =>
    sizes[k] === undefined ? value : `CASE WHEN ${sizes[k]} <= ${settings.inlineBytes} THEN ${value} END`,
  )
  const long = sizes.filter((size) => size !== undefined)
  if (long.length > 0) columns.push(`CAST(${sumSql(long)} AS BIGINT)`)
  return `SELECT ${columns.join(', ')} FROM ${source}`
}

/** The rows, unless they are too many or too large. */
function inlineRows(shape: Shape, result: DuckDBMaterializedResult, { settings }: TakeOptions): Rows | undefined {
  const count = result.rowCount
  if (count > settings.inlineRows) return undefined
  const width = shape.columns.length
  const chunks = Array.from({ length: result.chunkCount }, (_, k) => result.getChunk(k))
  let bytes = count * width * SHORT_BYTES
  if (result.columnCount > width) {
    for (const chunk of chunks) for (const size of chunk.getColumnValues(width)) bytes += Number(size)
  }
  if (bytes > settings.inlineBytes) return undefined
  const inline = shape.columns.map((_, k) => {
    const type = result.columnType(k)
    return chunks.flatMap((chunk) => chunk.getColumnValues(k).map((value) => packInline(value, type)))
  })
  return { columns: [...shape.columns], count, inline }
}

/** How objects are written. In dictionaries the engine takes 0.0 and -0.0 for one value. */
function formatOf({ parquet }: Shape): string {
  const dictionary = parquet.some(({ type }) => /FLOAT|DOUBLE/.test(type)) ? ', DICTIONARY_SIZE_LIMIT 0' : ''
  return `FORMAT parquet, PARQUET_VERSION v2, COMPRESSION lz4${dictionary}, RETURN_STATS`
}

/** The rows of a relation as objects. */
async function writeRows(session: Session, shape: Shape, source: string, options: TakeOptions): Promise<Rows> {
  const objects = options.cut
    ? await writeParts(session, shape, source, { ...options, cut: options.cut })
    : await writeWhole(session, shape, source, options)
  for (const { name } of objects) await options.exchange.keep(name)
  const count = objects.reduce((sum, { rows }) => sum + rows, 0)
  return { columns: [...shape.columns], count, objects }
}

async function writeWhole(session: Session, shape: Shape, source: string, options: TakeOptions): Promise<RowsObject[]> {
  const name = `${options.attempt}/${options.name}.parquet`
  const copy = `COPY (SELECT ${parquetColumns(shape)} FROM ${source}) TO ${quoteString(await options.exchange.place(name))} (${formatOf(shape)}, USE_TMP_FILE false)`
  const files = await writtenFiles(session, copy, options)
  return files.map(({ rows, bytes }) => ({ name, rows, bytes }))
}

async function writeParts(
  session: Session,
  shape: Shape,
  source: string,
  options: TakeOptions & { cut: NonNullable<SqlWork['cut']> },
): Promise<RowsObject[]> {
  const { cut, settings } = options
  const atOnce = settings.exchangeParts
  const part = partOf(keysOf(shape, cut.by), cut.parts)
  const packed = `SELECT ${parquetColumns(shape)}, ${part} AS part FROM ${source}`
  const objects: RowsObject[] = []
  for (let from = 0; from < cut.parts; from += atOnce) {
    const some = cut.parts > atOnce ? `${packed} WHERE ${part} BETWEEN ${from} AND ${from + atOnce - 1}` : packed
    objects.push(...(await writeSome(session, some, formatOf(shape), options)))
  }
  return objects.sort((a, b) => a.part! - b.part!)
}

/** Writes a relation with a column `part`, each part into a file of its own. */
async function writeSome(
  session: Session,
  packed: string,
  format: string,
  options: TakeOptions,
): Promise<RowsObject[]> {
  const { attempt, name, exchange } = options
  const folder = await exchange.place(`${attempt}/${name}`)
  const copy = `COPY (${packed}) TO ${quoteString(folder)} (${format}, PARTITION_BY (part))`
  const objects: RowsObject[] = []
  for (const { path, rows, bytes } of await writtenFiles(session, copy, options)) {
    const [, part, file] = /part=(\d+)\/data_(\d+)\.parquet$/.exec(path)!
    const object = `${attempt}/${name}-${part}${file === '0' ? '' : `-${file}`}.parquet`
    await rename(path, await exchange.place(object))
    objects.push({ name: object, rows, bytes, part: Number(part) })
  }
  await removeEmptyFolder(folder, { below: true })
  return objects
}

function parquetColumns(shape: Shape): string {
  return shape.columns.map((_, k) => `${packedValue(shape, 'parquet', k)} AS ${columnAt(k)}`).join(', ')
}

function keysOf(shape: Shape, by: readonly string[]): string[] {
  return by.map((key) => {
    const place = shape.columns.findIndex(({ name }) => name === key)
    assert(place >= 0, `rows are to be cut by a column that they do not have: ${key}`)
    return keptValue(shape, place)
  })
}

/** What a COPY has written; files without rows are none. */
async function writtenFiles(session: Session, copy: string, { run }: TakeOptions) {
  const result = await session.run(copy, run)
  const files: { path: string; rows: number; bytes: number }[] = []
  for (let k = 0; k < result.chunkCount; k++) {
    // Only these: the statistics of all columns stand beside them.
    const [paths, counts, sizes] = [0, 1, 2].map((column) => result.getChunk(k).getColumnValues(column))
    for (const [row, path] of paths!.entries()) {
      files.push({ path: String(path), rows: Number(counts![row]), bytes: Number(sizes![row]) })
    }
  }
  return files.filter(({ rows }) => rows > 0)
}
