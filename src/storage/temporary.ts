/** Folders for data on its way. */
import { rm } from 'node:fs/promises'

/** Ends when a folder and all below it are gone, or cannot be removed: what is left of it harms nobody. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined)
}
