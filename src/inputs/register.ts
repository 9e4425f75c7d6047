/** Registration of a folder of Parquet files as a read-only table. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { checkFolder } from '../catalog/folder/changes.ts'
import { tableOfRegistration } from '../catalog/folder/folder-table.ts'
import { inspectFolder } from '../catalog/folder/register.ts'
import type { FileDifference, Registration } from '../catalog/folder/registration.ts'
import { encodeRegistration } from '../catalog/folder/registration-json.ts'
import type { DataFile, Table, TimeUnit, Validation } from '../catalog/types.ts'
import { quoteIdentifier, quoteString } from '../common/data-type.ts'
import type { Settings } from '../config.ts'
import { Engine, type RunOptions, type Session } from '../engine/engine.ts'
import { scanSql } from '../engine/scan.ts'
import { SkepError } from '../errors.ts'
import { DiskStore } from '../storage/disk-store.ts'
import { checkUnit } from './keys.ts'
import type { InputContext } from './types.ts'

/** How a folder is registered. */
export interface RegisterOptions {
  actor: string
  time: string
  timeUnit?: TimeUnit
  /** Glob below the folder; `*.parquet` at any depth when absent. */
  pattern?: string
  /** How many files are checked for "an actor is in one file only"; `all` when absent. */
  validate?: Validation
  signal?: AbortSignal
  onProgress?: (fraction: number) => void
}

/** What a registration found. */
export interface RegisterResult {
  table: string
  files: number
  rows: number
  bytes: number
  /** Whether queries may rely on every actor being in one file. */
  actorsTogether: boolean
  /** Things that the user should know: scattered actors, differing schemas. */
  warnings: string[]
}

/** Registers a folder: reads every footer, checks the keys, and looks for actors that are in several files. */
export async function registerFolder(
  context: InputContext,
  table: string,
  path: string,
  options: RegisterOptions,
): Promise<RegisterResult> {
  const root = await findFolder(path)
  const { settings, spillPath } = context
  const { signal, onProgress } = options
  await context.catalog.requireFree(table, signal ? { signal } : {})
  const { actor, time, timeUnit } = options
  if (timeUnit !== undefined) checkUnit(table, timeUnit)
  const mode = checkedMode(options.validate ?? 'all')
  const found = await inspectFolder(new DiskStore(root), {
    table,
    keys: { actor, time, ...(timeUnit === undefined ? {} : { timeUnit }) },
    ...(options.pattern === undefined ? {} : { pattern: options.pattern }),
    maxFiles: settings.importFiles,
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress: (done: number, total: number) => onProgress((done / total) * 0.5) } : {}),
  })
  const folder = tableOfRegistration(table, found)
  await using engine = await Engine.open({ settings, spillPath })
  using session = await engine.session()
  await checkNulls(session, folder, found, signal ? { signal } : {})
  const checked = filesToCheck(folder.snapshot.files, mode)
  const scattered = await findScattered(session, folder, checked, signal ? { signal } : {})
  const actorsTogether = mode === 'all' && scattered === undefined
  const registration: Registration = {
    ...found,
    validation: { ...found.validation, mode, checkedFiles: checked.length, actorsTogether },
  }
  await context.catalog.register(table, encodeRegistration(registration), signal ? { signal } : {})
  const sum = (field: 'rows' | 'sizeBytes') => folder.snapshot.files.reduce((total, file) => total + file[field], 0)
  return {
    table,
    files: folder.snapshot.files.length,
    rows: sum('rows'),
    bytes: sum('sizeBytes'),
    actorsTogether,
    warnings: warningsOf(found, mode, scattered),
  }
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

const SAMPLED_FILES = 10

function filesToCheck(files: readonly DataFile[], mode: Validation): DataFile[] {
  const ends = [...new Set([files[0]!, files.at(-1)!])]
  switch (mode) {
    case 'all':
      return [...files]
    case 'single':
      return [files[0]!]
    case 'first_last':
      return ends
    case 'sample': {
      const step = Math.max(1, Math.ceil(files.length / SAMPLED_FILES))
      return [...new Set([...ends, ...files.filter((_, k) => k % step === 0)])]
    }
  }
}

interface Scattered {
  actor: string
  files: number
}

/** An actor that is in more than one of the files, if there is one. */
async function findScattered(
  session: Session,
  table: Table,
  files: readonly DataFile[],
  options: RunOptions,
): Promise<Scattered | undefined> {
  if (files.length < 2) return undefined
  const actor = quoteIdentifier(table.keys.actor!)
  const parts = files.map(
    (file, k) => `SELECT DISTINCT ${actor} AS a, ${k} AS file FROM (${scanSql(table, table.schema, [file])})`,
  )
  await session.run('CREATE OR REPLACE TEMP TABLE skep_seen (a VARCHAR, file INTEGER)', options)
  for (let k = 0; k < parts.length; k += FILES_AT_ONCE) {
    await session.run(`INSERT INTO skep_seen ${parts.slice(k, k + FILES_AT_ONCE).join(' UNION ALL ')}`, options)
  }
  const [row] = await session.rows<{ actor: string; files: bigint }>(
    'SELECT a AS actor, count(*) AS files FROM skep_seen WHERE a IS NOT NULL GROUP BY a HAVING count(*) > 1 ORDER BY a LIMIT 1',
    options,
  )
  return row && { actor: row.actor, files: Number(row.files) }
}

const FILES_AT_ONCE = 64

function warningsOf({ differences }: Registration, mode: Validation, scattered: Scattered | undefined): string[] {
  const warnings = differences.map(describeDifference)
  if (scattered) {
    warnings.push(
      `actors are in several files (${quoteString(scattered.actor)} is in ${scattered.files}); queries are right all the same, but cannot go file by file`,
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

/**
 * The registration as the folder is now. When files have come, gone or changed since, footers are read anew and nothing
 * that was found out about actors is relied upon.
 */
export async function currentRegistration(
  table: string,
  registration: Registration,
  settings: Settings,
  signal?: AbortSignal,
): Promise<Registration> {
  const store = new DiskStore(registration.root)
  const options = { maxFiles: settings.importFiles, ...(signal ? { signal } : {}) }
  const { added, removed, changed } = await checkFolder(store, registration, options)
  if (added.length + removed.length + changed.length === 0) return registration
  return await inspectFolder(store, { table, keys: registration.keys, pattern: registration.pattern, ...options })
}
