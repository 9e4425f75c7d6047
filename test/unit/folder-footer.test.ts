import { mkdtempSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FileFooter, type FooterOptions, parseFooter, readFooter } from '../../src/catalog/folder/footer.ts'
import { isSkepError } from '../../src/errors.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ByteRange, CallOptions } from '../../src/storage/object-store.ts'
import { encodeThrift, fileOfFooter, group, leaf, parquetFile, type Thrift } from './folder-parquet.ts'

/** Counts what is read. */
class CountingStore extends MemoryStore {
  readonly ranges: number[] = []

  override async read(path: string, options: CallOptions & { range?: ByteRange } = {}) {
    const bytes = await super.read(path, options)
    this.ranges.push(bytes?.length ?? 0)
    return bytes
  }
}

async function read(bytes: Uint8Array, options: FooterOptions = {}, store = new MemoryStore()): Promise<FileFooter> {
  await store.put('f.parquet', bytes)
  return await readFooter(store, (await store.stat('f.parquet'))!, options)
}

const folder = mkdtempSync(join(tmpdir(), 'skep-footer-'))
let sample: Buffer
let wide: Buffer

beforeAll(async () => {
  const duckdb = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
  const write = async (select: string): Promise<Buffer> => {
    await duckdb.run(`COPY (${select}) TO '${join(folder, 'f.parquet')}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`)
    return readFileSync(join(folder, 'f.parquet'))
  }
  sample = await write(
    `SELECT i, i::VARCHAR AS s, [i] AS l, {'a': i} AS o, i::DECIMAL(30,2) AS d FROM range(4096) t(i)`,
  )
  wide = await write(`SELECT ${Array.from({ length: 1500 }, (_, i) => `1 AS column_${i}`)}`)
  duckdb.closeSync()
})

afterAll(() => rm(folder, { recursive: true }))

describe('what is read', () => {
  test('one range of at most 64 KiB for a short footer', async () => {
    const store = new CountingStore()
    await read(Buffer.concat([sample.subarray(0, 4), Buffer.alloc(100_000), sample.subarray(4)]), {}, store)
    expect(store.ranges).toEqual([65_536])
  })

  test('two ranges, and no byte twice, for a longer one', async () => {
    const store = new CountingStore()
    expect((await read(wide, {}, store)).columns).toHaveLength(1500)
    expect(store.ranges).toEqual([65_536, wide.readUInt32LE(wide.length - 8) + 8 - 65_536])
    for (const tailBytes of [0, 8, 9, 1000]) expect((await read(wide, { tailBytes })).columns).toHaveLength(1500)
  })

  test('nothing once the call is cancelled', async () => {
    const store = new CountingStore()
    await expect(read(sample, { signal: AbortSignal.abort() }, store)).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(store.ranges).toEqual([])
  })
})

const root: Thrift = { 4: 'root', 5: 1 }
const INT32 = leaf({ type: 1 })

