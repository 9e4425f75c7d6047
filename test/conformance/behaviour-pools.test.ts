/** Behavioural queries on the pools of a process: what they answer is what the process answers by itself, and an end is heard. */
import { existsSync, readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery, Step } from '../../src/behaviour/types.ts'
import { isSkepError } from '../../src/errors.ts'
import { comparable } from '../oracle/document.ts'
import { PlanRunner } from '../oracle/run-plan.ts'
import { type Lab, openLab } from './import-lab.ts'

const ROWS = 20_000
const EVENTS = (from: number) => `SELECT 'u' || hash(i) % 1500 AS who, CAST(hash(i, 1) % 100000 AS BIGINT) AS ts,
  ['a', 'b', 'c', NULL][CAST(1 + hash(i, 2) % 4 AS INTEGER)] AS event, (hash(i, 3) % 1000)::DOUBLE / 10 AS price,
  (hash(i, 4) % 90)::DECIMAL(38,2) AS paid FROM range(${from}, ${from + ROWS / 2}) t(i)`
const KEYS = { actor: 'who', time: 'ts' }

let lab: Lab
let runner: PlanRunner
beforeAll(async () => {
  lab = await openLab()
  const paths = [await lab.write(EVENTS(0), 'events/a.parquet'), await lab.write(EVENTS(ROWS / 2), 'events/b.parquet')]
  await lab.warehouse.import('stored', paths, { ...KEYS, buckets: 8 })
  await lab.warehouse.register('scattered', `${lab.dir}/events`, KEYS)
  runner = new PlanRunner(lab.root, { splitRows: 3500, rowGroupRows: 2048, threads: 2, directRows: 0, inlineRows: 100 })
})
afterAll(async () => {
  await runner[Symbol.asyncDispose]()
  await lab.close()
})

/** What of any exchange is still there. */
function leftovers(): string[] {
  const folder = `${lab.root}/.exchange`
  return existsSync(folder) ? readdirSync(folder) : []
}

const step = (event: string): Step => ({ filter: ['event', '==', event] })
const SEQUENCE: [Step, ...Step[]] = [step('a'), { ...step('b'), optional: true }, step('c')]
const QUERIES: Record<string, BehaviouralQuery> = {
  'a funnel': { funnel: { sequence: SEQUENCE, within: 5000 } },
  'a target over values': { query: { conditions: [{ ...step('a'), target: ['sum', 'paid', '>', 300] }] } },
  'held columns': { query: { conditions: [{ sequence: SEQUENCE, hold: 'paid' }] } },
  'aggregations at every place': {
    timeframe: { from: 10_000, to: 90_000 },
    query: {
      aggregations: [
        { column: 'event' },
        { column: 'who', type: 'distinct' },
        { column: 'paid', type: 'quantiles', q: [0.25, 0.5] },
      ],
    },
    funnel: {
      sequence: SEQUENCE,
      stepAggregations: [
        { column: 'paid', type: 'sum' },
        { column: 'who', type: 'sumPerValue', otherColumn: 'price' },
      ],
      endAggregations: [
        { column: 'price', type: 'mean' },
        { column: 'ts', type: 'min' },
      ],
    },
  },
}

describe.each(['stored', 'scattered'])('actors that are %s', (name) => {
  test.each(['inline', 'threads'] as const)('on the pool "%s"', async (pool) => {
    const table = await runner.load(name)
    for (const [what, query] of Object.entries(QUERIES)) {
      const { result, plan } = await runner.query(table, query, pool)
      const local = await lab.warehouse.query(name, query)
      expect(comparable(result), what).toEqual(comparable(local))
      expect(plan.stages.map(({ id }) => id)).toEqual(name === 'stored' ? ['behaviour'] : ['scan', 'behaviour'])
      expect(plan.stages.at(-1)!.tasks.length).toBeGreaterThan(3)
      const { scannedRows, scannedGroups } = local.stats
      expect(result.stats).toMatchObject({ scannedRows, scannedGroups })
    }
    expect(leftovers()).toEqual([])
  })

  test.each(['inline', 'threads'] as const)('an end is heard on the pool "%s"', async (pool) => {
    const table = await runner.load(name)
    const stopping = new AbortController()
    const running = runner.query(table, QUERIES['aggregations at every place']!, pool, stopping.signal)
    let abortedMs = 0
    setTimeout(() => {
      abortedMs = performance.now()
      stopping.abort()
    }, 20)
    const error = await running.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(isSkepError(error, 'CANCELLED')).toBe(true)
    expect(performance.now() - abortedMs).toBeLessThan(3000)
    expect(leftovers()).toEqual([])
    const { result } = await runner.query(table, QUERIES['a funnel']!, pool)
    expect(comparable(result)).toEqual(comparable(await lab.warehouse.query(name, QUERIES['a funnel']!)))
  })
})
