/** Stages on a pool that does what each test says: order, tries again, second attempts, lost workers, ends, figures. */
import { describe, expect, test } from 'vitest'
import { systemSources } from '../../src/catalog/sources.ts'
import { readSettings } from '../../src/config.ts'
import { runStages } from '../../src/coordinator/dispatch.ts'
import type { TaskProgress } from '../../src/coordinator/run-figures.ts'
import { ERROR_CODES, type ErrorCode, isSkepError, SkepError } from '../../src/errors.ts'
import type { Pool } from '../../src/pool/pool.ts'
import { type Act, Bed, never, resultOf, settings, stage, upTo } from './dispatch-bed.ts'

const atOnce: Act = async ({ task }) => resultOf(task.id)

function valuesOf(result: { results: Map<string, { rows: { inline?: unknown[][] } }[]> } | undefined, id: string) {
  return result?.results.get(id)?.map(({ rows }) => rows.inline![0]![0])
}

function coded(code: ErrorCode): SkepError {
  return new SkepError(code, `a ${code}`, {} as never)
}

describe('stages and their tasks', () => {
  test('results stand in the order of the tasks, whichever came first', async () => {
    const act: Act = async ({ task }, _, bed) => {
      await bed.sleep(900 - Number(task.id.split('.')[1]) * 100)
      return resultOf(task.id)
    }
    const { result } = await new Bed().run([stage('a', 8)], act, { slots: 8 })
    expect(valuesOf(result, 'a')).toEqual(upTo(8).map((k) => `a.${k}`))
  })

  test('a stage begins when those that it reads are done, and no sooner; others run beside it', async () => {
    const bed = new Bed()
    const ends = new Map<string, number>()
    const act: Act = async ({ task }) => {
      await bed.sleep(task.id.startsWith('slow') ? 1000 : 100)
      ends.set(task.id, bed.elapsedMs)
      return resultOf(task.id)
    }
    await bed.run([stage('slow', 1), stage('a', 2), stage('b', 2, ['a']), stage('c', 1, ['b', 'slow'])], act)
    const begin = (id: string) => bed.attempts(id)[0]!.startedMs
    expect(begin('b.0')).toBeGreaterThanOrEqual(Math.max(ends.get('a.0')!, ends.get('a.1')!))
    expect(begin('b.1')).toBeLessThan(ends.get('slow.0')!)
    expect(begin('c.0')).toBeGreaterThanOrEqual(ends.get('slow.0')!)
    expect(bed.attempts('c.0')[0]!.inputs).toEqual({
      b: [resultOf('b.0').rows, resultOf('b.1').rows],
      slow: [resultOf('slow.0').rows],
    })
  })

  test('tasks of earlier stages go first, and no more than the slots and a few', async () => {
    const bed = new Bed()
    const act: Act = async ({ task }) => {
      await bed.sleep(50)
      return resultOf(task.id)
    }
    await bed.run([stage('a', 10), stage('b', 10), stage('c', 5, ['a'])], act, { slots: 3 })
    expect(bed.most).toBe(3 + settings.taskLookahead)
    // While b waits, what a made possible has the right of way.
    const order = bed.told.map(({ task }) => task.id.split('.')[0])
    expect(order.slice(0, 10)).toEqual(upTo(10).map(() => 'a'))
    expect(order.lastIndexOf('b')).toBeLessThan(order.indexOf('c'))
    expect(bed.told.map(({ query }) => query)).toEqual(bed.told.map(() => 'q'))
    expect(new Set(bed.told.map(({ attempt }) => attempt)).size).toBe(25)
  })

  test('stages without tasks, and no stages at all, end at once', async () => {
    const { result } = await new Bed().run([stage('a', 0), stage('b', 0, ['a']), stage('c', 1, ['b'])], atOnce)
    expect(valuesOf(result, 'c')).toEqual(['c.0'])
    expect(result?.results.get('b')).toEqual([])
    expect((await new Bed().run([stage('a', 0)], atOnce)).result?.results).toEqual(new Map([['a', []]]))
    expect((await new Bed().run([], atOnce)).result?.results).toEqual(new Map())
  })

  test.each([
    ['reads what is not before it', [stage('a', 1, ['b']), stage('b', 1)]],
    ['has two stages of one name', [stage('a', 0), stage('a', 0)]],
    ['has two tasks of one name', [{ ...stage('a', 1) }, { ...stage('b', 0), tasks: stage('a', 1).tasks }]],
  ])('a plan that %s is refused', async (_, stages) => {
    const bed = new Bed()
    expect((await bed.run(stages, atOnce)).error).toBeInstanceOf(Error)
    expect(bed.told).toEqual([])
  })
})

