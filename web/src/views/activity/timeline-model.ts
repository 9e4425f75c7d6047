/** When tasks waited, opened what they read and ran, as bars in lanes: pure. */
import type { QueryWork } from './model.ts'

/** A task that is done. */
export type TaskTime = NonNullable<QueryWork['taskTimes']>[number]

/** A stretch of time of one kind, in milliseconds since the query began to be planned. */
export interface Stretch {
  phase: 'queue' | 'plan' | 'fetch' | 'scan' | 'merge'
  fromMs: number
  toMs: number
}

/** A bar: the stretches of one piece of work, one after another. */
export interface TimeBar {
  title: string
  stretches: Stretch[]
}

/** A line of the timeline. */
export interface Lane {
  label: string
  bars: TimeBar[]
}

/** A timeline: its lanes over so many milliseconds. */
export interface Timeline {
  lanes: Lane[]
  totalMs: number
}

/** Most tasks that have a line each. */
const MOST_LINES = 40
/** Bars of one worker that overlap by less (the way of results) still stand in one line. */
const OVERLAP_SHARE = 0.01

/** Whether each of so many tasks can have a line. */
export function fitsLines(tasks: readonly TaskTime[]): boolean {
  return tasks.length <= MOST_LINES
}

/** The timeline of the work: planning, tasks by when they could begin or by their workers, merging. */
export function timelineOf({ taskTimes = [], phases }: QueryWork, by: 'task' | 'worker'): Timeline {
  const planMs = phases?.plan.totalMs ?? 0
  const mergeMs = phases?.merge.totalMs ?? 0
  const sorted = taskTimes.toSorted((a, b) => a.startMs - b.startMs || beganMs(a) - beganMs(b))
  const endMs = planMs + Math.max(0, ...taskTimes.map(doneMs))
  const bars = sorted.map((task, index) => ({ task, bar: barOf(task, index, planMs, by === 'task') }))
  const totalMs = Math.max(endMs + mergeMs, 1)
  const tasks =
    by === 'task' ? bars.map(({ bar }, index) => ({ label: `Task ${index + 1}`, bars: [bar] })) : lanesOf(bars, totalMs)
  return {
    totalMs,
    lanes: [
      ...(phases ? [lane('Plan', { phase: 'plan', fromMs: 0, toMs: planMs })] : []),
      ...tasks,
      ...(phases ? [lane('Merge', { phase: 'merge', fromMs: endMs, toMs: endMs + mergeMs })] : []),
    ],
  }
}

function beganMs({ startMs, queueMs }: TaskTime): number {
  return startMs + queueMs
}

function doneMs(task: TaskTime): number {
  return beganMs(task) + task.fetchMs + task.scanMs
}

function lane(label: string, stretch: Stretch): Lane {
  return { label, bars: [{ title: label, stretches: [stretch] }] }
}

function barOf(task: TaskTime, index: number, planMs: number, waits: boolean): TimeBar {
  const { startMs, fetchMs, worker } = task
  const ready = planMs + startMs
  const began = planMs + beganMs(task)
  return {
    title: `Task ${index + 1}${worker === undefined ? '' : ` on worker ${worker}`}`,
    stretches: [
      ...(waits ? [{ phase: 'queue' as const, fromMs: ready, toMs: began }] : []),
      { phase: 'fetch', fromMs: began, toMs: began + fetchMs },
      { phase: 'scan', fromMs: began + fetchMs, toMs: planMs + doneMs(task) },
    ],
  }
}

/** A line for each worker, and more where it did several things at a time. */
function lanesOf(bars: readonly { task: TaskTime; bar: TimeBar }[], totalMs: number): Lane[] {
  const byWorker = Map.groupBy(bars, ({ task }) => task.worker)
  return [...byWorker]
    .toSorted(([a = ''], [b = '']) => a.localeCompare(b, 'en', { numeric: true }))
    .flatMap(([worker, list]) => {
      const lines = packed(
        list.map(({ bar }) => bar),
        totalMs * OVERLAP_SHARE,
      )
      const label = worker === undefined ? 'Process' : `Worker ${worker}`
      return lines.map((line, index) => ({ label: index === 0 ? label : '', bars: line }))
    })
}

function packed(bars: readonly TimeBar[], slackMs: number): TimeBar[][] {
  const lines: { endMs: number; bars: TimeBar[] }[] = []
  for (const bar of bars.toSorted((a, b) => a.stretches[0]!.fromMs - b.stretches[0]!.fromMs)) {
    const free = lines.find(({ endMs }) => endMs <= bar.stretches[0]!.fromMs + slackMs)
    const endMs = bar.stretches.at(-1)!.toMs
    if (free) {
      free.bars.push(bar)
      free.endMs = endMs
    } else lines.push({ endMs, bars: [bar] })
  }
  return lines.map((line) => line.bars)
}

/** The phases of a query in the time that went by: what the tasks at work did at each moment; waiting is when none was at work. */
export function passedPhases({ taskTimes = [], phases }: QueryWork): Record<Stretch['phase'], number> | undefined {
  if (!phases || taskTimes.length === 0) return undefined
  const passed = { queue: 0, plan: phases.plan.totalMs, fetch: 0, scan: 0, merge: phases.merge.totalMs }
  const changes = taskTimes.flatMap(changesOf).toSorted((a, b) => a.atMs - b.atMs)
  const now = { fetch: 0, scan: 0 }
  let beforeMs = 0
  for (const { atMs, phase, by } of changes) {
    const ms = Math.max(0, atMs - beforeMs)
    const atWork = now.fetch + now.scan
    if (atWork === 0) passed.queue += ms
    else for (const each of ['fetch', 'scan'] as const) passed[each] += (ms * now[each]) / atWork
    now[phase] += by
    beforeMs = Math.max(beforeMs, atMs)
  }
  return passed
}

function changesOf(task: TaskTime): { atMs: number; phase: 'fetch' | 'scan'; by: 1 | -1 }[] {
  const fetched = beganMs(task) + task.fetchMs
  return [
    { atMs: beganMs(task), phase: 'fetch', by: 1 },
    { atMs: fetched, phase: 'fetch', by: -1 },
    { atMs: fetched, phase: 'scan', by: 1 },
    { atMs: doneMs(task), phase: 'scan', by: -1 },
  ]
}

/** Round times along a timeline, from 0 on, about so many. */
export function ticksOf(totalMs: number, most: number): number[] {
  const rough = totalMs / most
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough)!
  return Array.from({ length: Math.floor(totalMs / step) + 1 }, (_, index) => index * step)
}
