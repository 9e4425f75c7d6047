/** The log of queries in several processes that write, die, end and begin: what comes back is the newest of all. */
import { describe, expect, test } from 'vitest'
import { QueryLog } from '../../src/records/query-log.ts'
import type { QueryRecord, QueryState } from '../../src/records/query-record.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import type { Processes } from '../../src/storage/processes.ts'
import { type Chance, chanceOf } from '../chance.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'

const STATES: readonly QueryState[] = ['queued', 'running', 'done', 'failed', 'cancelled']
const NEVER_MS = 2_000_000_000

/** What a process writes is lost from the moment of its death. */
class MortalStore extends MemoryStore {
  readonly #store: MemoryStore
  dead = false
  /** True where the process dies right after its next write. */
  doomed = false

  constructor(store: MemoryStore) {
    super(store.root)
    this.#store = store
  }

  override list: MemoryStore['list'] = (prefix, options) => this.#store.list(prefix, options)
  override stat: MemoryStore['stat'] = (path, options) => this.#store.stat(path, options)
  override read: MemoryStore['read'] = (path, options) => this.#store.read(path, options)
  override put: MemoryStore['put'] = async (path, bytes, options) => {
    if (this.dead) return
    await this.#store.put(path, bytes, options)
    this.dead = this.doomed
  }
  override delete: MemoryStore['delete'] = async (path, options) => {
    if (!this.dead) await this.#store.delete(path, options)
  }
}

/** A process of the simulation, and what its log is known to hold. */
interface Player {
  pid: number
  log: QueryLog
  store: MortalStore
  put: Map<string, QueryRecord>
  written: Map<string, QueryRecord>
}

/** A warehouse and the processes that have it open. */
class World {
  readonly #store = new MemoryStore()
  readonly #chance: Chance
  readonly #kept: number
  readonly #alive = new Set<number>()
  readonly players: Player[] = []
  /** What ended processes had written. */
  readonly ended = new Map<string, QueryRecord>()
  #pids = 0
  #ids = 0

  constructor(chance: Chance) {
    this.#chance = chance
    this.#kept = 1 + chance.below(12)
  }

  async begin(): Promise<void> {
    await this.#store.put('tables/a', new Uint8Array(1))
    await this.start()
  }

  async start(): Promise<void> {
    const pid = ++this.#pids
    this.#alive.add(pid)
    const mark = (of: number) => ({ host: 'h', boot: 'b', pid: of, start: '1' })
    const processes: Processes = {
      self: mark(pid),
      liveness: (other) => (this.#alive.has(other.pid) ? 'alive' : 'dead'),
    }
    const store = new MortalStore(this.#store)
    const settings = { queriesKept: this.#kept, leaseRenewMs: NEVER_MS, leaseGraceMs: NEVER_MS }
    const log = await QueryLog.open(store, settings, { processes, writeMs: NEVER_MS, lookMs: 0 })
    this.players.push({ pid, log, store, put: new Map(), written: new Map() })
  }

  put(player: Player): void {
    const { below, pick } = this.#chance
    const open = [...player.put.values()].filter(({ state }) => state === 'queued' || state === 'running')
    const again = open.length > 0 && below(2) === 0 ? pick(open) : undefined
    const startedAt = new Date(Date.UTC(2026, 10, 20) + below(40)).toISOString()
    const fresh: QueryRecord = {
      id: `q${++this.#ids}`,
      kind: 'sql',
      text: `SELECT ${this.#ids}`,
      state: pick(STATES),
      startedAt,
    }
    const record: QueryRecord = again
      ? { ...again, state: again.state === 'queued' ? pick(STATES.slice(1)) : 'done', ms: 7 }
      : fresh
    player.log.put(record)
    player.put.set(record.id, record)
  }

  async flush(player: Player): Promise<void> {
    const put = new Map(player.put)
    await player.log.flush()
    player.written = put
  }

  /** The process writes its records, and dies before it removes those that it took over. */
  async killWriting(player: Player): Promise<void> {
    player.store.doomed = true
    await this.flush(player)
    this.kill(player)
  }

  /** The process is gone; what it had not written is lost. */
  kill(player: Player): void {
    player.store.dead = true
    this.#end(player, player.written)
  }

  async close(player: Player): Promise<void> {
    await player.log.close()
    this.#end(player, player.put, this.#chance.below(2) === 0)
  }

  #end(player: Player, records: ReadonlyMap<string, QueryRecord>, alive = false): void {
    if (!alive) this.#alive.delete(player.pid)
    this.players.splice(this.players.indexOf(player), 1)
    for (const [id, record] of records) this.ended.set(id, interrupted(record))
  }

  expected(viewer: Player): QueryRecord[] {
    const all = new Map(this.ended)
    for (const player of this.players) for (const [id, record] of player.written) all.set(id, record)
    for (const [id, record] of viewer.put) all.set(id, record)
    const order = (record: QueryRecord) => `${record.startedAt} ${record.id}`
    return [...all.values()].sort((a, b) => (order(a) < order(b) ? 1 : -1)).slice(0, this.#kept)
  }

  async check(viewer: Player, seed: string): Promise<void> {
    expect(await viewer.log.list(), seed).toEqual(this.expected(viewer))
    expect(viewer.log.problem, seed).toBeUndefined()
    const [first] = this.expected(viewer)
    if (first) expect(await viewer.log.get(first.id), seed).toEqual(first)
  }

  segments = async () => (await this.#store.list('queries/')).objects.length
}

function interrupted(record: QueryRecord): QueryRecord {
  if (record.state !== 'queued' && record.state !== 'running') return record
  const error = {
    code: 'QUERY_INTERRUPTED',
    message: 'the process that ran the query ended before the query did; run it again',
  }
  return { ...record, state: 'failed', error }
}

async function play(world: World, { below, pick }: Chance, steps: number, seed: string): Promise<void> {
  await world.begin()
  for (let step = 0; step < steps; step++) {
    if (world.players.length === 0) await world.start()
    const player = pick(world.players)
    const dice = below(20)
    if (dice < 9) world.put(player)
    else if (dice < 12) await world.flush(player)
    else if (dice < 13) await Promise.all(world.players.map((each) => world.flush(each)))
    else if (dice < 14) {
      if (below(2) === 0) world.kill(player)
      else await world.killWriting(player)
    } else if (dice < 15) await world.close(player)
    else if (dice < 16 && world.players.length < 4) await world.start()
    else await world.check(player, `${seed}, step ${step}`)
  }
  // All begin anew: the newest are there, and the next one that writes tidies up.
  for (const player of [...world.players]) world.kill(player)
  await world.start()
  const [last] = world.players
  await world.check(last!, `${seed}, at the end`)
  world.put(last!)
  await world.flush(last!)
  await world.check(last!, `${seed}, tidied up`)
  expect(await world.segments(), seed).toBe(1)
}

describe('the log of queries', () => {
  test(
    'gives the newest of all processes, whatever became of them',
    async () => {
      const seed = tortureSeed()
      for (let at = 0; at < runs(300, 20_000); at++) {
        const chance = chanceOf(seed, at)
        await play(new World(chance), chance, 10 + chance.below(80), `SKEP_TEST_SEED=${seed}, case ${at}`)
      }
    },
    tortureTimeout(30_000),
  )
})
