/** The columns of a folder: the union of its files' columns by name, and its Hive columns. */
import { type DataType, printType } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import { SkepError } from '../../errors.ts'
import type { Column } from '../types.ts'
import type { HiveColumn } from './hive.ts'
import { foldName, sameName } from './names.ts'
import type { FileDifference, LayoutColumn } from './registration.ts'
import { unifyTypes } from './unify.ts'

/** A file and its own columns. Files that share one list of them are looked at once. */
export interface FileColumns {
  path: string
  columns: readonly LayoutColumn[]
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
  /** By the text of the type: the positions of the files that have it. */
  types: Map<string, TypeEntry>
  hive?: DataType
}

const FILES_NAMED_MAX = SETTINGS.namedFiles.default

/**
 * The union of the files' columns by name, without regard to case: those of the first file in its order, later ones
 * after them in the order in which they appear. A Hive column replaces a file's column of its name, as in DuckDB, or comes last.
 *
 * @throws SCHEMA_MISMATCH when files give a column types that no common one holds without loss; both files are in the details
 */
export function mergeSchema(table: string, files: readonly FileColumns[], hive: HiveColumn[]): MergedSchema {
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
    if (!type) throw typeMismatch(table, union, files)
    const required = union.required && union.files === files.length && !union.hive
    columns.push({ id: columns.length + 1, name: union.name, type, required })
    if (!union.hive) differences.push(...differencesOf(union, type, files))
  }
  return { columns, differences }
}

function uniteColumns(files: readonly FileColumns[]): Map<string, ColumnUnion> {
  const unions = new Map<string, ColumnUnion>()
  const places = Map.groupBy(files.keys(), (k) => files[k]!.columns)
  for (const [columns, at] of places) {
    for (const { name, type, required } of columns) {
      const key = foldName(name)
      const union = unions.get(key) ?? { name, files: 0, required: true, types: new Map() }
      unions.set(key, union)
      const text = printType(type)
      const entry = union.types.get(text) ?? { type, at: [] }
      union.types.set(text, entry)
      for (const k of at) entry.at.push(k)
      union.files += at.length
      union.required &&= required
    }
  }
  return unions
}

function differencesOf(union: ColumnUnion, type: DataType, files: readonly FileColumns[]): FileDifference[] {
  const expected = printType(type)
  const differences: FileDifference[] = []
  for (const [found, entry] of union.types) {
    if (found === expected || found === 'NULL') continue
    const some = pathsOf(entry, files).slice(0, FILES_NAMED_MAX)
    differences.push({ column: union.name, found, expected, files: some, count: entry.at.length })
  }
  const count = files.length - union.files
  return count === 0
    ? differences
    : [...differences, { column: union.name, expected, files: without(union, files), count }]
}

/** In the order of the files. */
function pathsOf({ at }: TypeEntry, files: readonly FileColumns[]): string[] {
  return at.toSorted((a, b) => a - b).map((k) => files[k]!.path)
}

function without(union: ColumnUnion, files: readonly FileColumns[]): string[] {
  const named: string[] = []
  for (const { path, columns } of files) {
    if (named.length === FILES_NAMED_MAX) break
    if (!columns.some((column) => sameName(column.name, union.name))) named.push(path)
  }
  return named
}

function typeMismatch(
  table: string,
  { name, types }: ColumnUnion,
  files: readonly FileColumns[],
): SkepError<'SCHEMA_MISMATCH'> {
  const [one, other] = conflictingPair([...types.values()])
  const expected = printType(one.type)
  const found = printType(other.type)
  const paths = [pathsOf(one, files)[0]!, pathsOf(other, files)[0]!]
  return new SkepError(
    'SCHEMA_MISMATCH',
    `column "${name}" is ${expected} in ${paths[0]} but ${found} in ${paths[1]}`,
    {
      table,
      column: name,
      expected,
      found,
      files: paths,
    },
  )
}

interface TypeEntry {
  type: DataType
  at: number[]
}

/** Types that have no common one always have two among them that have none. */
function conflictingPair(entries: TypeEntry[]): [TypeEntry, TypeEntry] {
  for (const [index, one] of entries.entries()) {
    const other = entries.slice(index + 1).find(({ type }) => !unifyTypes([one.type, type]))
    if (other) return [one, other]
  }
  return [entries[0]!, entries.at(-1)!]
}
