/** Documents of steps: the cases of the reference, and what goes beyond them. */
import { mkdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BuzzDocument } from '../../src/planner/buzz.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { DeltaLab, type Field } from '../delta-lab.ts'
import { bee, comb, documentOf, judgeDocument, mockCatalog, rowsOf } from './buzz-lab.ts'
import { bigId, ForeignTable, field, type LabField } from './foreign-lab.ts'
import { failure, type Lab, openLab } from './import-lab.ts'

let lab: Lab
/** Whatever can be divided is, down to files of one row. */
let fine: Warehouse
/** The same with tasks of a few more rows. */
let divided: Warehouse
beforeAll(async () => {
  lab = await openLab()
  const always = { SKEP_SPLIT: 'always', SKEP_BROADCAST_BYTES: '1' }
  fine = await lab.open({ ...always, SKEP_TASK_ROWS: '1' })
  divided = await lab.open({ ...always, SKEP_TASK_ROWS: '25' })
  await mockCatalog(lab, 'm50', 5, 0)
  await mockCatalog(lab, 'm51', 5, 1)
  await mockCatalog(lab, 'm52', 5, 2)
  const sales = (year: string, city: string, rows: string) =>
    lab.write(rows, `sales/year=${year}/city=${city}/part.parquet`)
  await sales('2009', 'New%20York%2FNY', `SELECT i AS id, i % 3 AS k, (i * 1.5)::DOUBLE AS paid FROM range(40) t(i)`)
  await sales(
    '2009',
    '__HIVE_DEFAULT_PARTITION__',
    `SELECT i AS id, i % 3 AS k, 2::DOUBLE AS paid FROM range(40, 60) t(i)`,
  )
  await sales('2010', 'Z%C3%BCrich', `SELECT i AS id, i % 4 AS k, (i * 0.5)::DOUBLE AS paid FROM range(60, 90) t(i)`)
  await sales('2011', 'Paris', `SELECT i AS id, i % 2 AS k, i::DOUBLE AS paid FROM range(90, 95) t(i)`)
  await lab.write(`SELECT i AS k, 'kind ' || i AS kind FROM range(3) t(i)`, 'kinds/of=all/part.parquet')
})
afterAll(async () => {
  await fine.close()
  await divided.close()
  await lab.close()
})

const MAP = 'SELECT * FROM m51'
const REDUCE = 'SELECT * FROM mapper'
const two = (catalog: string, map: string, reduce: string, filter?: string) =>
  documentOf(lab, [bee('mapper', map, filter), comb('reducer', reduce)], { catalogs: [catalog] })

