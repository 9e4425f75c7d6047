/** Fields of Avro records by Iceberg's field ids: writers of different age call them by different names. */
import type { AvroSchema } from '../iceberg/avro.ts'

type Record_ = Record<string, unknown>
type AvroRecord = { fields: { name: string; type: AvroSchema; 'field-id'?: unknown }[] }

/** One field of a record: what its writer calls it, and its type. */
export interface AvroField {
  name: string
  /** Without the null of an optional field. */
  type: AvroSchema
}

/** The fields of a record type by their ids; of the record inside when the type is optional. Empty for another type. */
export function fieldsById(type: AvroSchema | undefined): Map<number, AvroField> {
  const record = recordOf(type)
  return new Map(
    (record?.fields ?? []).flatMap(({ name, type: fieldType, 'field-id': id }) =>
      typeof id === 'number' ? [[id, { name, type: withoutNull(fieldType) }] as const] : [],
    ),
  )
}

/** A function from records of this type to their field of that id; undefined where the record has none. `name` is looked for when the writer gave no ids. */
export function fieldGetter(
  fields: ReadonlyMap<number, AvroField>,
): (record: Record_, id: number, name: string) => unknown {
  return (record, id, name) => record[fields.get(id)?.name ?? (fields.size === 0 ? name : '')] ?? undefined
}

function recordOf(type: AvroSchema | undefined): AvroRecord | undefined {
  const plain = type === undefined ? undefined : withoutNull(type)
  if (typeof plain !== 'object' || Array.isArray(plain) || plain.type !== 'record') return undefined
  return plain as unknown as AvroRecord
}

function withoutNull(type: AvroSchema): AvroSchema {
  if (!Array.isArray(type)) return type
  return type.find((branch) => branch !== 'null') ?? 'null'
}

/** The count or size that a value stands for. @throws Error when it is none */
export function countOf(value: unknown): number {
  const count = Number(value)
  const isNumber = typeof value === 'bigint' || typeof value === 'number'
  if (!isNumber || !Number.isSafeInteger(count) || count < 0) throw new Error(`not a count: ${String(value)}`)
  return count
}
