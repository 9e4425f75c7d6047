/** Folders that no name leads to: of first imports that died, of drops that died half way, of tables that were dropped long ago. */
import { isDropped, parseMetadata } from '../catalog/iceberg/metadata.ts'
import { listObjects } from '../catalog/versioned-log.ts'
import { isSkepError } from '../errors.ts'
import {
  floorOf,
  isLive,
  isOld,
  removeObjects,
  removeVersions,
  type Survey,
  surveyFolder,
  type VacuumContext,
} from './context.ts'
import { countByKind, type FolderVacuum } from './report.ts'

const TABLES = 'tables'

/**
 * The folders of tables that no name leads to. Folders are listed before names are read: whoever was at work in one then has its name by
 * then, or has a lease, or has ended.
 */
export async function unnamedFolders(context: VacuumContext): Promise<Survey[]> {
  const { store, run } = context
  const before = await namedFolders(context)
  const found = new Set<string>()
  for await (const { path } of listObjects(store, `${TABLES}/`, run)) {
    const folder = path.split('/').slice(0, 2).join('/')
    if (!before.has(folder)) found.add(folder)
  }
  const surveys: Survey[] = []
  for (const folder of found) surveys.push(await surveyFolder(context, folder))
  const after = found.size === 0 ? before : await namedFolders(context)
  return surveys.filter(({ folder }) => !after.has(folder))
}

async function namedFolders({ names, run }: VacuumContext): Promise<Set<string>> {
  const entries = await names.list(run)
  return new Set(entries.flatMap((entry) => (entry.state === 'managed' ? [`${TABLES}/${entry.uuid}`] : [])))
}

/** Removes what is in such a folder, unless its maker may be at work still; with a table, only when it was meant for that one. */
export async function vacuumFolder(
  context: VacuumContext,
  survey: Survey,
  table: string | undefined,
): Promise<FolderVacuum[]> {
  const meant = [...new Set(survey.leases.flatMap(({ document }) => document?.table ?? []))]
  if (table !== undefined && !meant.some((name) => name.toLowerCase() === table.toLowerCase())) return []
  const found = { folder: survey.folder, ...(meant[0] !== undefined && { table: meant[0] }) }
  if (await isTombstone(context, survey)) {
    const removed = await clearDropped(context, survey)
    return Object.keys(removed).length === 0 ? [] : [{ ...found, why: 'dropped', removed }]
  }
  if (survey.leases.some((lease) => isLive(context, lease))) return []
  const objects = allOf(survey)
  const hasMaker = survey.leases.some(({ document }) => document !== undefined)
  if (!hasMaker && !objects.every(({ modifiedMs }) => isOld(context, modifiedMs))) return []
  if (!context.dryRun && !(await fenceMakers(context, survey))) return []
  return [{ ...found, why: 'unfinished', removed: await removeFolder(context, survey, objects) }]
}

/** Shuts makers that may be slow rather than dead out of the name first; false when one of them has just taken it. */
async function fenceMakers({ names, run }: VacuumContext, { folder, leases }: Survey): Promise<boolean> {
  const uuid = folder.slice(TABLES.length + 1)
  for (const { document } of leases) {
    if (document === undefined) continue
    try {
      if (!(await names.fence(document.table, uuid, run))) return false
    } catch (error) {
      // No writer ever wrote this lease: its table has no possible name.
      if (!isSkepError(error, 'TABLE_NAME_INVALID')) throw error
    }
  }
  return true
}

function allOf({ files, versions, rest, leases }: Survey) {
  return [...files, ...versions, ...rest, ...leases]
}

/** Looks anew: whoever dropped the table meanwhile shut late writers out before the name was free. */
async function isTombstone(context: VacuumContext, { folder }: Survey): Promise<boolean> {
  const newest = (await surveyFolder(context, folder)).versions.at(-1)
  if (newest === undefined) return false
  const bytes = await context.store.read(newest.path, context.run)
  return bytes !== undefined && isDropped(parseMetadata(bytes, newest.path))
}

/** The leases go last: without them nobody would know for whom the rest was. */
async function removeFolder(
  context: VacuumContext,
  survey: Survey,
  objects: readonly { path: string; sizeBytes: number }[],
) {
  if (!context.dryRun) {
    await removeObjects(context, [...survey.files, ...survey.rest])
    await removeVersions(context, survey.versions)
    await removeObjects(context, survey.leases)
    await context.emptied([survey.folder], { below: true })
  }
  return countByKind(survey.folder, objects)
}

/**
 * Removes what is left of a dropped table. The last version of its metadata shuts late writers out, and stays; those before it go when
 * they are old.
 */
export async function clearDropped(context: VacuumContext, survey: Survey) {
  const floor = floorOf(context, survey, survey.versions.at(-1)?.number ?? 0)
  const rest = [...survey.files, ...survey.leases, ...survey.rest]
  const versions = survey.versions.filter(({ number }) => number < floor)
  if (!context.dryRun) {
    await removeObjects(context, rest)
    await removeVersions(context, versions)
    await context.emptied([survey.folder], { below: true })
  }
  return countByKind(survey.folder, [...rest, ...versions])
}
