/** Behavioural queries whose files are decoded straight into the kernel, on worker threads: the fast path of {@link runKernel}, with the same answers. */
import { type ColumnLeaves, columnLeaves } from '../behaviour/column-leaves.ts'
import { externalConditions, heldColumns, type KernelTotals } from '../behaviour/kernel.ts'
import { maskSql } from '../behaviour/mask-sql.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import type { Column, DataFile, Table } from '../catalog/types.ts'
import { isInteger, printType, quoteIdentifier } from '../common/data-type.ts'
import { SETTINGS, type Settings } from '../config.ts'
import { type Engine, type RunOptions, throwIfEnded } from '../engine/engine.ts'
import type { ActorTask } from '../planner/actor-tasks.ts'
import { Bindings, type RowSource, timesAreFinite } from './actor-rows.ts'
import type { SoughtColumn } from './column-chunks.ts'
import {
  CONTROL,
  type Decoding,
  type DirectJob,
  type Lookup,
  newControl,
  type PartLayout,
  type ShareOutcome,
  type ShareRunner,
} from './direct-job.ts'
import type { TaskOutcome } from './kernel-task.ts'
import { arenaBytes } from './parts.ts'

/** What running a query directly needs. */
export interface DirectContext {
  engine: Engine
  threads: ShareRunner
  settings: Settings
  options: RunOptions
  /** Called with the number of tasks that are done. */
  onProgress: (done: number) => void
}

/** How a query is to be decoded. */
interface DirectPlan {
  decoding: Decoding
  leaves: ColumnLeaves
  /** For files whose rows have to be brought into order; absent when they are in order. */
  shape?: Omit<PartLayout, 'arena'>
}

/** How a query is to be decoded; undefined when the engine has to read its tasks. Only the files themselves can tell whether all of it can be. */
export function planDirect(
  settings: Settings,
  source: RowSource,
  tasks: readonly ActorTask[],
  keepReached: boolean,
): DirectPlan | undefined {
  const { query } = source
  if (!tasks.every(({ files }) => files.every(isPlain))) return undefined
  const rows = tasks.reduce((sum, task) => sum + task.rows, 0)
  if (tasks.length === 0 || settings.directGroupRows === 0 || rows < settings.directRows) return undefined
  if (heldColumns(query).length > 0 || externalConditions(query).length > 0) return undefined
  const leaves = columnLeaves(query.predicates)
  const decoding = leaves && newDecoding(settings, source, tasks, leaves)
  if (!decoding) return undefined
  if (tasks.every(({ sorted }) => sorted)) return { decoding, leaves }
  const actorWords = wordsOf(source)
  // What the actors of unsorted files reached is not known by the actors' order.
  if (keepReached || !actorWords) return undefined
  return { decoding, leaves, shape: { actorWords, maskBytes: maskBytes(query) } }
}

/** True for a file that has all its values, and only rows that count. */
function isPlain({ constants, deletes }: DataFile): boolean {
  return constants === undefined && !deletes?.length
}

/** The outcome of a query; undefined when its tasks have to go through the engine. */
export async function runDirect(
  context: DirectContext,
  source: RowSource,
  tasks: readonly ActorTask[],
  keepReached: boolean,
): Promise<RunOutcome | undefined> {
  const { settings, threads } = context
  const plan = planDirect(settings, source, tasks, keepReached)
  if (!plan) return undefined
  const { decoding, leaves, shape } = plan
  const run = (job: DirectJob) => runJob(context, job, lookupOf(context, leaves))
  return shape
    ? await runUnsorted({ run, threads, settings }, decoding, tasks, shape)
    : await runSorted(run, decoding, tasks, keepReached)
}

interface RunOutcome {
  totals: KernelTotals[]
  outcomes: TaskOutcome[]
}

type Run = (job: DirectJob) => Promise<ShareOutcome[] | undefined>

async function runSorted(
  run: Run,
  decoding: Decoding,
  tasks: readonly ActorTask[],
  keepReached: boolean,
): Promise<RunOutcome | undefined> {
  const shares = await run({ kind: 'actors', decoding, control: newControl(), keepReached })
  const outcomes = shares?.flatMap(({ pieces }) =>
    pieces.map(({ piece, rows, actors, levels, matched }): TaskOutcome => {
      const reached = levels && matched ? { reached: { levels, matched } } : {}
      return { task: tasks[piece]!, rows, actors, ...reached }
    }),
  )
  return shares && outcomes && { totals: shares.map(({ totals }) => totals), outcomes }
}

