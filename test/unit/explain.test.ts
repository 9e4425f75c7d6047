import { describe, expect, test } from 'vitest'
import { explainQuery } from '../../src/behaviour/explain.ts'
import type { BehaviouralQuery, Step } from '../../src/behaviour/types.ts'
import { behaviourLines } from '../../src/cli/output/behaviour.ts'
import { explanationLines } from '../../src/cli/output/explanation.ts'
import { readSettings } from '../../src/config.ts'
import { explainBehaviouralQuery } from '../../src/coordinator/behaviour-runner.ts'
import { explainBehaviour } from '../../src/coordinator/explain-behaviour.ts'
import { ValueTable } from '../oracle/value-table.ts'
import { events, valid, withTime } from './behaviour-table.ts'

const SETTINGS = readSettings({})

const options = { style: (_: string, text: string) => text, width: undefined }

function explain(query: BehaviouralQuery, table = events) {
  return explainQuery(valid(query, table), table)
}

function words(query: BehaviouralQuery, table = events): string[] {
  return explain(query, table).words
}

function step(event: string, more: Partial<Step> = {}): Step {
  return { filter: ['event', '==', event], ...more } as Step
}

/** The sentences about a funnel's steps and rules. */
function funnel(clause: BehaviouralQuery['funnel'], table = events): string[] {
  return words({ funnel: clause! }, table).flatMap((line) => (line.startsWith('  ') ? [line.trim()] : []))
}

test('a query without conditions is explained too', () => {
  expect(words({})).toEqual(['Actors are the values of user; ts orders their rows.', 'Every actor matches.'])
})

test('a timeframe says which rows count', () => {
  expect(words({ timeframe: { from: 5, to: 9 } })[0]).toContain('Only rows with ts from 5 on and before 9 count.')
  expect(words({ timeframe: { to: 9 } })[0]).toContain('Only rows with ts before 9 count.')
})

describe('conditions', () => {
  const one = (condition: object) =>
    words({ query: { conditions: [{ filter: ['event', '==', 'buy'], ...condition }] } } as BehaviouralQuery)[1]

  test.each([
    [{}, 'has a row where event is "buy".'],
    [{ target: ['count', '>', 0] }, 'has a row where event is "buy".'],
    [{ target: ['count', '==', 0] }, 'has no row where event is "buy".'],
    [{ target: ['count', '>=', 3] }, 'has at least 3 rows where event is "buy".'],
    [{ target: ['count', '<', 3] }, 'has fewer than 3 rows where event is "buy", and at least one such row.'],
    [{ target: ['count', '<', 3], includeZero: true }, 'has fewer than 3 rows where event is "buy", or no such row.'],
    [
      { target: ['count', '!=', 3] },
      'has a number of rows other than 3 where event is "buy", and at least one such row.',
    ],
    [
      { target: ['distinct', 'page', '>', 2] },
      'has more than 2 different values of page in rows where event is "buy".',
    ],
    [
      { target: ['sum', 'price', '<=', 9.5] },
      'has a row where event is "buy", and the sum of price over all such rows is at most 9.5.',
    ],
    [
      { target: ['max', 'day', '<', '2026-11-20'] },
      'the greatest of day over all such rows is less than "2026-11-20".',
    ],
  ])('%j', (condition, expected) => {
    expect(one(condition)).toContain(expected)
  })

  test('filters are nested as they were given', () => {
    const filter = {
      and: [
        ['goal', 'between', [1, 5]],
        {
          or: [
            ['page', 'is null'],
            ['page', 'in', ['a', 'b']],
          ],
        },
        { not: ['event', 'contains', 'x'] },
      ],
    }
    expect(one({ filter })).toContain(
      'a row where (goal is between 1 and 5) and (page is null or page is one of "a", "b") and not (event contains "x").',
    )
  })

  test('a relation is printed as it is understood', () => {
    const conditions = [step('a'), step('b', { name: 'b' })]
    expect(words({ query: { conditions, relation: 'OR' } })).toContain('An actor matches when $0 or $1 holds.')
    expect(words({ query: { conditions, relation: 'not $1' } })[1]).toMatch(/^Condition \$1 \("b"\) holds/)
  })
})

