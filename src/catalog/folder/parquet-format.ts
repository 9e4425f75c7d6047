/** The parts of a Parquet footer that Skep reads, by their field ids. Source: apache/parquet-format, `parquet.thrift`. */
import { bool, bytes, type Decoder, int, list, struct, text } from './thrift.ts'

type Of<D> = D extends Decoder<infer T> ? T : never

/** Numbers of the physical types. */
export const PHYSICAL = {
  BOOLEAN: 0,
  INT32: 1,
  INT64: 2,
  INT96: 3,
  FLOAT: 4,
  DOUBLE: 5,
  BYTE_ARRAY: 6,
  FIXED_LEN_BYTE_ARRAY: 7,
} as const

/** Numbers of the converted types, which older writers use alone and newer ones beside the logical type. */
export const CONVERTED = {
  UTF8: 0,
  MAP: 1,
  MAP_KEY_VALUE: 2,
  LIST: 3,
  ENUM: 4,
  DECIMAL: 5,
  DATE: 6,
  TIME_MILLIS: 7,
  TIME_MICROS: 8,
  TIMESTAMP_MILLIS: 9,
  TIMESTAMP_MICROS: 10,
  UINT_8: 11,
  UINT_16: 12,
  UINT_32: 13,
  UINT_64: 14,
  INT_8: 15,
  INT_16: 16,
  INT_32: 17,
  INT_64: 18,
  JSON: 19,
  BSON: 20,
  INTERVAL: 21,
  /** Of files older than the format's own list. */
  NULL: 24,
} as const

/** Numbers of the repetition types. */
export const REPETITION = { REQUIRED: 0, OPTIONAL: 1, REPEATED: 2 } as const

const empty = struct({})

const timeUnit = struct({ millis: [1, empty], micros: [2, empty], nanos: [3, empty] })

const instant = struct({ adjustedToUtc: [1, bool], unit: [2, timeUnit] })

const logicalType = struct({
  string: [1, empty],
  map: [2, empty],
  list: [3, empty],
  enum: [4, empty],
  decimal: [5, struct({ scale: [1, int], precision: [2, int] })],
  date: [6, empty],
  time: [7, instant],
  timestamp: [8, instant],
  integer: [10, struct({ bitWidth: [1, int], signed: [2, bool] })],
  unknown: [11, empty],
  json: [12, empty],
  bson: [13, empty],
  uuid: [14, empty],
  float16: [15, empty],
  variant: [16, empty],
  geometry: [17, empty],
  geography: [18, empty],
})

const schemaElement = struct({
  type: [1, int],
  typeLength: [2, int],
  repetition: [3, int],
  name: [4, text],
  childCount: [5, int],
  converted: [6, int],
  scale: [7, int],
  precision: [8, int],
  fieldId: [9, int],
  logical: [10, logicalType],
})

const statistics = struct({
  /** Deprecated bounds: in signed order, whatever the type. */
  max: [1, bytes],
  min: [2, bytes],
  nulls: [3, int],
  maxValue: [5, bytes],
  minValue: [6, bytes],
})

const columnMetaData = struct({
  type: [1, int],
  codec: [4, int],
  values: [5, int],
  compressedSize: [7, int],
  dataPageOffset: [9, int],
  dictionaryPageOffset: [11, int],
  statistics: [12, statistics],
})

const columnChunk = struct({
  filePath: [1, text],
  metaData: [3, columnMetaData],
  crypto: [8, empty],
})

const rowGroup = struct({ columns: [1, list(columnChunk)], rows: [3, int] })

/** Decodes a whole footer. */
export const fileMetaData = struct({
  schema: [2, list(schemaElement)],
  rows: [3, int],
  rowGroups: [4, list(rowGroup)],
  createdBy: [6, text],
  columnOrders: [7, list(struct({ typeDefined: [1, empty], totalOrder: [2, empty] }))],
  encryption: [8, empty],
})

/** Decodes the header of one page. */
export const pageHeader = struct({
  type: [1, int],
  unpackedSize: [2, int],
  packedSize: [3, int],
  data: [5, struct({ values: [1, int], encoding: [2, int], levelEncoding: [3, int] })],
  dictionary: [7, struct({ values: [1, int], encoding: [2, int] })],
  dataV2: [
    8,
    struct({
      values: [1, int],
      encoding: [4, int],
      levelBytes: [5, int],
      repetitionBytes: [6, int],
      packed: [7, bool],
    }),
  ],
})

/** A whole footer. */
export type FileMetaData = Of<typeof fileMetaData>
/** One node of the schema; the nodes are listed in depth-first order. */
export type SchemaElement = Of<typeof schemaElement>
/** What a writer says of a column in one row group. */
export type ChunkStatistics = Of<typeof statistics>
/** Where a column of one row group is. */
export type ColumnMetaData = Of<typeof columnMetaData>
/** Some rows of a file. */
export type FormatRowGroup = Of<typeof rowGroup>
/** What is known of the unit of a time. */
export type FormatTimeUnit = Of<typeof timeUnit>
