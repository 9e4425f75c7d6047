import { expect, test } from 'vitest'
import { readAvro, writeAvro } from '../../src/catalog/iceberg/avro.ts'
import { type ManifestEntry, readManifest, writeManifest } from '../../src/catalog/iceberg/manifest.ts'
import {
  type ManifestFile,
  readManifestList,
  summarisePartitions,
  writeManifestList,
} from '../../src/catalog/iceberg/manifest-list.ts'
import { newMetadata, parseMetadata, printMetadata } from '../../src/catalog/iceberg/metadata.ts'
import { newSchema } from '../../src/catalog/iceberg/schema.ts'
import { newSpec } from '../../src/catalog/iceberg/transforms.ts'
import type { Scalar } from '../../src/catalog/types.ts'
import { parseType, primitive } from '../../src/common/data-type.ts'

const VALUES: [string, Scalar][] = [
  ['BOOLEAN', true],
  ['INTEGER', -7n],
  ['BIGINT', 2n ** 60n],
  ['FLOAT', 1.5],
  ['DOUBLE', -2.25],
  ['DECIMAL(9,2)', -1420n],
  ['DECIMAL(38,0)', 10n ** 37n],
  ['DATE', -1n],
  ['TIME', 5n],
  ['TIMESTAMP', -(2n ** 55n)],
  ['TIMESTAMP WITH TIME ZONE', 1n],
  ['VARCHAR', 'ä b'],
  ['UUID', new Uint8Array(16).fill(7)],
  ['BLOB', Uint8Array.of(0, 255)],
]
const schema = newSchema([
  ...VALUES.map(([type], i) => ({ name: `${i} c-ü`, type: parseType(type) })),
  { name: 'nested', type: parseType('INTEGER[]') },
])
const identity = { kind: 'identity' } as const
const spec = newSpec(schema, [
  ...schema.columns.slice(0, -1).map((c) => ({ column: c.name, transform: identity })),
  { column: '11 c-ü', transform: { kind: 'bucket', count: 4 } },
  { column: '9 c-ü', transform: { kind: 'day' } },
])
const sync = Uint8Array.from({ length: 16 }, (_, i) => i)
const context = { schema, spec, snapshotId: 2 ** 53 - 1, sync }

const entry: ManifestEntry = {
  path: '/w/tables/x/data/1.parquet',
  rows: 10,
  sizeBytes: 1234,
  specId: 0,
  partition: [...VALUES.map(([, value]) => value), 3n, -20_000n],
  columns: new Map(
    VALUES.map(([, value], i) => [i + 1, { sizeBytes: 50, values: 10, nulls: 1, lower: value, upper: value }]),
  ),
  sortOrderId: 1,
}
const empty: ManifestEntry = { ...entry, partition: spec.fields.map(() => null), columns: new Map(), sortOrderId: 0 }

test('a manifest keeps partitions and statistics of every type', () => {
  const bytes = writeManifest([entry, empty], context)
  const columnIds = new Set(schema.columns.map(({ id }) => id))
  expect(readManifest(bytes, 'm.avro')).toEqual([
    { ...entry, columnIds },
    { ...empty, columnIds },
  ])
})

test('a manifest carries the field ids and header entries of the specification', () => {
  const { metadata } = readAvro(writeManifest([entry], context))
  expect(metadata).toMatchObject({ 'schema-id': '0', 'partition-spec-id': '0', 'format-version': '2', content: 'data' })
  expect(JSON.parse(metadata.schema!).fields[0]).toEqual({ id: 1, name: '0 c-ü', required: false, type: 'boolean' })
  expect(JSON.parse(metadata['partition-spec']!)[0]).toEqual({
    'source-id': 1,
    'field-id': 1000,
    name: '0 c-ü',
    transform: 'identity',
  })
  const ids = [...metadata['avro.schema']!.matchAll(/"(?:field|element)-id":(\d+)/g)].map((m) => Number(m[1]))
  const wanted = [
    0, 1, 2, 3, 4, 134, 100, 101, 102, 103, 104, 108, 117, 118, 109, 119, 120, 110, 121, 122, 137, 138, 139,
  ]
  expect(ids).toEqual(expect.arrayContaining([...wanted, 125, 126, 127, 128, 129, 130, 131, 132, 133, 135, 136, 140]))
  expect(ids).toEqual(expect.arrayContaining(spec.fields.map((field) => field.fieldId)))
  expect(new Set(ids).size).toBe(ids.length)
  const avro = JSON.parse(metadata['avro.schema']!)
  const partition = avro.fields[4].type.fields[3].type.fields
  expect(partition[0]).toMatchObject({ name: '_0_x20c_x2D_xFC', 'iceberg-field-name': '0 c-ü', 'field-id': 1000 })
})

test('more records than a block holds are all there', () => {
  const many = Array.from({ length: 2500 }, (_, i) => ({ ...empty, path: `/w/${i}` }))
  expect(readManifest(writeManifest(many, context), 'm').map((e) => e.path)).toEqual(many.map((e) => e.path))
})

const manifest: ManifestFile = {
  path: '/w/m.avro',
  sizeBytes: 99,
  specId: 0,
  sequenceNumber: 4,
  minSequenceNumber: 3,
  addedSnapshotId: 2n ** 62n,
  addedFiles: 1,
  existingFiles: 2,
  deletedFiles: 3,
  addedRows: 4,
  existingRows: 5,
  deletedRows: 6,
  partitions: summarisePartitions(
    [entry, empty],
    VALUES.map(([type]) => parseType(type)),
  ),
}

