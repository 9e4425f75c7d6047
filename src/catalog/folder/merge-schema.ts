/** The columns of a folder: the union of its files' columns by name, and its Hive columns. */
import { type DataType, printType } from '../../common/data-type.ts'
import { SkepError } from '../../errors.ts'
import type { Column } from '../types.ts'
import type { FileColumn } from './footer.ts'
import type { HiveColumn } from './hive.ts'
import { foldName, sameName } from './names.ts'
import type { FileDifference } from './registration.ts'
import { unifyTypes } from './unify.ts'

/** A file and the columns that its footer has. */
export interface FileColumns {
  path: string
  columns: FileColumn[]
}

/** The schema of a folder, and where its files differ from it. */
export interface MergedSchema {
  columns: Column[]
  differences: FileDifference[]
}

/** A column of some of the files. */
interface ColumnUnion {
  name: string
  files: number
  required: boolean
  /** By the text of the type: the files that have it, in their order. */
  types: Map<string, { type: DataType; paths: string[] }>
  hive?: DataType
}

const FILES_NAMED_MAX = 10

/**
 * The union of the files' columns by name, without regard to case: those of the first file in its order, later ones
 * after them in the order in which they appear. A Hive column replaces a file's column of its name, as in DuckDB, or comes last.
 *
 * @throws SCHEMA_MISMATCH when files give a column types that no common one holds without loss; both files are in the details
 */
export function mergeSchema(table: string, files: FileColumns[], hive: HiveColumn[]): MergedSchema {
  const unions = uniteColumns(files)
  for (const { name, type } of hive) {
    const union = unions.get(foldName(name))
    if (union) union.hive = type
    else unions.set(foldName(name), { name, files: files.length, required: false, types: new Map(), hive: type })
  }
  const columns: Column[] = []
  const differences: FileDifference[] = []
  for (const union of unions.values()) {
    const type = union.hive ?? unifyTypes([...union.types.values()].map((entry) => entry.type))
    if (!type) throw typeMismatch(table, union)
    const required = union.required && union.files === files.length && !union.hive
    columns.push({ id: columns.length + 1, name: union.name, type, required })
    if (!union.hive) differences.push(...differencesOf(union, type, files))
  }
  return { columns, differences }
}

function uniteColumns(files: FileColumns[]): Map<string, ColumnUnion> {
  const unions = new Map<string, ColumnUnion>()
  for (const { path, columns } of files) {
    for (const { name, type, required } of columns) {
      const key = foldName(name)
      const union = unions.get(key) ?? { name, files: 0, required: true, types: new Map() }
      unions.set(key, union)
      const text = printType(type)
      const entry = union.types.get(text) ?? { type, paths: [] }
      union.types.set(text, entry)
      entry.paths.push(path)
      union.files++
      union.required &&= required
    }
  }
  return unions
}

function differencesOf(union: ColumnUnion, type: DataType, files: FileColumns[]): FileDifference[] {
  const expected = printType(type)
  const differences: FileDifference[] = []
  for (const [found, { paths }] of union.types) {
    if (found === expected || found === 'NULL') continue
    const some = paths.slice(0, FILES_NAMED_MAX)
    differences.push({ column: union.name, found, expected, files: some, count: paths.length })
  }
  const count = files.length - union.files
  return count === 0
    ? differences
    : [...differences, { column: union.name, expected, files: without(union, files), count }]
}

function without(union: ColumnUnion, files: FileColumns[]): string[] {
  const named: string[] = []
  for (const { path, columns } of files) {
    if (named.length === FILES_NAMED_MAX) break
    if (!columns.some((column) => sameName(column.name, union.name))) named.push(path)
  }
  return named
}

function typeMismatch(table: string, { name, types }: ColumnUnion): SkepError<'SCHEMA_MISMATCH'> {
  const [one, other] = conflictingPair([...types.values()])
  const expected = printType(one.type)
  const found = printType(other.type)
  return new SkepError(
    'SCHEMA_MISMATCH',
    `column "${name}" is ${expected} in ${one.paths[0]} but ${found} in ${other.paths[0]}`,
    { table, column: name, expected, found, files: [one.paths[0]!, other.paths[0]!] },
  )
}

type TypeEntry = { type: DataType; paths: string[] }

/** Types that have no common one always have two among them that have none. */
function conflictingPair(entries: TypeEntry[]): [TypeEntry, TypeEntry] {
  for (const [index, one] of entries.entries()) {
    const other = entries.slice(index + 1).find(({ type }) => !unifyTypes([one.type, type]))
    if (other) return [one, other]
  }
  return [entries[0]!, entries.at(-1)!]
}
