/** A world of which a seed owns everything: the clock, chance, and which of all waiting calls to the store goes next. */
import type { Sources } from '../../src/catalog/sources.ts'
import { SkepError, throwIfAborted } from '../../src/errors.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import type { Processes, ProcessMark } from '../../src/storage/processes.ts'
import { seeded } from '../chance.ts'

/** One process of the world. A dead one never gets a turn again. */
export interface Actor {
  name: string
  mark: ProcessMark
  /** What its clock is ahead of the world's, in milliseconds. */
  skewMs: number
  dead: boolean
  /** Until when the whole process stands still. */
  pausedUntilMs: number
  /** Calls to the store until it dies; infinite for one that does not. */
  callsLeft: number
  /** Resolves when it dies. */
  death: Promise<void>
  die(): void
}

/** How often things go wrong, as probabilities for each call. */
export interface Faults {
  /** A call waits for long before it takes effect. */
  stall: number
  /** The whole process stands still for long, as on a machine that sleeps. */
  pause: number
  /** A write is answered with STORE_UNAVAILABLE: done, not done, or done later. */
  lost: number
  /** A call is refused with STORE_UNAVAILABLE, and does nothing. */
  refused?: number
}

/** Sees what takes effect, right after it did, before anything else happens. */
export interface Witness {
  created(path: string): Promise<void>
  deleting(path: string): void
}

const STALL_MS = 8000
const STEPS_MAX = 200_000

export class World {
  nowMs = 1_700_000_000_000
  readonly random: () => number
  readonly store: MemoryStore
  readonly actors: Actor[] = []
  readonly log: string[] = []
  #faults: Faults
  #waiting: { actor: Actor | undefined; go: () => void }[] = []
  #sleeping: { actor: Actor | undefined; untilMs: number; wake: () => void }[] = []

