/** Failures to write below the warehouse, whoever reported them, as errors that say what to do. */
import { isSkepError, SkepError } from '../errors.ts'

/** The error, or a coded one in its place when a folder of the warehouse may not be written or the disk is full. */
export function wrapWriteError(error: unknown, root: string): unknown {
  const text = `${codeOf(error)} ${messageOf(error)} ${error instanceof Error ? messageOf(error.cause) : ''}`
  if (isSkepError(error) && error.kind !== 'internal' && error.code !== 'FILE_INVALID') return error
  if (/ENOSPC|EDQUOT|No space left/.test(text)) {
    return new SkepError(
      'DISK_FULL',
      `the disk of ${root} is full; make room and repeat`,
      { path: root },
      { cause: error },
    )
  }
  if (
    /EACCES|EPERM|EROFS|ENOTDIR|EEXIST|Permission denied|Read-only file system|Cannot open file .*(?:directory|exists)/.test(
      text,
    )
  ) {
    return new SkepError(
      'WAREHOUSE_UNWRITABLE',
      `${root} may not be written; check its permissions, or choose another place`,
      { path: root },
      { cause: error },
    )
  }
  return error
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : ''
}
