import { describe, expect, test } from 'vitest'
import { query, rows, sequence, step } from '../../src/behaviour/builder.ts'
import {
  and,
  between,
  contains,
  endsWith,
  eq,
  gt,
  gte,
  isNotNull,
  isNull,
  lt,
  lte,
  matches,
  ne,
  noneOf,
  not,
  notContains,
  oneOf,
  or,
  startsWith,
} from '../../src/behaviour/filters.ts'
import type { BehaviouralQuery } from '../../src/behaviour/types.ts'
import { columnsOf, events, valid } from './behaviour-table.ts'

const timed = {
  columns: [...events.columns, ...columnsOf({ context: 'STRUCT(device VARCHAR, "size" STRUCT(width INTEGER))' })],
  keys: { actor: 'user', time: 'seen' },
}

interface Row {
  user: string
  event: string
  page?: string | null
  goal: number
  price: number | null
  cool: boolean
  seen: Date
  tags: string[]
  context: { device: string; size: { width: number } | null }
}

/** The builder's JSON is what was written by hand, and valid. */
function same(built: BehaviouralQuery, written: BehaviouralQuery): void {
  expect(built).toEqual(written)
  expect(JSON.parse(JSON.stringify(built))).toEqual(written)
  expect(valid(built, timed).expanded).toEqual(valid(written, timed).expanded)
}

