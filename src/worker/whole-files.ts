/** What stands between a damaged data file and a wrong answer: files are checked before they are read, and named when reading them fails. */
import type { DataFile, Table } from '../catalog/types.ts'
import { printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import { SETTINGS } from '../config.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { scanSql } from '../engine/scan.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CheckDepth, FileChecker } from '../storage/sealed-file.ts'

/** A file of a table that is not as it was written. */
export interface DamagedFile {
  file: string
  /** What is wrong with it, as the rest of a sentence. */
  problem: string
}

/**
 * Passes when these files of a table are there, as long as their manifest says, and as they were written. Costs a look at each, and
 * the reading of those that were written to or copied since the last look. Files of attached tables have to be there, as long as their
 * log or manifest says; those of registered tables have nothing to be held against.
 *
 * @throws FILE_INVALID naming the first file that is not
 */
export async function requireWhole(
  checker: FileChecker,
  table: Table,
  files: readonly DataFile[],
  { signal }: RunOptions,
): Promise<void> {
  if (table.kind === 'attached') requirePresent(files)
  if (table.kind !== 'managed') return
  const [damaged] = await damagedFiles(checker, files, 'time', signal)
  if (damaged) throw damagedFile(damaged)
}

function requirePresent(files: readonly DataFile[]): void {
  for (const { path, foreign } of files) {
    if (foreign?.problem === undefined) continue
    const message = `${path} cannot be read: ${foreign.problem}; ask for another state of the table, or have its writer repair it`
    throw new SkepError('FILE_INVALID', message, { file: path })
  }
}

/** The files that are not as they were written, in their order. */
export async function damagedFiles(
  checker: FileChecker,
  files: readonly Pick<DataFile, 'path' | 'sizeBytes'>[],
  depth: CheckDepth,
  signal?: AbortSignal,
): Promise<DamagedFile[]> {
  const onDisk = files.filter(({ path }) => path.startsWith('/'))
  const problems = await mapConcurrent(onDisk, SETTINGS.fileChecks.default, (file) =>
    checker.problem(file, depth, signal),
  )
  return problems.flatMap((problem, k) => (problem === undefined ? [] : [{ file: onDisk[k]!.path, problem }]))
}

/** The error for a data file that is not as it was written. */
export function damagedFile({ file, problem }: DamagedFile): SkepError<'FILE_INVALID'> {
  const advice = 'restore it from a copy, ask for an earlier state, or drop the table and import it again'
  return new SkepError('FILE_INVALID', `${file} is damaged: ${problem}; ${advice}`, { file })
}

/**
 * The error of a query, with the file that it comes from where the engine did not name it: then the files of the query's
 * tables are read one by one, and asked for single values after that, until one fails. When none does, the error of a damaged
 * file names the folder, and any other comes back as it is.
 */
export async function namingFile(
  error: SkepError,
  session: Session,
  tables: readonly Table[],
  options: RunOptions,
): Promise<SkepError> {
  for (const read of [readAll, readSingleValues]) {
    for (const table of tables) {
      for (const file of table.snapshot.files) {
        const problem = await problemOf(() => read(session, table, file, options))
        if (problem === 'ended') return error
        if (problem !== undefined) return unreadable(table, file.path, problem)
      }
    }
  }
  const first = tables[0]
  return first && isSkepError(error, 'FILE_INVALID')
    ? unreadable(first, first.location, firstLine(causeOf(error)))
    : error
}

/** True for an error that may be that of a file which it does not name. */
export function mayComeFromFile(error: unknown): error is SkepError {
  if (isSkepError(error, 'FILE_INVALID')) return error.details.file === ''
  if (isSkepError(error, 'MEMORY_LIMIT')) return /failed to allocate data of size/.test(causeOf(error))
  return isSkepError(error, 'INTERNAL')
}

function causeOf(error: SkepError): string {
  return error.cause instanceof Error ? error.cause.message : ''
}

/** Reads every value of a file. */
async function readAll(session: Session, table: Table, file: DataFile, options: RunOptions): Promise<void> {
  const rows = scanSql(table, table.snapshot.schema, [file])
  await session.run(`SELECT max(hash(r)) FROM (${rows}) AS r`, options)
}

/** Asks a file for one value of each column: only then the engine reads its bloom filters. */
async function readSingleValues(session: Session, table: Table, file: DataFile, options: RunOptions): Promise<void> {
  const { schema } = table.snapshot
  const rows = scanSql(table, schema, [file])
  for (const { name, type } of schema.columns) {
    if (type.kind !== 'primitive' && type.kind !== 'decimal') continue
    const column = quoteIdentifier(name)
    const [found] = await session.rows<{ v: string | null }>(
      `SELECT CAST(max(${column}) AS VARCHAR) AS v FROM (${rows})`,
      options,
    )
    if (typeof found?.v !== 'string') continue
    const value = `TRY_CAST(${quoteString(found.v)} AS ${printType(type)})`
    await session.run(`SELECT count(*) FROM (${rows}) WHERE ${column} = ${value}`, options)
  }
}

const ENDINGS = ['CANCELLED', 'QUERY_TIMEOUT', 'ENGINE_LOST'] as const

/** Why a file cannot be read; undefined when it can, `ended` when nobody wants to know any more, or nobody can tell. */
async function problemOf(read: () => Promise<void>): Promise<string | undefined> {
  try {
    await read()
    return undefined
  } catch (error) {
    if (ENDINGS.some((code) => isSkepError(error, code))) return 'ended'
    return error instanceof SkepError ? firstLine(causeOf(error) || error.message) : 'it cannot be read'
  }
}

function firstLine(message: string): string {
  return message
    .split('\n')[0]!
    .replace(/^\w+( \w+)? Error: /, '')
    .slice(0, 200)
}

function unreadable({ kind }: Table, path: string, problem: string): SkepError<'FILE_INVALID'> {
  if (kind === 'managed') return damagedFile({ file: path, problem })
  const advice = kind === 'attached' ? 'restore it from a copy' : 'restore it, or take it out of the folder'
  return new SkepError('FILE_INVALID', `${path} is damaged: ${problem}; ${advice}`, { file: path })
}
