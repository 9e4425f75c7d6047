/** Plans as `--explain` prints them: what is divided, how, and why not. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SqlExplanation } from '../../src/coordinator/calls.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { failure, type Lab, openLab } from './import-lab.ts'

let lab: Lab
let warehouse: Warehouse
beforeAll(async () => {
  lab = await openLab()
  warehouse = await lab.open({ SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '1000', SKEP_BROADCAST_BYTES: '1000' })
  const events = `SELECT i AS id, i % 7 AS who, ['a', 'b'][1 + i % 2] AS event, hash(i)::DOUBLE AS price FROM range(4000) r(i)`
  await warehouse.import('events', [await lab.write(events)], {})
  await warehouse.import('orders', [await lab.write('SELECT i % 9 AS who, hash(i) AS paid FROM range(3000) r(i)')], {})
  await warehouse.import('people', [await lab.write(`SELECT i AS who, 'p' AS name FROM range(7) r(i)`)], {})
})
afterAll(async () => {
  await warehouse.close()
  await lab.close()
})

/** A plan as it is, but for what differs from run to run. */
function golden({ stages = [], final }: SqlExplanation): unknown {
  const text = JSON.stringify({ stages, final })
    .replaceAll(/"path":"[^"]*"/g, '"path":"FILE"')
    .replaceAll(/"bytes":\d+/g, '"bytes":0')
  return JSON.parse(text)
}

/** A plan in short: each stage with its SQL and its tasks. */
function short({ stages = [], final }: SqlExplanation): string[] {
  const lines = stages.map(({ id, work, tasks, enoughRows }) => {
    if (work.kind !== 'sql') return `${id}: ${tasks.length}`
    const cut = work.cut ? ` cut by ${work.cut.by} (${work.cut.when}, ${work.cut.parts})` : ''
    const enough = enoughRows === undefined ? '' : ` until ${enoughRows} rows`
    return `${id}: ${tasks.length} × ${work.sql}${cut}${enough}`
  })
  return [...lines, `then ${final}`]
}

test('the plan of a grouped query is this JSON', async () => {
  const sql = 'SELECT event, count(*) AS n FROM events WHERE price > $least GROUP BY event ORDER BY n DESC LIMIT 1'
  const explanation = await warehouse.explain(sql, { params: { least: 10n } })
  expect(golden(explanation)).toMatchSnapshot()
  expect(explanation).toMatchObject({ pool: 'threads', divided: true, estimate: { files: 1, rows: 4000, tasks: 4 } })
})

test.each([
  'SELECT * FROM events ORDER BY price DESC LIMIT 3',
  'SELECT name, sum(price) AS s, count(DISTINCT event) AS k FROM events JOIN people USING (who) GROUP BY name HAVING s > 5',
  'SELECT median(price) FROM events WHERE event = $1',
  'SELECT event, count(*) FROM events JOIN orders USING (who) WHERE paid > 3 GROUP BY event',
  'SELECT who, rank() OVER (ORDER BY sum(price)) FROM events GROUP BY who',
  'WITH few AS (SELECT who FROM orders GROUP BY who HAVING count(*) > 300) SELECT count(*) FROM events WHERE who IN (FROM few)',
  'SELECT a.id FROM events a JOIN events b ON a.id = b.who WHERE a.price > 3',
  'SELECT * FROM events WHERE who = 3 LIMIT 20 OFFSET 5',
])('%s', async (sql) => {
  const explanation = await warehouse.explain(sql, sql.includes('$1') ? { params: ['a'] } : {})
  expect(short(explanation)).toMatchSnapshot()
})

