/** The kernel's decoders against encoders and readers that were written from the formats alone. */
import fc from 'fast-check'
import { ByteWriter } from 'hyparquet-writer'
import { deltaBinaryPack } from 'hyparquet-writer/src/delta.js'
import { snappyCompress } from 'hyparquet-writer/src/snappy.js'
import { describe, expect, test } from 'vitest'
import { Kernel, type KernelColumns } from '../../src/behaviour/kernel.ts'

const PURPOSE = { actor: 0, time: 1, mask: 2 }
const PHYSICAL = { int32: 1, int64: 2, bytes: 6, fixed: 7 }
const ENCODING = { plain: 0, delta: 5, deltaLength: 6, codes: 8 }

/** The columns with what rows become, which the product reads inside the kernel alone. */
type Columns = KernelColumns & { startsEnd(): number; timesEnd(): number; masksEnd(): number }

function newColumns(actorWords = 0): Columns {
  const { columns } = new Kernel({ conditions: [] }, { floatTimes: false })
  if (actorWords > 0) columns.keepActors(actorWords)
  columns.beginTask()
  return columns as Columns
}

function fillPage(columns: KernelColumns, bytes: Uint8Array): void {
  const at = columns.pageStart(bytes.length)
  new Uint8Array(columns.memory.buffer, at, bytes.length).set(bytes)
}

function readDictionary(columns: KernelColumns, bytes: Uint8Array, entries: number): boolean {
  fillPage(columns, bytes)
  return Boolean(columns.readDictionary(bytes.length, entries))
}

function readPage(columns: KernelColumns, encoding: number, rows: number, bytes: Uint8Array, levels = 0): boolean {
  fillPage(columns, bytes)
  return Boolean(columns.readPage(encoding, rows, levels, bytes.length))
}

function longs(columns: KernelColumns, at: number, count: number): bigint[] {
  return [...new BigInt64Array(columns.memory.buffer, at, count)]
}

const bytesOf = (values: readonly bigint[]) => new Uint8Array(new BigInt64Array(values).buffer)

/** Unsigned LEB128. */
function varint(value: bigint): number[] {
  const bytes: number[] = []
  let left = BigInt.asUintN(64, value)
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128)
  return [...bytes, Number(left)]
}

const zigzag = (value: bigint) => varint((value << 1n) ^ (value >> 63n))

/** Numbers of `width` bits each, the first in the lowest bits. */
function packed(values: readonly bigint[], width: number): number[] {
  const all = values.reduce((sum, value, k) => sum | (BigInt.asUintN(width, value) << BigInt(k * width)), 0n)
  const count = Math.ceil((values.length * width) / 8)
  return Array.from({ length: count }, (_, k) => Number((all >> BigInt(8 * k)) & 255n))
}

/** Runs and groups of eight, of the lengths given in turn: `runs[k]` is negative for a run. */
function hybrid(values: readonly number[], width: number, pieces: readonly number[]): Uint8Array {
  const bytes: number[] = []
  for (let at = 0, k = 0; at < values.length; k++) {
    const piece = pieces[k % pieces.length]!
    let run = 1
    while (run < -piece && values[at + run] === values[at]) run++
    if (piece < 0) {
      bytes.push(...varint(BigInt(run) << 1n), ...packed([BigInt(values[at]!)], 8 * Math.ceil(width / 8)))
      at += run
    } else {
      const group = Array.from({ length: 8 * piece }, (_, j) => BigInt(values[at + j] ?? 0))
      bytes.push(...varint((BigInt(piece) << 1n) | 1n), ...packed(group, width))
      at += 8 * piece
    }
  }
  return Uint8Array.from(bytes)
}

