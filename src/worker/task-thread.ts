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
export type ToTaskThread =
  | { kind: 'run'; number: number; message: TaskMessage }
  | { kind: 'stop'; number: number }
  | { kind: 'end' }

/** What a thread tells. */
export type FromTaskThread =
  | { kind: 'ready' }
  | { kind: 'beat'; number: number; done: number }
  | { kind: 'done'; number: number; result: TaskResult }
  | {
      kind: 'failed'
      number: number
      error: ReturnType<SkepError['toJSON']>
      cause?: { message: string; stack: string | undefined }
    }

const { root, settings, spillPath, share } = workerData as TaskThreadData
const port = parentPort!
const running = new Map<number, { stopping: AbortController; over: Promise<void> }>()
const worker: Worker = {
  root,
  settings,
  engines: new EngineKeeper({ settings, root, spillPath, share }),
  exchange: (query) => new DiskExchange(root, query),
}

port.on('message', (told: ToTaskThread) => {
  if (told.kind === 'stop') running.get(told.number)?.stopping.abort()
  else if (told.kind === 'end') void end()
  else {
    const stopping = new AbortController()
    running.set(told.number, { stopping, over: run(told.number, told.message, stopping.signal) })
  }
})
tell({ kind: 'ready' })

async function run(number: number, message: TaskMessage, signal: AbortSignal): Promise<void> {
  try {
    const onBeat = (done: number) => tell({ kind: 'beat', number, done })
    const result = await runTask(worker, message, { signal, onBeat })
    tell({ kind: 'done', number, result })
  } catch (error) {
    tell({ kind: 'failed', number, ...failureOf(toSkepError(error)) })
  } finally {
    running.delete(number)
  }
}

function failureOf(error: SkepError): Omit<Extract<FromTaskThread, { kind: 'failed' }>, 'kind' | 'number'> {
  const { cause } = error
  return {
    error: error.toJSON(),
    ...(cause instanceof Error && { cause: { message: cause.message, stack: cause.stack } }),
  }
}

/** Ends all tasks, then the engine: a thread that is stopped without that leaves its engine at work. */
async function end(): Promise<void> {
  for (const { stopping } of running.values()) stopping.abort()
  await Promise.all([...running.values()].map(({ over }) => over))
  await worker.engines.close()
  port.close()
}

function tell(message: FromTaskThread): void {
  port.postMessage(message)
}