describe('files that are not Parquet', () => {
  const cases: [label: string, bytes: () => Uint8Array, reason: RegExp][] = [
    ['empty', () => new Uint8Array(), /empty/],
    ['too short', () => Buffer.from('PAR1PAR1'), /short/],
    ['of another format', () => Buffer.from('id,name\n1,Ada\n2,Grace\n'), /another format/],
    ['truncated', () => sample.subarray(0, sample.length - 100), /truncated/],
    ['encrypted', () => fileOfFooter(Buffer.alloc(20), 'PARE'), /encrypted/],
    ['with encrypted columns', () => parquetFile([root, INT32], [], 0n, { 8: { 1: {} } }), /encrypted/],
    [
      'with an endless footer',
      () => Buffer.concat([Buffer.alloc(40), Buffer.from('ffffffff', 'hex'), Buffer.from('PAR1')]),
      /longer/,
    ],
    ['without a footer', () => fileOfFooter(new Uint8Array()), /early/],
    ['without a schema', () => parquetFile([]), /no columns/],
    ['with a schema that lacks nodes', () => parquetFile([{ 4: 'root', 5: 3 }, INT32]), /incomplete/],
    ['with rows that do not add up', () => parquetFile([root, INT32], [], 7n), /add up/],
    ['with a row group without columns', () => parquetFile([root, INT32], [{ 1: [], 3: 0n }]), /columns/],
    [
      'with columns in another file',
      () => parquetFile([root, INT32], [{ 1: [{ 1: 'other.parquet' }], 3: 0n }]),
      /other files/,
    ],
  ]
  test.each(cases)('%s', async (_, bytes, reason) => {
    await expect(read(bytes())).rejects.toMatchObject({
      code: 'FILE_INVALID',
      details: { file: 'f.parquet' },
      message: expect.stringMatching(reason),
    })
  })

  test('schemas nested beyond reason are refused, not recursed into', async () => {
    const deep = Array.from({ length: 50_000 }, () => group('g', 1))
    await expect(read(parquetFile([root, ...deep, INT32]))).rejects.toMatchObject({ code: 'FILE_INVALID' })
  })

  test('structs nested beyond reason are refused, not recursed into', async () => {
    const footer = Buffer.alloc(100_000, 0xfc)
    await expect(read(fileOfFooter(footer))).rejects.toMatchObject({ code: 'FILE_INVALID' })
  })

  test('lengths beyond the file are refused before anything is allocated', async () => {
    const huge = [0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x07]
    await expect(read(fileOfFooter(Uint8Array.from(huge)))).rejects.toMatchObject({ code: 'FILE_INVALID' })
  })

  test('a file that vanished is not found', async () => {
    const object = { path: 'gone.parquet', sizeBytes: 100, version: '1', modifiedMs: 0 }
    await expect(readFooter(new MemoryStore(), object)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  })

  test('a file that became shorter is invalid', async () => {
    const store = new MemoryStore()
    await store.put('f.parquet', sample)
    const object = { path: 'f.parquet', sizeBytes: sample.length + 10, version: '1', modifiedMs: 0 }
    await expect(readFooter(store, object)).rejects.toMatchObject({ code: 'FILE_INVALID' })
  })

  test('types that cannot be read are named', async () => {
    await expect(read(parquetFile([root, leaf({ type: 6, converted: 20 })]))).rejects.toMatchObject({
      code: 'COLUMN_TYPE_UNSUPPORTED',
      details: { column: 'c' },
    })
  })
})

test('any damage to a footer is refused or read, quickly, and never more than that', () => {
  const footerBytes = sample.readUInt32LE(sample.length - 8)
  const footer = sample.subarray(sample.length - 8 - footerBytes, sample.length - 8)
  const edits = fc.array(fc.tuple(fc.nat(footer.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 })
  let slowestMs = 0
  fc.assert(
    fc.property(edits, fc.option(fc.nat(footer.length)), (changes, cut) => {
      const damaged = Uint8Array.from(footer.subarray(0, cut ?? footer.length))
      for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte
      const started = performance.now()
      try {
        parseFooter('f.parquet', sample.length, damaged)
      } catch (error) {
        expect(isSkepError(error)).toBe(true)
      }
      slowestMs = Math.max(slowestMs, performance.now() - started)
    }),
    { numRuns: 4000 },
  )
  expect(slowestMs).toBeLessThan(500)
})

test('random bytes are no footer', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(() => parseFooter('f.parquet', 1000, bytes)).toThrow(expect.objectContaining({ code: 'FILE_INVALID' }))
    }),
    { numRuns: 2000 },
  )
})

