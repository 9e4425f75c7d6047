/** A warehouse behind a server against the same one in this process: the same calls, the same answers, the same errors. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { WarehouseSurface } from '../../src/api/surface.ts'
import { connect, type RemoteWarehouse } from '../../src/client/index.ts'
import { isSkepError, SkepError } from '../../src/errors.ts'
import { Server } from '../../src/server/server.ts'
import { Warehouse } from '../../src/warehouse.ts'

const EVENTS = join(import.meta.dirname, '../../examples/data/contributions.parquet')
const SLOW = 'SELECT sum(a.range * b.range) AS s FROM range(3000000) a, range(3000000) b'

let folder = ''
let local: Warehouse
let server: Server
let remote: RemoteWarehouse

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skep-client-'))
  await mkdir(join(folder, 'clicks'))
  local = await Warehouse.open(join(folder, 'wh'))
  await local.import('events', [EVENTS], { actor: 'actor', time: 'ts' })
  await local.import('plain', [await fileOf('plain.csv', 'a,b\n1,x\n2,\n')])
  await local.import('plain', [await fileOf('more.csv', 'a,b\n3,z\n')])
  await local.exportParquet('SELECT * FROM events LIMIT 500', join(folder, 'clicks/a.parquet'))
  server = await Server.start(local, { port: 0, version: 'test' })
  remote = connect(server.url)
})

afterAll(async () => {
  await server.close()
  await local.close()
  await rm(folder, { recursive: true })
})

async function fileOf(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

/** What a call gave or threw, without times and without what depends on the calls before. */
async function outcomeOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return withoutTimes(await call())
  } catch (error) {
    expect(error).toBeInstanceOf(SkepError)
    const { code, kind, status, exitCode, message, details } = error as SkepError
    return { thrown: { code, kind, status, exitCode, message, details } }
  }
}

function withoutTimes(value: unknown): unknown {
  if (value === undefined) return undefined
  return JSON.parse(
    JSON.stringify(value, (key, item) =>
      /^ms$|Ms$|^(cold|warm)Tasks$|^(hits|misses|doneTasks)$/.test(key) ? 0 : item,
    ),
  )
}

async function expectSame(call: (warehouse: WarehouseSurface) => Promise<unknown>): Promise<unknown> {
  const own = await outcomeOf(() => call(local))
  expect(await outcomeOf(() => call(remote))).toEqual(own)
  return own
}

