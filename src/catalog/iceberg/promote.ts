/** How a column may change while its old files stay as they are. Source: Iceberg specification, "Schema Evolution". */
import { type DataType, printType } from '../../common/data-type.ts'
import type { Column, Schema } from '../types.ts'

const DECIMAL_DIGITS = 38
const PROMOTIONS: readonly string[] = ['INTEGER BIGINT', 'FLOAT DOUBLE']

/** True when files with the first type can be read as the second: equal types, int to long, float to double, decimals of more precision and the same scale. */
export function promotes(from: DataType, to: DataType): boolean {
  if (from.kind === 'decimal' && to.kind === 'decimal') return from.scale === to.scale && from.precision <= to.precision
  const [before, after] = [printType(from), printType(to)]
  return before === after || PROMOTIONS.includes(`${before} ${after}`)
}

/** The types that a column of this type may be widened to, in words. */
export function promotionsOf(type: DataType): string {
  if (type.kind === 'decimal' && type.precision < DECIMAL_DIGITS)
    return `DECIMAL(P,${type.scale}) with P above ${type.precision}`
  const found = PROMOTIONS.find((pair) => pair.startsWith(`${printType(type)} `))
  return found?.split(' ')[1] ?? 'no other type'
}

/** True when files that were written under one schema can be part of a table that has the other by now: every column is still there, by its id. */
export function fitsSchema(written: Schema, current: Schema): boolean {
  const now = new Map(current.columns.map((column) => [column.id, column]))
  const kept = written.columns.every((column) => {
    const other = now.get(column.id)
    return other !== undefined && fitsColumn(column, other)
  })
  const before = new Set(written.columns.map(({ id }) => id))
  return kept && current.columns.every(({ id, required }) => before.has(id) || !required)
}

function fitsColumn(written: Column, current: Column): boolean {
  if (current.required && !written.required) return false
  return promotes(written.type, current.type) && JSON.stringify(written.parts) === JSON.stringify(current.parts)
}

/** True when files of both schemas can be read by the names of their columns: the same columns with the same ids, names and types. */
export function sameColumns(a: Schema, b: Schema): boolean {
  const print = ({ columns }: Schema) =>
    JSON.stringify(columns.map(({ id, name, type, parts }) => [id, name, printType(type), parts]))
  return print(a) === print(b)
}
