/** The second stage of validation: parts of a query against the columns of a table. */
import type { Column } from '../catalog/types.ts'
import { type DataType, isNumeric, printType } from '../common/data-type.ts'
import { type ColumnReference, type FoundColumn, findReference } from './column.ts'
import { type Located, present } from './fields.ts'
import { AGGREGATIONS, TARGETS } from './grammar.ts'
import { shown } from './json.ts'
import { expectedValue, type Literal, readLiteral } from './literal.ts'
import { classOf, type TypeClass } from './operators.ts'
import type { SourceAggregation, SourceTarget } from './source-parts.ts'
import type { AggregationType, TargetOperator, TargetType } from './types.ts'
import { type Report, suggestion, violate } from './violations.ts'

/** An aggregation over columns of known types. */
export interface Aggregation extends ColumnReference {
  columnType: DataType
  type: AggregationType
  name?: string
  otherColumn?: string
  otherType?: DataType
  /** The path of `otherColumn`. */
  otherPath?: string[]
  /** Most entries of a map. */
  top: number
  /** Quantiles only: as the query gives them. */
  q?: number[]
}

/** What the matching rows of an actor must add up to. */
export interface TypedTarget {
  type: TargetType
  op: TargetOperator
  /** As the query gives it; 0 for min and max, whose value is `literal`. */
  value: number | bigint
  /** Min and max only: the value as the column's type sees it. */
  literal?: Literal
  /** Of every target but a count. */
  column?: string
  columnType?: DataType
  path?: string[]
}

/** The columns of a table, as references are looked up in them. */
export interface Columns {
  readonly byName: ReadonlyMap<string, Column>
  readonly structs: readonly Column[]
}

/** The columns for looking up. */
export function columnsOf(columns: readonly Column[]): Columns {
  return {
    byName: new Map(columns.map((column) => [column.name, column])),
    structs: columns.filter(({ type }) => type.kind === 'struct'),
  }
}

/** What the name refers to; an unknown one is noted with the nearest name. */
export function findColumn(report: Report, columns: Columns, name: Located<string>): FoundColumn | undefined {
  const column = columns.byName.get(name.value)
  if (column !== undefined) return { column: name.value, path: [column.name], type: column.type }
  const field = findReference(columns.structs, name.value)
  if (field !== undefined) return field
  const near = suggestion(report, name.value, referableNames(columns))
  return violate(report, 'DATASET_MISMATCH', name.path, `the table has no column ${shown(name.value)}${near}`)
}

function* referableNames({ byName, structs }: Columns): Generator<string> {
  yield* byName.keys()
  for (const { name, type } of structs) if (type.kind === 'struct') yield* fieldNames(name, type.fields)
}

function* fieldNames(prefix: string, fields: readonly { name: string; type: DataType }[]): Generator<string> {
  for (const { name, type } of fields) {
    const path = `${prefix}.${name}`
    yield path
    if (type.kind === 'struct') yield* fieldNames(path, type.fields)
  }
}

/** The column of primitive type that the name refers to. `what` is what does not take others, for the message. */
export function findPrimitive(
  report: Report,
  columns: Columns,
  name: Located<string>,
  what: string,
): FoundColumn | undefined {
  const column = findColumn(report, columns, name)
  if (column === undefined || classOf(column.type) !== undefined) return column
  const message = `column ${shown(name.value)} is of type ${printType(column.type)}, which ${what} not take`
  return violate(report, 'TYPE_MISMATCH', name.path, message)
}

/** The target, its column found and of a type that it takes, its value of the column's type where they are compared. */
export function typeTarget(report: Report, columns: Columns, target: SourceTarget): TypedTarget | undefined {
  const { type, op, column, value } = target
  if (column === undefined) return { type, op, value: value.value as number | bigint }
  const found = findAmong(report, columns, column, TARGETS[type].classes, `a target of type ${type}`)
  if (found === undefined) return undefined
  const typed = { type, op, column: found.column, columnType: found.type, path: found.path }
  if (TARGETS[type].value !== 'scalar') return { ...typed, value: value.value as number | bigint }
  const typeClass = classOf(found.type)!
  const literal = readLiteral(value.value, found.type, typeClass)
  if (literal !== undefined) return { ...typed, value: 0, literal }
  return mismatch(report, value, found, typeClass)
}

/** Notes that a value is not what the column is compared with. */
export function mismatch(
  report: Report,
  { value, path }: Located<Parameters<typeof shown>[0]>,
  column: Pick<FoundColumn, 'column' | 'type'>,
  typeClass: TypeClass,
): undefined {
  const what = `column ${shown(column.column)} of type ${printType(column.type)}`
  return violate(
    report,
    'TYPE_MISMATCH',
    path,
    `${what} is compared with ${expectedValue(typeClass)}, not ${shown(value)}`,
  )
}

function findAmong(
  report: Report,
  columns: Columns,
  name: Located<string>,
  classes: readonly TypeClass[],
  what: string,
): FoundColumn | undefined {
  const column = findColumn(report, columns, name)
  const typeClass = column && classOf(column.type)
  if (column === undefined || (typeClass !== undefined && classes.includes(typeClass))) return column
  const message = `column ${shown(name.value)} is of type ${printType(column.type)}, which ${what} does not take`
  return violate(report, 'TYPE_MISMATCH', name.path, message)
}

function findNumeric(report: Report, columns: Columns, name: Located<string>): FoundColumn | undefined {
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
  topDefault: number,
): Aggregation[] {
  const seen = new Set<Located<string>>()
  return (aggregations ?? []).flatMap((aggregation) => {
    const quiet: Report = seen.has(aggregation.column) ? { violations: [], limit: 0 } : report
    seen.add(aggregation.column)
    return typeAggregation(quiet, columns, aggregation, topDefault) ?? []
  })
}

function typeAggregation(
  report: Report,
  columns: Columns,
  source: SourceAggregation,
  topDefault: number,
): Aggregation | undefined {
  const { type, name, top = topDefault, q } = source
  const column = findAmong(report, columns, source.column, AGGREGATIONS[type].classes, `the aggregation ${type}`)
  const other = source.otherColumn && findNumeric(report, columns, source.otherColumn)
  if (column === undefined) return undefined
  return present({
    column: column.column,
    path: column.path,
    columnType: column.type,
    type,
    name,
    otherColumn: other?.column,
    otherType: other?.type,
    otherPath: other?.path,
    top,
    q: q?.map(Number),
  })
}
