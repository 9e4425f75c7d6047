/** Changes of a table's schema as table metadata holds them. Entries of schemas and fields that Skep does not know are kept. */
import { printType } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import type { Column, FileReading, PartitionSpec, Schema } from '../types.ts'
import type { TableMetadata } from './metadata.ts'
import { sameColumns } from './promote.ts'
import {
  columnToJson,
  type IcebergSchema,
  lastColumnId,
  type NewColumn,
  numberColumns,
  schemaFromJson,
} from './schema.ts'
import type { IcebergField } from './types.ts'

/** What new columns of a table have to go together with. */
interface SchemaState {
  schema: Schema
  spec: PartitionSpec
  /** The highest field id that the table ever gave: an id is never given twice, not even after its column was dropped. */
  lastColumnId: number
}

/** One change of the schema, in the table's properties: which schema counts from when on, and which commit made it so. */
interface SchemaLogEntry {
  'schema-id': number
  'timestamp-ms': number
  'commit-id': string
}

const SCHEMA_LOG = 'skep.schema-log'

/**
 * The schema that has these columns: those of the table in its order, with wider types where they say so, then new ones with
 * field ids of their own; the very schema of the table when nothing changes.
 *
 * @throws SCHEMA_MISMATCH for two columns of one name, COLUMN_TYPE_UNSUPPORTED, COLUMN_EXISTS for the name of a partition field
 */
export function evolveSchema(table: SchemaState & { name: string }, columns: readonly NewColumn[]): Schema {
  const { schema, spec, lastColumnId: lastId } = table
  const kept = schema.columns.map((column, k): Column => ({ ...column, type: columns[k]!.type }))
  const added = columns.slice(kept.length)
  const taken = added.find(({ name }) => spec.fields.some((field) => field.name === name))
  if (taken) throw columnExists(table.name, taken.name, 'it is the name of a partition field')
  const next = { id: schema.id, columns: [...kept, ...numberColumns(added, lastId, schema.columns)] }
  return sameColumns(schema, next) ? schema : next
}

/** The error for a name that no column of the table can have. */
export function columnExists(table: string, column: string, why: string): SkepError<'COLUMN_EXISTS'> {
  return new SkepError('COLUMN_EXISTS', `no column of "${table}" can be named "${column}": ${why}`, { table, column })
}

/** Metadata with the columns of an evolved schema: the same ones, with wider types where it has them, and its new ones. */
export function withColumns(
  metadata: TableMetadata,
  schema: Schema,
  made: { commitId: string; nowMs: number },
): TableMetadata {
  const current = currentJson(metadata)
  const fields = schema.columns.map((column): IcebergField => {
    const field = current.fields.find(({ id }) => id === column.id)
    const json = columnToJson(column)
    return field ? { ...field, type: sameType(column, current) ? field.type : json.type } : json
  })
  return withFields(metadata, fields, made)
}

function sameType(column: Column, current: IcebergSchema): boolean {
  const before = schemaFromJson(current).columns.find(({ id }) => id === column.id)
  return before !== undefined && printType(before.type) === printType(column.type)
}

/** Metadata whose schema has these fields: a schema that the table had before gets its old id back, another one a new id. */
export function withFields(
  metadata: TableMetadata,
  fields: IcebergField[],
  { commitId, nowMs }: { commitId: string; nowMs: number },
): TableMetadata {
  const next = { ...currentJson(metadata), fields }
  const print = (schema: IcebergSchema) => JSON.stringify({ ...schema, 'schema-id': 0 })
  const known = metadata.schemas.find((schema) => print(schema) === print(next))
  const id = known?.['schema-id'] ?? Math.max(...metadata.schemas.map((schema) => schema['schema-id'])) + 1
  const entry: SchemaLogEntry = {
    'schema-id': id,
    'timestamp-ms': Math.max(nowMs, metadata['last-updated-ms']),
    'commit-id': commitId,
  }
  const log = [...schemaLog(metadata), entry].slice(-SETTINGS.schemaLog.default)
  return {
    ...metadata,
    'last-column-id': Math.max(metadata['last-column-id'], lastColumnId(schemaFromJson(next).columns)),
    'current-schema-id': id,
    schemas: known ? metadata.schemas : [...metadata.schemas, { ...next, 'schema-id': id }],
    properties: { ...metadata.properties, [SCHEMA_LOG]: JSON.stringify(log) },
  }
}

/** The current schema as the metadata holds it. */
export function currentJson(metadata: TableMetadata): IcebergSchema {
  return metadata.schemas.find((schema) => schema['schema-id'] === metadata['current-schema-id'])!
}

/** True when a commit of this id has changed the schema. */
export function isSchemaCommit(metadata: TableMetadata, commitId: string): boolean {
  return schemaLog(metadata).some((entry) => entry['commit-id'] === commitId)
}

/** The id of the schema that counted at a time; undefined before the first change that is known. */
export function schemaIdAt(metadata: TableMetadata, timeMs: number): number | undefined {
  return schemaLog(metadata).findLast((entry) => entry['timestamp-ms'] <= timeMs)?.['schema-id']
}

/** The property is a help for time travel, no more: one that another program has spoiled counts as absent. */
function schemaLog(metadata: TableMetadata): SchemaLogEntry[] {
  try {
    const log: unknown = JSON.parse(metadata.properties?.[SCHEMA_LOG] ?? '[]')
    return Array.isArray(log) ? log.filter(isEntry) : []
  } catch {
    return []
  }
}

function isEntry(entry: Partial<SchemaLogEntry> | null): entry is SchemaLogEntry {
  return Number.isSafeInteger(entry?.['schema-id']) && Number.isSafeInteger(entry?.['timestamp-ms'])
}

/** How files are read under a schema, given all schemas that they may have been written under; undefined when all are alike. */
export function fileReading(metadata: TableMetadata, schema: Schema): FileReading | undefined {
  const all = metadata.schemas.map(schemaFromJson)
  // Ids count from 0: a gap is a schema that another program has forgotten, and files of it may be left.
  const complete = Math.max(...all.map(({ id }) => id)) === all.length - 1
  if (complete && all.every((other) => sameColumns(other, schema))) return undefined
  const floats = new Set(all.flatMap(({ columns }) => idsOf(columns, 'FLOAT')))
  const narrower = idsOf(schema.columns, 'DOUBLE').filter((id) => !complete || floats.has(id))
  return { byId: true, narrower: new Set(narrower) }
}

function idsOf(columns: readonly Column[], type: string): number[] {
  return columns.flatMap((column) => (printType(column.type) === type ? [column.id] : []))
}
