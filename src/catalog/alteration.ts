/** What a user wants changed about a table's columns, checked against the table and applied to its metadata. Nothing is written here. */
import { parseType, printType } from '../common/data-type.ts'
import { SkepError } from '../errors.ts'
import { columnNotFound, findColumn } from './find-column.ts'
import { columnExists, currentJson, withFields } from './iceberg/evolution.ts'
import { keysOf, renamedKeys, schemaOf, type TableMetadata } from './iceberg/metadata.ts'
import { promotes, promotionsOf } from './iceberg/promote.ts'
import type { IcebergSchema } from './iceberg/schema.ts'
import { type IcebergField, toIceberg } from './iceberg/types.ts'
import type { Column, Schema } from './types.ts'

/** Changes of a table, made together: names are those that columns have before any of them. */
export interface Alteration {
  /** New names by old ones; columns may take the names of others that give them up. */
  rename?: Readonly<Record<string, string>>
  /** Columns to be dropped: their values stay in the files, and in snapshots of the past. */
  drop?: readonly string[]
  /** Wider types by column, in DuckDB's names: INTEGER to BIGINT, FLOAT to DOUBLE, DECIMAL to more precision of the same scale. */
  widen?: Readonly<Record<string, string>>
  /** What the table is about; an empty text removes the comment. */
  comment?: string
  /** What columns are about; an empty text removes the comment. */
  comments?: Readonly<Record<string, string>>
}

/** What is to become of one column, which keeps its id. */
interface ColumnChange {
  id: number
  /** The name that it had when the change was asked for. */
  seen: string
  drop?: boolean
  name?: string
  type?: string
  comment?: string
}

/** An alteration whose columns are known by their ids. */
export interface ResolvedAlteration {
  columns: ColumnChange[]
  comment?: string
}

/** The alteration with its columns found in the table. @throws COLUMN_NOT_FOUND, ARGUMENT_INVALID when it contradicts itself or says nothing */
export function resolveAlteration(table: string, metadata: TableMetadata, alteration: Alteration): ResolvedAlteration {
  const schema = schemaOf(metadata)
  const changes = new Map<number, ColumnChange>()
  const add = (name: string, change: Omit<ColumnChange, 'id' | 'seen'>) => {
    const column = findColumn(schema.columns, name)
    if (!column) throw columnNotFound(table, name, schema.columns, `the table "${table}" has`)
    const { id, name: seen } = column
    const before = changes.get(id) ?? { id, seen }
    const twice = Object.keys(change).find((key) => key in before) ?? (before.drop || change.drop ? 'drop' : undefined)
    if (changes.has(id) && twice !== undefined) throw contradiction(seen)
    changes.set(id, { ...before, ...change })
  }
  for (const [name, to] of Object.entries(alteration.rename ?? {})) add(name, { name: checkedName(to) })
  for (const name of alteration.drop ?? []) add(name, { drop: true })
  for (const [name, type] of Object.entries(alteration.widen ?? {})) add(name, { type })
  for (const [name, comment] of Object.entries(alteration.comments ?? {})) add(name, { comment })
  if (changes.size === 0 && alteration.comment === undefined) {
    throw new SkepError('ARGUMENT_INVALID', `nothing to change in "${table}": say rename, drop, widen or comment`, {
      argument: 'alteration',
    })
  }
  const { comment } = alteration
  return { columns: [...changes.values()], ...(comment !== undefined && { comment }) }
}

function contradiction(column: string): SkepError {
  const message = `column "${column}" is to be changed in two ways at once; say one of them`
  return new SkepError('ARGUMENT_INVALID', message, { argument: column })
}

function checkedName(name: string): string {
  if (name !== '' && name.isWellFormed() && !name.includes('\0')) return name
  throw new SkepError('ARGUMENT_INVALID', `${JSON.stringify(name)} cannot name a column`, { argument: 'rename' })
}

/** Thrown by {@link applyAlteration} when a column is not what it was when the change was asked for. */
export class ColumnGone extends Error {}

/**
 * The metadata with the changes made; the very metadata it was given when it has them all.
 *
 * @throws ColumnGone when a column was dropped or renamed since
 * @throws COLUMN_NEEDED, COLUMN_EXISTS, COLUMN_TYPE_UNSUPPORTED, SCHEMA_MISMATCH
 */
