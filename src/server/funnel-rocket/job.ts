/** Work that Funnel Rocket calls a job: one JSON document, or lines of progress with the document as the last one. */
import { SETTINGS } from '../../config.ts'
import type { TaskProgress } from '../../coordinator/run-figures.ts'
import type { SkepError } from '../../errors.ts'
import { ANSWERED, type Call } from '../context.ts'
import { Output } from '../output.ts'
import type { QueryAsked, QueryFigures } from '../queries.ts'
import { errorOf } from '../reply.ts'
import { placeFor, type Running, sendJson, underway } from '../underway.ts'
import { failureOf } from './failure.ts'

/** What a job made: the document but for its first two fields. */
export interface JobResult {
  document: object
  figures: QueryFigures
  /** Tasks that were run. */
  tasks: number
}

/** What its running tasks are called. */
type RunningStatus = 'RUNNING' | 'RUNNING_QUERY'

/** Answers with what a job makes. */
export async function answerJob(
  call: Pick<Call, 'context' | 'reply'>,
  asked: QueryAsked,
  { stream, status }: { stream: boolean; status: RunningStatus },
  work: (running: Running) => Promise<JobResult>,
): Promise<typeof ANSWERED> {
  return await underway<typeof ANSWERED>(call, asked, async (live) => {
    const lines = stream ? new JobLines(call.reply, status) : undefined
    try {
      using _place = await placeFor(call, live)
      const onProgress = (fraction: number, tasks?: TaskProgress) => {
        live.tell(fraction, tasks)
        lines?.progress(tasks)
      }
      const { document, figures, tasks } = await work({ signal: live.signal, onProgress, ...live.watch })
      const text = JSON.stringify({ success: true, requestId: live.id, ...document })
      live.finish(figures)
      if (lines) await lines.done(text, tasks)
      else await sendJson(call.reply, text)
      return ANSWERED
    } catch (cause) {
      if (!(await lines?.failed(errorOf(live.errorOf(cause))))) throw cause
      live.fail(cause)
      return ANSWERED
    }
  })
}

/** What a query that is not divided counts as. */
const ONE_TASK = { tasks: 1, queued: 0, running: 1 }

/** The lines of a stream. It begins with the first of them: until then errors have a status. */
class JobLines {
  readonly #output: Output
  readonly #status: RunningStatus
  #tasks = 0
  #toldMs = Number.NEGATIVE_INFINITY
  /** The end has come: nothing may follow it. */
  #isOver = false
  /** Lines go one after another. */
  #last: Promise<void> = Promise.resolve()

  constructor(reply: Call['reply'], status: RunningStatus) {
    this.#status = status
    this.#output = new Output(reply, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    })
  }

  /** Tells how many tasks are where, unless that was told just now. */
  progress({ tasks, queued, running }: Pick<TaskProgress, 'tasks' | 'queued' | 'running'> = ONE_TASK): void {
    if (this.#isOver) return
    // Tasks that turn out to have nothing to do have succeeded.
    this.#tasks = Math.max(this.#tasks, tasks)
    const now = performance.now()
    if (now - this.#toldMs < SETTINGS.progressMs.default) return
    this.#toldMs = now
    const counts = { QUEUED: queued, [this.#status]: running, ENDED_SUCCESS: this.#tasks - queued - running }
    // Who has left is noticed by the query itself.
    void this.#tell('RUNNING', 'Running tasks', counts).catch(() => {})
  }

  /** The end of the tasks, and the result. */
  async done(document: string, tasks: number): Promise<void> {
    this.#isOver = true
    await this.#tell('FINISHING', null, { ENDED_SUCCESS: Math.max(this.#tasks, tasks) })
    await this.#write(document)
    this.#output.end()
  }

  /** The error as the last line; false when the status can still tell it. */
  async failed(error: SkepError): Promise<boolean> {
    this.#isOver = true
    // A line on its way may be the first one.
    await this.#last
    if (!this.#output.isBegun) return false
    await this.#write(JSON.stringify(failureOf(error))).catch(() => {})
    this.#output.end()
    return true
  }

  async #tell(stage: 'RUNNING' | 'FINISHING', message: string | null, counts: Record<string, number>): Promise<void> {
    const tasks = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
    await this.#write(JSON.stringify({ message, stage, tasks }))
  }

  async #write(line: string): Promise<void> {
    const writing = this.#last.then(async () => await this.#output.write(`${line}\n`))
    this.#last = writing.catch(() => {})
    await writing
  }
}
