import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ImportOptions } from '../../src/inputs/import.ts'
import { failure, filesBelow, type Lab, openLab } from './import-lab.ts'

const CLI = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

let lab: Lab
let cases = 0

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

interface Outcome {
  table: string
  rows: unknown[]
  rejected: { file: string; line: number; column?: string; reason: string; text: string }[]
}

const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))

/** Imports files into a table of their own, rejects beside them. */
async function sift(paths: string[], options: ImportOptions = {}): Promise<Outcome> {
  const table = `sifted_${++cases}`
  const rejects = `${lab.dir}/${table}.ndjson`
  const done = await lab.warehouse.import(table, paths, { ...options, rejects })
  const rejected = linesOf(rejects)
  const { rows } = await lab.warehouse.sql(`FROM ${table} ORDER BY ALL`)
  expect(done).toMatchObject({ rows: rows.length, rejected: rejected.length })
  return { table, rows, rejected }
}

const csv = (content: string | Uint8Array) => lab.text(content, `source-${++cases}.csv`)
const json = (content: string, ending = 'ndjson') => lab.text(content, `source-${++cases}.${ending}`)

describe('a row that does not parse', () => {
  test('is written down with file, line, column, reason and text', async () => {
    const path = csv('a,b\n1,"x\ny"\noops,2\n\n3\n4,"z\n')
    const { rows, rejected } = await sift([path], { types: { a: 'BIGINT' } })
    expect(rows).toEqual([{ a: 1, b: 'x\ny' }])
    expect(rejected).toEqual([
      { file: path, line: 4, column: 'a', reason: 'not of the type BIGINT: oops', text: 'oops,2' },
      { file: path, line: 6, reason: '1 value instead of 2', text: '3' },
      { file: path, line: 7, reason: 'a quote that is not closed', text: '4,"z' },
    ])
  })

  test('may be of JSON, at any depth; null and missing fields are no damage', async () => {
    const path = json(
      [
        '{"a":1,"s":{"x":1,"l":[1,null]},"m":"q"}',
        '{"a":2,"s":{"x":"bad"}}',
        '{"a":3,"s":{"l":[1,"bad"]}}',
        '{"a":4,"s":[]}',
        '{"a":5,"s":{},"more":null}',
        '{"a":6,"s":null,"m":null}',
        '{"a":true}',
        '{"a":7',
        '{"a":8,"s":{"x":1,"\\u0078":2}}',
        '{"a":9,"m":"\\"a\\": {\\"a\\":"}',
        '{}',
      ].join('\n'),
    )
    const types = { a: 'BIGINT', s: 'STRUCT(x BIGINT, l BIGINT[])', m: 'VARCHAR', more: 'VARCHAR' }
    const { rows, rejected } = await sift([path], { types })
    expect(rejected.map(({ line, column }) => [line, column])).toEqual([
      [2, 's'],
      [3, 's'],
      [4, 's'],
      [7, 'a'],
      [8, undefined],
      [9, undefined],
    ])
    expect(rows.map((row) => (row as { a: number }).a)).toEqual([1, 5, 6, 9, null])
  })

  test('of JSON is one exactly where an import without rejects stops', async () => {
    const LINES = [
      '{"a":NaN}',
      '{"a":1e400}',
      '{"a":"\\ud800"}',
      '{"a":"\\ud83d\\ude00"}',
      '{"a":1,"a":2}',
      '{"a":"\\":1,\\"a\\":"}',
      '{"a":1}\u00a0',
      '\ufeff{"a":1}',
    ]
    for (const line of LINES) {
      const path = json(`{"a":1.5}\n${line}\n`)
      const table = `strict_${++cases}`
      const strict = await lab.warehouse.import(table, [path], { types: { a: 'VARCHAR' } }).catch(() => undefined)
      const { rows } = await sift([path], { types: { a: 'VARCHAR' } })
      expect({ line, rows: rows.length }).toEqual({ line, rows: strict?.rows ?? 1 })
    }
  })

  test('of a file without damage is none: the table is as it is without rejects', async () => {
    const SOURCES = [
      'id;day;t;x;u;e;l\n1;31/12/2020;2020-01-01 10:00:00;1e3;0x1F;"";[1]\n2;01/02/2021;2020-01-01 11:00:00.5;.5;7; ;[]\n',
      'a,b\r\n"1",x\r\n\r\n2," y"\r\n',
      '\ufeff"a b",c,,c\n1,2,3,4\n5,6,7,8\n',
      '1,x\n2,y\n',
      'only\n1\n\n3\n',
      'a,a_1,A\n1,2,3\n',
    ]
    for (const content of SOURCES) {
      const path = csv(content)
      const table = `plain_${++cases}`
      await lab.warehouse.import(table, [path])
      const sifted = await sift([path])
      const columnsOf = async (name: string) =>
        (await lab.warehouse.describe(name)).columns.map((column) => [column.name, column.type])
      expect(await columnsOf(sifted.table)).toEqual(await columnsOf(table))
      expect(sifted).toMatchObject({ rejected: [], rows: (await lab.warehouse.sql(`FROM ${table} ORDER BY ALL`)).rows })
    }
  })

  test('is cut where its text is long', async () => {
    const path = csv(`a,b\n1,2,${'é'.repeat(5000)}\n1,2\n`)
    const { rejected } = await sift([path])
    expect(rejected[0]!.text.length).toBeLessThan(2100)
    expect(rejected[0]!.text).toMatch(/^1,2,é+/)
  })

  test('may be longer than anything the engine reads', async () => {
    const { rows, rejected } = await sift([
      csv(`a,b\n1,2\n3,${'x'.repeat(2_100_000)}\n5,"${`${'y'.repeat(999)}\n`.repeat(2200)}6,7\n`),
    ])
    expect(rows).toEqual([
      { a: 1, b: 2 },
      { a: 6, b: 7 },
    ])
    expect(rejected.slice(0, 2).map(({ line }) => line)).toEqual([3, 4])
    expect(rejected).toHaveLength(2201)
    expect(rejected.at(-1)).toMatchObject({ line: 2203, reason: '1 value instead of 2' })
  })

  test('may be told by the types of the table, in each of several packed files', async () => {
    await lab.warehouse.import('typed', [await lab.write("SELECT 1::BIGINT AS n, DATE '2020-01-01' AS d")])
    const pack = (text: string) => lab.text(gzipSync(text), `packed-${++cases}.csv.gz`)
    const paths = [
      pack('n,d\n2,2020-01-02\n2.5,2020-01-03\n'),
      pack('d,n\n2020-01-04,4\n2020-01-05 10:00,5\nnever,6\n'),
    ]
    const rejects = `${lab.dir}/typed.ndjson`
    expect(await lab.warehouse.import('typed', paths, { rejects })).toMatchObject({ rows: 2, rejected: 3 })
    expect(linesOf(rejects).map(({ file, line, column }) => [file, line, column])).toEqual([
      [paths[0], 3, 'n'],
      [paths[1], 3, 'd'],
      [paths[1], 4, 'd'],
    ])
    expect((await lab.warehouse.sql('SELECT n FROM typed ORDER BY n')).rows).toEqual([{ n: 1 }, { n: 2 }, { n: 4 }])
  })

  test('late in a file does not change the type of its column, nor round the values beside it', async () => {
    const numbers = Array.from({ length: 30_000 }, (_, k) => String(k))
    const { rows, rejected } = await sift([csv(`a\n${[...numbers, 'oops', '2.5'].join('\n')}\n`)])
    expect(rows).toHaveLength(30_000)
    expect(rejected.map(({ line }) => line)).toEqual([30_002, 30_003])
  })
})