describe('runs and bit-packed groups', () => {
  test.each(Array.from({ length: 33 }, (_, width) => width))('of %i bits', (width) => {
    const entries = Math.min(2 ** width, 1000)
    // Where all bits may be set, no code is too great.
    const cases = fc.record({
      codes: fc.array(fc.oneof(fc.nat(entries - 1), fc.constant(entries - 1)), { minLength: 1, maxLength: 200 }),
      repeat: fc.integer({ min: 1, max: 9 }),
      pieces: fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: -90, max: -1 })), { minLength: 1 }),
    })
    const dictionary = Array.from({ length: entries }, (_, k) => BigInt(k) * 0x1234_5678_9abcn - 99n)
    const columns = newColumns()
    fc.assert(
      fc.property(cases, ({ codes: some, repeat, pieces }) => {
        const codes = some.flatMap((code) => Array.from({ length: repeat }, () => code))
        columns.beginGroup(codes.length)
        columns.openColumn(PURPOSE.time, PHYSICAL.int64, 0, 0, 0)
        expect(readDictionary(columns, bytesOf(dictionary), entries)).toBe(true)
        expect(
          readPage(columns, ENCODING.codes, codes.length, Uint8Array.of(width, ...hybrid(codes, width, pieces))),
        ).toBe(true)
        expect(longs(columns, columns.timesEnd(), codes.length)).toEqual(codes.map((code) => dictionary[code]))
        expect(columns.isFilled()).toBeTruthy()
      }),
      { numRuns: 25 },
    )
  })

  test('codes beyond the dictionary are refused, in runs and in groups', () => {
    const columns = newColumns()
    for (const [width, bad] of [
      [3, 5],
      [8, 200],
      [9, 300],
      [32, 2 ** 32 - 1],
    ] as const) {
      for (const pieces of [[1], [-1]]) {
        columns.beginGroup(10)
        columns.openColumn(PURPOSE.time, PHYSICAL.int64, 0, 0, 0)
        expect(readDictionary(columns, bytesOf([1n, 2n, 3n, 4n, 5n]), 5)).toBe(true)
        const codes = [0, 4, 1, 2, 4, 4, 0, 1, bad, 0]
        expect(readPage(columns, ENCODING.codes, 10, Uint8Array.of(width, ...hybrid(codes, width, pieces)))).toBe(false)
      }
    }
  })

  test('levels say which rows have a value, in both layouts of pages', () => {
    const rows = fc.array(fc.option(fc.bigInt(-9n, 9n), { nil: undefined, freq: 2 }), { minLength: 1, maxLength: 300 })
    const pieces = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: -90, max: -1 })), {
      minLength: 1,
    })
    fc.assert(
      fc.property(rows, pieces, fc.boolean(), (values, shape, second) => {
        const levels = hybrid(
          values.map((value) => Number(value !== undefined)),
          1,
          shape,
        )
        const present = values.filter((value) => value !== undefined)
        const length = Uint8Array.from(second ? [] : [levels.length & 255, levels.length >> 8, 0, 0])
        const page = Uint8Array.of(...length, ...levels, ...bytesOf(present))
        const columns = newColumns()
        columns.beginGroup(values.length)
        columns.openColumn(PURPOSE.time, PHYSICAL.int64, 0, 1, 0)
        expect(readPage(columns, ENCODING.plain, values.length, page, second ? levels.length : -1)).toBe(true)
        // A row without a time is left out.
        expect(columns.endGroup()).toBe(present.length)
        expect(longs(columns, columns.timesEnd(), present.length)).toEqual(present)
      }),
      { numRuns: 300 },
    )
  })
})

/** Differences in blocks, with a width of its own for each miniblock, at least `least` bits. */
function deltas(
  values: readonly bigint[],
  bits: 32 | 64,
  [size, miniblocks, least]: readonly [number, number, number],
): Uint8Array {
  const wrap = (value: bigint) => BigInt.asIntN(bits, value)
  const bytes = [
    ...varint(BigInt(size)),
    ...varint(BigInt(miniblocks)),
    ...varint(BigInt(values.length)),
    ...zigzag(values[0] ?? 0n),
  ]
  const steps = values.slice(1).map((value, k) => wrap(value - values[k]!))
  for (let at = 0; at < steps.length; at += size) {
    const block = steps.slice(at, at + size)
    const minimum = block.reduce((a, b) => (a < b ? a : b))
    const each = size / miniblocks
    const parts = Array.from({ length: miniblocks }, (_, k) =>
      block.slice(k * each, (k + 1) * each).map((step) => BigInt.asUintN(bits, step - minimum)),
    )
    const widths = parts.map((part) =>
      part.length === 0 ? 77 : Math.max(least, ...part.map((step) => step.toString(2).length * Number(step !== 0n))),
    )
    bytes.push(...zigzag(minimum), ...widths)
    for (const [k, part] of parts.entries()) {
      if (part.length > 0) bytes.push(...packed([...part, ...Array<bigint>(each - part.length).fill(0n)], widths[k]!))
    }
  }
  return Uint8Array.from(bytes)
}

