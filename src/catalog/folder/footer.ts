/** The footer of one Parquet file: its columns, its row groups and what their writer says of the values in them. */
import type { DataType } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import { SkepError, throwIfAborted } from '../../errors.ts'
import type { CallOptions, ObjectStore, StampedFile } from '../../storage/object-store.ts'
import type { ColumnStatistics } from '../types.ts'
import { type FileMetaData, type FormatRowGroup, fileMetaData } from './parquet-format.ts'
import { type ParquetSchema, readSchema } from './parquet-schema.ts'
import { type BoundFormat, boundFormat, chunkStatistics, mergeStatistics } from './parquet-statistics.ts'
import { damagedFile, readStruct, thriftInput } from './thrift.ts'

/** One top-level column of a file. */
export interface FileColumn {
  name: string
  type: DataType
  /** True when the file's schema forbids nulls. */
  required: boolean
  /** Of all rows of the file; absent for nested columns. */
  statistics?: ColumnStatistics
}

/** Rows of a file that are stored together. */
interface RowGroup {
  rows: number
  /** Compressed. */
  sizeBytes: number
  /** Where its first page starts in the file. */
  startOffset: number
  /** One for each column of the file; undefined for nested columns. */
  statistics: (ColumnStatistics | undefined)[]
}

/** A file as its footer describes it. */
export interface FileFooter {
  rows: number
  columns: FileColumn[]
  rowGroups: RowGroup[]
  /** The program that wrote the file, as it names itself. */
  createdBy?: string
}

/** What may be said about the reading of a footer. */
export interface FooterOptions extends CallOptions {
  /** Bytes that are read at first from the end of the file; a longer footer costs a second read. */
  tailBytes?: number
}

const MAGIC_BYTES = 4
/** Length of the footer and the magic number, at the very end. */
const TRAILER_BYTES = 8

/**
 * The footer of a Parquet file, read with one request, or two when it is longer than 64 KiB.
 *
 * @throws FILE_INVALID for a file that is empty, truncated, damaged, encrypted or not Parquet
 * @throws FILE_NOT_FOUND when there is no such object
 * @throws COLUMN_TYPE_UNSUPPORTED for a column that cannot be read
 */
export async function readFooter(
  store: Pick<ObjectStore, 'read'>,
  object: StampedFile,
  options: FooterOptions = {},
): Promise<FileFooter> {
  return parseFooter(object.path, object.sizeBytes, await readFooterBytes(store, object, options))
}

/** The bytes of a footer, without length and magic number: what `parseFooter` takes. @throws as `readFooter` does */
export async function readFooterBytes(
  store: Pick<ObjectStore, 'read'>,
  object: Pick<StampedFile, 'path' | 'sizeBytes'>,
  options: FooterOptions = {},
): Promise<Uint8Array> {
  const { path: file, sizeBytes } = object
  throwIfAborted(options.signal)
  if (sizeBytes === 0) throw damagedFile(file, 'it is empty')
  if (sizeBytes < MAGIC_BYTES + TRAILER_BYTES) throw damagedFile(file, 'it is too short')
  const tailBytes = Math.min(sizeBytes, Math.max(TRAILER_BYTES, options.tailBytes ?? SETTINGS.footerTailBytes.default))
  const tail = await readRange(store, file, sizeBytes - tailBytes, sizeBytes, options)
  const length = footerLength(file, sizeBytes, tail)
  const end = tailBytes - TRAILER_BYTES
  if (length <= end) return tail.subarray(end - length, end)
  const head = await readRange(store, file, sizeBytes - TRAILER_BYTES - length, sizeBytes - tailBytes, options)
  return Buffer.concat([head, tail.subarray(0, end)])
}

async function readRange(
  store: Pick<ObjectStore, 'read'>,
  file: string,
  start: number,
  end: number,
  { signal }: CallOptions,
): Promise<Uint8Array> {
  const bytes = await store.read(file, { range: { start, end }, signal })
  if (!bytes) throw new SkepError('FILE_NOT_FOUND', `${file} does not exist (any more)`, { file })
  if (bytes.length !== end - start) throw damagedFile(file, 'it changed while it was read')
  return bytes
}

