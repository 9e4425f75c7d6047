/** Damages one file of a warehouse in every way, and asks for all that touches it: a coded error that names the file, or the right answer. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { caseText, countVerdict, DamageLab, type Verdict } from './damage-lab.ts'

const CASES = runs(Number(process.env.N ?? 150), 5000)
const GOOD: readonly Verdict['outcome'][] = ['right', 'error named', 'changed']

let lab: DamageLab

beforeAll(async () => {
  lab = await DamageLab.open()
})
afterAll(() => lab[Symbol.asyncDispose]())

test(
  `${CASES} damaged files: the file is named or the answer right`,
  async () => {
    const counts = new Map<string, Record<string, number>>()
    const bad: string[] = []
    for (let at = 0; at < CASES; at++) {
      const { case: of, verdict } = await lab.run(tortureSeed(), at)
      countVerdict(counts, of, verdict)
      if (!GOOD.includes(verdict.outcome)) bad.push(caseText(of, verdict))
    }
    console.log(counts)
    expect(bad).toEqual([])
  },
  tortureTimeout(Number(process.env.N ?? 150) * 1000),
)
