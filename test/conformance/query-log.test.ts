/** The log of queries on disk: beside other processes, on stores that fail, and in warehouses that do not exist. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readSettings } from '../../src/config.ts'
import { SkepError } from '../../src/errors.ts'
import { QueryLog, type QueryLogOptions } from '../../src/records/query-log.ts'
import type { QueryRecord } from '../../src/records/query-record.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { Processes } from '../../src/storage/processes.ts'
import { filesBelow, type Lab, openLab } from './import-lab.ts'

const settings = readSettings({})
const at = (second: number) => `2026-11-20T08:00:${String(second).padStart(2, '0')}.000Z`
const record = (id: string, second: number, more: Partial<QueryRecord> = {}): QueryRecord => ({
  id,
  kind: 'sql',
  text: `SELECT '${id}'`,
  state: 'done',
  startedAt: at(second),
  ...more,
})
const idsOf = (records: readonly QueryRecord[]) => records.map(({ id }) => id)

describe('on disk', () => {
  let lab: Lab
  let child: ChildProcess | undefined

  beforeEach(async () => {
    lab = await openLab()
  })

  afterEach(async () => {
    child?.kill('SIGKILL')
    await lab.close()
  })

  const open = (options: QueryLogOptions = {}) =>
    QueryLog.open(new DiskStore(lab.root), settings, { lookMs: 0, ...options })
  const make = async () => lab.warehouse.import('t', [await lab.write('SELECT 1 AS a')])
  const segments = () => filesBelow(lab.root).filter((path) => path.includes('/queries/'))

  test('a warehouse that does not exist is not made for a log; once it exists, all is written', async () => {
    const log = await open()
    log.put(record('a', 1))
    await log.flush()
    expect(idsOf(await log.list())).toEqual(['a'])
    expect(existsSync(lab.root)).toBe(false)
    await make()
    await log.flush()
    expect(segments()).toHaveLength(1)
    log.put(record('b', 2))
    await log.close()
    const again = await open()
    expect(await again.list()).toEqual([record('b', 2), record('a', 1)])
    expect(await again.list({ limit: 1 })).toEqual([record('b', 2)])
    expect(await again.get('a')).toEqual(record('a', 1))
    expect(await again.get('c')).toBeUndefined()
    expect(log.problem).toBeUndefined()
  })

  test('is written about a second after a record came, without being asked', async () => {
    await make()
    await using log = await open()
    log.put(record('a', 1, { state: 'running' }))
    log.put(record('b', 2))
    expect(segments()).toEqual([])
    await expect.poll(segments, { timeout: 3000 }).toHaveLength(1)
    // The heartbeat of what runs does not hold up what comes next.
    log.put(record('c', 3))
    await using other = await open()
    await expect.poll(async () => idsOf(await other.list()), { timeout: 3000 }).toEqual(['c', 'b', 'a'])
  })

  test('another process is seen while it lives; what it ran when it died was interrupted, and is taken over', async () => {
    await make()
    const script = fileURLToPath(new URL('query-log-child.ts', import.meta.url))
    child = spawn(process.execPath, [script, lab.root], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout!, 'data')
    const log = await open()
    log.put(record('a', 2))
    await log.flush()
    expect(await log.list()).toEqual([
      record('c2', 3, { text: 'SELECT 2', state: 'running' }),
      record('a', 2),
      record('c1', 1, { text: 'SELECT 1', ms: 5, rows: 0 }),
    ])
    expect(segments()).toHaveLength(2)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const failed = { state: 'failed', error: { code: 'QUERY_INTERRUPTED' } }
    expect(await log.list()).toMatchObject([{ id: 'c2', ...failed }, { id: 'a' }, { id: 'c1', state: 'done', rows: 0 }])
    expect(await log.get('c2')).toMatchObject(failed)
    await log.close()
    expect(segments()).toHaveLength(1)
    const again = await open()
    expect(await again.list()).toMatchObject([{ id: 'c2', ...failed }, { id: 'a' }, { id: 'c1' }])
    expect(segments()).toHaveLength(1)
  })

  test('vacuum leaves it alone, and it is no table', async () => {
    await make()
    const log = await open()
    log.put(record('a', 1))
    await log.close()
    const before = segments()
    await lab.warehouse.vacuum(undefined, { olderThan: 0 })
    expect(segments()).toEqual(before)
    expect((await lab.warehouse.tables()).map(({ name }) => name)).toEqual(['t'])
    expect(readdirSync(join(lab.root, '.tmp'))).toEqual([])
  })

  test('what is damaged, or of another format, is left as it is and hides nothing', async () => {
    await make()
    const log = await open()
    log.put(record('a', 1))
    await log.close()
    const [first] = segments()
    // Of a process that has ended: its number is that of no process.
    const dead = first!.replace(/queries\/\d+-/, 'queries/4194999-')
    writeFileSync(dead.replace('.json', 'x.json'), '{"format":1,"closed":true,"rec')
    writeFileSync(dead.replace('.json', 'y.json'), '{"format":2,"closed":true,"records":{}}')
    const mixed = {
      format: 1,
      closed: false,
      records: [null, 7, { id: 'z' }, record('m', 2), { ...record('n', 3), ms: 'x', odd: 1 }],
    }
    writeFileSync(dead, JSON.stringify(mixed))
    const again = await open()
    expect(await again.list()).toEqual([record('n', 3), record('m', 2), record('a', 1)])
    again.put(record('b', 4))
    await again.close()
    expect(segments()).toHaveLength(3)
    expect(idsOf(await (await open()).list())).toEqual(['b', 'n', 'm', 'a'])
  })
})

/** A store that can be told to fail. */
class FailingStore extends MemoryStore {
  failing: 'read' | 'write' | undefined