describe('an import of which nothing is left', () => {
  test('makes no table, changes none and tells the counts', async () => {
    const path = csv('a,b\n1\n2\n')
    const rejects = `${lab.dir}/nothing.ndjson`
    expect(await lab.warehouse.import('nothing', [path], { rejects })).toMatchObject({
      created: false,
      rows: 0,
      rejected: 2,
    })
    expect((await failure(() => lab.warehouse.describe('nothing'))).code).toBe('TABLE_NOT_FOUND')
    await lab.warehouse.import('nothing', [csv('a,b\n1,2\n')])
    const before = filesBelow(lab.root)
    for (const options of [{}, { replace: true }, { once: true }]) {
      expect(await lab.warehouse.import('nothing', [path], { ...options, rejects })).toMatchObject({ rejected: 2 })
    }
    expect(filesBelow(lab.root)).toEqual(before)
    expect(linesOf(rejects)).toHaveLength(2)
  })

  test('is remembered neither: the file comes in once its types are right', async () => {
    const path = csv('a\nx\n')
    await lab.warehouse.import('later', [csv('a\n1\n')])
    const rejects = `${lab.dir}/later.ndjson`
    await lab.warehouse.import('later', [path], { once: true, rejects })
    expect(await lab.warehouse.import('later', [path], { once: true, rejects })).toMatchObject({
      skipped: [],
      rejected: 1,
    })
  })
})

