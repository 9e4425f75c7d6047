/** The figures over the times of tasks, against their definitions. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  countByTime,
  type PhaseTimes,
  phaseTimes,
  type TaskTimes,
  workStats,
} from '../../src/coordinator/statistics.ts'

/** Whole microseconds, so that rounding takes nothing away. */
const time = fc.integer({ min: 0, max: 5_000_000 }).map((us) => us / 1000)

/** The least of these times that at least `percent` of 100 of them do not exceed. */
function naivePercentile(times: readonly number[], percent: number): number {
  const reaches = times.filter((ms) => times.filter((other) => other <= ms).length * 100 >= percent * times.length)
  return Math.min(...reaches)
}

function naiveTimes(times: readonly number[]): PhaseTimes {
  const totalMs = times.reduce((sum, ms) => sum + ms, 0)
  return {
    count: times.length,
    totalMs: expect.closeTo(totalMs, 2) as number,
    minMs: Math.min(...times),
    meanMs: expect.closeTo(totalMs / times.length, 2) as number,
    maxMs: Math.max(...times),
    p50Ms: naivePercentile(times, 50),
    ...(times.length >= 20 && { p90Ms: naivePercentile(times, 90) }),
    ...(times.length >= 100 && { p99Ms: naivePercentile(times, 99) }),
  }
}

describe('phaseTimes', () => {
  test('is what its fields say, for any times in any order', () => {
    const lists = fc.oneof(
      fc.array(time, { minLength: 1, maxLength: 30 }),
      fc.array(time, { minLength: 90, maxLength: 230 }),
    )
    fc.assert(
      fc.property(lists, (times) => {
        const given = [...times]
        expect(phaseTimes(times)).toEqual(naiveTimes(times))
        expect(times).toEqual(given)
      }),
    )
  })

  test.each([
    [1, ['p50Ms']],
    [19, ['p50Ms']],
    [20, ['p50Ms', 'p90Ms']],
    [99, ['p50Ms', 'p90Ms']],
    [100, ['p50Ms', 'p90Ms', 'p99Ms']],
  ])('%d times have the percentiles that so many can have', (count, percentiles) => {
    const figures = phaseTimes(Array.from({ length: count }, (_, k) => count - k))
    expect(Object.keys(figures).filter((key) => key.startsWith('p'))).toEqual(percentiles)
  })

  test('tells nothing of no times', () => {
    expect(phaseTimes([])).toEqual({ count: 0, totalMs: 0, minMs: 0, meanMs: 0, maxMs: 0, p50Ms: 0 })
  })
})

test('countByTime counts by quarters of a second, each with its end', () => {
  expect(countByTime([])).toEqual({})
  expect(countByTime([0, 249.9, 250, 250.1, 1000, 1000.001])).toEqual({ 250: 3, 500: 1, 1000: 1, 1250: 1 })
  fc.assert(
    fc.property(fc.array(time, { maxLength: 50 }), (times) => {
      const counts = countByTime(times)
      for (const [end, count] of Object.entries(counts)) {
        const inside = times.filter(
          (ms) => ms <= Number(end) && (ms > Number(end) - 250 || (ms === 0 && end === '250')),
        )
        expect(inside).toHaveLength(count)
      }
      expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(times.length)
      expect(Object.keys(counts).map(Number)).toEqual(
        Object.keys(counts)
          .map(Number)
          .sort((a, b) => a - b),
      )
    }),
  )
})

test('workStats takes each task once, whatever the order', () => {
  const task: fc.Arbitrary<TaskTimes> = fc.record({
    queueMs: time,
    fetchMs: time,
    scanMs: time,
    doneMs: time,
    cold: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(task, { maxLength: 30 }), time, time, (tasks, planMs, mergeMs) => {
      const stats = workStats(tasks, { planMs, mergeMs })
      expect(workStats(tasks.toReversed(), { planMs, mergeMs })).toEqual({
        ...stats,
        phases: Object.fromEntries(Object.entries(stats.phases).map(([phase, times]) => [phase, close(times)])),
        taskTimes: close(stats.taskTimes),
      })
      expect(stats.coldTasks + stats.warmTasks).toBe(tasks.length)
      expect(stats.coldTasks).toBe(tasks.filter(({ cold }) => cold).length)
      expect(stats.phases.plan).toMatchObject({ count: 1, totalMs: planMs })
      expect(stats.phases.merge).toMatchObject({ count: 1, totalMs: mergeMs })
      for (const phase of ['queue', 'fetch', 'scan'] as const) {
        const sum = tasks.reduce((total, own) => total + own[`${phase}Ms`], 0)
        expect(stats.phases[phase]).toMatchObject({ count: tasks.length, totalMs: expect.closeTo(sum, 2) })
      }
      const { fetch, scan } = stats.phases
      expect(stats.taskTimes.totalMs).toBeCloseTo(fetch.totalMs + scan.totalMs, 1)
    }),
  )
})

/** Sums of floats depend on their order in the last digits. */
function close(times: PhaseTimes): object {
  return { ...times, totalMs: expect.closeTo(times.totalMs, 2), meanMs: expect.closeTo(times.meanMs, 2) }
}
