/** Partition specs of others as the planner uses them. Source: Iceberg specification, "Partitioning". */
import type { DataType } from '../../common/data-type.ts'
import { parseTransform } from '../iceberg/transforms.ts'
import { fromIceberg, type IcebergField, type IcebergType } from '../iceberg/types.ts'
import type { PartitionField, PartitionSpec } from '../types.ts'
import { type ForeignMetadata, type ForeignSpec, isPartitionFields, readPartitionFields } from './metadata.ts'

/** A spec, and what of it files are told apart by. */
export interface KnownSpec {
  /** Without fields whose transform is not known: they tell nothing of a column. */
  spec: PartitionSpec
  /** The ids of all its fields. */
  fieldIds: number[]
  /** True when it tells no files apart. */
  isPlain: boolean
}

/** The spec as the planner uses it. */
export function knownSpec({ id, fields }: ForeignSpec): KnownSpec {
  const known = fields.flatMap(({ columnId, fieldId, name, transform }): PartitionField[] => {
    const parsed = parseTransform(transform)
    return parsed === undefined || columnId === undefined ? [] : [{ fieldId, name, columnId, transform: parsed }]
  })
  return {
    spec: { id, fields: known },
    fieldIds: fields.map(({ fieldId }) => fieldId),
    isPlain: fields.every(({ transform }) => transform === 'void'),
  }
}

/** The spec of that id in the table's metadata, else as the header of a manifest has it. @throws Error when neither knows it */
export function specOfManifest(
  metadata: ForeignMetadata,
  specId: number | undefined,
  header: Record<string, string>,
): KnownSpec {
  const id = specId ?? Number(header['partition-spec-id'] ?? 0)
  const found = metadata.specs.find((spec) => spec.id === id)
  if (found) return knownSpec(found)
  const fields: unknown = JSON.parse(header['partition-spec'] ?? 'null')
  if (!isPartitionFields(fields)) throw new Error(`its partition spec ${id} is not known`)
  return knownSpec({ id, fields: readPartitionFields(fields as Record<string, unknown>[]) })
}

/** The types of all fields that the table ever had, nested ones included, by their ids; the current schema's where there are several. */
export function typesById({ schemas, schemaId }: ForeignMetadata): Map<number, DataType> {
  const types = new Map<number, DataType>()
  const current = schemas.filter((schema) => schema['schema-id'] === schemaId)
  for (const { fields } of [...schemas, ...current]) for (const field of fields) addTypes(types, field)
  return types
}

function addTypes(types: Map<number, DataType>, { id, type }: Pick<IcebergField, 'id' | 'type'>): void {
  types.set(id, fromIceberg(type))
  for (const part of partsOf(type)) addTypes(types, part)
}

/** The fields right inside a type. */
export function partsOf(type: IcebergType): Pick<IcebergField, 'id' | 'name' | 'type'>[] {
  if (typeof type === 'string') return []
  switch (type.type) {
    case 'struct':
      return type.fields
    case 'list':
      return [{ id: type['element-id'], name: 'element', type: type.element }]
    case 'map':
      return [
        { id: type['key-id'], name: 'key', type: type.key },
        { id: type['value-id'], name: 'value', type: type.value },
      ]
  }
}
