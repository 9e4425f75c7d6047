/**
 * Another writer at work on the same warehouse: a process (`node races-child.ts JOB`, prints the outcome), or a thread
 * that a test may wait for without giving up its own turn.
 */
import { parentPort } from 'node:worker_threads'
import { isSkepError } from '../../src/errors.ts'
import { Warehouse } from '../../src/warehouse.ts'

/** What the other writer is to do. */
export interface Job {
  root: string
  table: string
  verb: 'import' | 'drop' | 'register' | 'alter'
  path: string
  options: object
}

/** `done`, or the code of the error. */
async function work({ root, table, verb, path, options }: Job): Promise<string> {
  const warehouse = await Warehouse.open(root, { env: { SKEP_THREADS: '1' } })
  try {
    if (verb === 'drop') await warehouse.drop(table)
    else if (verb === 'alter') await warehouse.alter(table, options)
    else if (verb === 'register') await warehouse.register(table, path, options as { actor: string; time: string })
    else await warehouse.import(table, [path], options)
    return 'done'
  } catch (error) {
    return isSkepError(error) ? error.code : String(error)
  } finally {
    await warehouse.close()
  }
}

if (parentPort) {
  parentPort.on('message', async ({ job, shared }: { job: Job; shared: SharedArrayBuffer }) => {
    const outcome = new TextEncoder().encode(await work(job))
    new Uint8Array(shared, 8).set(outcome.subarray(0, shared.byteLength - 8))
    const state = new Int32Array(shared, 0, 2)
    Atomics.store(state, 1, outcome.length)
    Atomics.store(state, 0, 1)
    Atomics.notify(state, 0)
  })
} else {
  console.log(await work(JSON.parse(process.argv[2]!) as Job))
}
