import { describe, expect, test } from 'vitest'
import { parseQueryText, printQuery } from '../../src/behaviour/json.ts'
import { expandQuery } from '../../src/behaviour/validate.ts'
import { isSkepError } from '../../src/errors.ts'
import { codeOf, columnsOf, events, limits, problems, valid, violationsOf, withTime } from './behaviour-table.ts'

const goal = ['goal', '==', 1]
const conditions = (...list: unknown[]) => ({ query: { conditions: list } })
const condition = (part: object) => conditions({ filter: goal, ...part })
const at = (path: string) => `/query/conditions/0${path}`

describe('what is valid and what it stands for', () => {
  test.each([
    [{}],
    [{ timeframe: {} }],
    [{ query: {} }],
    [{ query: { conditions: [] } }],
    [{ query: { aggregations: [] } }],
  ])('%j stands for itself', (query) => {
    expect(valid(query)).toEqual({
      expanded: query,
      predicates: [],
      conditions: [],
      aggregations: { query: [], step: [], end: [] },
      columns: [],
      warnings: [],
    })
  })

  test('shorthand, default target, default relation', () => {
    const verbose = { column: 'goal', op: '==', value: 1 }
    const target = { type: 'count', op: '>=', value: 1 }
    const query = conditions(
      { filter: goal },
      { filter: verbose, target: ['count', '>=', 1.0] },
      { filters: [verbose, ['price', '>', 1.5]], target: ['sum', 'price', '<', -2.5] },
    )
    expect(valid(query).expanded).toEqual({
      query: {
        conditions: [
          { filter: verbose, target },
          { filter: verbose, target },
          {
            filters: [verbose, { column: 'price', op: '>', value: 1.5 }],
            target: { type: 'sum', column: 'price', op: '<', value: -2.5 },
          },
        ],
        relation: '$0 and $1 and $2',
      },
    })
  })

  test('default aggregations, in their three places', () => {
    const of = (column: string) => ['count', 'countPerValue', 'groupsPerValue'].map((type) => ({ type, column }))
    const mean = { type: 'meanPerValue', column: 'event', otherColumn: 'amount', name: 'm' }
    const query = {
      query: { aggregations: [{ column: 'event' }, mean] },
      funnel: { sequence: [{ filter: goal }], stepAggregations: [mean], endAggregations: [{ column: 'page' }] },
    }
    const { expanded, aggregations, columns } = valid(query)
    expect(expanded.query?.aggregations).toEqual([...of('event'), mean])
    expect(expanded.funnel?.stepAggregations).toEqual([mean])
    expect(expanded.funnel?.endAggregations).toEqual(of('page'))
    expect(aggregations.query[3]).toMatchObject({ ...mean, otherType: { kind: 'decimal' } })
    expect(columns).toEqual(['goal', 'event', 'amount', 'page'])
  })

  test('the source is not changed, and its expansion expands to itself', () => {
    const query = {
      timeframe: { from: -5, to: 2n ** 70n },
      query: {
        conditions: [{ name: 'A', filter: goal, target: ['count', '==', 0] }, { sequence: [{ filter: goal }] }],
        relation: ' !$a||$1 ',
        aggregations: [{ column: 'event' }],
      },
    }
    const copy = structuredClone(query)
    const { expanded } = valid(query)
    expect(query).toEqual(copy)
    expect(valid(expanded).expanded).toEqual(expanded)
    expect(expandQuery(query, limits)).toEqual(expanded)
    expect(expandQuery(parseQueryText(printQuery(expanded as never), limits), limits)).toEqual(expanded)
  })

  test.each(['a', 'zrubi_1_a_234', 'PORQUE', 'android', 'constructor', 'toString'])('the name %j', (name) => {
    const { expanded, conditions: typed } = valid({
      query: { conditions: [{ name, filter: goal }], relation: `$${name}` },
    })
    expect(expanded.query).toMatchObject({ conditions: [{ name }], relation: '$0' })
    expect(typed).toMatchObject([{ name }])
  })

  test('an empty name is none', () => {
    expect(valid(condition({ name: '' })).expanded.query?.conditions?.[0]).not.toHaveProperty('name')
  })
})