describe('reading', () => {
  test.each([
    'SELECT 1 AS one',
    'SELECT * FROM events ORDER BY ALL LIMIT 1000',
    'SELECT event, count(*) AS n FROM events GROUP BY ALL ORDER BY ALL',
    'SELECT * FROM plain WHERE a > 5',
    "SELECT 1 AS a, 2 AS a, NULL AS n, 'ü€😀' AS t, [1, 2] AS l, {'x': 1.5} AS s, MAP {'k': 1} AS m, 123456789012345678901::HUGEINT AS h",
    "SELECT 1.10::DECIMAL(9,2) AS d, DATE '2026-11-20' AS day, TIMESTAMPTZ '2026-11-20 08:14:00+02' AS z, INTERVAL 3 DAYS AS i, 'ab'::BLOB AS b",
    `SELECT 1 AS "__proto__", 2 AS "constructor", 3 AS "a""b"`,
    'SELEC 1',
    'SELECT\n\n  nope FROM events',
    'SELECT * FROM event',
    "COPY events TO '/tmp/x'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT error('no')",
    'SELECT ? AS missing',
    '',
  ])('sql: %s', async (sql) => {
    await expectSame((warehouse) => warehouse.sql(sql))
    await expectSame((warehouse) => warehouse.explain(sql))
    await expectSame(async (warehouse) => {
      await using stream = await warehouse.stream(sql)
      const rows = (await Array.fromAsync(stream.batches)).flat()
      return { columns: stream.columns, rows, stats: stream.stats() }
    })
  })

  test.each<[string, (warehouse: WarehouseSurface) => Promise<unknown>]>([
    [
      'values of every kind',
      (w) => w.sql`SELECT ${1}, ${2.5}, ${2n ** 100n}, ${-(2n ** 60n)}, ${'it’s'}, ${true}, ${null}`,
    ],
    [
      'times, bytes and lists',
      (w) => w.sql`SELECT ${new Date(1.7e12)}, ${new Date(-1e13)}, ${bytes()}, ${[1, 2.5]}, ${['a', 'b']}`,
    ],
    [
      'doubles that JSON lacks',
      (w) =>
        w.sql`SELECT ${Number.NaN}::TEXT, ${-0}::TEXT, ${Number.NEGATIVE_INFINITY}::TEXT, ${1e300}, ${2 ** 60}::TEXT`,
    ],
    [
      'types of values',
      (w) => w.sql`SELECT typeof(${1}), typeof(${-0}), typeof(${1n << 64n}), typeof(${new Date()}), typeof(${bytes()})`,
    ],
    ['values by name', (w) => w.sql('SELECT $a AS a, $b AS b', { params: { a: 1n, b: 'x' } })],
    ['a value of no kind', (w) => w.sql('SELECT $1', { params: [{} as never] })],
    ['a Date that is none', (w) => w.sql('SELECT $1', { params: [new Date(Number.NaN)] })],
    ['an integer that is too large', (w) => w.sql('SELECT $1', { params: [2n ** 200n] })],
    ['a value too many', (w) => w.sql('SELECT $1', { params: [1, 2] })],
    ['limits', (w) => w.sql('SELECT * FROM events', { maxBytes: 10 })],
    ['a pool', (w) => w.sql('SELECT count(*) FROM events', { pool: 'inline' })],
    ['a pool that is none', (w) => w.sql('SELECT 1', { pool: 'nope' as never })],
    ['a time before', (w) => w.sql('SELECT * FROM plain', { at: '1999-01-01' })],
    ['a Date', (w) => w.sql('SELECT count(*) FROM plain', { at: new Date() })],
    ['a time that is none', (w) => w.sql('SELECT 1', { at: 'tomorrow' })],
    ['a Date that is none, for when', (w) => w.sql('SELECT 1', { at: new Date(Number.NaN) })],
  ])('sql with %s', async (_, call) => {
    await expectSame(call)
  })

  test('as of a snapshot, of one table or of several', async () => {
    const [first] = await local.snapshots('plain')
    const [event] = await local.snapshots('events')
    const id = first!.id as number
    expect(await expectSame((w) => w.sql('SELECT * FROM plain', { at: id }))).toMatchObject({ rows: { length: 2 } })
    const at = { plain: id, events: event!.id }
    await expectSame((w) => w.sql('SELECT count(*) FROM plain, events', { at }))
    await expectSame((w) => w.describe('plain', { at: id }))
    await expectSame((w) => w.query('events', CONDITION, { at: event!.id as number }))
    await expectSame((w) => w.query('events', CONDITION, { at: { events: event!.id } }))
    await expectSame((w) => w.query('events', CONDITION, { at: new Date(0) }))
  })

  const CONDITION = { query: { conditions: [{ filter: ['event', '==', 'tests'] }] } } as const

  test.each<[string, Parameters<Warehouse['query']>[1]]>([
    ['a condition', CONDITION],
    ['a text', JSON.stringify(CONDITION)],
    ['a funnel', { funnel: { sequence: [{ filter: ['event', '==', 'docs'] }, { filter: ['event', '==', 'tests'] }] } }],
    ['integers of any size', { query: { conditions: [{ filter: ['files', '<', 2n ** 62n] }] } } as never],
    [
      'what is undefined',
      { query: { conditions: [{ filter: ['event', '==', 'tests'], target: undefined }] } } as never,
    ],
    ['a column that is missing', { query: { conditions: [{ filter: ['evnt', '==', 'tests'] }] } }],
    ['several mistakes', { query: { conditions: [{ filter: ['event', '~', 'a'] }, { filter: [] }] } } as never],
    ['no JSON', '{"query": {'],
    ['an empty text', ''],
  ])('query: %s', async (_, query) => {
    await expectSame((warehouse) => warehouse.query('events', query))
    await expectSame((warehouse) => warehouse.explainQuery('events', query))
    await expectSame((warehouse) => warehouse.query('plain', query))
  })

  test('documents of steps', async () => {
    const steps = [
      { name: 'm', step_type: 'HBee', sql: 'SELECT event, count(*) AS n FROM events GROUP BY event' },
      { name: 'r', step_type: 'HComb', sql: 'SELECT sum(n) AS n FROM m' },
    ] as const
    const document = { steps: [...steps], capacity: { zones: 1 } }
    expect(await expectSame((w) => w.run(document))).toMatchObject({ rows: [{ n: 117258 }] })
    await expectSame((w) => w.run(JSON.stringify(document)))
    await expectSame((w) => w.explain(document))
    await expectSame((w) => w.run({ ...document, steps: [steps[1]] }))
    await expectSame((w) => w.run('{"steps": []}'))
    await expectSame(async (w) => {
      await using stream = await w.stream(document)
      return await Array.fromAsync(stream.batches)
    })
  })

  test('columns, their values and saved queries', async () => {
    const both = async (near: () => Promise<unknown>, far: () => Promise<unknown>) => {
      const own = await outcomeOf(near)
      expect(await outcomeOf(far)).toEqual(own)
    }
    for (const column of ['event', 'ts', 'files', 'nope']) {
      await both(
        () => local.column('events', column),
        () => remote.column('events', column),
      )
    }
    for (const options of [{}, { prefix: 'T' }, { limit: 2 }, { at: '1999-01-01' }]) {
      await both(
        () => local.values('events', 'event', options),
        () => remote.values('events', 'event', options),
      )
    }
    const saved = { kind: 'sql', sql: 'SELECT 1' } as const
    await expectSame((w) => w.savedQuery('a/b'))
    await expectSame((w) => w.savedQuery('a b.ü'))
    await remote.saveQuery('a b.ü', saved)
    await expectSame((w) => w.savedQuery('a b.ü'))
    await expectSame((w) => w.savedQueries())
    for (const warehouse of [local, remote]) {
      await expect(warehouse.saveQuery('x', { kind: 'nope' } as never)).rejects.toMatchObject({
        code: 'ARGUMENT_INVALID',
      })
    }
    await remote.removeSavedQuery('a b.ü')
    await expectSame((w) => w.removeSavedQuery('a b.ü'))
    expect(Array.isArray(await remote.workers())).toBe(true)
  })

  test('tables, their files and their history', async () => {
    await expectSame((w) => w.tables())
    await expectSame((w) => w.describe('events'))
    await expectSame((w) => w.describe('EVENTS', { files: true }))
    await expectSame((w) => w.describe('a b/c?d'))
    await expectSame((w) => w.snapshots('plain'))
    await expectSame((w) => w.snapshots('nope'))
    await expectSame((w) => w.verify('events'))
    await expectSame((w) => w.vacuum('plain', { dryRun: true, olderThan: '1d' }))
    await expectSame((w) => w.vacuum('plain', { olderThan: 'soon' }))
  })
})

