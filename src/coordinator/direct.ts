/** Behavioural queries whose files are decoded straight into the kernel, on worker threads: the fast path of {@link runKernel}, with the same answers. */
import type { KernelTotals } from '../behaviour/kernel.ts'
import { externalConditions, heldColumns } from '../behaviour/kernel.ts'
import { maskSql } from '../behaviour/mask-sql.ts'
import { type TextLeaves, textLeaves } from '../behaviour/text-leaves.ts'
import type { Column } from '../catalog/types.ts'
import { printType, quoteIdentifier } from '../common/data-type.ts'
import type { Settings } from '../config.ts'
import { type Engine, type RunOptions, throwIfEnded } from '../engine/engine.ts'
import type { Threads } from '../pool/threads.ts'
import type { SoughtColumn } from '../worker/column-chunks.ts'
import { CONTROL, type DirectJob, type Lookup } from '../worker/direct-job.ts'
import { type ActorTask, Bindings, type RowSource, timesAreFinite } from './actor-rows.ts'
import type { TaskOutcome } from './kernel-task.ts'

/** What running a query directly needs. */
export interface DirectContext {
  engine: Engine
  threads: Threads
  settings: Settings
  options: RunOptions
  /** Called with the number of tasks that are done. */
  onProgress: (done: number) => void
}

const PROGRESS_EVERY_MS = 200

/** The outcome of a query; undefined when its tasks have to go through the engine. */
export async function runDirect(
  context: DirectContext,
  source: RowSource,
  tasks: readonly ActorTask[],
  keepReached: boolean,
): Promise<{ totals: KernelTotals[]; outcomes: TaskOutcome[] } | undefined> {
  const leaves = decodable(context.settings, source, tasks)
  if (!leaves) return undefined
  const job = newJob(context.settings, source, tasks, leaves, keepReached)
  if (!job) return undefined
  const outcome = await watched(context, job, async () => context.threads.run(job, lookupOf(context, leaves)))
  if ('undecodable' in outcome) return undefined
  const outcomes = outcome.shares.flatMap(({ files }) =>
    files.map(({ file, rows, actors, levels, matched }): TaskOutcome => {
      const reached = levels && matched ? { reached: { levels, matched } } : {}
      return { task: tasks[file]!, rows, actors, ...reached }
    }),
  )
  return { totals: outcome.shares.map(({ totals }) => totals), outcomes }
}

/** The predicates as leaves of text columns, when the query and the layout of its files allow decoding. */
function decodable(settings: Settings, { query }: RowSource, tasks: readonly ActorTask[]): TextLeaves | undefined {
  const rows = tasks.reduce((sum, task) => sum + task.rows, 0)
  if (settings.directGroupRows === 0 || rows < settings.directRows) return undefined
  if (!tasks.every(({ sorted }) => sorted)) return undefined
  if (heldColumns(query).length > 0 || externalConditions(query).length > 0) return undefined
  return textLeaves(query.predicates)
}

const SIGNED = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT']
const TIMES = new Set([...SIGNED, 'DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'])
const TICKS_MAX = 2n ** 63n - 1n

function newJob(
  settings: Settings,
  source: RowSource,
  tasks: readonly ActorTask[],
  { columns, combinations }: TextLeaves,
  keepReached: boolean,
): DirectJob | undefined {
  const { table, query } = source
  const sought = (name: string): SoughtColumn | undefined => {
    const column = table.snapshot.schema.columns.find((candidate) => candidate.name === name)
    return column && !table.hiveColumns.includes(name) ? soughtColumn(table.kind, column) : undefined
  }
  const actor = sought(source.actor)
  const time = sought(source.time)
  const texts = columns.map(({ name }) => sought(name))
  const timeframe = ticksOf(source)
  if (!actor || !time || texts.includes(undefined) || !timeframe) return undefined
  if (!TIMES.has(printType(source.timeType))) return undefined
  // An infinite date is no number of days.
  if (printType(source.timeType) === 'DATE' && !tasks.every((task) => timesAreFinite(source, task))) return undefined
  const { conditions, relation, funnel } = query
  return {
    program: { conditions, ...(relation && { relation }), ...(funnel && { funnel }) },
    files: tasks.map(({ files }) => files[0]!.path),
    actor,
    time,
    texts: texts as SoughtColumn[],
    timeframe,
    ...(combinations && { combinations }),
    keepReached,
    groupRows: settings.directGroupRows,
    control: new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT)),
  }
}

/** Narrower integers of older files are the same numbers. */
function soughtColumn(kind: 'managed' | 'registered', { id, name, type }: Column): SoughtColumn {
  const own = printType(type)
  const types = SIGNED.includes(own) ? SIGNED.slice(0, SIGNED.indexOf(own) + 1) : [own]
  return { name, types, ...(kind === 'managed' && { fieldId: id }) }
}

function ticksOf({ query }: RowSource): DirectJob['timeframe'] | undefined {
  const { from, to } = query.timeframe ?? {}
  const isTick = (bound: bigint | number | undefined) =>
    bound === undefined || (typeof bound === 'bigint' && bound >= -TICKS_MAX && bound <= TICKS_MAX)
  if (!isTick(from) || !isTick(to)) return undefined
  return { ...(typeof from === 'bigint' && { from }), ...(typeof to === 'bigint' && { to }) }
}

/** Runs while progress is told and an end of the query stops the shares. */
async function watched<T>({ options, onProgress }: DirectContext, job: DirectJob, run: () => Promise<T>): Promise<T> {
  const stop = () => void Atomics.store(job.control, CONTROL.stop, 1)
  const timer = setInterval(() => onProgress(Atomics.load(job.control, CONTROL.done)), PROGRESS_EVERY_MS)
  options.signal?.addEventListener('abort', stop)
  try {
    throwIfEnded(options)
    const result = await run()
    throwIfEnded(options)
    return result
  } finally {
    clearInterval(timer)
    options.signal?.removeEventListener('abort', stop)
  }
}

/** The engine decides the leaves of a column for the texts of its dictionaries. */
function lookupOf({ engine, options }: DirectContext, { columns }: TextLeaves): Lookup {
  return async (column, texts) => {
    const { name, leaves } = columns[column]!
    const bindings = new Bindings()
    bindings.values.push(texts)
    const mask = maskSql(
      leaves.map(({ predicate }) => predicate),
      bindings.bind,
    )
    using session = await engine.session()
    const rows = await session.rows<{ place: bigint; mask: number | bigint }>(
      `SELECT place, ${mask} AS mask FROM (
         SELECT unnest(range(len($1))) AS place, unnest(CAST($1 AS VARCHAR[])) AS ${quoteIdentifier(name)})`,
      { ...options, params: bindings.values },
    )
    const masks = new BigUint64Array(texts.length)
    for (const { place, mask: own } of rows) {
      for (const [k, { bit }] of leaves.entries()) {
        if ((BigInt(own) >> BigInt(k)) & 1n) masks[Number(place)]! |= 1n << BigInt(bit)
      }
    }
    return masks
  }
}
