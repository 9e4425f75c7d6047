/** Folders of Parquet files that a query brings along: read in place, without a name in the warehouse. */
import { stat } from 'node:fs/promises'
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import { DiskStore } from '../../storage/disk-store.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import { BoundedCache } from '../bounded-cache.ts'
import type { Table } from '../types.ts'
import { tableOfRegistration } from './folder-table.ts'
import { inspectFolder } from './register.ts'
import type { Registration } from './registration.ts'

/** Folders by their paths; what this process has read of one is not read again while it is as it was. */
export class StaticFolders {
  readonly #maxFiles: number
  readonly #known = new BoundedCache<Registration>(SETTINGS.cachedFiles.default)

  constructor(options: { maxFiles: number }) {
    this.#maxFiles = options.maxFiles
  }

  /**
   * The folder as it is now, as a table of this name without keys.
   *
   * @throws FILE_NOT_FOUND when there is no such folder, or no Parquet file in it
   * @throws what `inspectFolder` does
   */
  async load(name: string, root: string, options: CallOptions = {}): Promise<Table> {
    await requireFolder(root)
    const known = this.#known.get(root)
    const found = await inspectFolder(new DiskStore(root), {
      ...options,
      table: name,
      keys: {},
      maxFiles: this.#maxFiles,
      ...(known && { known }),
    })
    this.#known.set(root, found, found.files.length)
    return tableOfRegistration(name, found)
  }
}

async function requireFolder(root: string): Promise<void> {
  const info = await stat(root).catch((cause: unknown) => {
    throw new SkepError('FILE_NOT_FOUND', `there is no folder ${root}`, { file: root }, { cause })
  })
  if (info.isDirectory()) return
  throw new SkepError('FILE_NOT_FOUND', `${root} is a file; name the folder that it is in`, { file: root })
}