describe('tries again', () => {
  test.each<[string, () => unknown]>([
    ['STORE_UNAVAILABLE', () => coded('STORE_UNAVAILABLE')],
    ['WORKER_LOST', () => coded('WORKER_LOST')],
    ['ENGINE_LOST', () => coded('ENGINE_LOST')],
    ['INTERNAL', () => new TypeError('a foreign error')],
  ])('%s is tried again until it succeeds, or attempts are used up', async (code, error) => {
    const failing =
      (times: number): Act =>
      async ({ task }, n) => {
        if (task.id === 'a.1' && n <= times) throw error()
        return resultOf(task.id)
      }
    const bed = new Bed()
    const { result } = await bed.run([stage('a', 3)], failing(3))
    expect(valuesOf(result, 'a')).toEqual(['a.0', 'a.1', 'a.2'])
    expect(result!.stats).toMatchObject({ tasks: 3, attempts: 6, retries: 3, hedges: 0, lost: 0 })
    const failed = new Bed()
    const { error: last } = await failed.run([stage('a', 3)], failing(9))
    expect(failed.attempts('a.1')).toHaveLength(settings.taskAttempts)
    expect(isSkepError(last) && last.code).toBe(code)
    expect((last as SkepError).message).toMatch(/^task "a\.1" was tried 4 times: /)
  })

  test('a defect that one task met is told, and not that others lost their engine to it', async () => {
    const { error } = await new Bed().run([stage('a', 2)], async ({ task }, n) => {
      if (task.id === 'a.1' && n > 1) return await never()
      throw coded(task.id === 'a.1' ? 'INTERNAL' : 'ENGINE_LOST')
    })
    expect(error).toMatchObject({ code: 'INTERNAL' })
    expect((error as SkepError).message).toMatch(/^task "a\.0" was tried 4 times: /)
  })

  test('waits grow and are drawn, within their bounds', async () => {
    const bed = new Bed()
    await bed.run([stage('a', 1)], async () => {
      throw coded('STORE_UNAVAILABLE')
    })
    const starts = bed.attempts('a.0').map(({ startedMs }) => startedMs)
    const waits = starts.slice(1).map((ms, k) => ms - starts[k]!)
    for (const [k, wait] of waits.entries()) {
      const full = Math.min(settings.taskRetryMaxMs, settings.taskRetryMs * 2 ** k)
      expect(wait).toBeGreaterThanOrEqual(full / 2 - 1)
      expect(wait).toBeLessThanOrEqual(full * 1.5 + 5)
    }
    expect(new Set(bed.told.map(({ attempt }) => attempt)).size).toBe(settings.taskAttempts)
  })

  test('what would fail again ends the query at once, with its own error', async () => {
    const codes = (Object.keys(ERROR_CODES) as ErrorCode[]).filter(
      (code) => !['unavailable', 'internal'].includes(ERROR_CODES[code].kind),
    )
    expect(new Set(codes.map((code) => ERROR_CODES[code].kind)).size).toBe(4)
    for (const code of codes) {
      const bed = new Bed()
      const { error } = await bed.run([stage('a', 9)], async ({ task, signal }) => {
        if (task.id === 'a.1') throw coded(code)
        await bed.sleep(60_000, signal)
        return resultOf(task.id)
      })
      expect(error).toMatchObject({ code, message: `a ${code}` })
      expect(bed.told).toHaveLength(6)
      expect(bed.elapsedMs).toBeLessThan(50)
      expect(bed.told.filter(({ task }) => task.id !== 'a.1').every(({ signal }) => signal.aborted)).toBe(true)
    }
  })

  test('a result of another attempt, or one that names what another one wrote, is refused', async () => {
    const act: Act = async ({ attempt }, n) => {
      const name = ['a.0.9/x', `${attempt}0/x`, `${attempt}/x`][Math.min(n - 1, 2)]!
      const result = resultOf(1, { objects: [{ name, rows: 1, bytes: 1 }] })
      return n === 3 ? { ...resultOf(1), attempt: 'a.0.1' } : result
    }
    const { result } = await new Bed().run([stage('a', 1)], act)
    expect(result!.stats.retries).toBe(3)
    expect(result!.results.get('a')![0]!.rows.objects![0]!.name).toBe('a.0.4/x')
    const { error } = await new Bed().run([stage('a', 1)], async () => ({ ...resultOf(1), attempt: 'b.0.1' }))
    expect(error).toMatchObject({ code: 'INTERNAL' })
  })
})

