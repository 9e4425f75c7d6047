/** Tables as users see them: summaries, columns with their ranges, files. */

import { valueText } from '../behaviour/value-text.ts'
import { printTransform } from '../catalog/iceberg/transforms.ts'
import { compareScalars } from '../catalog/scalar.ts'
import type {
  Column,
  DataFile,
  Scalar,
  SnapshotId,
  Table,
  TableFormat,
  TableKeys,
  TableKind,
} from '../catalog/types.ts'
import { isFloat, isInteger, printType } from '../common/data-type.ts'
import type { SkepError } from '../errors.ts'

/** A table in a list. */
export interface TableSummary {
  name: string
  /** `unknown` where not even the entry of the name can be read. */
  kind: TableKind | 'unknown'
  /** Of an attached table. */
  format?: TableFormat
  /** Folder of the table: an absolute path or URL; absent where it cannot be read. */
  location?: string
  actor?: string
  time?: string
  columns: number
  files: number
  rows: number
  bytes: number
  /** What is wrong with a table that cannot be read; nothing is known of it then, and its numbers are 0. */
  error?: { code: string; message: string; details: object }
}

/** A column with what statistics know of its values. */
export interface ColumnDescription {
  name: string
  type: string
  comment?: string
  /** Number of nulls, where every file says it. */
  nulls?: number
  /** Bounds of the values, where every file has them: numbers, or text as in other JSON. They may be wider than the data for long texts. */
  min?: number | string | boolean
  max?: number | string | boolean
}

/** A data file of a table. */
export interface FileDescription {
  path: string
  rows: number
  bytes: number
  /** Partition values by field name; null for a null source value. */
  partition: Record<string, number | string | boolean | null>
  sorted: boolean
}

/** All that is known of a table. */
export interface TableDescription {
  name: string
  kind: TableKind
  /** Of an attached table. */
  format?: TableFormat
  comment?: string
  location: string
  metadataLocation?: string
  snapshotId?: SnapshotId
  keys: TableKeys
  /** Of a registered folder: whether every actor is known to be in one file only, as its files are now. */
  actorsTogether?: boolean
  /** How files are partitioned: `bucket[16](user_id)`. */
  partitioning: string[]
  columns: ColumnDescription[]
  files: number
  rows: number
  bytes: number
  dataFiles?: FileDescription[]
}

/** A table in one line. */
export function summariseTable(table: Table): TableSummary {
  const { name, kind, format, location, keys, schema, snapshot } = table
  return {
    name,
    kind,
    ...(format === undefined ? {} : { format }),
    location,
    ...(keys.actor === undefined ? {} : { actor: keys.actor }),
    ...(keys.time === undefined ? {} : { time: keys.time }),
    columns: schema.columns.length,
    ...sizesOf(snapshot.files),
  }
}

/** A table that cannot be read, in one line. */
export function summariseDamage(name: string, kind: TableSummary['kind'], error: SkepError): TableSummary {
  return { name, kind, columns: 0, files: 0, rows: 0, bytes: 0, error: error.toJSON() }
}

function sizesOf(files: readonly DataFile[]): { files: number; rows: number; bytes: number } {
  const sum = (field: 'rows' | 'sizeBytes') => files.reduce((total, file) => total + file[field], 0)
  return { files: files.length, rows: sum('rows'), bytes: sum('sizeBytes') }
}

/** A table in full; `withFiles` adds every data file. */
export function describeTable(table: Table, withFiles: boolean): TableDescription {
  const { name, kind, format, comment, location, metadataLocation, keys, spec, snapshot } = table
  const columnName = (id: number) => snapshot.schema.columns.find((column) => column.id === id)?.name ?? `#${id}`
  return {
    name,
    kind,
    ...(format === undefined ? {} : { format }),
    ...(comment === undefined ? {} : { comment }),
    location,
    ...(metadataLocation === undefined ? {} : { metadataLocation }),
    ...(snapshot.id === undefined ? {} : { snapshotId: snapshot.id }),
    keys,
    ...(kind === 'registered' ? { actorsTogether: table.actorsTogether } : {}),
    partitioning: spec.fields.map(({ columnId, transform }) => `${printTransform(transform)}(${columnName(columnId)})`),
    columns: snapshot.schema.columns.map((column) => describeColumn(column, snapshot.files)),
    ...sizesOf(snapshot.files),
    ...(withFiles ? { dataFiles: snapshot.files.map((file) => describeFile(table, file)) } : {}),
  }
}

function describeColumn(column: Column, files: readonly DataFile[]): ColumnDescription {
  const statistics = files.map((file) => ({ rows: file.rows, ...file.columns.get(column.id) }))
  const nulls = statistics.every((s) => s.nulls !== undefined)
    ? statistics.reduce((sum, s) => sum + s.nulls!, 0)
    : undefined
  const valued = statistics.filter((s) => s.nulls !== s.rows)
  const min = extreme(
    valued.map((s) => s.lower),
    -1,
  )
  const max = extreme(
    valued.map((s) => s.upper),
    1,
  )
  return {
    name: column.name,
    type: printType(column.type),
    ...(column.comment === undefined ? {} : { comment: column.comment }),
    ...(nulls === undefined ? {} : { nulls }),
    ...(min === undefined ? {} : { min: shown(min, column) }),
    ...(max === undefined ? {} : { max: shown(max, column) }),
  }
}

function extreme(values: readonly (Scalar | undefined)[], sign: 1 | -1): Scalar | undefined {
  let best: Scalar | undefined
  for (const value of values) {
    if (value === undefined) return undefined
    if (best === undefined || compareScalars(value, best) * sign > 0) best = value
  }
  return best
}

/** A bound as JSON: numbers where they are safe, booleans, else text. */
function shown(value: Scalar, { type }: Column): number | string | boolean {
  if (typeof value === 'boolean') return value
  if (isFloat(type)) return Number(value)
  if (isInteger(type)) return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Uint8Array && type.kind === 'primitive' && type.name === 'UUID') return uuidText(value)
  return valueText(value, type)
}

function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function describeFile({ snapshot }: Table, file: DataFile): FileDescription {
  const fields = snapshot.specs.get(file.specId)?.fields ?? []
  const partition = fields.map((field, k) => {
    const value = file.partition[k] ?? null
    const column = snapshot.schema.columns.find(({ id }) => id === field.columnId)
    const own = field.transform.kind === 'identity' && column !== undefined
    return [field.name, value === null ? null : own ? shown(value, column) : Number(value)] as const
  })
  return {
    path: file.path,
    rows: file.rows,
    bytes: file.sizeBytes,
    partition: Object.fromEntries(partition),
    sorted: file.sorted,
  }
}
