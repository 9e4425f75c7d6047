/** The object that users hold: it wires store, catalog, engine and coordinator, and owns what must be closed. */
import { randomBytes } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { parseQueryText } from './behaviour/json.ts'
import type { BehaviouralResult } from './behaviour/result.ts'
import type { BehaviouralQuery } from './behaviour/types.ts'
import { validateQuery } from './behaviour/validate.ts'
import type { Alteration } from './catalog/alteration.ts'
import { AttachedTables } from './catalog/attached.ts'
import { type AttachedEntry, Catalog, type CatalogEntry, type TableOrigin } from './catalog/catalog.ts'
import { DiskReader } from './catalog/file-reader.ts'
import { Folders } from './catalog/folder/folders.ts'
import { checkTableName } from './catalog/names.ts'
import { systemSources } from './catalog/sources.ts'
import type { SnapshotInfo, Table } from './catalog/types.ts'
import { readSettings, type Settings } from './config.ts'
import type { AtOption } from './coordinator/at.ts'
import { type AttachOptions, readAttachOptions } from './coordinator/attach.ts'
import type { BehaviouralStats } from './coordinator/behaviour-result.ts'
import {
  type BehaviourParts,
  explainBehaviouralQuery,
  type LoadedQuery,
  runBehaviouralQuery,
} from './coordinator/behaviour-runner.ts'
import {
  type CallOptions,
  type DocumentOptions,
  type QueryOptions,
  type RollbackResult,
  readCall,
  requireKeys,
  type SqlExplanation,
  type SqlOptions,
  type SqlResult,
  type SqlStream,
} from './coordinator/calls.ts'
import {
  type ColumnDistribution,
  type ColumnOptions,
  type ColumnParts,
  columnDistribution,
  columnValues,
  type ValueCount,
  type ValuesOptions,
} from './coordinator/columns.ts'
import { describeTable, summariseTable, type TableDescription, type TableSummary } from './coordinator/describe.ts'
import { DocumentComposer } from './coordinator/document.ts'
import { DocumentCatalogs } from './coordinator/document-catalogs.ts'
import type { BehaviouralExplanation } from './coordinator/explain-behaviour.ts'
import { listTables } from './coordinator/list-tables.ts'
import { type LoadTables, tableLoader } from './coordinator/load-tables.ts'
import { QueryWork } from './coordinator/query-work.ts'
import { runningOf } from './coordinator/run-plan.ts'
import { collectRows, type QueryStats } from './coordinator/sql.ts'
import { type AskedQuery, SqlRunner } from './coordinator/sql-runner.ts'
import { retryChanged } from './coordinator/unchanged.ts'
import { type Verification, verifySurvey } from './coordinator/verify.ts'
import { EngineKeeper } from './engine/keeper.ts'
import type { BoundValue } from './engine/parameters.ts'
import { SkepError } from './errors.ts'
import { type ImportOptions, type ImportResult, importFiles } from './inputs/import.ts'
import { type RegisterOptions, type RegisterResult, registerFolder } from './inputs/register.ts'
import { wrapWriteError } from './inputs/write-errors.ts'
import type { VacuumResult } from './maintenance/vacuum.ts'
import type { VacuumOptions } from './maintenance/vacuum-disk.ts'
import { type BuzzDocument, parseDocument } from './planner/buzz.ts'
import type { WorkerInfo } from './pool/pool.ts'
import { Pools } from './pool/pools.ts'
import { Threads } from './pool/threads.ts'
import { type DamagedQuery, type QueryToSave, SavedQueries, type SavedQuery } from './records/saved-queries.ts'
import { DiskStore } from './storage/disk-store.ts'
import type { CallOptions as StoreOptions } from './storage/object-store.ts'
import { nameOfProcess, systemProcesses } from './storage/processes.ts'
import { FileChecker } from './storage/sealed-file.ts'

/** A warehouse: a folder of tables. Any number of processes may have it open. */
export class Warehouse implements AsyncDisposable {
  /** Absolute path of the folder. */
  readonly root: string
  readonly settings: Settings
  readonly #catalog: Catalog
  readonly #engines: EngineKeeper
  readonly #threads: Threads
  readonly #folders: Folders
  readonly #attached: AttachedTables
  readonly #documents: DocumentComposer
  readonly #pools: Pools
  readonly #parts: BehaviourParts
  readonly #queries: SqlRunner
  readonly #loadTables: LoadTables
  readonly #columns: ColumnParts
  readonly #store: DiskStore
  readonly #saved: SavedQueries

