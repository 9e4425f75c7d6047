/** Traces of requests and queries, where a collector for them is named. */
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import type { Log } from './log.ts'
import type { QueryEnd } from './queries.ts'

/** A request that came. */
export interface TracedRequest {
  method: string
  /** The pattern of its route. */
  route: string
  headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Records what a server does. Nothing waits for it, and nothing fails by it. */
export interface Traces extends AsyncDisposable {
  /** The span of a request, below that which its `traceparent` names. */
  begin(request: TracedRequest): object
  /** Ends it. */
  end(span: object, answer: { status: number; who?: string | undefined }): void
  /** The spans of a query, below that of its request. */
  query(end: QueryEnd): void
}

/** Where traces go, and as what. */
export interface TraceOptions {
  url: string
  version: string
  serviceName: string
  log: Log
  /** How often they are sent, how long sending them may take, and how long ending may. */
  intervalMs: number
  exportMs: number
  flushMs: number
}

/** Traces as the variables of OpenTelemetry ask for; undefined, and nothing is loaded, when they name no collector. @throws SETTING_INVALID */
export async function openTraces(
  env: Record<string, string | undefined>,
  { log, version }: Pick<TraceOptions, 'log' | 'version'>,
): Promise<Traces | undefined> {
  const url = collectorUrl(env)
  if (url === undefined) return undefined
  const { OtelTraces } = await import('./otel.ts')
  const { traceIntervalMs, traceExportMs, traceFlushMs } = SETTINGS
  return new OtelTraces({
    url,
    version,
    log,
    serviceName: env.OTEL_SERVICE_NAME?.trim() || 'skep',
    intervalMs: traceIntervalMs.default,
    exportMs: traceExportMs.default,
    flushMs: traceFlushMs.default,
  })
}

function collectorUrl(env: Record<string, string | undefined>): string | undefined {
  if (env.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return undefined
  const own = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT?.trim()
  const common = env.OTEL_EXPORTER_OTLP_ENDPOINT?.trim()
  const text = own || (common && `${common.replace(/\/+$/, '')}/v1/traces`)
  if (!text) return undefined
  if (/^https?:\/\//i.test(text) && URL.canParse(text)) return text
  const variable = own ? 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT' : 'OTEL_EXPORTER_OTLP_ENDPOINT'
  throw new SkepError('SETTING_INVALID', `${variable}: expected an address such as http://127.0.0.1:4318`, {
    setting: 'traces',
    variable,
  })
}
