/**
 * Import of files into a managed table. Text is parsed once into staged Parquet; rows of a table with actor and time are
 * cut into buckets, each of which is then sorted in memory; one commit makes all files part of the table, or none.
 */
import assert from 'node:assert/strict'
import { mkdir, rm } from 'node:fs/promises'
import { dataLocation, type ManagedTable, type TableDraft } from '../catalog/catalog.ts'
import { newSchema } from '../catalog/iceberg/schema.ts'
import { newSpec } from '../catalog/iceberg/transforms.ts'
import type { DataFile, PartitionSpec, Schema, TableKeys, TimeUnit } from '../catalog/types.ts'
import { printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import { Engine, type RunOptions, type Session } from '../engine/engine.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import { bucketName, withBuckets } from './buckets.ts'
import { guarded, type ImportColumns, NANOSECONDS, planColumns, type TypeOverrides } from './columns.ts'
import { requireWhole } from './compressed.ts'
import { chooseKeys } from './keys.ts'
import { readerSql } from './readers.ts'
import { type FileFormat, findSources, type SourceFile } from './sources.ts'
import type { InputContext } from './types.ts'
import { sync, writeFiles } from './write.ts'
import { wrapWriteError } from './write-errors.ts'

export type { FileFormat } from './sources.ts'

/** Progress of an import. */
export interface ImportProgress {
  phase: 'read' | 'partition' | 'write' | 'commit'
  /** Part of the whole work done, from 0 to 1. */
  fraction: number
  /** Rows of the sources, once they are known. */
  rows?: number
  /** Size of the sources. */
  bytes: number
}

/** How files are imported. */
export interface ImportOptions {
  /** The column that says who acts. With `time`, the table is bucketed by it and sorted by both. */
  actor?: string
  /** The column that says when. */
  time?: string
  /** Unit of an integer time column. */
  timeUnit?: TimeUnit
  /** Number of buckets of a new table; chosen from the number of rows when absent. */
  buckets?: number
  /** Replaces the rows of the table; its history is kept. */
  replace?: boolean
  /** Types of columns by name, in DuckDB's names, instead of the inferred ones. */
  types?: TypeOverrides
  /** Format of all files, instead of the one that their names say. */
  format?: FileFormat
  signal?: AbortSignal
  onProgress?: (progress: ImportProgress) => void
}

/** What an import did. */
export interface ImportResult {
  table: string
  /** Absent when there was no row to commit. */
  snapshotId?: number
  /** True when the table was made by this import. */
  created: boolean
  rows: number
  /** Source files. */
  sources: number
  /** Data files written, and their size. */
  files: number
  bytes: number
  ms: number
}

interface Import {
  context: InputContext
  session: Session
  engine: Engine
  table: string
  options: ImportOptions
  run: RunOptions
  files: SourceFile[]
  /** Reports progress inside a phase that spans [from, to) of the whole. */
  phase(name: ImportProgress['phase'], from: number, to: number): RunOptions
}

/** Imports files, globs, or standard input (`-`) into a table. All or nothing. */
export async function importFiles(
  context: InputContext,
  table: string,
  patterns: readonly string[],
  options: ImportOptions = {},
): Promise<ImportResult> {
  const started = performance.now()
  const { settings, spillPath } = context
  const existing = await findTable(context, table, options.signal)
  try {
    const files = await findSources(patterns, { ...options, spillPath, maxFiles: settings.importFiles })
    requireOneFormat(files)
    await using engine = await Engine.open({ settings, spillPath })
    using session = await engine.session()
    await session.run('SET enable_progress_bar = true')
    await session.run('SET enable_progress_bar_print = false')
    const done = await runImport(newImport({ context, session, engine, table, options, files }), existing)
    return { ...done, table, sources: files.length, ms: Math.round(performance.now() - started) }
  } catch (error) {
    throw wrapWriteError(error, context.root)
  } finally {
    await rm(spillPath, { recursive: true, force: true })
  }
}

async function findTable(
  context: InputContext,
  table: string,
  signal?: AbortSignal,
): Promise<ManagedTable | undefined> {
  try {
    return await context.catalog.loadManaged(table, signal ? { signal } : {})
  } catch (error) {
    if (isSkepError(error, 'TABLE_NOT_FOUND')) return undefined
    throw error
  }
}

function requireOneFormat(files: readonly SourceFile[]): void {
  const first = files[0]!
  const other = files.find(
    (file) => file.format !== first.format || (file.format !== 'parquet' && file.compression !== first.compression),
  )
  if (!other) return
  throw new SkepError(
    'ARGUMENT_INVALID',
    `${first.label} and ${other.label} are of different formats or compression; import them one after the other`,
    { argument: 'FILE' },
  )
}

function newImport(parts: Omit<Import, 'run' | 'phase'>): Import {
  const { signal, onProgress } = parts.options
  const bytes = parts.files.reduce((sum, file) => sum + file.sizeBytes, 0)
  const run = signal ? { signal } : {}
  const phase: Import['phase'] = (name, from, to) => ({
    ...run,
    ...(onProgress && {
      onProgress: (fraction: number) => onProgress({ phase: name, fraction: from + (to - from) * fraction, bytes }),
    }),
  })
  return { ...parts, run, phase }
}

interface Done {
  snapshotId?: number
  created: boolean
  rows: number
  files: number
  bytes: number
}

/** Imports into the table as it is; once more from the start when another first import made it meanwhile: its columns and keys then count. */
async function runImport(work: Import, existing: ManagedTable | undefined): Promise<Done> {
  const { context, table: name, options } = work
  let table = existing
  for (let attempt = 1; ; attempt++) {
    const own = { ...work, context: { ...context, spillPath: `${context.spillPath}/${attempt}` } }
    const columns = await planColumns(own.session, own.files, options.types ?? {}, table)
    const keys = chooseKeys(name, options, columns.stored, table)
    const rows = await stageRows(own, columns)
    const done = await commitOnce(own, columns, keys, rows, await countRows(own, rows), table)
    if (done) return done
    table = await findTable(context, name, options.signal)
  }
}

/** A SELECT of the stored columns: over the sources themselves where they are Parquet, else over rows that were parsed once. */
async function stageRows(work: Import, { reader, select }: ImportColumns): Promise<string> {
  const source = `SELECT ${select} FROM ${readerSql(work.files, reader)}`
  if (work.files[0]!.format === 'parquet') return source
  const staged = `${work.context.spillPath}/staged.parquet`
  await mkdir(work.context.spillPath, { recursive: true })
  const copy = `COPY (${source}) TO ${quoteString(staged)} (FORMAT parquet, COMPRESSION snappy)`
  await whileWhole(work, () => reading(work, () => work.session.run(copy, work.phase('read', 0, 0.4))))
  return `SELECT * FROM read_parquet(${quoteString(staged)})`
}

/** Runs `step` while compressed sources are checked to be whole; damage is said rather than what came of it. */
async function whileWhole({ files, options: { signal } }: Import, step: () => Promise<unknown>): Promise<void> {
  const failed = new AbortController()
  const checking = requireWhole(files, signal ? AbortSignal.any([signal, failed.signal]) : failed.signal)
  const stepping = step().catch((error: unknown) => {
    failed.abort()
    throw error
  })
  const errors = (await Promise.allSettled([checking, stepping])).flatMap((end) =>
    end.status === 'rejected' ? [end.reason as unknown] : [],
  )
  if (errors.length > 0) throw errors.find((error) => !isSkepError(error, 'CANCELLED')) ?? errors[0]
}

async function countRows(work: Import, rows: string): Promise<number> {
  const [row] = await reading(work, () =>
    work.session.rows<{ n: bigint }>(`SELECT count(*) AS n FROM (${rows})`, work.run),
  )
  return Number(row!.n)
}

/** Runs a statement over the sources; what is wrong with them is said in their terms. */
async function reading<T>(work: Import, run: () => Promise<T>): Promise<T> {
  return await guarded(work.files, async () => {
    try {
      return await run()
    } catch (error) {
      throw nanosecondsError(error) ?? error
    }
  })
}

function nanosecondsError(error: unknown): SkepError | undefined {
  const text = error instanceof Error && error.cause instanceof Error ? error.cause.message : ''
  const at = text.indexOf(NANOSECONDS)
  if (at < 0) return undefined
  const column = text.slice(at + NANOSECONDS.length).split('\n')[0]!
  const message = `column "${column}" has nanosecond timestamps that microseconds cannot hold; choose a type with --types ${column}=TYPE (TIMESTAMP rounds, VARCHAR keeps the text)`
  return new SkepError('COLUMN_TYPE_UNSUPPORTED', message, { column, type: 'TIMESTAMP_NS' })
}

/** Writes the data files and commits them; undefined when another first import made the table meanwhile. */
async function commitOnce(
  work: Import,
  columns: ImportColumns,
  keys: TableKeys,
  rows: string,
  count: number,
  table: ManagedTable | undefined,
): Promise<Done | undefined> {
  const target = table ?? newTable(work, columns, keys, count)
  const files = await writeTable(work, target, rows, count)
  const written = files.reduce((sum, file) => sum + file.rows, 0)
  assert(written === count, `${written} rows were written of ${count}`)
  const done = { rows: count, files: files.length, bytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) }
  work.options.onProgress?.({ phase: 'commit', fraction: 1, rows: count, bytes: done.bytes })
  try {
    const id = await commit(work, table ?? (target as TableDraft), files)
    return { ...(id === undefined ? {} : { snapshotId: id }), ...done, created: table === undefined }
  } catch (error) {
    // With an unknown outcome the files may be part of the table.
    if (!isSkepError(error, 'STORE_UNAVAILABLE')) await work.context.catalog.discard(files)
    if (table || !isSkepError(error, 'TABLE_EXISTS')) throw error
    if (work.options.replace) throw replacedMeanwhile(work.table)
    return undefined
  }
}

