/** Whole queries that are divided into tasks, on every pool: the same rows as without, and nothing is left of them, however they end. */
import { copyFileSync, existsSync, readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import type { SqlOptions } from '../../src/coordinator/calls.ts'
import type { TaskProgress } from '../../src/coordinator/run-figures.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { comparable } from '../oracle/document.ts'
import { failure, type Lab, openLab, scanOf } from './import-lab.ts'
import { IDLE_MS, idleCpuMs, POOLS, SOON_MS, until } from './pool-lab.ts'

const ROWS = 24_000
const EVENTS = (from: number, rows = ROWS) =>
  `SELECT i AS id, 'u' || hash(i) % 700 AS who, i AS ts, ['a', 'b', 'c'][1 + i % 3] AS event, i % 11 AS k,
     CASE WHEN i % 10 > 0 THEN i / 8 END AS v FROM range(${from}, ${from + rows}) t(i)`
const KEYS = { actor: 'who', time: 'ts' }
/** Hours of work for its tasks; and for what is done after them. */
const ENDLESS = 'SELECT sum(hash(id, r.range) % 7) AS n FROM stored, range(100000000) r'
const ENDLESS_AFTER = `SELECT sum(hash(a.id, b.id) % 7) AS n FROM stored a, stored b, range(1000) r WHERE hash(r.range, a.id) > 3`
const MANY_ROWS = 'SELECT id, who, v FROM stored WHERE id % 2 = 0'

let lab: Lab
let divided: Warehouse
let firstSnapshot: number | undefined
beforeAll(async () => {
  lab = await openLab()
  const [first, second] = [await lab.write(EVENTS(0)), await lab.write(EVENTS(ROWS))]
  firstSnapshot = (await lab.warehouse.import('stored', [first], { ...KEYS, buckets: 4 })).snapshotId
  await lab.warehouse.import('stored', [second])
  for (const k of [0, 1, 2]) await lab.write(EVENTS(k * 8000, 8000), `folder/${k}.parquet`)
  await lab.warehouse.register('scattered', join(lab.dir, 'folder'), KEYS)
  divided = await open()
})
afterAll(async () => {
  await divided.close()
  await lab.close()
})

function open(env: Record<string, string> = {}): Promise<Warehouse> {
  return lab.open({ SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '4000', ...env })
}

/** What queries that have ended left behind; a folder of what an engine that still lives may spill is none of it. */
function left(): string[] {
  const folder = join(lab.root, '.exchange')
  return existsSync(folder) ? readdirSync(folder) : []
}

const QUERIES: Record<string, string> = {
  'a filter': 'SELECT id, who, v FROM stored WHERE id % 101 = 7 ORDER BY id',
  groups: 'SELECT k, event, count(*) AS n, sum(v) AS s, avg(id) AS a FROM stored GROUP BY ALL ORDER BY ALL',
  'many groups': 'SELECT who, count(DISTINCT event) AS n, max(ts) AS t FROM stored GROUP BY who ORDER BY who',
  'a join':
    'SELECT a.k, count(*) AS n FROM stored a JOIN scattered b USING (id) WHERE b.v > 4 GROUP BY a.k ORDER BY a.k',
  'an order with a limit': 'SELECT id, event FROM stored ORDER BY v DESC NULLS LAST, id LIMIT 12 OFFSET 3',
  'a folder': 'SELECT event, min(v) AS lo, max(v) AS hi, count(v) AS n FROM scattered GROUP BY event ORDER BY event',
  'a union': `SELECT 's' AS t, count(*) AS n FROM stored UNION ALL SELECT 'f', count(*) FROM scattered WHERE k < 4 ORDER BY t`,
  'one value': 'SELECT median(v) AS m FROM stored',
  'no row': 'SELECT id FROM stored WHERE id % 7 = 8',
}

const BEHAVIOUR: BehaviouralQuery = {
  query: {
    conditions: [{ filter: ['event', '==', 'a'], target: ['count', '>', 20] }],
    aggregations: [{ column: 'event', type: 'countPerValue' }],
  },
  funnel: { sequence: [{ filter: ['event', '==', 'a'] }, { filter: ['k', '<', 4] }] },
}

describe.each(POOLS)('on the pool "$name"', ({ name: pool, here }) => {
  test.each(Object.entries(QUERIES))('%s: the same rows as without', async (_, sql) => {
    const whole = await lab.warehouse.sql(sql)
    const result = await divided.sql(sql, { pool })
    expect(result.columns).toEqual(whole.columns)
    expect(result.rows).toEqual(whole.rows)
    expect(result.stats).toMatchObject({ pool, rows: whole.stats.rows })
    expect(result.stats.tasks).toBeGreaterThan(1)
    expect(left()).toEqual([])
  })

  test.each(['stored', 'scattered'])('a behavioural query on a table that is %s', async (table) => {
    const result = await divided.query(table, BEHAVIOUR, { pool })
    expect(comparable(result)).toEqual(comparable(await lab.warehouse.query(table, BEHAVIOUR)))
    expect(result.stats).toMatchObject({ pool })
    expect(result.stats.tasks).toBeGreaterThan(1)
    expect(left()).toEqual([])
  })

  test('what is wrong with a behavioural query is said before any task begins', async () => {
    const broken: BehaviouralQuery = { query: { conditions: [{ filter: ['event', 'matches', '(['] }] } }
    const [whole, inTasks] = [lab.warehouse, divided].map((warehouse) =>
      failure(() => warehouse.query('stored', broken, { pool })),
    )
    expect(await whole).toMatchObject({ code: 'QUERY_INVALID' })
    expect((await inTasks)!.toJSON()).toEqual((await whole)!.toJSON())
  })

  test('values of all kinds can be bound', async () => {
    const select = `SELECT count(*) AS n, any_value($text) AS text, any_value($list) AS list, any_value($huge) AS huge,
      any_value($flag) AS flag, any_value($none) AS none, any_value($blob) AS "blob", any_value($nan) AS nan,
      any_value($zero) AS zero, any_value($moment) AS moment
      FROM stored WHERE id > $least AND event = $text AND $flag AND id IN (SELECT unnest($list)) AND $none IS NULL`
    const params = {
      text: 'b',
      least: 10,
      list: [1, 100, 1003, 1004, 20_005],
      huge: 12_345_678_901_234_567_890n,
      flag: true,
      none: null,
      blob: new Uint8Array([0, 1, 255]),
      nan: Number.NaN,
      zero: -0,
      moment: new Date('2026-11-20T01:02:03.456Z'),
    }
    const result = await divided.sql(select, { pool, params })
    const whole = await lab.warehouse.sql(select, { params })
    expect(result.rows).toEqual(whole.rows)
    expect(result.rows[0]!.n).toBe(3)
    const positions = 'SELECT id FROM stored WHERE id BETWEEN ? AND ? AND event = ? ORDER BY id'
    const given: SqlOptions = { params: [990, 1020, 'c'] }
    const placed = await divided.sql(positions, { pool, ...given })
    expect(placed.rows).toEqual((await lab.warehouse.sql(positions, given)).rows)
    expect(placed.stats.tasks).toBeGreaterThan(1)
  })

  test('of an earlier time', async () => {
    const sql = 'SELECT count(*) AS n, max(id) AS m FROM stored'
    const { rows, stats } = await divided.sql(sql, { pool, at: firstSnapshot! })
    expect(rows).toEqual([{ n: ROWS, m: ROWS - 1 }])
    expect(stats.tasks).toBeGreaterThan(1)
    const document = await divided.query('stored', BEHAVIOUR, { pool, at: firstSnapshot! })
    expect(document.stats.scannedRows).toBe(ROWS)
  })

  test('into a Parquet file', async () => {
    const path = join(lab.dir, `out-${pool}.parquet`)
    const { rows, stats } = await divided.exportParquet(MANY_ROWS, path, { pool })
    expect(rows).toBe(ROWS)
    expect(stats.tasks).toBeGreaterThan(1)
    const [exported, whole] = [scanOf([path]), `(${EVENTS(0, 2 * ROWS)})`].map((from) =>
      lab.judge(`SELECT count(*), sum(id), count(DISTINCT who), sum(v) FROM ${from} WHERE id % 2 = 0`),
    )
    expect(await exported).toEqual(await whole)
    expect(left()).toEqual([])
  })

  test('progress grows to its end', async () => {
    const told: { fraction: number; progress: TaskProgress }[] = []
    const onProgress = (fraction: number, progress?: TaskProgress) => {
      if (progress) told.push({ fraction, progress: { ...progress } })
    }
    const { stats } = await divided.sql(QUERIES['many groups']!, { pool, onProgress })
    const last = told.at(-1)!.progress
    expect(last).toMatchObject({ queued: 0, running: 0, done: last.tasks })
    expect(last.done).toBe(stats.tasks)
    expect(last.rows).toBeGreaterThanOrEqual(2 * ROWS)
    expect(last.bytes).toBeGreaterThan(0)
    for (const [k, { fraction, progress }] of told.entries()) {
      const { tasks, queued, running, done, rows, bytes } = progress
      expect(queued + running + done).toBe(tasks)
      expect(Math.min(queued, running, done)).toBeGreaterThanOrEqual(0)
      const before = told[k - 1]
      if (!before) continue
      expect(fraction).toBeGreaterThanOrEqual(before.fraction)
      expect(done).toBeGreaterThanOrEqual(before.progress.done)
      expect(rows).toBeGreaterThanOrEqual(before.progress.rows)
      expect(bytes).toBeGreaterThanOrEqual(before.progress.bytes)
    }
  })

  test.each([
    ['at once', ENDLESS, 0],
    ['soon', ENDLESS, 30],
    ['while its tasks run', ENDLESS, undefined],
    ['after its tasks', ENDLESS_AFTER, undefined],
  ])('a query that is cancelled %s ends within a second, and its tasks with it', async (_, sql, ms) => {
    const stopping = new AbortController()
    const begun = Promise.withResolvers<void>()
    const onProgress = (_: number, progress?: TaskProgress) => {
      if (progress && (sql === ENDLESS ? progress.running > 0 : progress.done === progress.tasks)) begun.resolve()
    }
    const query = failure(() => divided.sql(sql, { pool, signal: stopping.signal, onProgress }))
    if (ms === undefined) await begun.promise
    await sleep(ms ?? 200)
    const aborted = performance.now()
    stopping.abort()
    expect(await query).toMatchObject({ code: 'CANCELLED' })
    expect(performance.now() - aborted).toBeLessThan(SOON_MS)
    expect(left()).toEqual([])
    if (here) expect(await idleCpuMs()).toBeLessThan(IDLE_MS)
    expect((await divided.sql(QUERIES['one value']!, { pool })).rows).toHaveLength(1)
  })

  test('a query that is cancelled when some of its tasks have written their rows leaves none', async () => {
    const slow = 'list_sum(list_transform(range(7000), lambda x: hash(x, id) % 7))'
    const sql = `SELECT id, CASE WHEN id < ${ROWS} THEN 1 ELSE ${slow} END AS n FROM stored`
    const stopping = new AbortController()
    const query = failure(() => divided.sql(sql, { pool, signal: stopping.signal }))
    await until(() => left().length > 0)
    stopping.abort()
    expect((await query).code).toBe('CANCELLED')
    expect(left()).toEqual([])
  })

  test('a query whose time is over says so', async () => {
    await using short = await open({ SKEP_QUERY_TIMEOUT_MS: '400' })
    expect(await failure(() => short.sql(ENDLESS, { pool }))).toMatchObject({
      code: 'QUERY_TIMEOUT',
      details: { setting: 'SKEP_QUERY_TIMEOUT_MS', limitMs: 400 },
    })
    expect(left()).toEqual([])
  })

  test.each([
    ['SQL_INVALID', `SELECT max(CAST(who AS INTEGER)) AS n FROM stored`],
    ['SQL_INVALID', `SELECT count(*) AS n FROM stored WHERE CAST(substr(who, 2) AS TINYINT) = 3`],
    ['SQL_INVALID', `SELECT sum(CASE WHEN id = 31000 THEN error('mine') ELSE 1 END) AS n FROM stored`],
    ['SQL_INVALID', `SELECT id, who, CASE WHEN id = ${2 * ROWS - 1} THEN CAST(who AS INTEGER) END AS n FROM stored`],
    ['MEMORY_LIMIT', `SELECT max(length(repeat(who, 1000000))) AS n FROM stored`],
  ])('a query that fails with %s says it as without, and leaves nothing: %s', async (code, sql) => {
    const error = await failure(() => divided.sql(sql, { pool }))
    const whole = await failure(() => lab.warehouse.sql(sql))
    expect(error.code).toBe(code)
    expect(anyValue(error.message)).toBe(anyValue(whole.message))
    // A place in the text of a task would be none in the user's.
    const { position: _, ...details } = whole.details as { position?: number }
    expect(error.details).toEqual(details)
    expect(left()).toEqual([])
  })

  test('two queries at once, one of which fails', async () => {
    const [one, two, three] = await Promise.allSettled([
      divided.sql(QUERIES.groups!, { pool }),
      divided.sql(`SELECT max(CAST(who AS INTEGER)) AS n FROM stored`, { pool }),
      divided.query('stored', BEHAVIOUR, { pool }),
    ])
    expect(one).toMatchObject({ value: { rows: (await lab.warehouse.sql(QUERIES.groups!)).rows } })
    expect(two).toMatchObject({ reason: { code: 'SQL_INVALID' } })
    expect(three.status).toBe('fulfilled')
    expect(left()).toEqual([])
  })

  test('a stream that is left in the middle leaves nothing', async () => {
    const stream = await divided.stream(MANY_ROWS, { pool })
    for await (const batch of stream.batches) {
      expect(batch.length).toBeGreaterThan(0)
      break
    }
    await stream[Symbol.asyncDispose]()
    expect(left()).toEqual([])
    await using read = await divided.stream(MANY_ROWS, { pool })
    let rows = 0
    for await (const batch of read.batches) rows += batch.length
    expect(rows).toBe(ROWS)
  })

  test('a warehouse that is closed while queries run ends them, and leaves nothing', async () => {
    const warehouse = await open()
    const begun = Promise.withResolvers<void>()
    const onProgress = (_: number, progress?: TaskProgress) => {
      if (progress && progress.running > 0) begun.resolve()
    }
    const queries = [0, 1].map(() => failure(() => warehouse.sql(ENDLESS, { pool, onProgress })))
    await begun.promise
    await sleep(300)
    await warehouse.close()
    for (const query of queries) expect(await query).toMatchObject({ code: 'CANCELLED' })
    expect(left()).toEqual([])
    if (here) expect(await idleCpuMs()).toBeLessThan(IDLE_MS)
  })

  test('a warehouse that is closed while queries are planned ends them before their first task', async () => {
    for (const ms of [0, 10, 30]) {
      const warehouse = await open()
      const query = failure(() => warehouse.sql(ENDLESS, { pool }))
      await sleep(ms)
      await warehouse.close()
      expect(await query).toMatchObject({ code: 'CANCELLED' })
    }
    expect(left()).toEqual([])
  })

  test('a file of a folder that changes meanwhile never mixes states', async () => {
    const folder = `changing-${pool}`
    const states = [0, 1].map((k) => ({ rows: 9000, from: 20_000 * k }))
    const paths = await Promise.all(
      states.map(({ from, rows }, k) => lab.write(EVENTS(from, rows), `states-${pool}/${k}.parquet`)),
    )
    await lab.write(EVENTS(100_000, 9000), `${folder}/other.parquet`)
    const target = join(lab.dir, folder, 'one.parquet')
    copyFileSync(paths[0]!, target)
    await lab.warehouse.register(`changing_${pool}`, join(lab.dir, folder), KEYS)
    const sql = `SELECT sum(id) AS s, count(*) AS n FROM changing_${pool}`
    const sums = states.map(({ from, rows }) => rows * from + (rows * (rows - 1)) / 2)
    const other = 9000 * 100_000 + (9000 * 8999) / 2
    let changes = 0
    const changing = (async () => {
      for (let k = 1; k <= 6; k++) {
        await sleep(40)
        copyFileSync(paths[k % 2]!, target)
        utimesSync(target, 1_700_000_000 + k, 1_700_000_000 + k)
        changes++
      }
    })()
    while (changes < 6) {
      const outcome = await divided.sql(sql, { pool }).then(
        ({ rows }) => rows[0]!,
        (error: { code: string }) => error.code,
      )
      if (typeof outcome === 'string') expect(['FOLDER_CHANGED', 'FILE_INVALID']).toContain(outcome)
      else expect(sums.map((sum) => sum + other)).toContain(Number(outcome.s))
    }
    await changing
    expect((await divided.sql(sql, { pool })).rows).toEqual([{ s: sums[0]! + other, n: 18_000 }])
    expect(left()).toEqual([])
  })

  test('a pool of another name is refused, also where nothing is divided', async () => {
    for (const call of [
      () => lab.warehouse.sql('SELECT 1', { pool: 'nonsense' as never }),
      () => divided.sql(QUERIES.groups!, { pool: 'nonsense' as never }),
      () => divided.query('stored', BEHAVIOUR, { pool: 'nonsense' as never }),
    ]) {
      expect(await failure(call)).toMatchObject({ code: 'ARGUMENT_INVALID', details: { argument: 'pool' } })
    }
  })
})

/** A message with the value that it is about, which may be any that does not fit, made the same. */
function anyValue(message: string): string {
  return message.replace(/'u\d+'|'\d+'|string '[^']*'/g, 'VALUE')
}
