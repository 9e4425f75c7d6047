/** The threads of direct queries: many at once, ended, killed, left alone. */
import { execFile } from 'node:child_process'
import { truncateSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery, Step } from '../../src/behaviour/types.ts'
import type { Warehouse } from '../../src/warehouse.ts'
import { compareReaders, DirectLab, facts, outcomeOf } from '../property/direct-lab.ts'
import { runs } from '../torture.ts'

const ROWS = runs(400_000, 3_000_000)
const KEYS = { actor: 'who', time: 'ts' }
const steps = ['a', 'b', 'c'].map((event): Step => ({ filter: ['event', '==', event] })) as [Step, ...Step[]]
const QUERY: BehaviouralQuery = { funnel: { sequence: steps, maxDuration: 50_000 } }

let lab: DirectLab
let path: string
let expected: unknown
const workers = new Set<Worker>()
const noteWorker = (worker: Worker) => {
  workers.add(worker)
  worker.once('exit', () => workers.delete(worker))
}

beforeAll(async () => {
  process.on('worker', noteWorker)
  lab = await DirectLab.open()
  const folder = lab.newFolder()
  path = join(folder, 'a.parquet')
  await lab.copy(
    `SELECT 'u' || hash(i) % ${ROWS / 20} AS who, CAST(hash(i, 1) % 1000000 AS BIGINT) AS ts,
      ['a', 'b', 'c', 'd'][CAST(1 + hash(i, 2) % 4 AS INTEGER)] AS event FROM range(${ROWS}) r(i)`,
    path,
    'COMPRESSION snappy, ROW_GROUP_SIZE 60000',
  )
  await lab.engine.register('large', folder, KEYS)
  await lab.engine.import('sorted', [path], { ...KEYS, buckets: 4 })
  expected = facts(await lab.engine.query('large', QUERY))
})
afterAll(async () => {
  process.off('worker', noteWorker)
  await lab[Symbol.asyncDispose]()
})

/** Runs `use` with a warehouse that has just been opened. */
async function withFresh<T>(use: (warehouse: Warehouse) => Promise<T>, env: Record<string, string> = {}): Promise<T> {
  await using warehouse = await DirectLab.beside(lab, env)
  return await use(warehouse)
}

const answers = async (warehouse: Warehouse) => {
  const document = await warehouse.query('large', QUERY)
  expect(document.stats.reader).toBe('direct')
  expect(facts(document)).toEqual(expected)
}

test('queries at the same time share the threads and do not disturb each other', async () => {
  const queries = Array.from({ length: runs(6, 24) }, (_, k) => {
    const funnel = { sequence: steps.slice(0, 1 + (k % 3)) as [Step, ...Step[]], maxDuration: 10_000 * k }
    return { table: k % 2 ? 'large' : 'sorted', query: { funnel } }
  })
  const given = await Promise.all(queries.map(({ table, query }) => lab.direct(3).query(table, query)))
  for (const [k, { table, query }] of queries.entries()) {
    expect(given[k]!.stats.reader).toBe('direct')
    expect(facts(given[k]!)).toEqual(facts(await lab.engine.query(table, query)))
  }
})

describe.each(['large', 'sorted'])('a query on %s that is ended', (table) => {
  test.each([0, 20, 100])('after %i ms says so soon, and its threads are free again', async (ms) => {
    await withFresh(async (warehouse) => {
      const signal = AbortSignal.timeout(ms)
      const controller = new AbortController()
      const ended = new Promise<number>((resolve) => {
        signal.addEventListener('abort', () => {
          controller.abort()
          resolve(performance.now())
        })
      })
      const outcome = await outcomeOf(warehouse.query(table, QUERY, { signal: controller.signal }))
      const now = performance.now()
      if (!('facts' in outcome)) expect(outcome).toEqual({ code: 'CANCELLED' })
      expect(now - (await ended)).toBeLessThan(3000)
      await answers(warehouse)
    })
  })

  test('by its deadline has the code of that', async () => {
    const outcome = await withFresh((warehouse) => outcomeOf(warehouse.query(table, QUERY)), {
      SKEP_QUERY_TIMEOUT_MS: '40',
    })
    if (!('facts' in outcome)) expect(outcome).toEqual({ code: 'QUERY_TIMEOUT' })
  })

  test('before it begins has the code of that', async () => {
    const call = lab.direct().query(table, QUERY, { signal: AbortSignal.abort() })
    expect(await outcomeOf(call)).toEqual({ code: 'CANCELLED' })
  })
})

