/** Guarded functions give what the engine's own give, up to their limits. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GUARDED_CALLS } from '../../src/sql/guarded-calls.ts'
import { singleCalls } from '../../src/sql/single-calls.ts'
import { readTree } from '../../src/sql/tree.ts'
import { failure, type Lab, openLab } from '../conformance/import-lab.ts'
import { runs } from '../torture.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab({ SKEP_MEMORY: '1GB' })
})

afterAll(() => lab.close())

const text = fc
  .oneof(fc.constantFrom('', 'a', 'é', '🐝', `it's`, 'NULL'), fc.string({ maxLength: 12 }))
  .filter((value) => !value.includes('\0'))
  .map((value) => `'${value.replaceAll("'", "''")}'`)
const orNull = (of: fc.Arbitrary<string>, type: string) =>
  fc.oneof({ weight: 8, arbitrary: of }, fc.constant(`NULL::${type}`))
const texts = orNull(text, 'VARCHAR')
const count = orNull(
  fc.integer({ min: -3, max: 40 }).map((n) => `(${n})`),
  'INTEGER',
)
const list = orNull(
  fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 5 }).map((items) => `[${items}]::INTEGER[]`),
  'INTEGER[]',
)
const time = fc.integer({ min: 0, max: 400 }).map((day) => `(TIMESTAMP '2020-01-01' + INTERVAL ${day} day)`)
const date = fc.integer({ min: 0, max: 40 }).map((day) => `(DATE '2020-01-01' + ${day})`)
const step = fc.constantFrom('INTERVAL 1 day', 'INTERVAL 13 hour', 'INTERVAL 1 month', 'INTERVAL -2 day')
const json = orNull(
  fc.json({ maxDepth: 3 }).map((value) => `'${value.replaceAll("'", "''")}'`),
  'VARCHAR',
)

const call = (name: string, ...args: fc.Arbitrary<string>[]) =>
  fc.tuple(...args).map((given) => `${name}(${given.join(', ')})`)

const CALLS: Record<string, fc.Arbitrary<string>> = {
  repeat: fc.oneof(
    call('repeat', texts, count),
    call('repeat', list, count),
    call('repeat', fc.constant(`'a'::BLOB`), count),
  ),
  replace: call('replace', texts, texts, texts),
  lpad: call('lpad', texts, count, text),
  rpad: call('rpad', texts, count, text),
  bitstring: call('bitstring', fc.constantFrom(`'101'`, `'0'`, 'NULL::VARCHAR'), count),
  range: fc.oneof(
    call('range', count),
    call('range', count, count),
    call('range', count, count, count),
    call('range', time, time, step),
    call('range', date, date, step),
  ),
  generate_series: fc.oneof(
    call('generate_series', count),
    call('generate_series', count, count),
    call('generate_series', count, count, count),
    call('generate_series', time, time, step),
  ),
  list_resize: fc.oneof(call('list_resize', list, count), call('list_resize', list, count, count)),
  array_resize: call('array_resize', list, count),
  levenshtein: call('levenshtein', texts, texts),
  editdist3: call('editdist3', texts, texts),
  damerau_levenshtein: call('damerau_levenshtein', texts, texts),
  jaro_similarity: fc.oneof(
    call('jaro_similarity', texts, texts),
    call('jaro_similarity', texts, texts, fc.constant('0.5')),
  ),
  jaro_winkler_similarity: call('jaro_winkler_similarity', texts, texts),
  json_structure: fc.oneof(call('json_structure', json), call('json_structure', list)),
  json_pretty: call('json_pretty', json),
  json_contains: call('json_contains', json, json),
  json_merge_patch: call('json_merge_patch', json, json),
}

describe('a guarded function', () => {
  test('is tested here', () => {
    expect(Object.keys(CALLS).toSorted()).toEqual(Object.keys(GUARDED_CALLS).toSorted())
  })

  test.each(Object.entries(CALLS))('%s gives what it gives without a guard', async (_, calls) => {
    let answers = 0
    const property = fc.asyncProperty(calls, async (sql) => {
      const forms = [`SELECT (${sql})::VARCHAR AS x`, `SELECT (${sql})::VARCHAR AS x FROM range(3) LIMIT 1`]
      for (const form of forms) {
        const wanted = await lab.judge(form).catch(() => undefined)
        if (wanted === undefined) {
          // What the engine refuses is refused here too, whatever the words.
          expect((await failure(() => lab.warehouse.sql(form))).kind, form).toMatch(/user|limit/)
        } else {
          answers++
          expect(
            (await lab.warehouse.sql(form)).rows.map(({ x }) => x),
            form,
          ).toEqual(wanted.map(([x]) => x))
        }
      }
    })
    await fc.assert(property, { numRuns: runs(25, 500) })
    expect(answers).toBeGreaterThan(10)
  })

  test('has its name, its type and its places', async () => {
    const places = [
      `SELECT repeat('ab', 2), lpad(5::VARCHAR, 3, '0')`,
      `SELECT s.x, count(*) AS n FROM (SELECT lpad(i::VARCHAR, 2, '0') AS x FROM range(20) t(i)) s GROUP BY s.x ORDER BY s.x LIMIT 3`,
      `SELECT lpad(k, 2, '0') AS p FROM (VALUES ('1'), ('2')) v(k) GROUP BY lpad(k, 2, '0') ORDER BY lpad(k, 2, '0')`,
      'SELECT unnest(generate_series(1, 3)) AS i',
      'SELECT i FROM unnest(range(4)) u(i)',
      'SELECT a, b FROM range(3) t(a), unnest(range(a)) u(b) ORDER BY ALL',
      'SELECT list_transform(range(3), lambda x: x * 2)',
      'SELECT [repeat(x, 2) FOR x IN [1::VARCHAR, 2::VARCHAR]]',
      `SELECT max(repeat(k, 2)) OVER () FROM (VALUES ('a'), ('b')) v(k)`,
      `SELECT k FROM (VALUES ('a'), ('b')) v(k) WHERE repeat(k, 2) = 'bb'`,
      `SELECT ('ab').repeat(2)`,
      `SELECT v.k.repeat(2) FROM (VALUES ('a')) v(k)`,
      `SELECT (SELECT repeat(v.k, 2)) FROM (VALUES ('a')) v(k)`,
    ]
    for (const sql of places) {
      const { columns, rows } = await lab.warehouse.sql(sql)
      const wanted = await lab.duck.run(sql)
      expect(
        columns.map(({ name }) => name),
        sql,
      ).toEqual(wanted.columnNames())
      expect(
        columns.map(({ type }) => type),
        sql,
      ).toEqual(wanted.columnTypes().map(String))
      const values = rows.map((row) => columns.map(({ name }) => String(row[name])))
      expect(values, sql).toEqual((await wanted.getRowsJson()).map((row) => row.map(String)))
    }
  })
})

describe('values that are made once', () => {
  const count = async (sql: string): Promise<number> => {
    const [[tree]] = (await lab.judge(`SELECT json_serialize_sql('${sql.replaceAll("'", "''")}')`)) as [[string]]
    const parsed = readTree(typeof tree === 'string' ? tree : JSON.stringify(tree))
    if (parsed.error) throw new Error(parsed.error_message)
    return singleCalls(parsed.statements[0]!.node)
  }

  test.each([
    ['SELECT len(range(10))', 1],
    ['SELECT unnest(range(10)), unnest(range(20))', 2],
    ['SELECT unnest(generate_series(min(a), max(a))) FROM t', 1],
    [
      'SELECT x FROM (SELECT unnest(generate_series((SELECT min(a) FROM t), (SELECT max(a) FROM t), 60)) AS x) d LEFT JOIN t ON a = x',
      1,
    ],
    ['WITH d AS (SELECT unnest(range(10)) AS x) SELECT count(*) FROM d, t', 1],
    ['FROM unnest(range(10))', 1],
    ['SELECT 1', 0],
    ['FROM range(10)', 0],
    ['SELECT range(10) FROM t', 0],
    ['SELECT unnest(range(10)) FROM t', 0],
    ['SELECT unnest(range(a)) FROM t', 0],
    ['SELECT unnest(range(max(a))) FROM t GROUP BY b', 0],
    ['SELECT r FROM (SELECT range(10) AS r), t', 0],
    ['SELECT list_transform([1], lambda x: range(10))', 0],
    ['SELECT (SELECT len(range(10)) WHERE t.a = 1) FROM t', 0],
    ['SELECT * FROM t, (SELECT unnest(range(10)))', 0],
    ['FROM t, unnest(range(a))', 0],
  ])('%s: %i', async (sql, calls) => {
    expect(await count(sql)).toBe(calls)
  })

  test('may be large, and others not', async () => {
    const minutes = `generate_series(TIMESTAMP '2020-01-01', TIMESTAMP '2021-01-01', INTERVAL 1 minute)`
    const { rows } = await lab.warehouse.sql(`SELECT count(*) AS n FROM (SELECT unnest(${minutes}))`)
    expect(rows).toEqual([{ n: 527_041 }])
    expect((await lab.warehouse.sql(`SELECT count(*) AS n FROM ${minutes}`)).rows).toEqual([{ n: 527_041 }])
    expect((await failure(() => lab.warehouse.sql(`SELECT len(${minutes}) FROM range(3)`))).code).toBe('MEMORY_LIMIT')
  })
})
