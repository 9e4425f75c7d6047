/** The schema of a Delta table: its JSON as our columns. */
import { type DataType, primitive } from '../../common/data-type.ts'
import type { Column } from '../types.ts'
import { isObject } from './actions.ts'
import { damagedLog, unsupported } from './errors.ts'

/** The columns of a table, numbered from 1 in their order. @throws TABLE_INVALID, TABLE_FEATURE_UNSUPPORTED */
export function readColumns(schemaString: string, source: string): Column[] {
  const schema = parseSchema(schemaString, source)
  return fieldsOf(schema, source).map(({ name, type, nullable, metadata }, k) => {
    const comment = isObject(metadata) ? metadata.comment : undefined
    return {
      id: k + 1,
      name: nameOf(name, source),
      type: readType(type, source),
      required: nullable === false,
      ...(typeof comment === 'string' && comment !== '' && { comment }),
    }
  })
}

type Json = Partial<Record<string, unknown>>

function parseSchema(text: string, source: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw damagedLog(source, 'the schema of the table is not JSON', cause)
  }
}

function fieldsOf(schema: unknown, source: string): Json[] {
  const fields = isObject(schema) && schema.type === 'struct' ? schema.fields : undefined
  if (!Array.isArray(fields) || !fields.every(isObject)) throw damagedLog(source, 'the schema has no list of fields')
  for (const { metadata } of fields) {
    const changes = isObject(metadata) ? metadata['delta.typeChanges'] : undefined
    if (Array.isArray(changes) && changes.length > 0) throw unsupported(source, 'typeWidening')
  }
  return fields
}

function nameOf(name: unknown, source: string): string {
  if (typeof name === 'string') return name
  throw damagedLog(source, 'the schema has a field without a name')
}

function readType(type: unknown, source: string): DataType {
  if (typeof type === 'string') return readPrimitive(type, source)
  if (!isObject(type)) throw damagedLog(source, 'the schema has a field without a type')
  switch (type.type) {
    case 'struct': {
      const fields = fieldsOf(type, source)
      return {
        kind: 'struct',
        fields: fields.map((field) => ({ name: nameOf(field.name, source), type: readType(field.type, source) })),
      }
    }
    case 'array':
      return { kind: 'list', element: readType(type.elementType, source) }
    case 'map':
      return { kind: 'map', key: readType(type.keyType, source), value: readType(type.valueType, source) }
    default:
      throw unsupported(source, `the type ${JSON.stringify(type.type)}`)
  }
}

const PRIMITIVES: Readonly<Record<string, DataType>> = {
  string: primitive('VARCHAR'),
  long: primitive('BIGINT'),
  integer: primitive('INTEGER'),
  short: primitive('SMALLINT'),
  byte: primitive('TINYINT'),
  float: primitive('FLOAT'),
  double: primitive('DOUBLE'),
  boolean: primitive('BOOLEAN'),
  binary: primitive('BLOB'),
  date: primitive('DATE'),
  timestamp: primitive('TIMESTAMP WITH TIME ZONE'),
  timestamp_ntz: primitive('TIMESTAMP'),
}

function readPrimitive(type: string, source: string): DataType {
  const found = Object.hasOwn(PRIMITIVES, type) ? PRIMITIVES[type] : undefined
  if (found) return found
  const [, precision, scale] = /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(type) ?? []
  const decimal: DataType = { kind: 'decimal', precision: Number(precision), scale: Number(scale) }
  if (decimal.precision >= 1 && decimal.precision <= 38 && decimal.scale <= decimal.precision) return decimal
  throw unsupported(source, type === 'variant' ? 'variantType' : `the type ${type}`)
}
