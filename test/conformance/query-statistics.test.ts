/** What results tell of the work on them: whole and in tasks, on every pool, in figures that make sense together. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import type { QueryStats } from '../../src/coordinator/sql.ts'
import type { BuzzDocument } from '../../src/planner/buzz.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { DeltaLab } from '../delta-lab.ts'
import { type Lab, openLab } from './import-lab.ts'
import { POOLS } from './pool-lab.ts'

const ROWS = 24_000
const EVENTS = `SELECT i AS id, 'u' || hash(i) % 700 AS who, i AS ts, ['a', 'b', 'c'][1 + i % 3] AS event, i % 11 AS k FROM range(${ROWS}) t(i)`
const KEYS = { actor: 'who', time: 'ts' }
const GROUPS = 'SELECT event, count(*) AS n FROM stored GROUP BY event ORDER BY event'
const FUNNEL: BehaviouralQuery = {
  query: { aggregations: [{ column: 'event', type: 'countPerValue' }] },
  funnel: { sequence: [{ filter: ['event', '==', 'a'] }, { filter: ['k', '<', 4] }] },
}
const DOCUMENT: BuzzDocument = {
  steps: [
    { name: 'mapper', step_type: 'HBee', sql: 'SELECT event, count(*) AS n FROM stored GROUP BY event' },
    { name: 'reducer', step_type: 'HComb', sql: 'SELECT event, sum(n) AS n FROM mapper GROUP BY event' },
  ],
  capacity: { zones: 1 },
}
/** Times are told as parts of it, and it in whole milliseconds; the tasks' clock is another one. */
const SLACK_MS = 5

let lab: Lab
const opened: Warehouse[] = []
beforeAll(async () => {
  lab = await openLab()
  await lab.warehouse.import('stored', [await lab.write(EVENTS)], { ...KEYS, buckets: 4 })
  for (const k of [0, 1, 2]) await lab.write(`FROM (${EVENTS}) WHERE id % 3 = ${k}`, `folder/${k}.parquet`)
  await lab.warehouse.register('scattered', join(lab.dir, 'folder'), KEYS)
})
afterEach(async () => {
  for (const warehouse of opened.splice(0)) await warehouse.close()
})
afterAll(() => lab.close())

/** A new warehouse, whose engine has not run anything. */
async function fresh(env: Record<string, string> = {}): Promise<Warehouse> {
  const warehouse = await lab.open(env)
  opened.push(warehouse)
  return warehouse
}

const LAYOUTS: Record<string, Record<string, string>> = {
  whole: {},
  'in tasks': { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '4000' },
}

const ASKED: Record<string, (warehouse: Warehouse, pool: 'inline' | 'threads') => Promise<QueryStats>> = {
  SQL: async (warehouse, pool) => (await warehouse.sql(GROUPS, { pool })).stats,
  'SQL of many rows': async (warehouse, pool) => (await warehouse.sql('SELECT id, who FROM stored', { pool })).stats,
  'a document': async (warehouse, pool) => (await warehouse.run(DOCUMENT, { pool })).stats,
  'an export': async (warehouse, pool) =>
    (await warehouse.exportParquet('SELECT id FROM stored', join(lab.dir, 'out.parquet'), { pool })).stats,
  'a behavioural query': async (warehouse, pool) => (await warehouse.query('stored', FUNNEL, { pool })).stats,
  'a behavioural query of scattered actors': async (warehouse, pool) =>
    (await warehouse.query('scattered', FUNNEL, { pool })).stats,
}

/** All that figures of any query have in common. */
function expectSense({ phases, taskTimes, doneTasks, cache, coldTasks, warmTasks, attempts, ...stats }: QueryStats) {
  const { queue, plan, fetch, scan, merge } = phases
  for (const times of [queue, plan, fetch, scan, merge, taskTimes]) {
    expect(times.minMs).toBeGreaterThanOrEqual(0)
    expect(times.p50Ms).toBeGreaterThanOrEqual(times.minMs)
    expect(times.maxMs).toBeGreaterThanOrEqual(times.p50Ms)
    expect(times.totalMs).toBeGreaterThanOrEqual(times.maxMs)
    expect(times.totalMs).toBeCloseTo(times.meanMs * times.count, 0)
  }
  expect([plan.count, merge.count]).toEqual([1, 1])
  const tasks = attempts === undefined ? 1 : stats.tasks
  expect([queue, fetch, scan, taskTimes].map(({ count }) => count)).toEqual([tasks, tasks, tasks, tasks])
  expect(coldTasks + warmTasks).toBe(tasks)
  expect(Object.values(doneTasks).reduce((sum, count) => sum + count, 0)).toBe(tasks)
  // Others were started beside a slow one.
  expect(attempts ?? 1).toBeGreaterThanOrEqual(tasks + (stats.failedAttempts ?? 0))
  expect(taskTimes.totalMs).toBeCloseTo(fetch.totalMs + scan.totalMs, 0)
  expect(plan.totalMs + taskTimes.maxMs + merge.totalMs).toBeLessThanOrEqual(stats.ms + SLACK_MS)
  expect(Number(Object.keys(doneTasks).at(-1))).toBeLessThanOrEqual(stats.ms + 250 + SLACK_MS)
  expect(cache.hits + cache.misses).toBeGreaterThan(0)
  expect(stats).not.toHaveProperty('cost')
}