describe('cases of the reference', () => {
  test('B1: all files, one task each', async () => {
    const { rows, stats } = await fine.run(two('m50', 'SELECT * FROM m50', REDUCE))
    expect(rows.map(({ data_col }) => data_col).sort()).toEqual([0, 0, 1, 1, 1])
    expect(stats).toMatchObject({ tasks: 5, files: 5, filesPruned: 0 })
  })

  test('B2: a table that nobody knows', async () => {
    const error = await failure(() => fine.run(two('m50', 'SELECT * FROM test', REDUCE)))
    expect(error).toMatchObject({ code: 'TABLE_NOT_FOUND', details: { table: 'test', step: 'mapper' } })
    expect(error.message).toContain('step "mapper"')
  })

  test('B3: a filter on a range of partitions', async () => {
    const filter = "part_key_2>='part_value_001' AND part_key_2<='part_value_003'"
    const { stats } = await fine.run(two('m52', 'SELECT * FROM m52', REDUCE, filter))
    expect(stats).toMatchObject({ tasks: 3, files: 3, filesPruned: 2 })
    const { rows } = await fine.run(two('m52', 'SELECT * FROM m52 WHERE data_col = 0', REDUCE, filter))
    expect(rows).toEqual([{ data_col: 0, part_key_1: 'part_value_002', part_key_2: 'part_value_002' }])
  })

  test('B4: a filter that nothing meets', async () => {
    const result = await fine.run(two('m51', MAP, REDUCE, "part_key_1='not_in_partition_value'"))
    expect(result.rows).toEqual([])
    expect(result.columns.map(({ name }) => name)).toEqual(['data_col', 'part_key_1'])
    expect(result.stats).toMatchObject({ tasks: 0, files: 0, filesPruned: 5, rows: 0 })
  })

  test('B5: counts of counts', async () => {
    const map = 'SELECT data_col, count(data_col) AS cnt FROM m51 GROUP BY data_col'
    const counted = await fine.run(
      two('m51', map, 'SELECT data_col, count(cnt) AS n FROM mapper GROUP BY data_col ORDER BY data_col'),
    )
    // A step is a relation: it has one row for each group, however many files its rows come from.
    expect(counted.rows).toEqual([
      { data_col: 0, n: 1 },
      { data_col: 1, n: 1 },
    ])
    const summed = await fine.run(
      two('m51', map, 'SELECT data_col, sum(cnt) AS n FROM mapper GROUP BY data_col ORDER BY data_col'),
    )
    expect(summed.rows.map(({ n }) => Number(n))).toEqual([2, 3])
    expect(summed.stats.tasks).toBeGreaterThanOrEqual(5)
  })

  test('B6: an HComb that reads a catalog', async () => {
    const error = await failure(() => fine.run(two('m51', MAP, 'SELECT * FROM m51')))
    expect(error).toMatchObject({
      code: 'DOCUMENT_INVALID',
      details: {
        violations: [{ path: '/steps/1/sql', message: 'step "reducer" reads "m51"; an HComb reads earlier steps' }],
      },
    })
    expect(error.status).toBe(400)
  })

  test('B7: a filter for one file', async () => {
    const document = two('m51', MAP, REDUCE, "part_key_1='part_value_002'")
    const { rows, stats } = await fine.run(document)
    expect(rows).toEqual([{ data_col: 0, part_key_1: 'part_value_002' }])
    expect(stats).toMatchObject({ files: 1, filesPruned: 4 })
  })

  test('B9: steps in any number, the first of them an HBee', async () => {
    const one = documentOf(lab, [bee('mapper', 'SELECT count(*) AS n FROM m51')], { catalogs: ['m51'] })
    expect((await fine.run(one)).rows).toEqual([{ n: 5 }])
    const swapped = documentOf(lab, [comb('reducer', REDUCE), bee('mapper', MAP)], { catalogs: ['m51'] })
    const error = await failure(() => fine.run(swapped))
    expect(error.code).toBe('DOCUMENT_INVALID')
    expect(error.message).toContain('step "reducer" comes first and is an HComb')
    const three = documentOf(
      lab,
      [
        bee('a', MAP),
        comb('b', 'SELECT data_col, count(*) AS n FROM a GROUP BY data_col'),
        comb('c', 'SELECT max(n) AS n FROM b'),
      ],
      { catalogs: ['m51'] },
    )
    expect((await fine.run(three)).rows).toEqual([{ n: 3 }])
  })

  test('B10: other spellings and missing parts', async () => {
    const document = two('m51', MAP, REDUCE)
    const wrong = async (change: object) => {
      const error = await failure(() => fine.run({ ...document, ...change } as BuzzDocument))
      expect(error).toMatchObject({ code: 'DOCUMENT_INVALID', status: 400 })
      return error.message
    }
    const step = { ...document.steps[0], step_type: 'hbee' }
    expect(await wrong({ steps: [step, document.steps[1]] })).toContain(
      'step "mapper": expected one of "HBee", "HComb"',
    )
    expect(await wrong({ capacity: undefined })).toContain('/capacity')
    const catalog = { ...document.catalogs![0], type: 'static' }
    expect(await wrong({ catalogs: [catalog] })).toContain('did you mean "Static"?')
  })

  test('B11: a Static catalog that is not there', async () => {
    const document = { ...two('m51', MAP, REDUCE), catalogs: [{ name: 'm51', type: 'Static' as const, uri: 'nope' }] }
    const error = await failure(() => fine.run(document))
    expect(error).toMatchObject({ code: 'CATALOG_NOT_FOUND', details: { catalog: 'm51', uri: 'nope' }, status: 400 })
    expect(error.message).toContain('Static catalog not found')
    mkdirSync(`${lab.dir}/empty`)
    const empty = { ...document, catalogs: [{ name: 'm51', type: 'Static' as const, uri: `${lab.dir}/empty` }] }
    expect((await failure(() => fine.run(empty))).message).toContain('Static catalog not found')
  })

  test('B12: a join of two catalogs', async () => {
    await agrees(
      documentOf(
        lab,
        [
          bee('mapper', 'SELECT kind, count(*) AS n, sum(paid) AS s FROM sales JOIN kinds USING (k) GROUP BY kind'),
          comb('reducer', 'SELECT kind, n, s FROM mapper WHERE n > 1'),
        ],
        { catalogs: ['sales', 'kinds'] },
      ),
    )
  })

  test('B27: files that differ from each other in names or types', async () => {
    await lab.write(`SELECT 1 AS x, 'a' AS y`, 'mixed/of=1/a.parquet')
    await lab.write('SELECT 2 AS x, 3 AS z', 'mixed/of=2/b.parquet')
    const document = two('mixed', 'SELECT x, y, z FROM mixed', 'SELECT * FROM mapper ORDER BY x')
    expect((await fine.run(document)).rows).toEqual([
      { x: 1, y: 'a', z: null },
      { x: 2, y: null, z: 3 },
    ])
    await lab.write(`SELECT 'text' AS x, 'a' AS y`, 'mixed/of=3/c.parquet')
    const error = await failure(() => fine.run(document))
    expect(error).toMatchObject({ code: 'SCHEMA_MISMATCH', details: { table: 'mixed', column: 'x' } })
    expect(error.message).toMatch(/^catalog "mixed": .*x.*INTEGER in .*a\.parquet but VARCHAR in .*c\.parquet/)
  })

  test('B29: files without rows', async () => {
    await lab.write('SELECT 7 AS x FROM range(2)', 'sparse/of=1/a.parquet')
    await lab.write('SELECT 7 AS x WHERE false', 'sparse/of=2/b.parquet')
    await agrees(two('sparse', 'SELECT "of", x FROM sparse', 'SELECT "of", count(*) AS n FROM mapper GROUP BY "of"'))
  })

  test('B30: a step that is read twice is one and the same relation', async () => {
    const document = two(
      'm51',
      'SELECT data_col, random() AS r FROM m51',
      'SELECT count(*) AS n FROM mapper a JOIN mapper b ON a.r = b.r',
    )
    expect((await fine.run(document)).rows).toEqual([{ n: 5 }])
    await agrees(two('m51', MAP, 'SELECT a.part_key_1, b.data_col FROM mapper a JOIN mapper b USING (part_key_1)'))
  })
})

