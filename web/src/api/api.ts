/** Calls of the HTTP API, typed by its contract. A call that needs a token waits for it. */
import type { BodyOf, ParamsOf, QueryOf, ResponseOf } from '../../../src/api/contract.ts'
import { ENDPOINTS, type EndpointName, pathOf } from '../../../src/api/endpoints.ts'
import { ApiError, type ErrorDocument, toApiError } from './errors.ts'
import { askForToken, authorization } from './token.ts'

/** The parts of a call. */
export interface CallOptions<N extends EndpointName> {
  params?: ParamsOf<N>
  query?: QueryOf<N>
  body?: BodyOf<N>
  /** The content type that the answer is wanted in; JSON when absent. */
  accept?: string
  signal?: AbortSignal | undefined
}

/** How far a query is. */
export interface Progress {
  id: string
  state: string
  /** Between 0 and 1. */
  fraction: number
  tasks?: { running: number; done: number; total: number }
}

/** The address of a route, relative to where the page is. */
export function addressOf<N extends EndpointName>(
  name: N,
  { params, query }: Pick<CallOptions<N>, 'params' | 'query'> = {},
): string {
  const path = pathOf(name, (params ?? {}) as Record<string, string>)
  const given = Object.entries((query ?? {}) as Record<string, unknown>).filter(([, value]) => value !== undefined)
  const text = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString()
  return new URL(`.${path}${text && `?${text}`}`, document.baseURI).href
}

/** What a route answers. @throws ApiError */
export async function call<N extends EndpointName>(name: N, options: CallOptions<N> = {}): Promise<ResponseOf<N>> {
  const response = await send(name, options)
  if (response.status === 204) return undefined as ResponseOf<N>
  return (await response.json()) as ResponseOf<N>
}

/** The lines of a streamed answer, as documents, until the last. @throws ApiError, also for an error in the stream */
export async function* lines<N extends EndpointName>(
  name: N,
  options: CallOptions<N>,
): AsyncGenerator<Record<string, unknown>> {
  const response = await send(name, options)
  let rest = ''
  const decoder = new TextDecoder()
  const reader = response.body!.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((cause: unknown) => Promise.reject(toApiError(cause)))
      rest += decoder.decode(value, { stream: !done })
      const parts = rest.split('\n')
      rest = done ? '' : parts.pop()!
      for (const line of parts) if (line.trim()) yield documentOf(line)
      if (done) return
    }
  } finally {
    // Leaving early cancels the query.
    void reader.cancel().catch(() => {})
  }
}

/** The result of a streamed call, with progress on the way. @throws ApiError */
export async function follow<N extends EndpointName, T = ResponseOf<N>>(
  name: N,
  options: CallOptions<N>,
  onProgress: (progress: Progress) => void,
): Promise<T> {
  for await (const document of lines(name, options)) {
    if ('progress' in document) onProgress(document.progress as Progress)
    if ('result' in document) return document.result as T
  }
  throw new ApiError(0, { code: 'OFFLINE', message: 'The answer ended before its result.' })
}

function documentOf(line: string): Record<string, unknown> {
  const document = JSON.parse(line) as Record<string, unknown>
  if ('error' in document) throw new ApiError(400, document.error as ErrorDocument)
  return document
}

/** The answer of a route, whose body has not been read. @throws ApiError */
export async function send<N extends EndpointName>(name: N, options: CallOptions<N>): Promise<Response> {
  const { body, signal, accept } = options
  const { method } = ENDPOINTS[name]
  for (;;) {
    const headers = {
      ...authorization(),
      ...(accept !== undefined && { accept }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const init = { method, headers, ...(body !== undefined && { body: textOf(body) }), ...(signal && { signal }) }
    let response: Response
    try {
      response = await fetch(addressOf(name, options), init)
    } catch (cause) {
      throw toApiError(cause)
    }
    if (response.ok) return response
    const error = await errorOf(response)
    if (response.status !== 401) throw error
    await askForToken('authorization' in headers ? 'This token is not known here.' : '')
  }
}

/** Text goes as it is: queries are told where in their own text they are wrong. */
function textOf(body: unknown): string {
  return typeof body === 'string' ? body : JSON.stringify(body)
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text()
  return new ApiError(response.status, errorDocument(text, response.status))
}

/** The error of an answer; of one that is none of ours, its status. */
export function errorDocument(text: string, status: number): ErrorDocument {
  try {
    const { error } = JSON.parse(text) as { error?: ErrorDocument }
    if (error?.code) return error
  } catch {
    // No JSON: something between us and the server has answered.
  }
  return { code: `HTTP_${status}`, message: text.slice(0, 200) || `The answer was ${status}.` }
}