describe('targets and includeZero', () => {
  test.each([
    [['count', '==', 0], undefined, true],
    [['count', '==', 0], true, true],
    [['count', '!=', 1], true, true],
    [['count', '<=', 10], true, true],
    [['count', '<=', 0], true, true],
    [['count', '<', 1], true, true],
    [['count', '>=', 0], true, true],
    [['count', '==', 1], false, false],
    [['count', '!=', 0], false, false],
    [['count', '<', 3], undefined, false],
    [['sum', 'price', '>', 1], false, false],
    [['distinct', 'event', '==', 0], undefined, true],
    [['distinct', 'event', '<=', 3], true, true],
    [['distinct', 'event', '<', 3], undefined, false],
    [['min', 'price', '<', 1], false, false],
  ])('%j with %j', (target, includeZero, expected) => {
    const [typed] = valid(condition({ target, ...(includeZero === undefined ? {} : { includeZero }) })).conditions
    expect(typed).toMatchObject({ includeZero: expected })
  })

  test.each([
    [['count', '==', 0], false],
    [['count', '==', 1], true],
    [['count', '>=', 1], true],
    [['count', '!=', 0], true],
    [['count', '<', 0], true],
    [['count', '>', 0], true],
    [['sum', 'price', '>', 1], true],
    [['distinct', 'event', '==', 0], false],
    [['distinct', 'event', '>=', 1], true],
    [['mean', 'price', '<', 1], true],
    [['max', 'day', '<', '2026-01-01'], true],
  ])('%j with %j is refused', (target, includeZero) => {
    expect(problems(condition({ target, includeZero }))).toEqual([`TYPE_MISMATCH ${at('/includeZero')}`])
  })

  test.each([
    [['count', 'contains', 100], 'SCHEMA /1'],
    [['count', '>', true], 'SCHEMA /2'],
    [['count', '>', 'hello'], 'SCHEMA /2'],
    [['count', '>', -1], 'SCHEMA /2'],
    [['count', '>', 1.5], 'SCHEMA /2'],
    [['count', '>'], 'SCHEMA '],
    [['count', 'price', '>', 1], 'SCHEMA '],
    [[], 'SCHEMA '],
    [['avg', 'price', '>', 1], 'SCHEMA /0'],
    [['sum', 'jarjar', '>', 100], 'DATASET_MISMATCH /1'],
    [['sum', 'event', '>', 100], 'TYPE_MISMATCH /1'],
    [['sum', 'cool', '>', 100], 'TYPE_MISMATCH /1'],
    [['sum', 'price', '>', 'blah'], 'SCHEMA /3'],
    [['sum', 'price', '>', true], 'SCHEMA /3'],
    [['distinct', 'event', '>', -1], 'SCHEMA /3'],
    [['distinct', 'tags', '>', 1], 'TYPE_MISMATCH /1'],
    [['mean', 'day', '>', 1], 'TYPE_MISMATCH /1'],
    [['mean', 'price', '>', '1'], 'SCHEMA /3'],
    [['min', 'event', '>', 'a'], 'TYPE_MISMATCH /1'],
    [['max', 'cool', '>', 1], 'TYPE_MISMATCH /1'],
    [['max', 'context', '>', 1], 'TYPE_MISMATCH /1'],
    [['min', 'goal', '>', 1.5], 'TYPE_MISMATCH /3'],
    [['min', 'day', '>', 1], 'TYPE_MISMATCH /3'],
    [['min', 'price', '>', true], 'SCHEMA /3'],
    [['min', 'price', '>'], 'SCHEMA '],
    [{ type: 'min', column: 'price', op: '>' }, 'SCHEMA '],
    [{ type: 'count', op: '>', value: 1, column: 'price' }, 'SCHEMA /column'],
    [{ type: 'sum', op: '>', value: 1 }, 'SCHEMA '],
    [{ type: 'count', op: '>', vaule: 1 }, 'SCHEMA /vaule'],
    [null, 'SCHEMA '],
    ['count', 'SCHEMA '],
  ])('target %j is refused', (target, problem) => {
    expect(problems(condition({ target }))[0]).toBe(problem.replace(' ', ` ${at('/target')}`))
  })
})

test.each([
  [['distinct', 'context.device', '>=', 2], { value: 2, path: ['context', 'device'], columnType: { name: 'VARCHAR' } }],
  [['mean', 'amount', '>', 1.5], { value: 1.5, path: ['amount'] }],
  [['sum', 'context.screen.width', '>', 1.5], { value: 1.5, path: ['context', 'screen', 'width'] }],
  [['min', 'day', '<', '1970-01-03'], { literal: { kind: 'ticks', floor: 2n, exact: true } }],
  [['max', 'amount', '<', '1.254'], { literal: { kind: 'ticks', floor: 125n, exact: false } }],
  [['max', 'goal', '==', 2n ** 80n], { literal: { kind: 'ticks', floor: 2n ** 80n, exact: true } }],
])('the target %o knows its column', (target, typed) => {
  const [type, column, op] = target
  const { conditions: all, expanded } = valid(condition({ target }))
  expect(all).toMatchObject([{ target: { type, column, op, ...typed } }])
  expect(expanded.query?.conditions).toMatchObject([{ target: { type, column, op, value: target[3] } }])
  expect(valid(expanded).conditions).toEqual(all)
})