function replacedMeanwhile(table: string): SkepError {
  const message = `the table "${table}" was made meanwhile: what was to be replaced is not its current state`
  return new SkepError('COMMIT_CONFLICT', message, { table })
}

/** Makes files part of a table; gives the id of its snapshot, if it has one. An append of nothing changes nothing. */
async function commit(
  { context, options, run }: Import,
  table: ManagedTable | TableDraft,
  files: DataFile[],
): Promise<number | undefined> {
  if (!('snapshot' in table)) return (await context.catalog.create(table, files, run)).snapshotId
  if (options.replace) return (await context.catalog.replace(table, files, run)).snapshotId
  return files.length === 0 ? table.snapshot.id : (await context.catalog.append(table, files, run)).snapshotId
}

interface Target {
  location: string
  schema: Schema
  spec: PartitionSpec
  keys: TableKeys
}

function newTable(
  { context, table, options }: Import,
  { stored }: ImportColumns,
  keys: TableKeys,
  count: number,
): TableDraft {
  const schema = newSchema(stored)
  const buckets = options.buckets ?? bucketCount(count, context.settings)
  const spec = newSpec(
    schema,
    keys.actor !== undefined && keys.time !== undefined
      ? [{ column: keys.actor, transform: { kind: 'bucket', count: buckets } }]
      : [],
  )
  return context.catalog.draft(table, { schema, spec, keys })
}

