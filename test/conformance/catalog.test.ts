import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { Catalog, dataLocation, type ManagedTable, type TableDraft } from '../../src/catalog/catalog.ts'
import { newSchema } from '../../src/catalog/iceberg/schema.ts'
import { newSpec } from '../../src/catalog/iceberg/transforms.ts'
import type { Sources } from '../../src/catalog/sources.ts'
import type { ColumnStatistics, DataFile } from '../../src/catalog/types.ts'
import { parseType } from '../../src/common/data-type.ts'
import { SkepError } from '../../src/errors.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { answering } from '../answering.ts'

const base = mkdtempSync(join(tmpdir(), 'skep-catalog-'))
let folders = 0
afterAll(() => rmSync(base, { recursive: true, force: true }))

/** A clock that the test winds, and seeded chance. */
function sources(seed = 1): Sources & { timeMs: number } {
  let state = seed
  return {
    timeMs: 1_700_000_000_000,
    now() {
      return this.timeMs
    },
    random() {
      state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0
      return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
    },
    sleep: async () => new Promise((resolve) => setImmediate(resolve)),
  }
}

const schema = newSchema([
  { name: 'user_id', type: parseType('VARCHAR') },
  { name: 'ts', type: parseType('TIMESTAMP') },
  { name: 'tags', type: parseType('VARCHAR[]') },
])
const spec = newSpec(schema, [{ column: 'user_id', transform: { kind: 'bucket', count: 4 } }])
const keys = { actor: 'user_id', time: 'ts', timeUnit: 'us' } as const

function file(table: { location: string }, name: string, bucket = 0n): DataFile {
  const text = { sizeBytes: 40, values: 100, nulls: 1, lower: 'a', upper: `z${name}` }
  const time = { sizeBytes: 60, values: 100, nulls: 0, lower: 5n, upper: 50n }
  return {
    path: `${dataLocation(table)}/bucket=${bucket}/${name}.parquet`,
    rows: 100,
    sizeBytes: 1000,
    specId: 0,
    partition: [bucket],
    columns: new Map<number, ColumnStatistics>([
      [1, text],
      [2, time],
    ]),
    sorted: true,
  }
}

const names = (table: { snapshot: { files: DataFile[] } }) =>
  table.snapshot.files.map((f) => f.path.replace(/.*\/(.*)\.parquet/, '$1')).sort()

async function allPaths(store: ObjectStore): Promise<string[]> {
  return (await store.list('', { limit: 10_000 })).objects.map((o) => o.path)
}

/** A store that loses the reply to the first write it is told to, after or before doing it. */
function losing(store: ObjectStore, path: RegExp, isDone: boolean, times = 1): ObjectStore {
  let left = times
  return answering(store, 'putIfAbsent', async (to, bytes) => {
    if (left === 0 || !path.test(to)) return await store.putIfAbsent(to, bytes)
    left--
    if (isDone) await store.putIfAbsent(to, bytes)
    throw new SkepError('STORE_UNAVAILABLE', 'the reply was lost', { path: to })
  })
}

const STORES: [string, () => ObjectStore][] = [
  ['DiskStore', () => new DiskStore(join(base, String(++folders)))],
  ['MemoryStore', () => new MemoryStore()],
]