/** Passes when a document has the rows that DuckDB gives it: whole and divided, on either pool, with one zone and with four. */
async function agrees(document: BuzzDocument): Promise<void> {
  const expected = await judgeDocument(lab, document)
  expect(await rowsOf(lab.warehouse, document)).toEqual(expected)
  for (const zones of [1, 4]) {
    for (const pool of ['inline', 'threads'] as const) {
      expect(await rowsOf(divided, { ...document, capacity: { zones } }, { pool })).toEqual(expected)
    }
  }
}

const SALES = { catalogs: ['sales', 'kinds'] }

describe('documents and DuckDB agree on', () => {
  const bySales = (...steps: Parameters<typeof documentOf>[1]) => documentOf(lab, steps, SALES)

  test.each([
    ['integers', 'year >= 2010'],
    ['integers against texts of them', "year = '2010'"],
    ['decoded texts', "city = 'New York/NY'"],
    ['nulls', 'city IS NULL'],
    ['nulls that are neither', "city <> 'Paris'"],
    ['functions', "lower(city) LIKE 'z%' OR year BETWEEN 2011 AND 2012"],
    ['lists', "(year, city) IN ((2011, 'Paris'), (2010, 'Paris'))"],
    ['the name of the catalog', 'sales.year = 2009'],
    ['a comment', 'year = 2009 -- as ever'],
    ['a column in other letters', '"YEAR" = 2009'],
    ['nothing', '1 = 0'],
    ['everything', 'true'],
  ])('filters with %s', async (_, filter) => {
    await agrees(
      bySales(
        bee('mapper', 'SELECT year, city, count(*) AS n, sum(paid) AS s FROM sales GROUP BY year, city', filter),
        comb('reducer', 'SELECT year, city, sum(n) AS n, sum(s) AS s FROM mapper GROUP BY year, city'),
      ),
    )
  })

  test('partition columns in SQL', async () => {
    await agrees(
      bySales(
        bee(
          'mapper',
          `SELECT year + 1 AS next, coalesce(city, '?') AS city, id FROM sales WHERE year < 2011 AND k = 1`,
        ),
        comb('reducer', 'SELECT next, city, count(*) AS n, max(id) AS m FROM mapper GROUP BY ALL'),
      ),
    )
  })

  test('two HBees that meet in an HComb', async () => {
    await agrees(
      bySales(
        bee('spent', 'SELECT k, sum(paid) AS s FROM sales GROUP BY k', 'year = 2009'),
        bee('named', 'SELECT * FROM kinds'),
        comb('both', 'SELECT kind, s FROM spent JOIN named USING (k)'),
      ),
    )
  })

  test('one catalog under two filters, and under none', async () => {
    await agrees(
      bySales(
        bee('old', 'SELECT k, count(*) AS n FROM sales GROUP BY k', 'year = 2009'),
        bee('new', 'SELECT k, count(*) AS n FROM sales AS s WHERE s.id > 0 GROUP BY k', 'year > 2009'),
        bee('newest', 'SELECT k, count(*) AS n FROM sales GROUP BY k', 'year > 2009'),
        bee('whole', 'SELECT k, count(*) AS n FROM (SELECT * FROM sales) GROUP BY k'),
        comb(
          'together',
          'SELECT k, old.n AS o, new.n AS n, newest.n AS m, whole.n AS b FROM whole LEFT JOIN old USING (k) LEFT JOIN new USING (k) LEFT JOIN newest USING (k)',
        ),
      ),
    )
  })

  test('a chain of steps, one of them unused', async () => {
    await agrees(
      bySales(
        bee('rows', 'SELECT year, k, paid FROM sales WHERE paid > 1'),
        bee('unused', 'SELECT count(*) AS n FROM kinds'),
        comb('groups', 'SELECT year, k, sum(paid) AS s FROM rows GROUP BY year, k'),
        comb('years', 'SELECT year, max(s) AS most FROM groups GROUP BY year'),
        comb('last', 'SELECT g.year, g.k FROM groups g JOIN years y ON g.year = y.year AND g.s = y.most'),
      ),
    )
  })

  test('steps that end in a semicolon, a comment, or begin with a WITH clause of their own', async () => {
    await agrees(
      bySales(
        bee('a', 'WITH few AS (SELECT * FROM sales WHERE k = 1) SELECT year, id FROM few;'),
        bee('b', 'SELECT DISTINCT k FROM sales; -- that is all'),
        comb(
          'c',
          'WITH t AS (SELECT year, count(*) AS n FROM a GROUP BY year) SELECT year, n, (SELECT count(*) FROM b) AS m FROM t;',
        ),
      ),
    )
  })

  test('unions, windows and limits', async () => {
    await agrees(
      bySales(
        bee('a', `SELECT k, 's' AS w FROM sales UNION ALL SELECT k, 'k' FROM kinds`),
        comb('b', 'SELECT k, w, count(*) AS n FROM a GROUP BY k, w'),
        comb(
          'c',
          'SELECT k, w, rank() OVER (PARTITION BY w ORDER BY n DESC, k) AS r FROM b ORDER BY n DESC, k, w LIMIT 4',
        ),
      ),
    )
  })
})

