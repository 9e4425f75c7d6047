/** Thrift's compact protocol as a tree, to damage a Parquet footer without breaking its form. */
import type { Chance } from '../chance.ts'

type Node =
  | { wire: number; kind: 'flag' }
  | { wire: number; kind: 'byte'; value: number }
  | { wire: number; kind: 'int'; value: bigint }
  | { wire: number; kind: 'double'; value: Buffer }
  | { wire: number; kind: 'bytes'; value: Buffer; length?: bigint }
  | { wire: number; kind: 'list'; element: number; items: Node[]; count?: bigint }
  | { wire: number; kind: 'struct'; fields: { id: number; node: Node }[] }

interface Input {
  bytes: Buffer
  at: number
}

/** The bytes of a struct with one node changed. */
export function mutateThrift(bytes: Buffer, chance: Chance): Buffer {
  const root = readNode({ bytes, at: 0 }, 12)
  const node = chance.pick(nodesOf(root))
  change(node, chance)
  return Buffer.from(printNode(root))
}

function nodesOf(node: Node): Node[] {
  if (node.kind === 'list') return [node, ...node.items.flatMap(nodesOf)]
  if (node.kind === 'struct') return [node, ...node.fields.flatMap((field) => nodesOf(field.node))]
  return [node]
}

const HUGE = [2n ** 31n - 1n, 2n ** 40n, 2n ** 62n]

function change(node: Node, chance: Chance): void {
  switch (node.kind) {
    case 'flag':
      node.wire = node.wire === 1 ? 2 : 1
      return
    case 'byte':
      node.value = chance.below(256)
      return
    case 'int':
      node.value = chance.pick([0n, 1n, -1n, node.value + 1n, node.value - 1n, node.value * 2n, ...HUGE, -(2n ** 62n)])
      return
    case 'double':
      node.value = chance.bytes(8)
      return
    case 'bytes':
      if (chance.next() < 0.2) node.length = chance.pick(HUGE)
      else node.value = chance.bytes(chance.pick([0, node.value.length, node.value.length + 1]))
      return
    case 'list':
      if (chance.next() < 0.3) node.count = chance.pick([...HUGE, BigInt(node.items.length + 1), 0n])
      else if (chance.next() < 0.5) node.items.splice(chance.below(node.items.length + 1), 1)
      else if (node.items.length > 0) node.items.push(chance.pick(node.items))
      return
    case 'struct':
      node.fields.splice(chance.below(node.fields.length + 1), 1)
  }
}

function readNode(input: Input, wire: number): Node {
  if (wire === 1 || wire === 2) return { wire, kind: 'flag' }
  if (wire === 3) return { wire, kind: 'byte', value: input.bytes[input.at++]! }
  if (wire <= 6) return { wire, kind: 'int', value: readZigzag(input) }
  if (wire === 7) return { wire, kind: 'double', value: take(input, 8) }
  if (wire === 8) return { wire, kind: 'bytes', value: take(input, Number(readVarint(input))) }
  if (wire === 9 || wire === 10) return readList(input, wire)
  if (wire === 12) return readStruct(input, wire)
  throw new Error(`wire type ${wire}`)
}

function take(input: Input, length: number): Buffer {
  input.at += length
  return input.bytes.subarray(input.at - length, input.at)
}

function readVarint(input: Input): bigint {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    const byte = input.bytes[input.at++]!
    value |= BigInt(byte & 127) << shift
    if (byte < 128) return value
  }
}

function readZigzag(input: Input): bigint {
  const value = readVarint(input)
  return (value >> 1n) ^ -(value & 1n)
}

function readList(input: Input, wire: number): Node {
  const header = input.bytes[input.at++]!
  const count = header >> 4 === 15 ? Number(readVarint(input)) : header >> 4
  const element = header & 15
  const items = Array.from({ length: count }, () =>
    element <= 2 ? readNode(input, input.bytes[input.at++]!) : readNode(input, element),
  )
  return { wire, kind: 'list', element, items }
}

function readStruct(input: Input, wire: number): Node {
  const fields: { id: number; node: Node }[] = []
  for (let id = 0; ; ) {
    const header = input.bytes[input.at++]!
    if (header === 0) return { wire, kind: 'struct', fields }
    id = header >> 4 === 0 ? Number(readZigzag(input)) : id + (header >> 4)
    fields.push({ id, node: readNode(input, header & 15) })
  }
}

function varint(value: bigint): number[] {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return [...bytes, Number(rest)]
}

function zigzag(value: bigint): number[] {
  return varint((value << 1n) ^ (value >> 63n))
}

function printNode(node: Node): number[] {
  switch (node.kind) {
    case 'flag':
      return []
    case 'byte':
      return [node.value]
    case 'int':
      return zigzag(node.value)
    case 'double':
      return [...node.value]
    case 'bytes':
      return [...varint(node.length ?? BigInt(node.value.length)), ...node.value]
    case 'list':
      return printList(node)
    case 'struct':
      return printStruct(node)
  }
}

function printList(node: Extract<Node, { kind: 'list' }>): number[] {
  const items = node.items.flatMap((item) => (item.kind === 'flag' ? [item.wire] : printNode(item)))
  return [0xf0 | node.element, ...varint(node.count ?? BigInt(node.items.length)), ...items]
}

function printStruct(node: Extract<Node, { kind: 'struct' }>): number[] {
  const bytes: number[] = []
  let last = 0
  for (const { id, node: field } of node.fields) {
    const step = id - last
    if (step > 0 && step < 16) bytes.push((step << 4) | field.wire)
    else bytes.push(field.wire, ...zigzag(BigInt(id)))
    bytes.push(...printNode(field))
    last = id
  }
  return [...bytes, 0]
}
