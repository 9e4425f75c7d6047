import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkQueryValue, type Json, parseQueryText, printQuery } from '../../src/behaviour/json.ts'
import { querySchema } from '../../src/behaviour/query-schema.ts'
import { mapConditions, parseRelation, printRelation, type RelationNode } from '../../src/behaviour/relation.ts'
import { expandQuery, validateQuery } from '../../src/behaviour/validate.ts'
import { parseType } from '../../src/common/data-type.ts'
import { readSettings } from '../../src/config.ts'
import { isSkepError } from '../../src/errors.ts'
import { satisfies } from '../unit/json-schema.ts'

const limits = readSettings({})
const schema = querySchema()

describe('JSON', () => {
  test('reads as JSON.parse does, where numbers are safe', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        const doubles = (value: unknown): unknown => JSON.parse(printQuery(checkQueryValue(value, limits)))
        expect(doubles(parseQueryText(text, limits))).toEqual(doubles(JSON.parse(text)))
      }),
    )
  })

  test('is refused where JSON.parse refuses', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '1',
      '-',
      '.',
      'e5',
      'true',
      'nul',
      ' ',
      '"\\u00',
      '\t',
    )
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
        const text = parts.join('')
        let accepted = true
        try {
          JSON.parse(text)
        } catch {
          accepted = false
        }
        let ours: string | undefined
        try {
          parseQueryText(text, limits)
        } catch (error) {
          ours = isSkepError(error) ? `${error.code} ${error.message}` : String(error)
        }
        if (ours?.includes('stands twice')) return
        expect(ours === undefined).toBe(accepted)
        if (ours !== undefined) expect(ours).toMatch(/^JSON_INVALID /)
      }),
      { numRuns: 500 },
    )
  })

  test('prints back to itself, with integers of any size', () => {
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.bigInt(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.string({ unit: 'binary' }),
        fc.constantFrom(null, true),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), tie('value'), { maxKeys: 4 }),
      ),
    }))
    fc.assert(
      fc.property(value, (source) => {
        const checked = checkQueryValue(source, limits)
        expect(parseQueryText(printQuery(checked), limits)).toEqual(checked)
      }),
    )
  })
})

describe('relations', () => {
  const names = { count: 4, places: new Map([['b_1', 1]]) }
  const { relation } = fc.letrec<{ relation: { text: string; value: (of: boolean[]) => boolean } }>((tie) => ({
    relation: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('$0', '$B_1', '$2', '$03').map((text) => {
        const index = text === '$B_1' ? 1 : Number(text.slice(1))
        return { text, value: (of: boolean[]) => of[index]! }
      }),
      tie('relation').map(({ text, value }) => ({ text: `not (${text})`, value: (of: boolean[]) => !value(of) })),
      fc.tuple(tie('relation'), tie('relation'), fc.constantFrom(' && ', 'and ', ' AND ')).map(([a, b, op]) => ({
        text: `(${a.text}) ${op}(${b.text})`,
        value: (of: boolean[]) => a.value(of) && b.value(of),
      })),
      fc.tuple(tie('relation'), tie('relation'), fc.constantFrom('||', ' or')).map(([a, b, op]) => ({
        text: `((${a.text})${op}(${b.text}))`,
        value: (of: boolean[]) => a.value(of) || b.value(of),
      })),
    ),
  }))

  const evaluate = (node: RelationNode, of: boolean[]): boolean => {
    if (node.kind === 'condition') return of[node.index]!
    if (node.kind === 'not') return !evaluate(node.of, of)
    return node.kind === 'and'
      ? node.of.every((child) => evaluate(child, of))
      : node.of.some((child) => evaluate(child, of))
  }

  test('mean what they say, and print to what means the same', () => {
    fc.assert(
      fc.property(relation, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), ({ text, value }, of) => {
        const node = parseRelation(text, names, 100)
        const printed = printRelation(node)
        expect(evaluate(node, of)).toBe(value(of))
        expect(parseRelation(printed, names, 100)).toEqual(node)
        expect(
          evaluate(
            mapConditions(node, (index) => 3 - index),
            [...of].reverse(),
          ),
        ).toBe(value(of))
      }),
    )
  })

  test('without parentheses, bind as their words say', () => {
    const token = fc.constantFrom('$0', '$1', '$2', '!$3', 'not $0')
    const tail = fc.array(fc.tuple(fc.constantFrom('and', 'or'), token), { maxLength: 6 })
    fc.assert(
      fc.property(token, tail, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (first, rest, of) => {
        const text = [first, ...rest.flat()].join(' ')
        const script = text.replaceAll('and', '&&').replaceAll('or', '||').replaceAll('not', '!')
        const expected = new Function('of', `return ${script.replaceAll(/\$(\d)/g, 'of[$1]')}`)(of)
        expect(evaluate(parseRelation(text, names, 100), of)).toBe(expected)
      }),
    )
  })

  test('never fail but as errors of the language', () => {
    const pieces = fc.constantFrom('$0', '$x', '(', ')', 'and', 'or', 'not', '!', '&&', '|', ' ', '$', '9')
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 10 }), (parts) => {
        try {
          parseRelation(parts.join(''), names, 100)
        } catch (error) {
          expect(isSkepError(error, 'QUERY_INVALID')).toBe(true)
        }
      }),
    )
  })
})

