/** What was read of tables that others wrote, so that the next query need not read it again. */
import { createHash } from 'node:crypto'
import { SETTINGS } from '../../config.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import { BoundedCache } from '../bounded-cache.ts'
import type { ForeignEntry } from './manifest.ts'

/** The content of manifests, and which data files have been looked into. */
export class ForeignCache {
  readonly #manifests = new BoundedCache<{ version: string; entries: ForeignEntry[] }>(SETTINGS.cachedFiles.default)
  readonly #checked = new BoundedCache<true>(SETTINGS.cachedFiles.default)

  /** The entries of a manifest as it is in that version, read when they are not known. `context` is the print of what it is read with. */
  async entries(
    manifest: { file: string; version: string; context: string },
    read: () => Promise<ForeignEntry[]>,
    { cacheUse }: CallOptions = {},
  ): Promise<ForeignEntry[]> {
    const { file, version, context } = manifest
    const key = `${context} ${file}`
    const known = this.#manifests.get(key)
    cacheUse?.note(known?.version === version)
    if (known?.version === version) return known.entries
    const entries = await read()
    this.#manifests.set(key, { version, entries }, entries.length + 1)
    return entries
  }

  /** Runs a check of a data file once: one that has passed is not repeated while the file has that size. */
  async once(file: { path: string; sizeBytes: number }, context: string, check: () => Promise<boolean>): Promise<void> {
    const key = `${context} ${file.sizeBytes} ${file.path}`
    if (this.#checked.get(key)) return
    if (await check()) this.#checked.set(key, true, 1)
  }
}

/** A short text that differs when the value, as JSON, does. */
export function printOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64')
}
