/** What a query reads and what it may do: its tables, the conditions on them, and a refusal of everything else. */
import { asciiLower, didYouMean, nearest } from '../common/text.ts'
import { SkepError } from '../errors.ts'
import { nullRejecting, readCondition, type TreeCondition, withoutShared } from './condition.ts'
import { FUNCTION_REASONS } from './function-lists.ts'
import { allowedFunctions, type FunctionUse, functionVerdict } from './functions.ts'
import { checkGuardedCalls } from './guarded-calls.ts'
import { checkPlanSize } from './plan-size.ts'
import { singleCalls } from './single-calls.ts'
import { isNode, nodes, type SerializedSql, type TreeNode, text } from './tree.ts'
import { checkWrittenArguments } from './written-arguments.ts'

/** One mention of a table of the warehouse in a FROM clause. */
export interface TableUse {
  /** As the SQL writes it. */
  table: string
  /** The name that qualifies its columns: the alias, else the table's name. */
  alias: string
  /** What holds for the rows of the SELECT that reads it; absent when nothing may be concluded for the table. */
  where?: TreeCondition
}

/** What a query needs. */
export interface SqlAnalysis {
  uses: TableUse[]
  /** True when a parameter stands where a text has to be short. */
  shortParameters: boolean
  /** The number of calls that may make large values, each made once; 0 when one of them is made for many rows. */
  singleCalls: number
}

/** The query of a parsed text. @throws SQL_INVALID, SQL_FORBIDDEN */
export function statementOf(tree: SerializedSql): TreeNode {
  if (tree.error) throw refusal(tree)
  if (tree.statements.length !== 1) {
    const message = tree.statements.length === 0 ? 'there is no query in the text' : 'one query at a time, please'
    throw new SkepError('SQL_INVALID', message, {})
  }
  return tree.statements[0]!.node
}

/** What the query of this tree reads; its text tells what the tree does not. @throws SQL_INVALID, SQL_FORBIDDEN, QUERY_TOO_DEEP */
export function analyseSql(tree: SerializedSql, maxDepth: number, sql = ''): SqlAnalysis {
  const query = statementOf(tree)
  const walk: Walk = { uses: [], shortParameters: false, maxDepth }
  visit(walk, query, new Set(), 0)
  checkGuardedCalls(query)
  checkPlanSize(query, /materialized/i.test(sql))
  return { uses: walk.uses, shortParameters: walk.shortParameters, singleCalls: singleCalls(query) }
}

/** Levels that the engine's parser holds, by its own constant. */
const PARSER_LEVELS = 10_000

function refusal(tree: Extract<SerializedSql, { error: true }>): SkepError {
  if (tree.error_type === 'not implemented') {
    return forbidden('only queries (SELECT, WITH, VALUES, FROM, DESCRIBE, SUMMARIZE) are accepted', 'statement')
  }
  // What the parser's stack cannot hold.
  if (tree.error_message.startsWith('memory exhausted')) {
    return new SkepError('QUERY_TOO_DEEP', 'the SQL is nested too deeply to be parsed', { limit: PARSER_LEVELS })
  }
  const [, depth] = /Max expression depth limit of (\d+)/.exec(tree.error_message) ?? []
  if (depth !== undefined) {
    const message = `expressions are nested more than ${depth} levels deep`
    return new SkepError('QUERY_TOO_DEEP', message, { limit: Number(depth) })
  }
  const position = tree.position === undefined ? {} : { position: Number(tree.position) }
  const at = tree.position === undefined ? '' : ` (at character ${Number(tree.position) + 1})`
  return new SkepError('SQL_INVALID', `${tree.error_message}${at}`, position)
}

function forbidden(message: string, what: string): SkepError<'SQL_FORBIDDEN'> {
  return new SkepError('SQL_FORBIDDEN', message, { what })
}

interface Walk extends Omit<SqlAnalysis, 'singleCalls'> {
  maxDepth: number
}

/** Names of common table expressions in force, in lower case. */
type Scope = ReadonlySet<string>

function visit(walk: Walk, value: unknown, scope: Scope, depth: number): void {
  if (depth > walk.maxDepth) {
    throw new SkepError('QUERY_TOO_DEEP', `the SQL is nested more than ${walk.maxDepth} levels deep`, {
      limit: walk.maxDepth,
    })
  }
  if (Array.isArray(value)) {
    for (const item of value) visit(walk, item, scope, depth + 1)
  } else if (isNode(value)) {
    const inner = 'cte_map' in value ? visitCommonTables(walk, value, scope, depth) : scope
    checkNode(value)
    checkWrittenArguments(value, walk)
    if (value.type === 'BASE_TABLE') useTable(walk, value, scope, undefined)
    else visitChildren(walk, value, inner, depth)
  }
}

function visitChildren(walk: Walk, node: TreeNode, scope: Scope, depth: number): void {
  // A sample is taken before the WHERE clause: it must be taken from all rows.
  const where = node.type === 'SELECT_NODE' && !node.sample ? readCondition(node.where_clause) : undefined
  for (const [key, child] of Object.entries(node)) {
    if (key === 'cte_map') continue
    if (key === 'from_table' && isNode(child)) visitFrom(walk, child, scope, where, depth + 1)
    else visit(walk, child, recursiveScope(node, key, scope), depth + 1)
  }
}

