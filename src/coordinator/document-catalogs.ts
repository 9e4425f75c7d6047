/** The tables that documents bring along: read where they are, under the names that the documents give them. */
import type { AttachedTables } from '../catalog/attached.ts'
import { StaticFolders } from '../catalog/folder/static.ts'
import type { Table, TableFormat } from '../catalog/types.ts'
import { isSkepError, SkepError } from '../errors.ts'
import type { BuzzCatalog, CatalogType } from '../planner/buzz.ts'
import type { CallOptions } from '../storage/object-store.ts'
import { readLocation } from './attach.ts'

const FORMATS: Record<Exclude<CatalogType, 'Static'>, TableFormat> = { DeltaLake: 'delta', Iceberg: 'iceberg' }

/** Loads catalogs of documents. */
export class DocumentCatalogs {
  readonly #attached: AttachedTables
  readonly #folders: StaticFolders

  constructor({ attached, maxFiles }: { attached: AttachedTables; maxFiles: number }) {
    this.#attached = attached
    this.#folders = new StaticFolders({ maxFiles })
  }

  /** The table that a catalog is. @throws CATALOG_NOT_FOUND, ARGUMENT_INVALID, and what reading a folder or an attached table does; each names the catalog */
  async load(catalog: BuzzCatalog, options: CallOptions): Promise<Table> {
    const { name, type, uri } = catalog
    try {
      return await this.#read(catalog, options)
    } catch (error) {
      if (!isSkepError(error) || error.kind === 'internal' || error.kind === 'cancelled') throw error
      if (isSkepError(error, 'FILE_NOT_FOUND')) {
        const message = `catalog "${name}": ${type} catalog not found: ${error.message}`
        throw new SkepError('CATALOG_NOT_FOUND', message, { catalog: name, uri }, { cause: error })
      }
      const named = error.message.startsWith(`table "${name}"`) ? '' : `catalog "${name}": `
      throw new SkepError(error.code, `${named}${error.message}`, error.details, { cause: error })
    }
  }

  async #read({ name, type, uri, version }: BuzzCatalog, options: CallOptions): Promise<Table> {
    const location = readLocation(uri)
    if (type === 'Static') return await this.#folders.load(name, location, options)
    const at = version === undefined ? {} : { at: { snapshotId: version } }
    return await this.#attached.load(
      { kind: 'attached', name, uri: location, format: FORMATS[type], keys: {} },
      { ...options, ...at },
    )
  }
}
