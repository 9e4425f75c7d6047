/** What connections may do to a server: how long heads and bodies take to come, how large heads are, how many there are. */
import type { ServerOptions, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { PassThrough, type Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SETTINGS, type Settings } from '../config.ts'
import { SkepError } from '../errors.ts'
import { errorOf } from './reply.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** True for a route whose handler reads the body itself, and sees to it that it comes. */
    readsBody?: boolean
  }
}

type Limits = Pick<Settings, 'headersMs' | 'bodyMs' | 'keepAliveMs' | 'connections'>

/** The limits of the connections of one server. */
export class Connections {
  readonly #limits: Limits
  /** The answers that are not complete on each of them. */
  readonly #answers = new Map<Socket, Set<ServerResponse>>()
  readonly #open = new Set<Socket>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** The options of Fastify that say so. Bodies have limits of their own, so that large files have their time. */
  options() {
    const { headersMs, keepAliveMs } = this.#limits
    const http: ServerOptions = {
      headersTimeout: headersMs,
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(SETTINGS.connectionCheckMs.default, headersMs),
      maxHeaderSize: SETTINGS.headerBytes.default,
    }
    const clientErrorHandler = (error: NodeJS.ErrnoException, socket: Socket) => {
      // Nothing may get into an answer that has begun.
      const hasBegun = this.#answers
        .get(socket)
        ?.values()
        .some(({ headersSent }) => headersSent)
      if (!socket.writable || hasBegun) socket.destroy()
      else answerBroken(error, socket)
    }
    return { http, keepAliveTimeout: keepAliveMs, clientErrorHandler }
  }

  /** Holds a server with these options to the limits. */
  limit(app: FastifyInstance): void {
    const { bodyMs, connections } = this.#limits
    app.server.maxConnections = connections
    app.server.on('connection', (socket) => {
      this.#open.add(socket)
      socket.once('close', () => this.#open.delete(socket))
    })
    // Node itself takes connections on which no request ever began for busy.
    app.addHook('preClose', async () => {
      for (const socket of this.#open) if (!this.#answers.has(socket)) socket.destroySoon()
    })
    app.addHook('onRequest', async (request, reply) => this.#answering(request.raw.socket, reply.raw))
    app.addHook('preParsing', async (request, reply, payload) => {
      if (!hasBody(request) || request.routeOptions.config.readsBody) return payload
      const body = timed(payload as Readable, bodyMs)
      readToItsEnd(body, { of: payload as Readable, reply })
      return body
    })
  }

  #answering(socket: Socket, answer: ServerResponse): void {
    const answers = this.#answers.get(socket) ?? new Set()
    this.#answers.set(socket, answers.add(answer))
    answer.once('close', () => {
      answers.delete(answer)
      if (answers.size === 0) this.#answers.delete(socket)
    })
  }
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** The same body, which fails when it takes too long. */
function timed(body: Readable, limitMs: number): Readable {
  const copy = new PassThrough()
  const timer = setTimeout(() => copy.destroy(tooSlow(`the body took longer than ${limitMs} ms`, limitMs)), limitMs)
  copy.once('close', () => clearTimeout(timer))
  body.once('error', (error) => copy.destroy(error))
  body.once('close', () => body.readableEnded || copy.destroy(new SkepError('CANCELLED', 'the caller left', {})))
  return body.pipe(copy)
}

/** Sees to what is answered before it was read: it is read then, as the next request stands behind it, or the connection ends. */
function readToItsEnd(body: Readable, { of, reply }: { of: Readable; reply: FastifyReply }): void {
  const giveUp = () => {
    if (!of.readableEnded) of.destroy()
  }
  reply.raw.once('close', () => {
    if (body.destroyed) giveUp()
    else body.resume()
  })
  // Who reads it is told by itself; nobody does after the answer.
  body.once('error', () => {
    if (reply.raw.writableFinished) giveUp()
  })
}

/** The error for what comes too slowly. */
export function tooSlow(reason: string, limitMs?: number): SkepError<'REQUEST_TIMEOUT'> {
  return new SkepError(
    'REQUEST_TIMEOUT',
    `${reason}; the request was given up`,
    limitMs === undefined ? {} : { limitMs },
  )
}

/** Answers what is no HTTP, too large a head, or one that does not come to its end. */
function answerBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  const told = brokenError(error)
  const body = JSON.stringify({ error: told })
  const head = [
    `HTTP/1.1 ${told.status} ${REASONS[told.status] ?? 'Bad Request'}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // Who sends without an end does not read either.
  setTimeout(() => socket.destroy(), SETTINGS.connectionCheckMs.default).unref()
}

const REASONS: Record<number, string> = { 408: 'Request Timeout', 431: 'Request Header Fields Too Large' }

function brokenError({ code, message }: NodeJS.ErrnoException): SkepError {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return tooSlow('the head of the request took too long')
    case 'HPE_HEADER_OVERFLOW': {
      const limitBytes = SETTINGS.headerBytes.default
      return new SkepError('HEADER_LIMIT', `the head of the request is larger than ${limitBytes} bytes`, { limitBytes })
    }
    default:
      return errorOf({ statusCode: 400, message })
  }
}
