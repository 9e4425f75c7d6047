/**
 * DuckDB in its two roles. A fenced engine runs users' SQL: it reads only below its roots and its settings are locked.
 * A private engine does import and maintenance with statements of our own.
 */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBMaterializedResult,
  type DuckDBPreparedStatement,
  type DuckDBResult,
} from '@duckdb/node-api'
import { SETTINGS, type Settings } from '../config.ts'
import { throwIfAborted } from '../errors.ts'
import { isSameFolder } from '../storage/file-tree.ts'
import { removeFolder } from '../storage/temporary.ts'
import { type FailureContext, fromDuckDB, isTimeout, timeoutError } from './duckdb-errors.ts'
import { closeFence, startOptions } from './fence.ts'
import { guardSql, valueLimitSql } from './guards.ts'
import { EngineHealth } from './health.ts'
import { type GuardedQuery, MemoryGuard } from './memory-guard.ts'
import { type BoundValues, bindable } from './parameters.ts'
import { prepareStatement, type RowsMode, resultOf, runNow } from './pending.ts'
import { type FileList, firstValues, listChanges, setSql, type TableView, viewChanges, viewsSql } from './views.ts'
import { StatementWatch } from './watch.ts'

/** What an engine is made with. */
export interface EngineOptions {
  settings: Settings
  /** Folder for spilled data, made when it is needed and removed when the engine is closed. */
  spillPath: string
  /** When given, the engine is fenced in: it reads only below these folders, and its settings are locked. */
  roots?: readonly string[]
  /** The part of the engine's memory that is its own, where several engines share a process; all of it when absent. */
  share?: number | undefined
  /** Called when the engine is found to be of no use any more, because it met a defect of its own. */
  onBroken?: (() => void) | undefined
}

/** How a statement is run. */
export interface RunOptions extends Omit<FailureContext, 'signal'> {
  signal?: AbortSignal | undefined
  params?: BoundValues | undefined
  /** Called a few times a second with the part of the work done, from 0 to 1. */
  onProgress?: ((fraction: number) => void) | undefined
  /** True for a statement that needs no rows of the session's views, only their columns. */
  columnsOnly?: boolean
}

/** One in-memory DuckDB. */
export class Engine implements AsyncDisposable {
  readonly #instance: DuckDBInstance
  readonly #spillPath: string
  readonly #limits: SessionLimits

  private constructor(instance: DuckDBInstance, spillPath: string, limits: SessionLimits) {
    this.#instance = instance
    this.#spillPath = spillPath
    this.#limits = limits
  }

  /** A new engine. */
  static async open({ settings, spillPath, roots, share, onBroken }: EngineOptions): Promise<Engine> {
    // The engine makes only the last folder of the path. Where this one cannot be made, work that spills ends in an error.
    await mkdir(dirname(spillPath)).catch(() => {})
    const instance = await DuckDBInstance.create(
      ':memory:',
      startOptions(settings, spillPath, { fenced: roots !== undefined, share }),
    )
    // Threads of all engines that share the memory make values.
    const memory = roots && {
      memory: new MemoryGuard(settings),
      setup: valueLimitSql({ ...settings, threads: settings.threads / (share ?? 1) }),
    }
    const health = new EngineHealth(() => instance.connect(), onBroken)
    const limits = { graceMs: settings.interruptGraceMs, health, isShared: roots !== undefined, ...memory }
    const engine = new Engine(instance, spillPath, limits)
    const session = await engine.session()
    await session.run(`SET GLOBAL TimeZone = 'UTC'`)
    await session.run(`SET GLOBAL parquet_metadata_cache = true`)
    if (roots) {
      // Whoever keeps a fenced engine knows which versions of files it has read: see the keeper.
      await session.run(`SET GLOBAL validate_external_file_cache = 'NO_VALIDATION'`)
      await session.run(guardSql(settings).join('; '))
      await closeFence(session, roots)
    }
    session.close()
    return engine
  }

