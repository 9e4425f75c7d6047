/** Tables as tasks carry them: what a scan reads is the same on both sides, whole files and ranges of rows. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Catalog } from '../../src/catalog/catalog.ts'
import { Folders } from '../../src/catalog/folder/folders.ts'
import { systemSources } from '../../src/catalog/sources.ts'
import type { DataFile, Table } from '../../src/catalog/types.ts'
import { readSettings } from '../../src/config.ts'
import { Engine } from '../../src/engine/engine.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { fileSpec, layoutNumbers, readTable, tableSpec, takesRanges } from '../../src/planner/table-spec.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'

let lab: Lab
let engine: Engine

beforeAll(async () => {
  lab = await openLab({ SKEP_ROW_GROUP_ROWS: '2048' })
  engine = await Engine.open({ settings: readSettings({}), spillPath: `${lab.dir}/spill` })
})

afterAll(async () => {
  await engine[Symbol.asyncDispose]()
  await lab.close()
})

const EVENTS = `SELECT 'u' || i % 97 AS who, i AS ts, i % 7 AS n, (i / 10)::FLOAT AS x, (i % 5 || '')::BLOB AS b,
  {'k': i, 'l': [i]} AS s FROM range(5000) t(i)`
const LATER = `SELECT 'v' || i % 97 AS who, 10000 + i AS ts, i * 1000000000 AS n, i / 10 AS x, NULL::BLOB AS b,
  {'k': -i, 'l': [i]} AS s, 'new' AS added FROM range(3000) t(i)`

async function load(name: string): Promise<Table> {
  const settings = readSettings({})
  const catalog = new Catalog(new DiskStore(lab.root), { ...settings, sources: systemSources() })
  const loaded = await catalog.load(name)
  if (loaded.kind === 'attached') throw new Error(`${name} is attached`)
  return loaded.kind === 'managed' ? loaded : await new Folders({ maxFiles: 1000 }).current(loaded, {})
}

async function managed(): Promise<Table> {
  const keys = { actor: 'who', time: 'ts' }
  await lab.warehouse.import('plain', [await lab.write(EVENTS)], { ...keys, buckets: 2 })
  return await load('plain')
}

async function evolved(): Promise<Table> {
  await lab.warehouse.import('evolved', [await lab.write(EVENTS)], { actor: 'who', time: 'ts' })
  await lab.warehouse.alter('evolved', { rename: { n: 'file_n' }, widen: { x: 'DOUBLE' } })
  await lab.warehouse.alter('evolved', { drop: ['b'] })
  await lab.warehouse.import('evolved', [await lab.write(LATER.replace('AS n', 'AS file_n'))], {})
  return await load('evolved')
}

async function registered(): Promise<Table> {
  const folder = 'registered'
  await lab.write(EVENTS, `${folder}/day=2026-01-01/a.parquet`, 'FORMAT parquet, ROW_GROUP_SIZE 2048')
  await lab.write(LATER, `${folder}/day=2026-01-02/a.parquet`, 'FORMAT parquet, ROW_GROUP_SIZE 2048')
  await lab.warehouse.register('registered', `${lab.dir}/${folder}`, { actor: 'who', time: 'ts' })
  return await load('registered')
}

/** More layouts than are scanned one by one. */
async function motley(): Promise<Table> {
  for (let k = 0; k < 20; k++)
    await lab.write(`SELECT i AS who, ${k} AS ts, 1.5 AS c${k} FROM range(50) t(i)`, `warehouse/motley/${k}.parquet`)
  await lab.warehouse.register('motley', `${lab.root}/motley`, { actor: 'who', time: 'ts' })
  return await load('motley')
}

async function rowsOf(sql: string): Promise<string[]> {
  using session = await engine.session()
  return (await (await session.run(sql)).getRowsJson()).map((row) => JSON.stringify(row)).toSorted()
}

/** The table after a journey of these files. */
function travelled(table: Table, files: readonly DataFile[], columnIds: number[] = []): Table {
  const layouts = layoutNumbers(files)
  const sent = {
    table: tableSpec(table, layouts),
    files: files.map((file) => fileSpec(file, { root: lab.root, layouts, columnIds })),
  }
  const got = JSON.parse(JSON.stringify(sent)) as typeof sent
  return readTable(got.table, got.files, lab.root)
}

describe.each([
  ['a managed table', managed],
  ['one whose columns have changed', evolved],
  ['a registered folder with a column of its path', registered],
  ['a registered folder of many layouts, inside the warehouse', motley],
])('%s', (_, make) => {
  let table: Table
  beforeAll(async () => {
    table = await make()
  })

  const scan = (of: Table, files: readonly DataFile[] = of.snapshot.files) => scanSql(of, of.snapshot.schema, files)

  test('is scanned by the same statement after a journey, as are some of its files', () => {
    const { files } = table.snapshot
    expect(files.length).toBeGreaterThan(1)
    expect(scan(travelled(table, files))).toBe(scan(table))
    const some = files.slice(1)
    expect(scan(travelled(table, some))).toBe(scan(table, some))
    expect(scan(travelled(table, []))).toBe(scan(table, []))
  })

  test('ranges that cover its files give the rows of the files', async () => {
    expect(takesRanges(table)).toBe(true)
    const { files } = table.snapshot
    const cut = files.flatMap((file, k): DataFile[] => {
      if (k === 0) return [file]
      const bounds = [0, 7, Math.floor(file.rows * 0.6), file.rows]
      return bounds.slice(1).map((to, n) => ({ ...file, range: [bounds[n]!, to], rows: to - bounds[n]! }))
    })
    const all = await rowsOf(scan(table))
    expect(all.length).toBe(files.reduce((sum, { rows }) => sum + rows, 0))
    expect(await rowsOf(scan(travelled(table, cut)))).toEqual(all)
    for (const part of cut.slice(1)) {
      const rows = await rowsOf(scan(travelled(table, [part])))
      expect(rows.length).toBe(part.rows)
    }
  })

  test('carries the statistics that were asked for', () => {
    const time = table.snapshot.schema.columns.find(({ name }) => name === 'ts')!.id
    for (const [k, file] of travelled(table, table.snapshot.files, [time]).snapshot.files.entries()) {
      const { nulls, lower, upper } = table.snapshot.files[k]!.columns.get(time)!
      expect(lower).toBeDefined()
      expect([...file.columns]).toEqual([[time, { nulls, lower, upper }]])
      expect(file).toMatchObject({ sorted: table.snapshot.files[k]!.sorted })
    }
  })
})

test('paths below the warehouse are written from there on, others stay', async () => {
  const inside = await load('plain')
  const outside = await load('registered')
  const paths = ({ snapshot: { files } }: Table) =>
    files.map((file) => fileSpec(file, { root: lab.root, layouts: layoutNumbers(files) }).path)
  expect(paths(inside).map((path) => `${lab.root}/${path}`)).toEqual(inside.snapshot.files.map(({ path }) => path))
  expect(paths(outside)).toEqual(outside.snapshot.files.map(({ path }) => path))
  const [moved] = readTable(tableSpec(inside), [{ path: paths(inside)[0]!, rows: 1, bytes: 1 }], '/else').snapshot.files
  expect(moved!.path).toBe(`/else/${paths(inside)[0]}`)
})

test('a table with a column that is called as the row numbers are takes no ranges', async () => {
  await lab.warehouse.import('named', [await lab.write('SELECT 1 AS "File_Row_Number"')])
  expect(takesRanges(await load('named'))).toBe(false)
})
