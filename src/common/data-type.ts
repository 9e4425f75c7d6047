/**
 * Column types as a tree, read from and printed as DuckDB's own names, so that the engine, the catalog and users
 * speak of the same types.
 */

/** DuckDB's names of the types without parameters. */
export const PRIMITIVE_TYPES = [
  'BOOLEAN',
  'TINYINT',
  'SMALLINT',
  'INTEGER',
  'BIGINT',
  'HUGEINT',
  'UTINYINT',
  'USMALLINT',
  'UINTEGER',
  'UBIGINT',
  'UHUGEINT',
  'FLOAT',
  'DOUBLE',
  'DATE',
  'TIME',
  'TIME_NS',
  'TIME WITH TIME ZONE',
  'TIMESTAMP',
  'TIMESTAMP_S',
  'TIMESTAMP_MS',
  'TIMESTAMP_NS',
  'TIMESTAMP WITH TIME ZONE',
  'VARCHAR',
  'BLOB',
  'BIT',
  'UUID',
  'INTERVAL',
  'JSON',
  'NULL',
] as const

/** The name of a type without parameters. */
export type PrimitiveName = (typeof PRIMITIVE_TYPES)[number]

/** A column's type. `other` carries a type that Skep passes through by name (ENUM, UNION, BIGNUM …). */
export type DataType =
  | { kind: 'primitive'; name: PrimitiveName }
  | { kind: 'decimal'; precision: number; scale: number }
  | { kind: 'list'; element: DataType }
  | { kind: 'array'; element: DataType; size: number }
  | { kind: 'struct'; fields: { name: string; type: DataType }[] }
  | { kind: 'map'; key: DataType; value: DataType }
  | { kind: 'other'; text: string }

/** The primitive type of that name. */
export function primitive(name: PrimitiveName): DataType {
  return { kind: 'primitive', name }
}

