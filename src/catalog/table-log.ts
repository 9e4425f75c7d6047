/** The versions of managed tables' metadata: reading the newest, and putting the next upon it. */
import { SETTINGS } from '../config.ts'
import { isSkepError, SkepError, throwIfAborted } from '../errors.ts'
import type { CallOptions, ObjectStore } from '../storage/object-store.ts'
import { BoundedCache } from './bounded-cache.ts'
import { parseMetadata, printMetadata, type TableMetadata } from './iceberg/metadata.ts'
import { tableFolder } from './iceberg/place.ts'
import { requireInHistory } from './late-commit.ts'
import { tableNotFound } from './names.ts'
import { conflict } from './pick-snapshot.ts'
import type { Sources } from './sources.ts'
import { VacuumRecords } from './vacuum-records.ts'
import { VersionedLog } from './versioned-log.ts'

/** The newest version of a table. */
export interface Head {
  version: number
  metadata: TableMetadata
}

/** What the log of tables works with. */
export interface TableLogOptions {
  sources: Sources
  commitRetries: number
  /** Milliseconds after which a commit makes sure that it is part of the history. */
  slowCommitMs?: number
}

const SUFFIX = '.metadata.json'

/** The logs of all managed tables of a store, by their uuid. What is cached is immutable. */
export class TableLog {
  /** What vacuums condemned. */
  readonly vacuums: VacuumRecords
  readonly #store: ObjectStore
  readonly #sources: Sources
  readonly #commitRetries: number
  readonly #slowCommitMs: number
  readonly #metadata = new BoundedCache<TableMetadata>(SETTINGS.cachedTables.default)
  readonly #versions = new BoundedCache<number>(SETTINGS.cachedVersions.default)

  constructor(store: ObjectStore, options: TableLogOptions) {
    this.#store = store
    this.#sources = options.sources
    this.#commitRetries = options.commitRetries
    this.#slowCommitMs = options.slowCommitMs ?? SETTINGS.slowCommitMs.default
    this.vacuums = new VacuumRecords(store)
  }

  /** The log of one table. */
  of(uuid: string): VersionedLog {
    return new VersionedLog(this.#store, this.#sources, `${tableFolder(uuid)}/metadata`, SUFFIX)
  }

  /** Where a version of a table's metadata is: an absolute path or URL. */
  location(uuid: string, version: number): string {
    return `${this.#store.root}/${this.of(uuid).path(version)}`
  }

  /** The newest version of a table, dropped ones included. One listing or two look-ups, and a read unless it is known. @throws TABLE_INVALID */
  async head(uuid: string, options: CallOptions): Promise<Head> {
    const log = this.of(uuid)
    const version = await log.head(options, this.#versions.get(uuid))
    this.#versions.set(uuid, version, 1)
    const file = log.path(Math.max(version, 1))
    const known = version > 0 ? this.#metadata.get(file) : undefined
    options.cacheUse?.note(known !== undefined)
    if (known) return { version, metadata: known }
    const bytes = await log.read(Math.max(version, 1), options).catch(async (error: unknown) => {
      // Vacuum removes no version that is newest: there is another one by now.
      if (!isSkepError(error, 'TABLE_INVALID') || (await log.head(options)) <= version) throw error
    })
    if (bytes === undefined) return await this.head(uuid, options)
    const metadata = parseMetadata(bytes, file)
    this.#metadata.set(file, metadata, 1)
    return { version, metadata }
  }

  /** The newest version of a table that was there. @throws TABLE_NOT_FOUND when its folder is empty: it was dropped long ago */
  async headOf(name: string, uuid: string, options: CallOptions): Promise<Head> {
    try {
      return await this.head(uuid, options)
    } catch (error) {
      if (!isSkepError(error, 'TABLE_INVALID') || (await this.of(uuid).head(options)) > 0) throw error
      throw tableNotFound(name, [])
    }
  }

  /** What `read` makes of the newest state; `moved` when it fails because another version has followed since, and a vacuum removed what was to be read. */
  async unlessMoved<T>(uuid: string, head: Head, options: CallOptions, read: () => Promise<T>): Promise<T | 'moved'> {
    try {
      return await read()
    } catch (error) {
      if (!isSkepError(error, 'TABLE_INVALID') || (await this.of(uuid).head(options)) === head.version) throw error
      return 'moved'
    }
  }

  /**
   * Appends the version that `make` puts upon the newest one, once more when another writer was faster; gives what is newest then.
   * Where `make` gives undefined there is nothing to do.
   *
   * @throws COMMIT_CONFLICT, STORE_UNAVAILABLE when the outcome is unknown
   */
  async update(
    name: string,
    uuid: string,
    make: (head: Head, previousFile: string) => Promise<TableMetadata | undefined>,
    options: CallOptions,
  ): Promise<Head> {
    for (let attempt = 0; ; attempt++) {
      const sinceMs = this.#sources.now()
      const head = await this.headOf(name, uuid, options)
      const previousFile = `${head.metadata.location}/metadata/v${head.version}${SUFFIX}`
      const next = await this.unlessMoved(uuid, head, options, () => make(head, previousFile))
      if (next === undefined) return head
      // From here on the outcome may not be left open by a cancellation.
      throwIfAborted(options.signal)
      if (next !== 'moved' && (await this.#append(name, head, next, sinceMs))) {
        return { version: head.version + 1, metadata: next }
      }
      if (attempt >= this.#commitRetries) throw conflict(name, 'too many other writers were faster')
      await this.#sources.sleep(
        this.#sources.random() * Math.min(SETTINGS.commitBackoffMs.default, 2 ** attempt),
        options.signal,
      )
    }
  }

  /**
   * True when `next` became the version after `head`, false when another writer was faster. Vacuum removes old versions, but none
   * younger than minutes: only who took longer might "win" a number again that another had won before, and then makes sure.
   */
  async #append(name: string, head: Head, next: TableMetadata, sinceMs: number): Promise<boolean> {
    const uuid = head.metadata['table-uuid']
    if (!(await this.of(uuid).append(head.version + 1, printMetadata(next)))) return false
    const tookMs = this.#sources.now() - sinceMs
    if (tookMs < 0 || tookMs >= this.#slowCommitMs) await this.#requireInHistory(name, head, next)
    return true
  }

  async #requireInHistory(name: string, head: Head, next: TableMetadata): Promise<void> {
    const uuid = next['table-uuid']
    const newest = await this.headOf(name, uuid, {})
    const records = () => this.vacuums.since(tableFolder(uuid), newest.metadata, head.version)
    const stray = this.of(uuid).path(head.version + 1)
    const remove = (path: string) => this.#store.delete(path).catch(() => undefined)
    const check = () => requireInHistory({ name, head, next, newest, records, stray }, remove)
    if ((await this.unlessMoved(uuid, newest, {}, check)) === 'moved') await this.#requireInHistory(name, head, next)
  }

  /** True when these bytes became the first version, false when an earlier call's did. @throws STORE_UNAVAILABLE: then there is no table */
  async appendFirst(uuid: string, bytes: Uint8Array): Promise<boolean> {
    return await this.of(uuid)
      .append(1, bytes)
      .catch((cause: unknown) => {
        if (!isSkepError(cause, 'STORE_UNAVAILABLE')) throw cause
        // Whether it was written or not: without a name it is no table.
        const { path } = cause.details
        throw new SkepError(
          'STORE_UNAVAILABLE',
          `the storage failed on ${path}; the table was not made`,
          path === undefined ? {} : { path },
          { cause },
        )
      })
  }
}
