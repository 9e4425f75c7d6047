/** Types of DuckDB as trees, read from the texts by which it names them: those too that no table may have. */
import { quoteIdentifier } from '../common/data-type.ts'

/** A type. `leaf` is one whose values have no parts, under its full name. */
export type TypeTree =
  | { kind: 'leaf'; text: string; name: string }
  | { kind: 'list'; element: TypeTree }
  | { kind: 'array'; element: TypeTree; size: number }
  | { kind: 'map'; key: TypeTree; value: TypeTree }
  /** Fields without names are those of `row(…)`. */
  | { kind: 'struct'; fields: { name?: string; type: TypeTree }[] }
  | { kind: 'union'; members: { name: string; type: TypeTree }[] }

/** The type that a text of DuckDB names; undefined when it is none. */
export function parseTypeTree(text: string): TypeTree | undefined {
  const reader = { text: text.trim(), at: 0 }
  const type = readType(reader)
  return reader.at === reader.text.length ? type : undefined
}

/** The type as it stands in a CAST. A struct without names has no such text, and gives undefined, as does what holds one. */
export function printTypeTree(type: TypeTree): string | undefined {
  switch (type.kind) {
    case 'leaf':
      return type.text
    case 'list':
      return printed`${type.element}[]`
    case 'array':
      return printed`${type.element}[${String(type.size)}]`
    case 'map':
      return printed`MAP(${type.key}, ${type.value})`
    case 'struct':
      return printFields('STRUCT', type.fields)
    case 'union':
      return printFields('UNION', type.members)
  }
}

function printed(texts: TemplateStringsArray, ...values: (TypeTree | string)[]): string | undefined {
  const parts = values.map((value) => (typeof value === 'string' ? value : printTypeTree(value)))
  return parts.includes(undefined) ? undefined : String.raw({ raw: texts }, ...parts)
}

function printFields(word: string, fields: readonly { name?: string; type: TypeTree }[]): string | undefined {
  const parts = fields.map(({ name, type }) =>
    name === undefined ? undefined : printed`${quoteIdentifier(name)} ${type}`,
  )
  return parts.includes(undefined) ? undefined : `${word}(${parts.join(', ')})`
}

interface Reader {
  text: string
  at: number
}

function readType(reader: Reader): TypeTree | undefined {
  let type = readBase(reader)
  for (let size = take(reader, /\[(\d*)\]/y); type && size; size = take(reader, /\[(\d*)\]/y)) {
    type = size[1] ? { kind: 'array', element: type, size: Number(size[1]) } : { kind: 'list', element: type }
  }
  return type
}

const WORDS = /(?:TIMESTAMP|TIME) WITH TIME ZONE|"NULL"|[A-Z_][A-Z_0-9]*/iy
const ARGUMENTS = /\((?:'(?:[^']|'')*'|[^'()])*\)/y

function readBase(reader: Reader): TypeTree | undefined {
  const from = reader.at
  const name = take(reader, WORDS)?.[0].toUpperCase()
  if (name === undefined) return undefined
  if (reader.text[reader.at] !== '(') return { kind: 'leaf', text: reader.text.slice(from, reader.at), name }
  switch (name) {
    case 'STRUCT':
      return readStruct(reader)
    case 'UNION':
      return readUnion(reader)
    case 'MAP':
      return readMap(reader)
    default:
      return take(reader, ARGUMENTS) && { kind: 'leaf', text: reader.text.slice(from, reader.at), name }
  }
}

function readStruct(reader: Reader): TypeTree | undefined {
  const fields = readItems(reader, () => readField(reader) ?? unnamed(readType(reader)))
  return fields && { kind: 'struct', fields }
}

function unnamed(type: TypeTree | undefined): { name?: string; type: TypeTree } | undefined {
  return type && { type }
}

function readUnion(reader: Reader): TypeTree | undefined {
  const members = readItems(reader, () => readField(reader))
  return members && { kind: 'union', members }
}

function readMap(reader: Reader): TypeTree | undefined {
  const [key, value, ...more] = readItems(reader, () => readType(reader)) ?? []
  return key && value && more.length === 0 ? { kind: 'map', key, value } : undefined
}

function readItems<T>(reader: Reader, read: () => T | undefined): T[] | undefined {
  const items: T[] = []
  for (let mark = take(reader, /\(/y); mark && mark[0] !== ')'; mark = take(reader, /, |\)/y)) {
    const item = read()
    if (item === undefined) return undefined
    items.push(item)
  }
  return reader.text[reader.at - 1] === ')' ? items : undefined
}

/** A name and a type; nothing is read when there is a type alone. */
function readField(reader: Reader): { name: string; type: TypeTree } | undefined {
  const from = reader.at
  const name = take(reader, /(?:"((?:[^"]|"")*)"|([A-Z_]\w*)) /iy)
  const type = name && readType(reader)
  if (type && /^[,)]/.test(reader.text.slice(reader.at, reader.at + 1))) {
    return { name: name[2] ?? name[1]!.replaceAll('""', '"'), type }
  }
  reader.at = from
  return undefined
}

function take(reader: Reader, pattern: RegExp): RegExpExecArray | undefined {
  pattern.lastIndex = reader.at
  const match = pattern.exec(reader.text)
  if (!match) return undefined
  reader.at += match[0].length
  return match
}
