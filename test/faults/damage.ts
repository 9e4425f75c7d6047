/** Ways in which a file gets damaged: of any file, and of JSON, Avro and Parquet in particular. */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Chance } from '../chance.ts'
import { mutateThrift } from './thrift-tree.ts'

/** What becomes of a file: other bytes, or none when it is deleted. */
export type Damage = (bytes: Buffer, chance: Chance, others: readonly Buffer[]) => Buffer | undefined

function overwritten(bytes: Buffer, chance: Chance, fill: (length: number) => Buffer): Buffer {
  const copy = Buffer.from(bytes)
  const at = chance.below(Math.max(1, copy.length))
  const length = Math.min(copy.length - at, 1 + chance.below(chance.next() < 0.5 ? 4 : 200))
  fill(length).copy(copy, at)
  return copy
}

/** A place and a length of a chunk. */
function chunk(bytes: Buffer, chance: Chance): [start: number, end: number] {
  const start = chance.below(Math.max(1, bytes.length))
  return [start, Math.min(bytes.length, start + 1 + chance.below(chance.next() < 0.5 ? 8 : 400))]
}

/** Damage that needs no knowledge of the file. */
export const BLIND: Readonly<Record<string, Damage>> = {
  flip: (bytes, chance) => {
    const copy = Buffer.from(bytes)
    const flips = chance.next() < 0.7 ? 1 : 1 + chance.below(5)
    for (let k = 0; k < flips && copy.length > 0; k++) copy[chance.below(copy.length)]! ^= 1 << chance.below(8)
    return copy
  },
  zeros: (bytes, chance) => overwritten(bytes, chance, (length) => Buffer.alloc(length)),
  ones: (bytes, chance) => overwritten(bytes, chance, (length) => Buffer.alloc(length, 0xff)),
  random: (bytes, chance) => overwritten(bytes, chance, (length) => chance.bytes(length)),
  truncate: (bytes, chance) => bytes.subarray(0, chance.below(Math.max(1, bytes.length))),
  extend: (bytes, chance) => Buffer.concat([bytes, chance.bytes(1 + chance.below(300))]),
  double: (bytes, chance) => {
    const [start, end] = chunk(bytes, chance)
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)])
  },
  cut: (bytes, chance) => {
    const [start, end] = chunk(bytes, chance)
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)])
  },
  swap: (_, chance, others) => (others.length === 0 ? Buffer.alloc(0) : chance.pick(others)),
  empty: () => Buffer.alloc(0),
  delete: () => undefined,
}

/** What a value may have become. */
export const OTHER_VALUES = [null, -1, 1e308, Number.MAX_SAFE_INTEGER, 0, '', 'x', [], {}, true] as const

/** Damage to a JSON document that is a JSON document still. */
export const damageJson: Damage = (bytes, chance) => {
  const root = JSON.parse(bytes.toString()) as unknown
  const places = placesOf(root)
  if (places.length === 0) return Buffer.alloc(0)
  const { parent, key } = chance.pick(places)
  const value = parent[key]
  const change = chance.below(Array.isArray(parent) ? 4 : 5)
  if (change === 0) {
    if (Array.isArray(parent)) parent.splice(Number(key), 1)
    else delete parent[key]
  } else if (change === 1) parent[key] = chance.pick(OTHER_VALUES)
  else if (change === 2) parent[key] = neighbour(value, chance)
  else if (change === 3) parent[key] = chance.pick(places.map((place) => place.parent[place.key]))
  else {
    delete parent[key]
    parent[`${String(key)}${chance.pick(['x', '-', ' '])}`] = value
  }
  return Buffer.from(safeJson(root))
}

/** A value may have been put below itself. */
function safeJson(root: unknown): string {
  try {
    return JSON.stringify(root)
  } catch {
    return '{}'
  }
}

type Holder = Record<string | number, unknown>

/** Every place of a document, by its holder and its key there. */
export function placesOf(value: unknown): { parent: Holder; key: string | number }[] {
  if (typeof value !== 'object' || value === null) return []
  const parent = value as Holder
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...placesOf(parent[key])])
}

/** A value of the same type that a flipped bit might have made. */
function neighbour(value: unknown, chance: Chance): unknown {
  if (typeof value === 'number') return value + chance.pick([1, -1, 10, 256])
  if (typeof value === 'boolean') return !value
  if (typeof value !== 'string' || value === '') return value
  const at = chance.below(value.length)
  const digit = /\d/.test(value[at]!) ? String((Number(value[at]) + 1 + chance.below(9)) % 10) : 'q'
  return value.slice(0, at) + digit + value.slice(at + 1)
}

/** Damage to the records of an Avro file whose blocks are whole: they are unpacked, damaged, and packed again. */
export const damageAvro: Damage = (bytes, chance, others) => {
  const start = bytes.indexOf(bytes.subarray(-16)) + 16
  const count = readLong(bytes, start)
  const size = readLong(bytes, count.end)
  const records = inflateRawSync(bytes.subarray(size.end, size.end + size.value))
  const damage = chance.pick(['flip', 'zeros', 'ones', 'random', 'truncate', 'double', 'cut'])
  const changed = chance.next() < 0.2 ? hugeLength(records, chance) : BLIND[damage]!(records, chance, others)!
  const counted = chance.next() < 0.2 ? chance.pick([0, 1, count.value + 1, 2 ** 31, 2 ** 45]) : count.value
  const packed = deflateRawSync(changed)
  const parts = [bytes.subarray(0, start), longOf(counted), longOf(packed.length), packed, bytes.subarray(-16)]
  return Buffer.concat(parts)
}

/** A length or count that promises more than memory holds. */
function hugeLength(records: Buffer, chance: Chance): Buffer {
  const at = chance.below(records.length)
  return Buffer.concat([records.subarray(0, at), longOf(chance.pick([2 ** 30, 2 ** 40])), records.subarray(at + 1)])
}

function readLong(bytes: Buffer, at: number): { value: number; end: number } {
  let value = 0
  for (let shift = 1, end = at; ; shift *= 128) {
    const byte = bytes[end++]!
    value += (byte & 127) * shift
    if (byte < 128) return { value: value / 2, end }
  }
}

function longOf(value: number): Buffer {
  const bytes: number[] = []
  let rest = value * 2
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}

const TRAILER = 8

/** Damage to the footer of a Parquet file that is a footer still: numbers, lists and texts change, and are written anew. */
export const damageFooter: Damage = (bytes, chance) => {
  const length = bytes.readUInt32LE(bytes.length - TRAILER)
  const start = bytes.length - TRAILER - length
  const footer = mutateThrift(bytes.subarray(start, bytes.length - TRAILER), chance)
  const trailer = Buffer.from(bytes.subarray(-TRAILER))
  trailer.writeUInt32LE(footer.length)
  return Buffer.concat([bytes.subarray(0, start), footer, trailer])
}

/** Damage to one of the first bytes of the pages of a Parquet file, where headers, dictionaries and levels are. */
export const damagePages: Damage = (bytes, chance) => {
  const copy = Buffer.from(bytes)
  const end = copy.length - TRAILER - copy.readUInt32LE(copy.length - TRAILER)
  const at = 4 + chance.below(Math.max(1, end - 4))
  const length = Math.min(end - at, 1 + chance.below(6))
  const fill = chance.pick([Buffer.alloc(length), Buffer.alloc(length, 0xff), chance.bytes(length)])
  fill.copy(copy, at)
  return copy
}
