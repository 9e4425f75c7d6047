/** The SQL view: `#/sql?q=SELECT…&at=…`; `tab`, `chart`, `x`, `y` and `colour` bring a chart back, `run=1` runs it at once. */
import type { JSX } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { Button, ErrorBox } from '../../components/basics.tsx'
import { Editor, type EditorHandle } from '../../components/editor.tsx'
import { copyText } from '../../components/grid.tsx'
import { clamp } from '../../components/grid-model.ts'
import { Icon } from '../../components/icons.tsx'
import { useShortcuts } from '../../keys.ts'
import { hrefOf, type QueryChange, route, setQuery } from '../../route.ts'
import { mayWrite } from '../../session.ts'
import { toast } from '../../toasts.ts'
import { AsOfBanner, AsOfDialog } from './as-of.tsx'
import { completeFunctions } from './completion.ts'
import { Examples } from './examples-list.tsx'
import { faultsOf, lineOf } from './fault.ts'
import { LibraryDialog, SaveDialog } from './library.tsx'
import { explained, Results } from './results.tsx'
import { cancel, type Run, run, start } from './run.ts'
import { useSchema } from './schema.ts'
import { type Asked, fitsLink, remember, text, written } from './state.ts'
import './sql.css'

const SETTLE_MS = 300
/** A query that took longer is not run again just because the page is loaded again. */
const AGAIN_MS = 10_000

/** SQL over the tables of the warehouse. */
export function SqlView(): JSX.Element {
  const [dialog, setDialog] = useState<'library' | 'save' | 'as-of'>()
  const editor = useRef<EditorHandle>(undefined)
  const { query } = route.value
  const last = run.value
  const isRunning = last?.state === 'running'
  const schema = useSchema(text.value)
  useAddress()
  useEscape(isRunning)
  const asked = () => askedOf(editor.current, query.at)
  const go = () => void launch(asked(), query.tab === 'plan' ? { tab: undefined } : {})
  const load = ({ text: sql, at }: { text: string; at?: string | undefined }, change: QueryChange = {}) => {
    if (text.value !== sql) remember({ text: text.value, at: query.at })
    text.value = sql
    setQuery({ at, tab: undefined, chart: undefined, x: undefined, y: undefined, colour: undefined, ...change })
  }
  useShortcuts([{ keys: 'e', label: 'Go to the editor', run: () => editor.current?.focus() }])
  const isBlank = text.value.trim() === ''
  const hasFailed = last?.state === 'failed' && !last.columns && query.tab !== 'plan'
  const height = heightOf(text.value)
  return (
    <div class="view sql" style={{ '--sql-editor': `${height}px` }}>
      <h1 class="unseen">SQL</h1>
      <Toolbar {...{ isRunning, isBlank }} onRun={go} onOpen={setDialog} onExplain={() => explainOnly(asked())} />
      {query.at && <AsOfBanner at={query.at} />}
      <div class="sql-editor">
        <Editor
          label="SQL"
          language="sql"
          value={text.value}
          onChange={(value) => {
            text.value = value
          }}
          onRun={go}
          schema={schema}
          complete={completeFunctions}
          faults={useFaults(last)}
          placeholder="SELECT …"
          height="100%"
          onReady={(handle) => {
            editor.current = handle
          }}
        />
      </div>
      {last?.state === 'failed' && <Failure run={last} />}
      {last || explained.value || !isBlank ? (
        !hasFailed && <Results run={last} />
      ) : (
        <Examples
          onTake={({ sql, tab }) => {
            load({ text: sql }, { tab })
            void launch({ sql, from: 0 })
          }}
        />
      )}
      {dialog === 'library' && <LibraryDialog onLoad={load} onClose={() => setDialog(undefined)} />}
      {dialog === 'save' && <SaveDialog text={text.value} onClose={() => setDialog(undefined)} />}
      {dialog === 'as-of' && <AsOfDialog at={query.at ?? ''} text={text.value} onClose={() => setDialog(undefined)} />}
    </div>
  )
}

function Toolbar({
  isRunning,
  isBlank,
  onRun,
  onExplain,
  onOpen,
}: {
  isRunning: boolean
  isBlank: boolean
  onRun(): void
  onExplain(): void
  onOpen(dialog: 'library' | 'save' | 'as-of'): void
}): JSX.Element {
  const isMac = /Mac|iPhone|iPad/.test(navigator.platform)
  return (
    <div class="sql-toolbar" role="toolbar" aria-label="Query">
      {isRunning ? (
        <Button icon="close" onClick={cancel} title="Esc">
          Cancel
        </Button>
      ) : (
        <Button
          tone="primary"
          icon="play"
          disabled={isBlank}
          onClick={onRun}
          title={`${isMac ? '⌘' : 'Ctrl'}-Enter: what is selected, else the whole text`}
        >
          Run
        </Button>
      )}
      <Button disabled={isBlank} onClick={onExplain} title="What the query would read and do, without running it">
        Explain
      </Button>
      <span class="sql-hint quiet small">
        <kbd>{isMac ? '⌘' : 'Ctrl'}</kbd> <kbd>Enter</kbd> runs{isRunning && ', '}
        {isRunning && <kbd>Esc</kbd>}
        {isRunning && ' cancels'}
      </span>
      <span class="sql-toolbar-end">
        <Tool icon="clock" name="As of" onClick={() => onOpen('as-of')} />
        <Tool icon="list" name="Queries" onClick={() => onOpen('library')} />
        {mayWrite.value && <Tool icon="save" name="Save" isDisabled={isBlank} onClick={() => onOpen('save')} />}
        <Tool icon="link" name="Share" isDisabled={isBlank} onClick={() => void share()} />
      </span>
    </div>
  )
}

