/** The rows of a behavioural query as SQL: who, when, and which predicates hold; and how they are cut into tasks of whole actors. */

import { type Bind, predicateSql, timeframeSql } from '../behaviour/predicate-sql.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import type { DataFile, Snapshot, Table } from '../catalog/types.ts'
import { type DataType, isFloat, quoteIdentifier } from '../common/data-type.ts'
import type { BoundValue } from '../engine/parameters.ts'
import { scanSql } from '../engine/scan.ts'

/** Files whose actors occur in no other task's files. */
export interface ActorTask {
  files: DataFile[]
  /** True when a scan of the files in their order gives the rows sorted by (actor, time). */
  sorted: boolean
  rows: number
}

/** Tasks that cover the files: one for each bucket, for each file that is known to hold its actors alone, else one for all. */
export function actorTasks(table: Table, files: readonly DataFile[]): ActorTask[] {
  return [...groupFiles(table, files).values()].map((group) => ({
    files: group,
    sorted: group.length === 1 && group[0]!.sorted,
    rows: group.reduce((sum, file) => sum + file.rows, 0),
  }))
}

function groupFiles(table: Table, files: readonly DataFile[]): Map<string, DataFile[]> {
  const bucket = table.actorsTogether ? undefined : bucketPosition(table.snapshot, table.keys.actor, files)
  const keyOf = (file: DataFile): string => {
    if (table.actorsTogether) return file.path
    return bucket === undefined ? '' : String(file.partition[bucket])
  }
  const groups = new Map<string, DataFile[]>()
  for (const file of files) {
    const group = groups.get(keyOf(file))
    if (group) group.push(file)
    else groups.set(keyOf(file), [file])
  }
  return groups
}

/** The place of the actor's bucket among partition values, when all files follow one spec that has it. */
function bucketPosition(snapshot: Snapshot, actor: string | undefined, files: readonly DataFile[]): number | undefined {
  const specId = files[0]?.specId
  if (specId === undefined || files.some((file) => file.specId !== specId)) return undefined
  const column = snapshot.schema.columns.find(({ name }) => name === actor)
  const fields = snapshot.specs.get(specId)?.fields ?? []
  const position = fields.findIndex(({ columnId, transform }) => columnId === column?.id && transform.kind === 'bucket')
  return position < 0 ? undefined : position
}

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
}

/** SELECT of all columns over the files: rows of the timeframe that have an actor and a time. */
export function rowsInside(source: RowSource, files: readonly DataFile[], bindings: Bindings): string {
  const { table, query, actor, time, timeType } = source
  const name = quoteIdentifier(time)
  const conditions = [`${quoteIdentifier(actor)} IS NOT NULL`, `${name} IS NOT NULL`]
  if (isFloat(timeType)) conditions.push(`NOT isnan(${name})`)
  const timeframe = query.timeframe && timeframeSql(query.timeframe, name, timeType, bindings.bind)
  if (timeframe) conditions.push(timeframe)
  return `SELECT * FROM (${scanSql(table, table.snapshot.schema, files)}) WHERE ${conditions.join(' AND ')}`
}

/**
 * SELECT of `s` (1 where an actor's rows begin), `t` (the time as BIGINT, or DOUBLE for float columns) and `m` (the mask)
 * over the rows of a task, grouped by actor and ascending in time.
 */
export function kernelRows(source: RowSource, task: ActorTask, bindings: Bindings): string {
  const { query, actor, time, timeType } = source
  const rows = rowsInside(source, task.files, bindings)
  const mask = maskSql(query, bindings)
  const keyed = `SELECT ${quoteIdentifier(actor)} AS a, ${timeKeySql(quoteIdentifier(time), timeType)} AS t, ${mask} AS m FROM (${rows})`
  const ordered = task.sorted ? keyed : `${keyed} ORDER BY a, t`
  return `SELECT CAST(a IS DISTINCT FROM lag(a) OVER () AS UTINYINT) AS s, t, m FROM (${ordered})`
}

function maskSql(query: ValidQuery, { bind }: Bindings): string {
  const bits = query.predicates.map((predicate, bit) => {
    const value = `CAST(${predicateSql(predicate, bind)} AS BIGINT)`
    return bit === 0 ? value : `(${value} << ${bit})`
  })
  return bits.length === 0 ? 'CAST(0 AS BIGINT)' : `(${bits.join(' | ')})`
}

/** Times as integers that order and differ as the column's own values do; floats as they are. */
function timeKeySql(name: string, type: DataType): string {
  if (isFloat(type)) return `CAST(${name} AS DOUBLE)`
  switch (type.kind === 'primitive' ? type.name : '') {
    case 'DATE':
      return `CAST(date_diff('day', DATE '1970-01-01', ${name}) AS BIGINT)`
    case 'TIMESTAMP_NS':
      return `epoch_ns(${name})`
    case 'TIMESTAMP':
    case 'TIMESTAMP_S':
    case 'TIMESTAMP_MS':
    case 'TIMESTAMP WITH TIME ZONE':
      return `epoch_us(${name})`
    case 'UBIGINT':
      return `CAST(CAST(${name} AS HUGEINT) - 9223372036854775808 AS BIGINT)`
    default:
      return `CAST(${name} AS BIGINT)`
  }
}
