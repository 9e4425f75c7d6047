/** Types that are guessed from text: later rows widen them or stop the import, and never lose a digit. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Warehouse } from '../../src/index.ts'

let folder: string
let warehouse: Warehouse
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skep-inference-'))
  warehouse = await Warehouse.open(join(folder, 'warehouse'))
})
afterAll(async () => {
  await warehouse.close()
  await rm(folder, { recursive: true })
})

/** More rows than types are guessed from at first. */
const MANY = Array.from({ length: 30_000 }, (_, k) => k)

async function importText(name: string, text: string): Promise<{ a: unknown; type: string }> {
  await writeFile(join(folder, name), text)
  const table = name.replaceAll(/\W/g, '_')
  await warehouse.import(table, [join(folder, name)])
  const { columns, rows } = await warehouse.sql(`SELECT a FROM ${table} WHERE rare`)
  return { a: rows[0]!.a, type: columns[0]!.type }
}

const csv = (value: string, late: string) => `a,rare\n${MANY.map(() => `${value},false\n`).join('')}${late},true\n`
const ndjson = (value: string, late: string) =>
  `${MANY.map(() => `{"a": ${value}, "rare": false}\n`).join('')}{"a": ${late}, "rare": true}\n`

describe('a value beyond the first rows', () => {
  test('that is a fraction makes a column of integers one of doubles', async () => {
    expect(await importText('fraction.csv', csv('1', '2.5'))).toEqual({ a: 2.5, type: 'DOUBLE' })
    expect(await importText('fraction.ndjson', ndjson('1', '2.5'))).toEqual({ a: 2.5, type: 'DOUBLE' })
  })

  test('that has a time makes a column of dates one of timestamps', async () => {
    const late = { a: '2020-01-02T10:00:00', type: 'TIMESTAMP' }
    expect(await importText('time.csv', csv('2020-01-01', '2020-01-02 10:00:00'))).toEqual(late)
  })

  test('that is no number stops the import at its row', async () => {
    await expect(importText('text.csv', csv('1', 'x'))).rejects.toMatchObject({
      code: 'ROW_INVALID',
      details: { line: 30_002 },
    })
    await expect(importText('text.ndjson', ndjson('1', '"x"'))).rejects.toMatchObject({
      code: 'ROW_INVALID',
      details: { line: 30_001 },
    })
    expect((await warehouse.tables()).map(({ name }) => name)).not.toContain('text_csv')
  })

  test('under a new key adds a column', async () => {
    await writeFile(join(folder, 'key.ndjson'), `${MANY.map((k) => `{"a": ${k}}\n`).join('')}{"a": 0, "b": 7}\n`)
    await warehouse.import('key', [join(folder, 'key.ndjson')])
    expect((await warehouse.sql('SELECT sum(b) AS b FROM key')).rows).toEqual([{ b: 7 }])
  })
})

test('appending a fraction to integers is refused, however late it comes', async () => {
  await writeFile(join(folder, 'whole.csv'), csv('1', '2'))
  await writeFile(join(folder, 'late.csv'), csv('1', '2.5'))
  await warehouse.import('whole', [join(folder, 'whole.csv')])
  await expect(warehouse.import('whole', [join(folder, 'late.csv')])).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' })
})
