/** A file on its way into a table. */
import type { QueryOf, ResponseOf } from '../../../src/api/contract.ts'
import { addressOf, errorDocument, type Progress } from './api.ts'
import { ApiError, type ErrorDocument, offline } from './errors.ts'
import { askForToken, authorization } from './token.ts'

/** Which file goes where. */
export interface Upload {
  table: string
  file: Blob
  /** Its content type and how it is compressed. */
  headers: Record<string, string>
  query: QueryOf<'import'>
  signal: AbortSignal
  /** Told of both halves: bytes that were sent, then what the server makes of them. Between 0 and 1. */
  onProgress(fraction: number, state: 'sending' | 'importing'): void
}

/** What the import did. @throws ApiError */
export async function upload(options: Upload): Promise<ResponseOf<'import'>> {
  for (;;) {
    const { status, text } = await post(options)
    if (status === 401) {
      await askForToken('')
      continue
    }
    if (status !== 200) throw new ApiError(status, errorDocument(text, status))
    const last = documents(text).at(-1) ?? {}
    if ('result' in last) return last.result as ResponseOf<'import'>
    throw 'error' in last ? new ApiError(400, last.error as ErrorDocument) : offline()
  }
}

/** Requests of this kind alone tell how much of a body was sent. */
function post({ table, file, headers, query, signal, onProgress }: Upload): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
  const request = new XMLHttpRequest()
  const cancel = () => request.abort()
  request.open('POST', addressOf('import', { params: { table }, query: { ...query, stream: true } }))
  for (const [name, value] of Object.entries({ ...authorization(), ...headers })) request.setRequestHeader(name, value)
  request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0, 'sending')
  request.onprogress = () => {
    const last = documents(request.responseText).findLast((document) => 'progress' in document)
    if (last) onProgress((last.progress as Progress).fraction, 'importing')
  }
  request.onload = () => resolve({ status: request.status, text: request.responseText })
  request.onerror = () => reject(offline())
  request.onabort = () => reject(new ApiError(499, { code: 'CANCELLED', message: 'The import was cancelled.' }))
  signal.addEventListener('abort', cancel)
  request.onloadend = () => signal.removeEventListener('abort', cancel)
  request.send(file)
  return promise
}

/** The whole lines that have come. */
function documents(text: string): Record<string, unknown>[] {
  const end = text.lastIndexOf('\n')
  return text
    .slice(0, end + 1)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
