/** The pages of a column chunk, unpacked into the kernel's memory and decoded there. */
import { brotliDecompressSync, gunzipSync, type ZlibOptions, zstdDecompressSync } from 'node:zlib'
import type { KernelColumns } from '../behaviour/kernel.ts'
import { pageHeader } from '../catalog/folder/parquet-format.ts'
import { readStruct, thriftInput } from '../catalog/folder/thrift.ts'
import { SETTINGS } from '../config.ts'
import { Undecodable } from './open-file.ts'

const DATA_PAGE = 0
const INDEX_PAGE = 1
const DICTIONARY_PAGE = 2
const DATA_PAGE_V2 = 3
const RLE = 3
const PLAIN = 0
const PLAIN_DICTIONARY = 2

const UNCOMPRESSED = 0
const SNAPPY = 1

/** By number of the codec: what unpacks it in one call. */
const UNPACKERS = new Map<number, (bytes: Uint8Array, options: ZlibOptions) => Buffer>([
  [2, gunzipSync],
  [4, brotliDecompressSync as (bytes: Uint8Array) => Buffer],
  [6, zstdDecompressSync as (bytes: Uint8Array, options: object) => Buffer],
])

/** Reads the pages of a chunk in order. `onDictionary` is called when its dictionary, of so many entries, is in the kernel. */
export async function decodePages(
  kernel: KernelColumns,
  bytes: Buffer,
  codec: number,
  values: number,
  onDictionary: (entries: number) => Promise<void> | void,
): Promise<void> {
  const input = thriftInput('', bytes)
  for (let left = values; left > 0; ) {
    const header = readStruct(input, pageHeader)
    const { packedSize: packed = -1, unpackedSize: unpacked = -1 } = header
    if (
      !(
        packed >= 0 &&
        packed <= bytes.length - input.at &&
        unpacked >= 0 &&
        unpacked <= SETTINGS.directPageBytes.default
      )
    ) {
      throw new Undecodable('a page has no valid size')
    }
    const page = bytes.subarray(input.at, input.at + packed)
    input.at += packed
    const { data, dataV2, dictionary } = header
    if (header.type === DICTIONARY_PAGE && dictionary) {
      const { values: entries = -1, encoding } = dictionary
      require(encoding === PLAIN || encoding === PLAIN_DICTIONARY)
      // Every entry has a byte at least, unless there is only the empty one.
      require(entries >= 0 && entries <= Math.max(1, unpacked))
      unpack(kernel, page, codec, 0, unpacked)
      require(kernel.readDictionary(unpacked, entries))
      const waiting = onDictionary(entries)
      if (waiting) await waiting
    } else if (header.type === DATA_PAGE && data) {
      const { values: rows = -1, encoding = -1, levelEncoding = RLE } = data
      require(levelEncoding === RLE && rows >= 0 && rows <= left)
      unpack(kernel, page, codec, 0, unpacked)
      require(kernel.readPage(encoding, rows, -1, unpacked))
      left -= rows
    } else if (header.type === DATA_PAGE_V2 && dataV2) {
      const { values: rows = -1, encoding = -1, levelBytes = 0, repetitionBytes = 0, packed: isPacked = true } = dataV2
      require(rows >= 0 && rows <= left && repetitionBytes === 0)
      require(levelBytes >= 0 && levelBytes <= packed && levelBytes <= unpacked)
      unpack(kernel, page, isPacked ? codec : UNCOMPRESSED, levelBytes, unpacked)
      require(kernel.readPage(encoding, rows, levelBytes, unpacked))
      left -= rows
    } else require(header.type === INDEX_PAGE)
  }
  require(kernel.isFilled())
}

/** Puts a page of `unpacked` bytes into the kernel; its first `plain` bytes come as they are. */
function unpack(kernel: KernelColumns, page: Buffer, codec: number, plain: number, unpacked: number): void {
  const start = kernel.pageStart(unpacked)
  if (plain > 0) memoryOf(kernel).set(page.subarray(0, plain), start)
  const packed = page.subarray(plain)
  const size = unpacked - plain
  if (size === 0) return
  if (codec === UNCOMPRESSED) {
    require(packed.length === size)
    memoryOf(kernel).set(packed, start + plain)
  } else if (codec === SNAPPY) {
    const at = kernel.inputStart(packed.length)
    memoryOf(kernel).set(packed, at)
    require(kernel.unpackPage(packed.length, plain, unpacked))
  } else {
    memoryOf(kernel).set(unpackWith(codec, packed, size), start + plain)
  }
}

function unpackWith(codec: number, packed: Buffer, size: number): Buffer {
  const unpacker = UNPACKERS.get(codec)
  if (!unpacker) throw new Undecodable('it is compressed in a way that only the engine reads')
  let result: Buffer
  try {
    result = unpacker(packed, { chunkSize: Math.max(64, size), maxOutputLength: size })
  } catch (error) {
    throw new Undecodable('a page cannot be unpacked', { cause: error })
  }
  require(result.length === size)
  return result
}

function memoryOf(kernel: KernelColumns): Uint8Array {
  return new Uint8Array(kernel.memory.buffer)
}

function require(holds: boolean | number): void {
  if (!holds) throw new Undecodable('a page is damaged or of an encoding that only the engine reads')
}