function bytes(): Uint8Array {
  return Uint8Array.from({ length: 20_000 }, (_, k) => k % 256)
}

describe('writing', () => {
  test('does the same on either side', async () => {
    await using here = await Warehouse.open(join(folder, 'here'))
    await using there = await Warehouse.open(join(folder, 'there'))
    await using other = await Server.start(there, { port: 0, version: 'test' })
    const far = connect(other.url)
    const files = {
      'a.csv': 'u,t,x\n1,2026-01-01,5\n',
      'b.csv': 'u,t,x\n2,2026-01-02,6\n',
      'c.csv': 'u,t,x\n1,2,3,4\n',
    }
    const namesOf = (...names: (keyof typeof files)[]) => names.map((name) => join(folder, name))
    for (const [name, text] of Object.entries(files)) await fileOf(name, text)
    const sent = (...names: (keyof typeof files)[]) => names.map((name) => new File([files[name]], join(folder, name)))
    const keys = { actor: 'u', time: 't' }
    const steps: [(w: Warehouse) => Promise<unknown>, (w: RemoteWarehouse) => Promise<unknown>][] = [
      [(w) => w.import('t', namesOf('a.csv'), keys), (w) => w.import('t', sent('a.csv'), keys)],
      [(w) => w.import('t', namesOf('a.csv', 'b.csv')), (w) => w.import('t', sent('a.csv', 'b.csv'))],
      [
        (w) => w.import('o', namesOf('a.csv', 'b.csv'), { once: true }),
        (w) => w.import('o', sent('a.csv', 'b.csv'), { once: true }),
      ],
      [(w) => w.import('o', namesOf('b.csv'), { once: true }), (w) => w.import('o', sent('b.csv'), { once: true })],
      [(w) => w.import('t', namesOf('a.csv', 'c.csv')), (w) => w.import('t', sent('a.csv', 'c.csv'))],
      [
        (w) => w.import('t', namesOf('a.csv'), { types: { x: 'TEXT' } }),
        (w) => w.import('t', sent('a.csv'), { types: { x: 'TEXT' } }),
      ],
      both((w) => w.alter('t', { rename: { x: 'y' }, comment: 'what' })),
      both((w) => w.alter('t', { comment: 'what' })),
      both((w) => w.alter('t', { drop: ['u'] })),
      both((w) => w.describe('t')),
      both(async (w) => await w.rollback('t', (await w.snapshots('t'))[0]!.id as number)),
      both((w) => w.rollback('t', 12)),
      both((w) => w.sql('SELECT * FROM t ORDER BY ALL')),
      both((w) => w.register('r', join(folder, 'clicks'), { actor: 'actor', time: 'ts' })),
      both((w) => w.register('r', join(folder, 'clicks'), { actor: 'actor', time: 'ts' })),
      both((w) => w.attach('f', join(folder, 'nothing'), { type: 'delta' })),
      both((w) => w.drop('r')),
      both((w) => w.unregister('t')),
      both((w) => w.unregister('r')),
      both((w) => w.drop('t')),
      both((w) => w.drop('t')),
      both((w) => w.tables()),
    ]
    for (const [near, away] of steps) {
      const own = masked(await outcomeOf(() => near(here)), here.root)
      expect(masked(await outcomeOf(() => away(far)), there.root)).toEqual(own)
    }
    expect((await far.tables()).map(({ name }) => name)).toEqual(['o'])
  })

  test('takes a file as a text, as bytes, as a stream and as a Blob', async () => {
    await using there = await Warehouse.open(join(folder, 'bodies'))
    await using other = await Server.start(there, { port: 0, version: 'test' })
    const far = connect(other.url)
    const text = 'a,b\n1,ü\n'
    const encoded = new TextEncoder().encode(text)
    const options = { format: 'csv' as const }
    await far.import('t', text, options)
    await far.import('t', encoded, options)
    await far.import('t', new Blob([text]).stream(), options)
    await far.import('t', new Blob([text], { type: 'text/csv' }))
    await far.import('t', new File([text], 'x.csv'))
    const fractions: number[] = []
    await far.import('t', text, { ...options, onProgress: (fraction) => void fractions.push(fraction) })
    expect(fractions.at(-1)).toBe(1)
    const stream = new Blob([text]).stream().pipeThrough(new CompressionStream('gzip'))
    await far.import('t', stream, options)
    expect((await far.sql`SELECT a, b, count(*) AS n FROM t GROUP BY ALL`).rows).toEqual([{ a: 1, b: 'ü', n: 7 }])
    await expect(far.import('t', text)).rejects.toMatchObject({ code: 'MEDIA_TYPE_UNSUPPORTED' })
    const short = { name: 's.csv', size: 99, stream: () => new Blob([text]).stream() }
    await expect(far.import('t', [short])).rejects.toMatchObject({ code: 'FILE_CHANGED', details: { file: 's.csv' } })
    expect((await far.sql`SELECT count(*) AS n FROM t`).rows).toEqual([{ n: 7 }])
  })
})

