/** Very many small files: registered in seconds, and queried without listing or reading them again. */
import { copyFileSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Warehouse } from '../../src/warehouse.ts'
import { runs, tortureTimeout } from '../torture.ts'
import { countCalls } from './file-calls.ts'
import { type Lab, openLab } from './import-lab.ts'

const FILES = runs(1_500, 12_000)
const FILE_ROWS = 2048
const ACTOR_ROWS = 16
const ACTORS = (FILES * FILE_ROWS) / ACTOR_ROWS
const FOLDER_FILES = 100

let lab: Lab
let folder: string
const times: string[] = []

beforeAll(async () => {
  lab = await openLab()
  folder = `${lab.dir}/many`
  mkdirSync(folder)
  await lab.duck.run('SET threads = 1')
  await lab.duck.run(
    `COPY (SELECT i // ${ACTOR_ROWS} AS who, TIMESTAMP '2026-01-01' + to_seconds(i) AS ts, ['view', 'cart', 'buy', 'view'][1 + i % 4] AS event,
       i % 7 AS n FROM range(${FILES * FILE_ROWS}) t(i))
     TO '${folder}/all' (FORMAT parquet, ROW_GROUP_SIZE ${FILE_ROWS}, ROW_GROUPS_PER_FILE 1)`,
  )
  // DuckDB ends with a file without rows.
  rmSync(`${folder}/all/data_${FILES}.parquet`)
  const names = readdirSync(`${folder}/all`)
  expect(names).toHaveLength(FILES)
  for (const [k, name] of names.entries()) {
    const part = `${folder}/part-${Math.floor(k / FOLDER_FILES)}`
    if (k % FOLDER_FILES === 0) mkdirSync(part)
    renameSync(`${folder}/all/${name}`, `${part}/${name}`)
  }
  rmSync(`${folder}/all`, { recursive: true })
})

afterAll(async () => {
  console.log(`${FILES} files: ${times.join(', ')}`)
  await lab.close()
})

async function timed<T>(what: string, call: () => Promise<T>): Promise<T> {
  const started = performance.now()
  const result = await call()
  times.push(`${what} ${Math.round(performance.now() - started)} ms`)
  return result
}

const one = (warehouse: Warehouse) => warehouse.sql(`SELECT count(*) AS n FROM many WHERE who = ${ACTORS - 3}`)
const sequence = [{ filter: ['event', '==', 'cart'] }, { filter: ['event', '==', 'buy'] }]
const funnel = (warehouse: Warehouse) => warehouse.query('many', { funnel: { sequence } } as never)

test('registered once, then neither listed nor read again', { timeout: tortureTimeout(60_000) }, async () => {
  const keys = { actor: 'who', time: 'ts' }
  const registered = await timed('register', () => lab.warehouse.register('many', folder, keys))
  expect(registered).toMatchObject({ files: FILES, rows: FILES * FILE_ROWS, actorsTogether: true, warnings: [] })
  const [entry] = readdirSync(`${lab.root}/names/many`)
  const { size } = statSync(`${lab.root}/names/many/${entry}`)
  times.push(`entry of ${Math.round(size / FILES)} bytes for each file`)
  expect(size / FILES).toBeLessThan(300)
  const warehouse = await lab.open({})
  const calls = await countCalls(lab.dir, async () => {
    for (const what of ['first query for one actor', 'second']) {
      const { rows, stats } = await timed(what, () => one(warehouse))
      expect([rows, stats.files, stats.filesPruned]).toEqual([[{ n: ACTOR_ROWS }], 1, FILES - 1])
    }
    const { rows } = await timed('count of all', () => warehouse.sql('SELECT count(*) AS n, sum(n) AS s FROM many'))
    expect(rows[0]!.n).toBe(FILES * FILE_ROWS)
    const result = await timed('funnel', () => funnel(warehouse))
    expect(result.funnel!.sequence.map(({ matchingGroups }) => matchingGroups)).toEqual([ACTORS, ACTORS])
    // Files that share no actors are read together, up to a number of rows.
    expect(result.stats.tasks).toBe(Math.ceil(FILES / Math.floor(500_000 / FILE_ROWS)))
  })
  expect({ listed: calls.listed, opened: calls.opened }).toEqual({ listed: [], opened: [] })
  await warehouse.close()
})

test('what changes is read, and only that', { timeout: tortureTimeout(60_000) }, async () => {
  const [first, second] = readdirSync(`${folder}/part-3`)
  copyFileSync(`${folder}/part-3/${second}`, `${folder}/part-3/${first}`)
  copyFileSync(`${folder}/part-3/${second}`, `${folder}/part-5/added.parquet`)
  rmSync(`${folder}/part-7`, { recursive: true })
  await setTimeout(50)
  const changed = await countCalls(lab.dir, () =>
    timed('count after three changes', () => lab.warehouse.sql('SELECT count(*) AS n FROM many')),
  )
  expect(changed.result.rows).toEqual([{ n: (FILES + 1 - FOLDER_FILES) * FILE_ROWS }])
  expect(changed.listed.map((path) => path.replace(/\/$/, ''))).toEqual([folder, `${folder}/part-5`])
  expect(changed.opened.toSorted()).toEqual([`${folder}/part-3/${first}`, `${folder}/part-5/added.parquet`])
  expect((await lab.warehouse.describe('many')).actorsTogether).toBe(false)
  // As one task now: actors may be in several files.
  expect((await timed('funnel of scattered actors', () => funnel(lab.warehouse))).stats.tasks).toBe(1)
})
