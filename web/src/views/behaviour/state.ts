/** The query that is being written, and the last answer: kept while one looks at other views. */
import { batch, computed, signal } from '@preact/signals'
import type { BehaviouralResult } from '../../../../src/behaviour/result.ts'
import { isSkepError } from '../../../../src/errors.ts'
import { follow, type Progress } from '../../api/api.ts'
import { type ApiError, isAbort, toApiError } from '../../api/errors.ts'
import { route, setQuery } from '../../route.ts'
import type { TableDescription } from '../../session.ts'
import { toast } from '../../toasts.ts'
import { check, type Fault, faultsOfDetails, faultsOfForm } from './check.ts'
import { type ColumnChoice, columnsOf, comparable } from './columns.ts'
import { isSame, type Json, printPretty, printShort, readText } from './document.ts'
import type { Asked } from './snippets.ts'
import { stepColumns } from './starters.ts'

/** What a query took. */
export interface Stats {
  ms: number
  rows: number
  bytes: number
  files: number
  filesPruned: number
  tasks: number
  pool?: string
}

/** An answer, and to what. */
export interface Answer {
  asked: Asked
  result: BehaviouralResult<Stats>
}

const QUERY_SETTLES_MS = 250

/** The table that is asked. */
export const table = signal<TableDescription | undefined>(undefined)
/** Its columns as queries know them. */
export const columns = computed<readonly ColumnChoice[]>(() => (table.value ? columnsOf(table.value) : []))
/** Its time column. */
export const timeColumn = computed(() => columns.value.find(({ name }) => name === table.value?.keys.time))
/** The column whose values new steps compare. */
export const stepColumn = signal<ColumnChoice | undefined>(undefined)
/** The query. */
export const query = signal<Json>({})
/** The text of the query as JSON; somebody may be in the middle of writing it. */
export const text = signal('{}')
/** Why the text is not a query, which then is still what it was. */
export const textFault = signal<{ message: string; position: number } | undefined>(undefined)
/** What the query means and what is wrong with it. */
export const checked = computed(() => (table.value ? check(query.value, table.value) : EMPTY))
const EMPTY = { words: [], faults: [], warnings: [] } as ReturnType<typeof check>
/** What the server found wrong with the query as it is. */
const refused = signal<readonly Fault[]>([])
/** Everything that is wrong with the query. */
export const faults = computed(() => (checked.value.faults.length > 0 ? checked.value.faults : refused.value))

/** The last answer. */
export const answer = signal<Answer | undefined>(undefined)
/** Why there is none. */
export const failure = signal<ApiError | undefined>(undefined)
/** How far the query is that runs. */
export const progress = signal<Partial<Progress> | undefined>(undefined)
/** Whether the answer is to another query than the one that is written. */
export const isStale = computed(() => {
  const { value } = answer
  return (
    value !== undefined &&
    (!isSame(value.asked.query, query.value) || !isSame(placeOf(value.asked), placeOf(asked.value)))
  )
})

function placeOf({ table: name, at, pool }: Asked): Json {
  return [name, at ?? '', pool ?? '']
}

/** What would be asked now. */
export const asked = computed<Asked>(() => {
  const { at, pool } = route.value.query
  return { table: table.value?.name ?? '', query: query.value, at, pool }
})

let timer: ReturnType<typeof setTimeout> | undefined

/** Makes this the query; the text follows. */
export function setDocument(next: Json): void {
  batch(() => {
    query.value = next
    text.value = printPretty(next)
    textFault.value = undefined
    refused.value = []
  })
  keepSoon()
}

/** Makes this the text; the query follows when it is one. */
export function setText(next: string): void {
  if (next === text.peek()) return
  batch(() => {
    text.value = next
    try {
      const read = readText(next)
      textFault.value = undefined
      if (!isSame(read, query.peek())) {
        query.value = read
        refused.value = []
      }
    } catch (cause) {
      if (!isSkepError(cause)) throw cause
      const { position = 0 } = cause.details as { position?: number }
      textFault.value = { message: cause.message, position }
    }
  })
  keepSoon()
}

/** Changes the query unless the language would refuse what comes of it; then says why, and leaves it as it was. */
export function restructure(next: Json): boolean {
  const [fault] = faultsOfForm(next)
  if (fault && faultsOfForm(query.peek()).length === 0) {
    toast(`That is not possible here: ${fault.message}.`, 'bad')
    return false
  }
  setDocument(next)
  return true
}

/** The query as it stands in the address; empty for the one that asks nothing. */
function written(): string {
  return isSame(query.peek(), {}) ? '' : printShort(query.peek())
}

/** Writes the query into the address, once one has stopped for a moment. */
function keepSoon(): void {
  clearTimeout(timer)
  timer = setTimeout(keep, QUERY_SETTLES_MS)
}

/** Writes the query into the address. */
export function keep(): void {
  clearTimeout(timer)
  const { view, path, query: fields } = route.peek()
  if (view !== 'behaviour' || path[0] !== table.peek()?.name) return
  if ((fields.q ?? '') !== written()) setQuery({ q: written() || undefined })
}

/** Takes the query that the address names; true when it is another than before. */
export function takeAddress(): boolean {
  const { q = '' } = route.peek().query
  if (q === written()) return false
  clearTimeout(timer)
  try {
    setDocument(readText(q))
  } catch {
    setText(q)
  }
  return true
}

/** Shows another table. What was asked of the one before goes. */
export function openTable(next: TableDescription): void {
  if (table.peek()?.name === next.name && table.peek() !== undefined) {
    table.value = next
    return
  }
  cancel()
  clearTimeout(timer)
  batch(() => {
    table.value = next
    stepColumn.value = stepColumns(columns.peek(), next.keys)[0] ?? comparable(columns.peek())[0]
    answer.value = undefined
    failure.value = undefined
    query.value = {}
    text.value = '{}'
    textFault.value = undefined
    refused.value = []
  })
}

let controller: AbortController | undefined

/** Runs the query. */
export async function run(): Promise<void> {
  if (!table.peek() || textFault.peek()) return
  keep()
  controller?.abort()
  const own = new AbortController()
  controller = own
  const now = asked.peek()
  progress.value = {}
  failure.value = undefined
  try {
    const result = await follow<'query', BehaviouralResult<Stats>>('query', callOf(now, own.signal), (step) => {
      if (controller === own) progress.value = step
    })
    if (controller === own) answer.value = { asked: now, result }
  } catch (cause) {
    if (controller === own) fail(toApiError(cause))
  } finally {
    if (controller === own) progress.value = undefined
  }
}

function callOf({ table: name, query: document, at, pool }: Asked, stop: AbortSignal) {
  return {
    params: { table: name },
    query: { stream: true as const, ...(at !== undefined && { at }), ...(pool !== undefined && { pool }) },
    body: printShort(document),
    signal: stop,
  }
}

function fail(error: ApiError): void {
  if (isAbort(error)) return
  failure.value = error
  if (error.code === 'QUERY_INVALID') refused.value = faultsOfDetails(error)
}

/** Ends the query that runs. */
export function cancel(): void {
  controller?.abort()
  controller = undefined
  progress.value = undefined
}
