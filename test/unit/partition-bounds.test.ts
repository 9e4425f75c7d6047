import { describe, expect, test } from 'vitest'
import { parseTransform } from '../../src/catalog/iceberg/transforms.ts'
import { compareScalars } from '../../src/catalog/scalar.ts'
import type { Scalar } from '../../src/catalog/types.ts'
import { parseType } from '../../src/common/data-type.ts'
import { partitionStatistics } from '../../src/planner/partition-bounds.ts'

const boundsOf = (transform: string, value: Scalar | null, type: string) =>
  partitionStatistics(parseTransform(transform)!, value, parseType(type), 10)

describe('the bounds of a partition', () => {
  test.each<[transform: string, type: string, value: Scalar, lower: Scalar, upper: Scalar | undefined]>([
    ['identity', 'INTEGER', 7n, 7n, 7n],
    ['truncate[10]', 'INTEGER', -20n, -20n, -11n],
    ['truncate[50]', 'DECIMAL(9,2)', -100n, -100n, -51n],
    ['truncate[2]', 'VARCHAR', 'ab', 'ab', 'ac'],
    ['truncate[2]', 'VARCHAR', 'a', 'a', 'a'],
    ['truncate[1]', 'VARCHAR', '\uD7FF', '\uD7FF', '\uE000'],
    ['truncate[1]', 'VARCHAR', '\u{10FFFF}', '\u{10FFFF}', undefined],
    ['truncate[2]', 'BLOB', Uint8Array.of(1, 255), Uint8Array.of(1, 255), Uint8Array.of(2)],
    ['truncate[1]', 'BLOB', Uint8Array.of(255), Uint8Array.of(255), undefined],
    ['year', 'DATE', 54n, 19723n, 20088n],
    ['month', 'DATE', 1n, 31n, 58n],
    ['day', 'DATE', -5n, -5n, -5n],
    ['hour', 'TIMESTAMP', 1n, 3_600_000_000n, 7_199_999_999n],
    ['day', 'TIMESTAMP WITH TIME ZONE', 1n, 86_400_000_000n, 172_799_999_999n],
  ])('%s of %s', (transform, type, value, lower, upper) => {
    expect(boundsOf(transform, value, type)).toEqual({
      nulls: 0,
      ...(transform === 'identity' && { nans: 0 }),
      lower,
      ...(upper !== undefined && { upper }),
    })
  })

  test.each([
    ['bucket[4]', 'INTEGER', 3n],
    ['truncate[10]', 'INTEGER', 2_147_483_646n],
    ['truncate[10]', 'BIGINT', 9_223_372_036_854_775_801n],
    ['hour', 'DATE', 3n],
    ['day', 'VARCHAR', 3n],
    ['year', 'TIMESTAMP', 2n ** 40n],
  ])('are none for %s of %s', (transform, type, value) => {
    expect(boundsOf(transform, value, type)).toEqual({ nulls: 0 })
  })

  test('tell of nulls, but for a transform that forgets its values', () => {
    expect(boundsOf('year', null, 'DATE')).toEqual({ nulls: 10 })
    expect(boundsOf('void', null, 'DATE')).toEqual({})
  })

  const DAY = 86_400_000_000n
  const UNITS: [unit: string, of: (micros: bigint) => number][] = [
    ['hour', (micros) => Number(micros) / 3_600_000_000],
    ['day', (micros) => Number(micros) / Number(DAY)],
    ['month', (micros) => months(micros)],
    ['year', (micros) => months(micros) / 12],
  ]

  /** Months since 1970, with a fraction: what counts is only whether it has one. */
  function months(micros: bigint): number {
    const date = new Date(Number(micros / 1000n - (micros % 1000n < 0n ? 1n : 0n)))
    const whole = (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth()
    const isStart = BigInt(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)) * 1000n === micros
    return isStart ? whole : whole + 0.5
  }

  test.each(UNITS)('have every time in them by %s, rounded down or, as once, towards 1970', (unit, of) => {
    const times = [-400n, -365n, -31n, -1n, 0n, 1n, 31n, 365n].flatMap((day) =>
      [-1n, 0n, 1n, 3_599_999_999n, 3_600_000_000n].map((micros) => day * DAY + micros),
    )
    for (const micros of times) {
      for (const round of [Math.floor, Math.trunc]) {
        const value = BigInt(round(of(micros)))
        const { lower, upper } = boundsOf(unit, value, 'TIMESTAMP')
        expect(compareScalars(lower!, micros), `${micros} in ${value}`).toBeLessThanOrEqual(0)
        expect(compareScalars(upper!, micros), `${micros} in ${value}`).toBeGreaterThanOrEqual(0)
      }
    }
  })
})
