/** Runs queries in SQL from their text to their rows: whole in one engine, or in tasks on a pool. */
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { DataFile, Table } from '../catalog/types.ts'
import { type EngineKeeper, readingOf } from '../engine/keeper.ts'
import { isSkepError } from '../errors.ts'
import { viewRows } from '../exchange/view-rows.ts'
import { type Estimate, requireAffordable } from '../planner/estimate.ts'
import type { PoolName } from '../planner/plan.ts'
import type { FileChecker } from '../storage/sealed-file.ts'
import { mayComeFromFile, namingFile } from '../worker/whole-files.ts'
import type { AtOption } from './at.ts'
import type { SqlExplanation, SqlOptions, SqlStream } from './calls.ts'
import { chooseSql, estimateSql, type SqlChoice } from './plan-sql.ts'
import type { TaskStats } from './run-figures.ts'
import { type PlanParts, type Running, runningOf, runPlan } from './run-plan.ts'
import {
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
  loadTables(names: readonly string[], at: AtOption | undefined, signal: AbortSignal): Promise<Map<string, Table>>
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
  tasks?: TaskStats
  close(): Promise<void>
}

/** Runs queries of one warehouse. */
export class SqlRunner {
  readonly #parts: QueryParts

  constructor(parts: QueryParts) {
    this.#parts = parts
  }

  /** The rows of a query in batches. */
  async start(text: string, options: SqlOptions): Promise<SqlStream> {
    const started = performance.now()
    const prepared = await this.#prepare(text, options)
    const { files, context } = prepared
    try {
      const { columns, batches } = await stepUnchanged(files, context.options, () => startQuery(context, prepared.text))
      return {
        columns,
        batches: this.#namingFiles(await batchesUnchanged(files, context.options, batches), prepared),
        stats: () => statsOfRun(prepared, started),
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
    if (!mayComeFromFile(error)) return error
    const lease = await this.#parts.engines.lease(readingOf(tables))
    try {
      return await namingFile(error, lease.session, tables, running)
    } finally {
      lease.close()
    }
  }

  /** Writes the rows of a query into a Parquet file; gives their number. */
  async exportTo(text: string, target: string, options: SqlOptions): Promise<{ rows: number; stats: QueryStats }> {
    const started = performance.now()
    const prepared = await this.#prepare(text, options, [dirname(target)])
    const { files, context } = prepared
    try {
      const copy = () => copyToParquet(context, prepared.text, target)
      const rows = await readUnchanged(files, context.options, copy)
      return { rows, stats: statsOfRun(prepared, started) }
    } catch (error) {
      if (isSkepError(error, 'FOLDER_CHANGED')) await rm(target, { force: true })
      throw await this.naming(error, prepared)
    } finally {
      await prepared.close()
    }
  }

  /** What a query would read and do, without running it. */
  async explain(text: string, options: SqlOptions): Promise<SqlExplanation> {
    const prepared = await this.#prepare(text, options, [], 'explain')
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
    text: string,
    options: SqlOptions,
    targets: readonly string[] = [],
    purpose: 'run' | 'explain' = 'run',
  ): Promise<Prepared> {
    const { settings, engines, checker, loadTables, root } = this.#parts
    const running = runningOf(settings, options)
    let tables: Table[] = []
    // A session that was told to allow more than others is not for others.
    let clean = false
    const first = await engines.lease()
    let close = async () => first.close(clean ? 'reusable' : undefined)
    try {
      const context: SqlContext = {
        session: first.session,
        settings,
        checker,
        params: options.params,
        options: running,
      }
      const { analysis, tree } = await readSql(context, text)
      const names = analysis.uses.map(({ table }) => table)
      const loaded = await loadTables(names, options.at, running.signal)
      tables = [...loaded.values()]
      const reading = readingOf(tables, targets)
      if (!first.suits(reading)) {
        first.close()
        const second = await (targets.length > 0 ? engines.leaseOnce(reading) : engines.lease(reading))
        close = async () => second.close(clean ? 'reusable' : undefined)
        context.session = second.session
      }
      clean = analysis.singleCalls === 0
      const bind = () => bindTables(context, analysis, loaded)
      await context.session.run('BEGIN TRANSACTION', running)
      const bound = await stepUnchanged(reading.files, running, bind)
      const estimate = estimateSql(settings, bound.planned)
      requireAffordable(estimate, options)
      const query = { root, text, tree, planned: bound.planned }
      const choice = await chooseSql(context, query, { pool: options.pool ?? (settings.pool as PoolName), purpose })
      const begin = async () => {
        await context.session.run('BEGIN TRANSACTION', running)
        await bind()
      }
      const prepared = {
        context: { ...context, restore: begin },
        text,
        tables,
        running,
        choice,
        estimate,
        ...bound,
        close,
      }
      return choice.divided && purpose === 'run' ? await this.#runTasks(prepared, begin) : prepared
    } catch (error) {
      await close()
      throw await this.naming(error, { tables, running })
    }
  }

  /** Runs the stages of a plan, and makes what they gave known to the session that runs the rest. */
  async #runTasks(prepared: Prepared, begin: () => Promise<void>): Promise<Prepared> {
    const { context, running, choice, files } = prepared
    const { stages, final } = choice.plan!
    const { session } = context
    const rest = { ...prepared, text: final.sql, context: { ...context, params: final.params } }
    // Planning may have failed on the way, which ends a transaction.
    await session.run('ROLLBACK', { signal: running.signal })
    const run = await stepUnchanged(files, running, () => runPlan(this.#parts, stages, choice.pool, running))
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
      return { ...rest, context: { ...rest.context, restore }, tasks: run.stats, close }
    } catch (error) {
      await run[Symbol.asyncDispose]()
      throw error
    }
  }
}

function statsOfRun({ scans, tasks, choice, estimate }: Prepared, started: number): QueryStats {
  const ms = Math.round(performance.now() - started)
  return {
    ...statsOf(scans, tasks?.tasks ?? 1, ms),
    pool: choice.pool,
    ...(tasks && { attempts: tasks.attempts, queuedMs: Math.round(tasks.queuedMs), runMs: Math.round(tasks.runMs) }),
    estimate,
  }
}
