import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { failure, filesBelow, type Lab, openLab } from './import-lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
  await lab.warehouse.import('t', [await lab.write(`SELECT i AS id, 'n' || i AS s FROM range(100000) r(i)`)])
})

afterAll(async () => {
  await lab.close()
})

const ENDLESS = 'SELECT sum(hash(a.id, b.id)) FROM t a, t b'
/** Long in the making and large in the end, so that it is ended while its rows stream. */
const MANY_ROWS = 'SELECT range AS i FROM range(1000000000)'

describe('time', () => {
  test.for([
    ['a join without end', ENDLESS],
    ['a sort', 'SELECT * FROM range(300000000) r(i) ORDER BY hash(i) LIMIT 1'],
    [
      'a recursion without end',
      'WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r',
    ],
    ['rows without end', MANY_ROWS],
    ['rows that come slowly', 'SELECT md5(repeat(i::VARCHAR, 2000)) FROM range(100000000) r(i)'],
  ])('%s meets the limit, and the next query is answered', async ([, sql]) => {
    const warehouse = await lab.open({ SKEP_QUERY_TIMEOUT_MS: '200', SKEP_RESULT_ROWS: '1000000000' })
    const started = performance.now()
    const error = await failure(() => warehouse.sql(sql!))
    expect(error).toMatchObject({
      code: 'QUERY_TIMEOUT',
      details: { setting: 'SKEP_QUERY_TIMEOUT_MS', limitMs: 200 },
    })
    expect(performance.now() - started).toBeLessThan(3000)
    expect((await warehouse.sql('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await warehouse.close()
  })
})

describe('cancellation', () => {
  test('of a query that computes', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 100)
    const started = performance.now()
    expect((await failure(() => lab.warehouse.sql(ENDLESS, { signal: controller.signal }))).code).toBe('CANCELLED')
    expect(performance.now() - started).toBeLessThan(1500)
  })

  test('before it begins', async () => {
    expect((await failure(() => lab.warehouse.sql('SELECT 1', { signal: AbortSignal.abort() }))).code).toBe('CANCELLED')
  })

  test.for([1, 10, 30, 60, 100])('of a stream, after %i ms: it never ends as if it were complete', async (delayMs) => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), delayMs)
    const error = await failure(async () => {
      await using stream = await lab.warehouse.stream(MANY_ROWS, { signal: controller.signal })
      for await (const batch of stream.batches) expect(batch.length).toBeGreaterThan(0)
    })
    expect(error.code).toBe('CANCELLED')
  })

  test('of some of many queries at once leaves the others alone', async () => {
    const controllers = Array.from({ length: 16 }, () => new AbortController())
    const running = controllers.map(({ signal }, k) =>
      lab.warehouse.sql(k % 2 ? 'SELECT count(*) AS n FROM t' : ENDLESS, { signal }),
    )
    setTimeout(() => {
      for (const [k, controller] of controllers.entries()) if (k % 2 === 0) controller.abort()
    }, 150)
    const outcomes = await Promise.allSettled(running)
    const shown = outcomes.map((outcome) =>
      outcome.status === 'fulfilled' ? outcome.value.rows[0]!.n : (outcome.reason as { code: string }).code,
    )
    expect(shown).toEqual(controllers.map((_, k) => (k % 2 ? 100_000 : 'CANCELLED')))
  })
})

describe('rows', () => {
  test('exactly the limit is a result, one more is none', async () => {
    const warehouse = await lab.open({ SKEP_RESULT_ROWS: '5000' })
    expect((await warehouse.sql('FROM t LIMIT 5000')).rows).toHaveLength(5000)
    expect(await failure(() => warehouse.sql('FROM t LIMIT 5001'))).toMatchObject({
      code: 'ROW_LIMIT',
      details: { setting: 'SKEP_RESULT_ROWS', limit: 5000 },
    })
    await using stream = await warehouse.stream('FROM t')
    let rows = 0
    for await (const batch of stream.batches) rows += batch.length
    expect(rows).toBe(100_000)
    await warehouse.close()
  })

  test('a stream that is left in the middle harms nobody', async () => {
    for (let k = 0; k < 5; k++) {
      await using stream = await lab.warehouse.stream(MANY_ROWS)
      for await (const batch of stream.batches) {
        expect(batch.length).toBeGreaterThan(0)
        break
      }
    }
    expect((await lab.warehouse.sql('SELECT count(*) AS n FROM t')).rows).toEqual([{ n: 100_000 }])
  })

  test('an error in the middle of a stream is an error', async () => {
    const sql = `SELECT CAST(CASE WHEN i = 150000 THEN 'x' ELSE '1' END AS INTEGER) AS n FROM range(300000) r(i)`
    expect((await failure(() => lab.warehouse.sql(sql))).code).toBe('SQL_INVALID')
  })
})

test('memory: what can spill does, what cannot is an error, and nothing of it stays', async () => {
  const warehouse = await lab.open({ SKEP_MEMORY: '256MB' })
  const files = filesBelow(lab.root)
  const { rows } = await warehouse.sql(
    'SELECT count(*) AS n FROM (SELECT DISTINCT hash(i) AS h FROM range(6000000) r(i))',
  )
  expect(rows).toEqual([{ n: 6_000_000 }])
  expect(await failure(() => warehouse.sql('SELECT length(list(i)) FROM range(60000000) r(i)'))).toMatchObject({
    code: 'MEMORY_LIMIT',
    details: { setting: 'SKEP_MEMORY' },
  })
  expect((await warehouse.sql('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  await warehouse.close()
  expect(filesBelow(lab.root)).toEqual(files)
})

test('the text of a query has limits', async () => {
  const nested = (depth: number) => `SELECT ${'abs('.repeat(depth)}1${')'.repeat(depth)}`
  const refused = (sql: string) => failure(() => lab.warehouse.sql(sql)).then(({ code }) => code)
  expect(await refused(`SELECT '${'x'.repeat(1 << 20)}'`)).toBe('QUERY_TOO_LARGE')
  expect((await lab.warehouse.sql(nested(200))).rows).toHaveLength(1)
  expect(['QUERY_TOO_DEEP', 'SQL_INVALID']).toContain(await refused(nested(5000)))
  expect(['QUERY_TOO_DEEP', 'SQL_INVALID']).toContain(await refused(`SELECT ${'NOT '.repeat(20000)}true`))
  expect(['QUERY_TOO_DEEP', 'SQL_INVALID']).toContain(
    await refused(`${'SELECT * FROM ('.repeat(2000)}SELECT 1${')'.repeat(2000)}`),
  )
  expect(await refused('')).toBe('SQL_INVALID')
  expect(await refused(' ; ')).toBe('SQL_INVALID')
  expect(await refused('SELECT 1\0')).toBe('SQL_INVALID')
  expect(await failure(() => lab.warehouse.sql('SELEC 1'))).toMatchObject({
    code: 'SQL_INVALID',
    details: { position: 0 },
  })
})

test('many queries at once on one warehouse', async () => {
  const answers = await Promise.all(
    Array.from({ length: 48 }, (_, k) =>
      lab.warehouse.sql('SELECT count(*) AS n, $1 AS k FROM t WHERE id < $1', { params: [k * 1000] }),
    ),
  )
  expect(answers.map(({ rows }) => rows)).toEqual(answers.map((_, k) => [{ n: k * 1000, k: k * 1000 }]))
})
