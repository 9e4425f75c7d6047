/** Bounds and partition values as other writers have them. Source: Iceberg specification, "Scan Planning" and appendix D. */
import { type DataType, isFloat } from '../../common/data-type.ts'
import type { AvroSchema } from '../iceberg/avro.ts'
import { fromTwosComplement } from '../iceberg/bytes.ts'
import { decodeValue, physicalOf } from '../iceberg/values.ts'
import { compareScalars } from '../scalar.ts'
import type { ColumnStatistics, Scalar } from '../types.ts'

type KeyValue = { key: number; value: unknown }

/** The lists of a data file's metrics, by what they tell. */
export interface RawMetrics {
  sizes: unknown
  values: unknown
  nulls: unknown
  nans: unknown
  lower: unknown
  upper: unknown
}

/** What is known of columns, by id: of those whose types are given, and nothing that contradicts itself. */
export function readMetrics(raw: RawMetrics, types: ReadonlyMap<number, DataType>): Map<number, ColumnStatistics> {
  const columns = new Map<number, ColumnStatistics>()
  const add = (list: unknown, read: (value: unknown, type: DataType) => ColumnStatistics) => {
    for (const { key, value } of (list ?? []) as KeyValue[]) {
      const type = types.get(key)
      if (type) columns.set(key, { ...columns.get(key), ...read(value, type) })
    }
  }
  add(raw.sizes, (size) => countIn('sizeBytes', size))
  add(raw.values, (count) => countIn('values', count))
  add(raw.nulls, (count) => countIn('nulls', count))
  add(raw.nans, (count) => countIn('nans', count))
  add(raw.lower, (bytes, type) => boundIn('lower', bytes, type))
  add(raw.upper, (bytes, type) => boundIn('upper', bytes, type))
  return new Map([...columns].map(([id, column]) => [id, withoutNonsense(column)]))
}

function countIn(name: 'sizeBytes' | 'values' | 'nulls' | 'nans', value: unknown): ColumnStatistics {
  return typeof value === 'number' && value >= 0 ? { [name]: value } : {}
}

function boundIn(name: 'lower' | 'upper', bytes: unknown, type: DataType): ColumnStatistics {
  const value = bytes instanceof Uint8Array ? decodeValue(bytes, type) : undefined
  if (value === undefined || Number.isNaN(value)) return {}
  return { [name]: physicalOf(type) === 'uuid' ? looseUuid(name, value as Uint8Array) : value }
}

/** Java orders the two halves of a UUID as signed numbers, so the lower half of a bound may be that of another value. */
function looseUuid(name: 'lower' | 'upper', value: Uint8Array): Uint8Array {
  const loose = new Uint8Array(16).fill(name === 'lower' ? 0 : 0xff)
  loose.set(value.subarray(0, 8))
  return loose
}

function withoutNonsense(column: ColumnStatistics): ColumnStatistics {
  const { lower, upper, ...counts } = column
  if (lower === undefined || upper === undefined || compareScalars(lower, upper) <= 0) return column
  return counts
}

/** The value in a partition: what Avro makes of it, as values of that type are kept. @throws Error for a value of another type */
export function partitionScalar(
  value: unknown,
  type: DataType | undefined,
  avro: AvroSchema | undefined,
): Scalar | null {
  if (value === null || value === undefined) return null
  const scalar = toScalar(value, type, avro)
  const physical = type && physicalOf(type)
  if (physical !== undefined && typeof scalar !== SCALARS[physical])
    throw new Error('a partition value of another type')
  return scalar
}

const SCALARS: Record<NonNullable<ReturnType<typeof physicalOf>>, string> = {
  boolean: 'boolean',
  int: 'bigint',
  long: 'bigint',
  decimal: 'bigint',
  float: 'number',
  double: 'number',
  string: 'string',
  uuid: 'object',
  binary: 'object',
}

function toScalar(value: unknown, type: DataType | undefined, avro: AvroSchema | undefined): Scalar {
  if (value instanceof Uint8Array) {
    return type?.kind === 'decimal' || isDecimal(avro) ? fromTwosComplement(value) : Uint8Array.from(value)
  }
  if (typeof value !== 'number') return value as Scalar
  const isReal = type === undefined ? nameOf(avro) === 'float' || nameOf(avro) === 'double' : isFloat(type)
  return isReal ? value : BigInt(value)
}

function isDecimal(avro: AvroSchema | undefined): boolean {
  return typeof avro === 'object' && !Array.isArray(avro) && avro.logicalType === 'decimal'
}

function nameOf(avro: AvroSchema | undefined): unknown {
  return typeof avro === 'object' && !Array.isArray(avro) ? avro.type : avro
}
