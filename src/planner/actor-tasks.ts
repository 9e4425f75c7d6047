/** How the files of a table are cut into tasks of whole actors, and which of them a behavioural query has to read. */
import type { ValidQuery } from '../behaviour/validate.ts'
import type { DataFile, Snapshot, Table } from '../catalog/types.ts'
import { SETTINGS } from '../config.ts'
import type { TypedCondition } from './prune.ts'

/** The timeframe as the files' bounds of the time column know it. */
export function timeCondition({ snapshot, keys }: Table, query: ValidQuery): TypedCondition {
  const column = snapshot.schema.columns.find(({ name }) => name === keys.time)!
  const { from, to } = query.timeframe ?? {}
  // Bounds of these types stand in microseconds, the timeframe in the type's own unit.
  if (column.type.kind === 'primitive' && /^TIMESTAMP_/.test(column.type.name)) return { kind: 'unknown' }
  const children: TypedCondition[] = [{ kind: 'null', column, negated: true }]
  if (from !== undefined) children.push({ kind: 'compare', column, op: '>=', value: from })
  if (to !== undefined) children.push({ kind: 'compare', column, op: '<', value: to })
  return { kind: 'and', children }
}

/** Files whose actors occur in no other task's files. */
export interface ActorTask {
  files: DataFile[]
  /** True when a scan of the files in their order gives the rows sorted by (actor, time). */
  sorted: boolean
  rows: number
}

/** Tasks that cover the files: one for each bucket, or for some files that are known to hold their actors alone, else one for all. */
export function actorTasks(table: Table, files: readonly DataFile[]): ActorTask[] {
  const groups = table.actorsTogether ? batchFiles(files) : [...groupFiles(table, files).values()]
  return groups.map((group) => ({
    files: group,
    sorted: group.length === 1 && group[0]!.sorted,
    rows: group.reduce((sum, file) => sum + file.rows, 0),
  }))
}

/** Small files are read together: a task costs more than a small file. Sorted ones would no longer stream as they are. */
function batchFiles(files: readonly DataFile[]): DataFile[][] {
  const groups: DataFile[][] = []
  let rows = Number.POSITIVE_INFINITY
  for (const file of files) {
    if (file.sorted || rows + file.rows > SETTINGS.taskRows.default) {
      groups.push([])
      rows = 0
    }
    groups.at(-1)!.push(file)
    rows = file.sorted ? Number.POSITIVE_INFINITY : rows + file.rows
  }
  return groups
}

function groupFiles(table: Table, files: readonly DataFile[]): Map<string, DataFile[]> {
  const positions = bucketPositions(table.snapshot, table.keys.actor, files)
  return Map.groupBy(files, (file) => (positions ? String(file.partition[positions.get(file.specId)!]) : ''))
}

/** By spec, the place of the actor's bucket among partition values, when all files are cut into the same number of buckets. */
function bucketPositions(
  snapshot: Snapshot,
  actor: string | undefined,
  files: readonly DataFile[],
): Map<number, number> | undefined {
  const column = snapshot.schema.columns.find(({ name }) => name === actor)
  const positions = new Map<number, number>()
  let count: number | undefined
  for (const id of new Set(files.map(({ specId }) => specId))) {
    const fields = snapshot.specs.get(id)?.fields ?? []
    const position = fields.findIndex((field) => field.columnId === column?.id && field.transform.kind === 'bucket')
    const transform = fields[position]?.transform
    if (transform?.kind !== 'bucket' || (count ?? transform.count) !== transform.count) return undefined
    count = transform.count
    positions.set(id, position)
  }
  return positions
}
