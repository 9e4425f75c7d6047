/** Values of partitions as SQL. */
import type { Scalar } from '../catalog/types.ts'
import { type DataType, printType, quoteString } from '../common/data-type.ts'

/** An expression of the type that has this value, or is null. */
export function scalarSql(value: Scalar | null, type: DataType): string {
  const target = printType(type)
  return `CAST(${value === null ? 'NULL' : valueSql(value, type)} AS ${target})`
}

function valueSql(value: Scalar, type: DataType): string {
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return quoteString(numberText(value))
  if (typeof value === 'string') return quoteString(value)
  if (value instanceof Uint8Array) return bytesSql(value, type)
  if (type.kind === 'decimal') return quoteString(decimalText(value, type.scale))
  return type.kind === 'primitive' ? integerSql(value, type.name) : String(value)
}

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0.0' : String(value)
}

function bytesSql(value: Uint8Array, type: DataType): string {
  const hex = Buffer.from(value).toString('hex')
  return printType(type) === 'UUID' ? quoteString(hex) : `from_hex(${quoteString(hex)})`
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const point = digits.length - scale
  const fraction = scale === 0 ? '' : `.${digits.slice(point)}`
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}${fraction}`
}

/** Days and microseconds since 1970, microseconds since midnight, or an integer. */
function integerSql(value: bigint, name: string): string {
  switch (name) {
    case 'DATE':
      return `(DATE '1970-01-01' + CAST(${value} AS INTEGER))`
    case 'TIME':
      return `(TIME '00:00:00' + to_microseconds(CAST(${value} AS BIGINT)))`
    case 'TIMESTAMP':
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
    case 'TIMESTAMP_NS':
      return `make_timestamp(CAST(${value} AS BIGINT))`
    case 'TIMESTAMP WITH TIME ZONE':
      return `make_timestamptz(CAST(${value} AS BIGINT))`
    default:
      return String(value)
  }
}
