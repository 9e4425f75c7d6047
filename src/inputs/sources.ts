/** The files that an import was given: globs expanded, standard input taken to a file, formats told. */
import { createHash } from 'node:crypto'
import { constants, createReadStream, createWriteStream } from 'node:fs'
import { access, glob, mkdir, open, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { SETTINGS } from '../config.ts'
import { SkepError, throwIfAborted } from '../errors.ts'
import { damagedError } from './compressed.ts'
import { stampOf } from './hashes.ts'

/** Formats of files. */
export type FileFormat = 'parquet' | 'csv' | 'ndjson'

/** A file to import. */
export interface SourceFile {
  /** Absolute path. */
  path: string
  /** As the user knows it, for messages. */
  label: string
  format: FileFormat
  compression: 'none' | 'gzip' | 'zstd'
  sizeBytes: number
  /** Changes whenever its bytes may have changed. */
  stamp: string
  /** SHA-256 of its bytes, where it was taken on their way here. */
  sha256?: string
}

/** How sources are found. */
export interface SourceOptions {
  format?: FileFormat | undefined
  /** Where standard input is kept while it is imported. */
  spillPath: string
  maxFiles: number
  signal?: AbortSignal | undefined
}

const STANDARD_INPUT = '-'
const FORMATS: readonly string[] = ['parquet', 'csv', 'ndjson'] satisfies FileFormat[]

/**
 * The files that paths, globs and `-` stand for, each once, in the order given and globs by name.
 *
 * @throws FILE_NOT_FOUND, FILE_UNREADABLE, FILE_INVALID for an empty one, ARGUMENT_INVALID for an unknown format
 */
export async function findSources(patterns: readonly string[], options: SourceOptions): Promise<SourceFile[]> {
  if (patterns.length === 0)
    throw new SkepError('ARGUMENT_INVALID', 'name at least one file to import', { argument: 'FILE' })
  if (options.format !== undefined && !FORMATS.includes(options.format)) {
    const message = `format "${options.format}": expected ${FORMATS.join(', ')}`
    throw new SkepError('ARGUMENT_INVALID', message, { argument: 'format' })
  }
  const found = new Map<string, SourceFile>()
  for (const pattern of patterns) {
    for (const file of await expand(pattern, options)) {
      throwIfAborted(options.signal)
      found.set(file.path, file)
      if (found.size > options.maxFiles) {
        const message = `more than ${options.maxFiles} files; import them in parts, or raise SKEP_IMPORT_FILES`
        throw new SkepError('FILE_LIMIT', message, { setting: 'SKEP_IMPORT_FILES', limit: options.maxFiles })
      }
    }
  }
  return [...found.values()]
}

async function expand(pattern: string, options: SourceOptions): Promise<SourceFile[]> {
  if (pattern === STANDARD_INPUT) return [await takeStandardInput(options)]
  if (await exists(pattern)) return [await inspect(pattern, pattern, options.format)]
  const matches = /[*?[\]{}]/.test(pattern) ? (await Array.fromAsync(glob(pattern))).toSorted() : []
  const files: SourceFile[] = []
  for (const match of matches) {
    if ((await stat(match)).isFile()) files.push(await inspect(match, match, options.format))
  }
  if (files.length === 0) throw new SkepError('FILE_NOT_FOUND', `no file matches ${pattern}`, { file: pattern })
  return files
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/** What a file is, from its name and its first bytes. */
async function inspect(path: string, label: string, format: FileFormat | undefined): Promise<SourceFile> {
  const stamp = await stampOf(path)
  const info = await stat(path)
  if (!info.isFile()) {
    throw new SkepError(
      'FILE_INVALID',
      `${label} is a folder; write ${label.replace(/\/+$/, '')}/*.parquet for its files`,
      { file: label },
    )
  }
  await access(path, constants.R_OK).catch((cause: unknown) => {
    throw new SkepError(
      'FILE_UNREADABLE',
      `${label} may not be read; check its permissions`,
      { file: label },
      { cause },
    )
  })
  if (info.size === 0) throw new SkepError('FILE_INVALID', `${label} is empty`, { file: label })
  const head = await firstBytes(path, 4)
  const compression = compressionOf(head)
  const known = format ?? formatOfName(label) ?? (head.toString('latin1') === 'PAR1' ? 'parquet' : undefined)
  if (known === undefined) {
    throw new SkepError(
      'ARGUMENT_INVALID',
      `the name ${basename(label)} does not tell its format; say --format parquet, csv or ndjson`,
      { argument: 'format' },
    )
  }
  return { path: resolve(path), label, format: known, compression, sizeBytes: info.size, stamp }
}

async function firstBytes(path: string, count: number): Promise<Buffer> {
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, 0)
  return buffer.subarray(0, bytesRead)
}

function compressionOf(head: Buffer): SourceFile['compression'] {
  if (head[0] === 0x1f && head[1] === 0x8b) return 'gzip'
  return head.length >= 4 && head.readUInt32LE() === 0xfd2fb528 ? 'zstd' : 'none'
}

function formatOfName(name: string): FileFormat | undefined {
  const extension = /\.(\w+)(?:\.(?:gz|gzip|zst|zstd))?$/i.exec(name)?.[1]?.toLowerCase()
  switch (extension) {
    case 'parquet':
    case 'pq':
      return 'parquet'
    case 'csv':
    case 'tsv':
    case 'txt':
      return 'csv'
    case 'ndjson':
    case 'jsonl':
    case 'json':
      return 'ndjson'
    default:
      return undefined
  }
}

async function takeStandardInput({ format, spillPath, signal }: SourceOptions): Promise<SourceFile> {
  await mkdir(spillPath, { recursive: true })
  const path = `${spillPath}/standard-input`
  const hash = createHash('sha256')
  const hashed = async function* (parts: AsyncIterable<Buffer>) {
    for await (const part of parts) {
      hash.update(part)
      yield part
    }
  }
  await pipeline(process.stdin, hashed, createWriteStream(path), signal ? { signal } : {})
  const file = await inspect(path, 'standard input', format ?? formatOfBytes(await firstBytes(path, 64)))
  return { ...file, sha256: hash.digest('hex') }
}

function formatOfBytes(head: Buffer): FileFormat | undefined {
  const text = head.toString('latin1')
  if (text.startsWith('PAR1')) return 'parquet'
  if (compressionOf(head) !== 'none') return undefined
  return /^\s*[{[]/.test(text) ? 'ndjson' : 'csv'
}

/** The text of a file as it is read, decompressed; ending the loop over it closes the file. @throws FILE_INVALID, CANCELLED */
export async function* textOf(file: SourceFile, readBytes: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const { path, compression } = file
  const raw = createReadStream(path, { highWaterMark: readBytes })
  const options = { chunkSize: readBytes }
  const unpack =
    compression === 'gzip' ? createGunzip(options) : compression === 'zstd' ? createZstdDecompress(options) : undefined
  const stream = unpack ? raw.on('error', (error) => unpack.destroy(error)).pipe(unpack) : raw
  try {
    for await (const part of stream) {
      throwIfAborted(signal)
      yield part as Buffer
    }
  } catch (error) {
    throw damagedError(error, file)
  } finally {
    raw.destroy()
    unpack?.destroy()
  }
}

/** The first line of a text file, without its end; decompressed as far as needed. @throws FILE_INVALID */
export async function firstLine(file: SourceFile): Promise<string> {
  let text = ''
  for await (const part of textOf(file, 64 * 1024)) {
    text += part.toString('utf8')
    if (text.includes('\n') || text.length > SETTINGS.firstLineCharacters.default) break
  }
  return text.split(/\r?\n/, 1)[0]!.replace(/^\uFEFF/, '')
}