describe('the file of rejects', () => {
  const bad = () => csv('a,b\n1,2\n3\n')

  test('is there, empty, when no row was rejected, also for Parquet', async () => {
    for (const path of [csv('a\n1\n'), json('{"a":1}\n'), await lab.write('SELECT 1 AS a')]) {
      expect((await sift([path])).rejected).toEqual([])
    }
    const rejects = `${lab.dir}/none.csv`
    await lab.warehouse.import('none', [csv('a\n1\n')], { rejects })
    expect(readFileSync(rejects, 'utf8')).toBe('file,line,column,reason,text\n')
  })

  test('is CSV when its name says so', async () => {
    const path = csv('a,b\n1,2\n"3","x,y",5\n')
    const rejects = `${lab.dir}/rejects.CSV`
    await lab.warehouse.import('as_csv', [path], { rejects })
    expect(readFileSync(rejects, 'utf8')).toBe(
      `file,line,column,reason,text\n${path},3,,3 values instead of 2,"""3"",""x,y"",5"\n`,
    )
  })

  test('replaces one of an earlier import, and only when the import is done', async () => {
    const rejects = `${lab.dir}/again.ndjson`
    writeFileSync(rejects, 'old')
    const options = { rejects, actor: 'missing', time: 'a' }
    expect((await failure(() => lab.warehouse.import('again', [bad()], options))).code).toBe('COLUMN_NOT_FOUND')
    expect(readFileSync(rejects, 'utf8')).toBe('old')
    await lab.warehouse.import('again', [bad()], { rejects })
    expect(linesOf(rejects)).toHaveLength(1)
    expect(readdirSync(lab.dir).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  test.for(['-', '', 'a folder', 'in a missing folder', 'the source', '/dev/null'])('cannot be %j', async (where) => {
    const source = bad()
    mkdirSync(`${lab.dir}/folder`, { recursive: true })
    const places: Record<string, string> = {
      'a folder': `${lab.dir}/folder`,
      'in a missing folder': `${lab.dir}/missing/rejects.ndjson`,
      'the source': source,
    }
    const before = readFileSync(source, 'utf8')
    const error = await failure(() => lab.warehouse.import('nowhere', [source], { rejects: places[where] ?? where }))
    expect(error).toMatchObject({ code: 'ARGUMENT_INVALID', details: { argument: 'rejects' } })
    expect(readFileSync(source, 'utf8')).toBe(before)
    expect(existsSync(`${lab.dir}/missing`)).toBe(false)
  })

  test('is named to people, and in one document to machines', async () => {
    const rejects = `${lab.dir}/cli.ndjson`
    const run = (...flags: string[]) =>
      promisify(execFile)(process.execPath, [
        CLI,
        'import',
        bad(),
        '--table',
        'cli',
        '--rejects',
        rejects,
        '--warehouse',
        lab.root,
        ...flags,
      ])
    const people = await run()
    expect(people.stderr).toContain(`1 row rejected, see ${rejects}`)
    const { stdout } = await run('--json')
    expect(JSON.parse(stdout)).toMatchObject({ rows: 1, rejected: 1 })
  })
})

describe('what rejects cannot save', () => {
  test.for([
    ['a first line that is damaged, for it names the columns', 'ROW_INVALID', () => csv('"a"x,b\n1,2\n')],
    [
      'a truncated packed file',
      'FILE_INVALID',
      () => lab.text(gzipSync('a,b\n1,2\n'.repeat(999)).subarray(0, 40), 'cut.csv.gz'),
    ],
    ['a JSON list', 'ARGUMENT_INVALID', () => json('[{"a":1},\n{"a":2}]\n', 'json')],
    ['a damaged Parquet file', 'FILE_INVALID', () => lab.text('PAR1 but not much else', 'damaged.parquet')],
  ] as const)('%s', async ([, code, make]) => {
    const path = make()
    const rejects = `${dirname(path)}/unsaved.ndjson`
    expect((await failure(() => lab.warehouse.import('unsaved', [path], { rejects }))).code).toBe(code)
    expect(existsSync(rejects)).toBe(false)
  })

  test('without rejects a row still ends the import, and is named', async () => {
    const path = csv('a,b\n1,2\n3\n')
    const error = await failure(() => lab.warehouse.import('strict', [path]))
    expect(error).toMatchObject({ code: 'ROW_INVALID', details: { file: path, line: 3 } })
  })

  test.for([
    ['a value', 'oops,1\n', { types: { a: 'BIGINT' } }],
    ['the number of values', '5\n', {}],
    ['a quote', '"5"x,1\n', {}],
    ['its bytes', Buffer.from('5,\xff\n', 'latin1'), {}],
  ] as const)(
    'without rejects a row is named by its line, line ends in quotes and blank lines before it: %s',
    async ([, row, options]) => {
      const before = 'a,b\n1,"x\ny\r\nz"\n\n2,q\n3,"\n"\n'
      for (const times of [1, 20_000]) {
        const lines = `${before}${'4,"p\nq"\n'.repeat(times)}`
        const path = csv(Buffer.concat([Buffer.from(lines), Buffer.from(row), Buffer.from('6,7\n')]))
        const error = await failure(() => lab.warehouse.import('strict', [path], options))
        const line = lines.split('\n').length
        expect(error).toMatchObject({ code: 'ROW_INVALID', details: { line } })
        expect(error.message).toContain(`line ${line}:`)
      }
    },
  )
})