  override list: MemoryStore['list'] = async (prefix, options) => {
    if (this.failing === 'read') throw new SkepError('STORE_UNAVAILABLE', 'no answer', {})
    return await super.list(prefix, options)
  }

  override put: MemoryStore['put'] = async (path, bytes, options) => {
    if (this.failing === 'write') throw new SkepError('DISK_FULL', 'the disk of the warehouse is full', {})
    await super.put(path, bytes, options)
  }
}

describe('in any store', () => {
  const begin = async (store = new FailingStore()) => {
    await store.put('tables/a', new Uint8Array(1))
    return store
  }

  test('a full disk: the log goes on in memory, says why, and writes when there is room', async () => {
    const store = await begin()
    const log = await QueryLog.open(store, settings, { lookMs: 0 })
    store.failing = 'write'
    log.put(record('a', 1))
    await log.flush()
    expect(log.problem?.code).toBe('DISK_FULL')
    expect(idsOf(await log.list())).toEqual(['a'])
    store.failing = undefined
    await log.flush()
    expect(log.problem).toBeUndefined()
    expect(idsOf(await (await QueryLog.open(store, settings)).list())).toEqual(['a'])
    store.failing = 'write'
    log.put(record('b', 2))
    await log.close()
    expect(log.problem?.code).toBe('DISK_FULL')
  })

  test('a store that does not answer: the log opens, and finds what there is when it does', async () => {
    const store = await begin()
    const first = await QueryLog.open(store, settings)
    first.put(record('a', 1))
    await first.close()
    store.failing = 'read'
    const log = await QueryLog.open(store, settings, { lookMs: 0 })
    log.put(record('b', 2))
    await log.flush()
    expect(log.problem?.code).toBe('STORE_UNAVAILABLE')
    expect(idsOf(await log.list())).toEqual(['b'])
    store.failing = undefined
    expect(idsOf(await log.list())).toEqual(['b', 'a'])
    await log.close()
    expect(idsOf(await (await QueryLog.open(store, settings)).list())).toEqual(['b', 'a'])
  })

  test('of a process elsewhere, silence while a query runs means its end; should it live after all, its word counts', async () => {
    let now = Date.UTC(2026, 10, 20)
    const store = await begin(new FailingStore('memory:', { now: () => now }))
    const on = (host: string): Processes => ({
      self: { host, boot: host, pid: 7, start: '1' },
      liveness: () => 'unknown',
    })
    const options = { now: () => now, lookMs: 0 }
    const far = await QueryLog.open(store, settings, { ...options, processes: on('far') })
    const near = await QueryLog.open(store, settings, { ...options, processes: on('near') })
    far.put(record('f', 1, { state: 'running' }))
    await far.flush()
    now += settings.leaseGraceMs
    expect(await near.get('f')).toMatchObject({ state: 'running' })
    now += 1
    expect(await near.get('f')).toMatchObject({ state: 'failed', error: { code: 'QUERY_INTERRUPTED' } })
    near.put(record('n', 2))
    await near.flush()
    expect((await store.list('queries/')).objects).toHaveLength(1)
    far.put(record('f', 1, { state: 'done', ms: 9 }))
    await far.flush()
    expect(await near.get('f')).toMatchObject({ state: 'done', ms: 9 })
    expect(await near.list()).toHaveLength(2)
  })

  test('while a query runs, its process says that it lives', async () => {
    const store = await begin()
    await using log = await QueryLog.open(store, { ...settings, leaseRenewMs: 20 }, { writeMs: 1 })
    const version = async () => Number((await store.list('queries/')).objects[0]?.version ?? 0)
    log.put(record('a', 1, { state: 'running' }))
    await expect.poll(version).toBeGreaterThan(0)
    const first = await version()
    await expect.poll(version).toBeGreaterThan(first + 1)
    log.put(record('a', 1, { state: 'done' }))
    await log.flush()
    await wait(50)
    const last = await version()
    await wait(100)
    expect(await version()).toBe(last)
  })

  test('a log that closes has nothing running; after that nothing is taken in', async () => {
    const store = await begin()
    const log = await QueryLog.open(store, settings)
    log.put(record('a', 1, { state: 'queued' }))
    await log.close()
    log.put(record('b', 2))
    await log.close()
    expect(await log.list()).toMatchObject([{ id: 'a', state: 'failed', error: { code: 'QUERY_INTERRUPTED' } }])
    const again = await QueryLog.open(store, settings)
    expect(await again.list()).toEqual(await log.list())
    await again.close()
    expect((await store.list('queries/')).objects).toHaveLength(1)
  })

  test('long texts are cut between characters, other fields are left out, and what is no record is refused', async () => {
    const log = await QueryLog.open(await begin(), settings)
    const text = `${'x'.repeat(3998)}😀😀`
    const error = { code: 'SQL_INVALID', message: 'y'.repeat(5000) }
    log.put({ ...record('a', 1), text, state: 'failed', error, odd: 1 } as QueryRecord)
    const [found] = await log.list()
    expect(found!.text).toBe(`${'x'.repeat(3998)}…`)
    expect(found!.error!.message).toBe(`${'y'.repeat(3999)}…`)
    expect(Object.keys(found!)).toEqual(['id', 'kind', 'text', 'state', 'startedAt', 'error'])
    for (const bad of [{ id: 7 }, { kind: 'x' }, { state: 'x' }, { startedAt: '2026-11-20' }, { text: undefined }]) {
      expect(() => log.put({ ...record('b', 2), ...bad } as QueryRecord)).toThrow('not a record')
    }
    await log.close()
  })

  test('as many are kept as `SKEP_QUERIES_KEPT` says', async () => {
    const store = await begin()
    const few = readSettings({ SKEP_QUERIES_KEPT: '3' })
    const log = await QueryLog.open(store, few)
    for (let k = 0; k < 50; k++) log.put(record(`q${k}`, k))
    expect(idsOf(await log.list())).toEqual(['q49', 'q48', 'q47'])
    await log.close()
    expect(idsOf(await (await QueryLog.open(store, settings)).list())).toEqual(['q49', 'q48', 'q47'])
    expect(() => readSettings({ SKEP_QUERIES_KEPT: '0' })).toThrow('SKEP_QUERIES_KEPT')
  })
})