describe('what a step reads', () => {
  beforeAll(async () => {
    await lab.warehouse.import('events', [await lab.write('SELECT i AS who, i % 2 AS event FROM range(10) t(i)')], {})
    await lab.warehouse.import('m51', [await lab.write(`SELECT 'of the warehouse' AS data_col`)], {})
    await lab.warehouse.register('visits', `${lab.dir}/sales`, { actor: 'id', time: 'k' })
  })

  test('are tables of the warehouse, unless a catalog has their name', async () => {
    const steps = [bee('mapper', 'SELECT data_col FROM M51'), comb('reducer', 'SELECT DISTINCT data_col FROM mapper')]
    expect((await divided.run(documentOf(lab, steps))).rows).toEqual([{ data_col: 'of the warehouse' }])
    expect((await divided.run(documentOf(lab, steps, { catalogs: ['m51'] }))).rows).toHaveLength(2)
    const joined = [
      bee('mapper', 'SELECT event, count(*) AS n FROM events JOIN kinds ON k = who GROUP BY event'),
      comb('reducer', 'SELECT sum(n) AS n FROM mapper'),
    ]
    expect((await divided.run(documentOf(lab, joined, { catalogs: ['kinds'] }))).rows).toEqual([{ n: 3 }])
  })

  test('may be filtered by the folders of a registered table, not by columns of a managed one', async () => {
    const visits = documentOf(lab, [bee('mapper', 'SELECT count(*) AS n FROM visits', 'year = 2010')])
    expect(await divided.run(visits)).toMatchObject({ rows: [{ n: 30 }], stats: { files: 1, filesPruned: 3 } })
    const events = documentOf(lab, [bee('mapper', 'SELECT count(*) AS n FROM events', 'event = 1')])
    const error = await failure(() => divided.run(events))
    expect(error).toMatchObject({
      code: 'COLUMN_NOT_FOUND',
      details: { table: 'events', column: 'event', step: 'mapper' },
    })
    const sized = documentOf(lab, [
      bee('mapper', 'SELECT count(*) AS n FROM events', `length > 10 AND key LIKE '%.parquet'`),
    ])
    expect((await divided.run(sized)).rows).toEqual([{ n: 10 }])
  })

  test('may be a folder by a URL', async () => {
    const document = two('m51', 'SELECT count(*) AS n FROM m51', REDUCE)
    const at = (uri: string) => ({ ...document, catalogs: [{ name: 'm51', type: 'Static' as const, uri }] })
    expect((await divided.run(at(`file://${lab.dir}/m51/`))).rows).toEqual([{ n: 5 }])
    expect((await failure(() => divided.run(at('s3://bucket/m51')))).code).toBe('ARGUMENT_INVALID')
    expect((await failure(() => divided.run(at(`${lab.dir}/m50/file_1.parquet`)))).code).toBe('CATALOG_NOT_FOUND')
  })

  test('is read as it is now', async () => {
    await lab.write('SELECT 1 AS x', 'live/of=1/a.parquet')
    const document = two('live', 'SELECT * FROM live', 'SELECT sum(x) AS s, count(*) AS n FROM mapper')
    expect((await divided.run(document)).rows).toEqual([{ s: 1, n: 1 }])
    await lab.write('SELECT 2 AS x', 'live/of=2/a.parquet')
    await lab.write('SELECT 5 AS x', 'live/of=1/a.parquet')
    expect((await divided.run(document)).rows).toEqual([{ s: 7, n: 2 }])
  })
})

