/** Values as JSON, and back, exactly: those of the types that `storedType` gives for JSON. */
import {
  DuckDBDateValue,
  type DuckDBListType,
  DuckDBListValue,
  type DuckDBMapType,
  DuckDBMapValue,
  type DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  listValue,
  mapValue,
  structValue,
} from '@duckdb/node-api'
import { SkepError } from '../errors.ts'

/**
 * A value of this type as JSON. Numbers that JSON does not have are texts (`NaN`, `-Infinity`, `-0`, integers beyond 2^53); dates and
 * timestamps are days and microseconds since 1970, lists arrays, structs arrays of their fields, maps arrays of pairs.
 */
export function packInline(value: DuckDBValue, type: DuckDBType): unknown {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : numberText(value)
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
    case 'object':
      return value === null ? null : packObject(value, type)
    default:
      return value
  }
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function packObject(value: object, type: DuckDBType): unknown {
  if (value instanceof DuckDBDateValue) return value.days
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) {
    return packInline(value.micros, type)
  }
  if (value instanceof DuckDBListValue) {
    const { valueType } = type as DuckDBListType
    return value.items.map((item) => packInline(item, valueType))
  }
  if (value instanceof DuckDBStructValue) {
    const { entryNames, entryTypes } = type as DuckDBStructType
    return entryNames.map((name, k) => packInline(value.entries[name] ?? null, entryTypes[k]!))
  }
  if (value instanceof DuckDBMapValue) {
    const { keyType, valueType } = type as DuckDBMapType
    return value.entries.map((entry) => [packInline(entry.key, keyType), packInline(entry.value, valueType)])
  }
  throw new SkepError('INTERNAL', `no JSON for a value of type ${type}`, {})
}

/** The value that {@link packInline} made this JSON of. */
export function unpackInline(json: unknown, type: DuckDBType): DuckDBValue {
  if (json === null) return null
  switch (type.typeId) {
    case DuckDBTypeId.BIGINT:
    case DuckDBTypeId.UBIGINT:
      return BigInt(json as number | string)
    case DuckDBTypeId.DATE:
      return new DuckDBDateValue(json as number)
    case DuckDBTypeId.TIMESTAMP:
      return new DuckDBTimestampValue(BigInt(json as number | string))
    case DuckDBTypeId.TIMESTAMP_TZ:
      return new DuckDBTimestampTZValue(BigInt(json as number | string))
    case DuckDBTypeId.FLOAT:
    case DuckDBTypeId.DOUBLE:
      return Number(json)
    case DuckDBTypeId.LIST: {
      const { valueType } = type as DuckDBListType
      return listValue((json as unknown[]).map((item) => unpackInline(item, valueType)))
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type as DuckDBStructType
      const values = json as unknown[]
      return structValue(
        Object.fromEntries(entryNames.map((name, k) => [name, unpackInline(values[k], entryTypes[k]!)])),
      )
    }
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type as DuckDBMapType
      const pairs = json as [unknown, unknown][]
      return mapValue(
        pairs.map(([key, value]) => ({ key: unpackInline(key, keyType), value: unpackInline(value, valueType) })),
      )
    }
    default:
      return json as DuckDBValue
  }
}
