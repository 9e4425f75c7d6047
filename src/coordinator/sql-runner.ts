/** Runs queries in SQL from their text to their rows: whole in one engine, or in tasks on a pool. */
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { DataFile, Table } from '../catalog/types.ts'
import type { Settings } from '../config.ts'
import { isTimeout, timeoutError } from '../engine/duckdb-errors.ts'
import { type EngineKeeper, readingOf, type SessionLease } from '../engine/keeper.ts'
import { isSkepError } from '../errors.ts'
import { viewRows } from '../exchange/view-rows.ts'
import { type Estimate, requireAffordable } from '../planner/estimate.ts'
import type { CacheUse } from '../storage/cache-use.ts'
import type { FileChecker } from '../storage/sealed-file.ts'
import { mayComeFromFile, namingFile } from '../worker/whole-files.ts'
import type { AtOption } from './at.ts'
import { poolOf, type SqlExplanation, type SqlOptions, type SqlStream } from './calls.ts'
import type { ComposedQuery } from './document.ts'
import { chooseSql, estimateSql, type SqlChoice } from './plan-sql.ts'
import { QueryWork } from './query-work.ts'
import { type PlanParts, type Running, runningOf, runPlan } from './run-plan.ts'
import {
  type BoundTables,
  bindTables,
  copyToParquet,
  explainPlan,
  type QueryStats,
  readSql,
  type SqlContext,
  startQuery,
  statsOf,
  type TableScan,
} from './sql.ts'
import { batchesUnchanged, readUnchanged, stepUnchanged } from './unchanged.ts'

/** What running queries needs of a warehouse. */
export interface QueryParts extends PlanParts {
  engines: EngineKeeper
  checker: FileChecker
  /** The tables of these names, by lower-case name. */
  loadTables(
    names: readonly string[],
    at: AtOption | undefined,
    options: { signal: AbortSignal; cacheUse: CacheUse },
  ): Promise<Map<string, Table>>
}

/** A query whose tables are bound, and whose tasks have run. */
interface Prepared {
  context: SqlContext
  /** What is left to be run. */
  text: string
  tables: readonly Table[]
  running: Running
  scans: TableScan[]
  files: DataFile[]
  choice: SqlChoice
  estimate: Estimate
  record: QueryWork
  /** Tells that its files were found unchanged after it had read them. */
  confirm(): void
  close(): Promise<void>
}

/** The text of a query over tables of the warehouse, or one with its own tables. */
export type AskedQuery = string | ComposedQuery

/** What differs between texts and composed queries. */
interface Asked {
  text: string
  settings: Settings
  load(names: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Table>>
  /** What is told of the scans of its tables. */
  scansOf(bound: BoundTables): TableScan[]
  record: QueryWork
}

/** Runs queries of one warehouse. */
export class SqlRunner {
  readonly #parts: QueryParts

  constructor(parts: QueryParts) {
    this.#parts = parts
  }

  /** The rows of a query in batches. */
  async start(query: AskedQuery, options: SqlOptions): Promise<SqlStream> {
    const prepared = await this.#prepare(query, options)
    const { files, context, record } = prepared
    try {
      const { columns, batches } = await stepUnchanged(files, context.options, () => startQuery(context, prepared.text))
      const options = { ...context.options, onUnchanged: prepared.confirm }
      return {
        columns,
        batches: record.timed(this.#namingFiles(await batchesUnchanged(files, options, batches), prepared)),
        stats: () => statsOfRun(prepared),
        [Symbol.asyncDispose]: async () => await prepared.close(),
      }
    } catch (error) {
      await prepared.close()
      throw await this.naming(error, prepared)
    }
  }

  async *#namingFiles<T>(batches: AsyncIterable<T>, query: Prepared): AsyncGenerator<T> {
    try {
      yield* batches
    } catch (error) {
      throw await this.naming(error, query)
    }
  }

  /** The error of a query over tables; where it comes from one of their files, it names it. */
  async naming(
    error: unknown,
    { tables, running }: { tables: readonly Table[]; running: Omit<Running, 'onProgress'> },
  ): Promise<unknown> {
    // Whoever waited for a file or an object knows of an end, and not why.
    if (isSkepError(error, 'CANCELLED') && isTimeout(running.signal)) return timeoutError(running.timeoutMs)
    if (!mayComeFromFile(error)) return error
    const lease = await this.#parts.engines.lease(readingOf(tables))
    try {
      return await namingFile(error, lease.session, tables, running)
    } finally {
      lease.close()
    }
  }

  /** Writes the rows of a query into a Parquet file; gives their number. */
  async exportTo(query: AskedQuery, target: string, options: SqlOptions): Promise<{ rows: number; stats: QueryStats }> {
    const prepared = await this.#prepare(query, options, [dirname(target)])
    const { files, context } = prepared
    try {
      const copy = () => copyToParquet(context, prepared.text, target)
      const rows = await readUnchanged(files, context.options, copy)
      return { rows, stats: statsOfRun(prepared) }
    } catch (error) {
      if (isSkepError(error, 'FOLDER_CHANGED')) await rm(target, { force: true })
      throw await this.naming(error, prepared)
    } finally {
      await prepared.close()
    }
  }

  /** What a query would read and do, without running it. */
  async explain(query: AskedQuery, options: SqlOptions): Promise<SqlExplanation> {
    const prepared = await this.#prepare(query, options, [], 'explain')
    const { scans, choice, estimate } = prepared
    try {
      return {
        tables: scans,
        pool: choice.pool,
        divided: choice.divided,
        why: choice.why,
        estimate,
        ...(choice.plan && { stages: choice.plan.stages, final: choice.plan.final.sql }),
        plan: await this.#enginePlan(prepared),
      }
    } finally {
      await prepared.close()
    }
  }

