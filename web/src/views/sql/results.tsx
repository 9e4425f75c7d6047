/** What came of a query: its rows, a chart of them, and what the server did for them. */
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { toApiError } from '../../api/errors.ts'
import { Ghost, ProgressBar, Tabs } from '../../components/basics.tsx'
import { Grid } from '../../components/grid.tsx'
import { Menu } from '../../components/popups.tsx'
import * as format from '../../format.ts'
import { route, setQuery } from '../../route.ts'
import { toast } from '../../toasts.ts'
import { ChartTab } from './chart-tab.tsx'
import { download, FORMATS, type Format } from './download.ts'
import { PlanTab } from './plan-tab.tsx'
import type { Run, Stats } from './run.ts'
import { nextSort, orderOf, type Sort } from './sort.ts'
import type { Asked } from './state.ts'

/** The part of the address that names a tab. */
export type TabName = 'rows' | 'chart' | 'plan'

/** The query whose plan is asked for: the last one that was run or explained. */
export const explained = signal<Asked | undefined>(undefined)

/** The tabs below the editor. */
export function Results({ run }: { run: Run | undefined }): JSX.Element {
  const asked = route.value.query.tab
  const tab: TabName = asked === 'chart' || asked === 'plan' ? asked : 'rows'
  const tabs: { value: TabName; label: string; count?: string }[] = [
    {
      value: 'rows',
      label: 'Rows',
      ...(run?.columns && { count: format.number(run.count) + (run.hasMore ? '+' : '') }),
    },
    { value: 'chart', label: 'Chart' },
    { value: 'plan', label: 'Plan' },
  ]
  return (
    <section class="sql-results" aria-label="Result">
      <div class="sql-results-head">
        {run && <Summary run={run} />}
        {run?.columns && <Downloads run={run} />}
      </div>
      <Tabs
        label="Parts of the result"
        tabs={tabs}
        value={tab}
        onChange={(value) => setQuery({ tab: value === 'rows' ? undefined : value })}
      >
        {tab === 'plan' ? (
          explained.value ? (
            <PlanTab asked={explained.value} />
          ) : (
            <Nothing run={run} />
          )
        ) : run?.columns ? (
          tab === 'chart' ? (
            <ChartTab run={run} columns={run.columns} />
          ) : (
            <RowsTab run={run} columns={run.columns} />
          )
        ) : (
          <Nothing run={run} />
        )}
      </Tabs>
    </section>
  )
}

function Nothing({ run }: { run: Run | undefined }): JSX.Element {
  if (run?.state === 'running') return <Ghost lines={8} height={26} />
  const why =
    run?.state === 'cancelled'
      ? 'The query was cancelled before it had rows.'
      : run
        ? 'There are no rows: the query failed.'
        : 'Run the query, and what it gives is here.'
  return <p class="quiet">{why}</p>
}

function RowsTab({ run, columns }: { run: Run; columns: NonNullable<Run['columns']> }): JSX.Element {
  const { rows, count, hasMore, state } = run
  const [sort, setSort] = useState<Sort>()
  useEffect(() => setSort(undefined), [columns])
  const isOver = state !== 'running'
  const order = useMemo(
    () => (sort && isOver && columns[sort.column] ? orderOf(rows, count, columns[sort.column]!.type, sort) : undefined),
    [sort, columns, isOver, count],
  )
  const most = Math.min(46 + count * 29 + 18, 4000)
  if (count === 0 && isOver) return <Grid label="Rows" columns={columns} rows={0} cell={() => null} height="110px" />
  return (
    <>
      <Grid
        label="Rows"
        columns={columns}
        rows={count}
        cell={(row, column) => rows[order ? order[row]! : row]?.[column]}
        height={`min(${most}px, max(340px, 100dvh - 244px - var(--sql-editor)))`}
        {...(isOver && { sort, onSort: (column: number) => setSort((now) => nextSort(now, column)) })}
      />
      {hasMore && (
        <p class="quiet small sql-more">
          These are the first {format.number(count)} rows of the result; sorting and charts are of these. Download it
          for all of them.
        </p>
      )}
    </>
  )
}

