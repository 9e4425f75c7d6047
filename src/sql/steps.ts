/** Queries that read each other by name, put together into one. */
import { replaceNodes, someNode } from './build.ts'
import { entriesOf } from './relations.ts'
import { standIn, tableMentions } from './split-scan.ts'
import { isNode, type TreeNode, text } from './tree.ts'

/** A query with a name. */
export interface NamedQuery {
  name: string
  tree: TreeNode
}

/** The last query, with those before it as common tables. */
export function composeTree(queries: readonly NamedQuery[]): TreeNode {
  const last = queries.at(-1)!
  const entries = queries.slice(0, -1).map(commonTableOf)
  return { ...last.tree, cte_map: { map: [...entries, ...entriesOf(last.tree)] } }
}

function commonTableOf({ name, tree }: NamedQuery): TreeNode {
  const query = { node: tree, named_param_map: [] }
  return { key: name, value: { aliases: [], query, materialized: 'CTE_MATERIALIZE_DEFAULT', key_targets: [] } }
}

/** The names of all common tables in a query. */
export function commonTableNames(query: TreeNode): string[] {
  const names: string[] = []
  someNode(query, (node) => {
    if (isNode(node.cte_map)) names.push(...entriesOf(node).map((entry) => text(entry.key)))
    return false
  })
  return names
}

/** The query with other tables under the names of those that it reads; by lower-case name. */
export function withTables(query: TreeNode, others: ReadonlyMap<string, string>): TreeNode {
  let changed = query
  for (const [name, other] of others) {
    const mentions = new Set(tableMentions(changed, name))
    changed = replaceNodes(changed, (node) => (mentions.has(node) ? standIn(node, other) : undefined))
  }
  return changed
}
