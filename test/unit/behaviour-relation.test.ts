import { describe, expect, test } from 'vitest'
import { parseRelation, printRelation, usedConditions } from '../../src/behaviour/relation.ts'
import { isSkepError } from '../../src/errors.ts'
import { codeOf } from './behaviour-table.ts'

const names = {
  count: 3,
  places: new Map([
    ['name0', 0],
    ['x1', 1],
    ['name2', 2],
    ['android', 1],
    ['constructor', 2],
  ]),
}
const parse = (text: string) => parseRelation(text, names, 100)
const canonical = (text: string) => printRelation(parse(text))

describe('a relation', () => {
  test.each([
    ['$2', '$2'],
    ['$name2   ', '$2'],
    ['and', '$0 and $1 and $2'],
    [' OR ', '$0 or $1 or $2'],
    ['&&', '$0 and $1 and $2'],
    ['||', '$0 or $1 or $2'],
    ['$0 or $1 and $2', '$0 or $1 and $2'],
    ['$0 or $1 and $2 and $name0 or $name2', '$0 or $1 and $2 and $0 or $2'],
    ['($0 or $1)and$2', '($0 or $1) and $2'],
    ['  ((  $1 )   )', '$1'],
    ['($0 and $1) and ($2 or ($0 or $1))', '$0 and $1 and ($2 or $0 or $1)'],
    ['$00', '$0'],
    ['$0and$1', '$0 and $1'],
    ['$0&&$1||$2', '$0 and $1 or $2'],
    ['$NAME2 Or $Android', '$2 or $1'],
    ['$constructor', '$2'],
    ['not $0', 'not $0'],
    ['!$0', 'not $0'],
    ['NOT$name2', 'not $2'],
    ['not not $0', '$0'],
    ['!(not $0)', '$0'],
    ['not $0 and $1', 'not $0 and $1'],
    ['not ($0 and $1)', 'not ($0 and $1)'],
    ['$0 and !($1 || not $2)', '$0 and not ($1 or not $2)'],
    ['$0\n\tand\r\n$1', '$0 and $1'],
  ])('%j means %j', (text, expected) => {
    expect(canonical(text)).toBe(expected)
    expect(canonical(expected)).toBe(expected)
  })

  test.each([
    ...['$1a', '$', '$import()', '$a-3', '$a a', '$3', '$name3', `$${'9'.repeat(500)}`, '$1 and', '$1 $2', '$1 and ()'],
    ...['(($1)))', '()', '$name2$1', '$name2 ($1)', ')', '*', '$1 / $2', 'sys.exit(1)', '($0', '', '  ', 'mosh'],
    ...['$x1and$x1', 'not', '!', '$0 not $1', '$0 and or $1', 'and $0', '$toString', '$__proto__', '$0 or not', '$-1'],
  ])('%j is refused', (text) => {
    const error = (() => {
      try {
        parse(text)
      } catch (thrown) {
        return thrown
      }
    })()
    expect(isSkepError(error, 'QUERY_INVALID') && error.details.violations).toMatchObject([
      { kind: 'RELATION', path: '/query/relation' },
    ])
  })

  test('nests a hundred parentheses, and is refused beyond, fast', () => {
    const nest = (levels: number) => `${'('.repeat(levels)}$0${')'.repeat(levels)}`
    expect(canonical(nest(100))).toBe('$0')
    expect(codeOf(() => parse(nest(101)))).toBe('QUERY_TOO_DEEP')
    expect(codeOf(() => parse('('.repeat(500_000)))).toBe('QUERY_TOO_DEEP')
    expect(canonical(`${'not '.repeat(200_001)}$0`)).toBe('not $0')
    expect(canonical(`${'not ('.repeat(100)}$0 and $1${')'.repeat(100)}`)).toBe('$0 and $1')
    expect(canonical(Array(100_000).fill('$0').join(' and '))).toHaveLength(699_995)
  })

  test('tells which conditions it uses', () => {
    expect(usedConditions(parse('$2 or not ($0 and $2)'))).toEqual([0, 2])
  })
})