describe.each(POOLS.map(({ name }) => name))('on the pool "%s"', (pool) => {
  describe.each(Object.entries(LAYOUTS))('%s', (layout, env) => {
    const inTasks = layout === 'in tasks'
    /** Each thread of tasks has an engine. */
    const engines = pool === 'threads' && inTasks ? 2 : 1
    let warehouse: Warehouse
    beforeAll(async () => {
      warehouse = await lab.open(env)
    })
    afterAll(() => warehouse.close())

    test('the first task of each engine is cold, and no other', async () => {
      const queries = async () => await Promise.all([1, 2, 3].map(() => warehouse.sql(GROUPS, { pool })))
      const [first, second] = [await queries(), await queries()]
      for (const { stats } of [...first, ...second]) expectSense(stats)
      const colds = [first, second].map((run) => run.reduce((sum, { stats }) => sum + stats.coldTasks, 0))
      expect(colds).toEqual([engines, 0])
    })

    test.each(Object.entries(ASKED))(
      '%s: phases and counts that go together, and warm the second time',
      async (name, ask) => {
        const [first, second] = [await ask(warehouse, pool), await ask(warehouse, pool)]
        for (const stats of [first, second]) {
          expectSense(stats)
          expect(stats).toMatchObject({ pool, rows: ROWS })
          expect(stats.attempts !== undefined).toBe(inTasks)
        }
        expect(first.coldTasks).toBeLessThanOrEqual(engines)
        // A file is written by an engine that was made for it.
        expect(second.coldTasks).toBe(name === 'an export' && !inTasks ? 1 : 0)
        expect(second.cache).toEqual({ hits: first.cache.hits + first.cache.misses, misses: 0 })
      },
    )
  })
})

test('where its time went adds up for a query that is not divided', async () => {
  const warehouse = await fresh()
  for (const ask of Object.values(ASKED)) {
    const { phases, ms } = await ask(warehouse, 'inline')
    const { queue, plan, fetch, scan, merge } = phases
    expect(queue.totalMs).toBe(0)
    const sum = plan.totalMs + fetch.totalMs + scan.totalMs + merge.totalMs
    expect(sum).toBeLessThanOrEqual(ms + SLACK_MS)
    expect(sum).toBeGreaterThan(ms / 2 - SLACK_MS)
  }
})

test.each(Object.entries(LAYOUTS))('whoever reads slowly is no phase, %s', async (_, env) => {
  const warehouse = await fresh(env)
  await using stream = await warehouse.stream('SELECT id, who FROM stored', { pool: 'inline' })
  for await (const _ of stream.batches) await sleep(40)
  const { ms, phases } = stream.stats()
  const waitedMs = Math.ceil(ROWS / 2048) * 40
  expect(ms).toBeGreaterThan(waitedMs * 0.9)
  expect(phases.plan.totalMs + phases.scan.maxMs + phases.merge.totalMs).toBeLessThan(ms - waitedMs * 0.8)
})

test('an engine that is started anew is cold again, and one that has only planned is not warm', async () => {
  const warehouse = await fresh()
  await warehouse.explain(GROUPS)
  expect((await warehouse.sql(GROUPS)).stats.coldTasks).toBe(1)
  expect((await warehouse.sql(GROUPS)).stats.coldTasks).toBe(0)
  // It may read a folder more than the one before.
  expect((await warehouse.sql('SELECT count(*) FROM scattered')).stats.coldTasks).toBe(1)
  expect((await warehouse.query('stored', FUNNEL)).stats.coldTasks).toBe(0)
})

