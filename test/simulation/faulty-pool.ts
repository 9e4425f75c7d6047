/** A pool of which a seed decides what it loses, repeats, delays and mixes up. Its workers are processes of the simulated world. */
import { SkepError } from '../../src/errors.ts'
import type { Pool, PoolCalls, TaskMessage, TaskResult } from '../../src/pool/pool.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { runTask } from './exchange-work.ts'
import type { Actor, World } from './world.ts'

/** What can come of an attempt, beside success. */
export const FATES = [
  'lost',
  'stuck',
  'endless',
  'slow',
  'mute',
  'late',
  'twice',
  'mixed',
  'crash',
  'foreign',
  'forbidden',
] as const
type Fate = (typeof FATES)[number] | 'done'

/** How often each of these happens to an attempt, as probabilities; what is absent never does. */
export type PoolFaults = Partial<Record<(typeof FATES)[number], number>> & {
  /** A worker does not hear that it should stop. */
  deaf?: number
  /** A dead worker is not replaced. */
  bereft?: number
}

interface Job {
  message: TaskMessage
  calls: PoolCalls
  /** Who gives signs of life for it. */
  holder: Actor | undefined
  stopped: boolean
  answered: boolean
  answer(settle: () => void): void
  resolve(result: TaskResult): void
  reject(error: unknown): void
}

const BEAT_MS = 300

/** An attempt as the test sees it. */
export interface Seen {
  attempt: string
  fate: Fate
  startedMs: number
  signal: AbortSignal
  /** A worker is at it. */
  busy: boolean
  /** The coordinator has its answer: a second run of it has not ended, or the first one. */
  isAnswered(): boolean
}

export class FaultyPool implements Pool {
  readonly name = 'inline'
  readonly slots: number
  readonly seen: Seen[] = []
  readonly #world: World
  readonly #coordinator: Actor
  readonly #faults: PoolFaults
  readonly #reach: (actor: Actor) => ObjectStore
  readonly #broker: Actor
  readonly #idle: Actor[] = []
  #alive = 0
  #workers = 0
  #queue: Job[] = []
  readonly #given: TaskResult[] = []

  constructor(
    world: World,
    coordinator: Actor,
    { slots, faults, reach }: { slots: number; faults: PoolFaults; reach: (actor: Actor) => ObjectStore },
  ) {
    this.#world = world
    this.#coordinator = coordinator
    this.#faults = faults
    this.#reach = reach
    this.slots = slots
    this.#broker = world.spawn('broker', 'a')
    for (let k = 0; k < slots; k++) this.#hire()
  }

  run(message: TaskMessage, calls: PoolCalls): Promise<TaskResult> {
    return new Promise((resolve, reject) => {
      const job: Job = {
        message: JSON.parse(JSON.stringify(message)),
        calls,
        holder: this.#broker,
        stopped: false,
        answered: false,
        answer: (settle) => void this.#answer(job, settle),
        resolve: (result) => resolve(JSON.parse(JSON.stringify(result))),
        reject,
      }
      calls.signal.addEventListener('abort', () => void this.#stop(job))
      void this.#send(job)
      void this.#beats(job)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #hits(probability: number | undefined): boolean {
    return probability !== undefined && this.#world.random() < probability
  }

  #hire(): void {
    this.#alive++
    this.#idle.push(this.#world.spawn(`worker${++this.#workers}`, 'b'))
  }

  async #send(job: Job): Promise<void> {
    await this.#world.hear(this.#broker, `queues ${job.message.attempt}`)
    void this.#beat(job)
    this.#queue.push(job)
    this.#assign()
  }

  /** Waiting jobs go to idle workers in any order. */
  #assign(): void {
    while (this.#idle.length > 0 && this.#queue.length > 0) {
      const worker = this.#idle.shift()!
      const job = this.#world.pick(this.#queue)
      this.#queue = this.#queue.filter((other) => other !== job)
      void this.#serve(worker, job)
    }
  }

