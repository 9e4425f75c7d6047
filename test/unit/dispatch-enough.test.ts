/** Stages of which so many rows are enough: which tasks run, what counts of them, and that it never depends on which came first. */
import { describe, expect, test } from 'vitest'
import type { StagesResult } from '../../src/coordinator/dispatch.ts'
import type { TaskProgress } from '../../src/coordinator/run-figures.ts'
import { type ErrorCode, SkepError } from '../../src/errors.ts'
import type { Stage } from '../../src/planner/plan.ts'
import type { TaskResult } from '../../src/pool/pool.ts'
import { type Act, Bed, never, resultOf, settings, stage, upTo } from './dispatch-bed.ts'

function enough(enoughRows: number, tasks: number, id = 'a'): Stage {
  return { ...stage(id, tasks), enoughRows }
}

/** So many rows of a task. */
function rowsOf(id: string, count: number): TaskResult {
  return resultOf(id, { count, inline: [Array.from({ length: count }, (_, k) => `${id}:${k}`)] })
}

function valuesOf(result: StagesResult | undefined, id = 'a'): unknown[] | undefined {
  return result?.results.get(id)?.flatMap(({ rows }) => rows.inline![0]!)
}

function numberOf(id: string): number {
  return Number(id.split('.')[1])
}

function coded(code: ErrorCode): SkepError {
  return new SkepError(code, `a ${code}`, {} as never)
}

/** Each task gives so many rows after so long; it hears when it is told to stop. */
function giving(counts: readonly number[], ms: readonly number[] = []): Act {
  return async ({ task, signal }, _, bed) => {
    const at = numberOf(task.id)
    await bed.sleep(ms[at] ?? 50, signal)
    return rowsOf(task.id, counts[at] ?? 0)
  }
}

describe('a stage ends early', () => {
  test('when its first tasks gave enough: others do not begin, or are told to stop', async () => {
    const bed = new Bed()
    const { result } = await bed.run([enough(5, 100)], giving([3, 3, 3, 3], [50, 60, 10_000, 10_000]), { slots: 2 })
    expect(valuesOf(result)).toEqual(['a.0:0', 'a.0:1', 'a.0:2', 'a.1:0', 'a.1:1', 'a.1:2'])
    expect(result!.stats).toMatchObject({ tasks: 2, stopped: 3, spared: 95, attempts: 5, retries: 0, hedges: 0 })
    expect(bed.told.map(({ signal }) => signal.aborted)).toEqual([false, false, true, true, true])
    expect(bed.elapsedMs).toBeLessThan(100)
    expect(result!.times).toHaveLength(2)
    await bed.world.run([result!.settled])
    expect(bed.elapsedMs).toBeLessThan(200)
  })

  test('only when all before it are done, whose rows count; nothing behind enough rows begins meanwhile', async () => {
    const bed = new Bed()
    const { result } = await bed.run([enough(4, 50)], giving([1, 2, 4], [1000, 500, 50, 900, 900]), { slots: 3 })
    expect(valuesOf(result)).toEqual(['a.0:0', 'a.1:0', 'a.1:1', 'a.2:0', 'a.2:1', 'a.2:2', 'a.2:3'])
    expect(result!.stats).toMatchObject({ tasks: 3, stopped: 2, spared: 45 })
    expect(bed.told).toHaveLength(3 + settings.taskLookahead)
    expect(bed.elapsedMs).toBeGreaterThanOrEqual(1000)
  })

  test('without what later tasks gave before', async () => {
    const { result } = await new Bed().run([enough(4, 5)], giving([4, 1, 3, 4, 4], [500, 50, 50, 50, 50]), { slots: 5 })
    expect(valuesOf(result)).toEqual(['a.0:0', 'a.0:1', 'a.0:2', 'a.0:3'])
    expect(result!.results.get('a')).toHaveLength(1)
    // Tasks 1 and 2 gave enough together, so that 3 and 4 were not wanted any more, unless they were done before.
    expect(result!.stats.tasks + result!.stats.stopped).toBe(5)
  })

  test('not before there is enough, and not without a number', async () => {
    const few = await new Bed().run([enough(7, 6)], giving([1, 1, 1, 1, 1, 1]))
    expect(valuesOf(few.result)).toHaveLength(6)
    expect(few.result!.stats).toMatchObject({ tasks: 6, stopped: 0, spared: 0 })
    const all = await new Bed().run([stage('a', 6)], giving([9, 9, 9, 9, 9, 9]))
    expect(valuesOf(all.result)).toHaveLength(54)
  })

  test('before it begins when no row is wanted, and what reads it follows', async () => {
    const bed = new Bed()
    const { result } = await bed.run([enough(0, 7), stage('b', 1, ['a'])], giving([5]))
    expect(bed.told.map(({ task, inputs }) => [task.id, inputs])).toEqual([['b.0', { a: [] }]])
    expect(result!.results.get('a')).toEqual([])
    expect(result!.stats).toMatchObject({ tasks: 1, stopped: 0, spared: 7 })
  })

  test('and the stage that reads it gets the first rows and begins', async () => {
    const bed = new Bed()
    const act: Act = async (message, n, ...rest) =>
      message.task.id[0] !== 'a'
        ? rowsOf(message.task.id, 1)
        : await giving([2, 2, 2, 2], [50, 50, 5000, 5000])(message, n, ...rest)
    const { result, error } = await bed.run([enough(3, 9), stage('b', 1, ['a']), stage('c', 3)], act, { slots: 9 })
    expect(error).toBeUndefined()
    expect(bed.attempts('b.0')[0]!.inputs).toEqual({ a: [rowsOf('a.0', 2).rows, rowsOf('a.1', 2).rows] })
    expect(result!.results.get('c')).toHaveLength(3)
    expect(bed.elapsedMs).toBeLessThan(200)
  })

  test('whatever the times are: the result is that of the first tasks', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const bed = new Bed()
      const drawn = (most: number) => Math.floor(((Math.sin(seed * 97 + most) + 1) / 2) * most)
      const ms = upTo(12).map((k) => ((k * 7919 + seed * 104_729) % 13) * 40 + 10)
      const counts = upTo(12).map((k) => (k * 31 + seed) % 4)
      const wanted = drawn(15)
      const { result } = await bed.run([enough(wanted, 12)], giving(counts, ms), { slots: 1 + (seed % 6) })
      const all = counts.flatMap((count, k) => upTo(count).map((row) => `a.${k}:${row}`))
      expect(valuesOf(result)!.slice(0, wanted), `seed ${seed}`).toEqual(all.slice(0, wanted))
      expect(valuesOf(result)!.length, `seed ${seed}`).toBeGreaterThanOrEqual(Math.min(wanted, all.length))
      const { tasks, stopped, spared, attempts } = result!.stats
      expect([tasks + stopped + spared, tasks + stopped]).toEqual([12, attempts])
    }
  })
})