test('a thread that is killed leaves its query to the engine, and the next query has a new one', async () => {
  await withFresh(async (warehouse) => {
    await answers(warehouse)
    for (const ms of [0, 30]) {
      const own = [...workers].slice(-2)
      const query = warehouse.query('large', QUERY)
      await new Promise((resolve) => setTimeout(resolve, ms))
      await own[0]!.terminate()
      expect(facts(await query)).toEqual(expected)
      await answers(warehouse)
    }
  })
})

test('a warehouse that is closed while a query runs does not leave it hanging', async () => {
  const warehouse = await DirectLab.beside(lab)
  await answers(warehouse)
  const query = outcomeOf(warehouse.query('large', QUERY))
  await new Promise((resolve) => setTimeout(resolve, 30))
  await warehouse.close()
  expect(await query).toEqual({ facts: expected })
  await warehouse.close()
})

test('a file that shrinks or vanishes while it is read: an answer or an error with a code', async () => {
  const { dataFiles } = await lab.engine.describe('sorted', { files: true })
  const file = dataFiles!.at(-1)!.path
  const bytes = await readFile(file)
  for (const ms of [5, 40]) {
    await withFresh(async (warehouse) => {
      const query = outcomeOf(warehouse.query('sorted', QUERY))
      await new Promise((resolve) => setTimeout(resolve, ms))
      truncateSync(file, bytes.length >> 1)
      const outcome = await query
      if (!('facts' in outcome)) expect(outcome).toEqual({ code: 'FILE_INVALID' })
    })
    writeFileSync(file, bytes)
    await withFresh(async (warehouse) => {
      const { reader } = (await warehouse.query('sorted', QUERY)).stats
      expect(reader).toBe('direct')
    })
  }
  expect((await compareReaders(lab, 'sorted', QUERY)).reader).toBe('direct')
})

describe('a process', () => {
  const MODULE = JSON.stringify(fileURLToPath(new URL('../../src/index.ts', import.meta.url)))
  const program = (end: string) => `import { Warehouse } from ${MODULE}
    const warehouse = await Warehouse.open(process.argv[2])
    const { stats } = await warehouse.query('large', ${JSON.stringify(QUERY)})
    console.log(stats.reader)
    ${end}`

  async function run(argv: string[]): Promise<{ stdout: string; ms: number }> {
    const started = performance.now()
    const env = { ...process.env, SKEP_THREADS: '2', SKEP_DIRECT_ROWS: '0' }
    const { stdout } = await promisify(execFile)(process.execPath, argv, { env, timeout: 50_000 })
    return { stdout: stdout.trim(), ms: performance.now() - started }
  }

  test.each([
    ['closes its warehouse', 'await warehouse.close()'],
    ['forgets to', ''],
  ])('ends by itself when it %s', async (_, end) => {
    const script = join(lab.folder, `end-${end.length}.ts`)
    writeFileSync(script, program(end))
    expect((await run([script, join(lab.folder, 'warehouse')])).stdout).toBe('direct')
  })

  test('whose program is an argument has threads too', async () => {
    const code = program('await warehouse.close()').replace(
      'process.argv[2]',
      JSON.stringify(join(lab.folder, 'warehouse')),
    )
    expect((await run(['--input-type=module', '--eval', code])).stdout).toBe('direct')
  })
})
