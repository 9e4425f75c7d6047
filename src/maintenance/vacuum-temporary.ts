/** What dead processes left on its way: spilled rows, rows between tasks, files that were not yet in their places. */
import { lstat, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { livenessOfName, type Processes } from '../storage/processes.ts'
import type { FileCount } from './report.ts'

/** How a folder of temporary files is cleaned. */
interface TemporaryOptions {
  processes: Processes
  nowMs: number
  /** Age from which entries go whose process cannot be looked at. */
  unknownMs: number
  dryRun: boolean
}

/** Removes what dead processes left in a folder of temporary files, and counts it. A folder that does not exist has nothing. */
export async function vacuumTemporary(folder: string, options: TemporaryOptions): Promise<FileCount> {
  const { processes, nowMs, unknownMs, dryRun } = options
  const count: FileCount = { files: 0, bytes: 0 }
  for (const name of await namesIn(folder)) {
    const liveness = livenessOfName(name, processes)
    if (liveness === 'alive') continue
    const found = await measure(join(folder, name))
    if (liveness === 'unknown' && nowMs - found.modifiedMs < unknownMs) continue
    if (!dryRun) await rm(join(folder, name), { recursive: true, force: true })
    count.files += found.files
    count.bytes += found.bytes
  }
  return count
}

/** The files at and below a path, and when the newest of all was changed. What vanishes meanwhile counts as nothing. */
async function measure(path: string): Promise<FileCount & { modifiedMs: number }> {
  try {
    const found = await lstat(path)
    if (!found.isDirectory()) return { files: 1, bytes: found.size, modifiedMs: found.mtimeMs }
    const sum = { files: 0, bytes: 0, modifiedMs: found.mtimeMs }
    for (const name of await namesIn(path)) {
      const part = await measure(join(path, name))
      sum.files += part.files
      sum.bytes += part.bytes
      sum.modifiedMs = Math.max(sum.modifiedMs, part.modifiedMs)
    }
    return sum
  } catch (error) {
    if (isMissing(error)) return { files: 0, bytes: 0, modifiedMs: 0 }
    throw error
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}
