/** One task of a behavioural query, wherever it runs: files or rows of whole actors in, totals and tables of aggregations out. */
import assert from 'node:assert'
import { parseQueryText, type QueryLimits } from '../behaviour/json.ts'
import type { KernelTotals } from '../behaviour/kernel.ts'
import { type ValidQuery, validateQuery } from '../behaviour/validate.ts'
import type { DataFile, Table } from '../catalog/types.ts'
import type { Settings } from '../config.ts'
import type { Engine, RunOptions, Session } from '../engine/engine.ts'
import type { Exchange, Rows } from '../exchange/exchange.ts'
import { takeRows } from '../exchange/take-rows.ts'
import { viewRows } from '../exchange/view-rows.ts'
import type { ActorTask } from '../planner/actor-tasks.ts'
import { type BehaviourWork, type FileSpec, ROWS } from '../planner/plan.ts'
import { readTable } from '../planner/table-spec.ts'
import type { FileChecker } from '../storage/sealed-file.ts'
import { type RowSource, sourceOf } from './actor-rows.ts'
import { aggregationScopes, makeScopeTables, type Place } from './aggregation-scopes.ts'
import { namesOf, nameTables } from './aggregation-tables.ts'
import type { ShareRunner } from './direct-job.ts'
import { runKernel } from './kernel-task.ts'
import { addTotals, countOutcomes, gatherPassing, type Reader, runTasks, type TasksOutcome } from './run-tasks.ts'
import type { TaskMessage } from './task.ts'
import { requireWhole } from './whole-files.ts'

/** What running a task needs. */
export interface BehaviourTaskContext {
  engine: Engine
  /** What decodes files: in a worker, its own thread. */
  threads: ShareRunner
  settings: Settings
  /** Looks at files before they are read; absent where the coordinator has done so. */
  checker?: FileChecker
  /** Folder of the warehouse, as it is seen from here. */
  root: string
  exchange: Exchange
  options: RunOptions
  /** Called with the part of the task done, from 0 to 1. */
  onProgress?: ((fraction: number) => void) | undefined
  /** Called when what the task reads has been made ready. */
  onFetched?: (() => void) | undefined
}

/** What the task is told. */
export type BehaviourMessage = Pick<TaskMessage, 'attempt' | 'task' | 'inputs'> & { work: BehaviourWork }

/** What a task found: plain JSON. */
export interface BehaviourOutcome {
  reader: Reader
  totals: KernelTotals
  /** Rows and actors inside the timeframe. */
  rows: number
  actors: number
  /** The tables that aggregations are read from, by their names; none for a query without aggregations. */
  tables: Record<string, Rows>
}

/** The outcome of a task. @throws FILE_INVALID, QUERY_TIMEOUT, CANCELLED, MEMORY_LIMIT, COLUMN_TYPE_UNSUPPORTED */
export async function runBehaviourTask(
  context: BehaviourTaskContext,
  message: BehaviourMessage,
): Promise<BehaviourOutcome> {
  const { work, task } = message
  const { options } = context
  const specs = task.files[ROWS] ?? []
  const table = readTable(work.table, specs, context.root)
  const query = readQuery(work, table, context.settings)
  const places = aggregationScopes(query)
  using session = await context.engine.session()
  const [input] = work.inputs
  const running = input
    ? runRows(context, session, { ...sourceOf(table, query), view: ROWS }, message)
    : runFiles(context, sourceOf(table, query), specs, places.length > 0)
  const { source, reader, totals, outcomes } = await running
  const sums = { totals: addTotals(query, totals), ...countOutcomes(outcomes) }
  if (places.length === 0) return { reader, ...sums, tables: {} }
  await makeScopeTables(await gatherPassing(session, source, outcomes, options), places)
  return { reader, ...sums, tables: await takeTables(context, session, places, message.attempt) }
}

/** The query was validated before it was planned: its text may have grown since. */
function readQuery({ query }: BehaviourWork, { schema, keys }: Table, settings: Settings): ValidQuery {
  const limits: QueryLimits = { ...settings, queryBytes: Number.POSITIVE_INFINITY }
  const source = typeof query === 'string' ? parseQueryText(query, limits) : query
  return validateQuery(source, { columns: schema.columns, keys }, limits)
}

type Found = TasksOutcome & { source: RowSource }

async function runFiles(
  context: BehaviourTaskContext,
  source: RowSource,
  specs: readonly FileSpec[],
  keepReached: boolean,
): Promise<Found> {
  const { table } = source
  const { files } = table.snapshot
  if (context.checker) await requireWhole(context.checker, table, files, context.options)
  context.onFetched?.()
  const groups = Map.groupBy(files, (_, k) => specs[k]!.group ?? 0)
  const tasks = [...groups.values()].map(actorTask)
  const onProgress = (done: number) => context.onProgress?.(done / tasks.length)
  return { source, ...(await runTasks({ ...context, onProgress }, source, tasks, keepReached)) }
}

function actorTask(files: DataFile[]): ActorTask {
  const rows = files.reduce((sum, file) => sum + file.rows, 0)
  return { files, sorted: files.length === 1 && files[0]!.sorted, rows }
}

/** Rows that other tasks gave: those of this task's part, of which no other has an actor. */
async function runRows(
  { exchange, options, onFetched }: BehaviourTaskContext,
  session: Session,
  source: RowSource,
  { work, task, inputs }: BehaviourMessage,
): Promise<Found> {
  const [input] = work.inputs
  assert(input?.cut && task.part !== undefined)
  const part = { number: task.part, ...input.cut }
  const rows = inputs[input.stage] ?? []
  await viewRows(session, ROWS, rows, { exchange, columns: input.columns, part, run: options })
  onFetched?.()
  const count = rows.reduce((sum, given) => sum + rowsOfPart(given, task.part), 0)
  const { totals, outcome } = await runKernel(
    { session, options },
    source,
    { files: [], sorted: false, rows: count },
    aggregationScopes(source.query).length > 0,
  )
  return { source, reader: 'engine', totals: [totals], outcomes: [outcome] }
}

/** How many rows may be of a part. */
function rowsOfPart({ count, objects }: Rows, number: number | undefined): number {
  if (!objects) return count
  return objects.reduce((sum, { part, rows }) => sum + (part === undefined || part === number ? rows : 0), 0)
}

async function takeTables(
  { exchange, settings, options }: BehaviourTaskContext,
  session: Session,
  places: readonly Place[],
  attempt: string,
): Promise<Record<string, Rows>> {
  const tables: Record<string, Rows> = {}
  for (const name of namesOf(nameTables(places.flatMap(({ aggregations }) => aggregations)))) {
    const columns = await session.rows<{ name: string; type: string }>(
      `SELECT column_name AS name, column_type AS type FROM (DESCRIBE ${name})`,
      options,
    )
    const taking = { exchange, settings, attempt, name, columns, few: true, run: options }
    tables[name] = await takeRows(session, `FROM ${name}`, taking)
  }
  return tables
}
