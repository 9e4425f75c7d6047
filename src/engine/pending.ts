/** Running a statement on the engine's own threads: this process's few threads for input and output stay free meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { DuckDBConnection, DuckDBMaterializedResult, DuckDBPendingResult, DuckDBResult } from '@duckdb/node-api'
import duckdb, { type PendingResult } from '@duckdb/node-bindings'
import { SETTINGS } from '../config.ts'
import type { BoundParameters } from './parameters.ts'

/** How often the end of a statement is looked for: at once, in the next turns of the event loop, then by the clock. */
const EAGER_LOOKS = 50

/** A statement that is planned and has its values. Its end, or that of its rows, is somebody else's to wait for. */
export interface PreparedStatement extends Disposable {
  /** The rows of the statement as they come. As {@link DuckDBConnection.stream}, which would occupy a thread of the process until the first rows. */
  stream(): Promise<DuckDBResult>
  /** The whole result of the statement; as {@link DuckDBConnection.run}, which would occupy a thread of the process. */
  run(): Promise<DuckDBMaterializedResult>
}

/** Plans the last of some statements, and runs those before it: the engine makes several of one that pivots. */
export async function prepareStatement(
  connection: DuckDBConnection,
  sql: string,
  { values, types }: BoundParameters,
): Promise<PreparedStatement> {
  const statements = await connection.extractStatements(sql)
  for (let k = 0; k < statements.count - 1; k++) {
    const before = await statements.prepare(k)
    await before.run().finally(() => before.destroySync())
  }
  const prepared = await statements.prepare(statements.count - 1)
  const end = () => prepared.destroySync()
  try {
    if (values) prepared.bind(values, types)
  } catch (error) {
    end()
    throw error
  }
  return {
    stream: async () => await resultOf(prepared.startStream()),
    run: async () => (await resultOf(prepared.start())) as DuckDBMaterializedResult,
    [Symbol.dispose]: end,
  }
}

async function resultOf(pending: DuckDBPendingResult): Promise<DuckDBResult> {
  await untilReady(pending)
  return await pending.getResult()
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
