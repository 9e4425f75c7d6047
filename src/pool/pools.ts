/** The pools of a process, made when they are first asked for. */
import type { Settings } from '../config.ts'
import type { EngineKeeper } from '../engine/keeper.ts'
import { DiskExchange } from '../exchange/disk-exchange.ts'
import type { PoolName } from '../planner/plan.ts'
import { InlinePool } from './inline-pool.ts'
import { closedError, type StaffedPool, type WorkerInfo } from './pool.ts'
import { ThreadPool } from './thread-pool.ts'

/** What pools of this process work with. */
export interface PoolParts {
  root: string
  settings: Settings
  engines: EngineKeeper
  /** A folder of its own for what an engine spills, anew each time. */
  spillPath: () => string
}

/** The pools of a warehouse. */
export class Pools implements AsyncDisposable {
  readonly #parts: PoolParts
  readonly #made = new Map<PoolName, StaffedPool>()
  #closed = false

  constructor(parts: PoolParts) {
    this.#parts = parts
  }

  /** The pool of this name. @throws CANCELLED once they are disposed of, as what a pool runs does then */
  get(name: PoolName): StaffedPool {
    if (this.#closed) throw closedError()
    const pool = this.#made.get(name) ?? this.#make(name)
    this.#made.set(name, pool)
    return pool
  }

  /** The workers of the pools that have been asked for. */
  workers(): WorkerInfo[] {
    return [...this.#made.values()].flatMap((pool) => pool.workers())
  }

  #make(name: PoolName): StaffedPool {
    const { root, settings, engines, spillPath } = this.#parts
    switch (name) {
      case 'inline':
        return new InlinePool({ root, settings, engines, exchange: (query) => new DiskExchange(root, query) })
      case 'threads':
        return new ThreadPool({ root, settings, spillPath })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#made.values()].map((pool) => pool[Symbol.asyncDispose]()))
    this.#made.clear()
  }
}
