/** Another writer at work on the warehouse of a test: on a thread that the test waits for as it stands, or as processes. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { expect } from 'vitest'
import type { ImportOptions } from '../../src/inputs/import.ts'
import type { Job } from './races-child.ts'

const CHILD = new URL('./races-child.ts', import.meta.url)
const WAIT_MS = 30_000

/** What the other writer is to do in the warehouse of the test. */
export type OtherJob = Omit<Job, 'root'>

/** A writer on a thread of its own. */
export class OtherWriter {
  readonly #root: string
  readonly #worker = new Worker(CHILD)

  constructor(root: string) {
    this.#root = root
  }

  /** What it did in the end, `done` or the code of an error. Nothing of ours goes on meanwhile. */
  run(job: OtherJob): string {
    const shared = new SharedArrayBuffer(1024)
    const state = new Int32Array(shared, 0, 2)
    this.#worker.postMessage({ job: { root: this.#root, ...job } satisfies Job, shared })
    if (Atomics.wait(state, 0, 0, WAIT_MS) === 'timed-out') return 'timed out'
    return Buffer.from(new Uint8Array(shared, 8, state[1])).toString()
  }

  /** Options of an import of ours that stands right before its first commit while the other writer does all these. */
  meanwhile(...jobs: readonly OtherJob[]): Pick<ImportOptions, 'onProgress'> {
    const left = [...jobs]
    return {
      onProgress: ({ phase }) => {
        if (phase !== 'commit') return
        for (const job of left.splice(0)) expect(this.run(job)).toBe('done')
      },
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** What processes that each do one of these, all at once, print in the end. */
export async function runProcesses(jobs: readonly Job[]): Promise<string[]> {
  const run = promisify(execFile)
  const outputs = await Promise.all(
    jobs.map((job) => run(process.execPath, [fileURLToPath(CHILD), JSON.stringify(job)])),
  )
  return outputs.map(({ stdout }) => stdout.trim())
}
