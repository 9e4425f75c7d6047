/** A document of steps as one query: the rows of a step are a relation, whatever files and tasks they come from. */
import type { DataFile, Table } from '../catalog/types.ts'
import { quoteIdentifier } from '../common/data-type.ts'
import { asciiLower } from '../common/text.ts'
import { SETTINGS, type Settings } from '../config.ts'
import { parseSql } from '../engine/binder.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import type { EngineKeeper } from '../engine/keeper.ts'
import { scanSql } from '../engine/scan.ts'
import { SessionBinder, sameTrees } from '../engine/split-binder.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { type BuzzDocument, type BuzzStep, checkReads, readDocument } from '../planner/buzz.ts'
import { entriesOf } from '../sql/relations.ts'
import { commonTableNames, composeTree, withTables } from '../sql/steps.ts'
import type { TreeNode } from '../sql/tree.ts'
import type { CacheUse } from '../storage/cache-use.ts'
import type { FileChecker } from '../storage/sealed-file.ts'
import type { SqlOptions } from './calls.ts'
import type { DocumentCatalogs } from './document-catalogs.ts'
import { filterFiles } from './partition-filter.ts'
import { QueryWork } from './query-work.ts'
import { runningOf } from './run-plan.ts'
import { readSql } from './sql.ts'

/** How tables are loaded: until when, and who is told what of them was remembered. */
interface Loading {
  signal: AbortSignal
  cacheUse: CacheUse
}

/** What composing documents needs of a warehouse. */
export interface DocumentParts {
  settings: Settings
  engines: EngineKeeper
  checker: FileChecker
  /** The tables of these names of the warehouse, by lower-case name. */
  loadTables(names: readonly string[], at: undefined, options: Loading): Promise<Map<string, Table>>
  catalogs: DocumentCatalogs
}

/** A query over tables that were loaded for it. */
export interface ComposedQuery {
  text: string
  /** By the lower-case names that the text has for them. */
  tables: ReadonlyMap<string, Table>
  /** The number of files that are not in these tables any more because a filter left them out, by the same names. */
  dropped: ReadonlyMap<string, number>
  /** Greatest number of parts that groups are cut into. */
  partsMax: number
  /** Of the work on it since the call. */
  record: QueryWork
}

interface ParsedStep extends BuzzStep {
  tree: TreeNode
  /** The tables that it reads, steps among them, in lower case. */
  reads: ReadonlySet<string>
}

/** Makes queries of documents. */
export class DocumentComposer {
  readonly #parts: DocumentParts

  constructor(parts: DocumentParts) {
    this.#parts = parts
  }

  /**
   * The one query that a document stands for.
   *
   * @throws DOCUMENT_INVALID, and what is wrong with the SQL of a step, or with a table, under its own code; each names the step
   * @throws ARGUMENT_INVALID for options that are of SQL alone
   */
  async compose(value: BuzzDocument, options: SqlOptions): Promise<ComposedQuery> {
    const record = new QueryWork()
    const { settings, engines } = this.#parts
    const unfit = (['params', 'at'] as const).find((name) => options[name] !== undefined)
    if (unfit) throw new SkepError('ARGUMENT_INVALID', `${unfit}: a document takes none`, { argument: unfit })
    const document = readDocument(value, SETTINGS.partsMax.default)
    const { signal, timeoutMs } = runningOf(settings, options)
    const lease = await engines.lease()
    let clean = false
    try {
      const context = { session: lease.session, options: { signal, timeoutMs } }
      const composed = await composeQuery({ ...this.#parts, ...context }, document, {
        signal,
        cacheUse: record.cacheUse,
      })
      clean = true
      return { ...composed, partsMax: document.capacity.zones, record }
    } finally {
      lease.close(clean ? 'reusable' : undefined)
    }
  }
}

