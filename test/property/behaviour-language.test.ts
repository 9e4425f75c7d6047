import { BIGINT, BOOLEAN, DOUBLE, type DuckDBConnection, DuckDBInstance, HUGEINT, VARCHAR } from '@duckdb/node-api'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkQueryValue, type Json, parseQueryText, printQuery } from '../../src/behaviour/json.ts'
import { type Bind, predicateSql } from '../../src/behaviour/predicate-sql.ts'
import { mapConditions, parseRelation, printRelation, type RelationNode } from '../../src/behaviour/relation.ts'
import { expandQuery, validateQuery } from '../../src/behaviour/validate.ts'
import { parseType } from '../../src/common/data-type.ts'
import { readSettings } from '../../src/config.ts'
import { isSkepError } from '../../src/errors.ts'

const limits = readSettings({})

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

describe('queries', () => {
  const column = fc.constantFrom('event', 'price', 'goal')
  const filter = fc.oneof(
    fc.tuple(fc.constant('event'), fc.constantFrom('==', '!=', 'contains', 'not contains'), fc.string()),
    fc.tuple(
      fc.constant('price'),
      fc.constantFrom('<', '>=', '=='),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    ),
    fc.record({ column: fc.constant('goal'), op: fc.constantFrom('<', '!='), value: fc.bigInt() }),
  )
  const rows = fc.oneof(fc.record({ filter }), fc.record({ filters: fc.array(filter, { minLength: 1, maxLength: 3 }) }))
  const target = fc.constantFrom(
    ...[undefined, ['count', '==', 0], ['count', '<', 5], { type: 'sum', column: 'price', op: '>', value: -1.5 }],
  )
  const rowsCondition = fc.tuple(rows, target).map(([row, given]) => (given ? { ...row, target: given } : row))
  const sequence = fc
    .tuple(rows, fc.array(fc.tuple(rows, fc.constantFrom({}, { rowFound: false }, { rowFound: true, name: 's' }))))
    .map(([first, rest]) => [first, ...rest.map(([row, more]) => ({ ...row, ...more }))])
  const clause = fc.record({ sequence, maxDuration: fc.nat() }, { requiredKeys: ['sequence'] })
  const aggregation = fc.oneof(
    fc.record({ column }),
    fc.record({ column, type: fc.constantFrom('sumPerValue', 'meanPerValue'), otherColumn: fc.constant('price') }),
  )
  const aggregations = fc.array(aggregation, { maxLength: 3 })
  const query = fc.record(
    {
      timeframe: fc.record({ from: fc.integer() }, { requiredKeys: [] }),
      query: fc
        .record({ conditions: fc.array(fc.oneof(rowsCondition, clause), { minLength: 1, maxLength: 5 }), aggregations })
        .chain((part) => fc.constantFrom(part, { ...part, relation: 'or' }, { ...part, relation: '!$0' })),
      funnel: fc.tuple(clause, aggregations).map(([part, stepAggregations]) => ({ ...part, stepAggregations })),
    },
    { requiredKeys: [] },
  )
  const table = {
    columns: Object.entries({ user: 'VARCHAR', ts: 'BIGINT', event: 'VARCHAR', price: 'DOUBLE', goal: 'INTEGER' }).map(
      ([name, type], id) => ({ id, name, type: parseType(type), required: false }),
    ),
    keys: { actor: 'user', time: 'ts' },
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
      }),
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
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'medium' },
        fc.constantFrom(null, true, 0, -1, 1.5, 'and', '$0', 'event', '==', 'count', ''),
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
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('predicates in the engine', () => {
  let connection: DuckDBConnection

  beforeAll(async () => {
    connection = await (await DuckDBInstance.create()).connect()
  })

  afterAll(() => connection.closeSync())

  const bigints = [
    0n,
    1n,
    -1n,
    127n,
    2n ** 31n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    2n ** 64n,
    10n ** 25n,
  ]
  const floats = [0, 0.5, -0.25, 1e300, 2 ** 53, 2 ** 53 + 2, -(2 ** 63), 1e25, Number.MAX_VALUE, Number.MIN_VALUE]
  const texts = ['', 'a', 'ab', 'B', "'", 'a\0', 'é', '💥', '\ufffd', '"']
  const integer = fc.oneof(fc.constantFrom(...bigints), fc.bigInt({ min: -300n, max: 300n }))
  const number = fc.oneof(
    integer,
    fc.constantFrom(...floats),
    fc.double({ min: -2, max: 2, noNaN: true }),
    fc.constantFrom(10n ** 400n, -(10n ** 400n)),
  )
  const range = (bits: bigint) => integer.filter((value) => value >= -(2n ** (bits - 1n)) && value < 2n ** (bits - 1n))
  const text = fc.oneof(fc.constantFrom(...texts), fc.string({ maxLength: 3 }))
  const comparisons = ['==', '!=', '<', '<=', '>', '>=']

  /** How a stored value and a value of a query compare; JavaScript compares numbers and bigints exactly. */
  function model(stored: unknown, op: string, value: unknown): boolean {
    if (stored === null || Number.isNaN(stored)) return op === '!=' || op === 'not contains'
    if (op === 'contains') return (stored as string).includes(value as string)
    if (op === 'not contains') return !(stored as string).includes(value as string)
    const [less, greater] = [(stored as bigint) < (value as bigint), (stored as bigint) > (value as bigint)]
    if (op === '==') return !less && !greater
    if (op === '!=') return less || greater
    return op.startsWith('<') ? less || (op === '<=' && !greater) : greater || (op === '>=' && !less)
  }

  async function check(type: string, stored: unknown[], op: string, value: unknown): Promise<void> {
    const table = { columns: [{ id: 1, name: 'c', type: parseType(type), required: false }], keys: { actor: 'c' } }
    const { predicates } = validateQuery({ query: { conditions: [{ filter: ['c', op, value] }] } }, table, limits)
    const values: Parameters<Bind>[0][] = []
    const types: (typeof BIGINT | typeof BOOLEAN | typeof DOUBLE | typeof HUGEINT | typeof VARCHAR)[] = []
    const bind: Bind = (bound, bindType) => {
      types.push({ BIGINT, BOOLEAN, DOUBLE, HUGEINT, VARCHAR }[bindType])
      return `$${values.push(bound)}`
    }
    const rows = stored.map((each, index) => {
      const cell =
        each === null
          ? 'NULL'
          : bind(each as string, type === 'VARCHAR' ? 'VARCHAR' : type === 'DOUBLE' ? 'DOUBLE' : 'HUGEINT')
      return `SELECT ${index} AS i, CAST(${cell} AS ${type}) AS c`
    })
    const sql = `SELECT ${predicateSql(predicates[0]!, bind)} FROM (${rows.join(' UNION ALL ')}) t ORDER BY i`
    const reader = await connection.runAndReadAll(sql, values, types)
    expect(reader.getRows().map(([holds]) => holds)).toEqual(stored.map((each) => model(each, op, value)))
  }

  const nullable = <T>(arbitrary: fc.Arbitrary<T>) =>
    fc.array(fc.option(arbitrary, { freq: 4 }), { minLength: 1, maxLength: 6 })

  test.each([
    ['TINYINT', 8n],
    ['INTEGER', 32n],
    ['BIGINT', 64n],
    ['HUGEINT', 128n],
  ])('are two-valued and exact on %s', async (type, bits) => {
    await fc.assert(
      fc.asyncProperty(nullable(range(bits)), fc.constantFrom(...comparisons), integer, (stored, op, value) =>
        check(type, stored, op, value),
      ),
    )
  })

  test('are two-valued and exact on DOUBLE, with NaN and infinities', async () => {
    const cell = fc.oneof(fc.constantFrom(...floats, Number.NaN, Infinity, -Infinity), fc.double({ min: -2, max: 2 }))
    await fc.assert(
      fc.asyncProperty(nullable(cell), fc.constantFrom(...comparisons), number, (stored, op, value) =>
        check('DOUBLE', stored, op, value),
      ),
    )
  })

  test('are two-valued and exact on VARCHAR', async () => {
    const operators = fc.constantFrom('==', '!=', 'contains', 'not contains')
    await fc.assert(
      fc.asyncProperty(nullable(text), operators, text, async (stored, op, value) => {
        const equality = op === '==' || op === '!='
        if (!equality) return check('VARCHAR', stored, op, value)
        await check('VARCHAR', stored, op, value)
        await check('VARCHAR', [value, ...stored], op, value)
      }),
    )
  })
})
