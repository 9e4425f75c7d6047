/** Finds what the package carries beside its code. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder of the package, which holds `package.json` and `examples/`: found upwards from here, in the sources as in `dist/`. */
export function packageRoot(): string {
  return findRoot().folder
}

/** Folder of the web page, whether it has been built or not. */
export function pageFolder(): string {
  return join(packageRoot(), 'dist/web')
}

/** The package's version. */
export function packageVersion(): string {
  return findRoot().version
}

function findRoot(): { folder: string; version: string } {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    const manifest = readManifest(join(folder, 'package.json'))
    if (manifest?.name === 'skep') return { folder, version: manifest.version }
    const above = dirname(folder)
    if (above === folder) throw new Error('package.json of skep is not found')
    folder = above
  }
}

function readManifest(path: string): { name: string; version: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { name: string; version: string }
  } catch {
    return undefined
  }
}
