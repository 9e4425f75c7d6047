/** Traces by OpenTelemetry; loaded only where a collector is named. */
import { type Context, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Log } from './log.ts'
import type { QueryEnd } from './queries.ts'
import type { TracedRequest, TraceOptions, Traces } from './traces.ts'

const PROPAGATOR = new W3CTraceContextPropagator()

/** Sends spans to a collector, in batches and beside the work. */
export class OtelTraces implements Traces {
  readonly #provider: TracerProvider
  readonly #tracer: Tracer
  readonly #log: Log
  readonly #flushMs: number

  constructor({ url, version, serviceName, log, intervalMs, exportMs, flushMs }: TraceOptions) {
    this.#log = log
    this.#flushMs = flushMs
    const exporter = new TellingExporter(new OTLPTraceExporter({ url, timeoutMillis: exportMs }), log)
    const own = resourceFromAttributes({ 'service.name': serviceName, 'service.version': version })
    this.#provider = new TracerProvider({
      resource: own.merge(detectResources({ detectors: [envDetector] })),
      spanProcessors: [
        new BatchSpanProcessor({ exporter, scheduledDelayMillis: intervalMs, exportTimeoutMillis: exportMs }),
      ],
    })
    this.#tracer = this.#provider.getTracer('skep', version)
  }

  begin({ method, route, headers }: TracedRequest): object {
    const parent = PROPAGATOR.extract(ROOT_CONTEXT, headers, {
      get: (carrier, name) => carrier[name],
      keys: (carrier) => Object.keys(carrier),
    })
    const attributes = { 'http.request.method': method, 'http.route': route }
    return this.#tracer.startSpan(`${method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent)
  }

  end(span: object, { status, who }: { status: number; who?: string | undefined }): void {
    const own = span as Span
    own.setAttribute('http.response.status_code', status)
    if (who !== undefined) own.setAttribute('skep.who', who)
    if (status >= 500) own.setStatus({ code: SpanStatusCode.ERROR })
    own.end()
  }

  query({ record, stats, origin }: QueryEnd): void {
    const { id, kind, state, startedAt, queuedMs, ms = 0, rows, bytes, error } = record
    const beginMs = Date.parse(startedAt)
    const runMs = beginMs + (queuedMs ?? 0)
    const endMs = runMs + ms
    const above = origin?.span ? trace.setSpan(ROOT_CONTEXT, origin.span as Span) : ROOT_CONTEXT
    const attributes = {
      'skep.query.id': id,
      'skep.query.kind': kind,
      'skep.query.state': state,
      ...(rows !== undefined && { 'skep.query.rows': rows }),
      ...(bytes !== undefined && { 'skep.query.bytes': bytes }),
      ...(error && { 'error.type': error.code }),
    }
    const span = this.#tracer.startSpan(kind, { startTime: beginMs, attributes }, above)
    if (error) span.setStatus({ code: SpanStatusCode.ERROR })
    const below = trace.setSpan(ROOT_CONTEXT, span)
    // One that never got a place has waited until now.
    this.#part(below, 'queue', beginMs, queuedMs === undefined ? Date.now() : runMs)
    if (queuedMs !== undefined) {
      const run = this.#part(below, 'run', runMs, endMs)
      if (stats) this.#phases(run, stats, runMs, endMs)
    }
    span.end(queuedMs === undefined ? Date.now() : endMs)
  }

  /** Planning, the tasks together, and merging; of single tasks only figures are known. */
  #phases(run: Context, stats: NonNullable<QueryEnd['stats']>, runMs: number, endMs: number): void {
    const { phases, taskTimes, coldTasks, warmTasks, failedAttempts = 0 } = stats
    const plannedMs = Math.min(endMs, runMs + phases.plan.totalMs)
    const mergingMs = Math.max(plannedMs, endMs - phases.merge.totalMs)
    this.#part(run, 'plan', runMs, plannedMs)
    this.#part(run, 'tasks', plannedMs, mergingMs, {
      'skep.tasks': coldTasks + warmTasks,
      'skep.tasks.cold': coldTasks,
      'skep.tasks.retries': failedAttempts,
      'skep.tasks.mean_ms': taskTimes.meanMs,
      'skep.tasks.max_ms': taskTimes.maxMs,
      'skep.tasks.queue_ms': phases.queue.totalMs,
      'skep.tasks.fetch_ms': phases.fetch.totalMs,
      'skep.tasks.scan_ms': phases.scan.totalMs,
    })
    this.#part(run, 'merge', mergingMs, endMs)
  }

  #part(
    above: Context,
    name: string,
    beginMs: number,
    endMs: number,
    attributes: Record<string, number> = {},
  ): Context {
    const span = this.#tracer.startSpan(name, { startTime: beginMs, attributes }, above)
    span.end(Math.max(beginMs, endMs))
    return trace.setSpan(ROOT_CONTEXT, span)
  }

  /** Sends what is left, unless that takes too long. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<string>()
    const timer = setTimeout(
      () => resolve('the collector of traces takes too long; the last ones are lost'),
      this.#flushMs,
    )
    const ended = this.#provider.shutdown().catch((error: unknown) => `the last traces are lost: ${error}`)
    const lost = await Promise.race([ended, promise])
    clearTimeout(timer)
    if (typeof lost === 'string') this.#log.warn(lost)
  }
}

/** Says when a collector begins to fail, and when it answers again. */
class TellingExporter implements SpanExporter {
  readonly #inner: SpanExporter
  readonly #log: Log
  #isFailing = false

  constructor(inner: SpanExporter, log: Log) {
    this.#inner = inner
    this.#log = log
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#inner.export(spans, (result) => {
      const isFailing = result.code !== ExportResultCode.SUCCESS
      if (isFailing && !this.#isFailing) {
        this.#log.warn({ reason: result.error?.message }, 'the collector of traces does not take them; they are lost')
      }
      if (!isFailing && this.#isFailing) this.#log.info('the collector of traces takes them again')
      this.#isFailing = isFailing
      done(result)
    })
  }

  async shutdown(): Promise<void> {
    await this.#inner.shutdown()
  }

  async forceFlush(): Promise<void> {
    await this.#inner.forceFlush?.()
  }
}
