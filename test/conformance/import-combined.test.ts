/** Importing again and leaving out rows, while the columns of the table change. */

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LEDGER_PROPERTY } from '../../src/catalog/ledger.ts'
import type { ImportOptions } from '../../src/inputs/import.ts'
import { failure, filesBelow, type Lab, openLab } from './import-lab.ts'
import { OtherWriter } from './other-writer.ts'

let lab: Lab
let other: OtherWriter
let cases = 0

beforeAll(async () => {
  lab = await openLab()
  other = new OtherWriter(lab.root)
})

afterAll(async () => {
  await other.close()
  await lab.close()
})

const rowsOf = async (table: string) => (await lab.warehouse.sql(`FROM ${table} ORDER BY ALL`)).rows
const typesOf = async (table: string) => {
  const { columns } = await lab.warehouse.describe(table)
  return Object.fromEntries(columns.map(({ name, type }) => [name, type]))
}

/** A new table of the rows of a query. */
async function make(sql: string): Promise<string> {
  const table = `t${++cases}`
  await lab.warehouse.import(table, [await lab.write(sql)])
  return table
}

/** Imports text into a table with rejects beside it: the result, and lines and columns of the rejects. */
async function sift(table: string, content: string, format: 'csv' | 'ndjson', options: ImportOptions = {}) {
  const rejects = `${lab.dir}/rejects-${++cases}.ndjson`
  const path = lab.text(content, `source-${cases}.${format}`)
  const done = await lab.warehouse.import(table, [path], { ...options, rejects })
  const texts = readFileSync(rejects, 'utf8').split('\n').slice(0, -1)
  const bad = texts.map((text) => JSON.parse(text)).map(({ line, column }) => [line, column])
  expect(done.rejected).toBe(bad.length)
  return { done, bad }
}

/** The file of a table's newest metadata, what is in it, and its ledger. */
async function newest(table: string) {
  const file = (await lab.warehouse.describe(table)).metadataLocation!
  const metadata = JSON.parse(readFileSync(file, 'utf8'))
  const ledger = file.replace(/[^/]+$/, metadata.properties[LEDGER_PROPERTY])
  return { metadata, ledger }
}

describe('values are judged by what the columns become', () => {
  test.for(['csv', 'ndjson'] as const)(
    'of %s: an INTEGER column is widened by a value, not by damage',
    async (format) => {
      const write = (values: string[]) =>
        format === 'csv' ? `n\n${values.join('\n')}\n` : values.map((value) => `{"n":${value}}\n`).join('')
      const offset = format === 'csv' ? 2 : 1
      const text = format === 'csv' ? 'oops' : '"oops"'
      const table = await make('SELECT 1::INTEGER AS n')
      const small = await sift(table, write(['5', text, '2.5', '99999999999999999999']), format)
      expect(small.bad).toEqual([1, 2, 3].map((k) => [k + offset, 'n']))
      expect(small.done).not.toHaveProperty('widenedColumns')
      expect(await typesOf(table)).toEqual({ n: 'INTEGER' })
      const large = await sift(table, write(['3000000000', text]), format)
      expect(large.bad).toEqual([[1 + offset, 'n']])
      expect(large.done.widenedColumns).toEqual([{ name: 'n', from: 'INTEGER', to: 'BIGINT' }])
      expect(await rowsOf(table)).toEqual([{ n: 1 }, { n: 5 }, { n: 3_000_000_000 }])
    },
  )

  test('columns that the table has not become new ones, and of their values the odd ones are rejected', async () => {
    const table = await make('SELECT 0 AS a')
    const many = Array.from({ length: 30_000 }, (_, k) => `${k},${k}`)
    const { done, bad } = await sift(table, `a,more\n${[...many, '1,oops', 'oops,1'].join('\n')}\n`, 'csv')
    expect(bad).toEqual([
      [30_002, 'more'],
      [30_003, 'a'],
    ])
    expect(done).toMatchObject({ rows: 30_000, addedColumns: ['more'] })
    expect(await typesOf(table)).toEqual({ a: 'INTEGER', more: 'BIGINT' })
  })

  test('a nested value with parts that the column has no place for is rejected, not cut', async () => {
    const table = await make(`SELECT {'x': 1::BIGINT, 'l': [{'y': 'a'}]} AS s, [1::BIGINT] AS l`)
    const lines = [
      '{"s":{"x":2},"l":[2]}',
      '{"s":{"x":3,"more":1}}',
      '{"s":{"x":4,"l":[{"y":"b"},{"z":"c"}]}}',
      '{"s":{"x":5,"l":[{"y":"b"}]},"l":[1.5]}',
      '{"s":null,"l":null}',
    ]
    const { bad } = await sift(table, `${lines.join('\n')}\n`, 'ndjson')
    expect(bad).toEqual([
      [2, 's'],
      [3, 's'],
      [4, 'l'],
    ])
    expect((await rowsOf(table)).length).toBe(3)
  })

  test('a chosen type that goes with no type of the column is a mistake of the call, not of rows', async () => {
    const table = await make('SELECT 1::INTEGER AS n')
    const path = lab.text('n\n1\n', `chosen-${++cases}.csv`)
    const rejects = `${lab.dir}/chosen.ndjson`
    const error = await failure(() => lab.warehouse.import(table, [path], { types: { n: 'DATE' }, rejects }))
    expect(error).toMatchObject({ code: 'SCHEMA_MISMATCH', details: { column: 'n' } })
    expect(existsSync(rejects)).toBe(false)
    await lab.warehouse.import(table, [path], { types: { n: 'BIGINT' }, rejects })
    expect(await typesOf(table)).toEqual({ n: 'BIGINT' })
  })

  test('rows of which none is left change no columns', async () => {
    const table = await make('SELECT 1::INTEGER AS n')
    const before = filesBelow(lab.root)
    expect((await sift(table, 'n,more\noops,1\n', 'csv')).done).toMatchObject({ rows: 0, rejected: 1, sources: 0 })
    expect(filesBelow(lab.root)).toEqual(before)
  })
})

