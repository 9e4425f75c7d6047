/** Runs a behavioural query: tasks of whole actors through masks and kernel, then aggregations over those that passed. */
import type { AggregationResult, BehaviouralResult, Warning } from '../behaviour/result.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import { queryError } from '../behaviour/violations.ts'
import type { Table } from '../catalog/types.ts'
import type { Settings } from '../config.ts'
import type { Engine, RunOptions, Session } from '../engine/engine.ts'
import { isSkepError, type Violation } from '../errors.ts'
import { actorTasks, timeCondition } from '../planner/actor-tasks.ts'
import { type Pruning, pruneFiles } from '../planner/prune.ts'
import type { FileChecker } from '../storage/sealed-file.ts'
import { type RowSource, sourceOf } from '../worker/actor-rows.ts'
import { aggregationScopes, type Place } from '../worker/aggregation-scopes.ts'
import type { ShareRunner } from '../worker/direct-job.ts'
import { addTotals, countOutcomes, gatherPassing, runTasks } from '../worker/run-tasks.ts'
import { requireWhole } from '../worker/whole-files.ts'
import { aggregate } from './aggregate.ts'
import { type BehaviouralStats, type Findings, resultDocument } from './behaviour-result.ts'
import { dataWarnings } from './data-warnings.ts'
import type { QueryWork } from './query-work.ts'
import { scanOf, statsOf } from './sql.ts'

/** What running a behavioural query needs, wherever its tasks run. */
export interface QueryContext {
  engine: Engine
  settings: Settings
  checker: FileChecker
  options: RunOptions
  record: QueryWork
}

/** What running a behavioural query in this process needs. */
export interface BehaviourContext extends QueryContext {
  threads: ShareRunner
  /** Called with the part of the work done, from 0 to 1. */
  onProgress?: ((fraction: number) => void) | undefined
}

/** The result document of a query on a table. */
export async function runBehaviour(
  context: BehaviourContext,
  table: Table,
  query: ValidQuery,
): Promise<BehaviouralResult<BehaviouralStats>> {
  return await answerQuery(context, table, query, (...asked) => findHere(context, ...asked))
}

/** A query on a table, as those who run its tasks see it. */
export interface AskedQuery {
  source: RowSource
  pruning: Pruning
  places: Place[]
}

/** What runs the tasks of a query, wherever that is. `session` is one for statements of the coordinator. */
export type FindTogether = (asked: AskedQuery, session: Session) => Promise<{ findings: Findings; tasks: number }>

/** The result document of a query whose tasks are run by `find`: all else is the same wherever they run. */
export async function answerQuery(
  context: QueryContext,
  table: Table,
  query: ValidQuery,
  find: FindTogether,
): Promise<BehaviouralResult<BehaviouralStats>> {
  await checkPatterns(context, query)
  const source = sourceOf(table, query)
  const pruning = pruneFiles(table.snapshot, timeCondition(table, query))
  const { checker, options, record } = context
  await record.fetching(() => requireWhole(checker, table, pruning.files, options))
  const places = aggregationScopes(query)
  using session = await context.engine.session()
  const { findings, tasks } = await find({ source, pruning, places }, session)
  const warnings: Warning[] = await dataWarnings({ session, checker, options }, source, findings.rows)
  const stats = { ...statsOf([scanOf(table, pruning)], tasks), ms: record.ms, ...record.stats() }
  return resultDocument(query, places, findings, [...query.warnings, ...warnings], stats)
}

/** Regular expressions are the engine's to judge. @throws QUERY_INVALID naming every one that it does not understand */
async function checkPatterns({ engine, options }: QueryContext, { patterns = [] }: ValidQuery): Promise<void> {
  if (patterns.length === 0) return
  using session = await engine.session()
  const violations: Violation[] = []
  for (const { text, path } of patterns) {
    try {
      await session.run(`SELECT regexp_matches('', $1)`, { ...options, params: [text], userSql: true })
    } catch (error) {
      if (!isSkepError(error, 'SQL_INVALID')) throw error
      violations.push({ kind: 'INVALID_ARGUMENTS', path, message: `not a regular expression: ${error.message}` })
    }
  }
  if (violations.length > 0) throw queryError(violations)
}

/** Runs the tasks in this process, and aggregates over the rows of all actors at once. */
async function findHere(
  context: BehaviourContext,
  { source, pruning, places }: AskedQuery,
  session: Session,
): ReturnType<FindTogether> {
  const { record, threads } = context
  const tasks = actorTasks(source.table, pruning.files)
  const onProgress = (done: number) => context.onProgress?.(done / (tasks.length + Math.min(1, places.length)))
  const wereReady = threads.isReady
  record.planned()
  const { reader, totals, outcomes } = await runTasks({ ...context, onProgress }, source, tasks, places.length > 0)
  if (reader === 'direct' && !wereReady) record.wasCold()
  let aggregations: AggregationResult[][] = []
  if (places.length > 0) {
    aggregations = await aggregate(await gatherPassing(session, source, outcomes, context.options), places)
  }
  record.ran()
  const sums = { totals: addTotals(source.query, totals), ...countOutcomes(outcomes) }
  return { findings: { reader, ...sums, aggregations }, tasks: tasks.length }
}
