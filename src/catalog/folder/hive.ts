/** Columns that the names of folders carry: `day=2026-11-20/country=DE/`. */
import { type DataType, primitive } from '../../common/data-type.ts'
import { SkepError } from '../../errors.ts'
import type { Scalar } from '../types.ts'
import { sameName } from './names.ts'

/** The text of a path's partition folders, by column, in the order of the path; null is a null value. */
export type HiveTexts = Map<string, string | null>

/** A column whose values come from the names of folders. */
export interface HiveColumn {
  name: string
  /** BIGINT where all values are integers in their shortest form, else VARCHAR. */
  type: DataType
}

/** The partition columns of a folder, and each file's values of them. */
export interface HivePartitions {
  columns: HiveColumn[]
  /** By file, then by column. */
  values: (Scalar | null)[][]
}

const NULL_TEXTS = /^(?:__HIVE_DEFAULT_PARTITION__|[Nn][Uu][Ll][Ll])$/

/**
 * The partition folders of a file's path; empty when it has none. A folder is one when its name has exactly one `=`,
 * with text before it. Values are URL-decoded, names are not; `__HIVE_DEFAULT_PARTITION__` and `NULL` are null. All of
 * this as DuckDB reads it.
 *
 * @throws SCHEMA_MISMATCH when a path names a column twice, or a value is not UTF-8
 */
export function parseHivePath(path: string): HiveTexts {
  const texts: HiveTexts = new Map()
  for (const folder of path.split('/').slice(0, -1)) {
    const [name, value, ...rest] = folder.split('=')
    if (!name || value === undefined || rest.length > 0) continue
    if ([...texts.keys()].some((other) => sameName(other, name))) {
      throw badPath(path, name, `names the partition column "${name}" twice`)
    }
    texts.set(name, NULL_TEXTS.test(value) ? null : urlDecode(path, name, value))
  }
  return texts
}

/**
 * The partition columns that all paths share, with the types that their values allow.
 *
 * @throws SCHEMA_MISMATCH when paths differ in the columns that they name; two of the files are in the details
 */
export function readHivePartitions(paths: string[]): HivePartitions {
  const texts = paths.map(parseHivePath)
  const names = [...(texts[0]?.keys() ?? [])]
  const byFile = texts.map((file, index) => {
    if (file.size !== names.length) throw differentKeys(paths[0]!, paths[index]!)
    return names.map((name) => textOf(file, name, () => differentKeys(paths[0]!, paths[index]!)))
  })
  const columns = names.map((name, column) => ({ name, type: hiveType(byFile.map((values) => values[column]!)) }))
  const values = byFile.map((file) => file.map((text, column) => toScalar(text, columns[column]!.type)))
  return { columns, values }
}

function textOf(file: HiveTexts, name: string, missing: () => SkepError): string | null {
  const text = file.get(name)
  if (text !== undefined) return text
  for (const [other, value] of file) if (sameName(other, name)) return value
  throw missing()
}

function differentKeys(first: string, second: string): SkepError<'SCHEMA_MISMATCH'> {
  return new SkepError(
    'SCHEMA_MISMATCH',
    `${first} and ${second} lie in folders that name different partition columns`,
    { files: [first, second] },
  )
}

function hiveType(texts: (string | null)[]): DataType {
  const known = texts.filter((text) => text !== null)
  return primitive(known.length > 0 && known.every(isInteger) ? 'BIGINT' : 'VARCHAR')
}

function isInteger(text: string): boolean {
  return /^(?:0|-?[1-9]\d{0,18})$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)
}

function toScalar(text: string | null, type: DataType): Scalar | null {
  return text !== null && type.kind === 'primitive' && type.name === 'BIGINT' ? BigInt(text) : text
}

function urlDecode(path: string, column: string, text: string): string {
  try {
    return decodeURIComponent(text.replaceAll(/%(?![0-9a-f]{2})/gi, '%25'))
  } catch {
    throw badPath(path, column, `has a value of "${column}" that is not UTF-8 after URL-decoding`)
  }
}

function badPath(path: string, column: string, problem: string): SkepError<'SCHEMA_MISMATCH'> {
  return new SkepError('SCHEMA_MISMATCH', `${path} ${problem}`, { column, files: [path] })
}
