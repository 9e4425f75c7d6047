/** A query in parts as a plan: which files, or which parts of what came before, each task reads. */
import type { DataFile, Table } from '../catalog/types.ts'
import type { SqlStage } from '../sql/split.ts'
import { type Packing, packFiles } from './pack.ts'
import type { ParamJson, Stage, StageInput, TaskSpec } from './plan.ts'
import { fileSpec, layoutNumbers, tableSpec, takesRanges } from './table-spec.ts'

/** A stage and its statement as text. */
export interface PrintedStage extends SqlStage {
  sql: string
  params: Record<string, ParamJson>
}

/** A table, and the files of it that the query has to read. */
export interface PlannedTable {
  table: Table
  files: readonly DataFile[]
}

/** How a plan is made. */
export interface PlanOptions {
  /** Folder of the warehouse. */
  root: string
  packing: Omit<Packing, 'ranges'>
  /** Greatest number of parts that groups are cut into. */
  partsMax: number
}

/** The stages of a query; `tables` by their lower-case names. */
export function sqlStages(
  stages: readonly PrintedStage[],
  tables: ReadonlyMap<string, PlannedTable>,
  options: PlanOptions,
): Stage[] {
  const made = new Map<string, Stage>()
  for (const stage of stages) made.set(stage.name, planStage(stage, made, tables, options))
  return [...made.values()]
}

function planStage(
  stage: PrintedStage,
  made: ReadonlyMap<string, Stage>,
  tables: ReadonlyMap<string, PlannedTable>,
  options: PlanOptions,
): Stage {
  const { name, drivers, others, sql, params, columns, by, alike, few, enoughRows } = stage
  const [driver] = drivers as [string]
  const inputs = [...drivers, ...others].map((view) => inputOf(view, { made, tables, own: drivers.includes(view) }))
  const whole = Object.fromEntries(
    others.flatMap((view) => {
      const table = tables.get(view)
      return table ? [[view, specsOf(table, table.files, options)]] : []
    }),
  )
  const tasks = tables.has(driver)
    ? fileTasks(driver, tables.get(driver)!, options)
    : Array.from({ length: partsOf(made.get(driver)!) }, (_, part) => ({ files: {}, part, rows: 0, bytes: 0 }))
  const likewise = alike === undefined ? 0 : filesOf(tables.get(alike)!, options).length
  const parts = Math.max(1, Math.min(options.partsMax, Math.max(tasks.length, likewise)))
  return {
    id: name,
    does: WORDS[stage.does],
    work: {
      kind: 'sql',
      sql,
      ...(Object.keys(params).length > 0 && { params }),
      inputs,
      columns: columns.map(({ name, type }) => ({ name, type })),
      ...(few && { few: true as const }),
      ...(by && { cut: { by, parts, when: alike === undefined ? ('large' as const) : ('always' as const) } }),
    },
    ...(enoughRows !== undefined && { enoughRows }),
    tasks: tasks.map((task, k): TaskSpec => ({ id: `${name}/${k}`, ...task, files: { ...task.files, ...whole } })),
  }
}

const WORDS: Record<SqlStage['does'], string> = {
  scan: 'reads the rows and columns that the query needs of a table',
  rows: 'computes rows, and as many of them as the query asks for',
  partial: 'brings the rows of each group together, as far as one task has them',
  finish: 'brings what the tasks found of each group together',
}

function partsOf({ work }: Stage): number {
  return work.kind === 'sql' ? (work.cut?.parts ?? 1) : 1
}

function inputOf(
  view: string,
  { made, tables, own }: { made: ReadonlyMap<string, Stage>; tables: ReadonlyMap<string, PlannedTable>; own: boolean },
): StageInput {
  const planned = tables.get(view)
  if (planned) return { view, table: tableSpec(planned.table, layoutNumbers(planned.files)) }
  const stage = made.get(view)!
  const { columns, cut } = stage.work as Extract<Stage['work'], { kind: 'sql' }>
  return { view, stage: view, columns, own, ...(own && cut && { cut: { by: cut.by, parts: cut.parts } }) }
}

function specsOf({ files: all }: PlannedTable, files: readonly DataFile[], { root }: PlanOptions) {
  const layouts = layoutNumbers(all)
  return files.map((file) => fileSpec(file, { root, layouts }))
}

/** The files of a table for each task. */
function filesOf({ table, files }: PlannedTable, { packing }: PlanOptions): DataFile[][] {
  const ranges = takesRanges({ snapshot: { ...table.snapshot, files: [...files] } })
  return packFiles(files, { ...packing, ranges })
}

function fileTasks(view: string, planned: PlannedTable, options: PlanOptions): Omit<TaskSpec, 'id'>[] {
  const packed = filesOf(planned, options)
  // No files give no rows, which an aggregation still makes something of.
  return (packed.length === 0 ? [[]] : packed).map((files) => ({
    files: { [view]: specsOf(planned, files, options) },
    rows: files.reduce((sum, { rows }) => sum + rows, 0),
    bytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  }))
}
