/** Folders for data on its way. */
import { readdir, rm, rmdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'

/** Ends when a folder and all below it are gone, or cannot be removed: what is left of it harms nobody. */
export async function removeFolder(path: string): Promise<void> {
  // Retried where somebody still writes into it.
  await rm(path, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined)
}

/** The same for all folders beside each other whose names are that of this path and a hyphen, and something more. */
export async function removeFoldersOf(path: string): Promise<void> {
  const parent = dirname(path)
  const names = await readdir(parent).catch(() => [])
  const own = names.filter((name) => name.startsWith(`${basename(path)}-`))
  await Promise.all(own.map((name) => removeFolder(`${parent}/${name}`)))
}

/** Ends when a folder that is empty is gone; with `below`, with the empty folders in it. One that is in use, or is used again meanwhile, stays. */
export async function removeEmptyFolder(path: string, { below }: { below: boolean }): Promise<void> {
  const entries = below ? await readdir(path, { withFileTypes: true }).catch(() => []) : []
  for (const entry of entries) if (entry.isDirectory()) await removeEmptyFolder(`${path}/${entry.name}`, { below })
  await rmdir(path).catch(() => undefined)
}
