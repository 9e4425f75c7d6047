/** Aggregations over the rows of passing actors: few scans for all of them, cut and ranked exactly. */
import type { AggregationResult } from '../behaviour/result.ts'
import type { Aggregation } from '../behaviour/typing.ts'
import type { DataFile } from '../catalog/types.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import type { RowSource } from '../worker/actor-rows.ts'
import { classifyActors, makeTables, PASSING, type Reading } from '../worker/aggregation-tables.ts'
import { readValue } from './aggregation-values.ts'

export { PASSING }

/** Aggregations over the rows of some of the actors. */
export interface AggregationScope {
  /** SQL over the columns of {@link PASSING} beside the actor: whom the scope covers. */
  condition: string
  aggregations: readonly Aggregation[]
}

/** The results of each scope, in the order of its aggregations. {@link PASSING} has been filled. */
export async function aggregate(
  session: Session,
  source: RowSource,
  files: readonly DataFile[],
  scopes: readonly AggregationScope[],
  options: RunOptions,
): Promise<AggregationResult[][]> {
  const context = { session, source, files, options }
  const classes = await classifyActors(
    context,
    scopes.map(({ condition }) => condition),
  )
  const tables = await makeTables(
    context,
    scopes.flatMap(({ aggregations }) => aggregations),
  )
  const results: AggregationResult[][] = []
  for (const [k, { aggregations }] of scopes.entries()) {
    const covered = classes[k]!.length === 0 ? 'false' : `class IN (${classes[k]!.join(', ')})`
    results.push(await readScope({ ...context, tables, covered }, aggregations))
  }
  return results
}

async function readScope(reading: Reading, aggregations: readonly Aggregation[]): Promise<AggregationResult[]> {
  const results: AggregationResult[] = []
  for (const aggregation of aggregations) {
    const { column, type, name, otherColumn } = aggregation
    results.push({
      column,
      type,
      ...(name === undefined ? {} : { name }),
      ...(otherColumn === undefined ? {} : { otherColumn }),
      ...(await readValue(reading, aggregation)),
    })
  }
  return results
}
