/** What vacuums condemned, one object for each; writers look themselves up in them before they commit. */
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import { BoundedCache } from './bounded-cache.ts'
import { type VacuumEntry, vacuumsOf } from './iceberg/history.ts'
import type { TableMetadata } from './iceberg/metadata.ts'

/** What one vacuum did. */
export interface VacuumRecord {
  /** Paths below the folder of the table that no later version may name. */
  paths: string[]
  /** The snapshots that left the history, with the ids of the commits that had made them. */
  expired: { snapshotId: number; commitId?: string }[]
}

/** Reads the records of vacuums, and remembers them: they never change. */
export class VacuumRecords {
  readonly #store: ObjectStore
  readonly #records = new BoundedCache<VacuumRecord>(SETTINGS.cachedRemovals.default)

  constructor(store: ObjectStore) {
    this.#store = store
  }

  /** What the vacuums after a version of the table's log did, those that its newest metadata knows. @throws TABLE_INVALID */
  async since(
    folder: string,
    metadata: TableMetadata,
    version: number,
    options: CallOptions = {},
  ): Promise<VacuumRecord[]> {
    const newer = vacuumsOf(metadata).kept.filter((entry) => entry.version > version)
    return await mapConcurrent(newer, SETTINGS.storeCalls.default, (entry) => this.#read(folder, entry, options))
  }

  async #read(folder: string, { file }: VacuumEntry, options: CallOptions): Promise<VacuumRecord> {
    const path = `${folder}/${file}`
    const known = this.#records.get(path)
    if (known) return known
    const bytes = await this.#store.read(path, options)
    if (bytes === undefined) throw new SkepError('TABLE_INVALID', `${path} is missing`, { file: path })
    const record = parseRecord(bytes)
    if (record === undefined) throw new SkepError('TABLE_INVALID', `${path} is damaged`, { file: path })
    this.#records.set(path, record, record.paths.length + record.expired.length + 1)
    return record
  }
}

/** The snapshot that a commit made, when it is one of those that have expired. */
export function expiredSnapshotOf(records: readonly VacuumRecord[], commitId: string): number | undefined {
  return records.flatMap((record) => record.expired).find((snapshot) => snapshot.commitId === commitId)?.snapshotId
}

/** Whether vacuums condemned a file of a table, given as the engine opens it or by its path below the store's root. */
export function condemnedIn(
  records: readonly VacuumRecord[],
  { root, folder }: { root: string; folder: string },
): (path: string) => boolean {
  const condemned = new Set(records.flatMap(({ paths }) => paths.map((path) => `${folder}/${path}`)))
  return (path) => condemned.has(path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path)
}

/** The bytes of a record. */
export function printRecord(record: VacuumRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record))
}

function parseRecord(bytes: Uint8Array): VacuumRecord | undefined {
  try {
    const { paths, expired } = JSON.parse(new TextDecoder().decode(bytes)) as VacuumRecord
    const isRecord =
      paths.every((path) => typeof path === 'string') &&
      expired.every(({ snapshotId }) => Number.isSafeInteger(snapshotId))
    return isRecord ? { paths, expired } : undefined
  } catch {
    return undefined
  }
}
