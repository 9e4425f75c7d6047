/** One task of a behavioural query: rows from the engine through the kernel. */
import type { DuckDBDataChunk } from '@duckdb/node-api'
import { Kernel, type KernelLevels, type KernelRows, type KernelTotals } from '../behaviour/kernel.ts'
import { isFloat } from '../common/data-type.ts'
import { SETTINGS } from '../config.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { streamChunks } from '../engine/stream.ts'
import type { ActorTask } from '../planner/actor-tasks.ts'
import { Bindings, kernelRows, type RowSource } from './actor-rows.ts'
import { concatenate, type Reached } from './reached.ts'
import { decideTargets } from './targets.ts'

/** What a task found. */
export interface TaskOutcome {
  task: ActorTask
  /** Rows and actors inside the timeframe. */
  rows: number
  actors: number
  /** Only when it was asked for. */
  reached?: Reached
}

/** Runs conditions, sequences and the funnel of a query over the actors of a task. */
export async function runKernel(
  { session, options }: { session: Session; options: RunOptions },
  source: RowSource,
  task: ActorTask,
  keepReached: boolean,
): Promise<{ totals: KernelTotals; outcome: TaskOutcome }> {
  const words = await decideTargets(session, source, task, options)
  const kernel = new Kernel(source.query, { floatTimes: isFloat(source.timeType), ...(words ? { words } : {}) })
  const kept: Reached[] = []
  let actors = 0
  let rows = 0
  const keep = ({ levels, matched }: KernelLevels) => {
    actors += levels.length
    if (keepReached && levels.length > 0) kept.push({ levels: levels.slice(), matched: matched.slice() })
  }
  for await (const chunk of taskChunks(session, source, task, options)) {
    rows += chunk.rowCount
    keep(kernel.feed(kernelInput(chunk)))
  }
  keep(kernel.finish())
  const outcome = { task, rows, actors, ...(keepReached && { reached: concatenate(kept, actors) }) }
  return { totals: kernel.totals(), outcome }
}

async function* taskChunks(
  session: Session,
  source: RowSource,
  task: ActorTask,
  options: RunOptions,
): AsyncGenerator<DuckDBDataChunk> {
  const bindings = new Bindings()
  const sql = kernelRows(source, task, bindings)
  const running = { ...options, params: bindings.values }
  if (task.rows <= SETTINGS.materialisedRows.default) {
    const result = await session.run(sql, running)
    for (let k = 0; k < result.chunkCount; k++) yield result.getChunk(k)
    return
  }
  yield* streamChunks(session, sql, running)
}

/** The columns of {@link kernelRows}; vectors of numbers are views of their items. */
function kernelInput(chunk: DuckDBDataChunk): KernelRows {
  const items = <T>(column: number) => (chunk.getColumnVector(column) as unknown as { items: T }).items
  return {
    count: chunk.rowCount,
    actors: items(0),
    times: items(1),
    masks: items(2),
    series: Array.from({ length: chunk.columnCount - 3 }, (_, k) => items<Int32Array>(3 + k)),
  }
}
