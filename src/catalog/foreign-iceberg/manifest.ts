/** Manifests that others wrote, of format versions 1 to 3. Source: Iceberg specification, "Manifests". */
import type { DataType } from '../../common/data-type.ts'
import { type AvroFile, type AvroSchema, readAvro } from '../iceberg/avro.ts'
import { resultType } from '../iceberg/transforms.ts'
import type { ColumnStatistics, PartitionSpec, Scalar } from '../types.ts'
import { type AvroField, countOf, fieldGetter, fieldsById } from './avro-fields.ts'
import { guardForeign, unsupportedFeature } from './errors.ts'
import type { ListedManifest } from './manifest-list.ts'
import type { ForeignMetadata } from './metadata.ts'
import { type KnownSpec, specOfManifest } from './specs.ts'
import { partitionScalar, readMetrics } from './values.ts'

/** A file that a manifest lists as alive: of rows, or of deletes. */
export interface ForeignEntry {
  content: 'data' | 'position deletes' | 'equality deletes'
  /** As its writer spells it. */
  path: string
  /** In capitals. */
  format: string
  rows: number
  sizeBytes: number
  spec: PartitionSpec
  partition: (Scalar | null)[]
  /** Equal for files of one spec and equal partition values; empty for files of a spec that has none. */
  partitionKey: string
  columns: Map<number, ColumnStatistics>
  sequence: number
  /** Of position deletes: the only data file that they are for. */
  referenced?: string
  /** Of position deletes: the least and greatest path in them. */
  paths?: ColumnStatistics
}

/** What manifests are read with: the table, the types of its fields, and those of the columns whose statistics are wanted. */
export interface ManifestContext {
  metadata: ForeignMetadata
  types: ReadonlyMap<number, DataType>
  columnTypes: ReadonlyMap<number, DataType>
}

/** The id of the column of position deletes that names data files. */
export const DELETES_PATH_ID = 2147483546

const PATH_TYPES: ReadonlyMap<number, DataType> = new Map([[DELETES_PATH_ID, { kind: 'primitive', name: 'VARCHAR' }]])
const CONTENTS = ['data', 'position deletes', 'equality deletes'] as const
const EXISTING = 0
const ADDED = 1
const DELETED = 2

/** The files that a manifest lists as alive, in its order. @throws TABLE_INVALID naming the file, TABLE_FEATURE_UNSUPPORTED */
export function readForeignManifest(
  bytes: Uint8Array,
  file: string,
  listed: ListedManifest,
  context: ManifestContext,
): ForeignEntry[] {
  return guardForeign(file, () => {
    if (listed.sizeBytes !== undefined && bytes.length < listed.sizeBytes) throw new Error('it is cut off')
    const avroFile = readAvro(bytes)
    const read = entryReader(avroFile, file, listed, context)
    return avroFile.records.flatMap((record) => read(record) ?? [])
  })
}

function entryReader(avroFile: AvroFile, file: string, listed: ListedManifest, context: ManifestContext) {
  const entryFields = fieldsById(JSON.parse(avroFile.metadata['avro.schema']!) as AvroSchema)
  const get = fieldGetter(entryFields)
  const known = specOfManifest(context.metadata, listed.specId, avroFile.metadata)
  const readFile = fileReader(entryFields.get(2), file, known, context)
  return (record: Record<string, unknown>): ForeignEntry | undefined => {
    const status = get(record, 0, 'status')
    if (status === DELETED) return undefined
    if (status !== EXISTING && status !== ADDED) throw new Error(`an entry with status ${String(status)}`)
    const raw = get(record, 2, 'data_file') as Record<string, unknown>
    const sequence = get(record, 3, 'sequence_number')
    const entry = readFile(raw, sequence === undefined ? listed.sequence : countOf(sequence))
    if ((entry.content === 'data') === listed.deletes) throw new Error(`a file of ${entry.content} among others`)
    return entry
  }
}

function fileReader(type: AvroField | undefined, file: string, known: KnownSpec, context: ManifestContext) {
  const fields = fieldsById(type?.type)
  const get = fieldGetter(fields)
  const readPartition = partitionReader(fields.get(102), known, context.types)
  return (raw: Record<string, unknown>, sequence: number): ForeignEntry => {
    const content = CONTENTS[(get(raw, 134, 'content') ?? 0) as number]
    if (content === undefined) throw new Error('a file of unknown content')
    const path = get(raw, 100, 'file_path')
    if (typeof path !== 'string' || path === '') throw new Error('a file without a path')
    if (get(raw, 131, 'key_metadata') !== undefined) throw unsupportedFeature(file, 'encryption')
    const referenced = get(raw, 143, 'referenced_data_file')
    return {
      content,
      path,
      format: String(get(raw, 101, 'file_format')).toUpperCase(),
      rows: countOf(get(raw, 103, 'record_count')),
      sizeBytes: countOf(get(raw, 104, 'file_size_in_bytes')),
      spec: known.spec,
      ...readPartition((get(raw, 102, 'partition') ?? {}) as Record<string, unknown>),
      sequence,
      ...readColumns(raw, get, content === 'data' ? context.columnTypes : PATH_TYPES),
      ...(typeof referenced === 'string' && { referenced }),
    }
  }
}

function readColumns(
  raw: Record<string, unknown>,
  get: ReturnType<typeof fieldGetter>,
  types: ReadonlyMap<number, DataType>,
): Pick<ForeignEntry, 'columns' | 'paths'> {
  const metrics = {
    sizes: get(raw, 108, 'column_sizes'),
    values: get(raw, 109, 'value_counts'),
    nulls: get(raw, 110, 'null_value_counts'),
    nans: get(raw, 137, 'nan_value_counts'),
    lower: get(raw, 125, 'lower_bounds'),
    upper: get(raw, 128, 'upper_bounds'),
  }
  const columns = readMetrics(metrics, types)
  const paths = columns.get(DELETES_PATH_ID)
  return { columns, ...(paths && { paths }) }
}

function partitionReader(type: AvroField | undefined, known: KnownSpec, types: ReadonlyMap<number, DataType>) {
  const fields = fieldsById(type?.type)
  const get = fieldGetter(fields)
  const { spec, fieldIds, isPlain } = known
  const wanted = spec.fields.map(({ fieldId, name, columnId, transform }) => {
    const source = types.get(columnId)
    const avro = fields.get(fieldId)?.type
    if (transform.kind !== 'void' && avro === undefined) throw new Error(`partitions without a value of "${name}"`)
    return { fieldId, name, type: source && resultType(transform, source), avro }
  })
  return (raw: Record<string, unknown>): Pick<ForeignEntry, 'partition' | 'partitionKey'> => {
    const partition = wanted.map(({ fieldId, name, type: own, avro }) =>
      partitionScalar(get(raw, fieldId, name), own, avro),
    )
    // Fields that the planner does not know tell files apart as well.
    const others = fieldIds.filter((id) => wanted.every(({ fieldId }) => fieldId !== id))
    const values = [...partition, ...others.map((id) => get(raw, id, '') ?? null)]
    return { partition, partitionKey: isPlain ? '' : `${spec.id}: ${values.map(printValue).join(', ')}` }
  }
}

function printValue(value: unknown): string {
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
