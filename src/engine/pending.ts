/** Running a statement on the engine's own threads: this process's few threads for input and output stay free meanwhile. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { DuckDBConnection, DuckDBPendingResult, DuckDBPreparedStatement, DuckDBResult } from '@duckdb/node-api'
import duckdb, { type PendingResult } from '@duckdb/node-bindings'
import { SETTINGS } from '../config.ts'
import type { BoundParameters } from './parameters.ts'

/** How often the end of a statement is looked for in the next turns of the event loop, before the clock says when. */
const EAGER_LOOKS = 50
/** The first of these looks follow at once. A process that waits for nothing else then naps between them: the engine can use its processor. */
const RESTLESS_LOOKS = 5
const nobody = new Int32Array(new SharedArrayBuffer(4))
let waiting = 0

/** How the rows of a statement come: all kept, or one chunk after another. */
export type RowsMode = 'kept' | 'streamed'

/** A statement that is planned and has its values. */
export interface PreparedStatement extends Disposable {
  /** Plans it over what its views are now, and sets it going. What was begun before is given up. */
  start(mode: RowsMode): DuckDBPendingResult
}

/** Plans a statement. */
export async function prepareStatement(
  connection: DuckDBConnection,
  sql: string,
  { values, types }: BoundParameters,
): Promise<PreparedStatement> {
  const prepared = await connection.prepare(sql)
  const end = () => prepared.destroySync()
  try {
    if (values) prepared.bind(values, types)
  } catch (error) {
    end()
    throw error
  }
  return {
    start: (mode) => (mode === 'kept' ? prepared.start() : prepared.startStream()),
    [Symbol.dispose]: end,
  }
}

/**
 * The result of a statement that was started. Unlike those of {@link DuckDBConnection.run} and {@link DuckDBConnection.stream},
 * waiting for it occupies no thread of the process.
 */
export async function resultOf(pending: DuckDBPendingResult): Promise<DuckDBResult> {
  try {
    await untilReady(pending)
  } catch (error) {
    // A result that nobody takes, even one of a failure, would keep the whole engine until the garbage collector comes.
    await pending.getResult().catch(() => undefined)
    throw error
  }
  return await pending.getResult()
}

/** Returns when the result can be had without waiting. @throws the engine's error */
async function untilReady(pending: DuckDBPendingResult): Promise<void> {
  const handle = Reflect.get(pending, 'pending_result') as PendingResult
  waiting++
  try {
    for (let looks = 1; !isReady(handle); looks++) {
      if (looks > EAGER_LOOKS) await sleep(SETTINGS.statementLookMs.default)
      else {
        if (looks > RESTLESS_LOOKS && waiting === 1) Atomics.wait(nobody, 0, 0, SETTINGS.statementNapMs.default)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  } finally {
    waiting--
  }
}

/** True when the result of a statement can be had. @throws the engine's error */
function isReady(handle: PendingResult): boolean {
  const state = duckdb.pending_execute_check_state(handle)
  if (state !== duckdb.PendingState.ERROR) return state === duckdb.PendingState.RESULT_READY
  const message = duckdb.pending_error(handle)
  // A statement that is finished, or that waits for its rows to be fetched, counts as an error without a message.
  if (message === '') return true
  throw new Error(message)
}

/** How many steps a statement that costs little takes at the most, while the engine's threads take some of them. */
const FEW_STEPS = 1000

/** Runs a statement that costs next to nothing here and now. Its result can be had. @throws the engine's error */
export function runNow(statement: DuckDBPreparedStatement): DuckDBPendingResult {
  const pending = statement.start()
  const handle = Reflect.get(pending, 'pending_result') as PendingResult
  // One that is given up before its end keeps the next statement waiting for longer.
  for (let step = 0; step < FEW_STEPS && !isReady(handle); step++) duckdb.pending_execute_task(handle)
  return pending
}
