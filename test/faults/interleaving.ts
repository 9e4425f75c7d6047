/** Writers of one store whose calls are put in an order by a seed, and whose replies get lost. */
import { setImmediate } from 'node:timers/promises'
import { SkepError } from '../../src/errors.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'

const IDLE_ROUNDS = 100

/** Lets those who wait go on one by one, drawn by chance; nobody else runs meanwhile. */
export class Interleaving {
  readonly random: () => number
  readonly #waiting: (() => void)[] = []
  #open = 0

  constructor(random: () => number) {
    this.random = random
  }

  /** Resolves when it is the caller's turn. */
  async turn(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Has something happen after so many turns, whoever still waits for it. */
  later(turns: number, action: () => Promise<unknown>): void {
    this.#open++
    const run = async () => {
      for (let k = 0; k < turns; k++) await this.turn()
      await action()
    }
    run().finally(() => this.#open--)
  }

  /** True when all tasks and all that happens later came to an end, false when somebody waits for what never comes. */
  async run(tasks: readonly Promise<unknown>[]): Promise<boolean> {
    this.#open += tasks.length
    for (const task of tasks) task.finally(() => this.#open--).catch(() => undefined)
    for (let idle = 0; this.#open > 0; ) {
      await setImmediate()
      const [next] = this.#waiting.splice(Math.floor(this.random() * this.#waiting.length), 1)
      if (!next && ++idle > IDLE_ROUNDS) return false
      if (next) idle = 0
      next?.()
    }
    return true
  }
}

/** How much goes wrong. */
export interface Weather {
  /** Probability that trouble begins at a call. */
  trouble: number
  /** Most calls in a row that it lasts. */
  longest: number
}

/** The store as one writer sees it: calls take turns, and in bad weather are refused, lose their replies, or take effect when nobody waits any more. */
export function stormy(real: ObjectStore, order: Interleaving, weather: Weather): ObjectStore & { doubts: number } {
  let bad = 0
  let doubts = 0
  const draw = (below: number) => Math.floor(order.random() * below)
  const call = async <T>(path: string, run: () => Promise<T>, isWrite = false): Promise<T> => {
    await order.turn()
    if (bad === 0 && order.random() < weather.trouble) bad = 1 + draw(weather.longest)
    if (bad === 0) {
      const value = await run()
      await order.turn()
      return value
    }
    bad--
    const kind = isWrite ? draw(8) : 0
    if (kind === 1) throw new SkepError('DISK_FULL', 'the disk is full', { path })
    if (kind > 1 && /metadata\.json$|^names/.test(path)) doubts++
    if (kind > 1 && kind < 5) await run()
    if (kind >= 5) order.later(draw(80), run)
    await order.turn()
    throw new SkepError('STORE_UNAVAILABLE', 'the store did not answer', { path })
  }
  return {
    root: real.root,
    get doubts() {
      return doubts
    },
    list: (prefix, options) => call(prefix, () => real.list(prefix, options)),
    stat: (path, options) => call(path, () => real.stat(path, options)),
    read: (path, options) => call(path, () => real.read(path, options)),
    put: (path, bytes, options) => call(path, () => real.put(path, bytes, options), true),
    putIfAbsent: (path, bytes, options) => call(path, () => real.putIfAbsent(path, bytes, options), true),
    delete: (path, options) => call(path, () => real.delete(path, options), true),
  }
}