describe('the builder', () => {
  test('writes a funnel', () => {
    const built = query<Row>()
      .timeframe({ from: new Date(0), to: '2026-12-01' })
      .where(eq('event', 'buy'))
      .funnel(
        step('view', eq('event', 'view')),
        step(eq('event', 'error')).notFound(),
        step('cart', eq('event', 'cart'), gt('price', 5)).within('1h').after('1s'),
        step(eq('event', 'coupon')).optional(),
        step('buy', eq('event', 'buy')),
      )
      .within('7d')
      .order('strict')
      .ties('stepOrder')
      .sameRow()
      .hold('page', 'context.device')
      .stepAggregations({ column: 'page', type: 'countPerValue', top: 3 })
      .endAggregations({ columns: ['price', 'goal'], type: 'quantiles', q: [0.5, 0.9] })
      .aggregate({ column: 'event' })
      .build()
    same(built, {
      timeframe: { from: '1970-01-01T00:00:00.000Z', to: '2026-12-01' },
      query: { conditions: [{ filter: ['event', '==', 'buy'] }], aggregations: [{ column: 'event' }] },
      funnel: {
        sequence: [
          { name: 'view', filter: ['event', '==', 'view'] },
          { filter: ['event', '==', 'error'], rowFound: false },
          {
            name: 'cart',
            filters: [
              ['event', '==', 'cart'],
              ['price', '>', 5],
            ],
            within: '1h',
            after: '1s',
          },
          { filter: ['event', '==', 'coupon'], optional: true },
          { name: 'buy', filter: ['event', '==', 'buy'] },
        ],
        within: '7d',
        order: 'strict',
        ties: 'stepOrder',
        sameRow: true,
        hold: ['page', 'context.device'],
        stepAggregations: [{ column: 'page', type: 'countPerValue', top: 3 }],
        endAggregations: [{ columns: ['price', 'goal'], type: 'quantiles', q: [0.5, 0.9] }],
      },
    })
  })

  test('writes conditions of every kind', () => {
    const built = query<Row>()
      .where(
        rows(eq('event', 'buy'), gte('price', 7.5)).named('buyers').sum('price', '>', 100),
        rows(isNotNull('page')).distinct('page', '==', 0).includeZero(),
        rows(ne('event', 'x')).count('<', 3).includeZero(false),
        rows(ne('event', 'x')).mean('price', '>=', 1.5),
        rows(ne('event', 'x')).min('seen', '<', new Date(0)),
        rows(ne('event', 'x')).max('goal', '!=', 10n),
        sequence(step(eq('event', 'a')), step(eq('event', 'b')))
          .named('pair')
          .within('PT1H')
          .ties('stepOrder')
          .sameRow(false)
          .hold('page'),
        sequence(step(eq('event', 'a'))).order('any'),
      )
      .relation('$buyers and not ($pair or $1) or $2 and $3 and $4 and $5 and $7')
      .build()
    expect(built.query?.conditions?.[5]).toEqual({ filter: ['event', '!=', 'x'], target: ['max', 'goal', '!=', 10n] })
    expect(valid(built, timed).conditions).toHaveLength(8)
    expect(built.query?.conditions?.slice(0, 5)).toEqual([
      {
        name: 'buyers',
        filters: [
          ['event', '==', 'buy'],
          ['price', '>=', 7.5],
        ],
        target: ['sum', 'price', '>', 100],
      },
      { filter: ['page', 'is not null'], target: ['distinct', 'page', '==', 0], includeZero: true },
      { filter: ['event', '!=', 'x'], target: ['count', '<', 3], includeZero: false },
      { filter: ['event', '!=', 'x'], target: ['mean', 'price', '>=', 1.5] },
      { filter: ['event', '!=', 'x'], target: ['min', 'seen', '<', '1970-01-01T00:00:00.000Z'] },
    ])
    expect(built.query?.conditions?.slice(6)).toEqual([
      {
        name: 'pair',
        sequence: [{ filter: ['event', '==', 'a'] }, { filter: ['event', '==', 'b'] }],
        within: 'PT1H',
        ties: 'stepOrder',
        sameRow: false,
        hold: ['page'],
      },
      { sequence: [{ filter: ['event', '==', 'a'] }], order: 'any' },
    ])
  })

  test.each([
    [eq('event', 'x'), ['event', '==', 'x']],
    [ne('cool', true), ['cool', '!=', true]],
    [lt('seen', new Date(1000)), ['seen', '<', '1970-01-01T00:00:01.000Z']],
    [lte('goal', 10n), ['goal', '<=', 10n]],
    [gt('price', 1.5), ['price', '>', 1.5]],
    [gte('event', 'a'), ['event', '>=', 'a']],
    [oneOf('event', ['a', 'b']), ['event', 'in', ['a', 'b']]],
    [noneOf('goal', [1]), ['goal', 'not in', [1]]],
    [between('seen', '2026-01-01', '2026-02-01'), ['seen', 'between', ['2026-01-01', '2026-02-01']]],
    [contains('tags', 'a'), ['tags', 'contains', 'a']],
    [notContains('event', 'a'), ['event', 'not contains', 'a']],
    [startsWith('event', 'a'), ['event', 'starts with', 'a']],
    [endsWith('event', 'a'), ['event', 'ends with', 'a']],
    [matches('event', '^a.*$'), ['event', 'matches', '^a.*$']],
    [isNull('page'), ['page', 'is null']],
    [isNotNull('context.size.width'), ['context.size.width', 'is not null']],
    [
      and(eq('event', 'a'), eq('goal', 1)),
      {
        and: [
          ['event', '==', 'a'],
          ['goal', '==', 1],
        ],
      },
    ],
    [or(eq('event', 'a'), not(isNull('goal'))), { or: [['event', '==', 'a'], { not: ['goal', 'is null'] }] }],
  ])('writes the filter %o', (built, written) => {
    expect(built).toEqual(written)
    expect(valid(query().where(built).build(), timed).predicates).toHaveLength(1)
  })

  test('changes nothing in place', () => {
    const base = query().where(eq('event', 'a'))
    const before = base.build()
    const funnel = base.funnel(step(eq('event', 'a')))
    const [first, second] = [funnel.within('1d').build(), funnel.ties('stepOrder').build()]
    base.where(eq('event', 'b')).aggregate({ column: 'event' })
    expect(base.build()).toEqual(before)
    expect(first.funnel).not.toHaveProperty('ties')
    expect(second.funnel).not.toHaveProperty('within')
    const one = step(eq('event', 'a'))
    one.optional()
    expect(one.json).toEqual({ filter: ['event', '==', 'a'] })
  })

  test('without a row type takes any column', () => {
    const built = query().where(eq('a.b', 1)).aggregate({ column: 'anything' }).build()
    expect(built.query?.conditions).toEqual([{ filter: ['a.b', '==', 1] }])
    expect(query().build()).toEqual({})
  })

  test('with a row type refuses what the row does not have', () => {
    const typed = query<Row>()
    // @ts-expect-error no such column
    typed.where(eq('evnt', 'buy'))
    // @ts-expect-error a number is not text
    typed.where(eq('event', 1))
    // @ts-expect-error text is not a number
    typed.where(rows(eq('goal', '1')))
    // @ts-expect-error not every part has its column
    typed.where(and(eq('event', 'a'), eq('evnt', 'b')))
    // @ts-expect-error no such field of the struct
    typed.where(eq('context.devise', 'x'))
    // @ts-expect-error a sum needs numbers
    typed.where(rows(eq('event', 'a')).sum('cool', '>', 1))
    // @ts-expect-error no such column
    typed.funnel(step(eq('event', 'a'))).hold('pge')
    // @ts-expect-error no such column
    typed.funnel(step('x', eq('evnt', 'a')))
    // @ts-expect-error no such column
    typed.where(sequence(step(eq('event', 'a'))).hold('pge'))
    // @ts-expect-error no such column
    typed.aggregate({ column: 'evnt' })
    typed.where(eq('context.size.width', 1), contains('tags', 'a'), eq('seen', '2026-01-01'), eq('page', 'a'))
    expect(typed.build()).toEqual({})
  })
})
