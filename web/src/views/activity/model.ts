/** Queries as the activity view tells of them: pure. */
import type { ResponseOf } from '../../../../src/api/contract.ts'
import * as format from '../../format.ts'

/** A query in the list. */
export type QueryRecord = ResponseOf<'queries'>[number]
/** A query in full. */
export type QueryDetail = ResponseOf<'queryById'>
/** The work on it. */
export type QueryWork = NonNullable<QueryDetail['work']>
/** A worker. */
export type WorkerInfo = ResponseOf<'workers'>[number]

/** What kinds of queries are called. */
export const KINDS: Readonly<Record<QueryRecord['kind'], string>> = {
  sql: 'SQL',
  query: 'Behaviour',
  run: 'Document',
  import: 'Import',
  register: 'Register',
}

/** States that one can look for, in the order in which they are offered. */
export const STATES = ['active', 'done', 'failed', 'cancelled'] as const

/** What is looked for; what is absent does not matter. */
export interface Filter {
  state?: string | undefined
  kind?: string | undefined
  text?: string | undefined
}

/** True while a query waits or runs. */
export function isActive({ state }: Pick<QueryRecord, 'state'>): boolean {
  return state === 'queued' || state === 'running'
}

/** Whether a query is one of those that are looked for: every word is in its text, its table, its id, or the name of who asked. */
export function fits(record: QueryRecord, { state, kind, text = '' }: Filter): boolean {
  if (state && (state === 'active' ? !isActive(record) : record.state !== state)) return false
  if (kind && record.kind !== kind) return false
  const { id, table = '', who = '', error } = record
  const searched = `${record.text} ${table} ${who} ${id} ${error?.code ?? ''}`.toLowerCase()
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => searched.includes(word))
}

/** Its text in one line. */
export function oneLine({ kind, text, table }: Pick<QueryRecord, 'kind' | 'text' | 'table'>): string {
  if (kind === 'import') return `Import into ${table ?? text}`
  return text.replaceAll(/\s+/g, ' ').trim()
}

/** How long it has taken by now, in milliseconds; undefined while it waits. */
export function tookMs({ ms, state, startedAt, queuedMs = 0 }: QueryRecord, now = Date.now()): number | undefined {
  if (ms !== undefined) return ms
  return state === 'running' ? Math.max(0, now - Date.parse(startedAt) - queuedMs) : undefined
}

/** `$0.0012`. */
export function dollars(cost: number): string {
  return `$${cost === 0 ? '0' : cost < 0.01 ? cost.toPrecision(2) : cost.toFixed(2)}`
}

/** How far its tasks are: `3 of 12 tasks done, 2 running`. */
export function taskLine({ progress }: QueryRecord): string | undefined {
  const tasks = progress?.tasks
  if (!tasks) return undefined
  return `${format.number(tasks.done)} of ${format.counted(tasks.tasks, 'task')} done, ${format.number(tasks.running)} running`
}

/** Whether the log has kept only the beginning of its text. */
export function isCut({ text }: Pick<QueryRecord, 'text'>): boolean {
  return text.length >= 3000 && text.endsWith('…')
}
