/** A behavioural query as stages: tasks of whole actors, before which rows are brought together by their actors where these are scattered. */
import { type Json, printQuery } from '../behaviour/json.ts'
import { type Bind, timeframeSql } from '../behaviour/predicate-sql.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import type { Column, DataFile, Table } from '../catalog/types.ts'
import { isFloat, printType, quoteIdentifier, quoteString } from '../common/data-type.ts'
import type { Settings } from '../config.ts'
import { type ActorTask, actorTasks } from './actor-tasks.ts'
import { packFiles } from './pack.ts'
import { type BehaviourWork, type FileSpec, type Plan, ROWS, type SqlWork, type Stage, type TaskSpec } from './plan.ts'
import { fileSpec, layoutNumbers, tableSpec, takesRanges } from './table-spec.ts'

/** A query in both of its forms. */
export interface PlannedQuery {
  /** As JSON; see `checkQueryValue`. */
  source: Json
  valid: ValidQuery
}

/** With what a plan is made. */
export interface PlanOptions {
  /** Folder of the warehouse. */
  root: string
  settings: Pick<Settings, 'splitRows' | 'partsMax' | 'tasksMax' | 'rowGroupRows'>
}

/** The id of the stage whose outcomes are merged. */
export const BEHAVIOUR_STAGE = 'behaviour'
const SCAN_STAGE = 'scan'

/** The plan of a query over these files of a table; without files it is a stage without tasks. */
export function behaviourPlan(
  table: Table,
  files: readonly DataFile[],
  query: PlannedQuery,
  options: PlanOptions,
): Plan {
  const tasks = actorTasks(table, files)
  return {
    stages: areScattered(tasks, options.settings.splitRows)
      ? exchangedStages(table, files, query, options)
      : [storedStage(table, tasks, query, options)],
  }
}

/** True when one task has far more unsorted rows than a split, and so large a part of all that the others would be waiting for it. */
function areScattered(tasks: readonly ActorTask[], splitRows: number): boolean {
  const all = tasks.reduce((sum, { rows }) => sum + rows, 0)
  return tasks.some(({ sorted, rows }) => !sorted && rows > 2 * splitRows && rows > all / 4)
}

/** Files that hold whole actors as they are stored; few rows together. */
function storedStage(table: Table, tasks: readonly ActorTask[], query: PlannedQuery, options: PlanOptions): Stage {
  const layouts = layoutNumbers(tasks.flatMap(({ files }) => files))
  const columnIds = columnsAskedAbout(table, query.valid)
  const packs = packTasks(tasks, options.settings)
  const specs = packs.map((pack): FileSpec[] =>
    pack.flatMap(({ files }, group) =>
      files.map((file) => ({
        ...fileSpec(file, { root: options.root, layouts, columnIds }),
        ...(group > 0 && { group }),
      })),
    ),
  )
  const work: BehaviourWork = {
    kind: 'behaviour',
    query: queryJson(query.source),
    table: tableSpec(table, layouts),
    inputs: [],
  }
  return {
    id: BEHAVIOUR_STAGE,
    does: 'runs the query over the actors of the files',
    work,
    tasks: specs.map((files, k) => fileTask(BEHAVIOUR_STAGE, k, files)),
  }
}

/** Tasks that follow each other put together while they have no more rows than a split, or there would be too many. */
function packTasks(tasks: readonly ActorTask[], { splitRows, tasksMax }: PlanOptions['settings']): ActorTask[][] {
  const total = tasks.reduce((sum, { rows }) => sum + rows, 0)
  const most = Math.max(splitRows, (2 * total) / tasksMax)
  const packs: ActorTask[][] = []
  let size = Number.POSITIVE_INFINITY
  for (const task of tasks) {
    if (size + task.rows > most) {
      packs.push([])
      size = 0
    }
    packs.at(-1)!.push(task)
    size += task.rows
  }
  return packs
}

function fileTask(stage: string, k: number, files: FileSpec[]): TaskSpec {
  const sum = (field: 'rows' | 'bytes') => files.reduce((total, file) => total + file[field], 0)
  return { id: `${stage}-${k}`, files: { [ROWS]: files }, rows: sum('rows'), bytes: sum('bytes') }
}

