/** What a behavioural query would read and do, without running it. */
import { explainQuery, type QueryExplanation } from '../behaviour/explain.ts'
import { externalConditions, heldColumns } from '../behaviour/kernel.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import type { Table } from '../catalog/types.ts'
import type { Settings } from '../config.ts'
import { actorTasks, timeCondition } from '../planner/actor-tasks.ts'
import type { Estimate } from '../planner/estimate.ts'
import type { PoolName, Stage } from '../planner/plan.ts'
import { pruneFiles } from '../planner/prune.ts'
import { sourceOf } from '../worker/actor-rows.ts'
import { planDirect } from '../worker/direct.ts'
import type { BehaviouralStats } from './behaviour-result.ts'
import { scanOf, type TableScan } from './sql.ts'

/** How rows reach the kernel: as they lie in sorted files, or sorted by the engine, task by task or all at once. */
export type Layout = 'stream' | 'sort tasks' | 'sort table' | 'nothing to read'

/** A behavioural query, explained: what it means, and what would be done for it. */
export interface BehaviouralExplanation extends QueryExplanation {
  /** Files and rows left after pruning by the timeframe. */
  scan: TableScan
  /** Parts that share no actor, each run on its own. */
  tasks: { count: number; sorted: number; greatestRows: number }
  layout: Layout
  /** What is to read the rows; see `BehaviouralStats.reader`. */
  reader: BehaviouralStats['reader']
  /** The layout in words, and what is computed beside the kernel. */
  notes: string[]
  /** Where it would run; whether in tasks on that pool, and why, or why not. */
  pool: PoolName
  divided: boolean
  why: string
  estimate: Estimate
  /** The stages and tasks that it can be divided into. */
  stages: Stage[]
}

/** What is known of a query without a pool. */
type LocalExplanation = Omit<BehaviouralExplanation, 'pool' | 'divided' | 'why' | 'estimate' | 'stages'>

/** The explanation of a query on a table. Nothing is read but what is known of the files. */
export function explainBehaviour(settings: Settings, table: Table, query: ValidQuery): LocalExplanation {
  const source = sourceOf(table, query)
  const pruning = pruneFiles(table.snapshot, timeCondition(table, query))
  const tasks = actorTasks(table, pruning.files)
  const isHeld = heldColumns(query).length > 0
  const sorted = tasks.filter((task) => task.sorted && !isHeld).length
  const layout = layoutOf(tasks.length, sorted)
  const { columns } = table.snapshot.schema
  const { query: own, step, end } = query.aggregations
  const direct = planDirect(settings, source, tasks, own.length + step.length + end.length > 0)
  return {
    ...explainQuery(query, { columns, keys: table.keys }),
    scan: scanOf(table, pruning),
    tasks: { count: tasks.length, sorted, greatestRows: Math.max(0, ...tasks.map(({ rows }) => rows)) },
    layout,
    reader: direct ? 'direct' : 'engine',
    notes: [
      ...layoutNotes(layout, tasks.length, sorted, isHeld),
      ...(direct ? [DIRECT_NOTE] : []),
      ...extraNotes(query),
    ],
  }
}

const DIRECT_NOTE =
  'Worker threads decode the files straight into the kernel; a file that is stored in a way they do not know sends the query through the engine.'

function layoutOf(tasks: number, sorted: number): Layout {
  if (tasks === 0) return 'nothing to read'
  if (sorted === tasks) return 'stream'
  return tasks === 1 ? 'sort table' : 'sort tasks'
}

function layoutNotes(layout: Layout, tasks: number, sorted: number, isHeld: boolean): string[] {
  const parts = tasks === 1 ? 'one task' : `${tasks} tasks that share no actor`
  const held = isHeld ? ['Held columns number the series of each actor, so rows are sorted even where files are.'] : []
  switch (layout) {
    case 'nothing to read':
      return ['No file can have rows inside the timeframe.']
    case 'stream':
      return [`Rows stream as they lie in sorted files: ${parts}.`]
    case 'sort table':
      return ['All rows are sorted by actor and time at once: they are few, or actors may lie in any file.', ...held]
    case 'sort tasks':
      return [`Rows are sorted by actor and time, task by task: ${parts}, ${sorted} of them sorted already.`, ...held]
  }
}

function extraNotes(query: ValidQuery): string[] {
  const targets = externalConditions(query).length
  const { query: own, step, end } = query.aggregations
  return [
    ...(targets > 0 ? ['Targets over values are decided by the engine, in one more scan of their columns.'] : []),
    ...(own.length + step.length + end.length > 0
      ? ['Aggregations join the rows with the passing actors, in one scan for each column whose values they count.']
      : []),
  ]
}