  async #serve(worker: Actor, job: Job): Promise<void> {
    const fate = FATES.find((name) => this.#hits(this.#faults[name])) ?? 'done'
    const { attempt } = job.message
    const { signal } = job.calls
    const isAnswered = () => job.answered
    const seen: Seen = { attempt, fate, startedMs: this.#world.nowMs, signal, busy: true, isAnswered }
    this.seen.push(seen)
    job.holder = fate === 'lost' || fate === 'stuck' ? undefined : worker
    if (fate === 'crash') void this.#bury(worker, job, seen)
    if (fate === 'stuck') await this.#replace(worker, job, seen)
    if (fate === 'twice') void this.#send(job)
    await this.#world.hear(worker, `begins ${attempt} [${fate}]`)
    if (job.holder) void this.#beat(job)
    if (fate !== 'lost') await this.#act(worker, job, fate)
    seen.busy = false
    this.#idle.push(worker)
    this.#assign()
  }

  async #act(worker: Actor, job: Job, fate: Fate): Promise<void> {
    try {
      const result = await this.#work(worker, job, fate)
      if (fate === 'mute' || fate === 'late') job.holder = undefined
      if (fate === 'mute') return
      if (fate === 'late') await this.#world.sources(worker).sleep(this.#world.random() * 10_000)
      this.#given.push(result)
      const given = fate === 'mixed' ? this.#world.pick(this.#given) : result
      job.answer(() => job.resolve(given))
    } catch (error) {
      job.answer(() => job.reject(error))
    }
  }

  async #work(worker: Actor, job: Job, fate: Fate): Promise<TaskResult> {
    const { sleep } = this.#world.sources(worker)
    const check = () => {
      if (job.stopped) throw new SkepError('CANCELLED', 'the call was cancelled', {})
    }
    const spend = async (ms: number) => {
      for (let left = ms; left > 0; left -= 100) {
        await sleep(Math.min(left, 100))
        check()
      }
    }
    await spend(10 + this.#world.random() * 200)
    if (fate === 'foreign') throw new TypeError('the pool has a bug')
    if (fate === 'forbidden') throw new SkepError('SQL_FORBIDDEN', 'not that', { what: 'that' })
    if (fate === 'slow') await spend(this.#world.random() * 15_000)
    if (fate === 'endless') await spend(Number.POSITIVE_INFINITY)
    if (fate === 'crash') worker.callsLeft = Math.floor(this.#world.random() * 5)
    return await runTask(job.message, { store: this.#reach(worker), check })
  }

  /** What a worker tells the coordinator comes when it is the coordinator's turn; only the first answer does. */
  async #answer(job: Job, settle: () => void): Promise<void> {
    await this.#world.hear(this.#coordinator, `hears of ${job.message.attempt}`)
    job.answered = true
    settle()
  }

  async #beats(job: Job): Promise<void> {
    while (!job.answered && !this.#coordinator.dead) {
      await this.#world.sources(job.holder ?? this.#broker).sleep(BEAT_MS)
      if (!job.holder || job.holder.dead || this.#alive === 0) return
      await this.#beat(job)
    }
  }

  async #beat(job: Job): Promise<void> {
    const isWaiting = job.holder === this.#broker
    const how = isWaiting ? 'waits' : 'lives'
    await this.#world.hear(this.#coordinator, `hears that ${job.message.attempt} ${how}`)
    job.calls.onBeat(isWaiting ? undefined : 0.5)
  }

  async #stop(job: Job): Promise<void> {
    if (job.answered || this.#hits(this.#faults.deaf)) return
    await this.#world.hear(job.holder ?? this.#broker, `is told to stop ${job.message.attempt}`)
    job.stopped = true
    if (!this.#queue.includes(job)) return
    this.#queue = this.#queue.filter((other) => other !== job)
    job.answer(() => job.reject(new SkepError('CANCELLED', 'the call was cancelled', {})))
  }

  /** A worker that hangs is replaced some time after its job was given up. */
  async #replace(worker: Actor, job: Job, seen: Seen): Promise<never> {
    this.#world.log.push(`${worker.name} hangs in ${job.message.attempt}`)
    seen.busy = false
    this.#alive--
    job.calls.signal.addEventListener('abort', () => void this.#succeedLater())
    return await new Promise(() => {})
  }

  /** A worker that dies is noticed some time after, or not before its job is given up. */
  async #bury(worker: Actor, job: Job, seen: Seen): Promise<void> {
    await worker.death
    seen.busy = false
    this.#alive--
    if (this.#world.random() < 0.5) {
      await this.#world.sources(this.#broker).sleep(this.#world.random() * 1000)
      job.answer(() => job.reject(new SkepError('WORKER_LOST', `${worker.name} died`, {})))
    }
    await this.#succeedLater()
  }

  async #succeedLater(): Promise<void> {
    if (this.#hits(this.#faults.bereft)) return
    await this.#world.sources(this.#broker).sleep(this.#world.random() * 1000)
    this.#hire()
    this.#assign()
  }
}
