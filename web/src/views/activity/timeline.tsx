/** Where the time of a query went: its phases as one bar, and its tasks along the time. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Badge } from '../../components/basics.tsx'
import * as format from '../../format.ts'
import type { QueryWork } from './model.ts'
import {
  fitsLines,
  type Lane,
  passedPhases,
  type Stretch,
  type TaskTime,
  ticksOf,
  timelineOf,
} from './timeline-model.ts'

const PHASES: Readonly<Record<Stretch['phase'], { label: string; title: string }>> = {
  queue: { label: 'Wait', title: 'Tasks wait for a worker' },
  plan: { label: 'Plan', title: 'Tables are loaded, files are ruled out, tasks are made' },
  fetch: { label: 'Fetch', title: 'Tasks open what they read' },
  scan: { label: 'Scan', title: 'Tasks read and compute' },
  merge: { label: 'Merge', title: 'What the tasks gave becomes the answer' },
}
/** Lines from which on they are thin, and few of them named. */
const DENSE = 16
const ORDER = ['plan', 'queue', 'fetch', 'scan', 'merge'] as const

/** `0.4 ms`, and longer times as everywhere. */
export function fine(ms: number): string {
  return ms < 9.95 ? `${ms < 0.05 ? '0' : ms.toFixed(1)} ms` : format.duration(ms)
}

