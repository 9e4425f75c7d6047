import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dataFiles, failure, filesBelow, type Lab, openLab } from './import-lab.ts'

const CANARY = 'canary-in-a-coal-mine'

let lab: Lab
let before: string[]
/** What stands for paths in the attempts. */
let places: Record<string, string>

beforeAll(async () => {
  lab = await openLab()
  await lab.warehouse.import('t', [await lab.write(`SELECT i AS id, 'n' || i AS s FROM range(10) r(i)`)])
  places = {
    CSV: lab.text(`secret\n${CANARY}\n`, 'outside/canary.csv'),
    PARQUET: await lab.write(`SELECT '${CANARY}' AS secret`, 'outside/canary.parquet'),
    FOLDER: `${lab.dir}/outside`,
    DATA: (await dataFiles(lab.warehouse, 't'))[0]!,
    ROOT: lab.root,
  }
  before = filesBelow(lab.dir)
})

afterAll(async () => {
  expect(filesBelow(lab.dir)).toEqual(before)
  await lab.close()
})

const fill = (sql: string) => sql.replaceAll(/\{(\w+)\}/g, (_, name: string) => places[name]!)

const FORBIDDEN = [
  `SELECT * FROM read_csv('{CSV}')`,
  `SELECT * FROM read_csv_auto('{CSV}')`,
  `SELECT * FROM read_csv(['{CSV}'])`,
  `SELECT * FROM read_text('{CSV}')`,
  `SELECT * FROM read_blob('{CSV}')`,
  `SELECT * FROM read_json('{CSV}')`,
  `SELECT * FROM read_json_objects('{CSV}')`,
  `SELECT * FROM read_ndjson_objects('{CSV}')`,
  `SELECT * FROM glob('{FOLDER}/*')`,
  `SELECT * FROM sniff_csv('{CSV}')`,
  `SELECT * FROM parquet_scan('{PARQUET}')`,
  `SELECT * FROM read_parquet('{PARQUET}')`,
  `SELECT * FROM READ_PARQUET('{PARQUET}')`,
  `SELECT * FROM "read_parquet"('{PARQUET}')`,
  `SELECT * FROM system.main.read_parquet('{PARQUET}')`,
  `SELECT * FROM parquet_metadata('{PARQUET}')`,
  `SELECT * FROM parquet_schema('{PARQUET}')`,
  `SELECT * FROM parquet_file_metadata('{DATA}')`,
  `SELECT * FROM read_parquet('{DATA}')`,
  `SELECT * FROM '{CSV}'`,
  `SELECT * FROM '{PARQUET}'`,
  `FROM "{PARQUET}"`,
  `SELECT * FROM '{DATA}'`,
  `SELECT * FROM 'file://{PARQUET}'`,
  `SELECT * FROM '{FOLDER}/*.parquet'`,
  `WITH x AS (FROM read_csv('{CSV}')) FROM x`,
  `WITH x AS MATERIALIZED (FROM '{CSV}') FROM x`,
  `WITH RECURSIVE x AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM x, read_csv('{CSV}') WHERE i < 3) FROM x`,
  `SELECT (SELECT secret FROM '{CSV}')`,
  `SELECT [(SELECT secret FROM read_csv('{CSV}'))]`,
  `SELECT {'a': (SELECT secret FROM '{CSV}')}`,
  `SELECT * FROM t, LATERAL (SELECT * FROM read_csv('{CSV}'))`,
  `SELECT * FROM t JOIN '{CSV}' ON true`,
  `SELECT * FROM t NATURAL JOIN read_csv('{CSV}')`,
  `SELECT * FROM t WHERE s IN (SELECT secret FROM read_csv('{CSV}'))`,
  `SELECT * FROM t WHERE EXISTS (FROM '{CSV}' WHERE secret = s)`,
  `SELECT * FROM t ORDER BY (SELECT secret FROM '{CSV}')`,
  `SELECT * FROM t LIMIT (SELECT count(*) FROM '{CSV}')`,
  `SELECT * FROM t GROUP BY ALL HAVING count(*) > (SELECT count(*) FROM '{CSV}')`,
  `SELECT * FROM t QUALIFY row_number() OVER (ORDER BY (SELECT secret FROM '{CSV}')) = 1`,
  `SELECT count(*) FILTER (WHERE s IN (SELECT secret FROM '{CSV}')) FROM t`,
  `SELECT list_transform([1], x -> (SELECT secret FROM '{CSV}'))`,
  `SELECT 1 UNION ALL FROM read_text('{CSV}')`,
  `SELECT * FROM (VALUES ((SELECT secret FROM '{CSV}')))`,
  `SELECT * FROM unnest((SELECT list(secret) FROM '{CSV}'))`,
  `SELECT * FROM repeat((SELECT secret FROM '{CSV}'), 3)`,
  `SELECT * FROM t PIVOT (count(*) FOR s IN (SELECT secret FROM '{CSV}'))`,
  `DESCRIBE FROM '{CSV}'`,
  `DESCRIBE '{CSV}'`,
  `SUMMARIZE '{CSV}'`,
  `SUMMARIZE SELECT * FROM read_csv('{CSV}')`,
  `COPY t TO '{FOLDER}/out.csv'`,
  `COPY (SELECT 1) TO '{ROOT}/out.csv'`,
  `COPY t FROM '{CSV}'`,
  `ATTACH '{FOLDER}/x.db'`,
  `EXPORT DATABASE '{FOLDER}/e'`,
  'INSTALL httpfs',
  'LOAD httpfs',
  `SET memory_limit = '1GB'`,
  'SET VARIABLE x = 1',
  'RESET memory_limit',
  'PRAGMA database_list',
  'CALL pragma_version()',
  'CREATE TABLE x (i INTEGER)',
  'CREATE VIEW v AS SELECT 1',
  'INSERT INTO t VALUES (1, 2)',
  'UPDATE t SET id = 1',
  'DELETE FROM t',
  'DROP VIEW t',
  'ALTER VIEW t RENAME TO u',
  'BEGIN',
  'CHECKPOINT',
  'VACUUM',
  'EXPLAIN ANALYZE SELECT 1',
  'PREPARE p AS SELECT 1',
  'USE main',
  'SHOW TABLES',
  'SHOW ALL TABLES',
  'SHOW DATABASES',
  'SELECT 1; SELECT 2',
  `SELECT 1; COPY t TO '{FOLDER}/x.csv'`,
  `SELECT 1 /* ; */; DROP VIEW t --`,
  `SELECT 1 --\n; ATTACH '{FOLDER}/x.db'`,
  `SELECT * FROM query('SELECT 1')`,
  `SELECT * FROM query('FROM read_csv(''{CSV}'')')`,
  `SELECT * FROM query_table('t')`,
  `SELECT * FROM query_table(['{CSV}'])`,
  `SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))`,
  `SELECT json_serialize_plan('FROM read_csv(''{CSV}'')')`,
  `SELECT getenv('HOME')`,
  `SELECT TRY(getenv('HOME'))`,
  `SELECT current_setting('temp_directory')`,
  `SELECT system.main.current_setting('temp_directory')`,
  `SELECT getvariable('x')`,
  `SELECT nextval('x')`,
  `SELECT write_log('x')`,
  'SELECT setseed(0.5)',
  'SELECT * FROM duckdb_settings()',
  'SELECT * FROM duckdb_functions()',
  'SELECT * FROM duckdb_secrets()',
  'SELECT * FROM duckdb_views',
  'SELECT * FROM pragma_database_size()',
  `SELECT * FROM pragma_table_info('t')`,
  'SELECT * FROM information_schema.tables',
  'SELECT * FROM pg_catalog.pg_tables',
  'SELECT * FROM sqlite_master',
  `SELECT * FROM seq_scan('t')`,
  'SELECT * FROM arrow_scan(1, 2, 3)',
  'SELECT * FROM checkpoint()',
  'SELECT * FROM enable_logging()',
  'SELECT * FROM test_all_types()',
  `SELECT * FROM sql_auto_complete('SELECT * FROM ''{FOLDER}/')`,
  `SELECT read_text('{CSV}')`,
  'FROM memory.main.t',
  'FROM t AT (VERSION => 1)',
]

