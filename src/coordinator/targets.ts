/** Conditions on sums: decided by the engine for each actor, and handed to the kernel as bits. */

import { externalConditions, externalWidth } from '../behaviour/kernel.ts'
import { type Literal, readLiteral } from '../behaviour/literal.ts'
import { classOf } from '../behaviour/operators.ts'
import { predicateSql } from '../behaviour/predicate-sql.ts'
import type { TargetOperator } from '../behaviour/types.ts'
import type { Condition } from '../behaviour/validate.ts'
import { type DataType, isFloat, primitive, quoteIdentifier } from '../common/data-type.ts'
import { exactSum, exactTermSql } from '../common/exact-sum.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { type ActorTask, Bindings, type RowSource, rowsInside } from './actor-rows.ts'

type ValueCondition = Extract<Condition, { kind: 'rows' }>

/** For each actor of a task, in ascending order, words whose bit k says whether the k-th external condition holds; undefined when there is none. */
export async function decideTargets(
  session: Session,
  source: RowSource,
  task: ActorTask,
  options: RunOptions,
): Promise<BigUint64Array | undefined> {
  const conditions = externalConditions(source.query)
  if (conditions.length === 0) return undefined
  const width = externalWidth(conditions.length)
  let words: BigUint64Array | undefined
  for (const [bit, condition] of conditions.entries()) {
    const holds = isFloat(typeOf(source, condition))
      ? await floatSums(session, source, task, condition, options)
      : await exactSums(session, source, task, condition, options)
    words ??= new BigUint64Array(holds.length * width)
    const word = Math.floor(bit / 64)
    for (const [actor, value] of holds.entries()) if (value) words[actor * width + word]! |= 1n << BigInt(bit % 64)
  }
  return words
}

function typeOf({ table }: RowSource, { target }: ValueCondition): DataType {
  return table.snapshot.schema.columns.find(({ name }) => name === target.column)!.type
}

/** Sums of integers and decimals are exact in the engine. */
async function exactSums(
  session: Session,
  source: RowSource,
  task: ActorTask,
  condition: ValueCondition,
  options: RunOptions,
): Promise<boolean[]> {
  const bindings = new Bindings()
  const rows = rowsInside(source, task.files, bindings)
  const matches = predicateSql(source.query.predicates[condition.predicate]!, bindings.bind)
  const type = typeOf(source, condition)
  const sumType: DataType = type.kind === 'decimal' ? { ...type, precision: 38 } : primitive('HUGEINT')
  const { op, value, column } = condition.target
  const literal = readLiteral(value, sumType, classOf(sumType)!) ?? fraction(Number(value))
  const total = `coalesce(sum(${quoteIdentifier(column!)}) FILTER (${matches}), 0)`
  const comparison = predicateSql(
    { kind: 'compare', column: 'total', type: sumType, operator: op, literal },
    bindings.bind,
  )
  const sums = `SELECT ${quoteIdentifier(source.actor)} AS a, bool_or(${matches}) AS found, ${total} AS total FROM (${rows}) GROUP BY ALL`
  const sql = `SELECT found AND ${comparison} FROM (${sums}) ORDER BY a`
  const result = await session.run(sql, { ...options, params: bindings.values })
  return (await result.getRows()).map(([holds]) => holds === true)
}

/** A fraction, as whole numbers are compared with it. */
function fraction(value: number): Literal {
  return { kind: 'ticks', floor: BigInt(Math.floor(value)), exact: false }
}

/** Sums of floats are put together exactly from bins, so that they do not depend on the order of rows. */
async function floatSums(
  session: Session,
  source: RowSource,
  task: ActorTask,
  condition: ValueCondition,
  options: RunOptions,
): Promise<boolean[]> {
  const bindings = new Bindings()
  const rows = rowsInside(source, task.files, bindings)
  const matches = predicateSql(source.query.predicates[condition.predicate]!, bindings.bind)
  const { op, value, column } = condition.target
  const { bin, term } = exactTermSql('v')
  const terms = `SELECT ${quoteIdentifier(source.actor)} AS a, ${matches} AS found, CASE WHEN ${matches} THEN CAST(${quoteIdentifier(column!)} AS DOUBLE) END AS v FROM (${rows})`
  const bins = `SELECT a, bool_or(found) AS found, ${bin} AS bin, sum(${term}) AS total FROM (${terms}) GROUP BY ALL`
  const sql = `SELECT bool_or(found), list(bin ORDER BY bin) FILTER (bin IS NOT NULL), list(total ORDER BY bin) FILTER (bin IS NOT NULL) FROM (${bins}) GROUP BY a ORDER BY a`
  const result = await session.run(sql, { ...options, params: bindings.values })
  const outputs = (await result.getRowsJS()) as [boolean, number[] | null, bigint[] | null][]
  return outputs.map(([found, binList, totals]) => {
    const sum = exactSum((binList ?? []).map((b, k) => [b, totals![k]!] as const))
    return found && compare(sum, op, value)
  })
}

/** Numbers and integers of any size compare exactly; they are equal when neither is greater. */
function compare(left: number, op: TargetOperator, right: number | bigint): boolean {
  switch (op) {
    case '==':
      return left <= right && left >= right
    case '!=':
      return !(left <= right && left >= right)
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