  /** The engine's plan of what it runs itself. */
  async #enginePlan({ context, text, choice }: Prepared): Promise<string> {
    const { plan, divided } = choice
    if (!plan || !divided) return await explainPlan(context, text)
    return await explainPlan({ ...context, params: plan.final.params }, plan.final.sql)
  }

  async #prepare(
    query: AskedQuery,
    options: SqlOptions,
    targets: readonly string[] = [],
    purpose: 'run' | 'explain' = 'run',
  ): Promise<Prepared> {
    const { engines, checker, root } = this.#parts
    const asked = this.#asked(query, options)
    const { text, settings, record } = asked
    const running = runningOf(settings, options)
    let tables: Table[] = []
    // A session that was told to allow more than others is not for others.
    let clean = false
    const first = await engines.lease()
    let lease = first
    const close = async () => lease.close(clean ? 'reusable' : undefined)
    try {
      const context: SqlContext = {
        session: first.session,
        settings,
        checker,
        record,
        params: options.params,
        options: running,
        ...(typeof query === 'string' && { ownSql: query }),
      }
      const { analysis, tree } = await readSql(context, text)
      const names = analysis.uses.map(({ table }) => table)
      const loaded = await asked.load(names, running.signal)
      tables = [...loaded.values()]
      const reading = readingOf(tables, targets)
      if (!first.suits(reading)) {
        first.close()
        lease = await (targets.length > 0 ? engines.leaseOnce(reading) : engines.lease(reading))
        context.session = lease.session
      }
      clean = analysis.singleCalls === 0
      const bind = () => bindTables(context, analysis, loaded)
      const bound = await stepUnchanged(reading.files, running, bind)
      const estimate = estimateSql(settings, bound.planned)
      requireAffordable(estimate, options)
      const reads = { root, text, tree, planned: bound.planned }
      const choice = await chooseSql(context, reads, { pool: poolOf(settings, options), purpose })
      const prepared = {
        context: { ...context, restore: bind },
        text,
        tables,
        running,
        choice,
        estimate,
        ...bound,
        scans: asked.scansOf(bound),
        record,
        confirm: () => lease.confirm(),
        close,
      }
      if (purpose === 'explain') return prepared
      if (settings.split === 'auto') return planned(prepared, lease)
      // Planning may have failed on the way, which ends a transaction.
      await context.session.rollback(running)
      if (choice.divided) return await this.#runTasks(prepared, bind)
      await bind()
      return planned(prepared, lease)
    } catch (error) {
      await close()
      throw await this.naming(error, { tables, running })
    }
  }

  #asked(query: AskedQuery, { at }: SqlOptions): Asked {
    const { settings, loadTables } = this.#parts
    if (typeof query === 'string') {
      const record = new QueryWork()
      const { cacheUse } = record
      const load = (names: readonly string[], signal: AbortSignal) => loadTables(names, at, { signal, cacheUse })
      return { text: query, settings, load, scansOf: ({ scans }) => scans, record }
    }
    const { text, tables, dropped, partsMax, record } = query
    const load = async (names: readonly string[]) => {
      const read = new Set(names.map((name) => name.toLowerCase()))
      return new Map([...tables].filter(([key]) => read.has(key)))
    }
    const scansOf = ({ scans, planned }: BoundTables) =>
      [...planned.keys()].map((key, k) => {
        const scan = scans[k]!
        return { ...scan, filesPruned: scan.filesPruned + (dropped.get(key) ?? 0) }
      })
    return { text, settings: { ...settings, partsMax }, load, scansOf, record }
  }

  /** Runs the stages of a plan, and makes what they gave known to the session that runs the rest. */
  async #runTasks(prepared: Prepared, begin: () => Promise<unknown>): Promise<Prepared> {
    const { context, running, choice, files, record } = prepared
    const { stages, final } = choice.plan!
    const { session } = context
    const rest = { ...prepared, text: final.sql, context: { ...context, params: final.params } }
    record.planned()
    const run = await stepUnchanged(files, running, () => runPlan(this.#parts, stages, choice.pool, running))
    record.ran(run)
    try {
      const columns = new Map(stages.map(({ id, work }) => [id, work.kind === 'sql' ? work.columns : []]))
      const restore = async () => {
        await begin()
        for (const name of final.reads) {
          const rows = run.results.get(name)!.map((result) => result.rows)
          await viewRows(session, name, rows, { exchange: run.exchange, columns: columns.get(name)!, run: running })
        }
      }
      await restore()
      const close = async () => {
        await prepared.close()
        await run[Symbol.asyncDispose]()
      }
      return { ...rest, context: { ...rest.context, restore }, close }
    } catch (error) {
      await run[Symbol.asyncDispose]()
      throw error
    }
  }
}

/** The query, from now on run by this process: as one task of the engine. */
function planned(prepared: Prepared, lease: SessionLease): Prepared {
  if (lease.beginTask()) prepared.record.wasCold()
  prepared.record.planned()
  return prepared
}

function statsOfRun({ scans, choice, estimate, record }: Prepared): QueryStats {
  const { pool } = choice
  // Where all files were ruled out there is nothing to do.
  const tasks = scans.length > 0 ? Math.min(1, estimate.tasks) : 1
  return { ...statsOf(scans, tasks), ms: record.ms, pool, estimate, ...record.stats() }
}
