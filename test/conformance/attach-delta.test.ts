/** Delta tables that others wrote, attached: the same rows as their files have, in every state that their logs have. */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery, Step } from '../../src/behaviour/types.ts'
import { DeltaLab, type Field, struct, type TableOptions, writeCheckpoint } from '../delta-lab.ts'
import { failure, type Lab, openLab } from './import-lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

const sql = async (text: string, options = {}) => (await lab.warehouse.sql(text, options)).rows

const DEPT = `(VALUES (2020, 'Sales', 30), (2020, 'IT', 40), (2020, 'Finance', 10), (2020, 'Marketing', 20),
  (2021, 'Sales', 35), (2021, 'IT', 50), (2021, 'Finance', 15), (2021, 'Marketing', 25)) AS d(year, dept, staff)`
const DEPT_FIELDS: Field[] = [
  ['year', 'integer'],
  ['dept', 'string'],
  ['staff', 'integer'],
]

describe('the samples of the reference', () => {
  test('DEPT-O: an overwrite keeps only the newest file', async () => {
    const table = new DeltaLab(lab, 'dept-o')
    const first = await table.add('old.parquet', `FROM ${DEPT} WHERE year = 2020`)
    table.commit([...table.begin(DEPT_FIELDS), first])
    const second = await table.add('new.parquet', `FROM ${DEPT}`)
    table.commit([table.removed('old.parquet'), second], {
      operation: 'WRITE',
      operationParameters: { mode: 'Overwrite' },
    })
    const made = await lab.warehouse.attach('dept_o', table.root, { type: 'delta' })
    expect(made).toMatchObject({ kind: 'attached', format: 'delta', columns: 3, files: 1, rows: 8 })
    const { dataFiles } = await lab.warehouse.describe('dept_o', { files: true })
    expect(dataFiles?.map(({ path }) => path)).toEqual([`${table.root}/new.parquet`])
    expect(await sql('SELECT year, sum(staff)::INT AS s FROM dept_o GROUP BY ALL ORDER BY ALL')).toEqual([
      { year: 2020, s: 100 },
      { year: 2021, s: 125 },
    ])
    expect(await sql('SELECT sum(staff)::INT AS s FROM dept_o', { at: 0 })).toEqual([{ s: 100 }])
    expect(await lab.warehouse.snapshots('dept_o')).toMatchObject([
      { id: 0, parentId: null, operation: 'append' },
      { id: 1, parentId: 0, operation: 'overwrite', time: '2023-11-14T22:14:20.000Z' },
    ])
  })

  test('DEPT-P: partitioned by its first column', async () => {
    const table = new DeltaLab(lab, 'dept-p')
    const files: object[] = []
    for (const year of ['2020', '2021']) {
      const rows = `SELECT dept, staff FROM ${DEPT} WHERE year = ${year}`
      files.push(await table.add(`year=${year}/part.parquet`, rows, { partitionValues: { year } }))
    }
    table.commit([...table.begin(DEPT_FIELDS, { partitionColumns: ['year'] }), ...files] as never)
    await lab.warehouse.attach('dept_p', table.root, { type: 'delta' })
    expect(await sql(`SELECT * FROM dept_p WHERE dept = 'IT' ORDER BY year`)).toEqual([
      { year: 2020, dept: 'IT', staff: 40 },
      { year: 2021, dept: 'IT', staff: 50 },
    ])
    const { rows, stats } = await lab.warehouse.sql('SELECT sum(staff)::INT AS s FROM dept_p WHERE year > 2020')
    expect({ rows, files: stats.files, pruned: stats.filesPruned }).toEqual({ rows: [{ s: 125 }], files: 1, pruned: 1 })
    const { dataFiles, partitioning } = await lab.warehouse.describe('dept_p', { files: true })
    expect(partitioning).toEqual(['identity(year)'])
    expect(dataFiles?.map(({ partition }) => partition)).toEqual([{ year: 2020 }, { year: 2021 }])
  })
})

