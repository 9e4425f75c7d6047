/** The timeline of a query and what is looked for in the list, as the page computes them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fits, isCut, oneLine, type QueryRecord, type QueryWork } from '../../web/src/views/activity/model.ts'
import { passedPhases, type TaskTime, ticksOf, timelineOf } from '../../web/src/views/activity/timeline-model.ts'

const sum = (totalMs: number) => ({ totalMs, maxMs: totalMs })
const work = (taskTimes: TaskTime[], planMs = 10, mergeMs = 5): QueryWork => ({
  phases: { queue: sum(0), plan: sum(planMs), fetch: sum(0), scan: sum(0), merge: sum(mergeMs) },
  tasks: taskTimes.length,
  taskTimes,
})
const ms = fc.integer({ min: 0, max: 500 })
const tasks = fc.array(
  fc.record({ startMs: ms, queueMs: ms, fetchMs: ms, scanMs: ms, worker: fc.constantFrom('1', '2', '10') }),
  { minLength: 1, maxLength: 30 },
)
const endOf = ({ startMs, queueMs, fetchMs, scanMs }: TaskTime) => startMs + queueMs + fetchMs + scanMs

describe('a timeline', () => {
  test('has a line for each task between planning and merging, one after another in each', () => {
    fc.assert(
      fc.property(tasks, (taskTimes) => {
        const { lanes, totalMs } = timelineOf(work(taskTimes), 'task')
        expect(lanes.map(({ label }) => label)).toEqual(['Plan', ...taskTimes.map((_, k) => `Task ${k + 1}`), 'Merge'])
        expect(totalMs).toBe(Math.max(1, 10 + Math.max(...taskTimes.map(endOf)) + 5))
        for (const { bars } of lanes.slice(1, -1)) {
          const { stretches } = bars[0]!
          for (const [k, { fromMs, toMs }] of stretches.entries()) {
            expect(toMs).toBeGreaterThanOrEqual(fromMs)
            if (k > 0) expect(fromMs).toBe(stretches[k - 1]!.toMs)
          }
        }
      }),
    )
  })

  test('by worker has each task once, in the order of the workers, without overlaps that could be seen', () => {
    fc.assert(
      fc.property(tasks, (taskTimes) => {
        const { lanes, totalMs } = timelineOf(work(taskTimes), 'worker')
        const lines = lanes.slice(1, -1)
        const titles = lines.flatMap(({ bars }) => bars.map(({ title }) => title))
        expect(new Set(titles).size).toBe(taskTimes.length)
        const named = lines.flatMap(({ label }) => label || [])
        const workers = [...new Set(taskTimes.map(({ worker }) => Number(worker)))].sort((a, b) => a - b)
        expect(named).toEqual(workers.map((id) => `Worker ${id}`))
        for (const { bars } of lines) {
          for (const [k, { stretches }] of bars.entries()) {
            const before = bars[k - 1]?.stretches.at(-1)?.toMs ?? 0
            expect(stretches[0]!.fromMs).toBeGreaterThanOrEqual(before - totalMs * 0.01)
          }
        }
      }),
    )
  })

  test('of work without phases, as of one that runs, has the tasks alone', () => {
    const { phases: _, ...running } = work([{ startMs: 0, queueMs: 0, fetchMs: 1, scanMs: 2 }])
    expect(timelineOf(running, 'worker').lanes.map(({ label }) => label)).toEqual(['Process'])
    expect(passedPhases(running)).toBeUndefined()
  })

  test('has few round ticks, from nothing to its end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000_000 }), (totalMs) => {
        const ticks = ticksOf(totalMs, 4)
        expect(ticks[0]).toBe(0)
        expect(ticks.length).toBeGreaterThan(1)
        expect(ticks.length).toBeLessThanOrEqual(6)
        expect(ticks.at(-1)).toBeLessThanOrEqual(totalMs * 1.000001)
      }),
    )
  })
})

describe('phases in the time that passed', () => {
  test('add up to that time, whatever ran beside each other', () => {
    fc.assert(
      fc.property(tasks, (taskTimes) => {
        const passed = passedPhases(work(taskTimes))!
        const total = Object.values(passed).reduce((all, one) => all + one, 0)
        expect(total).toBeCloseTo(10 + Math.max(...taskTimes.map(endOf)) + 5, 6)
      }),
    )
  })

  test('tell what was done: waiting only while nothing was', () => {
    const passed = passedPhases(
      work([
        { startMs: 0, queueMs: 10, fetchMs: 10, scanMs: 20 },
        { startMs: 0, queueMs: 20, fetchMs: 0, scanMs: 40 },
        { startMs: 60, queueMs: 5, fetchMs: 10, scanMs: 0 },
      ]),
    )
    expect(passed).toEqual({ plan: 10, queue: 15, fetch: 20, scan: 40, merge: 5 })
  })
})

describe('the list', () => {
  const record: QueryRecord = {
    ...{
      id: 'b7',
      kind: 'sql',
      text: 'SELECT *\n  FROM  Events',
      state: 'failed',
      startedAt: '2026-11-20T08:00:00.000Z',
    },
    ...{ who: 'ann', error: { code: 'SQL_INVALID', message: 'no' } },
  }

  test.each([
    [{}, true],
    [{ state: 'failed', kind: 'sql', text: 'events  ANN' }, true],
    [{ text: 'sql_invalid' }, true],
    [{ text: 'B7' }, true],
    [{ text: 'events bob' }, false],
    [{ state: 'active' }, false],
    [{ state: 'done' }, false],
    [{ kind: 'query' }, false],
  ])('looking for %j finds: %s', (filter, found) => {
    expect(fits(record, filter)).toBe(found)
    expect(fits({ ...record, state: 'queued' }, { state: 'active' })).toBe(true)
  })

  test('has each text in one line, and knows those that were cut', () => {
    expect(oneLine(record)).toBe('SELECT * FROM Events')
    expect(oneLine({ kind: 'import', text: 't', table: 't' })).toBe('Import into t')
    expect(isCut(record)).toBe(false)
    expect(isCut({ text: `${'x'.repeat(3999)}…` })).toBe(true)
  })
})
