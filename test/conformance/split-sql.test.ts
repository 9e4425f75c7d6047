import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PoolName } from '../../src/planner/plan.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { ask, difference, judge } from '../property/split-judge.ts'
import { type Lab, openLab } from './import-lab.ts'

let lab: Lab
let warehouse: Warehouse

/** A table that is read in five tasks, and a small one; the same in a DuckDB that knows no warehouse. */
beforeAll(async () => {
  lab = await openLab()
  await lab.duck.run('SET threads = 1')
  const wide = await lab.write(
    `SELECT i::BIGINT AS id, (i % 3)::INTEGER AS k, (i % 5)::INTEGER AS v,
       CASE WHEN i % 7 = 0 THEN NULL ELSE ['a', 'A', 'b', '', 'é'][1 + i % 5] END AS s,
       ['nan'::DOUBLE, 0::DOUBLE, '-0'::DOUBLE, 1.5, NULL, 'inf'::DOUBLE][1 + i % 6] AS d, (i % 4) * 1.25::DECIMAL(9,2) AS m,
       [i % 2, i]::INTEGER[] AS l, {'a': i % 3, 'b': 's' || i % 2} AS st, i % 2 = 0 AS b,
       9000000000000000000::BIGINT AS huge, CASE WHEN i = 99 THEN 'bad' ELSE '' || i END AS mixed FROM range(100) r(i)`,
  )
  const small = await lab.write(`SELECT i::INTEGER AS k, 'n' || i AS name, i * 2 AS v FROM range(4) r(i)`)
  for (const [name, file] of [
    ['t', wide],
    ['u', small],
  ] as const) {
    await lab.warehouse.import(name, [file])
    await lab.duck.run(`CREATE TABLE ${name} AS FROM '${file}'`)
  }
  const days = ['2026-01-01', '2026-01-02'].map((day) => `logs/day=${day}/part.parquet`)
  for (const path of days) await lab.write(`SELECT 'u' || i AS user_id, i AS t FROM range(20) r(i)`, path)
  await lab.warehouse.register('logs', `${lab.dir}/logs`, { actor: 'user_id', time: 't' })
  await lab.duck.run(`CREATE TABLE logs AS SELECT user_id, t, day::VARCHAR AS day FROM '${lab.dir}/logs/**/*.parquet'`)
  warehouse = await lab.open({ SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '17' })
  // Rows of groups go through files, cut by their keys.
  Object.assign(warehouse.settings, { inlineRows: 4 })
})

afterAll(async () => {
  await warehouse.close()
  await lab.close()
})

