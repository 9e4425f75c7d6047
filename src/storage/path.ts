/** Which paths an object may have, the same for every store. */
import { compareUtf8 } from '../common/text.ts'
import { SETTINGS } from '../config.ts'
import { SkepError } from '../errors.ts'
import type { ObjectInfo, ObjectPage } from './object-store.ts'

const PATH_BYTES_MAX = 1024
const PART_BYTES_MAX = 255

/**
 * Passes for the path of an object: parts joined by `/`, none of them empty, `.` or `..`.
 * A first part that begins with `.` is refused too: such folders are the store's own and never listed.
 *
 * @throws ARGUMENT_INVALID
 */
export function checkPath(path: string): void {
  const parts = path.split('/')
  const bad = path === '' || parts.some((part) => !isPart(part)) || path.startsWith('.') || isTooLong(path)
  if (bad) throw invalid(path)
}

/** Passes for the beginning of a path; the empty text is the prefix of all. @throws ARGUMENT_INVALID */
export function checkPrefix(prefix: string): void {
  const folders = prefix.split('/').slice(0, -1)
  const bad = folders.some((part) => !isPart(part)) || /[\\\0]/.test(prefix) || isTooLong(prefix)
  if (bad) throw invalid(prefix)
}

function isPart(part: string): boolean {
  return (
    part !== '' && part !== '.' && part !== '..' && !/[\\\0]/.test(part) && Buffer.byteLength(part) <= PART_BYTES_MAX
  )
}

function isTooLong(path: string): boolean {
  return path.length * 3 > PATH_BYTES_MAX && Buffer.byteLength(path) > PATH_BYTES_MAX
}

function invalid(path: string): SkepError {
  return new SkepError('ARGUMENT_INVALID', `not a path below the warehouse: ${JSON.stringify(path)}`, {
    argument: 'path',
  })
}

/** The page of a listing that these objects make, given one object more than `limit` when there is more. */
export function pageOf(objects: ObjectInfo[], limit: number): ObjectPage {
  if (objects.length <= limit) return { objects }
  const page = objects.slice(0, limit)
  return { objects: page, next: page.at(-1)!.path }
}

/** True for a path that a listing after `after` still has to show. */
export function isAfter(path: string, after: string | undefined): boolean {
  return after === undefined || compareUtf8(path, after) > 0
}

/** The number of objects that a page may have. @throws ARGUMENT_INVALID for less than one */
export function listLimit(limit: number | undefined): number {
  const value = limit ?? SETTINGS.listPage.default
  if (value >= 1) return Math.floor(value)
  throw new SkepError('ARGUMENT_INVALID', 'a page of a listing has at least one object', { argument: 'limit' })
}
