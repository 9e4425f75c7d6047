import { mkdir } from 'node:fs/promises'
import type { ManagedTable, TableDraft } from '../catalog/catalog.ts'
import { newSchema } from '../catalog/iceberg/schema.ts'
import { newSpec } from '../catalog/iceberg/transforms.ts'
import { AlreadyImported, type LedgerEntries } from '../catalog/ledger.ts'
import type { DataFile, TableKeys } from '../catalog/types.ts'
import { quoteString } from '../common/data-type.ts'
import { Engine } from '../engine/engine.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { removeFolder } from '../storage/temporary.ts'
import { type ImportColumns, planColumns } from './columns.ts'
import { requireWhole } from './compressed.ts'
import { requireUnchanged, startHashing } from './hashes.ts'
import { chooseKeys } from './keys.ts'
import { removeWritten, type Target, writeTable } from './layout.ts'
import { readerSql } from './readers.ts'
import { RejectFile } from './rejects/file.ts'
import { withLine } from './rejects/line.ts'
import { siftSources } from './rejects/sift.ts'
import { rejectAll, stageChecked } from './rejects/stage.ts'
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
  rows: number
  /** Source files that were imported. */
  sources: number
  /** Source files that `once` left out. */
  skipped: string[]
  /** Rows that were left out, and written to `rejects`. */
  rejected: number
  /** Data files written, and their size. */
  files: number
  bytes: number
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
  if (options.once && options.replace) throw onceReplaces()
  const existing = await findTable(context, table, options.signal)
  let files: SourceFile[] = []
  try {
    files = await findSources(patterns, { ...options, spillPath, maxFiles: settings.importFiles })
    requireOneFormat(files)
    await using rejects = options.rejects === undefined ? undefined : await RejectFile.open(options.rejects, files)
    using hashing = startHashing(files, options.signal)
    await using engine = await Engine.open({ settings, spillPath })
    using session = await engine.session()
    const parts = { context, session, engine, table, options, files, rejects, hashes: hashing.done }
    const done = await publishing(rejects, () => runImport(newImport(parts), existing))
    return { table, ...done, ms: Math.round(performance.now() - started) }
  } catch (error) {
    throw wrapWriteError(options.rejects === undefined ? await withLine(error, files) : error, context.root)
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

/** What an import did, with its rejected rows in their place; there they are, too, when nobody knows whether it did it. */
async function publishing<T>(rejects: RejectFile | undefined, run: () => Promise<T>): Promise<T> {
  try {
    await rejects?.clear()
    const done = await run()
    await rejects?.publish()
    return done
  } catch (error) {
    if (isSkepError(error, 'STORE_UNAVAILABLE')) await rejects?.publish()
    throw error
  }
}

function onceReplaces(): SkepError {
  const message = 'once and replace cannot be combined: what is left out would be lost with the rows that are replaced'
  return new SkepError('ARGUMENT_INVALID', message, { argument: 'once' })
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
  sources: number
  skipped: string[]
  rejected: number
  files: number
  bytes: number
}

/**
 * Imports into the table as it is; once more from the start when another first import made it meanwhile (its columns and keys
 * then count), or when another import brought in a file that is to be there once.
 */
async function runImport(work: Import, existing: ManagedTable | undefined): Promise<Done> {
  const { context, table: name, options } = work
  let table = existing
  for (let attempt = 1; ; attempt++) {
    const files = await filesToImport(work, table)
    const skipped = work.files.filter((file) => !files.includes(file)).map(({ label }) => label)
    if (files.length === 0) return nothingDone(table, { skipped })
    const own = { ...work, files, context: { ...context, spillPath: `${context.spillPath}/${attempt}` } }
    const found = await readRows(own, table)
    if (found.count === 0 && found.rejected > 0) return nothingDone(table, { skipped, rejected: found.rejected })
    const done = await commitOnce(own, found, table)
    if (done) return { ...done, sources: files.length, skipped, rejected: found.rejected }
    table = await findTable(context, name, options.signal)
  }
}

/** The source files, or with `once` those of them that the table has not, each content once. */
async function filesToImport({ files, hashes, context, options, run }: Import, table?: ManagedTable) {
  if (!options.once) return files
  const byPath = await hashes
  const known = table ? await context.catalog.imported(table, [...byPath.values()], run) : []
  const seen = new Set(known)
  return files.filter(({ path }) => {
    const hash = byPath.get(path)!
    return !seen.has(hash) && seen.add(hash)
  })
}

function nothingDone(table: ManagedTable | undefined, told: { skipped: string[]; rejected?: number }): Done {
  const id = table?.snapshot.id
  const done = { created: false, rows: 0, sources: 0, files: 0, bytes: 0, rejected: 0, ...told }
  return id === undefined ? done : { snapshotId: id, ...done }
}

/** Rows to be imported, and for what columns and keys. */
interface Found {
  columns: ImportColumns
  keys: TableKeys
  /** SELECT of the stored columns. */
  rows: string
  count: number
  rejected: number
}

const NO_COLUMNS: ImportColumns = { reader: {}, stored: [], select: '' }

async function readRows(work: Import, table: ManagedTable | undefined): Promise<Found> {
  const { table: name, options, session, files, rejects } = work
  const types = options.types ?? {}
  if (rejects && files[0]!.format !== 'parquet') return await readSifted(work, rejects, table)
  const columns = await planColumns(session, files, types, table)
  const keys = chooseKeys(name, options, columns.stored, table)
  const rows = await stageRows(work, columns)
  return { columns, keys, rows, count: await countRows(work, rows), rejected: 0 }
}

/** The rows that parse; every other one is written to the rejects. */
async function readSifted(work: Import, rejects: RejectFile, table: ManagedTable | undefined): Promise<Found> {
  const { table: name, options, session } = work
  const sifted = await siftSources(work)
  if (sifted.sound === 0 && sifted.damaged > 0) {
    await rejectAll(work, sifted, rejects)
    return { columns: NO_COLUMNS, keys: {}, rows: '', count: 0, rejected: sifted.damaged }
  }
  const columns = await planColumns(session, sifted.copies, options.types ?? {}, table, sifted.names.number)
  const keys = chooseKeys(name, options, columns.stored, table)
  return { columns, keys, ...(await stageChecked(work, sifted, columns, rejects)) }
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

/** Writes the data files and commits them; undefined when the import has to start over. */
async function commitOnce(
  work: Import,
  { columns, keys, rows, count }: Found,
  table: ManagedTable | undefined,
): Promise<Omit<Done, 'sources' | 'skipped' | 'rejected'> | undefined> {
  const target = { ...(table ?? newTable(work, columns, keys, count)), prefix: crypto.randomUUID() }
  const files = await writeTable(work, target, rows, count).catch(async (error: unknown) => {
    await removeWritten(target, table === undefined)
    throw error
  })
  const done = { rows: count, files: files.length, bytes: files.reduce((sum, file) => sum + file.sizeBytes, 0) }
  try {
    work.options.onProgress?.({ phase: 'commit', fraction: 1, rows: count, bytes: done.bytes })
    const id = await commit(work, table ?? (target as TableDraft & Target), files)
    return { ...(id === undefined ? {} : { snapshotId: id }), ...done, created: table === undefined }
  } catch (error) {
    // With an unknown outcome the files may be part of the table.
    if (!isSkepError(error, 'STORE_UNAVAILABLE')) {
      await work.context.catalog.discard(files)
      if (!table) await removeWritten(target, true)
    }
    if (error instanceof AlreadyImported) return undefined
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
async function commit(work: Import, table: ManagedTable | TableDraft, files: DataFile[]): Promise<number | undefined> {
  const { catalog } = work.context
  const how = { ...work.run, ledger: await ledgerEntries(work) }
  if (!('snapshot' in table)) return (await catalog.create(table, files, how)).snapshotId
  if (work.options.replace) return (await catalog.replace(table, files, how)).snapshotId
  return files.length === 0 ? table.snapshot.id : (await catalog.append(table, files, how)).snapshotId
}

/** What the table is to remember of the sources. @throws FILE_CHANGED */
async function ledgerEntries({ files, hashes, options, context: { settings } }: Import): Promise<LedgerEntries> {
  const byPath = await hashes
  await requireUnchanged(files)
  const own = [...new Set(files.map(({ path }) => byPath.get(path)!))]
  return { hashes: own, once: options.once ?? false, limit: settings.ledgerFiles }
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
