/**
 * Engines that break under the queries of a process. Nothing is made up: DuckDB 1.5.5 has a defect that one statement meets while it runs,
 * after which it refuses all others, and one that another statement meets while it is planned, which it survives.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import { systemSources } from '../../src/catalog/sources.ts'
import { readSettings } from '../../src/config.ts'
import { runStages } from '../../src/coordinator/dispatch.ts'
import { Engine, type Session } from '../../src/engine/engine.ts'
import { EngineKeeper } from '../../src/engine/keeper.ts'
import { isSkepError, type SkepError } from '../../src/errors.ts'
import type { Stage } from '../../src/planner/plan.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { failure, type Lab, openLab } from '../conformance/import-lab.ts'
import { POOLS, poolSettings } from '../conformance/pool-lab.ts'
import { comparable } from '../oracle/document.ts'
import { faultOf, leftOver, startLab } from '../server/lab.ts'
import { runs } from '../torture.ts'

/** Breaks the engine that runs it. */
const BREAKING = 'SELECT reservoir_quantile(range::DECIMAL(9, 1), []) AS n FROM range(10)'
const MET = 'the engine failed: INTERNAL Error: Attempted to access index 0 within vector of size 0'
/** Meets a defect as well, before it runs. */
const UNPLANNABLE = `SELECT val FROM (VALUES (1), (2)) t(val) GROUP BY val
  HAVING (SELECT count(*) FROM range(3) u WHERE TRY(t.val + t.val) > 0) > 0`
/** Takes longer than a break. */
const SLOW = 'SELECT count(*) AS n FROM range(6000000) WHERE hash(range) % 3 <> 5'
const SLOW_ROWS = [{ n: 6_000_000 }]

function failed(asked: Promise<unknown>): Promise<SkepError> {
  return failure(() => asked)
}

/** Fails unless this is the error of a query that broke its engine. */
function requireDefect(error: SkepError): void {
  expect([error.code, error.message]).toEqual(['INTERNAL', MET])
}

describe('one engine', () => {
  const settings = readSettings({ SKEP_THREADS: '2', SKEP_MEMORY: '512MB' })
  let lab: Lab
  let keeper: EngineKeeper
  let spill: string
  beforeAll(async () => {
    lab = await openLab()
    spill = join(lab.dir, 'spill')
    keeper = new EngineKeeper({ settings, root: lab.dir, spillPath: join(spill, 'engine') })
  })
  afterAll(() => lab.close())

  /** Which engine leases are of at the moment. */
  const current = async () => {
    await using lease = await keeper.leaseEngine({ roots: [], files: [] })
    return lease.engine
  }

  test('is used on after a defect that it survives', async () => {
    const before = await current()
    const lease = await keeper.lease()
    const error = await failed(lease.session.run(UNPLANNABLE, { userSql: true }))
    expect([error.code, error.message]).toEqual([
      'INTERNAL',
      expect.stringContaining('Failed to bind column reference'),
    ])
    expect(error.message).not.toContain('Stack')
    expect(await lease.session.rows('SELECT 1 AS a')).toEqual([{ a: 1 }])
    lease.close()
    expect(await current()).toBe(before)
  })

  test('is used on when a query only writes what a broken one says', async () => {
    const before = await current()
    const lease = await keeper.lease()
    const said = 'FATAL Error: Failed: database has been invalidated because of a previous fatal error'
    const error = await failed(lease.session.run(`SELECT error('${said}')`, { userSql: true }))
    expect(error.code).toBe('SQL_INVALID')
    lease.close()
    expect(await current()).toBe(before)
  })

  test('is left to its users once it is broken, and ends with the last of them', async () => {
    const [broken, beside, streaming] = [await keeper.lease(), await keeper.lease(), await keeper.lease()]
    const spare = await keeper.lease()
    await spare.session.begin()
    spare.close('reusable')
    const before = await current()
    await beside.session.run('CREATE TEMP TABLE kept (i INTEGER)')
    await beside.session.run(`CREATE TEMP TABLE spilled AS SELECT range, repeat('x', 900) AS t FROM range(500000)`)
    expect(readdirSync(spill)).toHaveLength(1)
    await streaming.session.run('BEGIN TRANSACTION')
    await streaming.session.stream('SELECT 1', { userSql: true })
    requireDefect(await failed(broken.session.run(BREAKING, { userSql: true })))

    const after = await current()
    expect(after).not.toBe(before)
    const lost = (step: Promise<unknown>) => failed(step).then(({ code }) => code)
    expect(beside.suits({ roots: [], files: [] })).toBe(false)
    expect(await lost(beside.session.run('SELECT 1'))).toBe('ENGINE_LOST')
    expect(await lost(beside.session.ask('SELECT ? AS a', 'a'))).toBe('ENGINE_LOST')
    expect(await lost(appended(beside.session, 'kept'))).toBe('ENGINE_LOST')
    expect(await lost(streaming.session.isAborted())).toBe('ENGINE_LOST')
    expect(await lost(before.session())).toBe('ENGINE_LOST')
    expect(await lost(broken.session.run('SELECT 1'))).toBe('ENGINE_LOST')
    expect((await failed(beside.session.run('SELECT 1'))).message).not.toContain('index 0')

    broken.close()
    streaming.close('reusable')
    expect(readdirSync(spill), 'its last user is not gone').toHaveLength(1)
    beside.close('reusable')
    const next = await keeper.lease()
    expect(await next.session.rows('SELECT 2 AS a')).toEqual([{ a: 2 }])
    next.close()
    expect(await current()).toBe(after)
    await keeper.close()
    expect(existsSync(spill) ? readdirSync(spill) : []).toEqual([])
  })

  test('of an import alone fails with what it met, whoever of it is told', async () => {
    await using engine = await Engine.open({ settings, spillPath: join(lab.dir, 'private') })
    using session = await engine.session()
    using other = await engine.session()
    requireDefect(await failed(session.run(BREAKING)))
    const error = await failed(other.run('SELECT 1'))
    expect([error.code, error.message]).toEqual(['INTERNAL', MET.replace('INTERNAL Error: ', '')])
  })
})