describe('slow tasks', () => {
  const slowFirst =
    (slow: readonly string[], ms: number): Act =>
    async ({ task, signal }, n, bed, { onBeat }) => {
      for (let left = slow.includes(task.id) && n === 1 ? ms : 50; left > 0; left -= 100) {
        await bed.sleep(Math.min(left, 100), signal)
        onBeat(0)
      }
      return resultOf(n)
    }

  test('get a second attempt, whose result counts when it comes first; the first one is told to stop', async () => {
    const bed = new Bed()
    const { result } = await bed.run([stage('a', 4)], slowFirst(['a.2'], 60_000))
    expect(valuesOf(result, 'a')).toEqual([1, 1, 2, 1])
    expect(result!.stats).toMatchObject({ tasks: 4, attempts: 5, retries: 0, hedges: 1, lost: 0 })
    expect(bed.attempts('a.2').map(({ signal }) => signal.aborted)).toEqual([true, false])
    expect(bed.elapsedMs).toBeLessThan(1000)
  })

  test('keep their first attempt when that is faster after all', async () => {
    const bed = new Bed()
    const { result } = await bed.run([stage('a', 4)], async ({ task, signal }, n) => {
      await bed.sleep(task.id === 'a.2' ? (n === 1 ? 800 : 5000) : 50, signal)
      return resultOf(n)
    })
    expect(valuesOf(result, 'a')).toEqual([1, 1, 1, 1])
    expect(bed.attempts('a.2').map(({ signal }) => signal.aborted)).toEqual([false, true])
    await bed.world.run([result!.settled])
    expect(bed.elapsedMs).toBeLessThan(1000)
  })

  test('run once while all workers are busy, while half of the stage is not done, and before the least time', async () => {
    const busy = new Bed()
    // Two of three are slow: the median is not known.
    await busy.run([stage('a', 3)], slowFirst(['a.1', 'a.2'], 1500))
    expect(busy.told).toHaveLength(3)
    const full = new Bed()
    await full.run([stage('a', 4)], slowFirst(['a.2'], 1500), { slots: 1 })
    expect(full.told).toHaveLength(4)
    const short = new Bed()
    await short.run([stage('a', 4)], slowFirst(['a.2'], settings.hedgeLeastMs - 50))
    expect(short.told).toHaveLength(4)
    const usual = new Bed()
    await usual.run([stage('a', 4)], async ({ task, signal }) => {
      await usual.sleep(task.id === 'a.2' ? 1100 : 500, signal)
      return resultOf(1)
    })
    expect(usual.told).toHaveLength(4)
  })

  test('are not those that wait for a worker, however long', async () => {
    const waiting =
      (ms: number): Act =>
      async ({ task, signal }, n, bed, { onBeat }) => {
        for (let k = 0; task.id === 'a.2' && n === 1 && k < 20; k++) {
          onBeat()
          await bed.sleep(100, signal)
        }
        onBeat(0)
        await bed.sleep(task.id === 'a.2' && n === 1 ? ms : 50, signal)
        return resultOf(n)
      }
    const bed = new Bed()
    const { result } = await bed.run([stage('a', 4)], waiting(400))
    expect(result!.stats).toMatchObject({ attempts: 4, lost: 0 })
    const slow = new Bed()
    const { result: hedged } = await slow.run([stage('a', 4)], waiting(60_000))
    expect(hedged!.stats.hedges).toBe(1)
    expect(slow.attempts('a.2')[1]!.startedMs).toBeGreaterThan(2000 + settings.hedgeLeastMs)
  })

  test('are hedged once each, and few of a stage', async () => {
    const bed = new Bed()
    const slow = ['a.1', 'a.5', 'a.7', 'a.9']
    const { result } = await bed.run(
      [stage('a', 20)],
      async ({ task, signal }) => {
        await bed.sleep(slow.includes(task.id) ? 1900 : 50, signal)
        return resultOf(1)
      },
      { slots: 40 },
    )
    expect(result!.stats.hedges).toBe(2)
    expect(slow.map((id) => bed.attempts(id).length).sort()).toEqual([1, 1, 2, 2])
  })

  test('are hedged once also when both attempts are slow', async () => {
    const bed = new Bed()
    const act: Act = async ({ task, signal }) => {
      await bed.sleep(task.id === 'a.1' ? 1900 : 50, signal)
      return resultOf(1)
    }
    await bed.run([stage('a', 40)], act, { slots: 40 })
    expect(bed.attempts('a.1')).toHaveLength(2)
    expect(bed.told).toHaveLength(41)
  })

  test('that lost have ended when the run says that all has settled', async () => {
    const bed = new Bed()
    const ends: number[] = []
    const { result } = await bed.run([stage('a', 4)], async ({ task, signal }, n) => {
      if (task.id === 'a.2' && n === 1) {
        await bed.sleep(60_000, signal).catch(() => bed.sleep(300))
        ends.push(bed.elapsedMs)
      } else await bed.sleep(50)
      return resultOf(n)
    })
    expect(valuesOf(result, 'a')).toEqual([1, 1, 2, 1])
    expect(ends).toEqual([])
    await bed.world.run([result!.settled])
    expect(ends).toHaveLength(1)
  })

  test('fail only when no attempt is left', async () => {
    const bed = new Bed()
    const { result } = await bed.run([stage('a', 4)], async ({ task, signal }, n) => {
      if (task.id !== 'a.2') return resultOf(n)
      if (n > 1) throw coded('STORE_UNAVAILABLE')
      await bed.sleep(1900, signal)
      return resultOf(n)
    })
    expect(valuesOf(result, 'a')).toEqual([1, 1, 1, 1])
    expect(result!.stats).toMatchObject({ attempts: 5, hedges: 1, retries: 0 })
  })
})

