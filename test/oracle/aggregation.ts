/** Aggregations over a list of rows, each value counted by hand. */
import type { AggregationClause, AggregationType } from '../../src/behaviour/types.ts'
import { compareFractions, type Fraction, fractionOfDouble, nearestDouble } from './exact.ts'
import { placeOf, roundedSum } from './rows.ts'
import { type Cell, decimalText, isMissing, keyText, kindOf, type OracleTable, scaleOf } from './table.ts'

/** One aggregation of an expected result. */
export interface OracleAggregation {
  column: string
  type: AggregationType
  name?: string
  otherColumn?: string
  value: number | Record<string, number | string>
  ranked?: [string, number | string][]
  top?: number
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
    (clause.type ? [clause.type] : DEFAULT_TYPES).map((type) => aggregateOne(table, { ...clause, type }, rows)),
  )
}

function aggregateOne(
  table: OracleTable,
  clause: AggregationClause & { type: AggregationType },
  rows: Cell[][],
): OracleAggregation {
  const place = placeOf(table, clause.column)
  const present = rows.filter((row) => !isMissing(row[place]!))
  if (clause.type === 'count') return { ...clause, value: present.length }
  const groups = Map.groupBy(present, (row) => keyText(row[place] as Exclude<Cell, null>, table.columns[place]!.type))
  const entries = [...groups].flatMap(([key, group]) => {
    const measure = measureOf(table, clause, group)
    return measure && Number.isFinite(Number(measure.value)) ? [{ key, ...measure }] : []
  })
  entries.sort((a, b) => compareFractions(b.order, a.order) || Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
  const ranked = entries.slice(0, TOP).map(({ key, value }): [string, number | string] => [key, value])
  return { ...clause, value: Object.fromEntries(ranked), ranked, top: TOP }
}

interface Measure {
  order: Fraction
  value: number | string
}

/** The value of a map's entry; undefined for a mean over nothing. An infinite one has no place in JSON and is absent too. */
function measureOf(table: OracleTable, clause: AggregationClause, rows: Cell[][]): Measure | undefined {
  if (clause.type === 'countPerValue') return whole(BigInt(rows.length))
  if (clause.type === 'groupsPerValue') {
    return whole(BigInt(new Set(rows.map((row) => row[placeOf(table, table.actor)])).size))
  }
  const other = placeOf(table, clause.otherColumn!)
  const { type } = table.columns[other]!
  const cells = rows.map((row) => row[other]!).filter((cell) => !isMissing(cell))
  const sum = roundedSum(cells, type)
  if (clause.type === 'meanPerValue') return cells.length === 0 ? undefined : mean(sum, BigInt(cells.length), type)
  if (kindOf(type) === 'float') return { order: sum, value: nearestDouble(sum) }
  if (kindOf(type) === 'integer') return whole(sum.numerator / sum.denominator)
  const scale = scaleOf(type)
  return { order: sum, value: decimalText((sum.numerator * 10n ** BigInt(scale)) / sum.denominator, scale) }
}

/** A mean is the quotient of sum and count, as a double; it is ranked as it is shown. */
function mean(sum: Fraction, count: bigint, type: string): Measure {
  const quotient = { numerator: sum.numerator, denominator: sum.denominator * count }
  const value = kindOf(type) === 'float' ? nearestDouble(sum) / Number(count) : nearestDouble(quotient)
  return { order: fractionOfDouble(value), value }
}

function whole(value: bigint): Measure {
  const number = Number(value)
  return { order: { numerator: value, denominator: 1n }, value: Number.isSafeInteger(number) ? number : String(value) }
}
