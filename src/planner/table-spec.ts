/** Tables and files as tasks carry them: plain JSON, from which whoever runs a task makes a table of its files alone. */
import { foldName } from '../catalog/folder/names.ts'
import { scalarFromJson, scalarToJson } from '../catalog/folder/scalar-json.ts'
import type { ColumnStatistics, DataFile, Schema, Table } from '../catalog/types.ts'
import { parseType, printType } from '../common/data-type.ts'
import type { FileSpec, TableSpec } from './plan.ts'

type Layout = NonNullable<DataFile['foreign']>['layout']

/** The numbers of layouts, in the order in which files have them first. */
export type LayoutNumbers = ReadonlyMap<Layout, number>

/** The distinct layouts of foreign files; empty for files of managed tables. */
export function layoutNumbers(files: readonly DataFile[]): LayoutNumbers {
  const numbers = new Map<Layout, number>()
  for (const { foreign } of files)
    if (foreign && !numbers.has(foreign.layout)) numbers.set(foreign.layout, numbers.size)
  return numbers
}

/** What a scan of the table's snapshot has to know. `layouts`: of the files that are to be scanned. */
export function tableSpec(table: Table, layouts: LayoutNumbers = layoutNumbers(table.snapshot.files)): TableSpec {
  const { name, kind, keys, hiveColumns, actorsTogether, location, snapshot } = table
  const narrower = [...(snapshot.reading?.narrower ?? [])]
  return {
    name,
    kind,
    keys: { ...keys },
    columns: snapshot.schema.columns.map(({ id, name, type }) => ({ id, name, type: printType(type) })),
    ...(kind !== 'managed' && { location }),
    ...(hiveColumns.length > 0 && { hiveColumns: [...hiveColumns] }),
    ...(snapshot.reading?.byId && { byId: true }),
    ...(narrower.length > 0 && { narrower }),
    ...(actorsTogether && { actorsTogether: true }),
    ...(layouts.size > 0 && {
      layouts: [...layouts.keys()].map((layout) => layout.map(({ name, type }) => ({ name, type: printType(type) }))),
    }),
  }
}

/** What a task has to know of a file. */
export interface FileSpecOptions {
  /** Folder of the warehouse: paths below it are written from there on. */
  root: string
  layouts: LayoutNumbers
  /** The columns whose statistics the task asks for. */
  columnIds?: readonly number[]
}

/** A file of a table, or the rows of its range. */
export function fileSpec(file: DataFile, { root, layouts, columnIds = [] }: FileSpecOptions): FileSpec {
  const { path, rows, sizeBytes, range, sorted, foreign, constants, deletes, uri } = file
  const folder = folderOf(root)
  const columns = columnIds.flatMap((id) => {
    const known = statisticsJson(file.columns.get(id))
    return known ? [[String(id), known] as const] : []
  })
  const layout = foreign && layouts.get(foreign.layout)
  return {
    path: path.startsWith(folder) ? path.slice(folder.length) : path,
    rows,
    bytes: sizeBytes,
    ...(range && { range: [...range] as [number, number] }),
    ...(sorted && { sorted: true }),
    ...(layout !== undefined && { layout }),
    ...(foreign && { version: foreign.version }),
    ...(constants && { constants: constantsJson(constants) }),
    ...(deletes && { deletes: deletes.map(({ path, sizeBytes, version }) => ({ path, bytes: sizeBytes, version })) }),
    ...(uri !== undefined && { uri }),
    ...(columns.length > 0 && { columns: Object.fromEntries(columns) }),
  }
}

function constantsJson(constants: NonNullable<DataFile['constants']>): NonNullable<FileSpec['constants']> {
  return Object.fromEntries([...constants].map(([id, value]) => [id, value === null ? null : scalarToJson(value)]))
}

function readConstants(json: NonNullable<FileSpec['constants']>): NonNullable<DataFile['constants']> {
  const entries = Object.entries(json).map(([id, value]) => {
    const scalar = value === null ? null : scalarFromJson(value)
    if (scalar === undefined) throw new Error(`no constant: ${JSON.stringify(value)}`)
    return [Number(id), scalar] as const
  })
  return new Map(entries)
}

