/** The tables view: `#/tables` lists, `#/tables/TABLE?tab=…&column=…&at=SNAPSHOT` shows one. */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { Badge, Button, Empty, ErrorBox, Ghost, SearchField, Stat, Stats } from '../../components/basics.tsx'
import { Icon } from '../../components/icons.tsx'
import * as format from '../../format.ts'
import { go, hrefOf, route } from '../../route.ts'
import { mayWrite, session, type TableSummary, tables } from '../../session.ts'
import { chooseFiles } from './import-state.ts'
import { TablePage } from './table-page.tsx'
import './tables.css'

/** All tables, or the one that the address names. */
export function TablesView(): JSX.Element {
  const [table] = route.value.path
  if (table === undefined) return <Overview />
  return (
    <div class="tables-split">
      <SideList chosen={table} />
      <TablePage key={table} table={table} />
    </div>
  )
}

function Overview(): JSX.Element {
  const search = useSignal('')
  const { value, error } = tables.state.value
  const shown = value?.filter((table) => fits(table, search.value))
  return (
    <div class="view">
      <div class="row apart">
        <h1>Tables</h1>
        {mayWrite.value && value && value.length > 0 && (
          <Button tone="primary" icon="upload" onClick={() => chooseFiles()}>
            Import files
          </Button>
        )}
      </div>
      {error && <ErrorBox error={error} onRetry={() => void tables.reload()} />}
      {!value && !error && <Ghost lines={7} height={38} />}
      {value?.length === 0 && <FirstSteps />}
      {shown && value && value.length > 0 && (
        <>
          <Sums tables={value} />
          <div class="tables-search">
            <SearchField label="Search tables" value={search.value} onInput={(text) => (search.value = text)} />
          </div>
          {shown.length > 0 ? <TableOfTables tables={shown} /> : <Nothing text={search.value} />}
        </>
      )}
    </div>
  )
}

function fits({ name }: TableSummary, text: string): boolean {
  return name.toLowerCase().includes(text.trim().toLowerCase())
}

function Nothing({ text }: { text: string }): JSX.Element {
  return <p class="quiet">No table’s name has “{text}” in it.</p>
}

function Sums({ tables }: { tables: readonly TableSummary[] }): JSX.Element {
  const sum = (key: 'rows' | 'bytes' | 'files') => tables.reduce((total, table) => total + table[key], 0)
  return (
    <Stats>
      <Stat label="Tables">{format.number(tables.length)}</Stat>
      <Stat label="Rows" title={format.number(sum('rows'))}>
        {format.short(sum('rows'))}
      </Stat>
      <Stat label="Size">{format.bytes(sum('bytes'))}</Stat>
      <Stat label="Files">{format.number(sum('files'))}</Stat>
    </Stats>
  )
}

function TableOfTables({ tables }: { tables: readonly TableSummary[] }): JSX.Element {
  return (
    <section class="card scroller" tabIndex={0} aria-label="Tables of the warehouse">
      <table class="table tables-list">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col" class="roomy">
              Kind
            </th>
            <th scope="col" class="roomy">
              Actor
            </th>
            <th scope="col" class="roomy">
              Time
            </th>
            <th scope="col" class="number roomy">
              Columns
            </th>
            <th scope="col" class="number">
              Rows
            </th>
            <th scope="col" class="number">
              Size
            </th>
          </tr>
        </thead>
        <tbody>
          {tables.map((table) => (
            <TableRow key={table.name} table={table} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function TableRow({ table }: { table: TableSummary }): JSX.Element {
  const href = hrefOf('tables', [table.name])
  return (
    <tr data-link onClick={() => go(href)}>
      <td>
        <a class="tables-name" href={href} onClick={(event) => event.stopPropagation()}>
          {table.name}
        </a>
        {table.error && <span class="tables-error">{table.error.message}</span>}
      </td>
      <td class="roomy">
        <KindBadge table={table} />
      </td>
      <td class="mono roomy">{table.actor ?? <span class="quiet">–</span>}</td>
      <td class="mono roomy">{table.time ?? <span class="quiet">–</span>}</td>
      <td class="number roomy">{format.number(table.columns)}</td>
      <td class="number">{format.number(table.rows)}</td>
      <td class="number">{format.bytes(table.bytes)}</td>
    </tr>
  )
}

const KINDS: Record<TableSummary['kind'], string> = {
  managed: 'Its files belong to this warehouse; imports add to it',
  registered: 'A folder of Parquet files, read in place',
  attached: 'A table that others write, read in place',
  unknown: 'It cannot be read',
}

/** What kind of table it is. */
export function KindBadge({ table }: { table: Pick<TableSummary, 'kind' | 'format'> }): JSX.Element {
  return (
    <Badge tone={table.kind === 'unknown' ? 'bad' : undefined} title={KINDS[table.kind]}>
      {table.kind === 'attached' && table.format ? `attached ${table.format}` : table.kind}
    </Badge>
  )
}

function FirstSteps(): JSX.Element {
  const name = session.state.value.value?.warehouse ?? '.skep'
  return (
    <div class="card tables-first">
      <Empty icon="upload" title="This warehouse has no tables yet">
        <p class="quiet">
          Drop a Parquet, CSV or NDJSON file anywhere on this page. It becomes a table that SQL and behavioural queries
          can ask.
        </p>
        {mayWrite.value && (
          <Button tone="primary" icon="upload" onClick={() => chooseFiles()}>
            Choose files
          </Button>
        )}
        <p class="quiet small">Or on the command line, for the warehouse “{name}”:</p>
        <pre>skep import events.csv --table events --actor user_id --time ts</pre>
        <p class="quiet small">
          To look around with real data first, run <code>skep demo --keep --serve</code>.
        </p>
      </Empty>
    </div>
  )
}

function SideList({ chosen }: { chosen: string }): JSX.Element {
  const search = useSignal('')
  const { value = [] } = tables.state.value
  const shown = value.filter((table) => fits(table, search.value))
  return (
    <nav class="tables-side" aria-label="Tables">
      <a class="tables-all" href={hrefOf('tables')}>
        <Icon name="back" /> All tables
      </a>
      <SearchField label="Search tables" value={search.value} onInput={(text) => (search.value = text)} />
      <ul>
        {shown.map(({ name, rows }) => (
          <li key={name}>
            <a href={hrefOf('tables', [name])} aria-current={name === chosen ? 'page' : undefined}>
              <span class="truncate">{name}</span>
              <span class="option-note" title={format.counted(rows, 'row')}>
                {format.short(rows)}
              </span>
            </a>
          </li>
        ))}
      </ul>
      {shown.length === 0 && value.length > 0 && <Nothing text={search.value} />}
    </nav>
  )
}