function both<T>(call: (warehouse: WarehouseSurface) => Promise<T>) {
  return [call, call] as [(w: Warehouse) => Promise<T>, (w: RemoteWarehouse) => Promise<T>]
}

/** The same without what no two warehouses share: ids, times, and the folder. */
function masked(value: unknown, root: string): unknown {
  if (value === undefined) return undefined
  const text = JSON.stringify(value, (key, item) => {
    if (/^(id|snapshotId|parentId)$/.test(key) && item !== null) return '<id>'
    if (typeof item !== 'string') return item
    if (key === 'time' && /^\d{4}-.*Z$/.test(item)) return '<time>'
    return item
      .replaceAll(root, '<root>')
      .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '<uuid>')
      .replaceAll(/\b\d{13,16}\b/g, '<id>')
  })
  return JSON.parse(text)
}

describe('queries under way', () => {
  test('tell their progress, and end when their signal does', async () => {
    const controller = new AbortController()
    const told: number[] = []
    const running = remote.sql(SLOW, { signal: controller.signal, onProgress: (fraction) => void told.push(fraction) })
    const ended = expect(running).rejects.toMatchObject({ code: 'CANCELLED', kind: 'cancelled' })
    await expect.poll(() => told.length, { timeout: 5000 }).toBeGreaterThan(0)
    controller.abort()
    const aborted = performance.now()
    await ended
    expect(performance.now() - aborted).toBeLessThan(1000)
    await expect.poll(() => stateOf(SLOW), { timeout: 1000 }).toBe('cancelled')
  })

  test('are not even sent when the signal was aborted before', async () => {
    const asked = { signal: AbortSignal.abort() }
    const nowhere = connect('http://127.0.0.1:1')
    await expect(nowhere.sql('SELECT 1', asked)).rejects.toMatchObject({ code: 'CANCELLED' })
  })

  test('end when a loop over their rows is left, or their stream is closed', async () => {
    const many = 'SELECT range AS left_early FROM range(100000000)'
    await using stream = await remote.stream(many)
    for await (const { left_early } of stream.rows) if (left_early === 3000) break
    await expect.poll(() => stateOf(many), { timeout: 1000 }).toBe('cancelled')
    const more = 'SELECT range AS closed FROM range(100000000)'
    {
      await using closed = await remote.stream(more)
      expect(closed.columns).toEqual([{ name: 'closed', type: 'BIGINT' }])
    }
    await expect.poll(() => stateOf(more), { timeout: 1000 }).toBe('cancelled')
  })

  test('are cancelled by their id', async () => {
    const slow = `${SLOW} WHERE a.range < 2999999`
    const ended = expect(remote.sql(slow)).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect.poll(() => stateOf(slow), { timeout: 5000 }).toBe('running')
    const { id } = (await remote.queries({ limit: 1 }))[0]!
    await remote.cancel(id)
    await ended
    expect(await remote.queryById(id)).toMatchObject({ state: 'cancelled' })
    await expect(remote.cancel('nope')).rejects.toMatchObject({ code: 'QUERY_NOT_FOUND' })
  })

  test('send no more rows than are taken', async () => {
    let bytes = 0
    const counting: typeof fetch = async (...call) => {
      const response = await fetch(...call)
      const counted = new TransformStream<Uint8Array, Uint8Array>(
        {
          transform: (piece, controller) => {
            bytes += piece.length
            controller.enqueue(piece)
          },
        },
        { highWaterMark: 1 },
        { highWaterMark: 0 },
      )
      return new Response(response.body!.pipeThrough(counted), response)
    }
    await using stream = await connect(server.url, { fetch: counting }).stream('SELECT range FROM range(5000000)')
    const rows = stream.rows[Symbol.asyncIterator]()
    await rows.next()
    const before = bytes
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(bytes - before).toBeLessThan(1_000_000)
  })

  async function stateOf(text: string): Promise<string | undefined> {
    return (await remote.queries()).find((query) => query.text === text)?.state
  }
})

