/** Column types as Iceberg writes them, and which of DuckDB's types a table can store. Source: Iceberg specification, "Schemas and Data Types". */
import { type DataType, type PrimitiveName, primitive } from '../../common/data-type.ts'
import type { FieldPart } from '../types.ts'

/** A type as table metadata spells it: a name such as `long` or `decimal(9,2)`, or a nested type with field ids. */
export type IcebergType = string | IcebergStruct | IcebergList | IcebergMap

/** One field of a struct or schema. */
export interface IcebergField {
  id: number
  name: string
  required: boolean
  type: IcebergType
  doc?: string
}

interface IcebergStruct {
  type: 'struct'
  fields: IcebergField[]
}

interface IcebergList {
  type: 'list'
  'element-id': number
  element: IcebergType
  'element-required': boolean
}

interface IcebergMap {
  type: 'map'
  'key-id': number
  key: IcebergType
  'value-id': number
  value: IcebergType
  'value-required': boolean
}

const ICEBERG_NAMES: Partial<Record<PrimitiveName, string>> = {
  BOOLEAN: 'boolean',
  INTEGER: 'int',
  BIGINT: 'long',
  FLOAT: 'float',
  DOUBLE: 'double',
  DATE: 'date',
  TIME: 'time',
  TIMESTAMP: 'timestamp',
  'TIMESTAMP WITH TIME ZONE': 'timestamptz',
  VARCHAR: 'string',
  UUID: 'uuid',
  BLOB: 'binary',
}

const DUCKDB_NAMES = new Map(Object.entries(ICEBERG_NAMES).map(([duckdb, iceberg]) => [iceberg, duckdb]))

const STORED_AS: Partial<Record<PrimitiveName, DataType>> = {
  TINYINT: primitive('INTEGER'),
  SMALLINT: primitive('INTEGER'),
  UTINYINT: primitive('INTEGER'),
  USMALLINT: primitive('INTEGER'),
  UINTEGER: primitive('BIGINT'),
  UBIGINT: { kind: 'decimal', precision: 20, scale: 0 },
  HUGEINT: { kind: 'decimal', precision: 38, scale: 0 },
  JSON: primitive('VARCHAR'),
  TIMESTAMP_S: primitive('TIMESTAMP'),
  TIMESTAMP_MS: primitive('TIMESTAMP'),
  TIMESTAMP_NS: primitive('TIMESTAMP'),
  // A column of nothing but nulls has no type of its own.
  NULL: primitive('INTEGER'),
}

/**
 * The type that a table stores for values of this type: itself, a wider one, or undefined where Iceberg has none
 * (INTERVAL, TIME WITH TIME ZONE, BIT, UHUGEINT, UNION …). TIMESTAMP_NS fits only when every value is a whole microsecond.
 */
export function storableType(type: DataType): DataType | undefined {
  switch (type.kind) {
    case 'primitive':
      return ICEBERG_NAMES[type.name] === undefined ? STORED_AS[type.name] : type
    case 'decimal':
      return type
    case 'list':
    case 'array': {
      const element = storableType(type.element)
      return element && { kind: 'list', element }
    }
    case 'struct':
      return storableStruct(type.fields)
    case 'map': {
      const key = storableType(type.key)
      const value = storableType(type.value)
      return key && value && { kind: 'map', key, value }
    }
    case 'other':
      return /^ENUM\b/i.test(type.text) ? primitive('VARCHAR') : undefined
  }
}

function storableStruct(fields: { name: string; type: DataType }[]): DataType | undefined {
  const stored: { name: string; type: DataType }[] = []
  for (const { name, type } of fields) {
    const fieldType = storableType(type)
    if (fieldType === undefined) return undefined
    stored.push({ name, type: fieldType })
  }
  return stored.length === 0 ? undefined : { kind: 'struct', fields: stored }
}

