/** Queries that were saved under a name, and the ways to take a query elsewhere. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ResponseOf } from '../../../../src/api/contract.ts'
import { addressOf, call } from '../../api/api.ts'
import { type ApiError, toApiError } from '../../api/errors.ts'
import { useResource } from '../../api/resource.ts'
import { token } from '../../api/token.ts'
import { Button, Dialog, Empty, ErrorBox, Field, Ghost, Tabs } from '../../components/basics.tsx'
import { ago } from '../../format.ts'
import { go, hrefOf } from '../../route.ts'
import { mayWrite } from '../../session.ts'
import { toast } from '../../toasts.ts'
import { type Json, printShort, readText } from './document.ts'
import { cliSnippet, curlSnippet, typescriptSnippet } from './snippets.ts'
import { answer, asked, keep } from './state.ts'

type Saved = ResponseOf<'savedQueries'>[number]

/** Asks for a name and saves the query under it. */
export function SaveDialog({ onClose }: { onClose(): void }): JSX.Element {
  const [name, setName] = useState('')
  const [error, setError] = useState<ApiError>()
  const { value: known } = useSavedQueries()
  const replaces = known?.some((saved) => saved.name === name.trim()) ?? false
  const submit = async (event: Event) => {
    event.preventDefault()
    if (!name.trim()) return
    const { table, query } = asked.peek()
    try {
      await call('saveQuery', {
        params: { name: name.trim() },
        body: { kind: 'query', table, text: printShort(query) },
      })
      toast(`Saved as “${name.trim()}”.`)
      onClose()
    } catch (cause) {
      setError(toApiError(cause))
    }
  }
  return (
    <Dialog title="Save this query" onClose={onClose}>
      <form class="stack" onSubmit={(event) => void submit(event)}>
        <Field
          label="Name"
          hint={
            replaces ? 'A saved query has this name; it is replaced.' : 'Everybody who uses this warehouse sees it.'
          }
        >
          {(ids) => (
            <input
              class="input"
              autoComplete="off"
              {...ids}
              value={name}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        {error && <ErrorBox error={error} />}
        <div class="row" style={{ justifyContent: 'flex-end' }}>
          <Button tone="primary" type="submit" disabled={!name.trim()}>
            {replaces ? 'Replace' : 'Save'}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function useSavedQueries() {
  return useResource(
    async (signal) => (await call('savedQueries', { signal })).filter(({ kind }) => kind === 'query'),
    [],
  )
}

/** The saved behavioural queries, to be opened or removed. */
export function OpenDialog({ onClose }: { onClose(): void }): JSX.Element {
  const { value, error, reload } = useSavedQueries()
  const open = (saved: Saved) => {
    const table = saved.table ?? asked.peek().table
    try {
      keep()
      go(hrefOf('behaviour', [table], { q: printShort(queryOf(saved)) }))
      onClose()
    } catch (cause) {
      toast(`“${saved.name}” cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, 'bad')
    }
  }
  const remove = async ({ name }: Saved) => {
    try {
      await call('removeSavedQuery', { params: { name } })
      toast(`Removed “${name}”.`)
    } catch (cause) {
      toast(toApiError(cause).message, 'bad')
    }
    await reload()
  }
  return (
    <Dialog title="Saved queries" onClose={onClose}>
      {error && <ErrorBox error={error} onRetry={() => void reload()} />}
      {!value && !error && <Ghost lines={3} />}
      {value?.length === 0 && (
        <Empty icon="save" title="Nothing is saved yet">
          <p class="quiet">Build a query, then choose Save. Everybody who uses this warehouse finds it here.</p>
        </Empty>
      )}
      {value && value.length > 0 && (
        <ul class="bh-saved">
          {value.map((saved) => (
            <li key={saved.name}>
              <button type="button" class="option" onClick={() => open(saved)}>
                <span class="truncate">{saved.name}</span>
                <span class="option-note">
                  {[saved.table, saved.savedAt && ago(saved.savedAt)].filter(Boolean).join(' · ')}
                </span>
              </button>
              {mayWrite.value && (
                <Button tone="quiet" icon="close" label={`Remove ${saved.name}`} onClick={() => void remove(saved)} />
              )}
            </li>
          ))}
        </ul>
      )}
    </Dialog>
  )
}

function queryOf(saved: Saved): Json {
  const { query, text } = saved as { query?: unknown; text?: string }
  if (typeof query === 'object' && query !== null) return readText(JSON.stringify(query))
  return readText(typeof query === 'string' ? query : (text ?? ''))
}

const WAYS = [
  { value: 'cli', label: 'Command line' },
  { value: 'typescript', label: 'TypeScript' },
  { value: 'curl', label: 'curl' },
] as const

type Way = (typeof WAYS)[number]['value']

/** The query as text for elsewhere. */
export function CopyDialog({ onClose }: { onClose(): void }): JSX.Element {
  const [way, setWay] = useState<Way>('cli')
  const now = asked.value
  const { table, at, pool } = now
  const address = addressOf('query', {
    params: { table },
    query: { ...(at !== undefined && { at }), ...(pool !== undefined && { pool }) },
  })
  const texts: Record<Way, string> = {
    cli: cliSnippet(now),
    typescript: typescriptSnippet(now),
    curl: curlSnippet(now, address, token.value !== ''),
  }
  const notes: Record<Way, string> = {
    cli: 'Run it where the warehouse is, or add --warehouse FOLDER.',
    typescript: 'A program for Node; put the folder of the warehouse into open().',
    curl:
      token.value === '' ? 'A request to this server.' : 'A request to this server; SKEP_TOKEN has to be your token.',
  }
  return (
    <Dialog title="Use this query elsewhere" wide onClose={onClose}>
      <Tabs label="Ways to use the query" tabs={WAYS} value={way} onChange={(next) => setWay(next)}>
        <div class="stack" style={{ paddingTop: 'var(--gap-3)', gap: 'var(--gap-3)' }}>
          <pre class="bh-snippet" tabIndex={0}>
            {texts[way]}
          </pre>
          <div class="row apart">
            <span class="small quiet">{notes[way]}</span>
            <Button tone="primary" icon="copy" onClick={() => void copy(texts[way])}>
              Copy
            </Button>
          </div>
        </div>
      </Tabs>
    </Dialog>
  )
}

/** Puts the address of this query, which holds all of it, where it can be pasted. */
export async function copyLink(): Promise<void> {
  keep()
  await copy(location.href, 'The link is copied. It holds the table and the query.')
}

async function copy(text: string, done = 'Copied.'): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    toast(done)
  } catch {
    toast('This browser does not let the page copy. Choose the text and copy it yourself.', 'bad')
  }
}

/** Gives the answer as a file. */
export function downloadAnswer(): void {
  const now = answer.peek()
  if (!now) return
  const address = URL.createObjectURL(
    new Blob([`${JSON.stringify(now.result, undefined, 2)}\n`], { type: 'application/json' }),
  )
  const link = document.createElement('a')
  link.href = address
  link.download = `${now.asked.table}-answer.json`
  link.click()
  URL.revokeObjectURL(address)
}
