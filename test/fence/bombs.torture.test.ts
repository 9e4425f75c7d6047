/** Bombs of memory, time and stack: each ends in an error of a limit, in time, and the process goes on. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SETTINGS } from '../../src/config.ts'
import { ERROR_CODES } from '../../src/errors.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { failure, type Lab, openLab } from '../conformance/import-lab.ts'
import { runs } from '../torture.ts'
import { BOMBS, REFUSED_BOMBS } from './bombs.ts'

const TIMEOUT_MS = 1500
/** For what an interrupt does not reach at once, on a machine that does other work too. */
const MARGIN_MS = 4000
/** For a small query beside many bombs, on a machine that does other work too; alone it takes some tens of milliseconds. */
const ANSWER_MS = 5000
const MEMORY_MB = 512
/** How far the process may grow at the worst bomb: beyond the memory it was given, what grows until the interrupt is noticed. */
const RSS_BOUND_MB = MEMORY_MB + 3584

let lab: Lab
let warehouse: Warehouse

beforeAll(async () => {
  lab = await openLab()
  await lab.warehouse.import('t', [await lab.write('SELECT i AS id, i % 7 AS k FROM range(100000) r(i)')])
  warehouse = await lab.open({ SKEP_QUERY_TIMEOUT_MS: String(TIMEOUT_MS), SKEP_MEMORY: `${MEMORY_MB}MB` })
  await warehouse.sql('SELECT 1')
})

afterAll(async () => {
  await warehouse.close()
  await lab.close()
})

/** The largest growth of the process while `work` runs, in MB, and how long it takes. */
async function measured<T>(work: () => Promise<T>): Promise<{ result: T; growthMb: number; ms: number }> {
  const before = process.memoryUsage.rss()
  let most = before
  const look = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 10)
  const started = performance.now()
  try {
    const result = await work()
    return { result, ms: performance.now() - started, growthMb: (most - before) / 2 ** 20 }
  } finally {
    clearInterval(look)
  }
}

describe.each(Object.entries(BOMBS))('%s', (kind, bombs) => {
  const some = bombs.slice(0, runs(5, bombs.length))

  test.each(some.map((sql) => [sql.length > 150 ? `${sql.slice(0, 150)}…` : sql, sql]))('%s', async (_, sql) => {
    const { result: error, growthMb, ms } = await measured(() => failure(() => warehouse.sql(sql)))
    expect(ERROR_CODES[error.code].kind, error.message).toBe('limit')
    if (kind === 'planning') expect(error.code).toBe('QUERY_TOO_DEEP')
    expect(ms).toBeLessThan(TIMEOUT_MS + SETTINGS.interruptGraceMs.default + MARGIN_MS)
    expect(growthMb).toBeLessThan(RSS_BOUND_MB)
    const next = await measured(() => warehouse.sql('SELECT count(*) AS n FROM t WHERE k = 3'))
    expect(next.result.rows).toEqual([{ n: 14286 }])
    expect(next.ms).toBeLessThan(MARGIN_MS)
  })
})

test.each(REFUSED_BOMBS)('is refused: %s', async (sql) => {
  const error = await failure(() => warehouse.sql(sql))
  expect(error.code, error.message).toBe('SQL_FORBIDDEN')
})

test('a parameter is no way around', async () => {
  const depth = 40_000
  const deep = '['.repeat(depth) + ']'.repeat(depth)
  const attempts: [sql: string, params: unknown[], code: string][] = [
    ['SELECT json_structure($1)', [deep], 'QUERY_TOO_DEEP'],
    ['SELECT json_extract($1, $2)', [deep, `$${'[*]'.repeat(depth)}`], 'QUERY_TOO_LARGE'],
    ['SELECT json_transform($1, $2)', ['1', deep], 'QUERY_TOO_LARGE'],
    ['SELECT printf($1, 1)', ['%2000000000d'], 'SQL_FORBIDDEN'],
    [`SELECT length(repeat('x', $1))`, [1_000_000_000], 'MEMORY_LIMIT'],
    ['SELECT len(range($1))', [1_000_000_000], 'MEMORY_LIMIT'],
    ['SELECT len(generate_series($1, $2))', [1, 1_000_000_000], 'MEMORY_LIMIT'],
  ]
  for (const [sql, params, code] of attempts) {
    const error = await failure(() => warehouse.sql(sql, { params: params as never }))
    // On a busy machine the time may run out before the memory does.
    expect(code === 'MEMORY_LIMIT' ? [code, 'QUERY_TIMEOUT'] : [code], `${sql}: ${error.message}`).toContain(error.code)
  }
})

describe('at the same time', () => {
  // Tasks of all queries take turns on the engine's threads: a small one waits for a turn of each, not for their end.
  test('bombs keep no other query from its answer', async () => {
    const bombs = runs(8, 64)
    const long = await lab.open({ SKEP_QUERY_TIMEOUT_MS: String(runs(4000, 20_000)), SKEP_MEMORY: '1GB' })
    await long.sql('SELECT count(*) FROM t')
    const running = Array.from({ length: bombs }, (_, k) =>
      failure(() =>
        long.sql(
          k % 2
            ? `SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = ${k}`
            : `SELECT max(hash(a.range + b.range + ${k})) FROM range(100000000) a, range(100000000) b`,
        ),
      ),
    )
    let ended = false
    void Promise.all(running).then(() => {
      ended = true
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    const times: number[] = []
    while (!ended && times.length < 200) {
      const { result, ms } = await measured(() =>
        long.sql('SELECT 1 AS one, (SELECT count(*) FROM t WHERE k = 3) AS n'),
      )
      expect(result.rows).toEqual([{ one: 1, n: 14286 }])
      times.push(ms)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    const codes = (await Promise.all(running)).map(({ code }) => code)
    expect(codes.filter((code) => ERROR_CODES[code].kind !== 'limit')).toEqual([])
    expect(times.length).toBeGreaterThan(5)
    expect(Math.max(...times), `${times.map(Math.round)}`).toBeLessThan(ANSWER_MS)
    await long.close()
  })

  test('the one that fills the memory is ended, and the others answer', async () => {
    // Without a look at the process this query would be answered, in a few gigabytes that the engine does not count.
    const bomb = 'SELECT len(list_transform(range(8000), lambda x: list_concat(range(8000), range(8000), range(8000))))'
    const patient = await lab.open({ SKEP_MEMORY: `${MEMORY_MB}MB` })
    const [error, ...answers] = await Promise.all([
      failure(() => patient.sql(bomb)),
      ...Array.from({ length: 4 }, (_, k) => warehouse.sql(`SELECT sum(id) AS s, ${k} AS k FROM t`)),
    ])
    expect(error.code).toBe('MEMORY_LIMIT')
    await patient.close()
    expect(answers.map(({ rows }) => rows)).toEqual(answers.map((_, k) => [{ s: 4_999_950_000, k }]))
  })
})
