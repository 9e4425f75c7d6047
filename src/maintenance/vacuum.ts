/** Vacuum: what nobody needs any more is removed, from one table or from the whole warehouse. */
import { isDropped } from '../catalog/iceberg/metadata.ts'
import { tableFolder } from '../catalog/iceberg/place.ts'
import { ManagedTables } from '../catalog/managed-tables.ts'
import { type NameEntry, Names, tableNotFound } from '../catalog/names.ts'
import type { Sources } from '../catalog/sources.ts'
import { isSkepError, SkepError } from '../errors.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import type { Processes } from '../storage/processes.ts'
import { surveyFolder, type VacuumContext } from './context.ts'
import { type FileCount, type FolderVacuum, type TableVacuum, totalOf, type VacuumResult } from './report.ts'
import { clearDropped, unnamedFolders, vacuumFolder } from './vacuum-folders.ts'
import { vacuumTable } from './vacuum-table.ts'

export type { FileCount, FolderVacuum, Removed, RemovedKind, TableVacuum, VacuumResult } from './report.ts'

/** The warehouse as vacuum sees it. */
export interface VacuumPlace {
  store: ObjectStore
  sources: Sources
  processes: Processes
  settings: VacuumContext['settings'] & { commitRetries: number; slowCommitMs?: number }
  /** Cleans what dead processes left outside the store, and counts it. */
  temporary?(options: { olderThanMs: number; dryRun: boolean }): Promise<FileCount>
  /** Removes folders that are empty now, paths below the store's root; with `below`, with the empty ones in them. */
  emptied?: VacuumContext['emptied']
}

/** How a warehouse is cleaned. */
export interface VacuumRun extends CallOptions {
  olderThanMs: number
  dryRun?: boolean
}

/**
 * Removes what nobody needs: snapshots that were replaced longer ago than `olderThanMs`, files that no snapshot holds, what died half
 * way. Without a table, all tables and folders are cleaned. Files of writers at work stay. Any number may run at once, beside any writers.
 *
 * @throws TABLE_NOT_FOUND when neither a table nor a leftover has the name; TABLE_KIND for a registered one
 * @throws TABLE_INVALID after all else was cleaned, when metadata is damaged; what it is about stays
 * @throws COMMIT_CONFLICT when other writers were faster too often; nothing was removed then
 */
export async function vacuum(place: VacuumPlace, table: string | undefined, run: VacuumRun): Promise<VacuumResult> {
  const context = contextOf(place, run)
  const { olderThanMs, dryRun } = context
  const temporary = (await place.temporary?.({ olderThanMs, dryRun })) ?? { files: 0, bytes: 0 }
  const entries = await entriesOf(context, table)
  const tables: TableVacuum[] = []
  const folders: FolderVacuum[] = []
  const failures: SkepError[] = []
  const attempt = async (work: () => Promise<void>) => {
    await work().catch((error: unknown) => {
      if (!isSkepError(error, 'TABLE_INVALID')) throw error
      failures.push(error)
    })
  }
  for (const entry of entries) {
    await attempt(async () => {
      await vacuumEntry(context, entry, { tables, folders }).catch(async (error: unknown) => {
        if (!(await isGone(context, entry, error))) throw error
      })
    })
  }
  for (const survey of await unnamedFolders(context)) {
    await attempt(async () => {
      folders.push(...(await vacuumFolder(context, survey, table)))
    })
  }
  // What is damaged stays as it is, and is said once the rest is clean.
  if (failures[0]) throw failures[0]
  if (table !== undefined && tables.length + folders.length === 0) {
    throw tableNotFound(
      table,
      (await context.names.list(context.run)).map(({ name }) => name),
    )
  }
  const result = { dryRun, olderThanMs, tables, folders, temporary }
  return { ...result, total: totalOf(result) }
}

function contextOf(place: VacuumPlace, { olderThanMs, dryRun = false, signal }: VacuumRun): VacuumContext {
  const { store, sources, processes, settings, emptied = async () => undefined } = place
  return {
    store,
    sources,
    processes,
    tables: new ManagedTables(store, { sources, ...settings }),
    names: new Names(store, sources),
    settings,
    nowMs: sources.now(),
    olderThanMs,
    dryRun,
    run: signal ? { signal } : {},
    emptied,
  }
}

type ManagedEntry = Extract<NameEntry, { state: 'managed' }>

async function entriesOf({ names, run }: VacuumContext, table: string | undefined): Promise<ManagedEntry[]> {
  if (table === undefined) return (await names.list(run)).filter((entry) => entry.state === 'managed')
  const { entry } = await names.find(table, run)
  if (entry.state === 'registered' || entry.state === 'attached') {
    const kind = entry.state
    const message = `"${entry.name}" is ${kind === 'attached' ? 'an' : 'a'} ${kind} table: its files are not the warehouse's to remove`
    throw new SkepError('TABLE_KIND', message, { table: entry.name, kind })
  }
  return entry.state === 'managed' ? [entry] : []
}

/** Whether what was not found, or not whole, is a table that was dropped meanwhile. */
async function isGone({ names, run }: VacuumContext, { name, uuid }: ManagedEntry, error: unknown): Promise<boolean> {
  if (isSkepError(error, 'TABLE_NOT_FOUND')) return true
  if (!isSkepError(error, 'TABLE_INVALID')) return false
  const { entry } = await names.find(name, run)
  return entry.state !== 'managed' || entry.uuid !== uuid
}

/** A table, or what is left of a drop that died half way. */
async function vacuumEntry(
  context: VacuumContext,
  { name, uuid }: ManagedEntry,
  { tables, folders }: { tables: TableVacuum[]; folders: FolderVacuum[] },
): Promise<void> {
  const folder = tableFolder(uuid)
  const { metadata } = await context.tables.head(uuid, context.run)
  if (!isDropped(metadata)) {
    tables.push(await vacuumTable(context, name, uuid))
    return
  }
  const found = await context.names.find(name, context.run)
  const isStill = found.entry.state === 'managed' && found.entry.uuid === uuid
  // A lost race means that somebody has put a new table under the name.
  if (isStill && !context.dryRun) await context.names.append(name, found.version + 1, { state: 'absent' })
  const removed = await clearDropped(context, await surveyFolder(context, folder))
  folders.push({ folder, table: name, why: 'dropped', removed })
}