describe('lost workers', () => {
  test('a pool that never answers is WORKER_LOST in the end', async () => {
    const bed = new Bed()
    const { error } = await bed.run([stage('a', 3)], never)
    expect(error).toMatchObject({ code: 'WORKER_LOST', details: { task: 'a.0' } })
    expect((error as SkepError).message).toBe(
      `task "a.0" was tried 4 times: its worker gave no sign of life for ${settings.taskLostMs} ms`,
    )
    expect(bed.attempts('a.0')).toHaveLength(settings.taskAttempts)
    expect(bed.told.every(({ signal }) => signal.aborted)).toBe(true)
    // Four silences, three waits, the grace.
    expect(bed.elapsedMs).toBeGreaterThan(4 * settings.taskLostMs)
    expect(bed.elapsedMs).toBeLessThan(4 * (settings.taskLostMs + 100) + 3 * 450 + 1100)
  })

  test('and nothing begins after that end', async () => {
    const bed = new Bed()
    await bed.run([stage('a', 50)], never, { settings: { ...settings, taskAttempts: 1 } })
    await bed.world.run([bed.sleep(10_000)])
    expect(bed.told).toHaveLength(6)
    expect(bed.told.every(({ signal }) => signal.aborted)).toBe(true)
  })

  test('one that fell silent is tried again elsewhere; its late answer is dropped', async () => {
    const bed = new Bed()
    const { result } = await bed.run([stage('a', 1), stage('b', 1)], async ({ task }, n, _, { onBeat }) => {
      if (task.id === 'b.0') {
        for (let k = 0; k < 60; k++) {
          await bed.sleep(100)
          onBeat(k / 60)
        }
      } else await bed.sleep(n === 1 ? 2300 : 500)
      return resultOf(n)
    })
    expect(valuesOf(result, 'a')).toEqual([2])
    expect(result!.stats).toMatchObject({ tasks: 2, attempts: 3, retries: 1, hedges: 0, lost: 1 })
    expect(bed.attempts('a.0').map(({ signal }) => signal.aborted)).toEqual([true, false])
  })

  test('beats keep an attempt alive for as long as they come', async () => {
    const bed = new Bed()
    const { result } = await bed.run([stage('a', 1)], async (_, n, __, { onBeat }) => {
      for (let k = 0; k < 20; k++) {
        await bed.sleep(settings.taskLostMs - 100)
        onBeat(k / 20)
      }
      return resultOf(n)
    })
    expect(result!.stats.lost).toBe(0)
  })

  test('time in which the coordinator stood still is no silence', async () => {
    const bed = new Bed()
    const { result } = await bed.run([stage('a', 1)], async (_, n) => {
      await bed.sleep(500)
      bed.coordinator.pausedUntilMs = bed.world.nowMs + 60_000
      await bed.sleep(500)
      await bed.sleep(500)
      return resultOf(n)
    })
    expect(result!.stats).toMatchObject({ attempts: 1, lost: 0 })
    expect(bed.elapsedMs).toBeGreaterThan(60_000)
  })
})

