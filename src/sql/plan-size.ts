/** Limits on the shape of a query whose planning alone would take long: no interrupt reaches it there. */
import { asciiLower } from '../common/text.ts'
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import { GUARDED_CALLS } from './guarded-calls.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

const MOST_DOUBLINGS = SETTINGS.sqlDoublings.default

interface Size {
  nodes: number
  nesting: number
}

/** Checks that a query can be planned in a moment; `inlines` where its text may say NOT MATERIALIZED. @throws QUERY_TOO_DEEP */
export function checkPlanSize(query: TreeNode, inlines: boolean): void {
  measure({ nodes: 0, nesting: 0 }, query, 1, 0)
  if (inlines) countMentions(query, new Map())
}

/** The depth of calls in a part of the tree, which stands in `doublings` subqueries and lambdas and is repeated by macros. */
function measure(size: Size, value: unknown, repeats: number, doublings: number): number {
  if (Array.isArray(value)) {
    return value.reduce<number>((depth, item) => Math.max(depth, measure(size, item, repeats, doublings)), 0)
  }
  if (!isNode(value)) return 0
  size.nodes += repeats
  limit(size.nodes, SETTINGS.sqlNodes.default, 'calls of functions are nested too deeply in each other')
  const doubles = value.class === 'SUBQUERY' || value.class === 'LAMBDA' ? doublings + 1 : doublings
  limit(doubles, MOST_DOUBLINGS, `subqueries or lambdas are nested more than ${MOST_DOUBLINGS} levels deep`)
  const isCall = value.class === 'FUNCTION'
  const inner = isCall ? repeats * repeatsOf(value) : repeats
  let depth = 0
  for (const child of Object.values(value)) depth = Math.max(depth, measure(size, child, inner, doubles))
  if (!isCall) return depth
  size.nesting += (depth + 1) ** 2
  limit(size.nesting, SETTINGS.sqlNesting.default, 'calls of functions are nested too deeply in each other')
  return depth + 1
}

function limit(found: number, most: number, message: string): void {
  if (found > most) throw new SkepError('QUERY_TOO_DEEP', message, { limit: most })
}

function repeatsOf(call: TreeNode): number {
  const name = asciiLower(text(call.function_name))
  return Object.hasOwn(GUARDED_CALLS, name) ? GUARDED_CALLS[name]!.repeats : 1
}

/** How often tables are planned in a part of the tree, when each mention of a common table plans it again. */
function countMentions(value: unknown, tables: ReadonlyMap<string, number>): number {
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countMentions(item, tables), 0)
  if (!isNode(value)) return 0
  if (value.type === 'BASE_TABLE') return tables.get(asciiLower(text(value.table_name))) ?? 1
  const known = new Map(tables)
  for (const { key, value: table } of nodes(isNode(value.cte_map) ? value.cte_map.map : undefined)) {
    known.set(asciiLower(text(key)), 1 + countMentions(table, known))
  }
  let sum = 0
  for (const [key, child] of Object.entries(value)) if (key !== 'cte_map') sum += countMentions(child, known)
  limit(sum, SETTINGS.sqlMentions.default, 'common tables that are NOT MATERIALIZED mention each other too often')
  return sum
}
