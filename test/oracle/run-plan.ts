/** Behavioural queries by their plans: tasks in any order on an engine of their own, everything between them as JSON. */
import { parseQueryText } from '../../src/behaviour/json.ts'
import type { BehaviouralResult } from '../../src/behaviour/result.ts'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import { validateQuery } from '../../src/behaviour/validate.ts'
import { Catalog } from '../../src/catalog/catalog.ts'
import { Folders } from '../../src/catalog/folder/folders.ts'
import { systemSources } from '../../src/catalog/sources.ts'
import type { Table } from '../../src/catalog/types.ts'
import { readSettings, type Settings } from '../../src/config.ts'
import type { BehaviouralStats } from '../../src/coordinator/behaviour-result.ts'
import { runStages } from '../../src/coordinator/dispatch.ts'
import { runPooledBehaviour } from '../../src/coordinator/merge-behaviour.ts'
import { QueryWork } from '../../src/coordinator/query-work.ts'
import { EngineKeeper, readingOf } from '../../src/engine/keeper.ts'
import { DiskExchange, newQueryName } from '../../src/exchange/disk-exchange.ts'
import type { Rows } from '../../src/exchange/exchange.ts'
import { BEHAVIOUR_STAGE } from '../../src/planner/behaviour-plan.ts'
import type { Plan, PoolName } from '../../src/planner/plan.ts'
import { Pools } from '../../src/pool/pools.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { FileChecker } from '../../src/storage/sealed-file.ts'
import type { BehaviourOutcome } from '../../src/worker/behaviour-task.ts'
import { runTask, type Worker } from '../../src/worker/run-task.ts'
import type { TaskResult } from '../../src/worker/task.ts'

/** What came of a query, and the plan by which it did. */
export interface PlannedResult {
  result: BehaviouralResult<BehaviouralStats>
  plan: Plan
  outcomes: readonly BehaviourOutcome[]
}

/** Puts items into another order; the same each time for the same seed. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  let state = seed >>> 0 || 1
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  return items
    .map((item) => ({ item, at: next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item)
}

/** A coordinator and a worker beside each other, on a warehouse that others fill. */
export class PlanRunner implements AsyncDisposable {
  readonly #root: string
  readonly #settings: Settings
  readonly #coordinator: EngineKeeper
  readonly #worker: Worker
  readonly #pools: Pools
  #attempts = 0

  constructor(root: string, settings: Partial<Settings>) {
    this.#root = root
    this.#settings = { ...readSettings({ SKEP_THREADS: '1' }), ...settings }
    this.#coordinator = this.#keeper()
    const exchange = (query: string) => new DiskExchange(root, query)
    this.#worker = { root, settings: this.#settings, engines: this.#keeper(), exchange }
    const spillPath = () => this.#spillPath()
    this.#pools = new Pools({ root, settings: this.#settings, engines: this.#worker.engines, spillPath })
  }

  #keeper(): EngineKeeper {
    return new EngineKeeper({ settings: this.#settings, root: this.#root, spillPath: this.#spillPath() })
  }

  #spillPath(): string {
    return `${this.#root}/.tmp/${crypto.randomUUID()}`
  }

  async load(name: string): Promise<Table> {
    const catalog = new Catalog(new DiskStore(this.#root), { ...this.#settings, sources: systemSources() })
    const loaded = await catalog.load(name)
    if (loaded.kind === 'attached') throw new Error(`${name} is attached`)
    return loaded.kind === 'managed' ? loaded : await new Folders({ maxFiles: 1000 }).current(loaded, {})
  }

  /** `how`: the seed of the order of tasks, which run one by one in this process; or the pool that they run on. */
  async query(
    table: Table,
    given: BehaviouralQuery | string,
    how: number | PoolName,
    signal = new AbortController().signal,
  ): Promise<PlannedResult> {
    const settings = this.#settings
    const source = typeof given === 'string' ? parseQueryText(given, settings) : given
    const valid = validateQuery(source, { columns: table.snapshot.schema.columns, keys: table.keys }, settings)
    const name = newQueryName()
    const exchange = new DiskExchange(this.#root, name)
    let plan: Plan = { stages: [] }
    let outcomes: BehaviourOutcome[] = []
    const runPlan = async (made: Plan) => {
      plan = sent(made)
      const results = typeof how === 'number' ? this.#runHere(plan, name, how) : this.#runOn(how, plan, name, signal)
      outcomes = (await results) as BehaviourOutcome[]
      return { outcomes, exchange }
    }
    await using lease = await this.#coordinator.leaseEngine(readingOf([table]))
    const checker = new FileChecker()
    const context = {
      engine: lease.engine,
      settings,
      checker,
      options: { signal },
      root: this.#root,
      runPlan,
      record: new QueryWork(),
    }
    try {
      const result = await runPooledBehaviour(context, table, { source, valid })
      return { result, plan, outcomes }
    } finally {
      await exchange.remove()
    }
  }

  /** All tasks, those of a stage in any order; what they are told and give crosses as JSON. */
  async #runHere({ stages }: Plan, query: string, seed: number): Promise<unknown[]> {
    const given: Record<string, Rows[]> = {}
    let outcomes: unknown[] = []
    for (const { id, work, tasks } of stages) {
      const results: TaskResult[] = []
      for (const task of shuffled(tasks, seed)) {
        const message = { query, attempt: `${task.id}.${++this.#attempts}`, work, task, inputs: given }
        const calls = { signal: new AbortController().signal, onBeat: () => undefined }
        results.push(sent(await runTask(this.#worker, sent(message), calls)))
      }
      given[id] = results.map(({ rows }) => rows)
      outcomes = results.map(({ outcome }) => outcome)
    }
    return outcomes
  }

  async #runOn(pool: PoolName, { stages }: Plan, query: string, signal: AbortSignal): Promise<unknown[]> {
    const options = { query, settings: this.#settings, signal }
    const { results, settled } = await runStages(stages, this.#pools.get(pool), systemSources(), options)
    await settled
    return results.get(BEHAVIOUR_STAGE)!.map(({ outcome }) => outcome)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pools[Symbol.asyncDispose]()
    await Promise.all([this.#coordinator.close(), this.#worker.engines.close()])
  }
}

function sent<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}
