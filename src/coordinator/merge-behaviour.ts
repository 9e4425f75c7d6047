/** Behavioural queries whose tasks run anywhere: their plan, and one answer from what the tasks found, in whatever order. */
import { checkQueryValue } from '../behaviour/json.ts'
import type { AggregationResult, BehaviouralResult } from '../behaviour/result.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import type { Table } from '../catalog/types.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import type { Exchange, Rows } from '../exchange/exchange.ts'
import { viewRows } from '../exchange/view-rows.ts'
import { BEHAVIOUR_STAGE, behaviourPlan } from '../planner/behaviour-plan.ts'
import type { Plan } from '../planner/plan.ts'
import type { RowSource } from '../worker/actor-rows.ts'
import { makeScopeTables, type Place } from '../worker/aggregation-scopes.ts'
import { namesOf, nameTables } from '../worker/aggregation-tables.ts'
import type { BehaviourOutcome } from '../worker/behaviour-task.ts'
import { addTotals, countOutcomes, gatherPassing } from '../worker/run-tasks.ts'
import { readScopes } from './aggregate.ts'
import { type AskedQuery, answerQuery, type QueryContext } from './behaviour.ts'
import type { BehaviouralStats, Findings } from './behaviour-result.ts'

/** What running a behavioural query on workers needs. */
export interface PooledContext extends QueryContext {
  /** Folder of the warehouse. */
  root: string
  /** Runs all stages of a plan; gives the outcomes of the tasks of the stage {@link BEHAVIOUR_STAGE}, in any order, each once, and where their rows are. */
  runPlan(plan: Plan): Promise<{ outcomes: readonly BehaviourOutcome[]; exchange: Exchange }>
}

/** The result document of a query; the same as that of `runBehaviour`. `source` is the query as it was given: an object, or parsed text. */
export async function runPooledBehaviour(
  context: PooledContext,
  table: Table,
  query: { source: unknown; valid: ValidQuery },
): Promise<BehaviouralResult<BehaviouralStats>> {
  return await answerQuery(context, table, query.valid, async (asked, session) => {
    const plan = planQuery(context, asked, query.source)
    const { outcomes, exchange } = await context.runPlan(plan)
    const tasks = plan.stages.reduce((sum, stage) => sum + stage.tasks.length, 0)
    return { findings: await mergeOutcomes({ session, exchange, options: context.options }, asked, outcomes), tasks }
  })
}

/** The plan of a query. */
export function planQuery(
  { root, settings }: Pick<PooledContext, 'root' | 'settings'>,
  { source: { table, query }, pruning }: Pick<AskedQuery, 'source' | 'pruning'>,
  source: unknown,
): Plan {
  const json = checkQueryValue(source, { ...settings, queryBytes: Number.POSITIVE_INFINITY })
  return behaviourPlan(table, pruning.files, { source: json, valid: query }, { root, settings })
}

/** Where outcomes are merged. */
export interface Merging {
  session: Session
  exchange: Exchange
  options: RunOptions
}

/** What all tasks found together. Tasks share no actor, so that numbers of actors add up. */
export async function mergeOutcomes(
  merging: Merging,
  { source, places }: Pick<AskedQuery, 'source' | 'places'>,
  outcomes: readonly BehaviourOutcome[],
): Promise<Findings> {
  const { query } = source
  return {
    reader: outcomes.length > 0 && outcomes.every(({ reader }) => reader === 'direct') ? 'direct' : 'engine',
    totals: addTotals(
      query,
      outcomes.map(({ totals }) => totals),
    ),
    ...countOutcomes(outcomes),
    aggregations: places.length > 0 ? await mergeAggregations(merging, source, places, outcomes) : [],
  }
}

async function mergeAggregations(
  { session, exchange, options }: Merging,
  source: RowSource,
  places: readonly Place[],
  outcomes: readonly BehaviourOutcome[],
): Promise<AggregationResult[][]> {
  if (outcomes.length === 0) {
    await makeScopeTables(await gatherPassing(session, source, [], options), places)
    return await readScopes({ session, options }, places)
  }
  for (const name of namesOf(nameTables(places.flatMap(({ aggregations }) => aggregations)))) {
    const rows = outcomes.map(({ tables }): Rows => tables[name]!)
    await viewRows(session, name, rows, { exchange, columns: rows[0]!.columns, run: options })
  }
  return await readScopes({ session, options }, places)
}
