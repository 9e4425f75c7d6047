/** Values that users bind to their SQL, as DuckDB takes them. */
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  blobValue,
  DOUBLE,
  DuckDBTimestampTZValue,
  type DuckDBType,
  type DuckDBValue,
  HUGEINT,
  LIST,
  listValue,
  SQLNULL,
  TIMESTAMPTZ,
  VARCHAR,
} from '@duckdb/node-api'
import { SkepError } from '../errors.ts'

/** A value that a user may bind: nothing of it ever becomes part of a statement's text. */
export type BoundValue = null | boolean | number | bigint | string | Date | Uint8Array | readonly BoundValue[]

/** Values for `?` and `$1` in order, or for `$name` by name. */
export type BoundValues = readonly BoundValue[] | Readonly<Record<string, BoundValue>>

/** Values and their types as the connection takes them; both absent when there are none. */
export interface BoundParameters {
  values?: DuckDBValue[] | Record<string, DuckDBValue>
  types?: DuckDBType[] | Record<string, DuckDBType>
}

/** Values and their types as the connection takes them; both absent when there are none. @throws ARGUMENT_INVALID for a value of another kind */
export function bindable(params: BoundValues | undefined): BoundParameters {
  if (params === undefined || Object.keys(params).length === 0) return {}
  if (Array.isArray(params)) {
    const bound = params.map((value, k) => bindValue(value, String(k + 1)))
    return { values: bound.map((b) => b.value), types: bound.map((b) => b.type) }
  }
  const bound = Object.entries(params).map(([name, value]) => ({ name, ...bindValue(value, name) }))
  return {
    values: Object.fromEntries(bound.map((b) => [b.name, b.value])),
    types: Object.fromEntries(bound.map((b) => [b.name, b.type])),
  }
}

interface TypedValue {
  value: DuckDBValue
  type: DuckDBType
}

function bindValue(value: BoundValue | undefined, name: string): TypedValue {
  if (value === null || value === undefined) return { value: null, type: SQLNULL }
  if (typeof value === 'boolean') return { value, type: BOOLEAN }
  if (typeof value === 'string') return { value, type: VARCHAR }
  if (typeof value === 'number') return numberValue(value)
  if (typeof value === 'bigint') return integerValue(value, name)
  if (value instanceof Uint8Array) return { value: blobValue(value), type: BLOB }
  if (value instanceof Date && !Number.isNaN(value.getTime())) {
    return { value: new DuckDBTimestampTZValue(BigInt(value.getTime()) * 1000n), type: TIMESTAMPTZ }
  }
  if (Array.isArray(value)) return arrayValue(value, name)
  throw invalid(name, 'expected null, a boolean, number, bigint, string, Date, Uint8Array or an array of these')
}

function numberValue(value: number): TypedValue {
  return Number.isSafeInteger(value) && !Object.is(value, -0)
    ? { value: BigInt(value), type: BIGINT }
    : { value, type: DOUBLE }
}

function integerValue(value: bigint, name: string): TypedValue {
  if (BigInt.asIntN(64, value) === value) return { value, type: BIGINT }
  if (BigInt.asIntN(128, value) === value) return { value, type: HUGEINT }
  throw invalid(name, 'the integer has more than 128 bits')
}

function arrayValue(value: readonly BoundValue[], name: string): TypedValue {
  const items = value.map((item) => bindValue(item, name))
  const types = new Set(items.filter((item) => item.type !== SQLNULL).map((item) => item.type))
  if (types.size > 1) {
    if ([...types].every((type) => type === BIGINT || type === DOUBLE)) {
      return {
        value: listValue(items.map((item) => (item.value === null ? null : Number(item.value)))),
        type: LIST(DOUBLE),
      }
    }
    throw invalid(name, 'the values of a list must be of one type')
  }
  return { value: listValue(items.map((item) => item.value)), type: LIST([...types][0] ?? SQLNULL) }
}

function invalid(name: string, reason: string): SkepError<'ARGUMENT_INVALID'> {
  return new SkepError('ARGUMENT_INVALID', `parameter ${name}: ${reason}`, { argument: name })
}
