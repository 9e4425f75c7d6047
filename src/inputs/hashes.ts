/** What source files are told apart by: the SHA-256 of their bytes as they lie there, compressed or not. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { SETTINGS } from '../config.ts'
import { SkepError, throwIfAborted } from '../errors.ts'
import type { SourceFile } from './sources.ts'

/** Hashes by the paths of files, in hexadecimal. Each file that was not hashed on its way here is read once, in bounded memory. */
export async function hashSources(files: readonly SourceFile[], signal: AbortSignal): Promise<Map<string, string>> {
  const hashes = new Map<string, string>()
  for (const file of files) hashes.set(file.path, file.sha256 ?? (await hashFile(file, signal)))
  return hashes
}

async function hashFile({ path, label }: SourceFile, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const part of createReadStream(path, { highWaterMark: SETTINGS.bufferBytes.default, signal }))
      hash.update(part as Buffer)
  } catch (cause) {
    throwIfAborted(signal)
    throw new SkepError('FILE_UNREADABLE', `${label} cannot be read to its end`, { file: label }, { cause })
  }
  return hash.digest('hex')
}

/** What changes whenever the bytes of a file may have changed. */
export async function stampOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true })
  return [dev, ino, size, mtimeNs].join(':')
}

/** Passes when every file is as it was found: what was read, and its hash, are of the same bytes. @throws FILE_CHANGED */
export async function requireUnchanged(files: readonly SourceFile[]): Promise<void> {
  for (const { path, label, stamp } of files) {
    const now = await stampOf(path).catch(() => undefined)
    if (now === stamp) continue
    const what = now === undefined ? 'went away' : 'was changed'
    const message = `${label} ${what} while it was imported; nothing was imported. Repeat when it is complete`
    throw new SkepError('FILE_CHANGED', message, { file: label })
  }
}

/** Hashes that are worked out beside an import, and awaited at its end. */
export interface Hashing extends Disposable {
  /** By path. @throws FILE_UNREADABLE, CANCELLED */
  done: Promise<ReadonlyMap<string, string>>
}

/** Begins to hash files; disposing of it ends the reading. */
export function startHashing(files: readonly SourceFile[], signal: AbortSignal | undefined): Hashing {
  const ended = new AbortController()
  const done = hashSources(files, signal ? AbortSignal.any([signal, ended.signal]) : ended.signal)
  // Every commit awaits it; an import that fails before has an error of its own.
  done.catch(() => undefined)
  return { done, [Symbol.dispose]: () => ended.abort() }
}
