/** A registration as the catalog keeps it: plain JSON, column by column, since there may be very many files. */
import { crc32 } from 'node:zlib'
import { parseType, printType } from '../../common/data-type.ts'
import { SkepError } from '../../errors.ts'
import type { Column, Scalar, TableKeys, TimeUnit, Validation } from '../types.ts'
import type { FileDifference, LayoutColumn, RegisteredFile, Registration } from './registration.ts'
import { scalarFromJson, scalarToJson } from './scalar-json.ts'
import { encodeStatistics, LazyStatistics } from './statistics-json.ts'

const VERSION = 2

/** The registration as plain JSON, which `decodeRegistration` reads back as it was. Grows with files × columns. */
export function encodeRegistration(registration: Registration): Record<string, unknown> {
  const { columns, files, folders, ...rest } = registration
  const layouts = [...new Set(files.map(({ layout }) => layout))]
  const numbers = new Map(layouts.map((layout, k) => [layout, k]))
  const document = {
    ...rest,
    columns: columns.map(encodeColumn),
    layouts: layouts.map((layout) => layout.map(encodeColumn)),
    folders: {
      paths: folders.map(({ path }) => path),
      versions: folders.map(({ version }) => version),
      ...(folders.every(({ parquet }) => parquet !== undefined) && { parquet: folders.map(({ parquet }) => parquet) }),
    },
    files: {
      paths: files.map(({ path }) => path),
      sizes: files.map(({ sizeBytes }) => sizeBytes),
      versions: files.map(({ version }) => version),
      rows: files.map(({ rows }) => rows),
      layouts: files.map(({ layout }) => numbers.get(layout)),
      apart: files.map(({ apart }) => (apart ? 1 : 0)),
      partitions: rest.hiveColumns.map((_, k) => files.map(({ partition }) => encodeScalar(partition[k] ?? null))),
    },
    statistics: columns.map((_, k) => encodeStatistics(files.map(({ statistics }) => statistics.at(k)))),
  }
  return { ...document, checksum: checksumOf(document) }
}

/** Of everything else: a damaged bound would be a file that is left out without a word. */
function checksumOf(document: object): number {
  return crc32(JSON.stringify(document))
}

function encodeColumn({ name, type, required }: LayoutColumn): object {
  return { name, type: printType(type), required }
}

function encodeScalar(value: Scalar | null): string | number | boolean | null {
  return value === null ? null : scalarToJson(value)
}

/**
 * The registration that a document holds. Statistics of a column are not parsed before they are asked for.
 *
 * @throws TABLE_INVALID, naming `file` and the place in the document, when it is not one or of another version
 */
export function decodeRegistration(document: unknown, file: string): Registration {
  const root: Place = { json: document, file, path: '' }
  if (at(root, 'version').json !== VERSION) throw invalid(at(root, 'version'), `version ${VERSION}`)
  const { checksum, ...rest } = document as Record<string, unknown>
  if (checksum !== checksumOf(rest)) throw invalid(root, 'a checksum that fits')
  const columns = items(at(root, 'columns')).map((item, index) => ({ id: index + 1, ...decodeColumn(item) }))
  const hiveColumns = items(at(root, 'hiveColumns')).map((item) => hiveColumn(item, columns))
  return {
    version: VERSION,
    root: text(at(root, 'root')),
    pattern: text(at(root, 'pattern')),
    keys: decodeKeys(at(root, 'keys')),
    columns,
    hiveColumns,
    folders: decodeFolders(at(root, 'folders')),
    files: decodeFiles(root, columns.length, hiveColumns.length),
    differences: items(at(root, 'differences')).map(decodeDifference),
    validation: decodeValidation(at(root, 'validation')),
  }
}

/** A value of the document, and where it stands there. */
interface Place {
  json: unknown
  file: string
  path: string
}

function invalid({ file, path }: Place, expected: string): SkepError<'TABLE_INVALID'> {
  return new SkepError('TABLE_INVALID', `${file}: damaged registration: expected ${expected} at "${path}"`, { file })
}

function at(from: Place, key: string): Place {
  const { json, file, path } = from
  if (json === null || typeof json !== 'object' || Array.isArray(json)) throw invalid(from, 'an object')
  const value = Object.hasOwn(json, key) ? (json as Record<string, unknown>)[key] : undefined
  return { json: value, file, path: `${path}/${key}` }
}

function items(from: Place, length?: number): Place[] {
  return array(from, length).map((json, index) => ({ json, file: from.file, path: `${from.path}/${index}` }))
}

function array(from: Place, length?: number): unknown[] {
  const { json } = from
  if (!Array.isArray(json) || (length !== undefined && json.length !== length)) throw invalid(from, 'a list')
  return json
}

function text(from: Place): string {
  if (typeof from.json !== 'string') throw invalid(from, 'text')
  return from.json
}

function count(from: Place): number {
  if (!isCount(from.json)) throw invalid(from, 'a count')
  return from.json
}