/** The type as Iceberg writes it, with the field ids of `parts`; undefined for a type that `storableType` would change or refuse. */
export function toIceberg(type: DataType, parts: readonly FieldPart[] = []): IcebergType | undefined {
  switch (type.kind) {
    case 'primitive':
      return ICEBERG_NAMES[type.name]
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`
    case 'list':
      return toIcebergList(type.element, parts)
    case 'map':
      return toIcebergMap(type, parts)
    case 'struct':
      return toIcebergStruct(type.fields, parts)
    default:
      return undefined
  }
}

function toIcebergList(elementType: DataType, [part]: readonly FieldPart[]): IcebergType | undefined {
  const element = toIceberg(elementType, part?.parts)
  if (part === undefined || element === undefined) return undefined
  return { type: 'list', 'element-id': part.id, element, 'element-required': false }
}

function toIcebergMap(
  type: { key: DataType; value: DataType },
  [keyPart, valuePart]: readonly FieldPart[],
): IcebergType | undefined {
  const key = toIceberg(type.key, keyPart?.parts)
  const value = toIceberg(type.value, valuePart?.parts)
  if (!keyPart || !valuePart || key === undefined || value === undefined) return undefined
  return { type: 'map', 'key-id': keyPart.id, key, 'value-id': valuePart.id, value, 'value-required': false }
}

function toIcebergStruct(
  fields: { name: string; type: DataType }[],
  parts: readonly FieldPart[],
): IcebergType | undefined {
  const written: IcebergField[] = []
  for (const [i, field] of fields.entries()) {
    const part = parts[i]
    const type = toIceberg(field.type, part?.parts)
    if (part === undefined || type === undefined) return undefined
    written.push({ id: part.id, name: field.name, required: false, type })
  }
  return written.length === 0 ? undefined : { type: 'struct', fields: written }
}

/** The type as the rest of Skep knows it; `other` for one of a later version of the format. `fixed[n]` is BLOB. */
export function fromIceberg(type: IcebergType): DataType {
  if (typeof type === 'string') return fromIcebergName(type)
  switch (type.type) {
    case 'list':
      return { kind: 'list', element: fromIceberg(type.element) }
    case 'map':
      return { kind: 'map', key: fromIceberg(type.key), value: fromIceberg(type.value) }
    case 'struct':
      return { kind: 'struct', fields: type.fields.map((f) => ({ name: f.name, type: fromIceberg(f.type) })) }
  }
}

function fromIcebergName(name: string): DataType {
  const known = DUCKDB_NAMES.get(name)
  if (known !== undefined) return primitive(known as PrimitiveName)
  if (/^fixed\[\d+\]$/.test(name)) return primitive('BLOB')
  const decimal = /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(name)
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  return { kind: 'other', text: name }
}

/** The field ids inside a type, in the shape that `Column.parts` has; undefined for a type that is not nested. */
export function partsOf(type: IcebergType): FieldPart[] | undefined {
  if (typeof type === 'string') return undefined
  switch (type.type) {
    case 'list':
      return [part(type['element-id'], 'element', type.element)]
    case 'map':
      return [part(type['key-id'], 'key', type.key), part(type['value-id'], 'value', type.value)]
    case 'struct':
      return type.fields.map((field) => part(field.id, field.name, field.type))
  }
}

function part(id: number, name: string, type: IcebergType): FieldPart {
  const parts = partsOf(type)
  return parts === undefined ? { id, name } : { id, name, parts }
}

/** New field ids for the parts of a type, the outer ones before the inner; undefined for a type that is not nested. */
export function newParts(type: DataType, nextId: () => number): FieldPart[] | undefined {
  const children = childrenOf(type)
  if (children === undefined) return undefined
  const numbered = children.map((child) => ({ ...child, id: nextId() }))
  return numbered.map(({ id, name, type: childType }) => {
    const parts = newParts(childType, nextId)
    return parts === undefined ? { id, name } : { id, name, parts }
  })
}

function childrenOf(type: DataType): { name: string; type: DataType }[] | undefined {
  switch (type.kind) {
    case 'list':
      return [{ name: 'element', type: type.element }]
    case 'map':
      return [
        { name: 'key', type: type.key },
        { name: 'value', type: type.value },
      ]
    case 'struct':
      return type.fields
    default:
      return undefined
  }
}
