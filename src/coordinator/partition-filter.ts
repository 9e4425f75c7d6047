/** Which files of a table a condition on its partitions leaves: asked of the engine, once for each combination of values. */
import type { Column, DataFile, Scalar, Snapshot, Table } from '../catalog/types.ts'
import { type DataType, primitive, quoteIdentifier } from '../common/data-type.ts'
import { asciiLower, didYouMean, nearest } from '../common/text.ts'
import { SETTINGS, type Settings } from '../config.ts'
import { parseSql } from '../engine/binder.ts'
import { constantSql } from '../engine/constant-sql.ts'
import type { RunOptions, Session } from '../engine/engine.ts'
import { SkepError } from '../errors.ts'
import { analyseSql, statementOf } from '../sql/analyse.ts'
import { columnsNamed, filterQueries, type NamedColumn, onlyCondition, refusedPart } from '../sql/partition-filter.ts'
import type { SerializedSql, TreeNode } from '../sql/tree.ts'

/** What evaluating conditions needs. */
export interface FilterContext {
  session: Session
  settings: Settings
  options: RunOptions
}

/** A table whose partitions a condition speaks of, and the files that it leaves. */
export interface FilteredTable {
  /** The table's name in lower case. */
  key: string
  files: DataFile[]
}

/** A value that each file of a table has. */
interface FileColumn {
  name: string
  type: DataType
  valueOf(file: DataFile): Scalar | null
}

/**
 * The files that a condition leaves of the one table that has all columns which it names; `tables` by lower-case name.
 *
 * @throws SQL_INVALID, SQL_FORBIDDEN for what is not a condition; COLUMN_NOT_FOUND for a column by which no table is partitioned
 */
export async function filterFiles(
  context: FilterContext,
  condition: string,
  tables: ReadonlyMap<string, Table>,
): Promise<FilteredTable> {
  const expression = await readCondition(context, condition)
  const { key, table, columns } = tableOf(columnsNamed(expression), tables)
  const { files } = table.snapshot
  const valuesOf = (file: DataFile) =>
    columns.map((column) => constantSql(column.valueOf(file), column.type)).join(', ')
  const values = files.map(valuesOf)
  const kept = await matching(context, { table: table.name, condition, columns }, [...new Set(values)])
  return { key, files: files.filter((_, k) => kept.has(values[k]!)) }
}

/** The tree of a text that is one expression and nothing else. */
async function readCondition({ session, settings, options }: FilterContext, condition: string): Promise<TreeNode> {
  const found: TreeNode[] = []
  for (const { sql, at } of filterQueries(condition)) {
    const parsed = placed(await parseSql(session, sql, options), at)
    analyseSql(parsed, settings.sqlDepth, sql)
    const expression = onlyCondition(statementOf(parsed))
    if (expression) found.push(expression)
  }
  const [bare, inParentheses] = found.map((expression) =>
    JSON.stringify(expression, (key, value) => (key === 'query_location' ? undefined : value)),
  )
  if (bare === undefined || bare !== inParentheses) {
    throw new SkepError('SQL_INVALID', 'expected one condition, and nothing beside it', {})
  }
  const refused = refusedPart(found[0]!)
  if (refused !== undefined) throw new SkepError('SQL_INVALID', refused, {})
  return found[0]!
}

/** The same with the place of an error counted from the place where the condition begins. */
function placed(parsed: SerializedSql, at: number): SerializedSql {
  if (!parsed.error || parsed.position === undefined) return parsed
  const { position, ...rest } = parsed
  return Number(position) < at ? rest : { ...rest, position: String(Number(position) - at) }
}

interface Chosen {
  key: string
  table: Table
  /** Those that the condition names. */
  columns: FileColumn[]
}

/** The one table that has all columns which a condition names. */
function tableOf(named: readonly NamedColumn[], tables: ReadonlyMap<string, Table>): Chosen {
  const all = [...tables].map(([key, table]) => ({ key, table, columns: fileColumns(table) }))
  const fits = all.flatMap(({ key, table, columns }) => {
    const found = named.map((name) => columnOf(name, key, columns))
    return found.every((column) => column !== undefined) ? [{ key, table, columns: [...new Set(found)] }] : []
  })
  if (fits.length === 1) return fits[0]!
  if (fits.length === 0) throw noPartition(named, all)
  const names = fits.map(({ table }) => `"${table.name}"`).join(' and ')
  throw new SkepError('SQL_INVALID', `it may speak of ${names}; write the name of one before its columns`, {})
}

