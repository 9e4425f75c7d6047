/** The tables that a query reads, of every kind, each in the state that it asks for. */
import type { AttachedTables } from '../catalog/attached.ts'
import type { Catalog } from '../catalog/catalog.ts'
import type { Folders } from '../catalog/folder/folders.ts'
import type { Table } from '../catalog/types.ts'
import type { CallOptions } from '../storage/object-store.ts'
import { type AtOption, resolveAt } from './at.ts'

/** The tables of these names, by lower-case name. */
export type LoadTables = (
  names: readonly string[],
  at: AtOption | undefined,
  options: CallOptions,
) => Promise<Map<string, Table>>

/** What loads tables. @throws TABLE_NOT_FOUND, SNAPSHOT_NOT_FOUND, and what reading their metadata does */
export function tableLoader(parts: { catalog: Catalog; attached: AttachedTables; folders: Folders }): LoadTables {
  const { catalog, attached, folders } = parts
  return async (names, at, options) => {
    const keys = [...new Set(names.map((name) => name.toLowerCase()))]
    const opened = await Promise.all(keys.map((key) => catalog.open(key, options)))
    const moments = resolveAt(
      at,
      opened.map(({ entry }) => entry),
    )
    const tables = await Promise.all(
      opened.map(async ({ entry, load }) => {
        const at = moments.get(entry.name)
        const found = await load(at)
        if (found.kind === 'managed') return found
        if (found.kind === 'attached') return await attached.load(found, { ...options, at })
        return await folders.current(found, options)
      }),
    )
    return new Map(keys.map((key, k) => [key, tables[k]!]))
  }
}
