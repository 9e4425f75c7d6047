/** The explanation of a behavioural query for people: sentences, then the bits of the mask with their SQL, then what is read. */
import type { PredicateExplanation } from '../../behaviour/explain.ts'
import type { BehaviouralExplanation } from '../../coordinator/explain-behaviour.ts'
import { counted, countText, sizeText } from './numbers.ts'
import { choiceLines, stageLines } from './plan.ts'
import type { TableOptions } from './table.ts'
import { visible } from './width.ts'

/** The lines of an explanation. */
export function explanationLines(explanation: BehaviouralExplanation, { style }: TableOptions): string[] {
  const { words, predicates, scan, notes } = explanation
  const pruned = scan.filesPruned > 0 ? `, ${countText(scan.filesPruned)} pruned` : ''
  const snapshot = scan.snapshotId === undefined ? '' : `, snapshot ${scan.snapshotId}`
  return [
    style('bold', `${visible(scan.table)}${snapshot}: what the query means`),
    ...words.map((line) => visible(line)),
    '',
    style(
      'bold',
      predicates.length === 0 ? 'No predicate is asked of rows' : 'Predicates, each one bit of a mask for every row',
    ),
    ...predicates.flatMap(predicateLines),
    '',
    style(
      'bold',
      `Read: ${counted(scan.files, 'file')}${pruned}, ${counted(scan.rows, 'row')}, ${sizeText(scan.bytes)}`,
    ),
    ...notes.map((line) => visible(line)),
    ...choiceLines(explanation),
    ...(explanation.divided ? stageLines(explanation.stages) : []),
  ]
}

function predicateLines({ bit, filter, usedBy, sql, parameters }: PredicateExplanation): string[] {
  const values = parameters.map((value, k) => `$${k + 1} = ${JSON.stringify(value)}`)
  return [
    `bit ${bit}: ${visible(filter)} (${usedBy.map(visible).join(', ')})`,
    `  ${visible(sql)}`,
    ...(values.length === 0 ? [] : [`  ${visible(values.join(', '))}`]),
  ]
}