function bucketCount(rows: number, { bucketRows, bucketsMax }: InputContext['settings']): number {
  return Math.min(bucketsMax, 2 ** Math.ceil(Math.log2(Math.max(1, rows / bucketRows))))
}

async function writeTable(work: Import, target: Target, rows: string, count: number): Promise<DataFile[]> {
  const folder = dataLocation(target)
  await mkdir(folder, { recursive: true })
  if (count === 0) return []
  const files = isKeyed(target) ? await writeBuckets(work, target, rows, count) : await writePlain(work, target, rows)
  await sync(folder)
  return files
}

function isKeyed({ spec, keys }: Target): boolean {
  return keys.actor !== undefined && keys.time !== undefined && spec.fields.length === 1
}

function newPath(target: Target): string {
  return `${dataLocation(target)}/${crypto.randomUUID()}`
}

async function writePlain(work: Import, target: Target, rows: string): Promise<DataFile[]> {
  const size = work.files.reduce((sum, file) => sum + file.sizeBytes, 0)
  const { settings } = work.context
  const order = target.keys.time === undefined ? '' : ` ORDER BY ${quoteIdentifier(target.keys.time)}`
  const write = {
    rows: `${rows}${order}`,
    path: newPath(target),
    ...(size > settings.fileBytes ? { fileBytes: settings.fileBytes } : {}),
    specId: target.spec.id,
    partition: [],
    sorted: false,
  }
  return await reading(work, () =>
    writeFiles(work.session, target.schema.columns, write, settings, work.phase('write', 0.4, 1)),
  )
}

/** One sorted file for each bucket (and one for rows without actor); large buckets are cut between actors. */
async function writeBuckets(work: Import, target: Target, rows: string, count: number): Promise<DataFile[]> {
  const { transform } = target.spec.fields[0]!
  const buckets = transform.kind === 'bucket' ? transform.count : 1
  const parts = buckets === 1 ? singleBucket(target, rows) : await partition(work, target, rows, buckets)
  const sizes = parts.reduce((sum, part) => sum + (part.rows ?? count), 0)
  const sources = work.files.reduce((sum, file) => sum + file.sizeBytes, 0)
  let done = 0
  const written = await mapConcurrent(parts, Math.min(2, work.context.settings.threads), async (part) => {
    using session = await work.engine.session()
    const bytes = (sources * (part.rows ?? count)) / Math.max(1, sizes)
    const files = await reading(work, () => writeBucket(work, session, target, part, bytes))
    work.phase('write', 0.6, 1).onProgress?.(++done / parts.length)
    return files
  })
  return written.flat()
}

