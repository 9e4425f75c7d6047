/** Made-up events for benchmarks: a Parquet file of so many rows, the same every time. */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { DuckDBInstance } from '@duckdb/node-api'

/** Folder of everything that benchmarks make; not part of the repository. */
export const BENCH_FOLDER = new URL('../.bench/', import.meta.url).pathname

/** Path of an unsorted file of events: integer and text actor, event of eight types, time within 90 days, price. */
export async function eventsFile(rows: number, actors: number): Promise<string> {
  await mkdir(BENCH_FOLDER, { recursive: true })
  const path = `${BENCH_FOLDER}events-${rows}-${actors}.parquet`
  if (existsSync(path)) return path
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '4GB' })
  const connection = await instance.connect()
  // The cube of a uniform number gives a few very busy actors and many quiet ones.
  await connection.run(`COPY (
    SELECT actor AS user_id, 'user-' || hash(actor) AS uid,
      (['view', 'search', 'cart', 'buy', 'login', 'logout', 'rate', 'share'])[1 + CAST(hash(i * 7) % 8 AS INTEGER)] AS event,
      TIMESTAMP '2026-01-01' + to_milliseconds(CAST(hash(i * 3) % 7776000000 AS BIGINT)) AS ts,
      CAST(hash(i * 5) % 100000 AS DOUBLE) / 100 AS price
    FROM (SELECT i, CAST(floor(pow(hash(i * 11) / 18446744073709551615.0, 3) * ${actors}) AS BIGINT) AS actor FROM range(${rows}) t(i))
  ) TO '${path}' (FORMAT parquet)`)
  instance.closeSync()
  return path
}
