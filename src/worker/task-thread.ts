/** Entry of a worker thread with an engine of its own: it runs tasks as they are posted to it. */
import { parentPort, workerData } from 'node:worker_threads'
import type { Settings } from '../config.ts'
import { EngineKeeper } from '../engine/keeper.ts'
import { type SkepError, toSkepError } from '../errors.ts'
import { DiskExchange } from '../exchange/disk-exchange.ts'
import { runTask, type Worker } from './run-task.ts'
import type { TaskMessage, TaskResult } from './task.ts'

/** What a thread is started with. */
export interface TaskThreadData {
  root: string
  settings: Settings
  /** Where its engine spills to. */
  spillPath: string
  /** The part of the engines' memory that is its own. */
  share: number
}

/** What a thread is told. */
export type ToTaskThread = { kind: 'run'; number: number; message: TaskMessage } | { kind: 'stop'; number: number }

/** What a thread tells. */
export type FromTaskThread =
  | { kind: 'beat'; number: number; done: number }
  | { kind: 'done'; number: number; result: TaskResult }
  | { kind: 'failed'; number: number; error: ReturnType<SkepError['toJSON']>; text: string }

const { root, settings, spillPath, share } = workerData as TaskThreadData
const port = parentPort!
const running = new Map<number, AbortController>()
const worker: Worker = {
  root,
  settings,
  engines: new EngineKeeper({ settings, root, spillPath, share }),
  exchange: (query) => new DiskExchange(root, query),
}

port.on('message', (told: ToTaskThread) => {
  if (told.kind === 'stop') running.get(told.number)?.abort()
  else void run(told.number, told.message)
})

async function run(number: number, message: TaskMessage): Promise<void> {
  const stopping = new AbortController()
  running.set(number, stopping)
  try {
    const onBeat = (done: number) => tell({ kind: 'beat', number, done })
    const result = await runTask(worker, message, { signal: stopping.signal, onBeat })
    tell({ kind: 'done', number, result })
  } catch (error) {
    const text = error instanceof Error ? `${error.stack}` : String(error)
    tell({ kind: 'failed', number, error: toSkepError(error).toJSON(), text })
  } finally {
    running.delete(number)
  }
}

function tell(message: FromTaskThread): void {
  port.postMessage(message)
}