const CODES = ['SQL_FORBIDDEN', 'SQL_INVALID', 'TABLE_NOT_FOUND', 'TABLE_NAME_INVALID']

describe('beyond the fence', () => {
  test.for(FORBIDDEN)('%s', async (attempt) => {
    const error = await failure(() => lab.warehouse.sql(fill(attempt)))
    expect(CODES, error.message).toContain(error.code)
    expect(error.message).not.toContain(CANARY)
    const explained = await failure(() => lab.warehouse.explain(fill(attempt)))
    expect(CODES).toContain(explained.code)
  })
})

// What the analysis lets through still meets the engine's own fence.
test('the engine itself refuses what lies outside of the warehouse', async () => {
  const { Engine } = await import('../../src/engine/engine.ts')
  const { readSettings } = await import('../../src/config.ts')
  await using engine = await Engine.open({
    settings: readSettings({ SKEP_THREADS: '1' }),
    spillPath: `${lab.root}/.tmp/fence`,
    roots: [lab.root],
  })
  using session = await engine.session()
  const attempts = [
    `FROM read_csv('{CSV}')`,
    `FROM read_text('{CSV}')`,
    `FROM '{PARQUET}'`,
    `FROM '{ROOT}/../outside/canary.parquet'`,
    `COPY (SELECT 1) TO '{FOLDER}/out.csv'`,
    `ATTACH '{FOLDER}/x.db'`,
    'SET enable_external_access = true',
    `SET allowed_directories = ['/']`,
    'SET threads = 64',
    'RESET lock_configuration',
    'INSTALL httpfs',
    'LOAD httpfs',
  ]
  for (const attempt of attempts) {
    await expect(session.run(fill(attempt)), attempt).rejects.toThrow()
  }
  expect(await session.rows(`SELECT count(*)::INTEGER AS n FROM '${places.DATA}'`)).toEqual([{ n: 10 }])
})

test('what is harmless stays allowed', async () => {
  const allowed: [sql: string, rows: number][] = [
    ['FROM range(3)', 3],
    ['FROM generate_series(1, 3)', 3],
    ['SELECT unnest([1, 2])', 2],
    ['FROM unnest([1, 2, 3])', 3],
    [`FROM json_each('{"a": 1}')`, 1],
    ['DESCRIBE t', 2],
    ['DESCRIBE SELECT * FROM t', 2],
    ['SUMMARIZE t', 2],
    ['VALUES (1), (2)', 2],
    ['TABLE t', 10],
    ['FROM t', 10],
    ['SELECT 1;', 1],
    ['SELECT 1 -- a comment; with a semicolon', 1],
    [`SELECT 'read_csv(''x''); COPY t TO y'`, 1],
    ['SELECT 1 AS read_csv', 1],
    ['SELECT read_text FROM (SELECT 1 AS read_text)', 1],
    ['WITH sqlite_master AS (SELECT 1) FROM sqlite_master', 1],
    [`SELECT json_serialize_sql('SELECT 1')`, 1],
  ]
  for (const [sql, rows] of allowed) expect((await lab.warehouse.sql(sql)).rows, sql).toHaveLength(rows)
})

test('nothing was written beside the warehouse', () => {
  expect(readdirSync(places.FOLDER!).toSorted()).toEqual(['canary.csv', 'canary.parquet'])
})
