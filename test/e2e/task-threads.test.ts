/** The threads of tasks: killed, blocked, left alone. */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ThreadPool } from '../../src/pool/thread-pool.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { failure, type Lab, openLab } from '../conformance/import-lab.ts'
import { begin, ENDLESS, leftovers, poolSettings, resultOf, sqlMessage, until } from '../conformance/pool-lab.ts'

const ROWS = 40_000
const DIVIDED = { SKEP_SPLIT: 'always', SKEP_TASK_ROWS: '5000', SKEP_POOL: 'threads' }
const GROUPS = 'SELECT k, count(*) AS n, sum(id) AS s FROM stored GROUP BY k ORDER BY k'

let lab: Lab
let expected: unknown
beforeAll(async () => {
  lab = await openLab()
  const source = await lab.write(`SELECT i AS id, 'u' || i % 90 AS who, i AS ts, i % 7 AS k FROM range(${ROWS}) t(i)`)
  await lab.warehouse.import('stored', [source], { actor: 'who', time: 'ts', buckets: 4 })
  expected = (await lab.warehouse.sql(GROUPS)).rows
})
afterAll(() => lab.close())

/** Threads that were started, those that ended left out; each is first shown to `meet`. */
const workers = new Set<Worker>()
let meet: (worker: Worker) => void = () => {}
const note = (worker: Worker) => {
  workers.add(worker)
  worker.once('exit', () => workers.delete(worker))
  meet(worker)
}
process.on('worker', note)
afterAll(() => process.off('worker', note))
afterEach(() => {
  meet = () => {}
})

async function withFresh<T>(use: (warehouse: Warehouse) => Promise<T>, env: Record<string, string> = {}): Promise<T> {
  await using warehouse = await lab.open({ ...DIVIDED, ...env })
  return await use(warehouse)
}

describe('a thread that dies', () => {
  test('costs its tasks another try, and not the answer', async () => {
    let killed = 0
    // Before it has loaded the engine: later, a thread that is stopped may take the process along.
    meet = (worker) => {
      if (killed++ < 2) void worker.terminate()
    }
    await withFresh(async (warehouse) => {
      const { rows, stats } = await warehouse.sql(GROUPS)
      expect(rows).toEqual(expected)
      expect(killed).toBeGreaterThan(2)
      expect(stats.attempts).toBeGreaterThan(stats.tasks)
      // What is told of tasks and rows has each once.
      const { tasks, attempts, failedAttempts, phases, coldTasks, warmTasks } = stats
      expect([phases.scan.count, coldTasks + warmTasks]).toEqual([tasks, tasks])
      expect(failedAttempts).toBeGreaterThan(0)
      expect(failedAttempts).toBeLessThanOrEqual(attempts! - tasks)
      expect(stats.rows).toBe((await lab.warehouse.sql(GROUPS)).stats.rows)
    })
    expect(leftovers(lab.root).filter((path) => path.startsWith('.exchange/'))).toEqual([])
  })

  test('again and again ends the query with a code, and the next one is answered', async () => {
    let killed = 0
    meet = (worker) => {
      killed++
      void worker.terminate()
    }
    const env = { SKEP_TASK_ATTEMPTS: '2' }
    await withFresh(async (warehouse) => {
      const error = await failure(() => warehouse.sql(GROUPS))
      expect(error).toMatchObject({
        code: 'WORKER_LOST',
        exitCode: 5,
        message: expect.stringContaining('was tried 2 times'),
      })
      expect(killed).toBeGreaterThan(1)
      const document = await failure(() =>
        warehouse.query('stored', { query: { conditions: [{ filter: ['k', '==', 1] }] } }),
      )
      expect(document.code).toBe('WORKER_LOST')
      meet = () => {}
      expect((await warehouse.sql(GROUPS)).rows).toEqual(expected)
    }, env)
    expect(leftovers(lab.root).filter((path) => path.startsWith('.exchange/'))).toEqual([])
  })

  test('between two queries is replaced', async () => {
    await withFresh(async (warehouse) => {
      const before = new Set(workers)
      await warehouse.sql(GROUPS)
      const own = [...workers].filter((worker) => !before.has(worker))
      expect(own.length).toBe(2)
      await Promise.all(own.map((worker) => worker.terminate()))
      const { rows, stats } = await warehouse.sql(GROUPS)
      expect(rows).toEqual(expected)
      expect(stats.attempts).toBe(stats.tasks)
    })
  })
})

