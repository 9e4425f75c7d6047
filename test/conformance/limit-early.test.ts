/** Queries with a LIMIT and no ORDER BY, in tasks on every pool: they end early, with the rows that one engine gives, and nothing is left. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TaskProgress } from '../../src/coordinator/run-figures.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { failure, type Lab, openLab } from './import-lab.ts'
import { POOLS, until } from './pool-lab.ts'

const FILES = 40
const FILE_ROWS = 4000

let lab: Lab
let divided: Warehouse
beforeAll(async () => {
  lab = await openLab()
  for (let k = 0; k < FILES; k++) {
    const rows = `SELECT i AS id, i % 11 AS k, 'u' || hash(i) % 700 AS who FROM range(${k * FILE_ROWS}, ${(k + 1) * FILE_ROWS}) t(i)`
    await lab.write(rows, `events/${String(k).padStart(3, '0')}.parquet`)
  }
  await lab.warehouse.register('events', join(lab.dir, 'events'), { actor: 'who', time: 'id' })
  divided = await lab.open({ SKEP_SPLIT: 'always', SKEP_TASK_ROWS: String(FILE_ROWS) })
})
afterAll(async () => {
  await divided.close()
  await lab.close()
})

function left(): string[] {
  const folder = join(lab.root, '.exchange')
  return existsSync(folder) ? readdirSync(folder) : []
}

const QUERIES = {
  'first rows': 'SELECT * FROM events LIMIT 20',
  'rows that are found': 'SELECT id, who FROM events WHERE k = 7 LIMIT 20 OFFSET 30',
  'more than a message carries': 'SELECT id, who FROM events LIMIT 9000 OFFSET 11',
  'more than tasks are told':
    'SELECT count(*) AS n, sum(id) AS s FROM (SELECT id FROM events WHERE k <> 3 LIMIT 120000) AS t',
  'no row': 'SELECT id FROM events LIMIT 0',
}

describe.each(POOLS)('on the pool "$name"', ({ name: pool }) => {
  test.each(Object.entries(QUERIES))('%s', async (_, sql) => {
    const { rows } = await lab.warehouse.sql(sql)
    const told: TaskProgress[] = []
    const onProgress = (_: number, progress?: TaskProgress) => {
      if (progress) told.push(progress)
    }
    const answer = await divided.sql(sql, { pool, onProgress })
    expect(answer.rows).toEqual(rows)
    const { tasks, sparedTasks, stoppedTasks, attempts, failedAttempts, taskTimes } = answer.stats
    expect(tasks + sparedTasks! + stoppedTasks!).toBe(FILES)
    expect(sparedTasks).toBeGreaterThan(0)
    expect([attempts, failedAttempts, taskTimes.count]).toEqual([tasks + stoppedTasks!, 0, tasks])
    expect(told.at(-1)).toMatchObject({ queued: 0, running: 0, done: tasks, tasks })
    await until(() => left().length === 0)
  })

  test('an error behind enough rows is none; one before them is told', async () => {
    const sql = (limit: number) =>
      `SELECT CAST(CASE WHEN id = ${2 * FILE_ROWS} THEN 'bad' ELSE id::VARCHAR END AS INTEGER) AS v FROM events WHERE k <> 5 LIMIT ${limit}`
    for (let k = 0; k < 5; k++) expect((await divided.sql(sql(50), { pool })).rows).toHaveLength(50)
    expect(await failure(() => divided.sql(sql(9000), { pool }))).toMatchObject({ code: 'SQL_INVALID' })
    await until(() => left().length === 0)
  })
})
