/** The rows of a behavioural query as SQL: who, when, and which predicates hold. */
import { columnSql, findReference } from '../behaviour/column.ts'
import { heldColumns } from '../behaviour/kernel.ts'
import { maskSql } from '../behaviour/mask-sql.ts'
import { type Bind, timeframeSql } from '../behaviour/predicate-sql.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import type { Column, DataFile, Scalar, Table } from '../catalog/types.ts'
import { type DataType, isFloat, isInteger, printType, quoteIdentifier } from '../common/data-type.ts'
import type { BoundValue } from '../engine/parameters.ts'
import { scanSql } from '../engine/scan.ts'
import type { ActorTask } from '../planner/actor-tasks.ts'

/** Values that a statement binds, collected as placeholders are asked for. */
export class Bindings {
  readonly values: BoundValue[] = []

  /** The placeholder that stands for a value. */
  readonly bind: Bind = (value, type) => {
    this.values.push(value)
    return type === 'VARCHAR' ? `$${this.values.length}` : `CAST($${this.values.length} AS ${type})`
  }
}

/** A query on a table, as the statements of its tasks need it. */
export interface RowSource {
  table: Table
  query: ValidQuery
  actor: string
  time: string
  timeType: DataType
  /** The view of the session that stands for all rows of a task, in place of files. */
  view?: string
}

/** The table and query as the statements of tasks need them. */
export function sourceOf(table: Table, query: ValidQuery): RowSource {
  const { actor, time } = table.keys
  const timeType = table.snapshot.schema.columns.find(({ name }) => name === time)!.type
  return { table, query, actor: actor!, time: time!, timeType }
}

/** SELECT of all columns over the files: rows of the timeframe that have an actor and a time. */
export function rowsInside(source: RowSource, files: readonly DataFile[], bindings: Bindings): string {
  const { table, query, actor, time, timeType, view } = source
  const keys = table.snapshot.schema.columns.filter(({ name }) => name === actor || name === time)
  const conditions = keys
    .filter((key) => view !== undefined || files.some((file) => mayBeNull(key, file)))
    .map(({ name }) => `${quoteIdentifier(name)} IS NOT NULL`)
  if (isFloat(timeType)) conditions.push(`NOT isnan(${quoteIdentifier(time)})`)
  const timeframe = query.timeframe && timeframeSql(query.timeframe, quoteIdentifier(time), timeType, bindings.bind)
  if (timeframe) conditions.push(timeframe)
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  const scan = view === undefined ? scanSql(table, table.snapshot.schema, files) : `FROM ${quoteIdentifier(view)}`
  return `SELECT * FROM (${scan})${where}`
}

function mayBeNull({ id }: Column, file: DataFile): boolean {
  return file.columns.get(id)?.nulls !== 0
}

/**
 * SELECT of `k` (who: a key or start flag, see {@link actorKey}), `t` (the time as BIGINT, or DOUBLE for float columns), `m` (the
 * mask) and a series number for each of the held columns, over the rows of a task: grouped by actor, ascending in time.
 */
export function kernelRows(source: RowSource, task: ActorTask, bindings: Bindings): string {
  const { query, actor, time, timeType } = source
  const rows = rowsInside(source, task.files, bindings)
  const held = heldColumns(query)
  const keyed = [
    `${quoteIdentifier(actor)} AS a`,
    `${timeKeySql(quoteIdentifier(time), timeType, timesAreFinite(source, task))} AS t`,
    `${maskSql(query.predicates, bindings.bind)} AS m`,
    ...held.map((columns, k) => `${seriesSql(source, columns)} AS h${k}`),
  ]
  const order = task.sorted && held.length === 0 ? '' : ' ORDER BY a, t'
  const outputs = [`${actorKey(source)} AS k`, 't', 'm', ...held.map((_, k) => `h${k}`)]
  return `SELECT ${outputs.join(', ')} FROM (SELECT ${keyed.join(', ')} FROM (${rows})${order})`
}

/** Integers stand for themselves; of other actors a flag (UTINYINT) marks the first row. */
function actorKey({ table, actor }: RowSource): string {
  const { type } = table.snapshot.schema.columns.find((column) => column.name === actor)!
  const fits = isInteger(type) && !/HUGEINT|UBIGINT/.test(printType(type))
  return fits ? 'CAST(a AS BIGINT)' : 'CAST(a IS DISTINCT FROM lag(a) OVER () AS UTINYINT)'
}

/** The number of a row's series among those of its actor, from 1; 0 where a held value is null. */
function seriesSql({ table, actor }: RowSource, columns: readonly string[]): string {
  const values = columns.map((column) => {
    const reference = findReference(table.snapshot.schema.columns, column)!
    const value = columnSql(reference)
    return isFloat(reference.type) ? `CASE WHEN isnan(${value}) THEN NULL ELSE ${value} END` : value
  })
  const anyNull = values.map((value) => `(${value}) IS NULL`).join(' OR ')
  const rank = `dense_rank() OVER (PARTITION BY ${quoteIdentifier(actor)} ORDER BY ${values.join(', ')})`
  return `CAST(CASE WHEN ${anyNull} THEN 0 ELSE ${rank} END AS INTEGER)`
}

/** Times as integers that order and differ as the column's own values do, in the ticks of the query's spans; floats as they are. Infinite dates and times, of which the engine makes nulls, come before or after all others. */
function timeKeySql(name: string, type: DataType, finite: boolean): string {
  const orInfinity = (value: string) => (finite ? value : `coalesce(${value}, ${infinitySql(name, type)})`)
  if (isFloat(type)) return `CAST(${name} AS DOUBLE)`
  switch (type.kind === 'primitive' ? type.name : '') {
    case 'DATE':
      return orInfinity(`CAST(date_diff('day', DATE '1970-01-01', ${name}) AS BIGINT)`)
    case 'TIMESTAMP_NS':
      return `epoch_ns(${name})`
    case 'TIMESTAMP':
    case 'TIMESTAMP WITH TIME ZONE':
      return orInfinity(`epoch_us(${name})`)
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
      // Their infinities become bounds like any other.
      return `coalesce(epoch_us(${name}), ${infinitySql(name, type)})`
    case 'UBIGINT':
      return `CAST(CAST(${name} AS HUGEINT) - 9223372036854775808 AS BIGINT)`
    default:
      return `CAST(${name} AS BIGINT)`
  }
}

/** DuckDB's infinities stand at the ends of 32 bits of days and 64 bits of microseconds. */
const DATE_END = 2n ** 31n - 1n
const TIMESTAMP_END = 2n ** 63n - 1n

/** True when the bounds of every file say that its times are finite. */
export function timesAreFinite({ table, time, timeType, view }: RowSource, { files }: ActorTask): boolean {
  if (view !== undefined) return false
  const { id } = table.snapshot.schema.columns.find(({ name }) => name === time)!
  const end = printType(timeType) === 'DATE' ? DATE_END : TIMESTAMP_END
  const isInside = (bound: Scalar | undefined) => typeof bound === 'bigint' && bound > -end && bound < end
  return files.every((file) => isInside(file.columns.get(id)?.lower) && isInside(file.columns.get(id)?.upper))
}

function infinitySql(name: string, type: DataType): string {
  return `CASE WHEN ${name} > CAST('1970-01-01' AS ${printType(type)}) THEN ${TIMESTAMP_END} ELSE ${-TIMESTAMP_END} END`
}
