/** What is noted about the rows of a table, beside the answer. */
import type { Timeframe } from '../behaviour/predicate-sql.ts'
import type { Warning } from '../behaviour/result.ts'
import type { Column, ColumnStatistics } from '../catalog/types.ts'
import { isFloat, quoteIdentifier } from '../common/data-type.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { scanSql } from '../engine/scan.ts'
import type { FileChecker } from '../storage/sealed-file.ts'
import { Bindings, type RowSource, rowsInside } from '../worker/actor-rows.ts'
import { requireWhole } from '../worker/whole-files.ts'

/** Where rows are looked for. */
interface Looking {
  session: Session
  checker: FileChecker
  options: RunOptions
}

/** Rows that a query leaves out, and a timeframe without rows; `rows` is how many lie inside the timeframe. */
export async function dataWarnings(context: Looking, source: RowSource, rows: number): Promise<Warning[]> {
  const warnings: Warning[] = []
  const lost = await rowsOfNobody(context, source)
  if (lost > 0) {
    const message = `${lost} ${lost === 1 ? 'row has' : 'rows have'} no actor or no time; behavioural queries leave them out`
    warnings.push({ code: 'ROWS_WITHOUT_ACTOR_OR_TIME', message })
  }
  if (source.query.timeframe && rows === 0 && (await isOutside(context, source))) {
    const message = 'the timeframe lies wholly outside the times of the table'
    warnings.push({ code: 'TIMEFRAME_OUTSIDE_DATA', message, path: '/timeframe' })
  }
  return warnings
}

/** Rows with a null actor, a null time or a NaN time; counted only where statistics do not rule them out. */
async function rowsOfNobody(
  { session, checker, options }: Looking,
  { table, actor, time, timeType }: RowSource,
): Promise<number> {
  const keys = table.snapshot.schema.columns.filter(({ name }) => name === actor || name === time)
  const suspect = table.snapshot.files.filter((file) => keys.some((key) => mayLack(key, file.columns.get(key.id))))
  if (suspect.length === 0) return 0
  await requireWhole(checker, table, suspect, options)
  const nan = isFloat(timeType) ? ` OR isnan(${quoteIdentifier(time)})` : ''
  const [row] = await session.rows<{ n: bigint }>(
    `SELECT count(*) AS n FROM (${scanSql(table, table.snapshot.schema, suspect)})
     WHERE ${quoteIdentifier(actor)} IS NULL OR ${quoteIdentifier(time)} IS NULL${nan}`,
    options,
  )
  return Number(row!.n)
}

function mayLack({ type }: Column, statistics: ColumnStatistics | undefined): boolean {
  return statistics?.nulls !== 0 || (isFloat(type) && statistics.nans !== 0)
}

/** True when all rows of the table come before the timeframe, or all after it. */
async function isOutside({ session, checker, options }: Looking, source: RowSource): Promise<boolean> {
  await requireWhole(checker, source.table, source.table.snapshot.files, options)
  const anyOf = async (timeframe: Timeframe) => {
    const bindings = new Bindings()
    const side = { ...source, query: { ...source.query, timeframe } }
    const rows = rowsInside(side, source.table.snapshot.files, bindings)
    const found = await session.run(`SELECT 1 FROM (${rows}) LIMIT 1`, { ...options, params: bindings.values })
    return found.rowCount > 0
  }
  const { from, to } = source.query.timeframe!
  const reached = from === undefined || (await anyOf({ from }))
  return !reached || !(to === undefined || (await anyOf({ to })))
}
