/** Stages, and a pool of which a test says what every attempt does, in simulated time. */

import type { Sources } from '../../src/catalog/sources.ts'
import { readSettings } from '../../src/config.ts'
import { type DispatchOptions, runStages, type StagesResult } from '../../src/coordinator/dispatch.ts'
import type { Rows } from '../../src/exchange/exchange.ts'
import type { SqlWork, Stage, StageInput, TaskSpec } from '../../src/planner/plan.ts'
import type { Pool, PoolCalls, TaskMessage, TaskResult } from '../../src/pool/pool.ts'
import { World } from '../simulation/world.ts'

/** The settings as they are by default, with short waits. */
export const settings = {
  ...readSettings({}),
  taskAttempts: 4,
  taskLostMs: 2000,
  taskRetryMs: 100,
  taskRetryMaxMs: 300,
  taskLookahead: 2,
  taskWatchMs: 20,
  hedgeFactor: 3,
  hedgeLeastMs: 500,
  hedgePercent: 10,
  progressMs: 100,
  interruptGraceMs: 1000,
}

/** A stage of so many tasks, each of a file of ten rows. It reads others: all they gave, or with `*` its own part. */
export function stage(id: string, tasks: number, reads: readonly string[] = [], cut?: SqlWork['cut']): Stage {
  const inputs = reads.map((name): StageInput => {
    return { view: name, stage: name.replace('*', ''), columns: [], own: name.endsWith('*') }
  })
  const isOwn = inputs.some((input) => 'own' in input && input.own)
  return {
    id,
    does: id,
    work: { kind: 'sql', sql: id, inputs, columns: [], ...(cut && { cut }) },
    tasks: Array.from({ length: tasks }, (_, k): TaskSpec => {
      return { id: `${id}.${k}`, files: {}, rows: 10, bytes: 100, ...(isOwn && { part: k }) }
    }),
  }
}

/** A result of one row with this value; the pool adds whose it is. */
export function resultOf(value: unknown, rows: Partial<Rows> = {}): TaskResult {
  return { attempt: '', rows: { columns: [], count: 1, inline: [[value]], ...rows }, stats: { ms: 1 } }
}

/** What an attempt was told, and when. */
export interface Told extends TaskMessage {
  signal: AbortSignal
  startedMs: number
}

/** What an attempt does: `n` counts the attempts at its task from 1. */
export type Act = (message: Told, n: number, bed: Bed, calls: PoolCalls) => Promise<TaskResult>

/** A run that has ended, and all that the pool saw of it. */
export class Bed {
  readonly world = new World(1, { stall: 0, pause: 0, lost: 0 })
  readonly coordinator = this.world.spawn('coordinator', 'a')
  readonly sources: Sources = this.world.sources(this.coordinator)
  readonly begunMs = this.world.nowMs
  readonly told: Told[] = []
  /** The most attempts that were in the pool at once, those that were aborted not counted. */
  most = 0
  readonly #open = new Set<Told>()

  /** Milliseconds since the beginning. */
  get elapsedMs(): number {
    return this.world.nowMs - this.begunMs
  }

  /** The attempts at a task. */
  attempts(task: string): Told[] {
    return this.told.filter((message) => message.task.id === task)
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.sources.sleep(ms, signal)
  }

  /** The outcome of a run, when it has one. */
  async run(
    stages: readonly Stage[],
    act: Act,
    options: Partial<DispatchOptions> & { slots?: number } = {},
  ): Promise<{ result?: StagesResult; error?: unknown }> {
    const { slots = 4, ...rest } = options
    const outcome: { result?: StagesResult; error?: unknown } = {}
    const life = runStages(stages, this.#pool(slots, act), this.sources, { query: 'q', settings, ...rest }).then(
      (result) => {
        outcome.result = result
      },
      (error: unknown) => {
        outcome.error = error
      },
    )
    await this.world.run([life])
    return outcome
  }

  #pool(slots: number, act: Act): Pool {
    return {
      name: 'inline',
      slots,
      run: async (message, calls) => {
        const told = { ...message, signal: calls.signal, startedMs: this.elapsedMs }
        this.told.push(told)
        this.#open.add(told)
        this.most = Math.max(this.most, [...this.#open].filter(({ signal }) => !signal.aborted).length)
        try {
          const result = await act(told, this.attempts(message.task.id).length, this, calls)
          return { ...result, attempt: result.attempt || message.attempt }
        } finally {
          this.#open.delete(told)
        }
      },
      [Symbol.asyncDispose]: async () => {},
    }
  }
}

/** A promise that never settles. */
export function never(): Promise<never> {
  return new Promise(() => {})
}

/** The numbers from 0. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, k) => k)
}
