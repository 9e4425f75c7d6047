/** What aggregations are read from: temporary tables of counts and sums, each made by one scan of the columns that it names. */
import { columnSql } from '../behaviour/column.ts'
import type { Aggregation } from '../behaviour/typing.ts'
import type { DataFile } from '../catalog/types.ts'
import { type DataType, isFloat, quoteIdentifier } from '../common/data-type.ts'
import { exactTermSql } from '../common/exact-sum.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { Bindings, type RowSource, rowsInside } from './actor-rows.ts'
import { wholeSumSql } from './whole-sums.ts'

/** Where and over what aggregations are made. */
export interface Aggregating {
  session: Session
  source: RowSource
  files: readonly DataFile[]
  options: RunOptions
}

/** Temporary table `(actor, …)` of the actors that satisfy the relation; conditions of scopes speak of its other columns. */
export const PASSING = 'skep_passing'

/** Temporary table `(actor, id, class)` of the actors that some scope covers; those of one class are in the same scopes. */
const ACTORS = 'skep_actors'

/** Makes the table of actors; gives the classes that each of the conditions covers. */
export async function classifyActors(
  { session, options }: Aggregating,
  conditions: readonly string[],
): Promise<number[][]> {
  const member = `[${conditions.map((condition) => `(${condition})`).join(', ')}]`
  const kinds = `SELECT *, ${member} AS member FROM (SELECT DISTINCT * EXCLUDE (actor) FROM ${PASSING})`
  await session.run(
    `CREATE OR REPLACE TEMP TABLE skep_classes AS
     SELECT *, CAST(dense_rank() OVER (ORDER BY member) AS INTEGER) AS class FROM (${kinds}) WHERE list_contains(member, true)`,
    options,
  )
  await session.run(
    `CREATE OR REPLACE TEMP TABLE ${ACTORS} AS
     SELECT actor, CAST(row_number() OVER () AS INTEGER) AS id, class
     FROM ${PASSING} NATURAL JOIN (SELECT * EXCLUDE (member) FROM skep_classes)`,
    options,
  )
  const classes = await session.rows<{ class: number; member: boolean[] }>(
    'SELECT DISTINCT class, member FROM skep_classes ORDER BY class',
    options,
  )
  return conditions.map((_, k) => classes.filter(({ member }) => member[k]).map((found) => found.class))
}

/** The tables that were made, by what they hold; see {@link makeTables}. */
export interface Tables {
  /** `(class, rowsN, leastN, greatestN, sumN)` of the columns that are counted, bounded or added up, by {@link columnKey}. */
  totals: ReadonlyMap<string, number>
  /** `(v, class, rows, actors)` for each value of a column. */
  values: ReadonlyMap<string, string>
  /** `(v, class, bin, total, rows)`: sums of a column, apart for each value of another one if there is another. */
  sums: ReadonlyMap<string, string>
}

/** Everything that reading an aggregation needs. `covered`: the SQL condition on `class` that its scope stands for. */
export interface Reading extends Aggregating {
  tables: Tables
  covered: string
}

/** Temporary table of {@link Tables.totals}. */
export const TOTALS = 'skep_totals'

type Reference = Pick<Aggregation, 'path'>

/** The same text for the same column. */
export function columnKey({ path }: Reference): string {
  return JSON.stringify(path)
}

/** The same text for the same sums: of floats over all rows, or apart for each value of the aggregation's column. */
export function sumsKey({ path, otherPath }: Aggregation): string {
  return JSON.stringify(otherPath === undefined ? [path] : [otherPath, path])
}

const VALUE_TYPES = ['countPerValue', 'groupsPerValue', 'distinct', 'quantiles']
const SUM_TYPES = ['sum', 'mean']

/** True for aggregations that are read from a table of sums. */
export function needsSums({ type, columnType, otherPath }: Aggregation): boolean {
  return otherPath !== undefined || (SUM_TYPES.includes(type) && isFloat(columnType))
}