type StatisticsJson = NonNullable<FileSpec['columns']>[string]

function statisticsJson({ nulls, lower, upper }: ColumnStatistics = {}): StatisticsJson | undefined {
  if (nulls === undefined && lower === undefined && upper === undefined) return undefined
  return {
    ...(nulls !== undefined && { nulls }),
    ...(lower !== undefined && { lower: scalarToJson(lower) }),
    ...(upper !== undefined && { upper: scalarToJson(upper) }),
  }
}

function folderOf(root: string): string {
  return root.endsWith('/') ? root : `${root}/`
}

/**
 * A table whose snapshot has just these files; `root` is where the warehouse is seen from here. Statistics are those that were asked
 * for, and there is no partitioning: what is to be pruned has been.
 */
export function readTable(spec: TableSpec, files: readonly FileSpec[], root: string): Table {
  const { name, kind, keys, byId = false, narrower = [] } = spec
  const columns = spec.columns.map(({ id, name, type }) => ({ id, name, type: parseType(type), required: false }))
  const schema: Schema = { id: 0, columns }
  const layouts = (spec.layouts ?? []).map((layout) =>
    layout.map(({ name, type }) => ({ name, type: parseType(type) })),
  )
  return {
    name,
    kind,
    location: spec.location ?? root,
    keys,
    schema,
    spec: UNPARTITIONED,
    snapshot: {
      schema,
      specs: new Map([[UNPARTITIONED.id, UNPARTITIONED]]),
      files: files.map((file) => readFile(file, layouts, folderOf(root))),
      ...((byId || narrower.length > 0) && { reading: { byId, narrower: new Set(narrower) } }),
    },
    actorsTogether: spec.actorsTogether ?? false,
    hiveColumns: spec.hiveColumns ?? [],
  }
}

const UNPARTITIONED = { id: 0, fields: [] }

function readFile(file: FileSpec, layouts: readonly Layout[], folder: string): DataFile {
  const { path, rows, bytes, range, sorted = false, layout, version = '', columns = {} } = file
  const { constants, deletes, uri } = file
  return {
    path: isAbsolute(path) ? path : `${folder}${path}`,
    rows,
    sizeBytes: bytes,
    specId: UNPARTITIONED.id,
    partition: [],
    columns: new Map(Object.entries(columns).map(([id, json]) => [Number(id), readStatistics(json)])),
    sorted,
    ...(layout !== undefined && { foreign: { version, layout: layouts[layout]! } }),
    ...(range && { range }),
    ...(constants && { constants: readConstants(constants) }),
    ...(deletes && { deletes: deletes.map(({ path, bytes, version }) => ({ path, sizeBytes: bytes, version })) }),
    ...(uri !== undefined && { uri }),
  }
}

function readStatistics({ nulls, lower, upper }: StatisticsJson): ColumnStatistics {
  const bounds = { lower: scalarFromJson(lower), upper: scalarFromJson(upper) }
  return {
    ...(nulls !== undefined && { nulls }),
    ...(bounds.lower !== undefined && { lower: bounds.lower }),
    ...(bounds.upper !== undefined && { upper: bounds.upper }),
  }
}

function isAbsolute(path: string): boolean {
  return path.startsWith('/') || /^[a-z][a-z0-9+.-]+:\/\//i.test(path)
}

/** The name of the reader's own column of row numbers. */
export const ROW_NUMBER = 'file_row_number'

/** True when files of the table can be read by ranges of rows: a column of the same name would hide the reader's row numbers. */
export function takesRanges({ snapshot: { schema, files } }: Pick<Table, 'snapshot'>): boolean {
  const isHiding = ({ name }: { name: string }) => foldName(name) === ROW_NUMBER
  return ![schema.columns, ...layoutNumbers(files).keys()].some((columns) => columns.some(isHiding))
}
