/** What a server tells of its queries: how far they are while they run, and afterwards the work that was done. */
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ResponseOf } from '../../src/api/contract.ts'
import { CONTRACT } from '../../src/api/contract.ts'
import type { QueryStats } from '../../src/coordinator/sql.ts'
import { CONTRIBUTIONS_ROWS, ENDLESS, eventually, type ServerLab, startLab } from './lab.ts'

type Detail = ResponseOf<'queryById'>

const GROUPS = 'SELECT project, count(*) AS n FROM events GROUP BY project'
const FUNNEL = { query: { aggregations: [{ column: 'event', type: 'countPerValue' }] } }

let lab: ServerLab
beforeAll(async () => {
  lab = await startLab({
    env: { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '20000', SKEP_POOL: 'threads', SKEP_THREADS: '2' },
  })
})
afterAll(() => lab[Symbol.asyncDispose]())

const list = async () => JSON.parse((await lab.call('GET', '/api/v1/queries')).text) as ResponseOf<'queries'>
const detail = async (id: string) => JSON.parse((await lab.call('GET', `/api/v1/queries/${id}`)).text) as Detail

/** The newest query, and that what is told of it has the form of the contract. */
async function newest(): Promise<Detail> {
  const records = await list()
  const found = await detail(records[0]!.id)
  expect([...Value.Errors(CONTRACT.queryById.response, found)]).toEqual([])
  expect([...Value.Errors(CONTRACT.queries.response, records)]).toEqual([])
  return found
}

/** That the work is what the statistics tell. */
function expectAgreement({ work }: Detail, stats: QueryStats): void {
  const times = work!.taskTimes!
  expect(work!.tasks).toBe(times.length)
  expect(work).toMatchObject({ coldTasks: stats.coldTasks, warmTasks: stats.warmTasks, files: stats.files })
  expect(work).toMatchObject({ cacheHits: stats.cache.hits, cacheMisses: stats.cache.misses })
  expect(times.filter(({ cold }) => cold)).toHaveLength(stats.coldTasks)
  for (const phase of ['queue', 'fetch', 'scan'] as const) {
    const { totalMs, maxMs } = work!.phases![phase]
    expect(totalMs).toBeCloseTo(stats.phases[phase].totalMs, 0)
    const sum = times.reduce((total, task) => total + task[`${phase}Ms`], 0)
    expect(Math.abs(sum - totalMs)).toBeLessThan(0.1 * (times.length + 1))
    expect(Math.max(...times.map((task) => task[`${phase}Ms`]))).toBeCloseTo(maxMs, 1)
  }
}

describe('a query that is done', () => {
  test('in tasks on threads tells of each of them', async () => {
    const { stats } = JSON.parse((await lab.sql(GROUPS)).text) as { stats: QueryStats }
    expect(stats.tasks).toBeGreaterThan(2)
    const found = await newest()
    expectAgreement(found, stats)
    const times = found.work!.taskTimes!
    expect(times).toHaveLength(stats.tasks)
    expect(times.reduce((sum, { rows = 0 }) => sum + rows, 0)).toBe(CONTRIBUTIONS_ROWS)
    const workers = JSON.parse((await lab.call('GET', '/api/v1/workers')).text) as ResponseOf<'workers'>
    const threads = workers.filter(({ pool }) => pool === 'threads').map(({ id }) => id)
    for (const { worker, startMs, queueMs, fetchMs, scanMs } of times) {
      expect(threads).toContain(worker)
      expect(startMs + queueMs + fetchMs + scanMs).toBeLessThanOrEqual(found.ms! + 1)
    }
  })

  test('a behavioural query does, too', async () => {
    const asked = { body: JSON.stringify(FUNNEL) }
    const { stats } = JSON.parse((await lab.call('POST', '/api/v1/tables/events/query', asked)).text) as {
      stats: QueryStats
    }
    expectAgreement(await newest(), stats)
  })

  test('in one piece counts as one task', async () => {
    const { stats } = JSON.parse((await lab.sql('SELECT 1 AS a')).text) as { stats: QueryStats }
    const found = await newest()
    expectAgreement(found, stats)
    expect(found.work!.taskTimes).toHaveLength(1)
  })

  test('the list does not carry the work', async () => {
    await lab.sql('SELECT 2 AS a')
    for (const record of await list()) expect(Object.keys(record)).not.toContain('work')
  })

  test('one that failed tells no work that it did not do', async () => {
    await lab.sql('SELECT nope FROM events')
    expect(await newest()).toMatchObject({ state: 'failed', error: { code: 'SQL_INVALID' } })
    expect((await newest()).work).toBeUndefined()
  })
})

test('a query that is cancelled is told as such, and how far it is no more', async () => {
  const answer = lab.sql(ENDLESS)
  let id = ''
  await eventually('the query runs', async () => {
    const [record] = await list()
    id = record!.id
    return record!.state === 'running'
  })
  await lab.call('DELETE', `/api/v1/queries/${id}`)
  await answer
  expect(await detail(id)).toMatchObject({ state: 'cancelled' })
  expect((await detail(id)).progress).toBeUndefined()
})

test('the tasks of a running query are told while others are on their way', async () => {
  // One task of many takes long, where it meets one of the actors.
  const slow = `SELECT project, count(*) AS n, max(hash(a.range)) AS h FROM events, range(20000) a GROUP BY project`
  const answer = lab.sql(slow)
  let seen: Detail | undefined
  await eventually(
    'some tasks are done and others are not',
    async () => {
      const [record] = await list()
      if (record!.text !== slow) return false
      expect(record!.state, 'the query was too fast to be seen').toBe('running')
      const { tasks } = record!.progress ?? {}
      if (!tasks || tasks.done === 0 || tasks.done === tasks.tasks) return false
      seen = await detail(record!.id)
      return seen.state === 'running'
    },
    30_000,
  )
  expect(seen!.progress!.fraction).toBeGreaterThan(0)
  expect(seen!.work!.taskTimes!.length).toBeGreaterThan(0)
  await lab.call('DELETE', `/api/v1/queries/${seen!.id}`)
  await answer
  const over = await newest()
  expect(over).toMatchObject({ id: seen!.id, state: 'cancelled' })
  expect(over.work!.tasks).toBeGreaterThanOrEqual(seen!.work!.tasks)
})
