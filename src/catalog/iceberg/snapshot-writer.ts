/** Writing what a new snapshot consists of: its manifest, its manifest list and its entry in the metadata. */
import { SETTINGS } from '../../config.ts'
import { mapConcurrent } from '../../storage/concurrent.ts'
import type { ObjectStore } from '../../storage/object-store.ts'
import { sealedName } from '../seal.ts'
import { newBytes, newUuid, type Sources } from '../sources.ts'
import type { DataFile, PartitionSpec, Schema } from '../types.ts'
import { partitionTypes } from './avro-schemas.ts'
import { type ManifestEntry, writeManifest } from './manifest.ts'
import { type ManifestFile, summarisePartitions, writeManifestList } from './manifest-list.ts'
import { type ManifestSource, mergeManifests } from './manifest-merge.ts'
import {
  actorSortOrders,
  COMMIT_ID,
  currentSnapshot,
  type IcebergSnapshot,
  schemaOf,
  specsOf,
  type TableMetadata,
} from './metadata.ts'
import { type TablePlace, toMetadataPath } from './place.ts'

/** What one commit adds, whatever state it is put upon. */
export interface Addition {
  snapshotId: number
  commitId: string
  operation: 'append' | 'overwrite'
  files: readonly DataFile[]
  summary: Record<string, string>
  /** The id of the writer whose lease covers the files, as their names say. */
  writerId?: string
}

/** A manifest that was written but belongs to no snapshot yet. */
export interface WrittenManifest {
  /** Below the store's root. */
  storePath: string
  manifest: Omit<ManifestFile, 'sequenceNumber' | 'minSequenceNumber'>
}

/** Writes the manifest of the files that a commit adds; it is the same whichever snapshot it follows. Undefined for no files. */
export async function writeAddedFiles(
  store: ObjectStore,
  sources: Sources,
  place: TablePlace,
  metadata: TableMetadata,
  addition: Addition,
): Promise<WrittenManifest | undefined> {
  if (addition.files.length === 0) return undefined
  const schema = schemaOf(metadata)
  const spec = specsOf(metadata).get(metadata['default-spec-id'])!
  const entries = toEntries(addition.files, place, metadata, spec)
  const { snapshotId } = addition
  const bytes = writeManifest(entries, { schema, spec, snapshotId, sync: newBytes(sources, 16) })
  const storePath = sealedName(`${place.folder}/metadata/m-${writerPart(addition.writerId)}${newUuid(sources)}`, bytes)
  await store.put(storePath, bytes)
  const path = toMetadataPath(place, storePath)
  return { storePath, manifest: describe(entries, { schema, spec, snapshotId, path, sizeBytes: bytes.length }) }
}

function toEntries(
  files: readonly DataFile[],
  place: TablePlace,
  metadata: TableMetadata,
  spec: PartitionSpec,
): ManifestEntry[] {
  const order = metadata['default-sort-order-id']
  const sortOrderId = actorSortOrders(metadata).has(order) ? order : 0
  return files.map(({ sorted, ...file }) => {
    if (file.partition.length !== spec.fields.length) throw new RangeError('a partition value is missing or too many')
    return { ...file, path: toMetadataPath(place, file.path), sortOrderId: sorted ? sortOrderId : 0 }
  })
}

function describe(
  entries: readonly ManifestEntry[],
  of: { schema: Schema; spec: PartitionSpec; snapshotId: number; path: string; sizeBytes: number },
): WrittenManifest['manifest'] {
  return {
    path: of.path,
    sizeBytes: of.sizeBytes,
    specId: of.spec.id,
    addedSnapshotId: BigInt(of.snapshotId),
    addedFiles: entries.length,
    existingFiles: 0,
    deletedFiles: 0,
    addedRows: sum(entries, (entry) => entry.rows),
    existingRows: 0,
    deletedRows: 0,
    partitions: summarisePartitions(entries, partitionTypes(of.schema, of.spec)),
  }
}

/** A manifest that stands for others, and where it was written. */
export interface WrittenMerge {
  sources: string[]
  written: WrittenManifest
  minSequenceNumber: number
}

/** The part of a name that puts what is written under the lease of its writer. */
function writerPart(writerId: string | undefined): string {
  return writerId === undefined ? '' : `${writerId}-`
}

