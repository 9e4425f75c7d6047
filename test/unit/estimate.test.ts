/** What a query is said to cost before it runs, and when it is refused. */
import { describe, expect, test } from 'vitest'
import { readSettings } from '../../src/config.ts'
import type { BoundValue } from '../../src/engine/parameters.ts'
import { paramFromJson, paramToJson } from '../../src/engine/params-json.ts'
import { isSkepError } from '../../src/errors.ts'
import { estimateOf, requireAffordable } from '../../src/planner/estimate.ts'

const reads = { files: 3, bytes: 5_000_000, rows: 10_000_000, tasks: 4 }

describe('the estimate', () => {
  test('counts the time of reading and of every task, in memory and calls', () => {
    const settings = readSettings({
      SKEP_LAMBDA_MEMORY: '2GB',
      SKEP_LAMBDA_ROWS_PER_SECOND: '1000000',
      SKEP_LAMBDA_GB_SECOND_PRICE: '20000',
      SKEP_LAMBDA_REQUEST_PRICE: '1000',
    })
    const { lambda, ...rest } = estimateOf(reads, settings)
    expect(rest).toEqual(reads)
    const seconds = 10 + (4 * settings.lambdaTaskMs) / 1000
    expect(lambda.requests).toBe(4)
    expect(lambda.gbSeconds).toBeCloseTo(seconds * 2, 9)
    expect(lambda.dollars).toBeCloseTo(seconds * 2 * 20_000e-9 + 4 * 1000e-9, 12)
  })

  test('refuses what is dearer or larger than allowed, and nothing else', () => {
    const estimate = estimateOf(reads, readSettings({}))
    const code = (limits: Parameters<typeof requireAffordable>[1]) => {
      try {
        requireAffordable(estimate, limits)
        return 'passes'
      } catch (error) {
        return isSkepError(error) ? error.code : error
      }
    }
    expect(code({})).toBe('passes')
    expect(code({ maxBytes: 5_000_000, maxCost: estimate.lambda.dollars })).toBe('passes')
    expect(code({ maxBytes: 4_999_999 })).toBe('BYTES_LIMIT')
    expect(code({ maxCost: estimate.lambda.dollars * 0.99 })).toBe('COST_LIMIT')
  })
})

test('bound values survive the way as JSON', () => {
  const values: BoundValue[] = [
    null,
    true,
    -0,
    1.5,
    Number.POSITIVE_INFINITY,
    Number.NaN,
    2n ** 100n,
    'i:5',
    new Date('2026-11-20T08:14:00.123Z'),
    new Uint8Array([0, 255]),
    [1, null, 3],
    ['a', 'd:2026'],
  ]
  expect(values.map((value) => paramFromJson(JSON.parse(JSON.stringify(paramToJson(value)))))).toEqual(values)
})
