/**
 * What aggregations are read from: temporary tables of counts and sums, each made by one scan of the columns that it names. Tables of
 * tasks that share no actor, put one behind the other, are the tables of all of them.
 */
import { columnSql } from '../behaviour/column.ts'
import type { Aggregation } from '../behaviour/typing.ts'
import type { DataFile } from '../catalog/types.ts'
import { type DataType, isFloat, quoteIdentifier, quoteString } from '../common/data-type.ts'
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

/** Temporary table `(actor, id, class)` of the actors that some scope covers. */
const ACTORS = 'skep_actors'

/** Scopes up to which those that cover an actor are the bits of an INTEGER. */
const BITS = 31

/** SQL of the class of an actor, which says what scopes cover it, and is the same in every task: bits, or a text of zeros and ones. */
function classSql(conditions: readonly string[]): { label: string; none: string } {
  if (conditions.length <= BITS) {
    const bits = conditions.map((condition, k) => `CASE WHEN ${condition} THEN ${2 ** k} ELSE 0 END`)
    return { label: `CAST(${bits.join(' + ')} AS INTEGER)`, none: '0' }
  }
  const digits = conditions.map((condition) => `CASE WHEN ${condition} THEN '1' ELSE '0' END`)
  return { label: `concat(${digits.join(', ')})`, none: quoteString('0'.repeat(conditions.length)) }
}

/** The SQL condition on `class` that is true for the actors that a scope covers: the one of that place among so many. */
export function coveredSql(place: number, scopes: number): string {
  return scopes <= BITS ? `(class & ${2 ** place}) <> 0` : `substr(class, ${place + 1}, 1) = '1'`
}

/** Makes the table of actors, given the conditions of all scopes. */
export async function classifyActors({ session, options }: Aggregating, conditions: readonly string[]): Promise<void> {
  const { label, none } = classSql(conditions)
  const kinds = `SELECT *, ${label} AS class FROM (SELECT DISTINCT * EXCLUDE (actor) FROM ${PASSING})`
  await session.run(
    `CREATE OR REPLACE TEMP TABLE ${ACTORS} AS
     SELECT actor, CAST(row_number() OVER () AS INTEGER) AS id, class
     FROM ${PASSING} NATURAL JOIN (SELECT * FROM (${kinds}) WHERE class <> ${none})`,
    options,
  )
}