describe('ends', () => {
  const heeding: Act = async ({ task, signal }, _, bed) => {
    await bed.sleep(60_000, signal)
    return resultOf(task.id)
  }
  const aborting = (bed: Bed, ms: number, reason?: unknown) => {
    const controller = new AbortController()
    void bed.sleep(ms).then(() => controller.abort(reason))
    return controller.signal
  }

  test('a cancelled run stops all attempts at once, and begins none', async () => {
    const bed = new Bed()
    const { error } = await bed.run([stage('a', 50)], heeding, { signal: aborting(bed, 500) })
    expect(error).toMatchObject({ code: 'CANCELLED' })
    expect(bed.told).toHaveLength(6)
    expect(bed.told.every(({ signal }) => signal.aborted)).toBe(true)
    expect(bed.elapsedMs).toBeLessThan(550)
  })

  test('and waits for those that do not heed it for the grace, no longer', async () => {
    const bed = new Bed()
    const { error } = await bed.run([stage('a', 50)], never, { signal: aborting(bed, 500) })
    expect(error).toMatchObject({ code: 'CANCELLED' })
    expect(bed.elapsedMs).toBeGreaterThanOrEqual(500 + settings.interruptGraceMs)
    expect(bed.elapsedMs).toBeLessThan(500 + settings.interruptGraceMs + 50)
    const slower = new Bed()
    const act: Act = async (message, _, __, calls) => {
      await heeding(message, 1, slower, calls).catch(() => slower.sleep(300))
      return resultOf(1)
    }
    await slower.run([stage('a', 50)], act, { signal: aborting(slower, 500) })
    expect(slower.elapsedMs).toBeGreaterThanOrEqual(800)
    expect(slower.elapsedMs).toBeLessThan(850)
  })

  test('a deadline is QUERY_TIMEOUT', async () => {
    const bed = new Bed()
    const signal = aborting(bed, 500, new DOMException('over', 'TimeoutError'))
    const { error } = await bed.run([stage('a', 5)], heeding, { signal, timeoutMs: 500 })
    expect(error).toMatchObject({ code: 'QUERY_TIMEOUT', details: { limitMs: 500 } })
  })

  test('a run that is cancelled while it waits to try again ends at once', async () => {
    const bed = new Bed()
    const failing: Act = async () => {
      throw coded('STORE_UNAVAILABLE')
    }
    const options = { settings: { ...settings, taskRetryMs: 60_000, taskRetryMaxMs: 60_000 } }
    const { error } = await bed.run([stage('a', 1)], failing, { ...options, signal: aborting(bed, 500) })
    expect(error).toMatchObject({ code: 'CANCELLED' })
    expect(bed.elapsedMs).toBeLessThan(550)
  })

  test('one that was cancelled before begins nothing', async () => {
    const bed = new Bed()
    expect((await bed.run([stage('a', 5)], atOnce, { signal: AbortSignal.abort() })).error).toMatchObject({
      code: 'CANCELLED',
    })
    expect(bed.told).toEqual([])
  })

  test('a listener that throws ends the run', async () => {
    const bed = new Bed()
    const onProgress = ({ done }: TaskProgress) => {
      if (done > 0) throw new RangeError('mine')
    }
    const { error } = await bed.run([stage('a', 50)], heeding, { onProgress, signal: aborting(bed, 100) })
    expect(error).toMatchObject({ code: 'CANCELLED' })
    const { error: other } = await new Bed().run([stage('a', 1)], atOnce, { onProgress })
    expect(other).toMatchObject({ code: 'INTERNAL', cause: new RangeError('mine') })
  })
})

