import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { querySchema } from '../../src/behaviour/query-schema.ts'
import { expandQuery } from '../../src/behaviour/validate.ts'
import { codeOf, limits } from './behaviour-table.ts'
import { satisfies } from './json-schema.ts'

const schema = querySchema()
const step = { filter: ['event', '==', 'a'] }
const filtered = (filter: unknown) => ({ query: { conditions: [{ filter }] } })
const targeted = (target: unknown) => ({ query: { conditions: [{ ...step, target }] } })
const aggregated = (...aggregations: unknown[]) => ({ query: { aggregations } })
const funnel = (part: object) => ({ funnel: { sequence: [step, step], ...part } })

test('the committed schema is what the tables say', async () => {
  const committed = await readFile(new URL('../../docs/reference/query.schema.json', import.meta.url), 'utf8')
  expect(JSON.parse(committed), 'run `node scripts/query-schema.ts` and commit the result').toEqual(
    JSON.parse(JSON.stringify(schema)),
  )
})

test.each([
  [{}],
  [{ timeframe: { from: 1.5, to: '2026-01-01' }, query: {}, funnel: { sequence: [step] } }],
  [filtered(['a', 'in', ['x', 1, true]])],
  [filtered(['a', 'between', [1, 2]])],
  [filtered(['a', 'is null'])],
  [filtered({ column: 'a', op: 'is not null' })],
  [filtered({ and: [{ or: [['a', 'matches', 'b'], { not: { column: 'a', op: '<', value: 'x' } }] }] })],
  [{ query: { conditions: [{ name: 'andy', filters: [step.filter], includeZero: false }], relation: '$andy' } }],
  [targeted(['count', '==', 0])],
  [targeted(['min', 'a', '<', '2026-01-01'])],
  [targeted({ type: 'distinct', column: 'a', op: '>=', value: 2 })],
  [targeted({ type: 'mean', column: 'a', op: '>=', value: 2.5 })],
  [aggregated({ column: 'a' }, { columns: ['a', 'b'], top: 3 })],
  [aggregated({ column: 'a', type: 'quantiles', q: [0, 0.5, 1], name: 'q' })],
  [aggregated({ column: 'a', type: 'sumPerValue', otherColumn: 'b', top: 10_000 })],
  [funnel({ within: '1.5h', hold: 'a', order: 'strict', ties: 'stepOrder', sameRow: true })],
  [funnel({ within: 'P1DT12H', hold: ['a', 'b'] })],
  [funnel({ maxDuration: 5, order: 'any', sameRow: false })],
  [funnel({ sequence: [step, { ...step, within: 0, after: 'PT0.5S' }, { ...step, optional: true, name: 's' }] })],
  [
    funnel({
      sequence: [{ ...step, rowFound: false }, step],
      stepAggregations: [],
      endAggregations: [{ column: 'a' }],
    }),
  ],
])('%j satisfies it and is valid', (query) => {
  expect(satisfies(query, schema)).toBe(true)
  expect(codeOf(() => expandQuery(query, limits))).toBeUndefined()
})

test.each([
  [[]],
  [{ querry: {} }],
  [{ timeframe: { from: null } }],
  [{ funnel: {} }],
  [{ funnel: { sequence: [] } }],
  [filtered([])],
  [filtered(['a', '=', 1])],
  [filtered(['a', 'in', []])],
  [filtered(['a', 'in', 1])],
  [filtered(['a', 'is null', 1])],
  [filtered(['a', '==', null])],
  [filtered(['a', 'between', [1, 2, 3]])],
  [filtered({ and: [] })],
  [filtered({ and: [step.filter], or: [step.filter] })],
  [filtered({ column: 'a', op: '==' })],
  [{ query: { conditions: [{ ...step, filters: [step.filter] }] } }],
  [{ query: { conditions: [{ ...step, within: 1 }] } }],
  [{ query: { conditions: [{ sequence: [step], target: ['count', '>', 1] }] } }],
  [{ query: { conditions: [{ ...step, name: 'AND' }] } }],
  [{ query: { conditions: [{ ...step, name: '1a' }] } }],
  [targeted(['count', '>', -1])],
  [targeted(['count', 'a', '>', 1])],
  [targeted(['median', 'a', '>', 1])],
  [targeted({ type: 'count', column: 'a', op: '>', value: 1 })],
  [aggregated({ type: 'count' })],
  [aggregated({ column: 'a', columns: ['b'] })],
  [aggregated({ column: 'a', name: 'x' })],
  [aggregated({ columns: ['a'], type: 'count', name: 'x' })],
  [aggregated({ column: 'a', type: 'quantiles' })],
  [aggregated({ column: 'a', type: 'mean', q: [0.5] })],
  [aggregated({ column: 'a', type: 'meanPerValue' })],
  [aggregated({ column: 'a', type: 'sum', top: 3 })],
  [aggregated({ column: 'a', otherColumn: 'b' })],
  [aggregated({ column: 'a', top: 10_001 })],
  [funnel({ within: -1 })],
  [funnel({ within: '1y' })],
  [funnel({ within: 'PT' })],
  [funnel({ within: 'P1M' })],
  [funnel({ within: 1, maxDuration: 1 })],
  [funnel({ sameRow: true })],
  [funnel({ sameRow: true, ties: 'never' })],
  [funnel({ order: 'any', ties: 'stepOrder', sameRow: true })],
  [funnel({ order: 'any', sequence: [step, { ...step, within: 1 }] })],
  [funnel({ order: 'any', sequence: [step, { ...step, rowFound: false }] })],
  [funnel({ hold: [] })],
  [funnel({ sequence: [step, { ...step, rowFound: false, optional: true }] })],
  [funnel({ sequence: [step, { ...step, rowFound: false, within: 1 }] })],
  [funnel({ sequence: [step, { ...step, optional: true, after: 1 }] })],
  [funnel({ sequence: [{ rowFound: true }] })],
])('%j breaks it and is refused', (query) => {
  expect(satisfies(query, schema)).toBe(false)
  expect(codeOf(() => expandQuery(query, limits))).toBe('QUERY_INVALID')
})
