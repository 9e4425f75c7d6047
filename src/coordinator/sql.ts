/** Runs a user's SQL: parse, analyse, load the tables, prune their files, scan. */
import type { DuckDBDataChunk, DuckDBResult, DuckDBType } from '@duckdb/node-api'
import { BoundedCache } from '../catalog/bounded-cache.ts'
import type { DataFile, Snapshot, SnapshotId, Table } from '../catalog/types.ts'
import { quoteString } from '../common/data-type.ts'
import { SETTINGS, type Settings } from '../config.ts'
import { evaluateConstants, parseSql } from '../engine/binder.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { valueLimitSql } from '../engine/guards.ts'
import type { BoundValues } from '../engine/parameters.ts'
import { chunksOf } from '../engine/stream.ts'
import { type JsonValue, toJson } from '../engine/values.ts'
import { SkepError } from '../errors.ts'
import type { Estimate } from '../planner/estimate.ts'
import type { PoolName } from '../planner/plan.ts'
import { conditionOf, constantsOf, type Pruning, pruneFiles, unitePrunings, withConstants } from '../planner/prune.ts'
import type { PlannedTable } from '../planner/sql-plan.ts'
import { analyseSql, type SqlAnalysis, statementOf, type TableUse } from '../sql/analyse.ts'
import type { TreeNode } from '../sql/tree.ts'
import { checkShortParameters } from '../sql/written-arguments.ts'
import type { FileChecker } from '../storage/sealed-file.ts'
import { requireWhole } from '../worker/whole-files.ts'
import type { DividedStats, QueryWork } from './query-work.ts'
import type { WorkStats } from './statistics.ts'

/** A column of a result; `type` is DuckDB's name of it. */
export interface ResultColumn {
  name: string
  type: string
}

/** What a query cost. */
export interface QueryStats extends ReadStats, WorkStats, Partial<Omit<DividedStats, 'tasks'>> {
  /** Milliseconds from the call to its end. */
  ms: number
  /** Where tasks ran. */
  pool?: PoolName
  /** What was known before anything ran. */
  estimate?: Estimate
}

/** What a query read. */
export interface ReadStats {
  /** Tasks that were run. */
  tasks: number
  /** Data files that had to be read, and those that partitions and statistics ruled out. */
  files: number
  filesPruned: number
  /** Size and rows of the files that had to be read. */
  bytes: number
  rows: number
}

/** What a query reads of one table. */
export interface TableScan {
  table: string
  snapshotId?: SnapshotId
  files: number
  filesPruned: number
  bytes: number
  rows: number
}

/** What running SQL needs. The tables of the analysis are loaded by whoever holds the catalog. */
export interface SqlContext {
  session: Session
  settings: Settings
  checker: FileChecker
  record: QueryWork
  params?: BoundValues | undefined
  options: RunOptions
  /** What the user wrote, where it is SQL. */
  ownSql?: string | undefined
  /** Begins the transaction anew and binds the tables again, to find out why a query failed half way. */
  restore?: () => Promise<unknown>
}

/** A text as it was read. Nobody changes it: the next query of the same text has it too. */
export interface ReadText {
  readonly analysis: SqlAnalysis
  readonly tree: TreeNode
}

/** Texts that were read, by the depth that they may have and themselves: it is in the text alone what it reads. */
const readTexts = new BoundedCache<ReadText>(SETTINGS.readCharacters.default)

/** What a text reads. @throws SQL_INVALID, SQL_FORBIDDEN, QUERY_TOO_LARGE */
export async function readSql(
  { session, settings, params, options }: Omit<SqlContext, 'checker' | 'record'>,
  text: string,
): Promise<ReadText> {
  if (Buffer.byteLength(text) > settings.queryBytes) {
    const message = `the SQL is larger than ${settings.queryBytes} bytes (SKEP_QUERY_BYTES)`
    throw new SkepError('QUERY_TOO_LARGE', message, { limitBytes: settings.queryBytes })
  }
  if (text.includes('\0')) throw new SkepError('SQL_INVALID', 'the SQL contains a NUL character', {})
  const key = `${settings.sqlDepth} ${text}`
  const query = readTexts.get(key) ?? (await parseText())
  if (query.analysis.shortParameters) checkShortParameters(Object.values(params ?? {}))
  return query

  async function parseText(): Promise<ReadText> {
    const parsed = await parseSql(session, text, options)
    const read = { analysis: analyseSql(parsed, settings.sqlDepth, text), tree: statementOf(parsed) }
    if (text.length <= SETTINGS.quickSqlCharacters.default) readTexts.set(key, read, text.length)
    return read
  }
}

