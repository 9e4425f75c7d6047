/**
 * Vacuum of one table. It is itself a commit in the table's log, which names what it condemns, and only then removes: a writer whose
 * commit follows looks itself up there, one whose commit came first is seen. Leases and ages decide what is condemned, never what is safe.
 */

import {
  expiredSnapshots,
  rememberVacuum,
  vacuumsOf,
  withoutSnapshots,
  withVacuum,
} from '../catalog/iceberg/history.ts'
import { COMMIT_ID, type IcebergSnapshot, isDropped, type TableMetadata } from '../catalog/iceberg/metadata.ts'
import { tableFolder } from '../catalog/iceberg/place.ts'
import type { Head } from '../catalog/managed-tables.ts'
import { tableNotFound } from '../catalog/names.ts'
import { newUuid } from '../catalog/sources.ts'
import { condemnedIn, printRecord } from '../catalog/vacuum-records.ts'
import { isSkepError } from '../errors.ts'
import type { ObjectInfo } from '../storage/object-store.ts'
import {
  floorOf,
  foldersOf,
  isLive,
  isOld,
  removeObjects,
  removeVersions,
  type Survey,
  surveyFolder,
  type VacuumContext,
} from './context.ts'
import { countAll, countByKind, type TableVacuum } from './report.ts'

/** What is to be done upon one state of the table. */
interface Plan {
  expired: IcebergSnapshot[]
  /** Metadata without what has expired. */
  kept: TableMetadata
  condemned: ObjectInfo[]
  /** Condemned by an earlier vacuum that died before it had removed all. */
  overdue: ObjectInfo[]
  spared: ObjectInfo[]
  /** Versions of the metadata below this one go. */
  floor: number
}

/** Cuts the history of a table, and removes what nobody needs. @throws COMMIT_CONFLICT, TABLE_INVALID; STORE_UNAVAILABLE, with nothing removed that a table needs */
export async function vacuumTable(context: VacuumContext, table: string, uuid: string): Promise<TableVacuum> {
  const survey = await surveyFolder(context, tableFolder(uuid))
  const { plan, head } = context.dryRun
    ? await planOnly(context, survey, uuid)
    : await commitPlan(context, table, survey, uuid)
  const removed = [...plan.condemned, ...plan.overdue]
  const leases = survey.leases.filter(
    (lease) => !isLive(context, lease) && (lease.document !== undefined || isOld(context, lease.modifiedMs)),
  )
  const { floor } = context.dryRun ? plan : vacuumsOf(head.metadata)
  const versions = survey.versions.filter(({ number }) => number < floor)
  if (!context.dryRun) {
    await removeObjects(context, removed)
    await removeObjects(context, leases)
    await removeVersions(context, versions)
    const own = ['data', 'metadata'].map((part) => `${survey.folder}/${part}`)
    const folders = foldersOf(removed).filter((folder) => !own.includes(folder))
    await context.emptied(folders, { below: false })
  }
  return {
    table,
    snapshots: plan.expired.length,
    removed: countByKind(survey.folder, [...removed, ...leases, ...versions]),
    spared: countAll(plan.spared),
  }
}

async function planOnly(context: VacuumContext, survey: Survey, uuid: string): Promise<{ plan: Plan; head: Head }> {
  const head = await context.tables.head(uuid, context.run)
  return { plan: await makePlan(context, survey, head), head }
}

