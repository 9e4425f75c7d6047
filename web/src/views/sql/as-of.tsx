/** Time travel: as of when a query reads its tables. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { call } from '../../api/api.ts'
import { Button, Dialog, Field } from '../../components/basics.tsx'
import { Icon } from '../../components/icons.tsx'
import { Combobox, type Suggestion } from '../../components/popups.tsx'
import * as format from '../../format.ts'
import { setQuery } from '../../route.ts'
import { tables } from '../../session.ts'
import { namedIn } from './schema.ts'

/** Says that a query reads an earlier state, and leads back. */
export function AsOfBanner({ at }: { at: string }): JSX.Element {
  return (
    <div class="sql-as-of">
      <Icon name="clock" />
      <span>
        Tables are read as of <strong class="mono">{at}</strong>
      </span>
      <Button onClick={() => setQuery({ at: undefined }, { push: true })}>Back to now</Button>
    </div>
  )
}

/** The question for the time or the snapshot. */
export function AsOfDialog({ at, text, onClose }: { at: string; text: string; onClose(): void }): JSX.Element {
  const [value, setValue] = useState(at)
  const take = (event: Event) => {
    event.preventDefault()
    setQuery({ at: value.trim() || undefined }, { push: true })
    onClose()
  }
  const footer = (
    <>
      <Button onClick={onClose}>Cancel</Button>
      <Button tone="primary" type="submit" form="sql-as-of">
        {value.trim() === '' ? 'Read the tables as of now' : 'Read the tables as of then'}
      </Button>
    </>
  )
  return (
    <Dialog title="As of when?" onClose={onClose} footer={footer}>
      <form id="sql-as-of" class="sql-as-of-form" onSubmit={take}>
        <Field
          label="A time, or a snapshot of a table"
          hint="2026-11-20 or 2026-11-20T09:30Z for all tables that have a history; TABLE=SNAPSHOT for one, with commas for several. Empty: now."
        >
          {(ids) => (
            <Combobox
              label="A time, or a snapshot of a table"
              {...ids}
              value={value}
              onChange={setValue}
              suggest={(typed, signal) => snapshotsOf(text, typed, signal)}
              placeholder="now"
            />
          )}
        </Field>
      </form>
    </Dialog>
  )
}

/** The snapshots of the tables that the text names, newest first. */
async function snapshotsOf(text: string, typed: string, signal: AbortSignal): Promise<Suggestion[]> {
  const managed = (tables.state.value.value ?? []).filter(({ kind }) => kind !== 'registered')
  const named = namedIn(
    text,
    managed.map(({ name }) => name),
  )
  const lists = await Promise.all(
    named.map(async (table) => {
      const snapshots = await call('snapshots', { params: { table }, signal })
      return snapshots.map(({ id, time }) => ({ table, id, time }))
    }),
  )
  return lists
    .flat()
    .sort((a, b) => Date.parse(b.time) - Date.parse(a.time))
    .map(({ table, id, time }) => ({ value: `${table}=${id}`, note: format.at(time) }))
    .filter(({ value }) => typed === '' || value.includes(typed))
    .slice(0, 50)
}