/** One stage reads the columns that the query needs and cuts the rows by their actors, the next runs it over each part. */
function exchangedStages(table: Table, files: readonly DataFile[], query: PlannedQuery, options: PlanOptions): Stage[] {
  const { splitRows, rowGroupRows, partsMax, tasksMax } = options.settings
  const layouts = layoutNumbers(files)
  const packing = { taskRows: splitRows, tasksMax, groupRows: rowGroupRows, ranges: takesRanges(table) }
  const splits = packFiles(files, packing)
  const rows = files.reduce((sum, file) => sum + file.rows, 0)
  const parts = Math.min(partsMax, Math.ceil(rows / splitRows))
  const needed = neededColumns(table, query.valid)
  const columns = needed.map(({ name, type }) => ({ name, type: printType(type) }))
  const cut = { by: [table.keys.actor!], parts }
  const scan: SqlWork = {
    kind: 'sql',
    sql: scanRowsSql(table, query.valid, needed),
    inputs: [{ view: ROWS, table: tableSpec(table, layouts) }],
    columns,
    cut: { ...cut, when: 'always' },
  }
  const work: BehaviourWork = {
    kind: 'behaviour',
    query: queryJson(query.source),
    // All columns: what the query does not use is typed too.
    table: tableSpec(table, new Map()),
    inputs: [{ view: ROWS, stage: SCAN_STAGE, columns, own: true, cut }],
  }
  return [
    {
      id: SCAN_STAGE,
      does: 'reads the columns that the query needs, and cuts the rows by their actors',
      work: scan,
      tasks: splits.map((split, k) =>
        fileTask(
          SCAN_STAGE,
          k,
          split.map((file) => fileSpec(file, { root: options.root, layouts })),
        ),
      ),
    },
    {
      id: BEHAVIOUR_STAGE,
      does: 'runs the query over the actors of each part',
      work,
      tasks: Array.from({ length: parts }, (_, part) => ({
        id: `${BEHAVIOUR_STAGE}-${part}`,
        files: {},
        part,
        rows: 0,
        bytes: 0,
      })),
    },
  ]
}

/** The query as it travels. */
function queryJson(source: Json): object | string {
  const hasLarge = (value: Json): boolean =>
    typeof value === 'bigint' || (typeof value === 'object' && value !== null && Object.values(value).some(hasLarge))
  return hasLarge(source) ? printQuery(source) : (source as object)
}

/** The columns whose statistics tasks ask for: keys, and those whose values targets add up. */
function columnsAskedAbout({ snapshot, keys }: Table, { conditions }: ValidQuery): number[] {
  const added = conditions.flatMap((condition) => (condition.kind === 'rows' ? (condition.target.path?.[0] ?? []) : []))
  const names = new Set([keys.actor, keys.time, ...added])
  return snapshot.schema.columns.filter(({ name }) => names.has(name)).map(({ id }) => id)
}

function neededColumns({ snapshot, keys }: Table, { columns }: ValidQuery): Column[] {
  const names = new Set([keys.actor, keys.time, ...columns])
  return snapshot.schema.columns.filter(({ name }) => names.has(name))
}

/** SELECT of the columns, of rows of the timeframe that have an actor and a time. */
function scanRowsSql({ keys, snapshot }: Table, { timeframe }: ValidQuery, columns: readonly Column[]): string {
  const [actor, time] = [keys.actor!, keys.time!].map(quoteIdentifier) as [string, string]
  const { type } = snapshot.schema.columns.find(({ name }) => name === keys.time)!
  const inside = timeframe && timeframeSql(timeframe, time, type, constantSql)
  const conditions = [
    `${actor} IS NOT NULL`,
    `${time} IS NOT NULL`,
    ...(isFloat(type) ? [`NOT isnan(${time})`] : []),
    ...(inside === undefined ? [] : [inside]),
  ]
  const list = columns.map(({ name }) => quoteIdentifier(name)).join(', ')
  return `SELECT ${list} FROM ${quoteIdentifier(ROWS)} WHERE ${conditions.join(' AND ')}`
}

/** Bounds of timeframes are numbers and validated texts of ours: they may stand in a statement. */
const constantSql: Bind = (value, type) => {
  const text = quoteString(String(value))
  return type === 'VARCHAR' ? text : `CAST(${text} AS ${type})`
}
