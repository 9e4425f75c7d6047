/** Calls of functions that the engine guards by a macro (`engine/guards.ts`). The macro repeats its arguments: they must be the same each time. */
import { asciiLower } from '../common/text.ts'
import { SkepError } from '../errors.ts'
import { VOLATILE_FUNCTIONS } from './function-lists.ts'
import { isNode, nodes, type TreeNode, text } from './tree.ts'

/** How a function is guarded: how often its macro repeats an argument, and whether all of them decide about its cost or only the second. */
interface GuardedCall {
  repeats: number
  steady: 'all' | 'second' | 'none'
}

const SERIES: GuardedCall = { repeats: 3, steady: 'all' }
const SIZED: GuardedCall = { repeats: 2, steady: 'second' }
const COMPARED: GuardedCall = { repeats: 2, steady: 'none' }
const NESTED: GuardedCall = { repeats: 4, steady: 'all' }

/** The guarded functions. */
export const GUARDED_CALLS: Readonly<Record<string, GuardedCall>> = {
  repeat: { repeats: 2, steady: 'all' },
  lpad: SIZED,
  rpad: SIZED,
  bitstring: SIZED,
  range: SERIES,
  generate_series: SERIES,
  list_resize: SIZED,
  array_resize: SIZED,
  levenshtein: COMPARED,
  editdist3: COMPARED,
  damerau_levenshtein: COMPARED,
  jaro_similarity: COMPARED,
  jaro_winkler_similarity: COMPARED,
  json_structure: NESTED,
  json_pretty: NESTED,
  json_contains: NESTED,
  json_merge_patch: NESTED,
}

/** Checks the guarded calls of a query. @throws SQL_FORBIDDEN */
export function checkGuardedCalls(value: unknown): void {
  if (Array.isArray(value)) value.forEach(checkGuardedCalls)
  if (!isNode(value)) return
  const guarded = guardOf(value)
  if (guarded) checkSteady(value, guarded)
  Object.values(value).forEach(checkGuardedCalls)
}

function guardOf(node: TreeNode): GuardedCall | undefined {
  const name = node.class === 'FUNCTION' ? asciiLower(text(node.function_name)) : ''
  return Object.hasOwn(GUARDED_CALLS, name) ? GUARDED_CALLS[name] : undefined
}

function checkSteady(call: TreeNode, { steady }: GuardedCall): void {
  if (steady === 'none') return
  const args = nodes(call.children)
  const volatile = (steady === 'all' ? args : args.slice(1, 2)).map(volatileCall).find(Boolean)
  if (volatile === undefined) return
  const name = asciiLower(text(call.function_name))
  const message = `${name}(…) needs arguments that are the same whenever they are computed; compute ${volatile}() in a subquery`
  throw new SkepError('SQL_FORBIDDEN', message, { what: name })
}

/** A function in this expression that gives another value at every call. */
function volatileCall(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.map(volatileCall).find(Boolean)
  // A subquery is computed once.
  if (!isNode(value) || value.class === 'SUBQUERY') return undefined
  const name = value.class === 'FUNCTION' ? asciiLower(text(value.function_name)) : ''
  return VOLATILE.has(name) ? name : volatileCall(Object.values(value))
}

const VOLATILE: ReadonlySet<string> = new Set(VOLATILE_FUNCTIONS.split(' '))