describe('catalogs that others write', () => {
  const FIELDS: Field[] = [
    ['day', 'date'],
    ['amount', 'decimal(6,2)'],
    ['flag', 'boolean'],
    ['x', 'integer'],
  ]
  let delta: DeltaLab
  beforeAll(async () => {
    delta = new DeltaLab(lab, 'delta')
    const file = (k: number, day: string | null, amount: string | null, flag: string | null) =>
      delta.add(`f${k}.parquet`, `SELECT ${k} * 10 + i AS x FROM range(${k}) t(i)`, {
        partitionValues: { day, amount, flag },
      })
    const partitionColumns = ['day', 'amount', 'flag']
    const first = await file(1, '2026-01-31', '9.50', 'true')
    delta.commit([...delta.begin(FIELDS, { partitionColumns }), first])
    delta.commit([await file(2, '2026-02-01', '-10.25', 'false'), await file(3, null, null, null)])
    delta.commit([delta.removed('f1.parquet')])
  })

  const document = (filter: string | undefined, version?: number): BuzzDocument => ({
    steps: [
      bee('mapper', 'SELECT day, amount, flag, x FROM d', filter),
      comb('reducer', 'SELECT * FROM mapper ORDER BY x'),
    ],
    capacity: { zones: 1 },
    catalogs: [{ name: 'd', type: 'DeltaLake', uri: delta.root, ...(version !== undefined && { version }) }],
  })
  const xs = async (filter?: string, version?: number) => {
    const { rows, stats } = await divided.run(document(filter, version))
    return { xs: rows.map(({ x }) => x), pruned: stats.filesPruned }
  }

  test('are read at their latest version, or the one that is asked for', async () => {
    expect(await xs()).toEqual({ xs: [20, 21, 30, 31, 32], pruned: 0 })
    expect(await xs(undefined, 0)).toEqual({ xs: [10], pruned: 0 })
    expect(await xs(undefined, 1)).toEqual({ xs: [10, 20, 21, 30, 31, 32], pruned: 0 })
    const error = await failure(() => xs(undefined, 9))
    expect(error.code).toBe('SNAPSHOT_NOT_FOUND')
    expect(error.message).toContain('"d"')
  })

  test.each([
    [`day > '2026-01-31'`, [20, 21]],
    [`day = DATE '2026-01-31' OR day IS NULL`, [10, 30, 31, 32]],
    ['amount < 9', [20, 21]],
    ['amount = 9.5 AND flag', [10]],
    ['NOT flag', [20, 21]],
    ['flag IS NULL', [30, 31, 32]],
    [`key LIKE '%/f2.parquet' AND length > 0`, [20, 21]],
    [`month(day) = 3`, []],
  ])('have typed partitions: %s', async (filter, expected) => {
    expect((await xs(filter, 1)).xs).toEqual(expected)
  })

  test('meet folders and tables in joins', async () => {
    const own = document(undefined)
    const joined = {
      ...own,
      steps: [
        bee('mapper', 'SELECT kind, count(*) AS n FROM d JOIN kinds ON k = x % 10 GROUP BY kind', 'flag IS NULL'),
        comb('reducer', 'SELECT * FROM mapper ORDER BY kind'),
      ],
      catalogs: [...own.catalogs!, { name: 'kinds', type: 'Static' as const, uri: `${lab.dir}/kinds` }],
    }
    expect((await divided.run(joined)).rows).toEqual([
      { kind: 'kind 0', n: 1 },
      { kind: 'kind 1', n: 1 },
      { kind: 'kind 2', n: 1 },
    ])
  })

  describe('as Iceberg tables', () => {
    const fields = [field(1, 'k', 'int'), field(2, 'who', 'string'), field(3, 'at', 'timestamptz')]
    const spec: LabField[] = [
      { columnId: 2, transform: 'identity', name: 'who', fieldId: 1000 },
      { columnId: 3, transform: 'day', name: 'at_day', fieldId: 1001 },
    ]
    const rows = (from: number, to: number) =>
      `SELECT i AS k, 'who ' || (i % 3) AS who, to_timestamp(i * 40000.0) AS at FROM range(${from}, ${to}) t(i)`
    let table: ForeignTable
    beforeAll(async () => {
      table = new ForeignTable(lab, 'iceberg', { fields, spec })
      table.commit([{ entries: (await table.writeParts(rows(0, 6))).map((file) => ({ file })) }])
      table.commit([{ entries: (await table.writeParts(rows(6, 12))).map((file) => ({ file })) }])
      table.finish()
    })
    const document = (filter: string, version?: string): BuzzDocument => ({
      steps: [bee('mapper', 'SELECT k FROM t', filter), comb('reducer', 'SELECT * FROM mapper ORDER BY k')],
      capacity: { zones: 1 },
      catalogs: [{ name: 't', type: 'Iceberg', uri: table.dir, ...(version !== undefined && { version }) }],
    })

    test('their identity partitions filter', async () => {
      const { rows: found, stats } = await divided.run(document("who = 'who 1'"))
      expect(found).toEqual([{ k: 7 }, { k: 10 }])
      expect(stats.filesPruned).toBeGreaterThan(0)
      expect((await divided.run(document('true', bigId(0)))).rows).toHaveLength(6)
    })

    test('what their other partitions come from does not', async () => {
      const error = await failure(() => divided.run(document('"at" > DATE \'2020-01-01\'')))
      expect(error).toMatchObject({ code: 'COLUMN_NOT_FOUND', details: { table: 't', column: 'at', step: 'mapper' } })
    })
  })

  test.each(['DeltaLake', 'Iceberg'] as const)('%s: are an error where there are none', async (type) => {
    const error = await failure(() =>
      divided.run({ ...document(undefined), catalogs: [{ name: 'd', type, uri: `${lab.dir}/sales` }] }),
    )
    expect(error).toMatchObject({ code: 'CATALOG_NOT_FOUND', details: { catalog: 'd' } })
    expect(error.message).toContain(`${type} catalog not found`)
  })
})

