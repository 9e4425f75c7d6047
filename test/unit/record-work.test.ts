/** What records keep of the work on queries: whatever is read has its bounds, and old records are read as before. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SETTINGS } from '../../src/config.ts'
import type { DoneTask } from '../../src/coordinator/run-figures.ts'
import { type QueryRecord, readRecord } from '../../src/records/query-record.ts'
import { type RecordTask, type RecordWork, readWork, sampled, thinned } from '../../src/records/record-work.ts'
import { LiveWork } from '../../src/server/live-work.ts'

const MOST = SETTINGS.queryLogTasks.default
const RECORD: QueryRecord = {
  id: 'a',
  kind: 'sql',
  text: 'SELECT 1',
  state: 'done',
  startedAt: '2026-11-20T08:00:01.000Z',
}
const task = (startMs: number): RecordTask => ({ startMs, queueMs: 1, fetchMs: 2, scanMs: 3 })
const done = (doneMs: number): DoneTask => ({
  ...{ queueMs: 1, fetchMs: 2, scanMs: 3.04, doneMs, cold: false },
  ...{ stage: 'scan', rows: 5, worker: '7' },
})
const work = (count: number): RecordWork => ({
  tasks: count,
  taskTimes: Array.from({ length: count }, (_, k) => task(k)),
})

test('a record of before has no work, and is read as it was', () => {
  expect(readRecord(JSON.parse(JSON.stringify(RECORD)))).toEqual(RECORD)
})

test('work that was written is read as it was; fields of other types are left out', () => {
  const sums = { totalMs: 4.5, maxMs: 3 }
  const full: RecordWork = {
    phases: { queue: sums, plan: sums, fetch: sums, scan: sums, merge: sums },
    ...{
      tasks: 2,
      coldTasks: 1,
      warmTasks: 1,
      failedAttempts: 0,
      sparedTasks: 7,
      stoppedTasks: 1,
      files: 3,
      filesPruned: 4,
      cacheHits: 5,
      cacheMisses: 6,
    },
    taskTimes: [{ ...task(0), stage: 'scan', worker: '3', rows: 10, cold: true }, task(1)],
  }
  expect(readRecord(JSON.parse(JSON.stringify({ ...RECORD, work: full })))).toEqual({ ...RECORD, work: full })
  const odd = {
    ...full,
    phases: { queue: sums },
    coldTasks: -1,
    files: '3',
    taskTimes: [{ startMs: 'x' }, task(1)],
    more: 1,
  }
  const { phases: _, coldTasks: __, files: ___, ...kept } = full
  expect(readWork(odd)).toEqual({ ...kept, taskTimes: [task(1)] })
})

test('any value is read without an error, and is read again as the same', () => {
  const value = fc.oneof(
    fc.jsonValue(),
    fc.record(
      { tasks: fc.nat(), phases: fc.jsonValue(), taskTimes: fc.array(fc.jsonValue()) },
      { requiredKeys: ['tasks'] },
    ),
  )
  fc.assert(
    fc.property(value, (given) => {
      const read = readWork(given)
      expect(readWork(JSON.parse(JSON.stringify(read ?? null)))).toEqual(read)
    }),
  )
})

test('a list that is too long is sampled evenly, whoever wrote it', () => {
  const read = readWork(JSON.parse(JSON.stringify(work(MOST * 2 + 1))))!
  expect(read.tasks).toBe(MOST * 2 + 1)
  expect(read.taskTimes!.length).toBeLessThanOrEqual(MOST)
  expect(read.taskTimes!.map(({ startMs }) => startMs).slice(0, 3)).toEqual([0, 3, 6])
  expect(sampled([1, 2, 3], 3)).toEqual([1, 2, 3])
})

test('only the newest records in tasks keep these', () => {
  const records = [{ work: work(2) }, {}, { work: work(1) }, { work: work(3) }, { work: work(4) }]
  const kept = thinned(records, 2).map(({ work }) => work?.taskTimes?.length)
  expect(kept).toEqual([2, undefined, 1, 3, undefined])
  expect(thinned(records, 2)[4]!.work).toEqual({ tasks: 4 })
})

test('the tasks of a running query are gathered within their bound, and count from anew when it begins anew', () => {
  const live = new LiveWork()
  expect(live.record()).toBeUndefined()
  for (let k = 0; k < 5 * MOST; k++) live.did(done(k + 10))
  const { tasks, taskTimes } = live.record()!
  expect(tasks).toBe(5 * MOST)
  expect(taskTimes!.length).toBeLessThanOrEqual(MOST)
  const steps = new Set(taskTimes!.slice(1).map(({ startMs }, k) => Math.round(startMs - taskTimes![k]!.startMs)))
  expect([...steps]).toEqual([8])
  live.begun()
  expect(live.record()).toBeUndefined()
  live.did(done(10))
  expect(live.record()).toEqual({
    tasks: 1,
    taskTimes: [{ startMs: 4, queueMs: 1, fetchMs: 2, scanMs: 3, stage: 'scan', worker: '7', rows: 5 }],
  })
})
