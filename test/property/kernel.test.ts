import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SequenceClause, Step } from '../../src/behaviour/types.ts'
import {
  allWords,
  checkKernelCase,
  crossingCases,
  kernelCases,
  kernelCounts,
  sequenceCases,
  wordCases,
  wordsCase,
} from '../oracle/run-kernel.ts'

test('the kernel finds what trying every combination of rows finds', () => {
  fc.assert(fc.property(kernelCases(), checkKernelCase), { numRuns: 4000 })
})

test('funnels with every constraint, over rows of which most match something, are exact', () => {
  fc.assert(fc.property(sequenceCases(), checkKernelCase), { numRuns: 4000 })
})

test('chains that cross within windows are told apart', () => {
  fc.assert(fc.property(crossingCases(), checkKernelCase), { numRuns: 2500 })
})

test('of the chains that end at one row, those with the right first rows are found', () => {
  fc.assert(fc.property(wordCases(), checkKernelCase), { numRuns: 2000 })
})

const WORDS = [0, 1, 2, 3, 4].flatMap(allWords)

test.each(['A !X B C !Y', 'A X? B C !A', 'A B Y?', 'A B? C? X? Y'])(
  'every series of up to five events is decided exactly: %s',
  (sequence) => {
    const words = WORDS.map((middle) => `A${middle}C`)
    for (const within of [2, 4]) checkKernelCase(wordsCase(words, sequence.split(' '), { maxDuration: within }))
    checkKernelCase(wordsCase(words, sequence.split(' '), { order: 'strict' }))
  },
)

test('as many steps in any order as there may be', () => {
  const flags = Array.from({ length: 16 }, (_, k) => `f${k}`)
  const columns = [
    ...['user', 'ts'].map((name) => ({ name, type: 'BIGINT' })),
    ...flags.map((name) => ({ name, type: 'BOOLEAN' })),
  ]
  const sequence = flags.map((flag): Step => ({ filter: [flag, '==', true] })) as unknown as [Step]
  // Row k matches the steps from k on, and only row 0 matches step 0: there is one way to share them out.
  const rowsOf = (user: bigint, left: number[]) =>
    left.map((k, time) => [user, BigInt(time), ...flags.map((_, step) => step <= k)])
  const all = flags.map((_, k) => (k * 7) % 16)
  const table = { columns, actor: 'user', time: 'ts', rows: [...rowsOf(0n, all), ...rowsOf(1n, all.slice(1))] }
  const stepsOf = (extras: Partial<SequenceClause>) => {
    const funnel = { sequence, order: 'any' as const, ...extras }
    return kernelCounts({ table, query: { funnel }, cuts: [5] }).levels.map(({ level }) => level - 1)
  }
  expect(stepsOf({})).toEqual([16, 15])
  expect(stepsOf({ maxDuration: 15 })).toEqual([16, 15])
  expect(stepsOf({ maxDuration: 9 })).toEqual([10, 10])
  expect(stepsOf({ ties: 'stepOrder', maxDuration: 0 })).toEqual([1, 1])
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
  const perhaps = (flag: string): Step => ({ filter: [flag, '==', true], optional: true })
  const funnelSteps = (extras: Partial<SequenceClause>, ...sequence: (Step | undefined)[]) => {
    const funnel = { ...extras, sequence: sequence as [Step, ...Step[]] }
    const { steps } = kernelCounts({ table, query: { funnel }, cuts: [3, 50_000] })
    return steps.filter(({ groups }) => groups === 1).length
  }
  const stepsOf = (maxDuration: number, ...sequence: (Step | undefined)[]) => funnelSteps({ maxDuration }, ...sequence)
  expect(stepsOf(4, a, b, a, b)).toBe(4)
  expect(stepsOf(3, a, b, a, b)).toBe(3)
  expect(stepsOf(99_999, no('late'), a, b)).toBe(2)
  expect(stepsOf(99_999, a, no('late'), b)).toBe(2)
  expect(stepsOf(99_999, a, b, no('late'))).toBe(1)
  expect(stepsOf(99_997, a, b, no('late'))).toBe(2)
  expect(stepsOf(2, a, b, no('a'))).toBe(2)
  expect(stepsOf(3, a, b, no('a'))).toBe(1)
  const ties: Partial<SequenceClause> = { ties: 'stepOrder', maxDuration: 99_997 }
  expect(funnelSteps(ties, a, { ...b!, after: 99_991 })).toBe(2)
  expect(funnelSteps(ties, a, { ...b!, after: 99_998 })).toBe(1)
  expect(funnelSteps(ties, a, perhaps('late'), b)).toBe(2)
  expect(funnelSteps({ order: 'strict' }, a, b, perhaps('late'), a)).toBe(4)
  expect(funnelSteps({ order: 'any', maxDuration: 1 }, b, a, b)).toBe(2)
})
