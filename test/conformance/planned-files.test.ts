/** Statements are planned over one file of a table of many, and then run: each has to read all of them, whatever kind of statement it is. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SETTINGS } from '../../src/config.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { ask, difference, judge } from '../property/split-judge.ts'
import { bee, comb, documentOf } from './buzz-lab.ts'
import { ForeignTable, field, type LabFile } from './foreign-lab.ts'
import { type Lab, openLab } from './import-lab.ts'

const FILES = 60
const ROWS = 10

let lab: Lab
const warehouses = new Map<string, Warehouse>()

const WAYS: Record<string, Record<string, string>> = {
  whole: {},
  'in tasks': { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '100' },
  'on threads': { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '100', SKEP_POOL: 'threads' },
}

/** Files are sorted by neither actor nor time: behavioural queries over them go through the engine. */
const fileSql = (f: number) =>
  `SELECT ${f * ROWS} + i AS k, 'f' || ${f} AS f, 'u' || (i * 7 + ${f}) % 40 AS who, (hash(i + ${f * ROWS}) % 100000)::BIGINT AS ts
   FROM range(${ROWS}) t(i) ORDER BY hash(i)`

beforeAll(async () => {
  lab = await openLab()
  expect(FILES).toBeGreaterThan(SETTINGS.plannedFiles.default)
  for (let f = 0; f < FILES; f++) await lab.write(fileSql(f), `t/${String(f).padStart(2, '0')}.parquet`)
  await lab.warehouse.register('t', `${lab.dir}/t`, { actor: 'who', time: 'ts' })
  const all = `read_parquet('${lab.dir}/t/*.parquet')`
  await lab.duck.run(`CREATE TABLE t AS FROM ${all}`)

  const source = await lab.write(`FROM ${all}`)
  await lab.warehouse.import('m', [source], { actor: 'k', time: 'ts', buckets: FILES })
  await lab.duck.run('CREATE TABLE m AS FROM t')

  const fields = [field(1, 'k', 'long'), field(2, 'f', 'string'), field(3, 'who', 'string'), field(4, 'ts', 'long')]
  const table = new ForeignTable(lab, 'ice', { fields })
  const files: LabFile[] = []
  for (let f = 0; f < FILES; f++) files.push(await table.write(fileSql(f)))
  table.commit([{ entries: files.map((file) => ({ file })) }])
  const deletes = await table.writeDeletes(files.filter((_, f) => f % 2 === 1).map((file) => [file, 0]))
  table.commit([
    { entries: files.map((file) => ({ file, status: 0, sequence: 1 })) },
    { deletes: true, entries: [{ file: deletes }] },
  ])
  table.finish()
  await lab.warehouse.attach('ice', table.dir, { type: 'iceberg', actor: 'who', time: 'ts' })
  const gone = files.flatMap(({ path }, f) => (f % 2 === 1 ? [`SELECT k FROM (FROM '${path}' LIMIT 1)`] : []))
  await lab.duck.run(`CREATE TABLE ice AS FROM t WHERE k NOT IN (${gone.join(' UNION ALL ')})`)
  for (const [way, env] of Object.entries(WAYS)) warehouses.set(way, await lab.open(env))
})

afterAll(async () => {
  for (const warehouse of warehouses.values()) await warehouse.close()
  await lab.close()
})

