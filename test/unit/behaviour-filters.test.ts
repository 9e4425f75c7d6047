import { describe, expect, test } from 'vitest'
import { parseQueryText, printQuery } from '../../src/behaviour/json.ts'
import { expandQuery } from '../../src/behaviour/validate.ts'
import { codeOf, columnsOf, limits, problems, valid } from './behaviour-table.ts'

const goal = ['goal', '==', 1]
const verbose = { column: 'goal', op: '==', value: 1 }
const conditions = (...list: unknown[]) => ({ query: { conditions: list } })
const predicateOf = (filter: unknown) => valid(conditions({ filter })).predicates[0]
const expandedOf = (filter: unknown) => valid(conditions({ filter })).expanded.query?.conditions?.[0]

describe('a filter', () => {
  test.each([
    ['goal', 'in', [1, 2n ** 60n]],
    ['goal', 'not in', [1]],
    ['goal', 'between', [1, 2]],
    ['goal', 'between', [2, 1]],
    ['price', 'in', [1, 1.5]],
    ['cool', 'in', [true]],
    ['cool', 'not in', [false, true]],
    ['event', 'in', ['a', '', 'a']],
    ['event', '<', 'a'],
    ['event', '>=', ''],
    ['event', 'between', ['a', 'b']],
    ['event', 'starts with', ''],
    ['event', 'ends with', 'a'],
    ['event', 'matches', '^a(b|c)+$'],
    ['amount', 'between', ['1.25', 2]],
    ['day', 'in', ['2026-11-20']],
    ['seen', 'between', ['2026-11-20', '2026-11-20T08:14:00Z']],
    ['zoned', '<', '2026-11-20'],
    ['id', 'in', ['6F9619FF-8B86-D011-B42D-00C04FC964FF']],
    ['tags', 'contains', 'a'],
    ['tags', 'not contains', 'a'],
    ['numbers', 'contains', '1.25'],
    ['context.device', '==', 'phone'],
    ['context.screen.width', '>', 100],
    ['context.screen.a.b', '==', 'x'],
    ['context.tags', 'contains', 'a'],
  ])('of %s %s %o', (...filter) => {
    const [column, op, value] = filter
    expect(problems(conditions({ filter }, { filters: [filter, { not: filter }] }))).toEqual([])
    expect(expandedOf(filter)).toEqual({ filter: { column, op, value }, target: { type: 'count', op: '>=', value: 1 } })
    expect(predicateOf({ column, op, value })).toEqual(predicateOf(filter))
  })

  test.each(['goal', 'price', 'cool', 'event', 'amount', 'day', 'seen', 'zoned', 'id', 'tags', 'context.device'])(
    'asks whether %s is null',
    (column) => {
      for (const op of ['is null', 'is not null']) {
        expect(predicateOf([column, op])).toMatchObject({ kind: 'null', column, operator: op })
        expect(expandedOf([column, op])).toMatchObject({ filter: { column, op } })
        expect(expandedOf({ column, op })).toEqual(expandedOf([column, op]))
        expect(problems(conditions({ filter: [column, op, null] }))).toEqual(['SCHEMA /query/conditions/0/filter/2'])
        expect(problems(conditions({ filter: { column, op, value: 1 } }))).toEqual([
          'SCHEMA /query/conditions/0/filter/value',
        ])
      }
    },
  )

  test.each([
    [['goal', 'in', 1], 'SCHEMA /2'],
    [['goal', 'in', []], 'SCHEMA /2'],
    [['goal', 'in', [1, null]], 'SCHEMA /2/1'],
    [['goal', 'in', [[1]]], 'SCHEMA /2/0'],
    [['goal', 'in', [1, 'x']], 'TYPE_MISMATCH /2/1'],
    [['goal', 'not in', [1.5]], 'TYPE_MISMATCH /2/0'],
    [['goal', 'in'], 'SCHEMA '],
    [['goal', 'is', null], 'SCHEMA /1'],
    [['goal', 'is nul'], 'SCHEMA /1'],
    [['goal'], 'SCHEMA '],
    [['goal', 'between', [1]], 'SCHEMA /2'],
    [['goal', 'between', [1, 2, 3]], 'SCHEMA /2'],
    [['goal', 'between', 1], 'SCHEMA /2'],
    [['goal', 'between', [1, 'x']], 'TYPE_MISMATCH /2/1'],
    [['goal', 'between', [null, 1]], 'SCHEMA /2/0'],
    [['goal', 'starts with', 'a'], 'TYPE_MISMATCH /1'],
    [['goal', 'matches', 'a'], 'TYPE_MISMATCH /1'],
    [['cool', 'between', [false, true]], 'TYPE_MISMATCH /1'],
    [['id', 'contains', 'a'], 'TYPE_MISMATCH /1'],
    [['event', 'in', [1]], 'TYPE_MISMATCH /2/0'],
    [['event', 'matches', ['a']], 'SCHEMA /2'],
    [['event', 'matches', 1], 'TYPE_MISMATCH /2'],
    [['event', 'matches', '\ud800'], 'INVALID_ARGUMENTS /2'],
    [['tags', 'in', ['a']], 'TYPE_MISMATCH /1'],
    [['tags', 'starts with', 'a'], 'TYPE_MISMATCH /1'],
    [['tags', 'contains', 1], 'TYPE_MISMATCH /2'],
    [['numbers', 'contains', true], 'TYPE_MISMATCH /2'],
    [['nested', 'contains', 'a'], 'TYPE_MISMATCH /0'],
    [['nested', 'is null'], 'TYPE_MISMATCH /0'],
    [['context', 'is null'], 'TYPE_MISMATCH /0'],
    [['context.screen', 'is null'], 'TYPE_MISMATCH /0'],
    [['context.devise', '==', 'x'], 'DATASET_MISMATCH /0'],
    [['context.', '==', 'x'], 'DATASET_MISMATCH /0'],
    [['context.device.x', '==', 'x'], 'DATASET_MISMATCH /0'],
    [['event.x', '==', 'x'], 'DATASET_MISMATCH /0'],
    [['pairs', 'contains', 'x'], 'TYPE_MISMATCH /0'],
    [{ column: 'goal', op: 'in' }, 'SCHEMA '],
    [{ op: 'is null' }, 'SCHEMA '],
    [{ and: [] }, 'SCHEMA /and'],
    [{ or: {} }, 'SCHEMA /or'],
    [{ and: [goal, 1] }, 'SCHEMA /and/1'],
    [{ and: goal }, 'SCHEMA /and/0'],
    [{ or: [goal, { and: [{ not: ['goal', '==', 'x'] }] }] }, 'TYPE_MISMATCH /or/1/and/0/not/2'],
    [{ not: [] }, 'SCHEMA /not'],
    [{ not: null }, 'SCHEMA /not'],
    [{ and: [goal], or: [goal] }, 'SCHEMA /or'],
    [{ and: [goal], column: 'goal' }, 'SCHEMA /column'],
    [{ not: goal, nto: goal }, 'SCHEMA /nto'],
    [{ nto: goal }, 'SCHEMA /nto'],
    [{}, 'SCHEMA '],
    [JSON.parse('{"__proto__": 1, "and": [["goal","==",1]]}'), 'SCHEMA /__proto__'],
  ])('%j is refused', (filter, problem) => {
    const path = problem.replace(' ', ' /query/conditions/0/filter')
    expect(problems(conditions({ filter }))[0]).toBe(path)
    const inside = conditions({ filters: [goal, { or: [{ not: filter }] }] })
    expect(problems(inside)[0]).toBe(path.replace('/filter', '/filters/1/or/0/not'))
  })

  test('tells the nearest field of a struct', () => {
    expect(() => valid(conditions({ filter: ['context.devise', '==', 'x'] }))).toThrow('did you mean "context.device"?')
  })

  test('is a tree, and one predicate', () => {
    const tree = { and: [goal, { or: [['event', '==', 'a'], { not: ['page', 'is null'] }] }] }
    const { predicates, columns } = valid(conditions({ filter: tree }))
    expect(predicates).toMatchObject([
      { kind: 'and', of: [{ column: 'goal' }, { kind: 'or', of: [{ column: 'event' }, { kind: 'not' }] }] },
    ])
    expect(columns).toEqual(['goal', 'event', 'page'])
    expect(expandedOf(tree)).toMatchObject({
      filter: {
        and: [verbose, { or: [{ column: 'event', op: '==', value: 'a' }, { not: { column: 'page', op: 'is null' } }] }],
      },
    })
  })

  test('is the same predicate however it is written', () => {
    const page = ['page', 'in', ['a', 'b']]
    const forms = [
      { filter: { and: [goal, page] } },
      { filters: [['page', 'in', ['b', 'a', 'b']], goal, goal] },
      { filter: { and: [{ and: [page] }, { or: [goal] }, { not: { not: verbose } }] } },
    ]
    const { predicates } = valid(conditions(...forms, { filter: { or: [goal, page] } }, { filter: { not: goal } }))
    expect(predicates).toHaveLength(3)
  })

  test('nests a hundred levels, and is refused beyond', () => {
    const nested = (depth: number, wrap: (inner: unknown) => unknown) => {
      let filter: unknown = goal
      for (let k = 0; k < depth; k++) filter = wrap(filter)
      return conditions({ filter })
    }
    const not = (inner: unknown) => ({ not: inner })
    const and = (inner: unknown) => ({ and: [inner] })
    expect(problems(nested(100, not))).toEqual([])
    expect(codeOf(() => valid(nested(101, not)))).toBe('QUERY_TOO_DEEP')
    expect(problems(nested(90, and))).toEqual([])
    expect(codeOf(() => valid(nested(101, and)))).toBe('QUERY_TOO_DEEP')
    const text = (depth: number) =>
      `{"query":{"conditions":[{"filter":${'{"not":'.repeat(depth)}["goal","==",1]${'}'.repeat(depth)}}]}}`
    expect(codeOf(() => parseQueryText(text(10_000), limits))).toBe('QUERY_TOO_DEEP')
    expect(codeOf(() => valid(nested(10_000, not)))).toBe('QUERY_TOO_DEEP')
  })

  test('with values of any text and size, and its patterns told', () => {
    for (const text of ['', '\0', "'", '\\', '"', 'a\nb', '💥', '\ud800', '__proto__', 'x'.repeat(300_000)]) {
      const filter = { or: [['event', 'in', [text]], ['event', 'starts with', text], { not: ['event', '<', text] }] }
      const { expanded } = valid(conditions({ filter }))
      expect(expandQuery(parseQueryText(printQuery(expanded as never), limits), limits)).toEqual(expanded)
    }
    const patterned = conditions(
      { filter: { or: [goal, { not: ['event', 'matches', 'a['] }] } },
      { sequence: [{ filters: [goal, ['page', 'matches', '(?<=x)']] }] },
    )
    expect(valid(patterned).patterns).toEqual([
      { text: 'a[', path: '/query/conditions/0/filter/or/1/not/2' },
      { text: '(?<=x)', path: '/query/conditions/1/sequence/0/filters/1/2' },
    ])
    expect(valid(conditions({ filter: goal }))).not.toHaveProperty('patterns')
  })
})

test('a dotted name is the column of that name, else the field of the longest column', () => {
  const columns = columnsOf({
    user: 'VARCHAR',
    'a.b': 'INTEGER',
    a: 'STRUCT(b VARCHAR, c VARCHAR, "d.e" INTEGER)',
    'a.d': 'STRUCT(e VARCHAR, f VARCHAR)',
    __proto__x: 'VARCHAR',
  })
  const table = { columns, keys: { actor: 'user' } }
  const found = (name: string) => valid(conditions({ filter: [name, 'is null'] }), table).predicates[0]
  expect(found('a.b')).toMatchObject({ path: ['a.b'], type: { name: 'INTEGER' } })
  expect(found('a.c')).toMatchObject({ path: ['a', 'c'] })
  expect(found('a.d.e')).toMatchObject({ path: ['a.d', 'e'], type: { name: 'VARCHAR' } })
  expect(found('a.d.f')).toMatchObject({ path: ['a.d', 'f'] })
  expect(problems(conditions({ filter: ['a.A', 'is null'] }), table)).toEqual([
    'DATASET_MISMATCH /query/conditions/0/filter/0',
  ])
})
