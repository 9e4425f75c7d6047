/** Checkpoints of a Delta log: Parquet files with one action in each row. */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { type AsyncBuffer, type Compressors, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { SETTINGS } from '../../config.ts'
import { isSkepError, throwIfAborted } from '../../errors.ts'
import type { CallOptions } from '../../storage/object-store.ts'
import { type Action, type ActionPlace, readAction } from './actions.ts'
import { damagedLog } from './errors.ts'

const COLUMNS = ['add', 'metaData', 'protocol', 'sidecar']

const COMPRESSORS: Compressors = {
  GZIP: (input) => gunzipSync(input),
  BROTLI: (input) => brotliDecompressSync(input),
  ZSTD: (input) => zstdDecompressSync(input),
}

/** The actions of one file of a checkpoint, given some rows at a time to `take`. @throws TABLE_INVALID */
export async function readCheckpoint(
  bytes: Uint8Array,
  place: ActionPlace,
  take: (actions: Action[]) => void,
  { signal }: CallOptions = {},
): Promise<void> {
  const file = bufferOf(bytes)
  try {
    const metadata = await parquetMetadataAsync(file, { geoparquet: false })
    const found = new Set(metadata.schema.map(({ name }) => name))
    const columns = COLUMNS.filter((name) => found.has(name))
    const rows = Number(metadata.num_rows)
    const step = SETTINGS.checkpointRows.default
    for (let rowStart = 0; rowStart < rows; rowStart += step) {
      throwIfAborted(signal)
      const rowEnd = Math.min(rows, rowStart + step)
      const options = { file, metadata, columns, rowStart, rowEnd, compressors: COMPRESSORS, parsers: RAW_TIMES }
      const found = await parquetReadObjects(options)
      if (found.length !== rowEnd - rowStart) throw damagedLog(place.source, 'it has fewer rows than it says')
      take(found.flatMap((row) => readAction(row, place) ?? []))
    }
  } catch (cause) {
    if (isSkepError(cause)) throw cause
    throw damagedLog(place.source, 'it is not a Parquet file that can be read', cause)
  }
}

/** Times and dates as they are stored, so that none is rounded: microseconds and days since 1970. */
const RAW_TIMES = {
  timestampFromMilliseconds: (millis: bigint) => millis * 1000n,
  timestampFromMicroseconds: (micros: bigint) => micros,
  timestampFromNanoseconds: (nanos: bigint) => nanos / 1000n,
  dateFromDays: (days: number) => BigInt(days),
}

function bufferOf(bytes: Uint8Array): AsyncBuffer {
  const { buffer, byteOffset, byteLength } = bytes
  return {
    byteLength,
    slice: (start, end = byteLength) =>
      buffer.slice(byteOffset + start, byteOffset + Math.min(end, byteLength)) as ArrayBuffer,
  }
}