describe('statistics that cannot be trusted', () => {
  interface Bounds {
    max?: Uint8Array
    min?: Uint8Array
    nulls?: bigint
    maxValue?: Uint8Array
    minValue?: Uint8Array
  }
  const schemaOf = (column: Thrift): Thrift[] => [root, column]
  const rowGroup = (type: number, { max, min, nulls, maxValue, minValue }: Bounds, rows = 2n): Thrift => ({
    1: [
      { 3: { 1: type, 5: rows, 7: 0n, 9: 4n, 12: { 1: max, 2: min, 3: nulls, 5: maxValue, 6: minValue } as Thrift } },
    ],
    3: rows,
  })
  const statisticsOf = async (column: Thrift, groups: Thrift[], extra: Thrift = {}) =>
    (await read(parquetFile(schemaOf(column), groups, 2n * BigInt(groups.length), extra))).columns[0]!.statistics!
  const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))
  const [one, two, minusOne] = [bytes('01000000'), bytes('02000000'), bytes('ffffffff')]

  test('deprecated bounds: only of types in signed order', async () => {
    const old = { min: one, max: two }
    expect(await statisticsOf(INT32, [rowGroup(1, old)])).toMatchObject({ lower: 1n, upper: 2n })
    expect(await statisticsOf(leaf({ type: 1, converted: 13 }), [rowGroup(1, old)])).not.toHaveProperty('lower')
    expect(await statisticsOf(leaf({ type: 6, converted: 0 }), [rowGroup(6, old)])).not.toHaveProperty('lower')
    expect(
      await statisticsOf(leaf({ type: 6, converted: 0 }), [rowGroup(6, { minValue: one, maxValue: two })]),
    ).toMatchObject({
      lower: '\u0001\0\0\0',
    })
  })

  test('unsigned integers are not negative', async () => {
    const groups = [rowGroup(1, { minValue: one, maxValue: minusOne })]
    expect(await statisticsOf(leaf({ type: 1, converted: 13 }), groups)).toMatchObject({
      lower: 1n,
      upper: 4294967295n,
    })
    expect(await statisticsOf(INT32, groups)).not.toHaveProperty('lower')
  })

  test('INT96, intervals and orders that nobody knows', async () => {
    const twelve = { minValue: new Uint8Array(12), maxValue: new Uint8Array(12) }
    expect(await statisticsOf(leaf({ type: 3 }), [rowGroup(3, twelve)])).not.toHaveProperty('lower')
    expect(await statisticsOf(leaf({ type: 7, length: 12, converted: 21 }), [rowGroup(7, twelve)])).not.toHaveProperty(
      'lower',
    )
    const bounds = [rowGroup(1, { minValue: one, maxValue: two })]
    expect(await statisticsOf(INT32, bounds, { 7: [{ 1: {} }] })).toHaveProperty('lower')
    expect(await statisticsOf(INT32, bounds, { 7: [{ 9: {} }] })).not.toHaveProperty('lower')
  })

  test('bounds of the wrong length, in the wrong order, or one without the other', async () => {
    for (const bounds of [
      { minValue: bytes('01'), maxValue: two },
      { minValue: two, maxValue: one },
      { minValue: one },
    ]) {
      expect(await statisticsOf(INT32, [rowGroup(1, bounds)])).not.toHaveProperty('lower')
    }
  })

  test('NaN bounds', async () => {
    const [nan, half] = [bytes('0000c07f'), bytes('0000003f')]
    expect(await statisticsOf(leaf({ type: 4 }), [rowGroup(4, { minValue: half, maxValue: nan })])).not.toHaveProperty(
      'lower',
    )
    expect(await statisticsOf(leaf({ type: 4 }), [rowGroup(4, { minValue: half, maxValue: half })])).toMatchObject({
      lower: 0.5,
    })
  })

  test('a row group without bounds, unless it is all null', async () => {
    const known = rowGroup(1, { minValue: one, maxValue: two, nulls: 0n })
    expect(await statisticsOf(INT32, [known, rowGroup(1, { nulls: 1n })])).not.toHaveProperty('lower')
    expect(await statisticsOf(INT32, [known, rowGroup(1, { nulls: 2n })])).toMatchObject({ lower: 1n, nulls: 2 })
    expect(await statisticsOf(INT32, [known, rowGroup(1, {})])).not.toHaveProperty('nulls')
  })

  test('nulls that are not counted, unless the column forbids them', async () => {
    expect(await statisticsOf(INT32, [rowGroup(1, {})])).not.toHaveProperty('nulls')
    expect(await statisticsOf(leaf({ type: 1, repetition: 0 }), [rowGroup(1, {})])).toMatchObject({ nulls: 0 })
    expect(await statisticsOf(INT32, [rowGroup(1, { nulls: 3n })])).not.toHaveProperty('nulls')
  })

  test('text that was cut inside a character: the lower bound is shortened, the upper one dropped', async () => {
    const text = leaf({ type: 6, converted: 0 })
    const cut = bytes('61c3')
    const both = await statisticsOf(text, [rowGroup(6, { minValue: cut, maxValue: bytes('7a') })])
    expect(both).toMatchObject({ lower: 'a', upper: 'z' })
    expect(await statisticsOf(text, [rowGroup(6, { minValue: bytes('61'), maxValue: cut })])).not.toHaveProperty(
      'upper',
    )
  })

  test('half floats', async () => {
    const column = leaf({ type: 7, length: 2, logical: { 15: {} } })
    const groups = [rowGroup(7, { minValue: bytes('00c0'), maxValue: bytes('ff7b') })]
    expect(await statisticsOf(column, groups)).toMatchObject({ lower: -2, upper: 65504 })
  })

  test('unknown fields of newer writers are skipped', () => {
    const footer = { 2: schemaOf(INT32), 3: 0n, 4: [], 30: { 1: [{ 1: 'x' }], 2: { byte: 3 }, 3: [true, false] } }
    const encoded = Uint8Array.from(encodeThrift(footer)[1])
    expect(parseFooter('f.parquet', 1000, encoded).columns.map(({ name }) => name)).toEqual(['c'])
  })
})