/** An identifier as DuckDB reads it back: always in double quotes. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A string constant as DuckDB reads it back. Only for values of our own (paths, names); users' values are bound. */
export function quoteString(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** The type as DuckDB writes it, e.g. `DECIMAL(18,3)` or `STRUCT("a" INTEGER)[]`. */
export function printType(type: DataType): string {
  switch (type.kind) {
    case 'primitive':
      return type.name
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'list':
      return `${printType(type.element)}[]`
    case 'array':
      return `${printType(type.element)}[${type.size}]`
    case 'struct':
      return `STRUCT(${type.fields.map((f) => `${quoteIdentifier(f.name)} ${printType(f.type)}`).join(', ')})`
    case 'map':
      return `MAP(${printType(type.key)}, ${printType(type.value)})`
    case 'other':
      return type.text
  }
}

const ALIASES: Record<string, PrimitiveName> = {
  BOOL: 'BOOLEAN',
  LOGICAL: 'BOOLEAN',
  INT1: 'TINYINT',
  INT2: 'SMALLINT',
  SHORT: 'SMALLINT',
  INT: 'INTEGER',
  INT4: 'INTEGER',
  SIGNED: 'INTEGER',
  INT8: 'BIGINT',
  LONG: 'BIGINT',
  REAL: 'FLOAT',
  FLOAT4: 'FLOAT',
  FLOAT8: 'DOUBLE',
  DATETIME: 'TIMESTAMP',
  TIMESTAMP_US: 'TIMESTAMP',
  TIMESTAMPTZ: 'TIMESTAMP WITH TIME ZONE',
  TIMETZ: 'TIME WITH TIME ZONE',
  'TIMESTAMP WITHOUT TIME ZONE': 'TIMESTAMP',
  'TIME WITHOUT TIME ZONE': 'TIME',
  TEXT: 'VARCHAR',
  STRING: 'VARCHAR',
  CHAR: 'VARCHAR',
  BPCHAR: 'VARCHAR',
  BYTEA: 'BLOB',
  BINARY: 'BLOB',
  VARBINARY: 'BLOB',
  '"NULL"': 'NULL',
}

/** The type that DuckDB's text names, aliases included; `other` for one that Skep does not know. */
export function parseType(text: string): DataType {
  const reader = { text: text.trim(), at: 0 }
  const type = readType(reader)
  return type !== undefined && reader.at === reader.text.length ? type : { kind: 'other', text: text.trim() }
}

interface Reader {
  text: string
  at: number
}

function readType(reader: Reader): DataType | undefined {
  let type = readBase(reader)
  for (let suffix = type && readSuffix(reader); type && suffix; suffix = readSuffix(reader)) {
    type =
      suffix.size === undefined ? { kind: 'list', element: type } : { kind: 'array', element: type, size: suffix.size }
  }
  return type
}

function readSuffix(reader: Reader): { size?: number } | undefined {
  const match = take(reader, /\s*\[(\d*)\]/y)
  if (!match) return undefined
  return match[1] ? { size: Number(match[1]) } : {}
}

function readBase(reader: Reader): DataType | undefined {
  if (take(reader, /STRUCT\s*\(/iy)) return readStruct(reader)
  if (take(reader, /MAP\s*\(/iy)) {
    const key = readType(reader)
    if (!key || !take(reader, /\s*,\s*/y)) return undefined
    const value = readType(reader)
    return value && take(reader, /\s*\)/y) ? { kind: 'map', key, value } : undefined
  }
  const decimal = take(reader, /(?:DECIMAL|NUMERIC|DEC)(?:\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?(?![\w])/iy)
  if (decimal) {
    const precision = decimal[1] === undefined ? 18 : Number(decimal[1])
    const scale = decimal[1] === undefined ? 3 : Number(decimal[2] ?? 0)
    return precision >= 1 && precision <= 38 && scale <= precision ? { kind: 'decimal', precision, scale } : undefined
  }
  if (take(reader, /VARCHAR\s*\(\s*\d+\s*\)/iy)) return primitive('VARCHAR')
  const word = take(reader, /"NULL"|(?:TIMESTAMP|TIME)\s+WITH(?:OUT)?\s+TIME\s+ZONE|[A-Z_][A-Z_0-9]*/iy)
  if (!word) return undefined
  const name = word[0].toUpperCase().replaceAll(/\s+/g, ' ')
  if (ALIASES[name]) return primitive(ALIASES[name])
  return (PRIMITIVE_TYPES as readonly string[]).includes(name) ? primitive(name as PrimitiveName) : undefined
}

function readStruct(reader: Reader): DataType | undefined {
  const fields: { name: string; type: DataType }[] = []
  do {
    const name = take(reader, /\s*(?:"((?:[^"]|"")*)"|([A-Za-z_]\w*))\s+/y)
    if (!name) return undefined
    const type = readType(reader)
    if (!type) return undefined
    fields.push({ name: name[2] ?? name[1]!.replaceAll('""', '"'), type })
  } while (take(reader, /\s*,/y))
  return take(reader, /\s*\)/y) ? { kind: 'struct', fields } : undefined
}

function take(reader: Reader, pattern: RegExp): RegExpExecArray | undefined {
  pattern.lastIndex = reader.at
  const match = pattern.exec(reader.text)
  if (!match) return undefined
  reader.at += match[0].length
  return match
}

/** True for signed and unsigned integers of any width. */
export function isInteger(type: DataType): boolean {
  return type.kind === 'primitive' && /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/.test(type.name)
}

/** True for FLOAT and DOUBLE. */
export function isFloat(type: DataType): boolean {
  return type.kind === 'primitive' && (type.name === 'FLOAT' || type.name === 'DOUBLE')
}

/** True for integers, floats and decimals. */
export function isNumeric(type: DataType): boolean {
  return isInteger(type) || isFloat(type) || type.kind === 'decimal'
}

/** True for timestamps of any unit, with or without zone. */
export function isTimestamp(type: DataType): boolean {
  return type.kind === 'primitive' && type.name.startsWith('TIMESTAMP')
}
