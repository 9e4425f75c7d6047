/** What a stage reads of a table: the rows and columns that a query needs; and what must not be computed more than once. */
import { asciiLower, namesIn } from '../common/text.ts'
import { columnPath, conjunction, conjuncts, someNode } from './build.ts'
import {
  type CommonTables,
  commonTable,
  commonTablesIn,
  entriesOf,
  isSubquery,
  NO_COMMON_TABLES,
  neededEntries,
  tableName,
} from './relations.ts'
import { columnsOf } from './split-names.ts'
import type { SplitColumn } from './split-tables.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** A stage in the place of a table, under the table's name. */
export function standIn(mention: TreeNode, stage: string): TreeNode {
  return { ...mention, table_name: stage, alias: text(mention.alias) || text(mention.table_name) }
}

/** Functions whose value differs from call to call, or from query to query. */
const UNSTABLE: ReadonlySet<string> = new Set(
  namesIn(`ago current_catalog current_connection_id current_database current_date current_localtime current_localtimestamp
    current_query current_query_id current_role current_schema current_schemas current_time current_timestamp
    current_transaction_id current_user currval error gen_random_uuid get_current_time get_current_timestamp
    in_search_path localtime localtimestamp nextval now random session_user setseed sleep_ms stats
    today transaction_timestamp txid_current user uuid uuidv4 uuidv7 write_log`),
)

/** True for a query whose tasks would not agree on the value of a function, or where what is left of it would lose a collation or the place of a column. */
export function isUnstable(query: TreeNode, scope: CommonTables): boolean {
  const inner = commonTablesIn(query, scope)
  const bare: TreeNode = { ...query, cte_map: { map: [] } }
  return (
    someNode([bare, neededEntries(bare, inner)], (node) => isUnstableCall(node) || isPositional(node)) ||
    someNode({ ...bare, modifiers: [] }, ({ class: kind }) => kind === 'COLLATE')
  )
}

/** True for `#2`. */
function isPositional(node: TreeNode): boolean {
  return node.class === 'POSITIONAL_REFERENCE'
}

function hasColumnAliases({ column_name_alias: names }: TreeNode): boolean {
  return Array.isArray(names) && names.length > 0
}

function isUnstableCall(node: TreeNode): boolean {
  if (node.class === 'FUNCTION') {
    const name = asciiLower(text(node.function_name))
    // An age without a second argument is that of today.
    return UNSTABLE.has(name) || (name === 'age' && nodes(node.children).length < 2)
  }
  const path = columnPath(node)
  return path?.length === 1 && UNSTABLE.has(asciiLower(path[0]!))
}

/** The names under which a FROM clause gives its tables, in lower case. */
export function tableAliases(ref: unknown): string[] {
  if (!isNode(ref)) return []
  if (ref.type === 'JOIN') return [...tableAliases(ref.left), ...tableAliases(ref.right)]
  return [asciiLower(text(ref.alias) || text(ref.table_name))]
}

/** Mentions of a table itself, not of common tables of its name. */
export function tableMentions(query: TreeNode, name: string): TreeNode[] {
  const found: TreeNode[] = []
  const visit = (value: unknown, scope: CommonTables): void => {
    if (Array.isArray(value)) for (const item of value) visit(item, scope)
    if (!isNode(value)) return
    if (value.type === 'BASE_TABLE') {
      if (tableName(value) === name && !commonTable(value, scope)) found.push(value)
      return
    }
    let inner = scope
    for (const entry of entriesOf(value)) {
      visit(entry.value, inner)
      inner = commonTablesIn({ cte_map: { map: [entry] } }, inner)
    }
    for (const [key, child] of Object.entries(value)) if (key !== 'cte_map') visit(child, inner)
  }
  visit(query, NO_COMMON_TABLES)
  return found
}

/** The columns that some name in the query may mean; all where it does not name them. */
export function neededColumns(
  query: TreeNode,
  mentions: readonly TreeNode[],
  columns: readonly SplitColumn[],
): readonly SplitColumn[] {
  const tables = new Set(mentions.flatMap(tableAliases))
  const meansAll = (node: TreeNode) =>
    node.class === 'STAR' ||
    node.ref_type === 'NATURAL' ||
    node.type === 'SHOW_REF' ||
    isPositional(node) ||
    // The name of a table is its rows as structs.
    tables.has(asciiLower(columnPath(node)?.at(-1) ?? ''))
  if (mentions.some(hasColumnAliases) || someNode(query, meansAll)) return columns
  const used = new Set<string>()
  someNode(query, (node) => {
    for (const name of columnPath(node) ?? []) used.add(asciiLower(name))
    if (Array.isArray(node.using_columns)) for (const name of node.using_columns) used.add(asciiLower(text(name)))
    return false
  })
  const needed = columns.filter(({ name }) => used.has(asciiLower(name)))
  // A row has to have something.
  return needed.length > 0 ? needed : columns.slice(0, 1)
}

/** What a WHERE clause says of the rows of a table alone; nothing where a join may make up rows without it. */
export function pushedCondition(
  query: TreeNode,
  mention: TreeNode,
  known: ReadonlyMap<string, ReadonlySet<string>>,
): TreeNode | null {
  let found: TreeNode | null = null
  someNode(query, (node) => {
    if (node.type !== 'SELECT_NODE' || node.sample || !keepsRowsOf(node.from_table, mention)) return false
    const others = columnsBeside(node.from_table, mention, known)
    if (mention.sample || hasColumnAliases(mention) || !others) return true
    const columns = known.get(tableName(mention))!
    const own = tableAliases(mention)[0]
    const aliases = new Set(nodes(node.select_list).map((item) => asciiLower(text(item.alias))))
    const isOwn = (inner: TreeNode) => {
      const path = columnPath(inner)
      if (path === undefined) return true
      const [first, second] = path.map(asciiLower) as [string, string?]
      if (second !== undefined) return first === own && columns.has(second)
      return columns.has(first) && !others.has(first) && !aliases.has(first)
    }
    const isOther = (inner: TreeNode) =>
      !isOwn(inner) || isSubquery(inner) || inner.class === 'LAMBDA' || isUnstableCall(inner)
    found = conjunction(conjuncts(node.where_clause).filter((condition) => !someNode(condition, isOther)))
    return true
  })
  return found
}

/** True when every row of a FROM clause comes from a row of the mention. */
function keepsRowsOf(from: unknown, mention: TreeNode): boolean {
  if (from === mention) return true
  if (!isNode(from) || from.type !== 'JOIN' || !['REGULAR', 'CROSS', 'NATURAL'].includes(text(from.ref_type)))
    return false
  const kind = text(from.join_type)
  if (keepsRowsOf(from.left, mention)) return ['INNER', 'LEFT', 'SEMI', 'ANTI'].includes(kind)
  return keepsRowsOf(from.right, mention) && ['INNER', 'RIGHT'].includes(kind)
}

/** The columns of a FROM clause beside those of a mention; undefined where they are not known. */
function columnsBeside(
  from: unknown,
  mention: TreeNode,
  known: ReadonlyMap<string, ReadonlySet<string>>,
): Set<string> | undefined {
  if (from === mention) return new Set()
  if (!isNode(from) || from.type !== 'JOIN') return columnsOf(from, NO_COMMON_TABLES, known)
  const [left, right] = [columnsBeside(from.left, mention, known), columnsBeside(from.right, mention, known)]
  return left && right && new Set([...left, ...right])
}
