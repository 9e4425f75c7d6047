/** Queries of before: those that ran, and those that were saved under a name. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ResponseOf } from '../../../../src/api/contract.ts'
import { call } from '../../api/api.ts'
import { toApiError } from '../../api/errors.ts'
import { useResource } from '../../api/resource.ts'
import { Badge, Button, Dialog, ErrorBox, Field, Ghost, SearchField, Tabs } from '../../components/basics.tsx'
import * as format from '../../format.ts'
import { mayWrite, session } from '../../session.ts'
import { toast } from '../../toasts.ts'
import { type Past, pasts } from './state.ts'

type Record = ResponseOf<'queries'>[number]
type Saved = ResponseOf<'savedQueries'>[number]

const LISTED = 300

/** Puts a query into the editor. */
export type Load = (past: Pick<Past, 'text' | 'at'>) => void

/** The dialog of earlier queries. */
export function LibraryDialog({ onLoad, onClose }: { onLoad: Load; onClose(): void }): JSX.Element {
  const [tab, setTab] = useState<'ran' | 'saved'>('ran')
  const [search, setSearch] = useState('')
  const load: Load = (past) => {
    onClose()
    onLoad(past)
  }
  const tabs = [
    { value: 'ran', label: 'Yours' },
    { value: 'saved', label: 'Saved' },
  ] as const
  return (
    <Dialog title="Queries" wide onClose={onClose}>
      <SearchField label="Search in queries" value={search} onInput={setSearch} />
      <Tabs label="Which queries" tabs={tabs} value={tab} onChange={(value) => setTab(value)}>
        {tab === 'ran' ? <Ran search={search} onLoad={load} /> : <SavedList search={search} onLoad={load} />}
      </Tabs>
    </Dialog>
  )
}

/** A query that ran, as far as one of both sides knows of it. */
interface Entry extends Past {
  record?: Record
}

