/** Rows of a query as a request wants them: one JSON document, NDJSON, CSV or Parquet, whole or with progress. */
import { createReadStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeCsv, writeNdjson } from '../api/rows.ts'
import type { SqlOptions, SqlStream } from '../coordinator/calls.ts'
import type { QueryStats } from '../coordinator/sql.ts'
import { SkepError } from '../errors.ts'
import type { BuzzDocument } from '../planner/buzz.ts'
import { ANSWERED, type Call } from './context.ts'
import type { Events } from './events.ts'
import { Output } from './output.ts'
import type { LiveQuery, QueryAsked, QueryFigures } from './queries.ts'
import { errorOf, TYPES } from './reply.ts'
import { eventsOf, placeFor, sendJson, underway, wantsEvents } from './underway.ts'

type RowsCall = Pick<Call, 'context' | 'reply' | 'request'>

/** A query for rows. */
export interface RowsQuery {
  asked: QueryAsked
  query: string | BuzzDocument
  options: SqlOptions
  explain: boolean
  /** `rows`: columns, progress, rows in batches and statistics, each as a line. */
  stream: boolean | 'rows'
  /** Of a stream of rows. */
  mostRows?: number
}

/** A query that runs for a call. */
interface Going extends RowsQuery {
  call: RowsCall
  live: LiveQuery
  events: Events | undefined
}

/** Answers with the rows of a query. */
export async function answerRows(call: RowsCall, wanted: RowsQuery): Promise<typeof ANSWERED> {
  return await underway<typeof ANSWERED>(call, wanted.asked, async (live) => {
    const events = wantsEvents(call, wanted.stream !== false) ? eventsOf(call, live) : undefined
    const onProgress: SqlOptions['onProgress'] = (fraction, tasks) => {
      live.tell(fraction, tasks)
      events?.progress(fraction, tasks)
    }
    const options = { ...wanted.options, signal: live.signal, onProgress, ...live.watch }
    try {
      using _place = await placeFor(call, live)
      await write({ ...wanted, options, call, live, events })
      return ANSWERED
    } catch (cause) {
      if (!(await events?.failed(errorOf(live.errorOf(cause))))) throw cause
      live.fail(cause)
      return ANSWERED
    }
  })
}

async function write(going: Going): Promise<void> {
  const { call, events, stream } = going
  if (going.explain) return await writeExplanation(going)
  if (stream === 'rows' && events) return await writeEvents(going, events)
  const format = events ? 'json' : formatOf(call)
  switch (format) {
    case 'parquet':
      return await writeParquet(going)
    case 'csv':
    case 'ndjson':
      return await writeLines(going, format)
    default:
      return await writeDocument(going)
  }
}

const ACCEPTED = {
  [TYPES.json]: 'json',
  [TYPES.ndjson]: 'ndjson',
  'text/csv': 'csv',
  [TYPES.parquet]: 'parquet',
} as const

/** The format that the request prefers. @throws MEDIA_TYPE_UNSUPPORTED when it takes none of ours */
function formatOf({ request }: RowsCall): 'json' | 'ndjson' | 'csv' | 'parquet' {
  const offered = ['application/json', TYPES.ndjson, 'text/csv', TYPES.parquet] as const
  const type = request.accepts().type([...offered])
  const found = offered.find((candidate) => candidate === type)
  if (found === undefined) {
    throw new SkepError('NOT_ACCEPTABLE', `rows come as ${offered.join(', ')}`, { offered: [...offered] })
  }
  return found === 'application/json' ? 'json' : ACCEPTED[found]
}

async function writeExplanation({ call, live, events, query, options }: Going): Promise<void> {
  const text = JSON.stringify(await call.context.warehouse.explain(query, options))
  live.finish({})
  if (events) await events.done('result', [text])
  else await sendJson(call.reply, text)
}

/** One document, gathered before the first byte leaves, so that what goes wrong has a status. */
async function writeDocument({ call, live, events, query, options }: Going): Promise<void> {
  const { warehouse, settings } = call.context
  await using rows = await warehouse.stream(query, options)
  const gathered = new Gathered(settings)
  gathered.add(`{"columns":${JSON.stringify(rows.columns)},"rows":[`)
  const keys = rows.columns.map(({ name }) => `${JSON.stringify(name)}:`)
  for await (const batch of rows.batches) {
    gathered.count(batch.length)
    const texts = batch.map((row) => `{${row.map((value, k) => keys[k]! + JSON.stringify(value)).join(',')}}`)
    gathered.add((gathered.rows === batch.length ? '' : ',') + texts.join(','))
  }
  const stats = rows.stats()
  gathered.add(`],"stats":${JSON.stringify(stats)}}`)
  live.finish(figuresOf(stats))
  if (events) return await events.done('result', gathered.pieces)
  const output = new Output(call.reply, { 'content-type': TYPES.json })
  for (const piece of gathered.pieces) await output.write(piece)
  output.end()
}