function footerLength(file: string, sizeBytes: number, tail: Uint8Array): number {
  const trailer = tail.subarray(tail.length - TRAILER_BYTES)
  const magic = Buffer.from(trailer.subarray(MAGIC_BYTES)).toString('latin1')
  if (magic === 'PARE') throw damagedFile(file, 'it is encrypted')
  if (magic !== 'PAR1') throw damagedFile(file, 'it does not end as one; it is truncated or of another format')
  const length = new DataView(trailer.buffer, trailer.byteOffset).getUint32(0, true)
  const limit = SETTINGS.footerBytes.default
  if (length > sizeBytes - MAGIC_BYTES - TRAILER_BYTES) throw damagedFile(file, 'its footer is longer than the file')
  if (length > limit) throw damagedFile(file, `its footer of ${length} bytes is longer than ${limit}`)
  return length
}

/** The footer that these bytes (without length and magic number) describe. @throws FILE_INVALID COLUMN_TYPE_UNSUPPORTED */
export function parseFooter(file: string, sizeBytes: number, bytes: Uint8Array): FileFooter {
  const metaData = readStruct(thriftInput(file, bytes), fileMetaData)
  if (metaData.encryption) throw damagedFile(file, 'its columns are encrypted')
  const schema = readSchema(file, metaData.schema ?? [])
  const formats = columnFormats(schema, metaData)
  const rowGroups = (metaData.rowGroups ?? []).map((group) => readRowGroup({ file, sizeBytes, schema, formats }, group))
  const rows = rowGroups.reduce((sum, group) => sum + group.rows, 0)
  if (metaData.rows !== rows) throw damagedFile(file, 'its row groups do not add up to its rows')
  return {
    rows,
    columns: schema.columns.map(({ name, type, required, leaf }, index) => ({
      name,
      type,
      required,
      ...(leaf ? { statistics: mergeStatistics(rowGroups.map((group) => group.statistics[index]!)) } : {}),
    })),
    rowGroups,
    ...(metaData.createdBy === undefined ? {} : { createdBy: metaData.createdBy }),
  }
}

/** By column; undefined where bounds are of no use. A writer that names an order we do not know has bounds that we cannot read. */
function columnFormats(schema: ParquetSchema, { columnOrders }: FileMetaData): (BoundFormat | undefined)[] {
  return schema.columns.map(({ type, leaf }) => {
    const order = leaf && columnOrders?.[leaf.index]
    if (!leaf || (order && !order.typeDefined && !order.totalOrder)) return undefined
    return boundFormat(leaf.element, type)
  })
}

interface GroupContext {
  file: string
  sizeBytes: number
  schema: ParquetSchema
  formats: (BoundFormat | undefined)[]
}

function readRowGroup({ file, sizeBytes, schema, formats }: GroupContext, group: FormatRowGroup): RowGroup {
  const chunks = group.columns ?? []
  const { rows } = group
  if (rows === undefined || !isCount(rows)) throw damagedFile(file, 'it has a row group without a number of rows')
  if (chunks.length !== schema.leaves.length) throw damagedFile(file, 'it has a row group without some of its columns')
  const places = chunks.map((chunk, index) => chunkPlace(file, sizeBytes, chunk, schema.leaves[index]?.type))
  return {
    rows,
    sizeBytes: places.reduce((sum, place) => sum + place.sizeBytes, 0),
    startOffset: places.reduce((least, place) => Math.min(least, place.start), places[0]!.start),
    statistics: schema.columns.map(({ leaf, required }, index) => {
      const chunk = leaf && chunks[leaf.index]!.metaData!
      if (chunk && chunk.values !== rows) throw damagedFile(file, 'it has a column with more or fewer values than rows')
      return chunk && chunkStatistics(chunk, required, formats[index])
    }),
  }
}

type Chunk = NonNullable<FormatRowGroup['columns']>[number]

function chunkPlace(file: string, fileBytes: number, chunk: Chunk, physical: number | undefined) {
  const { metaData } = chunk
  if (chunk.filePath) throw damagedFile(file, 'its rows are in other files')
  if (chunk.crypto || !metaData) throw damagedFile(file, 'its columns are encrypted or missing')
  if (metaData.type !== physical) throw damagedFile(file, 'it stores a column in another type than its schema says')
  const { dataPageOffset: data, dictionaryPageOffset: dictionary, compressedSize: sizeBytes } = metaData
  if (data === undefined || sizeBytes === undefined) throw damagedFile(file, 'it does not say where its columns are')
  const start = dictionary !== undefined && dictionary > 0 ? Math.min(data, dictionary) : data
  if (!isCount(start) || !isCount(sizeBytes) || start + sizeBytes > fileBytes) {
    throw damagedFile(file, 'its columns lie outside of it')
  }
  return { start, sizeBytes }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
