/** The columns of a table, and how the values of the chosen one are distributed. */
import type { JSX } from 'preact'
import { useRef } from 'preact/hooks'
import { Badge, Bar } from '../../components/basics.tsx'
import * as format from '../../format.ts'
import { route, setQuery } from '../../route.ts'
import type { TableDescription } from '../../session.ts'
import { Distribution } from './distribution.tsx'
import { boundText } from './histogram.ts'

type Column = TableDescription['columns'][number]

/** The columns tab. */
export function ColumnsTab({ described, at }: { described: TableDescription; at: string | undefined }): JSX.Element {
  const { columns, keys, rows, name } = described
  const asked = route.value.query.column
  const chosen = columns.find((column) => column.name === asked) ?? columns[0]
  const panel = useRef<HTMLDivElement>(null)
  const choose = (column: string) => {
    setQuery({ column: column === columns[0]?.name ? undefined : column })
    // Below the list, on narrow screens, nobody would see it change.
    requestAnimationFrame(() => panel.current?.scrollIntoView({ block: 'nearest', behavior: 'smooth' }))
  }
  return (
    <div class="columns">
      <section class="card scroller" tabIndex={0} aria-label={`Columns of ${name}`}>
        <table class="table columns-table">
          <thead>
            <tr>
              <th scope="col">Column</th>
              <th scope="col" class="roomy">
                Type
              </th>
              <th scope="col">Nulls</th>
              <th scope="col">Range</th>
            </tr>
          </thead>
          <tbody>
            {columns.map((column) => (
              <ColumnRow
                key={column.name}
                column={column}
                rows={rows}
                role={column.name === keys.actor ? 'actor' : column.name === keys.time ? 'time' : undefined}
                isChosen={column === chosen}
                onChoose={() => choose(column.name)}
              />
            ))}
          </tbody>
        </table>
      </section>
      <div ref={panel} class="columns-panel">
        {chosen && rows > 0 && (
          <Distribution key={`${chosen.name} ${at}`} table={name} column={chosen.name} type={chosen.type} at={at} />
        )}
      </div>
    </div>
  )
}

function ColumnRow({
  column,
  rows,
  role,
  isChosen,
  onChoose,
}: {
  column: Column
  rows: number
  role: 'actor' | 'time' | undefined
  isChosen: boolean
  onChoose(): void
}): JSX.Element {
  return (
    <tr data-link data-chosen={isChosen || undefined} onClick={onChoose}>
      <td>
        <div class="row" style={{ flexWrap: 'nowrap' }}>
          <button type="button" class="columns-name" aria-pressed={isChosen} title="Show its values">
            {column.name}
          </button>
          {role && <Badge tone="accent">{role}</Badge>}
        </div>
        <div class="mono quiet small tight">{column.type}</div>
        {column.comment && <div class="quiet small">{column.comment}</div>}
      </td>
      <td class="mono quiet roomy">{column.type}</td>
      <td>
        <Nulls nulls={column.nulls} rows={rows} />
      </td>
      <td>
        <Range column={column} />
      </td>
    </tr>
  )
}

function Range({ column: { min, max } }: { column: Column }): JSX.Element {
  if (min === undefined || max === undefined) return <span class="quiet">–</span>
  return (
    <div class="columns-range">
      <span class="mono truncate" title={String(min)}>
        {boundText(min)}
      </span>
      <span class="mono truncate" title={String(max)}>
        <span class="quiet" aria-hidden="true">
          →{' '}
        </span>
        <span class="unseen">to </span>
        {boundText(max)}
      </span>
    </div>
  )
}

function Nulls({ nulls, rows }: { nulls: number | undefined; rows: number }): JSX.Element {
  if (nulls === undefined || rows === 0) return <span class="quiet">–</span>
  if (nulls === 0) return <span class="quiet">none</span>
  return (
    <div class="columns-nulls" title={format.counted(nulls, 'null')}>
      <Bar share={nulls / rows} />
      <span>{format.share(nulls / rows)}</span>
    </div>
  )
}
