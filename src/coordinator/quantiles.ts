/** Quantiles: exact, with linear interpolation between neighbours, each rounded once. */
import type { Aggregation } from '../behaviour/typing.ts'
import { isFloat } from '../common/data-type.ts'
import { DOUBLE_POWER, ticksOfDouble } from '../common/double.ts'
import { divide } from '../common/exact-sum.ts'
import { toScalar } from '../engine/values.ts'
import { columnKey } from '../worker/aggregation-tables.ts'
import { fractionOf } from '../worker/thresholds.ts'
import { scaleOf } from '../worker/whole-sums.ts'
import type { Reading } from './reading.ts'

/** Where a quantile lies among sorted values: after the value of place `low`, by a fraction of the way to the next. */
interface Position {
  q: number
  low: bigint
  numerator: bigint
  denominator: bigint
}

/** A map from the text of each `q` to the quantile; undefined over nothing. One between an infinity and another value is absent. */
export async function readQuantiles(
  reading: Reading,
  aggregation: Aggregation,
): Promise<Record<string, number> | undefined> {
  const { session, options, tables, covered } = reading
  const table = tables.values.get(columnKey(aggregation))!
  const [row] = await session.rows<{ n: bigint | null }>(
    `SELECT CAST(sum(rows) AS HUGEINT) AS n FROM ${table} WHERE ${covered}`,
    options,
  )
  if (row!.n === null) return undefined
  const positions = aggregation.q!.map((q) => positionOf(q, row!.n!))
  const values = await valuesAt(reading, table, [...new Set(positions.flatMap(neighbours))])
  const entries = positions.flatMap((position) => {
    const quantile = interpolate(position, values, aggregation)
    return Number.isFinite(quantile) ? [[String(position.q), quantile] as const] : []
  })
  return Object.fromEntries(entries)
}

function positionOf(q: number, count: bigint): Position {
  const { numerator, denominator } = fractionOf(q, 0)
  const place = numerator * (count - 1n)
  return { q, low: place / denominator, numerator: place % denominator, denominator }
}

function neighbours({ low, numerator }: Position): bigint[] {
  return numerator === 0n ? [low] : [low, low + 1n]
}

/** The values at places of the sorted rows: integers and decimals in units of the last place. */
async function valuesAt(
  { session, options, covered }: Reading,
  table: string,
  places: readonly bigint[],
): Promise<Map<bigint, number | bigint>> {
  const counted = `SELECT v, sum(rows) AS rows FROM ${table} WHERE ${covered} GROUP BY v`
  const placed = `SELECT v, rows, sum(rows) OVER (ORDER BY v ROWS UNBOUNDED PRECEDING) AS upto FROM (${counted})`
  const wanted = places.map((place) => `(${place}::HUGEINT)`).join(', ')
  const result = await session.run(
    `SELECT place, v FROM (${placed}) JOIN (VALUES ${wanted}) w(place) ON place >= upto - rows AND place < upto`,
    options,
  )
  return new Map((await result.getRows()).map(([place, v]) => [place as bigint, toScalar(v!) as number | bigint]))
}

function interpolate(
  position: Position,
  values: ReadonlyMap<bigint, number | bigint>,
  { columnType }: Aggregation,
): number {
  const { numerator, denominator } = position
  const [low, high = low] = neighbours(position).map((place) => values.get(place)!)
  if (!isFloat(columnType)) {
    const weighted = BigInt(low!) * (denominator - numerator) + BigInt(high!) * numerator
    return divide(weighted, denominator * 10n ** BigInt(scaleOf(columnType)))
  }
  const [first, last] = [Number(low), Number(high)]
  if (!Number.isFinite(first) || !Number.isFinite(last)) return Number.NaN
  const weighted = ticksOfDouble(first) * (denominator - numerator) + ticksOfDouble(last) * numerator
  return divide(weighted, denominator << BigInt(DOUBLE_POWER))
}
