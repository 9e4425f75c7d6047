/** Every pool there is, as tests of pools need it: made over a warehouse, with messages for it. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readSettings, type Settings } from '../../src/config.ts'
import { EngineKeeper } from '../../src/engine/keeper.ts'
import { DiskExchange } from '../../src/exchange/disk-exchange.ts'
import type { PoolName, Stage } from '../../src/planner/plan.ts'
import { InlinePool } from '../../src/pool/inline-pool.ts'
import type { Pool, PoolCalls, TaskMessage, TaskResult } from '../../src/pool/pool.ts'
import { ThreadPool } from '../../src/pool/thread-pool.ts'

/** A pool over the warehouse in this folder; disposing of it ends all that was made for it. */
interface PoolEntry {
  name: PoolName
  /** Its workers are in this process, whose time they take. */
  here: boolean
  make(root: string, settings: Settings): Pool
}

/** A new pool passes the suites by a line here. */
export const POOLS: readonly PoolEntry[] = [
  { name: 'inline', here: true, make: inlinePool },
  { name: 'threads', here: true, make: (root, settings) => new ThreadPool({ root, settings, spillPath: spill(root) }) },
]

const spill = (root: string) => () => `${root}/.tmp/${crypto.randomUUID()}`

function inlinePool(root: string, settings: Settings): Pool {
  const engines = new EngineKeeper({ settings, root, spillPath: spill(root)() })
  const pool = new InlinePool({ root, settings, engines, exchange: (query) => new DiskExchange(root, query) })
  return {
    name: pool.name,
    slots: pool.slots,
    run: (message, calls) => pool.run(message, calls),
    [Symbol.asyncDispose]: async () => {
      await pool[Symbol.asyncDispose]()
      await engines.close()
    },
  }
}

/** The settings that pools are tested under: quick to give signs of life and to give up. */
export function poolSettings(env: Record<string, string> = {}): Settings {
  const settings = readSettings({ SKEP_THREADS: '2', SKEP_MEMORY: '512MB', ...env })
  return { ...settings, taskBeatMs: 50, inlineRows: 100, interruptGraceMs: 500, threadGraceMs: 1000 }
}

/** A statement that ends only when it is told to. */
export const ENDLESS =
  'SELECT count(*) AS n FROM range(100000000) a, range(100000000) b WHERE hash(a.range, b.range) = 1'

/** Longest time in which an end has to be heard, with a margin for a machine that does other work too. */
export const SOON_MS = 2000

let messages = 0

/** A task of one statement that reads nothing; `columns` as `name TYPE, name TYPE`. */
export function sqlMessage(sql: string, columns = 'n BIGINT', more: Partial<TaskMessage> = {}): TaskMessage {
  const id = `s/${messages++}`
  return {
    query: 'query',
    attempt: `${id}.1`,
    work: {
      kind: 'sql',
      sql,
      inputs: [],
      columns: columns.split(', ').map((column) => ({ name: column.split(' ')[0]!, type: column.split(' ')[1]! })),
    },
    task: { id, files: {}, rows: 0, bytes: 0 },
    inputs: {},
    ...more,
  }
}

/** The tasks of a stage that reads files. */
export function stageMessages({ work, tasks }: Stage, query = 'query'): TaskMessage[] {
  return tasks.map((task) => ({ query, attempt: `${task.id}.${++messages}`, work, task, inputs: {} }))
}

/** An attempt that is listened to. */
export interface Heard {
  /** The part done, at each sign of life of a worker that is at it. */
  beats: number[]
  result: Promise<TaskResult>
  stop(): void
}

/** Begins an attempt. */
export function begin(pool: Pool, message: TaskMessage): Heard {
  const stopping = new AbortController()
  const beats: number[] = []
  const calls: PoolCalls = {
    signal: stopping.signal,
    onBeat: (done) => {
      if (done !== undefined) beats.push(done)
    },
  }
  const result = pool.run(message, calls)
  result.catch(() => {})
  return { beats, result, stop: () => stopping.abort() }
}

/** The result of an attempt. */
export async function resultOf(pool: Pool, message: TaskMessage): Promise<TaskResult> {
  return await begin(pool, message).result
}

/** Waits until something is so; `what` is there says what is there instead. */
export async function until(isSo: () => boolean, ms = 30_000, what = (): unknown => ''): Promise<void> {
  for (const end = performance.now() + ms; !isSo(); await sleep(5)) {
    if (performance.now() > end) throw new Error(`it did not come: ${isSo} ${JSON.stringify(what())}`)
  }
}

/** Milliseconds of all processors that this process takes in half a second of doing nothing. */
export async function idleCpuMs(): Promise<number> {
  await sleep(50)
  const before = process.cpuUsage()
  await sleep(500)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

/** More than that is a statement that goes on. */
export const IDLE_MS = 100

/** What queries have left in a warehouse: objects of exchanges, and spilled data. */
export function leftovers(root: string): string[] {
  return ['.exchange', '.tmp'].flatMap((name) => {
    const folder = join(root, name)
    return existsSync(folder) ? readdirSync(folder, { recursive: true }).map((entry) => `${name}/${entry}`) : []
  })
}