describe('a server that fails', () => {
  /** A server that answers each request with these pieces, and then ends well or breaks the connection. */
  async function broken(answer: { status?: number; type?: string; pieces: string[]; cut?: boolean }) {
    const { status = 200, type = 'application/x-ndjson', pieces, cut = false } = answer
    const http = createServer((_, reply) => {
      reply.writeHead(status, { 'content-type': type })
      for (const piece of pieces) reply.write(piece)
      setTimeout(() => (cut ? reply.destroy() : reply.end()), 20)
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    return {
      url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
      [Symbol.asyncDispose]: async () => {
        http.closeAllConnections()
        await new Promise((resolve) => http.close(resolve))
      },
    }
  }

  const COLUMNS = '{"columns":[{"name":"a","type":"BIGINT"}]}\n'

  test.each([
    ['nothing at all', []],
    ['columns only', [COLUMNS]],
    ['rows without an end', [COLUMNS, '{"rows":[[1],[2]]}\n']],
    ['half of a line', [COLUMNS, '{"rows":[[1],[2']],
    ['half of a character', [COLUMNS, '{"rows":[["\u00fc']],
    ['progress only', ['{"progress":{"id":"x","state":"running","fraction":0.5}}\n']],
    ['what is no document', ['1\n']],
  ])('never looks complete: %s', async (_, pieces) => {
    for (const cut of [false, true]) {
      await using http = await broken({ pieces, cut })
      const far = connect(http.url)
      const expected = { code: 'SERVER_UNREACHABLE', kind: 'unavailable', details: { url: http.url } }
      await expect(far.sql('SELECT 1')).rejects.toMatchObject(expected)
      const read = async () => {
        await using stream = await far.stream('SELECT 1')
        return await Array.fromAsync(stream.rows)
      }
      await expect(read()).rejects.toMatchObject(expected)
    }
  })

  test.each([
    ['a page', 200, '<html></html>'],
    ['a page of a proxy', 502, '<html></html>'],
    ['JSON of others', 404, '{"error":"not found"}'],
  ])('is told from %s', async (_, status, text) => {
    await using http = await broken({ status, type: 'text/html', pieces: [text] })
    const far = connect(http.url)
    await expect(far.tables()).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE', details: { status } })
    await expect(far.sql('SELECT 1')).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE' })
  })

  test('keeps the errors of a newer one readable', async () => {
    const error = { code: 'FROM_THE_FUTURE', message: 'do this', details: { by: 1 } }
    await using http = await broken({ status: 409, type: 'application/json', pieces: [JSON.stringify({ error })] })
    const thrown: unknown = await connect(http.url)
      .tables()
      .catch((cause: unknown) => cause)
    expect(isSkepError(thrown)).toBe(true)
    expect(thrown).toMatchObject({ ...error, kind: 'conflict', status: 409, exitCode: 4 })
    await using line = await broken({ pieces: [`${JSON.stringify({ error })}\n`] })
    await expect(connect(line.url).sql('SELECT 1')).rejects.toMatchObject({ ...error, kind: 'internal' })
  })

  test('leaves open whether a change was made, unless it was never sent', async () => {
    const gone = await broken({ pieces: [], cut: true })
    await expect(connect(gone.url).drop('t')).rejects.toMatchObject({ details: { outcome: 'unknown' } })
    await gone[Symbol.asyncDispose]()
    const thrown: unknown = await connect(gone.url)
      .drop('t')
      .catch((error: unknown) => error)
    expect(thrown).toMatchObject({ code: 'SERVER_UNREACHABLE', exitCode: 5 })
    expect((thrown as SkepError).details).toEqual({ url: gone.url })
  })

  test('has to have an address', () => {
    for (const url of ['', 'nope', 'ftp://x', 'http://user:secret@x', './folder']) {
      expect(() => connect(url)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }))
    }
    expect(connect('http://x:1/prefix//').url).toBe('http://x:1/prefix')
  })

  test('wants the token that it was given', async () => {
    await using guarded = await Server.start(local, { port: 0, version: 'test', token: 'secret' })
    await expect(connect(guarded.url).tables()).rejects.toMatchObject({ code: 'TOKEN_INVALID', status: 401 })
    expect(await connect(guarded.url, { token: 'secret' }).session()).toMatchObject({ role: 'admin' })
  })
})
