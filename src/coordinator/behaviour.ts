/** Runs a behavioural query: tasks of whole actors through masks and kernel, then aggregations over those that passed. */
import { type KernelTotals, positiveSteps } from '../behaviour/kernel.ts'
import type { Timeframe } from '../behaviour/predicate-sql.ts'
import type { AggregationResult, BehaviouralResult, FunnelStepResult, Warning } from '../behaviour/result.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import { queryError } from '../behaviour/violations.ts'
import type { Column, ColumnStatistics, Table } from '../catalog/types.ts'
import { isFloat, quoteIdentifier } from '../common/data-type.ts'
import type { Settings } from '../config.ts'
import type { Engine, RunOptions, Session } from '../engine/engine.ts'
import { scanSql } from '../engine/scan.ts'
import { isSkepError, type Violation } from '../errors.ts'
import { type ActorTask, actorTasks, timeCondition } from '../planner/actor-tasks.ts'
import { pruneFiles } from '../planner/prune.ts'
import type { Threads } from '../pool/threads.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { FileChecker } from '../storage/sealed-file.ts'
import { Bindings, type RowSource, rowsInside, sourceOf } from '../worker/actor-rows.ts'
import { runDirect } from '../worker/direct.ts'
import { runKernel, type TaskOutcome } from '../worker/kernel-task.ts'
import { addPassing, createPassing } from '../worker/passing.ts'
import { requireWhole } from '../worker/whole-files.ts'
import { type AggregationScope, aggregate } from './aggregate.ts'
import { type QueryStats, scanOf, statsOf } from './sql.ts'

/** Tasks under way beyond the engine's threads: it goes on while the kernel reads what it has made. */
const AHEAD = 1

/** What a behavioural query cost. */
export interface BehaviouralStats extends QueryStats {
  /** Rows and actors inside the timeframe. */
  scannedRows: number
  scannedGroups: number
  /** What read the rows: `direct` decoded the files on worker threads, `engine` is DuckDB. The answer is the same. */
  reader: 'direct' | 'engine'
}

/** What running a behavioural query needs. */
export interface BehaviourContext {
  engine: Engine
  threads: Threads
  settings: Settings
  checker: FileChecker
  options: RunOptions
  /** Called with the part of the work done, from 0 to 1. */
  onProgress?: ((fraction: number) => void) | undefined
}

/** The result document of a query on a table; `started` is when the call came, by `performance.now()`. */
export async function runBehaviour(
  context: BehaviourContext,
  table: Table,
  query: ValidQuery,
  started: number,
): Promise<BehaviouralResult<BehaviouralStats>> {
  await checkPatterns(context, query)
  const source = sourceOf(table, query)
  const pruning = pruneFiles(table.snapshot, timeCondition(table, query))
  await requireWhole(context.checker, table, pruning.files, context.options)
  const tasks = actorTasks(table, pruning.files)
  const scopes = aggregationScopes(query)
  const onProgress = (done: number) => context.onProgress?.(done / (tasks.length + Math.min(1, scopes.length)))
  const { reader, totals, outcomes } = await runTasks({ ...context, onProgress }, source, tasks, scopes.length > 0)
  using session = await context.engine.session()
  const aggregations = scopes.length > 0 ? await aggregateScopes(context, session, source, outcomes, scopes) : []
  const warnings = [...query.warnings, ...(await dataWarnings(context, session, source, outcomes))]
  const sum = (field: 'rows' | 'actors') => outcomes.reduce((total, outcome) => total + outcome[field], 0)
  return {
    success: true,
    ...matches(query, mergeTotals(query, totals), scopes, aggregations),
    ...(warnings.length > 0 ? { warnings } : {}),
    stats: {
      ...statsOf([scanOf(table, pruning)], tasks.length, Math.round(performance.now() - started)),
      scannedRows: sum('rows'),
      scannedGroups: sum('actors'),
      reader,
    },
  }
}

