/** What a vacuum did, or would do. */
import type { ObjectInfo } from '../storage/object-store.ts'

/** What there is to remove, by what it is. */
export type RemovedKind =
  | 'dataFiles'
  | 'manifests'
  | 'manifestLists'
  | 'ledgers'
  | 'metadataVersions'
  | 'leases'
  | 'other'

/** A number of files and their size. */
export interface FileCount {
  files: number
  bytes: number
}

/** What was removed, by what it was; absent is none. */
export type Removed = Partial<Record<RemovedKind, FileCount>>

/** What a vacuum did to one table. */
export interface TableVacuum {
  table: string
  /** Snapshots that left the history. */
  snapshots: number
  removed: Removed
  /** Files that no snapshot holds, of writers at work or too young to be taken for abandoned. */
  spared: FileCount
}

/** What a vacuum did to a folder that no name leads to. */
export interface FolderVacuum {
  /** Path below the warehouse. */
  folder: string
  /** The table that was to be made there, where that is known. */
  table?: string
  why: 'unfinished' | 'dropped'
  removed: Removed
}

/** What a vacuum did; with `dryRun`, what it would do. */
export interface VacuumResult {
  dryRun: boolean
  olderThanMs: number
  tables: TableVacuum[]
  folders: FolderVacuum[]
  /** Files of dead processes on their way. */
  temporary: FileCount
  total: FileCount & { snapshots: number }
}

const KINDS: readonly (readonly [RegExp, RemovedKind])[] = [
  [/^data\//, 'dataFiles'],
  [/^writers\//, 'leases'],
  [/^metadata\/v\d+\.metadata\.json$/, 'metadataVersions'],
  [/^metadata\/snap-[^/]*\.avro$/, 'manifestLists'],
  [/^metadata\/ledger[^/]*$/, 'ledgers'],
  [/^metadata\/[^/]*\.avro$/, 'manifests'],
]

/** Objects in the folder of a table, counted by what they are. */
export function countByKind(folder: string, objects: readonly Pick<ObjectInfo, 'path' | 'sizeBytes'>[]): Removed {
  const counts: Removed = {}
  for (const { path, sizeBytes } of objects) {
    const below = path.slice(folder.length + 1)
    const kind = KINDS.find(([pattern]) => pattern.test(below))?.[1] ?? 'other'
    counts[kind] = add(counts[kind] ?? NONE, { files: 1, bytes: sizeBytes })
  }
  return counts
}

/** Objects, counted. */
export function countAll(objects: readonly Pick<ObjectInfo, 'sizeBytes'>[]): FileCount {
  return objects.reduce((sum, { sizeBytes }) => add(sum, { files: 1, bytes: sizeBytes }), NONE)
}

/** The sums of a vacuum. */
export function totalOf({ tables, folders, temporary }: Omit<VacuumResult, 'total'>): VacuumResult['total'] {
  const counts = [...tables, ...folders].flatMap(({ removed }) => Object.values(removed))
  const snapshots = tables.reduce((sum, table) => sum + table.snapshots, 0)
  return { snapshots, ...[...counts, temporary].reduce(add, NONE) }
}

const NONE: FileCount = { files: 0, bytes: 0 }

function add(a: FileCount, b: FileCount): FileCount {
  return { files: a.files + b.files, bytes: a.bytes + b.bytes }
}
