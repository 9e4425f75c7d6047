import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compilePattern } from '../../src/catalog/folder/pattern.ts'

const matching: [pattern: string, yes: string[], no: string[]][] = [
  ['*.parquet', ['a.parquet', 'x/y/a.parquet', 'é.parquet'], ['a.parquet.tmp', 'a.csv', 'parquet']],
  ['a?.parquet', ['ab.parquet', 'x/ab.parquet'], ['a.parquet', 'abc.parquet']],
  ['2026/*.parquet', ['2026/a.parquet'], ['2026/11/a.parquet', 'x/2026/a.parquet', '2027/a.parquet']],
  ['2026/**/*.parquet', ['2026/a.parquet', '2026/11/20/a.parquet'], ['2027/11/a.parquet']],
  ['**/b/*.parquet', ['b/a.parquet', 'x/y/b/a.parquet'], ['b/c/a.parquet', 'a.parquet']],
  ['**', ['a', 'x/a.csv'], []],
  ['x/**', ['x/a', 'x/y/a'], ['y/a']],
  ['./x/*.pq', ['x/a.pq'], ['a.pq']],
  ['day=*/*.parquet', ['day=1/a.parquet'], ['day=1/b/a.parquet', 'day/a.parquet']],
  ['a[1].(x)+.parquet', ['a[1].(x)+.parquet'], ['a1.(x)+.parquet', 'axparquet']],
  ['*a*b*', ['ab', 'xxaxxbxx', 'b/aab'], ['ba', 'a/b']],
]

test.each(matching)('%s', (pattern, yes, no) => {
  const { matches } = compilePattern(pattern)
  expect(yes.filter((path) => !matches(path))).toEqual([])
  expect(no.filter((path) => matches(path))).toEqual([])
})

test('hidden files and folders are skipped, Hive folders are not', () => {
  const { matches } = compilePattern('*.parquet')
  const paths = [
    '_a.parquet',
    '.a.parquet',
    '_tmp/a.parquet',
    'x/.b/a.parquet',
    '_x=1.parquet',
    '_k=1/a.parquet',
    'a_.parquet',
  ]
  expect(paths.filter(matches)).toEqual(['_k=1/a.parquet', 'a_.parquet'])
  expect(compilePattern('_tmp/*').matches('_tmp/a.parquet')).toBe(false)
})

describe('folders that may hold a match', () => {
  test.each([
    ['*.parquet', ['x/', 'x/y/', '_k=1/'], ['_tmp/', 'x/.git/']],
    ['2026/1*/x/*.parquet', ['2026/', '2026/11/', '2026/11/x/'], ['2027/', '2026/21/', '2026/11/y/', '2026/11/x/y/']],
    ['./x/a.parquet', ['x/'], ['y/', 'x/y/']],
    ['**/x/*', ['y/', 'y/z/', 'x/', 'x/y/'], ['_y/']],
  ])('of %s', (pattern, yes, no) => {
    const { mayHold } = compilePattern(pattern)
    expect(yes.filter((folder) => !mayHold(folder))).toEqual([])
    expect(no.filter((folder) => mayHold(folder))).toEqual([])
  })

  test('never leave one out', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 3 })
    const globs = fc.array(part, { minLength: 1, maxLength: 4 })
    const paths = fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 3 }), {
      minLength: 1,
      maxLength: 5,
    })
    fc.assert(
      fc.property(globs, paths, (glob, names) => {
        const { matches, mayHold } = compilePattern(glob.join('/'))
        if (!matches(names.join('/'))) return
        for (let k = 1; k < names.length; k++) expect(mayHold(`${names.slice(0, k).join('/')}/`)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

test.each(['', '/x/*.parquet', 'x'.repeat(2000)])('a pattern that is none is refused (%#)', (pattern) => {
  expect(() => compilePattern(pattern)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }))
})

test('many stars cost no more than a few', () => {
  const { matches } = compilePattern(`${'*a'.repeat(300)}b/**/**/**/**/**/x`)
  const started = performance.now()
  expect(matches(`${'a'.repeat(5000)}/${'y/'.repeat(200)}z`)).toBe(false)
  expect(performance.now() - started).toBeLessThan(2000)
})

test('matching is that of the regular expression', () => {
  const names = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 6 })
  const globs = fc
    .string({ unit: fc.constantFrom('a', 'b', '*', '?'), minLength: 1, maxLength: 6 })
    .filter((glob) => glob !== '**')
  fc.assert(
    fc.property(globs, names, (glob, name) => {
      const oracle = new RegExp(`^${glob.replaceAll('?', '.').replaceAll(/\*+/g, '.*')}$`)
      expect(compilePattern(glob).matches(name)).toBe(oracle.test(name))
    }),
  )
})
