/** Trees made, compared and changed: what splitting a query needs of them. */
import { asciiLower } from '../common/text.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** A reference to a column of the only table in sight. */
export function columnRef(name: string, alias = ''): TreeNode {
  return { class: 'COLUMN_REF', type: 'COLUMN_REF', alias, column_names: [name] }
}

/** The expression under another name in a SELECT list; the empty alias names it by its text. */
export function named(expression: TreeNode, alias: string): TreeNode {
  return { ...expression, alias }
}

/** What a SELECT consists of. */
interface SelectParts {
  list: readonly TreeNode[]
  from: TreeNode
  where?: unknown
  groups?: readonly TreeNode[]
  sets?: unknown
  having?: unknown
  qualify?: unknown
  modifiers?: readonly TreeNode[]
  commonTables?: readonly TreeNode[]
}

/** A SELECT. */
export function selectNode(parts: SelectParts): TreeNode {
  const { list, from, where = null, groups = [], having = null, qualify = null } = parts
  return {
    type: 'SELECT_NODE',
    modifiers: parts.modifiers ?? [],
    cte_map: { map: parts.commonTables ?? [] },
    select_list: list,
    from_table: from,
    where_clause: where,
    group_expressions: groups,
    group_sets: parts.sets ?? (groups.length === 0 ? [] : [groups.map((_, k) => k)]),
    aggregate_handling: 'STANDARD_HANDLING',
    having,
    sample: null,
    qualify,
  }
}

/** A table in a FROM clause. */
export function tableRef(name: string): TreeNode {
  return {
    type: 'BASE_TABLE',
    alias: '',
    sample: null,
    schema_name: '',
    table_name: name,
    column_name_alias: [],
    catalog_name: '',
    at_clause: null,
  }
}

/** `FROM (query) AS alias(columns…)`. */
export function subqueryRef(query: TreeNode, alias: string, columns: readonly string[]): TreeNode {
  return {
    type: 'SUBQUERY',
    alias,
    sample: null,
    subquery: { node: query, named_param_map: [] },
    column_name_alias: columns,
  }
}

/** A star in a list: all columns. */
export const STAR: TreeNode = {
  class: 'STAR',
  type: 'STAR',
  alias: '',
  relation_name: '',
  exclude_list: [],
  replace_list: [],
  columns: false,
  expr: null,
  unpacked: false,
  qualified_exclude_list: [],
  rename_list: [],
}

/** Every condition at once; null when there is none. */
export function conjunction(conditions: readonly TreeNode[]): TreeNode | null {
  if (conditions.length < 2) return conditions[0] ?? null
  return { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', children: conditions }
}

/** The conditions that hold when this one does, as far as it is written as a conjunction. */
export function conjuncts(condition: unknown): TreeNode[] {
  if (!isNode(condition)) return []
  if (condition.type !== 'CONJUNCTION_AND') return [condition]
  return nodes(condition.children).flatMap(conjuncts)
}

/** The tree with every node that `change` answers for replaced by its answer, from the outermost on; what was replaced is not looked into. */
export function replaceNodes<T>(value: T, change: (node: TreeNode) => TreeNode | undefined): T {
  if (Array.isArray(value)) return value.map((item) => replaceNodes(item, change)) as T
  if (!isNode(value) || 'rawJSON' in value) return value
  const changed = change(value)
  if (changed) return changed as T
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, replaceNodes(child, change)])) as T
}

/** True when `test` is true of some node of the tree; below a node of which `stop` is true it does not look. */
export function someNode(
  value: unknown,
  test: (node: TreeNode) => boolean,
  stop: (node: TreeNode) => boolean = () => false,
): boolean {
  if (Array.isArray(value)) return value.some((item) => someNode(item, test, stop))
  if (!isNode(value)) return false
  if (test(value)) return true
  return !stop(value) && Object.values(value).some((child) => someNode(child, test, stop))
}

/** The same text for expressions that mean the same: their trees without places, the name that they have in a list, and the case of names. */
export function expressionKey(expression: unknown): string {
  const bare = isNode(expression) ? { ...expression, alias: '' } : expression
  return JSON.stringify(bare, (key, value) => {
    if (key === 'query_location') return undefined
    if (key === 'column_names' && Array.isArray(value)) return value.map((name) => asciiLower(String(name)))
    return value
  })
}

/** The names of a column reference, the column's own last; undefined for anything else. */
export function columnPath(expression: unknown): string[] | undefined {
  if (!isNode(expression) || expression.type !== 'COLUMN_REF' || !Array.isArray(expression.column_names))
    return undefined
  return expression.column_names.map(text)
}

/** The whole number that a constant is; undefined for anything else. */
export function integerConstant(expression: unknown): number | undefined {
  if (!isNode(expression) || expression.class !== 'CONSTANT' || !isNode(expression.value)) return undefined
  const { type, value, is_null } = expression.value
  const isInteger = isNode(type) && /^(TINY|SMALL|BIG)?INT(EGER)?$/.test(text(type.id))
  return isInteger && is_null !== true && typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}

/** A whole number. */
export function integerNode(value: number): TreeNode {
  const type = { id: value > 2 ** 31 - 1 ? 'BIGINT' : 'INTEGER', type_info: null }
  return { class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '', value: { type, is_null: false, value } }
}

/** A reference to a column of a table. */
export function refIn(table: string, name: string, alias = ''): TreeNode {
  return { ...columnRef(name, alias), column_names: [table, name] }
}