function passesFor(bytes: number, { directMemoryBytes, memoryBytes }: Settings): number {
  const limit = Math.min(directMemoryBytes || memoryBytes * SETTINGS.directShare.default, SETTINGS.directBytes.default)
  return bytes <= limit ? 1 : Math.ceil((bytes * SETTINGS.directUneven.default) / limit)
}

/** In as many passes as memory asks for: each decodes all files and keeps the rows of some parts. */
async function runUnsorted(
  { run, threads, settings }: { run: Run; threads: ShareRunner; settings: Settings },
  decoding: Decoding,
  tasks: readonly ActorTask[],
  shape: Omit<PartLayout, 'arena'>,
): Promise<RunOutcome | undefined> {
  const rows = tasks.reduce((sum, task) => sum + task.rows, 0)
  const partsMax = Math.min(SETTINGS.directParts.default, rows / settings.directPartRows)
  const partBits = Math.ceil(Math.log2(Math.max(1, partsMax)))
  const bytes = arenaBytes(rows, rows / SETTINGS.directLeastGroup.default + decoding.files.length, shape)
  const passes = passesFor(bytes, settings)
  if (passes > Math.min(settings.directPasses, 2 ** partBits)) return undefined
  const arenaSize = passes === 1 ? bytes : Math.ceil((bytes / passes) * SETTINGS.directUneven.default)
  return await threads.withArena(arenaSize, async (arena) => {
    const shares: ShareOutcome[] = []
    // One for all passes: it says which part an actor is in.
    const key = hashKey()
    for (let pass = 0; pass < passes; pass++) {
      const [from, to] = [pass, pass + 1].map((k) => Math.round((k * 2 ** partBits) / passes)) as [number, number]
      const parts = await runPass(run, decoding, { layout: { ...shape, arena }, partBits, from, to, key })
      if (!parts) return undefined
      shares.push(...parts)
    }
    const pieces = shares.flatMap((share) => share.pieces)
    const sum = (field: 'rows' | 'actors') => pieces.reduce((total, piece) => total + piece[field], 0)
    const outcome = { task: tasks[0]!, rows: sum('rows'), actors: sum('actors') }
    return { totals: shares.map(({ totals }) => totals), outcomes: [outcome] }
  })
}

async function runPass(
  run: Run,
  decoding: Decoding,
  { partBits, key, ...parts }: { layout: PartLayout; partBits: number; from: number; to: number; key: HashKey },
): Promise<ShareOutcome[] | undefined> {
  const cut = await run({ kind: 'cut', decoding, control: newControl(), ...parts, partBits, hashKey: key })
  const blocks = cut?.flatMap((share) => share.blocks)
  return blocks && (await run({ kind: 'parts', program: decoding.program, control: newControl(), ...parts, blocks }))
}

type HashKey = [bigint, bigint]

/** A key that nobody can know in advance, so that nobody can make texts whose hashes are the same. */
function hashKey(): HashKey {
  const [low, high] = crypto.getRandomValues(new BigUint64Array(2))
  return [low!, high!]
}

/** How many words tell an actor apart; undefined for types whose values are stored in more than one way. */
function wordsOf({ table, actor }: RowSource): 1 | 2 | undefined {
  const { type } = table.snapshot.schema.columns.find(({ name }) => name === actor)!
  if (isInteger(type)) return /HUGEINT/.test(printType(type)) ? undefined : 1
  const name = printType(type)
  return name === 'DATE' ? 1 : ['VARCHAR', 'BLOB', 'UUID'].includes(name) ? 2 : undefined
}

function maskBytes({ predicates }: ValidQuery): PartLayout['maskBytes'] {
  const widths = [1, 2, 4, 8] as const
  return widths.find((bytes) => predicates.length <= 8 * bytes)!
}

const SIGNED = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT']
const TIMES = new Set([...SIGNED, 'DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'])
const TICKS_MAX = 2n ** 63n - 1n

