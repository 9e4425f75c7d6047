/** What the values of one column are: how they are distributed, and which are worth suggesting. */
import { columnNotFound, findColumn } from '../catalog/find-column.ts'
import type { Column, Table } from '../catalog/types.ts'
import { type DataType, isFloat, isTimestamp, printType, quoteIdentifier } from '../common/data-type.ts'
import { SETTINGS, type Settings } from '../config.ts'
import type { BoundValues } from '../engine/parameters.ts'
import type { JsonValue } from '../engine/values.ts'
import { SkepError } from '../errors.ts'
import type { QueryOptions } from './calls.ts'
import type { LoadTables } from './load-tables.ts'
import { QueryWork } from './query-work.ts'
import { runningOf } from './run-plan.ts'
import { binSql, edgesBetween, type Place, type Scale, scaleOf } from './scale.ts'
import { collectRows } from './sql.ts'
import type { SqlRunner } from './sql-runner.ts'

/** A value and the number of rows that have it. */
export interface ValueCount {
  value: JsonValue
  count: number
}

/** Rows between edges. */
export interface Histogram {
  /** Ascending values of the column, one more than there are bins. */
  edges: JsonValue[]
  /** Bin `k` has the values at or above edge `k` and below edge `k + 1`; the last bin also those at its upper edge. */
  counts: number[]
}

/** How the values of a column are distributed. What does not apply to its type, or to a column without values, is absent. */
export interface ColumnDistribution {
  table: string
  column: string
  /** DuckDB's name of it. */
  type: string
  rows: number
  nulls: number
  /** Of floats: rows that are not a number. */
  nans?: number
  /** Of floats, dates and timestamps: rows that are infinite, on either side. */
  infinities?: number
  /** Distinct values, nulls left out; absent for nested types. */
  distinct?: number
  /** False where `distinct` was estimated. */
  distinctExact?: boolean
  /** The least and the greatest value, of numbers and times the least and the greatest finite one. */
  min?: JsonValue
  max?: JsonValue
  /** Of numbers, dates and times: all rows but nulls, NaN and infinities. */
  histogram?: Histogram
  /** Of texts, booleans and other types: the most frequent values, those of one number of rows by value. */
  values?: ValueCount[]
  /** Rows with none of these values, nulls left out. */
  otherRows?: number
}

/** How a column is looked at. */
export type ColumnOptions = QueryOptions

/** Which values are suggested. */
export interface ValuesOptions extends QueryOptions {
  /** What the text of a value begins with, without regard to case. */
  prefix?: string
  /** Most values; 20 when absent. */
  limit?: number
}

/** What looking at columns needs of a warehouse. */
export interface ColumnParts {
  settings: Settings
  queries: SqlRunner
  loadTables: LoadTables
}

/** A column of a table as it was when the call began, and how to ask about it. */
interface Asked {
  table: Table
  column: Column
  /** Whether distinct values are counted exactly where that costs more than all else. */
  distinctExact: boolean
  /** The column as SQL names it. */
  name: string
  rows(sql: string, params?: BoundValues): Promise<Record<string, JsonValue>[]>
}

/** The distribution of a column. Two or three passes over it, all of the same state of the table. @throws COLUMN_NOT_FOUND, and as SQL does */
export async function columnDistribution(
  parts: ColumnParts,
  tableName: string,
  columnName: string,
  options: ColumnOptions,
): Promise<ColumnDistribution> {
  const asked = await ask(parts, tableName, columnName, options)
  const { table, column } = asked
  const head = { table: table.name, column: column.name, type: printType(column.type) }
  const scale = scaleOf(column.type)
  if (scale) return { ...head, ...(await scaledDistribution(asked, scale)) }
  if (isCountedOnly(column.type)) return { ...head, ...(await countRows(asked)) }
  return { ...head, ...(await frequentDistribution(asked)) }
}