function isCount(json: unknown): json is number {
  return Number.isSafeInteger(json) && (json as number) >= 0
}

function flag(from: Place): boolean {
  if (typeof from.json !== 'boolean') throw invalid(from, 'true or false')
  return from.json
}

function oneOf<T extends string>(from: Place, values: readonly T[]): T {
  const value = values.find((known) => known === from.json)
  if (value === undefined) throw invalid(from, `one of ${values.join(', ')}`)
  return value
}

function optional<T>(from: Place, read: (present: Place) => T): T | undefined {
  return from.json === undefined || from.json === null ? undefined : read(from)
}

function decodeColumn(from: Place): LayoutColumn {
  const type = parseType(text(at(from, 'type')))
  return { name: text(at(from, 'name')), type, required: flag(at(from, 'required')) }
}

function hiveColumn(from: Place, columns: readonly Column[]): string {
  const name = text(from)
  if (!columns.some((column) => column.name === name)) throw invalid(from, 'the name of a column')
  return name
}

const TIME_UNITS: readonly TimeUnit[] = ['s', 'ms', 'us', 'ns']
const VALIDATIONS: readonly Validation[] = ['single', 'first_last', 'sample', 'all']

function decodeKeys(from: Place): TableKeys {
  const actor = optional(at(from, 'actor'), text)
  const time = optional(at(from, 'time'), text)
  const timeUnit = optional(at(from, 'timeUnit'), (present) => oneOf(present, TIME_UNITS))
  return {
    ...(actor === undefined ? {} : { actor }),
    ...(time === undefined ? {} : { time }),
    ...(timeUnit === undefined ? {} : { timeUnit }),
  }
}

function decodeFolders(from: Place): Registration['folders'] {
  const paths = texts(at(from, 'paths'))
  const versions = texts(at(from, 'versions'), paths.length)
  const parquet = optional(at(from, 'parquet'), (present) => counts(present, paths.length))
  return paths.map((path, k) => ({ path, version: versions[k]!, ...(parquet && { parquet: parquet[k]! }) }))
}

/** Plain code over plain lists: these are most of a large document. */
function decodeFiles(root: Place, columns: number, hiveColumns: number): RegisteredFile[] {
  const from = at(root, 'files')
  const paths = texts(at(from, 'paths'))
  const { length } = paths
  const sizes = counts(at(from, 'sizes'), length)
  const versions = texts(at(from, 'versions'), length)
  const rows = counts(at(from, 'rows'), length)
  const apart = counts(at(from, 'apart'), length)
  const layouts = items(at(root, 'layouts')).map((item) => items(item).map(decodeColumn))
  const numbers = counts(at(from, 'layouts'), length)
  if (numbers.some((number) => number >= layouts.length)) throw invalid(at(from, 'layouts'), 'numbers of layouts')
  const partitions = items(at(from, 'partitions'), hiveColumns).map((item) => decodeScalars(item, length))
  const statistics = new LazyStatistics(texts(at(root, 'statistics'), columns), length, (column) =>
    invalid(at(root, 'statistics'), `statistics of column ${column + 1}`),
  )
  return paths.map((path, k) => ({
    path,
    sizeBytes: sizes[k]!,
    version: versions[k]!,
    rows: rows[k]!,
    layout: layouts[numbers[k]!]!,
    apart: apart[k] === 1,
    partition: partitions.map((values) => values[k]!),
    statistics: statistics.ofFile(k),
  }))
}

function texts(from: Place, length?: number): string[] {
  const list = array(from, length)
  if (!list.every((item) => typeof item === 'string')) throw invalid(from, 'a list of texts')
  return list
}

function counts(from: Place, length: number): number[] {
  const list = array(from, length)
  if (!list.every(isCount)) throw invalid(from, 'a list of counts')
  return list
}

function decodeScalars(from: Place, length: number): (Scalar | null)[] {
  return array(from, length).map((json) => {
    const scalar = json === null ? null : scalarFromJson(json)
    if (scalar === undefined) throw invalid(from, 'values with their tags')
    return scalar
  })
}

function decodeDifference(from: Place): FileDifference {
  const found = optional(at(from, 'found'), text)
  return {
    column: text(at(from, 'column')),
    ...(found === undefined ? {} : { found }),
    expected: text(at(from, 'expected')),
    files: texts(at(from, 'files')),
    count: count(at(from, 'count')),
  }
}

function decodeValidation(from: Place): Registration['validation'] {
  const mode = optional(at(from, 'mode'), (present) => oneOf(present, VALIDATIONS))
  const scattered = optional(at(from, 'scattered'), (present) => ({
    actor: text(at(present, 'actor')),
    files: texts(at(present, 'files')),
  }))
  return {
    ...(mode === undefined ? {} : { mode }),
    checkedFiles: count(at(from, 'checkedFiles')),
    ...(scattered === undefined ? {} : { scattered }),
    needsNullCheck: items(at(from, 'needsNullCheck')).map((item) => oneOf(item, ['actor', 'time'])),
  }
}
