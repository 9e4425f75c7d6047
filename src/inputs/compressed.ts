/** Checks that compressed files are whole: the engine's readers take what is left of a truncated one for all of it. */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { isSkepError, SkepError } from '../errors.ts'
import type { SourceFile } from './sources.ts'

/** Ends when every file is known to be whole; reads all of each gzip file, and the block headers of each zstd file. @throws FILE_INVALID, CANCELLED */
export async function requireWhole(files: readonly SourceFile[], signal: AbortSignal): Promise<void> {
  for (const file of files) {
    if (file.format === 'parquet' || file.compression === 'none') continue
    try {
      if (file.compression === 'gzip') await inflate(file.path, signal)
      else await walkFrames(file.path)
    } catch (error) {
      throw damagedError(error, file, signal)
    }
  }
}

/** The error of a file that does not decompress; CANCELLED when that was stopped, errors of ours as they are. */
export function damagedError(error: unknown, { label }: SourceFile, signal?: AbortSignal): SkepError {
  if (isSkepError(error)) return error
  if (signal?.aborted) return new SkepError('CANCELLED', 'the call was cancelled', {})
  const reason = error instanceof Error ? error.message : String(error)
  const message = `${label} is damaged or truncated: it does not decompress (${reason}). Nothing was imported`
  return new SkepError('FILE_INVALID', message, { file: label }, { cause: error })
}

async function inflate(path: string, signal: AbortSignal): Promise<void> {
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() })
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), createGunzip({ chunkSize: 1 << 20 }), sink, {
    signal,
  })
}

const MAGIC = 0xfd2fb528
const SKIPPABLE = 0x184d2a5

/** Walks frames and blocks by their headers. Source: RFC 8878, section 3.1. */
async function walkFrames(path: string): Promise<void> {
  await using file = await open(path)
  const { size } = await file.stat()
  const read = async (at: number, count: number): Promise<number> => {
    if (at + count > size) throw new Error('unexpected end of file')
    const { buffer } = await file.read(Buffer.alloc(count), 0, count, at)
    return buffer.readUIntLE(0, count)
  }
  for (let at = 0; at < size; ) {
    const magic = await read(at, 4)
    if (magic >>> 4 === SKIPPABLE) at += 8 + (await read(at + 4, 4))
    else if (magic === MAGIC) at = await endOfFrame(at + 4, read)
    else throw new Error('unexpected bytes between frames')
    if (at > size) throw new Error('unexpected end of file')
  }
}

async function endOfFrame(start: number, read: (at: number, count: number) => Promise<number>): Promise<number> {
  const descriptor = await read(start, 1)
  const singleSegment = (descriptor & 0x20) !== 0
  const sizeFlag = descriptor >> 6
  const contentSize = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 2 ** sizeFlag
  let at = start + 1 + (singleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]! + contentSize
  for (let last = false; !last; ) {
    const header = await read(at, 3)
    last = (header & 1) === 1
    const isRepeated = ((header >> 1) & 3) === 1
    at += 3 + (isRepeated ? 1 : header >> 3)
  }
  return at + ((descriptor & 4) === 0 ? 0 : 4)
}
