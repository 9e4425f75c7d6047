/** Where a table was found, and where its metadata says that it is: a table that was copied or moved still reads. */
import { damagedForeign } from './errors.ts'

/** The folder in which a table was found, and the location that its metadata was written for. */
export interface ForeignPlace {
  /** An absolute path or URL, without a slash at its end. */
  folder: string
  location: string
}

/**
 * Where a path in metadata is found: below the table's folder when it is below the table's location, else as it stands.
 *
 * @throws TABLE_INVALID for a path that climbs out of the folder, and for one that is in another store
 */
export function resolvePath({ folder, location }: ForeignPlace, path: string): string {
  const plain = plainPath(path)
  const home = plainPath(location)
  if (home !== '' && plain.startsWith(`${home}/`)) return `${folder}/${insideOf(plain.slice(home.length + 1), path)}`
  if (plain.startsWith('/')) return plain
  if (isUrl(plain)) {
    if (isUrl(folder)) return plain
    throw damagedForeign(path, `it is neither below the table's location ${location} nor on this machine`)
  }
  return `${folder}/${insideOf(plain, path)}`
}

function insideOf(relative: string, path: string): string {
  const parts = relative.split('/')
  if (parts.some((part) => part === '..' || part === '.') || /[\\\0]/.test(relative)) {
    throw damagedForeign(path, 'it is outside of the folder of its table')
  }
  return parts.filter((part) => part !== '').join('/')
}

/** A path without what different writers spell differently: `file:` in its forms, `s3a`, a slash at its end. */
export function plainPath(path: string): string {
  const local = path.replace(/^file:\/*(?=\/)/i, '').replace(/^(s3)[an]:\/\//i, '$1://')
  return local.length > 1 ? local.replace(/\/+$/, '') : local
}

function isUrl(path: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(path)
}