export function applyAlteration(
  table: string,
  metadata: TableMetadata,
  { columns: changes, comment }: ResolvedAlteration,
  made: { commitId: string; nowMs: number },
): TableMetadata {
  const schema = schemaOf(metadata)
  const json = currentJson(metadata)
  const byId = new Map(schema.columns.map((column) => [column.id, column]))
  for (const { id, seen } of changes)
    if (byId.get(id)?.name !== seen) throw new ColumnGone(`column "${seen}" is another`)
  refuseNeeded(table, metadata, schema, changes)
  const fields = json.fields.flatMap((field): IcebergField[] => {
    const change = changes.find(({ id }) => id === field.id)
    return change ? changed(table, field, byId.get(field.id)!, change) : [field]
  })
  refuseTaken(table, metadata, json, fields)
  const properties = withComment(renamedKeys(metadata, renames(changes)), comment)
  const before = metadata.properties ?? {}
  if (same(fields, json.fields) && same(properties, before)) return metadata
  return withFields({ ...metadata, properties }, fields, made)
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function renames(changes: readonly ColumnChange[]): Map<string, string> {
  return new Map(changes.flatMap(({ seen, name }) => (name === undefined ? [] : [[seen, name]])))
}

const COMMENT = 'comment'

/** What the table is about, as its properties say: no entry when they do not. */
export function commentOf(properties: Readonly<Record<string, string>> | undefined): { comment?: string } {
  const comment = properties?.[COMMENT]
  return comment === undefined ? {} : { comment }
}

function withComment(properties: Record<string, string>, comment: string | undefined): Record<string, string> {
  if (comment === undefined) return properties
  const { [COMMENT]: _, ...others } = properties
  return comment === '' ? others : { ...others, [COMMENT]: comment }
}

/** The field after its change: none when it is dropped. */
function changed(table: string, field: IcebergField, column: Column, change: ColumnChange): IcebergField[] {
  if (change.drop) return []
  const { doc, ...rest } = field
  const comment = change.comment ?? doc
  return [
    {
      ...rest,
      name: change.name ?? field.name,
      type: change.type === undefined ? field.type : widened(table, field, column, change.type),
      ...(comment ? { doc: comment } : {}),
    },
  ]
}

function widened(table: string, field: IcebergField, column: Column, text: string): IcebergField['type'] {
  const type = parseType(text)
  const [expected, found] = [printType(column.type), printType(type)]
  if (type.kind === 'other') {
    throw new SkepError('COLUMN_TYPE_UNSUPPORTED', `column "${column.name}": there is no type ${text}`, {
      column: column.name,
      type: text,
    })
  }
  if (expected === found) return field.type
  const json = column.parts ? undefined : toIceberg(type)
  if (json !== undefined && promotes(column.type, type)) return json
  const message = `column "${column.name}" of table "${table}" is ${expected} and cannot become ${found}: it can be widened to ${promotionsOf(column.type)}`
  throw new SkepError('SCHEMA_MISMATCH', message, { table, column: column.name, expected, found })
}

/** What columns are needed for, by id; the first use that is found counts. */
function uses(metadata: TableMetadata, schema: Schema): Map<number, 'actor' | 'time' | 'partition' | 'sort'> {
  const keys = keysOf(metadata, schema)
  const idOf = (name: string | undefined) => schema.columns.flatMap((c) => (c.name === name ? [c.id] : []))
  const sources = (fields: { 'source-id': number }[]) => fields.map((field) => field['source-id'])
  return new Map([
    ...metadata['sort-orders'].flatMap(({ fields }) => sources(fields)).map((id) => [id, 'sort'] as const),
    ...metadata['partition-specs'].flatMap(({ fields }) => sources(fields)).map((id) => [id, 'partition'] as const),
    ...idOf(keys.time).map((id) => [id, 'time'] as const),
    ...idOf(keys.actor).map((id) => [id, 'actor'] as const),
  ])
}

const NEEDED = {
  actor: 'the actor of the table',
  time: 'the time of the table',
  partition: 'what the table is partitioned by',
  sort: 'what the table is sorted by',
  last: 'the last column of the table',
}

function refuseNeeded(table: string, metadata: TableMetadata, schema: Schema, changes: readonly ColumnChange[]): void {
  const dropped = changes.filter(({ drop }) => drop)
  const needed = uses(metadata, schema)
  for (const { id, seen } of dropped) {
    const use = needed.get(id) ?? (dropped.length === schema.columns.length ? 'last' : undefined)
    if (use === undefined) continue
    const message = `column "${seen}" cannot be dropped: it is ${NEEDED[use]} "${table}"`
    throw new SkepError('COLUMN_NEEDED', message, { table, column: seen, use })
  }
}

/** Names are unique without regard to case; a new one may not be that of a partition either, which other readers keep apart from columns. */
function refuseTaken(
  table: string,
  metadata: TableMetadata,
  before: IcebergSchema,
  fields: readonly IcebergField[],
): void {
  const partitions = new Set(metadata['partition-specs'].flatMap((spec) => spec.fields.map(({ name }) => name)))
  const isNew = ({ id, name }: IcebergField) => before.fields.find((field) => field.id === id)?.name !== name
  const sameName = Map.groupBy(fields, ({ name }) => name.toLowerCase())
  for (const field of fields.filter(isNew)) {
    const { name } = field
    if (sameName.get(name.toLowerCase())!.length > 1)
      throw columnExists(table, name, 'two columns would have this name')
    if (partitions.has(name)) throw columnExists(table, name, 'it is the name of a partition field')
  }
}
