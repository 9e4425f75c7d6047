/** Manifests: which data files a commit added, with their partitions and statistics. Source: Iceberg specification, "Manifests". */
import type { DataType } from '../../common/data-type.ts'
import { SkepError } from '../../errors.ts'
import { damagedMetadata } from '../damage.ts'
import type { ColumnStatistics, DataFile, PartitionSpec, Scalar, Schema } from '../types.ts'
import { type AvroFile, readAvro, writeAvro } from './avro.ts'
import { decimalBytes, manifestSchema, partitionFieldNames, partitionTypes } from './avro-schemas.ts'
import { fromTwosComplement, toFixedTwosComplement } from './bytes.ts'
import { type IcebergSchema, schemaFromJson, schemaToJson } from './schema.ts'
import { parseTransform, printTransform } from './transforms.ts'
import { decodeValue, lowerBound, physicalOf, upperBound } from './values.ts'

/** A data file as its manifest describes it; `path` is spelled as in the manifest. */
export interface ManifestEntry extends Omit<DataFile, 'sorted'> {
  /** 0 when the rows are in no known order. */
  sortOrderId: number
}

/** A data file as it was read from its manifest. */
export interface ReadEntry extends ManifestEntry {
  /** The columns that the manifest knows: no other is in the file. */
  columnIds: ReadonlySet<number>
}

/** What all entries of a manifest share. */
interface ManifestContext {
  schema: Schema
  spec: PartitionSpec
  snapshotId: number
  /** 16 random bytes. */
  sync: Uint8Array
}

const ADDED = 1
const DELETED = 2

/** The bytes of a manifest whose files are all added by one snapshot; sequence numbers are inherited from the manifest list. */
export function writeManifest(entries: readonly ManifestEntry[], context: ManifestContext): Uint8Array {
  const { schema, spec } = context
  const types = partitionTypes(schema, spec)
  const names = partitionFieldNames(spec)
  const columnTypes = new Map(schema.columns.map((column) => [column.id, column.type]))
  const records = entries.map((entry) => ({
    status: ADDED,
    snapshot_id: context.snapshotId,
    sequence_number: null,
    file_sequence_number: null,
    data_file: {
      ...plainFields(entry),
      partition: Object.fromEntries(names.map((name, i) => [name, toAvro(entry.partition[i] ?? null, types[i]!)])),
      ...statistics(entry.columns, columnTypes),
    },
  }))
  const metadata = {
    schema: JSON.stringify(schemaToJson(schema)),
    'schema-id': String(schema.id),
    'partition-spec': JSON.stringify(specFieldsToJson(spec)),
    'partition-spec-id': String(spec.id),
    'format-version': '2',
    content: 'data',
  }
  return writeAvro(manifestSchema(schema, spec), records, metadata, context.sync)
}

/** One field of a partition spec as table metadata holds it. */
export interface IcebergPartitionField {
  'source-id': number
  'field-id': number
  name: string
  transform: string
}

/** The fields of a spec as table metadata holds them. */
export function specFieldsToJson(spec: PartitionSpec): IcebergPartitionField[] {
  return spec.fields.map((field) => ({
    'source-id': field.columnId,
    'field-id': field.fieldId,
    name: field.name,
    transform: printTransform(field.transform),
  }))
}

/** The spec that table metadata holds, or undefined for one with a transform of a later version of the format. */
export function specFromJson(id: number, fields: readonly IcebergPartitionField[]): PartitionSpec | undefined {
  const spec: PartitionSpec = { id, fields: [] }
  for (const field of fields) {
    const transform = parseTransform(field.transform)
    if (transform === undefined) return undefined
    spec.fields.push({ fieldId: field['field-id'], name: field.name, columnId: field['source-id'], transform })
  }
  return spec
}

function plainFields(entry: ManifestEntry) {
  return {
    content: 0,
    file_path: entry.path,
    file_format: 'PARQUET',
    record_count: entry.rows,
    file_size_in_bytes: entry.sizeBytes,
    key_metadata: null,
    split_offsets: null,
    equality_ids: null,
    sort_order_id: entry.sortOrderId,
  }
}

type KeyValue<V> = { key: number; value: V }[]

function statistics(columns: ReadonlyMap<number, ColumnStatistics>, types: ReadonlyMap<number, DataType>) {
  const bound = (value: Scalar | undefined, id: number, round: typeof lowerBound) =>
    value === undefined || !types.has(id) ? undefined : round(value, types.get(id)!)
  return {
    column_sizes: collect(columns, (c) => c.sizeBytes),
    value_counts: collect(columns, (c) => c.values),
    null_value_counts: collect(columns, (c) => c.nulls),
    nan_value_counts: collect(columns, (c) => c.nans),
    lower_bounds: collect(columns, (c, id) => toBuffer(bound(c.lower, id, lowerBound))),
    upper_bounds: collect(columns, (c, id) => toBuffer(bound(c.upper, id, upperBound))),
  }
}

function collect<V>(
  columns: ReadonlyMap<number, ColumnStatistics>,
  pick: (column: ColumnStatistics, id: number) => V | undefined,
): KeyValue<V> | null {
  const list: KeyValue<V> = []
  for (const [key, column] of columns) {
    const value = pick(column, key)
    if (value !== undefined) list.push({ key, value })
  }
  return list.length === 0 ? null : list
}

