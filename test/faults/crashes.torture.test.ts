/** Every store call of every operation crashes, is torn, is refused or loses its reply: the table is the old or the new one, whole. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { isSkepError } from '../../src/errors.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { Warehouse } from '../../src/warehouse.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { applies, FAULTS, type Fault, FaultStore } from './fault-store.ts'
import { OPERATIONS, type Operation, type Process } from './operations.ts'
import { report, settle, Tally } from './tally.ts'
import { fetchFromStores, makeTemplates, newCatalog, observe, type Seen, writeRow } from './world.ts'

const base = mkdtempSync(join(tmpdir(), 'skep-crashes-'))
const seed = tortureSeed()
const tally = new Tally()
let folders = 0

beforeAll(async () => {
  vi.stubGlobal('fetch', fetchFromStores)
  await makeTemplates(8)
})

afterAll(() => {
  vi.unstubAllGlobals()
  rmSync(base, { recursive: true, force: true })
  report(tally, 'crashes of store calls', seed)
})

const STORES: { name: string; open: () => ObjectStore; stride: number }[] = [
  { name: 'memory', open: () => new MemoryStore(`memory:${++folders}`), stride: runs(9, 1) },
  { name: 'disk', open: () => new DiskStore(join(base, String(++folders))), stride: runs(17, 1) },
]

type State = Record<string, Seen>

/** An operation under way on a store of its own. */
async function begin(open: () => ObjectStore, operation: Operation) {
  const store = open()
  const memory: Process['memory'] = new Map()
  await operation.setUp({ catalog: newCatalog(store, seed), store, memory })
  return { store, memory }
}

/** What an operation does when nothing goes wrong: the calls, and the states before and after. */
async function rehearse(open: () => ObjectStore, operation: Operation) {
  const { store, memory } = await begin(open, operation)
  const before = await observe(store)
  const counting = new FaultStore(store)
  await operation.run({ catalog: newCatalog(counting, seed + 1), store: counting, memory })
  return { calls: counting.calls, before, after: await observe(store) }
}

/** What is wrong after a fault; undefined when all is right. */
async function trial(
  open: () => ObjectStore,
  operation: Operation,
  states: { before: State; after: State },
  harm: { call: number; fault: Fault },
): Promise<string | undefined> {
  const { store, memory } = await begin(open, operation)
  const faulty = new FaultStore(store, harm)
  const end = await settle(operation.run({ catalog: newCatalog(faulty, seed + 1), store: faulty, memory }))
  if (end.hung) return 'hung'
  if (!faulty.isHit) return 'the call was not made'
  const found = await observe(store)
  const allowed = operation.isPartial ? [states.before, states.after] : allowedAfter(end.error, faulty.isDead, states)
  if (!allowed.some((state) => isDeepStrictEqual(state, found))) return `after ${String(end.error)}: ${print(found)}`
  const problem = await retry(store, operation, memory, isDeepStrictEqual(found, states.after))
  if (problem) return problem
  const last = await observe(store)
  if (!isDeepStrictEqual(last, states.after)) return `after the retry: ${print(last)}`
  return await useTables(store, last)
}

/** The states that an outcome leaves open. */
function allowedAfter(error: unknown, isDead: boolean, { before, after }: { before: State; after: State }): State[] {
  if (isDead) return [before, after]
  if (error === undefined) return [after]
  if (!isSkepError(error, 'STORE_UNAVAILABLE')) return []
  return error.details.outcome === 'unknown' ? [before, after] : [before]
}

async function retry(
  store: ObjectStore,
  operation: Operation,
  memory: Process['memory'],
  isDone: boolean,
): Promise<string | undefined> {
  const { error, hung } = await settle(operation.run({ catalog: newCatalog(store, seed + 2), store, memory }))
  if (hung) return 'the retry hung'
  if (error === undefined) return undefined
  const isExpected = isDone && isSkepError(error) && error.code === operation.repeated
  return isExpected ? undefined : `the retry failed: ${String(error)}`
}

/** Leftovers are in nobody's way: every table lists, loads and takes another row. */
async function useTables(store: ObjectStore, state: State): Promise<string | undefined> {
  const catalog = newCatalog(store, seed + 3)
  const listed = (await catalog.tables()).map(({ name }) => name).sort()
  if (!isDeepStrictEqual(listed, Object.keys(state))) return `lists ${listed}`
  for (const [name, seen] of Object.entries(state)) {
    if (seen === 'registered') continue
    const table = await catalog.loadManaged(name)
    for (const { path } of table.snapshot.files) {
      if (!(await store.stat(path.slice(store.root.length + 1)))) return `${path} is missing`
    }
    await catalog.append(table, [await writeRow(store, table, 7)])
    const rows = (await observe(store))[name]!.at(-1) as { rows: number[] }
    if (!isDeepStrictEqual(rows.rows, [...((seen.at(-1) as { rows: number[] })?.rows ?? []), 7]))
      return 'an append is lost'
  }
  return undefined
}

const print = (value: unknown) => JSON.stringify(value)

describe.each(STORES)('on $name', ({ name, open, stride }) => {
  test.each(OPERATIONS)('$name', { timeout: tortureTimeout(120_000) }, async (operation) => {
    const { calls, before, after } = await rehearse(open, operation)
    expect(calls.length).toBeGreaterThan(1)
    const harms = calls.flatMap((call, k) =>
      FAULTS.filter((fault) => applies(fault, call)).map((fault) => ({ call: k, fault })),
    )
    for (const harm of harms.filter((_, k) => k % stride === 0)) {
      const { method, path } = calls[harm.call]!
      const kind = `${operation.name}, ${name}`
      const problem = await trial(open, operation, { before, after }, harm).catch((error: unknown) => String(error))
      const where = `${harm.fault} call ${harm.call}, ${method} ${path}: ${problem}`
      tally.add(kind, problem === undefined ? 'right' : problem.includes('hung') ? 'hung' : 'wrong', where)
    }
    expect(tally.takeFailures()).toEqual([])
  })
})

test('after a crash on disk, the warehouse lists, describes, answers and imports', {
  timeout: tortureTimeout(120_000),
}, async () => {
  const operations = OPERATIONS.filter(({ name }) => ['append', 'replace', 'create with files'].includes(name))
  for (const operation of operations) {
    const open = () => new DiskStore(join(base, String(++folders)))
    const { calls, after } = await rehearse(open, operation)
    for (let call = 0; call < calls.length; call += runs(9, 1)) {
      const { store, memory } = await begin(open, operation)
      const faulty = new FaultStore(store, { call, fault: 'tear' })
      await settle(operation.run({ catalog: newCatalog(faulty, seed + 1), store: faulty, memory }))
      await operation.run({ catalog: newCatalog(store, seed + 2), store, memory })
      // What is registered here is not a folder that a warehouse could read.
      if (after.folder) await newCatalog(store, seed + 3).unregister('folder')
      await using warehouse = await Warehouse.open(store.root)
      const { rows } = await warehouse.sql('SELECT k FROM t ORDER BY k')
      const wanted = (after.t as { rows: number[] }[]).at(-1)!.rows
      expect(rows.map(({ k }) => k)).toEqual(wanted)
      expect((await warehouse.tables()).map(({ name }) => name)).toContain('t')
      expect((await warehouse.describe('t', { files: true })).dataFiles).toHaveLength(wanted.length)
      tally.add('used by a warehouse, disk', 'right')
    }
  }
})
