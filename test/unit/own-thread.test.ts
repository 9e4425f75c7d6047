/** Jobs that the thread which asks runs itself. */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { expect, test } from 'vitest'
import { SkepError } from '../../src/errors.ts'
import { CONTROL, type DirectJob, newControl } from '../../src/worker/direct-job.ts'
import { OWN_THREAD } from '../../src/worker/shares.ts'

const PROGRAM = { conditions: [] }
const CONTROLLED = {
  from: 0,
  to: 3,
  blocks: [],
  layout: { arena: new SharedArrayBuffer(8), actorWords: 1, maskBytes: 1 },
}
const parts = (control = newControl()): DirectJob =>
  ({ kind: 'parts', program: PROGRAM, control, ...CONTROLLED }) as DirectJob
const lookup = async () => new BigUint64Array(0)

test('an outcome has one share, of all pieces', async () => {
  const outcome = await OWN_THREAD.run(parts(), lookup)
  expect(outcome).toMatchObject({ shares: [{ pieces: [{ piece: 0 }, { piece: 1 }, { piece: 2 }] }] })
})

test('between two pieces it is heard that the job is to stop', async () => {
  const control = newControl()
  const running = OWN_THREAD.run(parts(control), lookup)
  setImmediate(() => void Atomics.store(control, CONTROL.stop, 1))
  expect(await running).toMatchObject({ shares: [{ pieces: [] }] })
  expect(Atomics.load(control, CONTROL.done)).toBeLessThan(3)
})

test('what cannot be decoded is for the engine, a mistake of ours is not', async () => {
  const missing = { ...parts(), kind: 'actors', keepReached: false, decoding: decodingOf('/no/such/file') } as DirectJob
  expect(await OWN_THREAD.run(missing, lookup)).toEqual({ undecodable: expect.stringContaining('ENOENT') })
  const wrong = { ...parts(), layout: undefined } as unknown as DirectJob
  await expect(OWN_THREAD.run(wrong, lookup)).rejects.toThrow(SkepError)
})

function decodingOf(path: string) {
  const column = { name: 'a', types: ['BIGINT'] }
  const files = [{ path, sizeBytes: 1 }]
  return { program: PROGRAM, files, actor: column, time: column, texts: [], numbers: [], timeframe: {}, groupRows: 10 }
}

test('an error of the engine while texts are asked for is told as it is, not taken for a damaged file', async () => {
  const told = new SkepError('CANCELLED', 'the call was cancelled', {})
  const folder = mkdtempSync(join(tmpdir(), 'skep-own-thread-'))
  try {
    const asking = OWN_THREAD.run(await textJob(join(folder, 'a.parquet')), async () => {
      throw told
    })
    await expect(asking).rejects.toBe(told)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

async function textJob(path: string): Promise<DirectJob> {
  const duck = await (await DuckDBInstance.create(':memory:')).connect()
  await duck.run(`COPY (SELECT i AS a, i AS t, 'x' || i % 3 AS e FROM range(100) t(i)) TO '${path}' (FORMAT parquet)`)
  duck.closeSync()
  const decoding = {
    ...decodingOf(path),
    files: [{ path, sizeBytes: statSync(path).size }],
    time: { name: 't', types: ['BIGINT'] },
    texts: [{ name: 'e', types: ['VARCHAR'] }],
    groupRows: 1000,
  }
  return { kind: 'actors', decoding, control: newControl(), keepReached: false } as DirectJob
}
