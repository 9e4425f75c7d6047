/** Columns as queries refer to them: a column of the table, or a field of a struct by its dotted path. */
import { type DataType, quoteIdentifier, quoteString } from '../common/data-type.ts'

/** A reference that was found in a table. `path`: the table's column, then the fields inside it. */
export interface ColumnReference {
  /** As the query writes it. */
  column: string
  path: string[]
}

/** What of a table is needed to find columns. */
export interface NamedColumn {
  readonly name: string
  readonly type: DataType
}

/** The SQL of a reference; `row` is the alias of the rows that it belongs to, if they have one. */
export function columnSql({ path }: Pick<ColumnReference, 'path'>, row?: string): string {
  const [first = '', ...fields] = path
  const column = row === undefined ? quoteIdentifier(first) : `${row}.${quoteIdentifier(first)}`
  return fields.reduce((inner, field) => `struct_extract(${inner}, ${quoteString(field)})`, column)
}

/** A reference with the type of what it names. */
export type FoundColumn = ColumnReference & { type: DataType }

/**
 * What a name refers to: the column of exactly that name, else a field of a struct (`a.b`, however deep); undefined
 * when there is neither. The longest name of a column wins.
 */
export function findReference(columns: Iterable<NamedColumn>, name: string): FoundColumn | undefined {
  const found = findPath([...columns], name)
  return found && { column: name, ...found }
}

function findPath(columns: readonly NamedColumn[], name: string): Omit<FoundColumn, 'column'> | undefined {
  const exact = columns.find((column) => column.name === name)
  if (exact !== undefined) return { path: [exact.name], type: exact.type }
  const structs = columns.filter((column) => column.type.kind === 'struct' && name.startsWith(`${column.name}.`))
  for (const { name: outer, type } of structs.sort((a, b) => b.name.length - a.name.length)) {
    const inner = type.kind === 'struct' ? findPath(type.fields, name.slice(outer.length + 1)) : undefined
    if (inner !== undefined) return { path: [outer, ...inner.path], type: inner.type }
  }
  return undefined
}
