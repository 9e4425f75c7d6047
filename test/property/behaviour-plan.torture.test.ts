/** Behavioural queries as plans: tasks in any order, on another engine, everything between them JSON; against this process and the oracle. */
import { deepStrictEqual } from 'node:assert'
import { readdirSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Settings } from '../../src/config.ts'
import { comparable } from '../oracle/document.ts'
import { answer } from '../oracle/oracle.ts'
import { PlanRunner } from '../oracle/run-plan.ts'
import { Stack, type StackCase, stackCases } from '../oracle/run-stack.ts'
import { queryText } from '../oracle/text.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'

/** Splits of few rows, so that small tables have many tasks; and what travels inline or as objects. */
const SETTINGS: Partial<Settings>[] = [
  { splitRows: 1_000_000, directRows: 0 },
  { splitRows: 8, rowGroupRows: 3, inlineRows: 0, directRows: 0 },
  { splitRows: 14, rowGroupRows: 4, inlineRows: 3, partsMax: 3, directGroupRows: 0 },
]

let stack: Stack
let runners: PlanRunner[]
beforeAll(async () => {
  stack = await Stack.open({ SKEP_ROW_GROUP_ROWS: '2048' })
  const { root } = stack.warehouse()
  runners = SETTINGS.map((settings) => new PlanRunner(root, settings))
})
afterAll(async () => {
  for (const runner of runners) await runner[Symbol.asyncDispose]()
  await stack[Symbol.asyncDispose]()
})

const seen = { exchanged: 0, stored: 0, several: 0, direct: 0, aggregated: 0 }

async function checkPlans({ table, layout, queries }: StackCase, seed: number): Promise<void> {
  const name = await stack.store(table, layout)
  try {
    for (const [k, query] of queries.entries()) {
      const local = await stack.warehouse(layout.threads).query(name, query)
      const expected = comparable(answer(table, query))
      deepStrictEqual(comparable(local), expected, queryText(query))
      for (const runner of runners) {
        const given = k % 2 === 0 ? query : queryText(query)
        const { result, plan, outcomes } = await runner.query(await runner.load(name), given, seed)
        deepStrictEqual(comparable(result), expected, queryText(query))
        const { scannedRows, scannedGroups } = local.stats
        expect(result.stats).toMatchObject({ scannedRows, scannedGroups })
        seen[plan.stages.length > 1 ? 'exchanged' : 'stored']++
        if (outcomes.length > 1) seen.several++
        if (result.stats.reader === 'direct') seen.direct++
        if (outcomes.some(({ tables }) => Object.keys(tables).length > 0)) seen.aggregated++
      }
    }
  } finally {
    await stack.remove(name, layout)
  }
}

test(
  'whatever the table, its layout and the query: tasks in any order give what this process gives, and the oracle',
  async () => {
    const seed = tortureSeed()
    const property = fc.asyncProperty(stackCases(2), fc.nat(), checkPlans)
    await fc.assert(property, { seed, numRuns: runs(12, 600), endOnFailure: true })
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)
    expect(readdirSync(`${stack.warehouse().root}/.exchange`)).toEqual([])
  },
  tortureTimeout(60_000),
)
