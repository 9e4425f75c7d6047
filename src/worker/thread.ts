/** Entry of a worker thread: it runs shares of queries as they are posted to it. */
import { parentPort } from 'node:worker_threads'
import type { DirectJob, ShareOutcome } from './direct-job.ts'
import { reasonForEngine, Undecodable } from './open-file.ts'
import { runShare } from './shares.ts'

/** What a thread is told. */
export type ToThread =
  | { kind: 'run'; share: number; job: DirectJob }
  | { kind: 'masks'; question: number; masks: BigUint64Array | undefined }

/** What a thread tells. */
export type FromThread =
  | { kind: 'ask'; share: number; question: number; column: number; texts: (string | null)[] }
  | { kind: 'done'; share: number; outcome: ShareOutcome }
  | { kind: 'undecodable'; share: number; reason: string }
  | { kind: 'failed'; share: number; error: unknown }

const port = parentPort!
const questions = new Map<number, (masks: BigUint64Array | undefined) => void>()
let asked = 0

port.on('message', (message: ToThread) => {
  if (message.kind === 'run') void run(message.share, message.job)
  else {
    questions.get(message.question)!(message.masks)
    questions.delete(message.question)
  }
})

async function run(share: number, job: DirectJob): Promise<void> {
  try {
    const outcome = await runShare(job, (column, texts) => ask(share, column, texts))
    const buffers = outcome.pieces.flatMap(({ levels, matched }) =>
      levels && matched ? [levels.buffer, matched.buffer] : [],
    )
    tell({ kind: 'done', share, outcome }, buffers)
  } catch (error) {
    const reason = reasonForEngine(error)
    tell(reason === undefined ? { kind: 'failed', share, error } : { kind: 'undecodable', share, reason })
  }
}

function ask(share: number, column: number, texts: (string | null)[]): Promise<BigUint64Array> {
  const question = asked++
  tell({ kind: 'ask', share, question, column, texts })
  return new Promise((resolve, reject) => {
    questions.set(question, (masks) => {
      if (masks) resolve(masks)
      else reject(new Undecodable('the query has ended'))
    })
  })
}

function tell(message: FromThread, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}