describe('partitions', () => {
  const FIELDS: Field[] = [
    ['s', 'string'],
    ['n', 'integer'],
    ['b', 'long'],
    ['d', 'date'],
    ['t', 'timestamp'],
    ['z', 'timestamp_ntz'],
    ['x', 'double'],
    ['f', 'float'],
    ['c', 'decimal(20,3)'],
    ['o', 'boolean'],
    ['y', 'binary'],
    ['v', 'integer'],
  ]
  const names = FIELDS.map(([name]) => name).filter((name) => name !== 'v')
  type Values = Record<string, string | null>
  const SETS: Values[] = [
    {
      s: `a b/ü'"%`,
      n: '-5',
      b: '9223372036854775807',
      d: '1969-12-31',
      t: '2024-02-29 23:59:59.123456',
      z: '1900-01-01 00:00:00',
      x: '-0.0',
      f: '1.1',
      c: '12345678901234567.891',
      o: 'true',
      y: 'AB',
    },
    {
      s: 'plain',
      n: '2147483647',
      b: '-9223372036854775808',
      d: '9999-12-31',
      t: '1970-01-01T01:00:00.5+01:00',
      z: '2024-01-01T00:00:00',
      x: 'NaN',
      f: 'Infinity',
      c: '-0.5',
      o: 'false',
      y: '\u0001',
    },
    Object.fromEntries(names.map((name) => [name, null])),
    Object.fromEntries(names.map((name) => [name, ''])),
  ]
  const WANTED = `(VALUES
    ('a b/ü''"%', -5, 9223372036854775807, DATE '1969-12-31', TIMESTAMPTZ '2024-02-29 23:59:59.123456Z', TIMESTAMP '1900-01-01',
      -0.0::DOUBLE, 1.1::FLOAT, 12345678901234567.891::DECIMAL(20,3), true, 'AB'::BLOB, 0),
    ('plain', 2147483647, -9223372036854775808, DATE '9999-12-31', TIMESTAMPTZ '1970-01-01 00:00:00.5Z', TIMESTAMP '2024-01-01',
      'NaN'::DOUBLE, 'Infinity'::FLOAT, -0.5::DECIMAL(20,3), false, '\\x01'::BLOB, 1),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3)) AS w(s, n, b, d, t, z, x, f, c, o, y, v)`

  beforeAll(async () => {
    const table = new DeltaLab(lab, 'parts')
    const files: object[] = []
    for (const [k, partitionValues] of SETS.entries()) {
      const path = `s=a%20b/part ${k}.parquet`
      // Writers may leave the values in the file as well: those of the log count.
      const rows = k === 1 ? `SELECT ${k}::INTEGER AS v, 'wrong' AS s` : `SELECT ${k}::INTEGER AS v`
      files.push(await table.add(path, rows, { partitionValues, uri: encodeURI(path) }))
    }
    table.commit([...table.begin(FIELDS, { partitionColumns: names }), ...files] as never)
    await lab.warehouse.attach('parts', table.root, { type: 'delta' })
  })

  test('of every type have the values of the log, and stand where the schema has them', async () => {
    const { columns, rows } = await lab.warehouse.sql('SELECT * FROM parts ORDER BY v')
    expect(columns.map(({ name, type }) => [name, type])).toEqual([
      ['s', 'VARCHAR'],
      ['n', 'INTEGER'],
      ['b', 'BIGINT'],
      ['d', 'DATE'],
      ['t', 'TIMESTAMP WITH TIME ZONE'],
      ['z', 'TIMESTAMP'],
      ['x', 'DOUBLE'],
      ['f', 'FLOAT'],
      ['c', 'DECIMAL(20,3)'],
      ['o', 'BOOLEAN'],
      ['y', 'BLOB'],
      ['v', 'INTEGER'],
    ])
    expect(rows).toEqual((await lab.warehouse.sql(`FROM ${WANTED} ORDER BY v`)).rows)
  })

  test.for([
    [`s = 'a b/ü''"%'`, 1],
    ['n < 0', 1],
    ['b > 9223372036854775806', 1],
    [`d <= DATE '1969-12-31'`, 1],
    [`t = TIMESTAMPTZ '1970-01-01 00:00:00.5Z'`, 1],
    [`z > TIMESTAMP '1999-01-01'`, 1],
    ['x = 0', 1],
    ['f > 1e30::FLOAT', 1],
    ['c = 12345678901234567.891', 1],
    ['o', 1],
    [`y = '\\x01'::BLOB`, 1],
    ['n IS NULL', 2],
    ['s IS NOT NULL AND v < 100', 2],
  ] as const)('are found by %s', async ([where, many]) => {
    const { rows, stats } = await lab.warehouse.sql(`SELECT v FROM parts WHERE ${where} ORDER BY v`)
    expect(rows).toEqual((await lab.warehouse.sql(`SELECT v FROM ${WANTED} WHERE ${where} ORDER BY v`)).rows)
    expect(rows).toHaveLength(many)
    if (!['o'].includes(where)) expect(stats.files).toBeLessThan(4)
  })

  test('that have no value of their type end with an error that names file and text', async () => {
    const table = new DeltaLab(lab, 'bad-part')
    const file = await table.add('a.parquet', 'SELECT 1 AS v', { partitionValues: { n: 'ten' } })
    table.commit([
      ...table.begin(
        [
          ['n', 'integer'],
          ['v', 'integer'],
        ],
        { partitionColumns: ['n'] },
      ),
      file,
    ])
    const error = await failure(() => lab.warehouse.attach('bad_part', table.root, { type: 'delta' }))
    expect(error.code).toBe('TABLE_INVALID')
    expect(error.message).toContain('"ten"')
  })
})

