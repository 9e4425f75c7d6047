/** The newest queries that ran over a warehouse, in any process, kept beyond the life of these. */
import { SETTINGS, type Settings } from '../config.ts'
import { SkepError, toSkepError } from '../errors.ts'
import type { ObjectStore } from '../storage/object-store.ts'
import { type Processes, systemProcesses } from '../storage/processes.ts'
import { better, interrupted, isCertain, isOver, newest, type QueryRecord, readRecord } from './query-record.ts'
import { thinned } from './record-work.ts'
import { type Segment, Segments } from './segments.ts'

/** The settings that a log follows. */
export type QueryLogSettings = Pick<Settings, 'queriesKept' | 'leaseRenewMs' | 'leaseGraceMs'>

/** What a simulation may own. */
export interface QueryLogOptions {
  processes?: Processes
  now?: () => number
  /** How often records are written, and what others wrote is looked at, at most. */
  writeMs?: number
  lookMs?: number
}

/**
 * The log of queries. It is a courtesy: no failure of the store reaches its callers. What cannot be written is kept in memory and
 * tried again; `problem` tells. A warehouse that does not exist is not made for it.
 */
export class QueryLog implements AsyncDisposable {
  readonly #segments: Segments
  readonly #settings: QueryLogSettings
  readonly #now: () => number
  readonly #writeMs: number
  readonly #lookMs: number
  /** What this process put, and what it took over from ended ones, by id. */
  #own = new Map<string, QueryRecord>()
  #others: Segment[] = []
  #lookedAt = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined
  #writing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  /** When the timer ends, by the clock of `performance.now`. */
  #due = Number.POSITIVE_INFINITY
  #dirty = false
  #closed = false
  #problem: SkepError | undefined

  private constructor(store: ObjectStore, settings: QueryLogSettings, options: QueryLogOptions) {
    const { processes = systemProcesses(), now = Date.now } = options
    this.#segments = new Segments({ store, processes, now, silentMs: settings.leaseGraceMs })
    this.#settings = settings
    this.#now = now
    this.#writeMs = options.writeMs ?? SETTINGS.queryLogMs.default
    this.#lookMs = options.lookMs ?? SETTINGS.queryLogMs.default
  }

  /** The log of a warehouse, with what other processes have written. Nothing is written before the first record is put. */
  static async open(store: ObjectStore, settings: QueryLogSettings, options: QueryLogOptions = {}): Promise<QueryLog> {
    const log = new QueryLog(store, settings, options)
    await log.#look()
    return log
  }

  /** Why the last attempt to read or write failed; undefined when it did not. */
  get problem(): SkepError | undefined {
    return this.#problem
  }

  /** Takes a record in, in place of the one of its id. It is written about a second later. After `close` nothing happens. @throws ARGUMENT_INVALID for what is no record */
  put(record: QueryRecord): void {
    const read = readRecord(record)
    if (!read) throw new SkepError('ARGUMENT_INVALID', 'not a record of a query', { argument: 'record' })
    if (this.#closed) return
    this.#own.set(read.id, read)
    if (this.#own.size > 2 * this.#settings.queriesKept) this.#trim()
    this.#dirty = true
    this.#schedule(this.#writeMs)
  }

  /** The record of that id, of any process; undefined when there is none, or none any more. */
  async get(id: string): Promise<QueryRecord | undefined> {
    const own = this.#own.get(id)
    if (own && isCertain(own)) return own
    await this.#look()
    return this.#view().find((record) => record.id === id)
  }

  /** The newest records of all processes, newest first. */
  async list({ limit = this.#settings.queriesKept }: { limit?: number } = {}): Promise<QueryRecord[]> {
    await this.#look()
    return this.#view().slice(0, Math.max(0, limit))
  }

  #view(): QueryRecord[] {
    const all = mergeRecords([...this.#own.values()], ...this.#others.map(({ records }) => records))
    return newest(all.values(), this.#settings.queriesKept)
  }

  #trim(): void {
    this.#own = mergeRecords(thinned(newest(this.#own.values(), this.#settings.queriesKept)))
  }

  /** Reads what others wrote, at most once in a while. */
  async #look(): Promise<void> {
    if (this.#now() - this.#lookedAt < this.#lookMs && !this.#looking) return
    this.#looking ??= this.#attempt(async () => {
      this.#others = await this.#segments.others()
    }).finally(() => {
      this.#lookedAt = this.#now()
      this.#looking = undefined
    })
    await this.#looking
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#problem = undefined
    } catch (error) {
      this.#problem = toSkepError(error)
    }
  }

  #schedule(afterMs: number): void {
    const due = performance.now() + afterMs
    if (due >= this.#due || this.#closed) return
    clearTimeout(this.#timer)
    this.#due = due
    this.#timer = setTimeout(() => {
      this.#due = Number.POSITIVE_INFINITY
      void this.#beat()
    }, afterMs)
    this.#timer.unref()
  }

  /** Writes what is new; later again while a query runs, which says that this process lives, or where it failed. */
  async #beat(): Promise<void> {
    if ([...this.#own.values()].some((record) => !isOver(record))) this.#dirty = true
    await this.flush()
    const runs = [...this.#own.values()].some((record) => !isOver(record))
    if (runs || this.#dirty) this.#schedule(this.#settings.leaseRenewMs)
  }

  /** Ends when all that was put is written, or could not be. */
  async flush(): Promise<void> {
    await this.#writing
    if (!this.#dirty) return
    this.#writing ??= this.#attempt(() => this.#write()).finally(() => {
      this.#writing = undefined
    })
    await this.#writing
  }

  async #write(): Promise<void> {
    this.#trim()
    if (!(await this.#segments.hasWarehouse())) return
    const others = await this.#segments.others()
    const ended = others.filter((segment) => segment.ended)
    const own = mergeRecords([...this.#own.values()], ...ended.map(({ records }) => records))
    this.#dirty = false
    try {
      await this.#segments.write(thinned(newest(own.values(), this.#settings.queriesKept)), this.#closed)
    } catch (error) {
      this.#dirty = true
      throw error
    }
    this.#adopt(own)
    this.#others = others.filter((segment) => !segment.ended)
    for (const { path } of ended) await this.#segments.remove(path)
  }

  /** Keeps what was written, unless it is newer here by now. */
  #adopt(written: ReadonlyMap<string, QueryRecord>): void {
    for (const [id, record] of written) if (!this.#own.has(id)) this.#own.set(id, record)
    this.#trim()
  }

  /** Writes what is new, for the last time: what still runs counts as interrupted from now on. */
  async close(): Promise<void> {
    if (this.#closed) return
    clearTimeout(this.#timer)
    this.#closed = true
    if (this.#own.size === 0) return
    await this.#writing
    this.#own = mergeRecords([...this.#own.values()].map(interrupted))
    this.#dirty = true
    await this.flush()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** The records of several lists, by id. */
function mergeRecords(...lists: (readonly QueryRecord[])[]): Map<string, QueryRecord> {
  const merged = new Map<string, QueryRecord>()
  for (const record of lists.flat()) {
    const known = merged.get(record.id)
    merged.set(record.id, known ? better(known, record) : record)
  }
  return merged
}
