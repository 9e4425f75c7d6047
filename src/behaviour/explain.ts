/** What a query means, in words, and which predicates it asks of every row. */
import { isFloat } from '../common/data-type.ts'
import { columnWords, rowsWords, sequenceWords, targetWords } from './explain-words.ts'
import { shown } from './json.ts'
import { predicateSql } from './predicate-sql.ts'
import type { ExpandedAggregation, ExpandedCondition, ExpandedRowFilter } from './types.ts'
import type { Condition, QueryTable, ValidQuery } from './validate.ts'

/** One bit of the mask of a row. */
export interface PredicateExplanation {
  bit: number
  /** In words. */
  filter: string
  /** The conditions and steps that use it: `$0`, `$1 step 2`, `funnel step 1`. Steps count as they are written. */
  usedBy: string[]
  /** As the engine computes it, with placeholders for values. */
  sql: string
  /** What stands for `$1`, `$2` and so on. Integers beyond the exact range of numbers are text. */
  parameters: (string | number | boolean)[]
}

/** A query, explained. */
export interface QueryExplanation {
  /** Sentences, in the order in which the query is decided. */
  words: string[]
  /** In the order of their bits. */
  predicates: PredicateExplanation[]
}

/** The explanation of a query on a table. It depends on the query and the table's columns alone. */
export function explainQuery(query: ValidQuery, table: QueryTable): QueryExplanation {
  const { keys } = table
  const unit = unitWords(table)
  return {
    words: [
      ...scopeWords(query, keys),
      ...query.conditions.flatMap((condition) => conditionWords(query, condition, unit)),
      relationWords(query),
      ...funnelWords(query, unit),
      ...aggregationWords(query),
    ],
    predicates: explainPredicates(query),
  }
}

/** What numbers as spans of time are followed by. */
function unitWords({ columns, keys: { time = '', timeUnit } }: QueryTable): string {
  if (timeUnit !== undefined) return ` ${timeUnit}`
  const column = columns.find(({ name }) => name === time)
  return column && isFloat(column.type) ? ' s' : ` in the unit of ${columnWords(time)}`
}

function scopeWords({ expanded: { timeframe } }: ValidQuery, { actor = '', time = '' }: QueryTable['keys']): string[] {
  const { from, to } = timeframe ?? {}
  const bounds = [
    ...(from === undefined ? [] : [`from ${shown(from)} on`]),
    ...(to === undefined ? [] : [`before ${shown(to)}`]),
  ]
  const inside = bounds.length === 0 ? '' : ` Only rows with ${columnWords(time)} ${bounds.join(' and ')} count.`
  return [`Actors are the values of ${columnWords(actor)}; ${columnWords(time)} orders their rows.${inside}`]
}

function conditionLabel({ index, name }: Condition): string {
  return `$${index}${name === undefined ? '' : ` ("${name}")`}`
}

function expandedOf({ expanded }: ValidQuery, { index }: Condition): ExpandedCondition {
  return expanded.query!.conditions![index]!
}

function conditionWords(query: ValidQuery, condition: Condition, unit: string): string[] {
  const expanded = expandedOf(query, condition)
  const label = `Condition ${conditionLabel(condition)}`
  if (condition.kind === 'sequence' && 'sequence' in expanded) {
    const head = `${label} holds for an actor that passes the last required step of this sequence:`
    return [head, ...sequenceWords({ sequence: condition.sequence, expanded, unit }).map((line) => `  ${line}`)]
  }
  if (!('target' in expanded)) return []
  const { target, includeZero = false } = expanded
  return [`${label} holds for an actor that ${targetWords(rowsWords(expanded), target, includeZero)}.`]
}

function relationWords({ conditions, expanded }: ValidQuery): string {
  if (conditions.length === 0) return 'Every actor matches.'
  const relation = expanded.query?.relation ?? conditions.map(({ index }) => `$${index}`).join(' and ')
  return `An actor matches when ${relation} holds.`
}

function funnelWords({ funnel, expanded }: ValidQuery, unit: string): string[] {
  if (!funnel) return []
  const lines = sequenceWords({ sequence: funnel.sequence, expanded: expanded.funnel!, unit })
  return ['The funnel is judged on the actors that match:', ...lines.map((line) => `  ${line}`)]
}

function aggregationWords({ expanded: { query, funnel } }: ValidQuery): string[] {
  const places: [string, ExpandedAggregation[] | undefined][] = [
    ['of the actors that match', query?.aggregations],
    ['of the actors of each step of the funnel', funnel?.stepAggregations],
    ['of the actors of the last required step', funnel?.endAggregations],
  ]
  return places.flatMap(([whose, aggregations = []]) => {
    if (aggregations.length === 0) return []
    const list = aggregations.map(({ type, column, otherColumn }) => {
      return `${type}(${[column, ...(otherColumn === undefined ? [] : [otherColumn])].map(columnWords).join(', ')})`
    })
    return [`Over all rows ${whose}: ${list.join(', ')}.`]
  })
}

function explainPredicates(query: ValidQuery): PredicateExplanation[] {
  const uses = usesOf(query)
  return query.predicates.map((predicate, bit) => {
    const own = uses.filter((use) => use.predicate === bit)
    const parameters: PredicateExplanation['parameters'] = []
    const sql = predicateSql(predicate, (value) => {
      parameters.push(typeof value === 'bigint' ? plainInteger(value) : value)
      return `$${parameters.length}`
    })
    const filter = own.length === 0 ? '' : rowsWords(own[0]!.rows)
    return { bit, filter, usedBy: own.map(({ place }) => place), sql, parameters }
  })
}

function plainInteger(value: bigint): number | string {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value.toString()
}

interface Use {
  predicate: number
  rows: ExpandedRowFilter
  place: string
}

function usesOf(query: ValidQuery): Use[] {
  const ofConditions = query.conditions.flatMap((condition): Use[] => {
    const expanded = expandedOf(query, condition)
    if (condition.kind === 'sequence' && 'sequence' in expanded) {
      return condition.sequence.steps.map(({ predicate, index }) => {
        return { predicate, rows: expanded.sequence[index]!, place: `$${condition.index} step ${index + 1}` }
      })
    }
    if (condition.kind === 'sequence' || 'sequence' in expanded) return []
    return [{ predicate: condition.predicate, rows: expanded, place: `$${condition.index}` }]
  })
  const ofFunnel = (query.funnel?.sequence.steps ?? []).map(({ predicate, index }): Use => {
    return { predicate, rows: query.expanded.funnel!.sequence[index]!, place: `funnel step ${index + 1}` }
  })
  return [...ofConditions, ...ofFunnel]
}
