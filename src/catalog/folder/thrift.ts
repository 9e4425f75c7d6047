/**
 * Reads Thrift's compact protocol, in which a Parquet footer is written: declared fields are decoded, others skipped.
 *
 * Lengths are checked against the bytes that are there before anything is allocated, so damaged input costs no more than sound input.
 * Source: Apache Thrift, "Thrift Compact protocol encoding".
 */
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'

/** Bytes with a position. `file` is named in errors. */
export interface ThriftInput {
  readonly file: string
  readonly bytes: Uint8Array
  at: number
  /** Structs that may still be decoded: bounds the memory that a damaged footer can ask for. */
  structsLeft: number
}

/** Reads one value whose wire type has been read already. */
export type Decoder<T> = (input: ThriftInput, wire: number) => T

type Fields = Record<string, readonly [id: number, decoder: Decoder<unknown>]>

/** A struct as it was decoded: a field that the writer left out is absent. */
export type Decoded<F extends Fields> = {
  [N in keyof F]?: F[N] extends readonly [number, Decoder<infer T>] ? T : never
}

const STOP = 0
const TRUE = 1
const FALSE = 2
const BYTE = 3
const I16 = 4
const I64 = 6
const DOUBLE = 7
const BINARY = 8
const LIST = 9
const SET = 10
const MAP = 11
const STRUCT = 12
const UUID = 13

const utf8 = new TextDecoder()

/** An input at the start of these bytes. */
export function thriftInput(file: string, bytes: Uint8Array): ThriftInput {
  return { file, bytes, at: 0, structsLeft: SETTINGS.footerStructs.default }
}

/** The error for a file whose bytes are not what its format promises. */
export function damagedFile(file: string, reason: string): SkepError<'FILE_INVALID'> {
  return new SkepError('FILE_INVALID', `${file}: not a readable Parquet file: ${reason}`, { file })
}

/** An integer of any width; beyond 2^53 it is inexact, which callers refuse as unsafe. */
export const int: Decoder<number> = (input, wire) => {
  if (wire === BYTE) return (readByte(input) << 24) >> 24
  expect(input, wire >= I16 && wire <= I64)
  const value = readVarint(input)
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2
}

/** True or false. */
export const bool: Decoder<boolean> = (input, wire) => {
  expect(input, wire === TRUE || wire === FALSE)
  return wire === TRUE
}

/** A view of the input's bytes. */
export const bytes: Decoder<Uint8Array> = (input, wire) => {
  expect(input, wire === BINARY)
  const length = readLength(input)
  input.at += length
  return input.bytes.subarray(input.at - length, input.at)
}

/** Text; bytes that are not UTF-8 become U+FFFD. */
export const text: Decoder<string> = (input, wire) => utf8.decode(bytes(input, wire))

/** The elements of a list, in order. */
export function list<T>(element: Decoder<T>): Decoder<T[]> {
  return (input, wire) => {
    expect(input, wire === LIST)
    const { count, elementWire } = readListHeader(input)
    const values: T[] = []
    for (let i = 0; i < count; i++) values.push(element(input, elementWire))
    return values
  }
}

/** The declared fields of a struct; `{ name: [field id, decoder] }`. */
export function struct<const F extends Fields>(fields: F): Decoder<Decoded<F>> {
  const byId = new Map(Object.entries(fields).map(([name, [id, decoder]]) => [id, { name, decoder }]))
  return (input, wire) => {
    expect(input, wire === STRUCT)
    if (--input.structsLeft < 0) throw damagedFile(input.file, 'its footer has too many parts')
    const values: Record<string, unknown> = {}
    for (let header = readFieldHeader(input, 0); header; header = readFieldHeader(input, header.id)) {
      const field = byId.get(header.id)
      if (field) values[field.name] = field.decoder(input, header.wire)
      else skip(input, header.wire, SETTINGS.footerSkipDepth.default)
    }
    return values as Decoded<F>
  }
}

/** Decodes the struct at the input's position. */
export function readStruct<T>(input: ThriftInput, decoder: Decoder<T>): T {
  return decoder(input, STRUCT)
}

function expect(input: ThriftInput, holds: boolean): void {
  if (!holds) throw damagedFile(input.file, `its footer is damaged at byte ${input.at}`)
}

function readByte(input: ThriftInput): number {
  const byte = input.bytes[input.at++]
  if (byte === undefined) throw damagedFile(input.file, 'its footer ends too early')
  return byte
}

function readVarint(input: ThriftInput): number {
  let value = 0
  for (let factor = 1; factor < 2 ** 70; factor *= 128) {
    const byte = readByte(input)
    value += (byte & 0x7f) * factor
    if (byte < 0x80) return value
  }
  throw damagedFile(input.file, `its footer is damaged at byte ${input.at}`)
}

/** A number of bytes or elements, each of at least one byte, that the rest of the input can hold. */
function readLength(input: ThriftInput): number {
  const length = readVarint(input)
  expect(input, length <= input.bytes.length - input.at)
  return length
}

function readListHeader(input: ThriftInput): { count: number; elementWire: number } {
  const header = readByte(input)
  const short = header >> 4
  const count = short === 15 ? readLength(input) : short
  return { count, elementWire: header & 0x0f }
}

function readFieldHeader(input: ThriftInput, previousId: number): { id: number; wire: number } | undefined {
  const header = readByte(input)
  const wire = header & 0x0f
  if (wire === STOP) return undefined
  const delta = header >> 4
  return { id: delta === 0 ? int(input, I16) : previousId + delta, wire }
}

function skip(input: ThriftInput, wire: number, levels: number): void {
  expect(input, levels > 0)
  if (wire === TRUE || wire === FALSE) return
  if (wire >= I16 && wire <= I64) readVarint(input)
  else if (wire === BINARY) bytes(input, wire)
  else if (wire === LIST || wire === SET) skipList(input, levels)
  else if (wire === MAP) skipMap(input, levels)
  else if (wire === STRUCT) {
    for (let header = readFieldHeader(input, 0); header; header = readFieldHeader(input, header.id)) {
      skip(input, header.wire, levels - 1)
    }
  } else skipFixed(input, wire)
}

function skipFixed(input: ThriftInput, wire: number): void {
  const width = wire === BYTE ? 1 : wire === DOUBLE ? 8 : wire === UUID ? 16 : Number.POSITIVE_INFINITY
  expect(input, width <= input.bytes.length - input.at)
  input.at += width
}

function skipList(input: ThriftInput, levels: number): void {
  const { count, elementWire } = readListHeader(input)
  for (let i = 0; i < count; i++) skipElement(input, elementWire, levels)
}

function skipMap(input: ThriftInput, levels: number): void {
  const count = readLength(input)
  if (count === 0) return
  const wires = readByte(input)
  for (let i = 0; i < count; i++) {
    skipElement(input, wires >> 4, levels)
    skipElement(input, wires & 0x0f, levels)
  }
}

/** Inside a list or map a boolean has a byte of its own. */
function skipElement(input: ThriftInput, wire: number, levels: number): void {
  if (wire === TRUE || wire === FALSE) readByte(input)
  else skip(input, wire, levels - 1)
}