describe('filters', () => {
  test.each([
    ['goal', '==', 1],
    ['goal', '!=', 1.0],
    ['goal', '<', 10n ** 40n],
    ['price', '>=', 1],
    ['price', '<=', 1.5],
    ['cool', '==', true],
    ['cool', '!=', false],
    ['event', '==', ''],
    ['event', 'contains', 'a'],
    ['event', 'not contains', 'a'],
    ['amount', '<', 1.234],
    ['amount', '>', '-99.99'],
    ['day', '<', '2026-11-20'],
    ['day', '==', '2026-11-20T00:00:00Z'],
    ['seen', '>=', '2026-11-20'],
    ['seen', '>=', '2026-11-20T08:14:00.123456789+05:30'],
    ['zoned', '!=', '2026-11-20 08:14Z'],
    ['id', '==', '6F9619FF-8B86-D011-B42D-00C04FC964FF'],
    ['user', '==', 'u4'],
    ['ts', '>=', 100],
  ])('%s %s %s is valid', (...filter) => {
    expect(problems(conditions({ filter }))).toEqual([])
    expect(problems(conditions({ filters: [filter] }))).toEqual([])
  })

  test.each([
    [['nothing', '>', 1], 'DATASET_MISMATCH /0'],
    [['Goal', '>', 1], 'DATASET_MISMATCH /0'],
    [['constructor', '>', 1], 'DATASET_MISMATCH /0'],
    [['goal', 'contains', 'a'], 'TYPE_MISMATCH /1'],
    [['goal', '>', 'a'], 'TYPE_MISMATCH /2'],
    [['goal', '==', true], 'TYPE_MISMATCH /2'],
    [['goal', '==', 1.5], 'TYPE_MISMATCH /2'],
    [['goal', '==', '1'], 'TYPE_MISMATCH /2'],
    [['price', '==', '1'], 'TYPE_MISMATCH /2'],
    [['price', '==', false], 'TYPE_MISMATCH /2'],
    [['id', '>', 'a'], 'TYPE_MISMATCH /1'],
    [['event', '==', 1], 'TYPE_MISMATCH /2'],
    [['event', '==', true], 'TYPE_MISMATCH /2'],
    [['event', 'contains', 1], 'TYPE_MISMATCH /2'],
    [['cool', '==', 1], 'TYPE_MISMATCH /2'],
    [['cool', '==', 'true'], 'TYPE_MISMATCH /2'],
    [['cool', '<', true], 'TYPE_MISMATCH /1'],
    [['cool', 'contains', 'fish'], 'TYPE_MISMATCH /1'],
    [['amount', '==', '1,5'], 'TYPE_MISMATCH /2'],
    [['amount', '==', '1e99999999'], 'TYPE_MISMATCH /2'],
    [['day', '==', 20260101], 'TYPE_MISMATCH /2'],
    [['day', '==', '2026-02-30'], 'TYPE_MISMATCH /2'],
    [['seen', '==', '2026-01-01T24:00:00'], 'TYPE_MISMATCH /2'],
    [['seen', '==', 'yesterday'], 'TYPE_MISMATCH /2'],
    [['id', '==', 'x'], 'TYPE_MISMATCH /2'],
    [['tags', '==', 'x'], 'TYPE_MISMATCH /1'],
    [['bytes', '==', 'x'], 'TYPE_MISMATCH /0'],
    [['event', '=', 'x'], 'SCHEMA /1'],
    [['event', 'regex', 'x'], 'SCHEMA /1'],
    [['event', '==', null], 'SCHEMA /2'],
    [['event', '==', ['x']], 'SCHEMA /2'],
    [['event', '==', {}], 'SCHEMA /2'],
    [['event', '=='], 'SCHEMA '],
    [['event', '==', 'x', 1], 'SCHEMA '],
    [[], 'SCHEMA '],
    [[1, '==', 1], 'SCHEMA /0'],
    ['event == x', 'SCHEMA '],
    [null, 'SCHEMA '],
    [{ column: 'event', op: '==' }, 'SCHEMA '],
  ])('%j is refused', (filter, problem) => {
    const path = problem.replace(' ', ` ${at('/filter')}`)
    expect(problems(conditions({ filter }))[0]).toBe(path)
    expect(problems({ funnel: { sequence: [{ filter }] } })[0]).toBe(path.replace(at(''), '/funnel/sequence/0'))
    expect(problems(conditions({ filters: [goal, filter] }))[0]).toBe(path.replace('/filter', '/filters/1'))
  })

  test('equal ones are one predicate, in whatever form and order', () => {
    const {
      predicates,
      conditions: typed,
      funnel,
    } = valid({
      query: {
        conditions: [
          { filter: goal },
          { filters: [{ column: 'goal', op: '==', value: 1.0 }] },
          { filters: [goal, ['price', '>', 2]] },
        ],
      },
      funnel: { sequence: [{ filters: [['price', '>', 2], goal, goal] }, { filter: ['goal', '!=', 1] }] },
    })
    expect(predicates).toHaveLength(3)
    expect(typed.map((each) => each.kind === 'rows' && each.predicate)).toEqual([0, 0, 1])
    expect(funnel?.sequence.steps.map(({ predicate }) => predicate)).toEqual([1, 2])
  })

  test('sixty-three distinct ones are the limit, of those that are used', () => {
    const many = (count: number) => Array.from({ length: count }, (_, k) => ({ filter: ['goal', '==', k] }))
    expect(valid(conditions(...many(63))).predicates).toHaveLength(63)
    expect(codeOf(() => valid(conditions(...many(64))))).toBe('TOO_MANY_PREDICATES')
    const one = valid({ query: { conditions: many(100), relation: '$99' } })
    expect(one.predicates).toHaveLength(1)
    expect(one.conditions).toMatchObject([{ index: 99, predicate: 0 }])
    expect(one.relation).toEqual({ kind: 'condition', index: 0 })
    expect(one.warnings).toHaveLength(99)
  })
})