describe('sequences', () => {
  test('an ordered funnel', () => {
    expect(funnel({ sequence: [step('view', { name: 'view' }), step('buy')], within: 60 })).toEqual([
      'An actor passes step 1 "view" when it has a row r1 where event is "view".',
      'An actor passes step 2 when it has a row r2 where event is "buy", later than r1, with r1 as in step 1 "view".',
      'From the first of these rows to the last, at most 60 in the unit of ts pass.',
      'Two rows of one instant never follow one another.',
      'Other rows may lie anywhere; it is enough that such rows exist.',
    ])
  })

  test('spans are in the unit of the time column', () => {
    const span = (table: typeof events) => funnel({ sequence: [step('a'), step('b')], within: 60 }, table).join(' ')
    expect(span({ ...events, keys: { ...events.keys, timeUnit: 'ms' } })).toContain('at most 60 ms pass')
    expect(span(withTime('DOUBLE'))).toContain('at most 60 s pass')
    expect(funnel({ sequence: [step('a'), step('b')], within: 'PT1H' }, withTime('TIMESTAMP')).join(' ')).toContain(
      'at most PT1H pass',
    )
  })

  test('constraints of steps name the row before', () => {
    const lines = funnel({ sequence: [step('a'), step('b', { within: 9, after: 3 }), step('c', { after: 1 })] })
    expect(lines[1]).toContain(
      'later than r1, at most 9 in the unit of ts after r1, at least 3 in the unit of ts after r1',
    )
    expect(lines[2]).toContain('later than r2, at least 1 in the unit of ts after r2, with r1, r2 as in step 2')
  })

  test('negative steps belong to the step after them, and trailing ones to the last', () => {
    const no = (event: string) => step(event, { rowFound: false })
    const lines = funnel({ sequence: [no('x'), step('a'), no('y'), no('z'), step('b'), no('w')], within: 5 })
    expect(lines[0]).toBe(
      'An actor passes step 1 when it has a row r1 where event is "a", with no row where event is "x" earlier than r1.',
    )
    expect(lines[1]).toBe(
      'An actor passes step 2 when it has a row r2 where event is "b", later than r1, with no row where event is "y" between r1 and r2, ' +
        'with no row where event is "z" between r1 and r2, with no row where event is "w" later than r2 and up to 5 in the unit of ts after r1, with r1 as in step 1.',
    )
    expect(lines).toContain(
      '"Between", "earlier" and "later" leave out rows at the same instant as a row of the chain.',
    )
  })

  test('required steps pass over optional ones', () => {
    const lines = funnel({ sequence: [step('a'), step('b', { optional: true }), step('c')] })
    expect(lines[1]).toBe(
      'Step 2 is optional: an actor counts for it when a chain to its furthest required step also has a row r2 where event is "b", later than r1, before r3 if the chain goes on to step 3.',
    )
    expect(lines[2]).toContain('a row r3 where event is "c", later than r1, with r1 as in step 1.')
  })

  test('order, ties, rows and series', () => {
    const sequence: [Step, Step] = [step('a'), step('b')]
    expect(funnel({ sequence, order: 'strict' }).at(-1)).toBe(
      'Between neighbouring rows of the chain lies no other row of the actor, whatever it matches.',
    )
    const any = funnel({ sequence, order: 'any' })
    expect(any[1]).toBe(
      'An actor passes step 2 when it has rows for step 1 and a row where event is "b", in any order.',
    )
    expect(any[2]).toBe('These rows have different times.')
    const tied = funnel({ sequence, ties: 'stepOrder', sameRow: true, hold: ['page', 'goal'] })
    expect(tied[1]).toContain('no earlier than r1 (which it may be itself)')
    expect(tied).toContain('One row may stand for several steps.')
    expect(tied.join(' ')).toContain('the same page and goal, none of them null')
  })

  test('a condition on a sequence is about its last required step', () => {
    const conditions = [{ sequence: [step('a'), step('b')] as [Step, Step], name: 'path' }]
    expect(words({ query: { conditions } })[1]).toBe(
      'Condition $0 ("path") holds for an actor that passes the last required step of this sequence:',
    )
  })
})

