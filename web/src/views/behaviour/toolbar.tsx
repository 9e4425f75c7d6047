/** The line above a behavioural query: which table, as of when, where it runs, and what to do with the query. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { call } from '../../api/api.ts'
import { useResource } from '../../api/resource.ts'
import { Button } from '../../components/basics.tsx'
import { Menu } from '../../components/popups.tsx'
import { at as timeOf } from '../../format.ts'
import { go, hrefOf, route, setQuery } from '../../route.ts'
import { mayWrite, type TableSummary } from '../../session.ts'
import { Choice } from './parts.tsx'
import { CopyDialog, copyLink, downloadAnswer, OpenDialog, SaveDialog } from './saved.tsx'
import * as state from './state.ts'

/** Whether a table says who and when. */
export function hasKeys({ actor, time }: { actor?: string | undefined; time?: string | undefined }): boolean {
  return actor !== undefined && time !== undefined
}

/** A choice among the tables that say who and when. */
export function TableChoice({ name, list }: { name: string; list: readonly TableSummary[] }): JSX.Element {
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

/** The line above a query. */
export function Toolbar({ name, list }: { name: string; list: readonly TableSummary[] }): JSX.Element {
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
