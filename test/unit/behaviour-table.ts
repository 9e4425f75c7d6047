/** A table and limits for tests of the query language. */

import { type QueryTable, type ValidQuery, validateQuery } from '../../src/behaviour/validate.ts'
import type { Column } from '../../src/catalog/types.ts'
import { parseType } from '../../src/common/data-type.ts'
import { readSettings } from '../../src/config.ts'
import { isSkepError, type Violation } from '../../src/errors.ts'

export const limits = readSettings({})

export function columnsOf(types: Record<string, string>): Column[] {
  return Object.entries(types).map(([name, type], index) => ({
    id: index + 1,
    name,
    type: parseType(type),
    required: false,
  }))
}

export const events: QueryTable = {
  columns: columnsOf({
    user: 'VARCHAR',
    ts: 'BIGINT',
    event: 'VARCHAR',
    page: 'VARCHAR',
    goal: 'INTEGER',
    price: 'DOUBLE',
    cool: 'BOOLEAN',
    amount: 'DECIMAL(10,2)',
    day: 'DATE',
    seen: 'TIMESTAMP',
    zoned: 'TIMESTAMP WITH TIME ZONE',
    id: 'UUID',
    tags: 'VARCHAR[]',
    bytes: 'BLOB',
    numbers: 'DECIMAL(10,2)[]',
    nested: 'VARCHAR[][]',
    context: 'STRUCT(device VARCHAR, screen STRUCT(width INTEGER, "a.b" VARCHAR), tags VARCHAR[])',
    pairs: 'MAP(VARCHAR, INTEGER)',
  }),
  keys: { actor: 'user', time: 'ts' },
}

export function withTime(type: string): QueryTable {
  return { columns: [...events.columns, ...columnsOf({ at: type })], keys: { actor: 'user', time: 'at' } }
}

export function valid(source: unknown, table: QueryTable = events): ValidQuery {
  return validateQuery(source, table, limits)
}

export function violationsOf(source: unknown, table: QueryTable = events): Violation[] {
  try {
    validateQuery(source, table, limits)
  } catch (error) {
    if (!isSkepError(error, 'QUERY_INVALID')) throw error
    if (error.details.kind !== error.details.violations[0]!.kind) throw new Error('details.kind differs')
    return error.details.violations
  }
  return []
}

/** `KIND path` of each violation. */
export function problems(source: unknown, table: QueryTable = events): string[] {
  return violationsOf(source, table).map(({ kind, path }) => `${kind} ${path}`)
}

export function codeOf(run: () => unknown): string | undefined {
  try {
    run()
  } catch (error) {
    return isSkepError(error) ? error.code : String(error)
  }
  return undefined
}
