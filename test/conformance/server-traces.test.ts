/** Traces: what arrives at a collector, and that one which does not answer is no matter. */
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SETTINGS } from '../../src/config.ts'
import type { Log } from '../../src/server/log.ts'
import { openTraces } from '../../src/server/traces.ts'
import { failure, type Lab, openLab } from './import-lab.ts'
import { observe } from './observed-lab.ts'

interface Attribute {
  key: string
  value: { stringValue?: string; intValue?: number; doubleValue?: number }
}

interface Span {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: Attribute[]
  status: { code?: number }
}

interface Export {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: Span[] }[] }[]
}

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
  await lab.warehouse.import('stored', [await lab.write('SELECT i AS id FROM range(5000) t(i)')])
})
afterAll(() => lab.close())

/** A collector that keeps what it is sent. */
async function collect(): Promise<
  { url: string; paths: string[]; exports: Export[]; server: HttpServer } & AsyncDisposable
> {
  const exports: Export[] = []
  const paths: string[] = []
  const server = createServer(async (request, response) => {
    paths.push(request.url!)
    exports.push((await json(request)) as Export)
    response.setHeader('content-type', 'application/json').end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const end = async () => {
    server.closeAllConnections()
    server.close()
  }
  return { url, paths, exports, server, [Symbol.asyncDispose]: end }
}

const traced = (url: string) => (log: Log) =>
  openTraces({ OTEL_EXPORTER_OTLP_ENDPOINT: url }, { log, version: '1.2.3' })
const spansOf = (exports: Export[]) =>
  exports.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  )
const attributeOf = ({ attributes }: Pick<Span, 'attributes'>, key: string) => {
  const { value } = attributes.find((attribute) => attribute.key === key) ?? {}
  return value?.stringValue ?? value?.intValue ?? value?.doubleValue
}

const SQL = '/api/v1/sql'
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

describe('traces', () => {
  test('arrive as request, query, and its parts, below the span of the caller', async () => {
    await using collector = await collect()
    {
      await using seen = await observe(lab, {
        traces: traced(collector.url),
        env: { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '1000' },
      })
      const headers = { traceparent: `00-${TRACE}-${PARENT}-01` }
      await seen.call(SQL, { headers, json: { sql: 'SELECT sum(id) AS s FROM stored' } })
      await seen.call(SQL, { json: { sql: 'SELECT * FROM nowhere' } })
    }
    expect(new Set(collector.paths)).toEqual(new Set(['/v1/traces']))
    expect(collector.exports[0]!.resourceSpans[0]!.resource.attributes).toContainEqual({
      key: 'service.name',
      value: { stringValue: 'skep' },
    })
    const spans = spansOf(collector.exports)
    const mine = spans.filter(({ traceId }) => traceId === TRACE)
    const named = (name: string) => mine.find((span) => span.name === name)!
    expect(mine.map(({ name }) => name).toSorted()).toEqual([
      'POST /api/v1/sql',
      'merge',
      'plan',
      'queue',
      'run',
      'sql',
      'tasks',
    ])
    const request = named('POST /api/v1/sql')
    expect(request).toMatchObject({ parentSpanId: PARENT, kind: 2 })
    expect(attributeOf(request, 'http.response.status_code')).toBe(200)
    expect(named('sql').parentSpanId).toBe(request.spanId)
    for (const part of ['queue', 'run']) expect(named(part).parentSpanId).toBe(named('sql').spanId)
    for (const part of ['plan', 'tasks', 'merge']) expect(named(part).parentSpanId).toBe(named('run').spanId)
    expect(attributeOf(named('sql'), 'skep.query.rows')).toBe(5000)
    expect(attributeOf(named('tasks'), 'skep.tasks')).toBeGreaterThan(0)
    for (const span of mine) expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano))
    const other = spans.filter(({ traceId }) => traceId !== TRACE)
    expect(new Set(other.map(({ traceId }) => traceId)).size).toBe(1)
    expect(attributeOf(other.find(({ name }) => name === 'sql')!, 'error.type')).toBe('TABLE_NOT_FOUND')
    expect(JSON.stringify(collector.exports)).not.toContain('nowhere')
  })

  test('are not sent of a request whose caller does not want it', async () => {
    await using collector = await collect()
    {
      await using seen = await observe(lab, { traces: traced(collector.url) })
      await seen.call(SQL, { headers: { traceparent: `00-${TRACE}-${PARENT}-00` }, json: { sql: 'SELECT 1' } })
    }
    expect(spansOf(collector.exports)).toEqual([])
  })

  test.each(['refuses', 'is silent', 'fails'])('a collector that %s neither slows nor fails a query', async (how) => {
    await using collector = await collect()
    const { server } = collector
    server.removeAllListeners('request')
    server.on('request', (_request, response) => void (how === 'fails' && response.writeHead(500).end()))
    if (how === 'refuses') server.close()
    const seen = await observe(lab, { traces: traced(collector.url) })
    const times: number[] = []
    const began = performance.now()
    while (performance.now() - began < SETTINGS.traceIntervalMs.default + 500) {
      const since = performance.now()
      const answer = await seen.call(SQL, { json: { sql: 'SELECT 42 AS n' } })
      times.push(performance.now() - since)
      expect(await answer.json()).toMatchObject({ rows: [{ n: 42 }] })
      await sleep(50)
    }
    expect(Math.max(...times)).toBeLessThan(2000)
    const ending = performance.now()
    await seen[Symbol.asyncDispose]()
    expect(performance.now() - ending).toBeLessThan(SETTINGS.traceFlushMs.default + 1500)
    expect(
      seen.lines.filter(({ level, msg }) => level === 'warn' && /collector|traces/.test(msg)).length,
    ).toBeGreaterThan(0)
  })

  test('load nothing where they are off', () => {
    const folder = new URL('../../src/server/', import.meta.url)
    const naming = (text: string) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
        (name) => name.endsWith('.ts') && readFileSync(new URL(name, folder), 'utf8').includes(text),
      )
    expect(naming("from '@opentelemetry/")).toEqual(['otel.ts'])
    expect(naming("'./otel.ts'")).toEqual(['traces.ts'])
    expect(naming("await import('./otel.ts')")).toEqual(['traces.ts'])
    expect(naming("from './otel.ts'")).toEqual([])
  })

  test('are off without a collector, or where they are switched off; an address that is none is an error', async () => {
    await using seen = await observe(lab)
    const open = (env: Record<string, string>) => openTraces(env, { log: seen.log, version: '0' })
    expect(await open({})).toBeUndefined()
    expect(await open({ OTEL_EXPORTER_OTLP_ENDPOINT: ' ' })).toBeUndefined()
    expect(await open({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'true' })).toBeUndefined()
    expect(await failure(() => open({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'collector' }))).toMatchObject({
      code: 'SETTING_INVALID',
      details: { variable: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT' },
    })
  })
})