/** A list that is not empty. */
const some = <T>(item: fc.Arbitrary<T>, maxLength = 3) => fc.array(item, { minLength: 1, maxLength })

/** An object of which the keys in `optional` may be absent. */
const object = (
  required: Record<string, fc.Arbitrary<unknown>>,
  optional: Record<string, fc.Arbitrary<unknown>> = {},
) => fc.record({ ...required, ...optional }, { requiredKeys: Object.keys(required) })

describe('queries', () => {
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', '__proto__', 'a\0"'))
  const doubles = fc.double({ noNaN: true, noDefaultInfinity: true })
  const kinds: [column: string, value: fc.Arbitrary<unknown>, ordered: boolean][] = [
    ['event', texts, true],
    ['price', fc.oneof(doubles, fc.bigInt()), true],
    ['goal', fc.bigInt(), true],
    ['cool', fc.boolean(), false],
    ['day', fc.constantFrom('2026-11-20', '2026-11-20T08:14:00.5+01:00'), true],
    ['context.device', texts, true],
  ]
  const comparison = fc
    .constantFrom(...kinds)
    .chain(([column, value, ordered]) =>
      fc.oneof(
        fc.tuple(fc.constant(column), fc.constantFrom('==', '!=', ...(ordered ? ['<', '<=', '>', '>='] : [])), value),
        fc.tuple(fc.constant(column), fc.constantFrom('in', 'not in'), some(value)),
        fc.tuple(fc.constant(column), fc.constantFrom('is null', 'is not null')),
        ...(ordered ? [fc.tuple(fc.constant(column), fc.constant('between'), fc.tuple(value, value))] : []),
      ),
    )
  const textual = fc.tuple(
    fc.constantFrom('event', 'context.device'),
    fc.constantFrom('contains', 'not contains', 'starts with', 'ends with'),
    texts,
  )
  const member = fc.tuple(fc.constant('tags'), fc.constantFrom('contains', 'not contains'), texts)
  const { filter } = fc.letrec((tie) => ({
    filter: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc
        .oneof(comparison, textual, member)
        .chain(([column, op, ...value]) =>
          fc.constantFrom<unknown>(
            [column, op, ...value],
            value.length === 0 ? { op, column } : { value: value[0], op, column },
          ),
        ),
      fc.record({ not: tie('filter') }),
      fc.record({ and: some(tie('filter')) }),
      fc.record({ or: some(tie('filter')) }),
    ),
  }))
  const rows = fc.oneof(fc.record({ filter }), fc.record({ filters: some(filter) }))
  const withRows = (optional: Record<string, fc.Arbitrary<unknown>>) =>
    fc.tuple(rows, object({}, optional)).map(([row, rest]) => ({ ...row, ...rest }))

  const targetOp = fc.constantFrom('==', '!=', '<', '<=', '>', '>=')
  const over = (types: string[], columns: string[], value: fc.Arbitrary<unknown>) =>
    fc
      .tuple(fc.constantFrom(...types), fc.constantFrom(...columns), targetOp, value)
      .chain(([type, column, op, given]) =>
        fc.constantFrom<unknown>([type, column, op, given], { value: given, type, column, op }),
      )
  const target = fc.oneof(
    fc.tuple(fc.constant('count'), targetOp, fc.nat()),
    over(['distinct'], ['event', 'goal', 'context.device'], fc.nat()),
    over(['sum', 'mean'], ['price', 'goal'], fc.oneof(doubles, fc.bigInt())),
    over(['min', 'max'], ['goal'], fc.bigInt()),
    over(['min', 'max'], ['day'], fc.constant('2026-11-20')),
  )

  const span = fc.oneof(fc.nat(), fc.bigInt({ min: 0n }), fc.constantFrom('0s', '1.5h', '7d', 'PT1H', 'P1W', 'PT0.5S'))
  const required = withRows({
    name: fc.constantFrom('s', 'T_1', ''),
    within: span,
    after: span,
    rowFound: fc.constant(true),
  })
  const first = withRows({ name: fc.constant('first'), optional: fc.constant(false) })
  const negative = withRows({}).map((row) => ({ ...row, rowFound: false }))
  const optional = withRows({}).map((row) => ({ ...row, optional: true }))
  const gap = fc.oneof({ arbitrary: fc.constant([]), weight: 3 }, some(negative, 2))
  const steps = fc.oneof(
    fc
      .tuple(gap, first, fc.array(fc.tuple(gap, required), { maxLength: 3 }), gap)
      .map(([before, one, rest, last]) => [
        ...before,
        one,
        ...rest.flatMap(([between, next]) => [...between, next]),
        ...last,
      ]),
    fc.tuple(first, fc.array(fc.oneof(required, optional), { maxLength: 3 })).map(([one, rest]) => [one, ...rest]),
  )
  const hold = fc.oneof(fc.constant('event'), some(fc.constantFrom('event', 'context.device', 'cool', 'user')))
  const length = fc.oneof(fc.constant({}), fc.record({ within: span }), fc.record({ maxDuration: fc.nat() }))
  const ties = fc.constantFrom({}, { ties: 'never' }, { ties: 'stepOrder' }, { ties: 'stepOrder', sameRow: true })
  const ordered = fc
    .tuple(object({ sequence: steps }, { order: fc.constantFrom('ordered', 'strict'), hold }), length, ties)
    .map((parts) => Object.assign({}, ...parts))
  const anyOrder = fc
    .tuple(object({ sequence: some(first, 4), order: fc.constant('any') }, { hold }), length)
    .map((parts) => Object.assign({}, ...parts))
  const clause = fc.oneof({ arbitrary: ordered, weight: 4 }, anyOrder)

  const columns = (names: string[]) =>
    fc.oneof(fc.record({ column: fc.constantFrom(...names) }), fc.record({ columns: some(fc.constantFrom(...names)) }))
  const aggregation = fc
    .oneof(
      fc.tuple(columns(['event', 'price', 'day']), object({}, { top: fc.integer({ min: 1, max: 10_000 }) })),
      fc.tuple(
        columns(['event', 'context.device']),
        object(
          { type: fc.constantFrom('sumPerValue', 'meanPerValue'), otherColumn: fc.constantFrom('price', 'goal') },
          { top: fc.integer({ min: 1, max: 10_000 }) },
        ),
      ),
      fc.tuple(
        columns(['event', 'day', 'price']),
        object({ type: fc.constantFrom('min', 'max', 'distinct', 'count') }),
      ),
      fc.tuple(columns(['price', 'goal']), object({ type: fc.constantFrom('sum', 'mean') })),
      fc.tuple(
        columns(['price', 'goal']),
        object({ type: fc.constant('quantiles'), q: some(fc.double({ min: 0, max: 1, noNaN: true })) }),
      ),
    )
    .map((parts) => Object.assign({}, ...parts))
  const aggregations = fc.array(aggregation, { maxLength: 3 })

  const condition = fc.oneof(withRows({ target }), clause)
  const query = fc.record(
    {
      timeframe: fc.record({ from: fc.integer() }, { requiredKeys: [] }),
      query: fc
        .record({ conditions: some(condition, 4), aggregations })
        .chain((part) => fc.constantFrom(part, { ...part, relation: 'or' }, { ...part, relation: '!$0' })),
      funnel: fc
        .tuple(clause, object({}, { stepAggregations: aggregations, endAggregations: aggregations }))
        .map((parts) => Object.assign({}, ...parts)),
    },
    { requiredKeys: [] },
  )
  const table = {
    columns: Object.entries({
      ...{ user: 'VARCHAR', ts: 'BIGINT', event: 'VARCHAR', price: 'DOUBLE', goal: 'INTEGER', cool: 'BOOLEAN' },
      ...{ day: 'DATE', tags: 'VARCHAR[]', context: 'STRUCT(device VARCHAR)' },
    }).map(([name, type], id) => ({ id, name, type: parseType(type), required: false })),
    keys: { actor: 'user', time: 'ts', timeUnit: 'ms' as const },
  }

  test('expand once and for all, and mean the same expanded', () => {
    fc.assert(
      fc.property(query, (source) => {
        const first = validateQuery(source, table, limits)
        const text = printQuery(first.expanded as unknown as Json)
        const again = validateQuery(parseQueryText(text, limits), table, limits)
        expect(again).toEqual(first)
        expect(expandQuery(source, limits)).toEqual(first.expanded)
        expect(first.conditions.length + first.warnings.length).toBe(source.query?.conditions.length ?? 0)
        expect(satisfies(source, schema)).toBe(true)
        expect(satisfies(first.expanded, schema)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('of any shape are valid or violate the language, never more', () => {
    const key = fc.constantFrom(
      ...[
        'query',
        'conditions',
        'filter',
        'filters',
        'sequence',
        'target',
        'column',
        'op',
        'value',
        'relation',
        'name',
      ],
      ...['funnel', 'timeframe', 'from', 'to', 'aggregations', 'type', 'includeZero', '__proto__', 'x', 'maxDuration'],
      ...['and', 'or', 'not', 'within', 'after', 'optional', 'rowFound', 'order', 'ties', 'sameRow', 'hold', 'columns'],
      ...['top', 'q'],
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'medium' },
        fc.constantFrom(
          null,
          true,
          false,
          0,
          -1,
          1.5,
          'and',
          '$0',
          'event',
          '==',
          'in',
          'is null',
          'count',
          'any',
          '1d',
          '',
        ),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 4 }),
      ),
    }))
    fc.assert(
      fc.property(fc.dictionary(key, value, { maxKeys: 3 }), (source) => {
        try {
          validateQuery(source, table, limits)
        } catch (error) {
          if (!isSkepError(error, 'QUERY_INVALID')) throw error
          for (const { path } of error.details.violations) expect(path).toMatch(/^(\/[^/]*)*$/)
          return
        }
        expect(satisfies(source, schema)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })
})
