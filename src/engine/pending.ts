/** Running a statement on the engine's own threads: this process's few threads for input and output stay free meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { DuckDBConnection, DuckDBMaterializedResult, DuckDBPendingResult, DuckDBResult } from '@duckdb/node-api'
import duckdb, { type PendingResult } from '@duckdb/node-bindings'
import { SETTINGS } from '../config.ts'
import type { BoundParameters } from './parameters.ts'

/** How often the end of a statement is looked for: at once, in the next turns of the event loop, then by the clock. */
const EAGER_LOOKS = 50

/** The rows of a statement as they come. As {@link DuckDBConnection.stream}, which would occupy a thread of the process until the first rows. */
export async function streamPending(
  connection: DuckDBConnection,
  sql: string,
  { values, types }: BoundParameters,
): Promise<DuckDBResult> {
  const pending = await connection.startStream(sql, values, types)
  await untilReady(pending)
  return await pending.getResult()
}

/** The whole result of a statement; as {@link DuckDBConnection.run}, which would occupy a thread of the process. */
export async function runPending(
  connection: DuckDBConnection,
  sql: string,
  { values, types }: BoundParameters,
): Promise<DuckDBMaterializedResult> {
  const pending = await connection.start(sql, values, types)
  await untilReady(pending)
  return (await pending.getResult()) as DuckDBMaterializedResult
}

/** Returns when the result can be had without waiting. @throws the engine's error */
async function untilReady(pending: DuckDBPendingResult): Promise<void> {
  const handle = Reflect.get(pending, 'pending_result') as PendingResult
  for (let looks = 0; ; looks++) {
    const state = duckdb.pending_execute_check_state(handle)
    if (state === duckdb.PendingState.RESULT_READY) return
    if (state === duckdb.PendingState.ERROR) {
      const message = duckdb.pending_error(handle)
      // A statement that is finished, or that waits for its rows to be fetched, counts as an error without a message.
      if (message === '') return
      throw new Error(message)
    }
    await (looks < EAGER_LOOKS
      ? new Promise((resolve) => setImmediate(resolve))
      : sleep(SETTINGS.statementLookMs.default))
  }
}
