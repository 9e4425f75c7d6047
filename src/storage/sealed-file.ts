/**
 * Data files whose names carry a checksum of their content and the time of their last write. A file that still has that
 * time is as it was written; one with another time (it was copied, or damaged) is read against its checksum once.
 */
import { open, rename, stat, utimes } from 'node:fs/promises'
import { CHECKSUM_DIGITS, digestOf, newHash } from '../common/checksum.ts'
import { SETTINGS } from '../config.ts'
import { throwIfAborted } from '../errors.ts'
import { readError } from './disk-store.ts'

const ENDING = '.parquet'
const SEAL = new RegExp(`-sha256-([0-9a-f]{${CHECKSUM_DIGITS}})-([0-9a-z]{1,9})\\.parquet$`)
/** Names hold whole milliseconds, and times pass through seconds as floats. */
const TIME_SLACK_MS = 0.75
const STEP_BYTES = SETTINGS.bufferBytes.default

/** What a file's name says of it. */
interface Seal {
  checksum: string
  /** Whole milliseconds since 1970. */
  writtenMs: number
}

/** Makes a finished file durable and gives it the name that carries its checksum; its new path. */
export async function sealFile(path: string): Promise<string> {
  const checksum = await syncedChecksum(path)
  const writtenMs = Math.round((await stat(path)).mtimeMs)
  const sealed = `${path.slice(0, -ENDING.length)}-sha256-${checksum}-${writtenMs.toString(36)}${ENDING}`
  await rename(path, sealed)
  return sealed
}

/** The checksum of a file, read from memory while the disk still writes it. */
async function syncedChecksum(path: string): Promise<string> {
  await using file = await open(path, 'r')
  const [checksum] = await Promise.all([fileChecksum(path), file.sync()])
  return checksum
}

async function fileChecksum(path: string, signal?: AbortSignal): Promise<string> {
  await using file = await open(path, 'r')
  const hash = newHash()
  const buffer = Buffer.allocUnsafe(STEP_BYTES)
  for (;;) {
    throwIfAborted(signal)
    const { bytesRead } = await file.read(buffer, 0, STEP_BYTES)
    if (bytesRead === 0) return digestOf(hash)
    hash.update(buffer.subarray(0, bytesRead))
  }
}

function sealOf(path: string): Seal | undefined {
  const match = SEAL.exec(path)
  return match ? { checksum: match[1]!, writtenMs: Number.parseInt(match[2]!, 36) } : undefined
}

/** How much a check looks at: `time` trusts a file that was not written since, `content` reads every file. */
export type CheckDepth = 'time' | 'content'

/** A file as its manifest describes it. */
export interface ExpectedFile {
  path: string
  sizeBytes: number
}

/** Checks data files against their names, and remembers for which it had to read them. */
export class FileChecker {
  /** By path, the time of the last write of a file that was found whole and whose own time could not be set right. */
  readonly #known = new Map<string, number>()

  /** What is wrong with a file, as the rest of a sentence; undefined when nothing is, or nothing can be known (its name has no checksum). @throws FILE_UNREADABLE, STORE_UNAVAILABLE, CANCELLED */
  async problem(file: ExpectedFile, depth: CheckDepth, signal?: AbortSignal): Promise<string | undefined> {
    try {
      return await this.#look(file, depth, signal)
    } catch (error) {
      throw readError(error, file.path)
    }
  }

  async #look(file: ExpectedFile, depth: CheckDepth, signal?: AbortSignal): Promise<string | undefined> {
    const found = await stat(file.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
      throw error
    })
    if (!found?.isFile()) return 'it is missing'
    if (found.size !== file.sizeBytes) return `it has ${found.size} bytes instead of ${file.sizeBytes}`
    const seal = sealOf(file.path)
    if (seal === undefined) return undefined
    const isAsWritten =
      Math.abs(found.mtimeMs - seal.writtenMs) < TIME_SLACK_MS || this.#known.get(file.path) === found.mtimeMs
    if (depth === 'time' && isAsWritten) return undefined
    if ((await fileChecksum(file.path, signal)) !== seal.checksum) return 'it does not match the checksum in its name'
    if (!isAsWritten) await this.#remember(file.path, found, seal)
    return undefined
  }

  /** The file's own time is the memory that other processes share; where it cannot be set (a read-only disk), this process remembers. */
  async #remember(path: string, found: { atimeMs: number; mtimeMs: number }, { writtenMs }: Seal): Promise<void> {
    try {
      if ((await stat(path)).mtimeMs === found.mtimeMs) await utimes(path, found.atimeMs / 1000, writtenMs / 1000)
    } catch {
      this.#known.set(path, found.mtimeMs)
    }
  }
}

/** Whether the name of a file carries a checksum. */
export function isSealed(path: string): boolean {
  return SEAL.test(path)
}
