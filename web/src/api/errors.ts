/** What went wrong, as the page tells it. */

/** An error that the server told, or that kept us from reaching it. */
export class ApiError extends Error {
  readonly code: string
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number
  readonly details: Readonly<Record<string, unknown>>

  constructor(status: number, { code, message, details = {} }: ErrorDocument) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.code = code
    this.details = details
  }
}

/** An error as the server writes it. */
export interface ErrorDocument {
  code: string
  message: string
  details?: Record<string, unknown>
}

/** What to do about an error whose message does not say it; `undefined` where the message does. */
export function adviceFor({ status, code }: ApiError): string | undefined {
  if (code === 'OFFLINE') return 'Look whether `skep serve` still runs, then try again.'
  if (code === 'TABLE_NOT_FOUND')
    return 'It may have been dropped or renamed; the list of tables has those that are there.'
  if (code === 'FORBIDDEN' || code === 'ROLE_TOO_SMALL') return 'Ask for a token with a larger role.'
  if (status === 429 || status === 503) return 'Wait a moment, then try again.'
  if (status === 409) return 'The table has changed since it was read. Load it again, then retry.'
  if (status === 500) return 'This is a defect of Skep. The server’s log has more under this code.'
  return undefined
}

/** Any failure as an error of ours. */
export function toApiError(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause
  if (isAbort(cause)) return new ApiError(499, { code: 'CANCELLED', message: 'cancelled' })
  if (cause instanceof TypeError && /fetch|network|load failed/i.test(cause.message)) return offline()
  return new ApiError(0, { code: 'PAGE_DEFECT', message: cause instanceof Error ? cause.message : String(cause) })
}

/** The error of a server that does not answer. */
export function offline(): ApiError {
  return new ApiError(0, { code: 'OFFLINE', message: 'The server does not answer.' })
}

/** Whether a call ended because it was cancelled. */
export function isAbort(cause: unknown): boolean {
  return (
    (cause instanceof DOMException && cause.name === 'AbortError') ||
    (cause instanceof ApiError && cause.code === 'CANCELLED')
  )
}