/** What the tables of a query come to. */
export interface BoundTables {
  scans: TableScan[]
  /** All that is read. */
  files: DataFile[]
  /** What is read of each, by lower-case name. */
  planned: ReadonlyMap<string, PlannedTable>
}

/** Begins a transaction in which the tables of a query are known, each reduced to the files that it has to read. `tables` is keyed by lower-case name. */
export async function bindTables(
  context: SqlContext,
  analysis: SqlAnalysis,
  tables: ReadonlyMap<string, Table>,
): Promise<BoundTables> {
  const { session, options, record } = context
  const scans: TableScan[] = []
  const files: DataFile[] = []
  const planned = new Map<string, PlannedTable>()
  // Values of parameters are computed with where nothing else may wait for them.
  if (analysis.singleCalls > 0 && context.params === undefined) {
    await session.run(valueLimitSql(context.settings, analysis.singleCalls), options)
  }
  for (const [key, table] of tables) {
    const uses = analysis.uses.filter((use) => use.table.toLowerCase() === key)
    const pruning = await pruneUses(context, table, uses)
    scans.push(scanOf(table, pruning))
    for (const file of pruning.files) files.push(file)
    planned.set(key, { table, files: pruning.files })
  }
  await record.fetching(() => openFiles(context, planned))
  return { scans, files, planned }
}

/** Makes views of these files, which are whole. */
async function openFiles({ session, checker, options }: SqlContext, planned: BoundTables['planned']): Promise<void> {
  for (const { table, files } of planned.values()) await requireWhole(checker, table, files, options)
  const views = [...planned].map(([name, { table, files }]) => ({ name, table, files }))
  await session.show(views, options)
  session.begin()
}

async function pruneUses(context: SqlContext, table: Table, uses: readonly TableUse[]): Promise<Pruning> {
  const { snapshot } = table
  if (snapshot.files.length === 0 || uses.some((use) => use.where === undefined)) return everything(snapshot)
  const conditions = uses.map((use) => conditionOf(use, snapshot.schema.columns))
  const constants = conditions.flatMap(constantsOf)
  const values = (await evaluateConstants(context.session, constants, context.params, context.options)).values()
  return unitePrunings(
    snapshot,
    conditions.map((condition) => pruneFiles(snapshot, withConstants(condition, values))),
  )
}

function everything(snapshot: Snapshot): Pruning {
  return { files: snapshot.files, pruned: 0 }
}

/** What is read of a table under a pruning. */
export function scanOf(table: Table, { files, pruned }: Pruning): TableScan {
  return {
    table: table.name,
    ...(table.snapshot.id === undefined ? {} : { snapshotId: table.snapshot.id }),
    files: files.length,
    filesPruned: pruned,
    bytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    rows: files.reduce((sum, file) => sum + file.rows, 0),
  }
}

/** The totals of several scans. */
export function statsOf(scans: readonly TableScan[], tasks: number): ReadStats {
  const sum = (field: 'files' | 'filesPruned' | 'bytes' | 'rows') =>
    scans.reduce((total, scan) => total + scan[field], 0)
  return { tasks, files: sum('files'), filesPruned: sum('filesPruned'), bytes: sum('bytes'), rows: sum('rows') }
}

/** Columns of a result, and its rows in batches as they come. */
export interface RowStream {
  columns: ResultColumn[]
  batches: AsyncIterable<JsonValue[][]>
}

