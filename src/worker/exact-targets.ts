/** Targets that the first scan left undecided: sums and means put together exactly, for the actors in question alone. */
import { columnSql } from '../behaviour/column.ts'
import { predicateSql } from '../behaviour/predicate-sql.ts'
import type { TargetOperator } from '../behaviour/types.ts'
import { isFloat, quoteIdentifier } from '../common/data-type.ts'
import { exactMean, exactSum, exactTermSql } from '../common/exact-sum.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { streamChunks } from '../engine/stream.ts'
import type { ActorTask } from '../planner/actor-tasks.ts'
import { Bindings, type RowSource, rowsInside } from './actor-rows.ts'
import type { ValueCondition } from './targets.ts'
import { wholeThresholds } from './thresholds.ts'
import { scaleOf, wholeSumSql } from './whole-sums.ts'

/** Temporary table `(place, a, word, unsure)` of a task's actors: decided bits, and the bits that are still to be decided. */
export const EXACT_WORDS = 'skep_words'

/** The part of a query that one task decides. */
export interface TargetTask {
  session: Session
  source: RowSource
  task: ActorTask
  options: RunOptions
}

/** Sets the undecided bits of `words`, which are in the order of {@link EXACT_WORDS} and have them at 0. */
export async function decideExactly(
  target: TargetTask,
  conditions: readonly ValueCondition[],
  words: BigUint64Array,
): Promise<void> {
  const { session, options } = target
  const [row] = await session.rows<{ bits: bigint }>(
    `SELECT coalesce(bit_or(unsure), 0)::UBIGINT AS bits FROM ${EXACT_WORDS}`,
    options,
  )
  for (const [k, condition] of conditions.entries()) {
    const bit = 1n << BigInt(k)
    if ((row!.bits & bit) === 0n) continue
    for await (const sum of exactSums(target, condition, bit)) if (holds(condition, sum)) words[sum.place]! |= bit
  }
}

/** The values of one actor that match: how many, and their sum, of floats in bins. */
interface ActorSum {
  place: number
  rows: bigint
  bins: (readonly [bin: number, total: bigint])[]
}

async function* exactSums(target: TargetTask, condition: ValueCondition, bit: bigint): AsyncGenerator<ActorSum> {
  let current: ActorSum | undefined
  for await (const [place, bin, total, rows] of sumRows(target, condition, bit)) {
    if (current?.place !== Number(place)) {
      if (current) yield current
      current = { place: Number(place), rows: 0n, bins: [] }
    }
    current.rows += rows
    current.bins.push([bin, total])
  }
  if (current) yield current
}

type SumRow = [place: bigint, bin: number, total: bigint, rows: bigint]

async function* sumRows(
  { session, source, task, options }: TargetTask,
  { predicate, target }: ValueCondition,
  bit: bigint,
): AsyncGenerator<SumRow> {
  const bindings = new Bindings()
  const rows = rowsInside(source, task.files, bindings)
  const matches = predicateSql(source.query.predicates[predicate]!, bindings.bind)
  const type = target.columnType
  const column = columnSql(target)
  const value = isFloat(type) ? `CAST(CASE WHEN isnan(${column}) THEN NULL ELSE ${column} END AS DOUBLE)` : column
  const { bin, term } = exactTermSql('v')
  const [group, sum] = isFloat(type) ? [bin, `sum(${term})`] : ['0', wholeSumSql('v', type)]
  const values = `SELECT ${quoteIdentifier(source.actor)} AS a, ${value} AS v FROM (${rows}) WHERE ${matches}`
  const sql = `SELECT w.place, ${group} AS bin, ${sum}, count(*) FROM (${values}) r JOIN ${EXACT_WORDS} w ON r.a = w.a
    WHERE (w.unsure & ${bit}) <> 0 AND v IS NOT NULL GROUP BY ALL ORDER BY w.place`
  const running = { ...options, params: bindings.values }
  for await (const chunk of streamChunks(session, sql, running)) yield* chunk.getRows() as SumRow[]
}

/** A sum that is no number, of both infinities, satisfies nothing. */
function holds({ target }: ValueCondition, { rows, bins }: ActorSum): boolean {
  const { type, op, value, columnType } = target
  if (isFloat(columnType)) return compare(type === 'sum' ? exactSum(bins) : exactMean(bins, rows), op, value)
  const { numerator, denominator } = wholeThresholds(value, scaleOf(columnType)).atLeast
  const total = bins.reduce((sum, [, part]) => sum + part, 0n)
  return compare(total * denominator, op, numerator * (type === 'sum' ? 1n : rows))
}

function compare(left: number | bigint, op: TargetOperator, right: number | bigint): boolean {
  if (Number.isNaN(left)) return false
  switch (op) {
    case '==':
      return left >= right && left <= right
    case '!=':
      return left < right || left > right
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    case '>=':
      return left >= right
  }
}