interface Part {
  bucket: number | null
  rows?: number
  sql: string
}

function singleBucket({ keys }: Target, rows: string): Part[] {
  const actor = quoteIdentifier(keys.actor!)
  return [
    { bucket: 0, sql: `SELECT * FROM (${rows}) WHERE ${actor} IS NOT NULL` },
    { bucket: null, sql: `SELECT * FROM (${rows}) WHERE ${actor} IS NULL` },
  ]
}

const NO_ACTOR = -1

/** Cuts the rows into one folder for each bucket, on disk: memory stays bounded, and every bucket is sorted on its own. */
async function partition(work: Import, target: Target, rows: string, buckets: number): Promise<Part[]> {
  const { session, context } = work
  const folder = `${context.spillPath}/buckets`
  await mkdir(context.spillPath, { recursive: true })
  const column = target.schema.columns.find(({ name }) => name === target.keys.actor)!
  const options = work.phase('partition', 0.4, 0.6)
  const name = bucketName(target.schema.columns)
  const bucketed = await reading(work, () => withBuckets(session, rows, column, { name, count: buckets }, options))
  const keyed = `SELECT * REPLACE (coalesce(${name}, ${NO_ACTOR}) AS ${name}) FROM (${bucketed})`
  await reading(work, () =>
    session.run(
      `COPY (${keyed}) TO ${quoteString(folder)} (FORMAT parquet, COMPRESSION uncompressed, PARTITION_BY (${name}))`,
      options,
    ),
  )
  const counts = await session.rows<{ folder: string; n: bigint }>(
    `SELECT parse_path(file_name)[-2] AS folder, sum(num_rows) AS n FROM parquet_file_metadata(${quoteString(`${folder}/*/*.parquet`)}) GROUP BY 1 ORDER BY 1`,
    work.run,
  )
  return counts.map(({ folder: part, n }) => {
    const bucket = Number(part.split('=')[1])
    const sql = `SELECT * FROM read_parquet(${quoteString(`${folder}/${part}/*.parquet`)}, hive_partitioning = false)`
    return { bucket: bucket === NO_ACTOR ? null : bucket, rows: Number(n), sql }
  })
}

async function writeBucket(
  work: Import,
  session: Session,
  target: Target,
  part: Part,
  bytes: number,
): Promise<DataFile[]> {
  const { settings } = work.context
  const actor = quoteIdentifier(target.keys.actor!)
  const order = `ORDER BY ${actor}, ${quoteIdentifier(target.keys.time!)}`
  const cuts =
    part.bucket === null ? [] : await cutPoints(session, part, actor, Math.ceil(bytes / settings.fileBytes), work.run)
  const type = printType(target.schema.columns.find(({ name }) => name === target.keys.actor)!.type)
  const bounds = [undefined, ...cuts, undefined].map((cut) => cut && `CAST(${quoteString(cut)} AS ${type})`)
  const files: DataFile[] = []
  for (let k = 0; k + 1 < bounds.length; k++) {
    const conditions = [bounds[k] && `${actor} >= ${bounds[k]}`, bounds[k + 1] && `${actor} < ${bounds[k + 1]}`].filter(
      Boolean,
    )
    const range = conditions.length === 0 ? part.sql : `SELECT * FROM (${part.sql}) WHERE ${conditions.join(' AND ')}`
    const write = {
      rows: `${range} ${order}`,
      path: newPath(target),
      specId: target.spec.id,
      partition: [part.bucket === null ? null : BigInt(part.bucket)],
      sorted: true,
    }
    files.push(...(await writeFiles(session, target.schema.columns, write, settings, work.run)))
  }
  return files
}

const CUT_SAMPLE_ROWS = 100_000

/** Actors, as text, at which a bucket is cut into `pieces` of about one size. */
async function cutPoints(
  session: Session,
  part: Part,
  actor: string,
  pieces: number,
  options: RunOptions,
): Promise<string[]> {
  if (pieces <= 1) return []
  const quantiles = Array.from({ length: pieces - 1 }, (_, k) => (k + 1) / pieces)
  const [row] = await session.rows<{ cuts: string[] }>(
    `SELECT CAST(list_sort(list_distinct(quantile_disc(a, [${quantiles.join(', ')}]))) AS VARCHAR[]) AS cuts
     FROM (SELECT ${actor} AS a FROM (${part.sql}) USING SAMPLE reservoir(${CUT_SAMPLE_ROWS} ROWS) REPEATABLE (1))`,
    options,
  )
  return row!.cuts
}
