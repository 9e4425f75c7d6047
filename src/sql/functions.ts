/** What SQL from users may call. Files and settings are out of reach of everything else by the engine's own fence. */
import { asciiLower, namesIn } from '../common/text.ts'
import {
  COLLATIONS,
  FUNCTION_LISTS,
  FUNCTION_REASONS,
  type FunctionKind,
  type FunctionLists,
  type FunctionReason,
  UNLISTED,
} from './function-lists.ts'

/** How a function is used: in an expression (as a window function too), or in a FROM clause. */
export type FunctionUse = 'expression' | 'table'

/** What the fence says of a function: fine, refused for a reason, or unknown to the engine. */
export type FunctionVerdict = 'allowed' | 'unknown' | FunctionReason

/** What the fence says of a function of this name in such a place; what is known only from the other place is refused there, or left to the engine's own words. */
export function functionVerdict(use: FunctionUse, name: string): FunctionVerdict {
  const lower = asciiLower(name)
  const other = use === 'table' ? 'expression' : 'table'
  const allowed = (place: FunctionUse) => (ALLOWED[place].has(lower) ? 'allowed' : undefined)
  return REFUSED[use].get(lower) ?? allowed(use) ?? REFUSED[other].get(lower) ?? allowed(other) ?? 'unknown'
}

/** The functions that may be called in such a place, in lower case. */
export function allowedFunctions(use: FunctionUse): ReadonlySet<string> {
  return ALLOWED[use]
}

/** The aggregates, in lower case. */
export function allowedAggregates(): ReadonlySet<string> {
  return AGGREGATES
}

const AGGREGATES: ReadonlySet<string> = new Set(namesIn(FUNCTION_LISTS.aggregate.allowed))

const KINDS: Record<FunctionUse, readonly FunctionKind[]> = {
  expression: ['scalar', 'aggregate', 'macro'],
  table: ['table', 'table_macro'],
}

const ALLOWED: Record<FunctionUse, ReadonlySet<string>> = {
  expression: allowedIn('expression', `${UNLISTED.allowed} ${collationFunctions().join(' ')}`),
  table: allowedIn('table', ''),
}

const REFUSED: Record<FunctionUse, ReadonlyMap<string, FunctionReason>> = {
  expression: refusedIn('expression', [UNLISTED]),
  table: refusedIn('table', []),
}

/** The functions of all collations. */
export function collationFunctions(): string[] {
  return namesIn(COLLATIONS).map((language) => `icu_collate_${language}`)
}

function allowedIn(use: FunctionUse, more: string): ReadonlySet<string> {
  const listed = KINDS[use].flatMap((kind) => namesIn(FUNCTION_LISTS[kind].allowed))
  return new Set([...listed, ...namesIn(more)].map(asciiLower))
}

function refusedIn(use: FunctionUse, more: readonly FunctionLists[]): Map<string, FunctionReason> {
  const lists = [...KINDS[use].map((kind) => FUNCTION_LISTS[kind]), ...more]
  const reasons = Object.keys(FUNCTION_REASONS) as FunctionReason[]
  return new Map(
    lists.flatMap((list) =>
      reasons.flatMap((reason) => namesIn(list[reason]).map((name) => [asciiLower(name), reason] as const)),
    ),
  )
}

/** Functions whose value over constants is the same for the whole of a transaction: they may stand in a bound that prunes files. */
export const STABLE_FUNCTIONS: ReadonlySet<string> = new Set([
  '+',
  '-',
  '*',
  '/',
  '//',
  '%',
  'concat',
  'current_date',
  'current_timestamp',
  'date_trunc',
  'epoch_ms',
  'get_current_timestamp',
  'lower',
  'make_date',
  'make_timestamp',
  'now',
  'strptime',
  'to_days',
  'to_hours',
  'to_microseconds',
  'to_milliseconds',
  'to_minutes',
  'to_months',
  'to_seconds',
  'to_timestamp',
  'to_weeks',
  'to_years',
  'today',
  'trunc',
  'upper',
])
