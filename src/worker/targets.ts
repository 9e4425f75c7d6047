/** Conditions on values (sums, means, bounds, distinct values): decided by the engine in one scan, and handed to the kernel as bits. */
import { columnSql } from '../behaviour/column.ts'
import { externalConditions, externalWidth } from '../behaviour/kernel.ts'
import { type Predicate, predicateSql } from '../behaviour/predicate-sql.ts'
import type { TypedTarget } from '../behaviour/typing.ts'
import type { Condition } from '../behaviour/validate.ts'
import { isFloat, quoteIdentifier } from '../common/data-type.ts'
import { binOfSize, binPower, binSql } from '../common/exact-sum.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import type { ActorTask } from '../planner/actor-tasks.ts'
import { Bindings, type RowSource, rowsInside } from './actor-rows.ts'
import { decideExactly, EXACT_WORDS, type TargetTask } from './exact-targets.ts'
import {
  comparisonSql,
  leastWhole,
  reachesSql,
  roundedThresholds,
  type Threshold,
  type Thresholds,
  wholeThresholds,
} from './thresholds.ts'
import { isWide, scaleOf, unscaledSql, wholeSumSql } from './whole-sums.ts'

/** A condition whose target needs the values of a column. */
export type ValueCondition = Extract<Condition, { kind: 'rows' }> & { target: ValueTarget }

/** A target over a column. */
export type ValueTarget = TypedTarget & Required<Pick<TypedTarget, 'column' | 'columnType' | 'path'>>

/** Bits of a word. */
const WORD_BITS = 64

/**
 * For each actor of a task, in ascending order, {@link externalWidth} words whose bit k says whether the k-th external
 * condition holds; undefined when there is none. One scan of the columns in question for each 64 conditions; a second
 * one only for actors with floats that no integers of 128 bits can hold, and for means of the widest integers.
 */
export async function decideTargets(
  session: Session,
  source: RowSource,
  task: ActorTask,
  options: RunOptions,
): Promise<BigUint64Array | undefined> {
  const conditions = externalConditions(source.query) as ValueCondition[]
  if (conditions.length === 0) return undefined
  const parts: BigUint64Array[] = []
  for (let from = 0; from < conditions.length; from += WORD_BITS) {
    const part = conditions.slice(from, from + WORD_BITS)
    parts.push(await decideWord({ session, source, task, options }, part))
  }
  return parts.length === 1 ? parts[0] : interleave(parts, externalWidth(conditions.length))
}

function interleave(parts: readonly BigUint64Array[], width: number): BigUint64Array {
  const words = new BigUint64Array(parts[0]!.length * width)
  for (const [place, part] of parts.entries()) {
    for (let actor = 0; actor < part.length; actor++) words[actor * width + place] = part[actor]!
  }
  return words
}

/** One word for each actor, for as many conditions as it has bits at most. */
async function decideWord(target: TargetTask, conditions: readonly ValueCondition[]): Promise<BigUint64Array> {
  const { session, source, task, options } = target
  const bindings = new Bindings()
  const { sql, isFinal } = wordsSql(source, task, conditions, bindings)
  const running = { ...options, params: bindings.values }
  if (isFinal) return await readWords(session, `SELECT word FROM (${sql}) ORDER BY a`, running)
  await session.run(
    `CREATE OR REPLACE TEMP TABLE ${EXACT_WORDS} AS SELECT row_number() OVER (ORDER BY a) - 1 AS place, * FROM (${sql})`,
    running,
  )
  const words = await readWords(session, `SELECT word FROM ${EXACT_WORDS} ORDER BY place`, options)
  await decideExactly(target, conditions, words)
  await session.run(`DROP TABLE ${EXACT_WORDS}`, options)
  return words
}

async function readWords(session: Session, sql: string, options: RunOptions): Promise<BigUint64Array> {
  const result = await session.run(sql, options)
  const words = new BigUint64Array(result.rowCount)
  let at = 0
  for (let k = 0; k < result.chunkCount; k++) {
    const chunk = result.getChunk(k)
    const { items } = chunk.getColumnVector(0) as unknown as { items: BigUint64Array }
    words.set(items.subarray(0, chunk.rowCount), at)
    at += chunk.rowCount
  }
  return words
}

