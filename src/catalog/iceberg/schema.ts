/** Schemas: making them with field ids, and reading and writing them as table metadata holds them. */
import { type DataType, printType, quoteIdentifier } from '../../common/data-type.ts'
import { SkepError } from '../../errors.ts'
import type { Column, FieldPart, Schema } from '../types.ts'
import { fromIceberg, type IcebergField, newParts, partsOf, toIceberg } from './types.ts'

/** A column that a new table is to have. */
export interface NewColumn {
  name: string
  /** A type that `storableType` leaves as it is. */
  type: DataType
  required?: boolean
  comment?: string
}

/** A schema as table metadata holds it. */
export interface IcebergSchema {
  type: 'struct'
  'schema-id': number
  fields: IcebergField[]
}

/**
 * The schema (id 0) of a new table: field ids count from 1, all columns first, then the parts of nested types.
 *
 * @throws COLUMN_TYPE_UNSUPPORTED for a type that Iceberg cannot store as it is
 * @throws SCHEMA_MISMATCH for two columns of one name, without regard to case
 */
export function newSchema(columns: readonly NewColumn[]): Schema {
  return { id: 0, columns: numberColumns(columns, 0, []) }
}

/**
 * Columns beside `others`, with field ids after `lastColumnId`: all columns first, then the parts of nested types.
 *
 * @throws as `newSchema` does
 */
export function numberColumns(
  columns: readonly NewColumn[],
  lastColumnId: number,
  others: readonly { name: string }[],
): Column[] {
  refuseDuplicates([...others, ...columns])
  let lastId = lastColumnId + columns.length
  return columns.map((column, i): Column => {
    const parts = newParts(column.type, () => ++lastId)
    if (toIceberg(column.type, parts) === undefined) throw unsupported(column)
    return { required: false, ...column, id: lastColumnId + i + 1, ...(parts && { parts }) }
  })
}

function refuseDuplicates(columns: readonly { name: string }[]): void {
  const seen = new Set<string>()
  for (const { name } of columns) {
    if (seen.has(name.toLowerCase())) {
      throw new SkepError('SCHEMA_MISMATCH', `two columns are named "${name}"`, { column: name })
    }
    seen.add(name.toLowerCase())
  }
}

function unsupported(column: NewColumn): SkepError {
  const type = printType(column.type)
  const message = `column "${column.name}" has the type ${type}, which a table cannot store; choose one with --types ${column.name}=TYPE`
  return new SkepError('COLUMN_TYPE_UNSUPPORTED', message, { column: column.name, type })
}

/** The schema as table metadata holds it. @throws COLUMN_TYPE_UNSUPPORTED */
export function schemaToJson(schema: Schema): IcebergSchema {
  return { type: 'struct', 'schema-id': schema.id, fields: schema.columns.map(columnToJson) }
}

/** The schema as data files carry it in their footers: readers that do not look at field ids find renamed columns by it. @throws COLUMN_TYPE_UNSUPPORTED */
export function printSchema(columns: readonly Column[]): string {
  return JSON.stringify({ type: 'struct', fields: columns.map(columnToJson) })
}

/** The column as table metadata holds it. @throws COLUMN_TYPE_UNSUPPORTED */
export function columnToJson(column: Column): IcebergField {
  const type = toIceberg(column.type, column.parts)
  if (type === undefined) throw unsupported(column)
  const field = { id: column.id, name: column.name, required: column.required, type }
  return column.comment === undefined ? field : { ...field, doc: column.comment }
}

/** The schema that table metadata holds. */
export function schemaFromJson(json: IcebergSchema): Schema {
  const columns = json.fields.map((field): Column => {
    const parts = partsOf(field.type)
    return {
      id: field.id,
      name: field.name,
      type: fromIceberg(field.type),
      required: field.required,
      ...(typeof field.doc === 'string' && { comment: field.doc }),
      ...(parts && { parts }),
    }
  })
  return { id: json['schema-id'], columns }
}

/** The highest field id of a schema, nested ones included; 0 for no columns. */
export function lastColumnId(parts: readonly FieldPart[]): number {
  return parts.reduce((last, part) => Math.max(last, part.id, lastColumnId(part.parts ?? [])), 0)
}

/**
 * The value of `FIELD_IDS` in DuckDB's `COPY … TO … (FORMAT parquet)`, so that data files carry the ids of the schema.
 *
 * @example
 * printFieldIds([{ id: 1, name: 'a' }, { id: 2, name: 'l', parts: [{ id: 3, name: 'element' }] }])
 * // {"a": 1, "l": {__duckdb_field_id: 2, "element": 3}}
 */
export function printFieldIds(fields: readonly FieldPart[]): string {
  return `{${printFields(fields)}}`
}

function printFields(fields: readonly FieldPart[]): string {
  return fields.map((field) => `${quoteIdentifier(field.name)}: ${printField(field)}`).join(', ')
}

function printField(field: FieldPart): string {
  if (field.parts === undefined) return String(field.id)
  return `{__duckdb_field_id: ${field.id}, ${printFields(field.parts)}}`
}