function newDecoding(
  settings: Settings,
  source: RowSource,
  tasks: readonly ActorTask[],
  { texts, numbers, combinations }: ColumnLeaves,
): Decoding | undefined {
  const { table, query } = source
  const sought = (name: string): SoughtColumn | undefined => {
    const column = table.snapshot.schema.columns.find((candidate) => candidate.name === name)
    return column && !table.hiveColumns.includes(name) ? soughtColumn(table, column) : undefined
  }
  const actor = sought(source.actor)
  const time = sought(source.time)
  const textColumns = texts.map(({ name }) => sought(name))
  const numberColumns = numbers.map(({ name, float, leaves }) => {
    const column = sought(name)
    return column && { ...column, float, leaves }
  })
  const timeframe = ticksOf(source)
  if (!actor || !time || textColumns.includes(undefined) || numberColumns.includes(undefined) || !timeframe)
    return undefined
  if (!TIMES.has(printType(source.timeType))) return undefined
  // An infinite date is no number of days.
  if (printType(source.timeType) === 'DATE' && !tasks.every((task) => timesAreFinite(source, task))) return undefined
  const { conditions, relation, funnel } = query
  return {
    program: { conditions, ...(relation && { relation }), ...(funnel && { funnel }) },
    files: tasks.flatMap(({ files }) => files.map(({ path, sizeBytes }) => ({ path, sizeBytes }))),
    actor,
    time,
    texts: textColumns as SoughtColumn[],
    numbers: numberColumns as Decoding['numbers'],
    timeframe,
    ...(combinations && { combinations }),
    groupRows: settings.directGroupRows,
  }
}

/** Narrower integers of older files are the same numbers. */
function soughtColumn({ kind, snapshot }: Table, { id, name, type }: Column): SoughtColumn {
  const byId = kind === 'managed' || (kind === 'attached' && snapshot.reading?.byId === true)
  const own = printType(type)
  const types = SIGNED.includes(own)
    ? SIGNED.slice(0, SIGNED.indexOf(own) + 1)
    : own === 'DOUBLE'
      ? ['FLOAT', own]
      : [own]
  return { name, types, ...(byId && { fieldId: id }) }
}

function ticksOf({ query }: RowSource): Decoding['timeframe'] | undefined {
  const { from, to } = query.timeframe ?? {}
  const isTick = (bound: bigint | number | undefined) =>
    bound === undefined || (typeof bound === 'bigint' && bound >= -TICKS_MAX && bound <= TICKS_MAX)
  if (!isTick(from) || !isTick(to)) return undefined
  return { ...(typeof from === 'bigint' && { from }), ...(typeof to === 'bigint' && { to }) }
}

/** What the threads found; undefined when the engine has to read a file. Progress is told meanwhile, and an end of the query stops the threads. */
async function runJob(
  { threads, settings, options, onProgress }: DirectContext,
  job: DirectJob,
  lookup: Lookup,
): Promise<ShareOutcome[] | undefined> {
  const stop = () => void Atomics.store(job.control, CONTROL.stop, 1)
  const timer = setInterval(() => onProgress(Atomics.load(job.control, CONTROL.done)), settings.progressMs)
  options.signal?.addEventListener('abort', stop)
  try {
    throwIfEnded(options)
    const outcome = await threads.run(job, lookup)
    throwIfEnded(options)
    return 'shares' in outcome ? outcome.shares : undefined
  } finally {
    clearInterval(timer)
    options.signal?.removeEventListener('abort', stop)
  }
}

/** The engine decides the leaves of a column for the texts of its dictionaries. */
function lookupOf({ engine, options }: DirectContext, { texts }: ColumnLeaves): Lookup {
  return async (column, values) => {
    const { name, leaves } = texts[column]!
    const bindings = new Bindings()
    bindings.values.push(values)
    const mask = maskSql(
      leaves.map(({ predicate }) => predicate),
      bindings.bind,
    )
    // Whatever the column is called: the number beside it is called something else.
    const place = quoteIdentifier(`${name}#`)
    using session = await engine.session()
    const rows = await session.rows<{ place: bigint; mask: number | bigint }>(
      `SELECT ${mask} AS mask, ${place} AS place FROM (
         SELECT unnest(range(len($1))) AS ${place}, unnest(CAST($1 AS VARCHAR[])) AS ${quoteIdentifier(name)})`,
      { ...options, params: bindings.values },
    )
    const masks = new BigUint64Array(values.length)
    for (const { place, mask: own } of rows) {
      for (const [k, { bit }] of leaves.entries()) {
        if ((BigInt(own) >> BigInt(k)) & 1n) masks[Number(place)]! |= 1n << BigInt(bit)
      }
    }
    return masks
  }
}