describe('what is refused names the step', () => {
  const code = async (document: BuzzDocument) => {
    const error = await failure(() => divided.run(document))
    return { code: error.code, details: error.details as { step?: string; position?: number }, message: error.message }
  }

  test.each([
    ['a syntax error', 'SELECT 1 +', 'SQL_INVALID', 10],
    ['a column that is not there', 'SELECT nix FROM m51', 'SQL_INVALID', 7],
    ['a function that reads files', `SELECT * FROM read_csv('/etc/passwd')`, 'SQL_FORBIDDEN', undefined],
    ['a statement', `COPY m51 TO '/tmp/x'`, 'SQL_FORBIDDEN', undefined],
    ['two queries', 'SELECT 1; SELECT 2', 'SQL_INVALID', undefined],
    ['a parameter', 'SELECT * FROM m51 WHERE data_col = $1', 'SQL_INVALID', undefined],
  ])('%s', async (_, sql, expected, position) => {
    const first = await code(documentOf(lab, [bee('mapper', sql), comb('reducer', REDUCE)], { catalogs: ['m51'] }))
    expect(first).toMatchObject({ code: expected, details: { step: 'mapper' } })
    expect(first.message.startsWith('step "mapper": ')).toBe(true)
    expect(first.details.position).toBe(position)
    const second = await code(documentOf(lab, [bee('m51', 'SELECT 1 AS data_col'), comb('reducer', sql)]))
    expect(second).toMatchObject({ code: expected, details: { step: 'reducer' } })
    expect(second.details.position).toBe(position)
  })

  test.each([
    ['a column by which nothing is divided', 'data_col = 1', 'COLUMN_NOT_FOUND'],
    ['a column of another table', 'other.part_key_1 = 1', 'COLUMN_NOT_FOUND'],
    ['more than a condition', `part_key_1 = 'a' ORDER BY 1`, 'SQL_INVALID'],
    ['parentheses of its own', `part_key_1 = 'a') OR (true`, 'SQL_INVALID'],
    ['a second query', `true; SELECT 1`, 'SQL_INVALID'],
    ['a query in it', `part_key_1 IN (SELECT 'a')`, 'SQL_INVALID'],
    ['another table', `part_key_1 IN (SELECT data_col FROM m50)`, 'SQL_INVALID'],
    ['a parameter', 'part_key_1 = ?', 'SQL_INVALID'],
    ['chance', 'random() < 0.5', 'SQL_INVALID'],
    ['an aggregate', 'max(part_key_1) > 1', 'SQL_INVALID'],
    ['all columns', `COLUMNS(*) = 'a'`, 'SQL_INVALID'],
    ['a text where a number is', `length = 'many'`, 'SQL_INVALID'],
    ['a value that is no condition', `[part_key_1]`, 'SQL_INVALID'],
    ['a function of the engine', `getenv('HOME') = 'x'`, 'SQL_FORBIDDEN'],
  ])('a filter with %s', async (_, filter, expected) => {
    const { code: found, details, message } = await code(two('m51', MAP, REDUCE, filter))
    expect({ found, step: details.step }).toEqual({ found: expected, step: 'mapper' })
    expect(message.startsWith('step "mapper", partition_filter: ')).toBe(true)
  })

  test('a filter that may mean two tables', async () => {
    const steps = (filter: string) =>
      documentOf(lab, [bee('mapper', 'SELECT count(*) AS n FROM sales, kinds', filter)], SALES)
    expect((await code(steps('length > 0'))).message).toContain('it may speak of "sales" and "kinds"')
    expect(await rowsOf(divided, steps('sales.length > 0 AND year = 2011'))).toEqual(['[["n","15"]]'])
    expect((await code(steps(`year = 2011 AND "of" = 'all'`))).message).toContain('partitions of several tables')
  })

  test('what steps read of each other, all at once', async () => {
    const document = documentOf(
      lab,
      [
        bee('a', 'SELECT * FROM a'),
        bee('b', 'SELECT * FROM a'),
        comb('c', 'SELECT * FROM d, A'),
        comb('d', 'WITH b AS (SELECT 1) SELECT * FROM m51, b'),
      ],
      { catalogs: ['m51'] },
    )
    const error = await failure(() => divided.run(document))
    expect(error.code).toBe('DOCUMENT_INVALID')
    expect((error.details as { violations: { path: string }[] }).violations).toEqual([
      { path: '/steps/0/sql', message: expect.stringContaining('step "a" reads itself') },
      { path: '/steps/1/sql', message: expect.stringContaining('step "b" reads the step "a"; an HBee reads catalogs') },
      { path: '/steps/2/sql', message: expect.stringContaining('step "c" reads "d", which is a later step') },
      { path: '/steps/3/sql', message: expect.stringContaining('step "d" reads "m51"; an HComb reads earlier steps') },
      { path: '/steps/3/sql', message: expect.stringContaining('step "d" has a common table "b"') },
    ])
  })
})

