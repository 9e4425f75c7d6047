/** Whether a warehouse that splits a query gives what DuckDB gives. */
import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import { type BoundValue, bindable } from '../../src/engine/parameters.ts'
import { type JsonValue, toJson } from '../../src/engine/values.ts'
import { isSkepError } from '../../src/errors.ts'
import type { PoolName } from '../../src/planner/plan.ts'
import type { Warehouse } from '../../src/warehouse.ts'

/** Columns as `name: type`, and rows as lists of values. */
export interface Answer {
  columns: string[]
  rows: JsonValue[][]
}

/** An answer, or the text of an error; errors of single rows depend on which rows are looked at. */
export type Outcome = Answer | { error: string; kind: 'refused' | 'while running' | 'internal' }

/** How DuckDB answers. */
export async function judge(duck: DuckDBConnection, sql: string, params: readonly BoundValue[]): Promise<Outcome> {
  try {
    const { values, types } = bindable(params)
    const result = await duck.run(sql, values, types)
    const kinds: readonly DuckDBType[] = result.columnTypes()
    const rows = (await result.getRows()).map((row) => row.map((value, k) => toJson(value, kinds[k]!)))
    return { columns: uniqueNames(result.columnNames()).map((name, k) => `${name}: ${kinds[k]}`), rows }
  } catch (error) {
    return { error: String(error), kind: kindOf(String(error)) }
  }
}

function kindOf(message: string): 'refused' | 'while running' | 'internal' {
  if (/INTERNAL Error/.test(message)) return 'internal'
  return /(Parser|Binder|Catalog|Syntax|Not implemented) Error/.test(message) ? 'refused' : 'while running'
}

function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    let unique = name
    for (let k = 1; taken.has(unique); k++) unique = `${name}_${k}`
    taken.add(unique)
    return unique
  })
}

/** How the warehouse answers, and in how many tries at tasks; none where one engine ran the query whole. `spared` tasks were not needed. */
export async function ask(
  warehouse: Warehouse,
  sql: string,
  { params, pool }: { params: readonly BoundValue[]; pool?: PoolName | undefined },
): Promise<Outcome | (Answer & { tasks: number; spared: number })> {
  try {
    await using stream = await warehouse.stream(sql, { ...(pool && { pool }), ...(params.length > 0 && { params }) })
    const rows: JsonValue[][] = []
    for await (const batch of stream.batches) rows.push(...batch)
    const { attempts = 0, sparedTasks = 0, stoppedTasks = 0 } = stream.stats()
    const columns = stream.columns.map(({ name, type }) => `${name}: ${type}`)
    return { columns, rows, tasks: attempts, spared: sparedTasks + stoppedTasks }
  } catch (error) {
    if (!isSkepError(error)) return { error: String(error), kind: 'internal' }
    const message = error.code === 'SQL_INVALID' ? String(error) : `${error.code}: ${error.message}`
    return { error: message, kind: error.code === 'SQL_INVALID' ? kindOf(error.message) : 'internal' }
  }
}

/** What is different, in words; undefined when nothing is. */
export function difference(wanted: Outcome, got: Outcome, ordered: boolean): string | undefined {
  if ('error' in wanted) {
    if (wanted.kind === 'internal') return undefined
    if ('error' in got) return got.kind === 'internal' ? `refused as ${got.error}` : undefined
    // Which rows meet an error depends on which of them are looked at, and in which order.
    return wanted.kind === 'refused' ? `DuckDB refuses it: ${wanted.error}` : undefined
  }
  if ('error' in got) return `refused: ${got.error}`
  if (wanted.columns.join('\n') !== got.columns.join('\n')) return `columns ${got.columns} for ${wanted.columns}`
  if (wanted.rows.length !== got.rows.length) return `${got.rows.length} rows for ${wanted.rows.length}`
  return ordered ? differenceInOrder(wanted.rows, got.rows) : differenceOfSets(wanted.rows, got.rows)
}

/** The rows of a list that another one does not have, each as often as it is there. */
export function rowsBeside(rows: readonly JsonValue[][], all: readonly JsonValue[][]): JsonValue[][] {
  const left = Map.groupBy(all, (row) => JSON.stringify(row))
  const others = rows.filter((row) => left.get(JSON.stringify(row))?.pop() === undefined)
  const rest = [...left.values()].flat()
  return others.filter((row) => {
    const at = rest.findIndex((own) => alike(own, row))
    if (at >= 0) rest.splice(at, 1)
    return at < 0
  })
}

function differenceInOrder(wanted: readonly JsonValue[][], got: readonly JsonValue[][]): string | undefined {
  const at = wanted.findIndex((row, k) => !alike(row, got[k]!))
  return at < 0 ? undefined : `row ${at}: ${JSON.stringify(got[at])} for ${JSON.stringify(wanted[at])}`
}

function differenceOfSets(wanted: readonly JsonValue[][], got: readonly JsonValue[][]): string | undefined {
  const [missing] = rowsBeside(wanted, got)
  return missing && `no row ${JSON.stringify(missing)}, but ${JSON.stringify(rowsBeside(got, wanted).slice(0, 3))}`
}

const TOLERANCE = 1e-9

function alike(a: JsonValue, b: JsonValue): boolean {
  if (typeof a === 'number' && typeof b === 'number') {
    return a === b || Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b), 1e-3)
  }
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, k) => alike(item, b[k]!))
  return JSON.stringify(a) === JSON.stringify(b)
}
