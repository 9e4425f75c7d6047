/** LIMIT without ORDER BY: any rows are right, but divided queries end early, and give the first rows where one engine does. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { quoteIdentifier } from '../../src/common/data-type.ts'
import type { BoundValue } from '../../src/engine/parameters.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { type Chance, chanceOf } from '../chance.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { Expressions, type Scope } from './split-expressions.ts'
import { randomQuery } from './split-grammar.ts'
import { type Answer, ask, difference, judge, rowsBeside } from './split-judge.ts'
import { openWorld, type World } from './split-tables.ts'

const SEED = tortureSeed()
const WORLDS = runs(1, 60)
const QUERIES = runs(30, 200)

const tally = { scans: 0, queries: 0, divided: 0, early: 0, failed: 0 }

/** What a LIMIT is written as, and how many rows of so many it leaves. */
interface Limit {
  sql: string
  params: BoundValue[]
  rows(all: number): number | undefined
}

function drawLimit(chance: Chance, bound: number): Limit {
  const skipped = chance.pick([0, 0, 0, 1, 3, 40])
  const most = chance.pick([0, 1, 2, 5, 17, 60, 1000])
  const left = (wanted: number) => (all: number) => Math.max(0, Math.min(wanted, all - skipped))
  const offset = skipped > 0 || chance.next() < 0.1 ? ` OFFSET ${skipped}` : ''
  const way = chance.below(10)
  if (way === 0) return { sql: ` LIMIT $${bound + 1}${offset}`, params: [most], rows: left(most) }
  if (way === 1) return { sql: ` LIMIT ${most} + 1${offset}`, params: [], rows: left(most + 1) }
  if (way === 2) return { sql: ` LIMIT 30 % ${offset}`, params: [], rows: () => undefined }
  if (way === 3) return { sql: ` OFFSET ${skipped}`, params: [], rows: left(Number.POSITIVE_INFINITY) }
  return { sql: ` LIMIT ${most}${offset}`, params: [], rows: left(most) }
}

interface Scan {
  sql: string
  params: BoundValue[]
  /** False where one engine does not read the rows in the order of the files, as of folders whose files differ in their columns. */
  isInOrder: boolean
}

/** Rows of one table, which come in the order of its files, and what may be done with the first of them. */
function drawScan(chance: Chance, { tables }: World): Scan {
  let isInOrder = true
  const g = new Expressions(chance, tables)
  const scan = () => {
    const table = chance.pick(tables.filter(({ rows }) => rows > 30))
    isInOrder &&= ['ev', 'Big'].includes(table.name)
    const scope: Scope = { columns: table.columns.map((column) => ({ ...column, table: 't' })), flat: true }
    const where = chance.next() < 0.6 ? ` WHERE ${g.of('bool', scope, 2)}` : ''
    const limit = drawLimit(chance, g.params.length)
    g.params.push(...limit.params)
    return `SELECT id, ${g.of('int', scope, 1)} AS v FROM ${quoteIdentifier(table.name)} AS t${where}${limit.sql}`
  }
  const sql = chance.pick([
    () => scan(),
    () => scan(),
    () => `SELECT * FROM (${scan()}) AS s WHERE id % 3 <> 1`,
    () => `SELECT count(*), sum(id), max(v) FROM (${scan()}) AS s`,
    () => `SELECT DISTINCT v FROM (${scan()}) AS s ORDER BY ALL`,
    () => `(${scan()}) UNION ALL (${scan()})`,
    () => `WITH w AS (${scan()}) SELECT a.id, b.v FROM w AS a JOIN w AS b USING (id) ORDER BY ALL`,
    () => `SELECT id FROM (${scan()}) AS s LIMIT 4 OFFSET 1`,
  ])()
  const used = [...new Set([...sql.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)))]
  return {
    sql: sql.replace(/\$(\d+)/g, (_, number) => `$${used.indexOf(Number(number)) + 1}`),
    params: used.map((number) => g.params[number - 1]!),
    isInOrder,
  }
}

