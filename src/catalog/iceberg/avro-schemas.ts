/** The Avro schemas of manifests and manifest lists, with the field ids that the format demands. Source: Iceberg specification, "Manifests" and "Manifest Lists". */
import type { DataType } from '../../common/data-type.ts'
import type { PartitionSpec, Schema } from '../types.ts'
import type { AvroSchema } from './avro.ts'
import { resultType } from './transforms.ts'
import { physicalOf } from './values.ts'

type AvroField = { name: string; type: AvroSchema; 'field-id': number; [key: string]: unknown }

function required(id: number, name: string, type: AvroSchema): AvroField {
  return { name, type, 'field-id': id }
}

function optional(id: number, name: string, type: AvroSchema): AvroField {
  return { name, type: ['null', type], default: null, 'field-id': id }
}

/** Maps by column id have no form in Avro, whose keys are texts: they are lists of key and value. */
function mapById(keyId: number, valueId: number, value: string): AvroSchema {
  const fields = [required(keyId, 'key', 'int'), required(valueId, 'value', value)]
  return { type: 'array', logicalType: 'map', items: { type: 'record', name: `k${keyId}_v${valueId}`, fields } }
}

function listOf(elementId: number, items: AvroSchema): AvroSchema {
  return { type: 'array', items, 'element-id': elementId }
}

/** The schema of a manifest whose files follow this partition spec. */
export function manifestSchema(schema: Schema, spec: PartitionSpec): AvroSchema {
  const partition = { type: 'record', name: 'r102', fields: partitionFields(schema, spec) }
  const dataFile = {
    type: 'record',
    name: 'r2',
    fields: [
      required(134, 'content', 'int'),
      required(100, 'file_path', 'string'),
      required(101, 'file_format', 'string'),
      required(102, 'partition', partition),
      required(103, 'record_count', 'long'),
      required(104, 'file_size_in_bytes', 'long'),
      optional(108, 'column_sizes', mapById(117, 118, 'long')),
      optional(109, 'value_counts', mapById(119, 120, 'long')),
      optional(110, 'null_value_counts', mapById(121, 122, 'long')),
      optional(137, 'nan_value_counts', mapById(138, 139, 'long')),
      optional(125, 'lower_bounds', mapById(126, 127, 'bytes')),
      optional(128, 'upper_bounds', mapById(129, 130, 'bytes')),
      optional(131, 'key_metadata', 'bytes'),
      optional(132, 'split_offsets', listOf(133, 'long')),
      optional(135, 'equality_ids', listOf(136, 'int')),
      optional(140, 'sort_order_id', 'int'),
    ],
  }
  const fields = [
    required(0, 'status', 'int'),
    optional(1, 'snapshot_id', 'long'),
    optional(3, 'sequence_number', 'long'),
    optional(4, 'file_sequence_number', 'long'),
    required(2, 'data_file', dataFile),
  ]
  return { type: 'record', name: 'manifest_entry', fields }
}

/** The types of a spec's values, one for each of its fields. */
export function partitionTypes(schema: Schema, spec: PartitionSpec): DataType[] {
  return spec.fields.map((field) => {
    const column = schema.columns.find((c) => c.id === field.columnId)
    return resultType(field.transform, column?.type ?? { kind: 'primitive', name: 'INTEGER' })
  })
}

/** The names of a spec's fields in the Avro record of a partition. */
export function partitionFieldNames(spec: PartitionSpec): string[] {
  return spec.fields.map((field) => avroName(field.name))
}

function partitionFields(schema: Schema, spec: PartitionSpec): AvroField[] {
  const types = partitionTypes(schema, spec)
  const names = partitionFieldNames(spec)
  return spec.fields.map((field, i) => {
    const avroField = optional(field.fieldId, names[i]!, partitionType(types[i]!, field.fieldId))
    return names[i] === field.name ? avroField : { ...avroField, 'iceberg-field-name': field.name }
  })
}

/** Avro allows letters, digits and `_` in names; other characters become their code, as Iceberg's own writers do it. */
function avroName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, hexName).replace(/^[0-9]/, (digit) => `_${digit}`)
}

function hexName(character: string): string {
  return `_x${character.charCodeAt(0).toString(16).toUpperCase()}`
}

/** Avro wants every named type once, so the field's id is part of the name. */
function partitionType(type: DataType, fieldId: number): AvroSchema {
  if (type.kind === 'decimal') return decimalType(type, fieldId)
  const name = type.kind === 'primitive' ? type.name : undefined
  switch (name) {
    case 'DATE':
      return { type: 'int', logicalType: 'date' }
    case 'TIME':
      return { type: 'long', logicalType: 'time-micros' }
    case 'TIMESTAMP':
      return { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': false }
    case 'TIMESTAMP WITH TIME ZONE':
      return { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': true }
    case 'UUID':
      return { type: 'fixed', name: `uuid_${fieldId}`, size: 16, logicalType: 'uuid' }
    case 'BLOB':
      return 'bytes'
    default:
      return physicalOf(type) ?? 'bytes'
  }
}

function decimalType({ precision, scale }: { precision: number; scale: number }, fieldId: number): AvroSchema {
  const name = `decimal_${fieldId}`
  return { type: 'fixed', name, size: decimalBytes(precision), logicalType: 'decimal', precision, scale }
}

/** The number of bytes in which every decimal of that precision fits. */
export function decimalBytes(precision: number): number {
  const limit = 10n ** BigInt(precision) - 1n
  let length = 1
  while (BigInt.asIntN(length * 8, limit) !== limit) length++
  return length
}

const PARTITION_SUMMARY: AvroSchema = {
  type: 'record',
  name: 'r508',
  fields: [
    required(509, 'contains_null', 'boolean'),
    optional(518, 'contains_nan', 'boolean'),
    optional(510, 'lower_bound', 'bytes'),
    optional(511, 'upper_bound', 'bytes'),
  ],
}

/** The schema of manifest lists. */
export const MANIFEST_LIST_SCHEMA: AvroSchema = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    required(500, 'manifest_path', 'string'),
    required(501, 'manifest_length', 'long'),
    required(502, 'partition_spec_id', 'int'),
    required(517, 'content', 'int'),
    required(515, 'sequence_number', 'long'),
    required(516, 'min_sequence_number', 'long'),
    required(503, 'added_snapshot_id', 'long'),
    required(504, 'added_files_count', 'int'),
    required(505, 'existing_files_count', 'int'),
    required(506, 'deleted_files_count', 'int'),
    required(512, 'added_rows_count', 'long'),
    required(513, 'existing_rows_count', 'long'),
    required(514, 'deleted_rows_count', 'long'),
    optional(507, 'partitions', listOf(508, PARTITION_SUMMARY)),
    optional(519, 'key_metadata', 'bytes'),
  ],
}
