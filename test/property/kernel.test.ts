import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Step } from '../../src/behaviour/types.ts'
import {
  allWords,
  checkKernelCase,
  kernelCases,
  kernelCounts,
  sequenceCases,
  wordCases,
  wordsCase,
} from '../oracle/run-kernel.ts'

test('the kernel finds what trying every combination of rows finds', () => {
  fc.assert(fc.property(kernelCases(), checkKernelCase), { numRuns: 3000 })
})

test('funnels with negative steps and windows are exact', () => {
  fc.assert(fc.property(sequenceCases(), checkKernelCase), { numRuns: 5000 })
})

test('of the chains that end at one row, those with the right first rows are found', () => {
  fc.assert(fc.property(wordCases(), checkKernelCase), { numRuns: 3000 })
})

test('every series of up to eight events is decided exactly, with negative steps inside and at the end', () => {
  const words = [0, 1, 2, 3, 4, 5].flatMap(allWords).map((middle) => `A${middle}CY`)
  for (const within of [2, 4, 5]) checkKernelCase(wordsCase(words, ['A', '!X', 'B', 'C', '!Y'], within))
})

test('an actor with 100,000 rows is decided exactly, in time linear in them', () => {
  const rows = Array.from({ length: 100_000 }, (_, k) => [0n, BigInt(k), k % 3 === 0, k % 3 === 1, k === 99_998])
  const columns = [
    ...['user', 'ts'].map((name) => ({ name, type: 'BIGINT' })),
    ...['a', 'b', 'late'].map((name) => ({ name, type: 'BOOLEAN' })),
  ]
  const table = { columns, actor: 'user', time: 'ts', rows }
  const [a, b] = ['a', 'b'].map((flag): Step => ({ filter: [flag, '==', true] }))
  const no = (flag: string): Step => ({ filter: [flag, '==', true], rowFound: false })
  const stepsOf = (maxDuration: number, ...sequence: (Step | undefined)[]) => {
    const funnel = { sequence: sequence as [Step, ...Step[]], maxDuration }
    return kernelCounts({ table, query: { funnel }, cuts: [3, 50_000] }).steps.filter(({ groups }) => groups === 1)
      .length
  }
  expect(stepsOf(4, a, b, a, b)).toBe(4)
  expect(stepsOf(3, a, b, a, b)).toBe(3)
  expect(stepsOf(99_999, no('late'), a, b)).toBe(2)
  expect(stepsOf(99_999, a, no('late'), b)).toBe(2)
  expect(stepsOf(99_999, a, b, no('late'))).toBe(1)
  expect(stepsOf(99_997, a, b, no('late'))).toBe(2)
  expect(stepsOf(2, a, b, no('a'))).toBe(2)
  expect(stepsOf(3, a, b, no('a'))).toBe(1)
})
