/** Which tasks of a stage have to run, and what each of them reads of earlier stages; pure. */
import type { Rows, RowsObject } from '../exchange/exchange.ts'
import type { Stage, TaskSpec, Work } from '../planner/plan.ts'
import type { TaskResult } from '../pool/pool.ts'

/** What a stage that is done was told to do, and what its tasks gave. */
export interface StageOutput {
  work: Work
  results: readonly TaskResult[]
}

/** The stages that a piece of work reads; `own` when each task reads only the part of its number. */
export function stagesRead(work: Work): { id: string; own: boolean }[] {
  const owned = new Map<string, boolean>()
  for (const input of work.inputs) {
    if ('stage' in input) owned.set(input.stage, input.own && (owned.get(input.stage) ?? true))
  }
  return [...owned].map(([id, own]) => ({ id, own }))
}

/**
 * The tasks of a stage that have something to do, given what the stages before it gave.
 *
 * All of them, unless the rows of each input that they share among them were so few that they stayed uncut: then the first task alone,
 * without a part, which reads all rows.
 */
export function tasksToRun(stage: Stage, earlier: ReadonlyMap<string, StageOutput>): TaskSpec[] {
  const shared = stage.work.inputs.flatMap((input) =>
    'stage' in input && input.own ? [earlier.get(input.stage)!] : [],
  )
  const first = stage.tasks[0]
  if (first === undefined || shared.length === 0 || !shared.every(isUncut)) return stage.tasks
  const { part: _, ...whole } = first
  return [whole]
}

function isUncut({ work, results }: StageOutput): boolean {
  if (work.cut?.when !== 'large') return false
  return results.every(({ rows }) => rows.objects?.every(({ part }) => part === undefined) ?? true)
}

/**
 * A function from a task of the stage to its inputs. Objects of parts that a task does not read are left out, so that a message grows with the
 * tasks of the stage before and not with their parts as well.
 */
export function taskInputs(
  stage: Stage,
  earlier: ReadonlyMap<string, StageOutput>,
): (task: TaskSpec) => Record<string, Rows[]> {
  const inputs = stagesRead(stage.work).map(({ id, own }) => {
    const all = earlier.get(id)!.results.map(({ rows }) => rows)
    const cut = own ? all.map(byPart) : undefined
    return { id, all, cut }
  })
  return ({ part }) => {
    const ofTask = inputs.map(({ id, all, cut }) => [id, cut && part !== undefined ? cut.map((of) => of(part)) : all])
    return Object.fromEntries(ofTask) as Record<string, Rows[]>
  }
}

/** A function from a part to the rows that may be of it: inline rows, and objects that are uncut or of this part. */
function byPart(rows: Rows): (part: number) => Rows {
  const { columns, objects } = rows
  if (objects === undefined) return () => rows
  const cut = Map.groupBy(objects, ({ part }) => part)
  const uncut = cut.get(undefined) ?? []
  return (part) => {
    const chosen: RowsObject[] = [...uncut, ...(cut.get(part) ?? [])]
    return { columns, count: chosen.reduce((sum, object) => sum + object.rows, 0), objects: chosen }
  }
}
