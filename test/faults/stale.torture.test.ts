/** Any interleaving of changes and queries over warehouses that are kept open: every answer is that of the files as they are. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isSkepError } from '../../src/errors.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { type Chance, chanceOf } from '../chance.ts'
import { bee, comb, documentOf } from '../conformance/buzz-lab.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { ask, difference, type Outcome } from '../property/split-judge.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { StaleWorld } from './stale-world.ts'

let lab: Lab
const warehouses: Warehouse[] = []

beforeAll(async () => {
  lab = await openLab()
  const tasks = { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '300' }
  warehouses.push(lab.warehouse, await lab.open(tasks), await lab.open({ ...tasks, SKEP_POOL: 'threads' }))
})

afterAll(async () => {
  for (const warehouse of warehouses.slice(1)) await warehouse.close()
  await lab.close()
})

/** Queries over tables called A and B, and C for a number. Their rows have no order. */
const QUERIES = [
  'SELECT count(*) AS n, sum(k) AS s, min(k) AS a, max(k) AS z FROM A',
  'FROM A',
  'SELECT k, v, n FROM A WHERE k >= C',
  'SELECT k, n FROM A WHERE k BETWEEN C AND C + 30 AND n > 50',
  'SELECT v, count(*) AS c FROM A WHERE n < C GROUP BY v',
  'SELECT count(*) AS c FROM A JOIN B USING (k) WHERE A.n <= B.n + C',
  'SELECT a.k, b.n FROM A a JOIN (SELECT k, max(n) AS n FROM B GROUP BY k) b USING (k) WHERE b.n > C',
  'WITH B AS (SELECT k + C AS k FROM A) SELECT sum(k) AS s, count(*) AS c FROM B',
  'WITH A AS (SELECT 1 AS k), w AS (FROM B) SELECT count(*) AS c, (SELECT max(k) FROM A) AS one FROM w',
  'SELECT * FROM A WHERE k = (SELECT max(k) FROM B)',
  'SELECT count(*) AS c FROM A WHERE k NOT IN (SELECT k FROM B WHERE n > C)',
  'SELECT k FROM A ORDER BY k, n, v LIMIT 7',
  'SELECT k FROM A ORDER BY k DESC, n LIMIT 5 OFFSET C',
  'SELECT DISTINCT n % 7 AS m FROM A UNION SELECT n % 5 + 100 FROM B',
  'DESCRIBE A',
  'DESCRIBE SELECT A.v, B.v AS w FROM A JOIN B USING (k)',
  'SELECT column_name, min, max, count FROM (SUMMARIZE A)',
  'SELECT k, row_number() OVER (ORDER BY k, n, v) AS r FROM A QUALIFY r <= C',
  'SELECT (SELECT count(*) FROM A) + (SELECT count(*) FROM B) AS c',
]

const COMING_OR_GOING = /^(FOLDER_CHANGED|FILE_NOT_FOUND|FILE_INVALID)$/

interface Asked {
  text: string
  warehouse: Warehouse
  place: number
}

function draw(world: StaleWorld, chance: Chance): Asked {
  const place = chance.below(warehouses.length)
  const text = chance
    .pick(QUERIES)
    .replaceAll(/\bA\b/g, chance.pick(world.tables))
    .replaceAll(/\bB\b/g, chance.pick(world.tables))
    .replaceAll(/\bC\b/g, String(chance.below(100)))
  return { text, warehouse: warehouses[place]!, place }
}

/** A query that is not read to its end, or cannot be: what it leaves must not matter. */
async function disturb(world: StaleWorld, chance: Chance): Promise<void> {
  const { warehouse } = draw(world, chance)
  const [a, b] = [chance.pick(world.tables), chance.pick(world.tables)]
  try {
    switch (chance.below(5)) {
      case 0: {
        await using stream = await warehouse.stream(`SELECT a.k, b.v FROM ${a} a, ${b} b, range(50)`)
        await stream.batches[Symbol.asyncIterator]().next()
        return
      }
      case 1:
        return void (await warehouse.sql(`SELECT CASE WHEN n > 90 THEN error('no') ELSE v::VARCHAR END AS x FROM ${a}`))
      case 2: {
        const signal = AbortSignal.timeout(1 + chance.below(30))
        return void (await warehouse.sql(`SELECT count(*) FROM ${a} x, ${b} y, ${a} z WHERE hash(x.v, y.v, z.v) = 1`, {
          signal,
        }))
      }
      case 3:
        return void (await warehouse.sql(`SELECT nothing FROM ${a}`))
      default:
        return void (await warehouse.explain(`SELECT count(*) FROM ${a} JOIN ${b} USING (k) WHERE ${a}.n > 3`))
    }
  } catch (error) {
    if (!isSkepError(error) || error.code === 'INTERNAL') throw error
  }
}

async function check(world: StaleWorld, { text, warehouse, place }: Asked): Promise<string | undefined> {
  const wanted = await world.judge(text)
  const found = difference(wanted, await ask(warehouse, text, { params: [] }), false)
  return found && `${text} in ${place}: ${found}`
}

/** Every engine reads every folder, so that it has something to forget when the next change comes; and leaves out files by their bounds. */
async function checkEverywhere(world: StaleWorld, table: string, least: number): Promise<(string | undefined)[]> {
  const text = `SELECT count(*) AS n FROM ${table} WHERE k < ${least} UNION ALL SELECT count(*) FROM ${table}`
  const wanted = await world.judge(text)
  return await Promise.all(
    warehouses.map(async (warehouse, place) => {
      const found = difference(wanted, await ask(warehouse, text, { params: [] }), false)
      return found && `${text} in ${place}: ${found}`
    }),
  )
}

