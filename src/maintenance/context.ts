/** What maintenance works with, and how it looks at the folder of a table. */
import type { ManagedTables } from '../catalog/managed-tables.ts'
import type { Names } from '../catalog/names.ts'
import type { Sources } from '../catalog/sources.ts'
import { listObjects, versionOf } from '../catalog/versioned-log.ts'
import { type FoundLease, isAtWork, readLeases, WRITERS } from '../catalog/writers.ts'
import { SETTINGS, type Settings } from '../config.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import type { CallOptions, ObjectInfo, ObjectStore } from '../storage/object-store.ts'
import type { Processes } from '../storage/processes.ts'

/** One vacuum under way. */
export interface VacuumContext {
  store: ObjectStore
  sources: Sources
  processes: Processes
  tables: ManagedTables
  names: Names
  settings: Pick<Settings, 'versionKeepMs' | 'leaseGraceMs' | 'vacuumsKept'>
  /** When it began. */
  nowMs: number
  olderThanMs: number
  dryRun: boolean
  run: CallOptions
  /** Told of the folders from which files were removed, and whether all below is to go: where empty folders stay, it removes them. */
  emptied(folders: readonly string[], options: { below: boolean }): Promise<void>
}

/** What is in the folder of a table. Leases are read last: a writer announces itself before its first file. */
export interface Survey {
  folder: string
  /** Data files, manifests and the like. */
  files: ObjectInfo[]
  /** Versions of the metadata, in their order. */
  versions: (ObjectInfo & { number: number })[]
  /** What else is in the folder, leases apart. */
  rest: ObjectInfo[]
  leases: FoundLease[]
}

const SUFFIX = '.metadata.json'

/** The folder of a table as it is. */
export async function surveyFolder({ store, run }: VacuumContext, folder: string): Promise<Survey> {
  const objects: ObjectInfo[] = []
  for await (const object of listObjects(store, `${folder}/`, run)) objects.push(object)
  return sortObjects(folder, objects, await readLeases(store, folder, run))
}

function sortObjects(folder: string, objects: readonly ObjectInfo[], leases: FoundLease[]): Survey {
  const survey: Survey = { folder, files: [], versions: [], rest: [], leases }
  for (const object of objects) {
    const below = object.path.slice(folder.length + 1)
    const number = below.startsWith('metadata/') ? versionOf(below.slice('metadata/'.length), SUFFIX) : 0
    if (number > 0) survey.versions.push({ ...object, number })
    else if (below === 'metadata/version-hint.text') survey.rest.push(object)
    else if (/^(?:data|metadata)\//.test(below)) survey.files.push(object)
    else if (!below.startsWith(`${WRITERS}/`)) survey.rest.push(object)
  }
  survey.versions.sort((a, b) => a.number - b.number)
  return survey
}

/** Whether a lease's writer may still be at work. */
export function isLive({ processes, nowMs, settings }: VacuumContext, lease: FoundLease): boolean {
  return isAtWork(lease, { processes, nowMs, graceMs: settings.leaseGraceMs })
}

/** Whether what was written then is old enough to be taken for abandoned. */
export function isOld({ nowMs, olderThanMs }: VacuumContext, modifiedMs: number): boolean {
  return nowMs - modifiedMs >= olderThanMs
}

/** Removes objects, in any order. The first failure ends it: what is left is found by the next vacuum. */
export async function removeObjects(
  { store, run }: VacuumContext,
  objects: readonly { path: string }[],
): Promise<void> {
  await mapConcurrent(objects, SETTINGS.storeCalls.default, ({ path }) => store.delete(path, run))
}

/** Removes versions from the lowest up: while one is there, so are all above it, and readers climb from one that they know. */
export async function removeVersions({ store, run }: VacuumContext, versions: Survey['versions']): Promise<void> {
  for (const { path } of versions) await store.delete(path, run)
}

/**
 * The version below which all may go: the first one that is younger than `SKEP_VERSION_KEEP_MS`, or the newest. A vacuum says so in the
 * log before it removes any; a writer that took longer than that for one commit looks there: see `ManagedTables`.
 */
export function floorOf({ nowMs, settings }: VacuumContext, { versions }: Survey, newest: number): number {
  const kept = versions.find(({ modifiedMs }) => nowMs - modifiedMs < settings.versionKeepMs)
  return Math.min(newest, kept?.number ?? newest)
}

/** The folders that these objects are in. */
export function foldersOf(objects: readonly { path: string }[]): string[] {
  return [...new Set(objects.map(({ path }) => path.slice(0, path.lastIndexOf('/'))))]
}