const SHAPES = fc.constantFrom<[number, number][]>([128, 4], [8, 1], [64, 8], [256, 2])

function readTimes(physical: number, encoding: number, count: number, bytes: Uint8Array): bigint[] | undefined {
  const columns = newColumns()
  columns.beginGroup(count)
  columns.openColumn(PURPOSE.time, physical, 0, 0, 0)
  return readPage(columns, encoding, count, bytes) ? longs(columns, columns.timesEnd(), count) : undefined
}

describe('differences', () => {
  test.each(Array.from({ length: 65 }, (_, width) => width))('of at least %i bits', (width) => {
    const spread = 2n ** BigInt(Math.max(0, width - 1)) - 1n
    const near = fc.bigInt(-spread, spread).map((value) => BigInt.asIntN(64, value))
    const values = fc.array(fc.oneof(near, fc.bigInt(-5n, 5n)), { minLength: 0, maxLength: 300 })
    fc.assert(
      fc.property(values, SHAPES, (given, [size, miniblocks]) => {
        const bytes = deltas(given, 64, [size, miniblocks, width])
        expect(readTimes(PHYSICAL.int64, ENCODING.delta, given.length, bytes)).toEqual(given)
      }),
      { numRuns: 12 },
    )
  })

  const extremes = (bits: bigint) =>
    fc.array(
      fc.oneof(
        fc.constantFrom(-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n, 0n),
        fc.bigInt(-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n),
      ),
      { minLength: 1, maxLength: 200 },
    )

  test('of 64-bit integers wrap round', () => {
    fc.assert(
      fc.property(extremes(64n), SHAPES, (given, [size, miniblocks]) => {
        expect(
          readTimes(PHYSICAL.int64, ENCODING.delta, given.length, deltas(given, 64, [size, miniblocks, 0])),
        ).toEqual(given)
      }),
    )
  })

  test('of 32-bit integers wrap round in 32 bits', () => {
    fc.assert(
      fc.property(extremes(32n), SHAPES, (given, [size, miniblocks]) => {
        expect(
          readTimes(PHYSICAL.int32, ENCODING.delta, given.length, deltas(given, 32, [size, miniblocks, 0])),
        ).toEqual(given)
      }),
    )
  })

  test('as another writer packs them', () => {
    fc.assert(
      fc.property(extremes(64n), (given) => {
        const writer = new ByteWriter()
        deltaBinaryPack(writer, given, 'INT64')
        expect(readTimes(PHYSICAL.int64, ENCODING.delta, given.length, new Uint8Array(writer.getBuffer()))).toEqual(
          given,
        )
      }),
    )
    fc.assert(
      fc.property(extremes(32n), (given) => {
        const writer = new ByteWriter()
        deltaBinaryPack(writer, given.map(Number), 'INT32')
        expect(readTimes(PHYSICAL.int32, ENCODING.delta, given.length, new Uint8Array(writer.getBuffer()))).toEqual(
          given,
        )
      }),
    )
  })

  test('that end too early are refused', () => {
    const given = Array.from({ length: 100 }, (_, k) => BigInt(k * k * k))
    const bytes = deltas(given, 64, [128, 4, 0])
    for (let end = 0; end < bytes.length; end++) {
      expect(readTimes(PHYSICAL.int64, ENCODING.delta, given.length, bytes.subarray(0, end))).toBe(undefined)
    }
  })
})

/** One element of the format: bytes as they are, or a copy of what stands some way back. */
type Element = { bytes: number[]; form: 0 | 1 | 2 | 3 | 4 } | { offset: number; length: number; wide: 1 | 2 | 4 }

