/** Folders for data on its way. */
import { readdir, rm, rmdir } from 'node:fs/promises'

/** Ends when a folder and all below it are gone, or cannot be removed: what is left of it harms nobody. */
export async function removeFolder(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined)
}

/** Ends when a folder that is empty is gone; with `below`, with the empty folders in it. One that is in use, or is used again meanwhile, stays. */
export async function removeEmptyFolder(path: string, { below }: { below: boolean }): Promise<void> {
  const entries = below ? await readdir(path, { withFileTypes: true }).catch(() => []) : []
  for (const entry of entries) if (entry.isDirectory()) await removeEmptyFolder(`${path}/${entry.name}`, { below })
  await rmdir(path).catch(() => undefined)
}
