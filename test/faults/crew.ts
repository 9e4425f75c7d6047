/** Processes that work on one warehouse at once. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ImportOptions } from '../../src/inputs/import.ts'

/** What a process is to do, and when. */
export type Job = { id: number; atMs?: number; table: string } & (
  | { verb: 'import'; path: string; options?: ImportOptions }
  | { verb: 'imports'; paths: string[]; options?: ImportOptions }
  | { verb: 'register'; path: string }
  | { verb: 'drop' | 'read' | 'stop reading' }
)

/** A job without what the crew adds. */
export type Task = Job extends infer J ? (J extends Job ? Omit<J, 'id' | 'atMs'> : never) : never

/** What came of a job: `done`, or the code of the error. */
export interface Answer {
  id: number
  outcome: string
  details?: object
}

const CHILD = fileURLToPath(new URL('./crew-child.ts', import.meta.url))
const START_MS = 25

/** One process. */
export class Member {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #jobs = 0

  constructor(root: string) {
    this.#child = spawn(process.execPath, [CHILD, root], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const answer = JSON.parse(line) as Answer
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
    this.#child.on('exit', (code) => {
      for (const [id, answer] of this.#waiting) answer({ id, outcome: `exit ${code}` })
    })
  }

  /** What comes of a task; it is begun at `atMs`, at once when that is absent. */
  async do(task: Task, atMs?: number): Promise<Answer> {
    const job = { ...task, id: ++this.#jobs, ...(atMs !== undefined && { atMs }) }
    return await new Promise((resolve) => {
      this.#waiting.set(job.id, resolve)
      this.#child.stdin!.write(`${JSON.stringify(job)}\n`)
    })
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return
    this.#child.stdin!.end()
    await once(this.#child, 'exit')
  }
}

/** Has each member do its task, all beginning at one moment; the outcomes in their order. */
export async function atOnce(crew: readonly Member[], tasks: readonly Task[]): Promise<Answer[]> {
  const atMs = Date.now() + START_MS
  return await Promise.all(tasks.map((task, k) => crew[k]!.do(task, atMs)))
}