describe('what goes wrong', () => {
  test.each(['SQL_INVALID', 'STORE_UNAVAILABLE'] as const)('%s behind enough rows does not count', async (code) => {
    const bed = new Bed()
    const { result, error } = await bed.run(
      [enough(3, 20)],
      async ({ task, signal }) => {
        if (task.id === 'a.2') throw coded(code)
        await bed.sleep(1500, signal)
        return rowsOf(task.id, 2)
      },
      { slots: code === 'SQL_INVALID' ? 4 : 30, settings: { ...settings, hedgePercent: 0 } },
    )
    expect(error).toBeUndefined()
    expect(valuesOf(result)).toEqual(['a.0:0', 'a.0:1', 'a.1:0', 'a.1:1'])
    // What stands behind it can only be wanted if it is not an error after all.
    if (code === 'SQL_INVALID') expect(new Set(bed.told.map(({ task }) => task.id)).size).toBeLessThanOrEqual(6)
    expect(result!.stats.failed).toBe(code === 'SQL_INVALID' ? 1 : settings.taskAttempts)
    expect(result!.stats.tasks + result!.stats.stopped + result!.stats.spared).toBe(20)
  })

  test('it counts where the tasks before gave too little, once they are done; and of several the first one', async () => {
    const bed = new Bed()
    const { error } = await bed.run(
      [enough(9, 20)],
      async ({ task, signal }) => {
        const at = numberOf(task.id)
        await bed.sleep([700, 500, 300, 50][at] ?? 9000, signal)
        if (at === 1) throw coded('SQL_INVALID')
        if (at === 3) throw coded('SQL_FORBIDDEN')
        return rowsOf(task.id, 2)
      },
      { slots: 5 },
    )
    expect(error).toMatchObject({ code: 'SQL_INVALID' })
    expect(bed.elapsedMs).toBeGreaterThanOrEqual(700)
    expect(bed.elapsedMs).toBeLessThan(800)
    expect(bed.told.every(({ task, signal }) => numberOf(task.id) < 4 || signal.aborted)).toBe(true)
  })

  test('a task that waits to be tried again, or whose worker fell silent, is given up with the others', async () => {
    const bed = new Bed()
    const { result } = await bed.run(
      [enough(2, 9), stage('z', 1)],
      async ({ task, signal }) => {
        if (task.id === 'a.1') throw coded('STORE_UNAVAILABLE')
        if (task.id === 'a.2') await never()
        await bed.sleep(task.id === 'z.0' ? 4000 : 20, signal)
        return rowsOf(task.id, 2)
      },
      { slots: 20, settings: { ...settings, hedgePercent: 0, taskLostMs: 10_000 } },
    )
    expect(valuesOf(result)).toEqual(['a.0:0', 'a.0:1'])
    expect(bed.attempts('a.1')).toHaveLength(1)
    expect(bed.attempts('a.2').map(({ signal }) => signal.aborted)).toEqual([true])
    expect(result!.stats).toMatchObject({ retries: 0, lost: 0, failed: 1 })
  })

  test('a task before enough rows that is lost is run again, and a slow one gets a second attempt', async () => {
    const bed = new Bed()
    const { result } = await bed.run(
      [enough(6, 40)],
      async ({ task, signal }, n, _, { onBeat }) => {
        if (task.id === 'a.0' && n === 1) await never()
        for (let left = task.id === 'a.1' && n === 1 ? 60_000 : 50; left > 0; left -= 100) {
          await bed.sleep(Math.min(left, 100), signal)
          onBeat(0)
        }
        return rowsOf(`${task.id}/${n}`, 2)
      },
      { slots: 5, settings: { ...settings, hedgePercent: 50 } },
    )
    expect(valuesOf(result)!.slice(0, 4)).toEqual(['a.0/2:0', 'a.0/2:1', 'a.1/2:0', 'a.1/2:1'])
    const { tasks, stopped, attempts, retries, hedges } = result!.stats
    expect(attempts).toBe(tasks + stopped + retries + hedges)
    expect(bed.elapsedMs).toBeLessThan(10_000)
  })

  test('an end by the caller stops all', async () => {
    const bed = new Bed()
    const caller = new AbortController()
    const { error } = await bed.run(
      [enough(9, 9)],
      async ({ task, signal }) => {
        if (task.id === 'a.1') caller.abort()
        await bed.sleep(5000, signal)
        return rowsOf(task.id, 1)
      },
      { signal: caller.signal },
    )
    expect(error).toMatchObject({ code: 'CANCELLED' })
    expect(bed.told.every(({ signal }) => signal.aborted)).toBe(true)
  })

  test('a plan that cuts such a stage, or has one without rows, is a bug', async () => {
    const cut = { ...stage('a', 1, [], { by: ['k'], parts: 2, when: 'always' }), enoughRows: 1 }
    expect((await new Bed().run([cut], giving([1]))).error).toBeInstanceOf(Error)
    const behaviour: Stage = { ...enough(1, 1), work: { kind: 'behaviour', query: {}, table: {} as never, inputs: [] } }
    expect((await new Bed().run([behaviour], giving([1]))).error).toBeInstanceOf(Error)
  })
})

test('progress adds up all the way, and ends with all that are left', async () => {
  const told: TaskProgress[] = []
  const onProgress = (progress: TaskProgress) => void told.push(progress)
  const quick = { ...settings, progressMs: 0 }
  await new Bed().run(
    [enough(5, 30), stage('b', 2, ['a'])],
    giving([2, 2, 2], [300, 200, 100, ...upTo(20).map(() => 900)]),
    {
      slots: 6,
      onProgress,
      settings: quick,
    },
  )
  for (const { tasks, queued, running, done } of told) {
    expect(queued + running + done).toBe(tasks)
    expect(Math.min(queued, running, done)).toBeGreaterThanOrEqual(0)
  }
  expect(told[0]!.tasks).toBe(32)
  const { tasks, done, queued, running } = told.at(-1)!
  expect([queued, running]).toEqual([0, 0])
  expect(done).toBe(tasks)
  expect(done).toBeLessThan(15)
})
