/** Registered folders as they are now, each looked at anew for every query and read anew only where it changed. */

import { DiskStore } from '../../storage/disk-store.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import { entryFolder } from '../names.ts'
import type { Table } from '../types.ts'
import { tableOfRegistration } from './folder-table.ts'
import { inspectFolder } from './register.ts'
import type { Registration } from './registration.ts'
import { decodeRegistration } from './registration-json.ts'

/** A name and the document that it stands for. */
export interface RegisteredEntry {
  name: string
  registration: object
}

interface Known {
  registration: Registration
  table: Table
}

/** What this process knows of registered folders. It is kept as long as somebody keeps the document. */
export class Folders {
  readonly #maxFiles: number
  readonly #known = new WeakMap<object, Known>()

  constructor(options: { maxFiles: number }) {
    this.#maxFiles = options.maxFiles
  }

  /** The table as it was registered, whatever has become of its folder. @throws TABLE_INVALID */
  registered({ name, registration }: RegisteredEntry): Table {
    return tableOfRegistration(name, decodeRegistration(registration, entryFolder(name)))
  }

  /**
   * The table as its folder is now. Costs a look at the stamp of every file, and no more when all is as it was; else the
   * footers of new and changed files are read, and what was found out about actors is relied upon only for files that stayed.
   *
   * @throws what `inspectFolder` does, and TABLE_INVALID
   */
  async current(entry: RegisteredEntry, options: CallOptions = {}): Promise<Table> {
    const before =
      this.#known.get(entry.registration) ??
      this.#remember(entry, decodeRegistration(entry.registration, entryFolder(entry.name)))
    const now = await currentRegistration(entry.name, before.registration, { ...options, maxFiles: this.#maxFiles })
    return now === before.registration ? before.table : this.#remember(entry, now).table
  }

  #remember({ name, registration: document }: RegisteredEntry, registration: Registration): Known {
    const known = { registration, table: tableOfRegistration(name, registration) }
    this.#known.set(document, known)
    return known
  }
}

/** The registration as its folder is now: itself when nothing has changed. @throws what `inspectFolder` does */
export async function currentRegistration(
  table: string,
  known: Registration,
  options: CallOptions & { maxFiles: number },
): Promise<Registration> {
  const { root, keys, pattern } = known
  return await inspectFolder(new DiskStore(root), { ...options, table, keys, pattern, known })
}
