import { expect, test } from 'vitest'
import type { BehaviouralStats } from '../../src/coordinator/behaviour-result.ts'
import { workStats } from '../../src/coordinator/statistics.ts'
import { jobStats, tasksOf } from '../../src/server/funnel-rocket/stats.ts'

/** Statistics of a query whose tasks take 1 ms, 2 ms … and wait, fetch and scan a tenth, four and five tenths of it. */
function statsOf(tasks: number): BehaviouralStats {
  const times = Array.from({ length: tasks }, (_, k) => {
    const ms = k + 1
    return { queueMs: ms / 10, fetchMs: (ms * 4) / 10, scanMs: (ms * 5) / 10, doneMs: ms * 10, cold: k < 2 }
  })
  const read = { tasks, files: 7, filesPruned: 3, bytes: 5000, rows: 600 }
  const work = workStats(times, { planMs: 20, mergeMs: 30 })
  return {
    ...read,
    ...work,
    ms: 1500,
    cache: { hits: 1, misses: 2 },
    scannedRows: 500,
    scannedGroups: 40,
    reader: 'engine',
  }
}

test('figures of many tasks, in seconds', () => {
  const stats = { ...statsOf(100), attempts: 104, failedAttempts: 3, cost: 0.0002 }
  expect(tasksOf(stats)).toBe(104)
  expect(jobStats(stats, { parts: 10, totalSize: 9000 })).toEqual({
    ...stats,
    totalTime: 1.5,
    invoker: {
      enqueueTime: 0.02,
      pollTime: 1.45,
      totalTasks: 104,
      failedTasks: 3,
      taskSuccessOverTime: { '0.25': 25, '0.5': 25, '0.75': 25, '1.0': 25 },
    },
    worker: {
      coldTasks: 2,
      warmTasks: 98,
      invokeLatency: { min: 0.0001, mean: 0.00505, max: 0.01, '50%': 0.005, '90%': 0.009, '99%': 0.0099 },
      loadTime: { min: 0.0004, mean: 0.0202, max: 0.04, '50%': 0.02, '90%': 0.036, '99%': 0.0396 },
      totalTime: { min: 0.0009, mean: 0.04545, max: 0.09, '50%': 0.045, '90%': 0.081, '99%': 0.0891 },
      scannedRows: 500,
      scannedGroups: 40,
      cache: { source: 100, diskCache: 0 },
    },
    dataset: { parts: 10, totalSize: 9000 },
    cost: 0.0002,
  })
})

test('what is not known is absent', () => {
  const { invoker, worker, ...rest } = jobStats(statsOf(0), { parts: 10 }) as Record<string, object>
  expect(invoker).toMatchObject({ totalTasks: 0, failedTasks: 0, taskSuccessOverTime: {} })
  expect(Object.keys(worker!)).toEqual(['coldTasks', 'warmTasks', 'scannedRows', 'scannedGroups', 'cache'])
  expect(rest).not.toHaveProperty('cost')
  const one = jobStats(statsOf(1), { parts: 10 }) as { worker: { loadTime: object } }
  expect(Object.keys(one.worker.loadTime)).toEqual(['min', 'mean', 'max', '50%'])
})
