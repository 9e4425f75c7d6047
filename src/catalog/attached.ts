/** Tables that others write, as they are now or were: whoever asks does not see what format they have. */
import { isSkepError, SkepError } from '../errors.ts'
import type { CallOptions } from '../storage/object-store.ts'
import type { AttachedEntry } from './catalog.ts'
import { DeltaTables } from './delta/delta-table.ts'
import type { FileReader } from './file-reader.ts'
import { checkKeys } from './folder/check-keys.ts'
import { sameName } from './folder/names.ts'
import { ForeignCache } from './foreign-iceberg/cache.ts'
import { foreignIcebergHistory, loadForeignIceberg } from './foreign-iceberg/load.ts'
import type { At } from './pick-snapshot.ts'
import { stampedFiles } from './stamp-files.ts'
import type { Schema, SnapshotInfo, Table, TableKeys } from './types.ts'

/** What may be said about the loading of an attached table. */
export interface AttachedOptions extends CallOptions {
  at?: At | undefined
}

/** What a warehouse knows of tables that others write. */
export class AttachedTables {
  readonly #reader: FileReader
  readonly #maxFiles: number
  readonly #delta: DeltaTables
  readonly #cache = new ForeignCache()

  constructor(reader: FileReader, options: { maxFiles: number }) {
    this.#reader = reader
    this.#maxFiles = options.maxFiles
    this.#delta = new DeltaTables(reader, options)
  }

  /**
   * The table in its newest state, or in the one asked for. Its keys are those that were given when it was attached, as far as that
   * state has the columns.
   *
   * @throws FILE_NOT_FOUND, SNAPSHOT_NOT_FOUND, TABLE_INVALID, TABLE_FEATURE_UNSUPPORTED, FILE_LIMIT
   */
  async load(entry: AttachedEntry, options: AttachedOptions = {}): Promise<Table> {
    const table = await naming(entry.name, () => this.#read(entry, options))
    return { ...table, keys: keysIn(table.snapshot.schema, table.keys) }
  }

  /** The entry that a name is to have, its keys in the table's own spelling. @throws as `load`; COLUMN_NOT_FOUND, KEY_INVALID when the keys do not fit */
  async check(entry: AttachedEntry, options: CallOptions = {}): Promise<{ entry: AttachedEntry; table: Table }> {
    const table = await naming(entry.name, () => this.#read(entry, options))
    const { columns } = table.snapshot.schema
    const { keys } = checkKeys(entry.name, entry.keys, { columns, files: [], hiveColumns: [] })
    return { entry: { ...entry, keys }, table: { ...table, keys } }
  }

  /** The history of a table, newest last. @throws as `load` */
  async history(entry: AttachedEntry, options: CallOptions = {}): Promise<SnapshotInfo[]> {
    return await naming(entry.name, async () => {
      if (entry.format === 'delta') return await this.#delta.history(entry.uri, options)
      return await foreignIcebergHistory(this.#reader, entry.uri, options)
    })
  }

  async #read(entry: AttachedEntry, options: AttachedOptions): Promise<Table> {
    const table = await this.#readMetadata(entry, options)
    const files = await stampedFiles(this.#reader, table.snapshot.files, options)
    return { ...table, snapshot: { ...table.snapshot, files } }
  }

  async #readMetadata(entry: AttachedEntry, options: AttachedOptions): Promise<Table> {
    const { name, uri, format, keys } = entry
    if (format === 'delta') return { ...(await this.#delta.load(uri, { ...options, name })), keys }
    const { at, ...calls } = options
    return await loadForeignIceberg(this.#reader, uri, {
      name,
      keys,
      cache: this.#cache,
      maxFiles: this.#maxFiles,
      ...(at && { at }),
      ...calls,
    })
  }
}

/** What a step over a table comes to; its errors name the table. */
async function naming<T>(table: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step()
  } catch (error) {
    for (const code of ['TABLE_INVALID', 'TABLE_FEATURE_UNSUPPORTED', 'SNAPSHOT_NOT_FOUND'] as const) {
      if (!isSkepError(error, code) || 'table' in error.details) continue
      throw new SkepError(code, `table "${table}": ${error.message}`, { table, ...error.details } as never, {
        cause: error,
      })
    }
    throw error
  }
}

function keysIn({ columns }: Schema, { actor, time, timeUnit }: TableKeys): TableKeys {
  const find = (wanted: string | undefined) =>
    wanted === undefined ? undefined : columns.find(({ name }) => sameName(name, wanted))?.name
  const own = { actor: find(actor), time: find(time) }
  return {
    ...(own.actor !== undefined && { actor: own.actor }),
    ...(own.time !== undefined && { time: own.time, ...(timeUnit !== undefined && { timeUnit }) }),
  }
}