  /** A new session: its temporary views are its own. */
  async session(): Promise<Session> {
    const session = new Session(await this.#instance.connect(), this.#limits)
    const setup = this.#limits.setup ?? ''
    try {
      await session.run(`SET enable_progress_bar = true; SET enable_progress_bar_print = false; ${setup}`)
      return session
    } catch (error) {
      session.close()
      throw error
    }
  }

  /** Ends the engine and removes what it spilled. Sessions must have been closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#instance.closeSync()
    await removeFolder(this.#spillPath)
  }
}

/** What bounds the statements of a session. The memory of a fenced engine is guarded, and its statements run on threads of its own. */
interface SessionLimits {
  graceMs: number
  health: EngineHealth
  /** False for an engine that nobody uses but for one thing: whatever breaks it is a part of that. */
  isShared: boolean
  memory?: MemoryGuard
  /** A statement for every session. */
  setup?: string
}

const BEGIN = 'BEGIN TRANSACTION'
/** A statement that no transaction refuses but one that is aborted. */
const ANYTHING = 'SELECT 1'

/** One connection of an engine; runs one statement at a time. */
export class Session implements Disposable {
  readonly connection: DuckDBConnection
  readonly #limits: SessionLimits
  #query: GuardedQuery | undefined
  #stuck: Promise<void> | undefined
  /** Views that were made outside of transactions: what made them, by name. */
  #shown: ReadonlyMap<string, string> = new Map()
  /** The lists of files that they read, and what the variables of these have. */
  #lists: readonly FileList[] = []
  #values: ReadonlyMap<string, string> = new Map()
  /** True when a transaction is to begin. */
  #isDue = false
  /** False while it is not known which those are. */
  #isSound = true
  /** Statements of ours that are run again and again, planned. */
  readonly #kept = new Map<string, DuckDBPreparedStatement>()

  constructor(connection: DuckDBConnection, limits: SessionLimits) {
    this.connection = connection
    this.#limits = limits
  }

  /** The end of a statement that went on after it was given up, if there was one: its threads are its own until then. */
  get stuck(): Promise<void> | undefined {
    return this.#stuck
  }

  /**
   * Has these views of files, and no others, known to later statements, outside of any transaction. The next call that wants the
   * same finds them there.
   */
  async show(views: readonly TableView[], options: RunOptions = {}): Promise<void> {
    const { views: wanted, lists } = viewsSql(views)
    const changes = [...listChanges(this.#values, lists), ...viewChanges(this.#shown, wanted)]
    this.#lists = []
    if (changes.length > 0) {
      this.#isSound = false
      await this.run(changes.join(';\n'), withoutQuery(options))
      this.#isSound = true
    }
    this.#shown = wanted
    this.#lists = lists
    this.#values = firstValues(lists)
  }

  /** Has the next statement begin a transaction. */
  begin(): void {
    this.#isDue = true
  }

  /** Ends the transaction that is open or due, and with it what was made in it. */
  async rollback(options: RunOptions = {}): Promise<void> {
    if (!this.#isDue) await this.run('ROLLBACK', { ...withoutQuery(options), columnsOnly: true })
    this.#isDue = false
  }

  /** Runs a statement and keeps its whole result. @throws what {@link fromDuckDB} makes of DuckDB's error */
  async run(sql: string, options: RunOptions = {}): Promise<DuckDBMaterializedResult> {
    if (this.#limits.memory && options.userSql)
      return (await this.#inSteps(sql, options, 'kept')) as DuckDBMaterializedResult
    await this.#fill(options)
    const { values, types } = bindable(options.params)
    return this.#guard({ ...options, sql }, () => this.connection.run(sql, values, types))
  }

  /** Runs a query and gives its rows as objects keyed by column, integers and all as DuckDB's JavaScript values. For small results of our own queries. */
  async rows<T>(sql: string, options: RunOptions = {}): Promise<T[]> {
    const result = await this.run(sql, options)
    return (await result.getRowObjectsJS()) as T[]
  }

  /** As {@link rows}, for a statement of ours with one text that it binds: it is planned once in a session. */
  async ask<T>(sql: string, text: string, options: RunOptions = {}): Promise<T[]> {
    const result = await this.#guard({ ...withoutQuery(options), sql }, async () => {
      const statement = await this.#keep(sql)
      statement.bindVarchar(1, text)
      if (text.length > SETTINGS.quickSqlCharacters.default) return await statement.run()
      return (await runNow(statement).getResult()) as DuckDBMaterializedResult
    })
    return (await result.getRowObjectsJS()) as T[]
  }

  async #keep(sql: string): Promise<DuckDBPreparedStatement> {
    const kept = this.#kept.get(sql) ?? (await this.connection.prepare(sql))
    this.#kept.set(sql, kept)
    return kept
  }

  /** Starts a query whose chunks are fetched with {@link fetch}: memory stays bounded whatever the size of the result. */
  async stream(sql: string, options: RunOptions = {}): Promise<DuckDBResult> {
    await this.#keep(ANYTHING)
    if (this.#limits.memory) return await this.#inSteps(sql, options, 'streamed')
    await this.#fill(options)
    const { values, types } = bindable(options.params)
    return this.#guard({ ...options, sql }, () => this.connection.stream(sql, values, types))
  }

  async #inSteps(sql: string, options: RunOptions, mode: RowsMode): Promise<DuckDBResult> {
    const bound = bindable(options.params)
    const guarded = { ...options, sql }
    using prepared = await this.#guard(guarded, () => prepareStatement(this.connection, sql, bound))
    const folders = options.columnsOnly ? [] : this.#lists.flatMap(({ listed }) => listed?.folder ?? [])
    if (folders.length > 0) {
      await this.#fill(options, (list) => list.listed?.sql ?? list.all())
      const pending = await this.#guard(guarded, async () => prepared.start(mode))
      const isAsPlanned = folders.every(({ path, version }) => isSameFolder(path, version))
      if (isAsPlanned) return await this.#guard(guarded, () => resultOf(pending))
      // The engine may have found other files than the query is about: it is told their names.
    }
    await this.#fill(options)
    return await this.#guard(guarded, () => resultOf(prepared.start(mode)))
  }

  /** Begins the transaction that is due, and gives the views all their files, by name unless told otherwise, for a statement that reads them. */
  async #fill(options: RunOptions, filesOf = (list: FileList) => list.all()): Promise<void> {
    const lists = options.columnsOnly ? [] : this.#lists
    const values = new Map(lists.map((list) => [list.variable, filesOf(list)]))
    const changes = [...values].filter(([variable, value]) => this.#values.get(variable) !== value)
    const isDue = this.#isDue
    this.#isDue = false
    if (changes.length > 0) {
      const sets = changes.map(([variable, value]) => setSql(variable, value))
      const sql = [...(isDue ? [BEGIN] : []), ...sets].join(';\n')
      this.#isSound = false
      await this.#guard({ ...withoutQuery(options), sql }, () => this.connection.run(sql))
      this.#isSound = true
      this.#values = values
    } else if (isDue) {
      await this.#guard({ ...withoutQuery(options), sql: BEGIN }, async () => {
        await runNow(await this.#keep(BEGIN)).getResult()
      })
    }
  }

  /** Runs `step` (a fetch from a streamed result) under the same guard as {@link run}. */
  async fetch<T>(step: () => Promise<T>, options: RunOptions = {}): Promise<T> {
    return this.#guard(options, step)
  }

  /** True when something failed in the transaction that is open, also where it could not say so: a stream that ends half way. */
  async isAborted(): Promise<boolean> {
    try {
      const anything = this.#kept.get(ANYTHING)
      // A result that nobody takes would keep the whole engine until the garbage collector comes.
      if (anything) await runNow(anything).getResult()
      return false
    } catch (error) {
      if (/transaction is aborted/.test(String(error))) return true
      this.#limits.health.note(error)
      throw fromDuckDB(error, { isShared: this.#limits.isShared })
    }
  }

  /**
   * Makes the session as good as new, but for its views: what it made since it began a transaction is gone. False when it is not, and has to be closed.
   */
  async reset(): Promise<boolean> {
    if (this.#stuck || !this.#isSound) return false
    this.#query = undefined
    try {
      const ends = this.#isDue ? [] : ['ROLLBACK']
      await this.connection.run([...ends, ...listChanges(this.#values, this.#lists)].join(';\n') || ANYTHING)
      this.#isDue = false
      this.#values = firstValues(this.#lists)
      return true
    } catch (error) {
      // There was no transaction, and what it made is there still; or the engine is not, which is the next one's to know.
      this.#limits.health.note(error)
      return false
    }
  }

  /** Ends the session; one whose statement was given up ends with that statement. */
  close(): void {
    if (!this.#stuck) this.connection.closeSync()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #guard<T>(options: RunOptions & Pick<FailureContext, 'sql'>, step: () => Promise<T>): Promise<T> {
    throwIfEnded(options)
    const watch = new StatementWatch(this.connection, { ...options, ...this.#watched(options) })
    // What a step throws at once is told like what it fails with later.
    const running = (async () => await step())()
    try {
      const result = await Promise.race([running, watch.overdue])
      // An interrupted stream may end like one that is complete.
      throwIfEnded(options)
      return result
    } catch (error) {
      if (watch.isOverdue) this.#giveUp(running)
      const { health, isShared } = this.#limits
      await health.look(error)
      throw watch.isOverdue ? error : fromDuckDB(error, { ...options, ended: watch.reason(), isShared })
    } finally {
      watch.end()
    }
  }

  #watched({ userSql }: RunOptions): { graceMs: number; memory?: GuardedQuery } {
    const { graceMs, memory } = this.#limits
    if (!memory || !userSql) return { graceMs }
    this.#query ??= memory.begin()
    return { graceMs, memory: this.#query }
  }

  /** Leaves a statement to itself; the session ends when it has. */
  #giveUp(running: Promise<unknown>): void {
    const interrupting = setInterval(() => this.connection.interrupt(), 100)
    const end = () => {
      clearInterval(interrupting)
      this.connection.closeSync()
    }
    this.#stuck = running.then(end, end)
  }
}

/** What other statements of the same call are run with. */
export function withoutQuery({ signal, timeoutMs }: RunOptions): RunOptions {
  return { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) }
}

/** Ends a query whose time is over or whose caller has left. @throws QUERY_TIMEOUT, CANCELLED */
export function throwIfEnded({ signal, timeoutMs }: RunOptions): void {
  if (isTimeout(signal)) throw timeoutError(timeoutMs ?? 0)
  throwIfAborted(signal)
}
