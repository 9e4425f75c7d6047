/** Rows that come over HTTP while they are read. */

import type { EndpointName } from '../api/endpoints.ts'
import type { CallOptions, SqlStream } from '../coordinator/calls.ts'
import type { QueryStats, ResultColumn } from '../coordinator/sql.ts'
import type { JsonValue } from '../engine/values.ts'
import { SkepError } from '../errors.ts'
import type { Connection, RouteCall } from './connection.ts'

/** Rows of a query in batches, or one by one. Leaving the loop, or closing it, ends the query on the server. */
export interface RemoteStream extends SqlStream {
  /** Rows as objects, in place of `batches`. */
  rows: AsyncIterable<Record<string, JsonValue>>
  /** What the query cost; zeros until its last row has been read. */
  stats(): QueryStats
}

type Progress = CallOptions['onProgress']

/** Tells the progress that a document of a stream holds; false for one that holds none. */
export function tellProgress(document: Record<string, unknown>, onProgress: Progress): boolean {
  const progress = document.progress as { fraction?: number; tasks?: Parameters<NonNullable<Progress>>[1] } | undefined
  if (progress === undefined) return false
  onProgress?.(progress.fraction ?? 0, progress.tasks)
  return true
}

/** The rows that answer a call, once their columns are known. */
export async function openStream(
  connection: Connection,
  name: EndpointName,
  call: RouteCall,
  onProgress: Progress,
): Promise<RemoteStream> {
  const lines = connection.lines(name, { ...call, query: { ...call.query, stream: 'rows' } })
  let stats: QueryStats | undefined
  const next = async () => {
    for (;;) {
      const { done, value } = await lines.next()
      if (done) throw connection.brokenOff(name)
      if (!tellProgress(value, onProgress)) return value
    }
  }
  const columns = (await next()).columns as ResultColumn[] | undefined
  if (!Array.isArray(columns)) throw connection.brokenOff(name)
  const read = async function* (): AsyncGenerator<JsonValue[][], void, undefined> {
    try {
      while (stats === undefined) {
        const { rows, stats: last } = (await next()) as { rows?: JsonValue[][]; stats?: QueryStats }
        if (rows) yield rows
        stats = last
      }
    } finally {
      await lines.return()
    }
  }
  const batches = read()
  return {
    columns,
    batches,
    rows: rowsOf(columns, batches),
    stats: () => {
      if (stats) return stats
      throw new SkepError('ARGUMENT_INVALID', 'the statistics of a stream come with its end; read its rows first', {
        argument: 'stats',
      })
    },
    [Symbol.asyncDispose]: async () => {
      await lines.return()
    },
  }
}

async function* rowsOf(
  columns: readonly ResultColumn[],
  batches: AsyncIterable<JsonValue[][]>,
): AsyncGenerator<Record<string, JsonValue>, void, undefined> {
  for await (const batch of batches) {
    for (const row of batch) yield Object.fromEntries(columns.map(({ name }, k) => [name, row[k]!]))
  }
}
