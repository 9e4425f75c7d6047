/** Runs a query for a command, SQL or a document of steps, and writes its rows as the flags ask for. */
import { extname } from 'node:path'
import { writeCsv, writeNdjson } from '../api/rows.ts'
import { durationText } from '../common/duration-text.ts'
import { SETTINGS } from '../config.ts'
import type { SqlExplanation, SqlOptions, SqlResult } from '../coordinator/calls.ts'
import type { BuzzDocument } from '../planner/buzz.ts'
import { invalid } from './arguments.ts'
import type { CommandContext, FlagSpecs } from './command.ts'
import type { CommandWarehouse } from './command-warehouse.ts'
import { counted, countText, sizeText } from './output/numbers.ts'
import { replaceFile, writeOutFile } from './output/out-file.ts'
import { choiceLines, stageLines } from './output/plan.ts'
import type { Sink } from './output/sink.ts'
import { PLAIN_STYLE } from './output/style.ts'
import { alignmentOf, cellText, drawTable } from './output/table.ts'
import { visible } from './output/width.ts'
import { showingProgress } from './pool-flags.ts'

const FORMATS = ['table', 'json', 'ndjson', 'csv', 'parquet'] as const
type Format = (typeof FORMATS)[number]

/** Flags of the commands whose result is rows. */
export const ROWS_FLAGS = {
  format: {
    value: 'FORMAT',
    choices: FORMATS,
    help: 'How rows are written; `table` when absent, `json` with `--json`, or what the name of `--out` says. CSV, NDJSON and Parquet take results of any size.',
  },
  out: { value: 'FILE', help: 'Writes the rows to a file, whole or not at all.' },
  explain: { help: 'Shows what the query would read, without running it.' },
} as const satisfies FlagSpecs

/** How these flags are written in the usage of a command. */
export const ROWS_USAGE = '[--format table|json|ndjson|csv|parquet] [--out FILE] [--explain]'

type Context = CommandContext<typeof ROWS_FLAGS>

const SHOWN_ROWS = SETTINGS.shownRows.default

/** Runs a query and writes its rows. `readQuery` is called once the flags are known to fit. */
export async function runForRows(
  context: Context,
  readQuery: () => Promise<string | BuzzDocument>,
  options: SqlOptions,
): Promise<void> {
  const plan = readPlan(context)
  const query = await readQuery()
  const warehouse = await context.open()
  if (context.flags.explain) return await explain(context, warehouse, query, options)
  if (plan.out === undefined) await toStandardOutput(context, warehouse, { query, options, format: plan.format })
  else await toFile(context, warehouse, { query, options, format: plan.format, out: plan.out })
}

interface Plan {
  format: Format
  out?: string
}

/** The format and the place that the flags ask for together. */
function readPlan({ flags, json }: Context): Plan {
  const { format, explain } = flags
  const out = flags.out === '-' ? undefined : flags.out
  if (explain && (format !== undefined || out !== undefined)) {
    throw invalid('explain', '--explain goes without --format and --out; --json gives it as a document')
  }
  if (out !== undefined) return { format: format ?? formatOf(out) ?? (json ? 'json' : 'table'), out }
  if (json && format !== undefined && format !== 'json') {
    throw invalid('format', `--format ${format} with --json needs --out FILE: the standard output is one JSON document`)
  }
  if (format === 'parquet') throw invalid('format', '--format parquet needs --out FILE')
  return { format: format ?? (json ? 'json' : 'table') }
}

const EXTENSIONS: Record<string, Format> = {
  '.csv': 'csv',
  '.json': 'json',
  '.jsonl': 'ndjson',
  '.ndjson': 'ndjson',
  '.parquet': 'parquet',
}

function formatOf(path: string): Format | undefined {
  return EXTENSIONS[extname(path).toLowerCase()]
}

interface Task {
  query: string | BuzzDocument
  options: SqlOptions
  format: Format
}

async function toStandardOutput(context: Context, warehouse: CommandWarehouse, task: Task): Promise<void> {
  const { stdout, style, width } = context
  switch (task.format) {
    case 'csv':
    case 'ndjson':
      await streamRows(context, warehouse, task, stdout)
      return
    case 'json':
      return await writeDocument(await collect(context, warehouse, task), stdout)
    default: {
      const result = await collect(context, warehouse, task)
      const lines = tableLines(result, { style, width, most: SHOWN_ROWS })
      await stdout.write(`${lines.join('\n')}\n`)
    }
  }
}

async function collect(context: Context, warehouse: CommandWarehouse, { query, options }: Task): Promise<SqlResult> {
  using bar = context.progress('query')
  const running = { ...options, onProgress: showingProgress(bar) }
  return await (typeof query === 'string' ? warehouse.sql(query, running) : warehouse.run(query, running))
}

