/**
 * Every sentence of the specification about sequences, on actors written as words.
 *
 * A word is a list of instants, one second apart unless `@` gives the second; `+` joins rows of one instant; a row is the
 * letters of the steps that it matches, then `#` and its held value: `A B+C AB@7#1`. The steps that an actor passes
 * are written as their letters.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BehaviouralQuery, SequenceClause, Step } from '../../src/behaviour/types.ts'
import { type Layout, Stack } from '../oracle/run-stack.ts'
import type { Cell, OracleTable } from '../oracle/table.ts'

type Extras = Omit<SequenceClause, 'sequence'>
type Written = string | readonly [string, Pick<Step, 'within' | 'after'>]

/** A rule, a funnel, and for each word the steps that it passes. */
interface Example {
  says: string
  steps: Written[]
  extras?: Extras
  timeframe?: BehaviouralQuery['timeframe']
  words: Record<string, string>
}

const STEP_ORDER: Extras = { ties: 'stepOrder' }
const SAME_ROW: Extras = { ties: 'stepOrder', sameRow: true }
const STRICT: Extras = { order: 'strict' }
const ANY: Extras = { order: 'any' }

const CHAINS: Example[] = [
  {
    says: 'a step is passed when a row for it lies after a row of the step before',
    steps: ['A', 'B', 'C'],
    words: { 'A B C': 'ABC', 'C B A': 'A', 'A C B': 'AB', 'B C': '', 'A X B X C': 'ABC', 'B A B C': 'ABC' },
  },
  { says: 'each step needs a row of its own', steps: ['A', 'A'], words: { A: 'A', 'A A': 'AA', 'A+A': 'A' } },
  {
    says: 'it is enough that some A has no later B',
    steps: ['A', '!B'],
    words: { 'A B': '', 'A B A': 'A', 'B A': 'A', A: 'A', 'A+B': 'A', 'A B+A': 'A' },
  },
]

const WINDOWS: Example[] = [
  {
    says: 'the window runs from the first matched row to the last, both included',
    steps: ['A', 'B'],
    extras: { within: 2 },
    words: { 'A@0 B@2': 'AB', 'A@0 B@3': 'A', 'A@0 A@5 B@6': 'AB', 'A@0 B@3 B@4': 'A' },
  },
  {
    says: 'every first row is tried, the latest one too',
    steps: ['A', 'B', 'C'],
    extras: { within: 4 },
    words: { 'A@0 B@1 A@3 B@5 C@7': 'ABC', 'A@0 B@1 C@5': 'AB', 'A@0 A@2 B@3 C@6': 'ABC', 'A@0 B@1 A@2 C@5': 'AB' },
  },
  {
    says: 'the window may be a duration',
    steps: ['A', 'B'],
    extras: { within: '0.05m' },
    words: { 'A@0 B@3': 'AB', 'A@0 B@4': 'A' },
  },
  {
    says: 'in ISO 8601 too',
    steps: ['A', 'B'],
    extras: { within: 'PT0M3S' },
    words: { 'A@0 B@3': 'AB', 'A@0 B@4': 'A' },
  },
  {
    says: 'a fraction of a tick adds nothing',
    steps: ['A', 'B'],
    extras: { within: '2999ms' },
    words: { 'A@0 B@2': 'AB', 'A@0 B@3': 'A' },
  },
  {
    says: 'maxDuration is its integer form',
    steps: ['A', 'B'],
    extras: { maxDuration: 2 },
    words: { 'A@0 B@2': 'AB', 'A@0 B@3': 'A' },
  },
  {
    says: 'a window of zero leaves nothing when times differ',
    steps: ['A', 'B'],
    extras: { within: 0 },
    words: { 'A B': 'A', 'A+B': 'A' },
  },
  {
    says: 'a window of zero takes rows of one instant',
    steps: ['A', 'B'],
    extras: { within: '0s', ...STEP_ORDER },
    words: { 'A B': 'A', 'A+B': 'AB' },
  },
  {
    says: 'within of a step counts from the row of the step before',
    steps: ['A', ['B', { within: 1 }], ['C', { within: 2 }]],
    words: { 'A@0 B@1 C@3': 'ABC', 'A@0 B@2 C@3': 'A', 'A@0 B@1 C@4': 'AB', 'A@0 B@1 A@2 B@3 C@5': 'ABC' },
  },
  {
    says: 'after of a step is the least time since the step before',
    steps: ['A', ['B', { after: 3 }]],
    words: { 'A@0 B@2': 'A', 'A@0 B@3': 'AB', 'A@0 A@2 B@3': 'AB', 'A@0 B@2 B@9': 'AB' },
  },
  {
    says: 'a fraction of a tick makes it longer',
    steps: ['A', ['B', { after: '2.001s' }]],
    words: { 'A@0 B@2': 'A', 'A@0 B@3': 'AB' },
  },
  {
    says: 'both bound the time since the step before',
    steps: ['A', ['B', { after: 2, within: 3 }], 'C'],
    words: { 'A@0 B@1 B@4 C@5': 'A', 'A@0 B@3 C@9': 'ABC', 'A@0 A@1 B@4 C@5': 'ABC' },
  },
]

