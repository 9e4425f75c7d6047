/** The values of aggregations, read from the tables of counts and sums. */
import type { AggregationResult } from '../behaviour/result.ts'
import type { Aggregation } from '../behaviour/typing.ts'
import type { Scalar } from '../catalog/types.ts'
import { isFloat, primitive } from '../common/data-type.ts'
import { toScalar } from '../engine/values.ts'
import { columnKey, needsSums, sumsKey, TOTALS } from '../worker/aggregation-tables.ts'
import { meanValue, type PlainValue, plainValue, type Sum, sumValue } from './plain-values.ts'
import { readQuantiles } from './quantiles.ts'
import { rankDoubles, rankWhole } from './ranking.ts'
import type { Reading } from './reading.ts'

type ResultValue = Pick<AggregationResult, 'value' | 'ranked' | 'top'>

/** The value of an aggregation over the rows of a scope. */
export async function readValue(reading: Reading, aggregation: Aggregation): Promise<ResultValue> {
  switch (aggregation.type) {
    case 'count':
      return { value: Number(await readPlain(reading, aggregation, 'count')) }
    case 'min':
    case 'max':
      return presentValue(plainValue(await readPlain(reading, aggregation, aggregation.type), aggregation.columnType))
    case 'sum':
    case 'mean':
      return presentValue(await readSum(reading, aggregation))
    case 'distinct':
      return { value: await readDistinct(reading, aggregation) }
    case 'quantiles':
      return presentValue(await readQuantiles(reading, aggregation))
    default:
      return await readMap(reading, aggregation)
  }
}

function presentValue(value: ResultValue['value']): ResultValue {
  return value === undefined ? {} : { value }
}

/** The count, the least or the greatest of a column's values; undefined over nothing. */
async function readPlain(
  { session, options, tables, covered }: Reading,
  aggregation: Aggregation,
  what: 'count' | 'min' | 'max',
): Promise<Scalar | undefined> {
  const values = tables.values.get(columnKey(aggregation))
  const place = tables.totals.get(columnKey(aggregation))
  const table = values ?? TOTALS
  const names =
    values === undefined ? { count: `rows${place}`, min: `least${place}`, max: `greatest${place}` } : VALUE_NAMES
  const output = what === 'count' ? `coalesce(sum(${names.count}), 0)` : `${what}(${names[what]})`
  const result = await session.run(`SELECT ${output} FROM ${table} WHERE ${covered}`, options)
  const value = (await result.getRows())[0]![0]!
  return value === null ? undefined : toScalar(value)
}

/** The type of counts. */
const COUNT = primitive('HUGEINT')

const VALUE_NAMES = { count: 'rows', min: 'v', max: 'v' }

async function readDistinct({ session, options, tables, covered }: Reading, aggregation: Aggregation): Promise<number> {
  const table = tables.values.get(columnKey(aggregation))
  const [row] = await session.rows<{ n: bigint }>(
    `SELECT count(*) AS n FROM (SELECT v FROM ${table} WHERE ${covered} GROUP BY v)`,
    options,
  )
  return Number(row!.n)
}

/** The sum or mean of a column; a sum over nothing is zero, a mean over nothing and what is infinite have no value. */
async function readSum(reading: Reading, aggregation: Aggregation): Promise<PlainValue | undefined> {
  const { session, options, tables, covered } = reading
  const { type, columnType } = aggregation
  const place = tables.totals.get(columnKey(aggregation))
  const sql = needsSums(aggregation)
    ? `SELECT bin, sum(total), sum(rows) FROM ${tables.sums.get(sumsKey(aggregation))} WHERE ${covered} AND bin IS NOT NULL GROUP BY bin`
    : `SELECT 0, sum(sum${place}), sum(rows${place}) FROM ${TOTALS} WHERE ${covered} HAVING sum(rows${place}) > 0`
  const result = await session.run(sql, options)
  const sum: Sum = { rows: 0n, bins: [] }
  for (const [bin, total, rows] of await result.getRows()) {
    sum.rows += rows as bigint
    sum.bins.push([Number(bin), toScalar(total!) as bigint])
  }
  return type === 'sum' ? sumValue(sum, columnType) : meanValue(sum, columnType)
}

async function readMap(reading: Reading, aggregation: Aggregation): Promise<ResultValue> {
  const ranked = await rankedEntries(reading, aggregation)
  return { value: Object.fromEntries(ranked), ranked, top: aggregation.top }
}

async function rankedEntries(reading: Reading, aggregation: Aggregation): Promise<[string, PlainValue][]> {
  const { type, otherType } = aggregation
  const ofValues = { table: reading.tables.values.get(columnKey(aggregation))!, type: COUNT }
  const ofSums = { table: reading.tables.sums.get(sumsKey(aggregation))!, type: otherType! }
  switch (type) {
    case 'countPerValue':
      return await rankWhole(reading, aggregation, { ...ofValues, measure: 'rows' })
    case 'groupsPerValue':
      return await rankWhole(reading, aggregation, { ...ofValues, measure: 'actors' })
    case 'sumPerValue':
      if (isFloat(otherType!)) return await rankDoubles(reading, aggregation, ofSums)
      return await rankWhole(reading, aggregation, { ...ofSums, measure: 'total' })
    default:
      return await rankDoubles(reading, aggregation, ofSums)
  }
}