/** Starts a query whose tables are bound. */
export async function startQuery(context: SqlContext, text: string): Promise<RowStream> {
  const { session, params, options, ownSql, restore } = context
  const running = { ...options, params, ownSql, userSql: true }
  const result = await session.stream(text, running)
  const chunks = chunksOf(session, result, { sql: text, options: running, restore })
  return { columns: columnsOf(result), batches: batchesOf(result, chunks) }
}

/** A result's columns: names made unique (`a`, `a_1`), types by DuckDB's names. */
export function columnsOf(result: DuckDBResult): ResultColumn[] {
  const types = typesOf(result)
  return uniqueNames(result.columnNames()).map((name, k) => ({ name, type: types[k]!.toString() }))
}

/** The types of a result's columns. @throws SQL_INVALID for one that the engine's interface does not know */
function typesOf(result: DuckDBResult): readonly DuckDBType[] {
  try {
    return result.columnTypes()
  } catch (cause) {
    const message = 'a column of the result is of a type that results cannot have; cast it to VARCHAR'
    throw new SkepError('SQL_INVALID', message, {}, { cause })
  }
}

function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    let unique = name
    for (let k = 1; taken.has(unique); k++) unique = `${name}_${k}`
    taken.add(unique)
    return unique
  })
}

async function* batchesOf(result: DuckDBResult, chunks: AsyncIterable<DuckDBDataChunk>): AsyncGenerator<JsonValue[][]> {
  const types = result.columnTypes()
  for await (const chunk of chunks) {
    yield chunk.getRows().map((row) => row.map((value, k) => toJson(value, types[k]!)))
  }
}

/** The rows of a stream as objects, at most `limit` of them. @throws ROW_LIMIT */
export async function collectRows(
  { columns, batches }: RowStream,
  limit: number,
): Promise<Record<string, JsonValue>[]> {
  const rows: Record<string, JsonValue>[] = []
  for await (const batch of batches) {
    if (rows.length + batch.length > limit) {
      throw new SkepError(
        'ROW_LIMIT',
        `the result has more than ${limit} rows; add a LIMIT, stream it (--format ndjson, csv or parquet), or raise SKEP_RESULT_ROWS`,
        { setting: 'SKEP_RESULT_ROWS', limit },
      )
    }
    for (const row of batch) rows.push(Object.fromEntries(columns.map(({ name }, k) => [name, row[k]!])))
  }
  return rows
}

/** Writes the rows of a query whose tables are bound into a Parquet file; gives their number. The path is below a root of the engine. */
export async function copyToParquet(
  { session, params, options, ownSql }: SqlContext,
  text: string,
  path: string,
): Promise<number> {
  const query = await embeddable(session, text, options)
  const copy = `COPY (${query}) TO ${quoteString(path)} (FORMAT parquet, COMPRESSION zstd)`
  const [count] = await session.rows<{ Count: bigint }>(copy, { ...options, params, ownSql, userSql: true })
  return Number(count!.Count)
}

/**
 * The query as it can stand in parentheses: as it was written where its end allows it, else (a comment after its semicolon) as
 * DuckDB prints it from its tree, which may give numbers another type.
 */
async function embeddable(session: Session, text: string, options: RunOptions): Promise<string> {
  const bare = `\n${text.replace(/[\s;]+$/, '')}\n`
  const [row] = await session.rows<{ fits: boolean; printed: string }>(
    `SELECT json_serialize_sql('SELECT * FROM (' || $1 || ')')->>'error' = 'false' AS fits,
       json_deserialize_sql(json_serialize_sql($2::VARCHAR)) AS printed`,
    { ...options, params: [bare, text] },
  )
  return row!.fits ? bare : row!.printed
}

/** The engine's own plan of a query whose tables are bound, as text. */
export async function explainPlan({ session, params, options, ownSql }: SqlContext, text: string): Promise<string> {
  const result = await session.run(`EXPLAIN ${text}`, { ...options, params, ownSql, userSql: true })
  const rows = await result.getRows()
  return rows.map((row) => String(row[1])).join('\n')
}
