/** What a file seems to hold, from its name and its beginning: suggestions, which the import itself does not rely on. */
import { FORMAT_OF_ENDING } from '../../../../src/common/file-formats.ts'

/** How a file is sent: its content type and how it is compressed. */
export interface FileKind {
  format: 'parquet' | 'csv' | 'ndjson'
  headers: Record<string, string>
}

/** A column as it seems. */
export interface GuessedColumn {
  name: string
  kind: 'text' | 'integer' | 'number' | 'time' | 'other'
  /** One of its values, where it is of integers. */
  sample?: number
}

const TYPES = { parquet: 'application/vnd.apache.parquet', csv: 'text/csv', ndjson: 'application/x-ndjson' } as const

/** What a file is, by its name; `undefined` when the name does not tell. */
export function kindOf(fileName: string): FileKind | undefined {
  const [, name = '', packed] = /^(.*?)(?:\.(gz|zst))?$/i.exec(fileName) ?? []
  const format = FORMAT_OF_ENDING[name.slice(name.lastIndexOf('.') + 1).toLowerCase()]
  if (!format) return undefined
  const encoding = packed && { 'content-encoding': packed.toLowerCase() === 'gz' ? 'gzip' : 'zstd' }
  return { format, headers: { 'content-type': TYPES[format], ...encoding } }
}

/** A name for a table, made of a file's. */
export function tableNameOf(fileName: string): string {
  const stem = fileName.replace(/\.(gz|zst)$/i, '').replace(/\.[^.]*$/, '')
  const name = stem
    .toLowerCase()
    .replaceAll(/[^a-z\d]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
  if (name === '') return 'table_1'
  return /^[a-z]/.test(name) ? name : `t_${name}`
}

const ACTOR =
  /^(user|actor|account|customer|client|device|member|visitor|person|player|author|anonymous|distinct)[ _-]?(id|key|uuid|name|hash)?$/i
const SESSION = /^(session|cookie|visit|group|uid|userid|email)[ _-]?(id|key)?$/i
const TIME = /^(ts|time|timestamp|date|datetime|day|event[ _-]?(time|date|timestamp)|occurred|created)([ _-]?at)?$/i

/** The column that says who acts; `undefined` when none looks like it. */
export function guessActor(columns: readonly GuessedColumn[]): string | undefined {
  const possible = columns.filter(({ kind }) => kind === 'text' || kind === 'integer')
  return (possible.find(({ name }) => ACTOR.test(name)) ?? possible.find(({ name }) => SESSION.test(name)))?.name
}

/** The column that says when. */
export function guessTime(columns: readonly GuessedColumn[]): string | undefined {
  const times = columns.filter(({ kind }) => kind === 'time')
  const named = (list: readonly GuessedColumn[]) => list.find(({ name }) => TIME.test(name) || /_at$/i.test(name))
  return (named(times) ?? times[0] ?? named(columns.filter(({ kind }) => kind === 'integer')))?.name
}

/** The unit of integers that are times, by their size. */
export function guessUnit(value: number): 's' | 'ms' | 'us' | 'ns' {
  const size = Math.abs(value)
  if (size < 1e11) return 's'
  if (size < 1e14) return 'ms'
  return size < 1e17 ? 'us' : 'ns'
}

/** The columns of the beginning of a CSV or NDJSON file; what is cut off at its end is left out. */
export function columnsOfText(text: string, format: 'csv' | 'ndjson'): GuessedColumn[] {
  const lines = text.split(/\r?\n/).slice(0, -1).filter(Boolean).slice(0, 50)
  return format === 'csv' ? columnsOfCsv(lines) : columnsOfJson(lines)
}

function columnsOfCsv([head = '', ...rows]: readonly string[]): GuessedColumn[] {
  const mark = [',', ';', '\t', '|'].toSorted((a, b) => head.split(b).length - head.split(a).length)[0]!
  const values = rows.map((row) => fieldsOf(row, mark))
  return fieldsOf(head, mark).map((name, index) =>
    columnOf(
      name,
      values.map((row) => row[index] ?? ''),
    ),
  )
}

function fieldsOf(line: string, mark: string): string[] {
  const fields: string[] = []
  let rest = line
  while (rest !== '' || fields.length === 0) {
    const quoted = /^"((?:[^"]|"")*)"/.exec(rest)
    const end = rest.indexOf(mark)
    const field = quoted ? quoted[1]!.replaceAll('""', '"') : end < 0 ? rest : rest.slice(0, end)
    fields.push(field.trim())
    const taken = quoted ? quoted[0].length : field.length
    rest = rest.slice(taken + mark.length)
  }
  return fields
}

function columnsOfJson(lines: readonly string[]): GuessedColumn[] {
  const found = new Map<string, string[]>()
  for (const line of lines) {
    for (const [name, value] of Object.entries(objectOf(line))) {
      const text = typeof value === 'object' ? '{}' : String(value)
      found.set(name, [...(found.get(name) ?? []), value === null ? '' : text])
    }
  }
  return [...found].map(([name, values]) => columnOf(name, values))
}

function objectOf(line: string): object {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
  } catch {
    return {}
  }
}

function columnOf(name: string, values: readonly string[]): GuessedColumn {
  const kind = kindOfValues(values)
  return { name, kind, ...(kind === 'integer' && { sample: Number(values.find(Boolean)) }) }
}

function kindOfValues(values: readonly string[]): GuessedColumn['kind'] {
  const given = values.filter(Boolean)
  const all = (pattern: RegExp) => given.length > 0 && given.every((value) => pattern.test(value))
  if (all(/^-?\d+$/)) return 'integer'
  if (all(/^-?[\d.]+(e[+-]?\d+)?$/i)) return 'number'
  if (all(/^\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?.{0,6})?$/)) return 'time'
  return all(/^[{[]/) ? 'other' : 'text'
}
