/** `skep demo`. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { BehaviouralQuery } from '../../behaviour/types.ts'
import { durationText } from '../../common/duration-text.ts'
import { isSkepError, SkepError } from '../../errors.ts'
import type { Warehouse } from '../../warehouse.ts'
import { type CommandContext, defineCommand, type FlagSpecs } from '../command.ts'
import { behaviourLines } from '../output/behaviour.ts'
import { counted, sizeText } from '../output/numbers.ts'
import { alignmentOf, cellText, drawTable } from '../output/table.ts'
import { packageRoot, pageFolder } from '../package-root.ts'
import { serveWarehouse } from './serve.ts'
import { tablesCommand } from './tables.ts'

const FLAGS = {
  keep: { help: 'Makes the tables in the warehouse and leaves them there; a second run then imports nothing.' },
  serve: { help: 'Serves the warehouse afterwards, with the web page, until Ctrl-C.' },
  port: { value: 'N', help: 'With `--serve`: the port to listen on, 0 for a free one; 4213 when absent.' },
} as const satisfies FlagSpecs

type Context = CommandContext<typeof FLAGS>

/** Shows what Skep does, on real data. */
export const demoCommand = defineCommand({
  summary: 'Makes a warehouse from real data and asks it a few questions',
  usage: 'skep demo [--keep] [--serve] [--port N]',
  description: 'Imports events of open-source projects and, where they are installed, three million flights.',
  arguments: [],
  flags: FLAGS,
  examples: [
    { line: 'skep demo --keep', does: 'a warehouse to go on with' },
    { line: 'skep demo --serve', does: 'the same questions in a browser' },
  ],
  run: async (context) => {
    const started = performance.now()
    requirePlain(context)
    if (context.flags.keep) return await present(context, await context.openFolder(), started)
    const folder = await mkdtemp(join(tmpdir(), 'skep-demo-'))
    try {
      const { Warehouse } = await import('../../warehouse.ts')
      await using warehouse = await Warehouse.open(folder, { env: context.terminal.env })
      await present(context, warehouse, started)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  },
})

async function present(context: Context, warehouse: Warehouse, started: number): Promise<void> {
  const report = await runDemo(context, warehouse)
  if (context.json) return await context.document(report)
  await say(context, ...closing(context, warehouse, performance.now() - started))
  if (context.flags.serve) await serve(context, warehouse)
}

/** @throws ARGUMENT_INVALID for `--json` with `--serve`, and for `--port` without */
function requirePlain({ flags, json }: Context): void {
  if (flags.serve && json) {
    throw new SkepError('ARGUMENT_INVALID', '--serve has no result to write as JSON; leave out --json', {
      argument: 'serve',
    })
  }
  if (flags.port !== undefined && !flags.serve) {
    throw new SkepError('ARGUMENT_INVALID', '--port is for --serve', { argument: 'port' })
  }
}

/** Serves the warehouse, with the page, which in a clone may have to be built first. */
async function serve(context: Context, warehouse: Warehouse): Promise<void> {
  const script = join(packageRoot(), 'scripts/build-web.ts')
  if (!existsSync(join(pageFolder(), 'index.html')) && existsSync(script)) {
    context.note('building the web page')
    await promisify(execFile)(process.execPath, [script], { signal: context.signal })
  }
  await say(context, '')
  await serveWarehouse({ ...context, open: async () => warehouse }, { port: context.flags.port, level: 'warn' })
}

/** What the demo answered, for `--json`. */
interface DemoReport {
  tables: unknown
  sql: { sql: string; rows: unknown[]; ms: number }[]
  queries: { query: BehaviouralQuery; result: unknown }[]
}

const SQL = [
  `SELECT project, count(*) AS changes, count(DISTINCT actor) AS people, min(ts)::DATE AS since
FROM contributions GROUP BY ALL ORDER BY people DESC LIMIT 5`,
  `SELECT year(ts) AS year, round(100 * avg((event = 'tests')::INT), 1) AS percent_tests, count(DISTINCT actor) AS people
FROM contributions WHERE ts >= '2019-01-01' GROUP BY ALL ORDER BY year`,
]
const FLIGHTS_SQL = `SELECT origin, count(*) AS flights, round(avg(delay), 1) AS mean_delay, max(distance) AS farthest
FROM flights GROUP BY ALL ORDER BY flights DESC LIMIT 5`
const NO_FLIGHTS_SQL =
  'SELECT event, count(*) AS changes, sum(files) AS files FROM contributions GROUP BY ALL ORDER BY changes DESC'

const step = (event: string) => ({ name: event, filter: ['event', '==', event] as const })
const FUNNEL: BehaviouralQuery = { funnel: { sequence: [step('docs'), step('source'), step('tests')] } }
const SEQUENCE: BehaviouralQuery = {
  query: {
    conditions: [{ sequence: [step('source'), { ...step('tests'), rowFound: false }] }],
    aggregations: [{ column: 'project', type: 'groupsPerValue' }],
  },
}

async function runDemo(context: Context, warehouse: Warehouse): Promise<DemoReport> {
  const { style } = context
  await say(context, style('bold', 'Skep: SQL and behavioural queries over your events'), '')
  await importOnce(context, warehouse, 'contributions', join(packageRoot(), 'examples/data/contributions.parquet'), {
    actor: 'actor',
    time: 'ts',
  })
  const flights = flightsFile()
  if (flights) await importOnce(context, warehouse, 'flights', flights, {})
  else await say(context, 'The three million flights are not here: the package vega-datasets is not installed.')
  await say(context, '')
  if (!context.json) await tablesCommand.run({ ...context, flags: {}, open: async () => warehouse })
  const report: DemoReport = { tables: await warehouse.tables(), sql: [], queries: [] }
  for (const sql of [...SQL, flights ? FLIGHTS_SQL : NO_FLIGHTS_SQL])
    report.sql.push(await askSql(context, warehouse, sql))
  const questions: [string, BehaviouralQuery][] = [
    ['Who goes from the docs to the source, and on to the tests?', FUNNEL],
    ['Who changed the source and touched no test ever after? In which projects are they?', SEQUENCE],
  ]
  for (const [question, query] of questions) {
    const result = await warehouse.query('contributions', query, { signal: context.signal })
    const lines = behaviourLines({ table: 'contributions', text: JSON.stringify(query), result }, drawing(context))
    await say(context, '', style('bold', question), style('dim', JSON.stringify(query)), '', ...lines)
    report.queries.push({ query, result })
  }
  return report
}

function drawing({ style, terminal }: Context) {
  return { style, width: terminal.stdout.columns }
}

async function askSql(context: Context, warehouse: Warehouse, sql: string): Promise<DemoReport['sql'][number]> {
  const { columns, rows, stats } = await warehouse.sql(sql, { signal: context.signal })
  const titles = columns.map(({ name, type }) => ({ title: name, align: alignmentOf(type) }))
  const cells = rows.map((row) => columns.map(({ name }) => cellText(row[name])))
  const { lines } = drawTable(titles, cells, drawing(context))
  const note = context.style('dim', `(${counted(rows.length, 'row')}, ${durationText(stats.ms)})`)
  await say(context, '', context.style('bold', sql), '', ...lines, note)
  return { sql, rows, ms: stats.ms }
}

/** Imports a file unless the table is there already. */
async function importOnce(
  context: Context,
  warehouse: Warehouse,
  table: string,
  file: string,
  keys: { actor?: string; time?: string },
): Promise<void> {
  const place = relative(process.cwd(), file)
  try {
    const { rows } = await warehouse.describe(table)
    await say(context, `${table}: ${counted(rows, 'row')} are here already.`)
  } catch (error) {
    if (!isSkepError(error, 'TABLE_NOT_FOUND')) throw error
    const { rows, bytes, ms } = await warehouse.import(table, [file], { ...keys, signal: context.signal })
    await say(
      context,
      `${table}: imported ${counted(rows, 'row')} (${sizeText(bytes)}) from ${place} in ${durationText(ms)}.`,
    )
  }
}

function flightsFile(): string | undefined {
  const path = join(packageRoot(), 'node_modules/vega-datasets/data/flights-3m.parquet')
  return existsSync(path) ? path : undefined
}

function closing({ flags }: Context, { root }: Warehouse, ms: number): string[] {
  const took = `All of it took ${durationText(ms)}.`
  if (!flags.keep) return ['', `${took} Run it with --keep to go on asking.`]
  const skep = import.meta.url.endsWith('.ts') ? 'npm run -s skep --' : 'skep'
  const flag = root === resolve('./.skep') ? '' : ` --warehouse ${root}`
  const question = JSON.stringify({
    query: { conditions: [{ filter: ['event', '==', 'tests'], target: ['count', '>=', 100] }] },
  })
  return [
    '',
    `${took} Try next:`,
    '',
    `  ${skep} sql 'SELECT event, count(*) AS n FROM contributions GROUP BY ALL'${flag}`,
    `  ${skep} query contributions --query '${question}'${flag}`,
    `  ${skep} describe contributions${flag}`,
    `  ${skep} import your-events.csv --table events --actor user_id --time ts${flag}`,
    `  ${skep} --help`,
  ]
}

async function say({ stdout, json }: Context, ...lines: string[]): Promise<void> {
  if (!json) await stdout.write(`${lines.join('\n')}\n`)
}