/** Makes the tables that the aggregations are read from: one for all plain numbers, one for each column whose values matter, one for each sum of floats. */
export async function makeTables(context: Aggregating, aggregations: readonly Aggregation[]): Promise<Tables> {
  const values = new Map<string, string>()
  const sums = new Map<string, string>()
  const ofValues = Map.groupBy(
    aggregations.filter(({ type }) => VALUE_TYPES.includes(type)),
    columnKey,
  )
  for (const [key, group] of ofValues) values.set(key, await makeValues(context, `skep_values_${values.size}`, group))
  for (const [key, [first]] of Map.groupBy(aggregations.filter(needsSums), sumsKey)) {
    sums.set(key, await makeSums(context, `skep_sums_${sums.size}`, first!))
  }
  const isPlain = (aggregation: Aggregation) =>
    !VALUE_TYPES.includes(aggregation.type) &&
    !needsSums(aggregation) &&
    (SUM_TYPES.includes(aggregation.type) || !values.has(columnKey(aggregation)))
  const ofTotals = Map.groupBy(aggregations.filter(isPlain), columnKey)
  if (ofTotals.size > 0) await makeTotals(context, [...ofTotals.values()])
  return { totals: new Map([...ofTotals.keys()].map((key, place) => [key, place])), values, sums }
}

/** A table from a SELECT over `class`, `id` and some expressions on rows `r`, of the rows of classified actors. */
async function makeTable(
  { session, source, files, options }: Aggregating,
  name: string,
  outputs: string,
  expressions: Record<string, string>,
  ending: string,
): Promise<string> {
  const bindings = new Bindings()
  const rows = rowsInside(source, files, bindings)
  const list = Object.entries(expressions).map(([alias, sql]) => `, ${sql} AS ${alias}`)
  const joined = `SELECT p.class, p.id${list.join('')} FROM (${rows}) r JOIN ${ACTORS} p ON r.${quoteIdentifier(source.actor)} = p.actor`
  const sql = `CREATE OR REPLACE TEMP TABLE ${name} AS SELECT ${outputs} FROM (${joined}) ${ending}`
  await session.run(sql, { ...options, params: bindings.values })
  return name
}

async function makeValues(context: Aggregating, name: string, aggregations: readonly Aggregation[]): Promise<string> {
  const [first] = aggregations as [Aggregation]
  const actors = aggregations.some(({ type }) => type === 'groupsPerValue') ? ', count(DISTINCT id) AS actors' : ''
  const expressions = { v: presentSql(first, first.columnType) }
  const outputs = `v, class, count(*) AS rows${actors}`
  return await makeTable(context, name, outputs, expressions, 'WHERE v IS NOT NULL GROUP BY v, class')
}

async function makeSums(context: Aggregating, name: string, aggregation: Aggregation): Promise<string> {
  const { columnType, otherType, otherPath } = aggregation
  const type = otherType ?? columnType
  const v = otherPath === undefined ? '0' : presentSql(aggregation, columnType)
  const term = presentSql({ path: otherPath ?? aggregation.path }, type)
  const expressions = { v, o: isFloat(type) ? `CAST(${term} AS DOUBLE)` : term }
  const exact = exactTermSql('o')
  const [bin, total] = isFloat(type) ? [exact.bin, `sum(${exact.term})`] : ['0', wholeSumSql('o', type)]
  const outputs = `v, class, ${bin} AS bin, ${total} AS total, count(o) AS rows`
  return await makeTable(context, name, outputs, expressions, 'WHERE v IS NOT NULL GROUP BY 1, 2, 3')
}

async function makeTotals(context: Aggregating, columns: readonly (readonly Aggregation[])[]): Promise<void> {
  const expressions: Record<string, string> = {}
  const outputs = ['class']
  for (const [k, aggregations] of columns.entries()) {
    const { columnType } = aggregations[0]!
    const asks = (...types: string[]) => aggregations.some(({ type }) => types.includes(type))
    expressions[`v${k}`] = presentSql(aggregations[0]!, columnType)
    outputs.push(`count(v${k}) AS rows${k}`)
    if (asks('min')) outputs.push(`min(v${k}) AS least${k}`)
    if (asks('max')) outputs.push(`max(v${k}) AS greatest${k}`)
    if (asks(...SUM_TYPES)) outputs.push(`${wholeSumSql(`v${k}`, columnType)} AS sum${k}`)
  }
  await makeTable(context, TOTALS, outputs.join(', '), expressions, 'GROUP BY class')
}

/** A column of rows `r`. NaN counts as null; the values of an ENUM are its texts. */
function presentSql(reference: Reference, type: DataType): string {
  const column = columnSql(reference, 'r')
  if (type.kind === 'other') return `CAST(${column} AS VARCHAR)`
  return isFloat(type) ? `CASE WHEN isnan(${column}) THEN NULL ELSE ${column} END` : column
}
