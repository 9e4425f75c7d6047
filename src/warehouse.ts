/** The object that users hold: it wires store, catalog, engine and coordinator, and owns what must be closed. */
import { randomBytes } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { parseQueryText } from './behaviour/json.ts'
import type { BehaviouralResult } from './behaviour/result.ts'
import type { BehaviouralQuery } from './behaviour/types.ts'
import { type ValidQuery, validateQuery } from './behaviour/validate.ts'
import { Catalog, type CatalogEntry } from './catalog/catalog.ts'
import { tableOfRegistration } from './catalog/folder/folder-table.ts'
import { decodeRegistration } from './catalog/folder/registration-json.ts'
import type { At } from './catalog/managed-tables.ts'
import { systemSources } from './catalog/sources.ts'
import type { SnapshotInfo, Table } from './catalog/types.ts'
import { readSettings, type Settings } from './config.ts'
import { type AtOption, resolveAt } from './coordinator/at.ts'
import { type BehaviouralStats, runBehaviour } from './coordinator/behaviour.ts'
import { describeTable, summariseTable, type TableDescription, type TableSummary } from './coordinator/describe.ts'
import { type BehaviouralExplanation, explainBehaviour } from './coordinator/explain-behaviour.ts'
import {
  bindTables,
  collectRows,
  copyToParquet,
  explainPlan,
  type QueryStats,
  type ResultColumn,
  readSql,
  type SqlContext,
  startQuery,
  statsOf,
  type TableScan,
} from './coordinator/sql.ts'
import { EngineKeeper } from './engine/keeper.ts'
import type { BoundValue, BoundValues } from './engine/parameters.ts'
import type { JsonValue } from './engine/values.ts'
import { SkepError } from './errors.ts'
import { type ImportOptions, type ImportResult, importFiles } from './inputs/import.ts'
import { currentRegistration, type RegisterOptions, type RegisterResult, registerFolder } from './inputs/register.ts'
import { wrapWriteError } from './inputs/write-errors.ts'
import { DiskStore } from './storage/disk-store.ts'

/** What every long call takes. */
export interface CallOptions {
  /** Ends the call with `CANCELLED`. */
  signal?: AbortSignal
  /** Called a few times a second with the part of the work done, from 0 to 1. */
  onProgress?: (fraction: number) => void
}

/** How a query in SQL is run. */
export interface SqlOptions extends CallOptions {
  /** Values for `?` and `$1` in order, or for `$name` by name. They are bound, never spliced. */
  params?: BoundValues
  /** A time (ISO 8601 or Date: all managed tables as of then), a snapshot id (for the one managed table of the query), or ids by table. */
  at?: AtOption
}

/** Rows of a query. Values are JSON: see the guide on values for how types map. */
export interface SqlResult {
  columns: ResultColumn[]
  rows: Record<string, JsonValue>[]
  stats: QueryStats
}

/** A query whose rows are taken in batches, in bounded memory. It must be closed; reading it to its end closes it too. */
export interface SqlStream extends AsyncDisposable {
  columns: ResultColumn[]
  /** Rows as lists of values in the order of the columns. */
  batches: AsyncIterable<JsonValue[][]>
  /** What the query cost so far. */
  stats(): QueryStats
}

/** What a query would read, and the engine's plan for it. */
export interface SqlExplanation {
  tables: TableScan[]
  plan: string
}

/** How a behavioural query is run. */
export interface QueryOptions extends CallOptions {
  at?: AtOption
}

/** A warehouse: a folder of tables. Any number of processes may have it open. */
export class Warehouse implements AsyncDisposable {
  /** Absolute path of the folder. */
  readonly root: string
  readonly settings: Settings
  readonly #catalog: Catalog
  readonly #engines: EngineKeeper

  private constructor(root: string, settings: Settings) {
    this.root = root
    this.settings = settings
    const store = new DiskStore(root)
    this.#catalog = new Catalog(store, { sources: systemSources(), commitRetries: settings.commitRetries })
    this.#engines = new EngineKeeper({ settings, root, spillPath: this.#spillPath() })
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
    await using stream = await this.stream(text, options)
    const rows = await collectRows(stream, this.settings.resultRows)
    return { columns: stream.columns, rows, stats: stream.stats() }
  }

