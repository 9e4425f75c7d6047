/** The order of rows by one of their columns. */
import * as format from '../../format.ts'

/** By which column, and in which direction. */
export interface Sort {
  column: number
  descending: boolean
}

/** The sort that a click on a column leads to: ascending, descending, as the rows came. */
export function nextSort(sort: Sort | undefined, column: number): Sort | undefined {
  if (sort?.column !== column) return { column, descending: false }
  return sort.descending ? undefined : { column, descending: true }
}

/** The numbers of the rows in order; rows that are equal stay as they came, nulls are last. */
export function orderOf(rows: readonly (readonly unknown[])[], count: number, type: string, sort: Sort): Uint32Array {
  const { column, descending } = sort
  const order = Uint32Array.from({ length: count }, (_, row) => row)
  const sign = descending ? -1 : 1
  if (format.isNumeric(type)) {
    const keys = Float64Array.from(order, (row) => numberOf(rows[row]![column]))
    return order.sort((a, b) => byNumber(keys[a]!, keys[b]!, sign) || big(rows, column, a, b) * sign || a - b)
  }
  const keys = Array.from(order, (row) => format.cell(rows[row]![column]))
  return order.sort((a, b) => byText(keys[a], keys[b], sign) || a - b)
}

/** Integers beyond what numbers hold come as texts. */
function big(rows: readonly (readonly unknown[])[], column: number, a: number, b: number): number {
  const [one, other] = [rows[a]![column], rows[b]![column]]
  if (typeof one !== 'string' || typeof other !== 'string' || !/^-?\d+$/.test(one) || !/^-?\d+$/.test(other)) return 0
  const difference = BigInt(one) - BigInt(other)
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

function numberOf(value: unknown): number {
  return value === null || value === undefined ? Number.NaN : Number(value)
}

function byNumber(a: number, b: number, sign: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return a < b ? -sign : a > b ? sign : 0
}

function byText(a: string | undefined, b: string | undefined, sign: number): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return a < b ? -sign : a > b ? sign : 0
}