/** A button whose word goes where there is no room for it. */
function Tool({
  icon,
  name,
  isDisabled = false,
  onClick,
}: {
  icon: Parameters<typeof Icon>[0]['name']
  name: string
  isDisabled?: boolean
  onClick(): void
}): JSX.Element {
  return (
    <Button tone="quiet" aria-label={name} disabled={isDisabled} onClick={onClick}>
      <Icon name={icon} />
      <span class="sql-tool-name">{name}</span>
    </Button>
  )
}

function Failure({ run: { asked, error } }: { run: Run }): JSX.Element {
  const [fault] = faultsOf(error!, asked.sql, asked.from)
  const place = fault && lineOf(text.value, fault.from)
  return (
    <div class="sql-failure">
      <ErrorBox error={error!} />
      {/one query at a time/.test(error!.message) && (
        <p>The text has several queries. Select one of them and run it: only what is selected is sent.</p>
      )}
      {place && (
        <p class="quiet small">
          Line {place.line}, column {place.column}
        </p>
      )}
    </div>
  )
}

function useFaults(last: Run | undefined) {
  return useMemo(
    () => (last?.error && last.state === 'failed' ? faultsOf(last.error, last.asked.sql, last.asked.from) : []),
    [last?.error],
  )
}

const LINE = 20.15
const LINES = { least: 5, most: 14 } as const

function heightOf(sql: string): number {
  const lines = clamp(sql.split('\n').length + 1, LINES.least, LINES.most)
  return Math.round(lines * LINE + 26)
}

/** What is selected, or the whole text. */
function askedOf(editor: EditorHandle | undefined, at: string | undefined): Asked {
  const { from, to } = editor?.selection() ?? { from: 0, to: 0 }
  const selected = text.value.slice(from, to)
  return selected.trim() === '' ? { sql: text.value, at, from: 0 } : { sql: selected, at, from }
}

async function launch(asked: Asked, change: QueryChange = {}): Promise<void> {
  if (asked.sql.trim() === '') return
  explained.value = asked
  setQuery({ run: undefined, ...change })
  await start(asked)
  const isCurrent = run.value?.asked === asked && asked.sql === text.value && route.value.view === 'sql'
  if (isCurrent && run.value?.state === 'done' && run.value.ms! < AGAIN_MS) setQuery({ run: '1' })
}

function explainOnly(asked: Asked): void {
  explained.value = { ...asked }
  setQuery({ tab: 'plan' })
}

async function share(): Promise<void> {
  if (!fitsLink(text.value)) {
    return toast('The text is too long for a link; save it under a name instead', 'bad')
  }
  const { query } = route.value
  const hash = hrefOf('sql', [], {
    ...query,
    q: text.value,
    run: run.value?.asked.sql === text.value ? '1' : query.run,
  })
  await copyText(new URL(hash, document.baseURI).href)
  toast('Copied a link to this query')
}

/** Keeps text and address the same: a link brings its text, typing changes the address. */
function useAddress(): void {
  const { query, view } = route.value
  useEffect(() => {
    if (query.q === undefined || query.q === text.peek() || query.q === written.peek()) return
    remember({ text: text.peek() })
    text.value = query.q
    written.value = query.q
    explained.value = undefined
    run.value = undefined
  }, [query.q])
  useEffect(() => {
    if (query.run === '1' && !run.peek() && text.peek().trim() !== '')
      void launch({ sql: text.peek(), at: query.at, from: 0 })
  }, [query.q, query.run])
  useEffect(() => {
    const timer = setTimeout(() => {
      const q = text.value === '' || !fitsLink(text.value) ? undefined : text.value
      if (view !== 'sql' || route.peek().view !== 'sql' || route.peek().query.q === q) return
      written.value = q ?? ''
      setQuery({ q, run: run.peek()?.asked.sql === q ? route.peek().query.run : undefined })
    }, SETTLE_MS)
    return () => clearTimeout(timer)
  }, [text.value, view, query.q])
}

function useEscape(isRunning: boolean): void {
  useEffect(() => {
    if (!isRunning) return
    const pressed = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !event.defaultPrevented && !document.querySelector('dialog[open]')) cancel()
    }
    addEventListener('keydown', pressed)
    return () => removeEventListener('keydown', pressed)
  }, [isRunning])
}
