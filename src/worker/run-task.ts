/** Runs one task: whoever has the message, the files and the exchange of its query can. */
import type { Settings } from '../config.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { type EngineKeeper, readingOf } from '../engine/keeper.ts'
import { paramFromJson } from '../engine/params-json.ts'
import type { TableView } from '../engine/views.ts'
import type { Exchange, Rows } from '../exchange/exchange.ts'
import { takeRows } from '../exchange/take-rows.ts'
import { viewRows } from '../exchange/view-rows.ts'
import { ROWS, type SqlWork, type StageInput } from '../planner/plan.ts'
import { readTable } from '../planner/table-spec.ts'
import { type BehaviourMessage, type BehaviourOutcome, runBehaviourTask } from './behaviour-task.ts'
import type { ShareRunner } from './direct-job.ts'
import { OWN_THREAD } from './shares.ts'
import type { PoolCalls, TaskMessage, TaskResult } from './task.ts'
import { TaskClock } from './task-clock.ts'

/** What a worker has. */
export interface Worker {
  /** Folder of the warehouse. */
  root: string
  settings: Settings
  engines: EngineKeeper
  /** What decodes files for behavioural queries: the thread that runs the task, unless there are others. */
  shares?: ShareRunner
  /** The exchange of a query. */
  exchange(query: string): Exchange
}

/** What came of an attempt at a task. @throws what its statement fails with; CANCELLED */
export async function runTask(worker: Worker, message: TaskMessage, calls: PoolCalls): Promise<TaskResult> {
  const { work } = message
  const clock = new TaskClock()
  let done = 0
  const beating = setInterval(() => calls.onBeat(done), worker.settings.taskBeatMs)
  try {
    const onProgress = (fraction: number) => {
      done = fraction
    }
    const options = { signal: calls.signal, onProgress }
    const found =
      work.kind === 'behaviour'
        ? { rows: NO_ROWS, outcome: await runBehaviour(worker, { ...message, work }, clock, options) }
        : { rows: await runSql(worker, { ...message, work }, clock, { signal: calls.signal }) }
    return { attempt: message.attempt, ...found, stats: clock.stats() }
  } finally {
    clearInterval(beating)
  }
}

const NO_ROWS: Rows = { columns: [], count: 0 }

/** What a task of a behavioural query found. */
async function runBehaviour(
  worker: Worker,
  message: BehaviourMessage & TaskMessage,
  clock: TaskClock,
  { signal, onProgress }: RunOptions,
): Promise<BehaviourOutcome> {
  const { root, settings, engines, shares = OWN_THREAD } = worker
  const { work, task, query } = message
  const table = readTable(work.table, task.files[ROWS] ?? [], root)
  await using lease = await engines.leaseEngine(readingOf([table]))
  clock.begin(lease)
  const exchange = worker.exchange(query)
  const onFetched = () => clock.fetched()
  const context = { engine: lease.engine, threads: shares, settings, root, exchange, options: { signal }, onProgress }
  return await runBehaviourTask({ ...context, onFetched }, message)
}

async function runSql(
  worker: Worker,
  message: TaskMessage & { work: SqlWork },
  clock: TaskClock,
  options: RunOptions,
): Promise<TaskResult['rows']> {
  const { settings, engines } = worker
  const { work } = message
  const exchange = worker.exchange(message.query)
  const views = work.inputs.flatMap((input): TableView[] => {
    if (!('table' in input)) return []
    const table = readTable(input.table, message.task.files[input.view] ?? [], worker.root)
    return [{ name: input.view, table, files: table.snapshot.files }]
  })
  const lease = await engines.lease(readingOf(views.map(({ table }) => table)))
  const { session, close } = lease
  clock.begin(lease)
  try {
    await session.show(views, options)
    for (const input of work.inputs) {
      if ('stage' in input) await viewStage({ message, exchange, session, options }, input)
    }
    clock.fetched()
    const params = Object.entries(work.params ?? {}).map(([name, json]) => [name, paramFromJson(json)] as const)
    const run = { ...options, userSql: true, ...(params.length > 0 && { params: Object.fromEntries(params) }) }
    const { attempt } = message
    const cut = work.cut && { cut: work.cut }
    return await takeRows(session, work.sql, {
      exchange,
      settings,
      attempt,
      name: 'rows',
      columns: work.columns,
      ...cut,
      ...(work.few && { few: true }),
      run,
    })
  } finally {
    close()
  }
}

interface Viewing {
  message: TaskMessage
  exchange: Exchange
  session: Session
  options: RunOptions
}

/** Makes the rows that another stage gave known. */
async function viewStage(
  { message, exchange, session, options }: Viewing,
  { view, stage, columns, own, cut }: Extract<StageInput, { stage: string }>,
): Promise<void> {
  const { task, inputs } = message
  const part = own && cut && task.part !== undefined ? { part: { number: task.part, ...cut } } : {}
  const run = { ...options, columnsOnly: true }
  await viewRows(session, view, inputs[stage] ?? [], { exchange, columns, ...part, run })
}