const NEGATIVES: Example[] = [
  {
    says: 'between two steps no such row lies between their matched rows, ends excluded',
    steps: ['A', '!X', 'B'],
    words: {
      'A B': 'AB',
      'A X B': 'A',
      'A+X B': 'AB',
      'A X+B': 'AB',
      'A X A B': 'AB',
      'X A B X': 'AB',
      'A B X B': 'AB',
    },
  },
  {
    says: 'a row that matches both ends is not between them',
    steps: ['A', '!A', 'B'],
    words: { 'A A B': 'AB', 'A B': 'AB' },
  },
  {
    says: 'before the first step no such row of the actor is earlier',
    steps: ['!X', 'A', 'B'],
    words: { 'X A B': '', 'X+A B': 'AB', 'A X B': 'AB', 'A X A B': 'AB', 'B X A': '', 'A B': 'AB' },
  },
  {
    says: 'earlier means as far back as the timeframe reaches',
    steps: ['!X', 'A'],
    timeframe: { from: 1 },
    words: { 'X A': 'A', 'A X A': '', 'X X A': '' },
  },
  {
    says: 'after the last step no such row is later',
    steps: ['A', 'B', '!X'],
    words: { 'A B X': 'A', 'A B': 'AB', 'A B+X': 'AB', 'A B X A B': 'AB', 'A B X B': 'AB', 'X A B': 'AB' },
  },
  {
    says: 'with a window, none in (last, first + within]',
    steps: ['A', 'B', '!X'],
    extras: { within: 4 },
    words: {
      'A@0 B@1 X@4': 'A',
      'A@0 B@1 X@5': 'AB',
      'A@0 B@1 B@3 X@3': 'AB',
      'A@0 A@1 B@2 X@5': 'AB',
      'A@0 A@1 B@2 X@3': 'A',
    },
  },
  {
    says: 'several negative steps may stand in one gap',
    steps: ['A', '!X', '!Y', 'B', '!X', '!Y'],
    words: { 'A X B': 'A', 'A Y B': 'A', 'A B': 'AB', 'A B Y': 'A', 'A B X': 'A', 'Y A B': 'AB' },
  },
  {
    says: 'a negative step lowers the count of the step after it only',
    steps: ['A', '!X', 'B', 'C'],
    words: { 'A X B C': 'A', 'A B X C': 'ABC', 'A X C': 'A' },
  },
]

