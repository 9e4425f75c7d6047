/**
 * Which rows a FROM clause gives when some of the tables in it, the drivers, are read in parts: part of its rows for each part, or all of
 * them every time. Two drivers are cut by the columns that they are joined by.
 */
import { asciiLower } from '../common/text.ts'
import { someNode } from './build.ts'
import { hidesAggregates, isAggregateCall } from './partial-aggregates.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** The common tables in force, by lower-case name; each sees those that were in force before it. */
export type CommonTables = ReadonlyMap<string, { entry: TreeNode; query: TreeNode; seen: CommonTables }>

/** No common tables. */
export const NO_COMMON_TABLES: CommonTables = new Map()

/** The common tables in force inside a query. */
export function commonTablesIn(query: TreeNode, outer: CommonTables): CommonTables {
  let scope = outer
  for (const entry of entriesOf(query)) {
    const value = isNode(entry.value) ? entry.value : {}
    const inner = isNode(value.query) && isNode(value.query.node) ? value.query.node : {}
    scope = new Map(scope).set(asciiLower(text(entry.key)), { entry, query: inner, seen: scope })
  }
  return scope
}

/** The entries of a query's WITH clause. */
export function entriesOf(query: TreeNode): TreeNode[] {
  return nodes(isNode(query.cte_map) ? query.cte_map.map : undefined)
}

/** The name of a table in a FROM clause, in lower case. */
export function tableName(ref: TreeNode): string {
  return asciiLower(text(ref.table_name))
}

/** The common table that a mention means, if it means one. */
export function commonTable(ref: TreeNode, scope: CommonTables): ReturnType<CommonTables['get']> {
  const isBare = text(ref.schema_name) === '' && text(ref.catalog_name) === ''
  return isBare ? scope.get(tableName(ref)) : undefined
}

/** How often each table is read by a part of a tree, those behind common tables included; by lower-case name. */
export function mentionsOf(
  value: unknown,
  scope: CommonTables,
  counts = new Map<string, number>(),
): Map<string, number> {
  if (Array.isArray(value)) for (const item of value) mentionsOf(item, scope, counts)
  if (!isNode(value)) return counts
  if (value.type === 'BASE_TABLE') {
    const common = commonTable(value, scope)
    if (common) mentionsOf(common.query, common.seen, counts)
    else counts.set(tableName(value), (counts.get(tableName(value)) ?? 0) + 1)
    return counts
  }
  const inner = 'cte_map' in value ? commonTablesIn(value, scope) : scope
  // What a WITH clause defines is counted where it is mentioned; what a recursive one reads itself as, is no table.
  for (const [key, child] of Object.entries(value)) {
    if (key !== 'cte_map')
      mentionsOf(child, value.type === 'RECURSIVE_CTE_NODE' ? withoutItself(value, inner) : inner, counts)
  }
  return counts
}

function withoutItself(recursive: TreeNode, scope: CommonTables): CommonTables {
  return new Map(scope).set(asciiLower(text(recursive.cte_name)), { entry: {}, query: {}, seen: scope })
}

/** The entries of WITH clauses that a part of a tree needs, in an order in which they can stand. */
export function neededEntries(value: unknown, scope: CommonTables, found = new Map<string, TreeNode>()): TreeNode[] {
  collectEntries(value, scope, found)
  return [...found.values()]
}

function collectEntries(value: unknown, scope: CommonTables, found: Map<string, TreeNode>): void {
  if (Array.isArray(value)) for (const item of value) collectEntries(item, scope, found)
  if (!isNode(value)) return
  if (value.type === 'BASE_TABLE') {
    const common = commonTable(value, scope)
    if (!common || found.get(tableName(value)) === common.entry) return
    if (found.has(tableName(value))) throw new Unsplittable('two common tables have the same name')
    collectEntries(common.query, common.seen, found)
    found.set(tableName(value), common.entry)
    return
  }
  // A query with a WITH clause of its own brings it along.
  if ('cte_map' in value && entriesOf(value).length > 0) {
    const own = new Set(entriesOf(value).map((entry) => asciiLower(text(entry.key))))
    if ([...own].some((name) => scope.has(name))) throw new Unsplittable('two common tables have the same name')
    collectEntries(entriesOf(value), scope, found)
    const inner: CommonTables = new Map([...scope].filter(([name]) => !own.has(name)))
    for (const [key, child] of Object.entries(value)) if (key !== 'cte_map') collectEntries(child, inner, found)
    return
  }
  for (const child of Object.values(value)) collectEntries(child, scope, found)
}