  private constructor(root: string, settings: Settings) {
    this.root = root
    this.settings = settings
    this.#store = new DiskStore(root)
    this.#saved = new SavedQueries(this.#store, systemSources().now)
    this.#catalog = new Catalog(this.#store, { ...settings, sources: systemSources() })
    this.#threads = new Threads(settings.threads)
    this.#folders = new Folders({ maxFiles: settings.importFiles })
    this.#attached = new AttachedTables(new DiskReader(), { maxFiles: settings.importFiles })
    this.#engines = new EngineKeeper({ settings, root, spillPath: this.temporaryPath() })
    this.#pools = new Pools({ root, settings, engines: this.#engines, spillPath: () => this.temporaryPath() })
    const loadTables = tableLoader({ catalog: this.#catalog, attached: this.#attached, folders: this.#folders })
    this.#loadTables = loadTables
    this.#parts = {
      root,
      settings,
      sources: systemSources(),
      engines: this.#engines,
      threads: this.#threads,
      pools: this.#pools,
      checker: new FileChecker(),
    }
    this.#queries = new SqlRunner({ ...this.#parts, loadTables })
    this.#columns = { settings, queries: this.#queries, loadTables }
    const catalogs = new DocumentCatalogs({ attached: this.#attached, maxFiles: settings.importFiles })
    this.#documents = new DocumentComposer({ ...this.#parts, loadTables, catalogs })
  }

  /**
   * The warehouse in a folder; one that does not exist yet is empty, and the first write makes it.
   *
   * @example
   * const warehouse = await Warehouse.open('./.skep')
   */
  static async open(location?: string, options: { env?: Record<string, string | undefined> } = {}): Promise<Warehouse> {
    const settings = readSettings(options.env)
    const place = location ?? settings.warehouse
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(place)) {
      throw new SkepError('ARGUMENT_INVALID', `${place}: a warehouse is a folder on disk`, { argument: 'warehouse' })
    }
    return new Warehouse(resolve(place), settings)
  }

  /**
   * The rows of a query. As a tag it binds the values of its template; as a function it takes them in `params`.
   *
   * @throws SQL_INVALID, SQL_FORBIDDEN, TABLE_NOT_FOUND, QUERY_TIMEOUT, MEMORY_LIMIT, ROW_LIMIT, CANCELLED
   * @example
   * const { rows } = await warehouse.sql`SELECT count(*) AS n FROM events WHERE country = ${'NL'}`
   * // rows: [{ n: 42 }]
   */
  async sql(text: string, options?: SqlOptions): Promise<SqlResult>
  async sql(strings: TemplateStringsArray, ...values: BoundValue[]): Promise<SqlResult>
  async sql(first: string | TemplateStringsArray, ...rest: unknown[]): Promise<SqlResult> {
    const { text, options } = readCall(first, rest)
    return await retryChanged(this.settings.folderRetries, async () => await this.#collect(text, options))
  }

  /**
   * The rows of a Buzz document, given as JSON or as an object: those of its last step.
   *
   * @throws DOCUMENT_INVALID with all violations, CATALOG_NOT_FOUND, and what `sql` throws, naming the step
   * @example
   * const { rows } = await warehouse.run({
   *   steps: [
   *     { name: 'mapper', step_type: 'HBee', sql: 'SELECT country, count(*) AS n FROM events GROUP BY country' },
   *     { name: 'reducer', step_type: 'HComb', sql: 'SELECT country, sum(n) AS n FROM mapper GROUP BY country' },
   *   ],
   *   capacity: { zones: 1 },
   * })
   */
  async run(document: BuzzDocument | string, options: DocumentOptions = {}): Promise<SqlResult> {
    const query = typeof document === 'string' ? parseDocument(document, this.settings) : document
    return await retryChanged(this.settings.folderRetries, async () => await this.#collect(query, options))
  }

  async #collect(query: string | BuzzDocument, options: SqlOptions): Promise<SqlResult> {
    await using stream = await this.#queries.start(await this.#asked(query, options), options)
    const rows = await collectRows(stream, this.settings.resultRows)
    return { columns: stream.columns, rows, stats: stream.stats() }
  }

  /** What the runner of queries is asked for SQL, or for a document. */
  async #asked(query: string | BuzzDocument, options: SqlOptions): Promise<AskedQuery> {
    return typeof query === 'string' ? query : await this.#documents.compose(query, options)
  }

  /**
   * The same query with its rows in batches: for results of any size. It may be a Buzz document as well.
   *
   * @throws as `sql` and `run` do; FOLDER_CHANGED may come after rows, which are then not to be used
   */
  async stream(query: string | BuzzDocument, options: SqlOptions = {}): Promise<SqlStream> {
    return await retryChanged(this.settings.folderRetries, async () =>
      this.#queries.start(await this.#asked(query, options), options),
    )
  }

  /**
   * The number of rows of a query, or a Buzz document, which are written into a Parquet file in bounded memory, replacing one of that path.
   *
   * @throws as `sql` and `run` do, and WAREHOUSE_UNWRITABLE, DISK_FULL
   */
  async exportParquet(
    query: string | BuzzDocument,
    path: string,
    options: SqlOptions = {},
  ): Promise<{ rows: number; stats: QueryStats }> {
    const target = resolve(path)
    return await retryChanged(this.settings.folderRetries, async () => {
      const asked = await this.#asked(query, options)
      return await this.#queries.exportTo(asked, target, options).catch((error: unknown) => {
        throw wrapWriteError(error, dirname(target))
      })
    })
  }

