/** Aggregations over the rows of passing actors: one scan for each pair of columns, cut and ranked exactly. */

import { printDecimal } from '../behaviour/predicate-sql.ts'
import type { AggregationResult } from '../behaviour/result.ts'
import type { Aggregation } from '../behaviour/typing.ts'
import { valueText } from '../behaviour/value-text.ts'
import type { DataFile } from '../catalog/types.ts'
import { type DataType, isFloat, quoteIdentifier } from '../common/data-type.ts'
import { divide, exactSum, exactTermSql } from '../common/exact-sum.ts'
import { compareUtf8 } from '../common/text.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { toScalar } from '../engine/values.ts'
import { Bindings, type RowSource, rowsInside } from './actor-rows.ts'

/** Temporary table `(actor, level)` of the actors that satisfy the relation; level 1 + funnel steps passed. */
export const PASSING = 'skep_passing'

/** Aggregations over the rows of actors whose level is at least `level`. */
export interface AggregationScope {
  level: number
  aggregations: readonly Aggregation[]
}

/** What one value of a column adds up to among the actors of one level. */
interface Cell {
  key: string
  level: number
  rows: bigint
  actors: bigint
  /** Non-null values of the other column, and the bins of their sum. */
  others: bigint
  bins: [bin: number, total: bigint][]
}

/** The results of each scope, in the order of its aggregations. {@link PASSING} has been filled. */
export async function aggregate(
  session: Session,
  source: RowSource,
  files: readonly DataFile[],
  scopes: readonly AggregationScope[],
  options: RunOptions,
  top: number,
): Promise<AggregationResult[][]> {
  const cells = new Map<string, Cell[]>()
  for (const { aggregations } of scopes) {
    for (const aggregation of aggregations) {
      const key = scanKey(aggregation)
      if (!cells.has(key)) cells.set(key, await scanCells(session, source, files, aggregation, options))
    }
  }
  return scopes.map(({ level, aggregations }) =>
    aggregations.map((aggregation) => resultOf(aggregation, cells.get(scanKey(aggregation))!, level, top)),
  )
}

/** Aggregations of one key are answered by one scan: all but plain counts need the values apart. */
function scanKey({ column, type, otherColumn }: Aggregation): string {
  return JSON.stringify([column, type === 'count' ? 'count' : 'values', otherColumn ?? null])
}

async function scanCells(
  session: Session,
  source: RowSource,
  files: readonly DataFile[],
  aggregation: Aggregation,
  options: RunOptions,
): Promise<Cell[]> {
  const bindings = new Bindings()
  const rows = rowsInside(source, files, bindings)
  const actor = quoteIdentifier(source.actor)
  const value = presentSql(`r.${quoteIdentifier(aggregation.column)}`, aggregation.columnType)
  const other = otherSql(aggregation)
  const input = `SELECT p.level, r.${actor} AS a, ${value} AS v, ${other} AS o FROM (${rows}) r JOIN ${PASSING} p ON r.${actor} = p.actor`
  const split = aggregation.type !== 'count'
  const { bin, total } = sumSql(aggregation)
  const result = await session.run(
    `SELECT ${split ? 'v' : 'NULL'} AS v, level, ${bin} AS bin, count(*) AS n, count(DISTINCT a) AS actors, count(o) AS others, ${total} AS total
     FROM (${input}) WHERE v IS NOT NULL GROUP BY 1, 2, 3`,
    { ...options, params: bindings.values },
  )
  const cells = new Map<string, Cell>()
  for (const [v, level, b, n, actors, others, sum] of await result.getRows()) {
    const key = v === null ? '' : valueText(toScalar(v!), aggregation.columnType)
    const cell = cellOf(cells, key, Number(level))
    cell.rows += n as bigint
    cell.actors += actors as bigint
    cell.others += others as bigint
    if (sum !== null) cell.bins.push([Number(b), toScalar(sum!) as bigint])
  }
  return [...cells.values()]
}

function cellOf(cells: Map<string, Cell>, key: string, level: number): Cell {
  const id = `${level} ${key}`
  const found = cells.get(id)
  if (found) return found
  const cell: Cell = { key, level, rows: 0n, actors: 0n, others: 0n, bins: [] }
  cells.set(id, cell)
  return cell
}

