/** The columns of rows on their way, as SQL: in a temporary table, as JSON and in Parquet. */
import { quoteIdentifier, quoteString } from '../common/data-type.ts'
import { isSkepError, SkepError } from '../errors.ts'
import type { RowsColumn } from './exchange.ts'
import { type Medium, type StoredType, storedType } from './stored-types.ts'
import { parseTypeTree, printTypeTree, type TypeTree } from './type-tree.ts'

/** Columns on their way. Under way they are called `c0`, `c1` and so on: their own names may be anything. */
export interface Shape {
  columns: readonly RowsColumn[]
  json: StoredType[]
  parquet: StoredType[]
  /** True for columns whose type a table can have. */
  keepable: boolean[]
}

/** How these columns travel. @throws COLUMN_TYPE_UNSUPPORTED */
export function shapeOf(columns: readonly RowsColumn[]): Shape {
  return {
    columns,
    json: columns.map((column) => storedType(column, 'json')),
    parquet: columns.map((column) => storedType(column, 'parquet')),
    keepable: columns.map(({ type }) => printTypeTree(parseTypeTree(type)!) !== undefined),
  }
}

/** What a column is called under way. */
export function columnAt(place: number): string {
  return `c${place}`
}

/** A SELECT of exactly these columns as they are kept in a table. A column that has another type than was said ends it. */
export function keptSql({ columns, parquet, keepable }: Shape, sql: string): string {
  const kept = columns.map(({ name, type }, k) => {
    const value = quoteIdentifier(name)
    if (!keepable[k]) return `${parquet[k]!.pack(value)} AS ${columnAt(k)}`
    return `${mayBeNull(type) ? `CAST(${value} AS ${type})` : value} AS ${columnAt(k)}`
  })
  // Known once the statement is bound: costs nothing at run time.
  const fits = columns.map(({ name, type }, k) => {
    const found = `typeof(${quoteIdentifier(name)})`
    // Names within a type may be written with and without quotes.
    const planned = keepable[k] && type.includes('(') ? `typeof(CAST(NULL AS ${type}))` : quoteString(type)
    return mayBeNull(type) ? `(${found} = ${planned} OR contains(${found}, '"NULL"'))` : `${found} = ${planned}`
  })
  const check = `CASE WHEN ${fits.join(' AND ')} THEN true ELSE error('${UNPLANNED}') END`
  return `SELECT ${kept.join(', ')} FROM (\n${sql}\n) WHERE ${check}`
}

/** What a query fails with whose columns are of other types than was said. */
const UNPLANNED = 'a column is not of the type that was planned'

/** The error that stands for that of a query from {@link keptSql}: columns of other types than were planned are no fault of who wrote it. */
export function keptError(error: unknown): unknown {
  const cause = isSkepError(error) && error.cause instanceof Error ? error.cause.message : ''
  return cause.startsWith(`Invalid Input Error: ${UNPLANNED}`)
    ? new SkepError('INTERNAL', UNPLANNED, {}, { cause: error })
    : error
}

/** NULL alone is described as an INTEGER. */
function mayBeNull(type: string): boolean {
  return type.includes('INTEGER')
}

/** The value of a column in a relation that {@link keptSql} gave. */
export function keptValue({ keepable, parquet }: Shape, place: number): string {
  return keepable[place] ? columnAt(place) : parquet[place]!.unpack(columnAt(place))
}

/** What is carried for a column of a relation that {@link keptSql} gave. */
export function packedValue(shape: Shape, medium: Medium, place: number): string {
  if (medium === 'parquet' && !shape.keepable[place]) return columnAt(place)
  return shape[medium][place]!.pack(keptValue(shape, place))
}

/** A SELECT of the columns themselves from what carried them. */
export function unpackedSql({ columns, ...shape }: Shape, medium: Medium, source: string): string {
  const values = columns.map(({ name }, k) => `${shape[medium][k]!.unpack(columnAt(k))} AS ${quoteIdentifier(name)}`)
  return `SELECT ${values.join(', ')} FROM ${source}`
}

/** The size of a value as JSON, roughly, as SQL; undefined for types whose values are all short. */
export function sizeSql({ type }: StoredType, value: string): string | undefined {
  return sizeOf(parseTypeTree(type)!, value, 0)
}

/** A sum of terms, which nests no deeper than it has to: the engine bounds how deep an expression may be. */
export function sumSql(terms: readonly string[]): string {
  if (terms.length < 3) return terms.join(' + ')
  const half = terms.length >> 1
  return `(${sumSql(terms.slice(0, half))}) + (${sumSql(terms.slice(half))})`
}

/** Bytes that are counted for a value whose type has none but short ones. */
export const SHORT_BYTES = 10

function sizeOf(tree: TypeTree, value: string, depth: number): string | undefined {
  const part = `s${depth}`
  switch (tree.kind) {
    case 'leaf':
      return tree.name === 'VARCHAR' ? `coalesce(strlen(${value}), 2)` : undefined
    case 'list': {
      const each = sizeOf(tree.element, part, depth + 1)
      const sum = each
        ? `list_sum(list_transform(${value}, lambda ${part}: ${each} + 4))`
        : `len(${value}) * ${SHORT_BYTES}`
      return `coalesce(CAST(${sum} AS BIGINT), 4)`
    }
    case 'map': {
      const list: TypeTree = { kind: 'list', element: tree.key }
      const values: TypeTree = { kind: 'list', element: tree.value }
      return `${sizeOf(list, `map_keys(${value})`, depth)} + ${sizeOf(values, `map_values(${value})`, depth)}`
    }
    case 'struct': {
      const sizes = tree.fields.map(
        ({ type }, k) => sizeOf(type, `struct_extract_at(${value}, ${k + 1})`, depth) ?? String(SHORT_BYTES),
      )
      return tree.fields.length === 0 ? undefined : `(${sumSql(sizes)})`
    }
    default:
      return undefined
  }
}
