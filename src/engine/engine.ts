/**
 * DuckDB in its two roles. A fenced engine runs users' SQL: it reads only below its roots and its settings are locked.
 * A private engine does import and maintenance with statements of our own.
 */
import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBMaterializedResult,
  type DuckDBResult,
} from '@duckdb/node-api'
import { quoteString } from '../common/data-type.ts'
import type { Settings } from '../config.ts'
import { throwIfAborted } from '../errors.ts'
import { removeFolder } from '../storage/temporary.ts'
import { type FailureContext, fromDuckDB, isTimeout, timeoutError } from './duckdb-errors.ts'
import { type BoundValues, bindable } from './parameters.ts'

/** DuckDB's own share of the memory of a process; the rest is for Node, the allocator and results. */
const ENGINE_SHARE = 0.65

/** How often an interrupt is repeated until the statement has noticed it. */
const INTERRUPT_EVERY_MS = 20

/** What an engine is made with. */
export interface EngineOptions {
  settings: Settings
  /** Folder for spilled data, made when it is needed and removed when the engine is closed. */
  spillPath: string
  /** When given, the engine is fenced in: it reads only below these folders, and its settings are locked. */
  roots?: readonly string[]
}

/** How a statement is run. */
export interface RunOptions extends Omit<FailureContext, 'signal'> {
  signal?: AbortSignal | undefined
  params?: BoundValues | undefined
  /** Called a few times a second with the part of the work done, from 0 to 1. */
  onProgress?: ((fraction: number) => void) | undefined
}

/** One in-memory DuckDB. */
export class Engine implements AsyncDisposable {
  readonly #instance: DuckDBInstance
  readonly #spillPath: string

  private constructor(instance: DuckDBInstance, spillPath: string) {
    this.#instance = instance
    this.#spillPath = spillPath
  }

  /** A new engine. */
  static async open({ settings, spillPath, roots }: EngineOptions): Promise<Engine> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(settings.threads),
      memory_limit: `${Math.floor((settings.memoryBytes * ENGINE_SHARE) / 1024)}KiB`,
      temp_directory: spillPath,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    })
    const engine = new Engine(instance, spillPath)
    const session = await engine.session()
    await session.run(`SET GLOBAL TimeZone = 'UTC'`)
    await session.run(`SET GLOBAL parquet_metadata_cache = true`)
    if (roots) await fence(session, roots)
    session.close()
    return engine
  }

  /** A new session: its temporary views are its own. */
  async session(): Promise<Session> {
    const session = new Session(await this.#instance.connect())
    await session.run('SET enable_progress_bar = true; SET enable_progress_bar_print = false')
    return session
  }

  /** Ends the engine and removes what it spilled. Sessions must have been closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#instance.closeSync()
    await removeFolder(this.#spillPath)
  }
}

async function fence(session: Session, roots: readonly string[]): Promise<void> {
  await session.run(`SET GLOBAL allowed_directories = [${roots.map(quoteString).join(', ')}]`)
  await session.run('SET GLOBAL enable_external_access = false')
  // Sessions switch on the counting of progress for themselves; nothing else stays open.
  await session.run(`SET GLOBAL allowed_configs = ['enable_progress_bar', 'enable_progress_bar_print']`)
  await session.run('SET GLOBAL lock_configuration = true')
}

/** One connection of an engine; runs one statement at a time. */
export class Session implements Disposable {
  readonly connection: DuckDBConnection

  constructor(connection: DuckDBConnection) {
    this.connection = connection
  }

  /** Runs a statement and keeps its whole result. @throws what {@link fromDuckDB} makes of DuckDB's error */
  async run(sql: string, options: RunOptions = {}): Promise<DuckDBMaterializedResult> {
    return this.#guard(options, () => {
      const { values, types } = bindable(options.params)
      return this.connection.run(sql, values, types)
    })
  }

  /** Runs a query and gives its rows as objects keyed by column, integers and all as DuckDB's JavaScript values. For small results of our own queries. */
  async rows<T>(sql: string, options: RunOptions = {}): Promise<T[]> {
    const result = await this.run(sql, options)
    return (await result.getRowObjectsJS()) as T[]
  }

  /** Starts a query whose chunks are fetched with {@link fetch}: memory stays bounded whatever the size of the result. */
  async stream(sql: string, options: RunOptions = {}): Promise<DuckDBResult> {
    return this.#guard(options, () => {
      const { values, types } = bindable(options.params)
      return this.connection.stream(sql, values, types)
    })
  }

  /** Runs `step` (a fetch from a streamed result) under the same guard as {@link run}. */
  async fetch<T>(step: () => Promise<T>, options: RunOptions = {}): Promise<T> {
    return this.#guard(options, step)
  }

  /** Ends the session. */
  close(): void {
    this.connection.closeSync()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  async #guard<T>(options: RunOptions, step: () => Promise<T>): Promise<T> {
    throwIfEnded(options)
    const watch = this.#watch(options)
    try {
      const result = await step()
      // An interrupted stream may end like one that is complete.
      throwIfEnded(options)
      return result
    } catch (error) {
      throw fromDuckDB(error, options)
    } finally {
      watch()
    }
  }

  /** Interrupts the statement once the signal is aborted, and reports progress; the returned function ends both. */
  #watch({ signal, onProgress }: RunOptions): () => void {
    if (!signal && !onProgress) return () => {}
    let interrupting: NodeJS.Timeout | undefined
    const interrupt = () => {
      this.connection.interrupt()
      interrupting ??= setInterval(() => this.connection.interrupt(), INTERRUPT_EVERY_MS)
    }
    signal?.addEventListener('abort', interrupt)
    const reporting = onProgress && setInterval(() => this.#report(onProgress), 100)
    return () => {
      signal?.removeEventListener('abort', interrupt)
      clearInterval(interrupting)
      clearInterval(reporting)
    }
  }

  #report(onProgress: (fraction: number) => void): void {
    const { percentage } = this.connection.progress
    if (percentage >= 0) onProgress(Math.min(1, percentage / 100))
  }
}

/** Ends a query whose time is over or whose caller has left. @throws QUERY_TIMEOUT, CANCELLED */
export function throwIfEnded({ signal, timeoutMs }: RunOptions): void {
  if (isTimeout(signal)) throw timeoutError(timeoutMs ?? 0)
  throwIfAborted(signal)
}