function Ran({ search, onLoad }: { search: string; onLoad: Load }): JSX.Element {
  const { value, error, reload } = useResource((signal) => call('queries', { query: { limit: LISTED }, signal }), [])
  const who = session.state.value.value?.who
  const entries = entriesOf(pasts.value, value ?? [], who).filter(({ text }) => matches(text, search))
  return (
    <div class="stack" style={{ gap: 'var(--gap-3)' }}>
      {error && <ErrorBox error={error} onRetry={() => void reload()} />}
      {!value && !error && entries.length === 0 && <Ghost lines={4} height={52} />}
      {value && entries.length === 0 && (
        <p class="quiet">
          {search ? 'No query has this in its text.' : 'Run a query, and it is here to be run again.'}
        </p>
      )}
      <ul class="sql-list">
        {entries.map((entry) => (
          <li key={`${entry.text}\n${entry.at ?? ''}`}>
            <button type="button" onClick={() => onLoad(entry)}>
              <code>{entry.text}</code>
              <span class="quiet small row">
                {format.ago(entry.time)}
                {entry.at && <Badge tone="accent">as of {entry.at}</Badge>}
                {entry.record && <Outcome record={entry.record} />}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  )
}

function Outcome({ record: { state, ms, bytes } }: { record: Record }): JSX.Element {
  return (
    <>
      <Badge tone={state === 'failed' ? 'bad' : state === 'done' ? 'good' : undefined}>{state}</Badge>
      {ms !== undefined && <span>{format.duration(ms)}</span>}
      {!!bytes && <span>{format.bytes(bytes)} read</span>}
    </>
  )
}

/** Each text once, newest first: what this browser remembers, and what the server knows of whoever asks. */
function entriesOf(local: readonly Past[], records: readonly Record[], who: string | undefined): Entry[] {
  const own = records.filter((record) => record.kind === 'sql' && record.who === who)
  const byText = new Map<string, Entry>()
  for (const past of local) byText.set(past.text, { ...past })
  for (const record of own) {
    const known = byText.get(record.text)
    if (!known) byText.set(record.text, { text: record.text, time: record.startedAt, record })
    else if (!known.record) byText.set(record.text, { ...known, record })
  }
  return [...byText.values()].sort((a, b) => Date.parse(b.time) - Date.parse(a.time))
}

function SavedList({ search, onLoad }: { search: string; onLoad: Load }): JSX.Element {
  const { value, error, reload } = useResource((signal) => call('savedQueries', { signal }), [])
  const removing = useSignal<string | undefined>(undefined)
  const failed = useSignal<unknown>(undefined)
  if (error) return <ErrorBox error={error} onRetry={() => void reload()} />
  if (!value) return <Ghost lines={4} height={52} />
  const list = value.filter(
    (saved) => saved.kind === 'sql' && matches(`${saved.name} ${saved.description ?? ''} ${saved.text ?? ''}`, search),
  )
  const remove = async (name: string) => {
    try {
      await call('removeSavedQuery', { params: { name } })
      removing.value = undefined
      toast(`Removed ${name}`)
      await reload()
    } catch (cause) {
      failed.value = cause
    }
  }
  return (
    <div class="stack" style={{ gap: 'var(--gap-3)' }}>
      {failed.value !== undefined && <ErrorBox error={toApiError(failed.value)} />}
      {list.length === 0 && (
        <p class="quiet">
          {search
            ? 'No saved query has this in it.'
            : 'Save a query under a name, and everybody of this warehouse finds it here.'}
        </p>
      )}
      <ul class="sql-list">
        {list.map((saved) => (
          <li key={saved.name}>
            <button type="button" disabled={saved.text === undefined} onClick={() => onLoad({ text: saved.text! })}>
              <strong>{saved.name}</strong>
              {saved.description && <span>{saved.description}</span>}
              <code>{saved.text ?? saved.error?.message}</code>
              {saved.savedAt && <span class="quiet small">saved {format.ago(saved.savedAt)}</span>}
            </button>
            {mayWrite.value && (
              <Remove
                saved={saved}
                isAsked={removing.value === saved.name}
                onAsk={(asked) => {
                  removing.value = asked ? saved.name : undefined
                }}
                onRemove={() => void remove(saved.name)}
              />
            )}
          </li>
        ))}
      </ul>
    </div>
  )
}

function Remove({
  saved,
  isAsked,
  onAsk,
  onRemove,
}: {
  saved: Saved
  isAsked: boolean
  onAsk(asked: boolean): void
  onRemove(): void
}): JSX.Element {
  if (!isAsked) return <Button tone="quiet" icon="close" label={`Remove ${saved.name}`} onClick={() => onAsk(true)} />
  return (
    <span class="row sql-sure" role="group" aria-label={`Remove ${saved.name}?`}>
      <Button onClick={() => onAsk(false)}>Keep</Button>
      <Button tone="danger" onClick={onRemove}>
        Remove
      </Button>
    </span>
  )
}

function matches(text: string, search: string): boolean {
  return text.toLowerCase().includes(search.trim().toLowerCase())
}

/** The question for the name that a query is saved under. */
export function SaveDialog({ text, onClose }: { text: string; onClose(): void }): JSX.Element {
  const { value } = useResource((signal) => call('savedQueries', { signal }), [])
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const failed = useSignal<unknown>(undefined)
  const isTaken = value?.some((saved) => saved.name === name.trim()) ?? false
  const save = async (event: Event) => {
    event.preventDefault()
    try {
      const body = { kind: 'sql' as const, text, ...(description.trim() && { description: description.trim() }) }
      await call('saveQuery', { params: { name: name.trim() }, body })
      onClose()
      toast(`Saved as ${name.trim()}`)
    } catch (cause) {
      failed.value = cause
    }
  }
  const footer = (
    <>
      <Button onClick={onClose}>Cancel</Button>
      <Button tone={isTaken ? 'danger' : 'primary'} type="submit" form="sql-save" disabled={name.trim() === ''}>
        {isTaken ? 'Replace it' : 'Save'}
      </Button>
    </>
  )
  return (
    <Dialog title="Save this query" onClose={onClose} footer={footer}>
      <form id="sql-save" class="stack" onSubmit={(event) => void save(event)}>
        <Field
          label="Name"
          hint={
            isTaken
              ? 'A query of this name is there already: saving replaces it.'
              : 'Everybody who may ask this warehouse finds it under this name.'
          }
        >
          {(ids) => (
            <input class="input" {...ids} value={name} onInput={(event) => setName(event.currentTarget.value)} />
          )}
        </Field>
        <Field label="What it tells (may stay empty)">
          {(ids) => (
            <input
              class="input"
              {...ids}
              value={description}
              onInput={(event) => setDescription(event.currentTarget.value)}
            />
          )}
        </Field>
        <pre class="sql-text" tabIndex={0}>
          {text}
        </pre>
      </form>
      {failed.value !== undefined && <ErrorBox error={toApiError(failed.value)} />}
    </Dialog>
  )
}
