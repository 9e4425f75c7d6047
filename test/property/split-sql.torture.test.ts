import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PoolName } from '../../src/planner/plan.ts'
import { chanceOf } from '../chance.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { randomQuery } from './split-grammar.ts'
import { ask, difference, judge } from './split-judge.ts'
import { openWorld, type World } from './split-tables.ts'

const SEED = tortureSeed()
const WORLDS = runs(2, 80)
const QUERIES = runs(50, 250)
/** Threads take longer to answer: most queries are run in this process. */
const ON_THREADS = 0.1

/** What became of the queries. */
interface Tally {
  /** Queries that DuckDB answers. */
  answered: number
  /** Those that were run in tasks. */
  divided: number
  withRows: number
  /** Those that fail for the values of some rows where DuckDB does not look at them. */
  failed: number
  differences: string[]
}

const tally: Tally = { answered: 0, divided: 0, withRows: 0, failed: 0, differences: [] }

async function compare(world: World, at: number, k: number): Promise<void> {
  const chance = chanceOf(SEED * 7919 + at, k)
  const { sql, params, ordered } = randomQuery(chance, world.tables)
  const wanted = await judge(world.lab.duck, sql, params)
  const warehouse = chance.pick(world.warehouses)
  const pool: PoolName = chance.next() < ON_THREADS ? 'threads' : 'inline'
  const got = await ask(warehouse, sql, { params, pool })
  const isFailed = 'rows' in wanted && 'error' in got && got.kind === 'while running'
  if (isFailed) tally.failed++
  const found = isFailed ? undefined : difference(wanted, got, ordered)
  if (found) {
    const place = `SKEP_TEST_SEED=${SEED}, world ${at}, query ${k}, ${pool}, SKEP_TASK_ROWS=${warehouse.settings.splitRows}`
    tally.differences.push(`${place}\n${sql}\n${JSON.stringify(params)}\n${found}`)
  }
  if ('error' in wanted) return
  tally.answered++
  if (wanted.rows.length > 0) tally.withRows++
  if ('tasks' in got && got.tasks > 0) tally.divided++
}

describe.for(Array.from({ length: WORLDS }, (_, at) => at))('world %i', (at) => {
  let world: World

  beforeAll(async () => {
    world = await openWorld(SEED, at)
  })

  afterAll(async () => {
    await world.close()
  })

  test('random queries give the rows that DuckDB gives', { timeout: tortureTimeout(120_000) }, async () => {
    const before = tally.differences.length
    for (let k = 0; k < QUERIES; k++) await compare(world, at, k)
    expect(tally.differences.slice(before), `${tally.differences.length} differences`).toEqual([])
  })
})

test('most of the queries were divided, and most gave rows', () => {
  expect(tally.answered).toBeGreaterThan(0.7 * WORLDS * QUERIES)
  expect(tally.divided / tally.answered).toBeGreaterThan(0.5)
  // Which rows meet an error is the optimizer's choice: of a query in parts it sees one part at a time.
  expect(tally.failed).toBeLessThan(0.01 * tally.answered)
  expect(tally.withRows / tally.answered).toBeGreaterThan(0.5)
})

test('what differs from call to call runs', async () => {
  const world = await openWorld(SEED, WORLDS)
  try {
    for (const sql of [
      'SELECT count(*) FROM ev WHERE "at" < now()',
      'SELECT id, random() AS r FROM ev ORDER BY r LIMIT 3',
      'SELECT max(uuid()), current_date FROM ev GROUP BY id % 3',
      'SELECT id FROM ev USING SAMPLE 10 ROWS',
    ]) {
      for (const pool of ['inline', 'threads'] as const) {
        const got = await ask(world.warehouses[0]!, sql, { params: [], pool })
        expect('rows' in got && got.rows.length, sql).toBeGreaterThan(0)
      }
    }
  } finally {
    await world.close()
  }
})