test('columns that came later are null in older files, also inside of others', async () => {
  const table = new DeltaLab(lab, 'evolved')
  const inner = (more: Field[]) => ({ ...struct([['a', 'integer'], ...more]) })
  table.commit([
    ...table.begin([
      ['i', 'long'],
      ['p', inner([])],
    ]),
    await table.add('one.parquet', `SELECT 1::BIGINT AS i, {a: 1::INTEGER} AS p`),
  ])
  const fields: Field[] = [
    ['i', 'long'],
    ['p', inner([['b', 'string']])],
    ['added', 'double'],
    ['list', { type: 'array', elementType: 'string', containsNull: true }],
    ['map', { type: 'map', keyType: 'string', valueType: 'integer', valueContainsNull: true }],
  ]
  table.commit([
    table.begin(fields)[1]!,
    await table.add(
      'two.parquet',
      `SELECT 2::BIGINT AS i, {a: 2::INTEGER, b: 'x'} AS p, 0.5::DOUBLE AS added, ['l'] AS list, MAP {'k': 1} AS map`,
    ),
    // As a writer without that column, and with one that the table does not have.
    await table.add('three.parquet', `SELECT 3::BIGINT AS i, 'stray' AS stray`),
  ])
  await lab.warehouse.attach('evolved', table.root, { type: 'delta' })
  const { columns, rows } = await lab.warehouse.sql('SELECT * FROM evolved ORDER BY i')
  expect(columns.map(({ type }) => type)).toEqual([
    'BIGINT',
    'STRUCT("a" INTEGER, "b" VARCHAR)',
    'DOUBLE',
    'VARCHAR[]',
    'MAP(VARCHAR, INTEGER)',
  ])
  expect(rows).toEqual([
    { i: 1, p: { a: 1, b: null }, added: null, list: null, map: null },
    { i: 2, p: { a: 2, b: 'x' }, added: 0.5, list: ['l'], map: [{ key: 'k', value: 1 }] },
    { i: 3, p: null, added: null, list: null, map: null },
  ])
  expect(await sql('SELECT i FROM evolved WHERE added IS NULL ORDER BY i')).toEqual([{ i: 1 }, { i: 3 }])
  expect(await sql('SELECT * FROM evolved', { at: 0 })).toEqual([{ i: 1, p: { a: 1 } }])
})

test('columns may be called as the reader calls its own', async () => {
  const table = new DeltaLab(lab, 'reader-names')
  const rows = `SELECT 7 AS file_index, 8 AS file_row_number, 'x' AS filename`
  const fields: Field[] = [
    ['file_index', 'integer'],
    ['file_row_number', 'integer'],
    ['filename', 'string'],
    ['p', 'integer'],
  ]
  table.commit([
    ...table.begin(fields, { partitionColumns: ['p'] }),
    await table.add('1.parquet', rows, { partitionValues: { p: '1' } }),
    await table.add('2.parquet', rows, { partitionValues: { p: '2' } }),
  ])
  await lab.warehouse.attach('reader_names', table.root, { type: 'delta' })
  const row = { file_index: 7, file_row_number: 8, filename: 'x' }
  expect(await sql('SELECT * FROM reader_names ORDER BY p')).toEqual([
    { ...row, p: 1 },
    { ...row, p: 2 },
  ])
})