async function commitPlan(
  context: VacuumContext,
  table: string,
  survey: Survey,
  uuid: string,
): Promise<{ plan: Plan; head: Head }> {
  const { store, sources, tables } = context
  const commitId = newUuid(sources)
  const records: string[] = []
  let plan: Plan | undefined
  const make = async (head: Head, previousFile: string) => {
    const { version, metadata } = head
    if (isDropped(metadata)) throw tableNotFound(table, [])
    plan = await makePlan(context, survey, head)
    const { floor } = plan
    const nowMs = sources.now()
    if (!hasWork(plan)) {
      const earlier = vacuumsOf(metadata)
      if (floor === earlier.floor) return undefined
      return withVacuum(metadata, { ...earlier, floor }, { commitId, nowMs, previousFile })
    }
    const file = `metadata/vacuum-${newUuid(sources)}.json`
    const entry = { version: version + 1, file, timeMs: nowMs }
    const { versionKeepMs: keepMs, vacuumsKept: keepMost } = context.settings
    const { vacuums, forgottenFiles } = rememberVacuum(metadata, entry, { nowMs, keepMs, keepMost })
    const forgotten = new Set(forgottenFiles.map((path) => `${survey.folder}/${path}`))
    plan.condemned.push(...survey.files.filter(({ path }) => forgotten.has(path)))
    records.push(`${survey.folder}/${file}`)
    await store.put(records.at(-1)!, printRecord(recordOf(survey.folder, plan)))
    return withVacuum(plan.kept, { ...vacuums, floor }, { commitId, nowMs, previousFile })
  }
  const head = await tables.update(table, uuid, make, context.run).catch(async (error: unknown) => {
    if (!isSkepError(error, 'STORE_UNAVAILABLE')) await tables.removeAll(records)
    throw error
  })
  // Records of attempts that lost a race.
  const text = JSON.stringify(head.metadata.properties)
  await tables.removeAll(records.filter((record) => !text.includes(record.slice(survey.folder.length + 1))))
  return { plan: plan!, head }
}

function recordOf(folder: string, { condemned, expired }: Plan) {
  return {
    paths: condemned.map(({ path }) => path.slice(folder.length + 1)),
    expired: expired.map((snapshot) => {
      const commitId = snapshot.summary[COMMIT_ID]
      return { snapshotId: snapshot['snapshot-id'], ...(commitId !== undefined && { commitId }) }
    }),
  }
}

async function makePlan(context: VacuumContext, survey: Survey, { version, metadata }: Head): Promise<Plan> {
  const { tables, store, run, nowMs, olderThanMs } = context
  const expired = expiredSnapshots(metadata, nowMs - olderThanMs)
  const kept = withoutSnapshots(metadata, expired)
  const live = await tables.pathsOf(metadata, kept.snapshots ?? [], run)
  const named = namesIn(kept)
  const needless = await pathsOfExpired(context, metadata, expired)
  const isOverdue = condemnedIn(await tables.vacuumRecords(metadata, run), { root: store.root, folder: survey.folder })
  const { floor } = vacuumsOf(metadata)
  const plan: Plan = { expired, kept, condemned: [], overdue: [], spared: [], floor }
  for (const file of survey.files) {
    if (live.has(file.path) || named.has(file.path.split('/').at(-1)!)) continue
    if (isOverdue(file.path)) plan.overdue.push(file)
    else if (needless.has(file.path) || isAbandoned(context, survey, file)) plan.condemned.push(file)
    else plan.spared.push(file)
  }
  const higher = floorOf(context, survey, hasWork(plan) ? version + 1 : version)
  const old = survey.versions.filter(({ number }) => number >= floor && number < higher)
  // A commit for nothing else has to take away more than it adds.
  return old.length > (hasWork(plan) ? 0 : 1) ? { ...plan, floor: higher } : plan
}

function hasWork({ expired, condemned }: Plan): boolean {
  return expired.length + condemned.length > 0
}

/** Of a writer that has a lease its life decides, of other files their age. */
function isAbandoned(context: VacuumContext, { leases }: Survey, { path, modifiedMs }: ObjectInfo): boolean {
  const lease = leases.find(({ document }) => document && path.includes(document.id))
  return lease ? !isLive(context, lease) : isOld(context, modifiedMs)
}

/** What snapshots that have expired consist of; of a damaged one nothing is known, and its files go by their age. */
async function pathsOfExpired(
  { tables, run }: VacuumContext,
  metadata: TableMetadata,
  expired: readonly IcebergSnapshot[],
): Promise<Set<string>> {
  const paths = new Set<string>()
  for (const snapshot of expired) {
    const own = await tables.pathsOf(metadata, [snapshot], run).catch((error: unknown) => {
      if (isSkepError(error, 'TABLE_INVALID')) return []
      throw error
    })
    for (const path of own) paths.add(path)
  }
  return paths
}

/** Every file name that metadata spells anywhere: what it names is needed, also where nothing here knows what for. */
function namesIn(metadata: TableMetadata): Set<string> {
  return new Set(JSON.stringify(metadata).match(/[\w.=-]+/g))
}
