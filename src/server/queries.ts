/** The queries of a server: those that wait and run, which can be cancelled, and what is known of earlier ones. */
import { randomUUID } from 'node:crypto'
import type { TaskProgress, TaskWatch } from '../coordinator/run-figures.ts'
import type { QueryStats } from '../coordinator/sql.ts'
import { isSkepError, SkepError, toSkepError } from '../errors.ts'
import type { QueryLog } from '../records/query-log.ts'
import type { QueryRecord } from '../records/query-record.ts'
import { LiveWork, type QueryProgress } from './live-work.ts'

/** What is known of a query when it comes. */
export type QueryAsked = Pick<QueryRecord, 'kind' | 'text' | 'table' | 'who' | 'pool'>

/** What is known of it when it is done. */
export type QueryFigures = Partial<Pick<QueryRecord, 'rows' | 'bytes' | 'cost' | 'pool'>> & { stats?: QueryStats }

/** A record, and of a query that runs how far it is. */
export type FollowedRecord = QueryRecord & { progress?: QueryProgress }

/** The request that a query came with, for logs and traces. */
export interface QueryOrigin {
  requestId: string
  /** What a tracer knows the request by. */
  span?: object | undefined
}

/** The end of a query. */
export interface QueryEnd {
  record: QueryRecord
  stats?: QueryStats | undefined
  /** What it failed with. */
  cause?: unknown
  origin?: QueryOrigin | undefined
}

/** Told of every query that has come to its end. */
export type QueryWatcher = (end: QueryEnd) => void

/** A query on its way. */
export class LiveQuery {
  readonly id = randomUUID()
  readonly #controller = new AbortController()
  readonly #began = performance.now()
  readonly #tell: QueryWatcher
  readonly #origin: QueryOrigin | undefined
  readonly #work = new LiveWork()
  #started: number | undefined
  #record: QueryRecord
  /** The error that being cancelled is told as. */
  #reason: SkepError | undefined

  constructor(asked: QueryAsked, tell: QueryWatcher, origin?: QueryOrigin) {
    this.#tell = tell
    this.#origin = origin
    this.#record = { id: this.id, ...asked, state: 'queued', startedAt: new Date().toISOString() }
    tell({ record: this.#record, origin })
  }

  /** Aborted when the query is cancelled. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  get record(): QueryRecord {
    return this.#record
  }

  /** How far it is, once something was told. */
  get progress(): QueryProgress | undefined {
    return this.#work.progress
  }

  /** The record with what is known by now of its work. */
  get detail(): FollowedRecord {
    const { progress } = this
    const work = this.#record.work ?? this.#work.record()
    return { ...this.#record, ...(progress && { progress }), ...(work && { work }) }
  }

  /** Takes in how far it is. */
  tell(fraction: number, tasks?: TaskProgress): void {
    this.#work.told(fraction, tasks)
  }

  /** What its tasks are to be told to. */
  readonly watch: TaskWatch = { onTasks: () => this.#work.begun(), onTask: (task) => this.#work.did(task) }

  /** Ends the query with `CANCELLED`, or with this error. */
  cancel(reason?: SkepError): void {
    if (!this.signal.aborted) this.#reason = reason
    this.#controller.abort()
  }

  /** The error that the caller of the query is told: why it was cancelled, where that is why it failed. */
  errorOf(cause: unknown): unknown {
    return this.#reason && isSkepError(cause, 'CANCELLED') ? this.#reason : cause
  }

  /** It has a place and runs. */
  start(): void {
    this.#started = performance.now()
    this.#change({ state: 'running', queuedMs: Math.round(this.#started - this.#began) })
  }

  /** It has come to its end. Only the first one counts. */
  finish({ stats, ...figures }: QueryFigures): void {
    if (!this.#isOver()) this.#change({ state: 'done', ms: this.#ms(), ...figures, ...this.#worked(stats) }, { stats })
  }

  /** It has failed. Only the first end counts. */
  fail(cause: unknown): void {
    if (this.#isOver()) return
    const state = isSkepError(cause, 'CANCELLED') ? 'cancelled' : 'failed'
    const { code, message } = toSkepError(this.errorOf(cause))
    this.#change({ state, ms: this.#ms(), error: { code, message }, ...this.#worked() }, { cause })
  }

  #worked(stats?: QueryStats): Pick<QueryRecord, 'work'> {
    const work = this.#work.record(stats)
    return work ? { work } : {}
  }

  #isOver(): boolean {
    return this.#record.state !== 'queued' && this.#record.state !== 'running'
  }

  #ms(): number {
    return Math.round(performance.now() - (this.#started ?? performance.now()))
  }

  #change(change: Partial<QueryRecord>, end: Pick<QueryEnd, 'stats' | 'cause'> = {}): void {
    this.#record = { ...this.#record, ...change }
    this.#tell({ record: this.#record, origin: this.#origin, ...end })
  }
}

/** All queries of a server. */
export class Queries {
  readonly #log: QueryLog
  readonly #live = new Map<string, LiveQuery>()
  readonly #watchers: QueryWatcher[] = []
  readonly #ending = new AbortController()

  constructor(log: QueryLog) {
    this.#log = log
  }

  /** Calls `watcher` whenever a query has come to its end. */
  watch(watcher: QueryWatcher): void {
    this.#watchers.push(watcher)
  }

  /** A new query. Somebody has to finish or fail it. */
  begin(asked: QueryAsked, origin?: QueryOrigin): LiveQuery {
    const query: LiveQuery = new LiveQuery(asked, (end) => this.#changed(end), origin)
    this.#live.set(query.id, query)
    return query
  }

  /** The newest first, without the work on them. */
  async list(limit: number | undefined): Promise<FollowedRecord[]> {
    const records = await this.#log.list(limit === undefined ? {} : { limit })
    return records.map(({ work: _, ...record }) => {
      const progress = this.#live.get(record.id)?.progress
      return { ...record, ...(progress && { progress }) }
    })
  }

  /** A query with all that is known of it. @throws QUERY_NOT_FOUND */
  async get(id: string): Promise<FollowedRecord> {
    const found = this.#live.get(id)?.detail ?? (await this.#log.get(id))
    if (found) return found
    throw new SkepError('QUERY_NOT_FOUND', `there is no query "${id}"; GET /queries lists them`, { id })
  }

  /** Cancels a query; one that has come to its end stays as it is. @throws QUERY_NOT_FOUND */
  async cancel(id: string): Promise<QueryRecord> {
    const live = this.#live.get(id)
    live?.cancel()
    return live?.record ?? (await this.get(id))
  }

  /** Aborted, with the error that callers are told, when all are cancelled. */
  get ending(): AbortSignal {
    return this.#ending.signal
  }

  /** Cancels all; their callers are told this error. */
  cancelAll(reason: SkepError): void {
    this.#ending.abort(reason)
    for (const query of this.#live.values()) query.cancel(reason)
  }

  #changed(end: QueryEnd): void {
    const { record } = end
    this.#log.put(record)
    if (record.state === 'queued' || record.state === 'running') return
    this.#live.delete(record.id)
    for (const watcher of this.#watchers) watcher(end)
  }
}
