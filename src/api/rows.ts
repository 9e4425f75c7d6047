/** Rows as CSV and NDJSON, written batch by batch. */
import type { ResultColumn } from '../coordinator/sql.ts'
import type { JsonValue } from '../engine/values.ts'

/** Where text goes. */
export interface Sink {
  /** Ends when the next piece may come. */
  write(text: string): Promise<void>
}

/** Columns, and rows as lists of values in batches. */
export interface RowBatches {
  columns: ResultColumn[]
  batches: AsyncIterable<JsonValue[][]>
}

/** The number of rows written: one JSON object a line. */
export async function writeNdjson({ columns, batches }: RowBatches, sink: Sink): Promise<number> {
  const keys = columns.map(({ name }) => `${JSON.stringify(name)}:`)
  const line = (row: JsonValue[]) => `{${row.map((value, k) => keys[k]! + JSON.stringify(value)).join(',')}}\n`
  return await writeLines(batches, sink, line)
}

/** The number of rows written below a line of names: fields quoted as in RFC 4180, lines ended by `\n`, nulls empty, empty texts `""`, nested values as JSON. */
export async function writeCsv({ columns, batches }: RowBatches, sink: Sink): Promise<number> {
  await sink.write(`${columns.map(({ name }) => csvField(name)).join(',')}\n`)
  return await writeLines(batches, sink, (row) => `${row.map(csvField).join(',')}\n`)
}

async function writeLines(
  batches: AsyncIterable<JsonValue[][]>,
  sink: Sink,
  line: (row: JsonValue[]) => string,
): Promise<number> {
  let rows = 0
  for await (const batch of batches) {
    rows += batch.length
    await sink.write(batch.map(line).join(''))
  }
  return rows
}

/** A value as a field of CSV. */
export function csvField(value: JsonValue): string {
  if (value === null) return ''
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const text = typeof value === 'object' ? JSON.stringify(value) : value
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