  /** What a query, or a Buzz document, would read, and how it would be divided into tasks, without running it. @throws as `sql` and `run` do */
  async explain(query: string | BuzzDocument, options: SqlOptions = {}): Promise<SqlExplanation> {
    const explain = async () => await this.#queries.explain(await this.#asked(query, options), options)
    return await retryChanged(this.settings.folderRetries, explain)
  }

  /**
   * The result document of a behavioural query.
   *
   * @throws QUERY_INVALID with all violations, TABLE_NOT_FOUND, KEY_INVALID for a table without actor or time
   * @example
   * const { query } = await warehouse.query('events', { query: { conditions: [{ filter: ['event', '==', 'buy'] }] } })
   * // query: { matchingGroups: 3, matchingGroupRows: 17 }
   */
  async query(
    table: string,
    query: BehaviouralQuery | string,
    options: QueryOptions = {},
  ): Promise<BehaviouralResult<BehaviouralStats>> {
    const started = performance.now()
    const running = runningOf(this.settings, options)
    return await retryChanged(this.settings.folderRetries, async () => {
      const tables: Table[] = []
      const record = new QueryWork(started)
      try {
        const reading = { signal: running.signal, cacheUse: record.cacheUse }
        const loaded = await this.#loadQuery(table, query, options.at, reading)
        tables.push(loaded.table)
        return await runBehaviouralQuery(this.#parts, loaded, options, { running, record })
      } catch (error) {
        throw await this.#queries.naming(error, { tables, running })
      }
    })
  }

  /** What a behavioural query means, in words, and what would be read and done for it; it is not run. @throws as `query` does */
  async explainQuery(
    table: string,
    query: BehaviouralQuery | string,
    options: QueryOptions = {},
  ): Promise<BehaviouralExplanation> {
    const { signal } = runningOf(this.settings, options)
    const loaded = await this.#loadQuery(table, query, options.at, { signal })
    return explainBehaviouralQuery(this.#parts, loaded, options)
  }

  async #loadQuery(
    name: string,
    query: BehaviouralQuery | string,
    at: AtOption | undefined,
    options: StoreOptions,
  ): Promise<LoadedQuery> {
    const source = typeof query === 'string' ? parseQueryText(query, this.settings) : query
    const table = (await this.#loadTables([name], at, options)).get(name.toLowerCase())!
    const { columns } = table.snapshot.schema
    const valid = validateQuery(source, { columns, keys: table.keys }, this.settings)
    requireKeys(table)
    return { table, source, valid }
  }

  /**
   * Brings Parquet, CSV or NDJSON files into a managed table, creating it when there is none. All or nothing.
   *
   * @throws FILE_NOT_FOUND, FILE_INVALID, ROW_INVALID, SCHEMA_MISMATCH, KEY_INVALID, COLUMN_TYPE_UNSUPPORTED, TABLE_KIND, COMMIT_CONFLICT
   */
  async import(table: string, files: readonly string[], options: ImportOptions = {}): Promise<ImportResult> {
    return await importFiles(this.#inputs(), table, files, options)
  }

  /** Makes a folder of Parquet files a read-only table, in place. @throws TABLE_EXISTS, FILE_NOT_FOUND, SCHEMA_MISMATCH, KEY_INVALID */
  async register(table: string, path: string, options: RegisterOptions): Promise<RegisterResult> {
    return await registerFolder(this.#inputs(), table, path, options)
  }

  /**
   * Makes a table that others write (Delta Lake, Apache Iceberg) one of this warehouse, in place and read-only. Every query sees its
   * newest state. With keys it can be asked behavioural queries.
   *
   * @throws ARGUMENT_INVALID, TABLE_EXISTS, TABLE_NAME_INVALID, FILE_NOT_FOUND, TABLE_INVALID, TABLE_FEATURE_UNSUPPORTED, COLUMN_NOT_FOUND, KEY_INVALID
   * @example
   * await warehouse.attach('orders', '/lake/orders', { type: 'delta', actor: 'customer', time: 'ordered_at' })
   */
  async attach(table: string, uri: string, options: AttachOptions): Promise<TableSummary> {
    const { signal } = options
    checkTableName(table)
    const wanted: AttachedEntry = { kind: 'attached', name: table, ...readAttachOptions(uri, options) }
    await this.#catalog.requireFree(table, { signal })
    const checked = await this.#attached.check(wanted, { signal })
    const { format, keys } = checked.entry
    await this.#catalog.attach(table, { uri: wanted.uri, format, keys }, { signal })
    return summariseTable(checked.table)
  }

  #inputs() {
    return { catalog: this.#catalog, settings: this.settings, root: this.root, spillPath: this.temporaryPath() }
  }

  /** The path of a folder of this process's own, for data on its way; it does not exist, and whoever makes it removes it. */
  temporaryPath(): string {
    return `${this.root}/.tmp/${nameOfProcess(systemProcesses().self)}-${randomBytes(6).toString('hex')}`
  }

  /** Forgets a registered or attached table; its files stay. @throws TABLE_NOT_FOUND, TABLE_KIND */
  async unregister(table: string): Promise<void> {
    await this.#catalog.unregister(table)
  }

  /**
   * Renames, drops, widens or comments columns of a managed table, all at once or nothing; no file is written anew, and the past stays
   * as it was. False when the table was so already.
   *
   * @throws TABLE_NOT_FOUND, TABLE_KIND, COLUMN_NOT_FOUND, COLUMN_EXISTS, COLUMN_NEEDED, SCHEMA_MISMATCH, COMMIT_CONFLICT, ARGUMENT_INVALID
   * @example
   * await warehouse.alter('events', { rename: { uid: 'user_id' }, widen: { amount: 'DECIMAL(18,2)' } })
   */
  async alter(table: string, alteration: Alteration): Promise<boolean> {
    return await this.#catalog.alter(table, alteration)
  }

  /** Drops a managed table and its data, also one whose metadata is damaged. @throws TABLE_NOT_FOUND, TABLE_KIND */
  async drop(table: string): Promise<void> {
    await this.#catalog.drop(table)
  }

  /** All tables, by name. One that is damaged is listed with what is wrong with it, and hides no other. */
  async tables(): Promise<TableSummary[]> {
    // A folder is listed as it was registered, even when it has gone since.
    const load = async (entry: CatalogEntry) => {
      if (entry.kind === 'attached') return await this.#attached.load(entry)
      return entry.kind === 'registered' ? this.#folders.registered(entry) : await this.#catalog.loadManaged(entry.name)
    }
    return await listTables(this.#catalog, load)
  }

  /** Columns, keys, sizes and value ranges of a table; with `files`, each of its files. @throws TABLE_NOT_FOUND */
  async describe(table: string, options: { files?: boolean; at?: AtOption } = {}): Promise<TableDescription> {
    const running = runningOf(this.settings, {})
    const tables = await this.#loadTables([table], options.at, running).catch(async (error: unknown) => {
      throw await this.#queries.naming(error, { tables: [], running })
    })
    return describeTable(tables.get(table.toLowerCase())!, options.files ?? false)
  }

  /** How the values of a column are distributed: counts, bounds, and a histogram or the most frequent values. @throws TABLE_NOT_FOUND, COLUMN_NOT_FOUND, and as `sql` does */
  async column(table: string, column: string, options: ColumnOptions = {}): Promise<ColumnDistribution> {
    return await retryChanged(this.settings.folderRetries, () =>
      columnDistribution(this.#columns, table, column, options),
    )
  }

  /** Values of a column to suggest, most frequent first. @throws TABLE_NOT_FOUND, COLUMN_NOT_FOUND, COLUMN_TYPE_UNSUPPORTED, ARGUMENT_INVALID, and as `sql` does */
  async values(table: string, column: string, options: ValuesOptions = {}): Promise<ValueCount[]> {
    return await retryChanged(this.settings.folderRetries, () => columnValues(this.#columns, table, column, options))
  }

  /** Of what kind a table is, and since when its name stands for it. @throws TABLE_NOT_FOUND, TABLE_NAME_INVALID, TABLE_INVALID */
  async origin(table: string): Promise<TableOrigin> {
    return await this.#catalog.origin(table)
  }

  /** The history of a table, newest last; nothing for a registered one. @throws TABLE_NOT_FOUND; TABLE_INVALID, FILE_NOT_FOUND of an attached one */
  async snapshots(table: string): Promise<SnapshotInfo[]> {
    const entry = await this.#catalog.entry(table)
    if (entry.kind === 'attached') return await this.#attached.history(entry)
    return await this.#catalog.snapshots(table)
  }

  /**
   * Reads all files of a managed table, metadata and data of all snapshots, against their checksums.
   *
   * @throws TABLE_NOT_FOUND, TABLE_KIND, TABLE_INVALID when not even its newest metadata can be read
   */
  async verify(table: string, options: CallOptions = {}): Promise<Verification> {
    const { signal } = options
    const survey = await this.#catalog.survey(table, signal ? { signal } : {})
    return await verifySurvey(table, survey, this.#parts.checker, options)
  }

  /**
   * Makes an earlier snapshot the current one. The history stays, and goes on from there: an append then adds to what that snapshot had.
   *
   * @throws TABLE_NOT_FOUND, TABLE_KIND; SNAPSHOT_NOT_FOUND for one that is unknown or has expired
   * @throws COMMIT_CONFLICT when another writer was faster
   */
  async rollback(table: string, snapshotId: number): Promise<RollbackResult> {
    const { metadataLocation } = await this.#catalog.rollback(table, snapshotId)
    return { table, snapshotId, metadataLocation }
  }

  /**
   * Removes what nobody needs any more from a table, or from the whole warehouse: states that were replaced longer ago than `olderThan`,
   * and what dead writers left. The files of writers at work stay.
   *
   * @throws TABLE_NOT_FOUND, TABLE_KIND for a registered table, TABLE_INVALID, COMMIT_CONFLICT
   * @example
   * const { total } = await warehouse.vacuum('events', { olderThan: '30d', dryRun: true })
   * // total: { snapshots: 2, files: 31, bytes: 8123456 }
   */
  async vacuum(table?: string, options: VacuumOptions = {}): Promise<VacuumResult> {
    const { vacuumDisk } = await import('./maintenance/vacuum-disk.ts')
    return await vacuumDisk(this.#store, this.settings, table, options)
  }

  /** Keeps a query under a name, in place of one that had it; only its form is checked. @throws ARGUMENT_INVALID, QUERY_TOO_LARGE, SAVED_LIMIT */
  async saveQuery(name: string, query: QueryToSave, options: CallOptions = {}): Promise<SavedQuery> {
    return await this.#saved.save(name, query, options)
  }

  /** All saved queries, by name; a damaged one with its error. */
  async savedQueries(options: CallOptions = {}): Promise<(SavedQuery | DamagedQuery)[]> {
    return await this.#saved.list(options)
  }

  /** The saved query of that name. @throws SAVED_NOT_FOUND, FILE_INVALID */
  async savedQuery(name: string, options: CallOptions = {}): Promise<SavedQuery> {
    return await this.#saved.get(name, options)
  }

  /** Removes the saved query of that name. @throws SAVED_NOT_FOUND */
  async removeSavedQuery(name: string, options: CallOptions = {}): Promise<void> {
    await this.#saved.remove(name, options)
  }

  /** The workers that run tasks of queries, as they are now; those of a pool appear when it is first used. */
  workers(): WorkerInfo[] {
    return this.#pools.workers()
  }

  /** Ends the engines and removes spilled data. */
  async close(): Promise<void> {
    await this.#pools[Symbol.asyncDispose]()
    await Promise.all([this.#engines.close(), this.#threads[Symbol.asyncDispose]()])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
