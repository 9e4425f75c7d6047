/** Aggregations over a list of rows, each value counted by hand. */
import type { AggregationClause, AggregationType } from '../../src/behaviour/types.ts'
import {
  addFractions,
  compareFractions,
  type Fraction,
  fractionOfDigits,
  fractionOfDouble,
  nearestDouble,
} from './exact.ts'
import { compareCells, distinctValues, extreme, placeOf, presentCells, roundedMean, roundedSum } from './rows.ts'
import { type Cell, decimalText, fractionOf, isMissing, keyText, kindOf, type OracleTable, scaleOf } from './table.ts'

type Plain = number | string

/** One aggregation of an expected result. */
export interface OracleAggregation {
  column: string
  type: AggregationType
  name?: string
  otherColumn?: string
  value?: Plain | Record<string, Plain>
  ranked?: [string, Plain][]
  top?: number
}

/** An aggregation of one type over one column. */
interface Single {
  column: string
  type: AggregationType
  name?: string
  otherColumn?: string
}

const TOP = 10
const DEFAULT_TYPES: AggregationType[] = ['count', 'countPerValue', 'groupsPerValue']

/** What the clauses stand for over the rows; undefined for none. */
export function aggregateRows(
  table: OracleTable,
  clauses: readonly AggregationClause[] | undefined,
  rows: Cell[][],
): OracleAggregation[] | undefined {
  if (clauses === undefined || clauses.length === 0) return undefined
  return clauses.flatMap((clause) =>
    (clause.columns ?? [clause.column]).flatMap((column) =>
      (clause.type ? [clause.type] : DEFAULT_TYPES).map((type): OracleAggregation => {
        const { name, otherColumn } = clause
        const single = { column, type, ...(name ? { name } : {}), ...(otherColumn ? { otherColumn } : {}) }
        return { ...single, ...resultOf(table, single, clause, rows) }
      }),
    ),
  )
}

function resultOf(
  table: OracleTable,
  single: Single,
  { q, top = TOP }: AggregationClause,
  rows: Cell[][],
): Partial<OracleAggregation> {
  const place = placeOf(table, single.column)
  const columnType = table.columns[place]!.type
  const cells = presentCells(rows, place)
  const present = (value: OracleAggregation['value']) => (value === undefined ? {} : { value })
  switch (single.type) {
    case 'count':
      return { value: cells.length }
    case 'distinct':
      return { value: distinctValues(table, single.column, rows) }
    case 'min':
    case 'max':
      return cells.length === 0 ? {} : present(plain(extreme(cells, columnType, single.type), columnType))
    case 'sum':
      return present(plainSum(roundedSum(cells, columnType), columnType))
    case 'mean':
      return cells.length === 0 ? {} : present(finite(nearestDouble(roundedMean(cells, columnType))))
    case 'quantiles':
      return cells.length === 0 ? {} : { value: quantiles(cells, columnType, q!) }
    default:
      return mapOf(table, single, Number(top), rows)
  }
}

/** A value as JSON has it. */
function plain(cell: Exclude<Cell, null>, type: string): Plain | undefined {
  if (kindOf(type) === 'integer') return whole(cell as bigint).value
  if (kindOf(type) !== 'float') return keyText(cell, type)
  const text = keyText(cell, type)
  return finite(Number(text))
}

function plainSum(sum: Fraction, type: string): Plain | undefined {
  if (kindOf(type) === 'float') return finite(nearestDouble(sum))
  if (kindOf(type) === 'integer') return whole(sum.numerator / sum.denominator).value
  const scale = scaleOf(type)
  return decimalText((sum.numerator * 10n ** BigInt(scale)) / sum.denominator, scale)
}

/** What is infinite has no place in JSON and is absent. */
function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value + 0 : undefined
}

/** Between the values at the places around q × (n − 1), as far on the way as its fraction says. */
function quantiles(
  cells: Exclude<Cell, null>[],
  type: string,
  fractions: readonly (number | bigint)[],
): Record<string, number> {
  const values = cells
    .toSorted((a, b) => compareCells(a, b, type))
    .map((cell) => fractionOf(cell as number | bigint, type))
  const entries = fractions.flatMap((q) => {
    const { numerator, denominator } = fractionOfDigits(String(q))
    const place = numerator * BigInt(values.length - 1)
    const low = values[Number(place / denominator)]!
    const high = values[Number(place / denominator) + 1] ?? low
    const rest = place % denominator
    const weighted = [weigh(low, denominator - rest, denominator), weigh(high, rest, denominator)]
    const value = finite(nearestDouble(addFractions(weighted)))
    return value === undefined ? [] : [[String(q), value] as const]
  })
  return Object.fromEntries(entries)
}

function weigh({ numerator, denominator }: Fraction, weight: bigint, of: bigint): Fraction {
  return { numerator: numerator * weight, denominator: denominator * of }
}

function mapOf(table: OracleTable, single: Single, top: number, rows: Cell[][]): Partial<OracleAggregation> {
  const place = placeOf(table, single.column)
  const present = rows.filter((row) => !isMissing(row[place]!))
  const groups = Map.groupBy(present, (row) => keyText(row[place] as Exclude<Cell, null>, table.columns[place]!.type))
  const entries = [...groups].flatMap(([key, group]) => {
    const measure = measureOf(table, single, group)
    return measure && Number.isFinite(Number(measure.value)) ? [{ key, ...measure }] : []
  })
  entries.sort((a, b) => compareFractions(b.order, a.order) || Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
  const ranked = entries.slice(0, top).map(({ key, value }): [string, Plain] => [key, value])
  return { value: Object.fromEntries(ranked), ranked, top }
}

interface Measure {
  order: Fraction
  value: Plain
}

/** The value of a map's entry; undefined for a mean over nothing. */
function measureOf(table: OracleTable, { type, otherColumn }: Single, rows: Cell[][]): Measure | undefined {
  if (type === 'countPerValue') return whole(BigInt(rows.length))
  if (type === 'groupsPerValue') return whole(BigInt(distinctValues(table, table.actor, rows)))
  const other = placeOf(table, otherColumn!)
  const otherType = table.columns[other]!.type
  const cells = presentCells(rows, other)
  if (type === 'sumPerValue') {
    const sum = roundedSum(cells, otherType)
    const value = plainSum(sum, otherType)
    return value === undefined ? undefined : { order: sum, value }
  }
  if (cells.length === 0) return undefined
  const value = nearestDouble(roundedMean(cells, otherType))
  return { order: fractionOfDouble(value), value }
}

function whole(value: bigint): Measure {
  const number = Number(value)
  return { order: { numerator: value, denominator: 1n }, value: Number.isSafeInteger(number) ? number : String(value) }
}