describe.each(STORES)('catalog on %s', (_name, open) => {
  let store: ObjectStore
  let clock: ReturnType<typeof sources>
  let catalog: Catalog
  beforeEach(() => {
    store = open()
    clock = sources()
    catalog = new Catalog(store, { sources: clock, commitRetries: 100 })
  })
  const other = (seed = 99, on = store) => new Catalog(on, { sources: sources(seed), commitRetries: 100 })
  const fresh = async (name: string, seed = 77): Promise<ManagedTable> => other(seed).loadManaged(name)

  async function create(name: string, ...fileNames: string[]): Promise<TableDraft> {
    const draft = catalog.draft(name, { schema, spec, keys, properties: { note: 'x' } })
    await catalog.create(
      draft,
      fileNames.map((n) => file(draft, n)),
    )
    return draft
  }

  test('is empty before its first write', async () => {
    expect(await catalog.tables()).toEqual([])
    await expect(catalog.load('events')).rejects.toMatchObject({
      code: 'TABLE_NOT_FOUND',
      details: { table: 'events' },
    })
    expect(await allPaths(store)).toEqual([])
  })

  test('loads what was created, from another catalog', async () => {
    const draft = await create('Events', 'a', 'b')
    const table = await fresh('EVENTS')
    expect(table).toMatchObject({
      name: 'Events',
      kind: 'managed',
      location: draft.location,
      metadataLocation: `${store.root}/tables/${draft.uuid}/metadata/v1.metadata.json`,
      keys,
      schema,
      spec,
      actorsTogether: false,
      properties: { note: 'x' },
    })
    expect(table.snapshot.schema).toEqual(schema)
    expect(table.snapshot.specs).toEqual(new Map([[0, spec]]))
    expect(table.snapshot.files).toEqual([file(draft, 'a'), file(draft, 'b')])
    expect(Number.isSafeInteger(table.snapshot.id)).toBe(true)
    expect(await catalog.tables()).toEqual([{ kind: 'managed', name: 'Events', uuid: draft.uuid }])
  })

  test('a table without files has no snapshot', async () => {
    await create('t')
    const table = await fresh('t')
    expect(table.snapshot.id).toBeUndefined()
    expect(table.snapshot.files).toEqual([])
    expect(await catalog.snapshots('t')).toEqual([])
    await catalog.append(table, [file(table, 'a')])
    expect(names(await fresh('t'))).toEqual(['a'])
  })

  test.each(['../x', '', 'a b', '1a', 'a/b', 'ä', `a${'b'.repeat(128)}`])('refuses the name %j', async (name) => {
    const refused = { code: 'TABLE_NAME_INVALID', details: { table: name } }
    expect(() => catalog.draft(name, { schema })).toThrow(expect.objectContaining(refused))
    await expect(catalog.load(name)).rejects.toMatchObject(refused)
    await expect(catalog.register(name, {})).rejects.toMatchObject(refused)
    await expect(catalog.drop(name)).rejects.toMatchObject(refused)
    expect(await allPaths(store)).toEqual([])
  })

  test('names the nearest table', async () => {
    await create('events')
    const missing = { code: 'TABLE_NOT_FOUND', details: { table: 'evnts', nearest: 'events' } }
    await expect(catalog.load('evnts')).rejects.toMatchObject(missing)
  })

  test('a taken name stays with its table, and the loser leaves nothing behind', async () => {
    await create('t', 'a')
    const before = await allPaths(store)
    const draft = catalog.draft('T', { schema, spec })
    await store.put(`tables/${draft.uuid}/data/1.parquet`, new Uint8Array(3))
    await expect(catalog.create(draft, [file(draft, 'b')])).rejects.toMatchObject({
      code: 'TABLE_EXISTS',
      details: { table: 't' },
    })
    expect(await allPaths(store)).toEqual(before)
  })

  test('of two racing creates one wins', async () => {
    const racers = [1, 2, 3].map(async (seed) => {
      const racer = other(seed)
      const draft = racer.draft('t', { schema, spec })
      await racer.create(draft, [file(draft, `f${seed}`)])
      return draft.uuid
    })
    const results = await Promise.allSettled(racers)
    const won = results.filter((r) => r.status === 'fulfilled')
    expect(won).toHaveLength(1)
    for (const lost of results.filter((r) => r.status === 'rejected')) {
      expect(lost.reason).toMatchObject({ code: 'TABLE_EXISTS' })
    }
    const table = await fresh('t')
    expect(table.uuid).toBe(won[0]!.value)
    const tables = new Set((await allPaths(store)).filter((p) => p.startsWith('tables/')).map((p) => p.split('/')[1]))
    expect([...tables]).toEqual([table.uuid])
  })

  test('appends, replaces, and keeps the history', async () => {
    await create('t', 'a')
    const first = await fresh('t')
    clock.timeMs += 1000
    await catalog.append(first, [file(first, 'b', 1n)], { summary: { 'skep.source': 'test' } })
    const second = await fresh('t')
    clock.timeMs += 1000
    const commit = await catalog.replace(second, [file(second, 'c', 3n)])
    const third = await fresh('t')
    expect([first, second, third].map(names)).toEqual([['a'], ['a', 'b'], ['c']])
    expect(third.snapshot.id).toBe(commit.snapshotId)
    expect(third.metadataLocation).toBe(commit.metadataLocation)

    const history = await catalog.snapshots('t')
    expect(history.map(({ id, parentId, operation }) => ({ id, parentId, operation }))).toEqual([
      { id: first.snapshot.id, parentId: null, operation: 'append' },
      { id: second.snapshot.id, parentId: first.snapshot.id, operation: 'append' },
      { id: third.snapshot.id, parentId: second.snapshot.id, operation: 'overwrite' },
    ])
    expect(history.map((h) => h.time)).toEqual(
      [0, 1, 2].map((s) => new Date(1_700_000_000_000 + s * 1000).toISOString()),
    )
    expect(history[1]!.summary).toMatchObject({
      'added-data-files': '1',
      'added-records': '100',
      'total-data-files': '2',
      'total-records': '200',
      'total-files-size': '2000',
      'changed-partition-count': '1',
      'skep.source': 'test',
    })
    expect(history[2]!.summary).toMatchObject({ 'deleted-data-files': '2', 'total-data-files': '1' })
  })

  test('travels in time', async () => {
    await create('t', 'a')
    const first = await fresh('t')
    clock.timeMs += 1000
    await catalog.append(first, [file(first, 'b')])
    const at = async (when: Parameters<Catalog['loadManaged']>[1]) => names(await other(5).loadManaged('t', when))
    expect(await at({ at: { snapshotId: first.snapshot.id! } })).toEqual(['a'])
    expect(await at({ at: { timeMs: clock.timeMs - 1 } })).toEqual(['a'])
    expect(await at({ at: { timeMs: clock.timeMs } })).toEqual(['a', 'b'])
    expect(await at({ at: { timeMs: clock.timeMs + 1e9 } })).toEqual(['a', 'b'])
    const unknown = { code: 'SNAPSHOT_NOT_FOUND' }
    await expect(at({ at: { timeMs: 1_699_999_999_999 } })).rejects.toMatchObject(unknown)
    await expect(at({ at: { timeMs: Number.NaN } })).rejects.toMatchObject(unknown)
    await expect(at({ at: { snapshotId: 12 } })).rejects.toMatchObject({
      ...unknown,
      details: { table: 't', at: '12' },
    })
  })

  test('a clock that goes back does not turn history round', async () => {
    await create('t', 'a')
    const start = clock.timeMs
    clock.timeMs -= 5000
    await catalog.append(await fresh('t'), [file(await fresh('t'), 'b')])
    expect(names(await other().loadManaged('t', { at: { timeMs: start } }))).toEqual(['a', 'b'])
  })

  test('eight concurrent appends lose nothing', async () => {
    await create('t', 'start')
    const writers = [1, 2, 3, 4, 5, 6, 7, 8]
    await Promise.all(
      writers.map(async (seed) => {
        const writer = other(seed)
        const table = await writer.loadManaged('t')
        await writer.append(table, [file(table, `w${seed}`)])
      }),
    )
    const table = await fresh('t')
    expect(names(table)).toEqual(['start', ...writers.map((w) => `w${w}`)])
    const history = await catalog.snapshots('t')
    expect(history).toHaveLength(9)
    expect(history.slice(1).map((h) => h.parentId)).toEqual(history.slice(0, -1).map((h) => h.id))
    const lists = (await allPaths(store)).filter((p) => p.includes('/snap-'))
    expect(lists).toHaveLength(9)
  })

  test('a replacement of what is no longer there is a conflict', async () => {
    await create('t', 'a')
    const seen = await fresh('t')
    await catalog.append(seen, [file(seen, 'b')])
    const before = await allPaths(store)
    const conflict = { code: 'COMMIT_CONFLICT', kind: 'conflict', details: { table: 't' } }
    await expect(catalog.replace(seen, [file(seen, 'c')])).rejects.toMatchObject(conflict)
    expect(names(await fresh('t'))).toEqual(['a', 'b'])
    expect(await allPaths(store)).toEqual(before)
    await catalog.replace(await fresh('t'), [])
    expect(names(await fresh('t'))).toEqual([])
  })

  test('of replace and append at once, nothing that was acknowledged is lost', async () => {
    await create('t', 'a')
    const table = await fresh('t')
    const [replaced] = await Promise.allSettled([
      other(1).replace(table, [file(table, 'r')]),
      other(2).append(table, [file(table, 'x')]),
    ])
    const outcomes = replaced.status === 'fulfilled' ? [['r', 'x']] : [['a', 'x']]
    expect(outcomes).toContainEqual(names(await fresh('t')))
  })

  test('gives up on a lost race after as many retries as it may', async () => {
    await create('t', 'a')
    const table = await fresh('t')
    const busy = answering(store, 'putIfAbsent', async () => false)
    const before = await allPaths(store)
    const writer = new Catalog(busy, { sources: sources(), commitRetries: 3 })
    await expect(writer.append(table, [file(table, 'b')])).rejects.toMatchObject({ code: 'COMMIT_CONFLICT' })
    expect(await allPaths(store)).toEqual(before)
  })

  test.each([
    ['append', true, 1],
    ['append', false, 1],
    ['append', true, 3],
    ['replace', true, 1],
    ['replace', false, 2],
  ] as const)('an %s whose reply is lost (done: %s, %i times) happens once', async (how, isDone, times) => {
    await create('t', 'a')
    const table = await fresh('t')
    const writer = other(3, losing(store, /v2\.metadata\.json$/, isDone, times))
    const commit = await writer[how](table, [file(table, 'b')])
    expect(names(await fresh('t'))).toEqual(how === 'append' ? ['a', 'b'] : ['b'])
    const history = await catalog.snapshots('t')
    expect(history).toHaveLength(2)
    expect(history[1]!.id).toBe(commit.snapshotId)
  })

  test('a commit whose outcome stays unknown says so and removes nothing', async () => {
    await create('t', 'a')
    const table = await fresh('t')
    const writer = other(3, losing(store, /v2\.metadata\.json$/, false, 100))
    await expect(writer.append(table, [file(table, 'b')])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect((await allPaths(store)).filter((p) => /\/m-.*avro$/.test(p))).toHaveLength(2)
  })

  test('a commit id commits once, however often it comes', async () => {
    await create('t', 'a')
    const table = await fresh('t')
    const once = await catalog.append(table, [file(table, 'b')], { commitId: 'import-7' })
    const again = await other(4).append(table, [file(table, 'b')], { commitId: 'import-7' })
    expect(again.snapshotId).toBe(once.snapshotId)
    expect(names(await fresh('t'))).toEqual(['a', 'b'])
    expect((await catalog.snapshots('t'))[1]!.summary['skep.commit-id']).toBe('import-7')
  })

  test.each([true, false])('a create whose reply is lost (done: %s) happens once', async (isDone) => {
    for (const [seed, path] of [/names\/t\/v1/, /v1\.metadata/].entries()) {
      const writer = other(300 + seed, losing(store, path, isDone))
      const draft = writer.draft('t', { schema, spec })
      await writer.create(draft, [file(draft, 'a')])
      expect(names(await fresh('t'))).toEqual(['a'])
      await catalog.drop('t')
    }
  })

  test('files of another schema or spec are a conflict', async () => {
    await create('t', 'a')
    const table = await fresh('t')
    for (const stale of [
      { ...table, schema: { id: 3, columns: [...schema.columns, { ...schema.columns[0]!, id: 99, name: 'gone' }] } },
      { ...table, spec: { ...spec, id: 3 } },
    ]) {
      await expect(catalog.append(stale, [file(table, 'b')])).rejects.toMatchObject({ code: 'COMMIT_CONFLICT' })
    }
  })

  test('files outside the table are refused', async () => {
    await create('t', 'a')
    const table = await fresh('t')
    const outside = { ...file(table, 'b'), path: '/elsewhere/b.parquet' }
    await expect(catalog.append(table, [outside])).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
  })

  test('a dropped table is gone, its name is free, and late writers are refused', async () => {
    const draft = await create('t', 'a')
    await store.put(`tables/${draft.uuid}/data/1.parquet`, new Uint8Array(3))
    const late = await fresh('t')
    await catalog.drop('T')
    await expect(catalog.load('t')).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
    await expect(catalog.drop('t')).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
    expect(await catalog.tables()).toEqual([])
    const left = (await allPaths(store)).filter((p) => p.startsWith('tables/'))
    expect(left.map((p) => p.split('/').at(-1))).toEqual(['v1.metadata.json', 'v2.metadata.json'])

    await create('t', 'new')
    await expect(other().append(late, [file(late, 'b')])).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
    await expect(other().replace(late, [file(late, 'b')])).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
    expect(names(await fresh('t'))).toEqual(['new'])
  })

  test('a drop that crashed half way counts as one', async () => {
    await create('t', 'a')
    const crashing = other(3, losing(store, /names\/t\/v2/, false, 100))
    await crashing.drop('t')
    await expect(catalog.entry('t')).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
    expect(await catalog.tables()).toEqual([])
    await create('t', 'new')
    expect(names(await fresh('t'))).toEqual(['new'])
  })

  test('of drop and append at once, never both', async () => {
    for (let round = 0; round < 5; round++) {
      await create('t', 'a')
      const table = await fresh('t')
      const append = other(1).append(table, [file(table, 'x')])
      const drop = other(2).drop('t')
      const [appended, dropped] = await Promise.allSettled([append, drop])
      expect(dropped.status).toBe('fulfilled')
      if (appended.status === 'rejected') expect(appended.reason).toMatchObject({ code: 'TABLE_NOT_FOUND' })
      await expect(catalog.load('t')).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
    }
  })

  test('registers and unregisters beside managed tables', async () => {
    await create('b', 'a')
    await catalog.register('Reg', { path: '/data', deep: { list: [1, null] } })
    const registered = { kind: 'registered', name: 'Reg', registration: { path: '/data', deep: { list: [1, null] } } }
    expect(await other().load('reg')).toEqual(registered)
    expect(await other().entry('REG')).toEqual(registered)
    expect((await catalog.tables()).map((t) => t.name)).toEqual(['b', 'Reg'])
    expect(await catalog.snapshots('reg')).toEqual([])
    await expect(catalog.register('REG', {})).rejects.toMatchObject({ code: 'TABLE_EXISTS', details: { table: 'Reg' } })
    await expect(catalog.register('b', {})).rejects.toMatchObject({ code: 'TABLE_EXISTS' })
    const kind = (table: string, of: string) => ({ code: 'TABLE_KIND', details: { table, kind: of } })
    await expect(catalog.drop('reg')).rejects.toMatchObject(kind('Reg', 'registered'))
    await expect(catalog.unregister('b')).rejects.toMatchObject(kind('b', 'managed'))
    await expect(catalog.loadManaged('reg')).rejects.toMatchObject(kind('Reg', 'registered'))
    await catalog.unregister('reg')
    await expect(catalog.unregister('reg')).rejects.toMatchObject({ code: 'TABLE_NOT_FOUND' })
    await create('reg', 'x')
    expect(names(await fresh('reg'))).toEqual(['x'])
  })

  test('damage is named, and does not hide the other tables', async () => {
    const draft = await create('t', 'a')
    await create('u', 'b')
    const folder = `tables/${draft.uuid}/metadata`
    const damaged = (await allPaths(store)).filter((p) => p.startsWith(folder) && p.endsWith('.avro'))
    for (const path of [...damaged, `${folder}/v1.metadata.json`]) {
      const whole = (await store.read(path))!
      for (const bytes of [whole.subarray(0, whole.length - 9), new Uint8Array(0), undefined]) {
        await (bytes ? store.put(path, bytes) : store.delete(path))
        await expect(fresh('t')).rejects.toMatchObject({ code: 'TABLE_INVALID', details: { file: path } })
        expect((await other().tables()).map((t) => t.name)).toEqual(['t', 'u'])
        await store.put(path, whole)
      }
    }
    expect(names(await fresh('t'))).toEqual(['a'])
  })

  test('a manifest list that ends after its header is not an empty table', async () => {
    const draft = await create('t', 'a')
    const list = (await allPaths(store)).find((p) => p.includes(`${draft.uuid}/metadata/snap-`))!
    const whole = (await store.read(list))!
    const marker = Buffer.from(whole.subarray(-16))
    await store.put(list, whole.subarray(0, Buffer.from(whole).indexOf(marker) + 16))
    await expect(fresh('t')).rejects.toMatchObject({ code: 'TABLE_INVALID', details: { file: list } })
  })

  test('a cancelled commit leaves no trace', async () => {
    await create('t', 'a')
    const table = await fresh('t')
    const before = await allPaths(store)
    const signal = AbortSignal.abort()
    await expect(catalog.append(table, [file(table, 'b')], { signal })).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(catalog.drop('t', { signal })).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(await allPaths(store)).toEqual(before)
  })

  test('discards data files of a commit that failed', async () => {
    const draft = await create('t', 'a')
    await store.put(`tables/${draft.uuid}/data/x.parquet`, new Uint8Array(3))
    await catalog.discard([{ path: `${draft.location}/data/x.parquet` }, { path: `${draft.location}/data/none` }])
    expect((await allPaths(store)).filter((p) => p.endsWith('.parquet'))).toEqual([])
  })

  test('loading costs two listings, two hints and a read for each file, and the second time a look at what may have changed', async () => {
    await create('t', 'a')
    await catalog.append(await fresh('t'), [file(await fresh('t'), 'b')])
    const calls: string[] = []
    const counting = new Proxy(store, {
      get(target, property) {
        const value = Reflect.get(target, property)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          calls.push(String(property))
          return value.apply(target, args)
        }
      },
    })
    const reader = other(8, counting)
    await reader.load('t')
    expect(calls).toEqual(['list', 'read', 'read', 'stat', 'list', 'read', 'read', 'read', 'read', 'read'])
    calls.length = 0
    await reader.load('t')
    const looked = ['stat', 'read', 'stat']
    expect(calls).toEqual([...looked, 'stat', ...looked])
  })
})