test('threads stay for the next query, and are gone when the warehouse is closed', async () => {
  const before = workers.size
  await withFresh(async (warehouse) => {
    await warehouse.sql(GROUPS)
    const own = [...workers]
    await Promise.all([warehouse.sql(GROUPS), warehouse.sql(GROUPS)])
    expect([...workers]).toEqual(own)
    expect(workers.size).toBe(before + 2)
  })
  expect(workers.size).toBe(before)
})

test('a thread that does not hear an abort loses its slot, and its other tasks are given back', async () => {
  const settings = { ...poolSettings({ SKEP_THREADS: '1' }), threadGraceMs: 200 }
  const spillPath = () => `${lab.root}/.tmp/${crypto.randomUUID()}`
  await using pool = new ThreadPool({ root: lab.root, settings, spillPath })
  await resultOf(pool, sqlMessage('SELECT 1::BIGINT AS n'))
  const [first] = [...workers].slice(-1)
  const other = begin(pool, sqlMessage(ENDLESS))
  await until(() => other.beats.length > 0)
  const blocked = begin(pool, rowsMessage(4_000_000))
  // It is in the middle of its rows when the task beside it is not heard of any more.
  for (let quiet = 0, heard = -1; quiet < 6; quiet = other.beats.length === heard ? quiet + 1 : 0) {
    heard = other.beats.length
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  blocked.stop()
  expect(await failure(() => other.result)).toMatchObject({ code: 'WORKER_LOST' })
  expect((await resultOf(pool, sqlMessage('SELECT 2::BIGINT AS n'))).rows.inline).toEqual([[2]])
  expect([...workers].at(-1)).not.toBe(first)
  expect(await failure(() => blocked.result)).toMatchObject({ code: 'CANCELLED' })
  // It ends by itself, with its engine.
  await until(() => !workers.has(first!))
})

/** A task whose JavaScript is busy for long: it puts so many rows that came in its message into a table. */
function rowsMessage(count: number) {
  const columns = [{ name: 'n', type: 'BIGINT' }]
  const inline = [Array.from({ length: count }, (_, k) => k)]
  return sqlMessage('SELECT sum(n) AS n FROM v', 'n HUGEINT', {
    work: {
      kind: 'sql',
      sql: 'SELECT sum(n) AS n FROM v',
      inputs: [{ view: 'v', stage: 'rows', columns, own: false }],
      columns: [{ name: 'n', type: 'HUGEINT' }],
    },
    inputs: { rows: [{ columns, count, inline }] },
  })
}

describe('a process', () => {
  const MODULE = JSON.stringify(fileURLToPath(new URL('../../src/index.ts', import.meta.url)))
  const program = (body: string) => `import { Warehouse } from ${MODULE}
    const warehouse = await Warehouse.open(${JSON.stringify(lab.root)})
    ${body}`
  const ASK = `const { rows, stats } = await warehouse.sql(${JSON.stringify(GROUPS)})
    console.log(JSON.stringify({ rows, divided: stats.tasks > 1 }))`

  async function run(argv: string[]): Promise<{ stdout: string; stderr: string }> {
    const env = { ...process.env, SKEP_THREADS: '2', ...DIVIDED }
    return await promisify(execFile)(process.execPath, argv, { env, timeout: 50_000 })
  }

  test.each([
    ['closes its warehouse', 'await warehouse.close()'],
    ['forgets to', ''],
  ])('ends by itself when it %s', async (_, end) => {
    const script = join(lab.dir, `end-${end.length}.ts`)
    writeFileSync(script, program(`${ASK}\n${end}`))
    for (const argv of [[script], ['--input-type=module', '--eval', program(`${ASK}\n${end}`)]]) {
      const { stdout, stderr } = await run(argv)
      expect({ ...JSON.parse(stdout), stderr }).toEqual({ rows: expected, divided: true, stderr: '' })
    }
    expect(leftovers(lab.root).filter((path) => path.startsWith('.exchange/'))).toEqual([])
  })

  test.each([0, 60, 150, 250])('that closes its warehouse %i ms after it asked ends at once', async (ms) => {
    const script = join(lab.dir, `early-${ms}.ts`)
    const body = `const asked = warehouse.sql(${JSON.stringify(GROUPS)}).then(() => 'answered', ({ code }) => code)
      await new Promise((resolve) => setTimeout(resolve, ${ms}))
      await warehouse.close()
      console.log(await asked)`
    writeFileSync(script, program(body))
    const { stdout, stderr } = await run([script])
    expect(stdout).toMatch(/^(answered|CANCELLED)\n$/)
    expect(stderr).toBe('')
  })
})
