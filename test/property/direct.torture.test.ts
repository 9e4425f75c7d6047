/** Direct queries and the engine agree: random rows, stored in random ways, asked random questions. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkStackCase, Stack, stackCases } from '../oracle/run-stack.ts'
import { queryText } from '../oracle/text.ts'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { directCases, directQueries, expectedReader } from './direct-cases.ts'
import { compareReaders, DirectLab } from './direct-lab.ts'
import { removeCase, storeCase, storedFacts } from './direct-store.ts'

let lab: DirectLab
beforeAll(async () => {
  lab = await DirectLab.open()
})
afterAll(async () => {
  await lab[Symbol.asyncDispose]()
})

const QUERIES = 5
/** A failure is reported with the smallest case that was found by then, before the test itself runs out of time. */
const ENDING = { interruptAfterTimeLimit: tortureTimeout(240_000), seed: tortureSeed() }

test(
  'whatever the rows, their files and the query: both readers give the same document, and the right one is taken',
  async () => {
    const taken = { direct: 0, engine: 0 }
    const cases = directCases().chain((example) =>
      fc.tuple(fc.constant(example), fc.array(directQueries(example), { minLength: QUERIES, maxLength: QUERIES })),
    )
    const property = fc.asyncProperty(cases, async ([example, queries]) => {
      const name = await storeCase(lab, example)
      const facts = await storedFacts(lab, name, example)
      for (const query of queries) {
        const { reader, files } = await compareReaders(lab, name, query, { threads: example.layout.threads })
        taken[reader]++
        const expected = expectedReader(example, { ...facts, files }, query) ?? reader
        expect(`${reader} ${queryText(query)}`).toBe(`${expected} ${queryText(query)}`)
      }
      await removeCase(lab, name, example)
    })
    await fc.assert(property, { ...ENDING, numRuns: runs(12, 2500) })
    expect(taken.direct / (taken.direct + taken.engine), JSON.stringify(taken)).toBeGreaterThan(0.5)
  },
  tortureTimeout(300_000),
)

test(
  'small tables of every kind: direct queries are answered as the oracle answers them',
  async () => {
    await using stack = await Stack.open({ SKEP_ROW_GROUP_ROWS: '2048', SKEP_DIRECT_ROWS: '0' })
    const property = fc.asyncProperty(stackCases(8), (example) => checkStackCase(stack, example))
    await fc.assert(property, { ...ENDING, numRuns: runs(12, 1500) })
  },
  tortureTimeout(300_000),
)