/** The phases as shares of one bar, each with its time. */
export function Phases({ work }: { work: QueryWork }): JSX.Element | null {
  const { phases, tasks } = work
  if (!phases) return null
  const passed = passedPhases(work)
  const msOf = (phase: Stretch['phase']) => passed?.[phase] ?? phases[phase].totalMs
  const total = ORDER.reduce((sum, phase) => sum + msOf(phase), 0)
  const share = (ms: number) => (total > 0 ? ms / total : 0)
  return (
    <section class="card padded stack activity-part" aria-labelledby="activity-phases">
      <div class="row apart">
        <h2 id="activity-phases">Where the time went</h2>
        {!passed && tasks > 1 && <span class="quiet small">all {format.counted(tasks, 'task')} together</span>}
      </div>
      <div class="phases-bar" aria-hidden="true">
        {ORDER.map((phase) => (
          <i key={phase} data-phase={phase} style={{ flexGrow: share(msOf(phase)) }} />
        ))}
      </div>
      <dl class="phases">
        {ORDER.map((phase) => (
          <div key={phase} title={`${PHASES[phase].title}: ${fine(phases[phase].totalMs)} over all tasks`}>
            <dt>
              <i class="phase-mark" data-phase={phase} aria-hidden="true" />
              {PHASES[phase].label}
            </dt>
            <dd>
              {fine(msOf(phase))} <span class="quiet small">{format.share(share(msOf(phase)))}</span>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

/** The tasks along the time, and as a table. */
export function TaskTimeline({ work }: { work: QueryWork }): JSX.Element | null {
  const { taskTimes = [], tasks } = work
  const chosen = useSignal<'task' | 'worker' | undefined>(undefined)
  if (taskTimes.length === 0) return null
  const by = chosen.value ?? (fitsLines(taskTimes) ? 'task' : 'worker')
  const { lanes, totalMs } = timelineOf(work, by)
  const shown = new Set(
    lanes.flatMap(({ bars }) => bars.flatMap(({ stretches }) => stretches.map(({ phase }) => phase))),
  )
  return (
    <section class="card padded stack activity-part" aria-labelledby="activity-tasks">
      <div class="row apart">
        <div class="row">
          <h2 id="activity-tasks">Tasks</h2>
          <span class="quiet">{tasksLine(work)}</span>
        </div>
        {taskTimes.length > 1 && (
          <fieldset class="choice">
            <legend class="unseen">Lines of the timeline</legend>
            {(['task', 'worker'] as const).map((value) => (
              <button key={value} type="button" aria-pressed={by === value} onClick={() => (chosen.value = value)}>
                By {value}
              </button>
            ))}
          </fieldset>
        )}
      </div>
      <Lines lanes={lanes} totalMs={totalMs} />
      <Legend phases={ORDER.filter((phase) => shown.has(phase))} />
      {taskTimes.length < tasks && (
        <p class="quiet small">
          {format.number(taskTimes.length)} of {format.counted(tasks, 'task')} are shown, evenly chosen.
        </p>
      )}
      <TaskTable tasks={taskTimes} />
    </section>
  )
}

function tasksLine(work: QueryWork): string {
  const { phases, tasks, coldTasks = 0, failedAttempts = 0, sparedTasks = 0, stoppedTasks = 0 } = work
  const parts = [phases ? format.number(tasks) : `${format.number(tasks)} done`]
  if (coldTasks > 0) parts.push(`${format.number(coldTasks)} cold`)
  if (sparedTasks + stoppedTasks > 0) parts.push(`${format.number(sparedTasks + stoppedTasks)} not needed`)
  if (failedAttempts > 0) parts.push(`${format.counted(failedAttempts, 'try', 'tries')} failed`)
  return parts.join(' · ')
}

function Lines({ lanes, totalMs }: { lanes: readonly Lane[]; totalMs: number }): JSX.Element {
  const percent = (ms: number) => `${(ms / totalMs) * 100}%`
  const isDense = lanes.length > DENSE
  return (
    <div class="timeline" data-dense={isDense || undefined} aria-hidden="true">
      <div class="timeline-axis">
        {ticksOf(totalMs, 4).map((ms) => (
          <span key={ms} style={{ left: percent(ms) }}>
            {ms === 0 ? '0' : format.duration(ms)}
          </span>
        ))}
      </div>
      <div class="timeline-lanes">
        {ticksOf(totalMs, 4).map((ms) => (
          <i key={ms} class="timeline-rule" style={{ '--at': ms / totalMs }} />
        ))}
        {lanes.map(({ label, bars }, index) => (
          <div key={index} class="timeline-lane">
            <span class="truncate">{isDense && !isNamed(label, index, lanes.length) ? '' : label}</span>
            <div>
              {bars.flatMap(({ title, stretches }) =>
                stretches.map(({ phase, fromMs, toMs }) => (
                  <i
                    key={`${title}-${phase}`}
                    data-phase={phase}
                    title={`${title}: ${PHASES[phase].label.toLowerCase()} ${fine(toMs - fromMs)}`}
                    style={{ left: percent(fromMs), width: percent(toMs - fromMs) }}
                  />
                )),
              )}
            </div>
          </div>
        ))}
      </div>
    </div>
  )
}

/** Of thin lines every fifth is named, the first and the last, but none where names would touch. */
function isNamed(label: string, index: number, count: number): boolean {
  return !label.startsWith('Task') || (index % 5 === 0 && index > 0 && index < count - 2)
}

function Legend({ phases }: { phases: readonly Stretch['phase'][] }): JSX.Element {
  return (
    <ul class="row small quiet" aria-label="Colours">
      {phases.map((phase) => (
        <li key={phase} class="timeline-key" title={PHASES[phase].title}>
          <i class="phase-mark" data-phase={phase} aria-hidden="true" />
          {PHASES[phase].label}
        </li>
      ))}
    </ul>
  )
}

function TaskTable({ tasks }: { tasks: readonly TaskTime[] }): JSX.Element {
  const sorted = tasks.toSorted((a, b) => a.startMs + a.queueMs - b.startMs - b.queueMs)
  const hasWorkers = tasks.some(({ worker }) => worker !== undefined)
  return (
    <details class="activity-table">
      <summary>{tasks.length === 1 ? 'The task in figures' : 'All tasks in figures'}</summary>
      <section class="scroller" tabIndex={0} aria-label="Tasks in figures">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Task</th>
              {hasWorkers && <th scope="col">Worker</th>}
              {(['Waited', 'Fetch', 'Scan', 'Rows'] as const).map((label) => (
                <th key={label} scope="col" class="number">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.map(({ queueMs, fetchMs, scanMs, stage, worker, rows, cold }, index) => (
              <tr key={index}>
                <td>
                  {index + 1} <span class="quiet">{stage}</span> {cold && <Badge>cold</Badge>}
                </td>
                {hasWorkers && <td>{worker}</td>}
                <td class="number">{fine(queueMs)}</td>
                <td class="number">{fine(fetchMs)}</td>
                <td class="number">{fine(scanMs)}</td>
                <td class="number">{rows === undefined ? '' : format.number(rows)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  )
}
