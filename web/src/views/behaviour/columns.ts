/** The columns of a table as queries know them, and values as text in fields. */

import type { ResponseOf } from '../../../../src/api/contract.ts'
import { AGGREGATIONS, TARGETS } from '../../../../src/behaviour/grammar.ts'
import { classOf, operatorsOf, type TypeClass } from '../../../../src/behaviour/operators.ts'
import type { AggregationType, FilterOperator, TargetType } from '../../../../src/behaviour/types.ts'
import { type DataType, parseType } from '../../../../src/common/data-type.ts'
import { isScalar, type Json, readText, type Scalar } from './document.ts'

/** A column, or a field of a struct by its dotted path. */
export interface ColumnChoice {
  name: string
  type: DataType
  /** How queries treat its values, or the elements of its lists; undefined for what they cannot compare. */
  class: TypeClass | undefined
  min?: Scalar | undefined
  max?: Scalar | undefined
}

/** The columns of a table and the fields of its structs. */
export function columnsOf({ columns }: Pick<ResponseOf<'table'>, 'columns'>): ColumnChoice[] {
  return columns.flatMap(({ name, type, min, max }) =>
    leaves(name, parseType(type)).map((leaf) => ({ ...leaf, min, max })),
  )
}

function leaves(name: string, type: DataType): ColumnChoice[] {
  if (type.kind === 'struct') return type.fields.flatMap((field) => leaves(`${name}.${field.name}`, field.type))
  return [{ name, type, class: classOf(type.kind === 'list' ? type.element : type) }]
}

/** The operators that fit to a column; all that need no known column otherwise. */
export function operatorsFor(column: ColumnChoice | undefined): readonly FilterOperator[] {
  const found = column ? operatorsOf(column.type) : []
  return found.length > 0 ? found : ['==', '!=', 'is null', 'is not null']
}

/** The columns that filters can compare. */
export function comparable(columns: readonly ColumnChoice[]): ColumnChoice[] {
  return columns.filter(({ type }) => operatorsOf(type).length > 0)
}

/** The columns that a target takes. */
export function targetable(columns: readonly ColumnChoice[], type: TargetType): ColumnChoice[] {
  return takenBy(columns, TARGETS[type].classes)
}

/** The columns that aggregations can be over. */
export function aggregable(columns: readonly ColumnChoice[], type: AggregationType = 'count'): ColumnChoice[] {
  return takenBy(columns, AGGREGATIONS[type].classes)
}

function takenBy(columns: readonly ColumnChoice[], classes: readonly TypeClass[]): ColumnChoice[] {
  return columns.filter(
    (column) => column.type.kind !== 'list' && column.class !== undefined && classes.includes(column.class),
  )
}

/** Whether values of a column are numbers. */
export function isNumberClass(name: TypeClass | undefined): boolean {
  return name === 'integer' || name === 'float' || name === 'decimal'
}

/** Whether values of a column are dates or times. */
export function isTimeClass(name: TypeClass | undefined): boolean {
  return name === 'date' || name === 'time' || name === 'timestamp' || name === 'timestamptz'
}

/** What somebody typed, as the value that fits to the column; text where it does not fit, which is then told. */
export function typedValue(text: string, name: TypeClass | undefined): Scalar {
  const trimmed = text.trim()
  if (isNumberClass(name) && /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(trimmed)) return numberOf(trimmed)
  if (name === 'boolean' && /^(true|false)$/i.test(trimmed)) return trimmed.toLowerCase() === 'true'
  return text
}

function numberOf(text: string): Scalar {
  const value = readText(text)
  return isScalar(value) ? value : text
}

/** A number that was typed, or undefined. */
export function numberIn(text: string): number | bigint | undefined {
  const value = typedValue(text, 'float')
  return typeof value === 'number' || typeof value === 'bigint' ? value : undefined
}

/** A span of time that was typed: a number where spans may be numbers. */
export function spanOf(text: string, time: ColumnChoice | undefined): Json {
  const trimmed = text.trim()
  const value = isNumberClass(time?.class) ? typedValue(trimmed, time?.class) : trimmed
  return typeof value === 'boolean' ? trimmed : value
}

/** A value that fits to a column before anybody has chosen one. */
export function firstValue(column: ColumnChoice | undefined): Scalar {
  if (isNumberClass(column?.class)) return typeof column?.min === 'number' ? column.min : 0
  if (column?.class === 'boolean') return true
  if (isTimeClass(column?.class))
    return typeof column?.min === 'string' ? column.min : (EPOCHS[column?.class ?? ''] ?? '')
  if (column?.class === 'uuid') return '00000000-0000-0000-0000-000000000000'
  return ''
}

const EPOCHS: Readonly<Record<string, string>> = {
  date: '2000-01-01',
  time: '00:00:00',
  timestamp: '2000-01-01T00:00:00',
  timestamptz: '2000-01-01T00:00:00Z',
}
