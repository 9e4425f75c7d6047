/** The data files of a table, one by one or summed by their partitions. */
import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { call } from '../../api/api.ts'
import { useResource } from '../../api/resource.ts'
import { Bar, ErrorBox, Ghost } from '../../components/basics.tsx'
import { Grid } from '../../components/grid.tsx'
import * as format from '../../format.ts'
import { type TableDescription, tablesVersion } from '../../session.ts'
import { type DataFile, fileName, partitionsOf } from './partitions.ts'

/** Most partitions that are drawn one by one. */
const DRAWN = 100

/** The files tab. */
export function FilesTab({ described, at }: { described: TableDescription; at: string | undefined }): JSX.Element {
  const { name } = described
  const { value, error, reload } = useResource(
    (signal) => call('files', { params: { table: name }, query: at === undefined ? {} : { at }, signal }),
    [name, at],
    tablesVersion.value,
  )
  if (error) return <ErrorBox error={error} onRetry={() => void reload()} />
  if (!value) return <Ghost lines={6} />
  if (value.length === 0) return <p class="quiet">The table has no files: nothing has been imported into it yet.</p>
  return (
    <div class="stack">
      <p class="quiet small tables-place">
        In <code>{described.location}</code>
      </p>
      <Partitions files={value} />
      <FileGrid files={value} />
    </div>
  )
}

function Partitions({ files }: { files: readonly DataFile[] }): JSX.Element | null {
  const partitions = useMemo(() => partitionsOf(files), [files])
  if (partitions.length < 2) return null
  const most = Math.max(...partitions.map(({ rows }) => rows), 1)
  return (
    <section class="stack" style={{ gap: 'var(--gap-2)' }}>
      <h2>{format.counted(partitions.length, 'partition')}</h2>
      <ul class="card padded files-partitions">
        {partitions.slice(0, DRAWN).map(({ key, rows, bytes, files }) => (
          <li key={key}>
            <span class="mono truncate" title={key}>
              {key}
            </span>
            <Bar share={rows / most} />
            <span class="number quiet small">
              {format.counted(rows, 'row')}, {format.counted(files, 'file')}, {format.bytes(bytes)}
            </span>
          </li>
        ))}
      </ul>
      {partitions.length > DRAWN && (
        <p class="quiet small">The {DRAWN} largest are shown; the files below are of all.</p>
      )}
    </section>
  )
}

function FileGrid({ files }: { files: readonly DataFile[] }): JSX.Element {
  const keys = useMemo(() => [...new Set(files.flatMap(({ partition }) => Object.keys(partition)))], [files])
  const columns = useMemo(
    () => [
      { name: 'file', type: '' },
      ...keys.map((name) => ({ name, type: 'partition' })),
      { name: 'rows', type: '', align: 'right' as const },
      { name: 'size', type: '', align: 'right' as const },
      { name: 'sorted', type: '' },
    ],
    [keys],
  )
  const cell = (row: number, column: number): unknown => {
    const file = files[row]!
    if (column === 0) return fileName(file.path)
    if (column <= keys.length) return file.partition[keys[column - 1]!]
    return [format.number(file.rows), format.bytes(file.bytes), file.sorted ? 'yes' : 'no'][column - keys.length - 1]
  }
  return <Grid label="Data files" columns={columns} rows={files.length} cell={cell} />
}
