/** Whether a registered folder is still as it was registered. */
import { SETTINGS } from '../../config.ts'
import type { CallOptions, ObjectStore } from '../../storage/object-store.ts'
import { listFiles } from './list-files.ts'
import type { Registration } from './registration.ts'

/** Paths below the folder, in the order of their bytes; all empty when nothing changed. */
export interface FolderChanges {
  added: string[]
  removed: string[]
  /** Of another size or version than at the registration. */
  changed: string[]
}

/** What differs between the folder now and its registration; costs one listing and reads no file. @throws FILE_LIMIT */
export async function checkFolder(
  store: ObjectStore,
  registration: Registration,
  options: CallOptions & { maxFiles?: number } = {},
): Promise<FolderChanges> {
  const { maxFiles = SETTINGS.importFiles.default, signal } = options
  const now = await listFiles(store, registration.pattern, { maxFiles, signal })
  const before = new Map(registration.files.map((file) => [file.path, file]))
  const changes: FolderChanges = { added: [], removed: [], changed: [] }
  for (const { path, sizeBytes, version } of now) {
    const known = before.get(path)
    before.delete(path)
    if (!known) changes.added.push(path)
    else if (known.sizeBytes !== sizeBytes || known.version !== version) changes.changed.push(path)
  }
  changes.removed.push(...before.keys())
  return changes
}
