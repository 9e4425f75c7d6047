/** Conditions that stand alone: what they may consist of, and which columns they name. */
import { asciiLower, namesIn } from '../common/text.ts'
import { columnPath, someNode } from './build.ts'
import { VOLATILE_FUNCTIONS } from './function-lists.ts'
import { entriesOf } from './relations.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** Queries of which both have to be a plain SELECT with the same WHERE clause if the condition is one expression; `at`: where it begins. */
export function filterQueries(condition: string): { sql: string; at: number }[] {
  return [
    ['SELECT * FROM t WHERE \n', '\n'],
    ['SELECT * FROM t WHERE (\n', '\n)'],
  ].map(([before, after]) => ({ sql: `${before}${condition}${after}`, at: before!.length }))
}

/** The expression that is the WHERE clause of a query that has nothing else; undefined for any other query. */
export function onlyCondition(query: TreeNode): TreeNode | undefined {
  const { type, from_table: from, where_clause: where, having, sample, qualify } = query
  const lists = [query.modifiers, query.group_expressions, query.group_sets, entriesOf(query)]
  const isPlain =
    type === 'SELECT_NODE' &&
    isNode(from) &&
    from.type === 'BASE_TABLE' &&
    text(from.table_name) === 't' &&
    lists.every((list) => nodes(list).length === 0 && (!Array.isArray(list) || list.length === 0)) &&
    [having, sample, qualify].every((part) => part === null || part === undefined)
  return isPlain && isNode(where) ? where : undefined
}

const VOLATILE: ReadonlySet<string> = new Set(namesIn(VOLATILE_FUNCTIONS))

/** What a condition on the partitions of a table may not have; undefined when it has none of it. */
export function refusedPart(condition: TreeNode): string | undefined {
  const has = (test: (node: TreeNode) => boolean) => someNode(condition, test)
  if (has((node) => node.class === 'SUBQUERY')) return 'it may not contain a query'
  if (has((node) => node.class === 'PARAMETER')) return 'it may not contain parameters'
  if (has((node) => node.class === 'STAR')) return 'it names its columns one by one'
  if (has((node) => node.class === 'WINDOW')) return 'it may not contain window functions'
  if (has((node) => node.class === 'FUNCTION' && VOLATILE.has(asciiLower(text(node.function_name))))) {
    return 'it has to have the same value each time'
  }
  return undefined
}

/** A mention of a column. */
export interface NamedColumn {
  /** The table that the mention names, if it names one. */
  qualifier?: string
  column: string
}

/** Names that are functions where no column has them. */
const MOMENTS: ReadonlySet<string> = new Set(
  namesIn('current_date current_time current_timestamp localtime localtimestamp'),
)

/** The columns that a condition names, each once. A reference to a field of a column counts as one to the column of a table. */
export function columnsNamed(condition: TreeNode): NamedColumn[] {
  const found = new Map<string, NamedColumn>()
  someNode(condition, (node) => {
    const path = columnPath(node)
    if (!path) return false
    const [first, second] = path as [string, string?]
    if (second === undefined && MOMENTS.has(asciiLower(first))) return false
    const named =
      second === undefined ? { column: first } : { qualifier: path.slice(0, -1).join('.'), column: path.at(-1)! }
    found.set(asciiLower(path.join('.')), named)
    return false
  })
  return [...found.values()]
}
