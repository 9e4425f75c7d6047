/** Runs the stages of a plan on a pool of this process, and keeps what they gave until the query has its answer. */
import type { Sources } from '../catalog/sources.ts'
import type { Settings } from '../config.ts'
import { DiskExchange, newQueryName } from '../exchange/disk-exchange.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { PoolName, Stage } from '../planner/plan.ts'
import type { Pools } from '../pool/pools.ts'
import type { CallOptions } from './calls.ts'
import { runStages, type StagesResult } from './dispatch.ts'
import type { TaskStats } from './run-figures.ts'

/** What running plans needs of a warehouse. */
export interface PlanParts {
  /** Folder of the warehouse. */
  root: string
  settings: Settings
  sources: Sources
  pools: Pools
}

/** How a call is run: until when, and whom to tell. */
export interface Running {
  signal: AbortSignal
  timeoutMs: number
  onProgress: CallOptions['onProgress'] | undefined
}

/** The bounds of a call. */
export function runningOf({ queryTimeoutMs: timeoutMs }: Settings, { signal, onProgress }: CallOptions): Running {
  const deadline = AbortSignal.timeout(timeoutMs)
  return { signal: signal ? AbortSignal.any([signal, deadline]) : deadline, timeoutMs, onProgress }
}

/** What stages gave, and where it is. When it is disposed of, nothing of it is left. */
export interface PlanRun extends AsyncDisposable {
  results: StagesResult['results']
  stats: TaskStats
  exchange: Exchange
}

/** Runs stages to their end. @throws as {@link runStages} does */
export async function runPlan(
  { root, settings, sources, pools }: PlanParts,
  stages: readonly Stage[],
  pool: PoolName,
  { signal, timeoutMs, onProgress }: Running,
): Promise<PlanRun> {
  const query = newQueryName()
  const exchange = new DiskExchange(root, query)
  try {
    const { results, stats, settled } = await runStages(stages, pools.get(pool), sources, {
      query,
      settings,
      signal,
      timeoutMs,
      // What is done after the last task counts as one more.
      onProgress: onProgress && ((progress) => onProgress(progress.done / (progress.tasks + 1), progress)),
    })
    const dispose = async () => {
      await settled
      await exchange.remove()
    }
    return { results, stats, exchange, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await exchange.remove()
    throw error
  }
}
