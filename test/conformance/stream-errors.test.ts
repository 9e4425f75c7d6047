/** A result that fails half way must never look like one that is complete. */
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readSettings } from '../../src/config.ts'
import type { SqlStream } from '../../src/coordinator/calls.ts'
import { Engine } from '../../src/engine/engine.ts'
import { streamChunks } from '../../src/engine/stream.ts'
import { dataFiles, failure, type Lab, openLab } from './import-lab.ts'

const ROWS = 1_500_000

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
  const last = `SELECT i AS n, CASE WHEN i = ${ROWS - 1} THEN 'x' ELSE '1' END AS t FROM range(${ROWS}) r(i)`
  await lab.warehouse.import('late', [await lab.write(last)])
})

afterAll(() => lab.close())

async function drain({ batches }: SqlStream): Promise<number> {
  let rows = 0
  for await (const batch of batches) rows += batch.length
  return rows
}

const LATE = 'SELECT CAST(t AS INTEGER) AS a FROM late'

describe('a query that fails at its last row', () => {
  test.each([LATE, `${LATE};`, `${LATE} -- note`, 'SELECT n, CAST(t AS INTEGER), n FROM late'])('%s', async (sql) => {
    const stream = await lab.warehouse.stream(sql)
    const error = await failure(() => drain(stream))
    if (sql.includes('n,')) expect(['SQL_INVALID', 'INTERNAL']).toContain(error.code)
    else expect(error).toMatchObject({ code: 'SQL_INVALID', message: expect.stringContaining("'x'") })
  })

  test('says so to whoever wants all rows at once', async () => {
    const all = await lab.open({ SKEP_RESULT_ROWS: '10000000' })
    expect((await failure(() => all.sql(`${LATE} WHERE n >= $1`, { params: [0] }))).code).toBe('SQL_INVALID')
    await all.close()
  })

  test('and one that does not gives all of its rows, the next one too', async () => {
    const stream = await lab.warehouse.stream('SELECT n FROM late')
    expect(await drain(stream)).toBe(ROWS)
    expect((await lab.warehouse.sql('SELECT count(*) AS n FROM late')).rows).toEqual([{ n: ROWS }])
  })
})

test('data files that vanish under a running query are said to be missing', async () => {
  for (let k = 0; k < 4; k++) {
    await lab.warehouse.import('gone', [await lab.write(`SELECT i AS n FROM range(400_000) r(i)`)])
  }
  const files = await dataFiles(lab.warehouse, 'gone')
  const stream = await lab.warehouse.stream('SELECT n FROM gone')
  for (const file of files) rmSync(file)
  const error = await failure(() => drain(stream))
  expect(error).toMatchObject({ code: 'FILE_INVALID', details: { file: expect.stringMatching(/\.parquet$/) } })
  expect(files).toContain((error.details as { file: string }).file)
})

test('chunks of an own query come with its error', async () => {
  await using engine = await Engine.open({ settings: readSettings({}), spillPath: `${lab.dir}/spill` })
  using session = await engine.session()
  const rows = async (sql: string) => {
    let count = 0
    for await (const chunk of streamChunks(session, sql, {})) count += chunk.rowCount
    return count
  }
  const sql = (at: number) => `SELECT CASE WHEN i = ${at} THEN error('late') ELSE i END AS v FROM range(${ROWS}) r(i)`
  expect(await rows(sql(-1))).toBe(ROWS)
  const error = await failure(() => rows(sql(ROWS - 1)))
  expect((error.cause as Error).message).toContain('late')
  expect(await rows(sql(-1))).toBe(ROWS)
})
