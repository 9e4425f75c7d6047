/** Rows that tasks gave, as a view of a session. */
import assert from 'node:assert'
import { DuckDBDataChunk, type DuckDBType } from '@duckdb/node-api'
import { quoteIdentifier, quoteString } from '../common/data-type.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import type { Exchange, Rows, RowsColumn } from './exchange.ts'
import { unpackInline } from './inline-values.ts'
import { partSql } from './parts.ts'
import { columnAt, type Shape, shapeOf, unpackedSql } from './shape.ts'

/** How rows are viewed. */
export interface ViewOptions {
  exchange: Exchange
  /** The columns of the view; the rows have the same. */
  columns: readonly RowsColumn[]
  /** When given, the view has the rows of this part alone. */
  part?: { number: number; by: readonly string[]; parts: number } | undefined
  run?: RunOptions
}

/** Rows that one SELECT reads: some that came inline, or those of files. */
type Stretch = { inline: Rows[] } | { names: string[]; ofPart: boolean }

/** Rows that a chunk of the engine holds. */
const VECTOR_ROWS = 2048

/** Makes a temporary view of these rows, in their order unless only a part of them is asked for; one of that name is replaced. @throws COLUMN_TYPE_UNSUPPORTED */
export async function viewRows(
  session: Session,
  view: string,
  rows: readonly Rows[],
  options: ViewOptions,
): Promise<void> {
  const shape = shapeOf(options.columns)
  const types = typesOf(options.columns)
  for (const { columns } of rows) assert(typesOf(columns) === types, 'rows of other columns than the view has')
  // Rows of a part have no order: what came inline is one stretch then.
  const ordered = options.part ? rows.toSorted((a, b) => Number(!a.inline) - Number(!b.inline)) : rows
  const stretches = stretchesOf(ordered, options.part?.number)
  const table = quoteIdentifier(`skep rows of ${view}`)
  const selects: string[] = []
  for (const [k, stretch] of stretches.entries())
    selects.push(await selectSql(shape, stretch, { ...options, table, k }))
  const make = `CREATE OR REPLACE TEMP VIEW ${quoteIdentifier(view)} AS ${selects.join('\nUNION ALL ')}`
  if (!stretches.some((stretch) => 'inline' in stretch)) {
    await session.run(make, options.run)
    return
  }
  const columns = shape.json.map(({ type }, k) => `${columnAt(k)} ${type}`)
  const create = `CREATE OR REPLACE TEMP TABLE ${table} (${columns.join(', ')}, stretch INTEGER)`
  await session.run(`${create};\n${make}`, options.run)
  await session.fetch(() => appendInline(session, `skep rows of ${view}`, stretches))
}

function typesOf(columns: readonly RowsColumn[]): string {
  return columns.map(({ type }) => type).join('\n')
}

function stretchesOf(rows: readonly Rows[], part: number | undefined): Stretch[] {
  const stretches: Stretch[] = []
  for (const some of rows) {
    if (some.inline) addInline(stretches, some)
    for (const object of some.objects ?? []) {
      if (part === undefined || (object.part ?? part) === part)
        addName(stretches, object.name, object.part !== undefined)
    }
  }
  return stretches.length > 0 ? stretches : [{ inline: [] }]
}

function addInline(stretches: Stretch[], rows: Rows): void {
  const last = stretches.at(-1)
  if (last && 'inline' in last) last.inline.push(rows)
  else if (rows.count > 0) stretches.push({ inline: [rows] })
}

function addName(stretches: Stretch[], name: string, ofPart: boolean): void {
  const last = stretches.at(-1)
  if (last && 'names' in last && last.ofPart === ofPart) last.names.push(name)
  else stretches.push({ names: [name], ofPart })
}

async function selectSql(
  shape: Shape,
  stretch: Stretch,
  { exchange, part, table, k }: ViewOptions & { table: string; k: number },
): Promise<string> {
  const select =
    'inline' in stretch
      ? unpackedSql(shape, 'json', `${table} WHERE stretch = ${k}`)
      : unpackedSql(
          shape,
          'parquet',
          `read_parquet([${(await exchange.fetch(stretch.names)).map(quoteString).join(', ')}])`,
        )
  const isCut = part === undefined || ('names' in stretch && stretch.ofPart)
  return isCut ? select : `SELECT * FROM (${select}) WHERE ${partSql(part.by, part.parts)} = ${part.number}`
}

async function appendInline(session: Session, table: string, stretches: readonly Stretch[]): Promise<void> {
  const appender = await session.connection.createAppender(table, 'main', 'temp')
  try {
    const types = Array.from({ length: appender.columnCount }, (_, k) => appender.columnType(k))
    stretches.forEach((stretch, k) => {
      if ('inline' in stretch) for (const chunk of chunksOf(stretch.inline, types, k)) appender.appendDataChunk(chunk)
    })
    appender.flushSync()
  } finally {
    appender.closeSync()
  }
}

/** The rows in chunks; thousands of lists of few rows become one. */
function* chunksOf(rows: readonly Rows[], types: readonly DuckDBType[], stretch: number): Generator<DuckDBDataChunk> {
  const columns = types.slice(0, -1).map((_, k) => rows.flatMap(({ inline }) => inline![k]!))
  const count = rows.reduce((sum, some) => sum + some.count, 0)
  for (let from = 0; from < count; from += VECTOR_ROWS) {
    const size = Math.min(VECTOR_ROWS, count - from)
    const chunk = DuckDBDataChunk.create(types, size)
    columns.forEach((values, k) => {
      const type = types[k]!
      chunk.setColumnValues(
        k,
        values.slice(from, from + size).map((value) => unpackInline(value, type)),
      )
    })
    chunk.setColumnValues(
      columns.length,
      Array.from({ length: size }, () => stretch),
    )
    yield chunk
  }
}
