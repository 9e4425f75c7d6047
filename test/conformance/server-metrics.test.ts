/** What `/metrics` tells agrees with what was run. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { QueryStats } from '../../src/coordinator/sql.ts'
import { type Lab, openLab } from './import-lab.ts'
import { observe, readMetrics } from './observed-lab.ts'
import { ENDLESS } from './pool-lab.ts'

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
  const source = await lab.write("SELECT i AS id, i % 90 AS who, i AS ts, 'e' || i % 3 AS event FROM range(20000) t(i)")
  await lab.warehouse.import('stored', [source], { actor: 'who', time: 'ts', buckets: 4 })
})
afterAll(() => lab.close())

const SQL = '/api/v1/sql'

/** In tasks on threads. */
const DIVIDED = { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '3000' }

describe('/metrics', () => {
  test('counts exactly what was run, by kind and outcome', async () => {
    await using seen = await observe(lab, { env: DIVIDED })
    const stats: QueryStats[] = []
    for (const sql of [
      'SELECT count(*) AS n FROM stored',
      'SELECT event, sum(id) AS s FROM stored WHERE who < 9 GROUP BY 1',
    ]) {
      const answer = (await (await seen.call(SQL, { json: { sql } })).json()) as { stats: QueryStats }
      stats.push(answer.stats)
    }
    const funnel = {
      query: { funnel: { sequence: [{ filter: ['event', '==', 'e0'] }, { filter: ['event', '==', 'e1'] }] } },
    }
    const query = await seen.call('/api/v1/tables/stored/query', { json: funnel.query })
    stats.push(((await query.json()) as { stats: QueryStats }).stats)
    expect(query.status).toBe(200)
    for (const sql of ['SELEC 1', 'SELECT * FROM nowhere', 'SELECT nothing FROM stored'])
      await seen.call(SQL, { json: { sql } })

    const metrics = await seen.metrics()
    const sum = (of: (stats: QueryStats) => number) => stats.reduce((total, each) => total + of(each), 0)
    expect(metrics.get('skep_queries_total', { kind: 'sql', outcome: 'done' })).toBe(2)
    expect(metrics.get('skep_queries_total', { kind: 'sql', outcome: 'failed' })).toBe(3)
    expect(metrics.get('skep_queries_total', { kind: 'query', outcome: 'done' })).toBe(1)
    expect(metrics.sum('skep_queries_total')).toBe(6)
    expect(metrics.get('skep_query_errors_total', { kind: 'sql', code: 'TABLE_NOT_FOUND' })).toBe(1)
    expect(metrics.get('skep_query_errors_total', { kind: 'sql', code: 'SQL_INVALID' })).toBe(2)
    expect(metrics.sum('skep_query_errors_total')).toBe(3)
    expect(metrics.get('skep_rows_scanned_total')).toBe(sum(({ rows }) => rows))
    expect(metrics.get('skep_bytes_scanned_total')).toBe(sum(({ bytes }) => bytes))
    expect(metrics.get('skep_files_scanned_total')).toBe(sum(({ files }) => files))
    expect(metrics.get('skep_files_pruned_total')).toBe(sum(({ filesPruned }) => filesPruned))
    expect(metrics.sum('skep_tasks_total')).toBe(sum(({ coldTasks, warmTasks }) => coldTasks + warmTasks))
    expect(metrics.get('skep_cache_hits_total')).toBe(sum(({ cache }) => cache.hits))
    expect(metrics.get('skep_cache_misses_total')).toBe(sum(({ cache }) => cache.misses))
    expect(metrics.sum('skep_tasks_total')).toBeGreaterThan(3)
    expect(metrics.get('skep_rows_scanned_total')).toBeGreaterThanOrEqual(40_000)
    expect(metrics.get('skep_query_seconds_count', { kind: 'sql', outcome: 'done' })).toBe(2)
    expect(metrics.get('skep_query_seconds_bucket', { kind: 'sql', outcome: 'done', le: '+Inf' })).toBe(2)
    expect(metrics.get('skep_query_queue_seconds_count', { kind: 'sql' })).toBe(5)
    expect(metrics.sum('skep_workers')).toBe(2)
    expect(metrics.get('skep_ready')).toBe(1)
    for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'nodejs_heap_size_used_bytes']) {
      expect(metrics.get(name)).toBeGreaterThan(0)
    }
    expect(metrics.types.has('nodejs_eventloop_lag_p99_seconds')).toBe(true)
  })

  test('counts imports by what they brought', async () => {
    await using seen = await observe(lab)
    const answer = await seen.call('/api/v1/tables/brought/import', {
      method: 'POST',
      body: 'a,b\n1,2\n3,4\n',
      headers: { 'content-type': 'text/csv' },
    })
    const { rows, bytes } = (await answer.json()) as { rows: number; bytes: number }
    const metrics = await seen.metrics()
    expect(rows).toBe(2)
    expect(metrics.get('skep_queries_total', { kind: 'import', outcome: 'done' })).toBe(1)
    expect(metrics.get('skep_rows_imported_total')).toBe(rows)
    expect(metrics.get('skep_bytes_imported_total')).toBe(bytes)
    expect(metrics.get('skep_rows_scanned_total')).toBe(0)
  })

  test('counts requests by the patterns of their routes, with no text of users in any label', async () => {
    await using seen = await observe(lab)
    for (const path of [
      '/api/v1/tables/stored',
      '/api/v1/tables/secret-one',
      '/secret-two/%F0%9F%90%9D',
      '/healthz',
      '/healthz',
    ]) {
      await seen.call(path)
    }
    await seen.call('/api/v1/tables/stored', { method: 'PUT' })
    expect((await seen.call('/api/v1/tables/%zz-secret')).status).toBe(400)
    await seen.call(SQL, { json: { sql: "SELECT 'secret-three' FROM secret_four" } })
    const text = await (await seen.call('/metrics')).text()
    expect(text).not.toMatch(/secret|stored/)
    const metrics = readMetrics(text)
    const requests = (route: string, status: string, method = 'GET') =>
      metrics.get('skep_http_requests_total', { route, method, status })
    expect(requests('/api/v1/tables/:table', '200')).toBe(1)
    expect(requests('/api/v1/tables/:table', '404')).toBe(1)
    expect(requests('unknown', '404')).toBe(1)
    expect(requests('unknown', '405', 'PUT')).toBe(1)
    expect(requests('unknown', '400')).toBe(1)
    expect(requests('/healthz', '200')).toBe(2)
    expect(requests(SQL, '404', 'POST')).toBe(1)
    expect(metrics.sum('skep_http_requests_total')).toBe(8)
    expect(metrics.sum('skep_http_request_seconds_count')).toBe(8)
  })

  test('counts a query whose caller leaves as cancelled, its request as 499, and frees its place', async () => {
    await using seen = await observe(lab)
    const caller = new AbortController()
    const call = seen.call(SQL, { json: { sql: ENDLESS }, signal: caller.signal }).catch(() => 'left')
    await until(async () => (await seen.metrics()).get('skep_queries_running') === 1)
    caller.abort()
    expect(await call).toBe('left')
    await until(async () => (await seen.metrics()).get('skep_queries_running') === 0)
    const metrics = await seen.metrics()
    expect(metrics.get('skep_queries_total', { kind: 'sql', outcome: 'cancelled' })).toBe(1)
    expect(metrics.get('skep_query_errors_total', { kind: 'sql', code: 'CANCELLED' })).toBe(1)
    expect(metrics.get('skep_http_requests_total', { route: SQL, method: 'POST', status: '499' })).toBe(1)
  })

  test('tells how many run and wait', async () => {
    await using seen = await observe(lab, { env: { SKEP_CONCURRENT_QUERIES: '1', SKEP_QUEUED_QUERIES: '2' } })
    const caller = new AbortController()
    const calls = [1, 2, 3].map(() => seen.call(SQL, { json: { sql: ENDLESS }, signal: caller.signal }).catch(() => {}))
    await until(async () => (await seen.metrics()).get('skep_queries_waiting') === 2)
    expect((await seen.metrics()).get('skep_queries_running')).toBe(1)
    const busy = await seen.call(SQL, { json: { sql: 'SELECT 1' } })
    expect(busy.status).toBe(429)
    caller.abort()
    await Promise.all(calls)
    await until(async () => (await seen.metrics()).get('skep_queries_running') === 0)
    const metrics = await seen.metrics()
    expect(metrics.get('skep_query_errors_total', { kind: 'sql', code: 'SERVER_BUSY' })).toBe(1)
    expect(metrics.get('skep_queries_total', { kind: 'sql', outcome: 'cancelled' })).toBe(3)
  })

  test('is for readers where tokens are needed, and each server has its own', async () => {
    const tokens = join(lab.dir, 'tokens.json')
    writeFileSync(tokens, JSON.stringify([{ name: 'prometheus', token: 'look', role: 'reader' }]))
    await using seen = await observe(lab, { env: { SKEP_TOKENS_FILE: tokens } })
    expect((await seen.call('/metrics')).status).toBe(401)
    expect((await seen.call('/readyz')).status).toBe(401)
    expect((await seen.call('/healthz')).status).toBe(200)
    const answer = await seen.call('/metrics', { headers: { authorization: 'Bearer look' } })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    const metrics = readMetrics(await answer.text())
    expect(metrics.get('skep_http_requests_total', { route: '/metrics', method: 'GET', status: '401' })).toBe(1)
    expect(metrics.sum('skep_queries_total')).toBe(0)
  })
})

