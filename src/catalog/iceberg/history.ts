/** The history that table metadata holds: what has expired in it, going back in it, and the vacuums that cut it. Source: Iceberg specification, "Snapshots" and "Table Metadata". */
import { SkepError } from '../../errors.ts'
import {
  COMMIT_ID,
  currentSnapshot,
  type IcebergSnapshot,
  nextVersion,
  snapshotById,
  type TableMetadata,
} from './metadata.ts'

const VACUUMS = 'skep.vacuums'

/** One vacuum: a version of the log of which an object says what it condemned. */
export interface VacuumEntry {
  version: number
  /** Below the folder of the table. */
  file: string
  timeMs: number
}

/** The vacuums that metadata remembers, and what they did to its own versions. */
export interface Vacuums {
  /** Oldest first. */
  kept: VacuumEntry[]
  /** The newest version of which the vacuum was forgotten; 0 for none. */
  forgotten: number
  /** All versions below this one are gone, or will be: vacuum says so before it removes the first. */
  floor: number
}

/** The vacuums in metadata. @throws TABLE_INVALID when their list is damaged */
export function vacuumsOf(metadata: TableMetadata): Vacuums {
  const text = metadata.properties?.[VACUUMS]
  if (text === undefined) return { kept: [], forgotten: 0, floor: 0 }
  const vacuums = parseVacuums(text)
  if (vacuums) return vacuums
  const file = `${metadata.location}/metadata`
  throw new SkepError('TABLE_INVALID', `${file}: the property ${VACUUMS} is damaged`, { file })
}

function parseVacuums(text: string): Vacuums | undefined {
  try {
    const { kept, forgotten, floor } = JSON.parse(text) as Vacuums
    const isEntry = ({ version, file, timeMs }: VacuumEntry) =>
      Number.isSafeInteger(version) && Number.isFinite(timeMs) && /^metadata\/[\w.-]+$/.test(file)
    return [forgotten, floor].every(Number.isSafeInteger) && kept.every(isEntry)
      ? { kept, forgotten, floor }
      : undefined
  } catch {
    return undefined
  }
}

/**
 * The snapshots that nobody reads any more: neither current nor named by a reference, and not current at any time since `cutoffMs`.
 * What counts is when a snapshot was followed by another, so that a reader who has just loaded an old one is not left without it.
 */
export function expiredSnapshots(metadata: TableMetadata, cutoffMs: number): IcebergSnapshot[] {
  const refs = Object.values(metadata.refs ?? {}).map((ref) => ref['snapshot-id'])
  const kept = new Set([metadata['current-snapshot-id'], ...refs])
  const log = metadata['snapshot-log'] ?? []
  const left = new Map<number, number>()
  for (const [k, entry] of log.entries()) {
    left.set(entry['snapshot-id'], log[k + 1]?.['timestamp-ms'] ?? Number.POSITIVE_INFINITY)
  }
  return (metadata.snapshots ?? []).filter((snapshot) => {
    const id = snapshot['snapshot-id']
    return !kept.has(id) && (left.get(id) ?? snapshot['timestamp-ms']) <= cutoffMs
  })
}

/** Metadata without these snapshots. What the log says from before the last of them goes too, as it would have gaps. */
export function withoutSnapshots(metadata: TableMetadata, expired: readonly IcebergSnapshot[]): TableMetadata {
  if (expired.length === 0) return metadata
  const ids = new Set(expired.map((snapshot) => snapshot['snapshot-id']))
  const log = metadata['snapshot-log'] ?? []
  const last = log.findLastIndex((entry) => ids.has(entry['snapshot-id']))
  return {
    ...metadata,
    snapshots: (metadata.snapshots ?? []).filter((snapshot) => !ids.has(snapshot['snapshot-id'])),
    'snapshot-log': log.slice(last + 1),
  }
}

/** How long, and how many, vacuums are remembered. */
interface Memory {
  nowMs: number
  keepMs: number
  keepMost: number
}

/** The vacuums to remember once there is one more, and the files of those that are then forgotten. */
export function rememberVacuum(
  metadata: TableMetadata,
  entry: VacuumEntry,
  { nowMs, keepMs, keepMost }: Memory,
): { vacuums: Vacuums; forgottenFiles: string[] } {
  const { kept, forgotten, floor } = vacuumsOf(metadata)
  const young = kept.filter((earlier) => nowMs - earlier.timeMs < keepMs)
  const remembered = [...young, entry].slice(-keepMost)
  const dropped = kept.filter((earlier) => !remembered.includes(earlier))
  const forgottenNow = Math.max(forgotten, ...dropped.map(({ version }) => version))
  const vacuums = { kept: remembered, forgotten: forgottenNow, floor }
  return { vacuums, forgottenFiles: dropped.map(({ file }) => file) }
}

/** The version of a vacuum: `metadata` without what has expired, and with the vacuums to remember. */
export function withVacuum(
  metadata: TableMetadata,
  vacuums: Vacuums,
  step: { commitId: string; nowMs: number; previousFile: string },
): TableMetadata {
  const next = nextVersion(metadata, step.nowMs, step.previousFile)
  const properties = { ...metadata.properties, [VACUUMS]: JSON.stringify(vacuums), [COMMIT_ID]: step.commitId }
  const log = (next['metadata-log'] ?? []).filter((entry) => versionIn(entry['metadata-file']) >= vacuums.floor)
  return { ...next, 'metadata-log': log, properties }
}

/** The version that a path in the log of versions names; a path of another form stays in the log. */
function versionIn(path: string): number {
  return Number(/\/v(\d+)\.metadata\.json$/.exec(path)?.[1] ?? Number.POSITIVE_INFINITY)
}

/** Metadata in which an earlier snapshot is current again; undefined when it is so already. `snapshotId` has to be in the history. */
export function withCurrent(
  metadata: TableMetadata,
  snapshotId: number,
  step: { commitId: string; nowMs: number; previousFile: string },
): TableMetadata | undefined {
  if (currentSnapshot(metadata) === snapshotById(metadata, snapshotId)) return undefined
  const next = nextVersion(metadata, step.nowMs, step.previousFile)
  const logged = { 'snapshot-id': snapshotId, 'timestamp-ms': next['last-updated-ms'] }
  return {
    ...next,
    'current-snapshot-id': snapshotId,
    'snapshot-log': [...(metadata['snapshot-log'] ?? []), logged],
    refs: { ...metadata.refs, main: { 'snapshot-id': snapshotId, type: 'branch' } },
    properties: { ...metadata.properties, [COMMIT_ID]: step.commitId },
  }
}