/** How a condition is decided from aggregates over an actor's rows. */
interface Decision {
  /** Boolean, never null, among actors with a matching row. */
  holds: string
  /** True for actors whom `holds` does not decide; absent when it decides all of them. */
  unsure?: string
}

/** SELECT of `a` (the actor), `word` and `unsure`: the same bits, for conditions that are still to be decided. */
function wordsSql(
  source: RowSource,
  task: ActorTask,
  conditions: readonly ValueCondition[],
  bindings: Bindings,
): { sql: string; isFinal: boolean } {
  const builder = new Builder(source, bindings)
  const decided = conditions.map((condition) => ({ condition, ...decisionOf(builder, condition) }))
  const bits = decided.map(({ condition: { predicate, includeZero }, holds, unsure }) => {
    const decision = unsure === undefined ? holds : `(${holds} AND NOT ${unsure})`
    return `(CASE WHEN ${builder.found(predicate)} THEN ${decision} ELSE ${includeZero} END)`
  })
  const unsure = decided.map(({ condition, unsure }) =>
    unsure === undefined ? 'false' : `(${builder.found(condition.predicate)} AND ${unsure})`,
  )
  const rows = rowsInside(source, task.files, bindings)
  const sql = `SELECT a, ${wordSql(bits)} AS word, ${wordSql(unsure)} AS unsure FROM (${builder.grouped(rows)})`
  return { sql, isFinal: decided.every((decision) => decision.unsure === undefined) }
}

function wordSql(bits: readonly string[]): string {
  return bits.map((bit, k) => `(CASE WHEN ${bit} THEN ${1n << BigInt(k)} ELSE 0 END)::UBIGINT`).join(' | ')
}

/** Collects the columns and aggregates that decisions need, each once, and writes the statement around them. */
class Builder {
  readonly source: RowSource
  readonly bindings: Bindings
  readonly #inner = new Map<string, string>()
  readonly #outer = new Map<string, string>()
  readonly #matches = new Map<number, string>()

  constructor(source: RowSource, bindings: Bindings) {
    this.source = source
    this.bindings = bindings
  }

