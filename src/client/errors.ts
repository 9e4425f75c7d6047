/** Errors of a server, and of the way to it, as the errors that a warehouse throws. */
import { ERROR_CODES, ERROR_KINDS, type ErrorCode, type ErrorDetails, type ErrorKind, SkepError } from '../errors.ts'

/** An error of a server that is newer than this client: its code is as it came, its kind that of its status. */
export class NewerError extends SkepError {
  readonly #status: number

  constructor(code: string, message: string, { details, status }: { details: object; status: number }) {
    super(code as ErrorCode, message, details as ErrorDetails[ErrorCode])
    this.#status = status
  }

  override get kind(): ErrorKind {
    return kindOfStatus(this.#status)
  }

  override get status(): number {
    return this.#status
  }
}

function kindOfStatus(status: number): ErrorKind {
  const exact = Object.entries(ERROR_KINDS).find(([, kind]) => kind.status === status)
  if (exact) return exact[0] as ErrorKind
  if (status === 429) return 'limit'
  if (status === 502 || status === 504) return 'unavailable'
  return status >= 400 && status < 500 ? 'user' : 'internal'
}

/** The error that a document describes; undefined when it describes none. `status` is that of the answer: it tells the kind of a code that is not known here. */
export function errorOfDocument(document: unknown, status = 500): SkepError | undefined {
  if (typeof document !== 'object' || document === null) return undefined
  const { code, message, details } = document as { code?: unknown; message?: unknown; details?: unknown }
  if (typeof code !== 'string' || typeof message !== 'string') return undefined
  const found = typeof details === 'object' && details !== null ? details : {}
  if (!Object.hasOwn(ERROR_CODES, code)) return new NewerError(code, message, { details: found, status })
  return new SkepError(code as ErrorCode, message, found as ErrorDetails[ErrorCode])
}

/** How a call ends whose signal was aborted. */
export function cancelled(cause?: unknown): SkepError<'CANCELLED'> {
  return new SkepError('CANCELLED', 'the call was cancelled', {}, { cause })
}

/** What is known of a call that was not answered, or not to its end. */
export interface LostCall {
  /** The address of the server. */
  url: string
  /** True for a call that changes something. */
  isChange: boolean
}

/** The error for a call that was not answered, or not to its end. */
export function unreachable({ url, isChange }: LostCall, reason: string, cause?: unknown): SkepError {
  const isKnown = !isChange || NEVER_SENT.has(systemCode(cause) ?? '')
  const message = isKnown ? `${url}: ${reason}` : `${url}: ${reason}; whether the change was made is not known`
  const details = isKnown ? { url } : { url, outcome: 'unknown' as const }
  return new SkepError('SERVER_UNREACHABLE', message, details, { cause })
}

/** Reasons why a request did not leave at all. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** Why a connection failed, as far as the system tells. */
export function reasonOf(cause: unknown): string {
  const code = systemCode(cause)
  switch (code) {
    case 'ECONNREFUSED':
      return 'nothing listens there; is the server running?'
    case 'ENOTFOUND':
      return 'there is no such host'
    case undefined:
      return `the connection failed (${cause instanceof Error ? cause.message : String(cause)})`
    default:
      return `the connection failed (${code})`
  }
}

function systemCode(cause: unknown): string | undefined {
  for (let error = cause; error instanceof Error; error = error.cause) {
    const { code } = error as { code?: unknown }
    if (typeof code === 'string') return code
  }
  return undefined
}