  /** The same query with its rows in batches: for results of any size. */
  async stream(text: string, options: SqlOptions = {}): Promise<SqlStream> {
    const started = performance.now()
    const prepared = await this.#prepare(text, options)
    try {
      const { columns, batches } = await startQuery(prepared.context, text)
      return {
        columns,
        batches,
        stats: () => statsOf(prepared.scans, 1, Math.round(performance.now() - started)),
        [Symbol.asyncDispose]: async () => prepared.close(),
      }
    } catch (error) {
      prepared.close()
      throw error
    }
  }

  /**
   * The number of rows of a query, which are written into a Parquet file in bounded memory, replacing one of that path.
   *
   * @throws as `sql` does, and WAREHOUSE_UNWRITABLE, DISK_FULL
   */
  async exportParquet(
    text: string,
    path: string,
    options: SqlOptions = {},
  ): Promise<{ rows: number; stats: QueryStats }> {
    const started = performance.now()
    const target = resolve(path)
    const prepared = await this.#prepare(text, options, [dirname(target)])
    try {
      const rows = await copyToParquet(prepared.context, text, target)
      return { rows, stats: statsOf(prepared.scans, 1, Math.round(performance.now() - started)) }
    } catch (error) {
      throw wrapWriteError(error, dirname(target))
    } finally {
      prepared.close()
    }
  }

  /** What a query would read, without running it. */
  async explain(text: string, options: SqlOptions = {}): Promise<SqlExplanation> {
    const prepared = await this.#prepare(text, options)
    try {
      return { tables: prepared.scans, plan: await explainPlan(prepared.context, text) }
    } finally {
      prepared.close()
    }
  }

