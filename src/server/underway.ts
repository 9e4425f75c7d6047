/** Work that a server runs for a request: it is known, waits for its place, and ends when its caller leaves. */
import type { FastifyReply } from 'fastify'
import { SETTINGS } from '../config.ts'
import type { TaskProgress, TaskWatch } from '../coordinator/run-figures.ts'
import { isSkepError } from '../errors.ts'
import { ANSWERED, type Call } from './context.ts'
import { Events } from './events.ts'
import type { LiveQuery, QueryAsked, QueryFigures } from './queries.ts'
import { watchReader } from './reader.ts'
import { errorOf, TYPES } from './reply.ts'

/** How a query is run. */
export interface Running extends TaskWatch {
  signal: AbortSignal
  onProgress(fraction: number, tasks?: TaskProgress): void
}

/** A document, and what is to be remembered of the query that made it. */
export interface Made {
  document: unknown
  figures?: QueryFigures
}

/** What `work` gives for a query that has its place. */
export async function underway<T>(
  { context, reply }: Pick<Call, 'context' | 'reply'>,
  asked: QueryAsked,
  work: (live: LiveQuery) => Promise<T>,
): Promise<T> {
  const { request } = reply
  const live = context.queries.begin(asked, { requestId: request.id, span: request.span })
  request.queryId = live.id
  watchReader(reply, live.signal, context.settings.readStallMs)
  const leave = () => {
    if (!reply.raw.writableFinished) live.cancel()
  }
  reply.raw.once('close', leave)
  try {
    return await work(live)
  } catch (cause) {
    live.fail(cause)
    throw live.errorOf(cause)
  } finally {
    reply.raw.off('close', leave)
    // What has not been told is a defect, and still the end.
    live.finish({})
  }
}

/** A place for the query, which now runs. @throws SERVER_BUSY, SERVER_CLOSING, CANCELLED */
export async function placeFor({ context }: Pick<Call, 'context'>, live: LiveQuery): Promise<Disposable> {
  const place = await context.admission.enter(live.signal)
  live.start()
  return place
}

/** What `work` gives that is no query of anybody: it waits for a place and ends when its caller leaves, and is not remembered. */
export async function aside<T>(
  { context, reply }: Pick<Call, 'context' | 'reply'>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const leave = () => controller.abort()
  const { ending } = context.queries
  const signal = AbortSignal.any([controller.signal, ending])
  reply.raw.once('close', leave)
  try {
    using _place = await context.admission.enter(signal)
    return await work(signal)
  } catch (cause) {
    throw ending.aborted && isSkepError(cause, 'CANCELLED') ? ending.reason : cause
  } finally {
    reply.raw.off('close', leave)
  }
}

/** Answers with one document, or with progress and the document. */
export async function answerDocument(
  call: Pick<Call, 'context' | 'reply' | 'request'>,
  asked: QueryAsked,
  { stream, status = 200 }: { stream: boolean; status?: number },
  work: (running: Running) => Promise<Made>,
): Promise<typeof ANSWERED> {
  return await underway<typeof ANSWERED>(call, asked, async (live) => {
    const events = wantsEvents(call, stream) ? eventsOf(call, live) : undefined
    try {
      using _place = await placeFor(call, live)
      const onProgress = (fraction: number, tasks?: TaskProgress) => {
        live.tell(fraction, tasks)
        events?.progress(fraction, tasks)
      }
      const { document, figures = {} } = await work({ signal: live.signal, onProgress, ...live.watch })
      const text = JSON.stringify(document)
      live.finish(figures)
      if (events) await events.done('result', [text])
      else await sendJson(call.reply, text, status)
      return ANSWERED
    } catch (cause) {
      if (await events?.failed(errorOf(live.errorOf(cause)))) {
        live.fail(cause)
        return ANSWERED
      }
      throw cause
    }
  })
}

/** Sends a document that is JSON already. */
export async function sendJson(reply: FastifyReply, text: string | Uint8Array, status = 200): Promise<void> {
  await reply.code(status).type(TYPES.json).send(text)
}

/** The stream of documents of a query. */
export function eventsOf(call: Pick<Call, 'context' | 'reply' | 'request'>, live: LiveQuery): Events {
  const { streamBeginMs, streamBeatMs, progressMs } = SETTINGS
  const options = {
    isSse: acceptsSse(call),
    beginMs: streamBeginMs.default,
    beatMs: streamBeatMs.default,
    intervalMs: progressMs.default,
  }
  return new Events(call.reply, live, options)
}

/** Whether progress is asked for. */
export function wantsEvents(call: Pick<Call, 'request'>, stream: boolean): boolean {
  return stream || acceptsSse(call)
}

function acceptsSse({ request }: Pick<Call, 'request'>): boolean {
  return /(^|,)\s*text\/event-stream/i.test(request.headers.accept ?? '')
}
