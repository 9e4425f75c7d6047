/** Registration of a folder of Parquet files as a read-only table. */
import { mkdir, stat } from 'node:fs/promises'
import { dirname, relative, resolve } from 'node:path'
import { tableOfRegistration } from '../catalog/folder/folder-table.ts'
import { DEFAULT_PATTERN } from '../catalog/folder/pattern.ts'
import { folderChanged, inspectFolder } from '../catalog/folder/register.ts'
import {
  areActorsTogether,
  type FileDifference,
  type RegisteredFile,
  type Registration,
  type ScatteredActor,
} from '../catalog/folder/registration.ts'
import { decodeRegistration, encodeRegistration } from '../catalog/folder/registration-json.ts'
import type { DataFile, Table, TableKeys, TimeUnit, Validation } from '../catalog/types.ts'
import { quoteIdentifier, quoteString } from '../common/data-type.ts'
import { compareUtf8 } from '../common/text.ts'
import { SETTINGS } from '../config.ts'
import type { TaskProgress } from '../coordinator/run-figures.ts'
import { Engine, type RunOptions, type Session } from '../engine/engine.ts'
import { scanSql } from '../engine/scan.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { DiskStore } from '../storage/disk-store.ts'
import { firstChanged } from '../storage/file-tree.ts'
import { checkUnit } from './keys.ts'
import { findScattered, spread } from './scattered.ts'
import type { InputContext } from './types.ts'
import { wrapWriteError } from './write-errors.ts'

/** How a folder is registered. */
export interface RegisterOptions {
  actor: string
  time: string
  timeUnit?: TimeUnit
  /** Glob below the folder; `*.parquet` at any depth when absent. */
  pattern?: string
  /** How many files are checked for "an actor is in one file only"; `all` when absent. */
  validate?: Validation
  /** True to bring a table of the same folder, pattern and keys up to date, examining what is new or changed; it is registered when there is none. */
  refresh?: boolean
  /** True to put this folder in the place of whatever folder is registered under the name. */
  replace?: boolean
  signal?: AbortSignal
  /** Told the part of the work done; and once it is known how many files are compared with each other, these as tasks. */
  onProgress?: (fraction: number, tasks?: TaskProgress) => void
}

/** What a registration found. */
export interface RegisterResult {
  table: string
  files: number
  rows: number
  bytes: number
  /** How many files were to be checked for actors that are in several. */
  validate: Validation
  /** Files whose actors were compared with each other, now or before. */
  checkedFiles: number
  /** Whether queries may rely on every actor being in one file. */
  actorsTogether: boolean
  /** An actor that is in several files, and two of them. */
  scattered?: ScatteredActor
  /** Things that the user should know: scattered actors, differing schemas. */
  warnings: string[]
}

const THREAD_BYTES = SETTINGS.checkThreadBytes.default

/** Registers a folder: reads footers, checks the keys, and looks for actors that are in several files. */
export async function registerFolder(
  context: InputContext,
  table: string,
  path: string,
  options: RegisterOptions,
): Promise<RegisterResult> {
  const root = await findFolder(path)
  const { settings, spillPath } = context
  const { signal, onProgress, actor, time, timeUnit, pattern = DEFAULT_PATTERN } = options
  const running = signal ? { signal } : {}
  if (timeUnit !== undefined) checkUnit(table, timeUnit)
  const keys = { actor, time, ...(timeUnit === undefined ? {} : { timeUnit }) }
  const known = await knownRegistration(context, table, { root, pattern, keys }, options)
  const mode = checkedMode(options.validate ?? 'all')
  const found = await inspectFolder(new DiskStore(root), {
    table,
    keys,
    pattern,
    maxFiles: settings.importFiles,
    ...(known ? { known } : {}),
    ...running,
    ...(onProgress ? { onProgress: (done: number, total: number) => onProgress((done / total) * 0.5) } : {}),
  })
  const folder = tableOfRegistration(table, found)
  if (found === known && isSettled(known, mode)) return resultOf(table, folder.snapshot.files, known)
  const memoryBytes = Math.max(THREAD_BYTES, settings.memoryBytes - SETTINGS.processBytes.default)
  const threads = Math.min(settings.threads, Math.max(1, Math.floor(memoryBytes / THREAD_BYTES)))
  // DuckDB makes one folder, and not those above it.
  await makeFolder(dirname(spillPath))
  await using engine = await Engine.open({ settings: { ...settings, memoryBytes, threads }, spillPath })
  using session = await engine.session()
  await session.run('SET preserve_insertion_order = false')
  await checkNulls(session, folder, found, running)
  const registration = await validated(session, folder, found, mode, { ...running, ...(onProgress && { onProgress }) })
  const changed = await firstChanged(root, found.files, running)
  if (changed !== undefined) throw folderChanged(table, changed)
  const isSame = (other: object) => describesSame(decodeRegistration(other, table), { root, pattern, keys: found.keys })
  const mayReplace = options.replace ? () => true : isSame
  const replacing = options.refresh || options.replace ? { mayReplace } : {}
  await context.catalog.register(table, encodeRegistration(registration), { ...running, ...replacing })
  return resultOf(table, folder.snapshot.files, registration)
}