  /** The name of an expression over a row. */
  value(sql: string): string {
    return named(this.#inner, 'x', sql)
  }

  /** The name of an expression over an actor's rows, which may use names of values. */
  aggregate(sql: string): string {
    return named(this.#outer, 'g', sql)
  }

  /** The name of whether a row satisfies a predicate. */
  matches(predicate: number): string {
    const known = this.#matches.get(predicate)
    if (known !== undefined) return known
    const name = this.value(predicateSql(this.source.query.predicates[predicate]!, this.bindings.bind))
    this.#matches.set(predicate, name)
    return name
  }

  /** The name of whether any row satisfies a predicate. */
  found(predicate: number): string {
    return this.aggregate(`bool_or(${this.matches(predicate)})`)
  }

  grouped(rows: string): string {
    const list = (names: Map<string, string>) => [...names].map(([sql, name]) => `, ${sql} AS ${name}`).join('')
    const values = `SELECT ${quoteIdentifier(this.source.actor)} AS a${list(this.#inner)} FROM (${rows})`
    return `SELECT a${list(this.#outer)} FROM (${values}) GROUP BY a`
  }
}

function named(names: Map<string, string>, prefix: string, sql: string): string {
  const known = names.get(sql)
  if (known !== undefined) return known
  const name = `${prefix}${names.size}`
  names.set(sql, name)
  return name
}

function decisionOf(builder: Builder, condition: ValueCondition): Decision {
  const { target, predicate } = condition
  const filter = `FILTER (${builder.matches(predicate)})`
  switch (target.type) {
    case 'distinct':
      return distinctDecision(builder, target, filter)
    case 'min':
    case 'max':
      return boundDecision(builder, target, filter)
    default:
      return isFloat(target.columnType)
        ? floatDecision(builder, target, filter)
        : wholeDecision(builder, target, filter)
  }
}

/** The value of the target's column in a row; NaN counts as null. */
function presentValue(builder: Builder, { columnType, path }: ValueTarget): string {
  const column = columnSql({ path })
  return builder.value(isFloat(columnType) ? `CASE WHEN isnan(${column}) THEN NULL ELSE ${column} END` : column)
}

function distinctDecision(builder: Builder, target: ValueTarget, filter: string): Decision {
  const count = builder.aggregate(`count(DISTINCT ${presentValue(builder, target)}) ${filter}`)
  return { holds: compareSql(target, wholeThresholds(target.value, 0), count) }
}

function compareSql({ op }: ValueTarget, { atLeast, above }: Thresholds, total: string, rows?: string): string {
  return comparisonSql(op, reachesSql(total, atLeast, rows), reachesSql(total, above, rows))
}

function boundDecision(builder: Builder, target: ValueTarget, filter: string): Decision {
  const { type, columnType, op, literal } = target
  const bound = builder.aggregate(`${type}(${presentValue(builder, target)}) ${filter}`)
  const path = [bound]
  const compared: Predicate = {
    kind: 'compare',
    column: bound,
    path,
    type: columnType,
    operator: op,
    literal: literal!,
  }
  return { holds: `(${bound} IS NOT NULL AND ${predicateSql(compared, builder.bindings.bind)})` }
}

function wholeDecision(builder: Builder, target: ValueTarget, filter: string): Decision {
  const { type, columnType, value } = target
  const column = presentValue(builder, target)
  const thresholds = wholeThresholds(value, scaleOf(columnType))
  const sum = `${wholeSumSql(column, columnType)} ${filter}`
  if (type === 'sum') {
    if (isWide(columnType))
      return { holds: wideSql(target, thresholds, builder.aggregate(`coalesce(${sum}, 0::BIGNUM)`)) }
    const total = builder.aggregate(`coalesce(${unscaledSql(sum, columnType)}, 0)`)
    return { holds: compareSql(target, thresholds, total) }
  }
  const rows = builder.aggregate(`count(${column}) ${filter}`)
  if (isWide(columnType)) return { holds: 'false', unsure: `${rows} > 0` }
  const total = builder.aggregate(unscaledSql(sum, columnType))
  return { holds: `(${rows} > 0 AND ${compareSql(target, thresholds, total, rows)})` }
}

function wideSql({ op }: ValueTarget, { atLeast, above }: Thresholds, total: string): string {
  const reaches = (threshold: Threshold) => `(${total} >= CAST('${leastWhole(threshold)}' AS BIGNUM))`
  return comparisonSql(op, reaches(atLeast), reaches(above))
}

/** Floats are added up as integers of one unit; a value that is none, or too great, leaves the actor undecided. */
function floatDecision(builder: Builder, target: ValueTarget, filter: string): Decision {
  const bin = usualBin(builder.source, target)
  const { scaled, fits } = binSql(`CAST(${columnSql(target)} AS DOUBLE)`, bin)
  const column = presentValue(builder, target)
  const term = builder.value(`CASE WHEN ${fits} THEN CAST(${scaled} AS HUGEINT) END`)
  const total = builder.aggregate(`coalesce(sum(${term}) ${filter}, 0)`)
  const unsure = builder.aggregate(`coalesce(bool_or(${column} IS NOT NULL AND ${term} IS NULL) ${filter}, false)`)
  const thresholds = roundedThresholds(target.value, binPower(bin))
  if (target.type === 'sum') return { holds: compareSql(target, thresholds, total), unsure }
  const rows = builder.aggregate(`count(${column}) ${filter}`)
  return { holds: `(${rows} > 0 AND ${compareSql(target, thresholds, total, rows)})`, unsure }
}

/** Bins outside of which a float has more binary digits than its integers in SQL may. */
const [LEAST_BIN, GREATEST_BIN] = [-2, 3]

/** The bin that takes the greatest value of the column, as far as the statistics of files know it. */
function usualBin({ table: { snapshot } }: RowSource, { path }: ValueTarget): number {
  const column = snapshot.schema.columns.find(({ name }) => name === path[0])
  const bounds = snapshot.files.flatMap((file) => {
    const { lower, upper } = (column && path.length === 1 && file.columns.get(column.id)) || {}
    return [lower, upper].filter((bound) => typeof bound === 'number').map(Math.abs)
  })
  const size = bounds.reduce((most, bound) => Math.max(most, bound), 0)
  if (size === 0 || !Number.isFinite(size)) return 0
  return Math.min(GREATEST_BIN, Math.max(LEAST_BIN, binOfSize(size)))
}
