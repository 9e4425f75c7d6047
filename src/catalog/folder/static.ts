/** Folders of Parquet files that a query brings along: read in place, without a name in the warehouse. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SETTINGS } from '../../config.ts'
import { isSkepError, SkepError } from '../../errors.ts'
import { DiskStore } from '../../storage/disk-store.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import { BoundedCache } from '../bounded-cache.ts'
import type { Table } from '../types.ts'
import { tableOfRegistration } from './folder-table.ts'
import { inspectFolder } from './register.ts'
import type { Registration } from './registration.ts'

/** A folder, and what errors call it. */
export interface StaticCatalog {
  name: string
  /** A path, from the current folder on, or a `file://` URL. */
  uri: string
}

/** Folders by their paths; what this process has read of one is not read again while it is as it was. */
export class StaticFolders {
  readonly #maxFiles: number
  readonly #known = new BoundedCache<Registration>(SETTINGS.cachedFiles.default)

  constructor(options: { maxFiles: number }) {
    this.#maxFiles = options.maxFiles
  }

  /**
   * The folder as it is now, as a table without keys.
   *
   * @throws CATALOG_NOT_FOUND when there is no such folder, or no Parquet file in it
   * @throws ARGUMENT_INVALID for a URL of another kind
   * @throws what `inspectFolder` does
   */
  async load(catalog: StaticCatalog, options: CallOptions = {}): Promise<Table> {
    const { name, uri } = catalog
    const root = await findFolder(catalog)
    const known = this.#known.get(root)
    const inspected = { ...options, table: name, keys: {}, maxFiles: this.#maxFiles, ...(known && { known }) }
    const found = await inspectFolder(new DiskStore(root), inspected).catch((error: unknown) => {
      if (!isSkepError(error, 'FILE_NOT_FOUND')) throw error
      throw notFound(catalog, `there is no Parquet file below ${uri}`, error)
    })
    this.#known.set(root, found, found.files.length)
    return tableOfRegistration(name, found)
  }
}

async function findFolder(catalog: StaticCatalog): Promise<string> {
  const root = pathOf(catalog)
  const info = await stat(root).catch((cause: unknown) => {
    throw notFound(catalog, `there is no folder ${catalog.uri}`, cause)
  })
  if (info.isDirectory()) return root
  throw notFound(catalog, `${catalog.uri} is a file; name the folder that it is in`)
}

/** The path that the `uri` of a catalog on disk stands for. @throws ARGUMENT_INVALID */
export function pathOf({ uri }: Pick<StaticCatalog, 'uri'>): string {
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(uri)) return resolve(uri)
  try {
    if (/^file:/i.test(uri)) return fileURLToPath(uri)
  } catch (cause) {
    const message = `${uri} is no URL of a file on this machine`
    throw new SkepError('ARGUMENT_INVALID', message, { argument: 'uri' }, { cause })
  }
  const message = `${uri} cannot be read; a catalog is a folder on disk`
  throw new SkepError('ARGUMENT_INVALID', message, { argument: 'uri' })
}

function notFound({ name, uri }: StaticCatalog, reason: string, cause?: unknown): SkepError<'CATALOG_NOT_FOUND'> {
  const message = `Static catalog not found: ${reason}`
  return new SkepError('CATALOG_NOT_FOUND', message, { catalog: name, uri }, { cause })
}
