/** Comparisons of numbers, dates and times, decided on worker threads and by the engine: the same document. */
import { deepStrictEqual } from 'node:assert'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import { Warehouse } from '../../src/warehouse.ts'
import { comparable } from '../oracle/document.ts'
import { queryText } from '../oracle/text.ts'
import { runs, tortureTimeout } from '../torture.ts'

const folder = mkdtempSync(join(tmpdir(), 'skep-direct-numbers-'))
const TABLES = ['buckets', 'plain', 'split']
let direct: Warehouse
let engine: Warehouse

/** A column of every type that is compared directly, with nulls, ends of its range and what is special about it. */
const ROWS = `SELECT CAST(hash(i) % 900 AS BIGINT) AS a, TIMESTAMP '2026-01-01' + to_seconds(CAST(hash(i * 3) % 5000000 AS BIGINT)) AS ts,
  CASE hash(i * 5) % 11 WHEN 0 THEN NULL WHEN 1 THEN 'nan'::DOUBLE WHEN 2 THEN 'inf'::DOUBLE WHEN 3 THEN '-inf'::DOUBLE WHEN 4 THEN -0.0
    ELSE (hash(i * 7) % 1000)::DOUBLE / 8 END AS d,
  CASE hash(i * 15) % 7 WHEN 0 THEN NULL WHEN 1 THEN 0.1::FLOAT ELSE ((hash(i * 8) % 1000) / 8)::FLOAT END AS f,
  CASE hash(i * 25) % 7 WHEN 0 THEN NULL WHEN 1 THEN -32768 ELSE (hash(i * 9) % 300)::SMALLINT END AS s,
  CASE hash(i * 35) % 7 WHEN 0 THEN NULL WHEN 1 THEN 9223372036854775807 WHEN 2 THEN -9223372036854775808 ELSE (hash(i * 19) % 300)::BIGINT END AS b,
  CASE hash(i * 45) % 7 WHEN 0 THEN NULL ELSE ((hash(i * 29) % 3000) / 100)::DECIMAL(9, 2) END AS p,
  CASE hash(i * 55) % 7 WHEN 0 THEN NULL WHEN 1 THEN DATE 'infinity' ELSE DATE '2026-01-01' + (hash(i * 39) % 30)::INTEGER END AS day,
  ['x', 'y', 'z', NULL][1 + (hash(i * 77) % 4)::INTEGER] AS t
  FROM range(12000) r(i)`

const VALUES: Record<string, unknown[]> = {
  d: [0, -0, 12.5, -1, 1e300, 124.875],
  f: [0.1, 3.5, 0, 60.125],
  s: [0, -32768, 150, 40000, -99999],
  b: [9223372036854775807n, -9223372036854775808n, 2n ** 70n, 150, -5],
  p: ['12.34', 3, '29.99', '12.345', -1],
  day: ['2026-01-10', '2026-01-31T05:00:00', '1999-01-01'],
  ts: ['2026-02-01', '2026-01-15T08:14:00.123456'],
}
const NUMBERS = Object.entries(VALUES).map(([column, values]) => ({ column, value: fc.constantFrom(...values) }))

const leaf = fc.constantFrom(...NUMBERS).chain(({ column, value }) =>
  fc.oneof(
    fc.tuple(fc.constant(column), fc.constantFrom('==', '!=', '<', '<=', '>', '>='), value),
    fc.record({ column: fc.constant(column), op: fc.constantFrom('is null', 'is not null') }),
    fc.tuple(fc.constant(column), fc.constantFrom('in', 'not in'), fc.array(value, { minLength: 1, maxLength: 4 })),
    fc.tuple(fc.constant(column), fc.constant('between'), fc.tuple(value, value)),
    fc
      .tuple(fc.constant('t'), fc.constantFrom('==', '!=', 'in'), fc.constantFrom('x', 'y'))
      .map(([c, op, v]) => [c, op, op === 'in' ? [v] : v]),
  ),
)
const { filter } = fc.letrec((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.record({ not: tie('filter') }),
    fc.record({ and: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
  ),
}))
const queries = fc
  .tuple(fc.array(filter, { minLength: 1, maxLength: 2 }), fc.array(filter, { minLength: 1, maxLength: 3 }))
  .map(
    ([conditions, steps]) =>
      ({
        query: { conditions: conditions.map((given) => ({ filter: given, target: ['count', '>=', 2] })) },
        funnel: { sequence: steps.map((given) => ({ filter: given })), within: '9d' },
      }) as unknown as BehaviouralQuery,
  )

beforeAll(async () => {
  const open = (env: Record<string, string>) =>
    Warehouse.open(join(folder, 'warehouse'), { env: { SKEP_THREADS: '2', SKEP_ROW_GROUP_ROWS: '2048', ...env } })
  direct = await open({ SKEP_DIRECT_ROWS: '0' })
  engine = await open({ SKEP_DIRECT_GROUP_ROWS: '0' })
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  await connection.run(`COPY (${ROWS}) TO '${folder}/rows.parquet' (FORMAT parquet)`)
  // Without dictionaries numbers are plain, in the second version of the encodings differences and split bytes; texts keep theirs.
  const plain = { plain: 'PARQUET_VERSION v1, COMPRESSION snappy', split: 'PARQUET_VERSION v2, COMPRESSION zstd' }
  for (const [name, options] of Object.entries(plain)) {
    const target = `${folder}/${name}`
    await connection.run(
      `COPY (${ROWS}) TO '${target}' (FORMAT parquet, ${options}, ROW_GROUP_SIZE 4096, DICTIONARY_SIZE_LIMIT 8, PER_THREAD_OUTPUT)`,
    )
    await direct.register(name, target, { actor: 'a', time: 'ts', validate: 'single' })
  }
  connection.closeSync()
  instance.closeSync()
  await direct.import('buckets', [`${folder}/rows.parquet`], { actor: 'a', time: 'ts', buckets: 4 })
})

afterAll(async () => {
  await direct.close()
  await engine.close()
  rmSync(folder, { recursive: true })
})

async function answer(warehouse: Warehouse, table: string, query: BehaviouralQuery) {
  try {
    const result = await warehouse.query(table, query)
    return { document: comparable(result), reader: result.stats.reader }
  } catch (error) {
    return { document: String(error), reader: 'none' }
  }
}

test(
  'numbers are compared alike by threads and engine',
  async () => {
    const readers = { direct: 0, engine: 0, none: 0 } as Record<string, number>
    await fc.assert(
      fc.asyncProperty(queries, fc.constantFrom(...TABLES), async (query, table) => {
        const [own, other] = [await answer(direct, table, query), await answer(engine, table, query)]
        deepStrictEqual(own.document, other.document, queryText(query))
        readers[own.reader]! += 1
      }),
      { numRuns: runs(120, 4000) },
    )
    expect(readers.direct).toBeGreaterThan(runs(120, 4000) / 2)
  },
  tortureTimeout(120_000),
)
