/** Runs the stages of a plan on a pool of this process, and keeps what they gave until the query has its answer. */
import type { Sources } from '../catalog/sources.ts'
import type { Settings } from '../config.ts'
import { DiskExchange, newQueryName } from '../exchange/disk-exchange.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { PoolName, Stage } from '../planner/plan.ts'
import type { Pool } from '../pool/pool.ts'
import type { Pools } from '../pool/pools.ts'
import type { CallOptions } from './calls.ts'
import { runStages, type StagesResult } from './dispatch.ts'
import type { TasksRun } from './query-work.ts'
import type { TaskWatch } from './run-figures.ts'

/** What running plans needs of a warehouse. */
export interface PlanParts {
  /** Folder of the warehouse. */
  root: string
  settings: Settings
  sources: Sources
  pools: Pools
}

/** How a call is run: until when, and whom to tell. */
export interface Running extends TaskWatch {
  signal: AbortSignal
  timeoutMs: number
  onProgress: CallOptions['onProgress'] | undefined
}

/** The bounds of a call. */
export function runningOf(
  { queryTimeoutMs: timeoutMs }: Settings,
  { signal, onProgress, onTasks, onTask }: CallOptions & TaskWatch,
): Running {
  const deadline = AbortSignal.timeout(timeoutMs)
  return { signal: signal ? AbortSignal.any([signal, deadline]) : deadline, timeoutMs, onProgress, onTasks, onTask }
}

/** What stages gave, and where it is. When it is disposed of, nothing of it is left. */
export interface PlanRun extends TasksRun, AsyncDisposable {
  results: StagesResult['results']
  exchange: Exchange
}

/** Runs stages to their end. @throws as {@link runStages} does */
export async function runPlan(
  { root, settings, sources, pools }: PlanParts,
  stages: readonly Stage[],
  pool: PoolName,
  { signal, timeoutMs, onProgress, onTasks, onTask }: Running,
): Promise<PlanRun> {
  onTasks?.()
  const query = newQueryName()
  const exchange = new DiskExchange(root, query)
  const watched = watchedPool(pools.get(pool))
  try {
    const { results, stats, times, settled } = await runStages(stages, watched.pool, sources, {
      query,
      settings,
      signal,
      timeoutMs,
      onTask,
      // What is done after the last task counts as one more.
      onProgress: onProgress && ((progress) => onProgress(progress.done / (progress.tasks + 1), progress)),
    })
    const dispose = async () => {
      await settled
      await removeExchange(exchange, watched.running)
    }
    return { results, stats, times, exchange, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await removeExchange(exchange, watched.running)
    throw error
  }
}

/** Removes what tasks gave; once more, later, where some have not noticed yet that they were ended. */
async function removeExchange(exchange: DiskExchange, running: ReadonlySet<Promise<unknown>>): Promise<void> {
  await exchange.remove()
  if (running.size > 0) void Promise.allSettled(running).then(() => exchange.remove())
}

/** The same pool, and the attempts of this query that are at work in it, whether anybody still wants them or not. */
function watchedPool(pool: Pool): { pool: Pool; running: ReadonlySet<Promise<unknown>> } {
  const running = new Set<Promise<unknown>>()
  const run: Pool['run'] = async (message, calls) => {
    const attempt = pool.run(message, calls)
    running.add(attempt)
    try {
      return await attempt
    } finally {
      running.delete(attempt)
    }
  }
  const watched: Pool = {
    name: pool.name,
    get slots() {
      return pool.slots
    },
    run,
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  }
  return { pool: watched, running }
}
