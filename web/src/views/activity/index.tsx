/** The activity view: `#/activity` lists what runs and ran (`?state=&kind=&text=` choose), `#/activity/QUERY` shows one. */
import type { JSX } from 'preact'
import { call } from '../../api/api.ts'
import { Button, Empty, ErrorBox, Ghost, ProgressBar, SearchField, Select } from '../../components/basics.tsx'
import * as format from '../../format.ts'
import { useShortcuts } from '../../keys.ts'
import { go, hrefOf, route, setQuery } from '../../route.ts'
import {
  dollars,
  fits,
  isActive,
  KINDS,
  oneLine,
  type QueryRecord,
  STATES,
  taskLine,
  type WorkerInfo,
} from './model.ts'
import { CancelButton, StateBadge, Took } from './parts.tsx'
import { usePolled } from './polled.ts'
import { QueryPage } from './query-page.tsx'
import { Workers } from './workers.tsx'
import './activity.css'

/** How often what runs is looked at, and how often it is looked whether something does. */
const RUNNING_MS = 1000
const IDLE_MS = 5000
/** Queries that are shown at first. */
const FIRST = 100

/** The queries that run and ran, and the workers; or the query that the address names. */
export function ActivityView(): JSX.Element {
  const [id] = route.value.path
  return id === undefined ? <Overview /> : <QueryPage key={id} id={id} />
}

interface Activity {
  queries: QueryRecord[]
  workers: WorkerInfo[]
}

function Overview(): JSX.Element {
  const { state, kind, text, all } = route.value.query
  const isFiltered = Boolean(state || kind || text)
  // Whoever looks for something looks in all that is known.
  const limit = isFiltered || all ? undefined : FIRST + 1
  const { value, error, reload } = usePolled<Activity>(
    async (signal) => {
      const [queries, workers] = await Promise.all([
        call('queries', { query: limit === undefined ? {} : { limit }, signal }),
        call('workers', { signal }),
      ])
      return { queries, workers }
    },
    [limit],
    (known) => (known?.queries.some(isActive) ? RUNNING_MS : IDLE_MS),
  )
  useListKeys()
  const isEmpty = value?.queries.length === 0 && !isFiltered
  return (
    <div class="view">
      <div class="row apart activity-head">
        <h1>Activity</h1>
        {value && !isEmpty && <Workers workers={value.workers} />}
      </div>
      {error && <ErrorBox error={error} onRetry={() => void reload()} />}
      {!value && !error && <Ghost lines={8} height={44} />}
      {isEmpty && <FirstSteps />}
      {value && !isEmpty && <Lists {...value} limit={limit} reload={() => void reload()} />}
    </div>
  )
}

function Lists({ queries, limit, reload }: Activity & { limit: number | undefined; reload(): void }): JSX.Element {
  const { state, kind, text } = route.value.query
  const found = queries.filter((record) => fits(record, { state, kind, text }))
  const active = found.filter(isActive)
  const over = found.filter((record) => !isActive(record))
  const hasMore = limit !== undefined && queries.length >= limit
  return (
    <>
      <Filters />
      <p class="unseen" role="status">
        {active.length === 0
          ? 'Nothing runs'
          : `${format.counted(active.length, 'query', 'queries')} waiting or running`}
      </p>
      {active.length > 0 && (
        <ul class="stack activity-now" aria-label="Running queries">
          {active.map((record) => (
            <Running key={record.id} record={record} reload={reload} />
          ))}
        </ul>
      )}
      {over.length > 0 && <TableOfQueries records={over} />}
      {found.length === 0 && (
        <p class="quiet row">
          No query is like that.
          <Button onClick={() => setQuery({ state: undefined, kind: undefined, text: undefined })}>Show all</Button>
        </p>
      )}
      {hasMore && (
        <div>
          <Button onClick={() => setQuery({ all: '1' })}>Show older ones</Button>
        </div>
      )}
    </>
  )
}

function Filters(): JSX.Element {
  const { state = '', kind = '', text = '' } = route.value.query
  const states = STATES.map((value) => ({ value, label: value === 'active' ? 'waiting or running' : value }))
  const kinds = Object.entries(KINDS).map(([value, label]) => ({ value, label }))
  return (
    <search class="activity-filters">
      <div class="activity-search">
        <SearchField
          label="Search text, table, who"
          value={text}
          onInput={(input) => setQuery({ text: input || undefined })}
        />
      </div>
      <Select
        label="State"
        value={state}
        options={[{ value: '', label: 'any' }, ...states]}
        onChange={(value) => setQuery({ state: value || undefined })}
      />
      <Select
        label="Kind"
        value={kind}
        options={[{ value: '', label: 'any' }, ...kinds]}
        onChange={(value) => setQuery({ kind: value || undefined })}
      />
    </search>
  )
}

