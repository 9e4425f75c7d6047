/** Where text goes: the standard output or a file, with back-pressure. */
import type { Sink } from '../../api/rows.ts'
import { SkepError } from '../../errors.ts'

export type { Sink }

/** The reader of the standard output has gone (`| head`): a quiet end, not an error. */
export class PipeClosed extends Error {
  override readonly name = 'PipeClosed'
}

/** A sink over a stream of the process. Its promises are rejected with `PipeClosed` once nobody reads any more, `DISK_FULL` and the like otherwise. */
export function streamSink(stream: NodeJS.WritableStream): Sink {
  let failure: Error | undefined
  stream.on('error', (error: Error) => {
    failure ??= error
  })
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        if (failure) reject(sinkError(failure))
        else stream.write(text, (error) => (error ? reject(sinkError(error)) : resolve()))
      }),
  }
}

function sinkError(error: NodeJS.ErrnoException): Error {
  if (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED') return new PipeClosed()
  return fileError(error, 'the standard output')
}

/** The coded error of a failed write to a place that the user named. */
export function fileError(error: unknown, path: string): Error {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SkepError('DISK_FULL', `${path}: the disk is full; make room and repeat`, { path }, { cause: error })
  }
  const reason = code === undefined ? undefined : WRITE_FAILURES[code]
  if (reason === undefined) return error as Error
  return new SkepError('ARGUMENT_INVALID', `${path}: ${reason}`, { argument: path }, { cause: error })
}

const WRITE_FAILURES: Record<string, string> = {
  EACCES: 'may not be written',
  EISDIR: 'is a folder',
  EIO: 'cannot be written',
  EFBIG: 'grew larger than a file may be',
  ELOOP: 'is a circle of links',
  ENAMETOOLONG: 'is too long a name',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'lies below something that is no folder',
  EPERM: 'may not be written',
  EROFS: 'lies on a read-only disk',
}
