/** Values of text files as SQL: read from their text, and whether they are of the type that they should have; pure. */
import { type DataType, isInteger, parseType, printType, quoteIdentifier, quoteString } from '../../common/data-type.ts'
import { SETTINGS } from '../../config.ts'
import type { ImportColumns } from '../columns.ts'
import type { StoredColumn } from '../fit.ts'
import { type ReaderOptions, readerSql, type SourceColumn } from '../readers.ts'
import type { SourceFile } from '../sources.ts'

/** Names of the columns that numbered copies and staged rows have beside the sources' own. */
export interface NumberedNames {
  /** Place of the record. */
  number: string
  /** The column whose value is of another type, and why; null for a row that can be imported. */
  column: string
  reason: string
}

/** One value of a column: how it is read, stored and judged. */
interface Value {
  source: SourceColumn
  /** The value as it is stored; null as well for one that has another type. */
  stored: string
  /** True for a value that is there and has another type. */
  isBad: string
  /** What is said about a bad one. */
  reason: string
}

const REASON_CHARS = SETTINGS.reasonCharacters.default

/** A SELECT of number, stored columns, and what is wrong with a row, over numbered copies. */
export function checkedRows(
  files: readonly SourceFile[],
  { reader, stored }: ImportColumns,
  names: NumberedNames,
): string {
  const sources = reader.columns ?? []
  const read = files[0]!.format === 'csv' ? csvValue : jsonValue
  const values = stored.map((target) => {
    const source = sources.find(({ name }) => name.toLowerCase() === target.name.toLowerCase())
    return source && read(source, reader.types?.get(source.name) ?? printType(source.type), target)
  })
  const columns = stored.map(({ name, type }, k) => {
    const value = values[k]?.stored ?? `CAST(NULL AS ${printType(type)})`
    return `${value} AS ${quoteIdentifier(name)}`
  })
  const problems = values.flatMap((value) => (value ? [value] : []))
  const choose = (of: (value: Value) => string) =>
    problems.length === 0 ? 'NULL' : `CASE ${problems.map((v) => `WHEN ${v.isBad} THEN ${of(v)}`).join(' ')} END`
  return `SELECT ${[
    quoteIdentifier(names.number),
    ...columns,
    `CAST(${choose(({ source }) => quoteString(source.name))} AS VARCHAR) AS ${quoteIdentifier(names.column)}`,
    `CAST(${choose(({ reason }) => reason)} AS VARCHAR) AS ${quoteIdentifier(names.reason)}`,
  ].join(', ')} FROM ${numberedSql(files, reader, names)}`
}

/** Every column as text, or as JSON, but for the dates that the reader knows by the whole file. */
function numberedSql(files: readonly SourceFile[], reader: ReaderOptions, { number }: NumberedNames): string {
  const isCsv = files[0]!.format === 'csv'
  const sources = reader.columns ?? []
  const typeOf = (source: SourceColumn) => {
    if (!isCsv) return 'JSON'
    return isSniffedDate(source, reader.types?.get(source.name)) ? printType(source.type) : 'VARCHAR'
  }
  const columns = [{ name: number, type: parseType('BIGINT') }, ...sources]
  const types = new Map([[number, 'BIGINT'], ...sources.map((source) => [source.name, typeOf(source)] as const)])
  return readerSql(files, { ...reader, columns, types, full: isCsv })
}

/** True for a column that holds nothing but dates of one form, whichever that is: only the reader knows the form. */
function isSniffedDate({ type, mixed }: SourceColumn, chosen: string | undefined): boolean {
  const name = printType(type)
  return ['DATE', 'TIMESTAMP'].includes(name) && mixed !== true && (chosen ?? name) === name
}

function csvValue(source: SourceColumn, type: string, stores: StoredColumn): Value {
  const text = quoteIdentifier(source.name)
  const target = printType(stores.type)
  if (isSniffedDate(source, type))
    return { source, stored: `CAST(${text} AS ${target})`, isBad: 'false', reason: 'NULL' }
  const stored = castSql(text, type, target)
  const isBad = `${text} IS NOT NULL AND (${stored} IS NULL OR ${isRoundedSql(text, type)})`
  return { source, stored, isBad, reason: reasonSql(text, type) }
}

