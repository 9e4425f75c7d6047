/** What a query means, and what is wrong with it, told while it is written: by the functions that the server uses, without asking it. */

import type { ResponseOf } from '../../../../src/api/contract.ts'
import { explainQuery } from '../../../../src/behaviour/explain.ts'
import { expandQuery, validateQuery } from '../../../../src/behaviour/validate.ts'
import { parseType } from '../../../../src/common/data-type.ts'
import { isSkepError, type Violation } from '../../../../src/errors.ts'
import { type Json, LIMITS } from './document.ts'

/** Something wrong at a place, a JSON Pointer. */
export type Fault = Pick<Violation, 'path' | 'message'>

/** What is known of a query before it runs. */
export interface Checked {
  /** The meaning, sentence by sentence; empty when the query is not valid. */
  words: readonly string[]
  faults: readonly Fault[]
  /** What will be told with the result, such as conditions that nothing uses. */
  warnings: readonly string[]
}

/** What the query says on the table. */
export function check(query: Json, table: Pick<ResponseOf<'table'>, 'columns' | 'keys'>): Checked {
  const columns = table.columns.map(({ name, type }, id) => ({ id, name, type: parseType(type), required: false }))
  const known = { columns, keys: table.keys as { actor?: string; time?: string } }
  try {
    const valid = validateQuery(query, known, LIMITS)
    const { words } = explainQuery(valid, known)
    return { words, faults: [], warnings: valid.warnings.map(({ message }) => message) }
  } catch (cause) {
    return { words: [], faults: faultsOf(cause), warnings: [] }
  }
}

/** What is wrong with a query whatever the table; empty when nothing is. */
export function faultsOfForm(query: Json): readonly Fault[] {
  try {
    expandQuery(query, LIMITS)
    return []
  } catch (cause) {
    return faultsOf(cause)
  }
}

/** The places that an error of the language tells. @throws what is no such error */
export function faultsOf(cause: unknown): readonly Fault[] {
  if (!isSkepError(cause)) throw cause
  return faultsOfDetails(cause)
}

/** The places that an error of the language tells, ours or the server's. */
export function faultsOfDetails({ message, details }: { message: string; details: unknown }): readonly Fault[] {
  const { violations, path = '' } = details as { violations?: readonly Fault[]; path?: string }
  return violations ?? [{ path, message }]
}

/** The faults at a place; with `below`, also at the parts of it. */
export function faultsAt(faults: readonly Fault[], path: string, below = false): readonly Fault[] {
  return faults.filter((fault) => fault.path === path || (below && fault.path.startsWith(`${path}/`)))
}
