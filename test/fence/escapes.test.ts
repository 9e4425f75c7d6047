/** Nothing leaves the fence: attempts by class, through every entrance, and the same harness where there is no fence. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import { readSettings } from '../../src/config.ts'
import { Engine } from '../../src/engine/engine.ts'
import { ESCAPES } from './escapes.ts'
import { attempt, CANARY, ENTRANCES, hasCanary, openPlayground, type Playground } from './playground.ts'

let ground: Playground

beforeAll(async () => {
  ground = await openPlayground()
})

afterAll(() => ground.close())

test('there are enough attempts', () => {
  const attempts = ESCAPES.flatMap((group) => group.attempts)
  expect(ESCAPES.length).toBeGreaterThanOrEqual(15)
  expect(new Set(attempts).size).toBe(attempts.length)
  expect(attempts.length).toBeGreaterThanOrEqual(150)
})

describe.each(ESCAPES)('$name', ({ attempts }) => {
  test.each(Object.entries(ENTRANCES))('through %s', async (_, entrance) => {
    const before = ground.tree()
    for (const sql of attempts.map(ground.fill)) {
      const outcome = await attempt(() => entrance(ground.warehouse, sql))
      expect(outcome.succeeded, `${sql}: ${outcome.what}`).toBe(false)
    }
    expect(ground.tree()).toEqual(before)
    expect(ground.connections()).toBe(0)
  })
})

// Values of a behavioural query are bound, and its names are compared with the table's: the texts of attempts stay texts.
describe('behavioural queries', () => {
  const TEXTS = [
    `x' OR (SELECT secret FROM '{CSV}') = 'x`,
    `x'; COPY (SELECT 1) TO '{OUT}/x.csv'; --`,
    `'||(SELECT content FROM read_text('{TXT}'))||'`,
    `" , (SELECT secret FROM '{CSV}') AS "`,
    `$1); FROM read_csv('{CSV}') --`,
    `{CSV}`,
    `\\x27 UNION ALL FROM '{CSV}'`,
    `getenv('PATH')`,
    `s) FROM '{CSV}' --`,
  ]
  const shapes: Record<string, (text: string) => BehaviouralQuery> = {
    'a value': (text) => ({ query: { conditions: [{ filter: ['s', '==', text] }] } }),
    'a list of values': (text) => ({ query: { conditions: [{ filter: ['s', 'in', [text]] }] } }) as BehaviouralQuery,
    'a part of a text': (text) =>
      ({ query: { conditions: [{ filter: ['s', 'contains', text] }] } }) as BehaviouralQuery,
    'a regular expression': (text) =>
      ({ query: { conditions: [{ filter: ['s', 'matches', text] }] } }) as BehaviouralQuery,
    'a column': (text) => ({ query: { conditions: [{ filter: [text, '==', 'x'] }] } }),
    'an operator': (text) => ({ query: { conditions: [{ filter: ['s', text, 'x'] }] } }) as unknown as BehaviouralQuery,
    'the column of an aggregation': (text) =>
      ({
        query: { conditions: [{ filter: ['s', '!=', 'x'] }], aggregations: [{ type: 'count', column: text }] },
      }) as never,
    'a timeframe': (text) =>
      ({ timeframe: { from: text }, query: { conditions: [{ filter: ['s', '!=', 'x'] }] } }) as never,
    'a relation': (text) => ({ query: { relation: text, conditions: [{ filter: ['s', '!=', 'x'] }] } }) as never,
  }

  beforeAll(async () => {
    const rows = await ground.write(`SELECT i % 3 AS who, i AS at, 'n' || i AS s FROM range(10) r(i)`)
    await ground.warehouse.import('e', [rows], { actor: 'who', time: 'at', timeUnit: 's' })
  })

  test.each(Object.entries(shapes))('with %s', async (_, shape) => {
    const before = ground.tree()
    for (const text of TEXTS.map(ground.fill)) {
      const answer = await attempt(() => ground.warehouse.query('e', shape(text)))
      // Texts as values are no error: they are compared, and equal nothing.
      if (answer.succeeded) expect(answer.what, text).toBe('an answer')
      const explained = await attempt(() => ground.warehouse.explainQuery('e', shape(text)))
      if (explained.succeeded) expect(explained.what, text).toBe('an answer')
      const named = await attempt(() => ground.warehouse.query(text, shape('x')))
      expect(named.succeeded, text).toBe(false)
    }
    expect(ground.tree()).toEqual(before)
    expect(ground.connections()).toBe(0)
  })

  test('count what they should, and nothing else', async () => {
    const { query } = await ground.warehouse.query('e', { query: { conditions: [{ filter: ['s', '==', 'n4'] }] } })
    expect(query.matchingGroups).toBe(1)
    const text = `n4' OR 'a' = 'a`
    const other = await ground.warehouse.query('e', { query: { conditions: [{ filter: ['s', '==', text] }] } })
    expect(other.query.matchingGroups).toBe(0)
  })
})

// The engine's own fence behind the analysis: it holds for everything outside of the warehouse and its folders. Logging
// into a file is left out: the engine takes the process down when it cannot open it, and the analysis alone refuses it.
test('the engine alone keeps what is outside', async () => {
  const inside = await openPlayground()
  await using engine = await Engine.open({
    settings: readSettings({ SKEP_THREADS: '1' }),
    spillPath: join(inside.root, '.tmp/1-f-1'),
    roots: [inside.root, inside.places.FOLDER!],
  })
  const before = inside.tree()
  const outside = ESCAPES.flatMap(({ attempts }) => attempts).filter(
    (sql) =>
      /\{(CSV|PARQUET|JSON|TXT|DB|OUT|UP|LINK|LINKDIR|RELATIVE|PORT)\}|\/proc|\/dev/.test(sql) && !/_logging/.test(sql),
  )
  expect(outside.length).toBeGreaterThan(100)
  for (const sql of outside.map(inside.fill)) {
    using session = await engine.session()
    const answer = await session.rows(sql).catch((error: Error) => error.message)
    expect(hasCanary(answer, [CANARY]), sql).toBe(false)
  }
  expect(inside.tree()).toEqual(before)
  expect(inside.connections()).toBe(0)
  await inside.close()
})

// Where there is no fence the same attempts succeed, and the harness sees each of them.
describe('without a fence', () => {
  const READS = [
    `FROM read_csv('{CSV}')`,
    `FROM read_text('{TXT}')`,
    `FROM read_blob('{TXT}')`,
    `FROM read_json('{JSON}')`,
    `FROM parquet_scan('{PARQUET}')`,
    `FROM read_duckdb('{DB}', table_name = 'secrets')`,
    `FROM read_csv('{OUT}/*.csv')`,
    `FROM '{CSV}'`,
    `FROM '{LINK}'`,
    `FROM read_csv('{UP}/canary.csv')`,
    `FROM read_text('{NEAR}')`,
    `WITH RECURSIVE "{TMP}" AS (SELECT * FROM "{TMP}" UNION ALL SELECT 'x' WHERE false) FROM "{TMP}"`,
    `FROM query('FROM read_csv(''{CSV}'')')`,
    `FROM query_table('{CSV}')`,
    `SELECT * FROM t, LATERAL (SELECT * FROM read_csv('{CSV}'))`,
    `SELECT COALESCE(NULL, (SELECT secret FROM '{CSV}'))`,
    `SELECT current_setting('secret_directory')`,
    `FROM duckdb_settings()`,
    `SELECT hex(content) FROM read_blob('{TXT}')`,
    `SELECT CAST((SELECT secret FROM '{CSV}') AS INTEGER)`,
  ]
  const WRITES = [
    `COPY (SELECT 1) TO '{OUT}/out.csv'`,
    `ATTACH '{OUT}/x.db'`,
    `EXPORT DATABASE '{OUT}/exported'`,
    `SET enable_profiling = 'json'; SET profiling_output = '{OUT}/profile.json'; SELECT 1`,
    `INSERT INTO canaries FROM '{CSV}'; COPY canaries TO '{NOTES}'`,
  ]

  async function unfenced() {
    const connection = await (await DuckDBInstance.create(':memory:')).connect()
    await connection.run(`CREATE TABLE t AS SELECT 1 AS id, 'n' AS s; CREATE TABLE canaries (secret VARCHAR)`)
    return connection
  }

  test.each(READS)('the canary is seen: %s', async (sql) => {
    const connection = await unfenced()
    const outcome = await attempt(async () => (await connection.run(ground.fill(sql))).getRowsJson())
    expect(outcome).toMatchObject({ succeeded: true, what: expect.stringMatching(/^the canary/) })
    connection.closeSync()
  })

  test.each(WRITES)('the change is seen: %s', async (sql) => {
    const open = await openPlayground()
    const connection = await unfenced()
    const before = open.tree()
    await connection.run(open.fill(sql))
    connection.closeSync()
    expect(open.tree()).not.toEqual(before)
    await open.close()
  })

  test('the connection is seen', async () => {
    const open = await openPlayground()
    const connection = await unfenced()
    const folder = join(open.dir, 'extensions')
    await connection.run(`SET extension_directory = '${folder}'`)
    await connection.run(open.fill(`INSTALL httpfs FROM 'http://127.0.0.1:{PORT}'`)).catch(() => {})
    rmSync(folder, { recursive: true, force: true })
    expect(open.connections()).toBeGreaterThan(0)
    connection.closeSync()
    await open.close()
  })

  test('an error that has no code is seen', async () => {
    expect((await attempt(() => Promise.reject(new Error('plain')))).succeeded).toBe(true)
    expect(hasCanary([{ a: `x${CANARY}` }])).toBe(true)
    expect(hasCanary([{ a: Buffer.from(CANARY).toString('hex').toUpperCase() }])).toBe(true)
  })
})