describe('a log', () => {
  const numbers = (from: number, to: number) => `SELECT i::BIGINT AS i FROM range(${from}, ${to}) t(i)`
  const FIELDS: Field[] = [['i', 'long']]
  const sum = async (name: string, options = {}) =>
    (await sql(`SELECT sum(i)::BIGINT AS s FROM ${name}`, options))[0]!.s

  /** A table of ten versions, of which each adds one file of ten numbers, and the fifth removes the first file. */
  async function tenVersions(name: string): Promise<{ table: DeltaLab; actions: Record<string, unknown>[][] }> {
    const table = new DeltaLab(lab, name)
    const actions: Record<string, unknown>[][] = []
    for (let k = 0; k < 10; k++) {
      const own = [await table.add(`${k}.parquet`, numbers(10 * k, 10 * k + 10), { stats: { numRecords: 10 } })]
      if (k === 0) own.unshift(...table.begin(FIELDS))
      if (k === 5) own.push(table.removed('0.parquet'))
      actions.push(own)
      table.commit(own)
    }
    return { table, actions }
  }

  const sumAt = (version: number) => {
    const to = 10 * version + 10
    return (to * (to - 1)) / 2 - (version >= 5 ? 45 : 0)
  }

  /** What a checkpoint of a version has. */
  const stateAt = (actions: Record<string, unknown>[][], version: number) => {
    const all = actions.slice(0, version + 1).flat()
    return version >= 5
      ? all.filter((a) => !a.remove && (a.add as { path: string } | undefined)?.path !== '0.parquet')
      : all
  }

  test('is read at every version and time', async () => {
    const { table } = await tenVersions('ten')
    await lab.warehouse.attach('ten', table.root, { type: 'delta' })
    for (let version = 0; version < 10; version++) {
      expect(await sum('ten', { at: version })).toBe(sumAt(version))
      const time = new Date(1_700_000_000_000 + version * 60_000 + 59_999)
      expect(await sum('ten', { at: time })).toBe(sumAt(version))
    }
    for (const at of [10, '2023-11-14T22:13:19.999Z'])
      expect((await failure(() => sum('ten', { at }))).code).toBe('SNAPSHOT_NOT_FOUND')
    expect(await sum('ten', { at: { ten: 3 } })).toBe(sumAt(3))
  })

  test.for([
    ['in one file', 1],
    ['in parts', 3],
  ] as const)('goes on from a checkpoint %s', async ([, parts]) => {
    const name = `checkpoint${parts}`
    const { table, actions } = await tenVersions(name)
    table.version = 6
    const names = await table.checkpoint(stateAt(actions, 6), parts)
    for (let version = 0; version <= 6; version++) rmSync(table.entry(version))
    await lab.warehouse.attach(name, table.root, { type: 'delta' })
    for (const version of [6, 7, 9]) expect(await sum(name, { at: version })).toBe(sumAt(version))
    expect((await failure(() => sum(name, { at: 5 }))).code).toBe('SNAPSHOT_NOT_FOUND')
    // A checkpoint is nothing without all of its parts.
    await using other = await lab.open({})
    rmSync(names.at(-1)!)
    const error = await failure(() => other.sql(`FROM ${name}`))
    expect(error).toMatchObject({ code: 'TABLE_INVALID', details: { table: name, file: table.entry(0) } })
  })

  test('has checkpoints that name files of their own', async () => {
    const { table, actions } = await tenVersions('sidecars')
    const state = stateAt(actions, 9)
    const sidecar = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee.parquet'
    await writeCheckpoint(
      `${table.log}/_sidecars/${sidecar}`,
      state.filter(({ add }) => add),
    )
    const rest = state
      .filter(({ add }) => !add)
      .map((a) =>
        a.protocol
          ? {
              protocol: {
                minReaderVersion: 3,
                minWriterVersion: 7,
                readerFeatures: ['v2Checkpoint'],
                writerFeatures: ['v2Checkpoint'],
              },
            }
          : a,
      )
    const lines = [
      { checkpointMetadata: { version: 9 } },
      ...rest,
      { sidecar: { path: sidecar, sizeInBytes: 1, modificationTime: 0 } },
    ]
    const name = `${'9'.padStart(20, '0')}.checkpoint.11111111-2222-3333-4444-555555555555`
    for (const format of ['json', 'parquet']) {
      const path = `${table.log}/${name}.${format}`
      if (format === 'json') writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'))
      else await writeCheckpoint(path, lines)
      for (let version = 0; version < 10; version++) rmSync(table.entry(version), { force: true })
      await using warehouse = await lab.open({})
      await warehouse.attach(`sidecars_${format}`, table.root, { type: 'delta' })
      expect((await warehouse.sql(`SELECT sum(i)::BIGINT AS s FROM sidecars_${format}`)).rows).toEqual([
        { s: sumAt(9) },
      ])
      rmSync(path)
    }
  })

  test.for(['zstd', 'gzip', 'brotli', 'snappy', 'uncompressed'])(
    'has checkpoints in %s, with statistics as columns',
    async (codec, { expect }) => {
      const name = `parsed_${codec}`
      const table = new DeltaLab(lab, name)
      const fields: Field[] = [
        ['p', 'string'],
        ['i', 'long'],
        ['t', 'timestamp'],
        ['d', 'date'],
        ['c', 'decimal(10,2)'],
      ]
      const [protocol, metaData] = table.begin(fields, { partitionColumns: ['p'] })
      const adds = await Promise.all(
        [0, 1, 2].map(async (k) => {
          const rows = `SELECT ${k}::BIGINT AS i, TIMESTAMPTZ '2026-01-0${k + 1} 00:00:00.000001Z' AS t, DATE '2026-01-0${k + 1}' AS d, ${k}.25::DECIMAL(10,2) AS c`
          const { add } = (await table.add(`${k}.parquet`, rows)) as { add: { size: number } }
          const values = `{i: ${k}::BIGINT, t: date_trunc('milliseconds', t), d: d, c: c}`
          return `SELECT NULL AS protocol, NULL AS metaData, {path: '${k}.parquet', size: ${add.size}::BIGINT, dataChange: false,
          partitionValues: MAP {'p': ${k === 0 ? 'NULL' : `'v${k}'`}},
          stats_parsed: {numRecords: 1::BIGINT, minValues: ${values}, maxValues: ${values}, nullCount: {i: 0::BIGINT, t: 0::BIGINT, d: 0::BIGINT, c: 0::BIGINT}}} AS add FROM (${rows})`
        }),
      )
      const { schemaString } = (metaData as { metaData: { schemaString: string } }).metaData
      const head = [
        `SELECT {minReaderVersion: 1, minWriterVersion: 2} AS protocol, NULL AS metaData, NULL AS add`,
        `SELECT NULL, {id: 'x', format: {provider: 'parquet', options: MAP {}::MAP(VARCHAR, VARCHAR)}, schemaString: '${schemaString}',
        partitionColumns: ['p'], configuration: MAP {}::MAP(VARCHAR, VARCHAR)}, NULL`,
      ]
      expect(protocol).toBeDefined()
      const path = `${name}/_delta_log/${'0'.padStart(20, '0')}.checkpoint.parquet`
      await lab.write([...head, ...adds].join(' UNION ALL '), path, `FORMAT parquet, COMPRESSION ${codec}`)
      await lab.warehouse.attach(name, table.root, { type: 'delta' })
      for (const [where, many] of [
        ['i = 1', 1],
        [`t = TIMESTAMPTZ '2026-01-02 00:00:00.000001Z'`, 1],
        [`d > DATE '2026-01-01'`, 2],
        [`p = 'v2'`, 1],
        ['p IS NULL', 1],
        // Decimals of a checkpoint's columns may have been rounded.
        ['c = 1.25', 3],
      ] as const) {
        const { rows, stats } = await lab.warehouse.sql(`SELECT i FROM ${name} WHERE ${where}`)
        const [[wanted] = []] = await lab.judge(
          `SELECT count(*) FROM (${[0, 1, 2].map((k) => `SELECT *, ${k === 0 ? 'NULL' : `'v${k}'`} AS p FROM '${table.root}/${k}.parquet'`).join(' UNION ALL ')}) WHERE ${where}`,
        )
        expect([where, stats.files, rows.length]).toEqual([where, many, Number(wanted)])
      }
    },
  )

  test('that grows is seen by the next query, and only what is new is read', async () => {
    const table = new DeltaLab(lab, 'grows')
    table.commit([...table.begin(FIELDS), await table.add('0.parquet', numbers(0, 10))])
    await lab.warehouse.attach('grows', table.root, { type: 'delta' })
    expect(await sum('grows')).toBe(45)
    table.commit([await table.add('1.parquet', numbers(10, 20))])
    // Nobody needs the first entry any more.
    writeFileSync(table.entry(0), 'not JSON', { flag: 'r+' })
    expect((await failure(() => sum('grows', { at: 0 }))).code).toBe('TABLE_INVALID')
    table.commit([table.removed('0.parquet')])
    expect((await failure(() => sum('grows'))).code).toBe('TABLE_INVALID')
  })

  test('of a table that was made anew in its place is not mixed with the old one', async () => {
    const table = new DeltaLab(lab, 'anew')
    table.commit([...table.begin(FIELDS), await table.add('0.parquet', numbers(0, 10))])
    await lab.warehouse.attach('anew', table.root, { type: 'delta' })
    expect(await sum('anew')).toBe(45)
    rmSync(table.root, { recursive: true })
    const other = new DeltaLab(lab, 'anew')
    other.commit([
      ...other.begin([
        ['i', 'long'],
        ['j', 'long'],
      ]),
      await other.add('a.parquet', 'SELECT 1::BIGINT AS i, 2::BIGINT AS j'),
    ])
    other.commit([await other.add('b.parquet', 'SELECT 3::BIGINT AS i, 4::BIGINT AS j')])
    expect(await sql('FROM anew ORDER BY i')).toEqual([
      { i: 1, j: 2 },
      { i: 3, j: 4 },
    ])
  })

  test.for([
    ['is no JSON', (path: string) => writeFileSync(path, '{"add":')],
    ['is no text', (path: string) => writeFileSync(path, Buffer.from([0xff, 0xfe, 0x7b]))],
    ['has no path', (path: string) => writeFileSync(path, '{"add":{"size":1,"partitionValues":{}}}')],
    ['has no size', (path: string) => writeFileSync(path, '{"add":{"path":"x","partitionValues":{}}}')],
    [
      'has a path that does not decode',
      (path: string) => writeFileSync(path, '{"add":{"path":"%zz","size":1,"partitionValues":{}}}'),
    ],
    [
      'has statistics that are no JSON',
      (path: string) => writeFileSync(path, '{"add":{"path":"x","size":1,"partitionValues":{},"stats":"{"}}'),
    ],
    ['is missing', (path: string) => rmSync(path)],
    [
      'has a schema that is none',
      (path: string) =>
        writeFileSync(path, '{"metaData":{"schemaString":"[]","partitionColumns":[],"format":{"provider":"parquet"}}}'),
    ],
  ] as const)('whose entry %s is damaged, and named', async ([what, damage], { expect }) => {
    const name = `damaged_${what.replaceAll(' ', '_')}`
    const table = new DeltaLab(lab, name)
    table.commit([...table.begin(FIELDS), await table.add('0.parquet', numbers(0, 10))])
    table.commit([])
    table.commit([])
    await lab.warehouse.attach(name, table.root, { type: 'delta' })
    await using warehouse = await lab.open({})
    damage(table.entry(1))
    const error = await failure(() => warehouse.sql(`FROM ${name}`))
    const file = what === 'has a schema that is none' ? table.entry(2) : table.entry(1)
    expect(error).toMatchObject({ code: 'TABLE_INVALID', details: { table: name, file } })
    expect((await warehouse.tables()).find((table) => table.name === name)).toMatchObject({
      kind: 'attached',
      error: { code: 'TABLE_INVALID' },
    })
  })

  test('whose checkpoint is damaged is an error that names it', async () => {
    const { table, actions } = await tenVersions('bad_checkpoint')
    const [path] = await table.checkpoint(stateAt(actions, 9))
    const bytes = readFileSync(path!)
    for (const [k, damaged] of [
      bytes.subarray(0, bytes.length - 9),
      Buffer.from('PAR1'),
      Buffer.alloc(0),
      Buffer.concat([Buffer.alloc(bytes.length - 8, 7), bytes.subarray(-8)]),
    ].entries()) {
      writeFileSync(path!, damaged)
      const error = await failure(() => lab.warehouse.attach(`bad_checkpoint${k}`, table.root, { type: 'delta' }))
      expect(error).toMatchObject({ code: 'TABLE_INVALID', details: { file: path } })
    }
  })
})

