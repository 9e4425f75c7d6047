/** Tasks of whole actors run one by one or all at once: what they add up to, and whom aggregations cover. */
import { type KernelTotals, positiveSteps } from '../behaviour/kernel.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import { SETTINGS } from '../config.ts'
import type { Session } from '../engine/engine.ts'
import type { ActorTask } from '../planner/actor-tasks.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { RowSource } from './actor-rows.ts'
import type { Aggregating } from './aggregation-tables.ts'
import { type DirectContext, runDirect } from './direct.ts'
import { runKernel, type TaskOutcome } from './kernel-task.ts'
import { addPassing, createPassing } from './passing.ts'

/** What read the rows: `direct` decoded the files without the engine. The answer is the same. */
export type Reader = 'direct' | 'engine'

/** What tasks found. */
export interface TasksOutcome {
  reader: Reader
  totals: KernelTotals[]
  outcomes: TaskOutcome[]
}

/** Runs tasks straight from their files where that can be done, else through the engine. */
export async function runTasks(
  context: DirectContext,
  source: RowSource,
  tasks: readonly ActorTask[],
  keepReached: boolean,
): Promise<TasksOutcome> {
  const direct = await runDirect(context, source, tasks, keepReached)
  if (direct) return { reader: 'direct', ...direct }
  const { engine, settings, options, onProgress } = context
  let done = 0
  const runs = await mapConcurrent(tasks, settings.threads + SETTINGS.tasksAhead.default, async (task) => {
    using session = await engine.session()
    const run = await runKernel({ session, options }, source, task, keepReached)
    onProgress(++done)
    return run
  })
  return { reader: 'engine', totals: runs.map(({ totals }) => totals), outcomes: runs.map(({ outcome }) => outcome) }
}

/** Totals of tasks that share no actor, added up. */
export function addTotals(query: ValidQuery, parts: readonly KernelTotals[]): KernelTotals {
  const steps = positiveSteps(query).map(() => ({ groups: 0, rows: 0 }))
  const sum: KernelTotals = { groups: 0, rows: 0, steps }
  for (const totals of parts) {
    sum.groups += totals.groups
    sum.rows += totals.rows
    for (const [k, step] of totals.steps.entries()) {
      sum.steps[k]!.groups += step.groups
      sum.steps[k]!.rows += step.rows
    }
  }
  return sum
}

/** Rows and actors of tasks, added up. */
export function countOutcomes(outcomes: readonly { rows: number; actors: number }[]): { rows: number; actors: number } {
  const sum = (field: 'rows' | 'actors') => outcomes.reduce((total, outcome) => total + outcome[field], 0)
  return { rows: sum('rows'), actors: sum('actors') }
}

/** Names the passing actors of all tasks in a session; gives over what their aggregations are made. */
export async function gatherPassing(
  session: Session,
  source: RowSource,
  outcomes: readonly TaskOutcome[],
  options: Aggregating['options'],
): Promise<Aggregating> {
  await createPassing(session, source, options)
  for (const { task, reached } of outcomes) if (reached) await addPassing(session, source, task, reached, options)
  return { session, source, files: outcomes.flatMap(({ task }) => task.files), options }
}