function toBuffer(bytes: Uint8Array | undefined): Buffer | undefined {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function toAvro(value: Scalar | null, type: DataType): unknown {
  if (value === null) return null
  if (type.kind === 'decimal') return Buffer.from(toFixedTwosComplement(value as bigint, decimalBytes(type.precision)))
  switch (physicalOf(type)) {
    case 'int':
      return Number(value)
    case 'uuid':
    case 'binary':
      return toBuffer(value as Uint8Array)
    default:
      return value
  }
}

/** The data files that a manifest says are alive. @throws TABLE_INVALID naming `file` when it is damaged or lists deletes */
export function readManifest(bytes: Uint8Array, file: string): ReadEntry[] {
  return guardFile(file, () => {
    const avroFile = readAvro(bytes)
    const { schema, spec } = readContext(avroFile)
    const reader = entryReader(schema, spec)
    const alive = avroFile.records.filter((record) => record.status !== DELETED)
    return alive.map((record) => reader(record.data_file as RawDataFile))
  })
}

/** What `read` returns; foreign errors become `TABLE_INVALID` naming the file. */
export function guardFile<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof SkepError) throw error
    throw damagedMetadata(file, error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** The schema and spec that a manifest was written with. @throws Error for a transform of a later version of the format */
export function readContext({ metadata }: AvroFile): { schema: Schema; spec: PartitionSpec } {
  const schema = schemaFromJson(JSON.parse(metadata.schema ?? '') as IcebergSchema)
  const fields = JSON.parse(metadata['partition-spec'] ?? '') as IcebergPartitionField[]
  const spec = specFromJson(Number(metadata['partition-spec-id'] ?? 0), fields)
  if (spec === undefined) throw new Error('unknown partition transform')
  return { schema, spec }
}

interface RawDataFile {
  content: number
  file_path: string
  file_format: string
  partition: Record<string, unknown>
  record_count: bigint
  file_size_in_bytes: bigint
  column_sizes?: KeyValue<number> | null
  value_counts?: KeyValue<number> | null
  null_value_counts?: KeyValue<number> | null
  nan_value_counts?: KeyValue<number> | null
  lower_bounds?: KeyValue<Uint8Array> | null
  upper_bounds?: KeyValue<Uint8Array> | null
  sort_order_id?: number | null
}

function entryReader(schema: Schema, spec: PartitionSpec): (raw: RawDataFile) => ReadEntry {
  const types = partitionTypes(schema, spec)
  const names = partitionFieldNames(spec)
  const columnTypes = new Map(schema.columns.map((c) => [c.id, c.type]))
  const columnIds = new Set(columnTypes.keys())
  for (const [id, type] of columnTypes) if (physicalOf(type) === undefined) columnTypes.delete(id)
  return (raw) => {
    if (raw.content !== 0) throw new Error('a file of deletes')
    if (typeof raw.file_path !== 'string' || raw.file_path === '') throw new Error('a data file without a path')
    if (raw.file_format.toUpperCase() !== 'PARQUET') throw new Error(`a data file of format ${raw.file_format}`)
    return {
      path: raw.file_path,
      rows: toCount(raw.record_count),
      sizeBytes: toCount(raw.file_size_in_bytes),
      specId: spec.id,
      partition: names.map((name, i) => fromAvro(raw.partition[name], types[i]!)),
      columns: readStatistics(raw, columnTypes),
      sortOrderId: raw.sort_order_id ?? 0,
      columnIds,
    }
  }
}

/** The number that a long stands for. @throws Error when it is below zero or a number cannot hold it */
export function toCount(value: unknown): number {
  const count = Number(value)
  if (typeof value !== 'bigint' || !Number.isSafeInteger(count) || count < 0)
    throw new Error(`not a count: ${String(value)}`)
  return count
}

function fromAvro(value: unknown, type: DataType): Scalar | null {
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) {
    return type.kind === 'decimal' ? fromTwosComplement(value) : Uint8Array.from(value)
  }
  const physical = physicalOf(type)
  return physical === 'int' || physical === 'long' ? BigInt(value as number | bigint) : (value as Scalar)
}

function readStatistics(raw: RawDataFile, types: ReadonlyMap<number, DataType>): Map<number, ColumnStatistics> {
  const columns = new Map<number, ColumnStatistics>()
  const add = <V>(list: KeyValue<V> | null | undefined, read: (value: V, type: DataType) => ColumnStatistics) => {
    for (const { key, value } of list ?? []) {
      const type = types.get(key)
      if (type) columns.set(key, { ...columns.get(key), ...read(value, type) })
    }
  }
  add(raw.column_sizes, (sizeBytes) => ({ sizeBytes }))
  add(raw.value_counts, (values) => ({ values }))
  add(raw.null_value_counts, (nulls) => ({ nulls }))
  add(raw.nan_value_counts, (nans) => ({ nans }))
  add(raw.lower_bounds, (bytes, type) => named('lower', decodeValue(bytes, type)))
  add(raw.upper_bounds, (bytes, type) => named('upper', decodeValue(bytes, type)))
  return columns
}

function named(name: 'lower' | 'upper', value: Scalar | undefined): ColumnStatistics {
  return value === undefined ? {} : { [name]: value }
}
