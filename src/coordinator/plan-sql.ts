/** Decides how a query in SQL is run: whole in one engine, or divided into stages of tasks. */
import type { Settings } from '../config.ts'
import { throwIfEnded } from '../engine/engine.ts'
import type { BoundValue } from '../engine/parameters.ts'
import { paramToJson } from '../engine/params-json.ts'
import { SessionBinder } from '../engine/split-binder.ts'
import { isSkepError } from '../errors.ts'
import { type Estimate, estimateOf } from '../planner/estimate.ts'
import { type Packing, packFiles } from '../planner/pack.ts'
import type { ParamJson, Plan, PoolName } from '../planner/plan.ts'
import { type PlannedTable, type PrintedStage, sqlStages } from '../planner/sql-plan.ts'
import { type SplitQuery, splitQuery } from '../sql/split.ts'
import type { SplitColumn } from '../sql/split-tables.ts'
import { nodes, type TreeNode } from '../sql/tree.ts'
import type { SqlContext } from './sql.ts'

/** Where a query runs, and how. */
export interface SqlChoice {
  pool: PoolName
  /** False where one engine runs the query whole. */
  divided: boolean
  why: string
  /** The stages that it is, or can be, divided into. */
  plan?: Plan & { final: NonNullable<Plan['final']> & { params: Record<string, BoundValue> } }
}

/** A query whose tables are bound. */
export interface BoundSql {
  root: string
  text: string
  tree: TreeNode
  planned: ReadonlyMap<string, PlannedTable>
}

/** What the query will read, and in how many tasks. */
export function estimateSql(settings: Settings, planned: ReadonlyMap<string, PlannedTable>): Estimate {
  const files = [...planned.values()].flatMap((table) => table.files)
  const sum = (field: 'rows' | 'sizeBytes') => files.reduce((total, file) => total + file[field], 0)
  const tasks = [...planned.values()].reduce(
    (total, table) => total + packFiles(table.files, { ...packingOf(settings), ranges: true }).length,
    0,
  )
  return estimateOf({ files: files.length, bytes: sum('sizeBytes'), rows: sum('rows'), tasks }, settings)
}

function packingOf({ splitRows, tasksMax, rowGroupRows }: Settings): Omit<Packing, 'ranges'> {
  return { taskRows: splitRows, tasksMax, groupRows: rowGroupRows }
}

/** How a query is to be run on a pool; for `explain` with the stages that it can be divided into even where it is not. */
export async function chooseSql(
  context: SqlContext,
  query: BoundSql,
  { pool, purpose }: { pool: PoolName; purpose: 'run' | 'explain' },
): Promise<SqlChoice> {
  const { settings } = context
  const greatest = Math.max(0, ...[...query.planned.values()].map(rowsOf))
  if (greatest <= settings.splitRows) {
    const why = `no table has more than ${settings.splitRows} rows to be read (SKEP_TASK_ROWS): one task would do all`
    return { pool, divided: false, why }
  }
  const divided = settings.split === 'always'
  const whole = 'on one machine one engine runs plain SQL faster than tasks would (SKEP_SPLIT)'
  if (!divided && purpose === 'run') return { pool, divided, why: whole }
  const plan = await planStages(context, query)
  if (!plan) return { pool, divided: false, why: 'it cannot be divided so that its columns stay the same' }
  const tasks = plan.stages.reduce((sum, stage) => sum + stage.tasks.length, 0)
  const why = divided ? `SKEP_SPLIT asks for it: ${tasks} tasks in ${plan.stages.length} stages` : whole
  return { pool, divided, why, plan }
}

async function planStages(context: SqlContext, query: BoundSql): Promise<SqlChoice['plan']> {
  const { settings } = context
  const binder = new SessionBinder(context.session, context.params, context.options)
  const split = await trySplit(context, query, binder)
  if (!split) return undefined
  const stages = sqlStages(await printed(split, binder), query.planned, {
    root: query.root,
    packing: packingOf(settings),
    partsMax: settings.partsMax,
  })
  const names = new Set(split.stages.map(({ name }) => name))
  const read = binder.tablesOf(split.rest)
  const final = {
    sql: await binder.print(split.rest),
    params: binder.parameters(split.rest),
    reads: read.filter((name) => names.has(name)),
    tables: read.filter((name) => query.planned.has(name)),
  }
  return { stages, final }
}

function rowsOf({ files }: PlannedTable): number {
  return files.reduce((sum, { rows }) => sum + rows, 0)
}

/** The query in parts, its columns called as the user's own text calls them; undefined when it cannot be divided. */
async function trySplit(
  { settings, options }: SqlContext,
  { text, tree, planned }: BoundSql,
  binder: SessionBinder,
): Promise<SplitQuery | undefined> {
  const tables = new Map(
    [...planned].map(([name, { table, files }]) => [
      name,
      {
        columns: binder.columnsOf(table),
        rows: files.reduce((sum, { rows }) => sum + rows, 0),
        bytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      },
    ]),
  )
  const { splitRows, broadcastBytes, pushedLimitRows } = settings
  const limits = { wholeRows: splitRows, broadcastBytes, limitRows: pushedLimitRows }
  try {
    const columns = await binder.describeText(text)
    const { stages, rest } = await splitQuery(await binder.atOnce(tree, tables), tables, limits, binder)
    const called = withNames(rest, columns)
    const after = await binder.describe(called)
    const isColumn = ({ name, type }: SplitColumn, k: number) => name === columns[k]?.name && type === columns[k]?.type
    const same = after.length === columns.length && after.every(isColumn)
    return same && stages.length > 0 ? { stages, rest: called } : undefined
  } catch (error) {
    throwIfEnded(options)
    // What is wrong with the query is told by the engine that runs it whole.
    if (isSkepError(error, 'SQL_INVALID')) return undefined
    throw error
  }
}

function withNames(rest: TreeNode, columns: readonly { name: string }[]): TreeNode {
  const list = nodes(rest.select_list)
  if (rest.type !== 'SELECT_NODE' || list.length !== columns.length) return rest
  if (list.some(({ class: kind }) => kind === 'STAR')) return rest
  return { ...rest, select_list: list.map((item, k) => ({ ...item, alias: columns[k]!.name })) }
}

async function printed(split: SplitQuery, binder: SessionBinder): Promise<PrintedStage[]> {
  const stages: PrintedStage[] = []
  for (const stage of split.stages) {
    const values = Object.entries(binder.parameters(stage.query))
    const params: Record<string, ParamJson> = Object.fromEntries(
      values.map(([name, value]) => [name, paramToJson(value)]),
    )
    stages.push({ ...stage, sql: await binder.print(stage.query), params })
  }
  return stages
}
