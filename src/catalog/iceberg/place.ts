/** Where a managed table was found, and how paths in its metadata are spelled: a warehouse that was moved or copied still reads. */
import { isSkepError, SkepError } from '../../errors.ts'
import { checkPath } from '../../storage/path.ts'

/** A table's folder in its store, and the location that its metadata was made with. */
export interface TablePlace {
  /** The store's root. */
  root: string
  /** The table's folder below the root: `tables/<uuid>`. */
  folder: string
  /** `location` of the metadata; differs from root and folder after a move. */
  location: string
}

/** The folder of a managed table below the store's root. */
export function tableFolder(uuid: string): string {
  return `tables/${uuid}`
}

/** The path below the store's root of a path in metadata; undefined for one outside the table. @throws TABLE_INVALID for one that climbs out */
export function toStorePath(place: TablePlace, path: string): string | undefined {
  const relative = below(place.location, path)
  if (relative === undefined) return undefined
  const storePath = `${place.folder}/${relative}`
  try {
    checkPath(storePath)
  } catch (cause) {
    if (!isSkepError(cause)) throw cause
    throw new SkepError(
      'TABLE_INVALID',
      `the table names a file outside of its folder: ${path}`,
      { file: path },
      { cause },
    )
  }
  return storePath
}

/** How the engine opens a path in metadata: below the place where the table was found, or as it is for files elsewhere. */
export function toEnginePath(place: TablePlace, path: string): string {
  const storePath = toStorePath(place, path)
  return storePath === undefined ? path : `${place.root}/${storePath}`
}

/**
 * How metadata spells a file of the table, given its path as the engine opens it or below the store's root.
 *
 * @throws ARGUMENT_INVALID for a file outside the table's folder
 */
export function toMetadataPath(place: TablePlace, path: string): string {
  const relative = below(`${place.root}/${place.folder}`, path) ?? below(place.folder, path)
  if (relative === undefined) {
    throw new SkepError('ARGUMENT_INVALID', `${path} is not in the folder of the table`, { argument: 'path' })
  }
  return `${place.location}/${relative}`
}

function below(folder: string, path: string): string | undefined {
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : undefined
}
