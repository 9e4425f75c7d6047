/** One query: its text, what it took, what went wrong, and its tasks along the time. */
import type { JSX } from 'preact'
import { call } from '../../api/api.ts'
import { ApiError } from '../../api/errors.ts'
import { Button, ErrorBox, Ghost, ProgressBar, Stat, Stats } from '../../components/basics.tsx'
import { Icon } from '../../components/icons.tsx'
import * as format from '../../format.ts'
import { useShortcuts } from '../../keys.ts'
import { go, hrefOf } from '../../route.ts'
import { toast } from '../../toasts.ts'
import { dollars, isActive, isCut, KINDS, type QueryDetail, type QueryWork, taskLine } from './model.ts'
import { CancelButton, StateBadge, Took } from './parts.tsx'
import { usePolled } from './polled.ts'
import { Phases, TaskTimeline } from './timeline.tsx'

/** A running query is looked at so often. */
const RUNNING_MS = 700

/** The page of a query. */
export function QueryPage({ id }: { id: string }): JSX.Element {
  const { value, error, reload } = usePolled(
    (signal) => call('queryById', { params: { id }, signal }),
    [id],
    (known) => (known && isActive(known) ? RUNNING_MS : undefined),
  )
  useShortcuts([{ keys: 'u', label: 'Back to the list', run: () => go(hrefOf('activity')) }])
  return (
    <div class="view activity-page">
      <a class="activity-back" href={hrefOf('activity')}>
        <Icon name="back" /> Activity
      </a>
      {!value && <h1 class="unseen">Query</h1>}
      {error && <ErrorBox error={error} onRetry={() => void reload()} />}
      {!value && !error && <Ghost lines={8} height={32} />}
      {value && <Parts query={value} reload={() => void reload()} />}
    </div>
  )
}

function Parts({ query, reload }: { query: QueryDetail; reload(): void }): JSX.Element {
  const { state, error, work, progress } = query
  return (
    <>
      <header class="row apart">
        <div class="row">
          <h1>{KINDS[query.kind]}</h1>
          <span role="status">
            <StateBadge state={state} />
          </span>
        </div>
        <div class="row">
          <OpenLink query={query} />
          <CancelButton record={query} onDone={reload} />
        </div>
      </header>
      {isActive(query) && (
        <div class="stack activity-progress">
          <ProgressBar value={progress?.fraction || undefined} label="Progress" />
          <p class="small quiet">{taskLine(query) ?? (state === 'queued' ? 'It waits for its place.' : 'It runs.')}</p>
        </div>
      )}
      {error && <ErrorBox error={new ApiError(400, error)} />}
      <Text query={query} />
      <Figures query={query} />
      {work && <Phases work={work} />}
      {work && <TaskTimeline work={work} />}
    </>
  )
}

/** Where its text can be changed and asked again. */
function OpenLink({ query }: { query: QueryDetail }): JSX.Element | null {
  const { kind, text, table } = query
  if (isCut(query)) return null
  if (kind === 'sql') {
    return (
      <a class="button" href={hrefOf('sql', [], { q: text })}>
        <Icon name="terminal" /> Open in SQL
      </a>
    )
  }
  if (kind === 'query' && table) {
    return (
      <a class="button" href={hrefOf('behaviour', [table], { q: text })}>
        <Icon name="funnel" /> Open in Behaviour
      </a>
    )
  }
  return table ? (
    <a class="button" href={hrefOf('tables', [table])}>
      <Icon name="table" /> Open {table}
    </a>
  ) : null
}

function Text({ query }: { query: QueryDetail }): JSX.Element | null {
  const { kind, text } = query
  if (kind === 'import') return null
  const shown = kind === 'sql' || kind === 'register' ? text : indented(text)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      toast('Copied')
    } catch {
      toast('The browser does not let this page copy; select the text instead.', 'bad')
    }
  }
  return (
    <section class="card activity-source" aria-label="Text of the query">
      <pre tabIndex={0}>{shown}</pre>
      <Button tone="quiet" icon="copy" label="Copy the text" onClick={() => void copy()} />
      {isCut(query) && <p class="small quiet">The log has kept only this beginning.</p>}
    </section>
  )
}

function indented(text: string): string {
  try {
    const lines = JSON.stringify(JSON.parse(text), null, 2)
    // Lists of plain values fit into one line; a line break is never within a text of JSON.
    return lines.replaceAll(/\[\n\s+([^[\]{}]*?)\n\s*\]/g, (_, list: string) => `[${list.replaceAll(/\n\s+/g, ' ')}]`)
  } catch {
    // It was cut, or never was JSON: it is shown as it came.
    return text
  }
}

function Figures({ query }: { query: QueryDetail }): JSX.Element {
  const { startedAt, queuedMs, rows, bytes, pool, cost, who, table, kind, work } = query
  const verb = kind === 'import' || kind === 'register' ? '' : ' read'
  return (
    <Stats>
      <Stat label={isActive(query) ? 'Runs for' : 'Took'}>
        <Took record={query} />
      </Stat>
      {queuedMs !== undefined && (
        <Stat label="Waited" title="Until the server had a place for it">
          {format.duration(queuedMs)}
        </Stat>
      )}
      <Stat label="Started" title={format.at(startedAt)}>
        {format.ago(startedAt)}
      </Stat>
      {table && <Stat label="Table">{table}</Stat>}
      {rows !== undefined && <Stat label={`Rows${verb}`}>{format.number(rows)}</Stat>}
      {bytes !== undefined && <Stat label={`Size${verb}`}>{format.bytes(bytes)}</Stat>}
      {work && <WorkFigures work={work} />}
      {pool && <Stat label="Pool">{pool}</Stat>}
      {cost !== undefined && <Stat label="Cost">{dollars(cost)}</Stat>}
      {who && <Stat label="Asked by">{who}</Stat>}
    </Stats>
  )
}

function WorkFigures({ work }: { work: QueryWork }): JSX.Element {
  const { files, filesPruned = 0, cacheHits = 0, cacheMisses = 0, coldTasks, warmTasks = 0 } = work
  const pieces = cacheHits + cacheMisses
  return (
    <>
      {files !== undefined && (
        <Stat label="Files" title="Read, of all that the tables have">
          {format.number(files)}
          {filesPruned > 0 && <span class="quiet small"> of {format.number(files + filesPruned)}</span>}
        </Stat>
      )}
      {coldTasks !== undefined && (
        <Stat label="Start" title={`${coldTasks} cold, ${warmTasks} warm: a cold task is the first one of its engine`}>
          {coldTasks === 0 ? 'warm' : warmTasks === 0 ? 'cold' : `${coldTasks} cold`}
        </Stat>
      )}
      {pieces > 0 && (
        <Stat label="Cache" title={`${cacheHits} pieces of metadata remembered, ${cacheMisses} read`}>
          {format.share(cacheHits / pieces)}
          <span class="quiet small"> of {format.number(pieces)}</span>
        </Stat>
      )}
    </>
  )
}
