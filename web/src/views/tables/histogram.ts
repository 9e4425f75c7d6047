/** Distributions as charts need them: plain functions. */
import type { ResponseOf } from '../../../../src/api/contract.ts'
import * as format from '../../format.ts'

/** What the API says of a column; absent is what does not apply. */
export type ColumnDistribution = ResponseOf<'column'>

/** Rows between edges, of which there is one more than bins. */
export type Histogram = NonNullable<ColumnDistribution['histogram']>

/** The edges as numbers, or as times where the column has them. Numbers beyond 2^53 are rounded: a chart cannot show the difference. */
export function numericEdges({ edges }: Histogram, type: string): { edges: (number | Date)[]; isTime: boolean } {
  const isTime = /^(DATE|TIMESTAMP)/.test(type)
  if (isTime) return { edges: edges.map((edge) => new Date(utc(String(edge)))), isTime }
  if (/^TIME/.test(type))
    return { edges: edges.map((edge) => new Date(`1970-01-01T${trimmed(String(edge))}Z`)), isTime: true }
  return { edges: edges.map(Number), isTime }
}

/** Times without a zone are drawn as they stand, whatever the zone of whoever looks. */
function utc(text: string): string {
  if (!text.includes('T')) return `${text}T00:00:00Z`
  return /(Z|[+-]\d\d:?\d\d)$/.test(text) ? trimmed(text) : `${trimmed(text)}Z`
}

/** Finer than a millisecond is more than the browser's clock has. */
function trimmed(text: string): string {
  return text.replace(/(\.\d{3})\d+/, '$1')
}

/** A value at the end of a range, as people read it. */
export function boundText(value: unknown): string {
  if (typeof value === 'number') return format.number(value)
  return (format.cell(value) ?? 'null').replace(/^(\d{4}-\d\d-\d\d)T/, '$1 ')
}

/** A histogram in words, for those who do not see it. */
export function summary({
  histogram,
  min,
  max,
  rows,
  nulls,
}: Pick<ColumnDistribution, 'histogram' | 'min' | 'max' | 'rows' | 'nulls'>): string {
  const { edges = [], counts = [] } = histogram ?? {}
  const top = counts.indexOf(Math.max(...counts))
  const range = `${format.counted(rows - nulls, 'value')} from ${format.cell(min)} to ${format.cell(max)}`
  if (top < 0) return range
  return `Histogram: ${range}; most, ${format.number(counts[top]!)}, between ${format.cell(edges[top])} and ${format.cell(edges[top + 1])}`
}
