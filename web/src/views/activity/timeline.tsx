/** Where the time of a query went: its phases as one bar, and its tasks along the time. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Badge } from '../../components/basics.tsx'
import * as format from '../../format.ts'
import type { QueryWork } from './model.ts'
import { fitsLines, type Lane, type Stretch, type TaskTime, ticksOf, timelineOf } from './timeline-model.ts'

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
export function Phases({ work: { phases, tasks } }: { work: QueryWork }): JSX.Element | null {
  if (!phases) return null
  const total = ORDER.reduce((sum, phase) => sum + phases[phase].totalMs, 0)
  const share = (ms: number) => (total > 0 ? ms / total : 0)
  return (
    <section class="card padded stack activity-part" aria-labelledby="activity-phases">
      <div class="row apart">
        <h2 id="activity-phases">Where the time went</h2>
        {tasks > 1 && <span class="quiet small">all {format.counted(tasks, 'task')} together</span>}
      </div>
      <div class="phases-bar" aria-hidden="true">
        {ORDER.map((phase) => (
          <i key={phase} data-phase={phase} style={{ flexGrow: share(phases[phase].totalMs) }} />
        ))}
      </div>
      <dl class="phases">
        {ORDER.map((phase) => (
          <div key={phase} title={PHASES[phase].title}>
            <dt>
              <i class="phase-mark" data-phase={phase} aria-hidden="true" />
              {PHASES[phase].label}
            </dt>
            <dd>
              {fine(phases[phase].totalMs)}{' '}
              <span class="quiet small">{format.share(share(phases[phase].totalMs))}</span>
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
      <Legend phases={by === 'task' ? ORDER : ORDER.filter((phase) => phase !== 'queue')} />
      {taskTimes.length < tasks && (
        <p class="quiet small">
          {format.number(taskTimes.length)} of {format.counted(tasks, 'task')} are shown, evenly chosen.
        </p>
      )}
      <TaskTable tasks={taskTimes} />
    </section>
  )
}

function tasksLine({ tasks, coldTasks = 0, failedAttempts = 0 }: QueryWork): string {
  const parts = [format.number(tasks)]
  if (coldTasks > 0) parts.push(`${format.number(coldTasks)} cold`)
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
            <span class="truncate">{isDense && label.startsWith('Task') && index % 5 !== 0 ? '' : label}</span>
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