/** Writes the manifests that small ones are merged into. */
export async function writeMerges(
  store: ObjectStore,
  sources: Sources,
  place: TablePlace,
  small: readonly ManifestSource[],
  { snapshotId, writerId }: Addition,
): Promise<WrittenMerge[]> {
  const merges = mergeManifests(small, newBytes(sources, 16))
  return await mapConcurrent(merges, SETTINGS.manifestWrites.default, async (merged) => {
    const storePath = sealedName(`${place.folder}/metadata/m-${writerPart(writerId)}${newUuid(sources)}`, merged.bytes)
    await store.put(storePath, merged.bytes)
    const { minSequenceNumber, ...manifest } = merged.describe(toMetadataPath(place, storePath), snapshotId)
    return { sources: merged.sources, written: { storePath, manifest }, minSequenceNumber }
  })
}

/** Writes the manifest list that puts an addition upon a state of the table; returns the snapshot and the list's path below the root. */
export async function writeSnapshot(
  store: ObjectStore,
  sources: Sources,
  place: TablePlace,
  base: { metadata: TableMetadata; manifests: readonly ManifestFile[]; merges?: readonly WrittenMerge[] },
  addition: Addition,
  added: WrittenManifest | undefined,
): Promise<{ snapshot: IcebergSnapshot; listPath: string }> {
  const { metadata } = base
  const parent = currentSnapshot(metadata)
  const sequenceNumber = metadata['last-sequence-number'] + 1
  const kept = addition.operation === 'append' ? replaceMerged(base.manifests, base.merges ?? [], sequenceNumber) : []
  const own = added ? [{ ...added.manifest, sequenceNumber, minSequenceNumber: sequenceNumber }] : []
  const { snapshotId } = addition
  const parentId = parent?.['snapshot-id'] ?? null
  const context = { snapshotId, parentId, sequenceNumber, sync: newBytes(sources, 16) }
  const bytes = writeManifestList([...own, ...kept], context)
  const name = `snap-${snapshotId}-${writerPart(addition.writerId)}${newUuid(sources)}`
  const listPath = sealedName(`${place.folder}/metadata/${name}`, bytes)
  await store.put(listPath, bytes)
  const snapshot: IcebergSnapshot = {
    'snapshot-id': snapshotId,
    ...(parentId !== null && { 'parent-snapshot-id': parentId }),
    'sequence-number': sequenceNumber,
    // The order of the log is the order of time, also when clocks disagree.
    'timestamp-ms': Math.max(sources.now(), metadata['last-updated-ms']),
    'manifest-list': toMetadataPath(place, listPath),
    summary: summaryOf(addition, parent),
    'schema-id': metadata['current-schema-id'],
  }
  return { snapshot, listPath }
}

function replaceMerged(
  manifests: readonly ManifestFile[],
  merges: readonly WrittenMerge[],
  sequenceNumber: number,
): ManifestFile[] {
  const gone = new Set(merges.flatMap(({ sources }) => sources))
  const merged = merges.map(({ written: { manifest }, minSequenceNumber }) => ({
    ...manifest,
    sequenceNumber,
    minSequenceNumber,
  }))
  return [...merged, ...manifests.filter(({ path }) => !gone.has(path))]
}

function summaryOf(addition: Addition, parent: IcebergSnapshot | undefined): IcebergSnapshot['summary'] {
  const { files, operation } = addition
  const before = (total: string) => Number(parent?.summary[total] ?? 0)
  const isAppend = operation === 'append'
  const added = { files: files.length, rows: sum(files, (f) => f.rows), bytes: sum(files, (f) => f.sizeBytes) }
  const total = (name: string, value: number) => String((isAppend ? before(name) : 0) + value)
  const removed = {
    'deleted-data-files': String(before('total-data-files')),
    'deleted-records': String(before('total-records')),
    'removed-files-size': String(before('total-files-size')),
  }
  return {
    ...addition.summary,
    operation,
    'added-data-files': String(added.files),
    'added-records': String(added.rows),
    'added-files-size': String(added.bytes),
    ...(!isAppend && removed),
    'changed-partition-count': String(new Set(files.map(partitionKey)).size),
    'total-data-files': total('total-data-files', added.files),
    'total-records': total('total-records', added.rows),
    'total-files-size': total('total-files-size', added.bytes),
    'total-delete-files': '0',
    'total-position-deletes': '0',
    'total-equality-deletes': '0',
    [COMMIT_ID]: addition.commitId,
  }
}

function partitionKey(file: DataFile): string {
  return JSON.stringify(file.partition, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
}

function sum<T>(items: readonly T[], pick: (item: T) => number): number {
  return items.reduce((total, item) => total + pick(item), 0)
}
