/** What the server does for a query: the files that it reads and leaves out, where it runs, and the engine's plan. */
import type { JSX } from 'preact'
import { useResource } from '../../api/resource.ts'
import { Badge, Bar, ErrorBox, Ghost, Stat, Stats } from '../../components/basics.tsx'
import { Icon } from '../../components/icons.tsx'
import * as format from '../../format.ts'
import { hrefOf } from '../../route.ts'
import { type Explanation, explain, type Stage } from './run.ts'
import type { Asked } from './state.ts'

/** The plan tab. */
export function PlanTab({ asked }: { asked: Asked }): JSX.Element {
  const { value, error, reload } = useResource((signal) => explain(asked, signal), [asked.sql, asked.at])
  if (error) return <ErrorBox error={error} onRetry={() => void reload()} />
  if (!value) return <Ghost lines={8} height={30} />
  return (
    <div class="stack">
      <Where plan={value} />
      <Tables plan={value} />
      {value.stages && <Stages stages={value.stages} isUsed={value.divided} />}
      <section class="stack sql-part">
        <h2>{value.divided ? 'The engine’s plan of what is run last' : 'The engine’s plan'}</h2>
        <pre class="sql-plan card" tabIndex={0}>
          {value.plan}
        </pre>
      </section>
    </div>
  )
}

function Where({ plan: { pool, divided, why, tables } }: { plan: Explanation }): JSX.Element {
  const total = (of: (table: Explanation['tables'][number]) => number) =>
    tables.reduce((sum, table) => sum + of(table), 0)
  const files = total((table) => table.files)
  const pruned = total((table) => table.filesPruned)
  return (
    <section class="stack sql-part">
      <Stats>
        <Stat label="Files to read">{format.number(files)}</Stat>
        <Stat label="Files left out" title="Partitions and statistics show that no row of them can be in the result">
          {format.number(pruned)}
          {pruned > 0 && <small class="quiet"> of {format.number(files + pruned)}</small>}
        </Stat>
        <Stat label="Size">{format.bytes(total((table) => table.bytes))}</Stat>
        <Stat label="Rows in them">{format.number(total((table) => table.rows))}</Stat>
        <Stat label="Pool">{pool}</Stat>
      </Stats>
      <p>
        <Badge tone={divided ? 'accent' : undefined}>{divided ? 'Divided into tasks' : 'Not divided'}</Badge>{' '}
        <span class="quiet">{why}</span>
      </p>
    </section>
  )
}

function Tables({ plan: { tables } }: { plan: Explanation }): JSX.Element {
  if (tables.length === 0) return <p class="quiet">The query reads no table.</p>
  return (
    <section class="stack sql-part">
      <h2>Tables</h2>
      <div class="card scroller" tabIndex={0}>
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Table</th>
              <th scope="col">Files</th>
              <td class="sql-share" />
              <th scope="col" class="number">
                Rows
              </th>
              <th scope="col" class="number">
                Size
              </th>
            </tr>
          </thead>
          <tbody>
            {tables.map(({ table, files, filesPruned, rows, bytes, snapshotId }) => (
              <tr key={table}>
                <td>
                  <a href={hrefOf('tables', [table])}>{table}</a>
                  {snapshotId !== undefined && <span class="quiet small mono sql-snapshot"> as of {snapshotId}</span>}
                </td>
                <td>
                  {format.number(files)} read, {format.number(filesPruned)} left out
                </td>
                <td class="sql-share">{files + filesPruned > 0 && <Bar share={files / (files + filesPruned)} />}</td>
                <td class="number">{format.number(rows)}</td>
                <td class="number">{format.bytes(bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  )
}

function Stages({ stages, isUsed }: { stages: readonly Stage[]; isUsed: boolean }): JSX.Element {
  return (
    <section class="stack sql-part">
      <h2>Stages</h2>
      {!isUsed && <p class="quiet">How it could be divided, where that were faster:</p>}
      <ol class="card sql-stages">
        {stages.map(({ id, does, tasks, work, enoughRows }) => {
          const rows = tasks.reduce((sum, task) => sum + task.rows, 0)
          return (
            <li key={id}>
              <div class="row">
                <Icon name="table" />
                <strong class="mono">{id}</strong>
                <span class="quiet">
                  {format.counted(tasks.length, 'task')}
                  {rows > 0 && `, ${format.counted(rows, 'row')}`}
                  {enoughRows !== undefined && `, until the first tasks have ${format.counted(enoughRows, 'row')}`}
                </span>
              </div>
              <p>{does}</p>
              {work.sql && (
                <details>
                  <summary>Its SQL</summary>
                  <pre class="sql-text" tabIndex={0}>
                    {work.sql}
                  </pre>
                </details>
              )}
            </li>
          )
        })}
      </ol>
    </section>
  )
}
