/** Runs behavioural queries: on this machine's threads at once, or in tasks on a pool. */
import type { BehaviouralResult } from '../behaviour/result.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import type { Table } from '../catalog/types.ts'
import type { Settings } from '../config.ts'
import { type EngineKeeper, readingOf } from '../engine/keeper.ts'
import { timeCondition } from '../planner/actor-tasks.ts'
import { BEHAVIOUR_STAGE } from '../planner/behaviour-plan.ts'
import { type Estimate, estimateOf, requireAffordable } from '../planner/estimate.ts'
import type { Plan, PoolName } from '../planner/plan.ts'
import { pruneFiles } from '../planner/prune.ts'
import type { FileChecker } from '../storage/sealed-file.ts'
import { sourceOf } from '../worker/actor-rows.ts'
import type { BehaviourOutcome } from '../worker/behaviour-task.ts'
import type { ShareRunner } from '../worker/direct-job.ts'
import { type QueryContext, runBehaviour } from './behaviour.ts'
import type { BehaviouralStats } from './behaviour-result.ts'
import { poolOf, type QueryOptions } from './calls.ts'
import { type BehaviouralExplanation, explainBehaviour } from './explain-behaviour.ts'
import { planQuery, runPooledBehaviour } from './merge-behaviour.ts'
import type { QueryWork } from './query-work.ts'
import { type PlanParts, type PlanRun, type Running, runPlan } from './run-plan.ts'
import { readUnchanged } from './unchanged.ts'

/** What running behavioural queries needs of a warehouse. */
export interface BehaviourParts extends PlanParts {
  engines: EngineKeeper
  threads: ShareRunner
  checker: FileChecker
}

/** A query on a loaded table: as it was given, and as it was understood. */
export interface LoadedQuery {
  table: Table
  source: unknown
  valid: ValidQuery
}

/** How a query runs. */
export interface BehaviourChoice {
  pool: PoolName
  /** False where this process runs it at once. */
  divided: boolean
  why: string
  estimate: Estimate
  plan: Plan
}

/** How a query is to be run, and what it will read. */
export function chooseBehaviour(
  parts: { root: string; settings: Settings },
  { table, source, valid }: LoadedQuery,
  options: QueryOptions,
): BehaviourChoice {
  const { settings } = parts
  const pruning = pruneFiles(table.snapshot, timeCondition(table, valid))
  const plan = planQuery(parts, { source: sourceOf(table, valid), pruning }, source)
  const tasks = plan.stages.reduce((sum, stage) => sum + stage.tasks.length, 0)
  const rows = pruning.files.reduce((sum, file) => sum + file.rows, 0)
  const bytes = pruning.files.reduce((sum, file) => sum + file.sizeBytes, 0)
  const estimate = estimateOf({ files: pruning.files.length, bytes, rows, tasks }, settings)
  const name = poolOf(settings, options)
  const divided = settings.split === 'always' && tasks > 1
  const why = divided
    ? `SKEP_SPLIT asks for it: ${tasks} tasks`
    : tasks > 1
      ? 'on one machine the threads share the files among them without tasks (SKEP_SPLIT)'
      : 'one task would do all'
  return { pool: name, divided, why, estimate, plan }
}

/** The result document of a query. @throws BYTES_LIMIT, COST_LIMIT, and what the query fails with */
export async function runBehaviouralQuery(
  parts: BehaviourParts,
  query: LoadedQuery,
  options: QueryOptions,
  { running, record }: { running: Running; record: QueryWork },
): Promise<BehaviouralResult<BehaviouralStats>> {
  const { settings, engines, checker, threads } = parts
  const { table, valid } = query
  const choice = chooseBehaviour(parts, query, options)
  requireAffordable(choice.estimate, options)
  await using lease = await engines.leaseEngine(readingOf([table]))
  const { signal, timeoutMs } = running
  const context = { engine: lease.engine, settings, checker, options: { signal, timeoutMs }, record }
  const result = await readUnchanged(table.snapshot.files, { signal }, async () => {
    if (!choice.divided) {
      if (lease.beginTask()) record.wasCold()
      return await runBehaviour({ ...context, threads, onProgress: running.onProgress }, table, valid)
    }
    return await runOnPool(parts, context, query, { pool: choice.pool, running })
  })
  lease.confirm()
  const { pool, estimate } = choice
  return { ...result, stats: { ...result.stats, pool, estimate } }
}

/** The result document of a query in tasks; nothing is left of what they gave. */
async function runOnPool(
  parts: BehaviourParts,
  context: QueryContext,
  { table, source, valid }: LoadedQuery,
  { pool, running }: { pool: PoolName; running: Running },
): Promise<BehaviouralResult<BehaviouralStats>> {
  let run: PlanRun | undefined
  const runTasks = async ({ stages }: Plan) => {
    context.record.planned()
    run = await runPlan(parts, stages, pool, running)
    context.record.ran(run)
    const outcomes = run.results.get(BEHAVIOUR_STAGE)!.map(({ outcome }) => outcome as BehaviourOutcome)
    return { outcomes, exchange: run.exchange }
  }
  try {
    return await runPooledBehaviour({ ...context, root: parts.root, runPlan: runTasks }, table, { source, valid })
  } finally {
    await run?.[Symbol.asyncDispose]()
  }
}

/** What a query means, and what would be done for it. */
export function explainBehaviouralQuery(
  parts: { root: string; settings: Settings },
  query: LoadedQuery,
  options: QueryOptions,
): BehaviouralExplanation {
  const { pool, divided, why, estimate, plan } = chooseBehaviour(parts, query, options)
  return {
    ...explainBehaviour(parts.settings, query.table, query.valid),
    pool,
    divided,
    why,
    estimate,
    stages: plan.stages,
  }
}
