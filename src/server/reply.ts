/** How answers and errors leave the server. */
import type { FastifyReply } from 'fastify'
import { SETTINGS } from '../config.ts'
import { type ErrorCode, isSkepError, SkepError, toSkepError } from '../errors.ts'
import { failureOf, isFunnelRocket } from './funnel-rocket/failure.ts'

/** The types of bodies. */
export const TYPES = {
  json: 'application/json; charset=utf-8',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
  events: 'text/event-stream',
} as const

/** Errors after which a body may be left that nobody reads. */
const UNREAD: ReadonlySet<string> = new Set<ErrorCode>(['BODY_LIMIT', 'REQUEST_TIMEOUT', 'SERVER_CLOSING'])

/** Answers with an error in its own status. */
export async function sendError(reply: FastifyReply, cause: unknown): Promise<FastifyReply> {
  const error = errorOf(cause)
  if (isSkepError(error, 'SERVER_BUSY'))
    reply.header('retry-after', String(Math.ceil(error.details.retryAfterMs / 1000)))
  if (isSkepError(error, 'SERVER_CLOSING')) reply.header('retry-after', '5')
  // What was not read of the body is not waited for.
  if (UNREAD.has(error.code)) reply.header('connection', 'close')
  if (isSkepError(error, 'TOKEN_INVALID')) reply.header('www-authenticate', 'Bearer')
  if (isSkepError(error, 'METHOD_NOT_ALLOWED')) reply.header('allow', error.details.allowed.join(', '))
  const body = isFunnelRocket(reply.request.url) ? failureOf(error) : { error }
  return await reply.code(error.status).type(TYPES.json).send(JSON.stringify(body))
}

/** The error that a failure of the framework, or of ours, is told as. */
export function errorOf(cause: unknown): SkepError {
  if (isSkepError(cause)) return cause
  const { code, message, statusCode } = (cause ?? {}) as { code?: unknown; message?: string; statusCode?: unknown }
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return tooLarge(SETTINGS.bodyBytes.default)
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new SkepError('JSON_INVALID', 'the body is not JSON, or has a key that objects may not have', {})
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new SkepError('MEDIA_TYPE_UNSUPPORTED', 'the body has to be application/json, and say so', {
        expected: ['application/json'],
      })
  }
  const status = typeof statusCode === 'number' ? statusCode : 500
  if (status >= 400 && status < 500) {
    return new SkepError('ARGUMENT_INVALID', `the request cannot be read: ${message ?? status}`, {
      argument: 'request',
    })
  }
  return toSkepError(cause)
}

function tooLarge(limitBytes: number): SkepError<'BODY_LIMIT'> {
  return new SkepError('BODY_LIMIT', `the body of the request is larger than ${limitBytes} bytes`, { limitBytes })
}