const QUERIES: Record<string, string[]> = {
  names: [
    'SELECT k + 1 AS id FROM t WHERE id = 2',
    'SELECT id % 2 AS w FROM t WHERE w = 1',
    'SELECT id % 2 AS w, count(*) FROM t GROUP BY w HAVING w = 1',
    'SELECT k AS z, sum(id) AS k FROM t GROUP BY z HAVING k > 1',
    'SELECT k, sum(id) AS id FROM t GROUP BY k HAVING id > 12',
    'SELECT k AS n, count(*) AS k FROM t GROUP BY n ORDER BY k, n',
    'SELECT -k AS k FROM t ORDER BY k + 1, id LIMIT 3',
    'SELECT -id AS z, id + 1 AS id FROM t ORDER BY id + 0 DESC LIMIT 3',
    'SELECT main.t.k FROM t ORDER BY main.t.k, id LIMIT 1',
  ],
  'names that two items have': [
    'SELECT k AS a, v AS a FROM t ORDER BY a, 2, 1 LIMIT 5',
    'SELECT k AS a, v AS a FROM t WHERE a = 2',
    'SELECT k AS a, v AS a FROM t GROUP BY k, a',
    'SELECT k, v AS k, count(*) FROM t GROUP BY ALL ORDER BY k, 1',
    'SELECT t.k FROM u RIGHT JOIN t USING (k) ORDER BY k, id LIMIT 70',
    'SELECT u.k FROM u RIGHT JOIN t USING (k) ORDER BY k, id LIMIT 70',
    'SELECT DISTINCT t.k FROM t ORDER BY t.k',
    'SELECT DISTINCT t.k FROM t ORDER BY k',
  ],
  'items of several columns': [
    'SELECT unnest(st), id FROM t ORDER BY id LIMIT 5',
    'SELECT unnest(st), id FROM t ORDER BY 3 LIMIT 5',
    "SELECT min(COLUMNS('^[kv]$')), count(*) FROM t",
  ],
  'aggregates in subqueries': [
    'SELECT (SELECT sum(t.id)) FROM t',
    'SELECT (SELECT sum(id) FROM u) FROM t',
    'SELECT x FROM (SELECT (SELECT sum(t.id)) AS x FROM t)',
    'SELECT (SELECT sum(k) FROM u) AS x FROM t ORDER BY id LIMIT 3',
    'SELECT (SELECT sum(e) FROM unnest(l) AS x(e)) AS s FROM t ORDER BY id LIMIT 3',
  ],
  'rows as structs, and columns by their places': [
    'SELECT v, count(*) OVER (PARTITION BY t) AS r FROM t ORDER BY 1, 2 LIMIT 20',
    'SELECT v, length(x::VARCHAR), sum(v) OVER () FROM t AS x ORDER BY 1, 2 LIMIT 20',
    'SELECT huge, row_number() OVER (ORDER BY huge) FROM t AS x(huge) ORDER BY 1, 2 LIMIT 3',
    'SELECT v, max(k) OVER () FROM t AS x(i, v, k) ORDER BY 1, 2 LIMIT 3',
    'SELECT k, median(#1) FROM t GROUP BY k ORDER BY k',
    'SELECT #2, max(v) OVER () FROM t ORDER BY 1, 2 LIMIT 4',
  ],
  'keys that stand twice': [
    'SELECT t.k AS n, k, sum(id) FROM t GROUP BY CUBE (t.k, 2)',
    'SELECT t.k, k, sum(id) FROM t GROUP BY ROLLUP (t.k, k)',
    'SELECT t.k, k, sum(id) FROM t GROUP BY t.k, k',
    'SELECT k, sum(id) FROM t GROUP BY GROUPING SETS ((k), (k), ())',
  ],
  'folders, a file a task': [
    'SELECT min(day), max(day), count(*) FROM logs',
    "SELECT min(day) FROM logs WHERE day = '2026-01-02'",
    'SELECT day, max(t) FROM logs GROUP BY day ORDER BY day',
  ],
  'sums of many columns': [`SELECT ${Array.from({ length: 300 }, (_, k) => `sum(id * ${k})`).join(', ')} FROM t`],
  'common tables of one name': [
    'WITH x AS (SELECT 1 AS k) SELECT k FROM t WHERE k IN (WITH x AS (SELECT 2 AS k) SELECT k FROM x) ORDER BY 1 LIMIT 2',
    'WITH x AS (SELECT k FROM t WHERE k = 1) SELECT count(*) FROM (WITH x AS (SELECT k FROM x) SELECT * FROM x)',
    'WITH x AS (SELECT k FROM t), y AS (WITH x AS (SELECT v AS k FROM t) SELECT k FROM x) SELECT x.k, count(*) FROM x JOIN y ON x.k = y.k GROUP BY 1 ORDER BY 1',
    'WITH t AS (SELECT * FROM t WHERE id < 50) SELECT count(*) FROM t',
  ],
  'types without a name': [
    'SELECT (k, v), sum(id) FROM t GROUP BY (k, v) ORDER BY 1',
    'SELECT ROW(k, v), id FROM t ORDER BY id LIMIT 2',
  ],
  'no rows': [
    "SELECT count(DISTINCT 1), list(DISTINCT 5) FROM t WHERE s LIKE 'zz%'",
    "SELECT max(id), count(DISTINCT 1) FROM t WHERE s LIKE 'zz%'",
    'SELECT count(DISTINCT 1) FROM t',
    'SELECT count_if(b), sum(id), avg(id), count(*), min(id), stddev(id), bool_and(b), sum(m) FROM t WHERE id % 200 = 150',
    'SELECT k, count_if(id > 3) FILTER (WHERE false) FROM t GROUP BY k',
    'SELECT sum(id) FROM t WHERE id < 0 GROUP BY ROLLUP(k)',
  ],
}

const POOLS: (PoolName | undefined)[] = [undefined, 'inline', 'threads']

describe.each(Object.entries(QUERIES))('%s', (_, queries) => {
  test.for(queries)('%s', async (sql) => {
    const wanted = await judge(lab.duck, sql, [])
    const ordered = /ORDER BY (?!.*\))/s.test(sql)
    for (const pool of POOLS) {
      const got = await ask(warehouse, sql, { params: [], pool })
      expect(difference(wanted, got, ordered), pool).toBeUndefined()
    }
  })
})