  async #prepare(
    text: string,
    options: SqlOptions,
    targets: readonly string[] = [],
  ): Promise<{ context: SqlContext; scans: TableScan[]; close(): void }> {
    const running = this.#running(options)
    const first = await this.#engines.lease([])
    let close = first.close
    try {
      const context = { session: first.session, settings: this.settings, params: options.params, options: running }
      const analysis = await readSql(context, text)
      const tables = await this.#loadAll(
        analysis.uses.map(({ table }) => table),
        options.at,
        running.signal,
      )
      const registered = [...tables.values()].filter(({ kind }) => kind === 'registered')
      const roots = [...registered.map(({ location }) => location), ...targets]
      if (!first.covers(roots)) {
        first.close()
        const second = await (targets.length > 0 ? this.#engines.leaseOnce(roots) : this.#engines.lease(roots))
        close = second.close
        context.session = second.session
      }
      await context.session.run('BEGIN TRANSACTION', running)
      const scans = await bindTables(context, analysis, tables)
      return { context, scans, close }
    } catch (error) {
      close()
      throw error
    }
  }

  #running({ signal, onProgress }: CallOptions) {
    const timeoutMs = this.settings.queryTimeoutMs
    const deadline = AbortSignal.timeout(timeoutMs)
    return { signal: signal ? AbortSignal.any([signal, deadline]) : deadline, timeoutMs, onProgress }
  }

  /** The tables of these names, by lower-case name. */
  async #loadAll(names: readonly string[], at: AtOption | undefined, signal: AbortSignal): Promise<Map<string, Table>> {
    const keys = [...new Set(names.map((name) => name.toLowerCase()))]
    const entries = await Promise.all(keys.map((key) => this.#catalog.entry(key, { signal })))
    const moments = resolveAt(at, entries)
    const tables = await Promise.all(entries.map((entry) => this.#loadTable(entry, moments.get(entry.name), signal)))
    return new Map(keys.map((key, k) => [key, tables[k]!]))
  }

  async #loadTable(entry: CatalogEntry, at?: At, signal?: AbortSignal): Promise<Table> {
    const found =
      entry.kind === 'registered'
        ? entry
        : await this.#catalog.load(entry.name, { ...(at ? { at } : {}), ...(signal ? { signal } : {}) })
    if (found.kind === 'managed') return found
    const registration = decodeRegistration(found.registration, found.name)
    return tableOfRegistration(found.name, await currentRegistration(found.name, registration, this.settings, signal))
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
    const running = this.#running(options)
    const { loaded, valid } = await this.#validQuery(table, query, options.at, running.signal)
    await using lease = await this.#engines.leaseEngine(loaded.kind === 'registered' ? [loaded.location] : [])
    const { signal, timeoutMs } = running
    const context = {
      engine: lease.engine,
      settings: this.settings,
      options: { signal, timeoutMs },
      onProgress: options.onProgress,
    }
    return await runBehaviour(context, loaded, valid, started)
  }

  /** What a behavioural query means, in words, and what would be read and done for it; it is not run. @throws as `query` does */
  async explainQuery(
    table: string,
    query: BehaviouralQuery | string,
    options: { at?: AtOption } = {},
  ): Promise<BehaviouralExplanation> {
    const { loaded, valid } = await this.#validQuery(table, query, options.at, this.#running({}).signal)
    return explainBehaviour(loaded, valid)
  }

  async #validQuery(
    table: string,
    query: BehaviouralQuery | string,
    at: AtOption | undefined,
    signal: AbortSignal,
  ): Promise<{ loaded: Table; valid: ValidQuery }> {
    const source = typeof query === 'string' ? parseQueryText(query, this.settings) : query
    const loaded = (await this.#loadAll([table], at, signal)).get(table.toLowerCase())!
    const { columns } = loaded.snapshot.schema
    const valid = validateQuery(source, { columns, keys: loaded.keys }, this.settings)
    requireKeys(loaded)
    return { loaded, valid }
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

  #inputs() {
    return { catalog: this.#catalog, settings: this.settings, root: this.root, spillPath: this.#spillPath() }
  }

  /** A folder of this process's own for data that does not fit into memory; whoever uses it removes it. */
  #spillPath(): string {
    return `${this.root}/.tmp/${process.pid}-${randomBytes(6).toString('hex')}`
  }

  /** Forgets a registered table; its files stay. @throws TABLE_NOT_FOUND, TABLE_KIND */
  async unregister(table: string): Promise<void> {
    await this.#catalog.unregister(table)
  }

  /** Drops a managed table and its data. @throws TABLE_NOT_FOUND, TABLE_KIND */
  async drop(table: string): Promise<void> {
    await this.#catalog.drop(table)
  }

  /** All tables, by name. */
  async tables(): Promise<TableSummary[]> {
    const entries = await this.#catalog.tables()
    // A folder is listed as it was registered, even when it has gone since.
    const load = async (entry: CatalogEntry) =>
      entry.kind === 'registered'
        ? tableOfRegistration(entry.name, decodeRegistration(entry.registration, entry.name))
        : await this.#loadTable(entry)
    return await Promise.all(entries.map(async (entry) => summariseTable(await load(entry))))
  }

  /** Columns, keys, sizes and value ranges of a table; with `files`, each of its files. @throws TABLE_NOT_FOUND */
  async describe(table: string, options: { files?: boolean; at?: AtOption } = {}): Promise<TableDescription> {
    const tables = await this.#loadAll([table], options.at, AbortSignal.timeout(this.settings.queryTimeoutMs))
    return describeTable(tables.get(table.toLowerCase())!, options.files ?? false)
  }

  /** The history of a table, newest last; nothing for a registered one. @throws TABLE_NOT_FOUND */
  async snapshots(table: string): Promise<SnapshotInfo[]> {
    return await this.#catalog.snapshots(table)
  }

  /** Ends the engines and removes spilled data. */
  async close(): Promise<void> {
    await this.#engines.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function readCall(
  first: string | TemplateStringsArray,
  rest: readonly unknown[],
): { text: string; options: SqlOptions } {
  if (typeof first === 'string') return { text: first, options: (rest[0] as SqlOptions | undefined) ?? {} }
  const text = first.reduce((sql, part, k) => (k === 0 ? part : `${sql}$${k}${part}`), '')
  return { text, options: { params: rest as BoundValue[] } }
}

function requireKeys({ name, keys }: Table): void {
  for (const key of ['actor', 'time'] as const) {
    if (keys[key] !== undefined) continue
    const message = `table "${name}" has no ${key} column; import or register it with --${key} COLUMN`
    throw new SkepError('KEY_INVALID', message, { table: name, key })
  }
}