function resultOf(table: string, files: readonly DataFile[], registration: Registration): RegisterResult {
  const { mode = 'all', checkedFiles, scattered } = registration.validation
  const sum = (field: 'rows' | 'sizeBytes') => files.reduce((total, file) => total + file[field], 0)
  return {
    table,
    files: files.length,
    rows: sum('rows'),
    bytes: sum('sizeBytes'),
    validate: mode,
    checkedFiles,
    actorsTogether: areActorsTogether(registration),
    ...(scattered ? { scattered } : {}),
    warnings: warningsOf(registration),
  }
}

/** True when there is nothing left to find out. */
function isSettled(known: Registration, mode: Validation): boolean {
  return known.validation.mode === mode && (areActorsTogether(known) || known.validation.scattered !== undefined)
}

type FolderTerms = Pick<Registration, 'root' | 'pattern' | 'keys'>

function describesSame(one: FolderTerms, other: FolderTerms): boolean {
  const sameKeys = (['actor', 'time', 'timeUnit'] as const).every(
    (key) => one.keys[key]?.toLowerCase() === other.keys[key]?.toLowerCase(),
  )
  return one.root === other.root && one.pattern === other.pattern && sameKeys
}

/** What is registered under the name already, when that may be refreshed. @throws TABLE_EXISTS */
async function knownRegistration(
  { catalog }: InputContext,
  table: string,
  terms: { root: string; pattern: string; keys: TableKeys },
  { refresh, replace, signal }: RegisterOptions,
): Promise<Registration | undefined> {
  const running = signal ? { signal } : {}
  if (!refresh && !replace) {
    await catalog.requireFree(table, running)
    return undefined
  }
  const entry = await catalog.entry(table, running).catch((error: unknown) => {
    if (isSkepError(error, 'TABLE_NOT_FOUND')) return undefined
    throw error
  })
  if (!entry || (replace && entry.kind === 'registered')) return undefined
  const known = entry.kind === 'registered' ? decodeRegistration(entry.registration, entry.name) : undefined
  if (known && describesSame(known, terms)) return known
  const message = known
    ? `"${entry.name}" is registered with another folder, pattern or keys; unregister it first`
    : `there is a table "${entry.name}" already`
  throw new SkepError('TABLE_EXISTS', message, { table: entry.name })
}

/**
 * The registration with what is found out about its actors. In the mode `all` files that were compared before and are as they
 * were then are only compared with new ones; and an actor that was found in two files is proof enough while these stay.
 */
