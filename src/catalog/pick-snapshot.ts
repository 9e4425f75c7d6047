/** Finding the state of a table that is meant, and what is said when there is none or it has changed. */
import { SkepError } from '../errors.ts'
import { schemaIdAt } from './iceberg/evolution.ts'
import {
  currentSnapshot,
  type IcebergSnapshot,
  snapshotAtTime,
  snapshotById,
  type TableMetadata,
} from './iceberg/metadata.ts'
import type { SnapshotId } from './types.ts'

/** Which state of a table is meant: a snapshot, or the one that was current at a time (milliseconds since 1970). */
export type At = { snapshotId: SnapshotId } | { timeMs: number }

/** The error of a change that cannot be combined with another one. */
export function conflict(table: string, why: string): SkepError {
  return new SkepError('COMMIT_CONFLICT', `the table "${table}" was changed meanwhile: ${why}`, { table })
}

/** The snapshot of that id, or that was current at that time. @throws SNAPSHOT_NOT_FOUND */
export function pickSnapshot(table: string, metadata: TableMetadata, at: At | undefined): IcebergSnapshot | undefined {
  if (at === undefined) return currentSnapshot(metadata)
  const isId = 'snapshotId' in at
  const found = isId ? snapshotById(metadata, Number(at.snapshotId)) : snapshotAtTime(metadata, at.timeMs)
  if (found) return found
  const text = isId ? String(at.snapshotId) : printTime(at.timeMs)
  const message = isId ? `has no snapshot ${text}` : `has no snapshot of ${text}: there was none yet, or it has expired`
  throw new SkepError('SNAPSHOT_NOT_FOUND', `the table "${table}" ${message}`, { table, at: text })
}

function printTime(timeMs: number): string {
  const time = new Date(timeMs)
  return Number.isNaN(time.getTime()) ? String(timeMs) : time.toISOString()
}

/** The id of the schema that is meant: the one that counts now, in the past the one that counted then, of a snapshot its own. */
export function pickSchemaId(
  metadata: TableMetadata,
  snapshot: IcebergSnapshot | undefined,
  at: At | undefined,
): number | undefined {
  if (at === undefined) return undefined
  return ('timeMs' in at ? schemaIdAt(metadata, at.timeMs) : undefined) ?? snapshot?.['schema-id']
}
