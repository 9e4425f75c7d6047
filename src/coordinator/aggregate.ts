/** Aggregations over the rows of passing actors: few scans for all of them, cut and ranked exactly. */
import type { AggregationResult } from '../behaviour/result.ts'
import type { Aggregation } from '../behaviour/typing.ts'
import { type AggregationScope, makeScopeTables } from '../worker/aggregation-scopes.ts'
import { type Aggregating, coveredSql, nameTables } from '../worker/aggregation-tables.ts'
import { readValue } from './aggregation-values.ts'
import type { Reading } from './reading.ts'

/** The results of each scope, in the order of its aggregations. The table of passing actors has been filled. */
export async function aggregate(
  context: Aggregating,
  scopes: readonly AggregationScope[],
): Promise<AggregationResult[][]> {
  await makeScopeTables(context, scopes)
  return await readScopes(context, scopes)
}

/** The results of each scope, in the order of its aggregations. The session has the tables of all tasks. */
export async function readScopes(
  { session, options }: Pick<Aggregating, 'session' | 'options'>,
  scopes: readonly AggregationScope[],
): Promise<AggregationResult[][]> {
  const tables = nameTables(scopes.flatMap(({ aggregations }) => aggregations))
  const results: AggregationResult[][] = []
  for (const [k, { aggregations }] of scopes.entries()) {
    results.push(await readScope({ session, options, tables, covered: coveredSql(k, scopes.length) }, aggregations))
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