/** NaN counts as null. */
function presentSql(name: string, type: DataType): string {
  return isFloat(type) ? `CASE WHEN isnan(${name}) THEN NULL ELSE ${name} END` : name
}

function otherSql({ otherColumn, otherType }: Aggregation): string {
  if (otherColumn === undefined) return 'NULL'
  const name = `r.${quoteIdentifier(otherColumn)}`
  return isFloat(otherType!) ? `CAST(${presentSql(name, otherType!)} AS DOUBLE)` : name
}

function sumSql({ otherColumn, otherType }: Aggregation): { bin: string; total: string } {
  if (otherColumn === undefined) return { bin: '0', total: 'NULL' }
  if (!isFloat(otherType!)) return { bin: '0', total: 'sum(o)' }
  const { bin, term } = exactTermSql('o')
  return { bin, total: `sum(${term})` }
}

function resultOf(aggregation: Aggregation, cells: readonly Cell[], level: number, top: number): AggregationResult {
  const { column, type, name, otherColumn } = aggregation
  const included = cells.filter((cell) => cell.level >= level)
  const head = {
    column,
    type,
    ...(name === undefined ? {} : { name }),
    ...(otherColumn === undefined ? {} : { otherColumn }),
  }
  if (type === 'count') return { ...head, value: Number(included.reduce((sum, cell) => sum + cell.rows, 0n)) }
  const entries = [...byKey(included)].flatMap(([key, group]) => {
    const measure = measureOf(aggregation, group)
    return measure === undefined ? [] : [{ key, ...measure }]
  })
  entries.sort((a, b) => compareOrder(b.order, a.order) || compareUtf8(a.key, b.key))
  const ranked = entries.slice(0, top).map(({ key, value }): [string, number | string] => [key, value])
  return { ...head, value: Object.fromEntries(ranked), ranked, top }
}

function byKey(cells: readonly Cell[]): Map<string, Cell[]> {
  return Map.groupBy(cells, (cell) => cell.key)
}

interface Measure {
  /** What the map is ordered by. */
  order: bigint | number
  value: number | string
}

function compareOrder(a: bigint | number, b: bigint | number): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The value of one key; undefined for a mean over nothing. */
function measureOf({ type, otherType }: Aggregation, cells: readonly Cell[]): Measure | undefined {
  const sum = (field: 'rows' | 'actors' | 'others') => cells.reduce((total, cell) => total + cell[field], 0n)
  switch (type) {
    case 'countPerValue':
      return integerMeasure(sum('rows'))
    case 'groupsPerValue':
      return integerMeasure(sum('actors'))
    case 'sumPerValue':
      return sumMeasure(otherType!, cells)
    case 'meanPerValue':
      return meanMeasure(otherType!, cells, sum('others'))
    case 'count':
      return undefined
  }
}

function integerMeasure(value: bigint): Measure {
  const number = Number(value)
  return { order: value, value: Number.isSafeInteger(number) ? number : value.toString() }
}

function wholeSum(cells: readonly Cell[]): bigint {
  return cells.flatMap((cell) => cell.bins).reduce((total, [, part]) => total + part, 0n)
}

function sumMeasure(type: DataType, cells: readonly Cell[]): Measure | undefined {
  if (isFloat(type)) return floatMeasure(exactSum(cells.flatMap((cell) => cell.bins)))
  const total = wholeSum(cells)
  return type.kind === 'decimal' ? { order: total, value: printDecimal(total, type.scale) } : integerMeasure(total)
}

function meanMeasure(type: DataType, cells: readonly Cell[], count: bigint): Measure | undefined {
  if (count === 0n) return undefined
  if (isFloat(type)) return floatMeasure(exactSum(cells.flatMap((cell) => cell.bins)) / Number(count))
  const scale = type.kind === 'decimal' ? 10n ** BigInt(type.scale) : 1n
  return floatMeasure(divide(wholeSum(cells), count * scale))
}

/** Infinities have no place in JSON: such a value is absent, as one over nothing is. */
function floatMeasure(value: number): Measure | undefined {
  return Number.isFinite(value) ? { order: value, value } : undefined
}
