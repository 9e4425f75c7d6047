import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { icebergRead } from 'icebird'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Catalog, dataLocation, type ManagedTable } from '../../src/catalog/catalog.ts'
import { systemSources } from '../../src/catalog/sources.ts'
import { readSettings } from '../../src/config.ts'
import { vacuum } from '../../src/maintenance/vacuum.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { livenessOfName, nameOfProcess, type Processes, systemProcesses } from '../../src/storage/processes.ts'
import { answering } from '../answering.ts'
import { fetchFromDisk } from '../fetch.ts'
import { dataFiles, failure, filesBelow, type Lab, openLab } from './import-lab.ts'
import { runProcesses } from './other-writer.ts'
import type { Job } from './races-child.ts'

const HOUR_MS = 3_600_000

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
  vi.stubGlobal('fetch', fetchFromDisk)
})

afterAll(async () => {
  vi.unstubAllGlobals()
  await lab.close()
})

const rowsOf = async (table: string, at?: number) =>
  (await lab.warehouse.sql(`SELECT a FROM ${table} ORDER BY a`, at === undefined ? {} : { at })).rows.map(({ a }) => a)

/** What another reader of the format finds. */
async function icebirdRows(table: string): Promise<unknown[]> {
  const { location, metadataLocation } = await lab.warehouse.describe(table)
  const rows = await icebergRead({ tableUrl: location, metadataFileName: metadataLocation!.split('/').at(-1)! })
  return rows.map(({ a }) => Number(a)).sort((x, y) => x - y)
}

/** A table with one snapshot for each of these numbers; the ids of the snapshots. */
async function tableOf(table: string, ...appends: number[]): Promise<number[]> {
  const ids: number[] = []
  for (const a of appends) {
    const { snapshotId } = await lab.warehouse.import(table, [await lab.write(`SELECT ${a} AS a`)])
    ids.push(snapshotId!)
  }
  return ids
}

async function folderOf(table: string): Promise<string> {
  return (await lab.warehouse.describe(table)).location
}

const below = (folder: string) => filesBelow(folder).map((path) => path.slice(folder.length + 1))

/** Makes a file look as if it had been written long ago. */
function age(path: string, ms: number): void {
  const then = new Date(Date.now() - ms)
  utimesSync(path, then, then)
}

/** The store as a writer sees it who does something else right before its first conditional write. */
function beforeFirstPut(store: ObjectStore, action: () => Promise<unknown>): ObjectStore {
  let isFirst = true
  return answering(store, 'putIfAbsent', async (path, bytes) => {
    const wasFirst = isFirst
    isFirst = false
    if (wasFirst) await action()
    return await store.putIfAbsent(path, bytes)
  })
}

/** Metadata as a program leaves it that knows nothing of our checksums. */
function unsealed(file: string) {
  const { 'skep-sealed': _, 'skep-checksum': __, ...json } = JSON.parse(readFileSync(file, 'utf8'))
  return json
}

