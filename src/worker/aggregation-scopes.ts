/** The places of a query that have aggregations, and whom each of them covers. */
import { positiveSteps } from '../behaviour/kernel.ts'
import type { Aggregation } from '../behaviour/typing.ts'
import type { ValidQuery } from '../behaviour/validate.ts'
import { type Aggregating, classifyActors, makeTables } from './aggregation-tables.ts'

/** Aggregations over the rows of some of the actors. */
export interface AggregationScope {
  /** SQL over the columns of the table of passing actors beside the actor: whom the scope covers. */
  condition: string
  aggregations: readonly Aggregation[]
}

/** A place of a query that has aggregations. */
export interface Place extends AggregationScope {
  place: 'query' | 'step' | 'end'
  /** Which positive step. */
  position: number
}

/** The places of a query that have aggregations, in the order of the query. */
export function aggregationScopes(query: ValidQuery): Place[] {
  const { aggregations } = query
  const steps = positiveSteps(query)
  let required = 0
  let optional = 0
  const stepScopes = steps.map((step, position): Place => {
    const condition = step.optional ? `((matched >> ${optional++}) & 1) = 1` : `level >= ${++required + 1}`
    return { place: 'step', position, condition, aggregations: aggregations.step }
  })
  const all: Place[] = [
    { place: 'query', position: 0, condition: 'level >= 1', aggregations: aggregations.query },
    ...stepScopes,
    { place: 'end', position: 0, condition: `level >= ${required + 1}`, aggregations: aggregations.end },
  ]
  return all.filter((scope) => scope.aggregations.length > 0)
}

/** Makes the tables that the aggregations of all scopes are read from. The table of passing actors has been filled. */
export async function makeScopeTables(context: Aggregating, scopes: readonly AggregationScope[]): Promise<void> {
  await classifyActors(
    context,
    scopes.map(({ condition }) => condition),
  )
  await makeTables(
    context,
    scopes.flatMap(({ aggregations }) => aggregations),
  )
}