async function appended(session: Session, table: string): Promise<void> {
  await session.fetch(async () => {
    const appender = await session.connection.createAppender(table)
    appender.appendInteger(1)
    appender.endRow()
    appender.closeSync()
  })
}

const EVENTS = `SELECT 'u' || i % 300 AS who, i AS ts, ['a', 'b'][1 + i % 2] AS event, i % 7 AS k FROM range(20000) t(i)`
const FUNNEL: BehaviouralQuery = {
  query: {
    conditions: [{ filter: ['event', '==', 'a'], target: ['count', '>', 20] }],
    aggregations: [{ column: 'event', type: 'countPerValue' }],
  },
  funnel: { sequence: [{ filter: ['event', '==', 'a'] }, { filter: ['k', '<', 4] }] },
}
const GROUPS = 'SELECT k, count(*) AS n FROM events GROUP BY k ORDER BY k'
const JOINED = 'SELECT count(*) AS n FROM events a JOIN events b ON a.ts = b.ts + 1 WHERE a.k > b.k'

/** What queries over {@link EVENTS} find while nothing breaks. */
async function answers(warehouse: Warehouse): Promise<unknown[]> {
  const [groups, joined, funnel, slow] = await Promise.all([
    warehouse.sql(GROUPS),
    warehouse.sql(JOINED),
    warehouse.query('events', FUNNEL),
    warehouse.sql(SLOW),
  ])
  return [groups.rows, joined.rows, comparable(funnel), slow.rows]
}

describe.each([
  ['in one engine', runs(10, 100), {}],
  ['in tasks of this process', runs(3, 100), { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '4000', SKEP_POOL: 'inline' }],
  ['in tasks on threads', runs(10, 100), { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '4000', SKEP_POOL: 'threads' }],
])('queries beside one that breaks the engine, %s', (_, rounds, env) => {
  let lab: Lab
  let warehouse: Warehouse
  let expected: unknown[]
  beforeAll(async () => {
    lab = await openLab()
    await lab.warehouse.import('events', [await lab.write(EVENTS)], { actor: 'who', time: 'ts', buckets: 4 })
    warehouse = await lab.open({ SKEP_MEMORY: '1GB', ...env })
    expected = await answers(warehouse)
  })
  afterAll(() => lab.close())

  test(`${rounds} times: all others answer right, and so do the next`, {
    timeout: 60_000 + rounds * 6000,
  }, async () => {
    const threads = await threadCount()
    for (let round = 0; round < rounds; round++) {
      const beside = answers(warehouse)
      await sleep(round * 5)
      requireDefect(await failed(warehouse.sql(BREAKING)))
      expect(await beside, `round ${round}`).toEqual(expected)
      expect((await warehouse.sql('SELECT 42 AS a')).rows).toEqual([{ a: 42 }])
    }
    // Each engine has threads of its own.
    expect(await threadCount(), 'engines are left').toBeLessThanOrEqual(threads + 4)
  })

  test('two at a time: all others answer right, or say that they have to be run again', {
    timeout: 60_000,
  }, async () => {
    for (let round = 0; round < runs(3, 30); round++) {
      const beside = Array.from({ length: 3 }, () => warehouse.sql(JOINED).then(({ rows }) => rows, codeOf))
      const broken = [warehouse.sql(BREAKING), warehouse.sql(BREAKING)].map((asked) => asked.catch(codeOf))
      for (const rows of await Promise.all(beside)) expect([expected[1], 'ENGINE_LOST']).toContainEqual(rows)
      for (const code of await Promise.all(broken)) expect(['INTERNAL', 'ENGINE_LOST']).toContain(code)
      expect((await warehouse.sql(JOINED)).rows).toEqual(expected[1])
    }
  })

  test('after a close nothing is left', async () => {
    requireDefect(await failed(warehouse.sql(BREAKING)))
    await warehouse.close()
    expect(leftOver(lab.root)).toEqual([])
    expect(existsSync(join(lab.root, '.tmp')) ? readdirSync(join(lab.root, '.tmp')) : []).toEqual([])
  })
})