describe('what is not read', () => {
  const FIELDS: Field[] = [['i', 'long']]
  const features = (...readerFeatures: string[]) => ({
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures,
    writerFeatures: readerFeatures,
  })
  const MAPPING = { 'delta.columnMapping.mode': 'name' }
  const VECTOR = {
    deletionVector: { storageType: 'u', pathOrInlineDv: 'x', offset: 1, sizeInBytes: 2, cardinality: 1 },
  }

  test.for([
    ['deletion vectors', 'deletionVectors', { protocol: features('deletionVectors') }, FIELDS, VECTOR],
    [
      'column mapping by name',
      'columnMapping',
      { protocol: { minReaderVersion: 2, minWriterVersion: 5 }, configuration: MAPPING },
      FIELDS,
      {},
    ],
    [
      'column mapping by id',
      'columnMapping',
      { protocol: features('columnMapping'), configuration: { 'delta.columnMapping.mode': 'id' } },
      FIELDS,
      {},
    ],
    [
      'widened types',
      'typeWidening',
      { protocol: features('typeWidening') },
      [['i', 'long', { 'delta.typeChanges': [{ fromType: 'integer', toType: 'long' }] }]],
      {},
    ],
    [
      'variants',
      'variantType',
      { protocol: features('timestampNtz') },
      [
        ['i', 'long'],
        ['v', 'variant'],
      ],
      {},
    ],
    ['commits by a catalog', 'catalogManaged', { protocol: features('catalogManaged') }, FIELDS, {}],
    [
      'a newer reader version',
      'reader version 4 of the format',
      { protocol: { minReaderVersion: 4, minWriterVersion: 7 } },
      FIELDS,
      {},
    ],
  ] as [string, string, TableOptions, Field[], object][])(
    '%s',
    async ([what, feature, options, fields, more], { expect }) => {
      const table = new DeltaLab(lab, what.replaceAll(' ', '-'))
      const file = await table.add('a.parquet', 'SELECT 1::BIGINT AS i', { more })
      table.commit([...table.begin(fields, options), file])
      const error = await failure(() => lab.warehouse.attach('unread', table.root, { type: 'delta' }))
      expect(error).toMatchObject({ code: 'TABLE_FEATURE_UNSUPPORTED', details: { table: 'unread', feature } })
    },
  )

  test('features that a table may use, but does not', async () => {
    const table = new DeltaLab(lab, 'unused')
    const protocol = features(
      'deletionVectors',
      'columnMapping',
      'typeWidening',
      'timestampNtz',
      'v2Checkpoint',
      'vacuumProtocolCheck',
    )
    table.commit([
      ...table.begin(FIELDS, { protocol, configuration: { 'delta.columnMapping.mode': 'none' } }),
      await table.add('old.parquet', 'SELECT 1::BIGINT AS i', { more: VECTOR }),
    ])
    // What had a deletion vector was rewritten.
    table.commit([
      { remove: { path: 'old.parquet', dataChange: false, ...VECTOR } },
      await table.add('new.parquet', 'SELECT 2::BIGINT AS i'),
    ])
    await lab.warehouse.attach('unused', table.root, { type: 'delta' })
    expect(await sql('FROM unused')).toEqual([{ i: 2 }])
    expect((await failure(() => sql('FROM unused', { at: 0 }))).details).toMatchObject({ feature: 'deletionVectors' })
  })

  test('a file that gets a deletion vector in a commit whose actions stand in any order', async () => {
    const table = new DeltaLab(lab, 'marked')
    const file = await table.add('a.parquet', 'SELECT 1::BIGINT AS i')
    table.commit([...table.begin(FIELDS, { protocol: features('deletionVectors') }), file])
    table.commit([table.added('a.parquet', { more: VECTOR }), table.removed('a.parquet')])
    const error = await failure(() => lab.warehouse.attach('marked', table.root, { type: 'delta' }))
    expect(error.details).toMatchObject({ feature: 'deletionVectors' })
  })

  test('files on other stores', async () => {
    const table = new DeltaLab(lab, 'elsewhere')
    await table.add('a.parquet', 'SELECT 1::BIGINT AS i')
    table.commit([...table.begin(FIELDS), table.added('a.parquet', { uri: 's3://bucket/a.parquet' })])
    const error = await failure(() => lab.warehouse.attach('elsewhere', table.root, { type: 'delta' }))
    expect(error).toMatchObject({ code: 'TABLE_FEATURE_UNSUPPORTED', details: { feature: 'files at s3://' } })
  })
})

