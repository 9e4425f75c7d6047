/** The history of a table: every state can be looked at. */
import type { JSX } from 'preact'
import type { ResponseOf } from '../../../../src/api/contract.ts'
import { call } from '../../api/api.ts'
import { useResource } from '../../api/resource.ts'
import { Badge, Button, ErrorBox, Ghost } from '../../components/basics.tsx'
import { Icon } from '../../components/icons.tsx'
import * as format from '../../format.ts'
import { hrefOf, setQuery } from '../../route.ts'
import { tablesVersion } from '../../session.ts'

type Snapshot = ResponseOf<'snapshots'>[number]

/** The snapshots tab. */
export function SnapshotsTab({ table, at }: { table: string; at: string | undefined }): JSX.Element {
  const { value, error, reload } = useResource(
    (signal) => call('snapshots', { params: { table }, signal }),
    [table],
    tablesVersion.value,
  )
  if (error) return <ErrorBox error={error} onRetry={() => void reload()} />
  if (!value) return <Ghost lines={5} height={56} />
  if (value.length === 0) return <p class="quiet">There is no history yet: the first import begins it.</p>
  const newest = value.at(-1)!
  const shown = at ?? String(newest.id)
  return (
    <ol class="card history">
      {value.toReversed().map((snapshot) => (
        <Entry
          key={snapshot.id}
          table={table}
          snapshot={snapshot}
          isNewest={snapshot === newest}
          isShown={String(snapshot.id) === shown}
        />
      ))}
    </ol>
  )
}

const VERBS: Record<Snapshot['operation'], string> = {
  append: 'Rows added',
  overwrite: 'Rows replaced',
  replace: 'Files rewritten',
  delete: 'Rows deleted',
  unknown: 'Changed',
}

function Entry({
  table,
  snapshot,
  isNewest,
  isShown,
}: {
  table: string
  snapshot: Snapshot
  isNewest: boolean
  isShown: boolean
}): JSX.Element {
  const { id, time, operation, summary } = snapshot
  const figure = (name: string) => (summary[name] === undefined ? undefined : Number(summary[name]))
  const added = figure('added-records')
  const deleted = figure('deleted-records')
  const total = figure('total-records')
  return (
    <li data-chosen={isShown || undefined}>
      <span class="history-mark" aria-hidden="true" />
      <div class="history-what">
        <div class="row">
          <strong>{VERBS[operation]}</strong>
          {isNewest && <Badge tone="good">now</Badge>}
          {!!added && <span class="number">+{format.counted(added, 'row')}</span>}
          {!!deleted && <span class="number">−{format.counted(deleted, 'row')}</span>}
        </div>
        <p class="quiet small">
          <time dateTime={time} title={time}>
            {format.at(time)}, {format.ago(time)}
          </time>
          {total !== undefined && ` · ${format.counted(total, 'row')} in all`} · <span class="mono">{id}</span>
        </p>
      </div>
      <div class="row">
        <a class="button" href={hrefOf('sql', [], sqlAt(table, id))}>
          <Icon name="terminal" /> SQL
        </a>
        <Button
          disabled={isShown}
          onClick={() => setQuery({ at: isNewest ? undefined : String(id), tab: 'preview' }, { push: true })}
        >
          {isShown ? 'Shown' : 'Look at it'}
        </Button>
      </div>
    </li>
  )
}

function sqlAt(table: string, id: Snapshot['id']): { q: string; at: string } {
  return { q: `SELECT *\nFROM ${format.identifier(table)}\nLIMIT 100`, at: `${table}=${id}` }
}
