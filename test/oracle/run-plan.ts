/** Behavioural queries by their plans: tasks in any order on an engine of their own, everything between them as JSON. */
import { mkdirSync } from 'node:fs'
import { parseQueryText } from '../../src/behaviour/json.ts'
import type { BehaviouralResult } from '../../src/behaviour/result.ts'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import { validateQuery } from '../../src/behaviour/validate.ts'
import { Catalog } from '../../src/catalog/catalog.ts'
import { Folders } from '../../src/catalog/folder/folders.ts'
import { systemSources } from '../../src/catalog/sources.ts'
import type { Table } from '../../src/catalog/types.ts'
import { quoteIdentifier } from '../../src/common/data-type.ts'
import { readSettings, type Settings } from '../../src/config.ts'
import type { BehaviouralStats } from '../../src/coordinator/behaviour-result.ts'
import { runPooledBehaviour } from '../../src/coordinator/merge-behaviour.ts'
import { Engine } from '../../src/engine/engine.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { DiskExchange, newQueryName } from '../../src/exchange/disk-exchange.ts'
import type { Rows } from '../../src/exchange/exchange.ts'
import { takeRows } from '../../src/exchange/take-rows.ts'
import type { Plan, SqlWork, Stage, TaskSpec } from '../../src/planner/plan.ts'
import { readTable } from '../../src/planner/table-spec.ts'
import { DiskStore } from '../../src/storage/disk-store.ts'
import { FileChecker } from '../../src/storage/sealed-file.ts'
import { type BehaviourOutcome, runBehaviourTask } from '../../src/worker/behaviour-task.ts'
import { OWN_THREAD } from '../../src/worker/shares.ts'

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
  readonly #coordinator: Engine
  readonly #worker: Engine
  #attempts = 0

  private constructor(root: string, settings: Settings, coordinator: Engine, worker: Engine) {
    this.#root = root
    this.#settings = settings
    this.#coordinator = coordinator
    this.#worker = worker
  }

  /** `roots`: folders that the engines may read beside the warehouse. */
  static async open(root: string, roots: string[], settings: Partial<Settings>): Promise<PlanRunner> {
    const all = { ...readSettings({ SKEP_THREADS: '1' }), ...settings }
    mkdirSync(root, { recursive: true })
    const open = (name: string) =>
      Engine.open({ settings: all, spillPath: `${root}/.tmp/${name}-${crypto.randomUUID()}`, roots: [root, ...roots] })
    return new PlanRunner(root, all, await open('coordinator'), await open('worker'))
  }

  async load(name: string): Promise<Table> {
    const catalog = new Catalog(new DiskStore(this.#root), { ...this.#settings, sources: systemSources() })
    const loaded = await catalog.load(name)
    return loaded.kind === 'managed' ? loaded : await new Folders({ maxFiles: 1000 }).current(loaded, {})
  }

  async query(table: Table, given: BehaviouralQuery | string, seed = 1): Promise<PlannedResult> {
    const settings = this.#settings
    const source = typeof given === 'string' ? parseQueryText(given, settings) : given
    const valid = validateQuery(source, { columns: table.snapshot.schema.columns, keys: table.keys }, settings)
    const exchange = new DiskExchange(this.#root, newQueryName())
    let plan: Plan = { stages: [] }
    let outcomes: BehaviourOutcome[] = []
    const runPlan = async (made: Plan) => {
      plan = sent(made)
      outcomes = await this.#run(plan, exchange, seed)
      return outcomes
    }
    const context = { engine: this.#coordinator, settings, checker: new FileChecker(), options: {}, exchange, runPlan }
    try {
      const asked = { source, valid }
      const result = await runPooledBehaviour({ ...context, root: this.#root }, table, asked, performance.now())
      return { result, plan, outcomes }
    } finally {
      await exchange.remove()
    }
  }

  async #run({ stages }: Plan, exchange: DiskExchange, seed: number): Promise<BehaviourOutcome[]> {
    const given: Record<string, Rows[]> = {}
    let outcomes: BehaviourOutcome[] = []
    for (const stage of stages) {
      const tasks = shuffled(stage.tasks, seed)
      if (stage.work.kind === 'sql') {
        given[stage.id] = []
        for (const task of tasks) given[stage.id]!.push(sent(await this.#scan(stage.work, task, exchange)))
      } else {
        outcomes = []
        for (const task of tasks) outcomes.push(sent(await this.#behave(stage, task, given, exchange)))
      }
    }
    return outcomes
  }

  async #scan(work: SqlWork, task: TaskSpec, exchange: DiskExchange): Promise<Rows> {
    using session = await this.#worker.session()
    for (const input of work.inputs) {
      if (!('table' in input)) throw new Error('a scan reads files')
      const table = readTable(input.table, task.files[input.view]!, this.#root)
      const { schema, files } = table.snapshot
      await session.run(`CREATE TEMP VIEW ${quoteIdentifier(input.view)} AS ${scanSql(table, schema, files)}`)
    }
    const { columns, cut } = work
    const taking = { exchange, settings: this.#settings, attempt: this.#attempt(task), name: 'rows', columns }
    return await takeRows(session, work.sql, { ...taking, ...(cut && { cut }) })
  }

  async #behave(
    { work }: Stage,
    task: TaskSpec,
    inputs: Record<string, Rows[]>,
    exchange: DiskExchange,
  ): Promise<BehaviourOutcome> {
    if (work.kind !== 'behaviour') throw new Error('not a stage of behavioural work')
    const context = {
      engine: this.#worker,
      threads: OWN_THREAD,
      settings: this.#settings,
      checker: new FileChecker(),
      root: this.#root,
      exchange,
      options: {},
    }
    return await runBehaviourTask(context, { attempt: this.#attempt(task), work, task, inputs })
  }

  #attempt({ id }: TaskSpec): string {
    return `${id}.${++this.#attempts}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#coordinator[Symbol.asyncDispose]()
    await this.#worker[Symbol.asyncDispose]()
  }
}

function sent<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}