function columnOf({ qualifier, column }: NamedColumn, key: string, columns: readonly FileColumn[]) {
  if (qualifier !== undefined && asciiLower(qualifier) !== asciiLower(key)) return undefined
  return columns.find(({ name }) => asciiLower(name) === asciiLower(column))
}

function noPartition(
  named: readonly NamedColumn[],
  tables: readonly { key: string; table: Table; columns: readonly FileColumn[] }[],
): SkepError {
  const isKnown = (name: NamedColumn) => tables.some(({ key, columns }) => columnOf(name, key, columns))
  const unknown = named.find((name) => !isKnown(name))
  if (tables.length === 0) return new SkepError('SQL_INVALID', 'the step reads no table that it could speak of', {})
  if (!unknown) return new SkepError('SQL_INVALID', 'it speaks of the partitions of several tables', {})
  const { column } = unknown
  const list = tables.map(({ table, columns }) => {
    const names = columns.map(({ name }) => `"${name}"`).join(', ')
    return `"${table.name}" has ${names}`
  })
  const near = nearest(
    column,
    tables.flatMap(({ columns }) => columns.map(({ name }) => name)),
  )
  return new SkepError(
    'COLUMN_NOT_FOUND',
    `"${column}" is no partition column (${list.join('; ')})${didYouMean(near)}`,
    { table: tables[0]!.table.name, column, ...(near !== undefined && { nearest: near }) },
  )
}

/** The columns that are one value throughout each file, and the files' own `key` and `length`. */
function fileColumns({ snapshot }: Table): FileColumn[] {
  const partitions = snapshot.schema.columns.flatMap((column) => partitionColumn(column, snapshot) ?? [])
  const taken = new Set(partitions.map(({ name }) => asciiLower(name)))
  return [...partitions, ...FILE_FACTS.filter(({ name }) => !taken.has(name))]
}

/** What is known of any file: its path, and its size in bytes. */
const FILE_FACTS: readonly FileColumn[] = [
  { name: 'key', type: primitive('VARCHAR'), valueOf: ({ path }) => path },
  { name: 'length', type: primitive('BIGINT'), valueOf: ({ sizeBytes }) => BigInt(sizeBytes) },
]

/** The column by its values in the files, where each of them has one throughout: by its partition, or told by metadata. */
function partitionColumn({ id, name, type }: Column, { specs, files }: Snapshot): FileColumn | undefined {
  const positions = new Map(
    [...specs].map(([spec, { fields }]) => {
      const at = fields.findIndex(({ columnId, transform }) => columnId === id && transform.kind === 'identity')
      return [spec, at] as const
    }),
  )
  if (positions.size === 0 || [...positions.values()].every((at) => at < 0)) return undefined
  const valueIn = ({ specId, partition, constants }: DataFile) =>
    constants?.get(id) ?? partition[positions.get(specId) ?? -1] ?? null
  const isIn = ({ specId, constants }: DataFile) => constants?.has(id) || (positions.get(specId) ?? -1) >= 0
  return files.every(isIn) ? { name, type, valueOf: valueIn } : undefined
}

/** Those of the combinations of values for which the condition is true. */
async function matching(
  { session, options }: FilterContext,
  { table, condition, columns }: { table: string; condition: string; columns: readonly FileColumn[] },
  combinations: readonly string[],
): Promise<Set<string>> {
  const kept = new Set<string>()
  const names = ['"skep at"', ...columns.map(({ name }) => quoteIdentifier(name))].join(', ')
  // An empty table is asked too, so that a condition that does not fit is an error.
  const all = combinations.length > 0 ? combinations : [columns.map(({ type }) => constantSql(null, type)).join(', ')]
  const step = SETTINGS.filterRows.default
  for (let from = 0; from < all.length; from += step) {
    const rows = all.slice(from, from + step).map((values, k) => `(${[k, values].filter((v) => v !== '').join(', ')})`)
    const relation = `(VALUES ${rows.join(', ')}) AS ${quoteIdentifier(table)}(${names})`
    const sql = `SELECT "skep at" AS at FROM ${relation} WHERE (\n${condition}\n)`
    const found = await session.rows<{ at: number }>(sql, { ...options, userSql: true })
    for (const { at } of found) kept.add(all[from + at]!)
  }
  return kept
}