async function validated(
  session: Session,
  table: Table,
  found: Registration,
  mode: Validation,
  { onProgress, ...options }: Pick<RegisterOptions, 'signal' | 'onProgress'>,
): Promise<Registration> {
  const files = table.snapshot.files
  const chosen = filesToCheck(files, mode)
  onProgress?.(0.5, { tasks: chosen.length, queued: 0, running: chosen.length, done: 0, rows: 0, bytes: 0 })
  const { scattered: before, ...rest } = found.validation
  const apart = files.filter((_, k) => mode === 'all' && found.files[k]!.apart)
  const known = new Set(apart)
  const fresh = chosen.filter((file) => !known.has(file))
  const scattered = before ?? relativeTo(found.root, await findScattered(session, { table, fresh, apart }, options))
  const areApart = mode === 'all' && !scattered
  return {
    ...found,
    files: areApart ? found.files.map((file): RegisteredFile => ({ ...file, apart: true })) : found.files,
    validation: { ...rest, mode, checkedFiles: chosen.length, ...(scattered ? { scattered } : {}) },
  }
}

function relativeTo(root: string, scattered: ScatteredActor | undefined): ScatteredActor | undefined {
  return scattered && { ...scattered, files: scattered.files.map((path) => relative(root, path)).sort(compareUtf8) }
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((error: unknown) => {
    throw wrapWriteError(error, path)
  })
}

async function findFolder(path: string): Promise<string> {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) {
    throw new SkepError('ARGUMENT_INVALID', `${path}: only folders on disk can be registered`, { argument: 'PATH' })
  }
  const root = resolve(path)
  const info = await stat(root).catch((cause: unknown) => {
    throw new SkepError('FILE_NOT_FOUND', `there is no folder ${path}`, { file: path }, { cause })
  })
  if (!info.isDirectory()) {
    throw new SkepError(
      'FILE_INVALID',
      `${path} is a file; register the folder that it is in, with --pattern for its name`,
      { file: path },
    )
  }
  return root
}

/** Nulls in key columns where the footers do not count them. @throws KEY_INVALID */
async function checkNulls(
  session: Session,
  table: Table,
  { validation }: Registration,
  options: RunOptions,
): Promise<void> {
  for (const key of validation.needsNullCheck) {
    const column = table.keys[key]!
    const scan = scanSql(table, table.schema, table.snapshot.files)
    const found = await session.run(`SELECT 1 FROM (${scan}) WHERE ${quoteIdentifier(column)} IS NULL LIMIT 1`, options)
    if (found.rowCount === 0) continue
    throw new SkepError('KEY_INVALID', `the ${key} column "${column}" has nulls; a registered table may have none`, {
      table: table.name,
      key,
    })
  }
}

const MODES: readonly string[] = ['single', 'first_last', 'sample', 'all'] satisfies Validation[]

function checkedMode(mode: Validation): Validation {
  if (MODES.includes(mode)) return mode
  const message = `validate: "${mode}" is none of ${MODES.join(', ')}`
  throw new SkepError('ARGUMENT_INVALID', message, { argument: 'validate' })
}

/** Files whose actors are compared: one (with nothing), the ends, some evenly spread from end to end, or all. */
function filesToCheck(files: readonly DataFile[], mode: Validation): DataFile[] {
  if (mode === 'all') return [...files]
  if (mode === 'single') return files.slice(0, 1)
  return spread(files, mode === 'first_last' ? 2 : SETTINGS.sampledFiles.default)
}

function warningsOf(registration: Registration): string[] {
  const { differences, validation } = registration
  const { mode, scattered } = validation
  const warnings = differences.map(describeDifference)
  if (scattered) {
    const [one, other] = scattered.files
    warnings.push(
      `actors are in several files (${quoteString(scattered.actor)} is in ${one} and in ${other}); queries are right all the same, but cannot go file by file`,
    )
  } else if (mode !== 'all') {
    warnings.push(
      `not every file was checked for scattered actors (--validate ${mode}); queries are right all the same, but cannot go file by file`,
    )
  }
  return warnings
}

function describeDifference({ column, found, expected, files, count }: FileDifference): string {
  const where = `${files.slice(0, 3).join(', ')}${count > 3 ? ` and ${count - 3} more` : ''}`
  return found === undefined
    ? `column "${column}" is missing from ${where}, and reads as null there`
    : `column "${column}" is ${found} in ${where}, and reads as ${expected}`
}