async function composeQuery(
  parts: DocumentParts & { session: Session; options: RunOptions },
  document: BuzzDocument,
  loading: Loading,
): Promise<Pick<ComposedQuery, 'text' | 'tables' | 'dropped'>> {
  const { session, options } = parts
  await session.run('BEGIN TRANSACTION', options)
  const steps = await parseSteps(parts, document)
  const tables = await loadAll(parts, document, steps, loading)
  await describeSteps(session, steps, tables, options)
  const { steps: changed, ...chosen } = await chooseFiles(parts, steps, tables)
  return { ...chosen, text: await composedText(session, neededSteps(changed), options) }
}

/** What a step throws, with the name of the step. */
async function inStep<T>({ name }: { name: string }, what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isSkepError(error) || error.kind === 'internal' || error.kind === 'cancelled') throw error
    const details = { ...error.details, step: name } as typeof error.details
    throw new SkepError(error.code, `step "${name}"${what}: ${error.message}`, details, { cause: error })
  }
}

async function parseSteps(
  context: Pick<DocumentParts, 'settings' | 'checker'> & { session: Session; options: RunOptions },
  document: BuzzDocument,
): Promise<ParsedStep[]> {
  const parsed: { step: ParsedStep; tables: string[] }[] = []
  for (const step of document.steps) {
    const { analysis, tree } = await inStep(step, '', () => readSql(context, step.sql))
    const tables = analysis.uses.map(({ table }) => table)
    parsed.push({ step: { ...step, tree, reads: new Set(tables.map(asciiLower)) }, tables })
  }
  checkReads(
    document,
    parsed.map(({ step, tables }) => ({ tables, commonTables: commonTableNames(step.tree) })),
  )
  return parsed.map(({ step }) => step)
}

/** The tables that steps read, by lower-case name: those of the document's catalogs hide those of the warehouse. */
async function loadAll(
  { loadTables, catalogs }: DocumentParts,
  { catalogs: listed = [] }: BuzzDocument,
  steps: readonly ParsedStep[],
  loading: Loading,
): Promise<Map<string, Table>> {
  const isStep = new Set(steps.map(({ name }) => asciiLower(name)))
  const read = new Set(steps.flatMap(({ reads }) => [...reads]).filter((name) => !isStep.has(name)))
  const own = listed.filter(({ name }) => read.has(asciiLower(name)))
  const brought = await Promise.all(
    own.map(async (catalog) => [asciiLower(catalog.name), await catalogs.load(catalog, loading)] as const),
  )
  for (const [name] of brought) read.delete(name)
  const found = read.size > 0 ? await namingReader(steps, () => loadTables([...read], undefined, loading)) : []
  return new Map([...found, ...brought])
}

/** What loading tables throws, with the name of a step that reads the table. */
async function namingReader<T>(steps: readonly ParsedStep[], load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    const { table } = (isSkepError(error) ? error.details : {}) as { table?: string }
    const reader = table === undefined ? undefined : steps.find(({ reads }) => reads.has(asciiLower(table)))
    if (!reader) throw error
    return await inStep(reader, '', () => Promise.reject(error))
  }
}

/** Passes when every step, by itself, fits the tables and the steps before it. Each becomes known as an empty view. */
async function describeSteps(
  session: Session,
  steps: readonly ParsedStep[],
  tables: ReadonlyMap<string, Table>,
  options: RunOptions,
): Promise<void> {
  const binder = new SessionBinder(session, undefined, options)
  for (const [name, table] of tables) {
    const empty = scanSql(table, table.snapshot.schema, [])
    await session.run(`CREATE OR REPLACE TEMP VIEW ${quoteIdentifier(name)} AS ${empty}`, options)
  }
  for (const step of steps) {
    const columns = await inStep(step, '', async () => await binder.describeText(step.sql))
    await binder.declare(step.name, columns)
  }
}

interface ChosenFiles extends Pick<ComposedQuery, 'tables' | 'dropped'> {
  steps: ParsedStep[]
}