test('a manifest list keeps its manifests', () => {
  const bytes = writeManifestList([manifest, manifest], { snapshotId: 5, parentId: null, sequenceNumber: 4, sync })
  expect(readManifestList(bytes, 'l.avro')).toEqual([manifest, manifest])
  expect(readAvro(bytes).metadata).toMatchObject({ 'snapshot-id': '5', 'sequence-number': '4', 'format-version': '2' })
})

test('partition summaries leave nulls and NaN out of their bounds', () => {
  const of = (values: (Scalar | null)[], type = 'DOUBLE') =>
    summarisePartitions(
      values.map((value) => ({ ...entry, partition: [value] })),
      [parseType(type)],
    )[0]
  expect(of([null, Number.NaN])).toEqual({ containsNull: true, containsNan: true })
  const bytes = new Uint8Array(new Float64Array([1, 3]).buffer)
  const wanted = { containsNull: false, containsNan: true, lower: bytes.slice(0, 8), upper: bytes.slice(8) }
  expect(of([3, Number.NaN, 1])).toEqual(wanted)
})

const invalid = (file: string) => expect.objectContaining({ code: 'TABLE_INVALID', details: { file } })

test('a manifest that is cut off anywhere is refused by its name', () => {
  const bytes = writeManifest([entry, empty], context)
  for (let length = 0; length < bytes.length; length += 7) {
    const cut = bytes.subarray(0, length)
    let read: ManifestEntry[] | undefined
    try {
      read = readManifest(cut, 'm.avro')
    } catch (error) {
      expect(error).toEqual(invalid('m.avro'))
    }
    // Only at the seam between two blocks does a cut look whole; its reader compares sizes and counts.
    if (read !== undefined) expect(read).toEqual([])
  }
})

test('a manifest with any byte changed is read or refused, never an internal error', () => {
  const bytes = writeManifest([entry], context)
  for (let at = 0; at < bytes.length; at += 3) {
    const changed = bytes.slice()
    changed[at]! ^= 0x15
    try {
      readManifest(changed, 'm.avro')
    } catch (error) {
      expect(error).toEqual(invalid('m.avro'))
    }
  }
})

test('manifests of deletes are refused', () => {
  const list = writeManifestList([manifest], { snapshotId: 5, parentId: 4, sequenceNumber: 4, sync })
  const { metadata, records } = readAvro(list)
  const avroSchema = JSON.parse(metadata['avro.schema']!)
  const deletes = writeAvro(
    avroSchema,
    records.map((r) => ({ ...r, content: 1 })),
    metadata,
    sync,
  )
  expect(() => readManifestList(deletes, 'l.avro')).toThrow(invalid('l.avro'))
})

const table = newMetadata({
  uuid: 'f79c3e09-677c-4bbd-a479-3f349cb785e7',
  location: '/w/tables/x',
  schema,
  spec,
  keys: { actor: '11 c-ü', time: '9 c-ü', timeUnit: 'us' },
  properties: { a: 'b' },
  nowMs: 1,
})

test('metadata goes to bytes and back, with what Skep does not know', () => {
  const more = { ...table, 'statistics-of-others': [1] }
  expect(parseMetadata(printMetadata(more), 'v1')).toEqual(JSON.parse(JSON.stringify(more)))
  expect(table['sort-orders'][1]!.fields.map((f) => f['source-id'])).toEqual([12, 10])
  expect(table['last-column-id']).toBe(16)
})

test.each<[string, (json: Record<string, unknown>) => unknown]>([
  ['not JSON', () => '{'],
  ['an array', () => []],
  ['version 3', (json) => ({ ...json, 'format-version': 3 })],
  ['no schemas', ({ schemas, ...json }) => json],
  ['an unknown schema', (json) => ({ ...json, 'current-schema-id': 9 })],
  ['an unknown spec', (json) => ({ ...json, 'default-spec-id': 9 })],
  ['an unknown snapshot', (json) => ({ ...json, 'current-snapshot-id': 9 })],
  ['an id that JavaScript rounds', (json) => ({ ...json, 'last-sequence-number': 2 ** 60 })],
  [
    'a broken type',
    (json) => ({
      ...json,
      schemas: [{ 'schema-id': 0, fields: [{ id: 1, name: 'a', required: false, type: { type: 'list' } }] }],
    }),
  ],
  ['a snapshot without list', (json) => ({ ...json, snapshots: [{ 'snapshot-id': 1 }] })],
])('metadata with %s is refused by its name', (_what, change) => {
  const json = change(JSON.parse(JSON.stringify(table)))
  const bytes = new TextEncoder().encode(typeof json === 'string' ? json : JSON.stringify(json))
  expect(() => parseMetadata(bytes, 'v1.metadata.json')).toThrow(invalid('v1.metadata.json'))
})

test('an unpartitioned table without keys has no sort order', () => {
  const plain = newSchema([{ name: 'a', type: primitive('INTEGER') }])
  const { 'sort-orders': orders, 'last-partition-id': last } = newMetadata({
    uuid: 'u',
    location: '/l',
    schema: plain,
    spec: { id: 0, fields: [] },
    keys: {},
    properties: {},
    nowMs: 0,
  })
  expect(orders).toEqual([{ 'order-id': 0, fields: [] }])
  expect(last).toBe(999)
})
