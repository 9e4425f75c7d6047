/** Runs a behavioural query: tasks of whole actors through masks and kernel, then aggregations over those that passed. */
import type { DuckDBDataChunk } from '@duckdb/node-api'
import { Kernel, type KernelTotals } from '../behaviour/kernel.ts'
import type { Timeframe } from '../behaviour/predicate-sql.ts'
import type { AggregationResult, BehaviouralResult, FunnelStepResult, Warning } from '../behaviour/result.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import type { Column, ColumnStatistics, Table } from '../catalog/types.ts'
import { isFloat, quoteIdentifier } from '../common/data-type.ts'
import type { Settings } from '../config.ts'
import type { Engine, RunOptions, Session } from '../engine/engine.ts'
import { scanSql } from '../engine/scan.ts'
import { pruneFiles, type TypedCondition } from '../planner/prune.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import { type ActorTask, actorTasks, Bindings, kernelRows, type RowSource, rowsInside } from './actor-rows.ts'
import { type AggregationScope, aggregate, PASSING } from './aggregate.ts'
import { type QueryStats, scanOf, statsOf } from './sql.ts'
import { decideTargets } from './targets.ts'

/** Rows up to which a task's rows are taken as one result: faster than a stream, and still small. */
const MATERIALISED_ROWS = 2_500_000

/** What a behavioural query cost. */
export interface BehaviouralStats extends QueryStats {
  /** Rows and actors inside the timeframe. */
  scannedRows: number
  scannedGroups: number
}

/** What running a behavioural query needs. */
export interface BehaviourContext {
  engine: Engine
  settings: Settings
  options: RunOptions
  /** Called with the part of the work done, from 0 to 1. */
  onProgress?: ((fraction: number) => void) | undefined
}

interface TaskOutcome {
  task: ActorTask
  totals: KernelTotals
  rows: number
  actors: number
  /** For each actor, in ascending order, the level that it reached; only when aggregations need it. */
  levels?: Int32Array
}

/** The result document of a query on a table; `started` is when the call came, by `performance.now()`. */
export async function runBehaviour(
  context: BehaviourContext,
  table: Table,
  query: ValidQuery,
  started: number,
): Promise<BehaviouralResult<BehaviouralStats>> {
  const source = sourceOf(table, query)
  const pruning = pruneFiles(table.snapshot, timeCondition(source))
  const tasks = actorTasks(table, pruning.files)
  const scopes = aggregationScopes(query)
  let done = 0
  const outcomes = await mapConcurrent(tasks, context.settings.threads, async (task) => {
    const outcome = await runTask(context, source, task, scopes.length > 0)
    context.onProgress?.(++done / (tasks.length + Math.min(1, scopes.length)))
    return outcome
  })
  using session = await context.engine.session()
  const aggregations = scopes.length > 0 ? await aggregateScopes(context, session, source, outcomes, scopes) : []
  const warnings = [...query.warnings, ...(await dataWarnings(context, session, source, outcomes))]
  const sum = (field: 'rows' | 'actors') => outcomes.reduce((total, outcome) => total + outcome[field], 0)
  return {
    success: true,
    ...matches(query, mergeTotals(query, outcomes), scopes, aggregations),
    ...(warnings.length > 0 ? { warnings } : {}),
    stats: {
      ...statsOf([scanOf(table, pruning)], tasks.length, Math.round(performance.now() - started)),
      scannedRows: sum('rows'),
      scannedGroups: sum('actors'),
    },
  }
}

function sourceOf(table: Table, query: ValidQuery): RowSource {
  const { actor, time } = table.keys
  const timeType = table.snapshot.schema.columns.find(({ name }) => name === time)!.type
  return { table, query, actor: actor!, time: time!, timeType }
}

/** The timeframe as the files' bounds of the time column know it. */
function timeCondition({ table, query, time }: RowSource): TypedCondition {
  const column = table.snapshot.schema.columns.find(({ name }) => name === time)!
  const { from, to } = query.timeframe ?? {}
  // Bounds of these types stand in microseconds, the timeframe in the type's own unit.
  if (column.type.kind === 'primitive' && /^TIMESTAMP_/.test(column.type.name)) return { kind: 'unknown' }
  const children: TypedCondition[] = [{ kind: 'null', column, negated: true }]
  if (from !== undefined) children.push({ kind: 'compare', column, op: '>=', value: from })
  if (to !== undefined) children.push({ kind: 'compare', column, op: '<', value: to })
  return { kind: 'and', children }
}