describe('vacuum', () => {
  test('removes what was replaced, and nothing else', async () => {
    const [first] = await tableOf('cut', 1, 2)
    await lab.warehouse.import('cut', [await lab.write('SELECT 3 AS a')], { replace: true })
    await tableOf('cut', 4)
    const before = filesBelow(await folderOf('cut'))
    expect((await lab.warehouse.vacuum('cut')).total).toEqual({ snapshots: 0, files: 0, bytes: 0 })

    const planned = await lab.warehouse.vacuum('cut', { olderThan: '0s', dryRun: true })
    expect(filesBelow(await folderOf('cut'))).toEqual(before)
    const done = await lab.warehouse.vacuum('cut', { olderThan: 0 })
    expect({ ...done, dryRun: true }).toEqual(planned)
    const [{ removed, snapshots }] = done.tables as [(typeof done.tables)[0]]
    expect(snapshots).toBe(3)
    const counts = {
      dataFiles: { files: 2 },
      manifests: { files: 2 },
      manifestLists: { files: 3 },
      ledgers: { files: 3 },
    }
    expect(removed).toMatchObject(counts)
    const gone = before.filter((path) => !existsSync(path))
    expect(gone).toHaveLength(10)
    expect(done.total.files).toBe(10)

    expect(await rowsOf('cut')).toEqual([3, 4])
    expect(await icebirdRows('cut')).toEqual([3, 4])
    expect(await lab.warehouse.snapshots('cut')).toHaveLength(1)
    expect((await failure(() => rowsOf('cut', first!))).code).toBe('SNAPSHOT_NOT_FOUND')
    await tableOf('cut', 5)
    expect(await icebirdRows('cut')).toEqual([3, 4, 5])
    expect((await lab.warehouse.vacuum('cut', { olderThan: '1h' })).total.files).toBe(0)
  })

  test('what was current within the age stays, however long ago it was made', async () => {
    const [first, second] = await tableOf('recent', 1, 2)
    const metadata = join(await folderOf('recent'), 'metadata')
    const file = join(metadata, 'v2.metadata.json')
    const json = unsealed(file)
    json['snapshot-log'][0]['timestamp-ms'] -= 9 * 24 * HOUR_MS
    json.snapshots[0]['timestamp-ms'] -= 9 * 24 * HOUR_MS
    writeFileSync(file, JSON.stringify(json))
    expect((await lab.warehouse.vacuum('recent', { olderThan: '7d' })).total.snapshots).toBe(0)
    expect(await rowsOf('recent', first!)).toEqual([1])
    expect((await lab.warehouse.vacuum('recent', { olderThan: '0s' })).total.snapshots).toBe(1)
    expect((await lab.warehouse.snapshots('recent')).map(({ id }) => id)).toEqual([second])
  })

  test('keeps what tags and branches name', async () => {
    const [first] = await tableOf('tagged', 1, 2)
    const file = join(await folderOf('tagged'), 'metadata/v2.metadata.json')
    const json = unsealed(file)
    json.refs.audit = { 'snapshot-id': first, type: 'tag' }
    writeFileSync(file, JSON.stringify(json))
    expect((await lab.warehouse.vacuum('tagged', { olderThan: '0s' })).total.snapshots).toBe(0)
    expect(await rowsOf('tagged', first!)).toEqual([1])
  })

  test('removes strays by their age, and never what metadata names anywhere', async () => {
    await tableOf('strays', 1)
    const folder = await folderOf('strays')
    const young = join(folder, 'data/young.parquet')
    const old = join(folder, 'data/deep/old.parquet')
    const named = join(folder, 'metadata/statistics-1.puffin')
    mkdirSync(dirname(old))
    for (const path of [young, old, named]) writeFileSync(path, 'stray')
    for (const path of [old, named]) age(path, 8 * 24 * HOUR_MS)
    const file = join(folder, 'metadata/v1.metadata.json')
    const json = unsealed(file)
    json.statistics = [{ 'statistics-path': `${json.location}/metadata/statistics-1.puffin` }]
    writeFileSync(file, JSON.stringify(json))
    const { tables } = await lab.warehouse.vacuum('strays')
    expect(tables[0]).toMatchObject({ removed: { dataFiles: { files: 1, bytes: 5 } }, spared: { files: 1, bytes: 5 } })
    expect([young, old, dirname(old), named].map((path) => existsSync(path))).toEqual([true, false, false, true])
    expect(await rowsOf('strays')).toEqual([1])
  })

  test('removes old versions of metadata from the first on, never the newest', async () => {
    await tableOf('versions', 1, 2, 3, 4)
    const metadata = join(await folderOf('versions'), 'metadata')
    const versions = () => readdirSync(metadata).filter((name) => name.endsWith('.metadata.json'))
    const ageAll = (...numbers: number[]) => {
      for (const number of numbers) age(join(metadata, `v${number}.metadata.json`), 48 * HOUR_MS)
    }
    ageAll(1, 2, 4)
    const planned = await lab.warehouse.vacuum('versions', { dryRun: true })
    const done = await lab.warehouse.vacuum('versions')
    expect(done).toEqual({ ...planned, dryRun: false })
    expect(done.tables[0]!.removed).toEqual({ metadataVersions: { files: 2, bytes: expect.any(Number) } })
    // The vacuum is itself a version.
    expect(versions()).toEqual(['v3.metadata.json', 'v4.metadata.json', 'v5.metadata.json'])
    const log = JSON.parse(readFileSync(join(metadata, 'v5.metadata.json'), 'utf8'))['metadata-log'] as object[]
    expect(log).toMatchObject([3, 4].map((k) => ({ 'metadata-file': expect.stringContaining(`/v${k}.metadata.json`) })))
    ageAll(3, 4, 5)
    await lab.warehouse.vacuum('versions')
    expect(versions()).toEqual(['v5.metadata.json', 'v6.metadata.json'])
    ageAll(5, 6)
    for (let k = 0; k < 2; k++) expect((await lab.warehouse.vacuum('versions')).total.files).toBe(0)
    expect(versions()).toEqual(['v5.metadata.json', 'v6.metadata.json'])
    expect(await rowsOf('versions')).toEqual([1, 2, 3, 4])
    expect(await tableOf('versions', 5)).toHaveLength(1)
    expect(await icebirdRows('versions')).toEqual([1, 2, 3, 4, 5])
  })

  test('finishes what a vacuum that died had condemned', async () => {
    await tableOf('died', 1)
    await lab.warehouse.import('died', [await lab.write('SELECT 2 AS a')], { replace: true })
    const folder = await folderOf('died')
    const dying = answering(new DiskStore(lab.root), 'delete', () => Promise.reject(new Error('died')))
    const place = { store: dying, sources: systemSources(), processes: systemProcesses(), settings: readSettings({}) }
    await expect(vacuum(place, 'died', { olderThanMs: 0 })).rejects.toThrow('died')
    expect(below(folder).filter((path) => path.startsWith('data/'))).toHaveLength(2)
    expect(await rowsOf('died')).toEqual([2])
    const { tables } = await lab.warehouse.vacuum('died')
    expect(tables[0]!.removed).toMatchObject({ dataFiles: { files: 1 }, manifests: { files: 1 } })
    expect(await icebirdRows('died')).toEqual([2])
  })

  test('a damaged table stays as it is and is said, once the others are clean', async () => {
    const other = await openLab()
    try {
      for (const table of ['a', 'b', 'c']) {
        for (const replace of [false, true]) {
          await other.warehouse.import(table, [await other.write('SELECT 1 AS a')], { replace })
        }
      }
      const folder = (await other.warehouse.describe('b')).location
      const list = filesBelow(folder).find((path) => path.includes('/snap-'))!
      const lists = filesBelow(folder).filter((path) => path.includes('/snap-'))
      for (const path of lists) writeFileSync(path, 'damaged')
      const error = await failure(() => other.warehouse.vacuum(undefined, { olderThan: 0 }))
      expect(error).toMatchObject({ code: 'TABLE_INVALID' })
      expect(existsSync(list)).toBe(true)
      for (const table of ['a', 'c']) expect(await other.warehouse.snapshots(table)).toHaveLength(1)
    } finally {
      await other.close()
    }
  })

  test('says what it has no table for', async () => {
    expect((await failure(() => lab.warehouse.vacuum('nobody'))).code).toBe('TABLE_NOT_FOUND')
    const folder = dirname(await lab.write(`SELECT 'u' AS who, 1 AS ts`, 'plain/a.parquet'))
    await lab.warehouse.register('plain', folder, { actor: 'who', time: 'ts' })
    expect((await failure(() => lab.warehouse.vacuum('plain'))).code).toBe('TABLE_KIND')
    for (const olderThan of ['soon', '-1d', '', Number.NaN, -1]) {
      expect((await failure(() => lab.warehouse.vacuum('cut', { olderThan }))).code).toBe('ARGUMENT_INVALID')
    }
  })
})

