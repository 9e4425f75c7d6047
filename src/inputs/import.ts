import { mkdir } from 'node:fs/promises'
import type { Commit, ManagedTable, TableDraft, Writer } from '../catalog/catalog.ts'
import { evolveSchema } from '../catalog/iceberg/evolution.ts'
import { newSchema } from '../catalog/iceberg/schema.ts'
import { newSpec } from '../catalog/iceberg/transforms.ts'
import { tableNotFound } from '../catalog/names.ts'
import type { DataFile, Schema, TableKeys } from '../catalog/types.ts'
import { printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import { Engine } from '../engine/engine.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { removeFolder } from '../storage/temporary.ts'
import { type ImportColumns, planColumns } from './columns.ts'
import { requireWhole } from './compressed.ts'
import { settledType } from './fit.ts'
import { chooseKeys } from './keys.ts'
import { removeWritten, type Target, writeTable } from './layout.ts'
import { readerSql } from './readers.ts'
import { findSources, type SourceFile } from './sources.ts'
import type { InputContext } from './types.ts'
import { type Import, type ImportOptions, reading } from './work.ts'
import { wrapWriteError } from './write-errors.ts'

export type { FileFormat } from './sources.ts'
export type { ImportOptions, ImportProgress } from './work.ts'

/** What an import did. */
export interface ImportResult {
  table: string
  /** Absent when there was no row to commit. */
  snapshotId?: number
  /** True when the table was made by this import. */
  created: boolean
  /** True when an import of the same `commitId` had done this before: nothing was changed. */
  repeated?: true
  rows: number
  /** Source files. */
  sources: number
  /** Data files written, and their size. */
  files: number
  bytes: number
  /** Columns that the table got by this import, or wider types for; absent for none and for a new table. */
  addedColumns?: string[]
  widenedColumns?: { name: string; from: string; to: string }[]
  ms: number
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
    const done = await runImport(newImport({ context, session, engine, table, options, files }), existing)
    return { ...done, table, sources: files.length, ms: Math.round(performance.now() - started) }
  } catch (error) {
    throw wrapWriteError(error, context.root)
  } finally {
    await removeFolder(spillPath)
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

type Done = Omit<ImportResult, 'table' | 'sources' | 'ms'>

/**
 * Imports into the table as it is; once more from the start when another import made the table meanwhile, or its columns became
 * others than those that the files were written for: they, and its keys, then count.
 */
async function runImport(work: Import, existing: ManagedTable | undefined): Promise<Done> {
  const { context, table: name, options } = work
  let table = existing
  for (let attempt = 1; ; attempt++) {
    const own = { ...work, context: { ...context, spillPath: `${context.spillPath}/${attempt}` } }
    const planned = await planColumns(own.session, own.files, options.types ?? {}, table)
    const keys = chooseKeys(name, options, planned.stored, table)
    const { columns, rows } = await settleColumns(own, planned, await stageRows(own, planned))
    const done = await commitOnce(own, columns, keys, rows, await countRows(own, rows), table)
    if (done) return done
    const before = table
    table = before ? await context.catalog.loadManaged(name, own.run) : await findTable(context, name, options.signal)
    if (options.replace && before?.snapshot.id !== table?.snapshot.id) throw replacedMeanwhile(name)
    if (attempt > context.settings.commitRetries) throw changingAlways(name)
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

/** Parsed rows whose columns are as narrow as the table has them, where their values allow it. */
async function settleColumns(
  work: Import,
  columns: ImportColumns,
  rows: string,
): Promise<{ columns: ImportColumns; rows: string }> {
  const open = columns.stored.filter(({ orNarrower }) => orNarrower)
  if (open.length === 0) return { columns, rows }
  const ranges = open.map(
    ({ name }, k) => `min(${quoteIdentifier(name)}) AS l${k}, max(${quoteIdentifier(name)}) AS h${k}`,
  )
  const [row] = await work.session.rows<Record<string, bigint | null>>(`SELECT ${ranges.join(', ')} FROM (${rows})`)
  const types = new Map(
    open.map((column, k) => [column, settledType(column, { min: row![`l${k}`]!, max: row![`h${k}`]! })] as const),
  )
  const stored = columns.stored.map((column) => ({ name: column.name, type: types.get(column) ?? column.type }))
  const list = stored.map(
    ({ name, type }) => `CAST(${quoteIdentifier(name)} AS ${printType(type)}) AS ${quoteIdentifier(name)}`,
  )
  return { columns: { ...columns, stored }, rows: `SELECT ${list.join(', ')} FROM (${rows})` }
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

/** Writes the data files and commits them; undefined when another import made the table meanwhile, or its columns changed. */
async function commitOnce(
  work: Import,
  columns: ImportColumns,
  keys: TableKeys,
  rows: string,
  count: number,
  table: ManagedTable | undefined,
): Promise<Done | undefined> {
  const schema = table && evolveSchema(table, columns.stored)
  const place = { ...(table ?? newTable(work, columns, keys, count)), ...(schema && { schema }) }
  const writer = await work.context.catalog.openWriter(place, work.run)
  let keep = false
  try {
    return await writeOnce(work, { ...place, prefix: writer.id }, { writer, rows, count, schema }, table)
  } catch (error) {
    keep = isSkepError(error, 'STORE_UNAVAILABLE')
    throw error
  } finally {
    await writer.end({ keep })
  }
}

interface Writing {
  writer: Writer
  /** SELECT of the stored columns, and how many rows it has. */
  rows: string
  count: number
  /** What the table's schema becomes. */
  schema: Schema | undefined
}

async function writeOnce(
  work: Import,
  target: Target & (ManagedTable | TableDraft),
  { writer, rows, count, schema }: Writing,
  table: ManagedTable | undefined,
): Promise<Done | undefined> {
  const files = await writeTable(work, target, rows, count).catch(async (error: unknown) => {
    await removeWritten(target, table === undefined)
    throw await unlessDropped(work, table, error)
  })
  const done = { rows: count, files: files.length, bytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) }
  try {
    work.options.onProgress?.({ phase: 'commit', fraction: 1, rows: count, bytes: done.bytes })
    const { snapshotId, repeated } = await commit(work, table ?? target, files, { writer, schema })
    if (repeated) await work.context.catalog.discard(files)
    const made = { ...(snapshotId === undefined ? {} : { snapshotId }), created: table === undefined }
    if (repeated) return { ...made, repeated, rows: 0, files: 0, bytes: 0 }
    const changes = table && schema && snapshotId !== table.snapshot.id ? changesOf(table.schema, schema) : {}
    return { ...made, ...done, ...changes }
  } catch (error) {
    // With an unknown outcome the files may be part of the table.
    if (!isSkepError(error, 'STORE_UNAVAILABLE')) await work.context.catalog.discard(files)
    if (table && isSkepError(error, 'COMMIT_CONFLICT') && error.details.changed === 'schema') return undefined
    if (table || !isSkepError(error, 'TABLE_EXISTS')) throw error
    return undefined
  }
}

function changesOf(before: Schema, after: Schema): Pick<ImportResult, 'addedColumns' | 'widenedColumns'> {
  const added = after.columns.slice(before.columns.length).map(({ name }) => name)
  const widened = before.columns.flatMap(({ name, type }, k) => {
    const [from, to] = [printType(type), printType(after.columns[k]!.type)]
    return from === to ? [] : [{ name, from, to }]
  })
  return {
    ...(added.length > 0 && { addedColumns: added }),
    ...(widened.length > 0 && { widenedColumns: widened }),
  }
}

/** The error of a write that failed; when the table was dropped meanwhile, and what was written with it, the one that says so. */
async function unlessDropped(
  { context: { catalog }, table: name }: Import,
  table: ManagedTable | undefined,
  error: unknown,
): Promise<unknown> {
  if (table === undefined || isSkepError(error, 'CANCELLED')) return error
  const entry = await catalog.entry(name).catch((found: unknown) => found)
  if (isSkepError(entry)) return entry.code === 'TABLE_NOT_FOUND' ? entry : error
  const { kind, uuid } = entry as { kind: string; uuid?: string }
  return kind === 'managed' && uuid === table.uuid ? error : tableNotFound(name, [])
}

function replacedMeanwhile(table: string): SkepError {
  const message = `the table "${table}" was changed meanwhile: what was to be replaced is not its current state`
  return new SkepError('COMMIT_CONFLICT', message, { table })
}

function changingAlways(table: string): SkepError {
  const message = `the table "${table}" was changed meanwhile: its columns became others each time before the rows were written`
  return new SkepError('COMMIT_CONFLICT', message, { table, changed: 'schema' })
}

/** Makes files part of a table. An append of nothing changes nothing. */
async function commit(
  { context: { catalog }, options: { replace, commitId }, run }: Import,
  table: ManagedTable | TableDraft,
  files: DataFile[],
  { writer, schema }: Pick<Writing, 'writer' | 'schema'>,
): Promise<Pick<Commit, 'snapshotId' | 'repeated'>> {
  const options = { ...run, writer, ...(commitId !== undefined && { commitId }) }
  if (!('snapshot' in table)) return await catalog.create(table, files, options)
  const evolving = { ...options, ...(schema && schema !== table.schema && { schema }) }
  return replace ? await catalog.replace(table, files, evolving) : await catalog.append(table, files, evolving)
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