/** The number of rows written. */
async function streamRows(context: Context, warehouse: CommandWarehouse, task: Task, sink: Sink): Promise<number> {
  using bar = context.progress('query')
  const onProgress = showingProgress(bar)
  await using stream = await warehouse.stream(task.query, { ...task.options, onProgress })
  const clearing: Sink = {
    write: async (text) => {
      if (sink === context.stdout) bar[Symbol.dispose]()
      await sink.write(text)
    },
  }
  return await (task.format === 'csv' ? writeCsv : writeNdjson)(stream, clearing)
}

/** The result as one JSON document, written in pieces: a text as long as all of it may not exist. */
async function writeDocument({ columns, rows, stats }: SqlResult, sink: Sink): Promise<void> {
  await sink.write(`{"columns":${JSON.stringify(columns)},"rows":[`)
  for (let k = 0; k < rows.length; k += 1000) {
    const piece = rows.slice(k, k + 1000).map((row) => JSON.stringify(row))
    await sink.write((k === 0 ? '' : ',') + piece.join(','))
  }
  await sink.write(`],"stats":${JSON.stringify(stats)}}\n`)
}

function tableLines(
  { columns, rows, stats }: SqlResult,
  { style, width, most }: { style: Context['style']; width?: number | undefined; most: number },
): string[] {
  const titles = columns.map(({ name, type }) => ({ title: name, align: alignmentOf(type) }))
  const cells = rows
    .slice(0, most)
    .map((row) => columns.map(({ name }) => (row[name] === null ? null : cellText(row[name]))))
  const { lines, shown } = drawTable(titles, cells, { style, width })
  const notes = [
    rows.length > most ? `first ${most} of ${counted(rows.length, 'row')}` : counted(rows.length, 'row'),
    shown < columns.length ? `first ${shown} of ${columns.length} columns` : '',
    durationText(stats.ms),
    rows.length > most || shown < columns.length ? 'all of it: --format csv|ndjson|json' : '',
  ]
  return [...lines, style('dim', `(${notes.filter((note) => note !== '').join(', ')})`)]
}

async function toFile(context: Context, warehouse: CommandWarehouse, task: Task & { out: string }): Promise<void> {
  const started = performance.now()
  const rows = await writeRows(context, warehouse, task)
  const ms = Math.round(performance.now() - started)
  if (context.json) return await context.document({ out: task.out, format: task.format, rows, ms })
  context.note(`${counted(rows, 'row')} written to ${task.out} (${task.format}, ${durationText(ms)})`)
}

async function writeRows(context: Context, warehouse: CommandWarehouse, task: Task & { out: string }): Promise<number> {
  const { out, format, query, options } = task
  switch (format) {
    case 'parquet':
      return await replaceFile(out, { devices: false }, async (place) => {
        using bar = context.progress('query')
        const onProgress = showingProgress(bar)
        return (await warehouse.exportParquet(query, place, { ...options, onProgress })).rows
      })
    case 'csv':
    case 'ndjson':
      return await writeOutFile(out, (sink) => streamRows(context, warehouse, task, sink))
    default: {
      const result = await collect(context, warehouse, task)
      const table = () => tableLines(result, { style: PLAIN_STYLE, most: Number.POSITIVE_INFINITY })
      await writeOutFile(out, (sink) =>
        format === 'json' ? writeDocument(result, sink) : sink.write(`${table().join('\n')}\n`),
      )
      return result.rows.length
    }
  }
}

async function explain(
  context: Context,
  warehouse: CommandWarehouse,
  query: string | BuzzDocument,
  options: SqlOptions,
): Promise<void> {
  const explanation = await warehouse.explain(query, options)
  if (context.json) return await context.document(explanation)
  await context.stdout.write(`${explanationLines(explanation, context).join('\n')}\n`)
}

function explanationLines(explanation: SqlExplanation, { style, width }: Context): string[] {
  const { tables, plan, divided, stages, final } = explanation
  const right = 'right' as const
  const { lines } = drawTable(
    [
      { title: 'table' },
      { title: 'snapshot' },
      { title: 'files', align: right },
      { title: 'pruned', align: right },
      { title: 'rows', align: right },
      { title: 'size', align: right },
    ],
    tables.map(({ table, snapshotId, files, filesPruned, rows, bytes }) => [
      table,
      snapshotId?.toString() ?? '',
      countText(files),
      countText(filesPruned),
      countText(rows),
      sizeText(bytes),
    ]),
    { style, width },
  )
  const enginePlan = plan.trimEnd()
  const left = final === undefined ? [] : ['Then once:', `  ${visible(final)}`]
  return [
    ...(tables.length === 0 ? [] : [...lines, '']),
    ...choiceLines(explanation),
    '',
    ...(divided ? [...stageLines(stages ?? []), ...left, '', enginePlan] : [enginePlan]),
    ...(divided || !stages ? [] : ['', style('bold', 'In tasks it would be'), ...stageLines(stages), ...left]),
  ]
}