describe('a warehouse that moves', () => {
  test('is read and written where it is found, and leaves the original alone', async () => {
    const from = join(base, 'from')
    const to = join(base, 'to')
    const catalog = new Catalog(new DiskStore(from), { sources: sources(), commitRetries: 3 })
    const draft = catalog.draft('t', { schema, spec, keys })
    await catalog.create(draft, [file(draft, 'a')])
    cpSync(from, to, { recursive: true })

    const moved = new Catalog(new DiskStore(to), { sources: sources(2), commitRetries: 3 })
    const table = await moved.loadManaged('t')
    expect(table.snapshot.files).toEqual([file({ location: table.location }, 'a')])
    expect(table.location.startsWith(to)).toBe(true)
    await moved.append(table, [file(table, 'b')])
    expect((await moved.loadManaged('t')).snapshot.files.map((f) => f.path.startsWith(to))).toEqual([true, true])
    expect(names(await catalog.loadManaged('t'))).toEqual(['a'])

    rmSync(from, { recursive: true })
    const again = new Catalog(new DiskStore(to), { sources: sources(3), commitRetries: 3 })
    expect(names(await again.loadManaged('t'))).toEqual(['a', 'b'])
  })

  test('does not follow paths out of the table', async () => {
    const root = join(base, 'climbing')
    const catalog = new Catalog(new DiskStore(root), { sources: sources(), commitRetries: 3 })
    const draft = catalog.draft('t', { schema, spec })
    await catalog.create(draft, [{ ...file(draft, 'a'), path: `${draft.location}/data/../../../../etc/passwd` }])
    await expect(catalog.load('t')).rejects.toMatchObject({ code: 'TABLE_INVALID' })
  })

  test('a stale version hint is not believed', async () => {
    const root = join(base, 'hint')
    const catalog = new Catalog(new DiskStore(root), { sources: sources(), commitRetries: 3 })
    const draft = catalog.draft('t', { schema, spec })
    await catalog.create(draft, [file(draft, 'a')])
    const table = await catalog.loadManaged('t')
    await catalog.append(table, [file(table, 'b')])
    writeFileSync(join(root, 'tables', draft.uuid, 'metadata/version-hint.text'), '1')
    expect(names(await catalog.loadManaged('t'))).toEqual(['a', 'b'])
  })
})