describe('data files', () => {
  const FIELDS: Field[] = [['i', 'long']]

  test('outside of the table, by absolute paths and URLs', async () => {
    const table = new DeltaLab(lab, 'clone')
    const one = await lab.write('SELECT 1::BIGINT AS i', 'far away/one 1.parquet')
    const two = await lab.write('SELECT 2::BIGINT AS i', 'other/two.parquet')
    const add = (path: string, uri: string) => table.added('', { uri, size: statSync(path).size })
    table.commit([...table.begin(FIELDS), add(one, encodeURI(`file://${one}`)), add(two, two)])
    await lab.warehouse.attach('clone', table.root, { type: 'delta' })
    expect(await sql('FROM clone ORDER BY i')).toEqual([{ i: 1 }, { i: 2 }])
  })

  test('that are missing or another file end the queries that need them, and no other', async () => {
    const table = new DeltaLab(lab, 'missing')
    const stats = (least: number, most: number) => ({
      numRecords: 1,
      minValues: { i: least },
      maxValues: { i: most },
      nullCount: { i: 0 },
    })
    const good = await table.add('good.parquet', 'SELECT 1::BIGINT AS i', { stats: stats(1, 1) })
    const bad = await table.add('bad.parquet', 'SELECT 5::BIGINT AS i', { stats: stats(5, 5) })
    table.commit([...table.begin(FIELDS), good, bad])
    await lab.warehouse.attach('missing', table.root, { type: 'delta' })
    expect(await sql('FROM missing ORDER BY i')).toEqual([{ i: 1 }, { i: 5 }])
    const file = `${table.root}/bad.parquet`
    for (const harm of [() => writeFileSync(file, 'PAR1 but not as long as it was PAR1'), () => rmSync(file)]) {
      harm()
      expect(await failure(() => sql('FROM missing'))).toMatchObject({ code: 'FILE_INVALID', details: { file } })
      expect(await sql('FROM missing WHERE i < 3')).toEqual([{ i: 1 }])
    }
    await lab.write('SELECT 6::BIGINT AS i', 'missing/bad.parquet')
    expect(await sql('FROM missing WHERE i > 3')).toEqual([{ i: 6 }])
  })

  test('that nobody counted are counted by their footers', async () => {
    const table = new DeltaLab(lab, 'uncounted')
    table.commit([...table.begin(FIELDS), await table.add('a.parquet', 'SELECT i::BIGINT AS i FROM range(123) t(i)')])
    expect((await lab.warehouse.attach('uncounted', table.root, { type: 'delta' })).rows).toBe(123)
  })

  test('are none', async () => {
    const table = new DeltaLab(lab, 'empty')
    table.commit(table.begin(FIELDS))
    await lab.warehouse.attach('empty', table.root, { type: 'delta' })
    expect(await sql('SELECT count(*)::INT AS n FROM empty')).toEqual([{ n: 0 }])
  })
})