/** Statements over a table called T; what they give must depend on every file. */
const STATEMENTS: [sql: string, params?: number[]][] = [
  ['SELECT count(*) AS n, sum(k) AS s FROM T'],
  ['FROM T'],
  ['TABLE T'],
  ['FROM T SELECT count(DISTINCT f)'],
  ['(SELECT max(k) FROM T)'],
  ['VALUES ((SELECT count(*) FROM T))'],
  ['SELECT count(*) FROM (VALUES (1), (2)) v(x) JOIN T ON true'],
  [
    'WITH RECURSIVE r(x) AS (SELECT min(k) FROM T UNION ALL SELECT x + 1 FROM r WHERE x < (SELECT max(k) FROM T)) SELECT count(*) FROM r',
  ],
  ['WITH a AS MATERIALIZED (FROM T), b AS (FROM a) SELECT count(*), max(b.k) FROM a JOIN b USING (k)'],
  ['SELECT column_name, min, max, count FROM (SUMMARIZE T)'],
  ['SELECT column_name, min, max, count FROM (SUMMARIZE SELECT k, f FROM T WHERE k % 2 = 0)'],
  ['DESCRIBE T'],
  ['DESCRIBE SELECT k + 1 AS x, list(f) FROM T GROUP BY ALL'],
  ['SELECT (SELECT count(*) FROM T) AS n'],
  ['SELECT 1 AS yes WHERE EXISTS (SELECT 1 FROM T WHERE k = 598)'],
  ['SELECT f FROM T WHERE k = (SELECT max(k) FROM T)'],
  ['SELECT (SELECT max(b.k) FROM T b WHERE b.f = a.f) AS x, count(*) FROM T a GROUP BY x'],
  ['SELECT count(*) FROM T WHERE k >= $1', [300]],
  ['SELECT count(*), $1::INT FROM T WHERE k >= $1::BIGINT - 5', [12]],
  ['SELECT f, count(*), sum(k) FROM T GROUP BY f'],
  ['SELECT f, count(*) FROM T GROUP BY CUBE (f)'],
  ['SELECT DISTINCT f FROM T'],
  ['SELECT DISTINCT ON (f) f, k FROM T ORDER BY f, k DESC'],
  ['SELECT k, row_number() OVER (ORDER BY k) AS r FROM T QUALIFY r > 500'],
  ['SELECT count(*) FROM T a JOIN T b USING (k)'],
  ['SELECT count(*) FROM T a, T b'],
  ['SELECT count(*), max(b.k) FROM T a ASOF JOIN T b ON a.k >= b.k'],
  ['SELECT count(*) FROM T SEMI JOIN (SELECT 598 AS k UNION SELECT 2) USING (k)'],
  ['SELECT count(*) FROM (SELECT k FROM T UNION SELECT k + 1 FROM T)'],
  ['SELECT count(*) FROM (SELECT k FROM T EXCEPT SELECT k FROM T WHERE k < 100)'],
  ["PIVOT (SELECT f, k % 3 AS z FROM T) ON f IN ('f1', 'f58') USING count(*)"],
  ['UNPIVOT (SELECT max(k) AS a, min(k) AS b FROM T) ON a, b'],
  ['SELECT count(*) FROM T TABLESAMPLE 100%'],
  ['SELECT list(k ORDER BY k) FROM T'],
  ['SELECT k FROM T ORDER BY k LIMIT (SELECT count(*) - 5 FROM T)'],
  ['SELECT k FROM T ORDER BY k LIMIT 3 OFFSET (SELECT count(*) - 3 FROM T)'],
  ['SELECT T FROM T ORDER BY T.k DESC LIMIT 3'],
  ['SELECT count(*) FROM T, LATERAL (SELECT T.k + 1 AS z) l WHERE z > 590'],
  ["SELECT max(k) FILTER (WHERE f = 'f58'), histogram(f) FROM T"],
  ['WITH t AS (SELECT 1 AS k) SELECT count(*), (SELECT max(k) FROM m) FROM t'],
  ["SELECT count(*) FROM T WHERE f LIKE 'f5%' OR k IN (SELECT k + 1 FROM T WHERE f = 'f2')"],
]

describe.each(Object.keys(WAYS))('%s', (way) => {
  describe.each(['t', 'm', 'ice'])('of table %s', (table) => {
    test('every statement reads all files', { timeout: 120_000 }, async () => {
      const wrong: string[] = []
      for (const [sql, params = []] of STATEMENTS) {
        const text = sql.replaceAll(/\bT\b/g, table)
        const wanted = await judge(lab.duck, text, params)
        if ('error' in wanted) throw new Error(`${text}: ${wanted.error}`)
        const found = difference(wanted, await ask(warehouses.get(way)!, text, { params }), false)
        if (found !== undefined) wrong.push(`${text}\n  ${found}`)
      }
      expect(wrong).toEqual([])
    })

    test('so do exports, documents, and what is told of columns', async () => {
      const warehouse = warehouses.get(way)!
      const [[n, distinct]] = (await lab.judge(`SELECT count(*)::INT, count(DISTINCT f)::INT FROM ${table}`)) as [
        [number, number],
      ]
      const target = `${lab.dir}/${table}-out.parquet`
      expect((await warehouse.exportParquet(`FROM ${table} -- all`, target)).rows).toBe(n)
      expect(await lab.judge(`SELECT count(*)::INT FROM (FROM '${target}' EXCEPT FROM ${table})`)).toEqual([[0]])
      expect(await lab.judge(`SELECT count(*)::INT FROM '${target}'`)).toEqual([[n]])
      const document = documentOf(lab, [
        bee('mapper', `SELECT f, count(*) AS n FROM ${table} GROUP BY f`),
        comb('reducer', 'SELECT sum(n)::INT AS n, count(*) AS f FROM mapper'),
      ])
      expect((await warehouse.run(document)).rows).toEqual([{ n, f: distinct }])
      const { rows, min, max } = (await warehouse.column(table, 'k')) as unknown as Record<string, number>
      const [bounds] = await lab.judge(`SELECT ${n}, min(k)::INT, max(k)::INT FROM ${table}`)
      expect([rows, min, max]).toEqual(bounds)
      expect(await warehouse.values(table, 'f', { limit: 100 })).toHaveLength(distinct!)
    })

    test('the plan that is explained is one of all files', async () => {
      const explained = await warehouses.get('whole')!.explain(`SELECT k FROM ${table} WHERE k % 7 = 1`)
      expect(explained.tables).toMatchObject([{ files: FILES }])
      // The engine takes every file to be like the first.
      const rows = [...explained.plan.matchAll(/~([\d,]+) rows/g)].map(([, text]) => Number(text!.replaceAll(',', '')))
      expect(Math.max(...rows)).toBeGreaterThanOrEqual(FILES * ROWS)
    })
  })

  test.each(['t', 'ice'])('behavioural queries of unsorted files of %s', async (table) => {
    const warehouse = warehouses.get(way)!
    const { query } = await warehouse.query(table, { query: { conditions: [{ filter: ['k', '>=', 0] }] } })
    const wanted = await lab.judge(`SELECT count(DISTINCT who)::INT, count(*)::INT FROM ${table}`)
    expect([[query!.matchingGroups, query!.matchingGroupRows]]).toEqual(wanted)
  })
})
