/** What dispatch tells of the attempts at tasks: each task once, whatever became of its other attempts. */
import { expect, test } from 'vitest'
import { SkepError } from '../../src/errors.ts'
import type { TaskResult } from '../../src/pool/pool.ts'
import { type Act, Bed, never, resultOf, settings, stage } from './dispatch-bed.ts'

/** An attempt that waits in its pool for so long, and then works. */
function working(work: { waitMs?: number; fetchMs?: number; scanMs: number; cold?: boolean; cost?: number }): Act {
  const { waitMs = 0, fetchMs, scanMs, cold, cost } = work
  return async ({ task, signal }, _, bed): Promise<TaskResult> => {
    const ms = (fetchMs ?? 0) + scanMs
    await bed.sleep(waitMs + ms, signal)
    const rest = {
      ...(fetchMs !== undefined && { fetchMs }),
      ...(cold && { cold }),
      ...(cost !== undefined && { cost }),
    }
    return { ...resultOf(task.id), stats: { ms, ...rest } }
  }
}

test('a task waits, is fetched and scanned, and is done at a time', async () => {
  const act: Act = (message, ...rest) =>
    message.task.id === 'a.0'
      ? working({ waitMs: 40, fetchMs: 20, scanMs: 100, cold: true })(message, ...rest)
      : working({ scanMs: 300 })(message, ...rest)
  const { result } = await new Bed().run([stage('a', 2)], act)
  expect(result!.times).toEqual([
    { queueMs: near(40), fetchMs: 20, scanMs: 100, doneMs: near(160), cold: true },
    { queueMs: near(0), fetchMs: 0, scanMs: 300, doneMs: near(300), cold: false },
  ])
})

test('waiting for a slot of the pool is waiting; for the stage before it is not', async () => {
  const one = { slots: 1, settings: { ...settings, taskLookahead: 0 } }
  const { result } = await new Bed().run([stage('a', 2), stage('b', 1, ['a'])], working({ scanMs: 100 }), one)
  expect(result!.times.map(({ queueMs }) => queueMs)).toEqual([near(0), near(100), near(0)])
  expect(result!.times.map(({ doneMs }) => doneMs)).toEqual([near(100), near(200), near(300)])
})

test('a worker that tells of more time than has passed has waited for nothing', async () => {
  const act: Act = async ({ task }) => ({ ...resultOf(task.id), stats: { ms: 5000 } })
  const { result } = await new Bed().run([stage('a', 1)], act)
  expect(result!.times).toEqual([{ queueMs: 0, fetchMs: 0, scanMs: 5000, doneMs: near(0), cold: false }])
})

test('attempts that failed, were lost or were slower than another count as such, and take no time', async () => {
  const act: Act = async (message, n, ...rest) => {
    const { task } = message
    if (task.id === 'a.0' && n === 1) throw new SkepError('STORE_UNAVAILABLE', 'away', {})
    if (task.id === 'a.1' && n === 1) return await never()
    return await working({ scanMs: 10, cost: 0.5 })(message, n, ...rest)
  }
  const { result } = await new Bed().run([stage('a', 4)], act, {
    settings: { ...settings, hedgePercent: 0, hedgeLeastMs: 1e9 },
  })
  expect(result!.times).toHaveLength(4)
  expect(result!.times.every(({ scanMs }) => scanMs === 10)).toBe(true)
  expect(result!.stats).toMatchObject({ tasks: 4, attempts: 6, retries: 2, failed: 2, lost: 1, cost: 2 })
})

test('the time of a hedge is that of the hedge, and both attempts cost', async () => {
  const act: Act = async (message, n, ...rest) => {
    const isSlow = message.task.id === 'a.0' && n === 1
    // It does not hear that it is to stop: its answer comes late, and is paid for.
    if (isSlow)
      return await working({ scanMs: 1200, cost: 8 })({ ...message, signal: new AbortController().signal }, n, ...rest)
    return await working({ scanMs: message.task.id === 'a.3' ? 1800 : 100, cost: 1 })(message, n, ...rest)
  }
  const { result } = await new Bed().run([stage('a', 4)], act, { settings: { ...settings, hedgePercent: 1 } })
  expect(result!.stats).toMatchObject({ tasks: 4, attempts: 5, hedges: 1, failed: 0, cost: 12 })
  const hedged = result!.times.find(({ doneMs }) => doneMs > 500 && doneMs < 1200)!
  expect(hedged).toMatchObject({ queueMs: near(0), scanMs: 100 })
  expect(result!.times.reduce((sum, { scanMs }) => sum + scanMs, 0)).toBe(2100)
})

test('what costs nothing by use has no cost', async () => {
  const { result } = await new Bed().run([stage('a', 1)], working({ scanMs: 1 }))
  expect(result!.stats).not.toHaveProperty('cost')
})

/** Within the steps of the simulated world. */
function near(ms: number): number {
  return expect.toSatisfy((got: number) => got >= ms && got < ms + 30, `near ${ms}`) as number
}
