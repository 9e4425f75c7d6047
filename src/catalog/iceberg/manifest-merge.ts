/** Merging manifests: a table with many small commits stays quick to read and to add to. Source: Iceberg specification, "Manifest Entry Fields". */
import { readAvro, writeAvro } from './avro.ts'
import { partitionTypes } from './avro-schemas.ts'
import { guardFile, readContext, readManifest } from './manifest.ts'
import { type ManifestFile, summarisePartitions } from './manifest-list.ts'

/** A manifest with its bytes, and its name for errors. */
export interface ManifestSource {
  manifest: ManifestFile
  bytes: Uint8Array
  file: string
}

/** One manifest in place of several, not yet written: `describe` tells what a list says of it. */
export interface MergedManifest {
  /** Paths of the manifests that it stands for. */
  sources: string[]
  bytes: Uint8Array
  describe(path: string, snapshotId: number): Omit<ManifestFile, 'sequenceNumber'>
}

const EXISTING = 0
const DELETED = 2

/**
 * The manifests that small ones are merged into: one for all that share schema and spec, which decide the form of their entries.
 * Each entry keeps the snapshot and the sequence numbers that it came with.
 *
 * @throws TABLE_INVALID naming a damaged manifest
 */
export function mergeManifests(sources: readonly ManifestSource[], sync: Uint8Array): MergedManifest[] {
  const groups = new Map<string, Part[]>()
  for (const source of sources) {
    const part = readPart(source)
    groups.set(part.form, [...(groups.get(part.form) ?? []), part])
  }
  return [...groups.values()].filter((parts) => parts.length > 1).map((parts) => mergeParts(parts, sync))
}

interface Part extends ManifestSource {
  /** Equal for manifests whose entries have the same form. */
  form: string
  metadata: Record<string, string>
  entries: object[]
}

function readPart(source: ManifestSource): Part {
  const { manifest, bytes, file } = source
  return guardFile(file, () => {
    const { metadata, records } = readAvro(bytes)
    const keys = ['avro.schema', 'schema', 'partition-spec', 'partition-spec-id'] as const
    const entries = records
      .filter(({ status }) => status !== DELETED)
      .map(({ snapshot_id, sequence_number, file_sequence_number, ...entry }) => ({
        ...entry,
        status: EXISTING,
        snapshot_id: snapshot_id ?? manifest.addedSnapshotId,
        sequence_number: sequence_number ?? manifest.sequenceNumber,
        file_sequence_number: file_sequence_number ?? manifest.sequenceNumber,
      }))
    return { ...source, form: JSON.stringify(keys.map((key) => metadata[key])), metadata, entries }
  })
}

function mergeParts(parts: readonly Part[], sync: Uint8Array): MergedManifest {
  const { 'avro.schema': avroSchema, 'avro.codec': _, ...metadata } = parts[0]!.metadata
  const records = parts.flatMap(({ entries }) => entries)
  const bytes = writeAvro(JSON.parse(avroSchema!), records, metadata, sync)
  const describe: MergedManifest['describe'] = (path, snapshotId) => {
    const entries = readManifest(bytes, path)
    const { schema, spec } = readContext({ metadata: parts[0]!.metadata, records: [] })
    return {
      path,
      sizeBytes: bytes.length,
      specId: spec.id,
      minSequenceNumber: Math.min(...parts.map(({ manifest }) => manifest.minSequenceNumber)),
      addedSnapshotId: BigInt(snapshotId),
      addedFiles: 0,
      existingFiles: entries.length,
      deletedFiles: 0,
      addedRows: 0,
      existingRows: entries.reduce((sum, { rows }) => sum + rows, 0),
      deletedRows: 0,
      partitions: summarisePartitions(entries, partitionTypes(schema, spec)),
    }
  }
  return { sources: parts.map(({ manifest }) => manifest.path), bytes, describe }
}