const OPTIONALS: Example[] = [
  {
    says: '[A, B?, C]: B counts where it follows an A, and after C only between the A and the C of one chain',
    steps: ['A', 'B?', 'C'],
    words: {
      A: 'A',
      'A B': 'AB',
      'A C': 'AC',
      'A B C': 'ABC',
      'A C B': 'AC',
      'B A C': 'AC',
      'A C B C': 'ABC',
      'A C A B': 'AC',
      'B C': '',
    },
  },
  {
    says: 'the window covers the optional row',
    steps: ['A', 'B?'],
    extras: { within: 1 },
    words: { 'A@0 B@2': 'A', 'A@0 B@1': 'AB', 'A@0 A@1 B@2': 'AB' },
  },
  {
    says: 'the chain with the optional row keeps to the window as a whole',
    steps: ['A', 'B?', 'C'],
    extras: { within: 3 },
    words: { 'A@0 B@1 C@5 A@6 C@7': 'AC', 'A@0 B@1 C@3': 'ABC', 'A@0 C@1 B@2 C@4': 'AC', 'A@0 B@4': 'A' },
  },
  {
    says: "other steps' spans pass over it",
    steps: ['A', 'B?', ['C', { within: 2 }]],
    words: { 'A@0 B@1 C@2': 'ABC', 'A@0 B@2 C@3': 'AB', 'A@0 B@9': 'AB' },
  },
  {
    says: 'several optional steps are each judged alone',
    steps: ['A', 'B?', 'C?', 'D'],
    words: { 'A C B D': 'ABCD', 'A B D': 'ABD', 'A C': 'AC', 'C B A D': 'AD', 'A B C D': 'ABCD' },
  },
  {
    says: 'those behind a required step that was not reached do not count',
    steps: ['A', 'B?', 'C', 'D?', 'E'],
    words: { 'A D': 'A', 'A B D': 'AB', 'A C D': 'ACD', 'A D C': 'AC', 'A B C D E': 'ABCDE', 'A C E D': 'ACE' },
  },
  {
    says: 'what may not follow the last step binds the chain with the optional row',
    steps: ['A', 'B?', 'C', '!X'],
    words: { 'A B C X A C': 'ABC', 'A B C X C': 'ABC', 'A C X A C': 'AC', 'A B X A C': 'ABC', 'A B C X': 'AB' },
  },
]

const ORDERS: Example[] = [
  {
    says: 'strict: no other row lies between neighbouring rows, whatever it matches',
    steps: ['A', 'B', 'C'],
    extras: STRICT,
    words: { 'A B C': 'ABC', 'A X B C': 'A', 'A B X C': 'AB', 'A A B C': 'ABC', 'A B B C': 'AB', 'X A B C X': 'ABC' },
  },
  {
    says: 'strict: a row of the same instant is not between',
    steps: ['A', 'B'],
    extras: STRICT,
    words: { 'A+X B': 'AB', 'A B+X': 'AB', 'A+B': 'A', 'A+B B': 'AB' },
  },
  {
    says: 'strict: A B C passes [A, B?, C], with B as a row of the chain',
    steps: ['A', 'B?', 'C'],
    extras: STRICT,
    words: { 'A B C': 'ABC', 'A C': 'AC', 'A X C': 'A', 'A B X C': 'AB', 'A B B C': 'AB', 'A B': 'AB', 'A X B': 'A' },
  },
  {
    says: 'strict: rows of several optional steps may lie between',
    steps: ['A', 'B?', 'C?', 'D'],
    extras: STRICT,
    words: { 'A B C D': 'ABCD', 'A C D': 'ACD', 'A C B D': 'AC', 'A D': 'AD', 'A B C': 'ABC' },
  },
  {
    says: 'strict with ties: rows of one instant follow one another',
    steps: ['A', 'B', 'C'],
    extras: { ...STRICT, ...STEP_ORDER },
    words: { 'A+B C': 'ABC', 'A B+C': 'ABC', 'A+B+C': 'ABC', 'A X+B C': 'ABC', 'A+B X C': 'AB' },
  },
  {
    says: 'any: the first steps of the list in any order',
    steps: ['A', 'B', 'C'],
    extras: ANY,
    words: { 'A B C': 'ABC', 'C B A': 'ABC', 'B A': 'AB', 'C A': 'A', 'B C': '', 'C X A X B': 'ABC' },
  },
  {
    says: 'any: with a window',
    steps: ['A', 'B'],
    extras: { ...ANY, within: 1 },
    words: { 'B@0 A@1': 'AB', 'B@0 A@2': 'A', 'B@0 A@2 B@3': 'AB' },
  },
  {
    says: 'any: times differ',
    steps: ['A', 'B'],
    extras: ANY,
    words: { 'A+B': 'A', 'A+B B': 'AB', 'AB AB': 'AB', AB: 'A' },
  },
  {
    says: 'any with ties: rows differ',
    steps: ['A', 'B'],
    extras: { ...ANY, ...STEP_ORDER },
    words: { 'A+B': 'AB', 'AB+X': 'A', 'AB+A': 'AB', 'AB+AB': 'AB' },
  },
  {
    says: 'any: the same step twice needs two rows',
    steps: ['A', 'B', 'A'],
    extras: ANY,
    words: { 'A B': 'AB', 'A A B': 'ABA', 'A B A': 'ABA', 'AB A': 'AB' },
  },
]

