/** Calls of functions that the engine guards by a macro (`engine/guards.ts`). The macro repeats its arguments: they must be the same each time. */
import { asciiLower, namesIn } from '../common/text.ts'
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
const SIZED_TEXT: GuardedCall = { repeats: 4, steady: 'all' }
const COMPARED: GuardedCall = { repeats: 2, steady: 'none' }
const NESTED: GuardedCall = { repeats: 7, steady: 'all' }

/** The guarded functions. */
export const GUARDED_CALLS: Readonly<Record<string, GuardedCall>> = {
  repeat: { repeats: 2, steady: 'all' },
  replace: SIZED_TEXT,
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

/** Functions that fold a list into one value, step by step and without a look at any limit. */
const REDUCTION = /^(list_|array_)?reduce$/

/** What may stand in the step of a reduction: values that cannot grow from step to step. */
const STEADY_FUNCTIONS: ReadonlySet<string> = new Set(
  namesIn(`
    + - * / // % ** ^ & | << >> ~ @ xor abs add subtract multiply divide mod fmod fdiv pow power sqrt cbrt exp ln log log2
    log10 sign ceil ceiling floor round trunc even greatest least gcd lcm hash bit_count nullif
    struct_pack struct_extract row array_extract list_extract element_at len length strlen
    age date_add date_diff date_part date_sub date_trunc epoch epoch_ms make_date to_days to_hours to_minutes to_months
    to_seconds to_weeks to_years year month day hour minute second`),
)

/** Checks the guarded calls of a query. @throws SQL_FORBIDDEN */
export function checkGuardedCalls(value: unknown): void {
  if (Array.isArray(value)) value.forEach(checkGuardedCalls)
  if (!isNode(value)) return
  const guarded = guardOf(value)
  if (guarded) checkSteady(value, guarded)
  if (value.class === 'FUNCTION' && REDUCTION.test(asciiLower(text(value.function_name)))) checkStep(value)
  Object.values(value).forEach(checkGuardedCalls)
}

function checkStep(reduction: TreeNode): void {
  const steps = nodes(reduction.children).slice(1, 2)
  const growing = steps.map((step) => callIn(step, (name) => !STEADY_FUNCTIONS.has(name))).find(Boolean)
  if (growing === undefined) return
  const name = asciiLower(text(reduction.function_name))
  const message = `${name}: a step may compute numbers and times, not ${growing}(…); join texts and lists with array_to_string or flatten`
  throw new SkepError('SQL_FORBIDDEN', message, { what: name })
}

function guardOf(node: TreeNode): GuardedCall | undefined {
  const name = node.class === 'FUNCTION' ? asciiLower(text(node.function_name)) : ''
  return Object.hasOwn(GUARDED_CALLS, name) ? GUARDED_CALLS[name] : undefined
}

function checkSteady(call: TreeNode, { steady }: GuardedCall): void {
  if (steady === 'none') return
  const args = nodes(call.children)
  const volatile = (steady === 'all' ? args : args.slice(1, 2))
    .map((arg) => callIn(arg, (name) => VOLATILE.has(name)))
    .find(Boolean)
  if (volatile === undefined) return
  const name = asciiLower(text(call.function_name))
  const message = `${name}(…) needs arguments that are the same whenever they are computed; compute ${volatile}() in a subquery`
  throw new SkepError('SQL_FORBIDDEN', message, { what: name })
}

/** The name of a function called in this expression that is as asked for; what a subquery calls is computed once, and not looked at. */
function callIn(value: unknown, wanted: (name: string) => boolean): string | undefined {
  if (Array.isArray(value)) return value.map((item) => callIn(item, wanted)).find(Boolean)
  if (!isNode(value) || value.class === 'SUBQUERY') return undefined
  const name = value.class === 'FUNCTION' ? asciiLower(text(value.function_name)) : ''
  return name !== '' && wanted(name) ? name : callIn(Object.values(value), wanted)
}

const VOLATILE: ReadonlySet<string> = new Set(namesIn(VOLATILE_FUNCTIONS))