/** How many rows are enough for each stage of a query. */
test.each<[sql: string, enough: (number | undefined)[]]>([
  ['SELECT * FROM events LIMIT 20', [20]],
  ['SELECT id + 1 FROM events WHERE price > 3 LIMIT 20 OFFSET 7', [27]],
  ['SELECT * FROM events LIMIT 0', [0]],
  ['SELECT * FROM events LIMIT 200000', [200_000]],
  ['SELECT id, name FROM events JOIN people USING (who) LIMIT 4', [4]],
  ['SELECT id FROM events JOIN orders USING (who) LIMIT 4', [undefined, undefined, 4]],
  ['SELECT event, count(*) FROM events GROUP BY event LIMIT 1', [undefined, 1]],
  ['SELECT event, count(*) AS n FROM events GROUP BY event HAVING n > 9 LIMIT 1', [undefined, 1]],
  ['SELECT count(*) FROM (SELECT id FROM events LIMIT 9)', [9]],
  ['SELECT DISTINCT event FROM (SELECT event FROM events LIMIT 9) ORDER BY 1 LIMIT 1', [9]],
  ['(SELECT id FROM events LIMIT 3) UNION ALL (SELECT who FROM orders LIMIT 4)', [3, 4]],
  // These need rows of all tasks, or are not known to need fewer.
  ['SELECT * FROM events', [undefined]],
  ['SELECT * FROM events ORDER BY price LIMIT 20', [undefined]],
  ['SELECT * FROM events ORDER BY ALL LIMIT 20', [undefined]],
  ['SELECT DISTINCT event FROM events LIMIT 2', [undefined]],
  ['SELECT DISTINCT ON (event) id FROM events LIMIT 2', [undefined]],
  ['SELECT * FROM events LIMIT 20%', [undefined]],
  ['SELECT * FROM events LIMIT $1', [undefined]],
  ['SELECT * FROM events LIMIT 3 OFFSET $1', [undefined]],
  ['SELECT * FROM events LIMIT (SELECT 4)', [undefined]],
  ['SELECT * FROM events OFFSET 4', [undefined]],
  ['SELECT id FROM events QUALIFY row_number() OVER (ORDER BY id) < 9 LIMIT 2', [undefined]],
  ['SELECT id, sum(price) OVER () FROM events LIMIT 2', [undefined]],
  ['SELECT count(*) FROM events LIMIT 1', [undefined]],
  ['SELECT event, count(*) FROM events GROUP BY event ORDER BY 2 LIMIT 1', [undefined, undefined]],
  ['SELECT DISTINCT count(*) FROM events GROUP BY event LIMIT 1', [undefined, undefined]],
  ['SELECT event, count(*) FROM events GROUP BY ROLLUP (event) LIMIT 1', [undefined]],
  ['SELECT id FROM events UNION ALL SELECT who FROM orders LIMIT 4', [undefined, undefined]],
  ['SELECT * FROM (SELECT id FROM events ORDER BY price LIMIT 3) LIMIT 2', [undefined]],
])('%s: %j', async (sql, enough) => {
  const { stages = [] } = await warehouse.explain(sql, sql.includes('$1') ? { params: [3] } : {})
  expect(stages.map(({ enoughRows }) => enoughRows)).toEqual(enough)
  expect(stages.filter(({ enoughRows, work }) => enoughRows !== undefined && work.cut)).toEqual([])
})

describe('what is not divided says why', () => {
  test('few rows', async () => {
    const { divided, why, stages } = await warehouse.explain('SELECT count(*) FROM people')
    expect([divided, stages]).toEqual([false, undefined])
    expect(why).toContain('no table has more than 1000 rows')
  })

  test('one machine, which shows the stages all the same', async () => {
    const own = await lab.open({ SKEP_TASK_ROWS: '1000' })
    const { divided, why, stages } = await own.explain('SELECT count(*) FROM events', { pool: 'inline' })
    await own.close()
    expect([divided, stages?.length]).toEqual([false, 1])
    expect(why).toContain('SKEP_SPLIT')
  })

  test('a query that is wrong is told by the engine', async () => {
    expect(await failure(() => warehouse.explain('SELECT nothing FROM events'))).toMatchObject({ code: 'SQL_INVALID' })
    expect(await failure(() => warehouse.sql('SELECT nothing FROM events'))).toMatchObject({ code: 'SQL_INVALID' })
  })
})

test('a query that would read or cost too much does not begin', async () => {
  const query = { query: { conditions: [{ filter: ['event', '==', 'a'] as ['event', '==', 'a'] }] } }
  await warehouse.import('keyed', [await lab.write('SELECT i AS who, i AS ts, $$a$$ AS event FROM range(4000) r(i)')], {
    actor: 'who',
    time: 'ts',
  })
  for (const run of [
    (limits: object) => warehouse.sql('SELECT count(*) FROM keyed', limits),
    (limits: object) => warehouse.query('keyed', query, limits),
  ]) {
    expect(await failure(() => run({ maxBytes: 100 }))).toMatchObject({ code: 'BYTES_LIMIT', details: { limit: 100 } })
    expect(await failure(() => run({ maxCost: 0 }))).toMatchObject({ code: 'COST_LIMIT', details: { limit: 0 } })
    await run({ maxBytes: 10_000_000, maxCost: 1 })
  }
})