/** Why a query is not split here; it is run in another way. */
export class Unsplittable extends Error {}

/** Rows in parts, or all of them every time. */
export type Share = 'part' | 'whole'

/** How the rows of a FROM clause are shared out; undefined when parts of the drivers do not add up to it. */
export function shareOf(ref: unknown, drivers: ReadonlySet<string>, scope: CommonTables): Share | undefined {
  if (!isNode(ref) || ref.sample) return undefined
  switch (ref.type) {
    case 'BASE_TABLE': {
      const common = commonTable(ref, scope)
      if (common) return shareOfQuery(common.query, drivers, common.seen)
      return drivers.has(tableName(ref)) ? 'part' : 'whole'
    }
    case 'SUBQUERY':
      return isNode(ref.subquery) && isNode(ref.subquery.node)
        ? shareOfQuery(ref.subquery.node, drivers, scope)
        : undefined
    case 'JOIN':
      return shareOfJoin(ref, drivers, scope)
    case 'TABLE_FUNCTION':
    case 'EMPTY':
    case 'EXPRESSION_LIST':
      return mentionsAny(ref, drivers, scope) ? undefined : 'whole'
    default:
      return undefined
  }
}

/** Sides of a join whose rows come out once for every row that they meet, or once at least. */
const LEFT_KEPT = new Set(['INNER', 'LEFT', 'SEMI', 'ANTI'])
const RIGHT_KEPT = new Set(['INNER', 'RIGHT'])

function shareOfJoin(join: TreeNode, drivers: ReadonlySet<string>, scope: CommonTables): Share | undefined {
  const [left, right] = [shareOf(join.left, drivers, scope), shareOf(join.right, drivers, scope)]
  const kind = text(join.join_type)
  const way = text(join.ref_type)
  if (left === undefined || right === undefined || !['REGULAR', 'CROSS', 'NATURAL', 'ASOF'].includes(way))
    return undefined
  if (left === 'whole' && right === 'whole') return 'whole'
  if (left === 'part' && right === 'whole') return LEFT_KEPT.has(kind) ? 'part' : undefined
  if (left === 'whole' && right === 'part') return RIGHT_KEPT.has(kind) && way !== 'ASOF' ? 'part' : undefined
  // Rows that meet are in the same part.
  return areDrivers(join, drivers, scope) && way === 'REGULAR' ? 'part' : undefined
}

function areDrivers({ left, right }: TreeNode, drivers: ReadonlySet<string>, scope: CommonTables): boolean {
  const isDriver = (side: unknown) =>
    isNode(side) && side.type === 'BASE_TABLE' && !commonTable(side, scope) && drivers.has(tableName(side))
  return isDriver(left) && isDriver(right)
}

function mentionsAny(value: unknown, names: ReadonlySet<string>, scope: CommonTables): boolean {
  const mentioned = mentionsOf(value, scope)
  return [...names].some((name) => mentioned.has(name))
}

function shareOfQuery(query: TreeNode, drivers: ReadonlySet<string>, outer: CommonTables): Share | undefined {
  if (!mentionsAny(query, drivers, outer)) return 'whole'
  const scope = commonTablesIn(query, outer)
  return isPlain(query) ? shareOf(query.from_table, drivers, scope) : undefined
}

/** True for a SELECT that makes its rows one by one. */
export function isPlain(query: TreeNode): boolean {
  return (
    query.type === 'SELECT_NODE' &&
    nodes(query.modifiers).length === 0 &&
    !query.sample &&
    !query.having &&
    !query.qualify &&
    !isAggregated(query) &&
    !someNode([query.select_list, query.where_clause], isWindow, isSubquery)
  )
}

/** True for a SELECT whose rows stand for groups. */
export function isAggregated(query: TreeNode): boolean {
  return (
    nodes(query.group_expressions).length > 0 ||
    (Array.isArray(query.group_sets) && query.group_sets.length > 0) ||
    query.aggregate_handling === 'FORCE_AGGREGATES' ||
    Boolean(query.having) ||
    someNode(
      [query.select_list, query.qualify, query.modifiers],
      (node) => isAggregateCall(node) || hidesAggregates(node),
      isSubquery,
    )
  )
}

/** True for a call over a window. */
export function isWindow(node: TreeNode): boolean {
  return node.class === 'WINDOW'
}

/** True for a query inside of an expression. */
export function isSubquery(node: TreeNode): boolean {
  return node.class === 'SUBQUERY'
}
