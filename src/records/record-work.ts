/** What the record of a query keeps of the work on it: where its time went, and what its tasks took. Its size has a bound. */
import { SETTINGS } from '../config.ts'

/** The parts of the work, in their order. */
export const RECORD_PHASES = ['queue', 'plan', 'fetch', 'scan', 'merge'] as const

/** A part of the work. */
export type RecordPhase = (typeof RECORD_PHASES)[number]

/** How long a part took over all tasks, and the longest of them, in milliseconds. */
export interface PhaseSum {
  totalMs: number
  maxMs: number
}

/** A task that is done. Its times follow each other: it could begin, waited, opened what it read, ran. */
export interface RecordTask {
  /** When it could begin, since tasks of the query first could, in milliseconds. */
  startMs: number
  queueMs: number
  fetchMs: number
  scanMs: number
  /** The stage that it is of, and the worker that ran it. */
  stage?: string
  worker?: string
  /** Rows of its files. */
  rows?: number
  /** True for the first task of an engine. */
  cold?: boolean
}

/** The work on a query. What is not known is absent; of one that failed that is most. */
export interface RecordWork {
  phases?: Record<RecordPhase, PhaseSum>
  /** Tasks that are done. */
  tasks: number
  /** Of these the first ones of an engine, and others. */
  coldTasks?: number
  warmTasks?: number
  /** Tries at tasks that failed or whose worker fell silent. */
  failedAttempts?: number
  /** Tasks that were not needed, since others gave enough rows: those that never began, and those that were stopped. */
  sparedTasks?: number
  stoppedTasks?: number
  /** Data files that were read, and that did not have to be. */
  files?: number
  filesPruned?: number
  /** Pieces of metadata that were remembered, and that were read. */
  cacheHits?: number
  cacheMisses?: number
  /** The tasks that are done, or an even sample of them; absent in records that have become old. */
  taskTimes?: RecordTask[]
}

const COUNTS = [
  'coldTasks',
  'warmTasks',
  'failedAttempts',
  'sparedTasks',
  'stoppedTasks',
  'files',
  'filesPruned',
  'cacheHits',
  'cacheMisses',
] as const
const TIMES = ['startMs', 'queueMs', 'fetchMs', 'scanMs'] as const
const NAME_CHARACTERS = 100

/** The work that a value of JSON is, within its bounds; undefined when it is none. */
export function readWork(value: unknown): RecordWork | undefined {
  const fields = fieldsOf(value)
  if (!isCount(fields.tasks)) return undefined
  const phases = readPhases(fields.phases)
  const { taskTimes } = fields
  return {
    ...(phases && { phases }),
    tasks: fields.tasks,
    ...Object.fromEntries(COUNTS.filter((name) => isCount(fields[name])).map((name) => [name, fields[name]])),
    ...(Array.isArray(taskTimes) && { taskTimes: sampled(taskTimes.flatMap((task) => readTask(task) ?? [])) }),
  }
}

/** An even sample of a list that is too long to be kept. */
export function sampled<T>(list: readonly T[], most: number = SETTINGS.queryLogTasks.default): T[] {
  const step = Math.max(1, Math.ceil(list.length / most))
  return list.filter((_, index) => index % step === 0)
}

/** The same records, newest first, of which only the first `most` that know of several tasks keep these. */
export function thinned<R extends { work?: RecordWork }>(
  records: readonly R[],
  most: number = SETTINGS.queryLogDetailed.default,
): R[] {
  let detailed = 0
  return records.map((record) => {
    if ((record.work?.taskTimes?.length ?? 0) < 2 || ++detailed <= most) return record
    const { taskTimes: _, ...work } = record.work!
    return { ...record, work }
  })
}

function readPhases(value: unknown): Record<RecordPhase, PhaseSum> | undefined {
  const fields = fieldsOf(value)
  const entries = RECORD_PHASES.map((phase) => {
    const { totalMs, maxMs } = fieldsOf(fields[phase])
    return [phase, { totalMs, maxMs }] as const
  })
  if (!entries.every(([, { totalMs, maxMs }]) => Number.isFinite(totalMs) && Number.isFinite(maxMs))) return undefined
  return Object.fromEntries(entries) as Record<RecordPhase, PhaseSum>
}

function readTask(value: unknown): RecordTask | undefined {
  const fields = fieldsOf(value)
  if (!TIMES.every((name) => Number.isFinite(fields[name]))) return undefined
  const { startMs, queueMs, fetchMs, scanMs, stage, worker, rows, cold } = fields
  return {
    ...({ startMs, queueMs, fetchMs, scanMs } as Pick<RecordTask, (typeof TIMES)[number]>),
    ...(typeof stage === 'string' && { stage: stage.slice(0, NAME_CHARACTERS) }),
    ...(typeof worker === 'string' && { worker: worker.slice(0, NAME_CHARACTERS) }),
    ...(isCount(rows) && { rows }),
    ...(cold === true && { cold }),
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0
}