describe('a document is also', () => {
  const document = () =>
    two('sales', 'SELECT year, id FROM sales', 'SELECT year, count(*) AS n FROM mapper GROUP BY year ORDER BY year')

  test('text, with keys that nobody knows', async () => {
    const text = JSON.stringify({
      ...document(),
      comment: 'ours',
      steps: document().steps.map((s) => ({ ...s, x: 1 })),
    })
    expect((await divided.run(text)).rows).toEqual((await divided.run(document())).rows)
    const error = await failure(() => divided.run('{"steps":'))
    expect(error).toMatchObject({ code: 'JSON_INVALID', message: expect.stringContaining('the document is not JSON') })
  })

  test('streamed, exported and explained', async () => {
    await using stream = await divided.stream(document())
    const rows = []
    for await (const batch of stream.batches) rows.push(...batch)
    expect(rows).toEqual([
      [2009, 60],
      [2010, 30],
      [2011, 5],
    ])
    const out = `${lab.dir}/out.parquet`
    expect((await divided.exportParquet(document(), out)).rows).toBe(3)
    expect(await lab.judge(`SELECT sum(n)::INTEGER FROM '${out}'`)).toEqual([[95]])
    const explained = await divided.explain({ ...document(), capacity: { zones: 2 } })
    expect(explained).toMatchObject({ divided: true, tables: [{ table: 'sales', files: 4 }] })
    const cuts = explained.stages!.flatMap(({ work }) => (work.kind === 'sql' && work.cut ? [work.cut.parts] : []))
    expect(cuts).toEqual([2])
  })

  test('bounded in cost, and takes neither parameters nor a time', async () => {
    expect((await failure(() => divided.run(document(), { maxBytes: 10 }))).code).toBe('BYTES_LIMIT')
    expect((await failure(() => divided.stream(document(), { params: [1] }))).code).toBe('ARGUMENT_INVALID')
    expect((await failure(() => divided.explain(document(), { at: '2026-01-01' }))).code).toBe('ARGUMENT_INVALID')
    const cancelled = { signal: AbortSignal.abort() }
    expect((await failure(() => divided.run(document(), cancelled))).code).toBe('CANCELLED')
  })
})
