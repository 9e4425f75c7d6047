/** A record of a query that ran, as the log of queries keeps it. */
import { compareUtf8 } from '../common/text.ts'
import { SETTINGS } from '../config.ts'
import { type RecordWork, readWork } from './record-work.ts'

/** What ran: SQL, a behavioural query, a document of steps, or work on a table that is followed like one. */
export type RecordKind = 'sql' | 'query' | 'run' | 'import' | 'register'

/** How far a query is. */
export type QueryState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled'

/** A query that runs or ran. What is not known yet, or does not apply, is absent. */
export interface QueryRecord {
  /** Of one query only, over all processes and times. */
  id: string
  kind: RecordKind
  /** SQL, or JSON; long ones are cut and then end in `…`. */
  text: string
  /** The table that a behavioural query was for. */
  table?: string
  /** Who asked. */
  who?: string
  state: QueryState
  /** When the call came: ISO 8601 with milliseconds, UTC. */
  startedAt: string
  /** How long it waited before it ran, and how long it took in all. */
  queuedMs?: number
  ms?: number
  rows?: number
  bytes?: number
  /** Dollars. */
  cost?: number
  pool?: string
  /** Of one that failed. */
  error?: { code: string; message: string }
  /** The work on it. */
  work?: RecordWork
}

const KINDS: readonly RecordKind[] = ['sql', 'query', 'run', 'import', 'register']
const STATES: readonly QueryState[] = ['queued', 'running', 'done', 'failed', 'cancelled']
const TEXTS = ['table', 'who', 'pool'] as const
const NUMBERS = ['queuedMs', 'ms', 'rows', 'bytes', 'cost'] as const
const INTERRUPTED = 'QUERY_INTERRUPTED'

/** True for a query that has come to its end. */
export function isOver({ state }: QueryRecord): boolean {
  return state !== 'queued' && state !== 'running'
}

/** The record when its process is gone: a query that was not over has failed. */
export function interrupted(record: QueryRecord): QueryRecord {
  if (isOver(record)) return record
  const error = {
    code: INTERRUPTED,
    message: 'the process that ran the query ended before the query did; run it again',
  }
  return { ...record, state: 'failed', error }
}

/** The one of two records of a query that knows more: an end that was seen before one that was concluded, and any end before none. */
export function better(a: QueryRecord, b: QueryRecord): QueryRecord {
  return rank(b) > rank(a) ? b : a
}

/** True for a query whose end was seen, rather than concluded from the silence of its process. */
export function isCertain(record: QueryRecord): boolean {
  return isOver(record) && record.error?.code !== INTERRUPTED
}

function rank(record: QueryRecord): number {
  if (isOver(record)) return isCertain(record) ? 3 : 2
  return record.state === 'running' ? 1 : 0
}

/** The newest records by the time of their call, newest first; of one time by their ids. */
export function newest(records: Iterable<QueryRecord>, count: number): QueryRecord[] {
  const sorted = [...records].sort((a, b) => compareUtf8(b.startedAt, a.startedAt) || compareUtf8(b.id, a.id))
  return sorted.slice(0, count)
}

/** The record that a value of JSON is, with its texts cut; undefined when it is none. Fields that it does not know are left out. */
export function readRecord(value: unknown): QueryRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { id, kind, text, state, startedAt, error, work, ...rest } = value as Record<string, unknown>
  if (typeof id !== 'string' || typeof text !== 'string' || !isTime(startedAt)) return undefined
  if (!KINDS.includes(kind as RecordKind) || !STATES.includes(state as QueryState)) return undefined
  return {
    id,
    kind: kind as RecordKind,
    text: cut(text),
    ...pick(rest, TEXTS, (field) => typeof field === 'string' && cut(field)),
    state: state as QueryState,
    startedAt,
    ...pick(rest, NUMBERS, (field) => Number.isFinite(field) && field),
    ...readError(error),
    ...knownWork(readWork(work)),
  }
}

/** As `toISOString` writes times: their texts have the order of the times. */
function isTime(value: unknown): value is string {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)
}

function pick(
  fields: Record<string, unknown>,
  names: readonly string[],
  read: (value: unknown) => unknown,
): Partial<QueryRecord> {
  return Object.fromEntries(
    names.map((name) => [name, read(fields[name])] as const).filter(([, value]) => value !== false),
  )
}

function readError(error: unknown): Pick<QueryRecord, 'error'> {
  const { code, message } = (error ?? {}) as Record<string, unknown>
  return typeof code === 'string' && typeof message === 'string' ? { error: { code, message: cut(message) } } : {}
}

function knownWork(work: RecordWork | undefined): Pick<QueryRecord, 'work'> {
  return work ? { work } : {}
}

function cut(text: string): string {
  const most = SETTINGS.queryLogCharacters.default
  // Never between the halves of one character.
  return text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`
}