/** Other ways to ask than SQL alone. */
async function checkOtherwise(world: StaleWorld, chance: Chance): Promise<string | undefined> {
  const { warehouse, place } = draw(world, chance)
  const table = chance.pick(world.tables)
  const least = chance.below(100)
  const [actors, n] = rowsOf(
    await world.judge(`SELECT count(DISTINCT k)::INT, count(*)::INT FROM ${table} WHERE n >= ${least}`),
  )[0]!
  const outcome = await (async (): Promise<[string, unknown[], unknown[]]> => {
    switch (chance.below(4)) {
      case 0: {
        const { query } = await warehouse.query(table, { query: { conditions: [{ filter: ['n', '>=', least] }] } })
        const all = `SELECT count(*)::INT FROM ${table} WHERE k IN (SELECT k FROM ${table} WHERE n >= ${least})`
        const wanted = [actors, ...rowsOf(await world.judge(all))[0]!]
        return ['query', [query!.matchingGroups, query!.matchingGroupRows], wanted]
      }
      case 1: {
        const document = documentOf(lab, [
          bee('one', `SELECT k, count(*) AS c FROM ${table} WHERE n >= ${least} GROUP BY k`),
          comb('two', 'SELECT count(*)::INT AS actors, coalesce(sum(c), 0)::INT AS n FROM one'),
        ])
        const { rows } = await warehouse.run(document)
        return ['document', Object.values(rows[0]!), [actors, n]]
      }
      case 2: {
        const past = world.past.length > 0 ? chance.pick(world.past) : undefined
        if (!past) return ['past', [], []]
        const sql = `SELECT count(*)::INT AS c, sum(k)::INT AS s, max(v)::VARCHAR AS v FROM ${past.table}`
        const { rows } = await warehouse.sql(sql, { at: { [past.table]: past.id } as never })
        return ['past', Object.values(rows[0]!), rowsOf(await world.judge(sql, past))[0]!]
      }
      default: {
        const { rows } = (await warehouse.column(table, 'k')) as unknown as { rows: number }
        return ['column', [rows], rowsOf(await world.judge(`SELECT count(*)::INT FROM ${table}`))[0]!]
      }
    }
  })()
  const [what, got, wanted] = outcome
  return JSON.stringify(got) === JSON.stringify(wanted)
    ? undefined
    : `${what} of ${table} >= ${least} in ${place}: ${got} for ${wanted}`
}

function rowsOf(outcome: Outcome): unknown[][] {
  if ('error' in outcome) throw new Error(outcome.error)
  return outcome.rows
}

/** A query while files change: the answer of before or after, or an error that says so. */
async function race(world: StaleWorld, chance: Chance): Promise<string | undefined> {
  const { text, warehouse, place } = draw(world, chance)
  const before = await world.judge(text)
  const asking = ask(warehouse, text, { params: [] })
  await sleep(chance.below(8))
  const { what, back } = world.changeFolder()
  const got = await asking
  const after = await world.judge(text)
  back?.()
  if ('error' in got && COMING_OR_GOING.test(got.error.split(':')[0]!)) return undefined
  const differences = [before, after].map((wanted) => difference(wanted, got, false))
  return differences.includes(undefined) ? undefined : `${text} in ${place} during ${what}: ${differences.join('; ')}`
}

const cases = Array.from({ length: runs(1, 60) }, (_, k) => k)

test.each(cases)('case %i', { timeout: tortureTimeout(120_000) }, async (at) => {
  const seed = tortureSeed()
  const chance = chanceOf(seed, at)
  const world = new StaleWorld(lab, chance, `case${at}`)
  await world.begin()
  const told: string[] = []
  const backs: (() => void)[] = []
  const expectNone = (wrong: (string | undefined)[]) => {
    const found = wrong.filter((one) => one !== undefined)
    expect(found, `SKEP_TEST_SEED=${seed}, case ${at}, after:\n${told.slice(-12).join('\n')}`).toEqual([])
  }
  try {
    for (let step = 0; step < runs(8, 16); step++) {
      if (backs.length > 0 && chance.below(2) === 0) {
        backs.pop()!()
        told.push('put back')
      } else {
        const { what, back } = await world.change()
        told.push(what)
        if (back && backs.length === 0) backs.push(back)
      }
      if (chance.below(3) === 0) await Promise.all([disturb(world, chance), disturb(world, chance)])
      expectNone(
        (await Promise.all(world.folders.map((table) => checkEverywhere(world, table, chance.below(250))))).flat(),
      )
      const asked = [draw(world, chance), draw(world, chance), draw(world, chance)]
      expectNone(await Promise.all([...asked.map((one) => check(world, one)), checkOtherwise(world, chance)]))
      if (chance.below(3) === 0) {
        const target = world.exportTarget()
        await chance
          .pick(warehouses)
          .exportParquet(`SELECT k, '0-00' AS v, n FROM ${chance.pick(world.tables)} ORDER BY ALL LIMIT 40`, target)
        told.push(`exported to ${target}`)
        expectNone([await check(world, draw(world, chance))])
      }
      if (backs.length === 0 && chance.below(3) === 0) {
        const wrong = await race(world, chance)
        told.push('race')
        expectNone([wrong])
      }
    }
  } finally {
    await world.end()
  }
})
