/** Writes Parquet footers of any shape, sound or not, for tests. */

/** A Thrift value: numbers are i32, bigints i64, `{ byte }` an i8, objects structs by field id. */
export type Thrift =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Thrift[]
  | { byte: number }
  | { [field: number]: Thrift | undefined }

/** The value as Thrift's compact protocol writes it: its wire type and its bytes. */
export function encodeThrift(value: Thrift): [wire: number, bytes: number[]] {
  if (typeof value === 'boolean') return [value ? 1 : 2, []]
  if (typeof value === 'number') return [5, zigzag(BigInt(value))]
  if (typeof value === 'bigint') return [6, zigzag(value)]
  if (typeof value === 'string') return encodeThrift(new TextEncoder().encode(value))
  if (value instanceof Uint8Array) return [8, [...varint(BigInt(value.length)), ...value]]
  if (Array.isArray(value)) return [9, encodeList(value)]
  if ('byte' in value) return [3, [(value.byte as number) & 255]]
  return [12, encodeStruct(value)]
}

function encodeList(values: Thrift[]): number[] {
  const wire = values.length > 0 ? encodeThrift(values[0]!)[0] : 12
  const header = values.length < 15 ? [(values.length << 4) | wire] : [0xf0 | wire, ...varint(BigInt(values.length))]
  return [
    ...header,
    ...values.flatMap((value) => (typeof value === 'boolean' ? [value ? 1 : 2] : encodeThrift(value)[1])),
  ]
}

function encodeStruct(fields: { [field: number]: Thrift | undefined }): number[] {
  const bytes: number[] = []
  let last = 0
  for (const [id, value] of Object.entries(fields)) {
    if (value === undefined) continue
    const [wire, body] = encodeThrift(value)
    const delta = Number(id) - last
    if (delta < 16) bytes.push((delta << 4) | wire)
    else bytes.push(wire, ...zigzag(BigInt(id)))
    for (const byte of body) bytes.push(byte)
    last = Number(id)
  }
  return [...bytes, 0]
}

function varint(value: bigint): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)]
    bytes.push(Number(rest & 127n) | 128)
  }
}

function zigzag(value: bigint): number[] {
  return varint(value >= 0n ? value * 2n : -value * 2n - 1n)
}

/** A file that is nothing but this footer. */
export function fileOfFooter(footer: Uint8Array, magic = 'PAR1'): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  return Buffer.concat([Buffer.from('PAR1'), footer, length, Buffer.from(magic)])
}

/** A file of these schema nodes (the root is added unless the first has children) and row groups. */
export function parquetFile(nodes: Thrift[], rowGroups: Thrift[] = [], rows = 0n, extra: Thrift = {}): Buffer {
  const footer = { 1: 2, 2: nodes, 3: rows, 4: rowGroups, ...(extra as object) }
  return fileOfFooter(Uint8Array.from(encodeThrift(footer)[1]))
}

/** What a leaf of the schema may say. */
export interface LeafOptions {
  name?: string
  type: number
  length?: number | undefined
  repetition?: number
  converted?: number | undefined
  scale?: number
  precision?: number
  logical?: Thrift | undefined
}

/** A stored column. */
export function leaf(options: LeafOptions): Thrift {
  const { name = 'c', type, length, repetition = 1, converted, scale, precision, logical } = options
  return { 1: type, 2: length, 3: repetition, 4: name, 6: converted, 7: scale, 8: precision, 10: logical }
}

/** A node with children, which follow it. */
export function group(name: string, children: number, repetition = 1, converted?: number, logical?: Thrift): Thrift {
  return { 3: repetition, 4: name, 5: children, 6: converted, 10: logical }
}
