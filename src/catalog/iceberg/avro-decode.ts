/**
 * Decodes Avro values. Lengths and counts are checked against the bytes that are there before anything is allocated, so that damaged
 * input costs no more than sound input. Source: Avro specification, "Binary Encoding".
 */
import type { AvroSchema } from './avro.ts'

/** Bytes with a position. */
export interface AvroInput {
  readonly bytes: Buffer
  at: number
}

/** Reads one value. @throws Error for bytes that are none */
export type AvroDecoder = (input: AvroInput) => unknown

const VARINT_BYTES_MAX = 10
const INT_MAX = 2n ** 31n - 1n

/** The decoder of a schema. Longs are bigint, inside arrays and maps numbers; a union of null and something is one of the two. */
export function avroDecoder(schema: AvroSchema): AvroDecoder {
  return compile(schema, { named: new Map(), exact: true })
}

/** A whole number; what a block's count and size are. @throws Error for one that no number holds */
export function readSize(input: AvroInput): number {
  return toSafe(readLong(input))
}

/** That many bytes, as a view. */
export function readBytes(input: AvroInput, length: number): Buffer {
  if (length < 0 || length > input.bytes.length - input.at) throw new Error('the file is cut off')
  input.at += length
  return input.bytes.subarray(input.at - length, input.at)
}

interface Scope {
  /** Types by name; of a type that is being compiled, a way to its decoder. */
  named: Map<string, AvroDecoder>
  exact: boolean
}

function compile(schema: AvroSchema, scope: Scope): AvroDecoder {
  if (typeof schema === 'string') return plain(schema, scope)
  if (Array.isArray(schema)) return union(schema, scope)
  const { type } = schema
  switch (type) {
    case 'record':
      return record(schema, scope)
    case 'array':
      return array(compile(schema.items as AvroSchema, { ...scope, exact: false }))
    case 'map':
      return map(compile(schema.values as AvroSchema, { ...scope, exact: false }))
    case 'fixed': {
      const size = Number(schema.size)
      return named(schema, scope, (input) => readBytes(input, size))
    }
    case 'enum': {
      const symbols = schema.symbols as string[]
      return named(schema, scope, (input) => symbols[readSize(input)])
    }
    default:
      return compile(type as AvroSchema, scope)
  }
}

function plain(name: string, { named: types, exact }: Scope): AvroDecoder {
  switch (name) {
    case 'null':
      return () => null
    case 'boolean':
      return (input) => readBytes(input, 1)[0] === 1
    case 'int':
      return readInt
    case 'long':
      return exact ? readLong : readSize
    case 'float':
      return (input) => readBytes(input, 4).readFloatLE()
    case 'double':
      return (input) => readBytes(input, 8).readDoubleLE()
    case 'bytes':
      return (input) => readBytes(input, readSize(input))
    case 'string':
      return (input) => readBytes(input, readSize(input)).toString('utf8')
  }
  const known = types.get(name)
  if (known === undefined) throw new Error(`unknown type ${name}`)
  return known
}

function named(schema: { [key: string]: unknown }, { named: types }: Scope, decoder: AvroDecoder): AvroDecoder {
  if (typeof schema.name === 'string') types.set(schema.name, decoder)
  return decoder
}

function record(schema: { [key: string]: unknown }, scope: Scope): AvroDecoder {
  const fields: [name: string, decoder: AvroDecoder][] = []
  const decoder = named(schema, scope, (input) => {
    const value: Record<string, unknown> = {}
    for (const [name, decode] of fields) value[name] = decode(input)
    return value
  })
  for (const { name, type } of schema.fields as { name: string; type: AvroSchema }[]) {
    fields.push([name, compile(type, scope)])
  }
  return decoder
}

function union(branches: AvroSchema[], scope: Scope): AvroDecoder {
  const decoders = branches.map((branch) => compile(branch, scope))
  return (input) => {
    const decoder = decoders[readSize(input)]
    if (decoder === undefined) throw new Error('a value is of no type')
    return decoder(input)
  }
}

function array(item: AvroDecoder): AvroDecoder {
  return (input) => {
    const items: unknown[] = []
    for (let left = readCount(input); left > 0; left = readCount(input)) {
      for (; left > 0; left--) items.push(item(input))
    }
    return items
  }
}

function map(value: AvroDecoder): AvroDecoder {
  return (input) => {
    const entries: [string, unknown][] = []
    for (let left = readCount(input); left > 0; left = readCount(input)) {
      for (; left > 0; left--) entries.push([readBytes(input, readSize(input)).toString('utf8'), value(input)])
    }
    return Object.fromEntries(entries)
  }
}

/** How many items come next; a negative count is followed by their size. */
function readCount(input: AvroInput): number {
  const count = readSize(input)
  if (count < 0) readSize(input)
  const left = input.bytes.length - input.at
  if (Math.abs(count) > left) throw new Error('a list is longer than its file')
  return Math.abs(count)
}

function readInt(input: AvroInput): number {
  const value = readLong(input)
  if (value > INT_MAX || value < -INT_MAX - 1n) throw new Error('an integer is too large')
  return Number(value)
}

function toSafe(value: bigint): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new Error('an integer is too large')
  return number
}

function readLong(input: AvroInput): bigint {
  const { bytes } = input
  let low = 0
  let shift = 0
  const start = input.at
  // Up to 28 bits, which most values have, without big integers.
  for (; shift < 28; shift += 7) {
    const byte = byteAt(bytes, input.at++)
    low |= (byte & 127) << shift
    if (byte < 128) return BigInt((low >>> 1) ^ -(low & 1))
  }
  let value = BigInt(low)
  for (; ; shift += 7) {
    if (input.at - start >= VARINT_BYTES_MAX) throw new Error('an integer is too long')
    const byte = byteAt(bytes, input.at++)
    value |= BigInt(byte & 127) << BigInt(shift)
    if (byte < 128) return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n))
  }
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at]
  if (byte === undefined) throw new Error('the file is cut off')
  return byte
}
