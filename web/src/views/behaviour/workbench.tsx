/** A behavioural query at work: the forms or the JSON, the button that runs it, the answer, and the meaning in words. */
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { call } from '../../api/api.ts'
import { useResource } from '../../api/resource.ts'
import { Button, Ghost, ProgressBar, Tabs } from '../../components/basics.tsx'
import { Editor } from '../../components/editor.tsx'
import { useShortcuts } from '../../keys.ts'
import { route } from '../../route.ts'
import type { TableSummary } from '../../session.ts'
import { stored } from '../../stored.ts'
import { AnswerPane } from './answer.tsx'
import { Builder } from './builder.tsx'
import { isObject } from './document.ts'
import { type Starter, startersOf, stepColumns } from './starters.ts'
import * as state from './state.ts'
import { Toolbar } from './toolbar.tsx'

const side = stored<'builder' | 'json'>('behaviour.side', 'builder')

/** The query of a table, and its answer. */
export function Workbench({ name, list }: { name: string; list: readonly TableSummary[] }): JSX.Element {
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
          {isFaulty ? (
            <button type="button" class="bh-fault bh-lead" onClick={showFault}>
              {faultLine()}
            </button>
          ) : (
            <span class="small quiet bh-hint">Ctrl Enter</span>
          )}
        </>
      )}
    </div>
  )
}

/** Leads to the first field at which something is wrong. */
function showFault(): void {
  const place = document.querySelector('.bh-left .bh-fault')
  place?.scrollIntoView({ block: 'center' })
  place?.parentElement?.querySelector<HTMLElement>('[aria-invalid], [data-faulty] input, textarea')?.focus()
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
