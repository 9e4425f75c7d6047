/** Where a query runs and in which tasks, for people: what explanations of SQL and of behavioural queries share. */
import type { Estimate } from '../../planner/estimate.ts'
import type { PoolName, Stage } from '../../planner/plan.ts'
import { counted, sizeText } from './numbers.ts'
import { visible } from './width.ts'

/** A choice and its estimate, each a line. */
export function choiceLines(choice: { pool: PoolName; divided: boolean; why: string; estimate: Estimate }): string[] {
  const { pool, divided, why, estimate } = choice
  const { gbSeconds, requests, dollars } = estimate.lambda
  const reads = [counted(estimate.files, 'file'), sizeText(estimate.bytes), counted(estimate.rows, 'row')]
  const lambda = `${gbSeconds.toPrecision(3)} GB-seconds, ${counted(requests, 'request')}, $${dollars.toPrecision(3)}`
  return [
    `Pool ${pool}, ${divided ? 'in tasks' : 'whole'}: ${why}.`,
    `Estimate: ${[...reads, counted(estimate.tasks, 'task')].join(', ')}; on AWS Lambda ${lambda}.`,
  ]
}

/** The stages of a plan, each with what its tasks run. */
export function stageLines(stages: readonly Stage[]): string[] {
  return stages.flatMap(({ id, does, work, tasks, enoughRows }) => {
    const reads = work.kind === 'sql' ? work.inputs.map((input) => ('table' in input ? input.view : input.stage)) : []
    const over = reads.length === 0 ? '' : ` over ${reads.join(', ')}`
    const cut = work.kind === 'sql' ? work.cut : undefined
    const parts = cut
      ? `; ${cut.when === 'large' ? 'many rows' : 'rows'} are cut into ${counted(cut.parts, 'part')}`
      : ''
    const enough = enoughRows === undefined ? '' : `; it ends once its first tasks have ${counted(enoughRows, 'row')}`
    const title = `Stage ${id}: ${counted(tasks.length, 'task')}${over} ${does}${parts}${enough}.`
    return [visible(title), ...(work.kind === 'sql' ? [`  ${visible(work.sql)}`] : [])]
  })
}
