/** What the SQL view says before anything was asked: queries to begin with. */
import type { JSX } from 'preact'
import { useResource } from '../../api/resource.ts'
import { Empty, ErrorBox, Ghost } from '../../components/basics.tsx'
import { Icon } from '../../components/icons.tsx'
import * as format from '../../format.ts'
import { hrefOf } from '../../route.ts'
import { describe, tables } from '../../session.ts'
import { type Example, examplesOf } from './examples.ts'

/** Most tables that examples are made of. */
const TABLES = 3

/** Queries over the largest tables; one click runs one. */
export function Examples({ onTake }: { onTake(example: Example): void }): JSX.Element {
  const { value: all, error } = tables.state.value
  const largest = (all ?? [])
    .filter((table) => !table.error)
    .toSorted((a, b) => b.rows - a.rows)
    .slice(0, TABLES)
    .map(({ name }) => name)
  const described = useResource(
    async () => await Promise.all(largest.map((name) => describe(name))),
    [largest.join('\n'), all],
  )
  if (error) return <ErrorBox error={error} onRetry={() => void tables.reload()} />
  if (!all || (!described.value && !described.error)) return <Ghost lines={6} height={60} />
  if (all.length === 0) return <First onTake={onTake} />
  if (described.error) return <ErrorBox error={described.error} onRetry={() => void described.reload()} />
  return (
    <section class="stack">
      <div>
        <h2>Begin with one of these</h2>
        <p class="quiet">They are made from the tables of this warehouse. A click runs one; then change it.</p>
      </div>
      {described.value!.map((table) => (
        <div key={table.name} class="stack" style={{ gap: 'var(--gap-2)' }}>
          <h3 class="row">
            <Icon name="table" /> {table.name} <span class="quiet small">{format.counted(table.rows, 'row')}</span>
          </h3>
          <ul class="sql-examples">
            {examplesOf(table).map((example) => (
              <li key={example.title}>
                <button type="button" class="card" onClick={() => onTake(example)}>
                  <span class="row apart">
                    <strong>{example.title}</strong>
                    <Icon name={example.tab ?? 'play'} />
                  </span>
                  <code>{example.sql}</code>
                </button>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </section>
  )
}

function First({ onTake }: { onTake(example: Example): void }): JSX.Element {
  const sql = 'SELECT i AS day, round(sin(i / 5), 3) AS height\nFROM range(100) AS t(i)'
  return (
    <Empty icon="terminal" title="No tables to ask yet">
      <p>
        <a href={hrefOf('tables')}>Import a file</a>, and the editor knows its tables and columns. Queries without
        tables run already:
      </p>
      <button type="button" class="button" onClick={() => onTake({ title: 'A wave', table: '', sql, tab: 'chart' })}>
        <Icon name="play" /> Draw a wave
      </button>
    </Empty>
  )
}
