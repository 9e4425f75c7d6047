/** One table: what it is, and its columns, files, snapshots and first rows, now or as of a snapshot. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { call } from '../../api/api.ts'
import { toApiError } from '../../api/errors.ts'
import { useResource } from '../../api/resource.ts'
import { Badge, Button, Dialog, ErrorBox, Ghost, Stat, Stats, Tabs } from '../../components/basics.tsx'
import { Icon } from '../../components/icons.tsx'
import { Menu, type MenuItem } from '../../components/popups.tsx'
import * as format from '../../format.ts'
import { go, hrefOf, route, setQuery } from '../../route.ts'
import { describe, forgetTables, mayWrite, type TableDescription, tablesVersion } from '../../session.ts'
import { toast } from '../../toasts.ts'
import { ColumnsTab } from './columns.tsx'
import { FilesTab } from './files.tsx'
import { chooseFiles } from './import-state.ts'
import { KindBadge } from './index.tsx'
import { PreviewTab } from './preview.tsx'
import { SnapshotsTab } from './snapshots.tsx'

type TabName = 'columns' | 'preview' | 'files' | 'snapshots'

/** The page of a table. */
export function TablePage({ table }: { table: string }): JSX.Element {
  const { query } = route.value
  const { at } = query
  const { value, error, reload } = useResource(() => describe(table, at), [table, at], tablesVersion.value)
  return (
    <div class="view tables-page">
      <a class="tables-back" href={hrefOf('tables')}>
        <Icon name="back" /> Tables
      </a>
      {error ? <h1 class="tables-title">{table}</h1> : <Head table={table} described={value} at={at} />}
      {at !== undefined && <StateBanner at={at} table={table} />}
      {error && (
        <>
          <ErrorBox error={error} onRetry={() => void reload()} />
          <p>
            <a href={hrefOf('tables')}>All tables</a>
          </p>
        </>
      )}
      {!value && !error && <Ghost lines={8} height={32} />}
      {value && <Parts described={value} at={at} />}
    </div>
  )
}

function Parts({ described, at }: { described: TableDescription; at: string | undefined }): JSX.Element {
  const managed = described.kind !== 'registered'
  const tabs: { value: TabName; label: string; count?: string }[] = [
    { value: 'columns', label: 'Columns', count: format.number(described.columns.length) },
    { value: 'preview', label: 'Preview' },
    { value: 'files', label: 'Files', count: format.number(described.files) },
    ...(managed ? [{ value: 'snapshots' as const, label: 'Snapshots' }] : []),
  ]
  const asked = route.value.query.tab
  const tab = tabs.find(({ value }) => value === asked)?.value ?? 'columns'
  return (
    <Tabs
      label={`Parts of ${described.name}`}
      tabs={tabs}
      value={tab}
      onChange={(value) => setQuery({ tab: value === 'columns' ? undefined : value })}
    >
      {tab === 'columns' && <ColumnsTab described={described} at={at} />}
      {tab === 'preview' && <PreviewTab described={described} at={at} />}
      {tab === 'files' && <FilesTab described={described} at={at} />}
      {tab === 'snapshots' && <SnapshotsTab table={described.name} at={at} />}
    </Tabs>
  )
}

function Head({
  table,
  described,
  at,
}: {
  table: string
  described: TableDescription | undefined
  at: string | undefined
}): JSX.Element {
  const sql = `SELECT *\nFROM ${format.identifier(table)}\nLIMIT 100`
  return (
    <header class="stack">
      <div class="row apart">
        <div class="row" style={{ minWidth: 0 }}>
          <h1 class="tables-title">{table}</h1>
          {described && <KindBadge table={described} />}
        </div>
        <div class="row">
          <a class="button" href={hrefOf('sql', [], { q: sql, at: at && `${table}=${at}` })}>
            <Icon name="terminal" /> Open in SQL
          </a>
          {described?.keys.actor && (
            <a class="button" href={hrefOf('behaviour', [table], { at })}>
              <Icon name="funnel" /> Behaviour
            </a>
          )}
          {mayWrite.value && described && <Actions described={described} />}
        </div>
      </div>
      {described?.comment && <p class="quiet">{described.comment}</p>}
      <Figures described={described} />
    </header>
  )
}

function Figures({ described }: { described: TableDescription | undefined }): JSX.Element {
  const keys = described?.keys
  return (
    <Stats>
      <Stat label="Rows">{described ? format.number(described.rows) : '…'}</Stat>
      <Stat label="Size">{described ? format.bytes(described.bytes) : '…'}</Stat>
      <Stat label="Files">{described ? format.number(described.files) : '…'}</Stat>
      {keys?.actor && (
        <Stat label="Actor" title="Who acts: the key of behavioural queries">
          {keys.actor}
        </Stat>
      )}
      {keys?.time && <Stat label="Time">{keys.timeUnit ? `${keys.time} (${keys.timeUnit})` : keys.time}</Stat>}
      {described && described.partitioning.length > 0 && (
        <Stat label="Partitioned by">{described.partitioning.join(', ')}</Stat>
      )}
    </Stats>
  )
}

function StateBanner({ at, table }: { at: string; table: string }): JSX.Element {
  const { value } = useResource(
    (signal) => call('snapshots', { params: { table }, signal }),
    [table],
    tablesVersion.value,
  )
  const snapshot = value?.find(({ id }) => String(id) === at)
  return (
    <div class="tables-state" role="status">
      <Icon name="clock" />
      <span>
        You look at the table as it was {snapshot ? format.at(snapshot.time) : 'then'}{' '}
        <span class="quiet">(snapshot {at})</span>
      </span>
      <Button onClick={() => setQuery({ at: undefined }, { push: true })}>Back to now</Button>
    </div>
  )
}

function Actions({ described }: { described: TableDescription }): JSX.Element {
  const asks = useSignal(false)
  const { name, kind } = described
  const verb = kind === 'managed' ? 'Drop' : 'Forget'
  const items: MenuItem[] = [
    ...(kind === 'managed' ? [{ label: 'Import files into it…', run: () => chooseFiles(name) }] : []),
    { label: `${verb} table…`, tone: 'danger', run: () => (asks.value = true) },
  ]
  return (
    <>
      <Menu label={`More for ${name}`} items={items} />
      {asks.value && <RemoveDialog described={described} verb={verb} onClose={() => (asks.value = false)} />}
    </>
  )
}

function RemoveDialog({
  described: { name, kind, rows },
  verb,
  onClose,
}: {
  described: TableDescription
  verb: string
  onClose(): void
}): JSX.Element {
  const error = useSignal<unknown>(undefined)
  const remove = async () => {
    try {
      await call('remove', { params: { table: name }, query: kind === 'managed' ? { drop: true } : {} })
      onClose()
      go(hrefOf('tables'))
      toast(kind === 'managed' ? `Dropped ${name}` : `Forgot ${name}; its files are where they were`)
      await forgetTables()
    } catch (cause) {
      error.value = cause
    }
  }
  const footer = (
    <>
      <Button onClick={onClose}>Keep it</Button>
      <Button tone="danger" onClick={() => void remove()}>
        {verb} {name}
      </Button>
    </>
  )
  return (
    <Dialog title={`${verb} ${name}?`} onClose={onClose} footer={footer}>
      {kind === 'managed' ? (
        <p>
          Its {format.counted(rows, 'row')} and its history go with it. <Badge tone="bad">This cannot be undone</Badge>
        </p>
      ) : (
        <p>The warehouse forgets the table. Its files stay where they are.</p>
      )}
      {error.value !== undefined && <ErrorBox error={toApiError(error.value)} />}
    </Dialog>
  )
}