test('behavioural queries take the values of the log, also where files are decoded without the engine', async () => {
  const table = new DeltaLab(lab, 'behaviour')
  const fields: Field[] = [
    ['event', 'string'],
    ['who', 'string'],
    ['ts', 'long'],
  ]
  const rows = `SELECT 'u' || (i % 40) AS who, i::BIGINT AS ts, 'wrong' AS event FROM range(1000) t(i)`
  table.commit([
    ...table.begin(fields, { partitionColumns: ['event'] }),
    await table.add('a.parquet', rows, { partitionValues: { event: 'see' } }),
    await table.add('b.parquet', `${rows} WHERE i % 3 = 0`, { partitionValues: { event: 'buy' } }),
  ])
  const plain = new DeltaLab(lab, 'behaviour-plain')
  plain.commit([
    ...plain.begin(fields),
    await plain.add('a.parquet', `SELECT 'see' AS event, who, ts FROM (${rows})`),
    await plain.add('b.parquet', `SELECT who, 'buy' AS event, ts FROM (${rows}) WHERE ts % 3 = 0`),
  ])
  await using direct = await lab.open({ SKEP_DIRECT_ROWS: '1' })
  const keys = { type: 'delta', actor: 'who', time: 'ts' } as const
  await direct.attach('behaviour', table.root, keys)
  await direct.attach('behaviour_plain', plain.root, keys)
  const filter = (event: string): Step => ({ filter: ['event', '==', event] })
  const query = { funnel: { sequence: [filter('see'), filter('buy')] } } satisfies BehaviouralQuery
  const [own, same] = [await direct.query('behaviour', query), await direct.query('behaviour_plain', query)]
  expect(own.funnel).toEqual(same.funnel)
  expect(own.funnel?.sequence.map(({ matchingGroups }) => matchingGroups)).toEqual([40, 40])
  const wrong = { query: { conditions: [filter('wrong')] } }
  expect((await direct.query('behaviour', wrong)).query.matchingGroups).toBe(0)
})

