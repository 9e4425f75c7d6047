import { icebergManifests, splitManifestEntries } from 'icebird/src/manifest.js'
import { icebergMetadata } from 'icebird/src/metadata.js'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { Catalog, dataLocation, type ManagedTable } from '../../src/catalog/catalog.ts'
import { type ManifestFile, readManifestList } from '../../src/catalog/iceberg/manifest-list.ts'
import { newSchema } from '../../src/catalog/iceberg/schema.ts'
import { newSpec } from '../../src/catalog/iceberg/transforms.ts'
import type { ColumnStatistics, DataFile } from '../../src/catalog/types.ts'
import { primitive } from '../../src/common/data-type.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { answering } from '../answering.ts'
import { testSources } from '../faults/world.ts'

const schema = newSchema([
  { name: 'who', type: primitive('VARCHAR') },
  { name: 'n', type: primitive('BIGINT') },
])
const spec = newSpec(schema, [{ column: 'who', transform: { kind: 'bucket', count: 8 } }])

let store: MemoryStore
beforeAll(() => {
  vi.stubGlobal('fetch', async (url: string) => new Response(Buffer.from((await store.read(url.slice(7)))!)))
})
afterAll(() => vi.unstubAllGlobals())

/** A table that merges manifests from a number of them. */
async function open(manifestMergeCount: number) {
  store = new MemoryStore('memory')
  const catalog = new Catalog(store, { sources: testSources(3), commitRetries: 9, manifestMergeCount })
  await catalog.create(catalog.draft('t', { schema, spec, keys: { actor: 'who' } }), [])
  return catalog
}

function file(table: { location: string }, n: number): DataFile {
  const text = { sizeBytes: 40, values: 10, nulls: 1, lower: `a${n}`, upper: `z${n}` }
  const number = { sizeBytes: 60, values: 10, nulls: 0, lower: BigInt(n), upper: BigInt(n) * 10n ** 15n }
  return {
    path: `${dataLocation(table)}/${n}.parquet`,
    rows: 10,
    sizeBytes: 1000 + n,
    specId: 0,
    partition: [n % 9 === 8 ? null : BigInt(n % 8)],
    columns: new Map<number, ColumnStatistics>([
      [1, text],
      [2, number],
    ]),
    sorted: n % 2 === 0,
  }
}

/** The manifests of a snapshot, as its list names them. */
async function manifests(id: number): Promise<ManifestFile[]> {
  const paths = (await store.list('', { limit: 10_000 })).objects.map(({ path }) => path)
  const list = paths.find((path) => path.includes(`/snap-${id}-`))!
  return readManifestList((await store.read(list))!, list)
}

/** What icebird says of the files of the current snapshot: path, snapshot and sequence number of each. */
async function entries({ location, metadataLocation }: ManagedTable) {
  const metadata = await icebergMetadata({
    tableUrl: location,
    metadataFileName: metadataLocation.split('/').at(-1)!,
  })
  const { dataEntries } = splitManifestEntries(await icebergManifests(metadata))
  return dataEntries
    .map(({ status, snapshot_id, sequence_number, file_sequence_number, data_file }) => ({
      n: Number(/(\d+)\.parquet/.exec(data_file.file_path)![1]),
      status,
      snapshotId: Number(snapshot_id),
      sequence: Number(sequence_number),
      fileSequence: Number(file_sequence_number),
    }))
    .sort((a, b) => a.n - b.n)
}

test('merged manifests hold the same files, each with the snapshot and sequence number that it came with', async () => {
  const catalog = await open(4)
  const snapshots: number[] = []
  let table = await catalog.loadManaged('t')
  const files: DataFile[] = []
  for (let n = 0; n < 30; n++) {
    files.push(file(table, n))
    snapshots.push((await catalog.append(table, [files[n]!])).snapshotId!)
    table = await new Catalog(store, { sources: testSources(n), commitRetries: 0 }).loadManaged('t')
    expect(table.snapshot.files.toSorted((a, b) => a.sizeBytes - b.sizeBytes)).toEqual(files)
    const wanted = files.map((_, k) => ({ n: k, snapshotId: snapshots[k], sequence: k + 1, fileSequence: k + 1 }))
    expect((await entries(table)).map(({ status: _, ...entry }) => entry)).toEqual(wanted)
  }
  expect((await entries(table)).filter(({ status }) => status === 0).length).toBeGreaterThan(20)
  for (const [k, id] of snapshots.entries()) {
    const listed = await manifests(id)
    expect(listed.length).toBeLessThanOrEqual(4)
    expect(listed.map((m) => m.addedRows + m.existingRows).reduce((a, b) => a + b)).toBe(10 * (k + 1))
    expect(Math.min(...listed.map((m) => m.minSequenceNumber))).toBe(1)
    const { snapshot } = await catalog.loadManaged('t', { at: { snapshotId: id } })
    expect(snapshot.files).toHaveLength(k + 1)
  }
})

test('a manifest list says of a merged manifest which partitions it has', async () => {
  const catalog = await open(3)
  const table = await catalog.loadManaged('t')
  for (const n of [3, 5, 8]) await catalog.append(table, [file(table, n)])
  const { snapshotId } = await catalog.append(table, [file(table, 1)])
  const listed = await manifests(snapshotId!)
  expect(listed.map(({ addedFiles, existingFiles }) => [addedFiles, existingFiles])).toEqual([
    [1, 0],
    [0, 3],
  ])
  const [own, merged] = listed.map(({ partitions }) => partitions[0]!)
  const bucket = (n: number) => Uint8Array.of(n, 0, 0, 0)
  expect(own).toMatchObject({ containsNull: false, lower: bucket(1), upper: bucket(1) })
  expect(merged).toMatchObject({ containsNull: true, lower: bucket(3), upper: bucket(5) })
})

test('a commit that fails leaves no merged manifest behind', async () => {
  const catalog = await open(3)
  const table = await catalog.loadManaged('t')
  for (const n of [1, 2]) await catalog.append(table, [file(table, n)])
  const paths = async () => (await store.list('', { limit: 10_000 })).objects.map(({ path }) => path)
  const before = await paths()
  const losing = new Catalog(
    answering(store, 'putIfAbsent', async () => false),
    {
      sources: testSources(9),
      commitRetries: 3,
      manifestMergeCount: 3,
    },
  )
  await expect(losing.append(table, [file(table, 3)])).rejects.toMatchObject({ code: 'COMMIT_CONFLICT' })
  expect(await paths()).toEqual(before)
})
