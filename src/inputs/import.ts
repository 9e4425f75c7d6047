import type { Commit, ManagedTable, TableDraft, Writer } from '../catalog/catalog.ts'
import { evolveSchema } from '../catalog/iceberg/evolution.ts'
import { newSchema } from '../catalog/iceberg/schema.ts'
import { newSpec } from '../catalog/iceberg/transforms.ts'
import { AlreadyImported, type LedgerEntries } from '../catalog/ledger.ts'
import { tableNotFound } from '../catalog/names.ts'
import type { DataFile, Schema } from '../catalog/types.ts'
import { printType } from '../common/data-type.ts'
import { Engine } from '../engine/engine.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { removeFolder } from '../storage/temporary.ts'
import { requireUnchanged, startHashing } from './hashes.ts'
import { removeWritten, type Target, writeTable } from './layout.ts'
import { RejectFile } from './rejects/file.ts'
import { withLine } from './rejects/line.ts'
import { type Found, readRows } from './rows.ts'
import { findSources, type SourceFile } from './sources.ts'
import type { InputContext } from './types.ts'
import type { Import, ImportOptions } from './work.ts'
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
  /** Source files that were imported. */
  sources: number
  /** Source files that `once` left out. */
  skipped: string[]
  /** Rows that were left out, and written to `rejects`. */
  rejected: number
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
  // The engine may estimate anew how much there is to do, and would go back.
  let done = 0
  const tell = (name: Parameters<Import['phase']>[0], fraction: number) => {
    done = Math.max(done, fraction)
    onProgress?.({ phase: name, fraction: done, bytes })
  }
  const phase: Import['phase'] = (name, from, to) => ({
    ...run,
    ...(onProgress && { onProgress: (fraction: number) => tell(name, from + (to - from) * fraction) }),
  })
  return { ...parts, run, phase }
}

type Done = Omit<ImportResult, 'table' | 'ms'>

/** Why an import starts over: the table became another meanwhile, or has a source file by now that it is to have once. */
type Again = 'changed' | 'imported'

/**
 * Imports into the table as it is; once more from the start when another import made it meanwhile, when its columns became others
 * than those that the files were written for (they, and its keys, then count), or when another import brought in a file that is to
 * be there once.
 */
async function runImport(work: Import, existing: ManagedTable | undefined): Promise<Done> {
  const { context, table: name, options } = work
  let table = existing
  let changes = 0
  for (let attempt = 1; ; attempt++) {
    await work.rejects?.clear()
    const files = await filesToImport(work, table)
    const skipped = work.files.filter((file) => !files.includes(file)).map(({ label }) => label)
    if (files.length === 0) return nothingDone(table, { skipped })
    const own = { ...work, files, context: { ...context, spillPath: `${context.spillPath}/${attempt}` } }
    const found = await readRows(own, table)
    const { rejected } = found
    if (found.count === 0 && rejected > 0) return nothingDone(table, { skipped, rejected })
    const done = await commitOnce(own, found, table)
    if (typeof done === 'object') return { ...done, sources: files.length, skipped, rejected }
    const before = table
    table = before ? await context.catalog.loadManaged(name, own.run) : await findTable(context, name, options.signal)
    if (options.replace && before?.snapshot.id !== table?.snapshot.id) throw replacedMeanwhile(name)
    // Every time that files are left out fewer remain.
    if (done === 'changed' && ++changes > context.settings.commitRetries) throw changingAlways(name)
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

/** Writes the data files and commits them; tells why when the import has to start over. */
async function commitOnce(work: Import, found: Found, table: ManagedTable | undefined): Promise<Written | Again> {
  const schema = table && evolveSchema(table, found.columns)
  const place = { ...(table ?? newTable(work, found)), ...(schema && { schema }) }
  const writer = await work.context.catalog.openWriter(place, work.run)
  let keep = false
  try {
    return await writeOnce(work, { ...place, prefix: writer.id }, { ...found, writer, schema }, table)
  } catch (error) {
    keep = isSkepError(error, 'STORE_UNAVAILABLE')
    throw error
  } finally {
    await writer.end({ keep })
  }
}

type Written = Omit<Done, 'sources' | 'skipped' | 'rejected'>

interface Writing extends Found {
  writer: Writer
  /** What the table's schema becomes. */
  schema: Schema | undefined
}

async function writeOnce(
  work: Import,
  target: Target & (ManagedTable | TableDraft),
  { writer, rows, count, schema }: Writing,
  table: ManagedTable | undefined,
): Promise<Written | Again> {
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
    if (!isSkepError(error, 'STORE_UNAVAILABLE')) {
      await work.context.catalog.discard(files)
      if (!table) await removeWritten(target, true)
    }
    const again = whyAgain(error, table)
    if (again === undefined) throw error
    return again
  }
}

function whyAgain(error: unknown, table: ManagedTable | undefined): Again | undefined {
  if (error instanceof AlreadyImported) return 'imported'
  if (!table) return isSkepError(error, 'TABLE_EXISTS') ? 'changed' : undefined
  return isSkepError(error, 'COMMIT_CONFLICT') && error.details.changed === 'schema' ? 'changed' : undefined
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
  work: Import,
  table: ManagedTable | TableDraft,
  files: DataFile[],
  { writer, schema }: Pick<Writing, 'writer' | 'schema'>,
): Promise<Pick<Commit, 'snapshotId' | 'repeated'>> {
  const { catalog } = work.context
  const { replace, commitId } = work.options
  const ledger = await ledgerEntries(work)
  const options = { ...work.run, writer, ledger, ...(commitId !== undefined && { commitId }) }
  if (!('snapshot' in table)) return await catalog.create(table, files, options)
  const evolving = { ...options, ...(schema && schema !== table.schema && { schema }) }
  return replace ? await catalog.replace(table, files, evolving) : await catalog.append(table, files, evolving)
}

/** What the table is to remember of the sources. @throws FILE_CHANGED */
async function ledgerEntries({ files, hashes, options, context: { settings } }: Import): Promise<LedgerEntries> {
  const byPath = await hashes
  await requireUnchanged(files)
  const own = [...new Set(files.map(({ path }) => byPath.get(path)!))]
  return { hashes: own, once: options.once ?? false, limit: settings.ledgerFiles }
}

function newTable({ context, table, options }: Import, { columns, keys, count }: Found): TableDraft {
  const schema = newSchema(columns)
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