describe('conditions, sequences and relations', () => {
  test.each([
    [{}, ['SCHEMA ']],
    [{ filter: goal, filters: [goal] }, ['SCHEMA ']],
    [{ filter: goal, sequence: [{ filter: goal }] }, ['SCHEMA ']],
    [{ filters: [] }, ['SCHEMA /filters']],
    [{ filters: goal }, ['SCHEMA /filters/0', 'SCHEMA /filters/1', 'SCHEMA /filters/2']],
    [{ sequence: [] }, ['SCHEMA /sequence']],
    [{ sequence: {} }, ['SCHEMA /sequence']],
    [{ sequence: [{}] }, ['SCHEMA /sequence/0']],
    [{ sequence: [goal] }, ['SCHEMA /sequence/0']],
    [{ sequence: [{ filter: goal }], includeZero: true }, ['SCHEMA /includeZero']],
    [{ sequence: [{ filter: goal }], target: ['count', '>', 1] }, ['SCHEMA /target']],
    [{ sequence: [{ filter: goal }], maxDuration: -1 }, ['SCHEMA /maxDuration']],
    [{ sequence: [{ filter: goal }], maxDuration: 1.5 }, ['SCHEMA /maxDuration']],
    [{ sequence: [{ filter: goal }], maxDuration: '1d' }, ['SCHEMA /maxDuration']],
    [{ sequence: [{ filter: goal, rowFound: 0 }] }, ['SCHEMA /sequence/0/rowFound']],
    [{ sequence: [{ filter: goal, rowFound: false }] }, ['SCHEMA /sequence']],
    [{ filter: goal, maxDuration: 3 }, ['SCHEMA /maxDuration']],
    [{ filter: goal, includeZero: 1 }, ['SCHEMA /includeZero']],
    [{ filter: goal, name: 1 }, ['SCHEMA /name']],
    [null, ['SCHEMA ']],
    [[], ['SCHEMA ']],
  ])('%j is refused', (item, expected) => {
    expect(problems(conditions(item))).toEqual(expected.map((problem) => problem.replace(' ', ` ${at('')}`)))
  })

  test.each([
    ...[
      '1',
      '2asd',
      '$1',
      '$adsas',
      'import crazy',
      ' a',
      'b ',
      '_a',
      'and',
      'or',
      '&&',
      '||',
      'And',
      'not',
      'NOT',
      'é',
      'a\n',
    ],
  ])('the name %j is refused', (name) => {
    expect(problems(condition({ name }))).toEqual([`SCHEMA ${at('/name')}`])
  })

  test('names are unique without regard to case', () => {
    expect(problems(conditions({ filter: goal, name: 'Buy' }, { filter: goal, name: 'bUY' }))).toEqual([
      'SCHEMA /query/conditions/1/name',
    ])
  })

  test('the relation is checked against the conditions', () => {
    const relation = (text: unknown, ...list: unknown[]) => ({ query: { relation: text, conditions: list } })
    expect(problems(relation('$1', { filter: goal }))).toEqual(['RELATION /query/relation'])
    expect(problems(relation('  ', { filter: goal }))).toEqual(['RELATION /query/relation'])
    expect(problems(relation('and'))).toEqual(['RELATION /query/relation'])
    expect(problems({ query: { relation: 'or' } })).toEqual(['RELATION /query/relation'])
    expect(problems(relation(1, { filter: goal }))).toEqual(['SCHEMA /query/relation'])
    expect(problems(relation(null, { filter: goal }))).toEqual(['SCHEMA /query/relation'])
    expect(codeOf(() => valid(relation(`${'('.repeat(101)}$0`, { filter: goal })))).toBe('QUERY_TOO_DEEP')
  })

  test('a condition that the relation does not use is checked, warned of and left out', () => {
    const query = {
      query: { relation: '$0', conditions: [{ filter: goal }, { name: 'b', filter: ['page', '==', 'x'] }] },
    }
    const { warnings, columns } = valid(query)
    expect(warnings).toEqual([
      { code: 'UNUSED_CONDITION', path: '/query/conditions/1', message: expect.stringContaining('"b"') },
    ])
    expect(columns).toEqual(['goal'])
    const wrong = { query: { relation: '$0', conditions: [{ filter: goal }, { filter: ['page', '==', 1] }] } }
    expect(problems(wrong)).toEqual(['TYPE_MISMATCH /query/conditions/1/filter/2'])
  })

  test('steps keep their places, names and signs', () => {
    const sequence = [
      { filter: ['goal', '==', 1], rowFound: false },
      { filter: ['goal', '==', 2], rowFound: true, name: 'second' },
      { filter: ['goal', '==', 1] },
    ]
    const { funnel, expanded } = valid({ funnel: { sequence, maxDuration: 0 } })
    expect(funnel?.sequence).toEqual({
      steps: [
        { predicate: 0, negative: true, optional: false, index: 0 },
        { predicate: 1, negative: false, optional: false, index: 1, name: 'second' },
        { predicate: 0, negative: false, optional: false, index: 2 },
      ],
      within: 0n,
      order: 'ordered',
      ties: 'never',
      sameRow: false,
      hold: [],
    })
    expect(expanded.funnel?.sequence.map((step) => step.rowFound)).toEqual([false, undefined, undefined])
  })

  test('maxDuration goes with integer and float time columns', () => {
    const query = { funnel: { sequence: [{ filter: goal }], maxDuration: 60 } }
    expect(valid(query, withTime('INTEGER')).funnel?.sequence.within).toBe(60n)
    expect(valid(query, withTime('DOUBLE')).funnel?.sequence.within).toBe(60)
    for (const type of ['DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE']) {
      expect(problems(query, withTime(type))).toEqual(['TYPE_MISMATCH /funnel/maxDuration'])
    }
  })
})

