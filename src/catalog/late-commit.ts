/** Commits that took long: whether what they wrote is part of the history. */
import { SkepError } from '../errors.ts'
import { vacuumsOf } from './iceberg/history.ts'
import {
  COMMIT_ID,
  currentSnapshot,
  isDropped,
  snapshotById,
  snapshotOfCommit,
  type TableMetadata,
} from './iceberg/metadata.ts'
import type { Head } from './managed-tables.ts'
import { tableNotFound } from './names.ts'
import { conflict } from './pick-snapshot.ts'
import { expiredSnapshotOf, type VacuumRecord } from './vacuum-records.ts'

/** A version that was written, and the newest one as it was seen after that. */
interface LateCommit {
  /** Name of the table. */
  name: string
  head: Head
  /** What was written as the version after `head`. */
  next: TableMetadata
  newest: Head
  /** What the vacuums since `head` did. */
  records(): Promise<VacuumRecord[]>
  /** Path of the version that was written. */
  stray: string
}

/**
 * Passes when a version that was written late is part of the history. The newest version always is, since vacuum never removes the
 * newest; so are all that no vacuum had marked for removal when `newest` was written, since it marks before it removes. Of others the
 * ids of commits tell. A version that is not part of it is removed.
 *
 * @throws COMMIT_CONFLICT when it is not; TABLE_NOT_FOUND when the table was dropped; STORE_UNAVAILABLE when nothing tells
 */
export async function requireInHistory(
  { name, head, next, newest, records, stray }: LateCommit,
  remove: (path: string) => Promise<void>,
): Promise<void> {
  const number = head.version + 1
  const { floor, forgotten } = vacuumsOf(newest.metadata)
  if (newest.version === number || (!isDropped(newest.metadata) && floor <= number)) return
  const commitId = commitOf(head, next)
  if (commitId !== undefined && snapshotOfCommit(newest.metadata, commitId)) return
  if (isDropped(newest.metadata)) throw tableNotFound(name, [])
  if (commitId !== undefined && expiredSnapshotOf(await records(), commitId) !== undefined) return
  if (isDropped(next) || (commitId !== undefined && forgotten <= number)) {
    await remove(stray)
    throw conflict(name, 'the commit took so long that the state it follows was removed; run it again')
  }
  const message = `the commit to "${name}" took so long that its place in the history was removed: whether it took effect is not known`
  throw new SkepError('STORE_UNAVAILABLE', message, { path: stray, outcome: 'unknown' })
}

/** The id of the commit that made a snapshot; undefined for a version that has no new one. */
function commitOf(head: Head, next: TableMetadata): string | undefined {
  const snapshot = currentSnapshot(next)
  const isNew = snapshot !== undefined && !snapshotById(head.metadata, snapshot['snapshot-id'])
  return isNew ? snapshot.summary[COMMIT_ID] : undefined
}
