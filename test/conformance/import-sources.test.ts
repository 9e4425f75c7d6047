import { gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ImportOptions } from '../../src/inputs/import.ts'
import { dataFiles, failure, filesBelow, type Lab, openLab, scanOf } from './import-lab.ts'

let lab: Lab
let tables = 0

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

/** Imports into a new table; rows and columns as DuckDB reads them from the data files. */
async function take(
  files: string | string[],
  options: ImportOptions = {},
): Promise<{ columns: string[]; rows: unknown[][] }> {
  const table = `taken_${++tables}`
  await lab.warehouse.import(table, [files].flat(), options)
  const stored = await dataFiles(lab.warehouse, table)
  if (stored.length === 0) {
    const { columns } = await lab.warehouse.describe(table)
    return { columns: columns.map(({ name, type }) => `${name} ${type}`), rows: [] }
  }
  return await read(scanOf(stored))
}

async function read(from: string): Promise<{ columns: string[]; rows: unknown[][] }> {
  const columns = await lab.judge(`SELECT column_name || ' ' || column_type FROM (DESCRIBE FROM ${from})`)
  return { columns: columns.map(([text]) => text as string), rows: await lab.judge(`FROM ${from} ORDER BY ALL`) }
}

const CSV: [name: string, content: string][] = [
  ['a header', 'a,b\n1,x\n2,y\n'],
  ['no header', '1,x\n2,y\n'],
  ['semicolons', 'a;b\n1;"x;y"\n'],
  ['bars', 'a|b\n1|x\n'],
  ['empty fields', 'a,b,c\n1,,""\n,2,x\n'],
  ['Windows line ends', 'a,b\r\n1,x\r\n2,y\r\n'],
  ['a byte order mark', '\uFEFFa,b\n1,x\n'],
  ['line ends and quotes in quotes', 'a,b\n1,"x\ny"\n2,"q""q"\n'],
  ['one column', 'a\n1\n2\n'],
  ['quoted names', '"a,1","b"\n1,x\n'],
  ['a line end in a name', '"a\nz",b\n1,x\n'],
  ['a NUL', 'a,b\n1,x\0y\n'],
  ['a header alone', 'a,b\n'],
  ['blank lines', 'a,b\n1,x\n\n2,y\n'],
  ['no line end at the end', 'a,b\n1,x'],
  ['dates, times, timestamps', 'a,b,c\n2020-01-01,12:00:00,2020-01-01 10:00:00\n2020-02-29,,2020-01-01 10:00:00.5\n'],
  ['numbers of all sorts', 'a,b,c,d\n1,1.5,1e300,99999999999999999999\n-2,2,inf,1\n'],
  ['booleans', 'a,b\ntrue,False\nfalse,TRUE\n'],
  ['twice the same name', 'a,a\n1,2\n'],
  ['spaces', 'a, b\n1, 2\n'],
  ['numbers in quotes', 'a,b\n"1","x"\n'],
  ['any unicode', 'é,😀\nü,"日本 语"\n'],
]

describe('CSV as DuckDB reads it', () => {
  test.for(CSV)('%s', async ([name, content]) => {
    const path = lab.text(content, `csv/${name.replaceAll(' ', '-')}.csv`)
    expect(await take(path)).toEqual(await read(`read_csv('${path}')`))
  })

  test('tabs, by the name or not', async () => {
    const tsv = lab.text('a\tb\n1\tx,y\n', 'tabs.tsv')
    expect(await take(tsv)).toEqual({ columns: ['a BIGINT', 'b VARCHAR'], rows: [['1', 'x,y']] })
    expect(await take(lab.text('a\tb\n1\tx,y\n', 'tabs.csv'))).toEqual(await take(tsv))
  })
})

const NDJSON: [name: string, content: string][] = [
  ['numbers that become doubles', '{"a":1,"b":"x"}\n{"a":2.5,"b":null}\n'],
  ['nested values', '{"a":{"b":[1,2]},"c":[{"d":1}]}\n'],
  ['dates and ids', '{"d":"2020-01-01","t":"2020-01-01T10:00:00Z","u":"0f8fad5b-d9cb-469f-a165-70867728950e"}\n'],
  ['blank lines', '{"a":1}\n\n{"a":2}\n'],
  ['keys that come and go', '{"a":1}\n{"b":2}\n'],
  ['any unicode', '{"é":"\\ud83d\\ude00 ü \\u0000 x"}\n'],
  ['scalars', '1\n2\n'],
]

describe('NDJSON as DuckDB reads it', () => {
  test.for(NDJSON)('%s', async ([name, content]) => {
    const path = lab.text(content, `json/${name.replaceAll(' ', '-')}.ndjson`)
    expect(await take(path)).toEqual(await read(`read_json('${path}')`))
  })

  test('texts that are sometimes objects are kept as JSON', async () => {
    const path = lab.text('{"a":1}\n{"a":"x"}\n{"a":{"b":1}}\n', 'json/any.ndjson')
    expect(await take(path)).toEqual({ columns: ['a VARCHAR'], rows: [['"x"'], ['1'], ['{"b":1}']] })
  })

  test('a list of objects in a .json file', async () => {
    const path = lab.text('[{"a":1},\n {"a":2}]', 'json/list.json')
    expect(await take(path)).toEqual({ columns: ['a BIGINT'], rows: [['1'], ['2']] })
  })
})