/** Walks a FROM clause: the WHERE clause of the SELECT constrains the tables of its joins as far as {@link belowJoin} says. */
function visitFrom(walk: Walk, ref: TreeNode, scope: Scope, where: TreeCondition | undefined, depth: number): void {
  checkNode(ref)
  if (ref.type === 'BASE_TABLE') {
    useTable(walk, ref, scope, where)
    return
  }
  if (ref.type !== 'JOIN') {
    visit(walk, ref, scope, depth)
    return
  }
  const below = belowJoin(ref, where)
  for (const [key, child] of Object.entries(ref)) {
    if ((key === 'left' || key === 'right') && isNode(child)) visitFrom(walk, child, scope, below[key], depth + 1)
    else visit(walk, child, scope, depth + 1)
  }
}

/** What a WHERE clause says about the rows of either side of a join. */
function belowJoin(
  join: TreeNode,
  where: TreeCondition | undefined,
): { left?: TreeCondition | undefined; right?: TreeCondition | undefined } {
  if (where === undefined || !['REGULAR', 'CROSS', 'NATURAL'].includes(text(join.ref_type))) return {}
  // A shared column is that of the side whose rows are kept, which may be of another type than its namesake.
  const shared = join.ref_type === 'NATURAL' ? 'all' : sharedColumns(join.using_columns)
  const other = withoutShared(where, shared)
  switch (text(join.join_type)) {
    case 'INNER':
      return { left: where, right: other }
    case 'LEFT':
      return { left: where, right: nullRejecting(other) }
    case 'RIGHT':
      return { left: nullRejecting(other), right: where }
    case 'FULL':
    case 'OUTER':
      return { left: nullRejecting(other), right: nullRejecting(other) }
    case 'SEMI':
    case 'ANTI':
      return { left: where }
    default:
      return {}
  }
}

function sharedColumns(names: unknown): string[] {
  return Array.isArray(names) ? names.map(text) : []
}

function visitCommonTables(walk: Walk, node: TreeNode, scope: Scope, depth: number): Scope {
  const names = new Set(scope)
  for (const entry of nodes(isNode(node.cte_map) ? node.cte_map.map : undefined)) {
    const name = text(entry.key)
    // Where the engine does not take it for a common table, it would look for a file of this name.
    if (/[./]/.test(name)) {
      throw forbidden(`the name "${name}" of a common table expression may not contain . or /`, name)
    }
    visit(walk, entry.value, new Set(names), depth + 1)
    names.add(asciiLower(name))
  }
  return names
}

/** A recursive common table is seen by its second part alone: in the first one its name means something else. */
function recursiveScope(node: TreeNode, key: string, scope: Scope): Scope {
  if (node.type !== 'RECURSIVE_CTE_NODE' || key !== 'right') return scope
  return new Set(scope).add(asciiLower(text(node.cte_name)))
}

function useTable(walk: Walk, ref: TreeNode, scope: Scope, where: TreeCondition | undefined): void {
  const name = text(ref.table_name)
  if (ref.at_clause) throw forbidden('AT is not accepted in SQL; use --at (or the option `at`)', 'AT')
  const qualified = text(ref.schema_name) !== '' || text(ref.catalog_name) !== ''
  if (!qualified && scope.has(asciiLower(name))) return
  const table = qualified ? [ref.catalog_name, ref.schema_name, name].map(text).filter(Boolean).join('.') : name
  const usable = where && !ref.sample && !hasColumnAliases(ref)
  walk.uses.push({ table, alias: text(ref.alias) || name, ...(usable ? { where } : {}) })
}

/** `FROM t AS x(a, b)` renames columns: conditions then speak of other names. */
function hasColumnAliases(ref: TreeNode): boolean {
  return Array.isArray(ref.column_name_alias) && ref.column_name_alias.length > 0
}

function checkNode(node: TreeNode): void {
  if (node.type === 'TABLE_FUNCTION') {
    checkFunction('table', text(isNode(node.function) ? node.function.function_name : ''))
  } else if (node.class === 'FUNCTION' || node.class === 'WINDOW') {
    if (node.export_state === true) throw forbidden('EXPORT_STATE is not accepted', 'EXPORT_STATE')
    // The guard of a function stands before its bare name; this one would lead past it.
    if ([node.catalog, node.schema].some((part) => asciiLower(text(part)) === 'system')) {
      throw forbidden('functions are called by their bare names', 'system')
    }
    checkFunction('expression', text(node.function_name))
  } else if (node.id === 'VARIANT' || node.id === 'BIGNUM') {
    // Conversions to the one overflow the stack, those to the other take the square of their length.
    throw forbidden(`the type ${node.id} is not accepted`, node.id)
  } else if (node.type === 'SHOW_REF' && !isNode(node.query)) {
    throw forbidden('SHOW is not accepted; `skep tables` and `skep describe T` list tables and columns', 'SHOW')
  }
}

function checkFunction(use: FunctionUse, name: string): void {
  const verdict = functionVerdict(use, name)
  if (verdict === 'allowed') return
  const kind = use === 'table' ? 'table function' : 'function'
  if (verdict === 'unknown') {
    const near = didYouMean(nearest(name, allowedFunctions(use)))
    throw new SkepError('SQL_INVALID', `there is no ${kind} "${name.slice(0, 200)}"${near}`, {})
  }
  throw forbidden(`the ${kind} ${asciiLower(name)} is not allowed: ${FUNCTION_REASONS[verdict]}`, asciiLower(name))
}
