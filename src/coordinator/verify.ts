/** Holds everything that a table consists of against its checksums. */

import type { Survey } from '../catalog/iceberg/snapshot-reader.ts'
import { SETTINGS } from '../config.ts'
import { mapConcurrent } from '../storage/concurrent.ts'
import { type FileChecker, isSealed } from '../storage/sealed-file.ts'
import { damagedFiles } from '../worker/whole-files.ts'

/** A file that is not as it was written. */
export interface Damage {
  file: string
  /** What is wrong with it and what can be done. */
  message: string
}

/** What a verification read and found. */
export interface Verification {
  table: string
  snapshots: number
  manifests: number
  /** Data files of all snapshots, and their size. */
  files: number
  bytes: number
  /** Data files of other writers, which have no checksum: only their size was looked at. */
  withoutChecksum: number
  damaged: Damage[]
}

/** Reads every data file of a survey against its checksum. */
export async function verifySurvey(
  table: string,
  { snapshots, manifests, dataFiles, damaged }: Survey,
  checker: FileChecker,
  options: { signal?: AbortSignal; onProgress?: (fraction: number) => void },
): Promise<Verification> {
  let done = 0
  const found = await mapConcurrent(dataFiles, SETTINGS.verifyReads.default, async (file) => {
    const problems = await damagedFiles(checker, [file], 'content', options.signal)
    options.onProgress?.(++done / dataFiles.length)
    return problems.map(
      ({ file: path, problem }): Damage => ({ file: path, message: `${path} is damaged: ${problem}` }),
    )
  })
  const metadata = damaged.map((error): Damage => ({ file: fileOf(error.details), message: error.message }))
  return {
    table,
    snapshots,
    manifests,
    files: dataFiles.length,
    bytes: dataFiles.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    withoutChecksum: dataFiles.filter(({ path }) => !isSealed(path)).length,
    damaged: [...metadata, ...found.flat()],
  }
}

function fileOf(details: object): string {
  return 'file' in details ? String(details.file) : ''
}
