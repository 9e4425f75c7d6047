/** The behaviour view: `#/behaviour/TABLE?q=…&at=…&pool=…`. */

import type { ComponentChildren, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import type { ApiError } from '../../api/errors.ts'
import { useResource } from '../../api/resource.ts'
import { Empty, ErrorBox, Ghost } from '../../components/basics.tsx'
import { counted } from '../../format.ts'
import { go, hrefOf, route } from '../../route.ts'
import { describe, type TableSummary, tables } from '../../session.ts'
import * as state from './state.ts'
import { hasKeys, TableChoice } from './toolbar.tsx'
import { Workbench } from './workbench.tsx'
import './behaviour.css'

/** Conditions, sequences and funnels over a table. */
export function BehaviourView(): JSX.Element {
  const [name] = route.value.path
  const { value, error } = tables.state.value
  if (error || !value) return <Waiting error={error} onRetry={() => void tables.reload()} />
  if (name === undefined) return <ChooseTable list={value} />
  return <TableBehaviour key={name} name={name} list={value} />
}

function Frame({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <div class="view">
      <h1 class="unseen">Behaviour</h1>
      {children}
    </div>
  )
}

/** Goes to the only table that can be asked, or lets one choose. */
function ChooseTable({ list }: { list: readonly TableSummary[] }): JSX.Element {
  const fit = list.filter(hasKeys)
  const only = fit.length === 1 ? fit[0] : undefined
  useEffect(() => {
    if (only) go(hrefOf('behaviour', [only.name], route.peek().query), { replace: true })
  }, [only])
  if (only)
    return (
      <Frame>
        <Ghost lines={6} />
      </Frame>
    )
  if (fit.length === 0)
    return (
      <Frame>
        <NoKeys name={list[0]?.name} />
      </Frame>
    )
  return (
    <Frame>
      <Empty icon="funnel" title="Follow what people do">
        <p class="quiet">Choose a table of events: one with a column that says who, and one that says when.</p>
        <ul class="bh-choices card">
          {fit.map(({ name, actor, time, rows }) => (
            <li key={name}>
              <a class="option" href={hrefOf('behaviour', [name])}>
                <span class="truncate">{name}</span>
                <span class="option-note">
                  {actor} · {time} · {counted(rows, 'row')}
                </span>
              </a>
            </li>
          ))}
        </ul>
        {fit.length < list.length && (
          <p class="quiet small">
            {counted(list.length - fit.length, 'further table')} without an actor and a time cannot be asked here.
          </p>
        )}
      </Empty>
    </Frame>
  )
}

/** What a table lacks, and how to get it. */
function NoKeys({ name }: { name: string | undefined }): JSX.Element {
  const table = name ?? 'events'
  return (
    <Empty icon="funnel" title={name === undefined ? 'There is no table yet' : 'No table says who did what, and when'}>
      <p class="quiet">
        Funnels follow actors through time. They need a table with an <strong>actor</strong> column (who: a user, a
        device, an order) and a <strong>time</strong> column (when). Both are named when files are imported:
      </p>
      <pre>skep import events.csv --table {table} --actor user_id --time ts</pre>
      <p class="quiet small">For a folder of Parquet files in place:</p>
      <pre>skep register {table} ./folder --actor user_id --time ts</pre>
      <a class="button" href={hrefOf('tables')}>
        Go to Tables
      </a>
    </Empty>
  )
}

/** In place of what is not there yet, or did not come. */
function Waiting({ error, onRetry }: { error: ApiError | undefined; onRetry: () => void }): JSX.Element {
  return <Frame>{error ? <ErrorBox error={error} onRetry={onRetry} /> : <Ghost lines={6} />}</Frame>
}

function TableBehaviour({ name, list }: { name: string; list: readonly TableSummary[] }): JSX.Element {
  const { at } = route.value.query
  const described = useResource(() => describe(name, at), [name, at])
  const { value, error } = described
  useEffect(() => {
    if (value) state.openTable(value)
  }, [value])
  if (error || !value) return <Waiting error={error} onRetry={() => void described.reload()} />
  if (!hasKeys(value.keys)) {
    const fit = list.filter(hasKeys)
    return (
      <Frame>
        {fit.length > 0 && (
          <div class="bh-top">
            <TableChoice name={name} list={list} />
          </div>
        )}
        <NoKeys name={name} />
      </Frame>
    )
  }
  if (state.table.value?.name !== value.name)
    return (
      <Frame>
        <Ghost lines={6} />
      </Frame>
    )
  return <Workbench name={name} list={list} />
}
