/** Maps of the greatest entries: cut by the engine wherever it can compare exactly, so that millions of values never leave it. */
import type { Aggregation } from '../behaviour/typing.ts'
import { valueText } from '../behaviour/value-text.ts'
import { type DataType, isFloat } from '../common/data-type.ts'
import { binValueSql } from '../common/exact-sum.ts'
import { compareUtf8 } from '../common/text.ts'
import { toScalar } from '../engine/values.ts'
import { keyOrderSql } from './key-text.ts'
import { meanValue, type PlainValue, type Sum, sumValue, wholeValue } from './plain-values.ts'
import type { Reading } from './reading.ts'

type Entry = [key: string, value: PlainValue]

/** Where measures come from: a table of values or sums, and the type of what is added up. */
interface Measured {
  table: string
  type: DataType
}

/** The greatest sums of a column of integers or decimals, by value, ties by key. */
export async function rankWhole(
  { session, options, covered }: Reading,
  { columnType, top }: Aggregation,
  { table, measure, type }: Measured & { measure: string },
): Promise<Entry[]> {
  const result = await session.run(
    `SELECT v, sum(${measure}) AS m FROM ${table} WHERE ${covered} GROUP BY v
     ORDER BY coalesce(m, 0) DESC, ${keyOrderSql('v', columnType)} LIMIT ${top}`,
    options,
  )
  return (await result.getRows()).map(([v, m]): Entry => {
    const total = m === null ? 0n : (toScalar(m!) as bigint)
    return [valueText(toScalar(v!), columnType), wholeValue(total, type)]
  })
}

/** Beyond the rounding of approximate sums by far, and of the double that a sum is shown as. */
const DOUBT = 2 ** -44
/** Approximate sums are taken this power of two smaller, so that they stay in the range of doubles. */
const POWER = -100
/** Those of the least doubles come out as zero then. */
const LEAST = 1e-290
/** What is greater than this is infinite as a double. */
const GREATEST = Number.MAX_VALUE * 2 ** POWER

/** The greatest sums of floats, or means of any numbers: the engine keeps those that may be among them, and they are ranked as they are shown. */
export async function rankDoubles(
  { session, options, covered }: Reading,
  aggregation: Aggregation,
  { table, type }: Measured,
): Promise<Entry[]> {
  const { columnType, top } = aggregation
  const isMean = aggregation.type === 'meanPerValue'
  const result = await session.run(
    `WITH likely AS (${likelySql({ table, type }, covered, isMean, top)}),
     parts AS (
       SELECT v, bin, sum(total) AS total, sum(rows) AS rows FROM ${table} SEMI JOIN likely USING (v)
       WHERE ${covered} GROUP BY v, bin
     ),
     sums AS (
       SELECT v, list(bin ORDER BY bin) AS bins, list(total ORDER BY bin) AS totals, CAST(sum(rows) AS BIGINT) AS rows
       FROM parts GROUP BY v
     )
     SELECT v, bins, totals, rows FROM sums
     QUALIFY row_number() OVER (PARTITION BY bins, totals, rows ORDER BY ${keyOrderSql('v', columnType)}) <= ${top}`,
    options,
  )
  const entries = (await result.getRows()).flatMap(([v, bins, totals, rows]): Entry[] => {
    const sum: Sum = { rows: rows as bigint, bins: zip(bins, totals) }
    const value = isMean ? meanValue(sum, type) : sumValue(sum, type)
    return value === undefined ? [] : [[valueText(toScalar(v!), columnType), value]]
  })
  return entries.sort(([a, x], [b, y]) => Number(y) - Number(x) || compareUtf8(a, b)).slice(0, top)
}

/** SELECT of `v`: all whose sum or mean may be among the greatest, as far as doubles can tell. Infinite sums and means over nothing are left out. */
function likelySql({ table, type }: Measured, covered: string, isMean: boolean, top: number): string {
  const value = isFloat(type)
    ? binValueSql('bin', 'total', POWER)
    : `(CAST(total AS DOUBLE) * pow(2.0::DOUBLE, ${POWER}))`
  const divisor = isMean ? ' / sum(rows)' : ''
  const sums = `SELECT v, coalesce(sum(${value}), 0)${divisor} AS near, coalesce(sum(abs(${value})), 0)${divisor} AS size
    FROM ${table} WHERE ${covered} GROUP BY v${isMean ? ' HAVING sum(rows) > 0' : ''}`
  const bounds = `SELECT v, near - doubt AS low, near + doubt AS high, abs(near) + doubt < ${GREATEST} AS is_finite
    FROM (SELECT *, size * ${DOUBT} + ${LEAST} AS doubt FROM (${sums}) WHERE isfinite(size))
    WHERE abs(near) - doubt <= ${GREATEST}`
  const lowest = `SELECT low FROM bounds WHERE is_finite ORDER BY low DESC LIMIT 1 OFFSET ${top - 1}`
  return `WITH bounds AS MATERIALIZED (${bounds}) SELECT v FROM bounds WHERE high >= coalesce((${lowest}), '-inf'::DOUBLE)`
}

function zip(bins: unknown, totals: unknown): Sum['bins'] {
  const { items: places } = bins as { items: (number | null)[] }
  const { items: sums } = totals as { items: Parameters<typeof toScalar>[0][] }
  return places.flatMap((bin, k) =>
    bin === null || sums[k] === null ? [] : [[Number(bin), toScalar(sums[k]!) as bigint]],
  )
}