describe('the timeframe', () => {
  test.each([
    ['BIGINT', { from: -5, to: 1.0 }, { from: -5n, to: 1n }],
    ['BIGINT', { from: 2n ** 80n }, { from: 2n ** 80n }],
    ['DOUBLE', { from: -0.5, to: 7 }, { from: -0.5, to: 7 }],
    ['DOUBLE', { from: 2n ** 53n + 1n }, { from: 2 ** 53 + 2 }],
    ['DOUBLE', { from: -(2n ** 53n) - 1n }, { from: -(2 ** 53) }],
    ['DATE', { from: '1970-01-02', to: '1970-01-03T01:00' }, { from: 1n, to: 3n }],
    [
      'TIMESTAMP',
      { from: '1970-01-01T00:00:01', to: '1970-01-01T02:00:02+02:00' },
      { from: 1_000_000n, to: 2_000_000n },
    ],
    ['TIMESTAMP WITH TIME ZONE', { to: '1969-12-31T23:59:59.9999999Z' }, { to: 0n }],
    ['TIMESTAMP_NS', { from: '1970-01-01T00:00:00.000000001' }, { from: 1n }],
  ])('on %s: %o', (type, timeframe, expected) => {
    expect(valid({ timeframe }, withTime(type)).timeframe).toEqual(expected)
  })

  test.each([
    ['BIGINT', { from: '2026-01-01' }, ['TYPE_MISMATCH /timeframe/from']],
    ['BIGINT', { from: 1.5 }, ['TYPE_MISMATCH /timeframe/from']],
    ['TIMESTAMP', { from: 5 }, ['TYPE_MISMATCH /timeframe/from']],
    ['DATE', { to: 'tomorrow' }, ['TYPE_MISMATCH /timeframe/to']],
    ['DATE', { from: 1, to: 2 }, ['TYPE_MISMATCH /timeframe/from', 'TYPE_MISMATCH /timeframe/to']],
    ['BIGINT', { from: 5, to: 5 }, ['SCHEMA /timeframe/to']],
    ['BIGINT', { from: 5, to: -5 }, ['SCHEMA /timeframe/to']],
    ['BIGINT', { from: 2n ** 64n, to: 2n ** 64n }, ['SCHEMA /timeframe/to']],
    ['TIMESTAMP', { from: '2026-01-01T01:00Z', to: '2026-01-01T02:00+01:00' }, ['SCHEMA /timeframe/to']],
    ['BIGINT', { from: true }, ['SCHEMA /timeframe/from']],
    ['BIGINT', { from: null, to: [] }, ['SCHEMA /timeframe/from', 'SCHEMA /timeframe/to']],
    ['BIGINT', { form: 1 }, ['SCHEMA /timeframe/form']],
  ])('on %s: %o is refused', (type, timeframe, expected) => {
    expect(problems({ timeframe }, withTime(type))).toEqual(expected)
  })
})