  constructor(seed: number, faults: Faults) {
    this.random = seeded(seed)
    this.#faults = faults
    this.store = new MemoryStore('memory:', { now: () => this.nowMs })
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random() * choices.length)]!
  }

  /** From now on nothing goes wrong. */
  calm(): void {
    this.#faults = { stall: 0, pause: 0, lost: 0 }
  }

  /** A process on a host. */
  spawn(name: string, host: string, callsLeft = Number.POSITIVE_INFINITY): Actor {
    let die = () => {}
    const death = new Promise<void>((resolve) => {
      die = resolve
    })
    const pid = this.actors.length + 1
    const mark = { host, boot: 'boot', pid, start: String(pid) }
    const actor: Actor = {
      name,
      mark,
      skewMs: host === 'a' ? 0 : 250,
      dead: false,
      pausedUntilMs: 0,
      callsLeft,
      death,
      die,
    }
    this.actors.push(actor)
    return actor
  }

  /** What an actor can see of other processes: whether those on its host live. */
  processes(self: Actor): Processes {
    return {
      self: self.mark,
      liveness: (mark) => {
        if (mark.host !== self.mark.host) return 'unknown'
        return this.actors[mark.pid - 1]!.dead ? 'dead' : 'alive'
      },
    }
  }

  sources(actor: Actor): Sources {
    return {
      now: () => this.nowMs + actor.skewMs,
      random: this.random,
      sleep: (ms, signal) => this.#sleep(actor, ms, signal),
    }
  }

  /** The store as an actor reaches it: every call waits for its turn. */
  reach(actor: Actor, witness: Witness): ObjectStore {
    const call = async <T>(what: string, effect: () => Promise<T>): Promise<T> => {
      await this.hear(actor, what)
      const { refused } = this.#faults
      if (refused && this.random() < refused) throw new SkepError('STORE_UNAVAILABLE', 'refused', { path: what })
      return await effect()
    }
    const write = async <T>(what: string, effect: () => Promise<T>): Promise<T> => {
      if (this.random() >= this.#faults.lost) return await call(what, effect)
      const fate = this.pick(['done', 'not done', 'later'])
      return await call(`${what} [${fate}]`, async () => {
        if (fate === 'done') await effect()
        if (fate === 'later') this.#later(actor, what, effect)
        throw new SkepError('STORE_UNAVAILABLE', 'the reply was lost', { path: what })
      })
    }
    const { store } = this
    return {
      root: store.root,
      list: (prefix, options) => call(`list ${prefix}`, () => store.list(prefix, options)),
      stat: (path) => call(`stat ${path}`, () => store.stat(path)),
      read: (path, options) => call(`read ${path}`, () => store.read(path, options)),
      put: (path, bytes) => write(`put ${path}`, () => store.put(path, bytes)),
      putIfAbsent: (path, bytes) =>
        write(`create ${path}`, async () => {
          const isDone = await store.putIfAbsent(path, bytes)
          if (isDone) await witness.created(path)
          return isDone
        }),
      delete: (path) =>
        write(`delete ${path}`, async () => {
          witness.deleting(path)
          await store.delete(path)
        }),
    }
  }

  /** Resolves when it is an actor's turn to do or to hear this. */
  async hear(actor: Actor, what: string): Promise<void> {
    await this.#turn(actor)
    this.log.push(`${this.nowMs % 1_000_000} ${actor.name} ${what}`)
  }

  /** Runs until all of these have ended or died. @throws when nothing can go on, or nothing comes to an end */
  async run(lives: readonly Promise<void>[]): Promise<void> {
    let open = lives.length
    let failure: { error: unknown } | undefined
    for (const life of lives) {
      life.then(
        () => open--,
        (error: unknown) => {
          failure ??= { error }
        },
      )
    }
    for (let step = 0; step < STEPS_MAX; step++) {
      // All that follows from the last effect happens before the next: it waits for nothing but turns.
      await new Promise((resolve) => setImmediate(resolve))
      if (failure) throw failure.error
      if (open === 0) return
      this.#step()
    }
    throw new Error('the run does not end')
  }

  /** Lets all writes arrive that nobody waits for any more. */
  async drain(): Promise<void> {
    const isOpen = () => [...this.#waiting, ...this.#sleeping].some(({ actor }) => actor === undefined)
    while (isOpen()) {
      this.#step()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #step(): void {
    this.#waiting = this.#waiting.filter(({ actor }) => !actor?.dead)
    this.#sleeping = this.#sleeping.filter(({ actor }) => !actor?.dead)
    this.nowMs += Math.floor(this.random() * 3)
    const isAwake = ({ actor }: { actor: Actor | undefined }) => (actor?.pausedUntilMs ?? 0) <= this.nowMs
    const due = this.#sleeping.filter((sleeper) => sleeper.untilMs <= this.nowMs && isAwake(sleeper))
    const ready = this.#waiting.filter(isAwake)
    if (due.length > 0) {
      this.#wake(this.pick(due))
    } else if (ready.length > 0) {
      const chosen = this.pick(ready)
      this.#waiting = this.#waiting.filter((other) => other !== chosen)
      chosen.go()
    } else {
      this.nowMs = this.#nextMs()
    }
  }

  /** When something can go on that cannot now. */
  #nextMs(): number {
    const sleeping = this.#sleeping.map(({ actor, untilMs }) => Math.max(untilMs, actor?.pausedUntilMs ?? 0))
    const waiting = this.#waiting.map(({ actor }) => actor?.pausedUntilMs ?? 0)
    const next = Math.min(...sleeping, ...waiting)
    if (next === Number.POSITIVE_INFINITY) throw new Error('nothing can go on')
    return next
  }

  #wake(sleeper: { wake: () => void }): void {
    this.#sleeping = this.#sleeping.filter((other) => other !== sleeper)
    sleeper.wake()
  }

  async #turn(actor: Actor): Promise<void> {
    if (actor.callsLeft-- <= 0 && !actor.dead) {
      actor.dead = true
      this.log.push(`${this.nowMs % 1_000_000} ${actor.name} dies`)
      actor.die()
    }
    if (this.random() < this.#faults.stall) await this.#sleep(actor, this.random() * STALL_MS)
    if (this.random() < this.#faults.pause) actor.pausedUntilMs = this.nowMs + Math.floor(this.random() * STALL_MS)
    await new Promise<void>((go) => {
      this.#waiting.push({ actor, go })
    })
  }

  /** The effect comes when nobody waits for it any more, also when its actor is dead by then. */
  #later(actor: Actor, what: string, effect: () => Promise<unknown>): void {
    const go = () => {
      this.log.push(`${this.nowMs % 1_000_000} ${actor.name} ${what} [now]`)
      void effect()
    }
    const wake = () => this.#waiting.push({ actor: undefined, go })
    this.#sleeping.push({ actor: undefined, untilMs: this.nowMs + Math.floor(this.random() * STALL_MS), wake })
  }

  #sleep(actor: Actor, ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      throwIfAborted(signal)
      const sleeper = { actor, untilMs: this.nowMs + Math.floor(ms), wake: resolve }
      this.#sleeping.push(sleeper)
      signal?.addEventListener('abort', () => {
        this.#sleeping = this.#sleeping.filter((other) => other !== sleeper)
        reject(new SkepError('CANCELLED', 'the call was cancelled', {}))
      })
    })
  }
}
