/** Values of metadata as SQL, exactly. */
import type { Scalar } from '../catalog/types.ts'
import { type DataType, isFloat, printType, quoteString } from '../common/data-type.ts'

/** A value of the type, or null. */
export function constantSql(value: Scalar | null, type: DataType): string {
  return value === null ? `CAST(NULL AS ${printType(type)})` : typed(rawSql(value, type), type)
}

/** One of several values: `pick` chooses an item of a list in SQL. */
export function constantsSql(
  values: readonly (Scalar | null)[],
  type: DataType,
  pick: (list: string) => string,
): string {
  const raw = values.map((value) => (value === null ? 'NULL' : rawSql(value, type)))
  return typed(pick(`CAST([${raw.join(', ')}] AS ${rawType(type)}[])`), type)
}

/** How values of a type stand in a list: as what SQL can write down without loss. */
function rawType(type: DataType): string {
  const name = printType(type)
  if (name === 'DATE') return 'INTEGER'
  if (/^TIME/.test(name)) return 'BIGINT'
  return type.kind === 'decimal' || isFloat(type) || name === 'BLOB' || name === 'UUID' ? 'VARCHAR' : name
}

function rawSql(value: Scalar, type: DataType): string {
  if (value instanceof Uint8Array) return quoteString(Buffer.from(value).toString('hex'))
  if (type.kind === 'decimal') return quoteString(decimalText(BigInt(value as bigint), type.scale))
  if (typeof value === 'string') return textSql(value)
  return isFloat(type) ? quoteString(Object.is(value, -0) ? '-0' : String(value)) : String(value)
}

/** No text of SQL holds a NUL. */
function textSql(value: string): string {
  return value.split('\0').map(quoteString).join(' || chr(0) || ')
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  return `${unscaled < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`
}

function typed(raw: string, type: DataType): string {
  const name = printType(type)
  switch (name) {
    case 'DATE':
      return `(DATE '1970-01-01' + CAST(${raw} AS INTEGER))`
    case 'TIME':
      return `CAST(make_timestamp(CAST(${raw} AS BIGINT)) AS TIME)`
    case 'TIMESTAMP':
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
    case 'TIMESTAMP_NS':
    case 'TIMESTAMP WITH TIME ZONE':
      return `CAST(make_timestamp(CAST(${raw} AS BIGINT)) AS ${name})`
    case 'BLOB':
      return `unhex(${raw})`
    default:
      return `CAST(${raw} AS ${name})`
  }
}
