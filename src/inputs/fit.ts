/** Source columns against the columns of an existing table: which fit, which make the table wider, which are new, which cannot be. */
import { findColumn } from '../catalog/find-column.ts'
import { promotes } from '../catalog/iceberg/promote.ts'
import { storableType } from '../catalog/iceberg/types.ts'
import type { Column, Table } from '../catalog/types.ts'
import { type DataType, isInteger, primitive, printType } from '../common/data-type.ts'
import { SkepError } from '../errors.ts'
import type { SourceColumn } from './readers.ts'
import type { FileFormat } from './sources.ts'

/** A column as an import stores it. */
export interface StoredColumn {
  name: string
  type: DataType
  /** The table's narrower type, when only the values of a text can tell whether it holds them all. */
  orNarrower?: DataType
  /** True for a nested column of a table, which is to lose no part of a value that it has no place for. */
  isStrict?: boolean
}

/** What the values of sources are: of text whose values are checked one by one, each is judged by itself. */
export type SourceKind = FileFormat | 'checked text'

/** The error for a type that a table cannot store. */
export function unsupported(column: string, type: string): SkepError<'COLUMN_TYPE_UNSUPPORTED'> {
  const message = `column "${column}" has the type ${type}, which a table cannot store; choose one with --types ${column}=TYPE`
  return new SkepError('COLUMN_TYPE_UNSUPPORTED', message, { column, type })
}

/** A source column as a table without such a column stores it. @throws COLUMN_TYPE_UNSUPPORTED */
export function storedColumn({ name, type }: SourceColumn, types: ReadonlyMap<string, DataType>): StoredColumn {
  const stored = types.get(name) ?? storableType(type)
  if (!stored) throw unsupported(name, printType(type))
  return { name, type: stored }
}

/**
 * The columns that the table has to have to store the sources: its own in their order, each as wide as both sides need it, then those
 * that only the sources have. No value is changed by what it is stored as.
 *
 * @throws SCHEMA_MISMATCH for a column that neither can be cast to the table's type nor the table's type widened for it; of checked text
 *   only for a type that was chosen
 */
export function fitTable(
  table: Table,
  sources: readonly SourceColumn[],
  types: ReadonlyMap<string, DataType>,
  format: SourceKind,
): StoredColumn[] {
  const { columns } = table.schema
  const own = columns.map((column): StoredColumn => {
    const source = sources.find(({ name }) => findColumn(columns, name) === column)
    return source ? fitColumn(table, column, source, types, format) : { name: column.name, type: column.type }
  })
  const added = sources.filter(({ name }) => !findColumn(columns, name))
  return [...own, ...added.map((source) => storedColumn(source, types))]
}

function fitColumn(
  table: Table,
  column: Column,
  source: SourceColumn,
  types: ReadonlyMap<string, DataType>,
  format: SourceKind,
): StoredColumn {
  const chosen = types.get(source.name)
  const type = chosen ?? source.type
  const { name } = column
  if (!chosen && mayBeLong(column.type, type, format)) {
    return { name, type: primitive('BIGINT'), orNarrower: column.type }
  }
  if (!chosen && format === 'checked text') return { name, type: column.type, isStrict: isNested(column.type) }
  const fitting = chosen || format === 'parquet' ? commonType(type, column.type) : textType(type, column.type, format)
  if (!fitting) throw unfit(table, column, type)
  return { name, type: fitting }
}

/** True for integers of a text, or what may be some, that a column may have to become wider for. */
function mayBeLong(target: DataType, source: DataType, format: SourceKind): boolean {
  if (printType(target) !== 'INTEGER' || format === 'parquet') return false
  return format === 'checked text' || printType(source) === 'BIGINT'
}

function isNested({ kind }: DataType): boolean {
  return ['struct', 'list', 'array', 'map'].includes(kind)
}

/** The table's own type, with which text is parsed, unless it is seen to lose by that. */
function textType(source: DataType, target: DataType, format: SourceKind): DataType | undefined {
  if (isRounded(source, target)) return undefined
  if (format === 'csv' || target.kind === 'primitive' || target.kind === 'decimal') return target
  const stored = storableType(source)
  return stored && printType(stored) === printType(target) ? target : undefined
}

/** True where the engine would parse texts of this type as the other one all the same: 2.5 as 3, true as 1, a time as its day. */
function isRounded(source: DataType, target: DataType): boolean {
  const name = printType(source)
  if (isInteger(target)) return name === 'DOUBLE' || name === 'BOOLEAN'
  return printType(target) === 'DATE' && name.startsWith('TIMESTAMP')
}

/** The type of the table's column once it holds values of the source's type too: its own, or one that it can be widened to. */
function commonType(source: DataType, target: DataType): DataType | undefined {
  const stored = storableType(source)
  if (!stored) return undefined
  if (printType(source) === 'NULL' || printType(stored) === printType(target) || casts(stored, target)) return target
  if (promotes(target, stored)) return stored
  return stored.kind === 'decimal' && target.kind === 'decimal' ? commonDecimal(stored, target) : undefined
}

/** True when every value of the first type is one of the second. */
function casts(from: DataType, to: DataType): boolean {
  if (from.kind === 'decimal' && to.kind === 'decimal') {
    return to.scale >= from.scale && to.precision - to.scale >= from.precision - from.scale
  }
  const pair = `${printType(from)} ${printType(to)}`
  return ['INTEGER BIGINT', 'INTEGER DOUBLE', 'FLOAT DOUBLE', 'DATE TIMESTAMP'].includes(pair)
}

type Decimal = Extract<DataType, { kind: 'decimal' }>

const DECIMAL_DIGITS = 38

/** The table's scale with as many more digits as the source needs before the point; the scale of a column cannot grow. */
function commonDecimal(source: Decimal, target: Decimal): DataType | undefined {
  const precision = source.precision - source.scale + target.scale
  const fits = source.scale <= target.scale && precision <= DECIMAL_DIGITS
  return fits ? { kind: 'decimal', precision, scale: target.scale } : undefined
}

function unfit(table: Table, { name, type: own }: Column, type: DataType): SkepError {
  const [expected, found] = [printType(own), printType(type)]
  const message = `column "${name}" of table "${table.name}" is ${expected}, but ${found} in the files; choose a type that fits with --types ${name}=TYPE, or give one of the two another name`
  return new SkepError('SCHEMA_MISMATCH', message, { table: table.name, column: name, expected, found })
}

/** The type with which a column is stored whose narrower type may do, now that the range of its values is known. */
export function settledType(
  { type, orNarrower }: StoredColumn,
  range: { min: bigint | null; max: bigint | null },
): DataType {
  if (!orNarrower) return type
  const [low, high] = [-(2n ** 31n), 2n ** 31n - 1n]
  return (range.min ?? 0n) >= low && (range.max ?? 0n) <= high ? orNarrower : primitive('BIGINT')
}