describe('figures', () => {
  test('progress adds up, never goes back, is told now and then, and at the end', async () => {
    const bed = new Bed()
    const told: (TaskProgress & { ms: number })[] = []
    const onProgress = (progress: TaskProgress) => void told.push({ ...progress, ms: bed.elapsedMs })
    const act: Act = async ({ task }, n) => {
      await bed.sleep(45 + n)
      if (task.id === 'a.3' && n < 3) throw coded('WORKER_LOST')
      return resultOf(n)
    }
    await bed.run([stage('a', 20), stage('b', 5, ['a'])], act, { onProgress })
    expect(told[0]).toEqual({ tasks: 25, queued: 19, running: 6, done: 0, rows: 0, bytes: 0, ms: expect.any(Number) })
    expect(told.at(-1)).toMatchObject({ tasks: 25, queued: 0, running: 0, done: 25, rows: 250, bytes: 2500 })
    for (const [k, { tasks, queued, running, done, rows, bytes, ms }] of told.entries()) {
      expect(queued + running + done).toBe(tasks)
      expect(Math.min(queued, running, done)).toBeGreaterThanOrEqual(0)
      expect(running).toBeLessThanOrEqual(6)
      expect([rows, bytes]).toEqual([done * 10, done * 100])
      if (k === 0) continue
      expect(done).toBeGreaterThanOrEqual(told[k - 1]!.done)
      if (k < told.length - 1) expect(ms - told[k - 1]!.ms).toBeGreaterThanOrEqual(settings.progressMs)
    }
    // A change is told within an interval, also when nothing happens after it.
    expect(told.length).toBeGreaterThan(4)
  })

  test('a change is told although nothing follows it', async () => {
    const bed = new Bed()
    const told: number[] = []
    const act: Act = async ({ task }) => {
      await bed.sleep(task.id === 'a.0' ? 50 : 1900)
      return resultOf(1)
    }
    await bed.run([stage('a', 3)], act, {
      onProgress: ({ done }) => void (done === 1 && told.push(bed.elapsedMs)),
    })
    expect(told).toHaveLength(1)
    expect(told[0]).toBeLessThan(50 + settings.progressMs + 2 * settings.taskWatchMs)
  })

  test('times are summed up', async () => {
    const bed = new Bed()
    const act: Act = async () => {
      await bed.sleep(1000)
      return resultOf(1)
    }
    const { result } = await bed.run([stage('a', 3)], act, { slots: 1, settings: { ...settings, taskLookahead: 0 } })
    const { queuedMs, runMs, attempts } = result!.stats
    expect(attempts).toBe(3)
    expect(runMs).toBeGreaterThanOrEqual(3000)
    expect(runMs).toBeLessThan(3050)
    expect(queuedMs).toBeGreaterThanOrEqual(0 + 1000 + 2000)
    expect(queuedMs).toBeLessThan(3050)
  })

  test('1,000 tasks of a pool that answers at once take far less than a millisecond each', async () => {
    const rows = { columns: [], count: 0 }
    const pool: Pool = {
      name: 'inline',
      slots: 2,
      run: async ({ attempt }) => ({ attempt, rows, stats: { ms: 0 } }),
      [Symbol.asyncDispose]: async () => {},
    }
    const stages = [stage('a', 1000, [], { by: ['x'], parts: 1000, when: 'always' }), stage('b', 1000, ['a*'])]
    const took: Record<string, number> = {}
    for (const [name, some, tasks] of [
      ['one stage', stages.slice(0, 1), 1000],
      ['an exchange of 1,000 by 1,000', stages, 2000],
    ] as const) {
      const options = { query: 'q', settings: readSettings({}), onProgress: () => {} }
      const started = performance.now()
      const { stats } = await runStages(some, pool, systemSources(), options)
      took[name] = (performance.now() - started) / tasks
      expect(stats.attempts).toBe(tasks)
    }
    console.log(
      Object.entries(took)
        .map(([name, ms]) => `${name}: ${(ms * 1000).toFixed(0)} µs a task`)
        .join('; '),
    )
    for (const ms of Object.values(took)) expect(ms).toBeLessThan(0.5)
  })
})