describe('compression', () => {
  const content = `a,b\n${Array.from({ length: 3000 }, (_, i) => `${i},x${(i * 7919) % 1000}`).join('\n')}\n`
  const plain = () => take(lab.text(content, 'plain.csv'))

  test('gzip and zstd, whole or in several members', async () => {
    const wanted = await plain()
    const half = content.indexOf('\n', 9000) + 1
    const parts = [content.slice(0, half), content.slice(half)]
    expect(await take(lab.text(gzipSync(content), 'one.csv.gz'))).toEqual(wanted)
    expect(await take(lab.text(zstdCompressSync(content), 'one.csv.zst'))).toEqual(wanted)
    expect(await take(lab.text(Buffer.concat(parts.map((p) => gzipSync(p))), 'two.csv.gz'))).toEqual(wanted)
    expect(await take(lab.text(Buffer.concat(parts.map((p) => zstdCompressSync(p))), 'two.csv.zst'))).toEqual(wanted)
    expect(await take(lab.text(gzipSync('{"a":1}\n'), 'j.json.gz'))).toEqual({ columns: ['a BIGINT'], rows: [['1']] })
  })

  test.for([
    ['gz', gzipSync],
    ['zst', zstdCompressSync],
  ] as const)('a .%s that is cut off anywhere is refused, whatever is left of it', async ([ending, compress]) => {
    const packed = compress(content)
    const before = filesBelow(lab.root)
    const cuts = [5, 12, 40, 0.25, 0.5, 0.75, 0.99].map((at) => (at < 1 ? Math.floor(packed.length * at) : at))
    for (const length of [...cuts, packed.length - 9, packed.length - 4, packed.length - 1]) {
      const path = lab.text(packed.subarray(0, length), `cut-${length}.csv.${ending}`)
      const error = await failure(() => lab.warehouse.import('cut_off', [path], { types: { a: 'VARCHAR' } }))
      expect(['FILE_INVALID', 'ROW_INVALID'], `cut at ${length}: ${error.message}`).toContain(error.code)
    }
    expect(filesBelow(lab.root)).toEqual(before)
  })

  test('a gzip whose content was changed is refused', async () => {
    const packed = gzipSync('a\nxxxxxxxxxxxxxxxxxxxx\nyyyyyyyy\n', { level: 0 })
    packed[20] = 'z'.charCodeAt(0)
    const path = lab.text(packed, 'changed.csv.gz')
    expect((await failure(() => lab.warehouse.import('changed', [path]))).code).toBe('FILE_INVALID')
  })
})

describe('several files', () => {
  test('globs, by name, each file once', async () => {
    for (const k of [1, 2, 3]) lab.text(`a,b\n${k},x\n`, `many/part-${k}.csv`)
    lab.text('a,b\n9,x\n', 'many/other.txt')
    const glob = `${lab.dir}/many/part-*.csv`
    const wanted = { columns: ['a BIGINT', 'b VARCHAR'], rows: [1, 2, 3].map((k) => [String(k), 'x']) }
    expect(await take(glob)).toEqual(wanted)
    expect(await take([`${lab.dir}/many/part-2.csv`, glob, `${lab.dir}/many/../many/part-1.csv`])).toEqual(wanted)
  })

  test('guesses of several texts are brought together', async () => {
    const paths = ['a,d\n1,2020-01-01\n', 'a,d\n1.5,2020-01-01 10:00:00\n'].map((text, k) =>
      lab.text(text, `wider/${k}.csv`),
    )
    expect(await take(paths)).toEqual({
      columns: ['a DOUBLE', 'd TIMESTAMP'],
      rows: [
        [1, '2020-01-01 00:00:00'],
        [1.5, '2020-01-01 10:00:00'],
      ],
    })
  })

  test('Parquet files of several integer widths and another order of columns', async () => {
    const paths = [
      await lab.write(`SELECT 1::TINYINT AS a, 'x' AS b`),
      await lab.write(`SELECT 'y' AS b, 5000000000::BIGINT AS a`),
    ]
    expect(await take(paths)).toEqual({
      columns: ['a BIGINT', 'b VARCHAR'],
      rows: [
        ['1', 'x'],
        ['5000000000', 'y'],
      ],
    })
  })

  test('a column that is missing from one is an error that names both', async () => {
    const paths = [await lab.write('SELECT 1 AS a, 2 AS b'), await lab.write('SELECT 1 AS a')]
    const error = await failure(() => take(paths))
    expect(error).toMatchObject({ code: 'SCHEMA_MISMATCH', details: { column: 'b', files: paths } })
  })

  test('types that do not fit each other are an error that names both', async () => {
    const paths = [await lab.write(`SELECT 'x' AS a`), await lab.write('SELECT 1 AS a')]
    const error = await failure(() => take(paths))
    expect(error).toMatchObject({
      code: 'SCHEMA_MISMATCH',
      details: { column: 'a', files: paths, expected: 'VARCHAR', found: 'INTEGER' },
    })
  })
})