function jsonValue(source: SourceColumn, type: string, { type: target, isStrict }: StoredColumn): Value {
  const json = quoteIdentifier(source.name)
  const stored = castSql(jsonText(json, type), type, printType(target))
  const isBad = `${badJson(json, parseType(type), isStrict === true)} OR (${isThere(json)} AND ${stored} IS NULL)`
  return { source, stored, isBad, reason: reasonSql(json, type) }
}

function castSql(value: string, type: string, target: string): string {
  const first = `TRY_CAST(${value} AS ${type})`
  return type === target ? first : `TRY_CAST(${first} AS ${target})`
}

/** What is cast: of a JSON string that is to be text, what it says. */
function jsonText(json: string, type: string): string {
  return type === 'VARCHAR' ? `(${json} ->> '$')` : json
}

function isThere(json: string): string {
  return `coalesce(json_type(${json}), 'NULL') <> 'NULL'`
}

/** True for a JSON value that is not of a type, at any depth. Missing fields of a struct are no damage; further ones are when `isStrict`. */
function badJson(json: string, type: DataType, isStrict: boolean): string {
  switch (type.kind) {
    case 'struct': {
      const fields = type.fields.map((field) =>
        badJson(`json_extract(${json}, ${pathOf(field.name)})`, field.type, isStrict),
      )
      return notA(json, 'OBJECT', isStrict ? [hasMore(json, type.fields), ...fields] : fields)
    }
    case 'list':
    case 'array':
      return notA(json, 'ARRAY', [anyBad(`json_extract(${json}, '$[*]')`, type.element, isStrict)])
    case 'map':
      return notA(json, 'OBJECT', [anyBad(`json_extract(${json}, '$.*')`, type.value, isStrict)])
    default: {
      const text = printType(type)
      if (text === 'VARCHAR' || text === 'JSON') return 'false'
      return `(${isThere(json)} AND (TRY_CAST(${json} AS ${text}) IS NULL OR ${isRoundedSql(`(${json} ->> '$')`, text)}))`
    }
  }
}

function notA(json: string, kind: 'OBJECT' | 'ARRAY', parts: string[]): string {
  const inside = parts.filter((part) => part !== 'false').map((part) => ` OR ${part}`)
  return `(${isThere(json)} AND (json_type(${json}) <> '${kind}'${inside.join('')}))`
}

/** True for an object with a field that is none of these. */
function hasMore(json: string, fields: readonly { name: string }[]): string {
  const names = fields.map(({ name }) => quoteString(name)).join(', ')
  return `len(list_filter(json_keys(${json}), lambda skep_k: skep_k NOT IN (${names}))) > 0`
}

function anyBad(list: string, type: DataType, isStrict: boolean): string {
  const bad = badJson('skep_e', type, isStrict)
  return bad === 'false' ? 'false' : `len(list_filter(${list}, lambda skep_e: ${bad})) > 0`
}

function pathOf(name: string): string {
  return quoteString(`$."${name.replaceAll('"', '\\"')}"`)
}

/** True for text that the engine would read as a value of the type all the same: 2.5 as 3, a time as its day. */
function isRoundedSql(text: string, type: string): string {
  if (isInteger(parseType(type))) return `regexp_matches(${text}, '[.]|^[^xX]*[eE]')`
  return type === 'DATE' ? `regexp_matches(${text}, '[0-9][ T]+[0-9]')` : 'false'
}

function reasonSql(text: string, type: string): string {
  const shown = `left(CAST(${text} AS VARCHAR), ${REASON_CHARS})`
  return `concat('not of the type ', ${quoteString(type)}, ': ', ${shown}, CASE WHEN length(CAST(${text} AS VARCHAR)) > ${REASON_CHARS} THEN '…' ELSE '' END)`
}
