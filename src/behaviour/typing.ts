/** The second stage of validation: parts of a query against the columns of a table. */
import type { Column } from '../catalog/types.ts'
import { type DataType, isNumeric, printType } from '../common/data-type.ts'
import { type Located, present } from './fields.ts'
import { shown } from './json.ts'
import { expectedValue, readLiteral } from './literal.ts'
import { classOf, operatorsOf } from './operators.ts'
import type { Predicate } from './predicate-sql.ts'
import type { SourceAggregation, SourceFilter, SourceRows, SourceTarget } from './source-parts.ts'
import type { AggregationType, TargetOperator } from './types.ts'
import { type Report, suggestion, violate } from './violations.ts'

/** An aggregation over columns of known types. */
export interface Aggregation {
  column: string
  columnType: DataType
  type: AggregationType
  name?: string
  otherColumn?: string
  otherType?: DataType
}

/** What the matching rows of an actor must add up to. */
export interface TypedTarget {
  type: 'count' | 'sum'
  op: TargetOperator
  value: number | bigint
  /** The numeric column of a sum. */
  column?: string
}

/** The columns of a table by name. */
export type Columns = ReadonlyMap<string, Column>

/** The column of exactly that name; an unknown one is noted with the nearest name. */
function findColumn(report: Report, columns: Columns, name: Located<string>): Column | undefined {
  const column = columns.get(name.value)
  if (column !== undefined) return column
  const near = suggestion(report, name.value, columns.keys())
  return violate(report, 'DATASET_MISMATCH', name.path, `the table has no column ${shown(name.value)}${near}`)
}

/** The predicate of a row filter. */
export function typeRows(report: Report, columns: Columns, rows: SourceRows): Predicate | undefined {
  const parts = rows.filters.map((filter) => typeFilter(report, columns, filter))
  const typed = parts.filter((part) => part !== undefined)
  if (typed.length < parts.length) return undefined
  return typed.length === 1 ? typed[0] : { kind: 'and', of: typed }
}

function typeFilter(report: Report, columns: Columns, { column, op, value }: SourceFilter): Predicate | undefined {
  const found = findColumn(report, columns, column)
  if (found === undefined) return undefined
  const { name, type } = found
  const typeClass = classOf(type)
  const operators = typeClass === undefined ? [] : operatorsOf(typeClass)
  const typeText = `of type ${printType(type)}`
  if (typeClass === undefined || operators.length === 0) {
    return violate(
      report,
      'TYPE_MISMATCH',
      column.path,
      `column ${shown(name)} is ${typeText}, which filters do not take`,
    )
  }
  if (!operators.includes(op.value)) {
    const known = `; it takes ${operators.join(', ')}`
    return violate(
      report,
      'TYPE_MISMATCH',
      op.path,
      `"${op.value}" does not work on column ${shown(name)} ${typeText}${known}`,
    )
  }
  const literal = readLiteral(value.value, type, typeClass)
  if (literal !== undefined) return { kind: 'compare', column: name, type, operator: op.value, literal }
  const message = `column ${shown(name)} ${typeText} is compared with ${expectedValue(typeClass)}, not ${shown(value.value)}`
  return violate(report, 'TYPE_MISMATCH', value.path, message)
}

/** The target, its column found and numeric. */
export function typeTarget(report: Report, columns: Columns, target: SourceTarget): TypedTarget | undefined {
  if (target.type === 'count') return target
  const column = findNumeric(report, columns, target.column)
  return column && { ...target, column: column.name }
}

function findNumeric(report: Report, columns: Columns, name: Located<string>): Column | undefined {
  const column = findColumn(report, columns, name)
  if (column === undefined || isNumeric(column.type)) return column
  const message = `column ${shown(name.value)} is of type ${printType(column.type)}, but a number is needed`
  return violate(report, 'TYPE_MISMATCH', name.path, message)
}

/** The aggregations, their columns found. Those that stand for one item of the query share its violations. */
export function typeAggregations(
  report: Report,
  columns: Columns,
  aggregations: SourceAggregation[] | undefined,
): Aggregation[] {
  const seen = new Set<Located<string>>()
  return (aggregations ?? []).flatMap((aggregation) => {
    const quiet: Report = seen.has(aggregation.column) ? { violations: [], limit: 0 } : report
    seen.add(aggregation.column)
    return typeAggregation(quiet, columns, aggregation) ?? []
  })
}

function typeAggregation(report: Report, columns: Columns, source: SourceAggregation): Aggregation | undefined {
  const column = findColumn(report, columns, source.column)
  const other = source.otherColumn && findNumeric(report, columns, source.otherColumn)
  if (column === undefined) return undefined
  if (classOf(column.type) === undefined) {
    const message = `column ${shown(column.name)} is of type ${printType(column.type)}, which aggregations do not take`
    return violate(report, 'TYPE_MISMATCH', source.column.path, message)
  }
  const { type, name } = source
  return present({
    column: column.name,
    columnType: column.type,
    type,
    name,
    otherColumn: other?.name,
    otherType: other?.type,
  })
}