/** Values of a column, most frequent first, those of one number of rows by value; nulls, NaN and infinite floats left out. @throws COLUMN_NOT_FOUND, COLUMN_TYPE_UNSUPPORTED, ARGUMENT_INVALID, and as SQL does */
export async function columnValues(
  parts: ColumnParts,
  tableName: string,
  columnName: string,
  options: ValuesOptions,
): Promise<ValueCount[]> {
  const { prefix = '', limit = SETTINGS.frequentValues.default } = options
  checkValuesOptions(prefix, limit)
  const asked = await ask(parts, tableName, columnName, options)
  const { table, column } = asked
  if (isCountedOnly(column.type)) {
    const type = printType(column.type)
    const message = `column "${column.name}" of table "${table.name}" is of type ${type}, of which no values are suggested`
    throw new SkepError('COLUMN_TYPE_UNSUPPORTED', message, { column: column.name, type })
  }
  const conditions = [
    ...(isFloat(column.type) ? ['isfinite(v)'] : []),
    ...(prefix === '' ? [] : [`starts_with(lower(${textSql('v', column.type)}), lower($1))`]),
  ]
  return await frequent(asked, limit, { conditions, params: prefix === '' ? [] : [prefix] })
}

function checkValuesOptions(prefix: unknown, limit: unknown): void {
  const most = SETTINGS.suggestedValues.default
  if (!(Number.isInteger(limit) && Number(limit) >= 1 && Number(limit) <= most)) {
    throw new SkepError('ARGUMENT_INVALID', `limit: expected a whole number from 1 to ${most}`, { argument: 'limit' })
  }
  const longest = SETTINGS.prefixCharacters.default
  if (typeof prefix !== 'string' || prefix.length > longest) {
    const message = `prefix: expected a text of at most ${longest} characters`
    throw new SkepError('ARGUMENT_INVALID', message, { argument: 'prefix' })
  }
}

async function ask(
  { settings, queries, loadTables }: ColumnParts,
  tableName: string,
  columnName: string,
  options: QueryOptions,
): Promise<Asked> {
  const running = runningOf(settings, options)
  const { signal } = running
  const key = tableName.toLowerCase()
  const loaded = await loadTables([tableName], options.at, { signal }).catch(async (error: unknown) => {
    throw await queries.naming(error, { tables: [], running })
  })
  const table = loaded.get(key)!
  const { columns } = table.snapshot.schema
  const column = findColumn(columns, columnName)
  if (!column) throw columnNotFound(table.name, columnName, columns, `table "${table.name}" has`)
  const { partsMax, distinctRows } = settings
  const rows = async (text: string, params?: BoundValues) => {
    const query = { text, tables: new Map([[key, table]]), dropped: new Map(), partsMax, record: new QueryWork() }
    await using stream = await queries.start(query, { ...options, signal, ...(params && { params }) })
    return await collectRows(stream, SETTINGS.suggestedValues.default)
  }
  return { table, column, distinctExact: sizeOf(table) <= distinctRows, name: quoteIdentifier(column.name), rows }
}

/** True for nested types, those that Skep does not know, and intervals, of which equal ones may differ: a month is thirty days. */
function isCountedOnly(type: DataType): boolean {
  if (type.kind === 'primitive') return type.name === 'INTERVAL' || type.name === 'NULL'
  return type.kind !== 'decimal' && !(type.kind === 'other' && /^ENUM\b/i.test(type.text))
}

async function countRows({ table, name, rows }: Asked): Promise<{ rows: number; nulls: number }> {
  const [row] = await rows(`SELECT count(*) AS "rows", count(${name}) AS "valued" FROM ${quoteIdentifier(table.name)}`)
  return { rows: Number(row!.rows), nulls: Number(row!.rows) - Number(row!.valued) }
}

type Distribution = Omit<ColumnDistribution, 'table' | 'column' | 'type'>

