/**
 * The naive implementation of behavioural queries: per actor, every combination of rows. It shares nothing with the
 * product but the types of queries, and answers with what the specification says, not with what the product does.
 */
import type { BehaviouralQuery, RowsCondition, SequenceClause, SequenceCondition } from '../../src/behaviour/types.ts'
import { aggregateRows, type OracleAggregation } from './aggregation.ts'
import { evaluateRelation } from './relation.ts'
import { conditionHolds, placeOf, rowMatches } from './rows.ts'
import { type OracleSequence, type OracleStep, type Passed, passedBy } from './sequence.ts'
import { spanOf } from './spans.ts'
import { type Cell, fractionOf, fractionOfLiteral, holds, isMissing, keyText, type OracleTable } from './table.ts'

/** What the actors of one place of the result have. */
export interface OracleMatch {
  matchingGroups: number
  matchingGroupRows: number
  aggregations?: OracleAggregation[]
}

/** A warning without its words: `rows` is the number that its message must name. */
export interface OracleWarning {
  code: string
  path?: string
  rows?: number
}

/** The expected result of a query, its statistics left out. */
export interface OracleDocument {
  query: OracleMatch
  funnel?: {
    sequence: (OracleMatch & { index: number; name?: string; conversionRate?: number; stepRate?: number })[]
    endAggregations?: OracleAggregation[]
  }
  warnings: OracleWarning[]
}

/** The answer to a valid query. */
export function answer(table: OracleTable, query: BehaviouralQuery): OracleDocument {
  const owned = ownedRows(table)
  const rows = owned.filter((row) => isInside(table, query.timeframe, row))
  const actors = [...Map.groupBy(rows, (row) => row[placeOf(table, table.actor)]!).values()]
  const matching = actors.filter((actor) => relationHolds(table, query, actor))
  return {
    query: match(table, matching, query.query?.aggregations),
    ...(query.funnel ? { funnel: answerFunnel(table, query.funnel, matching) } : {}),
    warnings: [...unusedConditions(query), ...dataWarnings(table, query, owned)],
  }
}

/** Rows that belong to an actor: neither actor nor time is missing. */
function ownedRows(table: OracleTable): Cell[][] {
  const keys = [placeOf(table, table.actor), placeOf(table, table.time)]
  return table.rows.filter((row) => keys.every((place) => !isMissing(row[place]!)))
}

function isInside(table: OracleTable, timeframe: BehaviouralQuery['timeframe'], row: Cell[]): boolean {
  const place = placeOf(table, table.time)
  const { type } = table.columns[place]!
  const time = row[place] as bigint | number
  const { from, to } = timeframe ?? {}
  const compares = (op: string, bound: number | bigint | string) =>
    holds(fractionOf(time, type), op, fractionOfLiteral(bound, type))
  return (from === undefined || compares('>=', from)) && (to === undefined || compares('<', to))
}

function conditionsOf(query: BehaviouralQuery): readonly (RowsCondition | SequenceCondition)[] {
  return query.query?.conditions ?? []
}

function relationOf(query: BehaviouralQuery): string {
  return query.query?.relation ?? 'and'
}

function relationHolds(table: OracleTable, query: BehaviouralQuery, rows: Cell[][]): boolean {
  const conditions = conditionsOf(query)
  if (conditions.length === 0) return true
  const holdsAt = (index: number) => {
    const condition = conditions[index]!
    if (!('sequence' in condition)) return conditionHolds(table, condition as RowsCondition, rows)
    return passed(table, condition, rows).required === requiredSteps(condition)
  }
  return evaluateRelation(
    relationOf(query),
    conditions.map(({ name }) => name),
    holdsAt,
  ).value
}

function unusedConditions(query: BehaviouralQuery): OracleWarning[] {
  const conditions = conditionsOf(query)
  if (conditions.length === 0) return []
  const names = conditions.map(({ name }) => name)
  const { used } = evaluateRelation(relationOf(query), names, () => true)
  return conditions.flatMap((_, index) =>
    used.has(index) ? [] : [{ code: 'UNUSED_CONDITION', path: `/query/conditions/${index}` }],
  )
}