describe('what dead processes left', () => {
  /** An import in a process of its own that is killed where it stands right before its commit. */
  async function killed(table: string, options: object = {}): Promise<void> {
    const path = await lab.write('SELECT i::INTEGER AS a FROM range(1000) t(i)')
    const script = `
      import { Warehouse } from ${JSON.stringify(new URL('../../src/warehouse.ts', import.meta.url).href)}
      const warehouse = await Warehouse.open(${JSON.stringify(lab.root)})
      const onProgress = ({ phase }) => { if (phase === 'commit') process.kill(process.pid, 'SIGKILL') }
      await warehouse.import(${JSON.stringify(table)}, [${JSON.stringify(path)}], { ...${JSON.stringify(options)}, onProgress })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' })
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
    expect(signal).toBe('SIGKILL')
  }

  test('of an append: goes at once, whatever the age', async () => {
    await tableOf('killed', 1)
    const folder = await folderOf('killed')
    const before = below(folder)
    await killed('killed')
    expect(below(folder).length).toBeGreaterThan(before.length + 1)
    const { tables } = await lab.warehouse.vacuum('killed')
    expect(tables[0]!.removed).toMatchObject({ dataFiles: { files: 1 }, leases: { files: 1 } })
    const left = below(folder).filter((path) => !/vacuum-|v\d+\.metadata|version-hint/.test(path))
    expect(left).toEqual(before.filter((path) => !/v\d+\.metadata|version-hint/.test(path)))
    expect(await icebirdRows('killed')).toEqual([1])
  })

  test('of a first import: the folder that no name leads to, and what had spilled', async () => {
    const spilled = join(lab.root, '.tmp', `${nameOfProcess({ ...systemProcesses().self, pid: 2 ** 22 + 1 })}-x`)
    mkdirSync(spilled, { recursive: true })
    writeFileSync(join(spilled, 'rows.parquet'), 'spilled')
    const before = readdirSync(join(lab.root, 'tables'))
    await killed('unborn')
    expect(readdirSync(join(lab.root, 'tables'))).toHaveLength(before.length + 1)
    const other = await lab.warehouse.vacuum('killed')
    expect(other.folders).toEqual([])
    expect(other.temporary).toEqual({ files: 1, bytes: 7 })
    const { folders, tables } = await lab.warehouse.vacuum('UNBORN')
    expect(tables).toEqual([])
    expect(folders).toMatchObject([{ table: 'unborn', why: 'unfinished', removed: { leases: { files: 1 } } }])
    expect(readdirSync(join(lab.root, 'tables'))).toEqual(before)
    expect((await failure(() => lab.warehouse.vacuum('unborn'))).code).toBe('TABLE_NOT_FOUND')
    await tableOf('unborn', 7)
    expect(await rowsOf('unborn')).toEqual([7])
  })

  test('of a drop: the name is free, then the files go, what shuts late writers out stays', async () => {
    await tableOf('half', 1)
    const folder = await folderOf('half')
    let isDead = false
    const dying = new Proxy(new DiskStore(lab.root), {
      get(target, property) {
        const value = Reflect.get(target, property)
        if (typeof value !== 'function') return value
        return (path: string, ...rest: unknown[]) => {
          isDead ||= property === 'putIfAbsent' && path.startsWith('names/')
          return isDead ? Promise.reject(new Error('died')) : value.call(target, path, ...rest)
        }
      },
    })
    const catalog = new Catalog(dying, { sources: systemSources(), commitRetries: 3 })
    await catalog.drop('half').catch(() => undefined)
    expect(isDead).toBe(true)
    const { folders } = await lab.warehouse.vacuum('half')
    expect(folders).toMatchObject([{ why: 'dropped', removed: { dataFiles: { files: 1 } } }])
    expect(below(folder)).toEqual(['metadata/v1.metadata.json', 'metadata/v2.metadata.json'])
    for (const path of filesBelow(folder)) age(path, 48 * HOUR_MS)
    for (let k = 0; k < 2; k++) await lab.warehouse.vacuum()
    expect(below(folder)).toEqual(['metadata/v2.metadata.json'])
  })

  test('temporary files: those of this process stay, those of unknown ones go by age', async () => {
    const folder = join(lab.root, '.tmp')
    const own = `${nameOfProcess(systemProcesses().self)}-own`
    const foreign = `${process.pid}-00000000-1-foreign`
    for (const name of [own, foreign, 'young', 'old']) writeFileSync(join(folder, name), 'x')
    age(join(folder, 'old'), 8 * 24 * HOUR_MS)
    await lab.warehouse.vacuum('unborn', { olderThan: '1d' })
    expect(
      readdirSync(folder)
        .filter((name) => /own|foreign|young|old/.test(name))
        .sort(),
    ).toEqual([foreign, own, 'young'].sort())
    await lab.warehouse.vacuum('unborn', { olderThan: '0s' })
    expect(existsSync(join(folder, foreign))).toBe(true)
    for (const name of [own, foreign, 'young']) rmSync(join(folder, name))
  })
})

describe('processes', () => {
  const { self, liveness } = systemProcesses()

  test('tell the living from the dead, also when a number is used again', () => {
    expect(liveness(self)).toBe('alive')
    expect(liveness({ ...self, host: 'elsewhere' })).toBe('unknown')
    expect(liveness({ ...self, boot: 'another' })).toBe('unknown')
    expect(liveness({ ...self, pid: 2 ** 22 + 1 })).toBe('dead')
    // Only Linux tells when a process began.
    if (self.start !== '') expect(liveness({ ...self, start: '1' })).toBe('dead')
    const parent = { ...self, pid: process.ppid, start: '' }
    expect(liveness(parent)).toBe('unknown')
  })

  test('are found again in the names of their files', () => {
    const processes: Processes = {
      self,
      liveness: ({ pid, start }) => (pid === self.pid && start === self.start ? 'alive' : 'dead'),
    }
    expect(livenessOfName(`${nameOfProcess(self)}-abc`, processes)).toBe('alive')
    expect(livenessOfName(`${nameOfProcess({ ...self, pid: 1 })}-abc`, processes)).toBe('dead')
    expect(livenessOfName(`${nameOfProcess({ ...self, host: 'elsewhere' })}-abc`, processes)).toBe('unknown')
    for (const name of ['half', '12-abc', `${self.pid}-`, '']) expect(livenessOfName(name, processes)).toBe('unknown')
  })

  test('of a zombie say that it is dead', async () => {
    // Only Linux shows zombies in /proc.
    if (self.start === '') return
    const script = 'sleep 0 & exec sleep 5'
    const parent = spawn('sh', ['-c', script])
    await new Promise((resolve) => setTimeout(resolve, 300))
    const children = execFileSync('sh', [
      '-c',
      `grep -l "^PPid:\t${parent.pid}$" /proc/[0-9]*/status || true`,
    ]).toString()
    const pid = Number(/\/proc\/(\d+)\//.exec(children)?.[1])
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    expect(stat).toMatch(/\) Z /)
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!
    expect(liveness({ ...self, pid, start })).toBe('dead')
    parent.kill('SIGKILL')
    await once(parent, 'exit')
  })
})

describe('rollback', () => {
  test('makes an earlier snapshot current; the history goes on from there', async () => {
    const [first, second, third] = await tableOf('back', 1, 2, 3)
    expect(await lab.warehouse.rollback('back', first!)).toMatchObject({ table: 'back', snapshotId: first })
    expect(await rowsOf('back')).toEqual([1])
    expect(await icebirdRows('back')).toEqual([1])
    expect((await lab.warehouse.snapshots('back')).map(({ id }) => id)).toEqual([first, second, third])
    const [fourth] = await tableOf('back', 4)
    expect(await rowsOf('back')).toEqual([1, 4])
    expect(await icebirdRows('back')).toEqual([1, 4])
    expect((await lab.warehouse.snapshots('back')).at(-1)).toMatchObject({ id: fourth, parentId: first })
    await lab.warehouse.rollback('back', third!)
    expect(await rowsOf('back')).toEqual([1, 2, 3])
    const before = (await lab.warehouse.describe('back')).metadataLocation
    expect(await lab.warehouse.rollback('back', third!)).toMatchObject({ metadataLocation: before })
  })

  test('is seen by times, in their order', async () => {
    const ids = await tableOf('times', 1, 2)
    const pause = () => new Promise((resolve) => setTimeout(resolve, 5))
    await pause()
    const before = new Date()
    await pause()
    await lab.warehouse.rollback('times', ids[0]!)
    await pause()
    const after = new Date()
    const at = async (time: Date) =>
      (await lab.warehouse.sql('SELECT a FROM times ORDER BY a', { at: time })).rows.map(({ a }) => a)
    expect([await at(before), await at(after)]).toEqual([[1, 2], [1]])
  })

  test('what was rolled back expires, what it was rolled back to does not', async () => {
    const [first, second] = await tableOf('expiry', 1, 2)
    await lab.warehouse.rollback('expiry', first!)
    const { total } = await lab.warehouse.vacuum('expiry', { olderThan: 0 })
    expect(total.snapshots).toBe(1)
    expect(await icebirdRows('expiry')).toEqual([1])
    for (const id of [second!, 5]) {
      const error = await failure(() => lab.warehouse.rollback('expiry', id))
      expect(error).toMatchObject({ code: 'SNAPSHOT_NOT_FOUND', details: { table: 'expiry', at: String(id) } })
    }
    expect((await failure(() => lab.warehouse.rollback('nothing', 1))).code).toBe('TABLE_NOT_FOUND')
    expect((await failure(() => lab.warehouse.rollback('plain', 1))).code).toBe('TABLE_KIND')
  })

  test('and a replacement of what was not seen: one of them is a conflict', async () => {
    const [first] = await tableOf('versus', 1, 2)
    const catalog = new Catalog(new DiskStore(lab.root), { sources: systemSources(), commitRetries: 10 })
    const seen = await catalog.loadManaged('versus')
    await lab.warehouse.rollback('versus', first!)
    expect((await failure(() => catalog.replace(seen, []))).code).toBe('COMMIT_CONFLICT')
  })
})

test('a reader of what has expired gets an error that names it, never other rows', async () => {
  await tableOf('reader', 1)
  await lab.warehouse.import('reader', [await lab.write('SELECT 1 AS a FROM range(2_000_000)')])
  const files = await dataFiles(lab.warehouse, 'reader')
  const query = lab.warehouse.sql('SELECT count(*) AS n, sum(r.a) AS s FROM reader r')
  const stream = await lab.warehouse.stream('SELECT a FROM reader')
  await lab.warehouse.import('reader', [await lab.write('SELECT 9 AS a')], { replace: true })
  await lab.warehouse.vacuum('reader', { olderThan: 0 })
  expect(files.every((path) => !existsSync(path))).toBe(true)
  const drain = async () => {
    let rows = 0
    for await (const batch of stream.batches) rows += batch.length
    return rows
  }
  // Whoever had its files open reads on; whoever had not says which one is missing.
  for (const outcome of await Promise.allSettled([query, drain()])) {
    if (outcome.status === 'fulfilled')
      expect([2_000_001, [{ n: 2_000_001, s: 2_000_001 }]]).toContainEqual(
        typeof outcome.value === 'number' ? outcome.value : outcome.value.rows,
      )
    else
      expect(outcome.reason).toMatchObject({
        code: 'FILE_INVALID',
        details: { file: expect.stringContaining('.parquet') },
      })
  }
  expect(await rowsOf('reader')).toEqual([9])
})

describe.each([
  ['DiskStore', () => new DiskStore(join(lab.dir, `hazards-${Math.random()}`))],
  ['MemoryStore', () => new MemoryStore()],
] as [string, () => ObjectStore][])('hazards on %s', (_name, open) => {
  const dead: Processes = { self: { host: 'h', boot: 'b', pid: 1, start: '1' }, liveness: () => 'dead' }
  const living: Processes = { ...dead, liveness: () => 'alive' }
  const settings = readSettings({})

  async function scene(processes: Processes) {
    const store = open()
    const catalog = new Catalog(store, { sources: systemSources(), commitRetries: 10, processes })
    const { newSchema } = await import('../../src/catalog/iceberg/schema.ts')
    const { parseType } = await import('../../src/common/data-type.ts')
    const draft = catalog.draft('t', { schema: newSchema([{ name: 'a', type: parseType('INTEGER') }]) })
    const put = async (table: { location: string }, name: string) => {
      const path = `${dataLocation(table)}/${name}.parquet`
      await store.put(path.slice(store.root.length + 1), new TextEncoder().encode(path))
      return { path, rows: 1, sizeBytes: 9, specId: 0, partition: [], columns: new Map(), sorted: false }
    }
    const clean = (more: object = {}) =>
      vacuum({ store, sources: systemSources(), processes, settings: { ...settings, ...more } }, 't', {
        olderThanMs: 0,
      })
    const names = async () =>
      (await catalog.loadManaged('t')).snapshot.files.map(({ path }) => /(\w+)\.parquet/.exec(path)![1])
    await catalog.create(draft, [await put(draft, 'first')])
    const table: ManagedTable = await catalog.loadManaged('t')
    return { store, catalog, draft, put, clean, names, table }
  }

  test('files that a vacuum condemned cannot be committed any more', async () => {
    const { catalog, put, clean, names, table } = await scene(dead)
    const file = await put(table, 'slow')
    expect((await clean()).total.files).toBe(1)
    expect((await failure(() => catalog.append(table, [file]))).code).toBe('COMMIT_CONFLICT')
    expect((await failure(() => catalog.replace(table, [file]))).code).toBe('COMMIT_CONFLICT')
    expect(await names()).toEqual(['first'])
    const again = await put(table, 'again')
    await catalog.append(table, [again])
    expect((await names()).sort()).toEqual(['again', 'first'])
  })

  test('a commit that came first is seen, whatever vacuum had listed before', async () => {
    const { store, catalog, put, names, table } = await scene(dead)
    const file = await put(table, 'late')
    const slow = beforeFirstPut(store, () => catalog.append(table, [file]))
    const place = { store: slow, sources: systemSources(), processes: dead, settings }
    await vacuum(place, 't', { olderThanMs: 0 })
    expect((await names()).sort()).toEqual(['first', 'late'])
    expect(await store.stat(file.path.slice(store.root.length + 1))).toBeDefined()
  })

  test('files of a writer at work are spared, those of a dead one are not', async () => {
    for (const processes of [living, dead]) {
      const { catalog, put, clean, names, table } = await scene(processes)
      const writer = await catalog.openWriter(table)
      const file = await put(table, writer.id)
      const { tables } = await clean()
      expect(tables[0]!.spared.files).toBe(processes === living ? 1 : 0)
      const commit = catalog.append(table, [file], { writer })
      if (processes === living) expect(await commit).toMatchObject({ snapshotId: expect.any(Number) })
      else expect((await failure(() => commit)).code).toBe('COMMIT_CONFLICT')
      await writer.end()
      expect(await names()).toHaveLength(processes === living ? 2 : 1)
    }
  })

  test('a manifest that was condemned while its commit lost a race is written anew', async () => {
    const { store, catalog, put, clean, names, table } = await scene(living)
    const losing = beforeFirstPut(store, async () => {
      expect((await clean()).tables[0]!.removed).toMatchObject({ manifests: { files: 1 } })
    })
    const writer = await catalog.openWriter(table)
    const file = await put(table, writer.id)
    const loser = new Catalog(losing, { sources: systemSources(), commitRetries: 10, processes: living })
    await loser.append(table, [file])
    await writer.end()
    expect(await names()).toHaveLength(2)
    const fresh = new Catalog(store, { sources: systemSources(), commitRetries: 10 })
    expect((await fresh.loadManaged('t')).snapshot.files).toHaveLength(2)
  })

  test('of writers elsewhere the lease decides', async () => {
    const far: Processes = { ...dead, liveness: () => 'unknown' }
    const { catalog, put, clean, table } = await scene(far)
    const writer = await catalog.openWriter(table)
    await put(table, writer.id)
    expect((await clean()).tables[0]!.spared.files).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await clean({ leaseGraceMs: 10 })).tables[0]!.removed).toMatchObject({
      dataFiles: { files: 1 },
      leases: { files: 1 },
    })
    await writer.end()
  })

  test('a maker that was taken for dead is shut out of its name, and leaves nothing', async () => {
    const { store, catalog, put, clean } = await scene(dead)
    await catalog.drop('t')
    const draft = catalog.draft('t', { schema: { id: 0, columns: [] } })
    const writer = await catalog.openWriter(draft)
    const file = await put(draft, writer.id)
    const { folders } = await clean()
    expect(folders).toMatchObject([{ folder: `tables/${draft.uuid}`, why: 'unfinished' }])
    await put(draft, `${writer.id}-2`)
    expect((await failure(() => catalog.create(draft, [file], { writer }))).code).toBe('COMMIT_CONFLICT')
    await writer.end()
    expect((await failure(() => catalog.entry('t'))).code).toBe('TABLE_NOT_FOUND')
    expect((await store.list(`tables/${draft.uuid}/`)).objects).toEqual([])
  })

  test('a commit that slept while its number came and went is not acknowledged', async () => {
    const { store, put, names, table } = await scene(living)
    const sources = { ...systemSources(), aheadMs: 0, now: () => Date.now() + sources.aheadMs }
    const others = new Catalog(store, { sources: systemSources(), commitRetries: 10 })
    const sleepy = beforeFirstPut(store, async () => {
      for (const name of ['b', 'c', 'd']) await others.append(await others.loadManaged('t'), [await put(table, name)])
      sources.aheadMs += 48 * HOUR_MS
      const place = { store, sources, processes: living, settings }
      expect((await vacuum(place, 't', { olderThanMs: 72 * HOUR_MS })).tables[0]!.removed).toMatchObject({
        metadataVersions: { files: 3 },
      })
    })
    const sleeper = new Catalog(sleepy, { sources, commitRetries: 10 })
    expect((await failure(async () => sleeper.append(table, [await put(table, 'sleeper')]))).code).toBe(
      'COMMIT_CONFLICT',
    )
    expect((await names()).sort()).toEqual(['b', 'c', 'd', 'first'])
  })

  test('a commit whose snapshot has expired is found by its id, and not made again', async () => {
    const { catalog, put, clean, names, table } = await scene(dead)
    const commitId = 'commit-1'
    const files = [await put(table, 'once')]
    const { snapshotId } = await catalog.append(table, files, { commitId })
    await catalog.append(await catalog.loadManaged('t'), [await put(table, 'after')])
    expect((await clean()).total.snapshots).toBe(2)
    for (const seen of [table, await catalog.loadManaged('t')]) {
      expect((await catalog.append(seen, files, { commitId })).snapshotId).toBe(snapshotId)
    }
    expect((await names()).sort()).toEqual(['after', 'first', 'once'])
  })

  test('vacuums are remembered up to a number; who has seen none of them starts again', async () => {
    const { catalog, put, clean, table } = await scene(dead)
    for (let k = 0; k < 4; k++) {
      await put(table, `stray${k}`)
      await clean({ vacuumsKept: 2 })
    }
    const file = await put(table, 'old')
    expect((await failure(() => catalog.append(table, [file]))).message).toContain('more vacuums')
    await catalog.append(await catalog.loadManaged('t'), [file])
  })
})

test('many vacuums, imports and replacements of many processes at once', async () => {
  await tableOf('busy', 0)
  const jobs = await Promise.all(
    [1, 2, 3].map(async (a) => {
      const path = await lab.write(`SELECT ${a} AS a`)
      return { root: lab.root, table: 'busy', verb: 'import', path, options: {} } satisfies Job
    }),
  )
  let running = true
  const writers = runProcesses(jobs).finally(() => {
    running = false
  })
  while (running) await lab.warehouse.vacuum('busy', { olderThan: 0 })
  expect(await writers).toEqual(['done', 'done', 'done'])
  expect(await rowsOf('busy')).toEqual([0, 1, 2, 3])
  expect(await icebirdRows('busy')).toEqual([0, 1, 2, 3])
  await lab.warehouse.vacuum('busy', { olderThan: 0 })
  const data = below(await folderOf('busy')).filter((path) => path.startsWith('data/'))
  expect(data).toHaveLength(4)
  expect(statSync(join(await folderOf('busy'), data[0]!)).size).toBeGreaterThan(0)
})
