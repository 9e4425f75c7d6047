/** The exact search for scattered actors stays within the memory that a process may use, however many actors there are. */
import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runs, tortureTimeout } from '../torture.ts'
import type { Outcome } from './folder-memory-child.ts'
import { type Lab, openLab } from './import-lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await openLab()
})

afterAll(async () => {
  await lab.close()
})

const MIB = 1024 * 1024
const ACTORS = runs(2_000_000, 50_000_000)
const FILES = runs(20, 200)
const MEMORY_MIB = runs(384, 512)

async function registerApart(folder: string, warehouse: string): Promise<Outcome> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [`${import.meta.dirname}/folder-memory-child.ts`, `${lab.dir}/${warehouse}`, `${lab.dir}/${folder}`],
    { env: { ...process.env, SKEP_MEMORY: `${MEMORY_MIB}MB`, SKEP_THREADS: '2' } },
  )
  return JSON.parse(stdout) as Outcome
}

/** Files of all actors, each in one of them; ranges of all files overlap. */
async function writeActors(folder: string, actor: string): Promise<void> {
  for (let k = 0; k < FILES; k++) {
    const select = `SELECT ${actor} AS who, i AS ts FROM (SELECT i * ${FILES} + ${k} AS i FROM range(${ACTORS / FILES}) t(i))`
    await lab.write(select, `${folder}/${k}.parquet`)
  }
}

// Peak memory is read from where only Linux has it.
test.skipIf(process.platform !== 'linux').for([
  ['integers', 'CAST(hash(i) // 2 AS BIGINT)'],
  ['text', `'user-' || md5(CAST(i AS VARCHAR))`],
] as const)('%s', { timeout: tortureTimeout(120_000) }, async ([name, actor]) => {
  await writeActors(name, actor)
  const apart = await registerApart(name, `${name}-apart`)
  expect(apart.result).toMatchObject({ files: FILES, rows: ACTORS, actorsTogether: true })
  // One of them once more, in a file where the probe of a few files does not see it.
  await lab.write(`SELECT ${actor} AS who, 1 AS ts FROM (SELECT ${ACTORS / 2 + 7} AS i)`, `${name}/a-${FILES}.parquet`)
  const scattered = await registerApart(name, `${name}-scattered`)
  const file = `${(ACTORS / 2 + 7) % FILES}.parquet`
  expect(scattered.result.scattered?.files.toSorted()).toEqual([file, `a-${FILES}.parquet`].toSorted())
  for (const { ms, peakBytes } of [apart, scattered]) {
    console.log(`${ACTORS} ${name}, ${FILES} files: ${ms} ms, peak ${Math.round(peakBytes / MIB)} of ${MEMORY_MIB} MiB`)
    expect(peakBytes).toBeLessThan(MEMORY_MIB * MIB)
  }
  rmSync(`${lab.dir}/${name}`, { recursive: true })
})