describe('aggregations', () => {
  test.each([
    [{ column: 'event', top: 0 }, 'SCHEMA /top'],
    [{ column: 'event', top: 10_001 }, 'SCHEMA /top'],
    [{ column: 'event', top: 1.5 }, 'SCHEMA /top'],
    [{ column: 'event', top: '5' }, 'SCHEMA /top'],
    [{ column: 'event', type: 'count', top: 5 }, 'SCHEMA /top'],
    [{ column: 'price', type: 'sum', top: 5 }, 'SCHEMA /top'],
    [{ column: 'price', type: 'quantiles' }, 'SCHEMA '],
    [{ column: 'price', type: 'quantiles', q: [] }, 'SCHEMA /q'],
    [{ column: 'price', type: 'quantiles', q: 0.5 }, 'SCHEMA /q'],
    [{ column: 'price', type: 'quantiles', q: [1.01] }, 'SCHEMA /q/0'],
    [{ column: 'price', type: 'quantiles', q: [0, -0.5] }, 'SCHEMA /q/1'],
    [{ column: 'price', type: 'quantiles', q: [2n ** 70n] }, 'SCHEMA /q/0'],
    [{ column: 'price', type: 'mean', q: [0.5] }, 'SCHEMA /q'],
    [{ column: 'price', q: [0.5] }, 'SCHEMA /q'],
    [{ column: 'event', columns: ['event'] }, 'SCHEMA /columns'],
    [{ columns: [] }, 'SCHEMA /columns'],
    [{ columns: 'event' }, 'SCHEMA /columns'],
    [{ columns: ['event', 5] }, 'SCHEMA /columns/1'],
    [{ columns: ['event'], type: 'count', name: 'x' }, 'SCHEMA /name'],
    [{ columns: ['event', 'nothing'], type: 'count' }, 'DATASET_MISMATCH /columns/1'],
    [{ column: 'event', type: 'sum' }, 'TYPE_MISMATCH /column'],
    [{ column: 'event', type: 'mean' }, 'TYPE_MISMATCH /column'],
    [{ column: 'day', type: 'quantiles', q: [0.5] }, 'TYPE_MISMATCH /column'],
    [{ column: 'cool', type: 'min' }, 'TYPE_MISMATCH /column'],
    [{ column: 'bytes', type: 'max' }, 'TYPE_MISMATCH /column'],
    [{ column: 'tags', type: 'distinct' }, 'TYPE_MISMATCH /column'],
    [{ column: 'context', type: 'count' }, 'TYPE_MISMATCH /column'],
    [{ column: 'context.device', type: 'sum' }, 'TYPE_MISMATCH /column'],
    [{ column: 'event', type: '' }, 'SCHEMA /type'],
    [{ column: 'event', type: null }, 'SCHEMA /type'],
    [{ column: 'event', name: 'x' }, 'SCHEMA /name'],
    [{ column: 'event', otherColumn: 'price' }, 'SCHEMA /otherColumn'],
    [{ column: 'event', type: 'countPerValue', otherColumn: 'price' }, 'SCHEMA /otherColumn'],
    [{ column: 'event', type: 'sumPerValue' }, 'SCHEMA '],
    [{ column: 'event', type: 'count', name: '1x' }, 'SCHEMA /name'],
    [{ type: 'count' }, 'SCHEMA '],
    [{ column: 5 }, 'SCHEMA /column'],
    ['event', 'SCHEMA '],
    [{ column: 'event', type: 'meanPerValue', otherColumn: 'page' }, 'TYPE_MISMATCH /otherColumn'],
    [{ column: 'event', type: 'sumPerValue', otherColumn: 'nothing' }, 'DATASET_MISMATCH /otherColumn'],
    [{ column: 'tags', type: 'count' }, 'TYPE_MISMATCH /column'],
    [{ column: 'tags' }, 'TYPE_MISMATCH /column'],
    [{ column: 'nothing' }, 'DATASET_MISMATCH /column'],
  ])('%o is refused', (item, problem) => {
    expect(problems({ query: { aggregations: [item] } })).toEqual([problem.replace(' ', ' /query/aggregations/0')])
    for (const place of ['stepAggregations', 'endAggregations']) {
      const query = { funnel: { sequence: [{ filter: goal }], [place]: [item] } }
      expect(problems(query)).toEqual([problem.replace(' ', ` /funnel/${place}/0`)])
    }
  })

  test.each([
    [{ column: 'event', top: 3 }, ['count', 'countPerValue', 'groupsPerValue'], [10, 3, 3]],
    [{ columns: ['event', 'goal'], type: 'distinct' }, ['distinct', 'distinct'], [10, 10]],
    [
      { columns: ['event', 'page'], type: 'sumPerValue', otherColumn: 'context.screen.width', top: 10_000 },
      ['sumPerValue', 'sumPerValue'],
      [10_000, 10_000],
    ],
    [{ column: 'day', type: 'min' }, ['min'], [10]],
    [{ column: 'event', type: 'max' }, ['max'], [10]],
    [{ column: 'amount', type: 'quantiles', q: [0, 0.5, 1] }, ['quantiles'], [10]],
  ])('%j stands for several, each with its column', (item, types, tops) => {
    const { aggregations, expanded } = valid({ query: { aggregations: [item] } })
    expect(aggregations.query.map(({ type }) => type)).toEqual(types)
    expect(aggregations.query.map(({ top }) => top)).toEqual(tops)
    expect(valid(expanded)).toEqual(valid({ query: { aggregations: [item] } }))
    for (const { column, path, columnType } of aggregations.query) {
      expect(path).toEqual([column])
      expect(columnType).toEqual(events.columns.find(({ name }) => name === column)!.type)
    }
  })

  test('over a field of a struct carry its path', () => {
    const { aggregations, columns } = valid({
      query: {
        aggregations: [{ column: 'context.device', type: 'meanPerValue', otherColumn: 'context.screen.width' }],
      },
    })
    expect(aggregations.query).toMatchObject([
      {
        column: 'context.device',
        path: ['context', 'device'],
        otherColumn: 'context.screen.width',
        otherPath: ['context', 'screen', 'width'],
        otherType: { name: 'INTEGER' },
      },
    ])
    expect(columns).toEqual(['context'])
  })

  test('are a list', () => {
    expect(problems({ query: { aggregations: { columns: [] } } })).toEqual(['SCHEMA /query/aggregations'])
  })

  test('have names that are unique in their place', () => {
    const named = { column: 'event', type: 'count', name: 'a' }
    const other = { ...named, name: 'A' }
    const sequence = [{ filter: goal }]
    expect(
      problems({
        query: { conditions: [{ filter: goal, name: 'a' }], aggregations: [named, other] },
        funnel: { sequence, stepAggregations: [named], endAggregations: [named] },
      }),
    ).toEqual([])
    expect(problems({ query: { aggregations: [named, other, named] } })).toEqual(['SCHEMA /query/aggregations/2/name'])
  })
})