describe('into a table that is there', () => {
  test('columns that are missing become null, in any order and any case', async () => {
    await lab.warehouse.import('grow', [await lab.write(`SELECT 1 AS id, 'x' AS name, 1.5::DOUBLE AS price`)])
    await lab.warehouse.import('grow', [await lab.write(`SELECT 'y' AS NAME, 2 AS id`)])
    await lab.warehouse.import('grow', [lab.text('price,id\n2,3\n', 'grow.csv')])
    await lab.warehouse.import('grow', [lab.text('{"id":4,"price":7}\n', 'grow.ndjson')])
    const { rows } = await lab.warehouse.sql('FROM grow ORDER BY id')
    expect(rows).toEqual([
      { id: 1, name: 'x', price: 1.5 },
      { id: 2, name: 'y', price: null },
      { id: 3, name: null, price: 2 },
      { id: 4, name: null, price: 7 },
    ])
  })

  test.for([
    ['a fraction for a number', `SELECT 2.5::DOUBLE AS id`],
    ['text for a number', `SELECT 'x' AS id`],
  ] as const)('%s is refused', async ([, sql]) => {
    const path = await lab.write(sql)
    const error = await failure(() => lab.warehouse.import('grow', [path]))
    expect(error).toMatchObject({ code: 'SCHEMA_MISMATCH', details: { table: 'grow' } })
  })

  test.for([
    ['csv', 'id\n2.5\n'],
    ['ndjson', '{"id":2.5}\n'],
    ['ndjson', '{"id":true}\n'],
    ['csv', 'day\n2020-01-02 10:00:00\n'],
    ['ndjson', '{"day":"2020-01-02 10:00:00"}\n'],
  ] as const)('.%s that would be rounded is refused: %j', async ([ending, content]) => {
    if (!(await lab.warehouse.tables()).some(({ name }) => name === 'rounded')) {
      await lab.warehouse.import('rounded', [await lab.write(`SELECT 1 AS id, DATE '2020-01-01' AS day`)])
    }
    const error = await failure(() => lab.warehouse.import('rounded', [lab.text(content, `rounded.${ending}`)]))
    expect(error).toMatchObject({ code: 'SCHEMA_MISMATCH', details: { table: 'rounded' } })
  })

  test('types can be chosen, and are kept', async () => {
    const path = lab.text('id,zip\n1,01234\n', 'zip.csv')
    await lab.warehouse.import('zips', [path], { types: { ZIP: 'VARCHAR', id: 'DECIMAL(9,2)' } })
    await lab.warehouse.import('zips', [path])
    const { rows } = await lab.warehouse.sql('FROM zips')
    expect(rows).toEqual([
      { id: '1.00', zip: '01234' },
      { id: '1.00', zip: '01234' },
    ])
    const error = await failure(() => lab.warehouse.import('zips', [path], { types: { zap: 'VARCHAR' } }))
    expect(error).toMatchObject({ code: 'COLUMN_NOT_FOUND', details: { column: 'zap', nearest: 'zip' } })
  })
})

test('progress goes forward, and ends with the commit', async () => {
  const lines = Array.from({ length: 200_000 }, (_, i) => `u${i % 1000},${i}`)
  const path = lab.text(`who,ts\n${lines.join('\n')}\n`, 'progress.csv')
  const seen: { phase: string; fraction: number; rows?: number }[] = []
  await lab.warehouse.import('progress', [path], {
    actor: 'who',
    time: 'ts',
    buckets: 8,
    onProgress: (progress) => seen.push(progress),
  })
  expect(seen.at(-1)).toMatchObject({ phase: 'commit', fraction: 1, rows: 200_000 })
  expect(
    seen.every(({ fraction }, k) => fraction >= 0 && fraction <= 1 && fraction >= (seen[k - 1]?.fraction ?? 0)),
  ).toBe(true)
})

test('a cancelled import leaves nothing', async () => {
  const path = await lab.write(`SELECT 'u' || hash(i) AS who, i AS ts FROM range(400000) t(i)`)
  const before = filesBelow(lab.root)
  for (const delayMs of [0, 20, 60, 120]) {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), delayMs)
    const error = await failure(() =>
      lab.warehouse.import('cancelled', [path], { actor: 'who', time: 'ts', buckets: 16, signal: controller.signal }),
    )
    expect(error.code).toBe('CANCELLED')
  }
  expect(filesBelow(lab.root)).toEqual(before)
})