/** The tables that aggregations are read from, by what they hold. */
export interface Tables {
  /** `(class, rowsN, leastN, greatestN, sumN)` of the columns that are counted, bounded or added up, by {@link columnKey}. */
  totals: ReadonlyMap<string, number>
  /** `(v, class, rows, actors)` for each value of a column. */
  values: ReadonlyMap<string, string>
  /** `(v, class, bin, total, rows)`: sums of a column, apart for each value of another one if there is another. */
  sums: ReadonlyMap<string, string>
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

/** A table, and the aggregations whose columns it is made for. */
interface PlannedTable {
  kind: keyof Tables
  name: string
  key: string
  aggregations: readonly Aggregation[]
}

/** One for each column whose values matter, one for each sum of floats; those of the plain numbers of a column go into {@link TOTALS}. */
function planTables(aggregations: readonly Aggregation[]): PlannedTable[] {
  const grouped = (
    kind: PlannedTable['kind'],
    some: Aggregation[],
    keyOf: (aggregation: Aggregation) => string,
    nameOf: (place: number) => string,
  ) =>
    [...Map.groupBy(some, keyOf)].map(([key, group], place) => ({
      kind,
      name: nameOf(place),
      key,
      aggregations: group,
    }))
  const ofValues = aggregations.filter(({ type }) => VALUE_TYPES.includes(type))
  const values = grouped('values', ofValues, columnKey, (place) => `skep_values_${place}`)
  const sums = grouped('sums', aggregations.filter(needsSums), sumsKey, (place) => `skep_sums_${place}`)
  const counted = new Set(values.map(({ key }) => key))
  const isPlain = (aggregation: Aggregation) =>
    !VALUE_TYPES.includes(aggregation.type) &&
    !needsSums(aggregation) &&
    (SUM_TYPES.includes(aggregation.type) || !counted.has(columnKey(aggregation)))
  return [...values, ...sums, ...grouped('totals', aggregations.filter(isPlain), columnKey, () => TOTALS)]
}

/** How the tables of aggregations are called: the same for the same aggregations in the same order. */
export function nameTables(aggregations: readonly Aggregation[]): Tables {
  const planned = Map.groupBy(planTables(aggregations), ({ kind }) => kind)
  const names = (kind: 'values' | 'sums') => new Map((planned.get(kind) ?? []).map(({ key, name }) => [key, name]))
  const totals = new Map((planned.get('totals') ?? []).map(({ key }, place) => [key, place]))
  return { totals, values: names('values'), sums: names('sums') }
}

/** The names of all tables, each once. */
export function namesOf({ totals, values, sums }: Tables): string[] {
  return [...values.values(), ...sums.values(), ...(totals.size > 0 ? [TOTALS] : [])]
}

/** Makes the tables that the aggregations are read from, for the actors that {@link classifyActors} has found. */
export async function makeTables(context: Aggregating, aggregations: readonly Aggregation[]): Promise<void> {
  const planned = planTables(aggregations)
  for (const { kind, name, aggregations: group } of planned) {
    if (kind === 'values') await makeValues(context, name, group)
    if (kind === 'sums') await makeSums(context, name, group[0]!)
  }
  const plain = planned.filter(({ kind }) => kind === 'totals').map((table) => table.aggregations)
  if (plain.length > 0) await makeTotals(context, plain)
}

/** A table from a SELECT over `class`, `id` and some expressions on rows `r`, of the rows of classified actors. */
async function makeTable(
  { session, source, files, options }: Aggregating,
  name: string,
  outputs: string,
  expressions: Record<string, string>,
  ending: string,
): Promise<void> {
  const bindings = new Bindings()
  const rows = rowsInside(source, files, bindings)
  const list = Object.entries(expressions).map(([alias, sql]) => `, ${sql} AS ${alias}`)
  const joined = `SELECT p.class, p.id${list.join('')} FROM (${rows}) r JOIN ${ACTORS} p ON r.${quoteIdentifier(source.actor)} = p.actor`
  const sql = `CREATE OR REPLACE TEMP TABLE ${name} AS SELECT ${outputs} FROM (${joined}) ${ending}`
  await session.run(sql, { ...options, params: bindings.values })
}

async function makeValues(context: Aggregating, name: string, aggregations: readonly Aggregation[]): Promise<void> {
  const [first] = aggregations as [Aggregation]
  const actors = aggregations.some(({ type }) => type === 'groupsPerValue') ? ', count(DISTINCT id) AS actors' : ''
  const expressions = { v: presentSql(first, first.columnType) }
  const outputs = `v, class, count(*) AS rows${actors}`
  await makeTable(context, name, outputs, expressions, 'WHERE v IS NOT NULL GROUP BY v, class')
}

async function makeSums(context: Aggregating, name: string, aggregation: Aggregation): Promise<void> {
  const { columnType, otherType, otherPath } = aggregation
  const type = otherType ?? columnType
  const v = otherPath === undefined ? '0' : presentSql(aggregation, columnType)
  const term = presentSql({ path: otherPath ?? aggregation.path }, type)
  const expressions = { v, o: isFloat(type) ? `CAST(${term} AS DOUBLE)` : term }
  const exact = exactTermSql('o')
  const [bin, total] = isFloat(type) ? [exact.bin, `sum(${exact.term})`] : ['0', wholeSumSql('o', type)]
  const outputs = `v, class, ${bin} AS bin, ${total} AS total, count(o) AS rows`
  await makeTable(context, name, outputs, expressions, 'WHERE v IS NOT NULL GROUP BY 1, 2, 3')
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