/** Regular expressions are the engine's to judge. @throws QUERY_INVALID naming every one that it does not understand */
async function checkPatterns({ engine, options }: BehaviourContext, { patterns = [] }: ValidQuery): Promise<void> {
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

/** The places of a query that have aggregations, with the condition on {@link PASSING} that their actors meet. */
function aggregationScopes(query: ValidQuery): Place[] {
  const { aggregations } = query
  const steps = positiveSteps(query)
  let required = 0
  let optional = 0
  const stepScopes = steps.map((step, position): Place => {
    const condition = step.optional ? `((matched >> ${optional++}) & 1) = 1` : `level >= ${++required + 1}`
    return { place: 'step', position, condition, aggregations: aggregations.step }
  })
  const all: Place[] = [
    { place: 'query', position: 0, condition: 'level >= 1', aggregations: aggregations.query },
    ...stepScopes,
    { place: 'end', position: 0, condition: `level >= ${required + 1}`, aggregations: aggregations.end },
  ]
  return all.filter((scope) => scope.aggregations.length > 0)
}

interface Place extends AggregationScope {
  place: 'query' | 'step' | 'end'
  /** Which positive step. */
  position: number
}

/** Straight from the files where that can be done, else through the engine. */
async function runTasks(
  context: Omit<BehaviourContext, 'onProgress'> & { onProgress: (done: number) => void },
  source: RowSource,
  tasks: readonly ActorTask[],
  keepReached: boolean,
): Promise<{ reader: BehaviouralStats['reader']; totals: KernelTotals[]; outcomes: TaskOutcome[] }> {
  const direct = await runDirect(context, source, tasks, keepReached)
  if (direct) return { reader: 'direct', ...direct }
  let done = 0
  const runs = await mapConcurrent(tasks, context.settings.threads + AHEAD, async (task) => {
    const run = await runKernel(context, source, task, keepReached)
    context.onProgress(++done)
    return run
  })
  return { reader: 'engine', totals: runs.map(({ totals }) => totals), outcomes: runs.map(({ outcome }) => outcome) }
}

function mergeTotals(query: ValidQuery, parts: readonly KernelTotals[]): KernelTotals {
  const steps = positiveSteps(query).map(() => ({ groups: 0, rows: 0 }))
  const merged: KernelTotals = { groups: 0, rows: 0, steps }
  for (const totals of parts) {
    merged.groups += totals.groups
    merged.rows += totals.rows
    for (const [k, step] of totals.steps.entries()) {
      merged.steps[k]!.groups += step.groups
      merged.steps[k]!.rows += step.rows
    }
  }
  return merged
}

function matches(
  query: ValidQuery,
  totals: KernelTotals,
  scopes: readonly Place[],
  results: readonly AggregationResult[][],
): Pick<BehaviouralResult, 'query' | 'funnel'> {
  const found = (place: Place['place'], position = 0) =>
    results[scopes.findIndex((scope) => scope.place === place && scope.position === position)]
  const queryAggregations = found('query')
  const whole = {
    matchingGroups: totals.groups,
    matchingGroupRows: totals.rows,
    ...(queryAggregations ? { aggregations: queryAggregations } : {}),
  }
  if (!query.funnel) return { query: whole }
  const first = totals.steps[0]!.groups
  let before: number | undefined
  const sequence = positiveSteps(query).map(({ index, name, optional }, position): FunnelStepResult => {
    const { groups, rows } = totals.steps[position]!
    const aggregations = found('step', position)
    const result = {
      index,
      ...(name === undefined ? {} : { name }),
      matchingGroups: groups,
      matchingGroupRows: rows,
      ...(first > 0 ? { conversionRate: groups / first } : {}),
      ...(before !== undefined && before > 0 ? { stepRate: groups / before } : {}),
      ...(aggregations ? { aggregations } : {}),
    }
    if (!optional) before = groups
    return result
  })
  const end = found('end')
  return { query: whole, funnel: { sequence, ...(end ? { endAggregations: end } : {}) } }
}

/** Names the passing actors of every task, then aggregates over all of them at once. */
async function aggregateScopes(
  { options }: BehaviourContext,
  session: Session,
  source: RowSource,
  outcomes: readonly TaskOutcome[],
  scopes: readonly AggregationScope[],
): Promise<AggregationResult[][]> {
  await createPassing(session, source, options)
  for (const { task, reached } of outcomes) if (reached) await addPassing(session, source, task, reached, options)
  const files = outcomes.flatMap(({ task }) => task.files)
  return aggregate(session, source, files, scopes, options)
}

// Warnings about the data.

async function dataWarnings(
  context: BehaviourContext,
  session: Session,
  source: RowSource,
  outcomes: readonly TaskOutcome[],
): Promise<Warning[]> {
  const warnings: Warning[] = []
  const lost = await rowsOfNobody(context, session, source)
  if (lost > 0) {
    const message = `${lost} ${lost === 1 ? 'row has' : 'rows have'} no actor or no time; behavioural queries leave them out`
    warnings.push({ code: 'ROWS_WITHOUT_ACTOR_OR_TIME', message })
  }
  const inside = outcomes.some(({ rows }) => rows > 0)
  if (source.query.timeframe && !inside && (await isOutside(context, session, source))) {
    const message = 'the timeframe lies wholly outside the times of the table'
    warnings.push({ code: 'TIMEFRAME_OUTSIDE_DATA', message, path: '/timeframe' })
  }
  return warnings
}

/** Rows with a null actor, a null time or a NaN time; counted only where statistics do not rule them out. */
async function rowsOfNobody(
  { checker, options }: BehaviourContext,
  session: Session,
  { table, actor, time, timeType }: RowSource,
): Promise<number> {
  const keys = table.snapshot.schema.columns.filter(({ name }) => name === actor || name === time)
  const suspect = table.snapshot.files.filter((file) => keys.some((key) => mayLack(key, file.columns.get(key.id))))
  if (suspect.length === 0) return 0
  await requireWhole(checker, table, suspect, options)
  const nan = isFloat(timeType) ? ` OR isnan(${quoteIdentifier(time)})` : ''
  const [row] = await session.rows<{ n: bigint }>(
    `SELECT count(*) AS n FROM (${scanSql(table, table.snapshot.schema, suspect)})
     WHERE ${quoteIdentifier(actor)} IS NULL OR ${quoteIdentifier(time)} IS NULL${nan}`,
    options,
  )
  return Number(row!.n)
}

function mayLack({ type }: Column, statistics: ColumnStatistics | undefined): boolean {
  return statistics?.nulls !== 0 || (isFloat(type) && statistics.nans !== 0)
}

/** True when all rows of the table come before the timeframe, or all after it. */
async function isOutside(
  { checker, options }: BehaviourContext,
  session: Session,
  source: RowSource,
): Promise<boolean> {
  await requireWhole(checker, source.table, source.table.snapshot.files, options)
  const anyOf = async (timeframe: Timeframe) => {
    const bindings = new Bindings()
    const side = { ...source, query: { ...source.query, timeframe } }
    const rows = rowsInside(side, source.table.snapshot.files, bindings)
    const found = await session.run(`SELECT 1 FROM (${rows}) LIMIT 1`, { ...options, params: bindings.values })
    return found.rowCount > 0
  }
  const { from, to } = source.query.timeframe!
  const reached = from === undefined || (await anyOf({ from }))
  return !reached || !(to === undefined || (await anyOf({ to })))
}
