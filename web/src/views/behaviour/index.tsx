/** The behaviour view: `#/behaviour/TABLE?q=…&at=…&pool=…`. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { call } from '../../api/api.ts'
import { useResource } from '../../api/resource.ts'
import { Button, Empty, ErrorBox, Ghost, ProgressBar, Tabs } from '../../components/basics.tsx'
import { Editor } from '../../components/editor.tsx'
import { Menu } from '../../components/popups.tsx'
import { counted, at as timeOf } from '../../format.ts'
import { useShortcuts } from '../../keys.ts'
import { go, hrefOf, route, setQuery } from '../../route.ts'
import { describe, mayWrite, type TableSummary, tables } from '../../session.ts'
import { stored } from '../../stored.ts'
import { AnswerPane } from './answer.tsx'
import { Builder } from './builder.tsx'
import { isObject } from './document.ts'
import { Choice } from './parts.tsx'
import { CopyDialog, copyLink, downloadAnswer, OpenDialog, SaveDialog } from './saved.tsx'
import { type Starter, startersOf, stepColumns } from './starters.ts'
import * as state from './state.ts'
import './behaviour.css'

/** Conditions, sequences and funnels over a table. */
export function BehaviourView(): JSX.Element {
  const [name] = route.value.path
  const { value, error } = tables.state.value
  if (error)
    return (
      <Frame>
        <ErrorBox error={error} onRetry={() => void tables.reload()} />
      </Frame>
    )
  if (!value)
    return (
      <Frame>
        <Ghost lines={6} />
      </Frame>
    )
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

function hasKeys({ actor, time }: { actor?: string | undefined; time?: string | undefined }): boolean {
  return actor !== undefined && time !== undefined
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

function TableBehaviour({ name, list }: { name: string; list: readonly TableSummary[] }): JSX.Element {
  const { at } = route.value.query
  const described = useResource(() => describe(name, at), [name, at])
  const { value, error } = described
  useEffect(() => {
    if (value) state.openTable(value)
  }, [value])
  if (error)
    return (
      <Frame>
        <ErrorBox error={error} onRetry={() => void described.reload()} />
      </Frame>
    )
  if (!value)
    return (
      <Frame>
        <Ghost lines={6} />
      </Frame>
    )
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

const side = stored<'builder' | 'json'>('behaviour.side', 'builder')

function Workbench({ name, list }: { name: string; list: readonly TableSummary[] }): JSX.Element {
  const { q } = route.value.query
  const starters = useStarters(name)
  useEffect(() => {
    const isOther = state.takeAddress()
    if (isOther && !state.textFault.peek() && state.faults.peek().length === 0) void state.run()
  }, [name, q])
  const isEmpty = isObject(state.query.value) && Object.keys(state.query.value).length === 0
  const begin = ({ query }: Starter) => {
    state.setDocument(query)
    void runAndShow()
  }
  const keys = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.defaultPrevented) return
    event.preventDefault()
    void runAndShow()
  }
  useEffect(() => {
    addEventListener('keydown', keys)
    return () => removeEventListener('keydown', keys)
  }, [])
  useShortcuts([{ keys: 'r', label: 'Run the behavioural query', run: () => void state.run() }])
  return (
    <div class="bh-view">
      <h1 class="unseen">Behaviour of {name}</h1>
      <Toolbar name={name} list={list} />
      <div class="bh-split">
        <div class="bh-left">
          <Tabs
            label="How the query is written"
            tabs={[
              { value: 'builder', label: 'Builder' },
              { value: 'json', label: 'JSON' },
            ]}
            value={side.value}
            onChange={(next) => (side.value = next)}
          >
            {side.value === 'builder' ? <BuilderSide /> : <JsonSide />}
          </Tabs>
        </div>
        <div class="bh-right">
          <RunLine />
          {isEmpty && !state.answer.value && !state.progress.value ? (
            <Begin starters={starters} onBegin={begin} />
          ) : (
            <AnswerPane />
          )}
          <Words />
        </div>
      </div>
    </div>
  )
}

function BuilderSide(): JSX.Element {
  return (
    <>
      {state.textFault.value && (
        <p class="bh-note">The text under JSON is not valid. The forms show the query before it.</p>
      )}
      <Builder />
    </>
  )
}

function JsonSide(): JSX.Element {
  const fault = state.textFault.value
  const marks = fault ? [{ from: fault.position, to: fault.position + 1, message: fault.message }] : []
  return (
    <div class="bh-json-side">
      <Editor
        label="Query as JSON"
        language="json"
        height="min(560px, 60vh)"
        value={state.text.value}
        faults={marks}
        onChange={state.setText}
        onRun={() => void state.run()}
      />
      {fault && (
        <p class="bh-fault" role="alert">
          {fault.message}. The query stays what it was until this is JSON.
        </p>
      )}
      {!fault &&
        state.faults.value.map(({ path, message }) => (
          <p key={path + message} class="bh-fault">
            <code>{path || '/'}</code> {message}
          </p>
        ))}
    </div>
  )
}

function TableChoice({ name, list }: { name: string; list: readonly TableSummary[] }): JSX.Element {
  const fit = list.filter(hasKeys)
  return (
    <Choice
      label="Table"
      value={name}
      options={fit.map((table) => ({ value: table.name, label: table.name }))}
      onChange={(next) => go(hrefOf('behaviour', [next]))}
    />
  )
}

type Opened = 'save' | 'open' | 'copy'

function Toolbar({ name, list }: { name: string; list: readonly TableSummary[] }): JSX.Element {
  const [opened, setOpened] = useState<Opened>()
  const close = () => setOpened(undefined)
  const isFaulty = state.faults.value.length > 0 || state.textFault.value !== undefined
  return (
    <div class="bh-top">
      <TableChoice name={name} list={list} />
      <TimeTravel name={name} />
      <PoolChoice />
      <span class="bh-push" />
      <Button
        icon="save"
        disabled={isFaulty || !mayWrite.value}
        title={mayWrite.value ? undefined : 'Your token may only read'}
        onClick={() => setOpened('save')}
      >
        Save
      </Button>
      <Button onClick={() => setOpened('open')}>Open</Button>
      <Menu
        label="Share and download"
        items={[
          { label: 'Copy link', run: () => void copyLink() },
          { label: 'Use elsewhere: command line, TypeScript, curl', run: () => setOpened('copy') },
          ...(state.answer.value ? [{ label: 'Download the answer as JSON', run: downloadAnswer }] : []),
          { label: 'Start anew', run: () => startAnew() },
        ]}
      />
      {opened === 'save' && <SaveDialog onClose={close} />}
      {opened === 'open' && <OpenDialog onClose={close} />}
      {opened === 'copy' && <CopyDialog onClose={close} />}
    </div>
  )
}

function startAnew(): void {
  state.cancel()
  state.setDocument({})
  state.answer.value = undefined
  state.failure.value = undefined
}

function TimeTravel({ name }: { name: string }): JSX.Element | null {
  const { at } = route.value.query
  const { value = [] } = useResource((signal) => call('snapshots', { params: { table: name }, signal }), [name])
  if (value.length < 2 && at === undefined) return null
  const options = value.toReversed().map(({ id, time }, k) => ({
    value: k === 0 ? '' : String(id),
    label: k === 0 ? 'as of now' : `as of ${timeOf(time)}`,
  }))
  return (
    <Choice
      label="As of"
      value={at ?? ''}
      options={options.length > 0 ? options : [{ value: '', label: 'as of now' }]}
      onChange={(next) => setQuery({ at: next || undefined }, { push: true })}
    />
  )
}

function PoolChoice(): JSX.Element {
  return (
    <Choice
      label="Where it runs"
      value={route.value.query.pool ?? ''}
      options={[
        { value: '', label: 'usual pool' },
        { value: 'inline', label: 'inline' },
        { value: 'threads', label: 'threads' },
      ]}
      onChange={(next) => setQuery({ pool: next || undefined })}
    />
  )
}

/** Runs the query; where the answer comes below the query, leads to it. */
async function runAndShow(): Promise<void> {
  await state.run()
  const place = document.querySelector('.bh-right')
  if (place && place.getBoundingClientRect().top > innerHeight / 2) place.scrollIntoView({ block: 'start' })
}

/** The button that runs, how far it is, and the button that ends it. */
function RunLine(): JSX.Element {
  const going = state.progress.value
  const isFaulty = state.faults.value.length > 0 || state.textFault.value !== undefined
  return (
    <div class="bh-run">
      {going ? (
        <>
          <div class="bh-grow">
            <ProgressBar value={going.fraction || undefined} label="Progress of the query" />
          </div>
          <Button icon="close" onClick={state.cancel}>
            Cancel
          </Button>
        </>
      ) : (
        <>
          <Button tone="primary" icon="play" disabled={isFaulty} onClick={() => void runAndShow()}>
            Run
          </Button>
          {isFaulty ? <span class="bh-fault">{faultLine()}</span> : <span class="small quiet bh-hint">Ctrl Enter</span>}
        </>
      )}
    </div>
  )
}

function faultLine(): string {
  if (state.textFault.value) return 'The JSON has a fault.'
  const [first, ...rest] = state.faults.value
  return `${rest.length > 0 ? `${rest.length + 1} things are wrong. First: ` : ''}${first?.message}.`
}

/** What the query means, sentence by sentence. */
function Words(): JSX.Element | null {
  const { words, warnings } = state.checked.value
  if (words.length === 0) return null
  return (
    <details class="bh-words" open>
      <summary>
        <h2>In words</h2>
      </summary>
      <ul>
        {words.map((line, k) => (
          <li key={`${k} ${line}`} data-inner={line.startsWith(' ') || undefined}>
            {line.trim()}
          </li>
        ))}
      </ul>
      {warnings.map((warning) => (
        <p key={warning} class="bh-note">
          {warning}
        </p>
      ))}
    </details>
  )
}

const STARTER_VALUES = 6

/** Funnels to begin with, and the column whose values steps mostly ask for. */
function useStarters(name: string): readonly Starter[] | undefined {
  const { value } = useResource(
    async (signal) => {
      const keys = state.table.peek()?.keys ?? {}
      for (const column of stepColumns(state.columns.peek(), keys).slice(0, 3)) {
        const { at } = route.peek().query
        const found = await call('values', {
          params: { table: name, column: column.name },
          query: { limit: STARTER_VALUES, ...(at !== undefined && { at }) },
          signal,
        })
        const texts = found
          .map((entry) => entry.value)
          .filter((text): text is string => typeof text === 'string' && text !== '')
        if (texts.length > 1) {
          // Steps that are added from now on ask for values of this column.
          state.stepColumn.value = column
          return startersOf(column.name, texts)
        }
      }
      return []
    },
    [name],
  )
  return value
}

function Begin({
  starters,
  onBegin,
}: {
  starters: readonly Starter[] | undefined
  onBegin(starter: Starter): void
}): JSX.Element {
  return (
    <div class="bh-begin">
      <h2>Where do they get, and where do they stop?</h2>
      <p class="quiet">
        Begin with one of these, made of the most frequent values of this table, or add the first step yourself.
      </p>
      {!starters && <Ghost lines={3} height={58} />}
      <div class="bh-starters">
        {starters?.map((starter) => (
          <button key={starter.title} type="button" class="bh-starter" onClick={() => onBegin(starter)}>
            <strong>{starter.title}</strong>
            <span class="quiet small">{starter.about}</span>
          </button>
        ))}
        <button type="button" class="bh-starter" onClick={() => void state.run()}>
          <strong>Everybody</strong>
          <span class="quiet small">how many actors and rows there are</span>
        </button>
      </div>
    </div>
  )
}