async function scaledDistribution(asked: Asked, scale: Scale): Promise<Distribution> {
  const { table, column, name, distinctExact, rows } = asked
  const source = `(SELECT ${name} AS v, ${scale.place(name)} AS p FROM ${quoteIdentifier(table.name)})`
  const [row] = await rows(`SELECT count(*) AS "rows", count(v) AS "valued", count(p) AS "placed",
    ${distinctExact ? 'count(DISTINCT v)' : 'approx_count_distinct(v)'} AS "distinct",
    ${isFloat(column.type) ? 'count(*) FILTER (WHERE isnan(v))' : '0'} AS "nans",
    min(v) FILTER (WHERE p IS NOT NULL) AS "min", max(v) FILTER (WHERE p IS NOT NULL) AS "max",
    min(p) AS "low", max(p) AS "high" FROM ${source}`)
  const { min, max, low, high } = row!
  const count = (field: string) => Number(row![field])
  const beyond = { nans: count('nans'), infinities: count('valued') - count('placed') - count('nans') }
  return {
    rows: count('rows'),
    nulls: count('rows') - count('valued'),
    ...Object.fromEntries(scale.beyond.map((field) => [field, beyond[field]])),
    distinct: count('distinct'),
    distinctExact,
    ...(low !== null && {
      min: plain(min!),
      max: plain(max!),
      histogram: await histogram(asked, scale, source, { low: scale.read(low!), high: scale.read(high!), min, max }),
    }),
  }
}

async function histogram(
  { rows }: Asked,
  { literal, show, discrete }: Scale,
  source: string,
  ends: { low: Place; high: Place; min: JsonValue | undefined; max: JsonValue | undefined },
): Promise<Histogram> {
  const edges = edgesBetween(ends.low, ends.high, SETTINGS.histogramBins.default, discrete)
  const bins = await rows(
    `SELECT ${binSql('p', edges, literal)} AS "bin", count(*) AS "count" FROM ${source} WHERE p IS NOT NULL GROUP BY 1`,
  )
  const counts = edges.slice(1).map(() => 0)
  for (const { bin, count } of bins) counts[Number(bin)] = Number(count)
  const shown = edges.map(show)
  // The ends are values of the column, and look like them.
  shown[0] = ends.min!
  if (!discrete) shown[shown.length - 1] = ends.max!
  return { edges: shown.map(plain), counts }
}

async function frequentDistribution(asked: Asked): Promise<Distribution> {
  const { table, name, rows } = asked
  const [row] = await rows(`SELECT count(*) AS "rows", count(v) AS "valued", count(DISTINCT v) AS "distinct",
    min(v) AS "min", max(v) AS "max" FROM (SELECT ${name} AS v FROM ${quoteIdentifier(table.name)})`)
  const valued = Number(row!.valued)
  const values = await frequent(asked, SETTINGS.frequentValues.default, { conditions: [], params: [] })
  return {
    rows: Number(row!.rows),
    nulls: Number(row!.rows) - valued,
    distinct: Number(row!.distinct),
    distinctExact: true,
    ...(valued > 0 && { min: row!.min!, max: row!.max! }),
    values,
    otherRows: values.reduce((rest, { count }) => rest - count, valued),
  }
}

async function frequent(
  { table, name, rows }: Asked,
  limit: number,
  { conditions, params }: { conditions: readonly string[]; params: BoundValues },
): Promise<ValueCount[]> {
  const found = await rows(
    `SELECT v AS "value", count(*) AS "count" FROM (SELECT ${name} AS v FROM ${quoteIdentifier(table.name)})
     WHERE ${['v IS NOT NULL', ...conditions].join(' AND ')} GROUP BY v ORDER BY count(*) DESC, v LIMIT ${limit}`,
    params,
  )
  return found.map(({ value, count }) => ({ value: plain(value!), count: Number(count) }))
}

/** SQL of the text of a value, which is how its JSON looks. */
function textSql(value: string, type: DataType): string {
  if (type.kind === 'primitive' && type.name === 'BLOB') return `base64(${value})`
  const text = `${value}::VARCHAR`
  return isTimestamp(type) ? `regexp_replace(${text}, '^(\\S+) (\\d)', '\\1T\\2')` : text
}

function sizeOf({ snapshot }: Table): number {
  return snapshot.files.reduce((sum, { rows }) => sum + rows, 0)
}

/** Of two zeros, which are one value to SQL, the one without sign. */
function plain(value: JsonValue): JsonValue {
  return Object.is(value, -0) ? 0 : value
}