function Running({ record, reload }: { record: QueryRecord; reload(): void }): JSX.Element {
  const { id, state, progress } = record
  const line = oneLine(record)
  return (
    <li class="card running">
      <div class="running-head">
        <StateBadge state={state} />
        <a class="activity-text mono" href={hrefOf('activity', [id])} data-query>
          {line}
        </a>
        <CancelButton record={record} onDone={reload} />
      </div>
      <ProgressBar value={progress?.fraction || undefined} label={`Progress of ${line.slice(0, 60)}`} />
      <p class="small quiet running-facts">
        <span class="running-took">
          {state === 'queued' ? `waits since ${format.ago(record.startedAt)}` : <Took record={record} />}
        </span>
        {progress && progress.fraction > 0 && <span>{format.share(progress.fraction)}</span>}
        <Facts record={record} />
        <span>{taskLine(record)}</span>
      </p>
    </li>
  )
}

function Facts({ record: { kind, table, who, pool } }: { record: QueryRecord }): JSX.Element {
  return (
    <>
      <span>{KINDS[kind]}</span>
      {table && kind !== 'import' && <span>{table}</span>}
      {who && <span>{who}</span>}
      {pool && <span>{pool}</span>}
    </>
  )
}

function TableOfQueries({ records }: { records: readonly QueryRecord[] }): JSX.Element {
  const costs = records.some(({ cost }) => cost !== undefined)
  return (
    <section class="card scroller" tabIndex={0} aria-label="Queries that ran">
      <table class="table activity-list">
        <thead>
          <tr>
            <th scope="col">Query</th>
            <th scope="col" class="wide">
              Started
            </th>
            <th scope="col" class="number wider">
              Waited
            </th>
            <th scope="col" class="number wide">
              Took
            </th>
            <th scope="col" class="number wider">
              Rows
            </th>
            <th scope="col" class="number wide">
              Size
            </th>
            {costs && (
              <th scope="col" class="number wide">
                Cost
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {records.map((record) => (
            <QueryRow key={record.id} record={record} costs={costs} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function QueryRow({ record, costs }: { record: QueryRecord; costs: boolean }): JSX.Element {
  const { id, state, startedAt, queuedMs, rows, bytes, cost, error } = record
  const href = hrefOf('activity', [id])
  const or = (value: number | undefined, show: (value: number) => string) => (value === undefined ? '–' : show(value))
  return (
    <tr data-link data-state={state} onClick={() => go(href)}>
      <td>
        <a class="activity-text mono" href={href} data-query onClick={(event) => event.stopPropagation()}>
          {oneLine(record)}
        </a>
        <span class="small quiet activity-facts">
          <StateBadge state={state} />
          {error && state === 'failed' && <code class="activity-code">{error.code}</code>}
          <Facts record={record} />
          <span class="narrow">
            {format.ago(startedAt)}, <Took record={record} />
          </span>
        </span>
      </td>
      <td class="wide" title={format.at(startedAt)}>
        {format.ago(startedAt)}
      </td>
      <td class="number wider">{or(queuedMs, format.duration)}</td>
      <td class="number wide">
        <Took record={record} />
      </td>
      <td class="number wider">{or(rows || undefined, format.number)}</td>
      <td class="number wide">{or(bytes || undefined, format.bytes)}</td>
      {costs && <td class="number wide">{or(cost, dollars)}</td>}
    </tr>
  )
}

/** `j` and `k` go from query to query; Enter opens one, as a link does. */
function useListKeys(): void {
  const move = (step: number) => {
    const links = [...document.querySelectorAll<HTMLElement>('[data-query]')]
    const at = links.indexOf(document.activeElement as HTMLElement)
    const next = links[at < 0 ? 0 : Math.max(0, Math.min(links.length - 1, at + step))]
    next?.focus()
    next?.scrollIntoView({ block: 'nearest' })
  }
  useShortcuts([
    { keys: 'j', label: 'Next query', run: () => move(1) },
    { keys: 'k', label: 'Query before', run: () => move(-1) },
  ])
}

function FirstSteps(): JSX.Element {
  return (
    <div class="card activity-first">
      <Empty icon="pulse" title="Nothing has run yet">
        <p class="quiet">
          Queries and imports show up here while they run, with how far they are, and stay as history with where their
          time went. Ask something first:
        </p>
        <div class="row">
          <a class="button" data-tone="primary" href={hrefOf('sql')}>
            Open SQL
          </a>
          <a class="button" href={hrefOf('tables')}>
            Look at the tables
          </a>
        </div>
      </Empty>
    </div>
  )
}
