/** Files that come as the body of a request, one or an archive of several: kept on disk on their way into a table. */
import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { FILE_TYPES } from '../api/contract.ts'
import { SETTINGS, type Settings } from '../config.ts'
import { isSkepError, SkepError } from '../errors.ts'
import type { FileFormat, ImportOptions, ImportResult } from '../inputs/import.ts'
import { wrapWriteError } from '../inputs/write-errors.ts'
import { removeFolder } from '../storage/temporary.ts'
import { tooSlow } from './connections.ts'
import type { Call } from './context.ts'
import { type ArchivedFile, filesOf } from './tar.ts'

type Options = Omit<ImportOptions, 'onProgress' | 'format'> & {
  format?: FileFormat
  signal: AbortSignal
  onProgress(fraction: number): void
}

/** The share of the work that receiving the file counts for. */
const RECEIVING = 0.3

/**
 * What the import of the body did; the body is a file, or several as a tar archive.
 *
 * @throws MEDIA_TYPE_UNSUPPORTED when neither the content type nor `format` says what the file is
 * @throws BODY_LIMIT, DISK_FULL, and what an import does
 */
export async function importBody(
  { context, params, request }: Pick<Call<'import'>, 'context' | 'params' | 'request'>,
  { onProgress, ...options }: Options,
): Promise<ImportResult> {
  const { warehouse, settings } = context
  const type = request.headers['content-type']
  const isArchive = mediaType(type) === ARCHIVE
  const format = options.format ?? (isArchive ? undefined : formatOf(type))
  const ending = endingOf(request.headers['content-encoding'])
  const folder = warehouse.temporaryPath()
  const length = Number(request.headers['content-length'] ?? Number.NaN)
  if (length > settings.uploadBytes) throw tooLarge(settings.uploadBytes)
  const uploads: Uploads = { folder, received: [] }
  try {
    await mkdir(folder, { recursive: true })
    await pipeline(
      request.raw,
      counted(settings, (bytes) => onProgress(length > 0 ? (bytes / length) * RECEIVING : 0)),
      async (source: AsyncIterable<Buffer>) => {
        const files = isArchive ? filesOf(source) : [{ name: `upload.${format}${ending}`, content: source }]
        await receive(files, uploads, settings.importFiles)
      },
      { signal: options.signal },
    )
    const told = (fraction: number) => onProgress(RECEIVING + fraction * (1 - RECEIVING))
    const paths = uploads.received.map(({ path }) => path)
    const result = await warehouse.import(params.table, paths, {
      ...options,
      ...(format !== undefined && { format }),
      onProgress: (state) => told(state.fraction),
    })
    return withNames(result, uploads)
  } catch (error) {
    if (options.signal.aborted) throw new SkepError('CANCELLED', 'the call was cancelled', {}, { cause: error })
    throw errorWithNames(wrapWriteError(error, warehouse.root), uploads)
  } finally {
    await removeFolder(folder)
  }
}

/** The type of several files in one body. */
const ARCHIVE = 'application/x-tar'

/** A file that came, where it is kept. */
interface Received {
  name: string
  path: string
}

/** The files of one request, and the folder that holds them. */
interface Uploads {
  folder: string
  received: Received[]
}

async function receive(
  files: AsyncIterable<Pick<ArchivedFile, 'name' | 'content'>> | Iterable<Pick<ArchivedFile, 'name' | 'content'>>,
  { folder, received }: Uploads,
  most: number,
): Promise<void> {
  for await (const { name, content } of files) {
    if (received.length === most) {
      const message = `more than ${most} files; import them in parts, or raise SKEP_IMPORT_FILES`
      throw new SkepError('FILE_LIMIT', message, { setting: 'SKEP_IMPORT_FILES', limit: most })
    }
    const own = join(folder, String(received.length))
    const path = join(own, fileName(name))
    received.push({ name, path })
    await mkdir(own)
    await pipeline(content, createWriteStream(path))
  }
}

/** The last part of a name, as every disk takes it; its ending says what the file is. */
function fileName(name: string): string {
  const last = basename(name)
    .replaceAll(/[^\w.-]/g, '_')
    .slice(-100)
  return /^\.*$/.test(last) ? 'file' : last
}

/** The same document with the names of files as they were sent in place of paths of ours. */
function withNames<T>(document: T, { folder, received }: Uploads): T {
  if (typeof document === 'string') {
    const [first = '', ...parts] = document.split(`${folder}/`)
    const named = parts.map((part) => {
      const file = received[Number.parseInt(part, 10)]
      const own = file?.path.slice(folder.length + 1)
      return own !== undefined && part.startsWith(own) ? file!.name + part.slice(own.length) : part
    })
    return [first, ...named].join('') as T
  }
  if (Array.isArray(document)) return document.map((item: unknown) => withNames(item, { folder, received })) as T
  if (typeof document !== 'object' || document === null) return document
  const entries = Object.entries(document).map(([key, item]) => [key, withNames(item, { folder, received })])
  return Object.fromEntries(entries) as T
}

function errorWithNames(error: unknown, uploads: Uploads): unknown {
  if (!isSkepError(error)) return error
  const { code, message, details, cause } = error
  return new SkepError(code, withNames(message, uploads), withNames(details, uploads), { cause })
}

function mediaType(type: string | undefined): string {
  return type?.split(';')[0]?.trim().toLowerCase() ?? ''
}

function formatOf(type: string | undefined): FileFormat {
  const name = mediaType(type)
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