/** The tables with the files that the filters leave. A table of which two steps read other files becomes two. */
async function chooseFiles(
  context: { session: Session; settings: Settings; options: RunOptions },
  steps: readonly ParsedStep[],
  tables: ReadonlyMap<string, Table>,
): Promise<ChosenFiles> {
  const kept: (ReadonlyMap<string, readonly DataFile[]> | undefined)[] = []
  for (const step of steps) {
    const filter = step.partition_filter
    const own = new Map([...tables].filter(([key]) => step.reads.has(key)))
    kept.push(
      filter === undefined
        ? undefined
        : await inStep(step, ', partition_filter', async () => {
            const { key, files } = await filterFiles(context, filter, own)
            return new Map([[key, files]])
          }),
    )
  }
  return assignFiles(steps, tables, (k, key) => kept[k]?.get(key))
}

function assignFiles(
  steps: readonly ParsedStep[],
  tables: ReadonlyMap<string, Table>,
  keptOf: (step: number, key: string) => readonly DataFile[] | undefined,
): ChosenFiles {
  const chosen = new Map<string, Table>()
  const dropped = new Map<string, number>()
  const names = new Set([...tables.keys(), ...steps.map(({ name }) => asciiLower(name))])
  const renamed = steps.map(() => new Map<string, string>())
  for (const [key, table] of tables) {
    const readers = [...steps.keys()].filter((k) => steps[k]!.reads.has(key))
    const variants = Map.groupBy(
      readers,
      (k) => steps[k]!.partition_filter !== undefined && fingerprint(keptOf(k, key)),
    )
    let isFirst = true
    for (const some of variants.values()) {
      const name = isFirst ? key : freeName(key, names)
      isFirst = false
      const files = keptOf(some[0]!, key) ?? table.snapshot.files
      chosen.set(name, { ...table, snapshot: { ...table.snapshot, files: [...files] } })
      dropped.set(name, table.snapshot.files.length - files.length)
      if (name !== key) for (const k of some) renamed[k]!.set(key, name)
    }
  }
  const changed = steps.map((step, k) => ({ ...step, tree: withTables(step.tree, renamed[k]!) }))
  return { steps: changed, tables: chosen, dropped }
}

/** Equal for the same files; `false` for all of them. */
function fingerprint(files: readonly DataFile[] | undefined): string | false {
  return files !== undefined && JSON.stringify(files.map(({ path }) => path))
}

/** A name that begins like this one and is not taken; it is taken then. */
function freeName(name: string, taken: Set<string>): string {
  let k = 2
  while (taken.has(`${name}_${k}`)) k++
  taken.add(`${name}_${k}`)
  return `${name}_${k}`
}

/** The last step, and those that it reads directly or through others, in order. */
function neededSteps(steps: readonly ParsedStep[]): ParsedStep[] {
  const needed = new Set([asciiLower(steps.at(-1)!.name)])
  for (const { name, reads } of steps.toReversed()) {
    if (needed.has(asciiLower(name))) for (const read of reads) needed.add(read)
  }
  return steps.filter(({ name }) => needed.has(asciiLower(name)))
}

/**
 * The steps as one text: as they were written where that reads as their trees do, else as the engine prints these.
 *
 * @throws SQL_INVALID when it does not print them as it reads them
 */
async function composedText(session: Session, steps: readonly ParsedStep[], options: RunOptions): Promise<string> {
  const last = steps.at(-1)!
  const before = steps.slice(0, -1).map(({ name, sql }) => `${quoteIdentifier(name)} AS (\n${withoutEnd(sql)}\n)`)
  const whole = composeTree(steps)
  if (entriesOf(last.tree).length === 0 || before.length === 0) {
    const written = before.length === 0 ? last.sql : `WITH ${before.join(',\n')}\n${last.sql}`
    const parsed = await parseSql(session, written, options)
    if (!parsed.error && parsed.statements.length === 1 && sameTrees(parsed.statements[0]!.node, whole)) return written
  }
  const binder = new SessionBinder(session, undefined, options)
  // On a line of its own: places in it say nothing about what the user wrote.
  return `\n${await binder.print(whole)}`
}

function withoutEnd(sql: string): string {
  return sql.replace(/[\s;]+$/, '')
}
