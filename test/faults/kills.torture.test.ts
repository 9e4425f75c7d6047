/** `kill -9` of imports at random moments: the table is the old or the new one, whole, and what was acknowledged is there once. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { icebergManifests, splitManifestEntries } from 'icebird/src/manifest.js'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { seeded } from '../chance.ts'
import { type Lab, openLab } from '../conformance/import-lab.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { report, Tally } from './tally.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const ROWS = 1000
const KILLS = runs(12, 200)
const seed = tortureSeed()
const random = seeded(seed)
const tally = new Tally()

let lab: Lab
beforeAll(async () => {
  lab = await openLab()
  vi.stubGlobal('fetch', async (url: string) => new Response(readFileSync(url)))
})
afterAll(async () => {
  vi.unstubAllGlobals()
  await lab.close()
  report(tally, 'kill -9 of imports', seed)
})

const KINDS = [
  { name: 'append', table: () => 'appended', flags: [] },
  { name: 'replace', table: () => 'replaced', flags: ['--replace'] },
  { name: 'first import', table: (batch: number) => `first_${batch}`, flags: [] },
]

type Kind = (typeof KINDS)[number]

/** Rows of a batch, which no other batch has. */
async function source(batch: number): Promise<string> {
  return await lab.write(
    `SELECT 'u' || i % 50 AS who, ${batch * ROWS} + i AS ts, ${batch} AS batch FROM range(${ROWS}) t(i)`,
  )
}

/** Imports a batch in a process of its own, which is killed after so long; how long it lived, and whether it said that all went well. */
async function importBatch(kind: Kind, batch: number, killAfterMs?: number): Promise<{ isDone: boolean; ms: number }> {
  const keys = ['--actor', 'who', '--time', 'ts', ...(kind.name === 'append' ? ['--buckets', '2'] : [])]
  const line = [
    'import',
    await source(batch),
    '--table',
    kind.table(batch),
    ...keys,
    ...kind.flags,
    '--warehouse',
    lab.root,
  ]
  const started = performance.now()
  const child = spawn(process.execPath, [MAIN, ...line], {
    stdio: 'ignore',
    env: { ...process.env, SKEP_THREADS: '1' },
  })
  const killing = new AbortController()
  const kill = killAfterMs === undefined ? undefined : setTimeout(killAfterMs, undefined, { signal: killing.signal })
  kill?.then(() => child.kill('SIGKILL')).catch(() => undefined)
  const [code] = (await once(child, 'exit')) as [number | null]
  killing.abort()
  return { isDone: code === 0, ms: performance.now() - started }
}

/** The newest file of a log of versions on disk, as JSON. */
function newest(folder: string, suffix: string): Record<string, unknown> | undefined {
  const versions = readdirSync(folder, { withFileTypes: true })
    .map(({ name }) => name)
    .filter((name) => name.startsWith('v') && name.endsWith(suffix))
    .map((name) => Number(name.slice(1, -suffix.length)))
  return JSON.parse(readFileSync(join(folder, `v${Math.max(...versions)}${suffix}`), 'utf8'))
}

/** The batches in a table and how often each row of them is there, by DuckDB over the files that icebird lists; empty for no table. */
async function batchesOf(table: string): Promise<Map<number, number>> {
  const names = join(lab.root, 'names')
  const isNamed = readdirSync(lab.root).includes('names') && readdirSync(names).includes(table)
  const entry = isNamed ? newest(join(names, table), '.json') : undefined
  if (!entry) return new Map()
  const metadata = newest(join(lab.root, 'tables', entry.uuid as string, 'metadata'), '.metadata.json')
  const { dataEntries } = splitManifestEntries(await icebergManifests(metadata as never))
  const files = dataEntries.map(({ data_file: { file_path: path } }) => `'${path}'`)
  const times = `count(*) / ${ROWS}, count(DISTINCT ts), sum(ts)::BIGINT`
  const rows = await lab.judge(`SELECT batch, ${times} FROM read_parquet([${files}]) GROUP BY batch ORDER BY batch`)
  return new Map(
    (rows as [number, number, string, string][]).map(([batch, times, distinct, sum]) => {
      const wanted = times * (batch * ROWS * ROWS + (ROWS * (ROWS - 1)) / 2)
      return [batch, Number(distinct) === ROWS && Number(sum) === wanted ? times : Number.NaN]
    }),
  )
}

/** What a table holds after a batch came, given what it held. */
function withBatch(kind: Kind, held: ReadonlyMap<number, number>, batch: number): Map<number, number> {
  return new Map([...(kind.name === 'append' ? held : []), [batch, 1]])
}

test(`${KILLS} kills`, { timeout: tortureTimeout(240_000) }, async () => {
  const lifetimes = new Map<string, number>()
  for (const [k, kind] of KINDS.entries()) {
    const { isDone, ms } = await importBatch(kind, k)
    expect(isDone).toBe(true)
    lifetimes.set(kind.name, ms)
  }
  const held = new Map<string, Map<number, number>>()
  for (const [k, kind] of KINDS.entries()) held.set(kind.table(k), new Map([[k, 1]]))
  for (let killed = 0, batch = KINDS.length; killed < KILLS; batch++) {
    const kind = KINDS[batch % KINDS.length]!
    const table = kind.table(batch)
    const before = held.get(table) ?? new Map<number, number>()
    const killAfterMs = moment() * lifetimes.get(kind.name)!
    const { isDone, ms } = await importBatch(kind, batch, killAfterMs)
    if (isDone) lifetimes.set(kind.name, ms)
    else killed++
    const found = await batchesOf(table)
    held.set(table, found)
    const after = withBatch(kind, before, batch)
    const isNew = print(found) === print(after)
    const isRight = isNew || (!isDone && print(found) === print(before))
    const how = isDone ? 'not reached' : isNew ? 'after the commit' : 'before the commit'
    tally.add(
      `${kind.name}, killed: ${how}`,
      isRight ? 'right' : 'wrong',
      `batch ${batch}: ${print(before)} ${print(found)}`,
    )
  }
  expect(tally.takeFailures()).toEqual([])
  await expectUsable(held)
})

/** A moment of a life of length 1: two thirds are drawn over all of it, a third near its end, where the commit is. */
function moment(): number {
  return random() < 2 / 3 ? random() * 1.05 : 0.8 + random() * 0.25
}

const print = (batches: ReadonlyMap<number, number>) => JSON.stringify([...batches])

/** Leftovers are in nobody's way: all tables are listed, described, queried and imported into. */
async function expectUsable(held: ReadonlyMap<string, ReadonlyMap<number, number>>): Promise<void> {
  const wanted = [...held].filter(([, batches]) => batches.size > 0).map(([table]) => table)
  const tables = await lab.warehouse.tables()
  expect(tables.map(({ name }) => name).sort()).toEqual(wanted.sort())
  const path = await source(999_999)
  for (const { name } of tables.slice(0, 5)) {
    expect((await lab.warehouse.describe(name)).rows).toBe(held.get(name)!.size * ROWS)
    await lab.warehouse.import(name, [path])
    const { rows } = await lab.warehouse.sql(`SELECT count(*) AS n, count(DISTINCT ts) AS d FROM ${name}`)
    expect(rows).toEqual([{ n: (held.get(name)!.size + 1) * ROWS, d: (held.get(name)!.size + 1) * ROWS }])
  }
}
