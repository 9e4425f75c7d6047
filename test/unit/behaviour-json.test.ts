import { describe, expect, test } from 'vitest'
import { checkQueryValue, parseQueryText, pointer, printQuery } from '../../src/behaviour/json.ts'
import { isSkepError } from '../../src/errors.ts'
import { codeOf, limits } from './behaviour-table.ts'

const parse = (text: string) => parseQueryText(text, limits)

function positionOf(text: string): number | undefined {
  try {
    parse(text)
  } catch (error) {
    if (isSkepError(error, 'JSON_INVALID')) return error.details.position
    throw error
  }
  throw new Error(`${text} was accepted`)
}

describe('text of a query', () => {
  test('is JSON', () => {
    expect(parse(' {"a" : [1, -2.5, true, false, null, "x\\n\\u00e9"], "b":{}} ')).toEqual({
      a: [1, -2.5, true, false, null, 'x\né'],
      b: {},
    })
    expect(parse('\ufeff[]')).toEqual([])
  })

  test('keeps integers of any size, and reads 1.0 and -0 as integers', () => {
    expect(parse('[9007199254740991, 9007199254740993, -123456789012345678901234567890]')).toEqual([
      9007199254740991,
      9007199254740993n,
      -123456789012345678901234567890n,
    ])
    expect(parse('[1.0, 9007199254740993.00, -0, -0.0, 1e2, 1E-2]')).toEqual([1, 9007199254740993n, 0, 0, 100, 0.01])
    expect(parse('1e300')).toBe(BigInt(1e300))
    expect(parse('1.5e300')).toBe(BigInt(1.5e300))
  })

  test('keeps keys that objects inherit apart', () => {
    const value = parse('{"__proto__": 1, "constructor": 2}') as object
    expect(Object.entries(value)).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
    ])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  test.each([
    ['', 0],
    ['{', 1],
    ['[1 2]', 3],
    ['{"a":1,}', 7],
    ["{'a':1}", 1],
    ['[1] x', 4],
    ['nul', 0],
    ['01', 1],
    ['.5', 0],
    ['1.', 1],
    ['+1', 0],
    ['NaN', 0],
    ['"abc', 4],
    ['"a\nb"', 2],
    ['["\\x"]', 1],
    ['["\\', 3],
    ['1e400', 0],
    ['{"a":1,"a":2}', 7],
  ])('%j is refused at %d', (text, position) => {
    expect(positionOf(text)).toBe(position)
  })

  test('is bounded in depth and size, and refused fast', () => {
    const nest = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
    expect(() => parse(nest(200))).not.toThrow()
    expect(codeOf(() => parse(nest(201)))).toBe('QUERY_TOO_DEEP')
    const start = performance.now()
    expect(codeOf(() => parse(nest(100_000)))).toBe('QUERY_TOO_DEEP')
    expect(codeOf(() => parse('{"a":'.repeat(50_000)))).toBe('QUERY_TOO_DEEP')
    const text = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`
    expect(parse(text(1_048_576))).toHaveLength(1_048_574)
    expect(codeOf(() => parse(text(1_048_577)))).toBe('QUERY_TOO_LARGE')
    expect(codeOf(() => parse(`"${'é'.repeat(524_288)}"`))).toBe('QUERY_TOO_LARGE')
    expect(parse(`"${'\\n'.repeat(500_000)}"`)).toHaveLength(500_000)
    expect(typeof parse('7'.repeat(1_000_000))).toBe('bigint')
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

describe('a query as an object', () => {
  const check = (value: unknown) => checkQueryValue(value, limits)

  test('is copied into the form of parsed text', () => {
    const source = { a: [1, 2n, 2n ** 60n, 2 ** 60, -0], b: undefined, c: Object.create(null) }
    expect(check(source)).toEqual({ a: [1, 2, 2n ** 60n, 2n ** 60n, 0], c: {} })
  })

  test.each([
    ['NaN', Number.NaN],
    ['an infinity', Number.NEGATIVE_INFINITY],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a hole', new Array(1)],
  ])('refuses %s', (_, value) => {
    const error = (() => {
      try {
        check({ 'a/b': [value] })
      } catch (thrown) {
        return thrown
      }
    })()
    expect(isSkepError(error, 'QUERY_INVALID') && error.details.violations[0]).toMatchObject({
      kind: 'SCHEMA',
      path: expect.stringMatching(/^\/a~1b\/0/),
    })
  })

  test('refuses cycles, depth and what unfolds without end', () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    expect(codeOf(() => check(cycle))).toBe('QUERY_INVALID')
    let deep: unknown = 1
    for (let k = 0; k < 10_000; k++) deep = { deep }
    expect(codeOf(() => check(deep))).toBe('QUERY_TOO_DEEP')
    let wide: unknown = 'x'
    for (let k = 0; k < 60; k++) wide = [wide, wide]
    expect(codeOf(() => check(wide))).toBe('QUERY_TOO_LARGE')
  })
})

test('printing keeps integers exact', () => {
  const text = '{"a":[1,123456789012345678901234567890,-1.5,"\\"\\u0000"],"__proto__":null}'
  expect(printQuery(parse(text))).toBe(text)
})

test('a pointer escapes its two signs', () => {
  expect(pointer('/x', 'a/b~c')).toBe('/x/a~1b~0c')
  expect(pointer('', 3)).toBe('/3')
})
