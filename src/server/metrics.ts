/** What a server counts and measures, for Prometheus. No label takes a text of users, so that the series stay few. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { WorkerInfo } from '../pool/pool.ts'
import type { QueryEnd } from './queries.ts'

/** What is measured when metrics are asked for. */
export interface MetricSources {
  load(): { running: number; waiting: number }
  workers(): WorkerInfo[]
  isReady(): boolean
}

/** A request that was answered, or whose caller left. */
export interface RequestFigures {
  /** The pattern of its route, never its path. */
  route: string
  method: string
  status: number
  seconds: number
}

const SHORT_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const LONG_SECONDS = [...SHORT_SECONDS, 60, 120, 300, 600]

/** The metrics of one server. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #queries = this.#counter('skep_queries_total', 'Queries and imports that came to their end', [
    'kind',
    'outcome',
  ])
  readonly #errors = this.#counter(
    'skep_query_errors_total',
    'Queries and imports that failed, by the code of the error',
    ['kind', 'code'],
  )
  readonly #seconds = this.#histogram('skep_query_seconds', 'Time that queries and imports ran', LONG_SECONDS, [
    'kind',
    'outcome',
  ])
  readonly #queued = this.#histogram(
    'skep_query_queue_seconds',
    'Time that they waited for their place',
    SHORT_SECONDS,
    ['kind'],
  )
  readonly #phases = this.#counter(
    'skep_query_phase_seconds_total',
    'Time in the phases of queries, over all their tasks',
    ['phase'],
  )
  readonly #rows = this.#counter('skep_rows_scanned_total', 'Rows of the files that queries had to read', [])
  readonly #bytes = this.#counter('skep_bytes_scanned_total', 'Bytes of the files that queries had to read', [])
  readonly #files = this.#counter('skep_files_scanned_total', 'Data files that queries had to read', [])
  readonly #pruned = this.#counter('skep_files_pruned_total', 'Data files that queries did not have to read', [])
  readonly #rowsIn = this.#counter('skep_rows_imported_total', 'Rows that imports brought', [])
  readonly #bytesIn = this.#counter('skep_bytes_imported_total', 'Bytes of the data files that imports wrote', [])
  readonly #hits = this.#counter('skep_cache_hits_total', 'Pieces of metadata of tables that were remembered', [])
  readonly #misses = this.#counter('skep_cache_misses_total', 'Pieces of metadata of tables that were read', [])
  readonly #tasks = this.#counter(
    'skep_tasks_total',
    'Tasks that were done; a query that is not divided counts as one',
    ['start'],
  )
  readonly #retries = this.#counter(
    'skep_task_retries_total',
    'Tries at tasks that failed or whose worker fell silent',
    [],
  )
  readonly #cost = this.#counter('skep_cost_dollars_total', 'Dollars that workers cost which are paid by use', [])
  readonly #requests = this.#counter('skep_http_requests_total', 'Requests', ['route', 'method', 'status'])
  readonly #requestSeconds = this.#histogram('skep_http_request_seconds', 'Time of requests', LONG_SECONDS, [
    'route',
    'method',
  ])

  constructor(sources: MetricSources) {
    this.#gauge('skep_queries_running', 'Queries and imports that hold a place', () => sources.load().running)
    this.#gauge('skep_queries_waiting', 'Queries and imports that wait for one', () => sources.load().waiting)
    this.#gauge('skep_ready', '1 while queries are taken', () => Number(sources.isReady()))
    this.#workers(sources)
    collectDefaultMetrics({ register: this.#registry })
  }

  /** The content type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** All metrics in the text format of Prometheus. */
  async text(): Promise<string> {
    return await this.#registry.metrics()
  }

  /** Counts a request. */
  requested({ route, method, status, seconds }: RequestFigures): void {
    this.#requests.inc({ route, method, status: String(status) })
    this.#requestSeconds.observe({ route, method }, seconds)
  }

  /** Counts a query. */
  ended({ record, stats }: QueryEnd): void {
    const { kind, state: outcome, ms, queuedMs, error } = record
    this.#queries.inc({ kind, outcome })
    if (error) this.#errors.inc({ kind, code: error.code })
    if (queuedMs !== undefined) {
      this.#queued.observe({ kind }, queuedMs / 1000)
      this.#seconds.observe({ kind, outcome }, (ms ?? 0) / 1000)
    }
    if (kind === 'import') {
      this.#rowsIn.inc(record.rows ?? 0)
      this.#bytesIn.inc(record.bytes ?? 0)
    }
    if (stats) this.#scanned(stats)
  }

  #scanned(stats: NonNullable<QueryEnd['stats']>): void {
    this.#rows.inc(stats.rows)
    this.#bytes.inc(stats.bytes)
    this.#files.inc(stats.files)
    this.#pruned.inc(stats.filesPruned)
    this.#hits.inc(stats.cache.hits)
    this.#misses.inc(stats.cache.misses)
    this.#tasks.inc({ start: 'cold' }, stats.coldTasks)
    this.#tasks.inc({ start: 'warm' }, stats.warmTasks)
    this.#retries.inc(stats.failedAttempts ?? 0)
    this.#cost.inc(stats.cost ?? 0)
    for (const [phase, { totalMs }] of Object.entries(stats.phases))
      this.#phases.inc({ phase }, Math.max(0, totalMs) / 1000)
  }

  #workers(sources: MetricSources): void {
    const states = ['idle', 'busy', 'ending'] as const
    new Gauge({
      name: 'skep_workers',
      help: 'Workers of the pools that have been asked for',
      labelNames: ['pool', 'state'],
      registers: [this.#registry],
      collect() {
        this.reset()
        const workers = sources.workers()
        for (const pool of new Set(workers.map((worker) => worker.pool))) {
          for (const state of states) {
            this.set({ pool, state }, workers.filter((worker) => worker.pool === pool && worker.state === state).length)
          }
        }
      },
    })
  }

  #counter<const L extends string>(name: string, help: string, labelNames: L[]): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #histogram<const L extends string>(name: string, help: string, buckets: number[], labelNames: L[]): Histogram<L> {
    return new Histogram({ name, help, buckets, labelNames, registers: [this.#registry] })
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read())
      },
    })
  }
}