/** The query's scope, one for each positive step, and the end's: those that have aggregations, with the level that an actor must have. */
function aggregationScopes({
  aggregations,
  funnel,
}: ValidQuery): (AggregationScope & { place: 'query' | 'step' | 'end' })[] {
  const steps = funnel?.sequence.steps.filter(({ negative }) => !negative).length ?? 0
  const all = [
    { place: 'query' as const, level: 1, aggregations: aggregations.query },
    ...Array.from({ length: steps }, (_, k) => ({
      place: 'step' as const,
      level: k + 2,
      aggregations: aggregations.step,
    })),
    { place: 'end' as const, level: steps + 1, aggregations: aggregations.end },
  ]
  return all.filter((scope) => scope.aggregations.length > 0)
}

async function runTask(
  context: BehaviourContext,
  source: RowSource,
  task: ActorTask,
  keepLevels: boolean,
): Promise<TaskOutcome> {
  using session = await context.engine.session()
  const words = await decideTargets(session, source, task, context.options)
  const kernel = new Kernel(source.query, { floatTimes: isFloat(source.timeType), ...(words ? { words } : {}) })
  const levels: Int32Array[] = []
  let actors = 0
  let rows = 0
  const keep = (part: Int32Array) => {
    actors += part.length
    if (keepLevels && part.length > 0) levels.push(part.slice())
  }
  for await (const chunk of kernelChunks(session, source, task, context.options)) {
    rows += chunk.rowCount
    keep(kernel.feed({ count: chunk.rowCount, ...vectors(chunk) }))
  }
  keep(kernel.finish())
  return { task, totals: kernel.totals(), rows, actors, ...(keepLevels ? { levels: concatenate(levels, actors) } : {}) }
}

async function* kernelChunks(
  session: Session,
  source: RowSource,
  task: ActorTask,
  options: RunOptions,
): AsyncGenerator<DuckDBDataChunk> {
  const bindings = new Bindings()
  const sql = kernelRows(source, task, bindings)
  const running = { ...options, params: bindings.values }
  if (task.rows <= MATERIALISED_ROWS) {
    const result = await session.run(sql, running)
    for (let k = 0; k < result.chunkCount; k++) yield result.getChunk(k)
    return
  }
  const result = await session.stream(sql, running)
  for (;;) {
    const chunk = await session.fetch(() => result.fetchChunk(), running)
    if (!chunk || chunk.rowCount === 0) return
    yield chunk
  }
}

interface ItemsVector<T> {
  items: T
}

function vectors(chunk: DuckDBDataChunk): {
  starts: Uint8Array
  times: BigInt64Array | Float64Array
  masks: BigInt64Array
} {
  const items = <T>(column: number) => (chunk.getColumnVector(column) as unknown as ItemsVector<T>).items
  return { starts: items(0), times: items(1), masks: items(2) }
}

