/** Avro object container files: the form of manifests and manifest lists. Source: Avro specification, "Object Container Files". */
import { deflateRawSync, inflateRawSync, zstdDecompressSync } from 'node:zlib'
import avro from 'avsc'
import { SETTINGS } from '../../config.ts'
import { type AvroDecoder, type AvroInput, avroDecoder, readBytes, readSize } from './avro-decode.ts'

/** An Avro schema as JSON; `field-id`, `element-id` and the like are Iceberg's additions and stay in the file. */
export type AvroSchema = string | AvroSchema[] | { [key: string]: unknown }

/** A decoded container file. Longs outside arrays are bigint, inside arrays numbers. */
export interface AvroFile {
  /** The header's entries as text; the schema is `avro.schema`. */
  metadata: Record<string, string>
  records: Record<string, unknown>[]
}

const MAGIC = Buffer.from('Obj\x01', 'latin1')
const BLOCK_RECORDS = SETTINGS.manifestBlockEntries.default
const SYNC_BYTES = 16
const READ_META = avroDecoder({ type: 'map', values: 'bytes' })

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
  const input = { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0 }
  if (!MAGIC.equals(readBytes(input, MAGIC.length))) throw new Error('not an Avro file')
  const meta = READ_META(input) as Record<string, Buffer>
  const metadata = Object.fromEntries(Object.entries(meta).map(([key, value]) => [key, value.toString('utf8')]))
  const sync = readBytes(input, SYNC_BYTES)
  const schema = JSON.parse(metadata['avro.schema'] ?? '') as AvroSchema
  if (!isRecord(schema)) throw new Error('not a file of records')
  const decoder = avroDecoder(schema)
  const records: Record<string, unknown>[] = []
  while (input.at < input.bytes.length) {
    const block = readBlock(input, sync)
    decodeBlock(decoder, block.count, decompress(block.data, metadata['avro.codec']), records)
  }
  return { metadata, records }
}

function isRecord(schema: AvroSchema): boolean {
  return typeof schema === 'object' && !Array.isArray(schema) && schema.type === 'record'
}

function readBlock(input: AvroInput, sync: Buffer): { count: number; data: Buffer } {
  const count = readSize(input)
  const data = readBytes(input, readSize(input))
  if (count < 0 || !sync.equals(readBytes(input, SYNC_BYTES))) throw new Error('a block is cut off or damaged')
  return { count, data }
}

function decompress(data: Buffer, codec = 'null'): Buffer {
  if (codec === 'null') return data
  const limits = { maxOutputLength: SETTINGS.manifestBlockBytes.default }
  if (codec === 'deflate') return inflateRawSync(data, limits)
  if (codec === 'zstandard') return zstdDecompressSync(data, limits)
  throw new Error(`unknown codec ${codec}`)
}

function decodeBlock(decoder: AvroDecoder, count: number, bytes: Buffer, records: Record<string, unknown>[]): void {
  if (count > bytes.length) throw new Error('a block has more records than bytes')
  const input = { bytes, at: 0 }
  for (let i = 0; i < count; i++) records.push(decoder(input) as Record<string, unknown>)
  if (input.at !== bytes.length) throw new Error('a block is longer than its records')
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
