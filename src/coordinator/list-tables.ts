/** The list of tables: what is wrong with one hides no other. */
import type { Catalog, CatalogEntry, DamagedName } from '../catalog/catalog.ts'
import type { Table } from '../catalog/types.ts'
import { isSkepError, type SkepError } from '../errors.ts'
import { summariseDamage, summariseTable, type TableSummary } from './describe.ts'

/** All tables of a catalog in one line each, by name; damaged ones with their error. `load` reads one. */
export async function listTables(
  catalog: Catalog,
  load: (entry: CatalogEntry) => Promise<Table>,
): Promise<TableSummary[]> {
  const entries = await catalog.tables()
  const summaries = await Promise.all(entries.map((entry) => summarise(catalog, entry, load)))
  return summaries.filter((summary) => summary !== undefined)
}

/** A table in one line; undefined for one that was dropped meanwhile. */
async function summarise(
  catalog: Catalog,
  entry: CatalogEntry | DamagedName,
  load: (entry: CatalogEntry) => Promise<Table>,
): Promise<TableSummary | undefined> {
  try {
    if (entry.kind === 'damaged') throw entry.error
    return summariseTable(await load(entry))
  } catch (error) {
    if (isSkepError(error, 'TABLE_NOT_FOUND')) return undefined
    if (!isSkepError(error) || !isDamage(error, entry.kind)) throw error
    if (entry.kind === 'managed' && (await isGone(catalog, entry.name))) return undefined
    return summariseDamage(entry.name, entry.kind === 'damaged' ? 'unknown' : entry.kind, error)
  }
}

/** True when no table has the name any more: what looked damaged was on its way out. */
async function isGone(catalog: Catalog, name: string): Promise<boolean> {
  try {
    await catalog.entry(name)
    return false
  } catch (error) {
    return isSkepError(error, 'TABLE_NOT_FOUND')
  }
}

/** True for an error of one table that is to hide no other. What others write may be gone, unreadable or too new. */
function isDamage({ code, kind }: SkepError, table: CatalogEntry['kind'] | 'damaged'): boolean {
  return code === 'TABLE_INVALID' || (table === 'attached' && (kind === 'user' || kind === 'limit'))
}
