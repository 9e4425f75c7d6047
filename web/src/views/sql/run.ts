/** The query that runs, and its rows as they come. */
import { signal } from '@preact/signals'
import { call, lines, type Progress } from '../../api/api.ts'
import { type ApiError, isAbort, toApiError } from '../../api/errors.ts'
import type { GridColumn } from '../../components/grid-model.ts'
import { type Asked, atOf, remember } from './state.ts'

/** Most rows that the page keeps of a result; the others can be downloaded. */
export const KEPT_ROWS = 100_000

const SHOW_MS = 120

/** What a query cost. */
export interface Stats {
  tasks: number
  files: number
  filesPruned: number
  bytes: number
  rows: number
  ms: number
  pool?: string
  phases?: Record<string, { totalMs: number }>
}

/** A query on its way, or at its end. */
export interface Run {
  asked: Asked
  state: 'running' | 'done' | 'failed' | 'cancelled'
  startedMs: number
  /** Known when the query takes a while. */
  progress?: Progress
  columns?: readonly GridColumn[]
  /** Grows while the query runs: read up to `count`. */
  rows: unknown[][]
  count: number
  /** Whether the query has more rows than are kept. */
  hasMore: boolean
  stats?: Stats
  error?: ApiError
  /** Milliseconds from the click to the end. */
  ms?: number
}

/** The last query; `undefined` before the first. */
export const run = signal<Run | undefined>(undefined)

let controller: AbortController | undefined

/** Runs a query in the place of the one that runs, if any; ends when it has ended. */
export async function start(asked: Asked): Promise<void> {
  controller?.abort()
  const own = new AbortController()
  controller = own
  remember({ text: asked.sql, at: asked.at })
  const startedMs = performance.now()
  let now: Run = { asked, state: 'running', startedMs, rows: [], count: 0, hasMore: false }
  const show = (change: Partial<Run>) => {
    now = { ...now, ...change, count: now.rows.length }
    if (controller === own) run.value = now
  }
  show({})
  try {
    await take(asked, own.signal, now.rows, show)
    show({ state: 'done', ms: performance.now() - startedMs })
  } catch (cause) {
    const error = toApiError(cause)
    show({ state: isAbort(error) ? 'cancelled' : 'failed', error, ms: performance.now() - startedMs })
  }
}

/** Reads the lines of an answer; shows what has come a few times a second. */
async function take(
  asked: Asked,
  signal: AbortSignal,
  rows: unknown[][],
  show: (change: Partial<Run>) => void,
): Promise<void> {
  let shownMs = 0
  for await (const line of lines('sql', { query: { stream: 'rows', rows: KEPT_ROWS }, body: bodyOf(asked), signal })) {
    if ('rows' in line) {
      for (const row of line.rows as unknown[][]) rows.push(row)
      const now = performance.now()
      if (now - shownMs < SHOW_MS) continue
      shownMs = now
      show({})
      // Lines that have come already follow without a pause: the page draws in between.
      await new Promise((resolve) => setTimeout(resolve))
    } else if ('columns' in line) show({ columns: line.columns as GridColumn[] })
    else if ('progress' in line) show({ progress: line.progress as Progress })
    else if ('more' in line) show({ hasMore: true })
    else if ('stats' in line) show({ stats: line.stats as Stats })
  }
}

/** Cancels the query that runs; the server notices that nobody waits for it. */
export function cancel(): void {
  if (run.value?.state === 'running') controller?.abort()
}

/** The body of a request. */
export function bodyOf({ sql, at }: Asked): { sql: string; at?: string | Record<string, string> } {
  return { sql, ...(at && { at: atOf(at) }) }
}

/** A part of a query's work that other stages are made of. */
export interface Stage {
  id: string
  does: string
  work: { sql?: string }
  enoughRows?: number
  tasks: readonly { rows: number; bytes: number }[]
}

/** What a query would read and do. */
export interface Explanation {
  tables: {
    table: string
    files: number
    filesPruned: number
    rows: number
    bytes: number
    snapshotId?: number | string
  }[]
  pool: string
  divided: boolean
  why: string
  stages?: Stage[]
  final?: string
  plan: string
}

/** What the server would do for a query. @throws ApiError */
export async function explain(asked: Asked, signal: AbortSignal): Promise<Explanation> {
  return (await call('sql', { body: { ...bodyOf(asked), explain: true }, signal })) as unknown as Explanation
}
