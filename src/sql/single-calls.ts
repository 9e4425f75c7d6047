/** Calls that are made once in a query, and whose value no other row repeats: they may make large values. */
import { asciiLower } from '../common/text.ts'
import { allowedAggregates } from './functions.ts'
import { isNode, type TreeNode, text } from './tree.ts'

/** Functions whose value may be much larger than their arguments. */
const GROWING = /^(repeat|lpad|rpad|bitstring|range|generate_series|list_resize|array_resize)$/
const UNNESTING = /^(unnest|unlist)$/

interface Search {
  calls: number
  /** True once a call was found that may be made for many rows. */
  repeated: boolean
  /** True once a call was found whose value is kept, so that rows beside it may repeat it. */
  kept: boolean
  /** True where some FROM clause reads rows. */
  readsRows: boolean
}

/** Where in the query a node stands. */
interface Place {
  /** False where a row of something else may be what it is made for: below an expression, or beside a FROM clause. */
  alone: boolean
  /** Rows of the SELECT that it is in: it has no FROM clause, or is one row of aggregates, or has many. */
  rows: 'rowless' | 'ungrouped' | 'many'
  unnested: boolean
}

/** The number of calls that may make large values; 0 when one of them is made, or its value kept, for many rows. */
export function singleCalls(query: TreeNode): number {
  const search: Search = { calls: 0, repeated: false, kept: false, readsRows: false }
  visit(search, query, { alone: true, rows: 'many', unnested: false })
  return search.repeated || (search.kept && search.readsRows) ? 0 : search.calls
}

function visit(search: Search, value: unknown, place: Place): void {
  if (Array.isArray(value)) for (const item of value) visit(search, item, place)
  if (!isNode(value)) return
  if (value.class === 'FUNCTION') countCall(search, value, place)
  if (value.type === 'BASE_TABLE' || (value.type === 'TABLE_FUNCTION' && !unnests(value.function))) {
    search.readsRows = true
  }
  for (const [key, child] of Object.entries(value)) {
    // The function of a FROM clause is no call that makes a value; its arguments may hold one.
    const below = value.type === 'TABLE_FUNCTION' && key === 'function' && isNode(child) ? child.children : child
    visit(search, below, placeBelow(value, key, place))
  }
}

function placeBelow(node: TreeNode, key: string, place: Place): Place {
  if (node.type === 'SELECT_NODE') {
    return { ...place, rows: rowsOf(node), unnested: false }
  }
  if (node.type === 'TABLE_FUNCTION') {
    return { ...place, rows: unnests(node.function) ? 'rowless' : 'many', unnested: unnests(node.function) }
  }
  if (node.class === 'SUBQUERY' || node.class === 'LAMBDA' || (node.type === 'JOIN' && key === 'right')) {
    return { ...place, alone: false }
  }
  return node.class === 'FUNCTION' ? { ...place, unnested: unnests(node) } : place
}

function rowsOf({ from_table, group_expressions }: TreeNode): Place['rows'] {
  if (!isNode(from_table) || from_table.type === 'EMPTY') return 'rowless'
  return Array.isArray(group_expressions) && group_expressions.length === 0 ? 'ungrouped' : 'many'
}

function unnests(call: unknown): boolean {
  return isNode(call) && UNNESTING.test(asciiLower(text(call.function_name)))
}

function countCall(search: Search, call: TreeNode, place: Place): void {
  if (!GROWING.test(asciiLower(text(call.function_name)))) return
  search.calls++
  if (!place.unnested) search.kept = true
  const { columns, aggregates } = namesIn(call.children)
  const once = place.rows === 'rowless' || (place.rows === 'ungrouped' && aggregates)
  if (!place.alone || columns || !once) search.repeated = true
}

/** Whether columns are named outside of aggregates, and whether there are aggregates. */
function namesIn(value: unknown): { columns: boolean; aggregates: boolean } {
  const found = { columns: false, aggregates: false }
  const search = (child: unknown): void => {
    if (Array.isArray(child)) child.forEach(search)
    if (!isNode(child) || child.class === 'SUBQUERY') return
    if (child.class === 'FUNCTION' && allowedAggregates().has(asciiLower(text(child.function_name)))) {
      found.aggregates = true
      return
    }
    if (child.class === 'COLUMN_REF') found.columns = true
    Object.values(child).forEach(search)
  }
  search(value)
  return found
}
