/** The first rows of a table. */
import type { JSX } from 'preact'
import { call } from '../../api/api.ts'
import { useResource } from '../../api/resource.ts'
import { ErrorBox, Ghost } from '../../components/basics.tsx'
import { Grid } from '../../components/grid.tsx'
import * as format from '../../format.ts'
import { type TableDescription, tablesVersion } from '../../session.ts'

const FIRST = 200

/** The preview tab. */
export function PreviewTab({ described, at }: { described: TableDescription; at: string | undefined }): JSX.Element {
  const { name } = described
  const sql = `SELECT * FROM ${format.identifier(name)} LIMIT ${FIRST}`
  const { value, error, reload } = useResource(
    (signal) => call('sql', { body: { sql, ...(at !== undefined && { at: { [name]: at } }) }, signal }),
    [sql, at],
    tablesVersion.value,
  )
  if (error) return <ErrorBox error={error} onRetry={() => void reload()} />
  if (!value) return <Ghost lines={12} height={26} />
  const { columns, rows } = value
  if (rows.length === 0) return <p class="quiet">The table has no rows in this state.</p>
  return (
    <div class="stack" style={{ gap: 'var(--gap-2)' }}>
      <Grid
        label={`First rows of ${name}`}
        columns={columns}
        rows={rows.length}
        cell={(row, column) => rows[row]![columns[column]!.name]}
      />
      <p class="quiet small">
        {rows.length < described.rows
          ? `The first ${rows.length} of ${format.counted(described.rows, 'row')}`
          : `All ${format.counted(rows.length, 'row')}`}
      </p>
    </div>
  )
}
