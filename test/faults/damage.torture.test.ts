/** Damages one file of a warehouse in every way, and asks for all that touches it: a coded error that names the file, or the right answer. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runs, tortureSeed, tortureTimeout } from '../torture.ts'
import { caseText, countVerdict, DamageLab, outcomeLines, type Verdict } from './damage-lab.ts'

const CASES = runs(150, 5000)

/** `changed` is only ever given to files of a registered folder, which have no checksum: they read as what they are now. */
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
    if (process.env.SKEP_TORTURE === '1') console.log(outcomeLines(counts).join('\n'))
    expect(bad).toEqual([])
    const all = [...counts.values()]
    for (const outcome of ['right', 'error named']) expect(all.some((row) => row[outcome]! > 0)).toBe(true)
  },
  tortureTimeout(300_000),
)
