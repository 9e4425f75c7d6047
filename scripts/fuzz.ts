/**
 * The property tests of behavioural queries, run for longer: `node scripts/fuzz.ts [runs] [seed]`.
 *
 * `runs` cases go through the whole product (1,000 when absent), fifty times as many through the kernel alone. A failure
 * prints the smallest case that was found, and the seed that leads to it again.
 */
import fc from 'fast-check'
import { checkKernelCase, crossingCases, kernelCases, sequenceCases, wordCases } from '../test/oracle/run-kernel.ts'
import { checkStackCase, Stack, stackCases } from '../test/oracle/run-stack.ts'

const QUERIES_PER_TABLE = 10
const KERNEL_CASES_PER_RUN = 50

async function fuzz(runs: number, seed: number): Promise<void> {
  console.log(`${runs} runs, seed ${seed}`)
  const kernel = { numRuns: runs * KERNEL_CASES_PER_RUN, seed }
  const kinds = [kernelCases(), sequenceCases(), crossingCases(), wordCases()]
  for (const cases of kinds) fc.assert(fc.property(cases, checkKernelCase), kernel)
  console.log(`${kinds.length * kernel.numRuns} cases of the kernel agree`)
  await using stack = await Stack.open()
  const property = fc.asyncProperty(stackCases(QUERIES_PER_TABLE), (example) => checkStackCase(stack, example))
  await fc.assert(property, { numRuns: runs, seed })
  console.log(`${runs * QUERIES_PER_TABLE} queries on ${runs} tables agree`)
}

await fuzz(Number(process.argv[2] ?? 1000), Number(process.argv[3] ?? Date.now() % 2 ** 31))
