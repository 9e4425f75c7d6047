/** Queries on pools that lose, repeat, delay and mix up, over stores that fail, with coordinators that die and callers that leave. */
import { expect, test } from 'vitest'
import type { Sources } from '../../src/catalog/sources.ts'
import { readSettings } from '../../src/config.ts'
import { runStages, type StagesResult } from '../../src/coordinator/dispatch.ts'
import { type ErrorCode, toSkepError } from '../../src/errors.ts'
import type { TaskResult } from '../../src/pool/pool.ts'
import type { ObjectStore } from '../../src/storage/object-store.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { drawQuery, type Query, readRows } from './exchange-work.ts'
import { FATES, FaultyPool, type PoolFaults } from './faulty-pool.ts'
import { exchangePrefix, removeExchange } from './remove-exchange.ts'
import { type Actor, type Faults, World } from './world.ts'

const RUNS = runs(300, 10_000)
const QUERY = 'q-1'
const DEADLINE_MS = 30_000
/** How long lost workers go on after the end, and what late writes need to arrive. */
const AFTERMATH_MS = 20_000

const settings = {
  ...readSettings({}),
  taskLostMs: 2000,
  taskWatchMs: 50,
  taskRetryMs: 50,
  taskRetryMaxMs: 1000,
  hedgeLeastMs: 500,
  progressMs: 100,
}

const tally: Record<string, number> = {}

function count(what: string): void {
  tally[what] = (tally[what] ?? 0) + 1
}

/** What goes wrong in the runs of a kind, and the errors that may come of it. */
interface Kind {
  pool: PoolFaults
  store: Faults
  end?: 'cancel' | 'die'
  errors: ErrorCode[]
}

const CALM: Faults = { stall: 0, pause: 0, lost: 0 }
const STORE: Faults = { stall: 0.01, pause: 0.002, lost: 0.02, refused: 0.02 }
const POOL: PoolFaults = {
  lost: 0.03,
  stuck: 0.02,
  slow: 0.03,
  mute: 0.03,
  late: 0.03,
  twice: 0.05,
  mixed: 0.02,
  crash: 0.04,
  foreign: 0.02,
  deaf: 0.2,
  bereft: 0.1,
}
const OF_POOL: ErrorCode[] = ['WORKER_LOST', 'INTERNAL']
const OF_STORE: ErrorCode[] = ['STORE_UNAVAILABLE']
const OF_BOTH: ErrorCode[] = [...OF_POOL, ...OF_STORE, 'QUERY_TIMEOUT']

const KINDS: Record<string, Kind> = {
  'nothing wrong': { pool: {}, store: CALM, errors: [] },
  'a caller who leaves': { pool: {}, store: CALM, end: 'cancel', errors: ['CANCELLED'] },
  'a bad pool': { pool: POOL, store: CALM, errors: [...OF_POOL, 'QUERY_TIMEOUT'] },
  'slow workers': { pool: { slow: 0.15 }, store: CALM, errors: ['QUERY_TIMEOUT'] },
  'endless tasks': { pool: { endless: 0.05, twice: 0.1 }, store: CALM, errors: ['QUERY_TIMEOUT'] },
  'a bad store': { pool: {}, store: STORE, errors: [...OF_STORE, 'WORKER_LOST', 'QUERY_TIMEOUT'] },
  'a bad pool and store': { pool: POOL, store: STORE, errors: OF_BOTH },
  'forbidden work': { pool: { ...POOL, forbidden: 0.03 }, store: STORE, errors: [...OF_BOTH, 'SQL_FORBIDDEN'] },
  'a caller who leaves all that': { pool: POOL, store: STORE, end: 'cancel', errors: [...OF_BOTH, 'CANCELLED'] },
  'a coordinator that dies': { pool: POOL, store: STORE, end: 'die', errors: OF_BOTH },
  'a hopeless pool': { pool: { lost: 0.4, crash: 0.3, foreign: 0.3, bereft: 0.5 }, store: STORE, errors: OF_BOTH },
  'a hopeless store': {
    pool: {},
    store: { ...STORE, refused: 0.4 },
    errors: [...OF_STORE, 'WORKER_LOST', 'QUERY_TIMEOUT'],
  },
}

