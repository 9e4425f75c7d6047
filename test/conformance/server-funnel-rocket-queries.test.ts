/** Queries, streams, failures and the end of a registration under the routes of Funnel Rocket; results are those of the warehouse. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Answer, failure, type Json, KEYS, parse, useDatasets } from './datasets-lab.ts'

const data = useDatasets()
const { ask, register, serve } = data

const NUMBER = expect.any(Number)

const B = { filter: ['event', '==', 'cart'] }
const QUERIES: [string, Json][] = [
  ['nothing', {}],
  ['a condition', { query: { conditions: [{ ...B, target: ['count', '>', 4] }] } }],
  [
    'a relation',
    {
      query: {
        relation: 'or',
        conditions: [
          { filter: ['n', '==', 7] },
          { filter: ['page', 'contains', 'b'], target: ['sum', 'price', '>', 20] },
        ],
      },
    },
  ],
  [
    'a funnel',
    {
      funnel: {
        sequence: [{ filter: ['event', '==', 'view'] }, B],
        stepAggregations: [{ column: 'event', type: 'groupsPerValue' }],
        endAggregations: [{ column: 'n' }],
      },
    },
  ],
  [
    'a timeframe',
    {
      timeframe: { from: 1500, to: 2500 },
      query: { aggregations: [{ column: 'event' }, { column: 'page', type: 'meanPerValue', otherColumn: 'price' }] },
    },
  ],
]

describe('POST /datasets/:name/query', () => {
  beforeAll(async () => {
    await register('queried')
  })

  test.each(QUERIES)('finds what the warehouse finds: %s', async (_, query) => {
    const { status, type, json } = await ask('POST', '/datasets/queried/query', query)
    const { stats: ours, ...expected } = await data.lab.warehouse.query('queried', query)
    const { requestId, stats, ...found } = json
    expect({ status, found }).toEqual({ status: 200, found: expected })
    expect(type).toContain('application/json')
    expect(requestId).toEqual(expect.any(String))
    expect(expected.query.matchingGroups).toBeGreaterThan(0)
    expect(stats).toMatchObject({ files: ours.files, rows: ours.rows, scannedRows: ours.scannedRows })
    const streamed = await ask('POST', '/datasets/queried/query?stream=true', query)
    expect(streamed.lines.at(-1)).toMatchObject(expected)
  })

  test('GET …/empty-query is the query {}', async () => {
    const { json } = await ask('GET', '/datasets/queried/empty-query')
    expect(json).toMatchObject({ success: true, query: { matchingGroups: 270, matchingGroupRows: 2700 } })
    const { query } = (await ask('POST', '/datasets/queried/query', {})).json
    expect(json.query).toEqual(query)
    expect(Object.keys(json).sort()).toEqual(['query', 'requestId', 'stats', 'success'])
  })

  test('has the statistics of both', async () => {
    const { stats } = (await ask('GET', '/datasets/queried/empty-query')).json
    const timing = { min: NUMBER, mean: NUMBER, max: NUMBER, '50%': NUMBER }
    expect(stats).toMatchObject({ tasks: NUMBER, files: 3, ms: NUMBER, phases: { scan: { count: 1 } } })
    const { totalTime, invoker, worker, dataset } = stats
    expect({ totalTime, invoker, worker, dataset }).toEqual({
      totalTime: stats.ms / 1000,
      invoker: {
        enqueueTime: NUMBER,
        pollTime: NUMBER,
        totalTasks: 1,
        failedTasks: 0,
        taskSuccessOverTime: expect.any(Object),
      },
      worker: {
        coldTasks: stats.coldTasks,
        warmTasks: stats.warmTasks,
        invokeLatency: timing,
        loadTime: timing,
        totalTime: timing,
        scannedRows: 2700,
        scannedGroups: 270,
        cache: { source: 1, diskCache: 0 },
      },
      dataset: { totalSize: stats.bytes, parts: 3 },
    })
    expect(worker.totalTime.max).toBeCloseTo(stats.taskTimes.maxMs / 1000, 5)
    expect(invoker.enqueueTime + invoker.pollTime).toBeLessThanOrEqual(totalTime + 0.001)
    const slots = Object.entries<number>(invoker.taskSuccessOverTime)
    for (const [slot] of slots) expect(slot).toMatch(/^\d+\.\d+$/)
    expect(slots.reduce((sum, [, tasks]) => sum + tasks, 0)).toBe(1)
    expect(stats).not.toHaveProperty('cost')
  })

  test('tells the size of the whole dataset where only some files are read', async () => {
    for (const day of [1, 2, 3])
      await data.lab.write(`SELECT i % 5 AS u, ${day * 1000} + i AS t FROM range(100) t(i)`, `days/${day}.parquet`)
    const whole = (
      await register('days', { basepath: join(data.lab.dir, 'days'), groupIdColumn: 'u', timestampColumn: 't' })
    ).json.stats.dataset
    const { stats } = (await ask('POST', '/datasets/days/query', { timeframe: { from: 2000, to: 3000 } })).json
    expect(stats).toMatchObject({ files: 1, filesPruned: 2, dataset: whole })
    expect(whole.parts).toBe(3)
  })

  test('fails with the status of the kind', async () => {
    const post = async (body: unknown, name = 'queried') =>
      await ask('POST', `/datasets/${name}/query?stream=true`, body)
    const invalid = failure(
      await post({ query: { conditions: [{ filter: ['evnt', '==', 1] }] } }),
      400,
      'QUERY_INVALID',
    )
    expect(invalid.error.details).toMatchObject({ kind: 'DATASET_MISMATCH' })
    failure(await post('{"query": '), 400, 'JSON_INVALID')
    failure(await ask('POST', '/datasets/queried/query'), 400, 'JSON_INVALID')
    failure(await post({}, 'unknown'), 404, 'TABLE_NOT_FOUND')
    failure(await post({}, 'queried%2Fdeep'), 400, 'TABLE_NAME_INVALID')
    await data.lab.warehouse.import('keyless', [join(data.folder, 'part-0.parquet')])
    failure(await post({}, 'keyless'), 400, 'QUERY_INVALID')
  })

  test('fails when a file was damaged, and finds it when it is whole again', async () => {
    const damaged = join(data.lab.dir, 'damaged')
    cpSync(data.folder, damaged, { recursive: true })
    await register('damaged', { basepath: damaged })
    data.lab.text('no parquet', 'damaged/part-1.parquet')
    failure(await ask('GET', '/datasets/damaged/empty-query'), 400, 'FILE_INVALID')
    rmSync(join(damaged, 'part-1.parquet'))
    expect((await ask('GET', '/datasets/damaged/empty-query')).json.query.matchingGroupRows).toBe(1800)
  })
})

describe('?stream=true', () => {
  const sum = ({ tasks }: Json) => Object.values<number>(tasks).reduce((total, count) => total + count, 0)
  const STATUSES = ['QUEUED', 'LOADING_DATA', 'RUNNING_QUERY', 'RUNNING', 'ENDED_SUCCESS', 'ENDED_FAILED']

  function check({ status, type, text, lines }: Answer, tasks: number): Json {
    expect({ status, type }).toEqual({ status: 200, type: 'application/json' })
    expect(text.endsWith('\n')).toBe(true)
    const progress = lines.slice(0, -1)
    let ended = 0
    for (const line of progress) {
      expect(Object.keys(line).sort()).toEqual(['message', 'stage', 'tasks'])
      expect(['STARTING', 'RUNNING', 'FINISHING', 'DONE']).toContain(line.stage)
      for (const name of Object.keys(line.tasks)) expect(STATUSES).toContain(name)
      expect(sum(line)).toBe(tasks)
      expect(line.tasks.ENDED_SUCCESS ?? 0).toBeGreaterThanOrEqual(ended)
      ended = line.tasks.ENDED_SUCCESS ?? 0
    }
    expect(progress.at(-1)).toEqual({ message: null, stage: 'FINISHING', tasks: { ENDED_SUCCESS: tasks } })
    return lines.at(-1)!
  }

  test('of a registration, whose tasks are the files that it compares', async () => {
    const body = { name: 'streamed', basepath: data.folder, ...KEYS, validationMode: 'FIRST_LAST' }
    const answer = await ask('POST', '/datasets/register?stream=TRUE', body)
    expect(answer.lines[0]).toEqual({ message: expect.any(String), stage: 'RUNNING', tasks: { RUNNING: 2 } })
    expect(check(answer, 2)).toMatchObject({
      success: true,
      dataset: { totalParts: 3 },
      stats: { invoker: { totalTasks: 2 } },
    })
  })

  test('of a query that is not divided, which is one task', async () => {
    const answer = await ask('GET', '/datasets/queried/empty-query?stream=True')
    expect(check(answer, 1)).toMatchObject({
      success: true,
      query: { matchingGroups: 270 },
      stats: { invoker: { totalTasks: 1 } },
    })
  })

  test('of a query in tasks', async () => {
    const on = await serve({ SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '1000' })
    await register('divided', { validationMode: 'ALL' })
    const answer = await ask('POST', '/datasets/divided/query?stream=true', {}, { on })
    const { totalTasks } = answer.lines.at(-1).stats.invoker
    const result = check(answer, totalTasks)
    expect(totalTasks).toBeGreaterThan(1)
    expect(answer.lines[0]).toMatchObject({ stage: 'RUNNING' })
    expect(result.query).toEqual({ matchingGroups: 270, matchingGroupRows: 2700 })
    expect(result.stats).toMatchObject({ invoker: { failedTasks: 0 }, worker: { cache: { source: totalTasks } } })
    const { coldTasks, warmTasks } = result.stats.worker
    expect(coldTasks + warmTasks).toBe(totalTasks)
  })

  test.each(['stream=1', 'stream=yes', 'stream=', 'other=true'])('not for ?%s', async (flag) => {
    const answer = await ask('GET', `/datasets/queried/empty-query?${flag}`)
    expect(answer.json).toMatchObject({ success: true })
  })

  test('ends with the failure once it has begun', async () => {
    // New threads take longer to start than the two requests take.
    const on = await serve({ SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '1000' })
    const response = await fetch(`${on.url}/datasets/divided/empty-query?stream=true`)
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = (await reader.read()).value!
    const [query] = (await ask('GET', '/api/v1/queries', undefined, { on })).json
    await ask('DELETE', `/api/v1/queries/${query.id}`, undefined, { on })
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += next.value
    const lines = text.trim().split('\n').map(parse)
    expect(response.status).toBe(200)
    expect(lines[0].stage).toBe('RUNNING')
    expect(lines.at(-1)).toEqual({
      success: false,
      errorMessage: expect.any(String),
      error: { code: 'CANCELLED', message: lines.at(-1).errorMessage, details: {} },
    })
    expect((await ask('GET', '/api/v1/queries', undefined, { on })).json[0]).toMatchObject({
      id: query.id,
      state: 'cancelled',
    })
  })
})

describe('POST /datasets/:name/unregister', () => {
  const unregister = async (name: string, flags = '', on = data.server) =>
    await ask('POST', `/datasets/${name}/unregister${flags}`, undefined, { on })

  test('forgets one that nobody has queried; a name that is unknown is no failure', async () => {
    await register('unused')
    expect(await unregister('unused')).toMatchObject({ status: 200, json: { success: true, datasetFound: true } })
    expect((await unregister('unused')).json).toEqual({ success: true, datasetFound: false })
    expect((await unregister('never')).json).toEqual({ success: true, datasetFound: false })
    expect((await unregister('no%2Fname')).json).toEqual({ success: true, datasetFound: false })
    expect((await ask('GET', '/datasets')).json.map(({ id }: Json) => id.name)).not.toContain('unused')
  })

  test('refuses after a query, unless forced', async () => {
    await register('used')
    const from = Math.floor(Date.now() / 1000)
    await ask('GET', '/datasets/Used/empty-query')
    const refused = await unregister('used')
    const { datasetLastUsed, ...rest } = failure(refused, 409, 'TABLE_IN_USE')
    expect(rest).toMatchObject({ datasetFound: true })
    expect(datasetLastUsed).toBeGreaterThanOrEqual(from)
    expect(datasetLastUsed).toBeLessThanOrEqual(Date.now() / 1000)
    failure(await unregister('used', '?force=1'), 409, 'TABLE_IN_USE')
    expect((await unregister('used', '?force=tRUE')).json).toEqual({
      success: true,
      datasetFound: true,
      datasetLastUsed,
    })
    expect((await unregister('used', '?force=true')).json).toEqual({ success: true, datasetFound: false })
  })

  test('counts queries of other routes, and none from before the table was registered', async () => {
    await register('elsewhere')
    await ask('POST', '/api/v1/sql', { sql: 'SELECT count(*) FROM elsewhere' })
    failure(await unregister('elsewhere'), 409, 'TABLE_IN_USE')
    await register('elsewhere')
    expect((await unregister('elsewhere')).json).toEqual({ success: true, datasetFound: true })
    await register('elsewhere')
    await ask('POST', '/api/v1/sql', { sql: `SELECT 'elsewhere-not', elsewhere_not FROM (SELECT 1 AS elsewhere_not)` })
    await ask('POST', '/datasets/elsewhere/query', { query: { conditions: [{ filter: ['none', '==', 1] }] } })
    expect((await unregister('elsewhere')).json).toEqual({ success: true, datasetFound: true })
  })

  test('does not ask when told so', async () => {
    const on = await serve({ SKEP_UNREGISTER_IDLE_MS: '0' })
    await register('asked', {}, on)
    await ask('GET', '/datasets/asked/empty-query', undefined, { on })
    expect((await unregister('asked', '', on)).json).toEqual({
      success: true,
      datasetFound: true,
      datasetLastUsed: NUMBER,
    })
  })

  test('forgets when the time is over', async () => {
    const on = await serve({ SKEP_UNREGISTER_IDLE_MS: '50' })
    await register('later', {}, on)
    await ask('GET', '/datasets/later/empty-query', undefined, { on })
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect((await unregister('later', '', on)).json).toMatchObject({ success: true, datasetFound: true })
  })

  test('never drops a managed table', async () => {
    await data.lab.warehouse.import('ours', [await data.lab.write('SELECT 1 AS u, 2 AS t')], { actor: 'u', time: 't' })
    await ask('GET', '/datasets/ours/empty-query')
    failure(await unregister('ours'), 400, 'TABLE_KIND')
    failure(await unregister('ours', '?force=true'), 400, 'TABLE_KIND')
    expect((await ask('GET', '/datasets/ours/empty-query')).json.query).toEqual({
      matchingGroups: 1,
      matchingGroupRows: 1,
    })
  })
})

describe('failures', () => {
  test('of paths, methods and bodies have its form, those of others have ours', async () => {
    failure(await ask('GET', '/datasets/queried'), 404, 'ROUTE_NOT_FOUND')
    failure(await ask('GET', '/datasets/'), 404, 'ROUTE_NOT_FOUND')
    failure(await ask('GET', '/datasets/a/b/schema'), 404, 'ROUTE_NOT_FOUND')
    failure(await ask('GET', '/datasets/%zz/schema'), 400, 'ARGUMENT_INVALID')
    failure(await ask('DELETE', '/datasets/queried/query'), 405, 'METHOD_NOT_ALLOWED')
    failure(await ask('POST', '/datasets/register', `{"name": "${'x'.repeat(17 * 2 ** 20)}"}`), 413, 'BODY_LIMIT')
    const typed = await fetch(`${data.server.url}/datasets/register`, { method: 'POST', body: '{}' })
    expect(typed.status).toBe(415)
    expect(await typed.json()).toMatchObject({ success: false, error: { code: 'MEDIA_TYPE_UNSUPPORTED' } })
    const other = await ask('GET', '/datasetsx')
    expect(Object.keys(other.json)).toEqual(['error'])
  })

  test('of tokens and roles', async () => {
    const tokens = [
      { name: 'r', token: 'reading', role: 'reader' },
      { name: 'w', token: 'writing', role: 'writer' },
    ]
    const on = await serve({ SKEP_TOKENS_FILE: data.lab.text(JSON.stringify(tokens), 'tokens.json') })
    failure(await ask('GET', '/datasets', undefined, { on }), 401, 'TOKEN_INVALID')
    failure(await ask('GET', '/datasets', undefined, { on, token: 'guess' }), 401, 'TOKEN_INVALID')
    const body = { name: 'roles', basepath: data.folder, ...KEYS }
    failure(await ask('POST', '/datasets/register', body, { on, token: 'reading' }), 403, 'ROLE_FORBIDDEN')
    expect((await ask('POST', '/datasets/register', body, { on, token: 'writing' })).status).toBe(200)
    failure(await ask('POST', '/datasets/roles/unregister', undefined, { on, token: 'reading' }), 403, 'ROLE_FORBIDDEN')
    for (const path of [
      '/datasets',
      '/datasets/roles/schema',
      '/datasets/roles/parts',
      '/datasets/roles/empty-query',
    ]) {
      expect((await ask('GET', path, undefined, { on, token: 'reading' })).status).toBe(200)
    }
    expect((await ask('POST', '/datasets/roles/query', {}, { on, token: 'reading' })).status).toBe(200)
  })
})
