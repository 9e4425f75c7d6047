/** Manifest lists: the manifests of one snapshot. Source: Iceberg specification, "Manifest Lists". */
import type { DataType } from '../../common/data-type.ts'
import { compareScalars } from '../scalar.ts'
import type { Scalar } from '../types.ts'
import { readAvro, writeAvro } from './avro.ts'
import { MANIFEST_LIST_SCHEMA } from './avro-schemas.ts'
import { guardFile, type ManifestEntry, toCount } from './manifest.ts'
import { lowerBound, upperBound } from './values.ts'

/** What a manifest list says of the values of one partition field. */
interface PartitionSummary {
  containsNull: boolean
  containsNan?: boolean
  lower?: Uint8Array
  upper?: Uint8Array
}

/** One manifest of a snapshot. */
export interface ManifestFile {
  /** As spelled in the list. */
  path: string
  sizeBytes: number
  specId: number
  sequenceNumber: number
  minSequenceNumber: number
  addedSnapshotId: bigint
  addedFiles: number
  existingFiles: number
  deletedFiles: number
  addedRows: number
  existingRows: number
  deletedRows: number
  partitions: PartitionSummary[]
}

/** What a manifest list says of its snapshot. */
interface ListContext {
  snapshotId: number
  parentId: number | null
  sequenceNumber: number
  /** 16 random bytes. */
  sync: Uint8Array
}

/** The bytes of a manifest list. */
export function writeManifestList(manifests: readonly ManifestFile[], context: ListContext): Uint8Array {
  const metadata = {
    'snapshot-id': String(context.snapshotId),
    'parent-snapshot-id': String(context.parentId),
    'sequence-number': String(context.sequenceNumber),
    'format-version': '2',
  }
  return writeAvro(MANIFEST_LIST_SCHEMA, manifests.map(toRecord), metadata, context.sync)
}

function toRecord(manifest: ManifestFile): object {
  return {
    manifest_path: manifest.path,
    manifest_length: manifest.sizeBytes,
    partition_spec_id: manifest.specId,
    content: 0,
    sequence_number: manifest.sequenceNumber,
    min_sequence_number: manifest.minSequenceNumber,
    added_snapshot_id: manifest.addedSnapshotId,
    added_files_count: manifest.addedFiles,
    existing_files_count: manifest.existingFiles,
    deleted_files_count: manifest.deletedFiles,
    added_rows_count: manifest.addedRows,
    existing_rows_count: manifest.existingRows,
    deleted_rows_count: manifest.deletedRows,
    partitions: manifest.partitions.map((p) => ({
      contains_null: p.containsNull,
      contains_nan: p.containsNan ?? null,
      lower_bound: p.lower ? Buffer.from(p.lower) : null,
      upper_bound: p.upper ? Buffer.from(p.upper) : null,
    })),
    key_metadata: null,
  }
}

/** The manifests of a snapshot, in the list's order. @throws TABLE_INVALID naming `file` when it is damaged or lists deletes */
export function readManifestList(bytes: Uint8Array, file: string): ManifestFile[] {
  return guardFile(file, () => readAvro(bytes).records.map(fromRecord))
}

interface RawSummary {
  contains_null: boolean
  contains_nan?: boolean | null
  lower_bound: Uint8Array | null
  upper_bound: Uint8Array | null
}

function fromRecord(raw: Record<string, unknown>): ManifestFile {
  if (raw.content !== 0) throw new Error('a manifest of deletes')
  if (typeof raw.manifest_path !== 'string') throw new Error('a manifest without a path')
  const summaries = (raw.partitions ?? []) as RawSummary[]
  return {
    path: raw.manifest_path as string,
    sizeBytes: toCount(raw.manifest_length),
    specId: raw.partition_spec_id as number,
    sequenceNumber: toCount(raw.sequence_number),
    minSequenceNumber: toCount(raw.min_sequence_number),
    addedSnapshotId: raw.added_snapshot_id as bigint,
    addedFiles: toFileCount(raw.added_files_count),
    existingFiles: toFileCount(raw.existing_files_count),
    deletedFiles: toFileCount(raw.deleted_files_count),
    addedRows: toCount(raw.added_rows_count),
    existingRows: toCount(raw.existing_rows_count),
    deletedRows: toCount(raw.deleted_rows_count),
    partitions: summaries.map(fromSummary),
  }
}

function toFileCount(value: unknown): number {
  if (typeof value !== 'number' || value < 0) throw new Error('a count is missing or below zero')
  return value
}

function fromSummary(raw: RawSummary): PartitionSummary {
  return {
    containsNull: raw.contains_null,
    ...(typeof raw.contains_nan === 'boolean' && { containsNan: raw.contains_nan }),
    ...(raw.lower_bound && { lower: Uint8Array.from(raw.lower_bound) }),
    ...(raw.upper_bound && { upper: Uint8Array.from(raw.upper_bound) }),
  }
}

/** What a manifest list says of these files' partition values, field by field. */
export function summarisePartitions(entries: readonly ManifestEntry[], types: readonly DataType[]): PartitionSummary[] {
  return types.map((type, i) =>
    summarise(
      entries.map((entry) => entry.partition[i] ?? null),
      type,
    ),
  )
}

function summarise(values: readonly (Scalar | null)[], type: DataType): PartitionSummary {
  let lower: Scalar | undefined
  let upper: Scalar | undefined
  for (const value of values) {
    if (value === null || Number.isNaN(value)) continue
    if (lower === undefined || compareScalars(value, lower) < 0) lower = value
    if (upper === undefined || compareScalars(value, upper) > 0) upper = value
  }
  const lowerBytes = lower === undefined ? undefined : lowerBound(lower, type)
  const upperBytes = upper === undefined ? undefined : upperBound(upper, type)
  return {
    containsNull: values.includes(null),
    containsNan: values.some(Number.isNaN),
    ...(lowerBytes && { lower: lowerBytes }),
    ...(upperBytes && { upper: upperBytes }),
  }
}