/** A run: a query, who runs it, and what came of it. */
class Scene {
  readonly faults: string[] = []
  readonly kind: Kind
  readonly world: World
  readonly query: Query
  readonly coordinator: Actor
  readonly caller: Actor
  readonly pool: FaultyPool
  readonly #written = new Map<string, number>()
  readonly #aborting = new AbortController()
  #abortedMs: number | undefined
  #endedMs: number | undefined
  #removal: { beganMs: number; endedMs: number; failed: boolean } | undefined

  constructor(seed: number, kind: Kind) {
    this.kind = kind
    this.world = new World(seed, kind.store)
    this.query = drawQuery(this.world.random)
    this.coordinator = this.world.spawn('coordinator', 'a')
    this.caller = this.world.spawn('caller', 'a')
    const slots = 1 + Math.floor(this.world.random() * 5)
    const reach = (actor: Actor) => this.#reach(actor)
    this.pool = new FaultyPool(this.world, this.coordinator, { slots, faults: kind.pool, reach })
  }

  #blame(text: string): void {
    this.faults.push(text)
  }

  /** The store as an actor reaches it; when each object came is written down. */
  #reach(actor: Actor): ObjectStore {
    return this.world.reach(actor, {
      created: async (path) => void this.#written.set(path, this.world.nowMs),
      deleting: () => {},
    })
  }

  async play(): Promise<void> {
    const { world, coordinator } = this
    for (const [path, numbers] of this.query.files) {
      await world.store.put(path, new TextEncoder().encode(JSON.stringify(numbers)))
    }
    const ends = [this.#call()]
    if (this.kind.end === 'die') void this.#kill()
    await world.run([Promise.race([this.#coordinate(), coordinator.death]), Promise.race([...ends, coordinator.death])])
    this.#requireEnd()
    await this.#after()
  }

  /** The caller of the query: it has a deadline, and may leave before. */
  async #call(): Promise<void> {
    const { world } = this
    const { sleep } = world.sources(this.caller)
    const leaves = this.kind.end === 'cancel' ? world.random() * 2500 : Number.POSITIVE_INFINITY
    for (const begunMs = world.nowMs; this.#endedMs === undefined; await sleep(20)) {
      const passedMs = world.nowMs - begunMs
      if (passedMs < Math.min(leaves, DEADLINE_MS)) continue
      if (this.coordinator.dead || this.#aborting.signal.aborted) continue
      this.#abortedMs = world.nowMs
      world.log.push(`${world.nowMs % 1_000_000} the caller ends it`)
      this.#aborting.abort(passedMs < DEADLINE_MS ? undefined : new DOMException('over', 'TimeoutError'))
    }
  }

  async #kill(): Promise<void> {
    await this.world.sources(this.caller).sleep(this.world.random() * 2500)
    if (this.#removal) return
    this.coordinator.dead = true
    this.world.log.push(`${this.world.nowMs % 1_000_000} the coordinator dies`)
    this.coordinator.die()
  }

  async #coordinate(): Promise<void> {
    const sources = this.world.sources(this.coordinator)
    try {
      await this.#answer(sources)
    } catch (error) {
      this.#end()
      const { code, cause } = toSkepError(error)
      if (!this.kind.errors.includes(code)) this.#blame(`an error of a kind that nothing led to: ${error} ${cause}`)
      count(`ended with ${code}`)
    }
    const beganMs = this.world.nowMs
    const { failure } = await removeExchange(this.#reach(this.coordinator), QUERY)
    if (failure) count('failed to remove')
    this.#removal = { beganMs, endedMs: this.world.nowMs, failed: failure !== undefined }
  }

  async #answer(sources: Sources): Promise<void> {
    let tasks = 0
    const result = await runStages(this.query.stages, this.pool, sources, {
      query: QUERY,
      settings,
      signal: this.#aborting.signal,
      timeoutMs: DEADLINE_MS,
      onProgress: ({ queued, running, done, tasks: all }) => {
        if (queued + running + done !== all || Math.min(queued, running) < 0) this.#blame('progress does not add up')
        tasks = done
      },
    })
    this.#end()
    if (tasks !== result.stats.tasks) this.#blame(`${tasks} of ${result.stats.tasks} tasks were told`)
    this.#requireFigures(result)
    try {
      const reach = { store: this.#reach(this.coordinator), check: () => {} }
      const inputs = result.results.get('all')!.map(({ rows }) => rows)
      const rows = await readRows(inputs, QUERY, reach)
      if (JSON.stringify(rows) !== JSON.stringify(this.query.answer)) this.#blame(`a wrong answer: ${rows}`)
      count('answered')
    } finally {
      await result.settled
    }
  }

  #end(): void {
    this.#endedMs ??= this.world.nowMs
  }

  #requireFigures({ stats, results }: StagesResult): void {
    const { tasks } = this.query.stages.find(({ id }) => id === 'merge')!
    if (tasks.length > 1) count(results.get('merge')!.length === 1 ? 'merged by one task' : 'merged in parts')
    const { attempts, retries, hedges, lost, stopped, spared } = stats
    this.#requireFirst(results.get('first')!)
    if (attempts !== stats.tasks + stopped + retries + hedges)
      this.#blame(`figures do not add up: ${JSON.stringify(stats)}`)
    for (const [what, times] of Object.entries({ retries, hedges, lost, stopped, spared })) {
      tally[what] = (tally[what] ?? 0) + times
      if (what === 'stopped' || what === 'spared') continue
      const isCalm = Object.keys(this.kind.pool).length === 0 && this.kind.store === CALM
      if (isCalm && times > 0) this.#blame(`${times} ${what} although nothing was wrong`)
    }
  }

  /** Results that count are those of the first tasks until there is enough, whatever came when. */
  #requireFirst(results: readonly TaskResult[]): void {
    const { enoughRows = 0, tasks } = this.query.stages.find(({ id }) => id === 'first')!
    const given = results.map(({ rows }) => rows.count)
    const before = given.slice(0, -1).reduce((sum, count) => sum + count, 0)
    const isEnough = before + (given.at(-1) ?? 0) >= enoughRows
    if (!isEnough && results.length < tasks.length) this.#blame(`tasks are missing: ${given} for ${enoughRows}`)
    if (results.length > 0 && before >= enoughRows) this.#blame(`results are too many: ${given} for ${enoughRows}`)
    results.forEach(({ attempt }, k) => {
      if (!attempt.startsWith(`first.${k}.`)) this.#blame(`a result of ${attempt} is the ${k}th`)
    })
    const refused = this.pool.seen.filter(({ fate, attempt }) => fate === 'forbidden' && attempt.startsWith('first.'))
    if (refused.length > 0) count('an error behind enough rows')
  }

  /** When the query has ended, so have its attempts, and in time. */
  #requireEnd(): void {
    for (const { fate } of this.pool.seen) count(`attempt: ${fate}`)
    if (this.coordinator.dead) {
      count('the coordinator died')
      return
    }
    const open = this.pool.seen.filter(({ signal, busy, isAnswered }) => busy && !signal.aborted && !isAnswered())
    for (const { attempt } of open) this.#blame(`${attempt} was not told to stop`)
    if (this.#abortedMs === undefined) return
    const tookMs = this.#endedMs! - this.#abortedMs
    const pausesMs = this.kind.store.pause > 0 ? 20_000 : 50
    if (tookMs > settings.interruptGraceMs + pausesMs) this.#blame(`it ended ${tookMs} ms after it should`)
    if (this.kind === KINDS['a caller who leaves']) this.#requireStopped()
  }

  /** Where all hear it, all have stopped within a second, and nothing is left. */
  #requireStopped(): void {
    for (const { attempt, busy } of this.pool.seen) if (busy) this.#blame(`${attempt} still runs`)
    if (this.#removal!.endedMs - this.#abortedMs! > 1000) this.#blame('it took more than a second')
  }

  /** Workers that heard nothing go on for a while. What they leave is swept as vacuum does it. */
  async #after(): Promise<void> {
    const { world } = this
    await world.run([world.sources(this.caller).sleep(AFTERMATH_MS)])
    for (const actor of world.actors) actor.dead = true
    world.calm()
    await world.drain()
    await this.#requireRemoved()
    const janitor = world.spawn('janitor', 'a')
    await world.run([removeExchange(this.#reach(janitor), QUERY).then(() => {})])
    for (const path of await this.#left()) this.#blame(`the sweep left ${path}`)
  }

  /** Nothing is left by a coordinator that lived but what came after it looked, or what the store did not remove. */
  async #requireRemoved(): Promise<void> {
    const left = await this.#left()
    if (left.length > 0) count(this.#removal ? 'left by late writers' : 'left by a dead coordinator')
    if (!this.#removal || this.#removal.failed) return
    for (const path of left) {
      const isLate = this.#written.get(path)! >= this.#removal.beganMs
      if (!isLate || Object.keys(this.kind.pool).length + this.kind.store.lost === 0)
        this.#blame(`${path} is left over`)
    }
  }

  async #left(): Promise<string[]> {
    const { objects } = await this.world.store.list(exchangePrefix())
    return objects.map(({ path }) => path)
  }
}

async function simulate(seed: number): Promise<{ faults: string[]; log: string[] }> {
  const names = Object.keys(KINDS)
  const name = names[seed % names.length]!
  const scene = new Scene(seed, KINDS[name]!)
  try {
    await scene.play()
  } catch (error) {
    scene.faults.push(error instanceof Error ? `${error.message}\n${error.stack}` : String(error))
  }
  return { faults: scene.faults.map((fault) => `${name}: ${fault}`), log: scene.world.log }
}

/** What has to happen in any number of runs. */
const EVENTS = [
  'answered',
  'merged by one task',
  'merged in parts',
  ...FATES.map((fate) => `attempt: ${fate}`),
  'retries',
  'hedges',
  'lost',
  'stopped',
  'spared',
  'left by late writers',
  'left by a dead coordinator',
  'the coordinator died',
  'ended with CANCELLED',
  'ended with SQL_FORBIDDEN',
  'ended with STORE_UNAVAILABLE',
  'ended with WORKER_LOST',
]
const RARE_EVENTS = [
  'an error behind enough rows',
  'failed to remove',
  'ended with QUERY_TIMEOUT',
  'ended with INTERNAL',
]

test(`the answer is right or an error that something led to, and nothing is left, in ${RUNS} runs`, {
  timeout: tortureTimeout(120_000),
}, async () => {
  const first = tortureSeed()
  for (let seed = first; seed < first + RUNS; seed++) {
    const { faults, log } = await simulate(seed)
    expect(faults, `seed ${seed}; the last steps:\n${log.slice(-60).join('\n')}`).toEqual([])
  }
  // What never happens proves nothing.
  for (const event of runs(0, 1) ? [...EVENTS, ...RARE_EVENTS] : EVENTS) {
    expect(tally[event] ?? 0, event).toBeGreaterThan(0)
  }
  if (process.env.SKEP_TORTURE === '1') console.log(`seed ${first}: ${JSON.stringify(tally, undefined, 1)}`)
})

test('a seed replays the same run', async () => {
  const first = tortureSeed()
  for (let seed = first; seed < first + Object.keys(KINDS).length; seed++) {
    const [one, two] = [await simulate(seed), await simulate(seed)]
    expect(one.log.length).toBeGreaterThan(20)
    expect(two).toEqual(one)
  }
})