const TIES: Example[] = [
  {
    says: 'never: times increase strictly',
    steps: ['A', 'B'],
    words: { 'A+B': 'A', AB: 'A', 'A+B B': 'AB', 'A A+B': 'AB' },
  },
  {
    says: 'stepOrder: rows of one instant follow one another in the order of the steps, whatever their order in files',
    steps: ['A', 'B', 'C'],
    extras: STEP_ORDER,
    words: { 'A+B': 'AB', 'B+A': 'AB', 'C+B+A': 'ABC', 'A+C B': 'AB', 'A B+C': 'ABC', 'A+B C': 'ABC', AB: 'A' },
  },
  {
    says: 'stepOrder: rows are distinct, and shared out as it fits',
    steps: ['A', 'B', 'C'],
    extras: STEP_ORDER,
    words: {
      'ABC+ABC': 'AB',
      'AB+A+C': 'ABC',
      'ABC+AB+A': 'ABC',
      'AB+C': 'A',
      'A AB+B C': 'ABC',
      'AC+B': 'AB',
      'AC+B+A': 'ABC',
    },
  },
  {
    says: 'sameRow: one row may match several steps',
    steps: ['A', 'B', 'C'],
    extras: SAME_ROW,
    words: { AB: 'AB', ABC: 'ABC', 'AB C': 'ABC', 'A+B+C': 'ABC', 'A BC': 'ABC', 'B A': 'A' },
  },
  { says: 'sameRow: the same step twice', steps: ['A', 'A'], extras: SAME_ROW, words: { A: 'AA' } },
  {
    says: 'after excludes what shares an instant',
    steps: ['A', ['B', { after: 1 }]],
    extras: SAME_ROW,
    words: { 'A+B': 'A', 'A B': 'AB', AB: 'A' },
  },
  {
    says: 'after zero does not',
    steps: ['A', ['B', { after: 0 }]],
    extras: SAME_ROW,
    words: { 'A+B': 'AB', AB: 'AB' },
  },
  {
    says: 'an optional row may share an instant too',
    steps: ['A', 'B?', 'C'],
    extras: STEP_ORDER,
    words: { 'A+B+C': 'ABC', 'A+B C': 'ABC', 'A BC': 'AC', 'A BC+C': 'ABC', 'AB C': 'AC' },
  },
]

const WINDOW_FUNNEL: Example[] = [
  {
    says: "windowFunnel: ClickHouse's levels, with the window from the first row",
    steps: ['A', 'B', 'C', 'D'],
    extras: { ...SAME_ROW, within: 3 },
    words: {
      'A B C D': 'ABCD',
      'A@0 B@1 C@2 D@4': 'ABC',
      'A@0 A@2 B@3 C@4 D@5': 'ABCD',
      'A@0 B@1 A@2 C@3 D@4': 'ABC',
      'A B D C': 'ABC',
      'B C D': '',
      'A+B+C+D': 'ABCD',
      'ABCD@5': 'ABCD',
      'A@0 B@3 C@3 D@3': 'ABCD',
      'A@0 B@4': 'A',
    },
  },
]