function Summary({ run }: { run: Run }): JSX.Element {
  const { state, count, hasMore, stats, columns } = run
  if (state === 'running') return <Running run={run} />
  const rows = columns && `${hasMore ? 'first ' : ''}${format.counted(count, 'row')}`
  const parts = [
    state === 'cancelled' && 'cancelled',
    state === 'failed' && 'failed',
    rows,
    format.duration(stats?.ms ?? run.ms ?? 0),
    ...(stats && stats.files + stats.filesPruned > 0 ? readOf(stats) : []),
    stats?.pool && `pool ${stats.pool}`,
  ].filter(Boolean)
  return (
    <div class="sql-summary" role="status">
      <p>
        {parts.map((part, index) => (
          <span key={index}>{part}</span>
        ))}
      </p>
      {stats?.phases && <Phases phases={stats.phases} />}
    </div>
  )
}

function readOf({ files, filesPruned, bytes }: Stats): string[] {
  const left = filesPruned > 0 ? `, ${format.number(filesPruned)} left out` : ''
  return [`${format.counted(files, 'file')} read${left}`, format.bytes(bytes)]
}

const PHASES = [
  { name: 'queue', label: 'waiting' },
  { name: 'plan', label: 'planning' },
  { name: 'fetch', label: 'fetching' },
  { name: 'scan', label: 'scanning' },
  { name: 'merge', label: 'merging' },
] as const

/** Where the time went, as a bar. */
function Phases({ phases }: { phases: NonNullable<Stats['phases']> }): JSX.Element | null {
  const parts = PHASES.map((phase) => ({ ...phase, ms: phases[phase.name]?.totalMs ?? 0 })).filter(
    ({ ms }) => ms >= 0.5,
  )
  const total = parts.reduce((sum, { ms }) => sum + ms, 0)
  if (total === 0) return null
  const text = parts.map(({ label, ms }) => `${label} ${format.duration(ms)}`).join(', ')
  return (
    <div class="sql-phases">
      <div class="sql-phases-bar" role="img" aria-label={`Time: ${text}`} title={text}>
        {parts.map(({ name, ms }) => (
          <i key={name} data-phase={name} style={{ flexGrow: ms / total }} />
        ))}
      </div>
      <ul aria-hidden="true">
        {parts.map(({ name, label, ms }) => (
          <li key={name} data-phase={name}>
            {label} {format.duration(ms)}
          </li>
        ))}
      </ul>
    </div>
  )
}

function Running({ run: { startedMs, progress, count, columns } }: { run: Run }): JSX.Element {
  const [, tick] = useState(0)
  useEffect(() => {
    const timer = setInterval(() => tick((now) => now + 1), 200)
    return () => clearInterval(timer)
  }, [])
  const { fraction = 0, tasks } = progress ?? {}
  return (
    <div class="sql-running">
      <ProgressBar value={fraction > 0 ? fraction : undefined} label="The query runs" />
      <p class="quiet">
        <span>{format.duration(performance.now() - startedMs)}</span>
        {progress?.state === 'queued' && <span>waits for its place</span>}
        {tasks && <span>{`${tasks.done} of ${format.counted(tasks.total, 'task')}`}</span>}
        {columns && <span>{format.counted(count, 'row')} so far</span>}
      </p>
    </div>
  )
}

function Downloads({ run }: { run: Run }): JSX.Element {
  const [isBusy, setBusy] = useState<string>()
  const take = async (to: Format) => {
    setBusy(to.label)
    try {
      const isSaved = await download(run.asked, to, { isLarge: run.hasMore })
      if (isSaved) toast(`Downloaded as ${to.label}`)
    } catch (cause) {
      toast(toApiError(cause).message, 'bad')
    } finally {
      setBusy(undefined)
    }
  }
  const items = FORMATS.map((to) => ({ label: to.label, run: () => void take(to) }))
  return (
    <Menu label="Download" icon="download" items={items}>
      {isBusy ? `${isBusy}…` : 'Download'}
    </Menu>
  )
}