test('docs/guides/server.md has a line for every metric, with its labels, and for no other', async () => {
  const page = readFileSync(new URL('../../docs/guides/server.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| (`skep_[^|]+) \|([^|]*)\|/gm)]
  const documented = rows.flatMap(([, names = '', labels = '']) =>
    [...names.matchAll(/`(\w+)`/g)].map(([, name]) => `${name} ${[...labels.matchAll(/`(\w+)`/g)].map(([, l]) => l)}`),
  )
  await using seen = await observe(lab, { env: DIVIDED })
  await seen.call(SQL, { json: { sql: 'SELECT count(*) AS n FROM stored' } })
  await seen.call(SQL, { json: { sql: 'SELECT * FROM nowhere' } })
  const { types, values } = await seen.metrics()
  const told = [...types.keys()].filter((name) => name.startsWith('skep_'))
  const labelsOf = (name: string) => {
    const sample = [...values.keys()].find((key) => new RegExp(`^${name}(_count)?\\{`).test(key))!
    return [...sample.matchAll(/(\w+)="/g)].map(([, label]) => label!)
  }
  const sorted = (line: string) => [line.split(' ')[0], line.split(' ')[1]!.split(',').toSorted().join()].join(' ')
  expect(documented.map(sorted).toSorted()).toEqual(told.map((name) => sorted(`${name} ${labelsOf(name)}`)).toSorted())
})

/** Ends when `holds` does; a test that waits in vain fails by its time. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}