const HOLDS: Example[] = [
  {
    says: 'rows of one chain agree in the held column; rows without a value are in no series',
    steps: ['A', 'B'],
    extras: { hold: 'h' },
    words: { 'A#1 B#1': 'AB', 'A#1 B#2': 'A', 'A B': '', 'A#1 B': 'A', 'A#1 A#2 B#1': 'AB', 'A B#1': '' },
  },
  {
    says: 'what may not lie between or before is judged inside the series',
    steps: ['!Y', 'A', '!X', 'B'],
    extras: { hold: ['h'] },
    words: { 'A#1 X#2 B#1': 'AB', 'A#1 X#1 B#1': 'A', 'A#1 X B#1': 'AB', 'Y#2 A#1 B#1': 'AB', 'Y#1 A#1 B#1': '' },
  },
  {
    says: 'strict means the rows of the series',
    steps: ['A', 'B'],
    extras: { hold: 'h', order: 'strict' },
    words: { 'A#1 X#2 B#1': 'AB', 'A#1 X#1 B#1': 'A', 'A#1 X B#1': 'AB' },
  },
  {
    says: 'optional steps go by how far their own series came',
    steps: ['A', 'B?', 'C'],
    extras: { hold: 'h' },
    words: { 'A#1 B#1 A#2 C#2': 'ABC', 'A#1 B#2 C#1': 'AC', 'A#1 C#1 B#1': 'AC' },
  },
  {
    says: 'steps in any order',
    steps: ['A', 'B'],
    extras: { hold: 'h', order: 'any' },
    words: { 'B#1 A#1': 'AB', 'B#1 A#2': 'A' },
  },
]

const EXAMPLES: Record<string, Example[]> = {
  chains: CHAINS,
  'spans of time': WINDOWS,
  'rowFound: false': NEGATIVES,
  'optional: true': OPTIONALS,
  order: ORDERS,
  'ties and sameRow': TIES,
  windowFunnel: WINDOW_FUNNEL,
  hold: HOLDS,
}

const COLUMNS = [
  { name: 'who', type: 'VARCHAR' },
  { name: 'at', type: 'BIGINT' },
  { name: 'kind', type: 'VARCHAR' },
  { name: 'h', type: 'VARCHAR' },
]