/** Another writer imports files right before our first commit, and we wait for it as we stand. */
function meanwhile(table: string, path: string, options: object): ImportOptions {
  return { once: true, ...other.meanwhile({ table, verb: 'import', path, options }) }
}

describe('another import brings one of our files meanwhile', () => {
  test('and new columns with it: ours brings the rest, under the new columns', async () => {
    const table = await make('SELECT 0::INTEGER AS a')
    const paths = [1, 2].map((k) => lab.text(`a,b\n${k},${k}\n`, `race-${table}/${k}.csv`))
    const done = await lab.warehouse.import(table, paths, meanwhile(table, paths[1]!, { once: true }))
    expect(done).toMatchObject({ rows: 1, sources: 1, skipped: [paths[1]] })
    expect(done).not.toHaveProperty('addedColumns')
    expect(await rowsOf(table)).toEqual([
      { a: 0, b: null },
      { a: 1, b: 1 },
      { a: 2, b: 2 },
    ])
  })

  test('with its damaged rows: ours has none of its own to write down', async () => {
    const table = await make('SELECT 0::BIGINT AS a')
    const path = lab.text('a\n1\noops\n', `race-${table}.csv`)
    const [ours, theirs] = ['ours', 'theirs'].map((name) => `${lab.dir}/${name}-${table}.ndjson`)
    const race = meanwhile(table, path, { once: true, rejects: theirs! })
    const done = await lab.warehouse.import(table, [path], { ...race, rejects: ours! })
    expect(done).toMatchObject({ rows: 0, skipped: [path], rejected: 0 })
    expect(readFileSync(theirs!, 'utf8').split('\n')).toHaveLength(2)
    expect(readFileSync(ours!, 'utf8')).toBe('')
    expect(await rowsOf(table)).toEqual([{ a: 0 }, { a: 1 }])
  })
})

describe('a table remembers its sources', () => {
  test('and its schemas, when one commit brings both, and alterations keep both', async () => {
    const table = await make('SELECT 1 AS a')
    const path = await lab.write('SELECT 2 AS a, 3 AS b')
    await lab.warehouse.import(table, [path], { once: true })
    const first = await newest(table)
    expect(Object.keys(first.metadata.properties)).toEqual(expect.arrayContaining([LEDGER_PROPERTY, 'skep.schema-log']))
    await lab.warehouse.alter(table, { rename: { b: 'c' }, comment: 'of all' })
    expect((await newest(table)).ledger).toBe(first.ledger)
    const again = await lab.warehouse.import(table, [path], { once: true })
    expect(again).toMatchObject({ rows: 0, skipped: [path] })
    expect(again).not.toHaveProperty('addedColumns')
    await lab.warehouse.import(table, [await lab.write('SELECT 4 AS a, 5 AS c')], { replace: true })
    expect((await lab.warehouse.import(table, [path], { once: true })).addedColumns).toEqual(['b'])
    expect(JSON.parse((await newest(table)).metadata.properties['skep.schema-log'])).toHaveLength(3)
  })

  test('through a commit of the same id: it is repeated, and rows of the rejects are written down again', async () => {
    const table = await make('SELECT 1 AS a')
    const options = { commitId: 'mine' }
    expect((await sift(table, 'a\n2\noops\n', 'csv', options)).done).toMatchObject({ rows: 1, rejected: 1 })
    expect((await sift(table, 'a\n2\noops\n', 'csv', options)).done).toMatchObject({
      repeated: true,
      rows: 0,
      rejected: 1,
    })
    expect(await rowsOf(table)).toEqual([{ a: 1 }, { a: 2 }])
  })

  test('in a file that verify looks at: what is wrong with it is told by name', async () => {
    const table = await make('SELECT 1 AS a')
    expect((await lab.warehouse.verify(table)).damaged).toEqual([])
    const { ledger } = await newest(table)
    const bytes = readFileSync(ledger)
    const [at] = [bytes.indexOf('"sha256":["') + 11]
    const other = Buffer.from(bytes)
    other[at] = bytes[at] === 0x30 ? 0x31 : 0x30
    writeFileSync(ledger, other)
    const error = await failure(() => lab.warehouse.import(table, [lab.text('a\n1\n', 'sealed.csv')], { once: true }))
    expect(error).toMatchObject({ code: 'TABLE_INVALID', details: { file: expect.stringMatching(/ledger-/) } })
    rmSync(ledger)
    const { damaged } = await lab.warehouse.verify(table)
    expect(damaged.map(({ file }) => ledger.endsWith(file))).toEqual([true])
  })
})

test('an empty file of rejects in CSV names its columns, also of Parquet and of nothing new', async () => {
  const table = await make('SELECT 1 AS a')
  const path = await lab.write('SELECT 2 AS a')
  for (const skipped of [[], [path]]) {
    const rejects = `${lab.dir}/empty-${++cases}.csv`
    expect(await lab.warehouse.import(table, [path], { once: true, rejects })).toMatchObject({ skipped, rejected: 0 })
    expect(readFileSync(rejects, 'utf8')).toBe('file,line,column,reason,text\n')
  }
})
