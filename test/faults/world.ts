/** Warehouses that are harmed, and an independent look at what is in them. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { icebergRead } from 'icebird'
import { Catalog, dataLocation } from '../../src/catalog/catalog.ts'
import type { TableMetadata } from '../../src/catalog/iceberg/metadata.ts'
import { newSchema, printFieldIds } from '../../src/catalog/iceberg/schema.ts'
import type { Sources } from '../../src/catalog/sources.ts'
import type { DataFile } from '../../src/catalog/types.ts'
import { primitive, quoteString } from '../../src/common/data-type.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { seeded } from '../chance.ts'
import { rangeOf } from '../fetch.ts'

/** The one column of the tables here. */
export const schema = newSchema([{ name: 'k', type: primitive('BIGINT') }])

/** A clock that goes on by itself, chance from a seed, and no waiting. */
export function testSources(seed: number, sleep: Sources['sleep'] = async () => {}): Sources {
  let timeMs = 1_700_000_000_000
  return { now: () => timeMs++, random: seeded(seed), sleep }
}

/** A catalog as a process of its own would have it. */
export function newCatalog(store: ObjectStore, seed: number, sleep?: Sources['sleep']): Catalog {
  return new Catalog(store, {
    leaseRenewMs: 0,
    sources: testSources(seed, sleep),
    commitRetries: 100,
    manifestMergeCount: 3,
  })
}

const templates = new Map<number, Uint8Array>()

/** Makes the Parquet files whose one row is 0, 1, … */
export async function makeTemplates(count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skep-template-'))
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  for (let k = templates.size; k < count; k++) {
    const path = join(folder, `${k}.parquet`)
    const how = `FORMAT parquet, FIELD_IDS ${printFieldIds(schema.columns)}`
    await connection.run(`COPY (SELECT ${k}::BIGINT AS k) TO ${quoteString(path)} (${how})`)
    templates.set(k, Uint8Array.from(readFileSync(path)))
  }
  connection.closeSync()
  instance.closeSync()
  rmSync(folder, { recursive: true })
}

/** Writes the data file of one row, `k`, for a table; it is not part of the table yet. */
export async function writeRow(store: ObjectStore, table: { location: string }, k: number): Promise<DataFile> {
  const bytes = templates.get(k)!
  const path = `${dataLocation(table)}/row-${k}.parquet`
  await store.put(path.slice(store.root.length + 1), bytes)
  const columns = new Map([[1, { sizeBytes: 8, values: 1, nulls: 0, lower: BigInt(k), upper: BigInt(k) }]])
  return { path, rows: 1, sizeBytes: bytes.length, specId: 0, partition: [], columns, sorted: false }
}

const stores = new Map<string, ObjectStore>()

/** Lets the independent reader, which only knows how to fetch, see a store. */
export function showStore(store: ObjectStore): void {
  stores.set(store.root, store)
}

/** What a fetch of a file of a shown store answers. */
export async function fetchFromStores(url: string, init?: RequestInit): Promise<Response> {
  const [root, store] = [...stores].find(([root]) => url.startsWith(`${root}/`)) ?? []
  const bytes = store && (await store.read(url.slice(root!.length + 1)))
  if (bytes === undefined) return new Response(null, { status: 404 })
  return rangeOf(Buffer.from(bytes), init)
}

/** A table as its files say: its snapshots in order with all their rows, or that it is registered. */
export type Seen = { operation: string; rows: number[] }[] | 'registered'

/** All tables that a store has, read from its files with none of our code but the store's: names and metadata by hand, the rest by icebird. */
export async function observe(store: ObjectStore): Promise<Record<string, Seen>> {
  showStore(store)
  try {
    const objects = (await store.list('', { limit: 100_000 })).objects.map(({ path }) => path)
    const names = new Set(objects.flatMap((path) => /^names\/([^/]+)\//.exec(path)?.[1] ?? []))
    const seen: Record<string, Seen> = {}
    for (const name of [...names].sort()) {
      const entry = await newest<{ state: string; uuid: string }>(store, objects, `names/${name}/`, '.json')
      if (entry?.state === 'registered') seen[name] = 'registered'
      if (entry?.state !== 'managed') continue
      const folder = `tables/${entry.uuid}/metadata/`
      const metadata = (await newest<TableMetadata>(store, objects, folder, '.metadata.json'))!
      if (metadata.properties?.['skep.dropped'] !== 'true') seen[name] = await readSnapshots(metadata)
    }
    return seen
  } finally {
    stores.delete(store.root)
  }
}

async function newest<T>(
  store: ObjectStore,
  objects: readonly string[],
  folder: string,
  suffix: string,
): Promise<T | undefined> {
  const files = objects.filter((path) => path.startsWith(`${folder}v`) && path.endsWith(suffix))
  const versions = files.map((path) => Number(path.slice(folder.length + 1, -suffix.length)))
  if (versions.length === 0) return undefined
  const bytes = await store.read(`${folder}v${Math.max(...versions)}${suffix}`)
  return JSON.parse(Buffer.from(bytes!).toString()) as T
}

async function readSnapshots(metadata: TableMetadata): Promise<Seen> {
  const seen: { operation: string; rows: number[] }[] = []
  for (const { 'snapshot-id': id, summary } of metadata.snapshots ?? []) {
    const at = { ...metadata, 'current-snapshot-id': id }
    const isEmpty = summary['total-records'] === '0'
    const rows = isEmpty ? [] : await icebergRead({ tableUrl: metadata.location, metadata: at as never })
    if (String(rows.length) !== summary['total-records'])
      throw new Error(`${rows.length} rows, not as its summary says`)
    seen.push({ operation: summary.operation, rows: rows.map(({ k }) => Number(k)).sort((a, b) => a - b) })
  }
  const ids = metadata.snapshots?.map((snapshot) => snapshot['snapshot-id']) ?? []
  if (ids.length > 0 && metadata['current-snapshot-id'] !== ids.at(-1)) throw new Error('the newest is not current')
  return seen
}