/** The same with limits that tasks do not know, so that all of them run. */
function unpushed(sql: string): string {
  return sql.replaceAll(/LIMIT (\d+)\b(?! [+%])/g, 'LIMIT (SELECT $1)')
}

/** Takes note of an answer. @returns true for one whose rows can be compared */
function noted(got: Awaited<ReturnType<typeof ask>>): got is Answer & { tasks: number; spared: number } {
  tally.queries++
  if (!('spared' in got)) {
    if ('error' in got && got.kind === 'while running') tally.failed++
    return false
  }
  if (got.tasks + got.spared > 0) tally.divided++
  if (got.spared > 0) tally.early++
  return true
}

describe.for(Array.from({ length: WORLDS }, (_, at) => at))('world %i', (at) => {
  let world: World
  /** Runs every query in one engine. */
  let whole: Warehouse

  beforeAll(async () => {
    world = await openWorld(SEED, at)
    whole = await world.lab.open({ SKEP_THREADS: '1' })
  })

  afterAll(async () => {
    await whole.close()
    await world.close()
  })

  test('rows of a table are the first ones, in order', {
    timeout: tortureTimeout(60_000),
  }, async () => {
    for (let k = 0; k < QUERIES; k++) {
      const chance = chanceOf(SEED * 6151 + at, k)
      const { sql, params, isInOrder } = drawScan(chance, world)
      const warehouse = chance.pick(world.warehouses)
      const wanted = await ask(whole, sql, { params, pool: 'inline' })
      const got = await ask(warehouse, sql, { params, pool: chance.next() < 0.1 ? 'threads' : 'inline' })
      const place = `SKEP_TEST_SEED=${SEED}, world ${at}, scan ${k}\n${sql}\n${JSON.stringify(params)}`
      if (!noted(got) && 'rows' in wanted && 'error' in got && got.kind === 'while running') continue
      if (isInOrder) expect(difference(wanted, got, true), place).toBeUndefined()
      const all = await ask(warehouse, unpushed(sql), { params, pool: 'inline' })
      // A row that only all tasks meet may be an error.
      if ('error' in wanted || ('error' in all && all.kind === 'while running')) continue
      expect(difference(all, got, true), place).toBeUndefined()
      expect(all).toMatchObject({ spared: 0 })
      tally.scans++
    }
  })

  test('rows of any query are some of its rows, as many as they should be', {
    timeout: tortureTimeout(60_000),
  }, async () => {
    for (let k = 0; k < QUERIES; k++) {
      const chance = chanceOf(SEED * 7013 + at, k)
      const query = randomQuery(chance, world.tables)
      if (query.ordered) continue
      const all = await judge(world.lab.duck, query.sql, query.params)
      if ('error' in all) continue
      const limit = drawLimit(chance, query.params.length)
      const params = [...query.params, ...limit.params]
      const sql =
        chance.next() < 0.3 && !query.sql.startsWith('WITH')
          ? `SELECT * FROM (${query.sql}) AS q${limit.sql}`
          : `${query.sql}${limit.sql}`
      const got = await ask(chance.pick(world.warehouses), sql, { params })
      const place = `SKEP_TEST_SEED=${SEED}, world ${at}, query ${k}\n${sql}\n${JSON.stringify(params)}`
      if (!noted(got)) {
        const wanted = await judge(world.lab.duck, sql, params)
        expect(
          'error' in wanted || ('error' in got && got.kind === 'while running'),
          `${place}\n${JSON.stringify(got)}`,
        ).toBe(true)
        continue
      }
      const count = limit.rows(all.rows.length)
      if (count !== undefined) expect(got.rows.length, place).toBe(count)
      expect(rowsBeside(got.rows, all.rows), place).toEqual([])
    }
  })
})

test('most of the queries were divided, and many ended early', () => {
  expect(tally.scans).toBeGreaterThan(0.7 * WORLDS * QUERIES)
  expect(tally.divided / tally.queries).toBeGreaterThan(0.6)
  expect(tally.early / tally.divided).toBeGreaterThan(0.1)
  expect(tally.failed / tally.queries).toBeLessThan(0.02)
})
