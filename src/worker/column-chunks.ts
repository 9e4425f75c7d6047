/** Where the columns of a Parquet file lie: what its footer says of those that a behavioural query decodes itself. */
import {
  type FormatRowGroup,
  fileMetaData,
  PHYSICAL,
  REPETITION,
  type SchemaElement,
} from '../catalog/folder/parquet-format.ts'
import { readSchema } from '../catalog/folder/parquet-schema.ts'
import { readStruct, thriftInput } from '../catalog/folder/thrift.ts'
import { printType } from '../common/data-type.ts'
import { type OpenFile, Undecodable } from './open-file.ts'

/** A column as a job names it: by its field id where files carry ids, else by its name. */
export interface SoughtColumn {
  name: string
  fieldId?: number
  /** DuckDB's name of the type that the file has to give it. */
  types: readonly string[]
}

/** A column of one row group. */
export interface ColumnChunk {
  start: number
  bytes: number
  codec: number
  values: number
}

/** A sought column of a file: how it is stored, and where in each row group. */
export interface ChunkedColumn {
  physical: number
  /** Bytes of each value where all have the same length. */
  length: number
  optional: boolean
  /** Its texts are to be UTF-8. */
  unicode: boolean
  chunks: ColumnChunk[]
}

/** The sought columns of a file, in the order in which they were asked for. */
export interface ColumnarFile {
  groupRows: number[]
  columns: ChunkedColumn[]
}

const MAGIC = 0x31524150
const TRAILER_BYTES = 8

/** The places of these columns. @throws Undecodable when one is missing, nested, or of another type; FILE_INVALID for a damaged footer */
export function findColumns(file: OpenFile, sought: readonly SoughtColumn[]): ColumnarFile {
  const metaData = readStruct(thriftInput(file.path, readFooterBytes(file)), fileMetaData)
  if (metaData.encryption) throw new Undecodable('it is encrypted')
  const schema = readSchema(file.path, metaData.schema ?? [])
  const groups = metaData.rowGroups ?? []
  const columns = sought.map((wanted): ChunkedColumn => {
    const matches = schema.columns.filter(({ name, leaf }) =>
      wanted.fieldId === undefined ? name === wanted.name : leaf?.element.fieldId === wanted.fieldId,
    )
    const [found] = matches
    if (matches.length !== 1 || !found?.leaf) throw new Undecodable(`column "${wanted.name}" is not there once`)
    if (!wanted.types.includes(printType(found.type)))
      throw new Undecodable(`column "${wanted.name}" is of another type`)
    const { element, index } = found.leaf
    return {
      physical: physicalOf(element),
      length: element.typeLength ?? 0,
      optional: element.repetition === REPETITION.OPTIONAL,
      unicode: printType(found.type) === 'VARCHAR',
      chunks: groups.map((group) => chunkOf(file, group, index)),
    }
  })
  return { groupRows: groups.map(({ rows }) => rows ?? -1), columns }
}

function readFooterBytes(file: OpenFile): Uint8Array {
  if (file.sizeBytes < TRAILER_BYTES) throw new Undecodable('it is too short')
  const trailer = file.read(file.sizeBytes - TRAILER_BYTES, TRAILER_BYTES)
  const bytes = trailer.readUInt32LE(0)
  if (trailer.readUInt32LE(4) !== MAGIC || bytes > file.sizeBytes - TRAILER_BYTES)
    throw new Undecodable('it has no footer')
  return Uint8Array.from(file.read(file.sizeBytes - TRAILER_BYTES - bytes, bytes))
}

const { INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY } = PHYSICAL
const DECODED = new Set<number>([INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY])

/** Times in milliseconds would have to be scaled, which the engine does. */
function physicalOf({ type, logical, converted }: SchemaElement): number {
  const isKnown = type !== undefined && DECODED.has(type)
  const isScaled = logical?.timestamp ? logical.timestamp.unit?.micros === undefined : converted === 9
  if (!isKnown || isScaled) throw new Undecodable('a column is stored in a way that only the engine reads')
  return type
}

function chunkOf(file: OpenFile, group: FormatRowGroup, index: number): ColumnChunk {
  const chunk = group.columns?.[index]
  const metaData = chunk?.metaData
  if (!metaData || chunk.filePath || chunk.crypto) throw new Undecodable('a column is encrypted or elsewhere')
  const { dataPageOffset: data, dictionaryPageOffset: dictionary, compressedSize: bytes, codec, values } = metaData
  if (data === undefined || bytes === undefined || codec === undefined || values === undefined) {
    throw new Undecodable('its footer does not say where its columns are')
  }
  const start = dictionary !== undefined && dictionary > 0 ? Math.min(data, dictionary) : data
  if (!(start >= 0 && bytes >= 0 && start + bytes <= file.sizeBytes))
    throw new Undecodable('its columns lie outside of it')
  return { start, bytes, codec, values }
}