function dataWarnings(table: OracleTable, { timeframe }: BehaviouralQuery, owned: Cell[][]): OracleWarning[] {
  const lost = table.rows.length - owned.length
  const { from, to } = timeframe ?? {}
  const none = (bounds: BehaviouralQuery['timeframe']) => !owned.some((row) => isInside(table, bounds, row))
  const isOutside = (from !== undefined && none({ from })) || (to !== undefined && none({ to }))
  return [
    ...(lost > 0 ? [{ code: 'ROWS_WITHOUT_ACTOR_OR_TIME', rows: lost }] : []),
    ...(isOutside ? [{ code: 'TIMEFRAME_OUTSIDE_DATA', path: '/timeframe' }] : []),
  ]
}

function requiredSteps({ sequence }: SequenceClause): number {
  return sequence.filter(({ rowFound, optional }) => rowFound !== false && !optional).length
}

/** The places of the steps that are not negative. */
export function positiveSteps({ sequence }: SequenceClause): number[] {
  return sequence.flatMap(({ rowFound }, index) => (rowFound === false ? [] : [index]))
}

/** What an actor passes of a sequence: the best of its series. */
function passed(table: OracleTable, clause: SequenceClause, rows: Cell[][]): Passed {
  const time = placeOf(table, table.time)
  const sequence = sequenceOf(table, clause)
  const all = seriesOf(table, clause.hold, rows).map((series) => {
    const timed = series.map((row) => ({
      time: row[time] as bigint | number,
      matches: clause.sequence.map((step) => rowMatches(table, step, row)),
    }))
    return passedBy(sequence, timed)
  })
  return {
    required: Math.max(0, ...all.map(({ required }) => required)),
    optional: new Set(all.flatMap(({ optional }) => [...optional])),
  }
}

function sequenceOf(table: OracleTable, clause: SequenceClause): OracleSequence {
  const { sequence, within, maxDuration, order = 'ordered', ties = 'never', sameRow = false } = clause
  const steps = sequence.map((step): OracleStep => {
    const kind = step.rowFound === false ? 'negative' : step.optional ? 'optional' : 'required'
    return { kind, within: spanOf(table, step.within), after: spanOf(table, step.after) }
  })
  return { steps, within: spanOf(table, within ?? maxDuration), order, ties, sameRow }
}

/** The actor's rows, apart for each combination of held values; rows that lack one are in none. */
function seriesOf(table: OracleTable, hold: SequenceClause['hold'], rows: Cell[][]): Cell[][][] {
  const names = hold === undefined ? [] : typeof hold === 'string' ? [hold] : hold
  const places = names.map((name) => placeOf(table, name))
  const whole = rows.filter((row) => places.every((place) => !isMissing(row[place]!)))
  const keyOf = (row: Cell[]) => JSON.stringify(places.map((place) => keyText(row[place]!, table.columns[place]!.type)))
  return [...Map.groupBy(whole, keyOf).values()]
}

function match(table: OracleTable, actors: Cell[][][], clauses?: Parameters<typeof aggregateRows>[1]): OracleMatch {
  const rows = actors.flat()
  const aggregations = aggregateRows(table, clauses, rows)
  return {
    matchingGroups: actors.length,
    matchingGroupRows: rows.length,
    ...(aggregations ? { aggregations } : {}),
  }
}

function answerFunnel(
  table: OracleTable,
  funnel: NonNullable<BehaviouralQuery['funnel']>,
  actors: Cell[][][],
): NonNullable<OracleDocument['funnel']> {
  const levels = new Map(actors.map((rows) => [rows, passed(table, funnel, rows)]))
  const reaches = (required: number) => actors.filter((rows) => levels.get(rows)!.required >= required)
  let required = 0
  let before: number | undefined
  const first = reaches(1).length
  const sequence = positiveSteps(funnel).map((index) => {
    const { name, optional } = funnel.sequence[index]!
    const own = optional ? actors.filter((rows) => levels.get(rows)!.optional.has(index)) : reaches(++required)
    const step = {
      index,
      ...(name ? { name } : {}),
      ...match(table, own, funnel.stepAggregations),
      ...(first > 0 ? { conversionRate: own.length / first } : {}),
      ...(before ? { stepRate: own.length / before } : {}),
    }
    if (!optional) before = own.length
    return step
  })
  const endAggregations = aggregateRows(table, funnel.endAggregations, reaches(required).flat())
  return { sequence, ...(endAggregations ? { endAggregations } : {}) }
}