describe('a name', () => {
  test('is told what it is, and forgotten', async () => {
    const table = new DeltaLab(lab, 'named')
    table.commit([
      ...table.begin([
        ['who', 'string'],
        ['ts', 'long'],
      ]),
      await table.add('a.parquet', `SELECT 'u' AS who, 1::BIGINT AS ts`),
    ])
    const keys = { actor: 'WHO', time: 'ts', timeUnit: 'ms' } as const
    await lab.warehouse.attach('named', `file://${table.root}`, { type: 'delta', ...keys })
    expect((await lab.warehouse.describe('named')).keys).toEqual({ ...keys, actor: 'who' })
    expect((await lab.warehouse.tables()).find(({ name }) => name === 'named')).toMatchObject({
      kind: 'attached',
      format: 'delta',
      actor: 'who',
      rows: 1,
    })
    expect((await failure(() => lab.warehouse.attach('named', table.root, { type: 'delta' }))).code).toBe(
      'TABLE_EXISTS',
    )
    for (const call of [
      () => lab.warehouse.drop('named'),
      () => lab.warehouse.rollback('named', 0),
      () => lab.warehouse.vacuum('named'),
      () => lab.warehouse.verify('named'),
      () => lab.warehouse.alter('named', { drop: ['ts'] }),
      () => lab.warehouse.import('named', [`${table.root}/a.parquet`]),
    ])
      expect(await failure(call)).toMatchObject({ code: 'TABLE_KIND', details: { kind: 'attached' } })
    await lab.warehouse.unregister('named')
    expect((await failure(() => sql('FROM named'))).code).toBe('TABLE_NOT_FOUND')
  })

  test('of nothing, or of what cannot have these keys, is not taken', async () => {
    const attach = (uri: string, options: object) =>
      failure(() => lab.warehouse.attach('refused', uri, { type: 'delta', ...options }))
    expect((await attach(`${lab.dir}/none`, {})).code).toBe('FILE_NOT_FOUND')
    expect((await attach('s3://bucket/table', {})).code).toBe('ARGUMENT_INVALID')
    expect((await attach('file://far/away', {})).code).toBe('ARGUMENT_INVALID')
    expect((await attach(`${lab.dir}/ten`, { type: 'hudi' })).code).toBe('ARGUMENT_INVALID')
    expect((await attach(`${lab.dir}/ten`, { actor: 'nobody' })).code).toBe('COLUMN_NOT_FOUND')
    expect((await attach(`${lab.dir}/evolved`, { actor: 'added' })).code).toBe('KEY_INVALID')
    expect((await failure(() => sql('FROM refused'))).code).toBe('TABLE_NOT_FOUND')
  })
})
