/** Files that come as the body of a request: kept on disk on their way into a table. */
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { FILE_TYPES } from '../api/contract.ts'
import { SETTINGS, type Settings } from '../config.ts'
import { SkepError } from '../errors.ts'
import type { FileFormat, ImportOptions, ImportResult } from '../inputs/import.ts'
import { wrapWriteError } from '../inputs/write-errors.ts'
import { removeFolder } from '../storage/temporary.ts'
import { tooSlow } from './connections.ts'
import type { Call } from './context.ts'

type Options = Omit<ImportOptions, 'onProgress' | 'format'> & {
  format?: FileFormat
  signal: AbortSignal
  onProgress(fraction: number): void
}

/** The share of the work that receiving the file counts for. */
const RECEIVING = 0.3

/**
 * What the import of the body did.
 *
 * @throws MEDIA_TYPE_UNSUPPORTED when neither the content type nor `format` says what the file is
 * @throws BODY_LIMIT, DISK_FULL, and what an import does
 */
export async function importBody(
  { context, params, request }: Pick<Call<'import'>, 'context' | 'params' | 'request'>,
  { onProgress, ...options }: Options,
): Promise<ImportResult> {
  const { warehouse, settings } = context
  const format = options.format ?? formatOf(request.headers['content-type'])
  const ending = endingOf(request.headers['content-encoding'])
  const folder = warehouse.temporaryPath()
  const path = join(folder, `upload.${format}${ending}`)
  const length = Number(request.headers['content-length'] ?? Number.NaN)
  if (length > settings.uploadBytes) throw tooLarge(settings.uploadBytes)
  try {
    await mkdir(folder, { recursive: true })
    await pipeline(
      request.raw,
      counted(settings, (bytes) => onProgress(length > 0 ? (bytes / length) * RECEIVING : 0)),
      createWriteStream(path),
      { signal: options.signal },
    )
    const told = (fraction: number) => onProgress(RECEIVING + fraction * (1 - RECEIVING))
    return await warehouse.import(params.table, [path], {
      ...options,
      format,
      onProgress: (state) => told(state.fraction),
    })
  } catch (error) {
    if (options.signal.aborted) throw new SkepError('CANCELLED', 'the call was cancelled', {}, { cause: error })
    throw wrapWriteError(error, warehouse.root)
  } finally {
    await removeFolder(folder)
  }
}

function formatOf(type: string | undefined): FileFormat {
  const name = type?.split(';')[0]?.trim().toLowerCase() ?? ''
  const format = Object.hasOwn(FILE_TYPES, name) ? FILE_TYPES[name as keyof typeof FILE_TYPES] : undefined
  if (format !== undefined) return format
  const message = 'say what the file is: by the content type, or with ?format=parquet|csv|ndjson'
  throw new SkepError('MEDIA_TYPE_UNSUPPORTED', message, { expected: Object.keys(FILE_TYPES) })
}

function endingOf(encoding: string | undefined): '' | '.gz' | '.zst' {
  switch (encoding?.toLowerCase() ?? 'identity') {
    case 'identity':
      return ''
    case 'gzip':
      return '.gz'
    case 'zstd':
      return '.zst'
    default:
      throw new SkepError('MEDIA_TYPE_UNSUPPORTED', `content encoding ${encoding}: expected gzip or zstd`, {
        expected: ['gzip', 'zstd', 'identity'],
      })
  }
}

/** Lets the bytes through, no more than so many, and as long as they come. */
function counted(
  { uploadBytes: limitBytes, uploadStallMs }: Pick<Settings, 'uploadBytes' | 'uploadStallMs'>,
  tell: (bytes: number) => void,
): Transform {
  let bytes = 0
  let seen = 0
  const { uploadStallBytes } = SETTINGS
  const timer = setInterval(() => {
    const reason = `fewer than ${uploadStallBytes.default} bytes came in ${uploadStallMs} ms`
    if (bytes - seen < uploadStallBytes.default) through.destroy(tooSlow(reason, uploadStallMs))
    seen = bytes
  }, uploadStallMs)
  const through = new Transform({
    transform(piece: Buffer, _encoding, done) {
      bytes += piece.length
      if (bytes > limitBytes) return done(tooLarge(limitBytes))
      tell(bytes)
      done(null, piece)
    },
  })
  through.once('close', () => clearInterval(timer))
  return through
}

function tooLarge(limitBytes: number): SkepError<'BODY_LIMIT'> {
  const message = `the file is larger than ${limitBytes} bytes (SKEP_UPLOAD_BYTES)`
  return new SkepError('BODY_LIMIT', message, { limitBytes, setting: 'uploadBytes' })
}