describe('violations', () => {
  test('come all at once, of the first stage that has any', () => {
    const query = {
      hello: 1,
      timeframe: { from: 'x', til: 5 },
      query: {
        relation: '$7',
        conditions: [
          { filter: ['nothing', '=', null], targt: 1 },
          {
            name: 'or',
            filters: [{ column: 'event', op: '==', vale: 1 }],
            target: ['count', '>', 1],
            includeZero: true,
          },
        ],
        aggregations: [{ column: 'event', type: 'meen' }],
      },
      funnel: {},
    }
    expect(
      violationsOf(query).map(({ kind, path, message }) => [kind, path, /did you mean "(.*)"/.exec(message)?.[1]]),
    ).toEqual([
      ['SCHEMA', '/hello', undefined],
      ['SCHEMA', '/timeframe/til', 'to'],
      ['SCHEMA', '/query/conditions/0/targt', 'target'],
      ['SCHEMA', '/query/conditions/0/filter/1', '=='],
      ['SCHEMA', '/query/conditions/0/filter/2', undefined],
      ['SCHEMA', '/query/conditions/1/name', undefined],
      ['SCHEMA', '/query/conditions/1/filters/0/vale', 'value'],
      ['SCHEMA', '/query/conditions/1/filters/0', undefined],
      ['TYPE_MISMATCH', '/query/conditions/1/includeZero', undefined],
      ['RELATION', '/query/relation', undefined],
      ['SCHEMA', '/query/aggregations/0/type', 'mean'],
      ['SCHEMA', '/funnel', undefined],
    ])
  })

  test('against the table come all at once too, with the nearest column', () => {
    const query = {
      timeframe: { from: '2026-01-01' },
      query: {
        conditions: [
          { filter: ['evnet', '==', 1] },
          { filters: [['goal', '>', 'x'], goal], target: ['sum', 'Price', '>', 1] },
        ],
        aggregations: [{ column: 'pages' }],
      },
      funnel: { sequence: [{ filter: ['cool', '==', 1] }], maxDuration: 1 },
    }
    expect(
      violationsOf(query).map(({ kind, path, message }) => [kind, path, /did you mean "(.*)"/.exec(message)?.[1]]),
    ).toEqual([
      ['TYPE_MISMATCH', '/timeframe/from', undefined],
      ['DATASET_MISMATCH', '/query/conditions/0/filter/0', 'event'],
      ['TYPE_MISMATCH', '/query/conditions/1/filters/0/2', undefined],
      ['DATASET_MISMATCH', '/query/conditions/1/target/1', 'price'],
      ['DATASET_MISMATCH', '/query/aggregations/0/column', 'page'],
      ['TYPE_MISMATCH', '/funnel/sequence/0/filter/2', undefined],
    ])
  })

  test.each([
    ['null', ''],
    ['[]', ''],
    ['5', ''],
    ['"{}"', ''],
    ['{"query":null}', '/query'],
    ['{"funnel":null}', '/funnel'],
    ['{"timeframe":null}', '/timeframe'],
    ['{"query":{"conditions":null}}', '/query/conditions'],
    ['{"__proto__":1}', '/__proto__'],
    ['{"constructor":1}', '/constructor'],
    ['{"a/~b":1}', '/a~1~0b'],
  ])('of %s', (text, path) => {
    expect(problems(parseQueryText(text, limits))).toEqual([`SCHEMA ${path}`])
  })

  test('make a message that a person can act on', () => {
    try {
      valid({ query: { conditions: [{ filter: ['evnt', '==', 'x'] }] } })
    } catch (error) {
      expect(isSkepError(error, 'QUERY_INVALID') && error.message).toBe(
        'the query is not valid: /query/conditions/0/filter/0: the table has no column "evnt"; did you mean "event"?',
      )
      return
    }
    throw new Error('accepted')
  })

  test('tell what the table lacks', () => {
    const sequence = [{ filter: goal }]
    expect(problems({}, { columns: events.columns, keys: {} })).toEqual(['INVALID_ARGUMENTS '])
    const timeless = { columns: events.columns, keys: { actor: 'user' } }
    expect(problems(conditions({ filter: goal }), timeless)).toEqual([])
    expect(problems({ timeframe: { from: 1 }, funnel: { sequence } }, timeless)).toEqual([
      'INVALID_ARGUMENTS /timeframe',
      'INVALID_ARGUMENTS /funnel/sequence',
    ])
  })

  test('are found fast in large queries, and listed up to a limit', () => {
    const start = process.cpuUsage()
    const wrong = Array.from({ length: 20_000 }, (_, k) => ({ [`fliter${k}`]: k }))
    expect(violationsOf(conditions(...wrong))).toHaveLength(1000)
    const unknown = Array.from({ length: 20_000 }, (_, k) => ({ filter: [`column${k}`, '==', k] }))
    expect(violationsOf(conditions(...unknown))).toHaveLength(1000)
    const long = 'x'.repeat(1_000_000)
    expect(violationsOf(conditions({ filter: [long, '==', 1] }))[0]!.message.length).toBeLessThan(200)
    expect(problems(conditions({ filter: ['event', '==', long] }))).toEqual([])
    expect(problems(condition({ name: long }))).toEqual([])
    expect(problems({ query: { conditions: [{ filter: goal }], relation: long } })).toEqual([
      'RELATION /query/relation',
    ])
    const same = Array.from({ length: 20_000 }, () => ({ filter: goal }))
    expect(valid(conditions(...same)).predicates).toHaveLength(1)
    // Microseconds at work: other processes do not count.
    const { user, system } = process.cpuUsage(start)
    expect(user + system).toBeLessThan(6_000_000)
  })
})

test('columns and values of any text', () => {
  const names = ['"', "'", '\\', 'a\nb', '\0', '💥', '__proto__', 'constructor', '', 'a.b', ' ', '$1', '--']
  const table = { columns: columnsOf(Object.fromEntries(names.map((name) => [name, 'VARCHAR']))), keys: { actor: '"' } }
  table.columns.push(...columnsOf(JSON.parse('{"__proto__":"VARCHAR"}')))
  for (const name of names) {
    const { predicates, columns } = valid(conditions({ filter: [name, '==', name] }), table)
    expect(columns).toEqual([name])
    expect(predicates).toMatchObject([{ column: name, literal: { text: name } }])
  }
})
