/** Every store call of an import, data files and all, on disk: it happened or it did not, its error says so, and its name makes a retry safe. */
import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readSettings } from '../../src/config.ts'
import { isSkepError } from '../../src/errors.ts'
import { type ImportOptions, importFiles } from '../../src/inputs/import.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { Warehouse } from '../../src/warehouse.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { applies, type Call, FAULTS, type Fault, FaultStore } from './fault-store.ts'
import { report, settle, Tally } from './tally.ts'
import { newCatalog } from './world.ts'

let lab: Lab
let old: string
let added: string
let warehouses = 0
let processes = 0
const seed = tortureSeed()
const tally = new Tally()
const settings = readSettings({ SKEP_THREADS: '1' })

beforeAll(async () => {
  lab = await openLab()
  old = await lab.write(`SELECT 'u' || i % 7 AS who, i AS ts FROM range(50) t(i)`)
  added = await lab.write(`SELECT 'v' || i % 5 AS who, 1000 + i AS ts FROM range(30) t(i)`)
})

afterAll(async () => {
  await lab.close()
  report(tally, 'faults of imports', seed)
})

const keyed = { actor: 'who', time: 'ts', buckets: 2 } as const

/** An import of the added file into a warehouse, as a process with this store would do it. */
async function importAdded(store: FaultStore | DiskStore, options: ImportOptions) {
  const spillPath = `${store.root}/.tmp/spill-${seed}`
  const context = { catalog: newCatalog(store, seed + ++processes), settings, root: store.root, spillPath }
  return await importFiles(context, 't', [added], { ...keyed, ...options })
}

const IMPORTS = [
  { name: 'first import', isFirst: true, options: {}, once: [0, 30], twice: [0, 60] },
  { name: 'append', isFirst: false, options: {}, once: [50, 30], twice: [50, 60] },
  { name: 'replace', isFirst: false, options: { replace: true }, once: [0, 30], twice: [0, 30] },
]

type Import = (typeof IMPORTS)[number]

/** A warehouse before the import; its folder. */
async function newWarehouse({ isFirst }: Import): Promise<string> {
  const root = `${lab.dir}/faulty-${++warehouses}`
  if (isFirst) return root
  await using warehouse = await Warehouse.open(root, { env: { SKEP_THREADS: '1' } })
  await warehouse.import('t', [old], keyed)
  return root
}

/** Rows of the old and of the added file, counted by DuckDB over the files that a fresh catalog lists; none for no table. */
async function count(root: string): Promise<number[]> {
  const table = await newCatalog(new DiskStore(root), 9)
    .loadManaged('t')
    .catch((error: unknown) => {
      if (isSkepError(error, 'TABLE_NOT_FOUND')) return undefined
      throw error
    })
  if (!table) return [0, 0]
  const files = table.snapshot.files.map(({ path }) => `'${path}'`)
  const counts = `count(*) FILTER (ts < 1000)::INT, count(*) FILTER (ts >= 1000)::INT, sum(ts)::INT`
  const [row] = await lab.judge(`SELECT ${counts} FROM read_parquet([${files}])`)
  const [first, second, sum] = row as [number, number, number]
  expect(sum).toBe((first / 50) * 1225 + (second / 30) * 30435)
  return [first, second]
}

async function trial(kind: Import, harm: { call: number; fault: Fault }): Promise<void> {
  const root = await newWarehouse(kind)
  const before = await count(root)
  const faulty = new FaultStore(new DiskStore(root), harm)
  const commitId = harm.call % 2 === 0 ? 'nightly-7' : undefined
  const options = { ...kind.options, ...(commitId === undefined ? {} : { commitId }) }
  const end = await settle(importAdded(faulty, options))
  expect([end.hung, faulty.isHit]).toEqual([false, true])
  const after = await count(root)
  expect(allowedAfter(end.error, faulty.isDead, before, kind.once)).toContainEqual(after)
  const isDone = after.join() !== before.join()
  const again = await importAdded(new DiskStore(root), options)
  expect(await count(root)).toEqual(isDone && commitId === undefined ? kind.twice : kind.once)
  expect(again.repeated ?? false).toBe(isDone && commitId !== undefined)
  await expectUsable(root)
}

function allowedAfter(error: unknown, isDead: boolean, before: number[], after: number[]): number[][] {
  if (isDead) return [before, after]
  if (error === undefined) return [after]
  if (!isSkepError(error, 'STORE_UNAVAILABLE')) throw error
  return error.details.outcome === 'unknown' ? [before, after] : [before]
}

/** The table of a warehouse answers, and every file of every snapshot is there. */
async function expectUsable(root: string): Promise<void> {
  await using warehouse = await Warehouse.open(root, { env: { SKEP_THREADS: '1' } })
  for (const { id, summary } of await warehouse.snapshots('t')) {
    const { dataFiles } = await warehouse.describe('t', { files: true, at: id })
    expect(dataFiles!.filter(({ path }) => !existsSync(path))).toEqual([])
    const { rows } = await warehouse.sql('SELECT count(*) AS n FROM t', { at: id })
    expect(String(rows[0]!.n)).toBe(summary['total-records'])
  }
}

describe.each(IMPORTS)('$name', (kind) => {
  test('at every call', { timeout: tortureTimeout(120_000) }, async () => {
    const counting = new FaultStore(new DiskStore(await newWarehouse(kind)))
    await importAdded(counting, kind.options)
    for (const harm of harmsOf(counting.calls)) {
      const { method, path } = counting.calls[harm.call]!
      const problem = await trial(kind, harm).then(
        () => undefined,
        (error: unknown) => `${harm.fault} call ${harm.call}, ${method} ${path}: ${String(error)}`,
      )
      tally.add(`${kind.name}, disk`, problem === undefined ? 'right' : 'wrong', problem)
    }
    expect(tally.takeFailures()).toEqual([])
  })
})

function harmsOf(calls: readonly Call[]): { call: number; fault: Fault }[] {
  const harms = calls.flatMap((call, k) =>
    FAULTS.filter((fault) => applies(fault, call)).map((fault) => ({ call: k, fault })),
  )
  const stride = runs(17, 1)
  return harms.filter((_, k) => k % stride === 0)
}