const elements: fc.Arbitrary<Element[]> = fc.array(
  fc.oneof(
    fc.record({
      bytes: fc.oneof(
        fc.array(fc.nat(255), { minLength: 1, maxLength: 70 }),
        fc
          .tuple(fc.nat(255), fc.integer({ min: 1, max: 70_000 }))
          .map(([byte, count]) => Array<number>(count).fill(byte)),
      ),
      form: fc.constantFrom<(0 | 1 | 2 | 3 | 4)[]>(0, 1, 2, 3, 4),
    }),
    fc.record({
      offset: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.nat(100_000)),
      length: fc.integer({ min: 1, max: 64 }),
      wide: fc.constantFrom<(1 | 2 | 4)[]>(1, 2, 4),
    }),
  ),
  { minLength: 1, maxLength: 40 },
)

/** The elements as a stream, and what they stand for; copies that reach too far are left out. */
function snappyStream(given: readonly Element[]): { stream: Uint8Array; plain: Uint8Array } {
  const plain: number[] = []
  const body: number[] = []
  for (const element of given) {
    if ('bytes' in element) {
      const length = element.bytes.length - 1
      const bytes =
        length < 60 && element.form === 0 ? 0 : Math.max(element.form, length < 256 ? 1 : length < 65_536 ? 2 : 3)
      body.push(bytes === 0 ? length << 2 : (59 + bytes) << 2)
      for (let k = 0; k < bytes; k++) body.push((length >>> (8 * k)) & 255)
      for (const byte of element.bytes) {
        body.push(byte)
        plain.push(byte)
      }
      continue
    }
    const { offset, length, wide } = element
    if (
      offset === 0 ||
      offset > plain.length ||
      (wide === 1 && (offset > 2047 || length < 4 || length > 11)) ||
      (wide === 2 && offset > 65_535)
    )
      continue
    if (wide === 1) body.push(1 | ((length - 4) << 2) | ((offset >> 8) << 5), offset & 255)
    else {
      body.push((wide === 2 ? 2 : 3) | ((length - 1) << 2))
      for (let k = 0; k < wide; k++) body.push((offset >>> (8 * k)) & 255)
    }
    for (let k = 0; k < length; k++) plain.push(plain[plain.length - offset]!)
  }
  return { stream: Uint8Array.from([...varint(BigInt(plain.length)), ...body]), plain: Uint8Array.from(plain) }
}

/** What the kernel unpacks, behind `at` bytes that it is to leave alone; undefined when it refuses. */
function unpack(columns: KernelColumns, stream: Uint8Array, size: number, at = 0): Uint8Array | undefined {
  const page = columns.pageStart(at + size)
  const input = columns.inputStart(stream.length)
  new Uint8Array(columns.memory.buffer, page, at).fill(7)
  new Uint8Array(columns.memory.buffer, input, stream.length).set(stream)
  if (!columns.unpackPage(stream.length, at, at + size)) return undefined
  expect(new Uint8Array(columns.memory.buffer, page, at).every((byte) => byte === 7)).toBe(true)
  return new Uint8Array(columns.memory.buffer, page + at, size).slice()
}

