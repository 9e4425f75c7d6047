/** A registration as the catalog keeps it: plain JSON. */
import { parseType, printType } from '../../common/data-type.ts'
import { SkepError } from '../../errors.ts'
import type { Column, ColumnStatistics, Scalar, TableKeys, TimeUnit, Validation } from '../types.ts'
import type { FileDifference, RegisteredFile, Registration, RegistrationValidation } from './registration.ts'
import { scalarFromJson, scalarToJson } from './scalar-json.ts'

const VERSION = 1

/** The registration as plain JSON, which `decodeRegistration` reads back as it was. Grows with files × columns. */
export function encodeRegistration(registration: Registration): Record<string, unknown> {
  const { columns, files, ...rest } = registration
  return {
    ...rest,
    columns: columns.map(({ name, type, required }) => ({ name, type: printType(type), required })),
    files: files.map((file) => ({
      ...file,
      partition: file.partition.map((value) => (value === null ? null : scalarToJson(value))),
      statistics: file.statistics.map(encodeStatistics),
    })),
  }
}

/** `[sizeBytes, values, nulls, nans, lower, upper]`, null for what is not known: there is one for each file and column. */
function encodeStatistics(known: ColumnStatistics | undefined): unknown[] | null {
  if (!known) return null
  const { sizeBytes, values, nulls, nans, lower, upper } = known
  const bounds = [lower, upper].map((bound) => (bound === undefined ? null : scalarToJson(bound)))
  return [sizeBytes ?? null, values ?? null, nulls ?? null, nans ?? null, ...bounds]
}

/**
 * The registration that a document holds.
 *
 * @throws TABLE_INVALID, naming `file` and the place in the document, when it is not one or of another version
 */
export function decodeRegistration(document: unknown, file: string): Registration {
  const root: Place = { json: document, file, path: '' }
  if (at(root, 'version').json !== VERSION) throw invalid(at(root, 'version'), `version ${VERSION}`)
  const columns = items(at(root, 'columns')).map(decodeColumn)
  const hiveColumns = items(at(root, 'hiveColumns')).map((item) => hiveColumn(item, columns))
  return {
    version: VERSION,
    root: text(at(root, 'root')),
    pattern: text(at(root, 'pattern')),
    keys: decodeKeys(at(root, 'keys')),
    columns,
    hiveColumns,
    files: items(at(root, 'files')).map((item) => decodeFile(item, columns.length, hiveColumns.length)),
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

function decodeColumn(from: Place, index: number): Column {
  const type = parseType(text(at(from, 'type')))
  return { id: index + 1, name: text(at(from, 'name')), type, required: flag(at(from, 'required')) }
}

function hiveColumn(from: Place, columns: Column[]): string {
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

function decodeFile(from: Place, columns: number, hiveColumns: number): RegisteredFile {
  const statistics = at(from, 'statistics')
  return {
    path: text(at(from, 'path')),
    sizeBytes: count(at(from, 'sizeBytes')),
    version: text(at(from, 'version')),
    rows: count(at(from, 'rows')),
    partition: items(at(from, 'partition'), hiveColumns).map((item) => optional(item, decodeScalar) ?? null),
    statistics: array(statistics, columns).map((json) =>
      json === null ? undefined : decodeStatistics(json, statistics),
    ),
  }
}

function decodeScalar(from: Place): Scalar {
  const scalar = scalarFromJson(from.json)
  if (scalar === undefined) throw invalid(from, 'a value with its tag')
  return scalar
}

const COUNTS = ['sizeBytes', 'values', 'nulls', 'nans'] as const
const BOUNDS = ['lower', 'upper'] as const

/** Plain code over plain JSON: these are most of a large document. */
function decodeStatistics(json: unknown, place: Place): ColumnStatistics {
  if (!Array.isArray(json) || json.length !== COUNTS.length + BOUNDS.length) throw invalid(place, 'lists of statistics')
  const statistics: ColumnStatistics = {}
  for (let i = 0; i < json.length; i++) {
    const part: unknown = json[i]
    if (part === null) continue
    const bound = i < COUNTS.length ? undefined : scalarFromJson(part)
    if (bound !== undefined) statistics[BOUNDS[i - COUNTS.length]!] = bound
    else if (i < COUNTS.length && isCount(part)) statistics[COUNTS[i]!] = part
    else throw invalid(place, 'counts and bounds')
  }
  return statistics
}

function decodeDifference(from: Place): FileDifference {
  const found = optional(at(from, 'found'), text)
  return {
    column: text(at(from, 'column')),
    ...(found === undefined ? {} : { found }),
    expected: text(at(from, 'expected')),
    files: items(at(from, 'files')).map(text),
    count: count(at(from, 'count')),
  }
}

function decodeValidation(from: Place): RegistrationValidation {
  const mode = optional(at(from, 'mode'), (present) => oneOf(present, VALIDATIONS))
  return {
    ...(mode === undefined ? {} : { mode }),
    checkedFiles: count(at(from, 'checkedFiles')),
    actorsTogether: flag(at(from, 'actorsTogether')),
    needsNullCheck: items(at(from, 'needsNullCheck')).map((item) => oneOf(item, ['actor', 'time'])),
  }
}
