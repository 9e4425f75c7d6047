/** Requests to a server, and what they come back with. */
import { ENDPOINTS, type EndpointName, pathOf } from '../api/endpoints.ts'
import { isSkepError, SkepError } from '../errors.ts'
import { cancelled, errorOfDocument, type LostCall, reasonOf, unreachable } from './errors.ts'
import { documentsOf } from './lines.ts'

/** How a server is reached. */
export interface ConnectOptions {
  /** Sent with every request, where the server wants one. */
  token?: string
  /** Used instead of the global `fetch`. */
  fetch?: typeof globalThis.fetch
  /** Ends all calls with `CANCELLED`. */
  signal?: AbortSignal
}

/** What the body of a request may be. */
export type RequestBody = Blob | ReadableStream<Uint8Array> | Uint8Array | string

/** One call of a route. */
export interface RouteCall {
  params?: Readonly<Record<string, string>>
  /** What is undefined is left out. */
  query?: Readonly<Record<string, string | number | boolean | undefined>>
  /** A document, sent as JSON. */
  document?: unknown
  /** JSON as it is, or a file. */
  body?: RequestBody
  type?: string
  signal?: AbortSignal | undefined
}

/** A server. */
export class Connection {
  /** Its address, without a slash at the end. */
  readonly url: string
  readonly #token: string | undefined
  readonly #fetch: typeof globalThis.fetch
  readonly #signal: AbortSignal | undefined

  /** @throws ARGUMENT_INVALID for what is no address of a server */
  constructor(url: string | URL, options: ConnectOptions) {
    const { token, fetch = (...call) => globalThis.fetch(...call), signal } = options
    this.url = readAddress(url)
    this.#token = token
    this.#fetch = fetch
    this.#signal = signal
  }

  /** The answer to a call; its body is still to be read. @throws what the server says, SERVER_UNREACHABLE, CANCELLED */
  async send(name: EndpointName, call: RouteCall, accept = 'application/json'): Promise<Response> {
    const signal = this.#signalOf(call)
    if (signal?.aborted) throw cancelled(signal.reason)
    const response = await this.#guarded(name, call, () =>
      this.#fetch(
        `${this.url}${pathOf(name, call.params)}${queryText(call.query)}`,
        this.#request(name, { ...call, signal }, accept),
      ),
    )
    if (response.ok) return response
    const text = await this.#guarded(name, call, () => response.text())
    throw errorOfAnswer(text, response.status) ?? strange(this.url, response.status)
  }

  /** The document that answers a call; undefined where nothing does. */
  async document(name: EndpointName, call: RouteCall): Promise<unknown> {
    const response = await this.send(name, call)
    const text = await this.#guarded(name, call, () => response.text())
    if (response.status === 204) return undefined
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw strange(this.url, response.status, cause)
    }
  }

  /** The documents of the lines that answer a call, up to an end that the caller has to know. An error among them is thrown. */
  async *lines(name: EndpointName, call: RouteCall): AsyncGenerator<Record<string, unknown>, void, undefined> {
    const response = await this.send(name, call, 'application/x-ndjson')
    const lines = response.body && documentsOf(response.body)
    if (!lines) throw strange(this.url, response.status)
    try {
      for (;;) {
        const { done, value } = await this.#guarded(name, call, () => lines.next())
        if (done) return
        if (typeof value !== 'object' || value === null) throw strange(this.url, response.status)
        const error = errorOfDocument((value as { error?: unknown }).error)
        if (error) throw error
        yield value as Record<string, unknown>
      }
    } finally {
      await lines.return()
    }
  }

  /** The pieces of a body that `send` answered with. */
  async *pieces(name: EndpointName, call: RouteCall, { body, status }: Response): AsyncGenerator<Uint8Array> {
    const reader = body?.getReader()
    if (!reader) throw strange(this.url, status)
    try {
      for (;;) {
        const { done, value } = await this.#guarded(name, call, () => reader.read())
        if (done) return
        yield value
      }
    } finally {
      await reader.cancel().catch(() => {})
    }
  }

  /** The error for an answer that ended before it was complete. */
  brokenOff(name: EndpointName): SkepError {
    return unreachable(this.#lost(name), 'the connection broke off before the answer was complete')
  }

  #lost(name: EndpointName): LostCall {
    return { url: this.url, isChange: !READING.has(name) && ENDPOINTS[name].method !== 'GET' }
  }

  async #guarded<T>(name: EndpointName, call: RouteCall, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      const own = ownError(cause)
      if (own) throw own
      if (call.signal?.aborted || this.#signal?.aborted) throw cancelled(cause)
      if (cause instanceof SyntaxError) throw unreachable(this.#lost(name), 'the answer broke off', cause)
      throw unreachable(this.#lost(name), reasonOf(cause), cause)
    }
  }

  #signalOf({ signal }: RouteCall): AbortSignal | undefined {
    return signal && this.#signal ? AbortSignal.any([signal, this.#signal]) : (signal ?? this.#signal)
  }

  #request(name: EndpointName, { document, body, type, signal }: RouteCall, accept: string): RequestInit {
    const sent = document === undefined ? body : JSON.stringify(document)
    const headers: Record<string, string> = { accept }
    if (this.#token !== undefined && this.#token !== '') headers.authorization = `Bearer ${this.#token}`
    if (sent !== undefined) headers['content-type'] = type ?? 'application/json'
    return {
      method: ENDPOINTS[name].method,
      headers,
      // A redirect would turn a POST into a GET.
      redirect: 'error',
      ...(signal && { signal }),
      ...(sent !== undefined && { body: sent as NonNullable<RequestInit['body']> }),
      ...(sent instanceof ReadableStream && { duplex: 'half' }),
    } as RequestInit
  }
}

/** Calls that change nothing, though they are no GET. */
const READING: ReadonlySet<EndpointName> = new Set<EndpointName>(['sql', 'query', 'run', 'verify', 'cancel'])

/** An error of ours that a body of ours ended with. */
function ownError(cause: unknown): SkepError | undefined {
  for (let error = cause; error instanceof Error; error = error.cause) if (isSkepError(error)) return error
  return undefined
}

function readAddress(url: string | URL): string {
  const page = (globalThis as { location?: { href?: string } }).location?.href
  const address = URL.canParse(String(url), page) ? new URL(url, page) : undefined
  if (!address || !/^https?:$/.test(address.protocol) || address.username !== '' || address.password !== '') {
    const message = `${JSON.stringify(String(url))} is no address of a server such as http://127.0.0.1:4213`
    throw new SkepError('ARGUMENT_INVALID', message, { argument: 'url' })
  }
  return `${address.origin}${address.pathname.replace(/\/+$/, '')}`
}

function queryText(query: RouteCall['query'] = {}): string {
  const parts = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parts.set(name, String(value))
  return parts.size === 0 ? '' : `?${parts}`
}

function errorOfAnswer(text: string, status: number): SkepError | undefined {
  try {
    return errorOfDocument((JSON.parse(text) as { error?: unknown } | null)?.error, status)
  } catch {
    return undefined
  }
}

function strange(url: string, status: number, cause?: unknown): SkepError {
  const message = `${url}: what answers there (status ${status}) is no server of Skep, or stands before one that is away`
  return new SkepError('SERVER_UNREACHABLE', message, { url, status }, { cause })
}
