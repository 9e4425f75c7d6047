/** Avro object container files: the form of manifests and manifest lists. Source: Avro specification, "Object Container Files". */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import avro from 'avsc'

/** An Avro schema as JSON; `field-id`, `element-id` and the like are Iceberg's additions and stay in the file. */
export type AvroSchema = string | AvroSchema[] | { [key: string]: unknown }

/** A decoded container file. Longs outside arrays are bigint, inside arrays numbers. */
export interface AvroFile {
  /** The header's entries as text; the schema is `avro.schema`. */
  metadata: Record<string, string>
  records: Record<string, unknown>[]
}

const MAGIC = Buffer.from('Obj\x01', 'latin1')
const BLOCK_RECORDS = 1000
const BLOCK_BYTES_MAX = 1024 * 1024 * 1024

const LONG = avro.Type.forSchema('long')
const HEADER = avro.Type.forSchema({
  type: 'record',
  name: 'Header',
  fields: [
    { name: 'magic', type: { type: 'fixed', name: 'Magic', size: 4 } },
    { name: 'meta', type: { type: 'map', values: 'bytes' } },
    { name: 'sync', type: { type: 'fixed', name: 'Sync', size: 16 } },
  ],
})

/** Longs as bigint, or numbers where a writer has them. */
const EXACT_LONG = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint | number) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    return bytes
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint' || Number.isSafeInteger(value),
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
})

/** The bytes of a container file, deflated. `sync` is 16 bytes that separate the blocks. */
export function writeAvro(
  schema: AvroSchema,
  records: readonly object[],
  metadata: Record<string, string>,
  sync: Uint8Array,
): Uint8Array {
  const type = compile(schema)
  const marker = Buffer.from(sync)
  const header = { ...metadata, 'avro.schema': JSON.stringify(schema), 'avro.codec': 'deflate' }
  const meta = Object.fromEntries(Object.entries(header).map(([key, text]) => [key, Buffer.from(text)]))
  const pieces = [HEADER.toBuffer({ magic: MAGIC, meta, sync: marker })]
  for (let start = 0; start < records.length; start += BLOCK_RECORDS) {
    const block = records.slice(start, start + BLOCK_RECORDS)
    const data = deflateRawSync(Buffer.concat(block.map((record) => type.toBuffer(record))))
    pieces.push(LONG.toBuffer(block.length), LONG.toBuffer(data.length), data, marker)
  }
  return Buffer.concat(pieces)
}

/** The content of a container file, to its last byte. @throws Error for one that is cut off, damaged or of an unknown codec */
export function readAvro(bytes: Uint8Array): AvroFile {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const header = decode(HEADER, buffer, 0) as {
    value: { magic: Buffer; meta: Record<string, Buffer>; sync: Buffer }
    offset: number
  }
  const { magic, meta, sync } = header.value
  if (!MAGIC.equals(magic)) throw new Error('not an Avro file')
  const metadata = Object.fromEntries(Object.entries(meta).map(([key, value]) => [key, value.toString('utf8')]))
  const type = compile(JSON.parse(metadata['avro.schema'] ?? '') as AvroSchema)
  const records: Record<string, unknown>[] = []
  for (let at = header.offset; at < buffer.length; ) {
    const block = readBlock(buffer, at, sync)
    decodeBlock(type, block.count, decompress(block.data, metadata['avro.codec']), records)
    at = block.end
  }
  return { metadata, records }
}

function readBlock(buffer: Buffer, at: number, sync: Buffer): { count: number; data: Buffer; end: number } {
  const count = decode(LONG, buffer, at)
  const size = decode(LONG, buffer, count.offset)
  const end = size.offset + (size.value as number)
  const isWhole = (count.value as number) >= 0 && end >= size.offset && end + sync.length <= buffer.length
  if (!isWhole || !sync.equals(buffer.subarray(end, end + sync.length)))
    throw new Error('a block is cut off or damaged')
  return { count: count.value as number, data: buffer.subarray(size.offset, end), end: end + sync.length }
}

function decompress(data: Buffer, codec = 'null'): Buffer {
  if (codec === 'null') return data
  if (codec === 'deflate') return inflateRawSync(data, { maxOutputLength: BLOCK_BYTES_MAX })
  throw new Error(`unknown codec ${codec}`)
}

function decodeBlock(type: avro.Type, count: number, data: Buffer, records: Record<string, unknown>[]): void {
  let at = 0
  for (let i = 0; i < count; i++) {
    const { value, offset } = decode(type, data, at)
    records.push(value as Record<string, unknown>)
    at = offset
  }
  if (at !== data.length) throw new Error('a block is longer than its records')
}

function decode(type: avro.Type, buffer: Buffer, at: number): { value: unknown; offset: number } {
  const { value, offset } = type.decode(buffer, at) as { value: unknown; offset: number }
  if (offset < 0) throw new Error('the file is cut off')
  return { value, offset }
}

function compile(schema: AvroSchema): avro.Type {
  const type = avro.Type.forSchema(withExactLongs(schema) as Parameters<typeof avro.Type.forSchema>[0])
  if (type.typeName !== 'record') throw new Error('not a file of records')
  return type
}

function withExactLongs(schema: AvroSchema): unknown {
  if (schema === 'long') return EXACT_LONG
  if (typeof schema === 'string') return schema
  if (Array.isArray(schema)) return schema.map(withExactLongs)
  if (schema.type === 'long') return EXACT_LONG
  if (schema.type !== 'record') return schema
  const fields = schema.fields as { type: AvroSchema }[]
  return { ...schema, fields: fields.map((field) => ({ ...field, type: withExactLongs(field.type) })) }
}
