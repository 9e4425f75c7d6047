/** Delta tables that others wrote, attached: the same rows as their files have, in every state that their logs have. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeltaLab, type Field } from '../delta-lab.ts'
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

test('what is not there, and what is taken', async () => {
  expect((await failure(() => lab.warehouse.attach('none', `${lab.dir}/none`, { type: 'delta' }))).code).toBe(
    'FILE_NOT_FOUND',
  )
  expect((await failure(() => lab.warehouse.attach('none', 's3://bucket/table', { type: 'delta' }))).code).toBe(
    'ARGUMENT_INVALID',
  )
})