function concatenate(parts: readonly Int32Array[], length: number): Int32Array {
  const whole = new Int32Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function mergeTotals(query: ValidQuery, outcomes: readonly TaskOutcome[]): KernelTotals {
  const count = query.funnel?.sequence.steps.filter(({ negative }) => !negative).length ?? 0
  const merged: KernelTotals = {
    groups: 0,
    rows: 0,
    steps: Array.from({ length: count }, () => ({ groups: 0, rows: 0 })),
  }
  for (const { totals } of outcomes) {
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
  scopes: readonly { place: string; level: number }[],
  results: readonly AggregationResult[][],
): Pick<BehaviouralResult, 'query' | 'funnel'> {
  const found = (place: string, level?: number) =>
    results[scopes.findIndex((scope) => scope.place === place && (level === undefined || scope.level === level))]
  const queryAggregations = found('query')
  const whole = {
    matchingGroups: totals.groups,
    matchingGroupRows: totals.rows,
    ...(queryAggregations ? { aggregations: queryAggregations } : {}),
  }
  if (!query.funnel) return { query: whole }
  const positive = query.funnel.sequence.steps.filter(({ negative }) => !negative)
  const sequence = positive.map(({ index, name }, k): FunnelStepResult => {
    const { groups, rows } = totals.steps[k]!
    const first = totals.steps[0]!.groups
    const before = k === 0 ? 0 : totals.steps[k - 1]!.groups
    const aggregations = found('step', k + 2)
    return {
      index,
      ...(name === undefined ? {} : { name }),
      matchingGroups: groups,
      matchingGroupRows: rows,
      ...(first > 0 ? { conversionRate: groups / first } : {}),
      ...(before > 0 ? { stepRate: groups / before } : {}),
      ...(aggregations ? { aggregations } : {}),
    }
  })
  const end = found('end')
  return { query: whole, funnel: { sequence, ...(end ? { endAggregations: end } : {}) } }
}

/** Names the passing actors of every task, then aggregates over all of them at once. */
async function aggregateScopes(
  { options, settings }: BehaviourContext,
  session: Session,
  source: RowSource,
  outcomes: readonly TaskOutcome[],
  scopes: readonly AggregationScope[],
): Promise<AggregationResult[][]> {
  const actor = quoteIdentifier(source.actor)
  const empty = scanSql(source.table, source.table.snapshot.schema, [])
  await session.run(
    `CREATE TEMP TABLE ${PASSING} AS SELECT ${actor} AS actor, 0::INTEGER AS level FROM (${empty})`,
    options,
  )
  for (const { task, levels } of outcomes) {
    if (!levels?.some((level) => level > 0)) continue
    await session.run('CREATE OR REPLACE TEMP TABLE skep_levels (place BIGINT, level INTEGER)', options)
    const appender = await session.connection.createAppender('skep_levels')
    for (const [place, level] of levels.entries()) {
      if (level === 0) continue
      appender.appendBigInt(BigInt(place))
      appender.appendInteger(level)
      appender.endRow()
    }
    appender.closeSync()
    const bindings = new Bindings()
    const rows = rowsInside(source, task.files, bindings)
    await session.run(
      `INSERT INTO ${PASSING} SELECT a, level FROM (
         SELECT a, row_number() OVER (ORDER BY a) - 1 AS place FROM (SELECT DISTINCT ${actor} AS a FROM (${rows}))
       ) JOIN skep_levels USING (place)`,
      { ...options, params: bindings.values },
    )
  }
  const files = outcomes.flatMap(({ task }) => task.files)
  return aggregate(session, source, files, scopes, options, settings.topDefault)
}

// Warnings about the data.

async function dataWarnings(
  { options }: BehaviourContext,
  session: Session,
  source: RowSource,
  outcomes: readonly TaskOutcome[],
): Promise<Warning[]> {
  const warnings: Warning[] = []
  const lost = await rowsOfNobody(session, source, options)
  if (lost > 0) {
    const message = `${lost} ${lost === 1 ? 'row has' : 'rows have'} no actor or no time; behavioural queries leave them out`
    warnings.push({ code: 'ROWS_WITHOUT_ACTOR_OR_TIME', message })
  }
  const inside = outcomes.some(({ rows }) => rows > 0)
  if (source.query.timeframe && !inside && (await isOutside(session, source, options))) {
    const message = 'the timeframe lies wholly outside the times of the table'
    warnings.push({ code: 'TIMEFRAME_OUTSIDE_DATA', message, path: '/timeframe' })
  }
  return warnings
}

/** Rows with a null actor, a null time or a NaN time; counted only where statistics do not rule them out. */
async function rowsOfNobody(
  session: Session,
  { table, actor, time, timeType }: RowSource,
  options: RunOptions,
): Promise<number> {
  const keys = table.snapshot.schema.columns.filter(({ name }) => name === actor || name === time)
  const suspect = table.snapshot.files.filter((file) => keys.some((key) => mayLack(key, file.columns.get(key.id))))
  if (suspect.length === 0) return 0
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
async function isOutside(session: Session, source: RowSource, options: RunOptions): Promise<boolean> {
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
