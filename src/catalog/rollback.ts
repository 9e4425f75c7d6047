/** Going back to an earlier snapshot, which is a commit like any other: the history goes on from there. */

import { withCurrent } from './iceberg/history.ts'
import { currentSnapshot, isDropped } from './iceberg/metadata.ts'
import type { Commit, CommitOptions, Head, ManagedTables } from './managed-tables.ts'
import { tableNotFound } from './names.ts'
import { conflict, pickSnapshot } from './pick-snapshot.ts'
import { newUuid, type Sources } from './sources.ts'

/** What going back needs of a catalog. */
interface RollbackContext {
  tables: ManagedTables
  sources: Sources
}

/**
 * Makes a snapshot of the table's history the current one; nothing changes when it is so already.
 *
 * @throws SNAPSHOT_NOT_FOUND for one that is unknown or has expired
 * @throws COMMIT_CONFLICT when the current snapshot is not the one of `seen` any more
 */
export async function rollBack(
  { tables, sources }: RollbackContext,
  name: string,
  seen: Head,
  snapshotId: number,
  options: CommitOptions,
): Promise<Commit> {
  const commitId = options.commitId ?? newUuid(sources)
  const uuid = seen.metadata['table-uuid']
  const head = await tables.update(
    name,
    uuid,
    async ({ metadata }, previousFile) => {
      if (isDropped(metadata)) throw tableNotFound(name, [])
      pickSnapshot(name, metadata, { snapshotId })
      if (currentSnapshot(metadata)?.['snapshot-id'] !== currentSnapshot(seen.metadata)?.['snapshot-id']) {
        throw conflict(name, 'what was to be rolled back is not its current state')
      }
      return withCurrent(metadata, snapshotId, { commitId, nowMs: sources.now(), previousFile })
    },
    options,
  )
  return { snapshotId, metadataLocation: tables.metadataLocation(uuid, head.version) }
}