describe('snappy', () => {
  const columns = newColumns()
  const isSame = (a: Uint8Array | undefined, b: Uint8Array) => a !== undefined && Buffer.compare(a, b) === 0

  test('every element of the format', () => {
    fc.assert(
      fc.property(elements, fc.nat(9), (given, at) => {
        const { stream, plain } = snappyStream(given)
        expect(isSame(unpack(columns, stream, plain.length, at), plain)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  test('what another program packed', () => {
    const texts = fc.array(
      fc.constantFrom('a', 'ab', 'abcdefgh', 'view,cart,buy,', '\0\0\0\0', 'é😀', 'x'.repeat(99)),
      { maxLength: 3000 },
    )
    fc.assert(
      fc.property(texts, (parts) => {
        const plain = new Uint8Array(Buffer.from(parts.join('')))
        expect(isSame(unpack(columns, snappyCompress(plain), plain.length), plain)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  test('streams that are cut off or of another length are refused', () => {
    fc.assert(
      fc.property(elements, fc.double({ min: 0, max: 0.999, noNaN: true }), (given, part) => {
        const { stream, plain } = snappyStream(given)
        expect(unpack(columns, stream.subarray(0, Math.floor(part * stream.length)), plain.length)).toBe(undefined)
        expect(unpack(columns, stream, plain.length + 1)).toBe(undefined)
        if (plain.length > 0) expect(unpack(columns, stream, plain.length - 1)).toBe(undefined)
      }),
      { numRuns: 100 },
    )
  })
})

const MASK64 = 2n ** 64n - 1n
const rotate = (value: bigint, bits: bigint) => ((value << bits) | (value >> (64n - bits))) & MASK64

/** SipHash-c-d with 128 bits, from the paper. */
function sipHash(c: number, d: number, [key0, key1]: readonly [bigint, bigint], bytes: Uint8Array): [bigint, bigint] {
  let [v0, v1, v2, v3] = [
    0x736f6d6570736575n ^ key0,
    0x646f72616e646f6dn ^ key1 ^ 0xeen,
    0x6c7967656e657261n ^ key0,
    0x7465646279746573n ^ key1,
  ]
  const rounds = (count: number) => {
    for (let k = 0; k < count; k++) {
      v0 = (v0 + v1) & MASK64
      v1 = rotate(v1, 13n) ^ v0
      v0 = rotate(v0, 32n)
      v2 = (v2 + v3) & MASK64
      v3 = rotate(v3, 16n) ^ v2
      v0 = (v0 + v3) & MASK64
      v3 = rotate(v3, 21n) ^ v0
      v2 = (v2 + v1) & MASK64
      v1 = rotate(v1, 17n) ^ v2
      v2 = rotate(v2, 32n)
    }
  }
  const whole = Math.floor(bytes.length / 8)
  for (let block = 0; block <= whole; block++) {
    let word = block === whole ? BigInt(bytes.length & 255) << 56n : 0n
    for (const [k, byte] of bytes.subarray(8 * block, 8 * block + 8).entries()) word |= BigInt(byte) << BigInt(8 * k)
    v3 ^= word
    rounds(c)
    v0 ^= word
  }
  v2 ^= 0xeen
  rounds(d)
  const low = v0 ^ v1 ^ v2 ^ v3
  v1 ^= 0xddn
  rounds(d)
  return [low, v0 ^ v1 ^ v2 ^ v3]
}

/** Texts as plain pages hold them. */
const plainTexts = (texts: readonly Uint8Array[]) =>
  Buffer.concat(texts.flatMap((text) => [Buffer.from(new Uint32Array([text.length]).buffer), text]))

describe('the hash of texts', () => {
  test('the implementation that it is compared with gives the published hash', () => {
    const key = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n] as const
    expect(sipHash(2, 4, key, new Uint8Array())).toEqual([0xe6a825ba047f81a3n, 0x930255c71472f66dn])
  })

  test('is SipHash-1-3 with 128 bits, in plain pages and in dictionaries', () => {
    const keys = fc.bigInt(0n, MASK64)
    const texts = fc.array(fc.uint8Array({ maxLength: 70 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(keys, keys, texts, fc.boolean(), (low, high, given, coded) => {
        const columns = newColumns(2)
        columns.setHashKey(BigInt.asIntN(64, low), BigInt.asIntN(64, high))
        columns.beginGroup(given.length)
        columns.openColumn(PURPOSE.actor, PHYSICAL.bytes, 0, 0, 0)
        const page = plainTexts(given)
        if (coded) {
          expect(readDictionary(columns, page, given.length)).toBe(true)
          const codes = Uint8Array.of(
            6,
            ...hybrid(
              given.map((_, k) => k),
              6,
              [1],
            ),
          )
          expect(readPage(columns, ENCODING.codes, given.length, codes)).toBe(true)
        } else expect(readPage(columns, ENCODING.plain, given.length, page)).toBe(true)
        expect(columns.endGroup()).toBe(given.length)
        columns.cut(given.length, 0, 8)
        const words = (at: number) => [...new BigUint64Array(columns.memory.buffer, at, given.length)]
        const first = words(columns.partFirstStart())
        const second = words(columns.partSecondStart())
        expect(first.map((word, k) => [word, second[k]])).toEqual(given.map((text) => sipHash(1, 3, [low, high], text)))
      }),
      { numRuns: 150 },
    )
  })
})

describe('texts that have to be UTF-8', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const isUtf8 = (bytes: Uint8Array) => {
    try {
      decoder.decode(bytes)
      return true
    } catch {
      return false
    }
  }
  const edges = [
    'c0af',
    'c1bf',
    'c280',
    'dfbf',
    'e0a080',
    'e09fbf',
    'ed9fbf',
    'eda080',
    'ee8080',
    'efbfbf',
    'f0908080',
    'f08fbfbf',
    'f48fbfbf',
    'f4908080',
    'f5808080',
    '80',
    'ff',
    'c2',
    'e0a0',
    'f09080',
    'fe',
    '41',
  ]
  const pieces = fc.oneof(
    fc.constantFrom(...edges).map((hex) => [...Buffer.from(hex, 'hex')]),
    fc.string({ unit: 'binary', maxLength: 12 }).map((text) => [...Buffer.from(text)]),
    fc.constantFrom('abcdefgh', 'é', '😀').map((text) => [...Buffer.from(text)]),
  )

  test('are told from those that are not', () => {
    const columns = newColumns()
    const property = fc.property(fc.array(pieces, { maxLength: 5 }), (parts) => {
      const bytes = Uint8Array.from(parts.flat())
      columns.beginGroup(1)
      columns.openColumn(PURPOSE.actor, PHYSICAL.bytes, 0, 0, 1)
      expect(readDictionary(columns, plainTexts([bytes]), 1)).toBe(isUtf8(bytes))
    })
    fc.assert(property, { numRuns: 3000 })
  })
})

interface PartRow {
  actor: readonly [bigint, bigint]
  time: bigint
  mask: bigint
}

describe('rows of a part', () => {
  function regrouped(
    rows: readonly PartRow[],
    words: 1 | 2,
    width: 1 | 2 | 4 | 8,
  ): { starts: number[]; times: bigint[]; masks: bigint[] } {
    const columns = newColumns(words)
    columns.reservePart(rows.length)
    const { buffer } = columns.memory
    new BigUint64Array(buffer, columns.partFirstStart(), rows.length).set(rows.map(({ actor }) => actor[0]))
    if (words === 2)
      new BigUint64Array(buffer, columns.partSecondStart(), rows.length).set(rows.map(({ actor }) => actor[1]))
    new BigInt64Array(buffer, columns.partTimesStart(), rows.length).set(rows.map(({ time }) => time))
    const masks = new DataView(buffer, columns.partMasksStart(), rows.length * width)
    for (const [k, { mask }] of rows.entries()) {
      if (width === 8) masks.setBigUint64(k * 8, mask, true)
      else if (width === 4) masks.setUint32(k * 4, Number(mask), true)
      else if (width === 2) masks.setUint16(k * 2, Number(mask), true)
      else masks.setUint8(k, Number(mask))
    }
    columns.regroup(rows.length, width)
    return {
      starts: [...new Uint8Array(columns.memory.buffer, columns.startsEnd(), rows.length)],
      times: longs(columns, columns.timesEnd(), rows.length),
      masks: [...new BigUint64Array(columns.memory.buffer, columns.masksEnd(), rows.length)],
    }
  }

  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

  /** The actors in any order, each with its rows; rows of one time in any order. */
  function inGroups({ starts, times, masks }: ReturnType<typeof regrouped>): string[] {
    const groups: string[][] = []
    for (const [k, start] of starts.entries()) {
      if (start === 1) groups.push([])
      const time = (times[k]! + 2n ** 63n).toString().padStart(20, '0')
      const own = groups.at(-1)!
      expect(own.length === 0 || own.at(-1)!.slice(0, 20) <= time).toBe(true)
      own.push(`${time} ${masks[k]}`)
    }
    return groups.map((group) => group.sort(compare).join('; ')).sort(compare)
  }

  function expected(rows: readonly PartRow[], words: 1 | 2): string[] {
    const groups = Map.groupBy(rows, ({ actor }) => actor.slice(0, words).join(' ')).values()
    const lines = [...groups].map((group) =>
      group
        .map(({ time, mask }) => `${(time + 2n ** 63n).toString().padStart(20, '0')} ${mask}`)
        .sort(compare)
        .join('; '),
    )
    return lines.sort(compare)
  }

  test('come grouped by actor and ascending in time, whatever they are', () => {
    const word = fc.oneof(fc.bigInt(0n, 3n), fc.bigInt(0n, MASK64))
    const time = fc.oneof(
      fc.bigInt(-3n, 3n),
      fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n),
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    )
    const width = fc.constantFrom<(1 | 2 | 4 | 8)[]>(1, 2, 4, 8)
    const cases = fc.tuple(width, fc.constantFrom<(1 | 2)[]>(1, 2)).chain(([bytes, words]) => {
      const row = fc.record<PartRow>({
        actor: fc.tuple(word, word),
        time,
        mask: fc.bigInt(0n, 2n ** BigInt(8 * bytes) - 1n),
      })
      return fc.tuple(fc.constant(bytes), fc.constant(words), fc.array(row, { maxLength: 300, size: 'max' }))
    })
    fc.assert(
      fc.property(cases, ([bytes, words, rows]) => {
        expect(inGroups(regrouped(rows, words, bytes))).toEqual(expected(rows, words))
      }),
      { numRuns: 150 },
    )
  })

  test.each([
    ['ascending', (k: number) => BigInt(k)],
    ['descending', (k: number) => -BigInt(k)],
    ['all alike', () => 5n],
    ['scattered over all of 64 bits', (k: number) => BigInt.asIntN(64, BigInt(k) * 0x9e37_79b9_7f4a_7c15n)],
    ['close together but for one', (k: number) => (k === 77 ? 2n ** 63n - 1n : BigInt((k * 7919) % 100_003))],
  ])('of actors with more and fewer than 4,096 rows, times %s', (_, timeOf) => {
    const rows = Array.from({ length: 30_000 }, (_, k): PartRow => {
      const actor = k % 3 === 0 ? 0n : k % 3 === 1 ? BigInt(1 + (k % 2)) : BigInt(k)
      return { actor: [actor, 1n], time: timeOf(k), mask: BigInt(k % 256) }
    })
    expect(inGroups(regrouped(rows, 2, 1))).toEqual(expected(rows, 2))
  })
})

test('no page that one could make up takes the kernel out of its bounds', () => {
  const columns = newColumns()
  const page = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .array(fc.constantFrom(0, 1, 2, 3, 4, 8, 32, 33, 64, 127, 128, 254, 255), { maxLength: 40 })
      .map((bytes) => Uint8Array.from(bytes)),
  )
  const encoding = fc.oneof(fc.constantFrom(...Object.values(ENCODING)), fc.nat(9))
  const physical = fc.constantFrom(...Object.values(PHYSICAL))
  const cases = fc.record({
    purpose: fc.nat(2),
    physical,
    length: fc.constantFrom(-1, 0, 1, 16, 2 ** 31 - 1),
    optional: fc.nat(1),
    dictionary: page,
    entries: fc.oneof(fc.nat(6), fc.nat(40)),
    encoding,
    rows: fc.nat(50),
    levels: fc.integer({ min: -1, max: 45 }),
    page,
  })
  fc.assert(
    fc.property(cases, (given) => {
      columns.beginGroup(50)
      columns.openColumn(given.purpose, given.physical, given.length, given.optional, 0)
      columns.tableStart(64)
      if (readDictionary(columns, given.dictionary, given.entries)) columns.tableStart(given.entries + 1)
      readPage(columns, given.encoding, given.rows, given.page, given.levels)
      columns.endGroup()
    }),
    { numRuns: 20_000 },
  )
})
