/** The rows of a query as a file. The server runs the query again: a file has all rows, whatever the page keeps. */
import { send } from '../../api/api.ts'
import { ApiError, isAbort, toApiError } from '../../api/errors.ts'
import { bodyOf } from './run.ts'
import type { Asked } from './state.ts'

/** What rows can be downloaded as. */
export const FORMATS = [
  { label: 'CSV', ending: 'csv', type: 'text/csv' },
  { label: 'NDJSON', ending: 'ndjson', type: 'application/x-ndjson' },
  { label: 'JSON', ending: 'json', type: 'application/json' },
  { label: 'Parquet', ending: 'parquet', type: 'application/vnd.apache.parquet' },
] as const

/** One of them. */
export type Format = (typeof FORMATS)[number]

interface SaveFile {
  createWritable(): Promise<WritableStream<Uint8Array>>
}

type SavePicker = (options: { suggestedName: string }) => Promise<SaveFile>

/** Downloads the rows of a query; `false` when nobody chose a place for it. Large ones go straight to the disk where the browser can do that. @throws ApiError */
export async function download(asked: Asked, format: Format, { isLarge }: { isLarge: boolean }): Promise<boolean> {
  const name = `${nameOf(asked.sql)}.${format.ending}`
  const picker = (globalThis as { showSaveFilePicker?: SavePicker }).showSaveFilePicker
  try {
    // Asked for first: a browser lets a page ask only right after a click.
    const file = isLarge && picker ? await picker({ suggestedName: name }) : undefined
    const response = await send('sql', { body: bodyOf(asked), accept: format.type })
    if (file) await response.body!.pipeTo(await file.createWritable())
    else save(await response.blob(), name)
    return true
  } catch (cause) {
    if (isAbort(cause)) return false
    if (cause instanceof TypeError) {
      // A connection that breaks is how the server says that rows failed half way.
      throw new ApiError(0, {
        code: 'OFFLINE',
        message: 'The download ended before all rows had come; nothing was kept.',
      })
    }
    throw toApiError(cause)
  }
}

function save(blob: Blob, name: string): void {
  const href = URL.createObjectURL(blob)
  const link = Object.assign(document.createElement('a'), { href, download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(href), 60_000)
}

/** A name for a file: the first table of the query. */
function nameOf(sql: string): string {
  return /\bfrom\s+"?([\w-]+)/i.exec(sql)?.[1] ?? 'result'
}
