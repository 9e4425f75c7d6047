/** Vacuum of a warehouse on disk: its objects, and the files and folders beside them. */
import { durationTicks, parseDuration } from '../behaviour/duration.ts'
import { systemSources } from '../catalog/sources.ts'
import type { Settings } from '../config.ts'
import { SkepError } from '../errors.ts'
import { EXCHANGE_FOLDER } from '../exchange/disk-exchange.ts'
import type { DiskStore } from '../storage/disk-store.ts'
import { systemProcesses } from '../storage/processes.ts'
import { removeEmptyFolder } from '../storage/temporary.ts'
import { type VacuumResult, vacuum } from './vacuum.ts'
import { vacuumTemporary } from './vacuum-temporary.ts'

/** How a warehouse is cleaned. */
export interface VacuumOptions {
  /** Age of what goes: a duration such as `7d` or `12h`, or milliseconds; `SKEP_VACUUM_AGE_MS` when absent. */
  olderThan?: string | number
  /** Tells what would be removed, and removes nothing. */
  dryRun?: boolean
  /** Ends the call with `CANCELLED`. */
  signal?: AbortSignal
}

/** Removes what nobody needs from a table, or from the whole warehouse. @throws as `vacuum` does; ARGUMENT_INVALID for an age that is none */
export async function vacuumDisk(
  store: DiskStore,
  settings: Settings,
  table: string | undefined,
  { olderThan = settings.vacuumAgeMs, dryRun = false, signal }: VacuumOptions,
): Promise<VacuumResult> {
  const processes = systemProcesses()
  const sources = systemSources()
  const place = {
    store,
    sources,
    processes,
    settings,
    temporary: async (run: { olderThanMs: number; dryRun: boolean }) => {
      // Of processes elsewhere nothing is known but how long ago they wrote.
      const unknownMs = Math.max(run.olderThanMs, settings.leaseGraceMs)
      const options = { processes, nowMs: sources.now(), unknownMs, dryRun: run.dryRun }
      const spilled = await vacuumTemporary(`${store.root}/.tmp`, options)
      const exchanged = await vacuumTemporary(`${store.root}/${EXCHANGE_FOLDER}`, options)
      return { files: spilled.files + exchanged.files, bytes: spilled.bytes + exchanged.bytes }
    },
    emptied: async (folders: readonly string[], options: { below: boolean }) => {
      for (const folder of folders) await removeEmptyFolder(`${store.root}/${folder}`, options)
    },
  }
  return await vacuum(place, table, { olderThanMs: readAge(olderThan), dryRun, ...(signal && { signal }) })
}

const NS_PER_MS = 1_000_000n

function readAge(age: string | number): number {
  const duration = typeof age === 'string' ? parseDuration(age) : undefined
  const ms = duration ? Number(durationTicks(duration, NS_PER_MS, 'up')) : Number(age)
  if (typeof age === 'string' ? duration !== undefined : ms >= 0) return ms
  throw new SkepError('ARGUMENT_INVALID', `olderThan: ${age} is no age; write a duration such as 7d, 12h or 0s`, {
    argument: 'olderThan',
  })
}
