/** The readers of metadata on damaged files without any checksum, as other programs write them: an error that names the file or a value, soon. */
import { deflateRawSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { readAvro, writeAvro } from '../../src/catalog/iceberg/avro.ts'
import { readManifest, writeManifest } from '../../src/catalog/iceberg/manifest.ts'
import { readManifestList, writeManifestList } from '../../src/catalog/iceberg/manifest-list.ts'
import {
  keysOf,
  newMetadata,
  parseMetadata,
  printMetadata,
  schemaOf,
  snapshotInfos,
  specsOf,
  withSnapshot,
} from '../../src/catalog/iceberg/metadata.ts'
import { newSchema } from '../../src/catalog/iceberg/schema.ts'
import { newSpec } from '../../src/catalog/iceberg/transforms.ts'
import { parseType } from '../../src/common/data-type.ts'
import { isSkepError } from '../../src/errors.ts'
import { chanceOf } from '../chance.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { BLIND, type Damage, damageAvro, damageJson, OTHER_VALUES, placesOf } from './damage.ts'

const CASES = runs(4000, 200_000)
const SLOW_MS = 3000

const schema = newSchema([
  { name: 'actor', type: parseType('VARCHAR') },
  { name: 'ts', type: parseType('TIMESTAMP') },
  { name: 'price', type: parseType('DECIMAL(9,2)') },
  { name: 'tags', type: parseType('STRUCT(a INTEGER, b VARCHAR[])') },
])
const spec = newSpec(schema, [
  { column: 'actor', transform: { kind: 'bucket', count: 4 } },
  { column: 'ts', transform: { kind: 'day' } },
])
const sync = Uint8Array.from({ length: 16 }, (_, k) => 100 + k)
const entries = Array.from({ length: 5 }, (_, k) => ({
  path: `/w/tables/x/data/${k}.parquet`,
  rows: 100 + k,
  sizeBytes: 1000 + k,
  specId: 0,
  partition: [BigInt(k % 4), 20_000n + BigInt(k)],
  columns: new Map([
    [1, { sizeBytes: 40, values: 100, nulls: 1, lower: 'a', upper: 'z' }],
    [3, { sizeBytes: 40, values: 100, nulls: 0, lower: 5n, upper: 500n }],
  ]),
  sortOrderId: 1,
}))
const manifest = writeManifest(entries, { schema, spec, snapshotId: 7, sync })
const list = writeManifestList(
  [1, 2, 3].map((k) => ({
    path: `/w/tables/x/metadata/m-${k}.avro`,
    sizeBytes: 500 + k,
    specId: 0,
    sequenceNumber: k,
    minSequenceNumber: k,
    addedSnapshotId: 7n,
    addedFiles: 5,
    existingFiles: 0,
    deletedFiles: 0,
    addedRows: 500,
    existingRows: 0,
    deletedRows: 0,
    partitions: [{ containsNull: false, lower: Uint8Array.of(1, 0, 0, 0), upper: Uint8Array.of(3, 0, 0, 0) }],
  })),
  { snapshotId: 7, parentId: null, sequenceNumber: 1, sync },
)
const keys = { actor: 'actor', time: 'ts' }
const fresh = newMetadata({
  uuid: 'u',
  location: '/w/tables/x',
  schema,
  spec,
  keys,
  properties: {},
  nowMs: 1_700_000_000_000,
})
const snapshot = (id: number) => ({
  'snapshot-id': id,
  'sequence-number': id,
  'timestamp-ms': 1_700_000_000_000 + id,
  'manifest-list': `/w/tables/x/metadata/snap-${id}.avro`,
  summary: { operation: 'append', 'total-records': '500' },
  'schema-id': 0,
})
const metadata = printMetadata(withSnapshot(withSnapshot(fresh, snapshot(7), undefined), snapshot(8), '/w/v1.json'))

/** Reads metadata, and all that is made of it. */
function useMetadata(bytes: Uint8Array, file: string): unknown {
  const read = parseMetadata(bytes, file)
  return [schemaOf(read), specsOf(read), keysOf(read, schemaOf(read)), snapshotInfos(read)]
}

type Reader = [name: string, bytes: Uint8Array, read: (bytes: Uint8Array, file: string) => unknown, form: Damage]

const READERS: Reader[] = [
  ['manifest', manifest, readManifest, damageAvro],
  ['manifest list', list, readManifestList, damageAvro],
  ['metadata', metadata, useMetadata, damageJson],
]

test.each(READERS)(
  `${CASES} damaged files: %s`,
  (_name, whole, read, form) => {
    expect(read(whole, 'f')).toBeTruthy()
    const ends = { value: 0, error: 0 }
    for (let at = 0; at < CASES; at++) {
      const chance = chanceOf(tortureSeed(), at)
      const damage = chance.next() < 0.6 ? form : chance.pick(Object.values(BLIND))
      const bytes = damage(Buffer.from(whole), chance, [])
      if (bytes === undefined) continue
      const started = performance.now()
      try {
        read(bytes, 'the-file')
        ends.value++
      } catch (error) {
        ends.error++
        const isNamed = isSkepError(error, 'TABLE_INVALID') && error.message.includes('the-file')
        if (!isNamed) throw new Error(`seed ${tortureSeed()} case ${at}: ${String(error)}`, { cause: error })
      }
      const ms = performance.now() - started
      if (ms > SLOW_MS) throw new Error(`seed ${tortureSeed()} case ${at}: took ${Math.round(ms)} ms`)
    }
    expect(ends.error).toBeGreaterThan(CASES / 10)
    expect(ends.value).toBeGreaterThan(0)
  },
  tortureTimeout(60_000),
)

test('every value of metadata may be another: an error that names the file, or a value', () => {
  const ends = { value: 0, error: 0 }
  const count = placesOf(JSON.parse(Buffer.from(metadata).toString())).length
  for (let at = 0; at < count; at++) {
    for (const other of OTHER_VALUES) {
      const root = JSON.parse(Buffer.from(metadata).toString()) as unknown
      const { parent, key } = placesOf(root)[at]!
      parent[key] = other
      try {
        useMetadata(Buffer.from(JSON.stringify(root)), 'the-file')
        ends.value++
      } catch (error) {
        ends.error++
        expect(error, `${key} = ${JSON.stringify(other)}`).toMatchObject({
          code: 'TABLE_INVALID',
          details: { file: 'the-file' },
        })
      }
    }
  }
  expect(ends.value).toBeGreaterThan(0)
  expect(ends.error).toBeGreaterThan(count)
})

test('a count of things that take no bytes is held against the bytes that are there', () => {
  const nothing = { type: 'record', name: 'nothing', fields: [{ name: 'x', type: 'null' }] }
  const listOfNothing = {
    type: 'record',
    name: 'r',
    fields: [{ name: 'list', type: { type: 'array', items: 'null' } }],
  }
  const huge = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x04])
  const file = (schema: object, count: Buffer, data: Buffer) => {
    const header = Buffer.from(writeAvro(schema as never, [], {}, sync))
    const packed = deflateRawSync(data)
    return Buffer.concat([header, count, Buffer.from([packed.length * 2]), packed, sync])
  }
  expect(() => readAvro(file(nothing, huge, Buffer.alloc(0)))).toThrow('more records than bytes')
  expect(() => readAvro(file(listOfNothing, Buffer.from([2]), huge))).toThrow('a list is longer than its file')
  expect(readAvro(file(listOfNothing, Buffer.from([2]), Buffer.from([0]))).records).toEqual([{ list: [] }])
})
