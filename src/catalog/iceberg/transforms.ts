/** Partition transforms: their names, what type they give, and how they are computed. Source: Iceberg specification, "Partition Transforms". */
import { type DataType, isTimestamp, primitive } from '../../common/data-type.ts'
import { SkepError } from '../../errors.ts'
import type { PartitionField, PartitionSpec, Scalar, Schema, Transform } from '../types.ts'
import { hashFunction } from './murmur3.ts'

/** The transform of that name, or undefined for one of a later version of the format. */
export function parseTransform(text: string): Transform | undefined {
  const match = /^(identity|day|hour|month|year|void|bucket|truncate)(?:\[(\d+)\])?$/.exec(text)
  if (!match) return undefined
  const kind = match[1] as Transform['kind']
  const argument = match[2] === undefined ? undefined : Number(match[2])
  if (kind === 'bucket') return argument ? { kind, count: argument } : undefined
  if (kind === 'truncate') return argument ? { kind, width: argument } : undefined
  return argument === undefined ? { kind } : undefined
}

/** The name of a transform, e.g. `bucket[16]`. */
export function printTransform(transform: Transform): string {
  switch (transform.kind) {
    case 'bucket':
      return `bucket[${transform.count}]`
    case 'truncate':
      return `truncate[${transform.width}]`
    default:
      return transform.kind
  }
}

/** The type of a transform's values, given the type of its column. */
export function resultType(transform: Transform, source: DataType): DataType {
  switch (transform.kind) {
    case 'bucket':
    case 'hour':
    case 'month':
    case 'year':
      return primitive('INTEGER')
    case 'day':
      return primitive('DATE')
    default:
      return source
  }
}

/**
 * A function from values of this type to bucket numbers in [0, count), or undefined for a type that has no buckets;
 * it takes what `hashFunction` takes. For many values this is faster than `bucketOf`.
 */
export function bucketFunction(type: DataType, count: number): ((value: Scalar) => number) | undefined {
  const hash = hashFunction(type)
  return hash && ((value) => (hash(value) & 0x7fff_ffff) % count)
}

/** The bucket of one value. @throws RangeError for a type without buckets */
export function bucketOf(value: Scalar, type: DataType, count: number): number {
  const bucket = bucketFunction(type, count)
  if (bucket === undefined) throw new RangeError(`values of kind ${type.kind} have no buckets`)
  return bucket(value)
}

const DAY_MICROS = 86_400_000_000n
const HOUR_MICROS = 3_600_000_000n

/**
 * The partition value of a column's value: `identity`, `bucket`, `day` (days since 1970), `hour` (hours since 1970) and `void`.
 * Null for null. @throws RangeError for transforms that are only read, and types that a transform does not take
 */
export function applyTransform(transform: Transform, value: Scalar | null, type: DataType): Scalar | null {
  if (value === null || transform.kind === 'void') return null
  switch (transform.kind) {
    case 'identity':
      return value
    case 'bucket':
      return BigInt(bucketOf(value, type, transform.count))
    case 'day':
      if (type.kind === 'primitive' && type.name === 'DATE') return value
      if (isTimestamp(type)) return floorDivide(value as bigint, DAY_MICROS)
      break
    case 'hour':
      if (isTimestamp(type)) return floorDivide(value as bigint, HOUR_MICROS)
      break
  }
  throw new RangeError(`the transform ${printTransform(transform)} is not computed for this type`)
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by
  return value % by < 0n ? quotient - 1n : quotient
}

/** A partition spec (id 0) of a new table: field ids count from 1000, names follow the column and the transform. @throws COLUMN_NOT_FOUND */
export function newSpec(schema: Schema, fields: readonly { column: string; transform: Transform }[]): PartitionSpec {
  const taken = new Set(schema.columns.map(({ name }) => name))
  return {
    id: 0,
    fields: fields.map(({ column: name, transform }, i): PartitionField => {
      const column = schema.columns.find((c) => c.name.toLowerCase() === name.toLowerCase())
      if (!column) throw new SkepError('COLUMN_NOT_FOUND', `there is no column "${name}"`, { table: '', column: name })
      let fieldName = transform.kind === 'identity' ? column.name : `${column.name}_${transform.kind}`
      // Other readers refuse a partition field with the name of a column, unless it is that column's own value.
      while (transform.kind !== 'identity' && taken.has(fieldName)) fieldName += '_'
      return { fieldId: 1000 + i, name: fieldName, columnId: column.id, transform }
    }),
  }
}
