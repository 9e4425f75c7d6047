/** The columns of a file, read from its beginning or its footer in the browser. */
import { columnsOfText, type FileKind, type GuessedColumn } from './guess.ts'

const HEAD = 128 * 1024

/** The columns of a file as they seem; none when it cannot be told, which the import then does. */
export async function columnsOf(file: File, { format, headers }: FileKind): Promise<GuessedColumn[]> {
  try {
    const packed = headers['content-encoding']
    if (format === 'parquet') return packed ? [] : await columnsOfParquet(file)
    if (packed === 'zstd') return []
    return columnsOfText(await headText(file, packed === 'gzip'), format)
  } catch {
    // Suggestions are a help; the import says what is wrong with the file.
    return []
  }
}

async function headText(file: File, isPacked: boolean): Promise<string> {
  const head = file.slice(0, HEAD)
  if (!isPacked) return `${await head.text()}${file.size <= HEAD ? '\n' : ''}`
  const reader = head.stream().pipeThrough(new DecompressionStream('gzip')).getReader()
  const decoder = new TextDecoder()
  let text = ''
  while (text.length < HEAD) {
    // What was cut off is no end of the packed text, so reading fails there.
    const part = await reader.read().catch(() => ({ done: true as const, value: undefined }))
    if (part.done) break
    text += decoder.decode(part.value, { stream: true })
  }
  void reader.cancel().catch(() => {})
  return text
}

async function columnsOfParquet(file: File): Promise<GuessedColumn[]> {
  const { parquetMetadataAsync, parquetSchema } = await import('hyparquet')
  const slice = async (start: number, end?: number) => await file.slice(start, end).arrayBuffer()
  const metadata = await parquetMetadataAsync({ byteLength: file.size, slice })
  const samples = new Map(
    metadata.row_groups[0]?.columns.map(({ meta_data: meta }) => [
      meta?.path_in_schema.join('.'),
      Number(meta?.statistics?.max_value ?? meta?.statistics?.max),
    ]),
  )
  return parquetSchema(metadata).children.map(({ element, children }) => {
    const sample = samples.get(element.name)
    const kind = children.length > 0 ? 'other' : parquetKind(element)
    return { name: element.name, kind, ...(kind === 'integer' && sample && { sample }) }
  })
}

function parquetKind(element: {
  type?: string
  converted_type?: string
  logical_type?: { type: string }
}): GuessedColumn['kind'] {
  const { type, converted_type: converted = '', logical_type: logical } = element
  const meaning = logical?.type ?? converted
  if (/^(TIMESTAMP|DATE)/.test(meaning) || type === 'INT96') return 'time'
  if (/DECIMAL/.test(meaning)) return 'number'
  if (type === 'INT32' || type === 'INT64') return 'integer'
  if (type === 'BYTE_ARRAY') return 'text'
  return type === 'FLOAT' || type === 'DOUBLE' ? 'number' : 'other'
}