function rowsOf(word: string): Cell[][] {
  return word.split(' ').flatMap((instant, index) =>
    instant.split('+').map((row): Cell[] => {
      const [, kind, time, held] = /^([A-Z]+)(?:@(\d+))?(?:#(\d))?$/.exec(row)!
      return [word, BigInt(time ?? index), kind!, held ?? null]
    }),
  )
}

function stepOf(written: Written): Step {
  const [text, spans] = typeof written === 'string' ? [written, {}] : written
  const letter = /[A-Z]/.exec(text)![0]
  return {
    filter: ['kind', 'contains', letter],
    ...(text.startsWith('!') ? { rowFound: false } : {}),
    ...(text.endsWith('?') ? { optional: true } : {}),
    ...spans,
  }
}

function queryOf({ steps, extras, timeframe, words }: Example): BehaviouralQuery {
  const mine = Object.keys(words) as [string, ...string[]]
  return {
    ...(timeframe ? { timeframe } : {}),
    query: { conditions: [{ filter: ['who', 'in', mine] }] },
    funnel: {
      ...extras,
      sequence: steps.map(stepOf) as [Step, ...Step[]],
      stepAggregations: [{ column: 'who', type: 'groupsPerValue', top: 100 }],
    },
  }
}

const words = [
  ...new Set(
    Object.values(EXAMPLES)
      .flat()
      .flatMap((example) => Object.keys(example.words)),
  ),
]
// Rows of one instant stand in files in both orders, since words that differ in nothing else are among the examples.
const table: OracleTable = { columns: COLUMNS, actor: 'who', time: 'at', timeUnit: 's', rows: words.flatMap(rowsOf) }
const LAYOUT: Layout = { kind: 'managed', files: 2, by: 'row', buckets: 2, imports: 2, threads: 2 }

let stack: Stack
let name: string
beforeAll(async () => {
  stack = await Stack.open()
  name = await stack.store(table, LAYOUT)
})
afterAll(async () => {
  await stack[Symbol.asyncDispose]()
})

/** The letters of the steps that each word passes. */
async function answers(example: Example): Promise<Record<string, string>> {
  const { funnel } = await stack.query(name, queryOf(example), 2)
  const letters = example.steps.map((written) => /[A-Z]/.exec(String(written))![0])
  const steps = funnel!.sequence.map(({ index, aggregations }) => ({
    letter: letters[index]!,
    words: new Set(aggregations![0]!.ranked!.map(([word]) => word)),
  }))
  return Object.fromEntries(
    Object.keys(example.words).map((word) => [
      word,
      steps.flatMap((step) => (step.words.has(word) ? [step.letter] : [])).join(''),
    ]),
  )
}

describe.each(Object.entries(EXAMPLES))('%s', (_, examples) => {
  test.each(examples)('$says', async (example) => {
    expect(await answers(example)).toEqual(example.words)
  })
})

test('a condition is decided by its required steps, and its levels do not matter', async () => {
  const sequence = ['A', 'B?', 'C'].map(stepOf) as [Step, ...Step[]]
  const mine: [string, ...string[]] = ['A', 'A B', 'A C', 'A B C', 'B C']
  const conditions = [{ filter: ['who', 'in', mine] as const }, { sequence }]
  const aggregations = [{ column: 'who', type: 'groupsPerValue' as const }]
  const passing = await stack.query(name, { query: { conditions, aggregations } }, 1)
  expect(passing.query.aggregations![0]!.value).toEqual({ 'A C': 1, 'A B C': 1 })
  const failing = await stack.query(name, { query: { conditions, relation: '$0 and not $1', aggregations } }, 1)
  expect(failing.query.aggregations![0]!.value).toEqual({ A: 1, 'A B': 1, 'B C': 1 })
})

test('the output has one entry for each positive step, with rates to step 1 and to the required step before', async () => {
  const mine: [string, ...string[]] = ['A', 'A B', 'A C', 'A B C', 'A C B', 'B C', 'A X C']
  const steps = [{ ...stepOf('A'), name: 'start' }, stepOf('B?'), stepOf('C'), stepOf('!B'), stepOf('X')]
  const result = await stack.query(
    name,
    {
      query: { conditions: [{ filter: ['who', 'in', mine] }] },
      funnel: {
        sequence: steps as unknown as [Step],
        endAggregations: [{ column: 'who' }],
      },
    },
    1,
  )
  expect(result.query).toEqual({ matchingGroups: 7, matchingGroupRows: 16 })
  expect(result.funnel).toEqual({
    sequence: [
      { index: 0, name: 'start', matchingGroups: 6, matchingGroupRows: 14, conversionRate: 1 },
      { index: 1, matchingGroups: 2, matchingGroupRows: 5, conversionRate: 2 / 6, stepRate: 2 / 6 },
      { index: 2, matchingGroups: 4, matchingGroupRows: 11, conversionRate: 4 / 6, stepRate: 4 / 6 },
      { index: 4, matchingGroups: 0, matchingGroupRows: 0, conversionRate: 0, stepRate: 0 },
    ],
    endAggregations: [
      { column: 'who', type: 'count', value: 0 },
      { column: 'who', type: 'countPerValue', value: {}, ranked: [], top: 10 },
      { column: 'who', type: 'groupsPerValue', value: {}, ranked: [], top: 10 },
    ],
  })
})

test('rates over nobody are absent', async () => {
  const { funnel } = await stack.query(name, { funnel: { sequence: [stepOf('Q'), stepOf('A')] } }, 1)
  expect(funnel!.sequence).toEqual([
    { index: 0, matchingGroups: 0, matchingGroupRows: 0 },
    { index: 1, matchingGroups: 0, matchingGroupRows: 0 },
  ])
})
