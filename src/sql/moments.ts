/** The moment of a query: functions that tell it are replaced by what they told, so that all tasks agree. */
import { asciiLower } from '../common/text.ts'
import { columnPath, replaceNodes, someNode } from './build.ts'
import { nodes, type TreeNode, text } from './tree.ts'

/** What a function of the moment tells: the type of its value. */
export type Moment = 'TIMESTAMP WITH TIME ZONE' | 'DATE' | 'TIMESTAMP'

/** SQL of each moment as text. */
export const MOMENT_SQL: Record<Moment, string> = {
  'TIMESTAMP WITH TIME ZONE': 'CAST(now() AS VARCHAR)',
  DATE: 'CAST(current_date AS VARCHAR)',
  TIMESTAMP: 'CAST(CAST(now() AS TIMESTAMP) AS VARCHAR)',
}

const CALLS: Record<string, Moment | undefined> = {
  now: 'TIMESTAMP WITH TIME ZONE',
  get_current_timestamp: 'TIMESTAMP WITH TIME ZONE',
  transaction_timestamp: 'TIMESTAMP WITH TIME ZONE',
  today: 'DATE',
  current_localtimestamp: 'TIMESTAMP',
}

/** Names without parentheses, which columns may have too. */
const NAMES: Record<string, Moment | undefined> = {
  current_timestamp: 'TIMESTAMP WITH TIME ZONE',
  current_date: 'DATE',
  localtimestamp: 'TIMESTAMP',
}

/** A reader of the moment that a node tells; `columns`: names that mean columns, in lower case. */
function momentOf(node: TreeNode, columns: ReadonlySet<string>): Moment | undefined {
  if (node.class === 'FUNCTION' && nodes(node.children).length === 0) return CALLS[asciiLower(text(node.function_name))]
  const path = columnPath(node)
  if (path?.length !== 1) return undefined
  const name = asciiLower(path[0]!)
  return Object.hasOwn(NAMES, name) && !columns.has(name) ? NAMES[name] : undefined
}

/** True when a query tells the moment at which it runs. */
export function tellsMoment(query: TreeNode, columns: ReadonlySet<string>): boolean {
  return someNode(query, (node) => momentOf(node, columns) !== undefined)
}

/** The query with these moments in the place of what tells them. */
export function withMoments(query: TreeNode, moments: Record<Moment, string>, columns: ReadonlySet<string>): TreeNode {
  return replaceNodes(query, (node) => {
    const type = momentOf(node, columns)
    if (type === undefined) return undefined
    const constant = { type: { id: 'VARCHAR', type_info: null }, is_null: false, value: moments[type] }
    return {
      class: 'CAST',
      type: 'OPERATOR_CAST',
      alias: text(node.alias),
      child: { class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '', value: constant },
      cast_type: { id: type, type_info: null },
      try_cast: false,
    }
  })
}