test('threads that decode files have to be started as well', async () => {
  const warehouse = await fresh({ SKEP_DIRECT_ROWS: '1' })
  await warehouse.sql(GROUPS)
  const query: BehaviouralQuery = { query: { conditions: [{ filter: ['event', '==', 'a'] }] } }
  const [first, second] = [await warehouse.query('stored', query), await warehouse.query('stored', query)]
  expect(first.stats).toMatchObject({ reader: 'direct', coldTasks: 1, warmTasks: 0 })
  expect(second.stats).toMatchObject({ reader: 'direct', coldTasks: 0, warmTasks: 1 })
})

describe('what was remembered of metadata', () => {
  const cacheOf = async (warehouse: Warehouse, sql: string) => (await warehouse.sql(sql)).stats.cache

  test('of a managed table: its name, its metadata, a list and its manifests', async () => {
    await lab.warehouse.import('grows', [await lab.write('SELECT 1 AS i')])
    const warehouse = await fresh()
    const sql = 'SELECT count(*) AS n FROM grows'
    expect(await cacheOf(warehouse, sql)).toEqual({ hits: 0, misses: 4 })
    expect(await cacheOf(warehouse, sql)).toEqual({ hits: 4, misses: 0 })
    // New metadata, a new list and one more manifest beside the one that is known.
    await lab.warehouse.import('grows', [await lab.write('SELECT 2 AS i')])
    expect(await cacheOf(warehouse, sql)).toEqual({ hits: 2, misses: 3 })
    expect(await cacheOf(warehouse, 'SELECT count(*) FROM grows a, stored b')).toEqual({ hits: 5, misses: 4 })
    expect(await cacheOf(warehouse, 'SELECT 1 AS i')).toEqual({ hits: 0, misses: 0 })
  })

  test('of a registered folder: its name and its files', async () => {
    for (const k of [1, 2, 3]) await lab.write(`SELECT ${k} AS i, ${k} AS t`, `few/${k}.parquet`)
    await lab.warehouse.register('few', join(lab.dir, 'few'), { actor: 'i', time: 't' })
    const warehouse = await fresh()
    const sql = 'SELECT count(*) AS n FROM few'
    await warehouse.sql(sql)
    expect(await cacheOf(warehouse, sql)).toEqual({ hits: 4, misses: 0 })
    await lab.write('SELECT 4 AS i, 4 AS t', 'few/4.parquet')
    expect(await cacheOf(warehouse, sql)).toEqual({ hits: 4, misses: 1 })
  })

  test('of a table of Delta Lake: its name and its state', async () => {
    const table = new DeltaLab(lab, 'delta')
    const added = await table.add('1.parquet', 'SELECT 1::INTEGER AS i')
    table.commit([...table.begin([['i', 'integer']]), added])
    await lab.warehouse.attach('delta', table.root, { type: 'delta' })
    const warehouse = await fresh()
    const sql = 'SELECT count(*) AS n FROM delta'
    expect(await cacheOf(warehouse, sql)).toEqual({ hits: 0, misses: 2 })
    expect(await cacheOf(warehouse, sql)).toEqual({ hits: 2, misses: 0 })
    table.commit([await table.add('2.parquet', 'SELECT 2::INTEGER AS i')])
    expect(await cacheOf(warehouse, sql)).toEqual({ hits: 1, misses: 1 })
  })

  test('of a table of Iceberg that others write: its name and its manifests', async () => {
    const { metadataLocation } = await lab.warehouse.describe('stored')
    await lab.warehouse.attach('foreign', metadataLocation!.split('/metadata/')[0]!, { type: 'iceberg' })
    const warehouse = await fresh()
    const sql = 'SELECT count(*) AS n FROM "foreign"'
    expect(await cacheOf(warehouse, sql)).toEqual({ hits: 0, misses: 2 })
    expect(await cacheOf(warehouse, sql)).toEqual({ hits: 2, misses: 0 })
  })

  test('of a folder that a document brings along: its files', async () => {
    const warehouse = await fresh()
    const catalog = { name: 'own', type: 'Static' as const, uri: join(lab.dir, 'folder') }
    const steps = DOCUMENT.steps.map((step) => ({ ...step, sql: step.sql.replace('stored', 'own') }))
    const cacheOfRun = async () => (await warehouse.run({ ...DOCUMENT, steps, catalogs: [catalog] })).stats.cache
    expect(await cacheOfRun()).toEqual({ hits: 0, misses: 3 })
    expect(await cacheOfRun()).toEqual({ hits: 3, misses: 0 })
  })
})
