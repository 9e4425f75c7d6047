import { describe, expect, test } from 'vitest'
import { parseDuration } from '../../src/behaviour/duration.ts'
import type { QueryTable } from '../../src/behaviour/validate.ts'
import { isSkepError } from '../../src/errors.ts'
import { codeOf, events, problems, valid, withTime } from './behaviour-table.ts'

const A = { filter: ['event', '==', 'a'] }
const B = { filter: ['event', '==', 'b'] }
const notX = { filter: ['event', '==', 'x'], rowFound: false }
const funnel = (part: object) => ({ funnel: { sequence: [A, B], ...part } })
const within = (span: unknown, table: QueryTable) => valid(funnel({ within: span }), table).funnel?.sequence.within
const withUnit = (unit: 's' | 'ms' | 'us' | 'ns'): QueryTable => ({
  ...events,
  keys: { ...events.keys, timeUnit: unit },
})

describe('a duration', () => {
  const seconds = (text: string) => {
    const duration = parseDuration(text)
    return duration && Number(duration.digits) / 10 ** duration.scale / 1e9
  }

  test.each([
    ['0s', 0],
    ['90s', 90],
    ['250ms', 0.25],
    ['30m', 1800],
    ['1.5h', 5400],
    ['7d', 604_800],
    ['2w', 1_209_600],
    ['0.000000001s', 1e-9],
    ['PT1H', 3600],
    ['PT0.5S', 0.5],
    ['PT0,5S', 0.5],
    ['P7D', 604_800],
    ['P1W', 604_800],
    ['P1DT12H', 129_600],
    ['PT1H30M', 5400],
    ['PT1M0.25S', 60.25],
    ['P1W2DT3H4M5S', 788_645],
  ])('%s', (text, expected) => {
    expect(seconds(text)).toBeCloseTo(expected, 10)
    expect(problems(funnel({ within: text }), withTime('TIMESTAMP'))).toEqual([])
  })

  test.each([
    ...['', 's', '5', '5 s', ' 5s', '5s ', '-5s', '+5s', '5S', '1e3s', '.5s', '5.s', '1d12h', '5min', '1y', '1M'],
    ...['P', 'PT', 'P1DT', 'P1Y', 'P1M', 'p1d', 'P-1D', 'PT1.5H30M', 'P1D2W', 'PT1', 'PT1,S', 'PT.5S', '٣s', '5s\n'],
    ...['1_000s', '0x5s', 'Infinitys', 'NaN', `${'9'.repeat(100)}s`],
  ])('%j is none', (text) => {
    expect(problems(funnel({ within: text }), withTime('TIMESTAMP'))).toEqual(['SCHEMA /funnel/within'])
    const steps = [A, { ...B, within: text, after: text }]
    expect(problems({ query: { conditions: [{ sequence: steps }] } })).toEqual([
      'SCHEMA /query/conditions/0/sequence/1/within',
      'SCHEMA /query/conditions/0/sequence/1/after',
    ])
  })

  test.each([
    ['DATE', '7d', 7n],
    ['DATE', '36h', 1n],
    ['DATE', '0s', 0n],
    ['TIMESTAMP', '1.5h', 5_400_000_000n],
    ['TIMESTAMP', 'PT0.0000019S', 1n],
    ['TIMESTAMP_S', '1s', 1_000_000n],
    ['TIMESTAMP_MS', '1ms', 1000n],
    ['TIMESTAMP_NS', '1.5s', 1_500_000_000n],
    ['TIMESTAMP WITH TIME ZONE', '1w', 604_800_000_000n],
    ['TIMESTAMP', `${'9'.repeat(60)}w`, BigInt('9'.repeat(60)) * 604_800_000_000n],
    ['DOUBLE', '0.1s', 0.1],
    ['FLOAT', '90ms', 0.09],
    ['DOUBLE', 1.5, 1.5],
    ['DOUBLE', 2, 2],
    ['BIGINT', 5, 5n],
    ['BIGINT', 0, 0n],
    ['BIGINT', 2n ** 90n, 2n ** 90n],
  ])('on %s: %s', (type, span, expected) => {
    expect(within(span, withTime(type))).toBe(expected)
  })

  test.each([
    ['s', '1.5h', 5400n],
    ['s', '1.9s', 1n],
    ['ms', '1.5s', 1500n],
    ['us', 'PT1M', 60_000_000n],
    ['ns', '7d', 604_800_000_000_000n],
    ['ns', '0.0000000019s', 1n],
    ['ms', 5, 5n],
  ] as const)('on integers in %s: %s', (unit, span, expected) => {
    expect(within(span, withUnit(unit))).toBe(expected)
  })

  test.each([
    ['BIGINT', '1s'],
    ['BIGINT', 1.5],
    ['DATE', 1],
    ['TIMESTAMP', 0],
    ['TIMESTAMP WITH TIME ZONE', 1.5],
  ])('on %s, %s does not fit', (type, span) => {
    expect(problems(funnel({ within: span }), withTime(type))).toEqual(['TYPE_MISMATCH /funnel/within'])
    const step = { sequence: [A, { ...B, after: span }] }
    expect(problems({ query: { conditions: [step] } }, withTime(type))).toEqual([
      'TYPE_MISMATCH /query/conditions/0/sequence/1/after',
    ])
  })

  test('of megabytes is refused at once', () => {
    const start = performance.now()
    for (const text of ['9'.repeat(1_000_000), `P${'1'.repeat(1_000_000)}`, `PT${'1,'.repeat(400_000)}S`]) {
      expect(problems(funnel({ within: text }))).toEqual(['SCHEMA /funnel/within'])
    }
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test('of a step is rounded so that no row too early or too late fits', () => {
    const steps = [A, { ...B, within: '1.5s', after: '1.5s' }]
    const typed = (table: QueryTable) => valid({ funnel: { sequence: steps } }, table).funnel?.sequence.steps[1]
    expect(typed(withUnit('s'))).toMatchObject({ within: 1n, after: 2n })
    expect(typed(withTime('DATE'))).toMatchObject({ within: 0n, after: 1n })
    expect(typed(withTime('TIMESTAMP'))).toMatchObject({ within: 1_500_000n, after: 1_500_000n })
    expect(typed(withTime('DOUBLE'))).toMatchObject({ within: 1.5, after: 1.5 })
  })
})

describe('a sequence', () => {
  test('knows its constraints, and their defaults', () => {
    const given = {
      sequence: [
        notX,
        { ...A, name: 'first' },
        { ...B, within: 5, after: 6 },
        { ...A, optional: true },
        { ...B, optional: false, rowFound: true },
        notX,
      ],
      within: 10,
      order: 'strict',
      ties: 'stepOrder',
      sameRow: true,
      hold: ['page', 'context.device', 'page'],
    }
    const { funnel: typed, expanded, columns } = valid({ funnel: given })
    expect(typed?.sequence).toEqual({
      steps: [
        { predicate: 0, negative: true, optional: false, index: 0 },
        { predicate: 1, negative: false, optional: false, index: 1, name: 'first' },
        { predicate: 2, negative: false, optional: false, index: 2, within: 5n, after: 6n },
        { predicate: 1, negative: false, optional: true, index: 3 },
        { predicate: 2, negative: false, optional: false, index: 4 },
        { predicate: 0, negative: true, optional: false, index: 5 },
      ],
      within: 10n,
      order: 'strict',
      ties: 'stepOrder',
      sameRow: true,
      hold: ['page', 'context.device'],
    })
    expect(columns).toEqual(['event', 'page', 'context'])
    expect(expanded.funnel).toMatchObject({
      within: 10,
      order: 'strict',
      ties: 'stepOrder',
      sameRow: true,
      hold: ['page', 'context.device'],
    })
    expect(
      expanded.funnel?.sequence.map(({ rowFound, optional, within, after }) => [rowFound, optional, within, after]),
    ).toEqual([
      [false, undefined, undefined, undefined],
      [undefined, undefined, undefined, undefined],
      [undefined, undefined, 5, 6],
      [undefined, true, undefined, undefined],
      [undefined, undefined, undefined, undefined],
      [false, undefined, undefined, undefined],
    ])
    expect(valid(expanded)).toEqual(valid({ funnel: given }))
    const plain = { order: 'ordered', ties: 'never', sameRow: false, hold: 'page' }
    expect(valid(funnel(plain)).expanded.funnel).toEqual({
      sequence: valid(funnel({})).expanded.funnel?.sequence,
      hold: ['page'],
    })
  })

  test.each([
    [{ within: 1, maxDuration: 1 }, ['SCHEMA /maxDuration']],
    [{ within: -1 }, ['SCHEMA /within']],
    [{ within: -0.5 }, ['SCHEMA /within']],
    [{ within: null }, ['SCHEMA /within']],
    [{ within: true }, ['SCHEMA /within']],
    [{ within: ['1d'] }, ['SCHEMA /within']],
    [{ maxDuration: '1d' }, ['SCHEMA /maxDuration']],
    [{ order: 'Strict' }, ['SCHEMA /order']],
    [{ order: null }, ['SCHEMA /order']],
    [{ ties: true }, ['SCHEMA /ties']],
    [{ ties: 'always' }, ['SCHEMA /ties']],
    [{ sameRow: 1 }, ['SCHEMA /sameRow']],
    [{ sameRow: true }, ['SCHEMA /sameRow']],
    [{ sameRow: true, ties: 'never' }, ['SCHEMA /sameRow']],
    [{ sameRow: true, ties: 'stepOrder', order: 'any' }, ['SCHEMA /sameRow']],
    [{ hold: [] }, ['SCHEMA /hold']],
    [{ hold: {} }, ['SCHEMA /hold']],
    [{ hold: 1 }, ['SCHEMA /hold']],
    [{ hold: ['page', 1] }, ['SCHEMA /hold/1']],
    [{ hold: ['page', 'nothing', 'tags'] }, ['DATASET_MISMATCH /hold/1', 'TYPE_MISMATCH /hold/2']],
    [{ hold: 'context' }, ['TYPE_MISMATCH /hold']],
    [{ widhin: 1 }, ['SCHEMA /widhin']],
    [{ sequence: [{ ...A, optional: true }, B] }, ['SCHEMA /sequence/0/optional']],
    [{ sequence: [notX, { ...A, optional: true }, B] }, ['SCHEMA /sequence/1/optional']],
    [{ sequence: [A, { ...notX, optional: true }] }, ['SCHEMA /sequence/1/optional']],
    [{ sequence: [{ ...A, within: 1 }, B] }, ['SCHEMA /sequence/0/within']],
    [{ sequence: [notX, { ...A, after: 1 }, B] }, ['SCHEMA /sequence/1/after']],
    [{ sequence: [A, { ...notX, within: 1, after: 0 }] }, ['SCHEMA /sequence/1/within', 'SCHEMA /sequence/1/after']],
    [{ sequence: [A, { ...B, optional: true, within: 1 }] }, ['SCHEMA /sequence/1/within']],
    [{ sequence: [A, { ...B, optional: 1 }] }, ['SCHEMA /sequence/1/optional']],
    [{ sequence: [A, { ...B, within: -1 }] }, ['SCHEMA /sequence/1/within']],
    [{ sequence: [A, notX, { ...B, optional: true }] }, ['SCHEMA /sequence/1/rowFound']],
    [{ sequence: [A, { ...B, optional: true }, notX, B] }, ['SCHEMA /sequence/2/rowFound']],
    [
      { sequence: [A, { ...B, optional: true }, notX, notX] },
      ['SCHEMA /sequence/2/rowFound', 'SCHEMA /sequence/3/rowFound'],
    ],
    [{ sequence: [notX, notX] }, ['SCHEMA /sequence']],
    [
      { order: 'any', sequence: [A, notX, { ...B, optional: true, within: 1, after: 1 }] },
      [
        'SCHEMA /sequence/1/rowFound',
        'SCHEMA /sequence/2/optional',
        'SCHEMA /sequence/2/within',
        'SCHEMA /sequence/2/after',
      ],
    ],
    [
      { sequence: [{ ...A, optional: true }, { filter: 1 }, { ...B, wihtin: 1 }] },
      ['SCHEMA /sequence/1/filter', 'SCHEMA /sequence/2/wihtin', 'SCHEMA /sequence/0/optional'],
    ],
  ])('%j is refused', (part, expected) => {
    const at = (path: string) => expected.map((problem) => problem.replace(' ', ` ${path}`))
    expect(problems(funnel(part))).toEqual(at('/funnel'))
    expect(problems({ query: { conditions: [{ sequence: [A, B], ...part }] } })).toEqual(at('/query/conditions/0'))
  })

  test.each([
    [{ sequence: [notX, A, { ...B, optional: true }] }],
    [{ sequence: [A, notX, B, { ...B, optional: true }] }],
    [{ sequence: [A, { ...B, within: 1, after: 2 }] }],
    [{ order: 'any', within: 5, ties: 'stepOrder', hold: 'page', sameRow: false }],
    [{ order: 'any', sequence: [{ ...A, optional: false, rowFound: true }] }],
    [{ order: 'strict', sequence: [notX, A, { ...B, after: 2 }, notX], within: 5 }],
    [{ hold: ['user', 'ts', 'bytes', 'cool', 'amount', 'zoned'] }],
  ])('%j is valid', (part) => {
    expect(problems(funnel(part))).toEqual([])
    const { expanded } = valid(funnel(part))
    expect(valid(expanded)).toEqual(valid(funnel(part)))
  })

  test('goes in any order with up to sixteen steps', () => {
    const steps = (count: number) => ({ order: 'any', sequence: Array.from({ length: count }, () => A) })
    expect(problems(funnel(steps(16)))).toEqual([])
    expect(codeOf(() => valid(funnel(steps(17))))).toBe('TOO_MANY_STEPS')
    expect(codeOf(() => valid(funnel({ ...steps(17), order: 'strict' })))).toBeUndefined()
    try {
      valid({ query: { conditions: [{ ...steps(5000) }] } })
    } catch (error) {
      expect(isSkepError(error, 'TOO_MANY_STEPS') && error.details).toEqual({
        limit: 16,
        path: '/query/conditions/0/sequence',
      })
    }
  })

  test('keys of one do not stand on a condition without', () => {
    for (const [key, value] of Object.entries({
      within: 1,
      order: 'any',
      ties: 'never',
      sameRow: false,
      hold: 'page',
    })) {
      expect(problems({ query: { conditions: [{ ...A, [key]: value }] } })).toEqual([
        `SCHEMA /query/conditions/0/${key}`,
      ])
    }
  })
})