describe('predicates', () => {
  test('each has its bit, its users, and its SQL with values apart', () => {
    const { predicates } = explain({
      query: { conditions: [step("it's"), { filter: ['goal', '>', 9007199254740993n] }] },
      funnel: { sequence: [step('b'), step("it's")] },
    })
    expect(predicates.map(({ bit, filter, usedBy }) => [bit, filter, usedBy])).toEqual([
      [0, `event is "it's"`, ['$0', 'funnel step 2']],
      [1, 'goal is greater than 9007199254740993', ['$1']],
      [2, 'event is "b"', ['funnel step 1']],
    ])
    expect(predicates[0]!.sql).toContain('$1')
    expect(predicates[0]!.sql).not.toContain("it's")
    expect(predicates[0]!.parameters).toEqual(["it's"])
    expect(JSON.parse(JSON.stringify(predicates))).toEqual(predicates)
  })

  test('the SQL runs in the engine with its parameters', async () => {
    await using table = await ValueTable.create(200)
    const query = valid(
      {
        query: {
          conditions: [
            {
              filters: [
                ['word', 'starts with', 'w'],
                {
                  or: [
                    ['small', '<', 2],
                    ['price', '>=', 1.5],
                  ],
                },
              ],
            },
          ],
        },
      } as unknown as BehaviouralQuery,
      { columns: table.table.schema.columns, keys: table.table.keys },
    )
    const { sql, parameters } = explainBehaviour(SETTINGS, table.table, query).predicates[0]!
    const count = async (where: string, params: (string | number | boolean)[]) =>
      (
        await table.session.rows<{ n: bigint }>(`SELECT count(*) AS n FROM ${table.rows} WHERE ${where}`, { params })
      )[0]!.n
    const expected = await count(`starts_with(word, 'w') AND (small < 2 OR price >= 1.5)`, [])
    expect(expected).toBeGreaterThan(0n)
    expect(await count(sql, parameters)).toBe(expected)
  })
})

describe('what would be done', () => {
  test('the layout follows files and held columns', async () => {
    await using made = await ValueTable.create(20, 2)
    const { table } = made
    const query = (hold: string[]) =>
      valid(
        {
          funnel: { sequence: [{ filter: ['flag', '==', true] }], ...(hold.length > 0 && { hold }) },
        } as unknown as BehaviouralQuery,
        { columns: table.schema.columns, keys: table.keys },
      )
    const layout = (more: Partial<typeof table>, sorted: boolean, hold: string[] = [], rows = 400_000) => {
      const files = table.snapshot.files.map((file) => ({ ...file, sorted, rows }))
      return explainBehaviour(SETTINGS, { ...table, snapshot: { ...table.snapshot, files }, ...more }, query(hold))
        .layout
    }
    expect(layout({}, true)).toBe('sort table')
    expect(layout({ actorsTogether: true }, true)).toBe('stream')
    expect(layout({ actorsTogether: true }, false)).toBe('sort tasks')
    expect(layout({ actorsTogether: true }, true, ['small'])).toBe('sort tasks')
    expect(layout({ actorsTogether: true }, false, [], 10)).toBe('sort table')
    expect(layout({ snapshot: { ...table.snapshot, files: [] } }, true)).toBe('nothing to read')
  })

  test('is printed for people', async () => {
    await using made = await ValueTable.create(20)
    const { columns } = made.table.schema
    const query = { query: { conditions: [{ filter: ['word', '==', 'a\nb'] }], aggregations: [{ column: 'small' }] } }
    const loaded = { table: made.table, source: query, valid: valid(query, { columns, keys: made.table.keys }) }
    const explanation = explainBehaviouralQuery({ root: '/nowhere', settings: SETTINGS }, loaded, {})
    const text = explanationLines(explanation, options as never).join('\n')
    expect(text).toContain('bit 0: word is "a\\nb" ($0)')
    expect(text).toContain('$1 = "a\\nb"')
    expect(text).toContain('Read: 1 file, 20 rows')
    expect(text).toContain('All rows are sorted by actor and time at once')
    expect(text).toContain('Pool threads, whole: one task would do all.')
    expect(text).toContain(
      'Over all rows of the actors that match: count(small), countPerValue(small), groupsPerValue(small).',
    )
  })
})

test('quantiles are printed as a table of their own', () => {
  const stats = { scannedRows: 4, scannedGroups: 2, files: 1, filesPruned: 0, ms: 3 }
  const aggregations = [{ column: 'price', type: 'quantiles' as const, value: { '0.5': 1.5, '0.9': 7 } }]
  const result = { success: true as const, query: { matchingGroups: 2, matchingGroupRows: 4, aggregations }, stats }
  const lines = behaviourLines({ table: 't', text: '{}', result: result as never }, options as never)
  expect(lines.join('\n')).toMatch(/quantiles\(price\)\n[\s\S]*quantile │ price[\s\S]*0\.5 +│ +1\.5[\s\S]*0\.9 +│ +7/)
})