function codeOf(error: unknown): string {
  return isSkepError(error) ? error.code : String(error)
}

/** The threads of this process. Some handles of an engine's library let it go only when they are collected. */
async function threadCount(): Promise<number> {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  await sleep(200)
  return existsSync('/proc/self/task') ? readdirSync('/proc/self/task').length : 0
}

describe('rows that have been given', () => {
  let lab: Lab
  beforeAll(async () => {
    lab = await openLab({ SKEP_MEMORY: '1GB' })
  })
  afterAll(async () => {
    await lab.warehouse.close()
    await lab.close()
  })

  test('are not followed by the end of a result that may not be complete', async () => {
    const stream = await lab.warehouse.stream('SELECT range FROM range(3000000)')
    const batches = stream.batches[Symbol.asyncIterator]()
    await batches.next()
    requireDefect(await failed(lab.warehouse.sql(BREAKING)))
    const rest = async () => {
      while (!(await batches.next()).done);
    }
    expect((await failed(rest())).code).toBe('ENGINE_LOST')
    await stream[Symbol.asyncDispose]()
  })

  test('a stream of few rows is whole before the first of them comes', async () => {
    const starting = lab.warehouse.stream(SLOW)
    await sleep(50)
    requireDefect(await failed(lab.warehouse.sql(BREAKING)))
    await using stream = await starting
    requireDefect(await failed(lab.warehouse.sql(BREAKING)))
    const rows: unknown[] = []
    for await (const batch of stream.batches) rows.push(...batch)
    expect(rows).toHaveLength(1)
  })
})

function stageOf(sql: string, tasks: number): Stage {
  const work = { kind: 'sql' as const, sql, inputs: [], columns: [{ name: 'n', type: 'BIGINT' }] }
  const specs = Array.from({ length: tasks }, (_, k) => ({ id: `s.${k}`, files: {}, rows: 1, bytes: 1 }))
  return { id: 's', does: 'test', work, tasks: specs }
}

describe.each(POOLS)('tasks on the pool $name', ({ make }) => {
  test('are run again when another breaks their engine; one that breaks it is tried as often as any', {
    timeout: 60_000,
  }, async () => {
    const lab = await openLab()
    const settings = { ...poolSettings(), taskAttempts: 3, taskRetryMs: 20, taskRetryMaxMs: 50 }
    await using pool = make(lab.root, settings)
    let lost = 0
    for (let round = 0; round < runs(5, 50); round++) {
      const run = (sql: string, tasks: number, more = {}) =>
        runStages([stageOf(sql, tasks)], pool, systemSources(), {
          query: `q${round}-${tasks}`,
          settings: { ...settings, ...more },
        })
      // More attempts than engines that are broken: then none can be used up by it.
      const beside = run('SELECT count(*) AS n FROM range(1500000) WHERE hash(range) % 3 <> 5', 8, { taskAttempts: 10 })
      const defects = ['0', '1'].map(async (n, k) => {
        const sql = `SELECT reservoir_quantile(range::DECIMAL(9, 1), [])::BIGINT + ${n} AS n FROM range(10)`
        return await failed(run(sql, 1 + k))
      })
      for (const error of await Promise.all(defects)) {
        expect(error.code, error.message).toBe('INTERNAL')
        expect(error.message).toMatch(/^task "s\.\d" was tried 3 times: the engine failed: INTERNAL Error: Attempted/)
      }
      const { results, stats } = await beside
      expect(results.get('s')!.map(({ rows }) => rows.inline)).toEqual(Array.from({ length: 8 }, () => [[1500000]]))
      lost += stats.failed
    }
    expect(lost, 'no task lost its engine').toBeGreaterThan(0)
    await lab.close()
  })
})

test('a request that breaks the engine of a server is answered with what it met, and the next ones work', async () => {
  await using lab = await startLab()
  for (let round = 0; round < 3; round++) {
    const slow = lab.sql(SLOW)
    const answer = await lab.sql(BREAKING)
    expect(answer.status).toBe(500)
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: 'INTERNAL', message: MET, details: {} } })
    for (const next of [slow, lab.sql(SLOW)]) {
      expect(faultOf(await next), (await next).text).toBe(undefined)
      expect(JSON.parse((await next).text).rows).toEqual(SLOW_ROWS)
    }
    expect((await lab.call('GET', '/api/v1/tables')).status).toBe(200)
  }
})
