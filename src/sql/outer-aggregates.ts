/** Aggregates in a subquery that belong to the query around it, since all columns that they are of are its. */
import { asciiLower } from '../common/text.ts'
import { columnPath, someNode } from './build.ts'
import { hidesAggregates, isAggregateCall } from './partial-aggregates.ts'
import { type CommonTables, commonTablesIn, isSubquery, neededEntries } from './relations.ts'
import { columnsOf, type KnownColumns } from './split-names.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** True for a SELECT with such an aggregate in it, or with one of which that is not known. */
export function mayAggregateOutside(select: TreeNode, outer: CommonTables, known: KnownColumns): boolean {
  const scope = commonTablesIn(select, outer)
  const bare: TreeNode = { ...select, cte_map: { map: [] } }
  return someNode([bare, neededEntries(bare, scope)], (node) => {
    const query = isSubquery(node) && isNode(node.subquery) ? node.subquery.node : undefined
    return isNode(query) && isForeign(query, scope, known, new Set())
  })
}

/** True when some aggregate in the query has columns, none of which is known to be its own or one of `names`. */
function isForeign(value: unknown, scope: CommonTables, known: KnownColumns, names: ReadonlySet<string>): boolean {
  if (Array.isArray(value)) return value.some((item) => isForeign(item, scope, known, names))
  if (!isNode(value)) return false
  if (value.type === 'SELECT_NODE') {
    const inner = commonTablesIn(value, scope)
    const all = new Set([...names, ...namesOf(value.from_table, inner, known)])
    return Object.values(value).some((child) => isForeign(child, inner, known, all))
  }
  if (isAggregateCall(value) || hidesAggregates(value)) {
    const isColumn = (node: TreeNode) => columnPath(node) !== undefined
    const isOwn = (node: TreeNode) => isColumn(node) && names.has(asciiLower(columnPath(node)![0]!))
    if (someNode(value, isColumn) && !someNode(value, isOwn)) return true
  }
  return Object.values(value).some((child) => isForeign(child, scope, known, names))
}

/** The names of tables and columns that a FROM clause gives, as far as they are known. */
function namesOf(ref: unknown, scope: CommonTables, known: KnownColumns): string[] {
  if (!isNode(ref)) return []
  if (ref.type === 'JOIN') return [ref.left, ref.right].flatMap((side) => namesOf(side, scope, known))
  const renamed = Array.isArray(ref.column_name_alias)
    ? ref.column_name_alias.map((name) => asciiLower(text(name)))
    : []
  const values = nodes(ref.values).length > 0 ? [] : [...(columnsOf(ref, scope, known) ?? [])]
  return [...renamed, ...values, asciiLower(text(ref.alias) || text(ref.table_name))]
}
