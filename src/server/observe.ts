/** What a server tells of its requests and queries: lines of the log, metrics, traces. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SETTINGS } from '../config.ts'
import { isSkepError } from '../errors.ts'
import type { ServerContext } from './context.ts'
import type { QueryEnd } from './queries.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** What a tracer knows the request by. */
    span: object | undefined
    /** The query that it asked for. */
    queryId: string | undefined
  }
}

type Observed = Pick<ServerContext, 'metrics' | 'traces' | 'log' | 'reported'>

/** Watches all requests of the server, before anything is decided about them. */
export function observeRequests(app: FastifyInstance, context: Observed): void {
  app.decorateRequest('span')
  app.decorateRequest('queryId')
  app.addHook('onRequest', async (request, reply) => observeRequest(context, request, reply))
}

/** Watches all queries. */
export function observeQueries(context: Observed & Pick<ServerContext, 'queries'>): void {
  const { metrics, traces, queries } = context
  queries.watch((end) => {
    metrics.ended(end)
    traces?.query(end)
    logQuery(context, end)
  })
}

/** What a request without a route is counted as. */
const UNKNOWN = 'unknown'
/** Asked for so often that they are logged at level `debug` only. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics'])
/** The caller left before there was an answer. */
const GONE = 499

/** Watches a request until its connection is done with it. */
export function observeRequest({ metrics, traces, log }: Observed, request: FastifyRequest, reply: FastifyReply): void {
  const began = performance.now()
  const { method } = request
  const route = request.routeOptions?.url ?? UNKNOWN
  reply.header('x-request-id', request.id)
  request.span = traces?.begin({ method, route, headers: request.headers })
  reply.raw.once('close', () => {
    const status = reply.raw.headersSent ? reply.raw.statusCode : GONE
    const ms = performance.now() - began
    const who = request.caller?.name
    metrics.requested({ route, method, status, seconds: ms / 1000 })
    if (request.span) traces?.end(request.span, { status, who })
    const fields = { requestId: request.id, queryId: request.queryId, who, method, route, status, ms: Math.round(ms) }
    const isCut = reply.raw.headersSent && !reply.raw.writableFinished
    log[PROBES.has(route) ? 'debug' : 'info']({ ...fields, ...(isCut && { cut: true }) }, 'request')
  })
}

function logQuery({ log, reported }: Observed, { record, cause, origin }: QueryEnd): void {
  const { id: queryId, who, kind, table, state, ms, queuedMs, rows, bytes, pool, error, text } = record
  const fields = { queryId, requestId: origin?.requestId, who, kind, table, state, ms, queuedMs, rows, bytes, pool }
  log.info({ ...fields, code: error?.code }, 'query')
  if (error?.code === 'INTERNAL') reportDefect({ log, reported }, cause, { queryId, requestId: origin?.requestId })
  log.debug({ queryId, text: text.slice(0, SETTINGS.logCharacters.default) }, 'text of the query')
}

/** Logs an error that is a defect, with its cause and stack, once. Others are the caller's. */
export function reportDefect(
  { log, reported }: Pick<Observed, 'log' | 'reported'>,
  error: unknown,
  ids: { queryId?: string | undefined; requestId?: string | undefined },
): void {
  const root = isSkepError(error, 'INTERNAL') ? (error.cause ?? error) : error
  if (typeof root === 'object' && root !== null) {
    if (reported.has(root)) return
    reported.add(root)
  }
  log.error({ ...ids, err: root }, 'a defect of Skep; please report it')
}