/** Pieces of a document that has to fit into memory. */
class Gathered {
  readonly pieces: Buffer[] = []
  rows = 0
  #bytes = 0
  readonly #limits: { resultBytes: number; resultRows: number }

  constructor(limits: { resultBytes: number; resultRows: number }) {
    this.#limits = limits
  }

  /** @throws RESULT_LIMIT */
  add(text: string): void {
    const piece = Buffer.from(text)
    this.#bytes += piece.length
    const limit = this.#limits.resultBytes
    if (this.#bytes > limit) {
      const message = `the result is larger than ${limit} bytes (SKEP_RESULT_BYTES); ask for NDJSON, CSV or Parquet, which stream`
      throw new SkepError('RESULT_LIMIT', message, { setting: 'resultBytes', limitBytes: limit })
    }
    this.pieces.push(piece)
  }

  /** @throws ROW_LIMIT */
  count(rows: number): void {
    this.rows += rows
    const limit = this.#limits.resultRows
    if (this.rows <= limit) return
    const message = `the result has more than ${limit} rows (SKEP_RESULT_ROWS); ask for NDJSON, CSV or Parquet, which stream`
    throw new SkepError('ROW_LIMIT', message, { setting: 'resultRows', limit })
  }
}

/** Lines as they come. What goes wrong after the first ones breaks the connection: a body that ends well is complete. */
async function writeLines({ call, live, query, options }: Going, format: 'csv' | 'ndjson'): Promise<void> {
  await using rows = await call.context.warehouse.stream(query, options)
  const output = new Output(call.reply, { 'content-type': TYPES[format] })
  try {
    const ahead = { columns: rows.columns, batches: await withFirst(rows.batches) }
    await (format === 'csv' ? writeCsv : writeNdjson)(ahead, output)
    live.finish(figuresOf(rows.stats()))
    output.end()
  } catch (cause) {
    if (!output.isBegun) throw cause
    live.fail(cause)
    output.destroy()
  }
}

/** The same batches, the first of which is there already: a query that fails at once does so before anything is written. */
async function withFirst<T>(batches: AsyncIterable<T>): Promise<AsyncIterable<T>> {
  const source = batches[Symbol.asyncIterator]()
  const first = await source.next()
  return (async function* () {
    if (first.done) return
    yield first.value
    yield* { [Symbol.asyncIterator]: () => source }
  })()
}

/** Columns, rows in batches as lists of values, and statistics, each as one document. Of more rows than are wanted, the others are not computed. */
async function writeEvents({ call, live, query, options, mostRows }: Going, events: Events): Promise<void> {
  await using rows: SqlStream = await call.context.warehouse.stream(query, options)
  const batches = await withFirst(rows.batches)
  await events.send('columns', [JSON.stringify(rows.columns)])
  let left = mostRows ?? Number.POSITIVE_INFINITY
  for await (const batch of batches) {
    const taken = batch.length > left ? batch.slice(0, left) : batch
    if (taken.length > 0) await events.send('rows', [JSON.stringify(taken)])
    if (taken.length < batch.length) {
      await events.send('more', ['true'])
      break
    }
    left -= taken.length
  }
  const stats = rows.stats()
  live.finish(figuresOf(stats))
  await events.done('stats', [JSON.stringify(stats)])
}

async function writeParquet({ call, live, query, options }: Going): Promise<void> {
  const { warehouse } = call.context
  const folder = warehouse.temporaryPath()
  const path = join(folder, 'rows.parquet')
  try {
    await mkdir(folder, { recursive: true })
    const { rows, stats } = await warehouse.exportParquet(query, path, options)
    const output = new Output(call.reply, { 'content-type': TYPES.parquet, 'skep-rows': String(rows) })
    try {
      for await (const piece of createReadStream(path)) await output.write(piece as Buffer)
      live.finish(figuresOf(stats))
      output.end()
    } catch (cause) {
      live.fail(cause)
      output.destroy()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What is remembered of a query that is done. */
export function figuresOf(stats: QueryStats): QueryFigures {
  const { rows, bytes, pool, cost } = stats
  return { rows, bytes, ...(pool !== undefined && { pool }), ...(cost !== undefined && { cost }), stats }
}
