/** Values and bounds in Delta logs: exact where they are, never too narrow where they were cut. */
import { describe, expect, test } from 'vitest'
import { readStatistics } from '../../src/catalog/delta/statistics.ts'
import { partitionValue, statisticsBound } from '../../src/catalog/delta/values.ts'
import { compareScalars } from '../../src/catalog/scalar.ts'
import type { Scalar } from '../../src/catalog/types.ts'
import { parseType } from '../../src/common/data-type.ts'
import { chanceOf } from '../chance.ts'
import { tortureSeed } from '../torture.ts'

const DAY = 86_400_000_000n

describe('a partition', () => {
  test.for([
    ['INTEGER', '-7', -7n],
    ['INTEGER', '2147483648', undefined],
    ['INTEGER', '1.0', undefined],
    ['TINYINT', '+5', 5n],
    ['DOUBLE', '1e300', 1e300],
    ['DOUBLE', '1,5', undefined],
    ['FLOAT', '0.1', Math.fround(0.1)],
    ['DECIMAL(5,2)', '12.3', 1230n],
    ['DECIMAL(5,2)', '-0.05', -5n],
    ['DECIMAL(5,2)', '12.345', undefined],
    ['DECIMAL(5,2)', '1000', undefined],
    ['DECIMAL(5,2)', '1.5E+2', 15_000n],
    ['BOOLEAN', 'true', true],
    ['BOOLEAN', 'TRUE', undefined],
    ['DATE', '1970-01-02', 1n],
    ['DATE', '-0001-01-01', -719_893n],
    ['DATE', '2023-02-29', undefined],
    ['TIMESTAMP', '1970-01-02 00:00:00', DAY],
    ['TIMESTAMP', '1969-12-31 23:59:59.9', -100_000n],
    ['TIMESTAMP', '1970-01-01 24:00:00', undefined],
    ['TIMESTAMP WITH TIME ZONE', '1970-01-02T00:00:00.000001-01:30', DAY + 5_400_000_001n],
    ['VARCHAR', '__HIVE_DEFAULT_PARTITION__', '__HIVE_DEFAULT_PARTITION__'],
    ['VARCHAR', '', null],
    ['INTEGER', null, null],
    ['INTEGER[]', '1', undefined],
  ] as [string, string | null, Scalar | null | undefined][])('of %s %j is %s', ([type, text, value], { expect }) => {
    expect(partitionValue(text, parseType(type))).toStrictEqual(value)
  })
})

describe('bounds', () => {
  test.for([
    ['BIGINT', 5, [5n, 5n]],
    ['INTEGER', 5.5, [undefined, undefined]],
    ['FLOAT', 0.1, [Math.fround(0.1), Math.fround(0.1)]],
    ['DOUBLE', 'NaN', [undefined, undefined]],
    ['DECIMAL(10,2)', 1.5, [150n, 150n]],
    ['DATE', '2020-01-01', [18_262n, 18_262n]],
    ['TIMESTAMP WITH TIME ZONE', '1970-01-01T00:00:00.005Z', [4000n, 6000n]],
    ['TIMESTAMP WITH TIME ZONE', '1970-01-01T00:00:00.005000Z', [5000n, 5000n]],
    // In which zone is not said.
    ['TIMESTAMP WITH TIME ZONE', '1970-01-01T00:00:00.005', [undefined, undefined]],
    ['TIMESTAMP', '1970-01-01T00:00:00.005', [4000n, 6000n]],
    ['VARCHAR', 'short', ['short', 'short']],
    ['VARCHAR', 'x'.repeat(32), ['x'.repeat(32), `${'x'.repeat(31)}y`]],
    ['VARCHAR', '\u{10ffff}'.repeat(32), ['\u{10ffff}'.repeat(32), undefined]],
    ['VARCHAR', `${'x'.repeat(31)}\ud83d`, ['x'.repeat(31), `${'x'.repeat(30)}y`]],
    ['BLOB', 'abc', [undefined, undefined]],
    ['VARCHAR', null, [undefined, undefined]],
  ] as [string, unknown, [unknown, unknown]][])('of %s %j are %s', ([type, value, bounds], { expect }) => {
    const own = parseType(type)
    expect([statisticsBound(value, own, 'lower'), statisticsBound(value, own, 'upper')]).toStrictEqual(bounds)
  })

  test('of texts that were cut anywhere hold the text', () => {
    const seed = tortureSeed()
    const alphabet = ['a', 'z', '~', 'é', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}']
    for (let k = 0; k < 2000; k++) {
      const chance = chanceOf(seed, k)
      const text = Array.from({ length: 30 + chance.below(10) }, () => chance.pick(alphabet)).join('')
      // By units of UTF-16, as Java cuts: also through a character.
      const cut = text.slice(0, 64 - chance.below(32))
      if ([...cut].length < 32 && cut !== text) continue
      const [lower, upper] = [
        statisticsBound(cut, parseType('VARCHAR'), 'lower'),
        statisticsBound(cut, parseType('VARCHAR'), 'upper'),
      ]
      if (lower !== undefined) expect(compareScalars(lower, text), `seed ${seed}, case ${k}`).toBeLessThanOrEqual(0)
      if (upper !== undefined) expect(compareScalars(upper, text), `seed ${seed}, case ${k}`).toBeGreaterThanOrEqual(0)
    }
  })

  const columns = [
    { id: 1, name: 'i', type: parseType('BIGINT'), required: false },
    { id: 2, name: 'd', type: parseType('DECIMAL(38,2)'), required: false },
    { id: 3, name: 's', type: parseType('STRUCT(i BIGINT)'), required: false },
  ]

  test('of numbers with more digits than JavaScript has are exact', () => {
    const stats = `{"numRecords":3,"minValues":{"i":-9223372036854775807,"d":0.01},"maxValues":{"i":9007199254740993,"d":123456789012345678901234567890.12},"nullCount":{"i":1,"s":{"i":0}}}`
    const { rows, columns: found } = readStatistics(stats, columns, 'log')
    expect(rows).toBe(3)
    expect(found.get(1)).toEqual({ nulls: 1, lower: -9_223_372_036_854_775_807n, upper: 9_007_199_254_740_993n })
    expect(found.get(2)).toEqual({ lower: 1n, upper: 12_345_678_901_234_567_890_123_456_789_012n })
    expect(found.has(3)).toBe(false)
  })

  test('in columns of a checkpoint count, but for decimals, which were rounded', () => {
    const stats = {
      numRecords: 3n,
      minValues: { i: -5n, d: 0.1 },
      maxValues: { i: 7n, d: 0.3 },
      nullCount: { i: 0n, d: 1n },
    }
    const { rows, columns: found } = readStatistics(stats, columns, 'log')
    expect(rows).toBe(3)
    expect([...found]).toEqual([[1, { nulls: 0, lower: -5n, upper: 7n }]])
  })

  test('beside more nulls than rows are not relied upon', () => {
    const stats = { numRecords: 3, minValues: { i: 1 }, maxValues: { i: 2 }, nullCount: { i: 4 } }
    expect(readStatistics(stats, columns, 'log').columns.size).toBe(0)
  })
})
